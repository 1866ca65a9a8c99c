//! What a pick costs: nanoseconds for choosing an endpoint and for a whole exchange (chosen, counted, reported), by
//! policy and by the number of endpoints. It owns the measuring only; run by hand, on a quiet machine:
//!
//!     cargo run --release -p evenkeel-core --example pick_cost

use evenkeel_core::balancer::{Balancer, Report};
use evenkeel_core::endpoint::{EndpointIds, EndpointSetWriter, EndpointSpec};
use evenkeel_core::id::{EndpointId, ServiceId, WorkerIndex};
use evenkeel_core::policy::{Balance, BalancePolicy, Ejection};
use evenkeel_core::reason::ExchangeOutcome;
use evenkeel_core::stats::EndpointStats;
use evenkeel_core::time::Moment;
use std::collections::VecDeque;
use std::error::Error;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

const POLICIES: [(&str, BalancePolicy); 5] = [
    ("peak_ewma", BalancePolicy::PeakEwma),
    ("least_request", BalancePolicy::LeastRequest),
    ("least_connection", BalancePolicy::LeastConnection),
    ("round_robin", BalancePolicy::RoundRobin),
    ("random", BalancePolicy::Random),
];

/// Exchanges in flight at any time.
const IN_FLIGHT: usize = 100;
const EXCHANGES: u32 = 10_000;
/// The best of so many, each short enough to fit between two disturbances, which only make it longer.
const ROUNDS: u32 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    println!("| policy | endpoints | ns a pick | ns an exchange |\n|---|---:|---:|---:|");
    for (name, policy) in POLICIES {
        for endpoints in [5, 50, 1_000, 10_000] {
            let mut work = Work::new(policy, endpoints)?;
            work.exchanges(20 * EXCHANGES)?;
            let (mut pick, mut exchange) = (f64::INFINITY, f64::INFINITY);
            for _ in 0..ROUNDS {
                pick = pick.min(each(|| work.picks(EXCHANGES))?);
                exchange = exchange.min(each(|| work.exchanges(EXCHANGES))?);
            }
            println!("| {name} | {endpoints} | {pick:.1} | {exchange:.1} |");
        }
    }
    Ok(())
}

/// Nanoseconds for each of [`EXCHANGES`].
fn each(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(EXCHANGES))
}

/// A worker's balancer with exchanges in flight, in a time of its own.
struct Work {
    balancer: Balancer,
    in_flight: VecDeque<EndpointId>,
    now: u64,
}

impl Work {
    fn new(policy: BalancePolicy, endpoints: u32) -> Result<Self, Box<dyn Error>> {
        let mut writer = EndpointSetWriter::new(ServiceId(0), 1, EndpointIds::default());
        let first = u32::from(Ipv4Addr::new(10, 0, 0, 1));
        let at = |n| EndpointSpec::at(SocketAddr::from((Ipv4Addr::from(first + n), 8080)));
        let (set, _) =
            writer.publish((0..endpoints).map(at).collect(), Moment::ZERO).ok_or("an empty set")?;
        let balance = Balance { policy, ..Balance::default() };
        let mut balancer = Balancer::new(ServiceId(0), WorkerIndex(0), 1, balance, Ejection::default());
        balancer.set_endpoints(set, Moment::ZERO);
        Ok(Self { balancer, in_flight: VecDeque::new(), now: 0 })
    }

    /// A microsecond later.
    fn tick(&mut self) -> Moment {
        self.now += 1_000;
        Moment::from_nanos(self.now)
    }

    /// Ids were given out in the order of the set.
    fn stats(&self, id: EndpointId) -> Result<&EndpointStats, Box<dyn Error>> {
        let endpoints = &self.balancer.endpoints().endpoints;
        let place = (id.0 - endpoints[0].id.0) as usize;
        let endpoint = endpoints.get(place).filter(|e| e.id == id).ok_or("ids are out of order")?;
        Ok(&endpoint.stats)
    }

    fn picks(&mut self, count: u32) -> Result<(), Box<dyn Error>> {
        for _ in 0..count {
            let now = self.tick();
            black_box(self.balancer.pick(now, &[]).map_err(|why| format!("{why:?}"))?);
        }
        Ok(())
    }

    /// Each begins, and the oldest in flight ends.
    fn exchanges(&mut self, count: u32) -> Result<(), Box<dyn Error>> {
        let worker = WorkerIndex(0);
        for _ in 0..count {
            let now = self.tick();
            let pick = self.balancer.pick(now, &[]).map_err(|why| format!("{why:?}"))?;
            self.stats(pick.endpoint)?.cell(worker).exchange_began();
            self.in_flight.push_back(pick.endpoint);
            if self.in_flight.len() > IN_FLIGHT
                && let Some(oldest) = self.in_flight.pop_front()
            {
                self.stats(oldest)?.cell(worker).exchange_ended(ExchangeOutcome::Completed);
                let took = Duration::from_micros(100 + self.now / 1_000 % 7);
                black_box(self.balancer.report(now, oldest, Report::Answered(took)));
            }
        }
        Ok(())
    }
}
