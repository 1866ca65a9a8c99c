//! What a client speaks, by its first bytes.

/// What an HTTP/2 client sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Where the preface names its version, by a digit that HTTP/1 does not have.
const PREFACE_VERSION: usize = "PRI * HTTP/".len();

/// What the first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detected {
    /// Not enough to say.
    NeedMore,
    /// HTTP/2 by prior knowledge.
    Http2,
    /// A request line of HTTP/1, or its beginning.
    Http1,
    /// A TLS handshake record (RFC 8446 §5.1).
    Tls,
    /// Nothing that is known here.
    Garbage,
}

/// Says what a connection speaks. `first` is all that came so far.
#[must_use]
pub fn detect(first: &[u8]) -> Detected {
    let same = first.iter().zip(PREFACE).take_while(|(a, b)| a == b).count();
    if same == PREFACE.len() {
        return Detected::Http2;
    }
    if same == first.len() {
        return Detected::NeedMore;
    }
    // What left the preface behind its version cannot come to be a request line of HTTP/1; what left it before may, since
    // its line alone tells.
    if same > PREFACE_VERSION {
        return Detected::Garbage;
    }
    match first {
        [0x16] | [0x16, 3] => Detected::NeedMore,
        [0x16, 3, ..] => Detected::Tls,
        _ => http1_request_line(first),
    }
}

/// Longest method that is taken for one.
const LONGEST_METHOD: usize = 16;
/// Longest request line of which the version is waited for (RFC 9112 §3 asks for 8,000 octets). What is longer after a method
/// and a space is HTTP/1's to read or to refuse.
const LONGEST_LINE: usize = 8 * 1024;

/// A request line: a method, a target, and `HTTP/1.` with a digit (RFC 9112 §3). Methods are those of upper-case letters, with
/// `-` and `_` between them, as in `M-SEARCH`.
fn http1_request_line(first: &[u8]) -> Detected {
    let is_of_method = |at: usize, b: u8| b.is_ascii_uppercase() || at > 0 && matches!(b, b'-' | b'_');
    let letters = first.iter().enumerate().take_while(|&(at, &b)| is_of_method(at, b)).count();
    match first.get(letters) {
        None if letters <= LONGEST_METHOD => return Detected::NeedMore,
        Some(b' ') if (3..=LONGEST_METHOD).contains(&letters) => {}
        _ => return Detected::Garbage,
    }
    let Some(end) = memchr::memchr(b'\n', first) else {
        return if first.len() < LONGEST_LINE { Detected::NeedMore } else { Detected::Http1 };
    };
    let line = first[..end].strip_suffix(b"\r").unwrap_or(&first[..end]);
    match line.rsplitn(2, |&b| b == b' ').next() {
        Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9']) => Detected::Http1,
        _ => Detected::Garbage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_protocol() {
        for (bytes, what) in [
            (&PREFACE[..], Detected::Http2),
            (b"GET / HTTP/1.1\r\n", Detected::Http1),
            (b"PROPFIND /a HTTP/1.0\n", Detected::Http1),
            (b"PUT / HTTP/1.1", Detected::NeedMore),
            (b"INVALID CONNECTION PREFACE\r\n\r\n", Detected::Garbage),
            (b"GET / HTTP/2.0\r\n", Detected::Garbage),
            (b"PRI * HTTP/2.1", Detected::Garbage),
            (b"PRI * HTTP/2.0\r\n\r\nXX", Detected::Garbage),
            (b"PRI * HTTP/1.1\r\n", Detected::Http1),
            (b"PRI * HTTP/1", Detected::NeedMore),
            (b"PRI /index HTTP/1.1\r\nhost: a\r\n", Detected::Http1),
            (b"PRI /index", Detected::NeedMore),
            (b"PRINT /a HTTP/1.1\r\n", Detected::Http1),
            (b"PRI\r\n", Detected::Garbage),
            (b"M-SEARCH * HTTP/1.1\r\n", Detected::Http1),
            (b"-GET / HTTP/1.1\r\n", Detected::Garbage),
            (b"\x16\x03\x01\x02\x00", Detected::Tls),
            (b"\x16\x03", Detected::NeedMore),
            (b"SSH-2.0-OpenSSH", Detected::Garbage),
            (b"\0\0\0", Detected::Garbage),
            (b"ABCDEFGHIJKLMNOPQ", Detected::Garbage),
            (b"", Detected::NeedMore),
        ] {
            assert_eq!(detect(bytes), what, "{bytes:?}");
        }
    }

    #[test]
    fn the_longest_request_line_is_waited_for_and_one_byte_more_is_read_as_one() {
        let line = [b"GET /".to_vec(), vec![b'a'; LONGEST_LINE - 5]].concat();
        assert_eq!(detect(&line[..LONGEST_LINE - 1]), Detected::NeedMore);
        assert_eq!(detect(&line), Detected::Http1);
    }

    #[test]
    fn the_preface_in_parts_needs_more_until_it_is_whole() {
        for n in 0..PREFACE.len() {
            assert_eq!(detect(&PREFACE[..n]), Detected::NeedMore);
        }
        let mut long = PREFACE.to_vec();
        long.push(0);
        assert_eq!(detect(&long), Detected::Http2);
    }
}
