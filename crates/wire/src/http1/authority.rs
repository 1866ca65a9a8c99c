//! Hosts with ports (RFC 3986 §3.2), as `Host`, targets and `:authority` have them.
//!
//! Userinfo is refused (RFC 9110 §4.2.4), and so is whatever could be read as two hosts.

use super::octets;

/// Host and port of an authority; `None` if it is none.
pub(super) fn split(authority: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let (host, rest) = match authority {
        [b'[', inner @ ..] => {
            let end = memchr::memchr(b']', inner)?;
            let is_address = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
            if end == 0 || !inner[..end].iter().all(is_address) {
                return None;
            }
            authority.split_at(end + 2)
        }
        _ => {
            let end = memchr::memchr(b':', authority).unwrap_or(authority.len());
            let (host, rest) = authority.split_at(end);
            if !octets::is_host_name(host) {
                return None;
            }
            (host, rest)
        }
    };
    match rest {
        [] => Some((host, None)),
        [b':', port @ ..] if is_port(port) => Some((host, Some(port))),
        _ => None,
    }
}

fn is_port(digits: &[u8]) -> bool {
    let is_number = (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    is_number && digits.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')) <= 65_535
}

/// Whether two authorities mean the same place, where `port` is what goes without saying.
pub(super) fn is_same(a: &[u8], b: &[u8], port: Option<&[u8]>) -> bool {
    if a.eq_ignore_ascii_case(b) {
        return true;
    }
    match (split(a), split(b)) {
        (Some((a, a_port)), Some((b, b_port))) => {
            a.eq_ignore_ascii_case(b) && port.is_some() && a_port.or(port) == b_port.or(port)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_host_with_an_optional_port() {
        for good in ["a", "a.example:80", "127.0.0.1:65535", "[::1]", "[::ffff:1.2.3.4]:8080", "a_b~%20"] {
            assert!(split(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a:",
            "a:65536",
            "a:000080",
            "a:8o",
            "a:1:2",
            "u@a",
            "a,b",
            "a b",
            "a/b",
            "[]",
            "[::1",
            "[::1]a",
            "[g]",
            "::1",
            "a\\b",
            "ä",
            "a#",
            "a?",
            "[::1]]",
            "a:-1",
            "a:+1",
            "a:99999999999999999999",
        ] {
            assert!(split(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_port_that_goes_without_saying_makes_no_difference() {
        assert!(is_same(b"A.example", b"a.EXAMPLE:80", Some(b"80")));
        assert!(!is_same(b"a.example", b"a.example:81", Some(b"80")));
        assert!(!is_same(b"a.example", b"a.example:80", None));
        assert!(!is_same(b"a.example", b"b.example", Some(b"80")));
    }
}
