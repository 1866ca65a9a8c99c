//! What the sides agreed on in `Sec-WebSocket-Extensions` (RFC 6455 §9.1, RFC 7692), as far as it decides whether a session
//! can be resumed elsewhere.
//!
//! Takes the values of the answer's header; offers are not looked at. Parameters that do not matter for a resumption
//! are passed over.

/// What was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// No extension: frames mean the same on any connection.
    Nothing,
    /// Only permessage-deflate, without context takeover on either side: each message stands alone (RFC 7692 §7.1.1).
    DeflateAlone,
    /// Anything else; the connection has a state that another one does not have.
    Stateful,
}

/// What the header lines of an answer, in order, agree on. What cannot be read counts as [`Agreed::Stateful`].
pub fn agreed<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Agreed {
    let mut agreed = Agreed::Nothing;
    for value in values {
        for extension in split(value, b',') {
            let extension = extension.trim_ascii();
            if extension.is_empty() {
                continue;
            }
            if agreed != Agreed::Nothing || !is_deflate_alone(extension) {
                return Agreed::Stateful;
            }
            agreed = Agreed::DeflateAlone;
        }
    }
    agreed
}

fn is_deflate_alone(extension: &[u8]) -> bool {
    let mut parts = split(extension, b';').map(<[u8]>::trim_ascii);
    if !parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"permessage-deflate")) {
        return false;
    }
    let (mut client, mut server) = (0, 0);
    for parameter in parts {
        match parameter {
            b"client_no_context_takeover" => client += 1,
            b"server_no_context_takeover" => server += 1,
            _ => {}
        }
    }
    // A parameter that comes twice is no answer (RFC 7692 §7.1).
    client == 1 && server == 1
}

/// The parts between separators; those inside quotes separate nothing.
fn split(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    value.split(move |&byte| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\\' => is_escaped = is_quoted,
            _ => return byte == separator && !is_quoted,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deflate_without_takeover_on_both_sides_stands_alone() {
        for (lines, what) in [
            (&[][..], Agreed::Nothing),
            (&[&b""[..], b" , "], Agreed::Nothing),
            (&[b"permessage-deflate"], Agreed::Stateful),
            (&[b"permessage-deflate; server_no_context_takeover"], Agreed::Stateful),
            (&[b"permessage-deflate; client_no_context_takeover"], Agreed::Stateful),
            (
                &[b"permessage-deflate;client_no_context_takeover ; server_no_context_takeover"],
                Agreed::DeflateAlone,
            ),
            (
                &[b"Permessage-Deflate; server_max_window_bits=\"10\"; server_no_context_takeover; client_no_context_takeover"],
                Agreed::DeflateAlone,
            ),
            (
                &[b"permessage-deflate; server_no_context_takeover; server_no_context_takeover; client_no_context_takeover"],
                Agreed::Stateful,
            ),
            (&[b"permessage-deflate; x=\"; server_no_context_takeover; client_no_context_takeover\""], Agreed::Stateful),
            (
                &[b"permessage-deflate; server_no_context_takeover; client_no_context_takeover, x-mux"],
                Agreed::Stateful,
            ),
            (
                &[b"permessage-deflate; server_no_context_takeover; client_no_context_takeover", b"bbf-usp-protocol"],
                Agreed::Stateful,
            ),
            (&[b"x-webkit-deflate-frame"], Agreed::Stateful),
        ] {
            assert_eq!(agreed(lines.iter().copied()), what, "{lines:?}");
        }
    }
}
