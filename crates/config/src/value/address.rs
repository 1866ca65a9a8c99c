//! Addresses: where to bind, where an endpoint listens.

use crate::mistake::Complaint;
use crate::value::name;
use std::net::{IpAddr, SocketAddr};

/// `0.0.0.0:8080`, `[::]:80`; port 0 lets the system choose.
pub(crate) fn bind(text: &str) -> Result<SocketAddr, Complaint> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let complaint = without_address(text);
    if let Some(port) = text.strip_prefix(':').or_else(|| text.strip_prefix("*:"))
        && let Ok(port) = port.parse::<u16>()
    {
        return Err(complaint.with_nearest(Some(format!("0.0.0.0:{port}"))));
    }
    match text.strip_prefix("localhost:") {
        Some(port) => Err(complaint.with_nearest(Some(format!("127.0.0.1:{port}")))),
        None => Err(complaint),
    }
}

/// An address that only this machine reaches.
pub(crate) fn loopback(text: &str) -> Result<SocketAddr, Complaint> {
    let address = bind(text)?;
    if address.ip().to_canonical().is_loopback() {
        return Ok(address);
    }
    let host = if address.is_ipv6() { "[::1]" } else { "127.0.0.1" };
    Err(Complaint::new("an address that other machines may reach")
        .with_nearest(Some(format!("{host}:{}", address.port()))))
}

/// Where an endpoint listens: an IP address and a port from 1.
pub(crate) fn endpoint(text: &str) -> Result<SocketAddr, Complaint> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => Err(Complaint::new("port 0")),
        Ok(address) if address.ip().is_unspecified() => {
            Err(Complaint::new("an address that stands for all addresses"))
        }
        Ok(address) => Ok(address),
        Err(_) => Err(without_address(text)),
    }
}

/// `name:port` of a DNS name.
pub(crate) fn dns(text: &str) -> Result<(&str, u16), Complaint> {
    if text.parse::<SocketAddr>().is_ok() || text.parse::<IpAddr>().is_ok() {
        return Err(Complaint::new("an IP address where a DNS name is wanted"));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(Complaint::new("a name without a port"));
    };
    let host = name::dns(host)?;
    match port.parse::<u16>() {
        Ok(port) if port > 0 && !text.contains(":+") => Ok((host, port)),
        _ => Err(Complaint::new("not a port")),
    }
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// Says what an address lacks.
fn without_address(text: &str) -> Complaint {
    if unbracketed(text).parse::<IpAddr>().is_ok() {
        return Complaint::new("an address without a port");
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Complaint::new("not an address");
    };
    if unbracketed(host).parse::<IpAddr>().is_ok() {
        return Complaint::new("not a port");
    }
    if name::dns(host).is_ok()
        && host.contains(|c: char| c.is_ascii_alphabetic())
        && port.parse::<u16>().is_ok()
    {
        return Complaint::new("a name where an IP address is wanted");
    }
    Complaint::new("not an address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_bind() {
        assert_eq!(bind("[::]:80").unwrap().port(), 80);
        assert_eq!(bind("0.0.0.0:0").unwrap().port(), 0);
        assert_eq!(bind("127.0.0.1:65535").unwrap().port(), 65535);
    }

    #[test]
    fn a_wrong_address_says_what_it_lacks() {
        for (text, what) in [
            ("127.0.0.1", "an address without a port"),
            ("::1", "an address without a port"),
            ("[::1]", "an address without a port"),
            ("127.0.0.1:65536", "not a port"),
            ("[::1]:http", "not a port"),
            ("localhost:80", "a name where an IP address is wanted"),
            ("999.0.0.1:80", "not an address"),
            ("", "not an address"),
        ] {
            assert_eq!(bind(text).unwrap_err().what, what, "{text}");
        }
        assert_eq!(bind(":8080").unwrap_err().nearest.as_deref(), Some("0.0.0.0:8080"));
    }

    #[test]
    fn only_loopback_is_loopback() {
        for text in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(loopback(text).is_ok(), "{text}");
        }
        for text in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "128.0.0.1:1"] {
            assert!(loopback(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_endpoint_has_one_address_and_a_real_port() {
        assert!(endpoint("10.0.0.1:1").is_ok());
        for text in ["10.0.0.1:0", "0.0.0.0:80", "[::]:80", "backend:80"] {
            assert!(endpoint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_dns_target_has_a_name_and_a_port() {
        assert_eq!(dns("backend.default.svc:8080"), Ok(("backend.default.svc", 8080)));
        for text in [
            "backend",
            "backend:",
            "backend:0",
            "backend:65536",
            "backend:+80",
            "10.0.0.1:80",
            ":80",
            "a..b:80",
        ] {
            assert!(dns(text).is_err(), "{text}");
        }
    }
}
