//! What a seed stands for: who takes part, how they behave, and what happens to the service meanwhile.

use super::http2::{ClientHabits, EndpointHabits, OwnSettings, Shape};
use super::network::{Cut, Weather};
use super::prng::Prng;
use super::{http1, tunnel};
use evenkeel_core::limits::{Limits, Rate};
use evenkeel_core::policy::{
    Balance, BalancePolicy, Ejection, RetryOn, RoutePolicy, ServicePolicy, Timeouts, Upstream,
    UpstreamProtocol,
};
use std::time::Duration;

/// A line of the script. Which endpoint it hits is drawn when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// An endpoint that is not in the set comes into it.
    ScaleUp,
    /// A ready endpoint becomes terminating, its connections are asked to go, and it leaves the set later.
    ScaleDown,
    /// Terminating endpoints leave the set.
    Sweep,
    /// A ready endpoint is terminating for a while, ends its connections in peace, and is ready again.
    Restart,
    /// The terminating endpoints are ready again.
    Recover,
    /// A ready endpoint ends its connections in peace without a word to anybody else.
    Retire,
    /// New weights.
    Weigh,
    /// New policies.
    Reload,
    /// The same snapshot again.
    Repeat,
    /// An endpoint dies.
    Crash,
    /// The dead endpoints are back.
    Return,
    /// An endpoint leaves the set at once.
    Remove,
    /// An endpoint is not ready.
    Unready,
    /// The process drains, with this deadline in milliseconds.
    Drain(u64),
}

/// All that a run is made of.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its seed.
    pub seed: u64,
    /// Nobody fails but clients that lie, so no request of the others may.
    pub is_healthy: bool,
    /// The network.
    pub weather: Weather,
    /// The engine's limits.
    pub limits: Limits,
    /// The clients that speak HTTP/2.
    pub clients: Vec<ClientHabits>,
    /// Those that speak HTTP/1.
    pub http1_clients: Vec<http1::ClientHabits>,
    /// Those of the TCP listener.
    pub tunnels: Vec<tunnel::Habits>,
    /// What is spoken with each service's endpoints.
    pub upstreams: [UpstreamProtocol; 2],
    /// The endpoints.
    pub endpoints: Vec<EndpointHabits>,
    /// How many of them are in the first set.
    pub first: usize,
    /// What happens, and when.
    pub script: Vec<(Duration, Act)>,
    /// Services, one or two, among which the endpoints are dealt out.
    pub services: u8,
    /// Engines, among which the clients are dealt out.
    pub workers: u16,
    /// Policies of all services and routes; none: some by chance.
    pub policies: Option<(ServicePolicy, RoutePolicy)>,
    /// The link that breaks at a point.
    pub cut: Option<Cut>,
}

const RUDE: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"SSH-2.0-OpenSSH_9\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x04\x01\x04\0\0\0\x01\xff\xff\xff\xff",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x02\0\0\0\0\0\x01ab",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\x01\0\0\x01\x01",
    b"",
];

