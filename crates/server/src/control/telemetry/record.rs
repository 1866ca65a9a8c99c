//! A happening as a flat record: the one form that the log line and the event stream share.
//!
//! Event names and field names are stable. Knows neither files nor sockets.

use super::names::Names;
use crate::clock::Clock;
use crate::control::event::{Happening, What};
use evenkeel_config::model::LogLevel;
use evenkeel_core::endpoint::{EndpointSpec, EndpointState};
use evenkeel_core::event::{ConnectionFigures, EventKind};
use evenkeel_core::session::{SessionTls, TlsVersion};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// One line of the log, one event of the stream.
#[derive(Clone, Debug)]
pub struct Record {
    /// Time of day.
    pub at: SystemTime,
    /// How much it matters.
    pub level: LogLevel,
    /// The stable name of what happened.
    pub event: &'static str,
    /// The rest, in order.
    pub fields: Vec<(&'static str, Value)>,
}

impl Record {
    /// A record without fields.
    #[must_use]
    pub fn new(at: SystemTime, level: LogLevel, event: &'static str) -> Self {
        Self { at, level, event, fields: Vec::new() }
    }

    /// The record with one field more.
    #[must_use]
    pub fn with(mut self, field: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((field, value.into()));
        self
    }

    fn with_address(self, field: &'static str, address: SocketAddr) -> Self {
        self.with(field, address.to_string())
    }

