//! `services[]` and all their policies.

use crate::mistake::{Complaint, Report};
use crate::model::{EndpointSource, Listener, Service};
use crate::parse::names::{Names, report_repeated};
use crate::parse::{endpoint, exchange};
use crate::section::Section;
use crate::settings::service::SERVICE;
use crate::value::{address, duration, name};
use evenkeel_core::policy::{
    Balance, BalancePolicy, Ejection, SendProxyProtocol, ServicePolicy, Timeouts, Transport, Upstream,
    UpstreamProtocol, WebSocketPolicy,
};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Longest path of an endpoints file (Linux's PATH_MAX).
const MAX_PATH: usize = 4096;

/// The services that could be read.
pub(crate) struct Services {
    pub(crate) list: Vec<Service>,
    /// As long as the list: whether `timeouts.connect` is written.
    pub(crate) connect: Vec<bool>,
    /// By name, what the service says of its exchanges.
    pub(crate) exchanges: HashMap<Arc<str>, exchange::OfService>,
    pub(crate) names: Names,
}

pub(crate) fn read_all(root: &Section<'_>, report: &mut Report) -> Services {
    let mut services =
        Services { list: Vec::new(), connect: Vec::new(), exchanges: HashMap::new(), names: Names::new() };
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
        let is_connect_given = section.field("timeouts").holds("connect");
        let (policy, exchange) = read_policy(&section, report);
        if let Some(name) = &name {
            services.exchanges.insert(Arc::clone(name), exchange);
        }
        if let (Some(name), Some(endpoints)) = (name, endpoints) {
            services.list.push(Service { name, endpoints, policy, tls: None });
            services.connect.push(is_connect_given);
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
    if text.is_empty() || text.len() > MAX_PATH || text.contains('\0') {
        return Err(Complaint::new("not a path"));
    }
    Ok(EndpointSource::File { path: PathBuf::from(text) })
}

/// All policies of a service, and those of its exchanges; an absent section gives the defaults.
pub(crate) fn read_policy(
    section: &Section<'_>,
    report: &mut Report,
) -> (ServicePolicy, exchange::OfService) {
    let times = section.field("timeouts").section(report);
    let policy = ServicePolicy {
        balance: balance(&section.field("balance").section(report), report),
        ejection: ejection(&section.field("ejection").section(report), report),
        upstream: upstream(&section.field("upstream").section(report), report),
        timeouts: timeouts(&times, report),
        websocket: WebSocketPolicy::default(),
        max_sessions: None,
        drain_deadline: section.field("drain").section(report).field("deadline").optional_duration(report),
    };
    let exchange = exchange::of_service(section, &times, report);
    (policy, exchange)
}

fn balance(section: &Section<'_>, report: &mut Report) -> Balance {
    let policy = section.field("policy").choice(report, |word| match word {
        "peak_ewma" => BalancePolicy::PeakEwma,
        "least_request" => BalancePolicy::LeastRequest,
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
    // Both protocols are HTTP/2 in this version, so the word is checked and nothing else follows from it.
    section.field("protocol").choice(report, |_| ());
    Upstream {
        protocol: UpstreamProtocol::default(),
        transport: Transport::default(),
        proxy_protocol: SendProxyProtocol::default(),
        max_connections: section.field("max_connections").count(report),
        max_streams: section.field("max_streams").count(report),
        max_requests_per_connection: section.field("max_requests_per_connection").optional_count(report),
        pending: section.field("pending").count(report),
        pending_timeout: section.field("pending_timeout").duration(report),
    }
}

fn timeouts(section: &Section<'_>, report: &mut Report) -> Timeouts {
    Timeouts {
        connect: section.field("connect").optional_duration(report).unwrap_or(Timeouts::default().connect),
        tls_handshake: Timeouts::default().tls_handshake,
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
    is_given_by_service: &[bool],
) {
    for (service, _) in services.iter_mut().zip(is_given_by_service).filter(|(_, is_given)| !**is_given) {
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
