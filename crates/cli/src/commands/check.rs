//! `evenkeel check`: every mistake of a configuration, or what was understood of it.

use crate::exit::Exit;
use crate::output::print;
use anyhow::Context;
use evenkeel_config::model::{
    ClientAuthMode, Config, EndpointSource, Listener, Service, TlsVersion, Verification,
};
use evenkeel_core::endpoint::{EndpointSpec, EndpointState};
use evenkeel_core::policy::{
    AcceptProxyProtocol, BalancePolicy, ClientCertificateRule, ForwardedFor, HeaderRule, ListenerProtocol,
    Retry, RoutePolicy, SendProxyProtocol, UpstreamProtocol,
};
use evenkeel_core::route::{PathMatch, RouteMatch};
use std::fmt::Write as _;
use std::fs::File;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  evenkeel check evenkeel.yaml
  evenkeel check evenkeel.yaml && kill -HUP $(pidof evenkeel)

Exit codes: 0 the configuration is well, 1 it has mistakes, 2 it cannot be read.";

/// Check a configuration: print every mistake in it, or what was understood
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The configuration, YAML or JSON
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Prints every mistake, or what was understood.
pub(crate) fn check(arguments: &Arguments) -> anyhow::Result<Exit> {
    let path = arguments.file.display();
    File::open(&arguments.file).with_context(|| format!("cannot read {path}"))?;
    match evenkeel_config::load(&arguments.file) {
        Err(mistakes) => {
            eprintln!("{mistakes}");
            Ok(Exit::Findings)
        }
        Ok(config) => {
            print(&format!("{path} is well.\n\n{}", understood(&config)))?;
            Ok(Exit::Well)
        }
    }
}

fn understood(config: &Config) -> String {
    let mut text = String::new();
    let or = |address: Option<_>, none: &str| {
        address.map_or_else(|| none.to_owned(), |a: std::net::SocketAddr| a.to_string())
    };
    let workers = config.workers.map_or_else(|| "one a core".to_owned(), |n| n.to_string());
    let _ = writeln!(text, "workers   {workers}");
    let _ = writeln!(text, "admin     {}", or(config.admin.bind, "off"));
    if config.admin.public.is_some() {
        let _ = writeln!(text, "public    {}", or(config.admin.public, "off"));
    }
    let drain = config.drain;
    let _ = writeln!(
        text,
        "drain     {:?} at most, of which {:?} go by before sessions are asked to leave",
        drain.deadline, drain.propagation_delay
    );
    for listener in &config.listeners {
        describe_listener(&mut text, listener);
    }
    for service in &config.services {
        describe_service(&mut text, service);
    }
    text
}

fn describe_listener(text: &mut String, listener: &Listener) {
    let _ = writeln!(text, "\nlistener {} on {}", listener.name, listener.bind);
    let speaks = describe_protocol(listener);
    if !speaks.is_empty() {
        let _ = writeln!(text, "  {}", speaks.join("; "));
    }
    for route in &listener.routes {
        let _ = writeln!(text, "  {} -> {}", describe_match(&route.matches), route.service);
        let exchanges = describe_exchanges(&route.policy);
        if !exchanges.is_empty() {
            let _ = writeln!(text, "    {}", exchanges.join("; "));
        }
    }
}

/// What clients speak, where it is more than HTTP in cleartext.
fn describe_protocol(listener: &Listener) -> Vec<String> {
    let mut parts = Vec::new();
    let policy = &listener.policy;
    match policy.protocol {
        ListenerProtocol::Http => {}
        ListenerProtocol::Tcp => parts.push("tcp: bytes both ways".to_owned()),
        ListenerProtocol::Auto => parts.push("auto: the first bytes say what it is".to_owned()),
    }
    if let Some(tls) = &listener.tls {
        let oldest = match tls.min_version {
            TlsVersion::V1_2 => "1.2",
            TlsVersion::V1_3 => "1.3",
        };
        let files: Vec<String> =
            tls.certificates.iter().map(|files| files.cert.display().to_string()).collect();
        parts.push(format!("TLS from {oldest} on by {}", files.join(", ")));
        match tls.client_auth.as_ref().map(|auth| auth.mode) {
            None => {}
            Some(ClientAuthMode::Required) => parts.push("clients show certificates".to_owned()),
            Some(ClientAuthMode::Optional) => parts.push("clients may show certificates".to_owned()),
        }
    }
    if policy.proxy_protocol == AcceptProxyProtocol::Required {
        parts.push("PROXY protocol required".to_owned());
    }
    if policy.grpc_web.is_some() {
        parts.push("gRPC-Web translated".to_owned());
    }
    parts
}

fn describe_match(matches: &RouteMatch) -> String {
    let mut parts = Vec::new();
    parts.extend(matches.host.iter().map(|host| format!("host {host}")));
    match &matches.path {
        PathMatch::Any => {}
        PathMatch::Exact(path) => parts.push(format!("path {path}")),
        PathMatch::Prefix(prefix) => parts.push(format!("paths below {prefix}")),
        PathMatch::Grpc { service, method: Some(method) } => parts.push(format!("gRPC {service}/{method}")),
        PathMatch::Grpc { service, method: None } => parts.push(format!("gRPC {service}/*")),
    }
    parts.extend(matches.method.iter().map(|method| format!("method {method}")));
    parts.extend(matches.server_name.iter().map(|name| format!("TLS for {name}")));
    parts.extend(matches.headers.iter().map(|(name, value)| format!("header {name}: {value}")));
    if parts.is_empty() { "everything".to_owned() } else { parts.join(", ") }
}

