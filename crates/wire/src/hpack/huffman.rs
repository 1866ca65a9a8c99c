//! The Huffman code of RFC 7541 Appendix B.
//!
//! The code is canonical, so the lengths alone define it: within a length codes count upwards in symbol order, and a
//! longer length goes on where the shorter one ended.

/// Code length of each byte, and of EOS as the last (RFC 7541 Appendix B).
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const LONGEST: usize = 30;
const EOS: u16 = 256;
/// Bits that one look-up takes: two digits, or a letter and a digit. Only bytes that are rare in header values have longer codes.
const STEP_BITS: usize = 12;
/// Most bytes that one look-up gives.
const STEP_BYTES: usize = 2;
/// Look-ups between two refills of the register: it holds at least 56 bits after one.
const STEPS: usize = 4;

/// The code, derived from [`LENGTHS`].
struct Code {
    /// Code of each symbol, right-aligned.
    codes: [u32; 257],
    /// Symbols in the order of their codes.
    ordered: [u16; 257],
    /// First code of each length.
    first_code: [u32; LONGEST + 1],
    /// Number of codes of each length.
    count: [u32; LONGEST + 1],
    /// Where each length begins in `ordered`.
    offset: [u16; LONGEST + 1],
}

/// What the next [`STEP_BITS`] bits begin with: one or two whole codes, or none if the first is longer.
#[derive(Clone, Copy)]
struct Step {
    symbols: [u8; STEP_BYTES],
    count: u8,
    bits: u8,
}

static CODE: Code = derive();
static STEPS_OF: [Step; 1 << STEP_BITS] = derive_steps();

