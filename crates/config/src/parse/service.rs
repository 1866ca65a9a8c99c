//! `services[]` and all their policies.

use crate::mistake::{Complaint, Place, Report};
use crate::model::{Config, EndpointSource, Listener, Service, UpstreamTls};
use crate::parse::names::{Names, report_repeated};
use crate::parse::{endpoint, exchange, tls};
use crate::section::{Section, mistake};
use crate::settings::service::SERVICE;
use crate::value::{address, duration, name, path};
use evenkeel_core::policy::{
    Balance, BalancePolicy, Ejection, ListenerProtocol, SendProxyProtocol, ServicePolicy, Timeouts,
    Transport, Upstream, UpstreamProtocol, WebSocketPolicy,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The services that could be read.
pub(crate) struct Services {
    pub(crate) list: Vec<Service>,
    /// As long as the list.
    pub(crate) written: Vec<Written>,
    /// By name, what the service says of its exchanges.
    pub(crate) exchanges: HashMap<Arc<str>, exchange::OfService>,
    pub(crate) names: Names,
}

/// What matters of how a service is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    /// Whether `timeouts.connect` is.
    connect: bool,
    /// Whether `balance.policy` is.
    balance: bool,
    /// Path and place of `upstream.proxy_protocol`.
    proxy_protocol: (String, Option<Place>),
}

impl Written {
    fn of(section: &Section<'_>) -> Self {
        // What is wrong with the mapping itself is told where it is read.
        let upstream = section.field("upstream").section(&mut Report::new(""));
        let proxy_protocol = upstream.field("proxy_protocol");
        Self {
            connect: section.field("timeouts").holds("connect"),
            balance: section.field("balance").holds("policy"),
            proxy_protocol: (proxy_protocol.path.clone(), proxy_protocol.place()),
        }
    }
}

pub(crate) fn read_all(root: &Section<'_>, report: &mut Report) -> Services {
    let mut services =
        Services { list: Vec::new(), written: Vec::new(), exchanges: HashMap::new(), names: Names::new() };
    for (node, path) in root.field("services").items(report) {
        let Some(section) = Section::open(node, path, &SERVICE, report) else { continue };
        let field = section.field("name");
        let name: Option<Arc<str>> = field.text(report, |text| name::ours(text).map(Arc::from));
        if let Some(name) = &name {
            let earlier = services.names.insert(Arc::clone(name), field.place());
            report_repeated(earlier, &field.path, name, field.place(), report);
        }
        let endpoints = section.field("endpoints").optional_section(report);
        let endpoints = endpoints.and_then(|endpoints| read_endpoints(&endpoints, report));
        let (policy, exchange) = read_policy(&section, report);
        let tls = read_tls(&section, endpoints.as_ref(), report);
        if let Some(name) = &name {
            services.exchanges.insert(Arc::clone(name), exchange);
        }
        if let (Some(name), Some(endpoints)) = (name, endpoints) {
            services.list.push(Service { name, endpoints, policy, tls });
            services.written.push(Written::of(&section));
        }
    }
    services
}

fn read_endpoints(section: &Section<'_>, report: &mut Report) -> Option<EndpointSource> {
    let dns = section.field("dns").text(report, |text| {
        address::dns(text).map(|(name, port)| EndpointSource::Dns { name: Arc::from(name), port })
    });
    let list = section.field("static");
    let fixed = list.node.is_some().then(|| EndpointSource::Static(endpoint::read_all(&list, report)));
    let srv = section
        .field("srv")
        .text(report, |text| name::dns(text).map(|name| EndpointSource::Srv { name: Arc::from(name) }));
    let file = section.field("file").text(report, file);
    dns.or(fixed).or(srv).or(file)
}

/// The path of an endpoints file.
pub(crate) fn file(text: &str) -> Result<EndpointSource, Complaint> {
    path::file(text).map(|path| EndpointSource::File { path })
}

/// All policies of a service, and those of its exchanges; an absent section gives the defaults.
pub(crate) fn read_policy(
    section: &Section<'_>,
    report: &mut Report,
) -> (ServicePolicy, exchange::OfService) {
    let times = section.field("timeouts").section(report);
    let limits = section.field("limits").section(report);
    let websocket = section.field("websocket").section(report);
    let max_sessions = limits.field("max_sessions").optional_count(report);
    let policy = ServicePolicy {
        balance: balance(&section.field("balance").section(report), report),
        ejection: ejection(&section.field("ejection").section(report), report),
        upstream: upstream(&section.field("upstream").section(report), report),
        timeouts: timeouts(&times, report),
        websocket: WebSocketPolicy {
            ping_interval: websocket.field("ping_interval").optional_duration(report),
        },
        max_sessions: max_sessions
            .map(|count| u32::try_from(count).expect("the table's range ends within u32")),
        drain_deadline: section.field("drain").section(report).field("deadline").optional_duration(report),
    };
    let exchange = exchange::of_service(section, &times, &limits, report);
    (policy, exchange)
}

/// `upstream.tls`, which is not among the policies: it names files.
fn read_tls(
    section: &Section<'_>,
    endpoints: Option<&EndpointSource>,
    report: &mut Report,
) -> Option<UpstreamTls> {
    // What is wrong with `upstream` itself is told where its other keys are read.
    let upstream = section.field("upstream").section(&mut Report::new(""));
    let section = upstream.field("tls").optional_section(report)?;
    let dns_name = match endpoints {
        Some(EndpointSource::Dns { name, .. }) => Some(name),
        _ => None,
    };
    Some(tls::of_upstream(&section, dns_name, report))
}

