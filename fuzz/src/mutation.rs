//! Changes to inputs: bit flips, numbers at their borders, pieces that go, come twice or come from another input.
//!
//! Knows nothing of formats but what bytes are worth trying in them. Used by `input`.

use crate::prng::Prng;
use std::ops::Range;

/// Byte strings on which parsers have stumbled: lengths at their borders, heads of frames, HPACK and YAML signs.
const INTERESTING: &[&[u8]] = &[
    &[0],
    &[0xff],
    &[0x7f],
    &[0x80],
    &[0xff, 0xff, 0xff],
    &[0x00, 0x40, 0x00],
    &[0x00, 0x40, 0x01],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0, 0, 0, 0],
    &[0, 0, 0xff, 0xff],
    // Whole frames and heads of frames.
    &[0, 0, 0, 4, 1, 0, 0, 0, 0],
    &[0, 0, 0, 4, 0, 0, 0, 0, 0],
    &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff],
    &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
    &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff],
    &[0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 0, 0],
    &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7],
    &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    &[0, 0, 0, 0, 0, 0, 0, 0, 1],
    &[0, 0, 0, 0, 1, 0, 0, 0, 1],
    &[0, 0, 1, 0, 8, 0, 0, 0, 1, 0],
    &[0, 0, 0, 9, 4, 0, 0, 0, 1],
    &[0, 0, 0, 9, 0, 0, 0, 0, 1],
    &[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x82],
    &[0, 0, 0, 5, 4, 0, 0, 0, 1],
    &[0, 0, 3, 99, 0xff, 0, 0, 0, 0, 1, 2, 3],
    // HPACK: index 0, beyond the tables, size updates, integers that are long or do not end, EOS.
    &[0x80],
    &[0xbe],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0x20],
    &[0x3f, 0xe1, 0x1f],
    &[0x3f, 0xe2, 0x1f],
    &[0x3f, 0x80, 0x80, 0x80, 0x80, 0x01],
    &[0x7f, 0x80, 0x80, 0x80, 0x80, 0x00],
    &[0x40, 0x84, 0xff, 0xff, 0xff, 0xff],
    &[0x00, 0x01, b'a', 0x81, 0x00],
    // Text.
    b": ",
    b"\n- ",
    b"\n  ",
    b"\"",
    b"&a *a",
    b"18446744073709551616",
    b"-1",
    b"\xc3",
    b"\xe2\x80\xae",
];

/// Longest input that changes make.
const MOST: usize = 64 * 1024;

/// Changes an input in one to eight places; pieces may come from `other`.
pub(crate) fn mutate(input: &mut Vec<u8>, other: &[u8], prng: &mut Prng) {
    for _ in 0..=prng.below(8) {
        change(input, other, prng);
    }
    input.truncate(MOST);
}

fn change(input: &mut Vec<u8>, other: &[u8], prng: &mut Prng) {
    let at = prng.below(input.len());
    let length = prng.below((input.len() - at).min(64) + 1);
    match prng.below(10) {
        0 if !input.is_empty() => input[at] ^= 1 << prng.below(8),
        1 if !input.is_empty() => input[at] = prng.next() as u8,
        2 if !input.is_empty() => {
            input[at] = input[at].wrapping_add(if prng.is_one_in(2) { 1 } else { 0xff })
        }
        3 => drop(input.drain(at..at + length)),
        4 => {
            let piece = input[at..at + length].to_vec();
            input.splice(at..at, piece);
        }
        5 => {
            let piece = INTERESTING[prng.below(INTERESTING.len())];
            input.splice(at..at, piece.iter().copied());
        }
        6 => {
            let piece = INTERESTING[prng.below(INTERESTING.len())];
            let end = (at + piece.len()).min(input.len());
            input.splice(at..end, piece.iter().copied());
        }
        7 => {
            let from = prng.below(other.len());
            let to = from + prng.below((other.len() - from).min(256) + 1);
            input.splice(at..at + length, other[from..to].iter().copied());
        }
        8 => {
            let count = 1 + prng.below(16);
            let piece = prng.bytes(count);
            input.splice(at..at, piece);
        }
        _ => input.truncate(at.max(1)),
    }
}

/// The places of an input's pieces of this size, the last ones first.
pub(crate) fn pieces(length: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..length.div_ceil(size)).rev().map(move |i| i * size..(i + 1) * size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_can_be_changed_and_stays_within_its_bound() {
        for seed in 0..2_000 {
            let mut prng = Prng::new(&[seed]);
            let length = prng.below(40);
            let (mut input, other) = (prng.bytes(length), prng.bytes(length / 2));
            mutate(&mut input, &other, &mut prng);
            assert!(input.len() <= MOST);
        }
    }
}