impl Scenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut prng = Prng::new(seed.wrapping_mul(0x9e37_79b9));
        let prng = &mut prng;
        let is_healthy = prng.chance(400);
        let endpoints = prng.between(3, 6);
        let clients = prng.between(1, 5);
        let smallest = prng.pick(&[1_000, 9_000, 64_000]);
        let services = if endpoints >= 4 && prng.chance(500) { 2 } else { 1 };
        let mix = prng.below(6);
        let others = match mix {
            0 | 1 => [0, 0],
            2 | 3 => [prng.between(1, 3), 0],
            4 => [0, prng.between(1, 3)],
            _ => [prng.between(1, 3), prng.between(1, 2)],
        };
        // Some worlds know nothing else.
        let is_old = others != [0, 0] && prng.chance(400);
        // Whoever asks for HTTP/1 first, and nobody else, gets an endpoint that speaks it.
        use UpstreamProtocol::{Auto, H1, H2};
        let protocols = if others == [0, 0] { &[Auto, Auto, Auto] } else { &[Auto, H1, H2] };
        let scenario = Self {
            seed,
            is_healthy,
            weather: Weather {
                delay: (prng.pick(&[1, 50, 500]), prng.pick(&[600, 2_000, 20_000])),
                capacity: (smallest, smallest * prng.pick(&[1, 4])),
                cuts: prng.pick(&[0, 50, 300]),
                short_writes: prng.pick(&[0, 50, 300]),
            },
            limits: limits(prng, is_healthy),
            clients: if is_old {
                Vec::new()
            } else {
                (0..clients).map(|_| client(prng, is_healthy)).collect()
            },
            http1_clients: (0..others[0]).map(|_| http1_client(prng, is_healthy)).collect(),
            tunnels: (0..others[1]).map(|_| tunnel_client(prng, is_healthy)).collect(),
            upstreams: [0, 1].map(|_| prng.pick(protocols)),
            endpoints: (0..endpoints).map(|i| endpoint(prng, is_healthy, i, services)).collect(),
            first: prng.between(2, endpoints),
            script: script(prng, is_healthy),
            services,
            workers: prng.pick(&[1, 1, 2]),
            policies: None,
            cut: None,
        };
        scenario.without_strangers_in_tunnels()
    }

    /// An endpoint that says something else in a tunnel would be believed.
    fn without_strangers_in_tunnels(mut self) -> Self {
        if !self.tunnels.is_empty() {
            self.endpoints.iter_mut().for_each(|endpoint| endpoint.rude = None);
        }
        self
    }

    /// One exchange with bodies and trailers both ways, asked for by the first client, and a few small ones of a second
    /// client at the same upstream, which is link 2; the clients' are 0 and 1. It is calm but for the cut.
    #[must_use]
    pub fn cut(cut: Option<Cut>) -> Self {
        let mut prng = Prng::new(1);
        let quiet = EndpointHabits {
            pace: 100,
            delay: 300,
            most_body: 100,
            settings: OwnSettings::default(),
            window: 65_535,
            is_well: true,
            services: 1,
            ..endpoint(&mut prng, true, 0, 1)
        };
        let client = |requests, length| ClientHabits {
            requests,
            at_once: 1,
            pace: 300,
            shape: Shape::Whole(length),
            settings: OwnSettings::default(),
            window: 65_535,
            cancels: 0,
            cancels_at: None,
            oddity: 0,
            pauses: 0,
            breaks: 0,
            lies: 0,
            never_acks: false,
            rude: None,
        };
        Self {
            seed: 1,
            is_healthy: false,
            weather: Weather { delay: (50, 50), capacity: (64_000, 64_000), cuts: 0, short_writes: 0 },
            limits: Limits::default(),
            clients: vec![client(1, 90), client(3, 10)],
            http1_clients: Vec::new(),
            tunnels: Vec::new(),
            upstreams: [UpstreamProtocol::Auto; 2],
            endpoints: vec![EndpointHabits { oddity: 0, pauses: 0, ..quiet }],
            first: 1,
            script: Vec::new(),
            services: 1,
            workers: 1,
            policies: Some(Default::default()),
            cut,
        }
    }
}

impl Scenario {
    /// Whether anything but HTTP/2 is spoken.
    #[must_use]
    pub fn is_mixed(&self) -> bool {
        !self.http1_clients.is_empty() || !self.tunnels.is_empty()
    }
}

fn limits(prng: &mut Prng, is_healthy: bool) -> Limits {
    let output_high = prng.pick(&[8, 32, 128]) * 1024;
    let mut limits = Limits {
        connection_window: prng.pick(&[65_535, 200_000, 1 << 20]),
        output_high,
        output_low: output_high / 2,
        ..Limits::default()
    };
    if !is_healthy {
        limits.concurrent_streams = prng.pick(&[3, 10, 1000]);
        limits.buffered_bytes = prng.pick(&[100_000, 1 << 20, 256 << 20]);
        limits.replay_bytes = prng.pick(&[0, 1_000, 64 * 1024]);
        limits.resets =
            prng.pick(&[Rate { burst: 2_000, per_second: 500 }, Rate { burst: 200, per_second: 200 }]);
    }
    limits
}

