//! What a route may ask of a request: host, path, method, header.

use crate::mistake::Complaint;
use crate::value::name;
use std::net::IpAddr;

/// Longest path or header value of a route.
pub(crate) const MAX_VALUE: usize = 1024;
/// Longest method or header name of a route.
pub(crate) const MAX_TOKEN: usize = 64;

/// A host without port, in lower case; `*.` in front stands for one or more labels.
pub(crate) fn host(text: &str) -> Result<String, Complaint> {
    if let Some((host, port)) = text.rsplit_once(':')
        && port.chars().all(|c| c.is_ascii_digit())
        && !host.contains(':')
    {
        return Err(Complaint::new("a host with a port").with_nearest(Some(host.to_owned())));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_address = bare.is_some_and(|bare| bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()));
    if !is_address && (text.ends_with('.') || name::dns(text.strip_prefix("*.").unwrap_or(text)).is_err()) {
        return Err(Complaint::new("not a host"));
    }
    Ok(text.to_ascii_lowercase())
}

/// A whole path.
pub(crate) fn path(text: &str) -> Result<&str, Complaint> {
    if text.len() > MAX_VALUE {
        return Err(Complaint::new("too long"));
    }
    if !text.starts_with('/') {
        return Err(
            Complaint::new("a path that does not begin with `/`").with_nearest(Some(format!("/{text}")))
        );
    }
    if text.contains(['?', '#']) {
        return Err(Complaint::new("a path with a query or fragment"));
    }
    if !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Complaint::new("a path with a space, a control character or a letter beyond ASCII"));
    }
    Ok(text)
}

/// Segments at the start of a path; a slash at the end changes nothing (Gateway API's PathPrefix) and is dropped.
pub(crate) fn path_prefix(text: &str) -> Result<&str, Complaint> {
    let trimmed = path(text)?.trim_end_matches('/');
    Ok(if trimmed.is_empty() { "/" } else { trimmed })
}

/// A method, which is compared with case; all registered ones are in capitals.
pub(crate) fn method(text: &str) -> Result<&str, Complaint> {
    let is_capital = |c: char| c.is_ascii_uppercase() || c == '-' || c == '_';
    if text.is_empty() || text.len() > MAX_TOKEN || !text.chars().all(is_capital) {
        let capitals = text.to_ascii_uppercase();
        let is_meant = capitals != text && capitals.chars().all(is_capital);
        return Err(Complaint::new("not a method").with_nearest(is_meant.then_some(capitals)));
    }
    Ok(text)
}

/// A header name (RFC 9110 §5.6.2 token), in lower case.
pub(crate) fn header_name(text: &str) -> Result<String, Complaint> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text.starts_with(':') {
        return Err(Complaint::new("a pseudo-header; `host`, `path` and `method` have keys of their own"));
    }
    if text.is_empty() || text.len() > MAX_TOKEN || !text.chars().all(is_token) {
        return Err(Complaint::new("not a header name"));
    }
    Ok(text.to_ascii_lowercase())
}

/// A header value.
pub(crate) fn header_value(text: &str) -> Result<&str, Complaint> {
    let is_visible = |c: char| c == ' ' || c.is_ascii_graphic();
    if text.len() > MAX_VALUE {
        return Err(Complaint::new("too long"));
    }
    if text.trim() != text || !text.chars().all(is_visible) {
        return Err(Complaint::new("not a header value"));
    }
    Ok(text)
}

/// A server name as routes ask for it, in lower case; `*.` in front stands for one or more labels.
pub(crate) fn sni(text: &str) -> Result<String, Complaint> {
    if text.parse::<IpAddr>().is_ok() || text.starts_with('[') {
        return Err(Complaint::new("an address, which clients never ask for by TLS"));
    }
    host(text)
}

