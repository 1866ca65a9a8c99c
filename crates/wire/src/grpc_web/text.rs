//! Base64 bodies of the text mode, in whatever cuts, with padding wherever their sender flushed.

use crate::base64;

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// A character that is not of the alphabet, line ends among them.
    #[error("a character that is not of base64")]
    Character,
    /// Padding where a group has less than two characters, or characters between padding.
    #[error("padding of base64 in a wrong place")]
    Padding,
    /// The body ends inside a group of four.
    #[error("base64 that ends inside a group")]
    Cut,
}

/// Decodes one body.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextDecoder {
    /// The values of a group that is not whole.
    values: [u8; 4],
    /// Characters of it that came, padding among them.
    came: u8,
    padding: u8,
}

impl TextDecoder {
    /// Appends what this part of the body says.
    ///
    /// Bits behind the last octet of a padded group are passed over (RFC 4648 §3.5).
    ///
    /// # Errors
    /// What is no base64; `out` then holds what came before, up to a group.
    pub fn decode(&mut self, part: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        out.reserve(part.len().div_ceil(4) * 3);
        let mut rest = part;
        while let Some((&first, after)) = rest.split_first() {
            if self.came == 0
                && let Some((group, after)) = rest.split_first_chunk::<4>()
                && let Some(values) = values_of(*group)
            {
                out.extend_from_slice(&base64::decode_group(values));
                rest = after;
                continue;
            }
            rest = after;
            self.take(first, out)?;
        }
        Ok(())
    }

    /// Takes the end of the body.
    ///
    /// # Errors
    /// It is inside a group.
    pub fn finish(&self) -> Result<(), Fault> {
        if self.came == 0 { Ok(()) } else { Err(Fault::Cut) }
    }

    fn take(&mut self, character: u8, out: &mut Vec<u8>) -> Result<(), Fault> {
        if character == b'=' {
            if self.came < 2 {
                return Err(Fault::Padding);
            }
            self.padding += 1;
        } else {
            let value = base64::value(character).ok_or(Fault::Character)?;
            if self.padding > 0 {
                return Err(Fault::Padding);
            }
            self.values[usize::from(self.came)] = value;
        }
        self.came += 1;
        if self.came == 4 {
            let octets = base64::decode_group(self.values);
            out.extend_from_slice(&octets[..3 - usize::from(self.padding)]);
            *self = Self::default();
        }
        Ok(())
    }
}

/// The values of a group without padding.
fn values_of(group: [u8; 4]) -> Option<[u8; 4]> {
    let [a, b, c, d] = group.map(base64::value);
    Some([a?, b?, c?, d?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &[u8], cut: usize) -> Result<Vec<u8>, Fault> {
        let (mut decoder, mut out) = (TextDecoder::default(), Vec::new());
        for part in text.chunks(cut) {
            decoder.decode(part, &mut out)?;
        }
        decoder.finish().map(|()| out)
    }

    #[test]
    fn bodies_are_decoded_in_any_cut_with_padding_anywhere() {
        for (text, octets) in [
            (&b""[..], &b""[..]),
            (b"AAAAAAA=", b"\0\0\0\0\0"),
            // A frame of five octets, flushed after its header and after two octets more.
            (b"AAAAAAU=aGU=bGxv", b"\0\0\0\0\x05hello"),
            (b"Zg==Zg==Zg==", b"fff"),
            (b"Zm9vYmFyZm8=YmFy", b"foobarfobar"),
            (b"Zh==", b"f"),
        ] {
            for cut in 1..=text.len().max(1) {
                assert_eq!(decode(text, cut).as_deref(), Ok(octets), "{cut}");
            }
        }
    }

    #[test]
    fn what_is_no_base64_is_refused_in_any_cut() {
        for (text, fault) in [
            (&b"Zm9v\n"[..], Fault::Character),
            (b"Zm9 ", Fault::Character),
            (b"Zm9-", Fault::Character),
            (b"=m9v", Fault::Padding),
            (b"Z===", Fault::Padding),
            (b"Zm=v", Fault::Padding),
            (b"Zm9v=", Fault::Padding),
            (b"Zg=", Fault::Cut),
            (b"Zm9vZ", Fault::Cut),
        ] {
            for cut in 1..=text.len() {
                assert_eq!(decode(text, cut), Err(fault), "{text:?} {cut}");
            }
        }
    }
}
