//! Integers with a prefix (RFC 7541 §5.1).

/// Octets after the prefix beyond which an integer is refused: 2^28 is more than any limit here.
const MOST_OCTETS: u32 = 4;

/// An integer that does not end, or is longer than five octets in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadInteger;

/// Reads an integer whose first octet has `prefix_bits` of it; moves `input` past it.
pub(super) fn decode(input: &mut &[u8], prefix_bits: u32) -> Result<usize, BadInteger> {
    let (&first, mut rest) = input.split_first().ok_or(BadInteger)?;
    let mask = (1usize << prefix_bits) - 1;
    let mut value = usize::from(first) & mask;
    if value == mask {
        let mut shift = 0;
        loop {
            let (&octet, after) = rest.split_first().ok_or(BadInteger)?;
            if shift == 7 * MOST_OCTETS {
                return Err(BadInteger);
            }
            rest = after;
            value += usize::from(octet & 0x7f) << shift;
            shift += 7;
            if octet & 0x80 == 0 {
                break;
            }
        }
    }
    *input = rest;
    Ok(value)
}

/// Appends an integer; `flags` are the bits above the prefix in the first octet.
pub(super) fn encode(value: usize, prefix_bits: u32, flags: u8, out: &mut Vec<u8>) {
    let mask = (1usize << prefix_bits) - 1;
    if value < mask {
        out.push(flags | value as u8);
        return;
    }
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
