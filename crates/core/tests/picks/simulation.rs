//! A closed loop in virtual time: a number of exchanges is always in flight, each endpoint serves some at once and lets
//! the others wait in line. Everything follows from the seed.

use evenkeel_core::balancer::{Balancer, Report};
use evenkeel_core::endpoint::{EndpointIds, EndpointSet, EndpointSetWriter, EndpointSpec};
use evenkeel_core::event::EventKind;
use evenkeel_core::id::{EndpointId, ServiceId, WorkerIndex};
use evenkeel_core::policy::{Balance, BalancePolicy, Ejection};
use evenkeel_core::reason::{ExchangeOutcome, PickReason};
use evenkeel_core::time::Moment;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Every policy that there is.
pub(crate) const POLICIES: [BalancePolicy; 5] = [
    BalancePolicy::PeakEwma,
    BalancePolicy::LeastRequest,
    BalancePolicy::LeastConnection,
    BalancePolicy::RoundRobin,
    BalancePolicy::Random,
];

/// How an endpoint behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Mean time to serve one exchange.
    pub(crate) takes: Duration,
    /// How many it serves at once.
    pub(crate) lanes: usize,
    /// One exchange in this many takes twenty times as long; zero is none.
    pub hiccup_in: u64,
    /// The share of exchanges that it fails at once, in percent.
    pub fails_percent: u64,
}

impl Default for Manner {
    fn default() -> Self {
        Self { takes: Duration::from_millis(1), lanes: 8, hiccup_in: 0, fails_percent: 0 }
    }
}

/// An exchange that ends at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ending {
    at: Moment,
    number: u64,
    worker: usize,
    endpoint: EndpointId,
    port: u16,
    began: Moment,
    fails: bool,
}

/// What happened in one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Picks by the endpoint's port.
    pub(crate) picks: BTreeMap<u16, u64>,
    /// Exchanges that failed, by port.
    pub(crate) failed: BTreeMap<u16, u64>,
    /// Times to the answer, by port.
    pub(crate) took: BTreeMap<u16, Vec<Duration>>,
    /// Why endpoints were picked.
    pub(crate) reasons: Vec<PickReason>,
    /// When and what the balancers told.
    pub(crate) events: Vec<(Moment, EventKind)>,
}

impl Seen {
    /// Picks of this endpoint over all.
    pub(crate) fn share(&self, port: u16) -> f64 {
        let all: u64 = self.picks.values().sum();
        *self.picks.get(&port).unwrap_or(&0) as f64 / all as f64
    }

    /// The busiest of `endpoints` over the mean.
    pub(crate) fn skew(&self, endpoints: usize) -> f64 {
        let all: u64 = self.picks.values().sum();
        *self.picks.values().max().unwrap() as f64 * endpoints as f64 / all as f64
    }

    /// The 99th percentile of the time to the answer on these endpoints together.
    pub(crate) fn p99(&self, ports: impl IntoIterator<Item = u16>) -> Duration {
        let mut all: Vec<Duration> = ports.into_iter().flat_map(|p| self.took[&p].clone()).collect();
        all.sort_unstable();
        all[all.len() * 99 / 100]
    }
}

/// The spec of the endpoint with this port.
pub(crate) fn spec(port: u16) -> EndpointSpec {
    EndpointSpec::at(SocketAddr::from(([10, 0, 0, 1], port)))
}

/// One service, its workers' balancers and its endpoints.
pub(crate) struct Simulation {
    pub(crate) now: Moment,
    pub(crate) balancers: Vec<Balancer>,
    pub(crate) set: Arc<EndpointSet>,
    writer: EndpointSetWriter,
    manners: BTreeMap<u16, Manner>,
    lanes: BTreeMap<u16, Vec<Moment>>,
    endings: BinaryHeap<Reverse<Ending>>,
    started: u64,
    random: u64,
}

impl Simulation {
    pub(crate) fn new(seed: u64, workers: u16, balance: Balance, ejection: Ejection) -> Self {
        let balancer = |w| Balancer::new(ServiceId(0), WorkerIndex(w), seed, balance, ejection);
        Self {
            now: Moment::from_nanos(1),
            balancers: (0..workers).map(balancer).collect(),
            set: Arc::default(),
            writer: EndpointSetWriter::new(ServiceId(0), workers, EndpointIds::default()),
            manners: BTreeMap::new(),
            lanes: BTreeMap::new(),
            endings: BinaryHeap::new(),
            started: 0,
            random: seed.wrapping_mul(2).wrapping_add(1),
        }
    }

