//! What counts as a host name in a ClientHello (RFC 6066 §3, RFC 1123 §2.1).

use super::Fault;
use std::net::IpAddr;

/// Longest name and label of the DNS (RFC 1035 §2.3.4), without the last dot.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// The name in lower case; `None` for an address, which clients send though they must not, and which names nothing.
///
/// `_` is allowed as in the DNS, a last dot is taken away: clients send both.
pub(super) fn of(name: &[u8]) -> Result<Option<Box<str>>, Fault> {
    let text = str::from_utf8(name).map_err(|_| Fault::HostName)?;
    if text.parse::<IpAddr>().is_ok() {
        return Ok(None);
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_good = text.len() <= LONGEST_NAME && text.split('.').all(is_label);
    if is_good { Ok(Some(text.to_ascii_lowercase().into())) } else { Err(Fault::HostName) }
}

fn is_label(label: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowered_and_addresses_name_nothing() {
        for (given, name) in [
            ("Example.COM", Some("example.com")),
            ("example.com.", Some("example.com")),
            ("localhost", Some("localhost")),
            ("_dmarc.xn--bcher-kva.example", Some("_dmarc.xn--bcher-kva.example")),
            ("1and1.com", Some("1and1.com")),
            ("127.0.0.1", None),
            ("::1", None),
        ] {
            assert_eq!(of(given.as_bytes()).unwrap().as_deref(), name, "{given}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in [
            "",
            ".",
            "a..b",
            ".a",
            "a..",
            "a b",
            "a/b",
            "*.example.com",
            "-a.b",
            "a-.b",
            "bücher.example",
            "a\0b",
            "a:443",
        ] {
            assert_eq!(of(name.as_bytes()), Err(Fault::HostName), "{name}");
        }
        assert_eq!(of(b"\xff"), Err(Fault::HostName));
    }

    #[test]
    fn the_longest_label_and_name_are_taken_and_longer_ones_are_not() {
        assert!(of("a".repeat(63).as_bytes()).is_ok());
        assert_eq!(of("a".repeat(64).as_bytes()), Err(Fault::HostName));
        let name = |last: usize| format!("{}.{}", vec!["a".repeat(63); 3].join("."), "b".repeat(last));
        assert!(of(name(61).as_bytes()).is_ok());
        assert_eq!(of(name(62).as_bytes()), Err(Fault::HostName));
    }
}