fn balance(section: &Section<'_>, report: &mut Report) -> Balance {
    let policy = section.field("policy").choice(report, |word| match word {
        "peak_ewma" => BalancePolicy::PeakEwma,
        "least_request" => BalancePolicy::LeastRequest,
        "least_connection" => BalancePolicy::LeastConnection,
        "round_robin" => BalancePolicy::RoundRobin,
        "random" => BalancePolicy::Random,
        other => unreachable!("{other} is no word of `policy`"),
    });
    Balance { policy: policy.unwrap_or_default(), slow_start: section.field("slow_start").duration(report) }
}

fn ejection(section: &Section<'_>, report: &mut Report) -> Ejection {
    let (base_field, max_field) = (section.field("base"), section.field("max"));
    let base = base_field.duration(report);
    let max = max_field.duration(report);
    if base > max {
        let what =
            format!("`base` ({}) is longer than `max` ({})", duration::show(base), duration::show(max));
        let wrong = if base_field.node.is_some() { &base_field } else { &max_field };
        wrong.complain(Complaint::new(what), report);
    }
    Ejection {
        consecutive_failures: section.field("consecutive_failures").count(report),
        base,
        max,
        max_share: section.field("max_share").share(report),
        panic_threshold: section.field("panic_threshold").share(report),
    }
}

fn upstream(section: &Section<'_>, report: &mut Report) -> Upstream {
    let protocol = section.field("protocol").choice(report, |word| match word {
        "auto" => UpstreamProtocol::Auto,
        "h1" => UpstreamProtocol::H1,
        "h2" => UpstreamProtocol::H2,
        other => unreachable!("{other} is no word of `protocol`"),
    });
    let proxy_protocol = section.field("proxy_protocol").choice(report, |word| match word {
        "none" => SendProxyProtocol::None,
        "v1" => SendProxyProtocol::V1,
        "v2" => SendProxyProtocol::V2,
        other => unreachable!("{other} is no word of `proxy_protocol`"),
    });
    let is_tls = section.field("tls").node.is_some();
    Upstream {
        protocol: protocol.unwrap_or_default(),
        transport: if is_tls { Transport::Tls } else { Transport::Cleartext },
        proxy_protocol: proxy_protocol.unwrap_or_default(),
        max_connections: section.field("max_connections").small_count(report),
        max_streams: section.field("max_streams").count(report),
        max_requests_per_connection: section.field("max_requests_per_connection").optional_count(report),
        pending: section.field("pending").count(report),
        pending_timeout: section.field("pending_timeout").duration(report),
    }
}

fn timeouts(section: &Section<'_>, report: &mut Report) -> Timeouts {
    Timeouts {
        connect: section.field("connect").optional_duration(report).unwrap_or(Timeouts::default().connect),
        tls_handshake: section.field("tls_handshake").duration(report),
        header: section.field("header").duration(report),
        idle: section.field("idle").duration(report),
        send: section.field("send").duration(report),
    }
}

/// Gives a service without a `timeouts.connect` the shortest that a listener which leads to it has written.
pub(crate) fn lend_connect_timeouts(
    services: &mut [Service],
    listeners: &[Listener],
    is_given_by_listener: &[bool],
    written: &[Written],
) {
    for (service, _) in services.iter_mut().zip(written).filter(|(_, written)| !written.connect) {
        let lent: Option<Duration> = listeners
            .iter()
            .zip(is_given_by_listener)
            .filter(|(listener, is_given)| {
                **is_given && listener.routes.iter().any(|route| route.service == service.name)
            })
            .map(|(listener, _)| listener.policy.timeouts.connect)
            .min();
        if let Some(connect) = lent {
            service.policy.timeouts.connect = connect;
        }
    }
}

/// Gives services without a `balance.policy` what suits those that lead to them.
pub(crate) fn suit_balance(services: &mut [Service], listeners: &[Listener], written: &[Written]) {
    for (service, _) in services.iter_mut().zip(written).filter(|(_, written)| !written.balance) {
        suit_one_balance(service, listeners);
    }
}

/// `least_connection` where tunnels alone lead to the service.
pub(crate) fn suit_one_balance(service: &mut Service, listeners: &[Listener]) {
    let mut protocols = leading_to(service, listeners).map(|listener| listener.policy.protocol).peekable();
    let is_tunnels_only =
        protocols.peek().is_some() && protocols.all(|protocol| protocol == ListenerProtocol::Tcp);
    service.policy.balance.policy = match is_tunnels_only {
        true => BalancePolicy::LeastConnection,
        false => BalancePolicy::default(),
    };
}

fn leading_to<'l>(
    service: &Service,
    listeners: &'l [Listener],
) -> impl Iterator<Item = &'l Listener> + use<'l> {
    let name = Arc::clone(&service.name);
    listeners.iter().filter(move |listener| listener.routes.iter().any(|route| route.service == name))
}

/// A header names one client, so no connection that clients share may begin with one.
pub(crate) fn check_proxy_protocol(config: &Config, written: &[Written], report: &mut Report) {
    for (service, written) in config.services.iter().zip(written) {
        if service.policy.upstream.proxy_protocol == SendProxyProtocol::None {
            continue;
        }
        let shared = leading_to(service, &config.listeners)
            .find(|listener| listener.policy.protocol != ListenerProtocol::Tcp);
        if let Some(listener) = shared {
            let (path, place) = &written.proxy_protocol;
            let what = format!(
                "clients of listener {} share connections, and the header names one client",
                listener.name
            );
            let allowed = Some("none, or a service that `tcp` listeners alone lead to".to_owned());
            report.add(mistake(*place, path, what, None, allowed));
        }
    }
}
