//! HPACK (RFC 7541) as octets: integers, string literals, and the Huffman code that they may be in. `words` and `link` ask it.

/// An integer behind the flags, in so many bits of the first octet (RFC 7541 §5.1).
pub fn int(out: &mut Vec<u8>, flags: u8, bits: u32, value: usize) {
    let most = (1usize << bits) - 1;
    if value < most {
        return out.push(flags | value as u8);
    }
    out.push(flags | most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// The Huffman codes of the characters that are used here: (code, bits). The code of RFC 7541 appendix B is canonical:
/// within one length it counts up in the order of the characters.
pub struct Codes([(u32, u32); 256]);

impl Codes {
    pub fn new() -> Self {
        let mut all = [(0, 0); 256];
        for (bits, first, chars) in [
            (5, 0, &b"012aceiost"[..]),
            (6, 0x14, b" %-./3456789=A_bdfghlmnpru"),
            (7, 0x5c, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
            (8, 0xf8, b"&*,;XZ"),
        ] {
            for (code, c) in (first..).zip(chars) {
                all[*c as usize] = (code, bits);
            }
        }
        Self(all)
    }

    /// Appends a string literal (RFC 7541, section 5.2), coded if it is asked for and every character has a code here.
    pub fn string(&self, out: &mut Vec<u8>, text: &[u8], huffman: bool) {
        let bits: u32 = text.iter().map(|c| self.0[*c as usize].1).sum();
        if !huffman || text.iter().any(|c| self.0[*c as usize].1 == 0) {
            int(out, 0, 7, text.len());
            return out.extend_from_slice(text);
        }
        int(out, 0x80, 7, bits.div_ceil(8) as usize);
        let (mut acc, mut n) = (0u64, 0);
        for c in text {
            let (code, bits) = self.0[*c as usize];
            acc = acc << bits | u64::from(code);
            n += bits;
            if n >= 32 {
                n -= 32;
                out.extend_from_slice(&((acc >> n) as u32).to_be_bytes());
            }
        }
        while n >= 8 {
            n -= 8;
            out.push((acc >> n) as u8);
        }
        if n > 0 {
            out.push((acc << (8 - n)) as u8 | (0xff >> n));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_coded_as_in_the_examples_of_rfc_7541() {
        let mut out = Vec::new();
        Codes::new().string(&mut out, b"www.example.com", true);
        assert_eq!(out, [0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff]);
        out.clear();
        int(&mut out, 0, 5, 1337);
        assert_eq!(out, [0x1f, 0x9a, 0x0a]);
    }
}
