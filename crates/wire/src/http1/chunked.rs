//! Chunked bodies (RFC 9112 §7.1), both ways. A reader is a few bytes and keeps none of the input.
//!
//! Strict where parsers differ: line ends are CRLF and nothing else, a size is hexadecimal digits alone, nothing but CRLF
//! stands behind a chunk's data, and extensions are bounded and hold no control bytes.

use super::octets;
use std::num::NonZeroUsize;

/// Longest extensions of one chunk, in bytes.
pub const MOST_EXTENSION_BYTES: u16 = 256;
/// Most bytes of extensions in one body: they are thrown away, so they cost and bring nothing.
pub const MOST_EXTENSIONS_BYTES: u16 = 16 * 1024;
/// Most digits of a chunk's size.
const MOST_DIGITS: u8 = 16;

/// What is wrong with a chunked body. The connection ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ChunkError {
    /// A size that is not 1 to 16 hexadecimal digits.
    #[error("a chunk size that is not 1 to 16 hexadecimal digits")]
    Size,
    /// Extensions beyond their limits.
    #[error("chunk extensions longer than the limit")]
    ExtensionBytes,
    /// A control byte in an extension.
    #[error("a chunk extension with a control byte")]
    Extension,
    /// A line end that is not CRLF.
    #[error("a chunk line that does not end in CRLF")]
    LineEnd,
    /// Something between a chunk's data and the next chunk.
    #[error("a chunk whose data does not end where its size says")]
    DataEnd,
}

/// A piece of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Not enough came to say; all of it was taken.
    NeedMore,
    /// Bytes of the body, never none.
    Data(&'a [u8]),
    /// The last chunk has passed: what follows is for [`read_trailers`](super::read_trailers). Said again at each call.
    Trailers,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Extension,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    Trailers,
}

/// Reads one chunked body, in whatever cuts it comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkedReader {
    /// The size while it is read, then the data that is still to come.
    left: u64,
    /// Of this chunk and of all of them.
    extension: u16,
    extensions: u16,
    digits: u8,
    state: State,
}

impl ChunkedReader {
    /// Takes the next piece off the front of `input`.
    ///
    /// # Errors
    /// The body is refused, and where the next message begins is not known.
    #[inline]
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Part<'a>, ChunkError> {
        while self.state != State::Trailers {
            if self.state == State::Data {
                if input.is_empty() {
                    return Ok(Part::NeedMore);
                }
                let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
                let (data, rest) = input.split_at(length);
                *input = rest;
                self.left -= length as u64;
                if self.left == 0 {
                    self.state = State::DataReturn;
                }
                return Ok(Part::Data(data));
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(Part::NeedMore) };
            self.line(byte)?;
            *input = rest;
        }
        Ok(Part::Trailers)
    }

    /// One byte outside of the data.
    fn line(&mut self, byte: u8) -> Result<(), ChunkError> {
        self.state = match (self.state, byte) {
            (State::Size, b'\r') if self.digits > 0 => State::SizeLineFeed,
            (State::Size, b';') if self.digits > 0 => State::Extension,
            (State::Size, b'\n') if self.digits > 0 => return Err(ChunkError::LineEnd),
            (State::Size, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(ChunkError::Size)?;
                if self.digits == MOST_DIGITS {
                    return Err(ChunkError::Size);
                }
                self.digits += 1;
                self.left = self.left << 4 | u64::from(digit);
                State::Size
            }
            (State::Extension, b'\r') => State::SizeLineFeed,
            (State::Extension, b'\n') => return Err(ChunkError::LineEnd),
            (State::Extension, _) if octets::is_control(byte) => return Err(ChunkError::Extension),
            (State::Extension, _) => {
                if self.extension == MOST_EXTENSION_BYTES || self.extensions == MOST_EXTENSIONS_BYTES {
                    return Err(ChunkError::ExtensionBytes);
                }
                self.extension += 1;
                self.extensions += 1;
                State::Extension
            }
            (State::SizeLineFeed, b'\n') => {
                (self.digits, self.extension) = (0, 0);
                if self.left == 0 { State::Trailers } else { State::Data }
            }
            (State::SizeLineFeed, _) => return Err(ChunkError::LineEnd),
            (State::DataReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => State::Size,
            (State::DataReturn | State::DataLineFeed, _) => return Err(ChunkError::DataEnd),
            // The two that have no line are the caller's.
            (state @ (State::Data | State::Trailers), _) => state,
        };
        Ok(())
    }

    /// Whether the last chunk has passed.
    #[must_use]
    pub fn is_at_trailers(&self) -> bool {
        self.state == State::Trailers
    }
}

/// Appends the line before a chunk's data. A chunk of nothing would end the body, so there is none.
pub fn put_chunk_header(out: &mut Vec<u8>, length: NonZeroUsize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut line = [0u8; 18];
    let (mut at, mut rest) = (16, length.get());
    line[16..].copy_from_slice(b"\r\n");
    while rest > 0 {
        at -= 1;
        line[at] = DIGITS[rest & 15];
        rest >>= 4;
    }
    out.extend_from_slice(&line[at..]);
}

