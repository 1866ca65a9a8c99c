//! The first handshake message, out of the records that it was cut into (RFC 8446 §5.1).

use super::{Fault, LONGEST};
use std::borrow::Cow;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const RECORD_HEADER: usize = 5;
/// Kind and length of a handshake message.
const MESSAGE_HEADER: usize = 4;
/// Most plaintext in a record.
const LONGEST_RECORD: usize = 1 << 14;

/// The body of the ClientHello, `None` if it is not whole yet.
pub(super) fn message(first: &[u8]) -> Result<Option<Cow<'_, [u8]>>, Fault> {
    let first_ones = &first[..first.len().min(LONGEST)];
    let need_more = if first.len() < LONGEST { Ok(None) } else { Err(Fault::TooLong) };
    // Once to see whether all is here, so that nothing is copied before.
    let mut header = [0; MESSAGE_HEADER];
    let mut came = 0;
    let mut whole = None;
    for fragment in Fragments(first_ones) {
        let fragment = fragment?;
        if came < MESSAGE_HEADER {
            let n = fragment.len().min(MESSAGE_HEADER - came);
            header[came..came + n].copy_from_slice(&fragment[..n]);
        }
        let is_first = came == 0;
        came += fragment.len();
        if came > 0 && header[0] != CLIENT_HELLO {
            return Err(Fault::Message);
        }
        if came < MESSAGE_HEADER {
            continue;
        }
        let length = MESSAGE_HEADER + u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
        if length > LONGEST - RECORD_HEADER {
            return Err(Fault::TooLong);
        }
        if came >= length {
            if is_first {
                return Ok(Some(Cow::Borrowed(&fragment[MESSAGE_HEADER..length])));
            }
            whole = Some(length);
            break;
        }
    }
    let Some(length) = whole else { return need_more };
    let mut message = Vec::with_capacity(came);
    for fragment in Fragments(first_ones) {
        message.extend_from_slice(fragment?);
        if message.len() >= length {
            break;
        }
    }
    message.truncate(length);
    message.drain(..MESSAGE_HEADER);
    Ok(Some(Cow::Owned(message)))
}

/// What came of the payload of each record.
struct Fragments<'a>(&'a [u8]);

impl<'a> Iterator for Fragments<'a> {
    type Item = Result<&'a [u8], Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let is_good = match *self.0 {
            [] => return None,
            [kind, ref rest @ ..] => kind == HANDSHAKE && rest.first().is_none_or(|&major| major == 3),
        };
        if !is_good {
            return Some(Err(Fault::Record));
        }
        let (&[_, _, _, high, low], rest) = self.0.split_first_chunk::<RECORD_HEADER>()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length == 0 || length > LONGEST_RECORD {
            return Some(Err(Fault::Record));
        }
        let (fragment, rest) = rest.split_at(length.min(rest.len()));
        self.0 = rest;
        Some(Ok(fragment))
    }
}
