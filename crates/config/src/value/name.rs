//! Names: of listeners and services, of DNS, of gRPC.

use crate::mistake::Complaint;
use std::net::IpAddr;

/// Longest name of a listener, a service or a zone; they become metric labels.
pub(crate) const MAX_NAME: usize = 63;
/// Longest DNS name without its last dot (RFC 1035 §2.3.4).
pub(crate) const MAX_DNS_NAME: usize = 253;
/// Longest label of a DNS name (RFC 1035 §2.3.4).
const MAX_DNS_LABEL: usize = 63;
/// Longest gRPC service or method name.
pub(crate) const MAX_GRPC_NAME: usize = 253;

/// A name that we give: letters, digits, `-`, `_`, `.`, with a letter or digit at both ends.
pub(crate) fn ours(text: &str) -> Result<&str, Complaint> {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let is_inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.len() > MAX_NAME {
        return Err(Complaint::new("too long"));
    }
    if !is_end(text.chars().next()) || !is_end(text.chars().last()) || !text.chars().all(is_inner) {
        return Err(Complaint::new("not a name"));
    }
    Ok(text)
}

/// A DNS name; underscores are allowed for SRV, a last dot makes it absolute.
pub(crate) fn dns(text: &str) -> Result<&str, Complaint> {
    let labels = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= MAX_DNS_LABEL
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if labels.len() > MAX_DNS_NAME || !labels.split('.').all(is_label) {
        return Err(Complaint::new("not a DNS name"));
    }
    Ok(text)
}

/// What a server's certificate names: a DNS name or an IP address.
pub(crate) fn server(text: &str) -> Result<&str, Complaint> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(text);
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
        && dns(host).is_ok()
    {
        return Err(Complaint::new("a name with a port").with_nearest(Some(host.to_owned())));
    }
    if text.ends_with('.') {
        return Err(
            Complaint::new("a name that ends in a dot").with_nearest(text.strip_suffix('.').map(Into::into))
        );
    }
    dns(text)
}

/// `package.Service`.
pub(crate) fn grpc_service(text: &str) -> Result<&str, Complaint> {
    if text.contains('/') {
        return Err(Complaint::new("a path where a full service name is wanted"));
    }
    if text.len() > MAX_GRPC_NAME || !text.split('.').all(is_identifier) {
        return Err(Complaint::new("not a gRPC service name"));
    }
    Ok(text)
}

/// `Method`.
pub(crate) fn grpc_method(text: &str) -> Result<&str, Complaint> {
    if text.len() > MAX_GRPC_NAME || !is_identifier(text) {
        return Err(Complaint::new("not a gRPC method name"));
    }
    Ok(text)
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_names_end_at_63_characters() {
        assert!(ours(&"a".repeat(63)).is_ok());
        assert_eq!(ours(&"a".repeat(64)).unwrap_err().what, "too long");
        for text in ["", "-a", "a-", "a b", "a/b", "é", "a\n"] {
            assert!(ours(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dns_names_end_at_253_characters_and_labels_at_63() {
        let long = |last: usize| format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(last));
        assert!(dns(&long(61)).is_ok() && dns(&format!("{}.", long(61))).is_ok());
        assert!(dns(&long(62)).is_err());
        assert!(dns(&"a".repeat(64)).is_err());
        assert!(dns("_grpc._tcp.backend").is_ok());
        for text in ["", ".", "a..b", "-a", "a b"] {
            assert!(dns(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_is_named_by_dns_or_address_without_port_or_dot() {
        for text in ["backend.example.com", "localhost", "10.0.0.1", "fd00::1"] {
            assert!(server(text).is_ok(), "{text}");
        }
        assert_eq!(server("backend:443").unwrap_err().nearest.as_deref(), Some("backend"));
        assert_eq!(server("backend.").unwrap_err().nearest.as_deref(), Some("backend"));
        for text in ["", "*.example.com", "a b", "[::1]:443"] {
            assert!(server(text).is_err(), "{text}");
        }
    }

    #[test]
    fn grpc_names_are_identifiers() {
        assert!(grpc_service("helloworld.v1.Greeter").is_ok() && grpc_method("SayHello").is_ok());
        for text in ["", "/helloworld.Greeter", "a..b", "1a", "a b"] {
            assert!(grpc_service(text).is_err(), "{text}");
        }
        assert!(grpc_service(&"a".repeat(253)).is_ok() && grpc_service(&"a".repeat(254)).is_err());
        assert!(grpc_method(&"a".repeat(253)).is_ok() && grpc_method(&"a".repeat(254)).is_err());
        assert!(grpc_method("a.b").is_err());
    }
}
