//! Which bytes may stand where (RFC 9110 §5.5, §5.6.2; RFC 3986 §2, §3.2.2).
//!
//! Tables and one count; knows nothing of lines and fields.

const SIGNS: &[u8] = b"!#$%&'*+-.^_`|~";

/// The lower-case form of a byte that a token may have, 0 for any other.
pub(super) const LOWER_TOKEN: [u8; 256] = {
    let (mut out, mut b, mut i) = ([0; 256], 0u8, 0);
    while b < 128 {
        if b.is_ascii_alphanumeric() {
            out[b as usize] = b.to_ascii_lowercase();
        }
        b += 1;
    }
    while i < SIGNS.len() {
        out[SIGNS[i] as usize] = SIGNS[i];
        i += 1;
    }
    out
};

/// Bytes that a request target may have: what is visible in ASCII, but the sign of a fragment.
const IS_TARGET: [bool; 256] = {
    let (mut out, mut b) = ([false; 256], 0x21u8);
    while b < 0x7f {
        out[b as usize] = b != b'#';
        b += 1;
    }
    out
};

/// Bytes of a host's name: unreserved, sub-delims and `%`, but the comma, which could be a list's.
const IS_HOST: [bool; 256] = {
    const MORE: &[u8] = b"-._~%!$&'()*+;=";
    let (mut out, mut b, mut i) = ([false; 256], 0u8, 0);
    while b < 128 {
        out[b as usize] = b.is_ascii_alphanumeric();
        b += 1;
    }
    while i < MORE.len() {
        out[MORE[i] as usize] = true;
        i += 1;
    }
    out
};

/// Whether these bytes are a token.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| LOWER_TOKEN[usize::from(b)] != 0)
}

/// Whether a request target may have all these bytes.
pub(super) fn is_target(bytes: &[u8]) -> bool {
    bytes.iter().all(|&b| IS_TARGET[usize::from(b)])
}

/// Whether a host's name may have all these bytes.
pub(super) fn is_host_name(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| IS_HOST[usize::from(b)])
}

/// A byte that no line may hold but at its end.
pub(super) const fn is_control(b: u8) -> bool {
    (b < 0x20 && b != b'\t') || b == 0x7f
}

/// How many control bytes there are, but tabs.
///
/// A head of n lines has 2 n of them. So one count, which the compiler makes wide comparisons of, stands for a look at
/// each line.
pub(super) fn control_bytes(bytes: &[u8]) -> usize {
    const LANES: usize = 32;
    let mut total = 0;
    // A lane counts up to 255.
    for block in bytes.chunks(LANES * 255) {
        let (lines, rest) = block.as_chunks::<LANES>();
        let mut lanes = [0u8; LANES];
        for line in lines {
            for (lane, &b) in lanes.iter_mut().zip(line) {
                *lane += u8::from(is_control(b));
            }
        }
        total += lanes.iter().map(|&n| usize::from(n)).sum::<usize>();
        total += rest.iter().filter(|&&b| is_control(b)).count();
    }
    total
}

/// Without spaces and tabs at its ends.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The members of a comma-separated list, but empty ones (RFC 9110 §5.6.1.2).
pub(super) fn members(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&b| b == b',').map(trim).filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_bytes_are_counted_in_texts_of_any_length() {
        for length in [0, 1, 31, 32, 33, 64, 8_159, 8_160, 8_161, 20_000] {
            let mut text = vec![b'a'; length];
            assert_eq!(control_bytes(&text), 0);
            text.fill(b'\n');
            assert_eq!(control_bytes(&text), length);
        }
        assert_eq!(control_bytes(b"\t \x7f\0\x1f\x80\xff~"), 3);
    }

    #[test]
    fn a_token_has_only_its_own_bytes() {
        assert!(is_token(b"X-a!#$%&'*+-.^_`|~9"));
        for b in 0..=255u8 {
            let expected = b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&b);
            assert_eq!(is_token(&[b]), expected, "{b}");
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn members_of_a_list_are_trimmed_and_empty_ones_left_out() {
        assert!(members(b" a ,,\tb\t,").eq([b"a", b"b"]));
        assert_eq!(members(b" , ").count(), 0);
    }
}
