//! What `evenkeel run --listen ADDRESS --to TARGET` means. Called by the command line; knows no flags but the target's text.

use crate::mistake::{Complaint, Mistakes, Report, nearest, shown};
use crate::model::{Config, EndpointSource, Listener, Route, Service};
use crate::parse::{process, service};
use crate::section::{Section, mistake};
use crate::settings::endpoint::MAX_ENDPOINTS;
use crate::settings::process::ROOT;
use crate::settings::service::SERVICE;
use crate::value::{address, name};
use evenkeel_core::endpoint::EndpointSpec;
use evenkeel_core::policy::{ListenerPolicy, RoutePolicy};
use evenkeel_core::route::RouteMatch;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

/// How a target is written.
const ALLOWED: &str = "address:port,address:port, dns://name:port, srv://name or file://path";
const SCHEMES: [&str; 3] = ["dns", "srv", "file"];

/// Where requests go, on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where the endpoints come from.
    pub endpoints: EndpointSource,
}

impl Target {
    /// `10.0.0.1:80,10.0.0.2:80`, `dns://name:port`, `srv://name`, `file://path`.
    ///
    /// # Errors
    /// Every mistake, with `--to` as its origin; `k8s://` is not supported by this version.
    pub fn parse(text: &str) -> Result<Self, Mistakes> {
        let mut report = Report::new("--to");
        let endpoints = match text.split_once("://") {
            Some((scheme, rest)) => with_scheme(scheme, rest).map_err(|complaint| (text, complaint)),
            None => list(text),
        };
        let target = match endpoints {
            Ok(endpoints) => Some(Self { endpoints }),
            Err((given, complaint)) => {
                let given = Some(if given.is_empty() { "nothing".to_owned() } else { shown(given) });
                let mut mistake = mistake(None, "", complaint.what, given, Some(ALLOWED.to_owned()));
                mistake.nearest = complaint.nearest;
                report.add(mistake);
                None
            }
        };
        report.finish(target)
    }
}

impl FromStr for Target {
    type Err = Mistakes;

    fn from_str(text: &str) -> Result<Self, Mistakes> {
        Self::parse(text)
    }
}

fn with_scheme(scheme: &str, rest: &str) -> Result<EndpointSource, Complaint> {
    match scheme {
        "dns" => address::dns(rest).map(|(name, port)| EndpointSource::Dns { name: Arc::from(name), port }),
        "srv" => name::dns(rest).map(|name| EndpointSource::Srv { name: Arc::from(name) }),
        "file" => service::file(rest),
        "k8s" => Err(Complaint::new(
            "not supported by this version; a headless Service's endpoints come by dns://name.namespace.svc.cluster.local:port",
        )),
        other => Err(Complaint::new("unknown scheme")
            .with_nearest(nearest(other, SCHEMES).map(|scheme| format!("{scheme}://{rest}")))),
    }
}

/// The first wrong part is the mistake: what follows it may be cut wrongly too.
fn list(text: &str) -> Result<EndpointSource, (&str, Complaint)> {
    let mut endpoints = BTreeMap::new();
    for part in text.split(',').map(str::trim) {
        let address = address::endpoint(part).map_err(|complaint| {
            let is_name = address::dns(part).is_ok();
            (part, complaint.with_nearest(is_name.then(|| format!("dns://{part}"))))
        })?;
        if endpoints.insert(address, EndpointSpec::at(address)).is_some() {
            return Err((part, Complaint::new("this address is in the list twice")));
        }
        if endpoints.len() > MAX_ENDPOINTS {
            return Err((part, Complaint::new(format!("more than {MAX_ENDPOINTS} endpoints"))));
        }
    }
    Ok(EndpointSource::Static(endpoints.into_values().collect()))
}

impl Config {
    /// One listener and one service, both named `main`, and every default.
    #[must_use]
    pub fn from_target(listen: SocketAddr, target: Target) -> Self {
        let name: Arc<str> = Arc::from("main");
        // Nothing is written, so nothing can be wrong: the report stays empty.
        let mut unused = Report::new("");
        let mut config = process::read(&Section::absent(&ROOT, String::new()), &mut unused);
        let (policy, _) = service::read_policy(&Section::absent(&SERVICE, String::new()), &mut unused);
        config.services =
            vec![Service { name: Arc::clone(&name), endpoints: target.endpoints, policy, tls: None }];
        config.listeners = vec![Listener {
            name: Arc::clone(&name),
            bind: listen,
            policy: ListenerPolicy::default(),
            tls: None,
            routes: vec![Route {
                matches: RouteMatch::default(),
                service: name,
                policy: RoutePolicy::default(),
            }],
        }];
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn endpoints(text: &str) -> EndpointSource {
        Target::parse(text).unwrap().endpoints
    }

    #[test]
    fn every_kind_of_target_is_read() {
        let spec = |text: &str| EndpointSpec::at(text.parse().unwrap());
        assert_eq!(
            endpoints("127.0.0.1:2, [::1]:1,127.0.0.1:1"),
            EndpointSource::Static(vec![spec("127.0.0.1:1"), spec("127.0.0.1:2"), spec("[::1]:1")])
        );
        assert_eq!(endpoints("dns://backend:80"), EndpointSource::Dns { name: "backend".into(), port: 80 });
        assert_eq!(endpoints("srv://_grpc._tcp.b"), EndpointSource::Srv { name: "_grpc._tcp.b".into() });
        assert_eq!(endpoints("file:///e.yaml"), EndpointSource::File { path: PathBuf::from("/e.yaml") });
    }

    #[test]
    fn a_list_ends_at_ten_thousand_endpoints() {
        let text = |count: usize| {
            let parts: Vec<String> =
                (0..count).map(|index| format!("10.0.{}.{}:80", index / 256, index % 256)).collect();
            parts.join(",")
        };
        assert!(Target::parse(&text(MAX_ENDPOINTS)).is_ok());
        let mistakes = Target::parse(&text(MAX_ENDPOINTS + 1)).unwrap_err();
        assert_eq!(mistakes.list[0].what, "more than 10000 endpoints");
    }

    #[test]
    fn listen_and_to_mean_a_file_with_one_listener_and_one_service() {
        let written = "listeners: [{ name: main, bind: \"127.0.0.1:1\", service: main }]\n\
                       services: [{ name: main, endpoints: { dns: \"backend:80\" } }]";
        let target = Target::parse("dns://backend:80").unwrap();
        assert_eq!(
            Config::from_target("127.0.0.1:1".parse().unwrap(), target),
            crate::parse(written, "").unwrap()
        );
    }
}
