//! Comparing the host of a rule with the authority of a request (RFC 3986 section 3.2, RFC 9110 section 4.2.3).

/// Whether the rule's host is that of the authority. Case, the authority's port, brackets of IPv6 literals and one
/// trailing dot make no difference. A rule `*.example.com` wants at least one label in front.
pub(super) fn is_match(rule: &[u8], authority: &[u8]) -> bool {
    let host = host_of(authority);
    match rule.strip_prefix(b"*") {
        Some(suffix) if suffix.starts_with(b".") => host
            .split_at_checked(host.len().saturating_sub(suffix.len()))
            .is_some_and(|(front, end)| is_labels(front) && end.eq_ignore_ascii_case(without_dot(suffix))),
        _ => host.eq_ignore_ascii_case(host_of(rule)),
    }
}

/// One or more labels, none of them empty.
fn is_labels(front: &[u8]) -> bool {
    front.split(|b| *b == b'.').all(|label| !label.is_empty())
}

/// Without the port, the brackets of an IPv6 literal and a trailing dot.
fn host_of(authority: &[u8]) -> &[u8] {
    if let Some(literal) = authority.strip_prefix(b"[") {
        return literal.split(|b| *b == b']').next().unwrap_or(literal);
    }
    let mut parts = authority.splitn(3, |b| *b == b':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(host), Some(_port), None) => without_dot(host),
        // None: no port. More than one: an IPv6 literal without brackets, which cannot have a port.
        _ => without_dot(authority),
    }
}

fn without_dot(host: &[u8]) -> &[u8] {
    host.strip_suffix(b".").unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(rule: &str, authority: &str) -> bool {
        is_match(rule.as_bytes(), authority.as_bytes())
    }

    #[test]
    fn case_port_and_trailing_dot_make_no_difference() {
        for authority in [
            "example.com",
            "EXAMPLE.com",
            "example.com:8080",
            "example.com.",
            "Example.Com.:80",
            "example.com:",
        ] {
            assert!(matches("example.COM", authority), "{authority}");
        }
        for authority in ["", ":80", "example.org", "www.example.com", "example.com.evil", "xexample.com"] {
            assert!(!matches("example.com", authority), "{authority}");
        }
    }

    #[test]
    fn a_wildcard_wants_one_or_more_labels_in_front() {
        for authority in ["a.example.com", "a.b.example.com:1", "A.EXAMPLE.COM."] {
            assert!(matches("*.example.com", authority), "{authority}");
        }
        for authority in
            ["example.com", ".example.com", "..example.com", "a..example.com", "aexample.com", "com", ""]
        {
            assert!(!matches("*.example.com", authority), "{authority}");
        }
    }

    #[test]
    fn ipv6_literals_are_compared_without_brackets_and_port() {
        for rule in ["[::1]", "::1"] {
            assert!(matches(rule, "[::1]"));
            assert!(matches(rule, "[::1]:80"));
            assert!(!matches(rule, "[::2]:80"));
            assert!(!matches(rule, "[::1:80]"));
        }
        assert!(matches("[FE80::A]", "[fe80::a]:443"));
        assert!(matches("127.0.0.1", "127.0.0.1:80"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_compared_without_a_panic(rule: Vec<u8>, authority: Vec<u8>) {
            let _ = is_match(&rule, &authority);
            let mut wildcard = b"*.".to_vec();
            wildcard.extend(&rule);
            let _ = is_match(&wildcard, &authority);
        }

        #[test]
        fn a_host_matches_itself_with_any_port(host in "[a-z0-9]{1,9}(\\.[a-z0-9]{1,9}){0,3}", port: u16) {
            let with_port = format!("{host}:{port}");
            prop_assert!(matches(&host, &with_port));
            let wildcard = format!("*.{host}");
            let in_front = format!("a.{host}:{port}");
            prop_assert!(matches(&wildcard, &in_front));
            prop_assert!(!matches(&wildcard, &host));
        }
    }
}