/// Appends what stands behind a chunk's data.
pub fn put_chunk_end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data, and what is left of the input behind the last chunk; read in pieces of `cut` bytes.
    fn read(body: &[u8], cut: usize) -> Result<Option<(Vec<u8>, usize)>, ChunkError> {
        let (mut reader, mut data, mut taken) = (ChunkedReader::default(), Vec::new(), 0);
        for piece in body.chunks(cut) {
            let mut input = piece;
            loop {
                match reader.next(&mut input)? {
                    Part::Data(bytes) => data.extend_from_slice(bytes),
                    Part::NeedMore => break,
                    Part::Trailers => {
                        return Ok(Some((data, body.len() - taken - (piece.len() - input.len()))));
                    }
                }
            }
            assert!(input.is_empty());
            taken += piece.len();
        }
        Ok(None)
    }

    fn in_all_cuts(body: &[u8]) -> Result<Option<(Vec<u8>, usize)>, ChunkError> {
        let whole = read(body, body.len().max(1));
        for cut in 1..body.len().min(40) {
            assert_eq!(read(body, cut), whole, "{body:?} in pieces of {cut}");
        }
        whole
    }

    #[test]
    fn a_body_is_read_to_its_last_chunk_in_any_cuts() {
        let body = b"4\r\nwiki\r\n6;a=\"b\"\r\npedia \r\n0E\r\nin \r\n\r\nchunks.\r\n0\r\n\r\n";
        assert_eq!(in_all_cuts(body), Ok(Some((b"wikipedia in \r\n\r\nchunks.".to_vec(), 2))));
        assert_eq!(in_all_cuts(b"00000\r\nX: y\r\n\r\n"), Ok(Some((vec![], 8))));
        assert_eq!(in_all_cuts(b"5\r\nab"), Ok(None));
    }

    #[test]
    fn each_fault_is_refused_by_its_name() {
        for (body, error) in [
            (&b"\r\n"[..], ChunkError::Size),
            (b";a\r\n", ChunkError::Size),
            (b" 5\r\n", ChunkError::Size),
            (b"5 \r\n", ChunkError::Size),
            (b"5 ;a\r\n", ChunkError::Size),
            (b"0x5\r\n", ChunkError::Size),
            (b"+5\r\n", ChunkError::Size),
            (b"-1\r\n", ChunkError::Size),
            (b"5\n", ChunkError::LineEnd),
            (b"5\r\r\n", ChunkError::LineEnd),
            (b"5;a\nabcde", ChunkError::LineEnd),
            (b"5;a\rb", ChunkError::LineEnd),
            (b"5;a\0\r\n", ChunkError::Extension),
            (b"1\r\nab\r\n", ChunkError::DataEnd),
            (b"1\r\na\n", ChunkError::DataEnd),
            (b"1\r\na\rb", ChunkError::DataEnd),
            (b"1\r\na0\r\n", ChunkError::DataEnd),
            (b"00000000000000001\r\n", ChunkError::Size),
        ] {
            assert_eq!(in_all_cuts(body), Err(error), "{body:?}");
        }
        assert_eq!(in_all_cuts(b"ffffffffffffffff\r\n"), Ok(None), "the largest size there is");
    }

    #[test]
    fn the_longest_extensions_pass_and_one_byte_more_is_refused() {
        let chunk = |n: usize| [b"1;", &vec![b'x'; n][..], b"\r\na\r\n"].concat();
        let most = usize::from(MOST_EXTENSION_BYTES);
        assert_eq!(read(&chunk(most), 7), Ok(None));
        assert_eq!(read(&chunk(most + 1), 7), Err(ChunkError::ExtensionBytes));
        let mut body = chunk(most).repeat(usize::from(MOST_EXTENSIONS_BYTES) / most);
        assert_eq!(read(&body, 999), Ok(None));
        body.extend(chunk(1));
        assert_eq!(read(&body, 999), Err(ChunkError::ExtensionBytes));
    }

    #[test]
    fn a_chunk_that_is_written_is_read_again() {
        for length in [1, 9, 10, 15, 16, 255, 256, 65_535, 65_536] {
            let (data, mut out) = (vec![b'd'; length], Vec::new());
            put_chunk_header(&mut out, NonZeroUsize::new(length).unwrap());
            out.extend_from_slice(&data);
            put_chunk_end(&mut out);
            out.extend_from_slice(b"0\r\n");
            assert_eq!(read(&out, 1_000), Ok(Some((data, 0))));
        }
        let mut out = Vec::new();
        put_chunk_header(&mut out, NonZeroUsize::MAX);
        assert_eq!(out, b"ffffffffffffffff\r\n");
    }

    #[test]
    fn a_reader_is_a_few_bytes() {
        assert!(size_of::<ChunkedReader>() <= 16);
    }
}
