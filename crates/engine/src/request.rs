//! The rules for header lists (RFC 9113 §8.2, §8.3), and the view that routes look through.

use crate::grpc_timeout;
use evenkeel_core::route::RequestView;
use evenkeel_wire::hpack::{Field, HeaderList, HeaderStore, Name};
use std::time::Duration;

/// What a request is, as far as the relay has to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestHead {
    pub(crate) is_grpc: bool,
    pub(crate) is_head: bool,
    pub(crate) is_connect: bool,
    /// What an extended CONNECT asks for (RFC 8441 §4).
    pub(crate) protocol: Option<Protocol>,
    /// It may be repeated (RFC 9110 §9.2.2).
    pub(crate) is_idempotent: bool,
    pub(crate) content_length: Option<u64>,
    /// How long the caller of a gRPC request waits.
    pub(crate) grpc_timeout: Option<Duration>,
}

/// A protocol that an extended CONNECT asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    WebSocket,
    /// One that is not relayed.
    Other,
}

/// What a response is, as far as the relay has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) content_length: Option<u64>,
    /// `grpc-status`, where the response is nothing but trailers.
    pub(crate) grpc_status: Option<u32>,
}

/// A message that breaks the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Checks a request's header list.
pub(crate) fn check_request(list: &HeaderList, store: &HeaderStore) -> Result<RequestHead, Malformed> {
    let (mut method, mut path, mut scheme, mut authority, mut host) = (None, None, None, None, None);
    let mut head = RequestHead::default();
    let (mut protocol, mut is_regular, mut timeout) = (None, false, None);
    for field in list.fields() {
        let slot = match field.name {
            Name::Method => &mut method,
            Name::Path => &mut path,
            Name::Scheme => &mut scheme,
            Name::Authority => &mut authority,
            Name::Protocol => &mut protocol,
            _ => {
                check_regular(field, list, store, &mut head.content_length)?;
                is_regular = true;
                match field.name {
                    Name::Host if host.replace(list.value(field, store)).is_some() => {
                        return Err(Malformed("more than one host"));
                    }
                    Name::ContentType => {
                        let rest = list.value(field, store).strip_prefix(b"application/grpc");
                        head.is_grpc =
                            rest.is_some_and(|r| matches!(r.first(), None | Some(b'+' | b';' | b' ')));
                    }
                    Name::GrpcTimeout => timeout = Some(list.value(field, store)),
                    _ => {}
                }
                continue;
            }
        };
        if is_regular || !field.is_valid {
            return Err(Malformed("a pseudo-header that is wrong or behind other headers"));
        }
        if slot.replace(list.value(field, store)).is_some() {
            return Err(Malformed("a pseudo-header twice"));
        }
    }
    let method: &[u8] = method.ok_or(Malformed("no :method"))?;
    head.is_head = method == b"HEAD";
    head.is_connect = method == b"CONNECT";
    head.is_idempotent = matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"PUT" | b"DELETE" | b"TRACE");
    head.grpc_timeout = timeout.filter(|_| head.is_grpc).and_then(grpc_timeout::parse);
    head.protocol = protocol.map(|name: &[u8]| match name {
        b"websocket" => Protocol::WebSocket,
        _ => Protocol::Other,
    });
    if head.protocol.is_some() && (!head.is_connect || authority.is_none()) {
        return Err(Malformed(":protocol without CONNECT and an :authority"));
    }
    if head.is_connect && head.protocol.is_none() {
        return match (authority, path, scheme) {
            (Some(_), None, None) => Ok(head),
            _ => Err(Malformed("CONNECT has :authority, and neither :scheme nor :path")),
        };
    }
    let path: &[u8] = path.ok_or(Malformed("no :path"))?;
    if scheme.is_none_or(|s: &[u8]| s.is_empty()) {
        return Err(Malformed("no :scheme"));
    }
    if !(path.starts_with(b"/") || (path == b"*" && method == b"OPTIONS")) || path.contains(&b' ') {
        return Err(Malformed("a :path that is no path"));
    }
    if method.is_empty() || method.iter().any(|b| b.is_ascii_whitespace()) {
        return Err(Malformed("a :method that is no token"));
    }
    match (authority, host) {
        (Some(a), Some(h)) if !a.eq_ignore_ascii_case(h) => Err(Malformed(":authority and host differ")),
        _ => Ok(head),
    }
}

