//! `listeners[]` with their timeouts.

use crate::mistake::{Place, Report};
use crate::model::{Listener, Route};
use crate::parse::names::report_repeated;
use crate::parse::service::Services;
use crate::parse::{exchange, grpc_web, route, tls};
use crate::section::Section;
use crate::settings::listener::{LISTENER, ROUTE};
use crate::value::{address, name};
use evenkeel_core::policy::{
    AcceptProxyProtocol, ClientCertificateRule, HeaderRules, ListenerPolicy, ListenerProtocol, Timeouts,
    Transport,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Why what is for requests has no place at a listener of tunnels.
pub(crate) const NO_REQUESTS: &str = "a `tcp` listener has no requests";

/// The listeners that could be read; the lists beside are as long.
pub(crate) struct Listeners {
    pub(crate) list: Vec<Listener>,
    /// Index in the text, and where `bind` stands.
    pub(crate) places: Vec<(usize, Option<Place>)>,
    /// Whether `timeouts.connect` is written.
    pub(crate) connect: Vec<bool>,
}

pub(crate) fn read_all(root: &Section<'_>, services: &Services, report: &mut Report) -> Listeners {
    let mut listeners = Listeners { list: Vec::new(), places: Vec::new(), connect: Vec::new() };
    let mut names: HashMap<Arc<str>, Option<Place>> = HashMap::new();
    for (index, (node, path)) in root.field("listeners").items(report).into_iter().enumerate() {
        let Some(section) = Section::open(node, path, &LISTENER, report) else { continue };
        let name_field = section.field("name");
        let name: Option<Arc<str>> = name_field.text(report, |text| name::ours(text).map(Arc::from));
        if let Some(name) = &name {
            report_repeated(
                names.insert(Arc::clone(name), name_field.place()),
                &name_field.path,
                name,
                name_field.place(),
                report,
            );
        }
        let bind = section.field("bind").text(report, address::bind);
        let protocol = read_protocol(&section, report);
        let knows_clients = section.field("tls").holds("client_auth");
        let tls = section.field("tls").optional_section(report);
        let tls = tls.map(|tls| tls::of_listener(&tls, protocol, report));
        let policy = read_policy(&section, protocol, tls.is_some(), report);
        let kind = exchange::ListenerKind { protocol, knows_clients };
        let exchanges = read_exchanges(&section, kind, report);
        let routes = routes(&section, services, exchanges, report);
        if let (Some(name), Some(bind)) = (name, bind) {
            listeners.list.push(Listener { name, bind, policy, tls, routes });
            listeners.places.push((index, section.field("bind").place()));
            listeners.connect.push(section.field("timeouts").holds("connect"));
        }
    }
    listeners
}

fn read_protocol(section: &Section<'_>, report: &mut Report) -> ListenerProtocol {
    let protocol = section.field("protocol").choice(report, protocol_of).unwrap_or_default();
    if protocol == ListenerProtocol::Tcp {
        for name in ["headers", "limits", "grpc_web"] {
            section.field(name).must_not_be_there(NO_REQUESTS, "the other keys of a listener", report);
        }
    }
    protocol
}

pub(crate) fn protocol_of(word: &'static str) -> ListenerProtocol {
    match word {
        "http" => ListenerProtocol::Http,
        "tcp" => ListenerProtocol::Tcp,
        "auto" => ListenerProtocol::Auto,
        other => unreachable!("{other} is no word of `protocol`"),
    }
}

fn read_policy(
    section: &Section<'_>,
    protocol: ListenerProtocol,
    is_tls: bool,
    report: &mut Report,
) -> ListenerPolicy {
    let times = section.field("timeouts").section(report);
    let proxy_protocol = section.field("proxy_protocol").choice(report, |word| match word {
        "off" => AcceptProxyProtocol::Off,
        "required" => AcceptProxyProtocol::Required,
        other => unreachable!("{other} is no word of `proxy_protocol`"),
    });
    let grpc_web = section.field("grpc_web").optional_section(report);
    ListenerPolicy {
        protocol,
        transport: if is_tls { Transport::Tls } else { Transport::Cleartext },
        proxy_protocol: proxy_protocol.unwrap_or_default(),
        max_sessions: section.field("max_sessions").count(report),
        timeouts: read_timeouts(&times, report),
        detect_timeout: times.field("detect").duration(report),
        grpc_web: grpc_web.map(|grpc_web| Arc::new(grpc_web::read(&grpc_web, report))),
    }
}

/// What routes and services that say nothing nearer get from the listener.
fn read_exchanges(
    section: &Section<'_>,
    kind: exchange::ListenerKind,
    report: &mut Report,
) -> exchange::OfListener {
    // Opened apart from `report`: what is wrong with these mappings themselves is told where they are first read.
    let times = section.field("timeouts").section(&mut Report::new(""));
    let limits = section.field("limits").section(report);
    let headers = section.field("headers").section(report);
    let client_certificate = match kind.knows_clients {
        true => ClientCertificateRule::Set,
        false => ClientCertificateRule::Pass,
    };
    let unwritten = HeaderRules { client_certificate, ..HeaderRules::default() };
    exchange::OfListener {
        request: times.field("request").optional_duration(report),
        upgraded_idle: times.field("upgraded_idle").optional_duration(report),
        request_body_bytes: limits.field("request_body_bytes").written_size(report).flatten(),
        headers: exchange::read_headers(&headers, unwritten, kind, report),
        kind,
    }
}

fn routes(
    section: &Section<'_>,
    services: &Services,
    exchanges: exchange::OfListener,
    report: &mut Report,
) -> Vec<Route> {
    // Both are read though they exclude each other: mistakes in either are told at once.
    let routes = route::read_all(&section.field("routes"), services, exchanges, report);
    let only = section.field("service");
    if only.node.is_none() {
        return routes;
    }
    let service = route::service(&only, &services.names, report);
    let everything = Section::absent(&ROUTE, String::new());
    let route = |service| route::to_service(&everything, service, services, exchanges, report);
    service.map(route).into_iter().collect()
}

/// A listener's timeouts, all with their defaults.
pub(crate) fn read_timeouts(section: &Section<'_>, report: &mut Report) -> Timeouts {
    Timeouts {
        connect: section.field("connect").duration(report),
        tls_handshake: section.field("tls_handshake").duration(report),
        header: section.field("header").duration(report),
        idle: section.field("idle").duration(report),
        send: section.field("send").duration(report),
    }
}