    /// One worker over equal endpoints with the ports from 1 on.
    pub(crate) fn of_equals(seed: u64, policy: BalancePolicy, endpoints: u16) -> Self {
        let balance = Balance { policy, slow_start: Duration::ZERO };
        let mut simulation = Self::new(seed, 1, balance, Ejection::default());
        simulation.publish((1..=endpoints).map(spec));
        simulation
    }

    pub(crate) fn publish(&mut self, specs: impl IntoIterator<Item = EndpointSpec>) {
        if let Some((set, _)) = self.writer.publish(specs.into_iter().collect(), self.now) {
            self.set = Arc::clone(&set);
            for balancer in &mut self.balancers {
                balancer.set_endpoints(Arc::clone(&set), self.now);
            }
        }
    }

    pub(crate) fn behave(&mut self, port: u16, manner: Manner) {
        self.manners.insert(port, manner);
    }

    /// A number below `n` (xorshift64*, Vigna 2016), from the seed.
    fn below(&mut self, n: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }

    /// Keeps `concurrency` exchanges in flight until this many have been started.
    pub(crate) fn calls(&mut self, calls: u64, concurrency: usize) -> Seen {
        let last = self.started + calls;
        self.run(concurrency, |sim| sim.started >= last)
    }

    /// Keeps `concurrency` exchanges in flight for this long.
    pub(crate) fn run_for(&mut self, time: Duration, concurrency: usize) -> Seen {
        let end = self.now + time;
        let seen = self.run(concurrency, |sim| sim.endings.peek().is_none_or(|Reverse(e)| e.at > end));
        self.now = end;
        seen
    }

    fn run(&mut self, concurrency: usize, is_over: impl Fn(&Self) -> bool) -> Seen {
        let mut seen = Seen::default();
        loop {
            while self.endings.len() < concurrency {
                self.start(&mut seen);
            }
            if is_over(self) {
                return seen;
            }
            let Reverse(ending) = self.endings.pop().unwrap();
            self.now = self.now.max(ending.at);
            self.end(ending, &mut seen);
        }
    }

    fn start(&mut self, seen: &mut Seen) {
        self.started += 1;
        let worker = usize::try_from(self.started).unwrap() % self.balancers.len();
        let pick = self.balancers[worker].pick(self.now, &[]).expect("somebody serves");
        let port = pick.address.port();
        let endpoint = self.set.endpoints.iter().find(|e| e.id == pick.endpoint).unwrap();
        endpoint.stats.cell(WorkerIndex(u16::try_from(worker).unwrap())).exchange_began();
        *seen.picks.entry(port).or_default() += 1;
        seen.reasons.push(pick.reason);

        let manner = self.manners.get(&port).copied().unwrap_or_default();
        let fails = self.below(100) < manner.fails_percent;
        // From a half to one and a half of the mean.
        let mut takes = manner.takes / 2 + manner.takes * u32::try_from(self.below(1_000)).unwrap() / 1_000;
        if manner.hiccup_in > 0 && self.below(manner.hiccup_in) == 0 {
            takes *= 20;
        }
        let lanes = self.lanes.entry(port).or_default();
        lanes.resize(manner.lanes, Moment::ZERO);
        let lane = lanes.iter_mut().min().unwrap();
        let at = if fails {
            self.now + Duration::from_micros(100)
        } else {
            *lane = (*lane).max(self.now) + takes;
            *lane
        };
        let (number, began) = (self.started, self.now);
        self.endings.push(Reverse(Ending {
            at,
            number,
            worker,
            endpoint: pick.endpoint,
            port,
            began,
            fails,
        }));
    }

    fn end(&mut self, ending: Ending, seen: &mut Seen) {
        let Ending { worker, endpoint: id, port, began, fails, .. } = ending;
        if let Some(endpoint) = self.set.endpoints.iter().find(|e| e.id == id) {
            let outcome = if fails { ExchangeOutcome::UpstreamReset } else { ExchangeOutcome::Completed };
            endpoint.stats.cell(WorkerIndex(u16::try_from(worker).unwrap())).exchange_ended(outcome);
        }
        let took = self.now.since(began);
        let report = if fails {
            *seen.failed.entry(port).or_default() += 1;
            Report::Failed
        } else {
            seen.took.entry(port).or_default().push(took);
            Report::Answered(took)
        };
        let event = self.balancers[worker].report(self.now, id, report);
        seen.events.extend(event.map(|event| (self.now, event)));
    }
}
