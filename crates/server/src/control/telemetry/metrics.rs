//! The metrics, as OpenMetrics text: counts that others keep, read at each scrape.
//!
//! Owns names, labels and help texts (DESIGN §5; they are stable); keeps no count of its own.

use crate::control::state::State;
use evenkeel_core::endpoint::Endpoint;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome, Limit, PickReason, RetryReason};
use evenkeel_core::session::{LongLived, SessionProtocol};
use evenkeel_core::snapshot::{Listener, Snapshot};
use evenkeel_core::stats::{
    DURATION_BOUNDS_US, Histogram, MESSAGE_BOUNDS, MemoryPart, MessageDirection, TURN_BOUNDS_US,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

/// The `Content-Type` of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Metrics over this state.
    #[must_use]
    pub fn new(state: Arc<State>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(PlainReader { state: Arc::clone(&state) }));
        registry.sub_registry_with_prefix("evenkeel").register_collector(Box::new(Reader { state }));
        Self { registry }
    }

    /// The values of now.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }
}

struct Reader {
    state: Arc<State>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

impl Collector for Reader {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let snapshot = self.state.snapshot.load();
        let mut page = Page { encoder: &mut encoder };
        sessions(&mut page, &snapshot)?;
        exchanges(&mut page, &snapshot)?;
        endpoints(&mut page, &snapshot)?;
        services(&mut page, &self.state, &snapshot)?;
        workers(&mut page, &self.state)?;
        process(&mut page, &self.state)
    }
}

/// The plain names that dashboards in the wild ask for, without the prefix.
struct PlainReader {
    state: Arc<State>,
}

impl fmt::Debug for PlainReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainReader")
    }
}

impl Collector for PlainReader {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        websockets(&mut Page { encoder: &mut encoder }, &self.state.snapshot.load())
    }
}

type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

/// Writes families one after the other.
struct Page<'p, 'e> {
    encoder: &'p mut DescriptorEncoder<'e>,
}

impl Page<'_, '_> {
    fn family<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<Family<'s>, fmt::Error> {
        Ok(Family { encoder: self.encoder.encode_descriptor(name, help, None, kind)? })
    }
}

/// Writes the samples of one family.
struct Family<'s> {
    encoder: MetricEncoder<'s>,
}

impl Family<'_> {
    fn counter<const N: usize>(&mut self, labels: Labels<'_, N>, value: u64) -> fmt::Result {
        self.encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, f64>(&value, None)
    }

    /// A counter that is written only once it counted: for reasons, of which most never come.
    fn counter_if_any<const N: usize>(&mut self, labels: Labels<'_, N>, value: u64) -> fmt::Result {
        if value == 0 { Ok(()) } else { self.counter(labels, value) }
    }

    fn gauge<const N: usize>(&mut self, labels: Labels<'_, N>, value: f64) -> fmt::Result {
        self.encoder.encode_family(&labels)?.encode_gauge(&value)
    }

    fn count<const N: usize>(&mut self, labels: Labels<'_, N>, value: u64) -> fmt::Result {
        self.gauge(labels, value as f64)
    }

    fn histogram<'h, const N: usize>(
        &mut self,
        labels: Labels<'_, N>,
        unit: Unit,
        parts: impl Iterator<Item = &'h Histogram>,
    ) -> fmt::Result {
        self.merged(labels, &Merged::of(unit, parts))
    }

    /// A histogram that is written only once it counted.
    fn histogram_if_any<'h, const N: usize>(
        &mut self,
        labels: Labels<'_, N>,
        unit: Unit,
        parts: impl Iterator<Item = &'h Histogram>,
    ) -> fmt::Result {
        let merged = Merged::of(unit, parts);
        if merged.total() == 0 { Ok(()) } else { self.merged(labels, &merged) }
    }

    fn merged<const N: usize>(&mut self, labels: Labels<'_, N>, merged: &Merged) -> fmt::Result {
        let (sum, total) = (merged.sum, merged.total());
        self.encoder.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, total, &merged.buckets, None)
    }
}

