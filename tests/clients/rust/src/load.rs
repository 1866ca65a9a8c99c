//! The client: unary calls on one channel, a fixed number in flight. Run by `main`.

use crate::channel::{backend_of, path, ready};
use crate::codec::Raw;
use crate::codes::name_of;
use crate::kinds;
use crate::work::Work;
use anyhow::Context;
use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::str::FromStr;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

/// Makes the calls and prints the report.
pub(crate) async fn call(work: Work) -> anyhow::Result<()> {
    let endpoint = Endpoint::from_str(&format!("http://{}", work.target))?.connect_timeout(work.deadline());
    let channel = endpoint.connect().await.with_context(|| format!("nothing answers at {}", work.target))?;
    let load = Load::new(channel.clone(), &work);
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async {
        terminate.recv().await;
        load.stop();
        pending::<()>().await;
    };
    tokio::select! {
        _ = join_all((0..work.concurrency).map(|_| load.lane())) => {}
        () = stop => {}
    }
    let mut report = load.report();
    if work.kinds {
        report.insert("kinds".into(), kinds::each(&channel, work.deadline()).await);
    }
    println!("{}", Value::Object(report));
    Ok(())
}

struct Load<'a> {
    channel: Channel,
    work: &'a Work,
    until: Option<Instant>,
    stopped: Cell<bool>,
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    calls: u64,
    codes: BTreeMap<&'static str, u64>,
    micros: BTreeMap<String, Vec<u64>>,
}

impl<'a> Load<'a> {
    fn new(channel: Channel, work: &'a Work) -> Self {
        let until = work.seconds.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds));
        Self { channel, work, until, stopped: Cell::new(false), seen: RefCell::default() }
    }

    /// Makes no more calls; those in flight end.
    fn stop(&self) {
        self.stopped.set(true);
    }

    async fn lane(&self) {
        while let Some(number) = self.another() {
            let start = Instant::now();
            let called = self.one(Bytes::from(format!("rust-{number}"))).await;
            let took = start.elapsed().as_micros() as u64;
            let mut seen = self.seen.borrow_mut();
            match called {
                Ok(backend) => seen.micros.entry(backend).or_default().push(took),
                Err(code) => *seen.codes.entry(code).or_default() += 1,
            }
        }
    }

    fn another(&self) -> Option<u64> {
        let mut seen = self.seen.borrow_mut();
        let more = match self.until {
            Some(until) => Instant::now() < until,
            None => seen.calls < self.work.calls,
        };
        (more && !self.stopped.get()).then(|| {
            seen.calls += 1;
            seen.calls
        })
    }

    async fn one(&self, payload: Bytes) -> Result<String, &'static str> {
        let mut request = Request::new(payload.clone());
        request.set_timeout(self.work.deadline());
        if self.work.delay_ms > 0 {
            request.metadata_mut().insert("x-delay-ms", self.work.delay_ms.into());
        }
        let call = async {
            let mut client = ready(&self.channel).await?;
            client.unary(request, path("Unary"), Raw).await
        };
        match tokio::time::timeout(self.work.deadline(), call).await {
            Err(_) => Err("DEADLINE_EXCEEDED"),
            Ok(Err(status)) => Err(name_of(status.code())),
            // A unary answer has its trailers among its metadata.
            Ok(Ok(answer)) => match backend_of(answer.metadata(), answer.metadata()) {
                Some(backend) if *answer.get_ref() == payload => Ok(backend),
                _ => Err("MISMATCH"),
            },
        }
    }

    fn report(self) -> Map<String, Value> {
        let Seen { calls, codes, micros } = self.seen.into_inner();
        let every: Vec<u64> = micros.values().flatten().copied().collect();
        let per_backend: BTreeMap<_, _> = micros.iter().map(|(name, list)| (name, list.len())).collect();
        let p99: BTreeMap<_, _> = micros.iter().map(|(name, list)| (name, quantile(list, 0.99))).collect();
        let report = json!({
            "calls": calls,
            "errors": codes.values().sum::<u64>(),
            "error_codes": codes,
            "per_backend": per_backend,
            "p50_us": quantile(&every, 0.50),
            "p99_us": quantile(&every, 0.99),
            "p99_us_per_backend": p99,
        });
        match report {
            Value::Object(report) => report,
            _ => Map::new(),
        }
    }
}

fn quantile(values: &[u64], share: f64) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(quantile(&values, 0.50), 51);
        assert_eq!(quantile(&values, 0.99), 100);
        assert_eq!(quantile(&[], 0.99), 0);
    }
}