    fn with_duration(self, field: &'static str, d: Duration) -> Self {
        // Milliseconds keep what a person or a dashboard needs, and stay a plain number.
        self.with(field, u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }

    fn with_end(self, valid_until: Option<SystemTime>) -> Self {
        match valid_until {
            Some(at) => self.with("valid_until", humantime::format_rfc3339_seconds(at).to_string()),
            None => self,
        }
    }

    fn with_detail(self, detail: Option<&'static str>) -> Self {
        match detail {
            Some(detail) => self.with("detail", detail),
            None => self,
        }
    }

    fn with_figures(self, figures: &ConnectionFigures) -> Self {
        self.with_duration("age_ms", figures.age)
            .with("exchanges", figures.exchanges)
            .with("failed", figures.failed)
            .with("bytes_in", figures.bytes_in)
            .with("bytes_out", figures.bytes_out)
            .with_messages(figures)
    }

    /// What only WebSockets and streams of events have.
    fn with_messages(self, figures: &ConnectionFigures) -> Self {
        let mut record = self;
        if figures.messages_in > 0 || figures.messages_out > 0 {
            record =
                record.with("messages_in", figures.messages_in).with("messages_out", figures.messages_out);
        }
        let codes = [("close_code_in", figures.close_code_in), ("close_code_out", figures.close_code_out)];
        for (field, code) in codes {
            if let Some(code) = code {
                record = record.with(field, code.get());
            }
        }
        record
    }

    fn with_tls(self, tls: Option<&SessionTls>) -> Self {
        let Some(tls) = tls else { return self };
        let mut record = self.with("tls", tls.version.map_or("unknown", TlsVersion::code));
        let texts = [
            ("alpn", tls.alpn),
            ("server_name", tls.server_name.as_deref()),
            ("client_identity", tls.client_identity.as_deref()),
        ];
        for (field, text) in texts {
            if let Some(text) = text {
                record = record.with(field, text);
            }
        }
        record
    }

    fn with_endpoint(self, endpoint: &EndpointSpec) -> Self {
        let record = self
            .with_address("endpoint", endpoint.address)
            .with("state", state_code(endpoint.state))
            .with("weight", endpoint.weight);
        let record = match &endpoint.zone {
            Some(zone) => record.with("zone", &**zone),
            None => record,
        };
        match &endpoint.pod {
            Some(pod) => record.with("pod", &**pod),
            None => record,
        }
    }

    /// The record of a happening.
    #[must_use]
    pub fn of(happening: &Happening, clock: Clock, names: &Names) -> Self {
        let at = clock.wall(happening.at);
        let record = |level, event| Self::new(at, level, event);
        match &happening.what {
            What::DataPlane(kind) => of_data_plane(at, kind, names),
            What::Started { workers } => record(LogLevel::Info, "started")
                .with("version", env!("CARGO_PKG_VERSION"))
                .with("workers", *workers),
            What::ListenerBound { listener, address } => record(LogLevel::Info, "listener_bound")
                .with("listener", &**listener)
                .with_address("address", *address),
            What::AdminBound { scope, address } => {
                record(LogLevel::Info, "admin_bound").with("scope", *scope).with_address("address", *address)
            }
            What::EndpointAdded { service, endpoint } => {
                record(LogLevel::Info, "endpoint_added").with("service", &**service).with_endpoint(endpoint)
            }
            What::EndpointRemoved { service, endpoint } => {
                record(LogLevel::Info, "endpoint_removed").with("service", &**service).with_endpoint(endpoint)
            }
            What::EndpointChanged { service, was, is } => record(LogLevel::Info, "endpoint_changed")
                .with("service", &**service)
                .with_endpoint(is)
                .with("previous_state", state_code(was.state))
                .with("previous_weight", was.weight),
            What::DiscoveryFailed { service, source, reason, detail, kept } => {
                record(LogLevel::Warn, "discovery_failed")
                    .with("service", &**service)
                    .with("source", *source)
                    .with("reason", *reason)
                    .with("detail", detail.as_str())
                    .with("endpoints_kept", *kept)
            }
            What::DiscoveryRecovered { service } => {
                record(LogLevel::Info, "discovery_recovered").with("service", &**service)
            }
            What::ConfigurationApplied { summary } => {
                record(LogLevel::Info, "configuration_applied").with("message", summary.as_str())
            }
            What::ConfigurationUnchanged => record(LogLevel::Info, "configuration_unchanged")
                .with("message", "the configuration was read again and changes nothing"),
            What::ConfigurationRejected { mistakes } => record(LogLevel::Error, "configuration_rejected")
                .with("message", "the running configuration stays")
                .with("mistakes", mistakes.clone()),
            What::RestartNeeded { setting } => record(LogLevel::Warn, "restart_needed")
                .with("setting", *setting)
                .with("message", "this setting is applied at the next start only"),
            What::CertificatesRenewed { of, valid_until } => {
                record(LogLevel::Info, "certificates_renewed").with("of", &**of).with_end(*valid_until)
            }
            What::CertificatesRefused { of, why, valid_until } => {
                record(LogLevel::Error, "certificates_refused")
                    .with("of", &**of)
                    .with("message", "those before stay in use")
                    .with("why", why.clone())
                    .with_end(*valid_until)
            }
            What::UpstreamsUnverified { service } => record(LogLevel::Warn, "upstreams_unverified")
                .with("service", &**service)
                .with("message", "its endpoints' certificates are not verified: anybody can answer for them"),
            What::WorkerStalled { worker } => {
                record(LogLevel::Error, "worker_stalled").with("worker", *worker)
            }
            What::WorkerGoesOn { worker } => record(LogLevel::Info, "worker_goes_on").with("worker", *worker),
            What::DrainBegan { trigger, propagation_delay, deadline } => {
                record(LogLevel::Info, "drain_began")
                    .with("trigger", *trigger)
                    .with_duration("propagation_delay_ms", *propagation_delay)
                    .with_duration("deadline_ms", *deadline)
            }
            What::DrainEnded { report } => {
                let reason = if report.cut_sessions == 0 && report.cut_exchanges == 0 {
                    "drain_finished"
                } else {
                    "drain_deadline"
                };
                record(LogLevel::Info, "drain_ended")
                    .with("reason", reason)
                    .with("finished_sessions", report.finished)
                    .with("cut_sessions", report.cut_sessions)
                    .with("cut_exchanges", report.cut_exchanges)
            }
            What::DrainGivenUp => record(LogLevel::Error, "drain_given_up")
                .with("message", "the data plane did not end in time, what is left is cut"),
            What::RecordsLeftOut { count } => record(LogLevel::Warn, "records_left_out")
                .with("count", *count)
                .with("limit_per_second", super::rate_bound::MAX_CONNECTION_RECORDS_PER_SECOND),
            What::EventsDropped { count } => record(LogLevel::Warn, "events_dropped").with("count", *count),
        }
    }
}

fn of_data_plane(at: SystemTime, kind: &EventKind, names: &Names) -> Record {
    let record = |event| Record::new(at, LogLevel::Info, event);
    match kind {
        EventKind::SessionStarted { listener, peer, session, protocol, tls } => record("session_started")
            .with("listener", names.listener(*listener))
            .with("session", *session)
            .with_address("peer", *peer)
            .with("protocol", protocol.code())
            .with_tls(tls.as_deref()),
        EventKind::SessionGoesOn { listener, peer, session, protocol, figures } => record("session_goes_on")
            .with("listener", names.listener(*listener))
            .with("session", *session)
            .with_address("peer", *peer)
            .with("protocol", protocol.code())
            .with_figures(figures),
        EventKind::SessionEnded { listener, peer, session, protocol, tls, reason, detail, figures } => {
            record("session_ended")
                .with("listener", names.listener(*listener))
                .with("session", *session)
                .with_address("peer", *peer)
                .with("protocol", protocol.code())
                .with_tls(tls.as_deref())
                .with("reason", reason.code())
                .with_detail(*detail)
                .with_figures(figures)
        }
        EventKind::SessionRefused { listener, peer, reason } => record("session_refused")
            .with("listener", names.listener(*listener))
            .with_address("peer", *peer)
            .with("reason", reason.code()),
        EventKind::AcceptPaused { listener, limit } => Record::new(at, LogLevel::Warn, "accept_paused")
            .with("listener", names.listener(*listener))
            .with("limit", limit.code())
            .with("message", "connections wait to be accepted until others end"),
        EventKind::AcceptResumed { limit } => record("accept_resumed").with("limit", limit.code()),
        EventKind::ExchangeFailed { service, address, outcome, took, tries, left_out } => {
            let record = record("exchange_failed");
            let record = match service {
                Some(service) => record.with("service", names.service(*service)),
                None => record,
            };
            let record = match address {
                Some(address) => record.with_address("endpoint", *address),
                None => record,
            };
            record
                .with("reason", outcome.code())
                .with_duration("took_ms", *took)
                .with("tries", *tries)
                .with("left_out", *left_out)
        }
        EventKind::UpstreamOpened { service, endpoint: _, address } => record("upstream_opened")
            .with("service", names.service(*service))
            .with_address("endpoint", *address),
        EventKind::UpstreamClosed { service, endpoint: _, address, reason, detail, figures } => {
            record("upstream_closed")
                .with("service", names.service(*service))
                .with_address("endpoint", *address)
                .with("reason", reason.code())
                .with_detail(*detail)
                .with_figures(figures)
        }
        EventKind::Ejected { service, endpoint: _, address, reason, duration } => {
            Record::new(at, LogLevel::Warn, "endpoint_ejected")
                .with("service", names.service(*service))
                .with_address("endpoint", *address)
                .with("reason", reason.code())
                .with_duration("duration_ms", *duration)
        }
        EventKind::Readmitted { service, endpoint: _, address } => record("endpoint_readmitted")
            .with("service", names.service(*service))
            .with_address("endpoint", *address),
    }
}

/// The stable word for an endpoint's state.
#[must_use]
pub fn state_code(state: EndpointState) -> &'static str {
    match state {
        EndpointState::Ready => "ready",
        EndpointState::Terminating => "terminating",
        EndpointState::NotReady => "not_ready",
    }
}

/// The stable word for a level.
#[must_use]
pub fn level_code(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    }
}

