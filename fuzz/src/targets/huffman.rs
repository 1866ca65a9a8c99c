//! Huffman strings: what is encoded decodes to itself, and anything else is refused or decoded as another decoder does.

use crate::tape::Tape;
use evenkeel_wire::hpack::strings;
use fluke_hpack::huffman::{HuffmanDecoder, HuffmanDecoderError};
use std::cell::RefCell;

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    let length = tape.below(200);
    let mut plain = tape.bytes(length).to_vec();
    if tape.is_one_in(2) {
        plain.iter_mut().for_each(|b| *b = b' ' + *b % 95);
    }
    if tape.is_one_in(3) {
        return plain;
    }
    let mut coded = Vec::new();
    strings::encode(&plain, &mut coded);
    coded
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let (mut coded, mut plain) = (Vec::new(), Vec::new());
    strings::encode(input, &mut coded);
    strings::decode(&coded, &mut plain).map_err(|e| format!("our own coding of {input:02x?}: {e:?}"))?;
    if plain != input {
        return Err(format!("{input:02x?} comes back as {plain:02x?}"));
    }
    if oracle(&coded) != Ok(plain) {
        return Err(format!("the other decoder reads our coding of {input:02x?} otherwise"));
    }
    let mut out = b"before".to_vec();
    let ours = strings::decode(input, &mut out);
    if !out.starts_with(b"before") || out.len() > 6 + input.len() * 8 / 5 {
        return Err(format!("{} bytes out of {}", out.len(), input.len()));
    }
    match (ours, oracle(input)) {
        (Ok(()), Ok(theirs)) if out[6..] == theirs => Ok(()),
        (Err(_), Err(_)) => Ok(()),
        (ours, theirs) => Err(format!("{input:02x?}: {ours:?} {:02x?}, the other {theirs:02x?}", &out[6..])),
    }
}

/// The other decoder, which takes long to make.
fn oracle(coded: &[u8]) -> Result<Vec<u8>, HuffmanDecoderError> {
    thread_local!(static DECODER: RefCell<HuffmanDecoder> = RefCell::new(HuffmanDecoder::new()));
    DECODER.with_borrow_mut(|decoder| decoder.decode(coded))
}