/// Checks a response's header list, interim (1xx) or final.
pub(crate) fn check_response(list: &HeaderList, store: &HeaderStore) -> Result<ResponseHead, Malformed> {
    let mut fields = list.fields().iter();
    let first = fields.next().ok_or(Malformed("no :status"))?;
    if first.name != Name::Status {
        return Err(Malformed("the first field is not :status"));
    }
    let status = match list.value(first, store) {
        &[a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
        }
        _ => return Err(Malformed("a :status that is no status")),
    };
    let mut head = ResponseHead { status, content_length: None, grpc_status: None };
    for field in fields {
        check_regular(field, list, store, &mut head.content_length)?;
        if field.name == Name::GrpcStatus {
            head.grpc_status = number(list.value(field, store)).and_then(|n| u32::try_from(n).ok());
        }
    }
    Ok(head)
}

/// Checks trailers; says `grpc-status` if they hold it.
pub(crate) fn check_trailers(list: &HeaderList, store: &HeaderStore) -> Result<Option<u32>, Malformed> {
    let mut grpc_status = None;
    for field in list.fields() {
        check_regular(field, list, store, &mut None)?;
        if field.name == Name::GrpcStatus {
            grpc_status = number(list.value(field, store)).and_then(|n| u32::try_from(n).ok());
        }
    }
    Ok(grpc_status)
}

fn check_regular(
    field: &Field,
    list: &HeaderList,
    store: &HeaderStore,
    content_length: &mut Option<u64>,
) -> Result<(), Malformed> {
    if !field.is_valid {
        return Err(Malformed("a header name or value with bytes that may not be there"));
    }
    match field.name {
        Name::Other if list.name_bytes(field, store).starts_with(b":") => {
            Err(Malformed("an unknown pseudo-header"))
        }
        Name::Te if list.value(field, store) != b"trailers" => Err(Malformed("te is not trailers")),
        Name::ContentLength => {
            let length = number(list.value(field, store)).ok_or(Malformed("content-length is no number"))?;
            match content_length.replace(length) {
                Some(other) if other != length => Err(Malformed("two content-lengths that differ")),
                _ => Ok(()),
            }
        }
        name if name.is_pseudo() => Err(Malformed("a pseudo-header that may not be here")),
        name if name.is_connection_specific() => Err(Malformed("a header of an HTTP/1 connection")),
        _ => Ok(()),
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0u64, |n, &b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
}

/// A request as routes see it.
pub(crate) struct View<'a> {
    pub(crate) list: &'a HeaderList,
    pub(crate) store: &'a HeaderStore,
    /// The name that the client asked for by TLS.
    pub(crate) server_name: Option<&'a str>,
}