/// What holds for a route's exchanges after route, service and listener were put together, where it is no default.
fn describe_exchanges(policy: &RoutePolicy) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(policy.request_timeout.map(|timeout| format!("at most {timeout:?}")));
    parts
        .extend(policy.upgraded_idle.map(|idle| format!("WebSockets and tunnels idle for at most {idle:?}")));
    parts.extend(policy.request_body_bytes.map(|most| format!("bodies of at most {most} bytes")));
    if policy.retry != Retry::default() {
        parts.push(describe_retry(&policy.retry));
    }
    let headers = policy.headers;
    match headers.forwarded_for {
        ForwardedFor::Pass => {}
        ForwardedFor::Append => parts.push("x-forwarded-for appended".to_owned()),
        ForwardedFor::Set => parts.push("x-forwarded-for set".to_owned()),
    }
    for (name, rule) in [
        ("x-forwarded-proto", headers.forwarded_proto),
        ("x-forwarded-host", headers.forwarded_host),
        ("x-request-id", headers.request_id),
    ] {
        match rule {
            HeaderRule::Pass => {}
            HeaderRule::Add => parts.push(format!("{name} added")),
            HeaderRule::Set => parts.push(format!("{name} set")),
        }
    }
    match headers.client_certificate {
        ClientCertificateRule::Pass => {}
        ClientCertificateRule::Set => parts.push("x-forwarded-client-cert set".to_owned()),
        ClientCertificateRule::Remove => parts.push("x-forwarded-client-cert removed".to_owned()),
    }
    parts
}

fn describe_retry(retry: &Retry) -> String {
    if retry.attempts == 0 {
        return "never sent again".to_owned();
    }
    let on = [
        ("unprocessed", true),
        ("reset", retry.on.reset),
        ("timeout", retry.on.timeout),
        ("gateway_error", retry.on.gateway_error),
        ("unavailable", retry.on.unavailable),
        ("resource_exhausted", retry.on.resource_exhausted),
    ];
    let on: Vec<&str> = on.into_iter().filter(|(_, is_on)| *is_on).map(|(word, _)| word).collect();
    let most = if retry.attempts == 1 { "once".to_owned() } else { format!("{} times", retry.attempts) };
    let mut text = format!("sent again at most {most} after {}", on.join(", "));
    if let Some(timeout) = retry.per_try_timeout {
        let _ = write!(text, ", each try at most {timeout:?}");
    }
    text
}

fn describe_service(text: &mut String, service: &Service) {
    let policy = match service.policy.balance.policy {
        BalancePolicy::PeakEwma => "peak_ewma",
        BalancePolicy::LeastRequest => "least_request",
        BalancePolicy::LeastConnection => "least_connection",
        BalancePolicy::RoundRobin => "round_robin",
        BalancePolicy::Random => "random",
    };
    let _ = writeln!(text, "\nservice {}, balanced by {policy}", service.name);
    match &service.endpoints {
        EndpointSource::Static(list) => {
            for endpoint in list {
                let _ = writeln!(text, "  {}", describe_endpoint(endpoint));
            }
        }
        EndpointSource::Dns { name, port } => {
            let _ = writeln!(text, "  every A and AAAA record of {name}, port {port}");
        }
        EndpointSource::Srv { name } => {
            let _ = writeln!(text, "  every SRV target of {name}");
        }
        EndpointSource::File { path } => {
            let _ = writeln!(text, "  every endpoint in {}", path.display());
        }
    }
    let connections = describe_upstream(service);
    if !connections.is_empty() {
        let _ = writeln!(text, "  {}", connections.join("; "));
    }
}

/// Connections to the endpoints and what they hold, where it is no default.
fn describe_upstream(service: &Service) -> Vec<String> {
    let mut parts = Vec::new();
    let policy = &service.policy;
    match policy.upstream.protocol {
        UpstreamProtocol::Auto => {}
        UpstreamProtocol::H1 => parts.push("HTTP/1.1".to_owned()),
        UpstreamProtocol::H2 => parts.push("HTTP/2".to_owned()),
    }
    if let Some(tls) = &service.tls {
        let name = tls.server_name.as_deref().unwrap_or("the address");
        parts.push(match tls.verification {
            Verification::Full => format!("TLS, verified for {name}"),
            Verification::Off => "TLS, not verified".to_owned(),
        });
        parts.extend(tls.certificate.as_ref().map(|files| format!("shows {}", files.cert.display())));
    }
    match policy.upstream.proxy_protocol {
        SendProxyProtocol::None => {}
        SendProxyProtocol::V1 => parts.push("PROXY protocol v1 sent".to_owned()),
        SendProxyProtocol::V2 => parts.push("PROXY protocol v2 sent".to_owned()),
    }
    parts.extend(policy.max_sessions.map(|most| format!("at most {most} WebSockets and tunnels each")));
    parts.extend(
        policy.websocket.ping_interval.map(|interval| format!("WebSockets pinged after {interval:?}")),
    );
    parts
}

fn describe_endpoint(endpoint: &EndpointSpec) -> String {
    let mut text = endpoint.address.to_string();
    if endpoint.weight != 1 {
        let _ = write!(text, ", weight {}", endpoint.weight);
    }
    if let Some(zone) = &endpoint.zone {
        let _ = write!(text, ", zone {zone}");
    }
    match endpoint.state {
        EndpointState::Ready => {}
        EndpointState::Terminating => text.push_str(", terminating"),
        EndpointState::NotReady => text.push_str(", not ready"),
    }
    text
}
