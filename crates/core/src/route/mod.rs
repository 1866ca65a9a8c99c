//! Rules that map a request to a service. The first that matches wins.
//!
//! Owns the rules as values; how each part is compared is in `host` and `path`. Sees a request only through
//! [`RequestView`], so it knows no header block. The engine asks it once an exchange; it does not allocate.

mod host;
mod path;

use crate::id::ServiceId;
use crate::policy::RoutePolicy;

/// What a rule may look at. The engine implements it over a decoded header block.
pub trait RequestView {
    /// `:method`.
    fn method(&self) -> &[u8];
    /// `:authority` (or `host`), with its port if it was sent.
    fn authority(&self) -> &[u8];
    /// `:path`, with its query.
    fn path(&self) -> &[u8];
    /// The first value of a header, by its lower-case name.
    fn header(&self, name: &[u8]) -> Option<&[u8]>;
    /// The name that the client asked for in its TLS handshake (RFC 6066 §3), if there was one.
    fn server_name(&self) -> Option<&[u8]> {
        None
    }
}

/// What a path must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PathMatch {
    /// Any.
    #[default]
    Any,
    /// The whole path without its query.
    Exact(Box<str>),
    /// Whole segments at the start: `/a` matches `/a` and `/a/b`, not `/ab` (Gateway API's PathPrefix).
    Prefix(Box<str>),
    /// `/package.Service/Method`; no method is any method of the service.
    Grpc {
        /// Full name with its package.
        service: Box<str>,
        /// Method name.
        method: Option<Box<str>>,
    },
}

/// `match` of a route; every part that is there must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteMatch {
    /// Host without port, compared without case; `*.example.com` matches one or more labels in front. An IPv6 literal
    /// may stand with its brackets or without.
    pub host: Option<Box<str>>,
    /// Path.
    pub path: PathMatch,
    /// Method, compared with case.
    pub method: Option<Box<str>>,
    /// Headers (lower-case name, exact value).
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// Server name of the TLS handshake, as `host` is written and compared; it matches what TLS ends here and what is
    /// passed on. A client that named none does not match.
    pub server_name: Option<Box<str>>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// When it applies.
    pub matches: RouteMatch,
    /// Where it leads.
    pub service: ServiceId,
    /// What holds for its exchanges.
    pub policy: RoutePolicy,
}

/// The rules of one listener, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteTable {
    /// In the order they are tried.
    pub routes: Vec<Route>,
}

impl RouteTable {
    /// The first route that matches the request.
    pub fn find(&self, request: &impl RequestView) -> Option<&Route> {
        self.routes.iter().find(|route| route.matches.is_match(request))
    }

    /// The first route that matches a tunnel to which TLS gave this server name. A route that looks at a request's parts
    /// matches none.
    pub fn find_tunnel(&self, server_name: Option<&[u8]>) -> Option<&Route> {
        self.routes.iter().find(|route| route.matches.is_match_of_tunnel(server_name))
    }

    /// Whether any route looks at the server name, so that a tunnel's first bytes must be looked at before it has a route.
    #[must_use]
    pub fn asks_for_server_name(&self) -> bool {
        self.routes.iter().any(|route| route.matches.server_name.is_some())
    }
}

impl RouteMatch {
    /// Whether every part that is there holds. Of a header that was sent more than once the first value counts.
    pub fn is_match(&self, request: &impl RequestView) -> bool {
        self.method.as_ref().is_none_or(|method| method.as_bytes() == request.method())
            && self.host.as_ref().is_none_or(|host| host::is_match(host.as_bytes(), request.authority()))
            && self.path.is_match(request.path())
            && self.headers.iter().all(|(name, value)| {
                request.header(name.as_bytes()).is_some_and(|sent| sent == value.as_bytes())
            })
            && (self.server_name.is_none() || self.has_server_name(request.server_name()))
    }

    fn is_match_of_tunnel(&self, server_name: Option<&[u8]>) -> bool {
        let Self { host, path, method, headers, server_name: _ } = self;
        let looks_at_request =
            host.is_some() || *path != PathMatch::Any || method.is_some() || !headers.is_empty();
        !looks_at_request && self.has_server_name(server_name)
    }

