//! Headers that tell an endpoint where a request came from, by the rules of its route.
//!
//! Changes a request's list before it is first sent, so what is sent again says the same. Knows no connection. What
//! came in such a header is never parsed: it is passed on, added to, or replaced.

use crate::request_id::RequestIds;
use crate::secured::Secured;
use evenkeel_core::policy::{ClientCertificateRule, ForwardedFor, HeaderRule, HeaderRules};
use evenkeel_wire::hpack::{HeaderList, HeaderStore, Name};
use std::fmt::Write;
use std::net::IpAddr;

/// Where a value is put together.
struct Text<'a>(&'a mut Vec<u8>);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Who sent a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client<'a> {
    pub(crate) address: IpAddr,
    /// What the TLS handshake ended with, if TLS ends here.
    pub(crate) secured: Option<&'a Secured>,
}

/// Where the name of a client's certificate goes.
const CLIENT_CERTIFICATE: &str = "x-forwarded-client-cert";

/// Changes `list` by `rules`, for this client. `scratch` is any buffer; it is overwritten.
pub(crate) fn apply(
    rules: HeaderRules,
    client: Client<'_>,
    list: &mut HeaderList,
    store: &mut HeaderStore,
    scratch: &mut Vec<u8>,
    ids: &mut RequestIds,
) {
    if rules.forwarded_for != ForwardedFor::Pass {
        scratch.clear();
        if rules.forwarded_for == ForwardedFor::Append {
            for field in list.fields().iter().filter(|f| f.name == Name::XForwardedFor) {
                let value = list.value(field, store);
                if !value.is_empty() {
                    scratch.extend_from_slice(value);
                    scratch.extend_from_slice(b", ");
                }
            }
        }
        // A socket of both families shows IPv4 clients as mapped addresses; nobody who reads the header expects those.
        let _ = write!(Text(scratch), "{}", client.address.to_canonical());
        replace(list, store, Name::XForwardedFor, scratch);
    }
    if is_wanted(rules.forwarded_proto, Name::XForwardedProto, list) {
        let proto: &[u8] = if client.secured.is_some() { b"https" } else { b"http" };
        replace(list, store, Name::XForwardedProto, proto);
    }
    if is_wanted(rules.forwarded_host, Name::XForwardedHost, list) {
        scratch.clear();
        let host = list.find(Name::Authority, store).or_else(|| list.find(Name::Host, store));
        scratch.extend_from_slice(host.unwrap_or_default());
        replace(list, store, Name::XForwardedHost, scratch);
    }
    if is_wanted(rules.request_id, Name::XRequestId, list) {
        replace(list, store, Name::XRequestId, &ids.make());
    }
    if rules.client_certificate != ClientCertificateRule::Pass {
        list.drop_named(CLIENT_CERTIFICATE.as_bytes(), store);
    }
    let identity = client.secured.and_then(|s| s.client_identity.as_deref());
    if let (ClientCertificateRule::Set, Some(identity)) = (rules.client_certificate, identity) {
        list.push(CLIENT_CERTIFICATE, identity.as_bytes());
    }
}

fn is_wanted(rule: HeaderRule, name: Name, list: &HeaderList) -> bool {
    match rule {
        HeaderRule::Pass => false,
        HeaderRule::Add => !list.fields().iter().any(|f| f.name == name),
        HeaderRule::Set => true,
    }
}

