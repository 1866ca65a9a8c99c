//! gRPC-Web to gRPC and back (the gRPC project's PROTOCOL-WEB): content types, base64 of the text mode, trailers as a frame.
//!
//! The frames of messages are the same in both and pass as they are. Knows nothing of HTTP messages or of CORS: the engine
//! carries content types, bodies and trailers here. A `content-length` does not hold across a translation.

mod answer;
mod text;

pub use answer::AnswerWriter;
pub use text::{Fault, TextDecoder};

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Frames as they are.
    Binary,
    /// Frames in base64.
    Text,
}

const GRPC: &[u8] = b"application/grpc";
const WEB: &[u8] = b"application/grpc-web";
const WEB_TEXT: &[u8] = b"application/grpc-web-text";

/// The mode of a content type of gRPC-Web, and what stands behind it: `+proto`, parameters, or nothing. `None` for any other
/// type.
#[must_use]
pub fn mode_of(content_type: &[u8]) -> Option<(Mode, &[u8])> {
    // The longer one first, since it begins with the other.
    behind(content_type, WEB_TEXT)
        .map(|rest| (Mode::Text, rest))
        .or_else(|| behind(content_type, WEB).map(|rest| (Mode::Binary, rest)))
}

/// Appends the content type of gRPC for an endpoint, with what stood behind the client's: see [`mode_of`].
pub fn put_grpc_type(out: &mut Vec<u8>, behind: &[u8]) {
    out.extend_from_slice(GRPC);
    out.extend_from_slice(behind);
}

/// Appends the content type of gRPC-Web for an answer of this content type of gRPC; false, and nothing is appended, if it is
/// of no gRPC, and the answer is to be passed on as it is.
#[must_use]
pub fn put_web_type(out: &mut Vec<u8>, mode: Mode, content_type: &[u8]) -> bool {
    let Some(rest) = behind(content_type, GRPC) else { return false };
    out.extend_from_slice(match mode {
        Mode::Binary => WEB,
        Mode::Text => WEB_TEXT,
    });
    out.extend_from_slice(rest);
    true
}

/// What stands behind a type, in any case of letters; `None` if it is another type.
fn behind<'a>(content_type: &'a [u8], of: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = content_type.split_at_checked(of.len())?;
    let is_end = matches!(rest.first(), None | Some(b'+' | b';' | b' ' | b'\t'));
    (start.eq_ignore_ascii_case(of) && is_end).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_keep_what_stands_behind_them() {
        for (web, mode, grpc) in [
            ("application/grpc-web", Mode::Binary, "application/grpc"),
            ("application/grpc-web+proto", Mode::Binary, "application/grpc+proto"),
            ("Application/gRPC-Web+json;charset=utf-8", Mode::Binary, "application/grpc+json;charset=utf-8"),
            ("application/grpc-web-text", Mode::Text, "application/grpc"),
            ("application/grpc-web-text+proto", Mode::Text, "application/grpc+proto"),
            ("application/grpc-web-text; x=y", Mode::Text, "application/grpc; x=y"),
        ] {
            let (found, rest) = mode_of(web.as_bytes()).unwrap();
            assert_eq!(found, mode, "{web}");
            let (mut out, mut back) = (Vec::new(), Vec::new());
            put_grpc_type(&mut out, rest);
            assert_eq!(out, grpc.as_bytes());
            assert!(put_web_type(&mut back, mode, &out));
            assert!(back.eq_ignore_ascii_case(web.as_bytes()), "{web}");
        }
    }

    #[test]
    fn other_content_types_are_none() {
        for other in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc-webx",
            "application/grpc-web-tex",
            "text/html",
            "",
        ] {
            assert_eq!(mode_of(other.as_bytes()), None, "{other}");
        }
        let mut out = Vec::new();
        for other in ["text/html", "application/grpc-web", "application/grpcx"] {
            assert!(!put_web_type(&mut out, Mode::Text, other.as_bytes()), "{other}");
        }
        assert!(out.is_empty());
    }
}
