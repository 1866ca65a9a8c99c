//! Integers with a prefix (RFC 7541 §5.1).

/// Octets after the prefix beyond which an integer is refused: 2^28 is more than any limit here.
const MOST_OCTETS: u32 = 4;

/// An integer that does not end, or is longer than five octets in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadInteger;

/// Reads an integer whose first octet has `prefix_bits` of it; moves `input` past it.
#[inline]
pub(super) fn decode(input: &mut &[u8], prefix_bits: u32) -> Result<usize, BadInteger> {
    let (&first, rest) = input.split_first().ok_or(BadInteger)?;
    *input = rest;
    let mask = (1usize << prefix_bits) - 1;
    let value = usize::from(first) & mask;
    if value < mask { Ok(value) } else { decode_rest(input, mask) }
}

/// The octets behind a prefix of ones, which are worth `value`.
fn decode_rest(input: &mut &[u8], mut value: usize) -> Result<usize, BadInteger> {
    for nth in 0..MOST_OCTETS {
        let (&octet, rest) = input.split_first().ok_or(BadInteger)?;
        *input = rest;
        value += usize::from(octet & 0x7f) << (7 * nth);
        if octet & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(BadInteger)
}

/// Appends an integer; `flags` are the bits above the prefix in the first octet.
#[inline]
pub(super) fn encode(value: usize, prefix_bits: u32, flags: u8, out: &mut Vec<u8>) {
    let mask = (1usize << prefix_bits) - 1;
    if value < mask {
        out.push(flags | value as u8);
    } else {
        encode_rest(value, mask, flags, out);
    }
}

fn encode_rest(value: usize, mask: usize, flags: u8, out: &mut Vec<u8>) {
    out.push(flags | mask as u8);
    let mut rest = value - mask;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rfcs_examples_hold() {
        for (value, prefix, bytes) in [(10, 5, vec![10]), (1337, 5, vec![31, 154, 10]), (42, 8, vec![42])] {
            let mut out = Vec::new();
            encode(value, prefix, 0, &mut out);
            assert_eq!(out, bytes);
            assert_eq!(decode(&mut &out[..], prefix), Ok(value));
        }
    }

    #[test]
    fn five_octets_are_the_most() {
        assert!(decode(&mut &[31, 0x80, 0x80, 0x80, 0x01][..], 5).is_ok());
        assert_eq!(decode(&mut &[31, 0x80, 0x80, 0x80, 0x80, 0x01][..], 5), Err(BadInteger));
        assert_eq!(decode(&mut &[31, 0x80][..], 5), Err(BadInteger), "no end");
        assert_eq!(decode(&mut &[][..], 5), Err(BadInteger), "nothing");
    }
}
