//! Endpoints from DNS: every A and AAAA record of a name, or the targets of an SRV record.
//!
//! The resolver's own cache is off: how long an answer holds is decided here, by [`Pace`](super::Pace). A failure
//! never takes endpoints away; it keeps the last good answer and is tried again.

use super::failure::{DiscoveryFailure, FailureReason};
use super::pace::jitter;
use super::report::{Outcome, Reporter};
use super::settings::{DiscoverySettings, NameServers};
use evenkeel_core::endpoint::EndpointSpec;
use futures_util::StreamExt;
use futures_util::stream;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Longest time that one look-up may take, every retry and every SRV target included.
const LOOKUP_DEADLINE: Duration = Duration::from_secs(10);

/// Longest time that one query waits for one name server.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// SRV targets that are resolved at once.
const TARGETS_AT_ONCE: usize = 8;

/// What is asked.
#[derive(Clone, Debug)]
pub(super) enum Question {
    /// Every A and AAAA record; all endpoints have this port.
    Addresses { name: Arc<str>, port: u16 },
    /// Every SRV record of the lowest priority that resolves, with its targets' addresses.
    Services { name: Arc<str> },
}

/// A good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DnsAnswer {
    endpoints: Vec<EndpointSpec>,
    ttl: Duration,
}

/// Asks for as long as the task lives.
pub(super) async fn follow(question: Question, settings: DiscoverySettings, reporter: Reporter) {
    let mut inquirer = Inquirer::new(settings.name_servers);
    let mut failures = 0;
    loop {
        let wait = match inquirer.ask(&question).await {
            Ok(answer) => {
                failures = 0;
                reporter.report(Outcome::Endpoints(answer.endpoints)).await;
                settings.pace.after_answer(answer.ttl)
            }
            Err(failure) => {
                failures += 1;
                reporter.report(Outcome::Failed(failure)).await;
                settings.pace.after_failure(failures, jitter())
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Asks name servers, and remembers what each name had, for the time when one kind of its records cannot be had.
struct Inquirer {
    name_servers: NameServers,
    resolver: Option<TokioResolver>,
    remembered: HashMap<(String, RecordType), Vec<IpAddr>>,
}

/// Addresses of a name, with the time for which they hold.
struct Addresses {
    addresses: Vec<IpAddr>,
    ttl: u32,
}

impl Inquirer {
    fn new(name_servers: NameServers) -> Self {
        Self { name_servers, resolver: None, remembered: HashMap::new() }
    }

    async fn ask(&mut self, question: &Question) -> Result<DnsAnswer, DiscoveryFailure> {
        let asked = tokio::time::timeout(LOOKUP_DEADLINE, self.ask_without_deadline(question)).await;
        let result = asked.unwrap_or_else(|_| {
            Err(DiscoveryFailure::new(FailureReason::Timeout, format!("no answer in {LOOKUP_DEADLINE:?}")))
        });
        if result.is_err() {
            // The resolver's configuration may be what is wrong, and may have changed.
            self.resolver = None;
        }
        result
    }

    async fn ask_without_deadline(&mut self, question: &Question) -> Result<DnsAnswer, DiscoveryFailure> {
        let resolver = match &self.resolver {
            Some(resolver) => resolver.clone(),
            None => self.resolver.insert(build_resolver(self.name_servers)?).clone(),
        };
        match question {
            Question::Addresses { name, port } => {
                let lookups = lookup_both(&resolver, name).await;
                let found = self.combine(name, lookups)?;
                let endpoints =
                    found.addresses.iter().map(|&ip| EndpointSpec::at(SocketAddr::new(ip, *port))).collect();
                Ok(DnsAnswer { endpoints, ttl: Duration::from_secs(found.ttl.into()) })
            }
            Question::Services { name } => self.ask_services(&resolver, name).await,
        }
    }

    async fn ask_services(
        &mut self,
        resolver: &TokioResolver,
        name: &str,
    ) -> Result<DnsAnswer, DiscoveryFailure> {
        let (records, srv_ttl) = lookup(resolver, name, RecordType::SRV, service_of).await?;
        let mut by_priority: BTreeMap<u16, Vec<SRV>> = BTreeMap::new();
        for record in records {
            by_priority.entry(record.priority).or_default().push(record);
        }
        // A target "." says that the service is decidedly not available (RFC 2782).
        let mut failure = DiscoveryFailure::new(FailureReason::NoRecords, format!("{name}: no SRV target"));
        for (_, group) in by_priority {
            let targets: Vec<String> =
                group.iter().filter(|s| !s.target.is_root()).map(|s| s.target.to_ascii()).collect();
            let lookups: HashMap<String, BothLookups> = stream::iter(targets)
                .map(|target| async move {
                    let lookups = lookup_both(resolver, &target).await;
                    (target, lookups)
                })
                .buffer_unordered(TARGETS_AT_ONCE)
                .collect()
                .await;
            let mut weights: BTreeMap<SocketAddr, u32> = BTreeMap::new();
            let mut ttl = srv_ttl;
            let mut resolved: HashMap<String, Vec<IpAddr>> = HashMap::new();
            for (target, lookups) in lookups {
                match self.combine(&target, lookups) {
                    Ok(found) => {
                        ttl = ttl.min(found.ttl);
                        resolved.insert(target, found.addresses);
                    }
                    Err(error) => failure = error,
                }
            }
            for record in &group {
                for &ip in resolved.get(&record.target.to_ascii()).into_iter().flatten() {
                    let weight = weights.entry(SocketAddr::new(ip, record.port)).or_default();
                    *weight = weight.saturating_add(record.weight.into());
                }
            }
            if !weights.is_empty() {
                self.remembered.retain(|(name, _), _| resolved.contains_key(name));
                return Ok(DnsAnswer { endpoints: weighted(&weights), ttl: Duration::from_secs(ttl.into()) });
            }
        }
        Err(failure)
    }

    /// One answer out of both kinds of records. A kind whose look-up failed (not: has no records) keeps what it had,
    /// so that a lost packet does not take half the endpoints away.
    fn combine(&mut self, name: &str, lookups: BothLookups) -> Result<Addresses, DiscoveryFailure> {
        let mut found = Addresses { addresses: Vec::new(), ttl: u32::MAX };
        let mut failure = None;
        let mut is_fresh = false;
        for (kind, result) in lookups {
            let key = (name.to_owned(), kind);
            match result {
                Ok((addresses, ttl)) => {
                    is_fresh = true;
                    found.ttl = found.ttl.min(ttl);
                    found.addresses.extend(&addresses);
                    self.remembered.insert(key, addresses);
                }
                Err(error) if is_negative(&error) => {
                    self.remembered.remove(&key);
                    failure.get_or_insert(error);
                }
                Err(error) => {
                    found.addresses.extend(self.remembered.get(&key).into_iter().flatten());
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(failure) if !is_fresh => Err(failure),
            _ => Ok(found),
        }
    }
}

type LookupResult<T> = Result<(Vec<T>, u32), DiscoveryFailure>;
type BothLookups = [(RecordType, LookupResult<IpAddr>); 2];

async fn lookup_both(resolver: &TokioResolver, name: &str) -> BothLookups {
    if let Ok(ip) = name.parse::<IpAddr>() {
        // An address that stands where a name may stand needs no server.
        let none = || Err(DiscoveryFailure::new(FailureReason::NoRecords, name));
        let found = || Ok((vec![ip], u32::MAX));
        let (a, aaaa) = if ip.is_ipv4() { (found(), none()) } else { (none(), found()) };
        return [(RecordType::A, a), (RecordType::AAAA, aaaa)];
    }
    let (a, aaaa) = futures_util::join!(
        lookup(resolver, name, RecordType::A, address_of),
        lookup(resolver, name, RecordType::AAAA, address_of)
    );
    [(RecordType::A, a), (RecordType::AAAA, aaaa)]
}

async fn lookup<T>(
    resolver: &TokioResolver,
    name: &str,
    kind: RecordType,
    take: fn(&RData) -> Option<T>,
) -> LookupResult<T> {
    let answer = resolver.lookup(name, kind).await.map_err(|error| failure_of(name, kind, &error))?;
    let records: Vec<T> = answer.answers().iter().filter_map(|record: &Record| take(&record.data)).collect();
    if records.is_empty() {
        return Err(DiscoveryFailure::new(FailureReason::NoRecords, format!("{name} {kind}: no records")));
    }
    // A CNAME on the way counts too: the answer holds no longer than its shortest part.
    let ttl = answer.answers().iter().map(|record| record.ttl).min().unwrap_or(0);
    Ok((records, ttl))
}

fn address_of(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    }
}

fn service_of(data: &RData) -> Option<SRV> {
    match data {
        RData::SRV(srv) => Some(srv.clone()),
        _ => None,
    }
}

/// Endpoints with the weights of their SRV records, divided by what all have in common, so that a server that writes
/// 33 for each of three and 25 for each of four changes nothing for those that stay. Weight 0 means "almost never"
/// where others have some (RFC 2782) and is taken as the smallest share.
fn weighted(weights: &BTreeMap<SocketAddr, u32>) -> Vec<EndpointSpec> {
    let divisor = weights.values().fold(0, |a, &b| greatest_common_divisor(a, b.max(1)));
    weights
        .iter()
        .map(|(&address, &weight)| EndpointSpec {
            weight: weight.max(1) / divisor,
            ..EndpointSpec::at(address)
        })
        .collect()
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

fn is_negative(failure: &DiscoveryFailure) -> bool {
    matches!(failure.reason, FailureReason::NameNotFound | FailureReason::NoRecords)
}

fn failure_of(name: &str, kind: RecordType, error: &NetError) -> DiscoveryFailure {
    let (reason, what) = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NXDomain => {
            (FailureReason::NameNotFound, "the name does not exist".to_owned())
        }
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NoError => {
            (FailureReason::NoRecords, "no records".to_owned())
        }
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            (FailureReason::ServerFailed, none.response_code.to_string())
        }
        NetError::Dns(error) => (FailureReason::ServerFailed, error.to_string()),
        NetError::Timeout => (FailureReason::Timeout, "no name server answered in time".to_owned()),
        NetError::Io(_) | NetError::NoConnections | NetError::Busy => {
            (FailureReason::Unreachable, error.to_string())
        }
        other => (FailureReason::ServerFailed, other.to_string()),
    };
    DiscoveryFailure::new(reason, format!("{name} {kind}: {what}"))
}

fn build_resolver(name_servers: NameServers) -> Result<TokioResolver, DiscoveryFailure> {
    let no_resolver = |error: NetError| DiscoveryFailure::new(FailureReason::NoResolver, error.to_string());
    let mut builder = match name_servers {
        NameServers::System => TokioResolver::builder_tokio().map_err(no_resolver)?,
        NameServers::Only(server) => {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = server.port();
            }
            let config = NameServerConfig::new(server.ip(), true, connections);
            TokioResolver::builder_with_config(
                ResolverConfig::from_name_servers(vec![config]),
                TokioRuntimeProvider::default(),
            )
        }
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.timeout = options.timeout.min(QUERY_TIMEOUT);
    builder.build().map_err(no_resolver)
}

#[cfg(test)]
pub(in crate::control) mod tests;