fn settings(prng: &mut Prng) -> OwnSettings {
    OwnSettings {
        table: prng.pick(&[0, 100, 4096, 4096, 65_536]),
        streams: u32::MAX,
        window: prng.pick(&[0, 1, 1_000, 65_535, 65_535, 300_000]),
        frame: prng.pick(&[16_384, 16_384, 40_000, 0xff_ffff]),
    }
}

fn client(prng: &mut Prng, is_healthy: bool) -> ClientHabits {
    let rude = prng.chance(if is_healthy { 40 } else { 150 }).then(|| prng.pick(RUDE));
    let often =
        |prng: &mut Prng, most: u32| if prng.chance(500) { prng.below(most as usize) as u32 } else { 0 };
    ClientHabits {
        requests: prng.between(2, 40) as u32,
        at_once: prng.pick(&[1, 3, 8, 30]),
        pace: prng.pick(&[500, 3_000, 30_000]),
        shape: Shape::Any(prng.pick(&[500, 20_000, 200 * 1024])),
        settings: settings(prng),
        window: prng.pick(&[8_192, 65_535, 300_000]),
        cancels: often(prng, 40),
        cancels_at: None,
        oddity: often(prng, 150),
        pauses: often(prng, 60),
        breaks: if is_healthy { 0 } else { often(prng, 15) },
        lies: if rude.is_none() && prng.chance(300) { prng.between(1, 60) as u32 } else { 0 },
        never_acks: prng.chance(60),
        rude,
    }
}

fn http1_client(prng: &mut Prng, is_healthy: bool) -> http1::ClientHabits {
    let often =
        |prng: &mut Prng, most: u32| if prng.chance(500) { prng.below(most as usize) as u32 } else { 0 };
    http1::ClientHabits {
        requests: prng.between(2, 30) as u32,
        pipeline: prng.pick(&[1, 1, 2, 6]),
        pace: prng.pick(&[500, 3_000, 30_000]),
        most_body: prng.pick(&[500, 20_000, 200 * 1024]),
        closes: often(prng, 300),
        half_closes: often(prng, 1000),
        old: often(prng, 300),
        upgrades: often(prng, 300),
        pauses: often(prng, 60),
        breaks: if is_healthy { 0 } else { often(prng, 15) },
        lies: if prng.chance(300) { prng.between(1, 100) as u32 } else { 0 },
    }
}

fn tunnel_client(prng: &mut Prng, is_healthy: bool) -> tunnel::Habits {
    tunnel::Habits {
        tunnels: prng.between(1, 6) as u32,
        pace: prng.pick(&[500, 3_000, 30_000]),
        most_bytes: prng.pick(&[500, 20_000, 200 * 1024]),
        pauses: prng.pick(&[0, 30]),
        breaks: if is_healthy { 0 } else { prng.pick(&[0, 0, 20]) },
    }
}

fn endpoint(prng: &mut Prng, is_healthy: bool, index: usize, services: u8) -> EndpointHabits {
    let fault = |prng: &mut Prng, share: u32, most: usize| {
        if !is_healthy && prng.chance(share) { prng.between(1, most) as u32 } else { 0 }
    };
    let often =
        |prng: &mut Prng, most: u32| if prng.chance(500) { prng.below(most as usize) as u32 } else { 0 };
    EndpointHabits {
        pace: prng.pick(&[300, 2_000, 20_000]),
        delay: prng.pick(&[1, 2_000, 40_000]),
        most_body: prng.pick(&[500, 20_000, 200 * 1024]),
        settings: OwnSettings { streams: prng.pick(&[1, 2, 10, 100, u32::MAX]), ..settings(prng) },
        window: prng.pick(&[8_192, 65_535, 300_000]),
        oddity: often(prng, 100),
        pauses: often(prng, 60),
        refusals: fault(prng, 300, 400),
        resets: fault(prng, 300, 300),
        goaways: fault(prng, 400, 60),
        breaks: fault(prng, 200, 15),
        fails_at: None,
        lies: fault(prng, 300, 80),
        never_acks: !is_healthy && prng.chance(60),
        service: (index % usize::from(services)) as u8,
        services,
        is_well: is_healthy || prng.chance(500),
        rude: (!is_healthy && prng.chance(60)).then(|| {
            prng.pick(&[
                &b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"[..],
                b"",
                b"\0\0\0\x04\x01\0\0\0\0",
            ])
        }),
    }
}