    fn has_server_name(&self, sent: Option<&[u8]>) -> bool {
        match (&self.server_name, sent) {
            (None, _) => true,
            (Some(rule), Some(sent)) => host::is_match(rule.as_bytes(), sent),
            (Some(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sent {
        authority: &'static str,
        path: &'static str,
        headers: &'static [(&'static str, &'static str)],
    }

    impl RequestView for Sent {
        fn method(&self) -> &[u8] {
            b"POST"
        }
        fn authority(&self) -> &[u8] {
            self.authority.as_bytes()
        }
        fn path(&self) -> &[u8] {
            self.path.as_bytes()
        }
        fn header(&self, name: &[u8]) -> Option<&[u8]> {
            let found = self.headers.iter().find(|(n, _)| n.as_bytes() == name);
            found.map(|(_, value)| value.as_bytes())
        }
    }

    const CHAT: Sent = Sent {
        authority: "Chat.Example.com:8080",
        path: "/chat.v1.Chat/Say",
        headers: &[("tenant", "blue"), ("tenant", "red")],
    };

    fn found(matches: Vec<RouteMatch>) -> Option<u32> {
        let routes = (0..).zip(matches).map(|(n, matches)| Route {
            matches,
            service: ServiceId(n),
            policy: RoutePolicy::default(),
        });
        RouteTable { routes: routes.collect() }.find(&CHAT).map(|route| route.service.0)
    }

    fn any() -> RouteMatch {
        RouteMatch::default()
    }

    #[test]
    fn no_rules_match_nothing_and_an_empty_rule_matches_everything() {
        assert_eq!(found(vec![]), None);
        assert_eq!(found(vec![any()]), Some(0));
    }

    #[test]
    fn the_first_rule_that_matches_wins() {
        let chat = RouteMatch { host: Some("chat.example.com".into()), ..any() };
        let other = RouteMatch { host: Some("other.example.com".into()), ..any() };
        assert_eq!(found(vec![other.clone(), chat.clone(), any()]), Some(1));
        assert_eq!(found(vec![any(), chat]), Some(0));
        assert_eq!(found(vec![other]), None);
    }

    #[test]
    fn every_part_of_a_rule_must_hold() {
        let all = RouteMatch {
            host: Some("*.example.com".into()),
            path: PathMatch::Grpc { service: "chat.v1.Chat".into(), method: None },
            method: Some("POST".into()),
            headers: vec![("tenant".into(), "blue".into())],
            server_name: None,
        };
        assert_eq!(found(vec![all.clone()]), Some(0));
        let of_tls = RouteMatch { server_name: Some("chat.example.com".into()), ..all.clone() };
        assert_eq!(found(vec![of_tls]), None, "the request came in cleartext");
        for wrong in [
            RouteMatch { headers: vec![("absent".into(), "".into())], ..all.clone() },
            RouteMatch { host: Some("example.com".into()), ..all.clone() },
            RouteMatch { path: PathMatch::Exact("/".into()), ..all.clone() },
            RouteMatch { method: Some("post".into()), ..all.clone() },
            RouteMatch { headers: vec![("tenant".into(), "red".into())], ..all },
        ] {
            assert_eq!(found(vec![wrong.clone()]), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_tunnel_goes_by_its_server_name_and_never_by_a_route_of_requests() {
        let named = |name: &str| RouteMatch { server_name: Some(name.into()), ..any() };
        let of_requests = RouteMatch { path: PathMatch::Prefix("/".into()), ..any() };
        let routes = |matches: Vec<RouteMatch>| RouteTable {
            routes: (0..)
                .zip(matches)
                .map(|(n, matches)| Route { matches, service: ServiceId(n), policy: RoutePolicy::default() })
                .collect(),
        };
        let table = routes(vec![of_requests, named("a.example.com"), named("*.example.com"), any()]);
        let to = |name: Option<&str>| table.find_tunnel(name.map(str::as_bytes)).map(|route| route.service.0);
        assert_eq!(to(Some("A.example.com")), Some(1));
        assert_eq!(to(Some("b.example.com")), Some(2));
        assert_eq!((to(Some("example.com")), to(None)), (Some(3), Some(3)));
        assert!(table.asks_for_server_name() && !routes(vec![any()]).asks_for_server_name());
        assert!(routes(vec![named("a.example.com")]).find_tunnel(None).is_none());
    }
}