const fn derive() -> Code {
    let mut code = Code {
        codes: [0; 257],
        ordered: [0; 257],
        first_code: [0; LONGEST + 1],
        count: [0; LONGEST + 1],
        offset: [0; LONGEST + 1],
    };
    let (mut next, mut place, mut length) = (0u32, 0usize, 1usize);
    while length <= LONGEST {
        next <<= 1;
        code.first_code[length] = next;
        code.offset[length] = place as u16;
        let mut symbol = 0;
        while symbol < 257 {
            if LENGTHS[symbol] as usize == length {
                code.codes[symbol] = next;
                code.ordered[place] = symbol as u16;
                next += 1;
                place += 1;
                code.count[length] += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    code
}

const fn derive_steps() -> [Step; 1 << STEP_BITS] {
    let code = derive();
    let mut single = [Step { symbols: [0; STEP_BYTES], count: 0, bits: 0 }; 1 << STEP_BITS];
    let mut symbol = 0;
    while symbol < 256 {
        let length = LENGTHS[symbol] as usize;
        if length <= STEP_BITS {
            let spare = STEP_BITS - length;
            let mut i = 0;
            while i < (1 << spare) {
                single[((code.codes[symbol] as usize) << spare) + i] =
                    Step { symbols: [symbol as u8, 0], count: 1, bits: length as u8 };
                i += 1;
            }
        }
        symbol += 1;
    }
    let mut steps = single;
    let mut window = 0;
    while window < steps.len() {
        let first = single[window];
        let second = single[(window << first.bits) & ((1 << STEP_BITS) - 1)];
        if first.count == 1 && second.count == 1 && (first.bits + second.bits) as usize <= STEP_BITS {
            steps[window] = Step {
                symbols: [first.symbols[0], second.symbols[0]],
                count: 2,
                bits: first.bits + second.bits,
            };
        }
        window += 1;
    }
    steps
}

/// A string that is not a Huffman coding: a code for EOS, or padding that is too long or not all ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadHuffman;

/// Appends the decoded bytes of `coded` to `out`: at most 8/5 of its length.
///
/// # Errors
/// What RFC 7541 §5.2 calls a decoding error; `out` then holds what came before it.
pub fn decode(coded: &[u8], out: &mut Vec<u8>) -> Result<(), BadHuffman> {
    decode_value(coded, out).map(|_| ())
}

/// Whether there are bytes with codes of more than [`STEP_BITS`] among the decoded ones. All that a header value must not
/// have are such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HasRareBytes(pub(super) bool);

/// As [`decode`], and says more of the bytes.
pub(super) fn decode_value(coded: &[u8], out: &mut Vec<u8>) -> Result<HasRareBytes, BadHuffman> {
    let mut place = out.len();
    // Room for a whole turn of look-ups behind the last byte that there can be.
    out.resize(place + coded.len() * 8 / 5 + STEPS * STEP_BYTES, 0);
    let result = decode_into(coded, out, &mut place);
    out.truncate(place);
    result
}

/// Bits of the code that were not taken yet, from the highest of `bits`. Below the `held` ones stands anything.
struct Register {
    bits: u64,
    held: usize,
}

impl Register {
    fn step(&self) -> Step {
        STEPS_OF[(self.bits >> (u64::BITS as usize - STEP_BITS)) as usize]
    }

    fn take(&mut self, bits: usize) {
        self.bits <<= bits;
        self.held -= bits;
    }
}

/// The first eight bytes of `rest`, which is the end of `all`, with zeros behind the end.
fn eight_bytes(all: &[u8], rest: &[u8]) -> u64 {
    if let Some(next) = rest.first_chunk::<8>() {
        return u64::from_be_bytes(*next);
    }
    match all.last_chunk::<8>() {
        Some(last) => u64::from_be_bytes(*last).checked_shl(64 - 8 * rest.len() as u32).unwrap_or(0),
        None => {
            let mut bytes = [0; 8];
            bytes[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(bytes)
        }
    }
}

fn decode_into(coded: &[u8], out: &mut [u8], place: &mut usize) -> Result<HasRareBytes, BadHuffman> {
    let mut register = Register { bits: 0, held: 0 };
    let (mut rest, mut has_rare) = (coded, false);
    loop {
        let whole = ((63 - register.held) / 8).min(rest.len());
        let fresh = u64::MAX >> register.held;
        register.bits = (register.bits & !fresh) | (eight_bytes(coded, rest) >> register.held);
        register.held += whole * 8;
        rest = &rest[whole..];
        if register.held < STEPS * STEP_BITS {
            break;
        }
        let (mut bytes, mut count, mut is_long) = (0u64, 0usize, false);
        for _ in 0..STEPS {
            let step = register.step();
            bytes |= u64::from(u16::from_le_bytes(step.symbols)) << (8 * count);
            count += usize::from(step.count);
            register.take(usize::from(step.bits));
            is_long |= step.count == 0;
        }
        out[*place..*place + STEPS * STEP_BYTES].copy_from_slice(&bytes.to_le_bytes());
        *place += count;
        if is_long && register.held >= LONGEST {
            put_long(&mut register, out, place)?;
            has_rare = true;
        }
    }
    // The last bits. As if ones came behind them: such is the padding, and no code but EOS is all ones.
    register.bits |= u64::MAX >> register.held;
    while register.held > 0 {
        let step = register.step();
        if step.count > 0 && usize::from(step.bits) <= register.held {
            out[*place..*place + STEP_BYTES].copy_from_slice(&step.symbols);
            *place += usize::from(step.count);
            register.take(usize::from(step.bits));
            register.bits |= u64::MAX >> register.held;
        } else if register.held < 8 && register.bits.leading_ones() as usize >= register.held {
            break;
        } else {
            has_rare |= put_long(&mut register, out, place)? > STEP_BITS;
            register.bits |= u64::MAX >> register.held;
        }
    }
    Ok(HasRareBytes(has_rare))
}

/// Takes one code of any length, and gives the length.
fn put_long(register: &mut Register, out: &mut [u8], place: &mut usize) -> Result<usize, BadHuffman> {
    let (symbol, length) = long_symbol(register.bits, register.held).ok_or(BadHuffman)?;
    if symbol == EOS {
        return Err(BadHuffman);
    }
    out[*place] = symbol as u8;
    *place += 1;
    register.take(length);
    Ok(length)
}

/// The symbol at the front of the `held` highest bits, by its length; `None` if no whole code is there.
fn long_symbol(bits: u64, held: usize) -> Option<(u16, usize)> {
    for length in 5..=LONGEST.min(held) {
        let front = (bits >> (u64::BITS as usize - length)) as u32;
        let Some(nth) = front.checked_sub(CODE.first_code[length]) else { continue };
        if nth < CODE.count[length] {
            return Some((CODE.ordered[usize::from(CODE.offset[length]) + nth as usize], length));
        }
    }
    None
}

/// Appends the coding of `plain` to `out`, padded with ones.
pub fn encode(plain: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut held) = (0u64, 0u32);
    for &byte in plain {
        let length = u32::from(LENGTHS[usize::from(byte)]);
        bits = (bits << length) | u64::from(CODE.codes[usize::from(byte)]);
        held += length;
        while held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    if held > 0 {
        out.push(((bits << (8 - held)) as u8) | (0xff >> held));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7541 Appendix C.4 and C.6.
    const VECTORS: &[(&str, &str)] = &[
        ("www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"),
        ("no-cache", "a8eb10649cbf"),
        ("custom-key", "25a849e95ba97d7f"),
        ("custom-value", "25a849e95bb8e8b4bf"),
        ("302", "6402"),
        ("Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"),
        ("https://www.example.com", "9d29ad171863c78f0b97c8e9ae82ae43d3"),
    ];

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn the_rfcs_vectors_decode_and_encode() {
        for (plain, coded) in VECTORS {
            let (mut out, mut back) = (Vec::new(), Vec::new());
            decode(&hex(coded), &mut out).unwrap();
            assert_eq!(out, plain.as_bytes());
            encode(plain.as_bytes(), &mut back);
            assert_eq!(back, hex(coded));
        }
    }

    #[test]
    fn every_byte_survives_beside_every_other() {
        for a in 0..=255u8 {
            let plain: Vec<u8> = (0..=255u8).flat_map(|b| [a, b]).collect();
            let (mut coded, mut out) = (Vec::new(), Vec::new());
            encode(&plain, &mut coded);
            decode(&coded, &mut out).unwrap();
            assert_eq!(out, plain);
        }
    }

    #[test]
    fn a_string_of_any_length_decodes_to_itself_alone() {
        let plain: Vec<u8> = (0..200u8).map(|i| b"09afz/-Z~{\x00\r\xff"[usize::from(i) % 13]).collect();
        for from in 0..13 {
            for to in from..plain.len() {
                let (mut coded, mut out) = (Vec::new(), b"before".to_vec());
                encode(&plain[from..to], &mut coded);
                decode(&coded, &mut out).unwrap();
                assert_eq!(out.strip_prefix(b"before"), Some(&plain[from..to]));
                // One bit of padding too many, as a byte of its own.
                coded.push(0xff);
                assert_eq!(decode(&coded, &mut out), Err(BadHuffman), "{from}..{to}");
            }
        }
    }

    #[test]
    fn every_byte_that_a_value_must_not_have_is_told() {
        for byte in 0..=255u8 {
            for before in 0..40 {
                let (mut coded, mut out) = (Vec::new(), Vec::new());
                let mut plain = vec![b'5'; before];
                plain.push(byte);
                plain.extend_from_slice(&b"0123456789"[..before % 10]);
                encode(&plain, &mut coded);
                let told = decode_value(&coded, &mut out).unwrap();
                assert_eq!(
                    told,
                    HasRareBytes(LENGTHS[usize::from(byte)] > STEP_BITS as u8),
                    "{byte} at {before}"
                );
            }
        }
        assert!([0, b'\r', b'\n'].iter().all(|b| usize::from(LENGTHS[usize::from(*b)]) > STEP_BITS));
    }

    #[test]
    fn eos_and_wrong_padding_are_refused() {
        let mut out = Vec::new();
        assert_eq!(decode(&[0xff, 0xff, 0xff, 0xff], &mut out), Err(BadHuffman), "EOS");
        assert_eq!(decode(&[0xff], &mut out), Err(BadHuffman), "eight bits of padding");
        assert_eq!(decode(&[0b0000_0000], &mut out), Err(BadHuffman), "padding of zeros");
        assert_eq!(decode(&[0b0000_0111], &mut out), Ok(()), "'0' and three ones");
    }
}
