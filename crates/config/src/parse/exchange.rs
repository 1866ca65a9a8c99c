//! What holds for exchanges: `retry`, `headers` and `timeouts.request`, of which the nearest that is written wins.

use crate::mistake::{Complaint, Report};
use crate::section::{Field, Section};
use crate::value::duration;
use evenkeel_core::policy::{
    ClientCertificateRule, ForwardedFor, HeaderRule, HeaderRules, ListenerProtocol, Retry, RetryOn,
    RoutePolicy,
};
use std::time::Duration;

/// What a listener says, for routes and services that say nothing nearer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OfListener {
    /// `timeouts.request`.
    pub(crate) request: Option<Duration>,
    /// `timeouts.upgraded_idle`.
    pub(crate) upgraded_idle: Option<Duration>,
    /// `limits.request_body_bytes`.
    pub(crate) request_body_bytes: Option<u64>,
    pub(crate) headers: HeaderRules,
    pub(crate) kind: ListenerKind,
}

/// What routes may ask for depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ListenerKind {
    pub(crate) protocol: ListenerProtocol,
    /// Whether clients are asked for certificates.
    pub(crate) knows_clients: bool,
}

/// What a service says, for the routes that lead to it and say nothing nearer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OfService {
    /// `timeouts.request`, if it is written: `none` turns that of the listener off.
    request: Option<Option<Duration>>,
    /// `timeouts.upgraded_idle`, likewise.
    upgraded_idle: Option<Option<Duration>>,
    /// `limits.request_body_bytes`, likewise.
    request_body_bytes: Option<Option<u64>>,
    retry: Retry,
    /// What is said here is wrong and reported: nothing is concluded from it.
    is_wrong: bool,
}

impl OfService {
    /// Of a service that is not there, which is reported.
    pub(crate) fn wrong() -> Self {
        Self { is_wrong: true, ..Self::default() }
    }
}

/// Reads a service's `retry`, and of its `timeouts` and `limits` what is for exchanges.
pub(crate) fn of_service(
    section: &Section<'_>,
    times: &Section<'_>,
    limits: &Section<'_>,
    report: &mut Report,
) -> OfService {
    let before = report.count();
    let retry = section.field("retry").section(report);
    let request = times.field("request").written_duration(report);
    let upgraded_idle = times.field("upgraded_idle").written_duration(report);
    let request_body_bytes = limits.field("request_body_bytes").written_size(report);
    let policy = RoutePolicy {
        request_timeout: request.flatten(),
        retry: read_retry(&retry, report).over(Retry::default()),
        ..RoutePolicy::default()
    };
    if report.count() == before {
        check(&retry, &policy, report);
    }
    let is_wrong = report.count() != before;
    OfService { request, upgraded_idle, request_body_bytes, retry: policy.retry, is_wrong }
}

/// Reads what a route says, and fills in what it leaves to its service and its listener.
pub(crate) fn of_route(
    section: &Section<'_>,
    service: OfService,
    listener: OfListener,
    report: &mut Report,
) -> RoutePolicy {
    let before = report.count();
    let times = section.field("timeouts").section(report);
    let retry = section.field("retry").section(report);
    let headers = section.field("headers").section(report);
    let limits = section.field("limits").section(report);
    let request = times.field("request").written_duration(report).or(service.request);
    let upgraded_idle = times.field("upgraded_idle").written_duration(report).or(service.upgraded_idle);
    let body_bytes = limits.field("request_body_bytes").written_size(report).or(service.request_body_bytes);
    let policy = RoutePolicy {
        request_timeout: request.unwrap_or(listener.request),
        upgraded_idle: upgraded_idle.unwrap_or(listener.upgraded_idle),
        request_body_bytes: body_bytes.unwrap_or(listener.request_body_bytes),
        retry: read_retry(&retry, report).over(service.retry),
        headers: read_headers(&headers, listener.headers, listener.kind, report),
    };
    if report.count() == before && !service.is_wrong {
        check(&retry, &policy, report);
    }
    policy
}

/// What is written in a `retry`, with the defaults of its table.
struct WrittenRetry {
    on: Option<RetryOn>,
    attempts: Option<u32>,
    per_try_timeout: Option<Option<Duration>>,
    budget: Option<f64>,
}

impl WrittenRetry {
    fn over(self, farther: Retry) -> Retry {
        Retry {
            on: self.on.unwrap_or(farther.on),
            attempts: self.attempts.unwrap_or(farther.attempts),
            per_try_timeout: self.per_try_timeout.unwrap_or(farther.per_try_timeout),
            budget: self.budget.unwrap_or(farther.budget),
        }
    }
}

