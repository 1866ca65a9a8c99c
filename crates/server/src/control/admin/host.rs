//! The guard of the full API against DNS rebinding: a web page may make its own name resolve to 127.0.0.1, but its
//! requests then carry that name in `Host`.

use super::answer::error;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, Ipv6Addr};

/// Passes requests on whose target's and `Host` header's names are both loopback.
pub(super) async fn only_loopback(request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let is_allowed = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().is_ok_and(is_loopback),
        // Without one, or with two of which a middle box may have looked at the other.
        _ => false,
    };
    let target_is_allowed = request.uri().authority().is_none_or(|authority| is_loopback(authority.as_str()));
    if is_allowed && target_is_allowed {
        next.run(request).await
    } else {
        let message = "the Host header must name this machine's loopback (localhost, 127.0.0.1, [::1])";
        error(StatusCode::FORBIDDEN, "host_not_allowed", message)
    }
}

/// Whether `host[:port]` is `localhost` or a loopback address.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => {
            let Some((address, port)) = rest.split_once(']') else { return false };
            return has_port_or_nothing(port) && address.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback());
        }
        None => {
            let (name, port) = host.find(':').map_or((host, ""), |colon| host.split_at(colon));
            if !has_port_or_nothing(port) {
                return false;
            }
            name
        }
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4() && ip.is_loopback())
}

fn has_port_or_nothing(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_and_addresses_are_allowed_with_and_without_port() {
        for host in
            ["localhost", "LocalHost:9901", "127.0.0.1", "127.0.0.1:9901", "127.9.9.9:1", "[::1]", "[::1]:80"]
        {
            assert!(is_loopback(host), "{host}");
        }
    }

    #[test]
    fn every_other_name_is_refused() {
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]",
            "::1",
            "localhost:x",
            "localhost:80:80",
            "[::1]x",
            "[::1",
            "user@localhost",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
