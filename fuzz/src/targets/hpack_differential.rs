//! Our decoder against another one: the same blocks are refused, and the others give the same fields.
//!
//! The oracle lets pass what RFC 7541 forbids in two places, and forbids a third that it does not speak of: a size
//! update behind a field or a third one (§4.2), and a block that is nothing but size updates.

use crate::grammar;
use crate::tape::Tape;
use evenkeel_wire::hpack::{DecodeError, Decoder, HeaderLimits, HeaderList, HeaderStore};
use fluke_hpack::decoder::DecoderError;

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    grammar::blocks::blocks(tape)
}

/// First octet of a size update whose integer goes on. Where that integer is wrong the oracle panics, also behind another
/// fault that it does not see.
const LONG_SIZE_UPDATE: u8 = 0x3f;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let mut oracle = fluke_hpack::Decoder::new();
    oracle.set_max_allowed_table_size(4096);
    let (mut decoder, mut store) = (Decoder::default(), HeaderStore::new((5, 6), 1 << 24));
    let limits = HeaderLimits { list_bytes: 1 << 30, ..HeaderLimits::default() };
    let mut tape = Tape::new(input);
    while let Some(block) = tape.part() {
        let mut list = HeaderList::default();
        let ours = decoder.decode(block, &limits, &mut store, &mut Vec::new(), &mut list);
        let fields: Fields = list
            .fields()
            .iter()
            .map(|f| (list.name_bytes(f, &store).to_vec(), list.value(f, &store).to_vec()))
            .collect();
        list.clear(&mut store);
        if ours.is_err() && block.contains(&LONG_SIZE_UPDATE) {
            break;
        }
        let mut expected = Fields::new();
        let theirs = oracle
            .decode_with_cb(block, |name, value| expected.push((name.into_owned(), value.into_owned())));
        match (ours, theirs) {
            // What each alone refuses.
            (Err(DecodeError::SizeUpdate), _) => break,
            (Ok(()), Ok(()) | Err(DecoderError::SizeUpdateAtEnd)) => {}
            (Err(_), Err(_)) => break,
            (ours, theirs) => return Err(format!("{ours:?}, the other says {theirs:?}: {block:02x?}")),
        }
        if fields != expected {
            return Err(format!("{fields:?}, the other says {expected:?}: {block:02x?}"));
        }
    }
    decoder.clear(&mut store);
    Ok(())
}