/// What a histogram counts, and in which bounds.
#[derive(Clone, Copy)]
enum Unit {
    /// Durations, in bounds of microseconds; written in seconds.
    Seconds(&'static [u64; 15]),
    /// Numbers.
    Number(&'static [u64; 15]),
}

/// A histogram over all workers.
struct Merged {
    sum: f64,
    buckets: [(f64, u64); 16],
}

impl Merged {
    fn of<'h>(unit: Unit, parts: impl Iterator<Item = &'h Histogram>) -> Self {
        let (bounds, of_bound, of_sum) = match unit {
            Unit::Seconds(bounds) => (bounds, 1e6, 1e9),
            Unit::Number(bounds) => (bounds, 1.0, 1.0),
        };
        let bound = |i| bounds.get(i).map_or(f64::INFINITY, |&bound| bound as f64 / of_bound);
        let mut merged = Self { sum: 0.0, buckets: std::array::from_fn(|i| (bound(i), 0)) };
        for part in parts {
            let (counts, sum) = part.read();
            merged.sum += sum as f64 / of_sum;
            for (bucket, count) in merged.buckets.iter_mut().zip(counts) {
                bucket.1 += count;
            }
        }
        merged
    }

    fn total(&self) -> u64 {
        self.buckets.iter().map(|&(_, count)| count).sum()
    }
}

fn sessions(page: &mut Page<'_, '_>, snapshot: &Snapshot) -> fmt::Result {
    let mut active = page.family("sessions_active", "Client connections that are open", MetricType::Gauge)?;
    each_protocol(snapshot, |labels, l, p| active.count(labels, l.stats.sessions_of(p)))?;
    let mut closed =
        page.family("sessions_closed", "Client connections that ended, by reason", MetricType::Counter)?;
    each_protocol(snapshot, |[listener, protocol], l, p| {
        for &reason in CloseReason::ALL {
            let labels = [listener, protocol, ("reason", reason.code())];
            closed.counter_if_any(labels, l.stats.closed_total(p, reason))?;
        }
        Ok(())
    })?;
    let help = "How long client connections were open when they ended";
    let mut durations = page.family("session_duration_seconds", help, MetricType::Histogram)?;
    let seconds = Unit::Seconds(&DURATION_BOUNDS_US);
    each_protocol(snapshot, |labels, l, p| {
        durations.histogram_if_any(labels, seconds, l.stats.durations(p))
    })?;
    let help = "Messages of WebSockets and server-sent events, both ways, of client connections that had any";
    let mut messages = page.family("session_messages", help, MetricType::Histogram)?;
    let number = Unit::Number(&MESSAGE_BOUNDS);
    each_protocol(snapshot, |labels, l, p| messages.histogram_if_any(labels, number, l.stats.messages(p)))?;
    let help = "Exchanges that failed, by what their client's connection speaks";
    let mut failed = page.family("exchanges_failed", help, MetricType::Counter)?;
    each_protocol(snapshot, |labels, l, p| failed.counter(labels, l.stats.failed_total(p)))?;
    let help = "Clients that have a WebSocket, stream of events or tunnel again within 60 s of losing one";
    let mut reconnections = page.family("reconnections", help, MetricType::Counter)?;
    for l in &snapshot.listeners {
        for &what in LongLived::ALL {
            let labels = [("listener", &*l.name), ("protocol", what.code())];
            reconnections.counter(labels, l.stats.came_back_total(what))?;
        }
    }
    let help = "Exchanges that ended before they had a service, by outcome";
    let mut unrouted = page.family("exchanges_unrouted", help, MetricType::Counter)?;
    for l in &snapshot.listeners {
        for &outcome in ExchangeOutcome::ALL {
            let labels = [("listener", &*l.name), ("outcome", outcome.code())];
            unrouted.counter_if_any(labels, l.stats.unrouted_total(outcome))?;
        }
    }
    Ok(())
}

fn exchanges(page: &mut Page<'_, '_>, snapshot: &Snapshot) -> fmt::Result {
    let mut total =
        page.family("exchanges", "Exchanges that ended on an endpoint, by outcome", MetricType::Counter)?;
    each_endpoint(snapshot, |labels, endpoint| {
        for &outcome in ExchangeOutcome::ALL {
            let [service, address, pod] = labels;
            let labels = [service, address, pod, ("outcome", outcome.code())];
            let count = endpoint.stats.outcome_total(outcome);
            // The good outcome is always there, so that a rate of it has its first value.
            if outcome == ExchangeOutcome::Completed {
                total.counter(labels, count)?;
            } else {
                total.counter_if_any(labels, count)?;
            }
        }
        Ok(())
    })?;
    let mut unpicked =
        page.family("exchanges_unpicked", "Exchanges that ended without an endpoint", MetricType::Counter)?;
    for s in &snapshot.services {
        for &outcome in ExchangeOutcome::ALL {
            let labels = [("service", &*s.name), ("outcome", outcome.code())];
            unpicked.counter_if_any(labels, s.stats.unpicked_total(outcome))?;
        }
    }
    let mut durations =
        page.family("exchange_duration_seconds", "How long exchanges took", MetricType::Histogram)?;
    for s in &snapshot.services {
        durations.histogram(
            [("service", &s.name)],
            Unit::Seconds(&DURATION_BOUNDS_US),
            s.stats.durations(),
        )?;
    }
    let mut picks = page.family("picks", "Endpoints that were picked, by reason", MetricType::Counter)?;
    for s in &snapshot.services {
        for &reason in PickReason::ALL {
            picks.counter([("service", &s.name), ("reason", reason.code())], s.stats.picks_total(reason))?;
        }
    }
    let help = "Exchanges that were sent to another endpoint, by reason";
    let mut retries = page.family("retries", help, MetricType::Counter)?;
    for s in &snapshot.services {
        for &reason in RetryReason::ALL {
            let labels = [("service", &*s.name), ("reason", reason.code())];
            retries.counter(labels, s.stats.retries_total(reason))?;
        }
    }
    let help = "Messages of WebSockets and server-sent events, from clients (up) and to them (down)";
    let mut messages = page.family("messages", help, MetricType::Counter)?;
    for s in &snapshot.services {
        for &direction in MessageDirection::ALL {
            let labels = [("service", &*s.name), ("direction", direction.code())];
            messages.counter(labels, s.stats.messages_total(direction))?;
        }
    }
    Ok(())
}

/// WebSockets on connections of their own and on streams of HTTP/2.
fn websockets(page: &mut Page<'_, '_>, snapshot: &Snapshot) -> fmt::Result {
    let mut active =
        page.family("websocket_connections_active", "WebSockets that are open", MetricType::Gauge)?;
    for s in &snapshot.services {
        active.count([("service", &s.name)], s.stats.websockets())?;
    }
    let help = "How long WebSockets were open when they ended";
    let mut durations = page.family("websocket_connection_duration_seconds", help, MetricType::Histogram)?;
    for s in &snapshot.services {
        let parts = s.stats.websocket_durations();
        durations.histogram([("service", &s.name)], Unit::Seconds(&DURATION_BOUNDS_US), parts)?;
    }
    let help = "WebSockets of clients that had lost one within 60 s before";
    let mut reconnections = page.family("websocket_reconnections", help, MetricType::Counter)?;
    for s in &snapshot.services {
        reconnections.counter([("service", &s.name)], s.stats.websockets_come_back_total())?;
    }
    Ok(())
}

fn endpoints(page: &mut Page<'_, '_>, snapshot: &Snapshot) -> fmt::Result {
    let help = "Exchanges ever given to the endpoint, those that went on elsewhere included";
    let mut requests = page.family("endpoint_requests", help, MetricType::Counter)?;
    each_endpoint(snapshot, |labels, e| requests.counter(labels, e.stats.requests_total()))?;
    let mut active =
        page.family("endpoint_active_exchanges", "Exchanges in flight on the endpoint", MetricType::Gauge)?;
    each_endpoint(snapshot, |labels, e| active.count(labels, e.stats.active_exchanges()))?;
    let help = "WebSockets and tunnels that stay with the endpoint";
    let mut sessions = page.family("endpoint_sessions", help, MetricType::Gauge)?;
    each_endpoint(snapshot, |labels, e| sessions.count(labels, e.stats.sessions()))?;
    let mut upstreams =
        page.family("endpoint_upstreams", "Open connections to the endpoint", MetricType::Gauge)?;
    each_endpoint(snapshot, |labels, e| upstreams.count(labels, e.stats.upstreams()))?;
    let help = "Highest peak-EWMA of the endpoint's latency over the workers";
    let mut latency = page.family("endpoint_latency_ewma_seconds", help, MetricType::Gauge)?;
    each_endpoint(snapshot, |labels, e| latency.gauge(labels, e.stats.latency_ewma_ns() as f64 / 1e9))
}

fn services(page: &mut Page<'_, '_>, state: &State, snapshot: &Snapshot) -> fmt::Result {
    let help = "Busiest endpoint's load over its fair share in the last 10 s, 1 is level";
    let mut skew = page.family("skew", help, MetricType::Gauge)?;
    {
        let windows = state.windows();
        for s in &snapshot.services {
            skew.gauge([("service", &s.name)], windows.skew(s.id, &s.endpoints))?;
        }
    }
    let help = "Endpoints that left the picks because they fail, by reason";
    let mut ejections = page.family("ejections", help, MetricType::Counter)?;
    for ((service, reason), count) in state.ejections() {
        ejections.counter([("service", &service), ("reason", reason)], count)?;
    }
    let help = "Attempts of discovery that failed, by reason; the last good answer stays";
    let mut failures = page.family("discovery_failures", help, MetricType::Counter)?;
    for ((service, reason), count) in state.discovery_failures() {
        failures.counter([("service", &service), ("reason", reason)], count)?;
    }
    let help = "Time since discovery last answered well";
    let mut age = page.family("endpoints_age_seconds", help, MetricType::Gauge)?;
    let now = state.clock.now();
    let discovery = state.discovery();
    for s in &snapshot.services {
        let Some(status) = discovery.get(&s.name) else { continue };
        // A list that stands in the configuration does not age.
        let last_good = if status.source == "static" { Some(now) } else { status.last_good };
        if let Some(at) = last_good {
            age.gauge([("service", &s.name)], now.since(at).as_secs_f64())?;
        }
    }
    Ok(())
}

fn workers(page: &mut Page<'_, '_>, state: &State) -> fmt::Result {
    let workers = state.data_plane.worker_stats();
    // The acceptor, the last, has limits that refuse, but neither turns nor sessions.
    let own = &workers[..workers.len().saturating_sub(1)];
    let names: Vec<String> = (0..own.len()).map(|i| i.to_string()).collect();
    let mut turns =
        page.family("worker_turn_seconds", "How long workers' turns took", MetricType::Histogram)?;
    for (name, worker) in names.iter().zip(own) {
        turns.histogram(
            [("worker", name)],
            Unit::Seconds(&TURN_BOUNDS_US),
            std::iter::once(worker.turn()),
        )?;
    }
    let mut sessions =
        page.family("worker_sessions", "Client connections that are open on the worker", MetricType::Gauge)?;
    for (name, worker) in names.iter().zip(own) {
        sessions.count([("worker", name)], worker.sessions.get())?;
    }
    let mut refused = page.family("limits_refused", "What named limits refused", MetricType::Counter)?;
    for &limit in Limit::ALL {
        let count = workers.iter().map(|w| w.refused_total(limit)).sum();
        refused.counter([("limit", limit.code())], count)?;
    }
    let help = "Connections to endpoints that ended or never stood, by reason";
    let mut closed = page.family("upstreams_closed", help, MetricType::Counter)?;
    for &reason in CloseReason::ALL {
        let count = workers.iter().map(|w| w.upstreams_closed_total(reason)).sum();
        closed.counter_if_any([("reason", reason.code())], count)?;
    }
    let mut memory = page.family("memory_bytes", "What workers' memory goes to", MetricType::Gauge)?;
    for &part in MemoryPart::ALL {
        let bytes = workers.iter().map(|w| w.memory(part)).sum();
        memory.count([("part", part.code())], bytes)?;
    }
    let help = "Events that were lost because the control side was too slow";
    let mut dropped = page.family("events_dropped", help, MetricType::Counter)?;
    dropped.counter([], workers.iter().map(|w| w.events_dropped.get()).sum())
}

fn process(page: &mut Page<'_, '_>, state: &State) -> fmt::Result {
    let mut reloads =
        page.family("config_reloads", "Configurations that were read, by result", MetricType::Counter)?;
    reloads.counter([("result", "applied")], state.reloads.applied.load(Relaxed))?;
    reloads.counter([("result", "unchanged")], state.reloads.unchanged.load(Relaxed))?;
    reloads.counter([("result", "rejected")], state.reloads.rejected.load(Relaxed))?;
    let help = "When the first certificate of the listener ends, in seconds since 1970";
    let mut ends = page.family("certificate_expiry_timestamp_seconds", help, MetricType::Gauge)?;
    for (listener, end) in state.certificate_ends().iter() {
        let since = end.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        ends.count([("listener", listener)], since.as_secs())?;
    }
    let mut draining = page.family("draining", "1 while the process ends", MetricType::Gauge)?;
    draining.count([], u64::from(state.is_draining.load(Relaxed)))?;
    let mut build = page.family("build", "What runs", MetricType::Info)?;
    build.encoder.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
}

fn each_protocol(
    snapshot: &Snapshot,
    mut write: impl FnMut(Labels<'_, 2>, &Listener, SessionProtocol) -> fmt::Result,
) -> fmt::Result {
    for listener in &snapshot.listeners {
        for &protocol in SessionProtocol::ALL {
            let labels = [("listener", &*listener.name), ("protocol", protocol.code())];
            write(labels, listener, protocol)?;
        }
    }
    Ok(())
}

fn each_endpoint(
    snapshot: &Snapshot,
    mut write: impl FnMut(Labels<'_, 3>, &Endpoint) -> fmt::Result,
) -> fmt::Result {
    for service in &snapshot.services {
        for endpoint in &service.endpoints.endpoints {
            let address = endpoint.spec.address.to_string();
            let pod = endpoint.spec.pod.as_deref().unwrap_or("");
            write([("service", &service.name), ("endpoint", &address), ("pod", pod)], endpoint)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::test_config::{self, config, list, listener, service};
    use evenkeel_core::id::WorkerIndex;
    use evenkeel_core::reason::EjectReason;
    use std::collections::{HashMap, HashSet};
    use std::time::Duration;

    const WORKER: WorkerIndex = WorkerIndex(0);

    fn state() -> Arc<State> {
        let services = vec![service("shop \"x\"", list(&[7]))];
        test_config::state(&config(vec![listener("web", "shop \"x\"")], services))
    }

    /// Reads OpenMetrics text strictly: every family has HELP and TYPE before its samples, is never torn apart, every
    /// sample belongs to it by name and suffix, no series comes twice, and the text ends with EOF.
    fn parse(text: &str) -> HashMap<String, f64> {
        let mut series = HashMap::new();
        let mut seen = HashSet::new();
        let (mut family, mut kind) = (String::new(), String::new());
        let body = text.strip_suffix("# EOF\n").expect("the text ends with EOF");
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("HELP has a text");
                assert!(!help.is_empty() && seen.insert(name.to_owned()), "{name} stands twice");
                (family, kind) = (name.to_owned(), String::new());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, of) = rest.split_once(' ').unwrap();
                assert_eq!(name, family, "TYPE follows HELP");
                kind = of.to_owned();
            } else {
                let (key, value) = line.rsplit_once(' ').expect("a sample has a value");
                let name = key.split('{').next().unwrap();
                let suffix = name.strip_prefix(family.as_str()).expect("the sample is of its family");
                let allowed: &[&str] = match kind.as_str() {
                    "counter" => &["_total"],
                    "gauge" => &[""],
                    "histogram" => &["_bucket", "_sum", "_count"],
                    "info" => &["_info"],
                    other => panic!("{family} has type {other:?}"),
                };
                assert!(allowed.contains(&suffix), "{line}");
                assert!(series.insert(key.to_owned(), value.parse().unwrap()).is_none(), "{key} twice");
            }
        }
        series
    }

    #[test]
    fn the_text_is_open_metrics_and_shows_what_was_counted() {
        let state = state();
        let snapshot = state.snapshot.load_full();
        let endpoint = snapshot.services[0].endpoints.endpoints[0].stats.cell(WORKER);
        endpoint.exchange_began();
        endpoint.exchange_began();
        endpoint.exchange_ended(ExchangeOutcome::Completed);
        let listener = snapshot.listeners[0].stats.cell(WORKER);
        listener.session_began();
        listener.session_began();
        listener.session_changed(SessionProtocol::Unknown, SessionProtocol::Http2);
        listener.session_changed(SessionProtocol::Unknown, SessionProtocol::WebSocket);
        let (age, reason) = (Duration::from_millis(3), CloseReason::ClientClosed);
        listener.session_ended(SessionProtocol::WebSocket, reason, age);
        listener.session_had_messages(SessionProtocol::WebSocket, 7);
        listener.exchange_failed(SessionProtocol::Http2);
        listener.client_came_back(LongLived::Events);
        endpoint.session_began();
        let sockets = snapshot.services[0].stats.cell(WORKER);
        sockets.websocket_began();
        sockets.websocket_began();
        sockets.websocket_ended(age);
        sockets.websocket_came_back();
        sockets.messages(MessageDirection::Down, 3);
        snapshot.services[0].stats.cell(WORKER).retried(RetryReason::Timeout);
        state.count_ejection("shop \"x\"", EjectReason::Relapse);
        let series = parse(&Metrics::new(state).text());
        let labels = r#"service="shop \"x\"",endpoint="127.0.0.1:7",pod="""#;
        let web = r#"listener="web",protocol="http2""#;
        let socket = r#"listener="web",protocol="websocket""#;
        let of_service = r#"service="shop \"x\"""#;
        let bucket = |le| format!(r#"evenkeel_session_messages_bucket{{le="{le}",{socket}}}"#);
        for (key, value) in [
            (format!("evenkeel_exchanges_total{{{labels},outcome=\"completed\"}}"), 1.0),
            (format!("evenkeel_endpoint_requests_total{{{labels}}}"), 2.0),
            (format!("evenkeel_endpoint_active_exchanges{{{labels}}}"), 1.0),
            (format!("evenkeel_sessions_active{{{web}}}"), 1.0),
            (format!("evenkeel_sessions_active{{{socket}}}"), 0.0),
            (format!("evenkeel_sessions_closed_total{{{socket},reason=\"client_closed\"}}"), 1.0),
            (format!("evenkeel_session_duration_seconds_count{{{socket}}}"), 1.0),
            (format!("evenkeel_session_messages_sum{{{socket}}}"), 7.0),
            (bucket("5.0"), 0.0),
            (bucket("10.0"), 1.0),
            (format!("evenkeel_exchanges_failed_total{{{web}}}"), 1.0),
            (r#"evenkeel_reconnections_total{listener="web",protocol="sse"}"#.to_owned(), 1.0),
            (format!("evenkeel_endpoint_sessions{{{labels}}}"), 1.0),
            (format!("evenkeel_messages_total{{{of_service},direction=\"down\"}}"), 3.0),
            (format!("websocket_connections_active{{{of_service}}}"), 1.0),
            (format!("websocket_connection_duration_seconds_count{{{of_service}}}"), 1.0),
            (format!("websocket_reconnections_total{{{of_service}}}"), 1.0),
            (r#"evenkeel_ejections_total{service="shop \"x\"",reason="relapse"}"#.to_owned(), 1.0),
            (r#"evenkeel_retries_total{service="shop \"x\"",reason="timeout"}"#.to_owned(), 1.0),
            (r#"evenkeel_skew{service="shop \"x\""}"#.to_owned(), 1.0),
            (r#"evenkeel_limits_refused_total{limit="pending"}"#.to_owned(), 0.0),
            (r#"evenkeel_memory_bytes{part="buffered"}"#.to_owned(), 0.0),
            (format!("evenkeel_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1.0),
        ] {
            assert_eq!(series.get(&key), Some(&value), "{key}");
        }
    }

    #[test]
    fn histogram_buckets_are_cumulative_and_end_without_bound() {
        let state = state();
        let snapshot = state.snapshot.load_full();
        let cell = snapshot.services[0].stats.cell(WORKER);
        cell.exchange_took(Duration::from_micros(400));
        cell.exchange_took(Duration::from_micros(900));
        cell.exchange_took(Duration::from_secs(7200));
        let series = parse(&Metrics::new(state).text());
        let bucket = |le: &str| {
            series[&format!(r#"evenkeel_exchange_duration_seconds_bucket{{le="{le}",service="shop \"x\""}}"#)]
        };
        assert_eq!(
            (bucket("0.0005"), bucket("0.001"), bucket("3600.0"), bucket("+Inf")),
            (1.0, 2.0, 2.0, 3.0)
        );
        let sum = series[r#"evenkeel_exchange_duration_seconds_sum{service="shop \"x\""}"#];
        assert!((sum - 7200.0013).abs() < 1e-6);
    }
}