impl Serialize for Record {
    /// One flat object: `ts`, `level`, `event`, then the fields in their order.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3 + self.fields.len()))?;
        map.serialize_entry("ts", &humantime::format_rfc3339_millis(self.at).to_string())?;
        map.serialize_entry("level", level_code(self.level))?;
        map.serialize_entry("event", self.event)?;
        for (field, value) in &self.fields {
            map.serialize_entry(field, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evenkeel_core::id::ListenerId;
    use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
    use evenkeel_core::session::SessionProtocol;
    use evenkeel_core::time::Moment;
    use std::num::NonZeroU16;

    #[test]
    fn the_end_of_a_session_tells_its_reason_its_detail_and_its_figures() {
        let happening = Happening {
            at: Moment::ZERO,
            what: What::DataPlane(EventKind::SessionEnded {
                listener: ListenerId(7),
                peer: "127.0.0.1:5000".parse().unwrap(),
                session: 3,
                protocol: SessionProtocol::WebSocket,
                tls: Some(Box::new(SessionTls {
                    version: Some(TlsVersion::V1_3),
                    alpn: Some("http/1.1"),
                    ..SessionTls::default()
                })),
                reason: CloseReason::ProtocolError,
                detail: Some("odd stream id"),
                figures: ConnectionFigures {
                    age: Duration::from_millis(1500),
                    exchanges: 2,
                    failed: 1,
                    bytes_in: 10,
                    bytes_out: 20,
                    messages_out: 5,
                    close_code_in: NonZeroU16::new(1001),
                    ..ConnectionFigures::default()
                },
            }),
        };
        let record = Record::of(&happening, Clock::start(), &Names::default());
        let json: Value = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        assert_eq!(json["event"], "session_ended");
        assert_eq!(json["level"], "info");
        assert_eq!(json["listener"], "unknown");
        assert_eq!(json["peer"], "127.0.0.1:5000");
        assert_eq!(json["reason"], "protocol_error");
        assert_eq!(json["detail"], "odd stream id");
        assert_eq!(json["age_ms"], 1500);
        assert_eq!(json["bytes_out"], 20);
        assert_eq!((&json["protocol"], &json["tls"]), (&"websocket".into(), &"1.3".into()));
        assert_eq!((&json["alpn"], &json["server_name"]), (&"http/1.1".into(), &Value::Null));
        assert_eq!((&json["messages_in"], &json["messages_out"]), (&0.into(), &5.into()));
        assert_eq!((&json["close_code_in"], &json["close_code_out"]), (&1001.into(), &Value::Null));
        assert!(json["ts"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn a_failed_exchange_says_where_and_why_and_one_that_was_nowhere_leaves_that_out() {
        for address in [None, Some("127.0.0.1:5000".parse().unwrap())] {
            let what = What::DataPlane(EventKind::ExchangeFailed {
                service: None,
                address,
                outcome: ExchangeOutcome::TryTimeout,
                took: Duration::from_millis(1500),
                tries: 2,
                left_out: 7,
            });
            assert!(what.is_per_connection(), "bounded by rate");
            let happening = Happening { at: Moment::ZERO, what };
            let record = Record::of(&happening, Clock::start(), &Names::default());
            let mut expected: Vec<(&str, Value)> = vec![
                ("reason", "try_timeout".into()),
                ("took_ms", 1500.into()),
                ("tries", 2.into()),
                ("left_out", 7.into()),
            ];
            if address.is_some() {
                expected.insert(0, ("endpoint", "127.0.0.1:5000".into()));
            }
            assert_eq!((record.event, record.fields), ("exchange_failed", expected));
        }
    }

    #[test]
    fn a_drain_that_cut_something_says_so() {
        let report = crate::dataplane::DrainReport { finished: 1, cut_sessions: 2, cut_exchanges: 3 };
        let happening = Happening { at: Moment::ZERO, what: What::DrainEnded { report } };
        let record = Record::of(&happening, Clock::start(), &Names::default());
        assert!(record.fields.contains(&("reason", Value::from("drain_deadline"))));
        assert!(record.fields.contains(&("cut_sessions", Value::from(2))));
    }
}