fn read_retry(section: &Section<'_>, report: &mut Report) -> WrittenRetry {
    let attempts = section.field("attempts").optional_count(report);
    WrittenRetry {
        on: section.field("on").words(report).map(|words| retry_on(&words)),
        attempts: attempts.map(|count| u32::try_from(count).expect("the table's range ends within u32")),
        per_try_timeout: section.field("per_try_timeout").written_duration(report),
        budget: section.field("budget").optional_share(report),
    }
}

fn retry_on(words: &[&'static str]) -> RetryOn {
    let mut on = RetryOn::default();
    for word in words {
        match *word {
            // Always on.
            "unprocessed" => {}
            "reset" => on.reset = true,
            "timeout" => on.timeout = true,
            "gateway_error" => on.gateway_error = true,
            "unavailable" => on.unavailable = true,
            "resource_exhausted" => on.resource_exhausted = true,
            other => unreachable!("{other} is no word of `on`"),
        }
    }
    on
}

/// Reports what is written here and goes with nothing that holds here.
fn check(retry: &Section<'_>, policy: &RoutePolicy, report: &mut Report) {
    let [on, attempts, per_try_field] = ["on", "attempts", "per_try_timeout"].map(|name| retry.field(name));
    let Retry { on: allowed, attempts: most, per_try_timeout, .. } = policy.retry;
    if allowed.timeout && per_try_timeout.is_none() {
        let what = "`timeout` needs a `per_try_timeout`, which is none";
        for_nearest(&[&on, &per_try_field], what, report);
    }
    if most == 0 && allowed != RetryOn::default() && on.node.is_some() {
        let what = "`on` says what is sent again, and `attempts` is 0, so nothing is";
        for_nearest(&[&on, &attempts], what, report);
    }
    if let (Some(per_try), Some(whole)) = (per_try_timeout, policy.request_timeout)
        && per_try >= whole
    {
        let (each, all) = (duration::show(per_try), duration::show(whole));
        let what = format!("`per_try_timeout` ({each}) is not shorter than `timeouts.request` ({all})");
        for_nearest(&[&per_try_field], &what, report);
    }
}

/// Reports at the first field that is written here; what is written elsewhere is reported there.
fn for_nearest(fields: &[&Field<'_>], what: &str, report: &mut Report) {
    if let Some(field) = fields.iter().find(|field| field.node.is_some()) {
        field.complain(Complaint::new(what), report);
    }
}

/// `headers` of a listener or of a route, over those that are farther.
pub(crate) fn read_headers(
    section: &Section<'_>,
    farther: HeaderRules,
    kind: ListenerKind,
    report: &mut Report,
) -> HeaderRules {
    let mut rule =
        |name: &str, farther: HeaderRule| section.field(name).choice(report, header_rule).unwrap_or(farther);
    let forwarded_proto = rule("x_forwarded_proto", farther.forwarded_proto);
    let forwarded_host = rule("x_forwarded_host", farther.forwarded_host);
    let request_id = rule("x_request_id", farther.request_id);
    let forwarded_for = section.field("x_forwarded_for").choice(report, |word| match word {
        "pass" => ForwardedFor::Pass,
        "append" => ForwardedFor::Append,
        "set" => ForwardedFor::Set,
        other => unreachable!("{other} is no word of `x_forwarded_for`"),
    });
    let forwarded_for = forwarded_for.unwrap_or(farther.forwarded_for);
    let field = section.field("client_certificate");
    let client_certificate = field.choice(report, |word| match word {
        "pass" => ClientCertificateRule::Pass,
        "set" => ClientCertificateRule::Set,
        "remove" => ClientCertificateRule::Remove,
        other => unreachable!("{other} is no word of `client_certificate`"),
    });
    if client_certificate == Some(ClientCertificateRule::Set) && !kind.knows_clients {
        let what = "`set` needs the listener's `tls.client_auth`, which asks clients for certificates";
        field.complain(Complaint::new(what), report);
    }
    let client_certificate = client_certificate.unwrap_or(farther.client_certificate);
    HeaderRules { forwarded_for, forwarded_proto, forwarded_host, request_id, client_certificate }
}

fn header_rule(word: &'static str) -> HeaderRule {
    match word {
        "pass" => HeaderRule::Pass,
        "add" => HeaderRule::Add,
        "set" => HeaderRule::Set,
        other => unreachable!("{other} is no word of a header's rule"),
    }
}