impl RequestView for View<'_> {
    fn method(&self) -> &[u8] {
        match self.list.find(Name::Method, self.store).unwrap_or_default() {
            // An extended CONNECT stands for the GET that it would be in HTTP/1.
            b"CONNECT" if self.list.find(Name::Protocol, self.store).is_some() => b"GET",
            method => method,
        }
    }

    fn authority(&self) -> &[u8] {
        let host = || self.list.find(Name::Host, self.store).unwrap_or_default();
        self.list.find(Name::Authority, self.store).unwrap_or_else(host)
    }

    fn server_name(&self) -> Option<&[u8]> {
        self.server_name.map(str::as_bytes)
    }

    fn path(&self) -> &[u8] {
        self.list.find(Name::Path, self.store).unwrap_or_default()
    }

    fn header(&self, name: &[u8]) -> Option<&[u8]> {
        let is_it = |f: &&Field| self.list.name_bytes(f, self.store) == name;
        self.list.fields().iter().find(is_it).map(|f| self.list.value(f, self.store))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(fields: &[(&str, &str)]) -> HeaderList {
        let mut list = HeaderList::default();
        for (name, value) in fields {
            list.push(name, value.as_bytes());
        }
        list
    }

    fn request(extra: &[(&str, &str)]) -> Result<RequestHead, Malformed> {
        let mut all = vec![(":method", "POST"), (":scheme", "http"), (":path", "/a"), (":authority", "h")];
        all.extend_from_slice(extra);
        check_request(&list(&all), &HeaderStore::new((0, 0), 0))
    }

    #[test]
    fn a_grpc_request_is_recognised() {
        let head = request(&[
            ("te", "trailers"),
            ("content-type", "application/grpc+proto"),
            ("content-length", "7"),
        ]);
        assert_eq!(
            head,
            Ok(RequestHead { is_grpc: true, content_length: Some(7), ..RequestHead::default() })
        );
    }

    #[test]
    fn only_a_grpc_request_has_a_timeout_and_a_malformed_one_is_none() {
        let grpc = ("content-type", "application/grpc");
        let timeout = |extra: &[(&str, &str)]| request(extra).unwrap().grpc_timeout;
        assert_eq!(timeout(&[("grpc-timeout", "250m"), grpc]), Some(Duration::from_millis(250)));
        assert_eq!(timeout(&[grpc, ("grpc-timeout", "250")]), None);
        assert_eq!(timeout(&[("grpc-timeout", "250m"), ("content-type", "text/plain")]), None);
    }

    #[test]
    fn what_rfc_9113_forbids_in_a_request_is_malformed() {
        for extra in [
            &[("te", "gzip")][..],
            &[("connection", "close")],
            &[("upgrade", "h2c")],
            &[("transfer-encoding", "chunked")],
            &[(":path", "/b")],
            &[("x", "y"), (":late", "z")],
            &[(":unknown", "z")],
            &[(":status", "200")],
            &[("content-length", "x")],
            &[("content-length", "1"), ("content-length", "2")],
            &[("host", "other")],
        ] {
            assert!(request(extra).is_err(), "{extra:?}");
        }
        let store = HeaderStore::new((0, 0), 0);
        for fields in [
            &[(":method", "GET"), (":scheme", "http")][..],
            &[(":method", "GET"), (":path", "/")],
            &[(":scheme", "http"), (":path", "/")],
            &[(":method", "GET"), (":scheme", "http"), (":path", "")],
            &[(":method", "GET"), (":scheme", "http"), (":path", "a")],
            &[(":method", "CONNECT"), (":scheme", "http"), (":path", "/"), (":authority", "h")],
        ] {
            assert!(check_request(&list(fields), &store).is_err(), "{fields:?}");
        }
    }

    #[test]
    fn a_response_begins_with_one_status() {
        let store = HeaderStore::new((0, 0), 0);
        let ok = check_response(&list(&[(":status", "200"), ("grpc-status", "14")]), &store);
        assert_eq!(ok, Ok(ResponseHead { status: 200, content_length: None, grpc_status: Some(14) }));
        for fields in [
            &[][..],
            &[("x", "y"), (":status", "200")],
            &[(":status", "200"), (":status", "200")],
            &[(":status", "20")],
            &[(":status", "600")],
            &[(":status", "200"), ("connection", "close")],
        ] {
            assert!(check_response(&list(fields), &store).is_err(), "{fields:?}");
        }
        assert!(check_trailers(&list(&[(":status", "200")]), &store).is_err());
        assert_eq!(check_trailers(&list(&[("grpc-status", "0")]), &store), Ok(Some(0)));
    }
}
