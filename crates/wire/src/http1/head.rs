//! Where a head ends, and the first checks that need no line: size, line ends, control bytes.
//!
//! The answer depends on the bytes so far and never on the cuts they came in; `scanned` only saves work.

use super::error::HeadError;
use super::octets;

/// Limits of one head. They are on what came, not on what it becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head, line ends and empty line too.
    pub bytes: usize,
    /// Field lines.
    pub fields: usize,
    /// Bytes of the first line without its end.
    pub line: usize,
}

impl Default for HeadLimits {
    /// 64 KiB, 128 fields, 8 KiB of first line (RFC 9112 §3 asks for 8,000 bytes at least).
    fn default() -> Self {
        Self { bytes: 64 * 1024, fields: 128, line: 8 * 1024 }
    }
}

/// A piece of the input that a head was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    length: u32,
}

impl Span {
    /// Where `part` lies in `input`, of which it is a piece.
    pub(super) fn within(input: &[u8], part: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).saturating_sub(input.as_ptr() as usize);
        Self { start: start as u32, length: part.len() as u32 }
    }

    /// The piece, of the same input; empty for any other one that is too short.
    #[must_use]
    pub fn of(self, input: &[u8]) -> &[u8] {
        let start = self.start as usize;
        input.get(start..start + self.length as usize).unwrap_or_default()
    }
}

/// What stands before the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// A request line, and at most one empty line before it (RFC 9112 §2.2).
    Request,
    /// A status line.
    Status,
    /// Nothing: the fields may be none.
    Trailers,
}

/// A whole head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    /// From its first line to the empty line, both with their ends.
    pub(super) bytes: &'a [u8],
    /// Bytes of the input that it takes, with an empty line before it.
    pub(super) consumed: usize,
}

/// Finds a head's end. `scanned` is 0 for the first bytes of a head, and what this left in it when more came.
pub(super) fn find<'a>(
    input: &'a [u8],
    scanned: &mut usize,
    start: Start,
    limits: &HeadLimits,
) -> Result<Option<Head<'a>>, HeadError> {
    let skipped = if start == Start::Request && input.starts_with(b"\r\n") { 2 } else { 0 };
    let input = &input[skipped..];
    if let Some(first @ (b'\r' | b'\n')) = input.first() {
        return match (first, input.get(1)) {
            (b'\n', _) => Err(HeadError::BareLineFeed),
            (_, None) => Ok(None),
            (_, Some(b'\n')) if start == Start::Trailers => {
                Ok(Some(Head { bytes: &input[..2], consumed: 2 }))
            }
            (_, Some(b'\n')) => Err(HeadError::EmptyLine),
            (_, Some(_)) => Err(HeadError::BareCarriageReturn),
        };
    }
    let line = limits.line.saturating_add(2);
    // Once, when so much has come: a limit of the head that is smaller speaks first.
    if start != Start::Trailers
        && *scanned < line
        && line <= input.len().min(limits.bytes)
        && memchr::memchr(b'\n', &input[..line]).is_none()
    {
        return Err(HeadError::LineTooLong);
    }
    let within = &input[..input.len().min(limits.bytes)];
    let mut at = (*scanned).min(within.len());
    while let Some(n) = memchr::memchr(b'\n', &within[at..]) {
        let end = at + n;
        if end == 0 || within[end - 1] != b'\r' {
            return Err(HeadError::BareLineFeed);
        }
        if let [b'\r', b'\n', ..] = within[end + 1..] {
            let bytes = &within[..end + 3];
            *scanned = 0;
            return Ok(Some(Head { bytes, consumed: skipped + bytes.len() }));
        }
        at = end + 1;
    }
    if input.len() >= limits.bytes {
        return Err(HeadError::TooManyBytes);
    }
    // The last line end may be followed by an empty line that has not come in full.
    *scanned = within.len().saturating_sub(2);
    Ok(None)
}

/// Refuses control bytes anywhere but at the ends of the lines.
pub(super) fn check_bytes(head: &[u8], lines: usize) -> Result<(), HeadError> {
    if octets::control_bytes(head) == 2 * lines {
        return Ok(());
    }
    // Each line feed has a carriage return before it, so the first other one is at fault.
    let mut rest = head;
    while let Some(at) = rest.iter().position(|&b| octets::is_control(b)) {
        match rest[at..] {
            [b'\r', b'\n', ..] => rest = &rest[at + 2..],
            [b'\r', ..] => return Err(HeadError::BareCarriageReturn),
            [0, ..] => return Err(HeadError::NullByte),
            _ => return Err(HeadError::ControlByte),
        }
    }
    Err(HeadError::ControlByte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        find(input, &mut 0, Start::Request, limits).map(|head| head.map(|h| h.consumed))
    }

    #[test]
    fn the_largest_head_passes_and_one_byte_more_is_refused() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let limits = |bytes| HeadLimits { bytes, ..HeadLimits::default() };
        assert_eq!(read(head, &limits(head.len())), Ok(Some(head.len())));
        assert_eq!(read(head, &limits(head.len() - 1)), Err(HeadError::TooManyBytes));
        assert_eq!(read(&head[..head.len() - 2], &limits(head.len() - 1)), Ok(None));
        assert_eq!(read(&head[..head.len() - 1], &limits(head.len() - 1)), Err(HeadError::TooManyBytes));
    }

    #[test]
    fn the_longest_line_passes_and_one_byte_more_is_refused() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let limits = |line| HeadLimits { line, ..HeadLimits::default() };
        assert_eq!(read(head, &limits(14)), Ok(Some(head.len())));
        assert_eq!(read(head, &limits(13)), Err(HeadError::LineTooLong));
        assert_eq!(read(&head[..14], &limits(13)), Ok(None));
        assert_eq!(read(&head[..15], &limits(13)), Err(HeadError::LineTooLong));
    }

    #[test]
    fn bytes_that_trickle_in_are_looked_at_once() {
        let mut head = b"GET / HTTP/1.1\r\n".to_vec();
        head.extend(b"a: b\r\n".repeat(1_000));
        let mut scanned = 0;
        for n in 1..=head.len() {
            assert!(matches!(
                find(&head[..n], &mut scanned, Start::Request, &HeadLimits::default()),
                Ok(None)
            ));
            assert_eq!(scanned, n.saturating_sub(2));
        }
    }

    #[test]
    fn one_empty_line_may_come_before_a_request_and_a_second_may_not() {
        let limits = HeadLimits::default();
        assert_eq!(read(b"\r\nGET / HTTP/1.1\r\n\r\n", &limits), Ok(Some(20)));
        for (input, result) in [
            (&b"\r"[..], Ok(None)),
            (b"\r\n", Ok(None)),
            (b"\r\n\r", Ok(None)),
            (b"\r\n\r\n", Err(HeadError::EmptyLine)),
            (b"\n", Err(HeadError::BareLineFeed)),
            (b"\rG", Err(HeadError::BareCarriageReturn)),
        ] {
            assert_eq!(read(input, &limits), result, "{input:?}");
        }
        let status = find(b"\r\nHTTP/1.1 200 OK\r\n\r\n", &mut 0, Start::Status, &limits);
        assert!(matches!(status, Err(HeadError::EmptyLine)));
    }
}
