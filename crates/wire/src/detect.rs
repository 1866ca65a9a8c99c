//! What a client speaks, by its first bytes.

/// What an HTTP/2 client sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detected {
    /// Not enough to say.
    NeedMore,
    /// HTTP/2 by prior knowledge.
    Http2,
    /// A request line of HTTP/1, or its beginning.
    Http1,
    /// A TLS handshake record (RFC 8446 §5.1).
    Tls,
    /// Nothing that is known here.
    Garbage,
}

/// Says what a connection speaks. `first` is all that came so far.
#[must_use]
pub fn detect(first: &[u8]) -> Detected {
    let same = first.iter().zip(PREFACE).take_while(|(a, b)| a == b).count();
    if same == PREFACE.len() {
        return Detected::Http2;
    }
    if same == first.len() {
        return Detected::NeedMore;
    }
    // `PRI` is reserved, so whatever left the preface after it is not HTTP/1 either.
    if same > 3 {
        return Detected::Garbage;
    }
    match first {
        [0x16] | [0x16, 3] => Detected::NeedMore,
        [0x16, 3, ..] => Detected::Tls,
        _ => http1_method(first),
    }
}

/// Longest method that is taken for one.
const LONGEST_METHOD: usize = 16;

fn http1_method(first: &[u8]) -> Detected {
    let letters = first.iter().take_while(|b| b.is_ascii_uppercase()).count();
    match first.get(letters) {
        None if letters <= LONGEST_METHOD => Detected::NeedMore,
        Some(b' ') if (3..=LONGEST_METHOD).contains(&letters) => Detected::Http1,
        _ => Detected::Garbage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_protocol() {
        for (bytes, what) in [
            (&PREFACE[..], Detected::Http2),
            (b"GET / HTTP/1.1\r\n", Detected::Http1),
            (b"PROPFIND /", Detected::Http1),
            (b"PUT /", Detected::Http1),
            (b"PRI * HTTP/2.1", Detected::Garbage),
            (b"\x16\x03\x01\x02\x00", Detected::Tls),
            (b"\x16\x03", Detected::NeedMore),
            (b"SSH-2.0-OpenSSH", Detected::Garbage),
            (b"\0\0\0", Detected::Garbage),
            (b"ABCDEFGHIJKLMNOPQ", Detected::Garbage),
            (b"", Detected::NeedMore),
        ] {
            assert_eq!(detect(bytes), what, "{bytes:?}");
        }
    }

    #[test]
    fn the_preface_in_parts_needs_more_until_it_is_whole() {
        for n in 0..PREFACE.len() {
            assert_eq!(detect(&PREFACE[..n]), Detected::NeedMore);
        }
        let mut long = PREFACE.to_vec();
        long.push(0);
        assert_eq!(detect(&long), Detected::Http2);
    }
}
