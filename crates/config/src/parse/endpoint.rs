//! Lists of endpoints, in a service and in an endpoints file.

use crate::document::{Content, Node};
use crate::mistake::{Complaint, Place, Report};
use crate::section::{Field, Section, mistake, scalar};
use crate::settings::endpoint::ENDPOINT;
use crate::settings::text::ENDPOINT_ADDRESS;
use crate::value::{address, name};
use evenkeel_core::endpoint::{EndpointSpec, EndpointState};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// The list by address, no address twice.
pub(crate) fn read_all(field: &Field<'_>, report: &mut Report) -> Vec<EndpointSpec> {
    let mut places: HashMap<SocketAddr, Place> = HashMap::new();
    let mut endpoints = Vec::new();
    for (node, path) in field.items(report) {
        let Some(endpoint) = read(node, path.clone(), report) else { continue };
        if let Some(first) = places.get(&endpoint.address) {
            let what = format!("this address is in the list twice, first on line {}", first.line);
            report.add(mistake(Some(node.place), &path, what, Some(endpoint.address.to_string()), None));
            continue;
        }
        places.insert(endpoint.address, node.place);
        endpoints.push(endpoint);
    }
    endpoints.sort_by_key(|endpoint| endpoint.address);
    endpoints
}

fn read(node: &Node, path: String, report: &mut Report) -> Option<EndpointSpec> {
    if matches!(node.content, Content::Map(_)) {
        let section = Section::open(node, path, &ENDPOINT, report)?;
        return read_section(&section, report);
    }
    match scalar(node, "an address").and_then(address::endpoint) {
        Ok(address) => Some(EndpointSpec::at(address)),
        Err(Complaint { what, nearest }) => {
            let allowed = Some(ENDPOINT_ADDRESS.allowed.to_owned());
            let mut mistake = mistake(Some(node.place), &path, what, Some(node.described()), allowed);
            mistake.nearest = nearest;
            report.add(mistake);
            None
        }
    }
}

fn read_section(section: &Section<'_>, report: &mut Report) -> Option<EndpointSpec> {
    let address = section.field("address").text(report, address::endpoint);
    let zone = section.field("zone").text(report, |zone| name::ours(zone).map(Arc::from));
    let weight = section.field("weight").count(report);
    let ordinal =
        section.field("ordinal").optional_count(report).and_then(|ordinal| u32::try_from(ordinal).ok());
    let state = section.field("state").choice(report, state_of)?;
    Some(EndpointSpec { address: address?, zone, weight, ordinal, state, pod: None })
}

fn state_of(word: &'static str) -> EndpointState {
    match word {
        "ready" => EndpointState::Ready,
        "terminating" => EndpointState::Terminating,
        "not_ready" => EndpointState::NotReady,
        other => unreachable!("{other} is no word of `state`"),
    }
}
