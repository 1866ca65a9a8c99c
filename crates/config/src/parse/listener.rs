//! `listeners[]` with their timeouts.

use crate::mistake::{Place, Report};
use crate::model::{Listener, Route};
use crate::parse::names::report_repeated;
use crate::parse::service::Services;
use crate::parse::{exchange, route};
use crate::section::Section;
use crate::settings::listener::{LISTENER, ROUTE};
use crate::value::{address, name};
use evenkeel_core::policy::{HeaderRules, ListenerPolicy, Timeouts};
use std::collections::HashMap;
use std::sync::Arc;

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
        section.field("protocol").choice(report, |_| ());
        let max_sessions = section.field("max_sessions").count(report);
        let times = section.field("timeouts").section(report);
        let policy = ListenerPolicy {
            max_sessions,
            timeouts: read_timeouts(&times, report),
            ..ListenerPolicy::default()
        };
        let headers = section.field("headers").section(report);
        let exchanges = exchange::OfListener {
            request: times.field("request").optional_duration(report),
            headers: exchange::read_headers(&headers, HeaderRules::default(), report),
        };
        let routes = routes(&section, services, exchanges, report);
        if let (Some(name), Some(bind)) = (name, bind) {
            listeners.list.push(Listener { name, bind, policy, tls: None, routes });
            listeners.places.push((index, section.field("bind").place()));
            listeners.connect.push(section.field("timeouts").holds("connect"));
        }
    }
    listeners
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
        tls_handshake: Timeouts::default().tls_handshake,
        header: section.field("header").duration(report),
        idle: section.field("idle").duration(report),
        send: section.field("send").duration(report),
    }
}
