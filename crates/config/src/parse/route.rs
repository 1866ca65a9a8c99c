//! `routes[]` of a listener and their `match`.

use crate::document::{Content, Node};
use crate::mistake::{Complaint, Report, listed, nearest, shown};
use crate::model::Route;
use crate::parse::exchange::{self, OfListener, OfService};
use crate::parse::listener::NO_REQUESTS;
use crate::parse::names::Names;
use crate::parse::service::Services;
use crate::section::{Field, Section, mistake, scalar};
use crate::settings::Shape;
use crate::settings::listener::ROUTE;
use crate::value::{http, name};
use evenkeel_core::policy::ListenerProtocol;
use evenkeel_core::route::{PathMatch, RouteMatch};
use std::sync::Arc;

pub(crate) fn read_all(
    field: &Field<'_>,
    services: &Services,
    exchanges: OfListener,
    report: &mut Report,
) -> Vec<Route> {
    let mut routes = Vec::new();
    for (node, path) in field.items(report) {
        let Some(section) = Section::open(node, path, &ROUTE, report) else { continue };
        match service(&section.field("service"), &services.names, report) {
            Some(service) => routes.push(to_service(&section, service, services, exchanges, report)),
            None => {
                // Mistakes beside the service are told at once.
                read_match(&section.field("match").section(report), exchanges.kind.protocol, report);
                exchange::of_route(&section, OfService::wrong(), exchanges, report);
            }
        }
    }
    routes
}

/// A route that leads to a service that exists; what it does not say is the service's, else the listener's.
pub(crate) fn to_service(
    section: &Section<'_>,
    service: Arc<str>,
    services: &Services,
    exchanges: OfListener,
    report: &mut Report,
) -> Route {
    let matches = read_match(&section.field("match").section(report), exchanges.kind.protocol, report);
    if exchanges.kind.protocol == ListenerProtocol::Tcp {
        for name in ["headers", "limits"] {
            section.field(name).must_not_be_there(NO_REQUESTS, "match, service, timeouts, retry", report);
        }
    }
    let of_service = services.exchanges.get(&service).copied().unwrap_or_default();
    let policy = exchange::of_route(section, of_service, exchanges, report);
    Route { matches, service, policy }
}

/// The name of a service that exists.
pub(crate) fn service(field: &Field<'_>, services: &Names, report: &mut Report) -> Option<Arc<str>> {
    let given: Arc<str> = field.text(report, |text| Ok(Arc::from(text)))?;
    if services.contains_key(&given) {
        return Some(given);
    }
    report.add_with(|| {
        let names = || services.keys().map(|name| &**name);
        let allowed = if services.is_empty() { field.key.shape.allowed() } else { listed(names()) };
        let described = field.node.map(Node::described);
        let mut mistake = mistake(field.place(), &field.path, "unknown service", described, Some(allowed));
        mistake.nearest = nearest(&given, names());
        mistake
    });
    None
}

fn read_match(section: &Section<'_>, protocol: ListenerProtocol, report: &mut Report) -> RouteMatch {
    const OF_REQUESTS: [&str; 6] = ["host", "path", "path_prefix", "method", "headers", "grpc"];
    let (strange, why, allowed) = match protocol {
        ListenerProtocol::Http => {
            (&["sni"][..], "an `http` listener's routes go by `host`", listed(OF_REQUESTS))
        }
        ListenerProtocol::Tcp => (&OF_REQUESTS[..], NO_REQUESTS, "sni".to_owned()),
        ListenerProtocol::Auto => (&[][..], "", String::new()),
    };
    for name in strange {
        section.field(name).must_not_be_there(why, &allowed, report);
    }
    RouteMatch {
        host: section.field("host").text(report, |text| http::host(text).map(Box::from)),
        path: read_path(section, report),
        method: section.field("method").text(report, |text| http::method(text).map(Box::from)),
        headers: read_headers(&section.field("headers"), report),
        server_name: section.field("sni").text(report, |text| http::sni(text).map(Box::from)),
    }
}

fn read_path(section: &Section<'_>, report: &mut Report) -> PathMatch {
    let exact = section.field("path").text(report, |text| http::path(text).map(Box::from));
    let prefix = section.field("path_prefix").text(report, |text| http::path_prefix(text).map(Box::from));
    let grpc = section.field("grpc").optional_section(report).and_then(|grpc| {
        let service = grpc.field("service").text(report, |text| name::grpc_service(text).map(Box::from));
        let method = grpc.field("method").text(report, |text| name::grpc_method(text).map(Box::from));
        Some(PathMatch::Grpc { service: service?, method })
    });
    exact.map(PathMatch::Exact).or(prefix.map(PathMatch::Prefix)).or(grpc).unwrap_or_default()
}

/// By name, so that their order in the text means nothing.
fn read_headers(field: &Field<'_>, report: &mut Report) -> Vec<(Box<str>, Box<str>)> {
    let Shape::Headers { max } = field.key.shape else { return Vec::new() };
    let Some(node) = field.node else { return Vec::new() };
    let Content::Map(entries) = &node.content else {
        field.complain(Complaint::new("wrong type"), report);
        return Vec::new();
    };
    if entries.len() > max {
        field.complain(Complaint::new(format!("too many headers: {}", entries.len())), report);
    }
    let mut headers: Vec<(Box<str>, Box<str>)> = Vec::new();
    for entry in entries.iter().take(max) {
        let path = format!("{}.{}", field.path, shown(&entry.key));
        let name = http::header_name(&entry.key);
        let value = scalar(&entry.value, "text").and_then(http::header_value);
        match (name, value) {
            (Ok(name), _) if headers.iter().any(|(earlier, _)| **earlier == *name) => {
                report.add(mistake(Some(entry.place), &path, "this header is given twice", None, None));
            }
            (Ok(name), Ok(value)) => headers.push((name.into(), value.into())),
            (name, value) => {
                if let Err(complaint) = name {
                    let allowed =
                        Some("a header name of 1 to 64 letters, digits and -_.!#$%&'*+^`|~".to_owned());
                    report.add(mistake(Some(entry.place), &path, complaint.what, None, allowed));
                }
                if let Err(complaint) = value {
                    let given = Some(entry.value.described());
                    let allowed = Some("text of at most 1024 visible ASCII characters, in quotes if it looks like something else".to_owned());
                    report.add(mistake(Some(entry.value.place), &path, complaint.what, given, allowed));
                }
            }
        }
    }
    headers.sort();
    headers
}
