//! Documents to the valid model. Called by whoever has a text; files are read by [`crate::load`].

pub(crate) mod endpoint;
mod exchange;
mod grpc_web;
mod limits;
pub(crate) mod listener;
mod names;
pub(crate) mod process;
mod route;
pub(crate) mod service;
mod tls;

use crate::document;
use crate::mistake::{Mistakes, Report};
use crate::model::Config;
use crate::section::Section;
use crate::settings::endpoint::ENDPOINTS_FILE;
use crate::settings::process::ROOT;
use evenkeel_core::endpoint::EndpointSpec;

/// Reads a configuration, YAML or JSON; `origin` is the file's name in mistakes.
///
/// # Errors
/// Every mistake of the text, by place. A text that is no YAML has one.
pub fn parse(text: &str, origin: &str) -> Result<Config, Mistakes> {
    let mut report = Report::new(origin);
    let config = read_config(text, &mut report);
    report.finish(config)
}

fn read_config(text: &str, report: &mut Report) -> Option<Config> {
    let document = document::read(text, report)?;
    let root = Section::open(&document, String::new(), &ROOT, report)?;
    let services = service::read_all(&root, report);
    let listeners = listener::read_all(&root, &services, report);
    let mut config = process::read(&root, report);
    config.services = services.list;
    config.listeners = listeners.list;
    process::check_addresses(&config, &listeners.places, report);
    service::lend_connect_timeouts(
        &mut config.services,
        &config.listeners,
        &listeners.connect,
        &services.written,
    );
    service::suit_balance(&mut config.services, &config.listeners, &services.written);
    service::check_proxy_protocol(&config, &services.written, report);
    Some(config)
}

/// Reads an endpoints file, YAML or JSON: `endpoints:` with a list of `"address:port"` or of `{ address, zone, weight,
/// ordinal, state }`. The list may be empty: no endpoint now is a state, not a mistake. Sorted by address.
///
/// # Errors
/// Every mistake of the text, by place.
pub fn parse_endpoints(text: &str, origin: &str) -> Result<Vec<EndpointSpec>, Mistakes> {
    let mut report = Report::new(origin);
    let endpoints = document::read(text, &mut report).and_then(|document| {
        let file = Section::open(&document, String::new(), &ENDPOINTS_FILE, &mut report)?;
        Some(endpoint::read_all(&file.field("endpoints"), &mut report))
    });
    report.finish(endpoints)
}
