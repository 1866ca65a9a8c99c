//! Rules that map a request to a service. The first that matches wins.

use crate::id::ServiceId;

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
    /// Host without port, compared without case; `*.example.com` matches one or more labels in front.
    pub host: Option<Box<str>>,
    /// Path.
    pub path: PathMatch,
    /// Method, compared with case.
    pub method: Option<Box<str>>,
    /// Headers (lower-case name, exact value).
    pub headers: Vec<(Box<str>, Box<str>)>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// When it applies.
    pub matches: RouteMatch,
    /// Where it leads.
    pub service: ServiceId,
}

/// The rules of one listener, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteTable {
    /// In the order they are tried.
    pub routes: Vec<Route>,
}
