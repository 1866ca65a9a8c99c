//! Trailers: the fields behind the last chunk (RFC 9112 §7.1.2).
//!
//! What a trailer may not say (RFC 9110 §6.5.1) is dropped; what would say where a message ends or whom it is for is
//! refused.

use super::ends_here::EndsHere;
use super::error::HeadError;
use super::fields::{split, take_line};
use super::head::{self, HeadLimits, Start};
use crate::hpack::{HeaderList, HeaderStore, Name};

/// Reads the trailers at the start of `input`, up to the empty line that ends the body, into `list`, which is empty
/// before; says how many bytes they took. `Ok(None)` and `scanned` are as in [`read_request`](super::read_request); the
/// limit of the first line does not apply.
///
/// # Errors
/// The trailers are refused; the list may hold some of them, and is to be cleared in any case.
pub fn read_trailers(
    input: &[u8],
    scanned: &mut usize,
    limits: &HeadLimits,
    list: &mut HeaderList,
    store: &mut HeaderStore,
) -> Result<Option<usize>, HeadError> {
    let Some(head) = head::find(input, scanned, Start::Trailers, limits)? else { return Ok(None) };
    let (mut rest, mut count) = (head.bytes, 0);
    while let Some(line) = take_line(&mut rest) {
        count += 1;
        if count > limits.fields {
            return Err(HeadError::TooManyFields);
        }
        let (name, value) = split(line)?;
        let begun = list.begin(name);
        match begun.name() {
            Name::ContentLength | Name::TransferEncoding | Name::Host => return Err(HeadError::TrailerField),
            name if EndsHere::TRAILERS.has(name) => {}
            Name::Other if EndsHere::TRAILERS.has_other(list.begun_bytes(&begun)) => list.abandon(begun),
            _ => list.finish(begun, value),
        }
    }
    head::check_bytes(head.bytes, count + 1)?;
    list.charge(store);
    Ok(Some(head.consumed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str, limits: &HeadLimits) -> Result<Option<(usize, Vec<String>)>, HeadError> {
        let (mut list, mut store) = (HeaderList::default(), HeaderStore::new((1, 2), 1 << 20));
        let read = read_trailers(input.as_bytes(), &mut 0, limits, &mut list, &mut store)?;
        let name = |f| String::from_utf8_lossy(list.name_bytes(f, &store)).into_owned();
        Ok(read.map(|n| (n, list.fields().iter().map(name).collect())))
    }

    #[test]
    fn trailers_end_at_the_empty_line_and_may_be_none() {
        let limits = HeadLimits::default();
        assert_eq!(read("\r\nGET", &limits), Ok(Some((2, vec![]))));
        assert_eq!(read("\r", &limits), Ok(None));
        assert_eq!(read("", &limits), Ok(None));
        assert_eq!(read("A: b\r\n", &limits), Ok(None));
        let one = Ok(Some((31, vec!["grpc-status".to_owned(), "x-sum".to_owned()])));
        assert_eq!(read("Grpc-Status: 0\r\nX-Sum: 1234\r\n\r\n\r\n", &limits), one);
    }

    #[test]
    fn what_a_trailer_may_not_say_is_dropped_and_framing_is_refused() {
        let limits = HeadLimits::default();
        let text = "Cookie: a\r\nTrailer: b\r\nX: 1\r\nConnection: c\r\n\r\n";
        assert_eq!(read(text, &limits).unwrap().unwrap().1, ["x"]);
        for name in ["Content-Length: 1", "transfer-encoding: chunked", "HOST: a"] {
            assert_eq!(read(&format!("{name}\r\n\r\n"), &limits), Err(HeadError::TrailerField));
        }
        for (text, error) in [
            ("\n", HeadError::BareLineFeed),
            ("\ra", HeadError::BareCarriageReturn),
            ("a: b\n\r\n", HeadError::BareLineFeed),
            ("a: b\0\r\n\r\n", HeadError::NullByte),
            ("a: b\r\n c\r\n\r\n", HeadError::FoldedLine),
        ] {
            assert_eq!(read(text, &limits), Err(error), "{text:?}");
        }
    }

    #[test]
    fn the_most_trailers_pass_and_one_more_is_refused() {
        let limits = HeadLimits { fields: 2, bytes: 16, ..HeadLimits::default() };
        assert!(read("a: b\r\nb: c\r\n\r\n", &limits).is_ok());
        assert_eq!(read("a:\r\nb:\r\nc:\r\n\r\n", &limits), Err(HeadError::TooManyFields));
        assert!(read("a: b\r\nb: cdef\r\n\r\n", &limits).is_err(), "17 bytes");
    }
}