fn script(prng: &mut Prng, is_healthy: bool) -> Vec<(Duration, Act)> {
    use Act::*;
    let peaceful =
        [ScaleUp, ScaleUp, ScaleDown, Sweep, Restart, Recover, Retire, Weigh, Reload, Reload, Repeat];
    let rough = [Crash, Crash, Return, Return, Remove, Unready, Recover, ScaleUp];
    let mut lines = Vec::new();
    for _ in 0..prng.between(2, 14) {
        let act = if is_healthy || prng.chance(500) { prng.pick(&peaceful) } else { prng.pick(&rough) };
        lines.push((Duration::from_micros(prng.below(500_000) as u64), act));
    }
    if prng.chance(300) {
        let deadline = if is_healthy { 600_000 } else { prng.pick(&[1, 50, 500, 600_000]) };
        lines.push((Duration::from_micros(prng.between(10_000, 300_000) as u64), Drain(deadline)));
    }
    lines.sort_by_key(|(at, _)| *at);
    lines
}

/// Some policies of the service, with timeouts that no healthy peer reaches.
pub(super) fn policy(prng: &mut Prng, is_healthy: bool) -> ServicePolicy {
    let mut policy = ServicePolicy {
        balance: Balance {
            policy: prng.pick(&[
                BalancePolicy::PeakEwma,
                BalancePolicy::LeastRequest,
                BalancePolicy::RoundRobin,
                BalancePolicy::Random,
            ]),
            slow_start: Duration::from_millis(prng.pick(&[0, 0, 300])),
        },
        ejection: Ejection::default(),
        upstream: Upstream {
            max_connections: prng.pick(&[Some(8), None]),
            max_streams: prng.pick(&[1, 4, 100]),
            max_requests_per_connection: prng.pick(&[None, None, Some(1), Some(5)]),
            pending: 1024,
            pending_timeout: Duration::from_secs(600),
            ..Upstream::default()
        },
        timeouts: Timeouts { send: Duration::from_secs(600), ..Timeouts::default() },
        drain_deadline: Some(Duration::from_secs(600)),
        ..ServicePolicy::default()
    };
    if !is_healthy {
        policy.upstream.pending = prng.pick(&[0, 3, 1024, 1024, 1024, 1024]);
        policy.upstream.max_connections = prng.pick(&[Some(1), Some(2), None, None]);
        policy.upstream.pending_timeout = Duration::from_millis(prng.pick(&[10, 200, 5_000, 5_000, 5_000]));
        policy.timeouts.idle = Duration::from_millis(prng.pick(&[30, 1_000, 3_600_000, 3_600_000]));
        policy.timeouts.connect = Duration::from_millis(prng.pick(&[30, 1_000, 5_000]));
        policy.drain_deadline = Some(Duration::from_millis(prng.pick(&[1, 100, 30_000])));
    }
    policy
}

/// What holds for exchanges.
pub(super) fn route_policy(prng: &mut Prng, is_healthy: bool) -> RoutePolicy {
    let mut policy = RoutePolicy::default();
    if !is_healthy {
        policy.request_timeout = prng.pick(&[None, None, None, None, Some(Duration::from_millis(60))]);
        policy.retry.attempts = prng.pick(&[1, 3, 3, 5]);
        if prng.chance(300) {
            policy.retry.on = RetryOn {
                reset: prng.chance(600),
                timeout: prng.chance(600),
                gateway_error: prng.chance(600),
                unavailable: prng.chance(600),
                resource_exhausted: prng.chance(600),
            };
            policy.retry.per_try_timeout = prng.pick(&[None, Some(Duration::from_millis(20))]);
            policy.retry.budget = prng.pick(&[0.0, 0.2, 1.0]);
        }
    }
    policy
}
