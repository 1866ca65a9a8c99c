//! Cuts of a stream, for the targets that must give the same in each of them.

use crate::prng::Prng;

/// The stream in pieces of up to `most` bytes, none of them empty.
pub(super) fn of<'a>(stream: &'a [u8], most: usize, prng: &mut Prng) -> Vec<&'a [u8]> {
    let (mut pieces, mut rest) = (Vec::new(), stream);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + prng.below(most)).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