/// One line of this value instead of all that came; none if there is nothing to say.
fn replace(list: &mut HeaderList, store: &mut HeaderStore, name: Name, value: &[u8]) {
    list.retain_fields(store, |f| f.name != name);
    if !value.is_empty() {
        list.push(name.text(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evenkeel_core::id::WorkerIndex;

    const MAPPED: &str = "::ffff:10.0.0.9";

    /// What these rules make of a request with these fields.
    fn applied(rules: HeaderRules, client: &str, fields: &[(&str, &str)]) -> Vec<(String, String)> {
        applied_to(rules, client, None, fields)
    }

    fn applied_to(
        rules: HeaderRules,
        client: &str,
        secured: Option<&Secured>,
        fields: &[(&str, &str)],
    ) -> Vec<(String, String)> {
        let mut store = HeaderStore::new((1, 2), 1 << 20);
        let mut list = HeaderList::default();
        for (name, value) in fields {
            list.push(name, value.as_bytes());
        }
        let mut ids = RequestIds::new(1, WorkerIndex(0));
        let mut scratch = b"left over".to_vec();
        let client = Client { address: client.parse().unwrap(), secured };
        apply(rules, client, &mut list, &mut store, &mut scratch, &mut ids);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        list.fields()
            .iter()
            .map(|f| (text(list.name_bytes(f, &store)), text(list.value(f, &store))))
            .filter(|(name, _)| name.starts_with("x-"))
            .collect()
    }

    fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    fn forwarded_for(rule: ForwardedFor) -> HeaderRules {
        HeaderRules { forwarded_for: rule, ..HeaderRules::default() }
    }

    #[test]
    fn without_rules_everything_is_passed_on() {
        let sent = [("x-forwarded-for", "a"), ("x-request-id", "b"), ("x-forwarded-proto", "gopher")];
        assert_eq!(applied(HeaderRules::default(), "10.0.0.9", &sent), pairs(&sent));
    }

    #[test]
    fn the_clients_address_goes_behind_what_came_in_one_line() {
        let append = forwarded_for(ForwardedFor::Append);
        for (client, sent, expected) in [
            ("10.0.0.9", &[][..], "10.0.0.9"),
            (MAPPED, &[("x-forwarded-for", "1.1.1.1")], "1.1.1.1, 10.0.0.9"),
            (
                "fe80::1",
                &[("x-forwarded-for", "1.1.1.1, 2.2.2.2"), ("x-forwarded-for", "not an address")],
                "1.1.1.1, 2.2.2.2, not an address, fe80::1",
            ),
            ("10.0.0.9", &[("x-forwarded-for", "")], "10.0.0.9"),
        ] {
            assert_eq!(applied(append, client, sent), pairs(&[("x-forwarded-for", expected)]));
        }
    }

    #[test]
    fn an_address_that_is_set_replaces_every_line_that_came() {
        let sent = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")];
        let got = applied(forwarded_for(ForwardedFor::Set), "10.0.0.9", &sent);
        assert_eq!(got, pairs(&[("x-forwarded-for", "10.0.0.9")]));
    }

    #[test]
    fn a_header_is_added_only_where_none_came_and_set_in_any_case() {
        for (rule, came, expected) in [
            (HeaderRule::Add, "https", "https"),
            (HeaderRule::Set, "https", "http"),
            (HeaderRule::Add, "", "http"),
        ] {
            let rules = HeaderRules { forwarded_proto: rule, ..HeaderRules::default() };
            let sent = [("x-forwarded-proto", came)];
            let sent = if came.is_empty() { &[][..] } else { &sent };
            assert_eq!(applied(rules, "10.0.0.9", sent), pairs(&[("x-forwarded-proto", expected)]));
        }
    }

    #[test]
    fn the_host_is_the_authority_or_the_host_and_a_false_one_does_not_stay() {
        let rules = HeaderRules { forwarded_host: HeaderRule::Set, ..HeaderRules::default() };
        for (sent, expected) in [
            (
                &[(":authority", "a:8080"), ("x-forwarded-host", "lie")][..],
                &[("x-forwarded-host", "a:8080")][..],
            ),
            (&[("host", "b")], &[("x-forwarded-host", "b")]),
            (&[("x-forwarded-host", "lie")], &[]),
        ] {
            assert_eq!(applied(rules, "10.0.0.9", sent), pairs(expected));
        }
    }

    #[test]
    fn each_request_gets_an_id_of_its_own() {
        let rules = HeaderRules { request_id: HeaderRule::Add, ..HeaderRules::default() };
        let (mut store, mut ids) = (HeaderStore::new((1, 2), 1 << 20), RequestIds::new(1, WorkerIndex(0)));
        let mut seen = std::collections::HashSet::new();
        for _ in 0..2 {
            let mut list = HeaderList::default();
            let client = Client { address: [10, 0, 0, 9].into(), secured: None };
            apply(rules, client, &mut list, &mut store, &mut Vec::new(), &mut ids);
            seen.insert(list.find(Name::XRequestId, &store).unwrap().to_vec());
        }
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn a_client_of_tls_came_by_https_and_is_named_only_by_its_own_certificate() {
        let named = Secured { client_identity: Some("spiffe://a/b".into()), ..Secured::default() };
        let nobody = Secured::default();
        let lie = ("x-forwarded-client-cert", "spiffe://root");
        let rules = |client_certificate| HeaderRules { client_certificate, ..HeaderRules::default() };
        for (rule, secured, expected) in [
            (ClientCertificateRule::Pass, None, Some("spiffe://root")),
            (ClientCertificateRule::Remove, Some(&named), None),
            (ClientCertificateRule::Set, Some(&named), Some("spiffe://a/b")),
            (ClientCertificateRule::Set, Some(&nobody), None),
            (ClientCertificateRule::Set, None, None),
        ] {
            let got = applied_to(rules(rule), "10.0.0.9", secured, &[lie, lie]);
            let named: Vec<_> = got.iter().map(|(_, value)| value.as_str()).collect();
            let expected: Vec<_> = expected.into_iter().collect();
            if rule == ClientCertificateRule::Pass {
                assert_eq!(named.len(), 2);
            } else {
                assert_eq!(named, expected, "{rule:?} {secured:?}");
            }
        }
        let set = HeaderRules { forwarded_proto: HeaderRule::Set, ..HeaderRules::default() };
        assert_eq!(applied_to(set, "10.0.0.9", Some(&nobody), &[]), pairs(&[("x-forwarded-proto", "https")]));
    }
}
