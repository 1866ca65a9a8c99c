//! Base64 (RFC 4648 §4): groups of three octets and of four characters.
//!
//! Knows nothing of streams or lengths: `websocket::handshake` and `grpc_web` put groups together.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What is no character of the alphabet in `VALUES`.
const NONE: u8 = 0xff;

const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut n = 0;
    while n < 64 {
        values[ALPHABET[n] as usize] = n as u8;
        n += 1;
    }
    values
};

/// The six bits of a character, `None` if it is not of the alphabet (so for `=` too).
pub(crate) fn value(character: u8) -> Option<u8> {
    let value = VALUES[usize::from(character)];
    (value != NONE).then_some(value)
}

/// A whole group.
pub(crate) fn encode_group(octets: [u8; 3]) -> [u8; 4] {
    let [a, b, c] = octets;
    [a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63].map(|n| ALPHABET[usize::from(n)])
}

/// The last group, of one or two octets, padded; nothing for none.
pub(crate) fn encode_last(octets: &[u8]) -> Option<[u8; 4]> {
    match *octets {
        [a] => encode_group([a, 0, 0]).first_chunk().map(|&[x, y]| [x, y, b'=', b'=']),
        [a, b] => encode_group([a, b, 0]).first_chunk().map(|&[x, y, z]| [x, y, z, b'=']),
        _ => None,
    }
}

/// The octets of four six-bit values.
pub(crate) fn decode_group(values: [u8; 4]) -> [u8; 3] {
    let [a, b, c, d] = values;
    [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]
}

/// `octets` in `4 × ⌈len ÷ 3⌉` characters; `out` has exactly that length.
pub(crate) fn encode_exact(octets: &[u8], out: &mut [u8]) {
    let (groups, last) = octets.as_chunks::<3>();
    let encoded = groups.iter().map(|&g| encode_group(g)).chain(encode_last(last));
    for (to, group) in out.chunks_exact_mut(4).zip(encoded) {
        to.copy_from_slice(&group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_come_out() {
        for (octets, text) in [
            (&b"f"[..], &b"Zg=="[..]),
            (b"fo", b"Zm8="),
            (b"foo", b"Zm9v"),
            (b"foob", b"Zm9vYg=="),
            (b"fooba", b"Zm9vYmE="),
            (b"foobar", b"Zm9vYmFy"),
            (b"\xfb\xff\xfe", b"+//+"),
        ] {
            let mut out = vec![0; text.len()];
            encode_exact(octets, &mut out);
            assert_eq!(out, text);
        }
        assert_eq!(encode_last(b""), None);
    }

    #[test]
    fn every_group_decodes_to_what_it_was_made_of() {
        for n in 0..=u16::MAX {
            let [a, b] = n.to_be_bytes();
            let values = encode_group([a, b, a ^ b]).map(|c| value(c).unwrap());
            assert_eq!(decode_group(values), [a, b, a ^ b]);
        }
        assert_eq!(value(b'='), None);
        assert_eq!((0..=255).filter(|&c| value(c).is_some()).count(), 64);
    }
}