/// An origin as browsers write it (RFC 6454 §6.2): scheme, host in lower case, port unless it is the scheme's own. Or `*`.
pub(crate) fn origin(text: &str) -> Result<String, Complaint> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let lower = text.to_ascii_lowercase();
    let Some((scheme, authority)) = lower.split_once("://") else {
        return Err(
            Complaint::new("an origin without a scheme").with_nearest(Some(format!("https://{text}")))
        );
    };
    let own_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return Err(Complaint::new("an origin whose scheme is neither https nor http")),
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains(['/', '?', '#']) {
        let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
        let bare = format!("{scheme}://{}", &authority[..end]);
        return Err(Complaint::new("an origin with a path").with_nearest(Some(bare)));
    }
    let short = authority.strip_suffix(own_port).unwrap_or(authority);
    let (named, port) = match short.rsplit_once(':') {
        Some((before, port)) if !port.ends_with(']') => {
            (before, port.parse::<u16>().is_ok_and(|port| port > 0))
        }
        _ => (short, true),
    };
    if !port || named.starts_with('*') || host(named).is_err() {
        return Err(Complaint::new("not an origin"));
    }
    let written = format!("{scheme}://{short}");
    if written == text {
        return Ok(written);
    }
    Err(Complaint::new("browsers write this origin in another way").with_nearest(Some(written)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_case_and_may_begin_with_a_star() {
        assert_eq!(host("Chat.Example.com").unwrap(), "chat.example.com");
        assert_eq!(host("*.example.com").unwrap(), "*.example.com");
        assert!(host("[::1]").is_ok() && host("10.0.0.1").is_ok());
        for text in ["", "*", "*.", "a.*.b", "*a.b", "a b", "http://a", "a.", "[10.0.0.1]"] {
            assert!(host(text).is_err(), "{text}");
        }
        assert_eq!(host("a:80").unwrap_err().nearest.as_deref(), Some("a"));
    }

    #[test]
    fn an_origin_is_what_browsers_send() {
        for text in ["*", "https://a.example", "http://localhost:3000", "https://[::1]:8443", "http://[::1]"]
        {
            assert_eq!(origin(text).as_deref(), Ok(text));
        }
        for (text, meant) in [
            ("https://A.example", Some("https://a.example")),
            ("https://a.example/", Some("https://a.example")),
            ("https://a.example:443", Some("https://a.example")),
            ("http://a.example:80", Some("http://a.example")),
            ("https://a.example/path", Some("https://a.example")),
            ("a.example", Some("https://a.example")),
            ("ftp://a.example", None),
            ("https://*.example", None),
            ("https://a.example:0", None),
            ("https://a.example:x", None),
            ("https://", None),
        ] {
            assert_eq!(origin(text).unwrap_err().nearest.as_deref(), meant, "{text}");
        }
    }

    #[test]
    fn a_server_name_is_no_address() {
        assert_eq!(sni("*.Example.com").unwrap(), "*.example.com");
        for text in ["10.0.0.1", "[::1]", "::1", "a:443", ""] {
            assert!(sni(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_prefix_is_whole_segments() {
        assert_eq!(path_prefix("/a/").unwrap(), "/a");
        assert_eq!(path_prefix("/").unwrap(), "/");
        assert_eq!(path_prefix("//").unwrap(), "/");
        assert_eq!(path("/a/").unwrap(), "/a/");
        for text in ["", "a", "/a?b", "/a#b", "/a b", "/é"] {
            assert!(path(text).is_err(), "{text}");
        }
        assert!(path(&format!("/{}", "a".repeat(1023))).is_ok());
        assert!(path(&format!("/{}", "a".repeat(1024))).is_err());
    }

    #[test]
    fn a_method_in_small_letters_is_a_slip() {
        assert!(method("GET").is_ok() && method("M-SEARCH").is_ok());
        assert_eq!(method("get").unwrap_err().nearest.as_deref(), Some("GET"));
        assert!(method("").is_err() && method("G T").is_err());
        assert!(method(&"A".repeat(64)).is_ok() && method(&"A".repeat(65)).is_err());
    }

    #[test]
    fn headers_are_tokens_and_visible_values() {
        assert_eq!(header_name("X-Tenant").unwrap(), "x-tenant");
        assert!(header_name(&"a".repeat(64)).is_ok() && header_name(&"a".repeat(65)).is_err());
        for text in ["", ":path", "a b", "é", "a:"] {
            assert!(header_name(text).is_err(), "{text}");
        }
        assert!(header_value("").is_ok() && header_value("a b").is_ok());
        assert!(header_value(&"a".repeat(1024)).is_ok() && header_value(&"a".repeat(1025)).is_err());
        for text in [" a", "a ", "a\nb", "é"] {
            assert!(header_value(text).is_err(), "{text:?}");
        }
    }
}
