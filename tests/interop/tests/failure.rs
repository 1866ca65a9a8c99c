//! A server that dies takes only its own calls with it; Evenkeel that is told to stop takes none.

use anyhow::Result;
use evenkeel_interop::evenkeel::{Evenkeel, share};
use evenkeel_interop::load::Load;
use evenkeel_interop::programs;
use evenkeel_interop::server::Server;
use evenkeel_interop::wait::until;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const STREAMS: u64 = 50;

fn addresses(servers: &[Server]) -> Vec<String> {
    servers.iter().map(Server::address).collect()
}

#[test]
fn a_killed_server_fails_only_its_calls_in_flight_and_comes_back() -> Result<()> {
    let client = programs::fastest()?;
    // Slow enough that a look at what is in flight is still about true when the kill comes.
    let mut servers = Server::several(5, Duration::from_millis(20))?;
    let all = addresses(&servers);
    let evenkeel = Evenkeel::start(&all, "slow_start: 0s")?;
    let load = Load::endless(client, evenkeel.address(), STREAMS)?;
    evenkeel.until("every endpoint has served some", |endpoints| {
        endpoints.values().all(|endpoint| endpoint.requests_total > 100)
    })?;

    let in_flight = evenkeel.endpoints()?[&all[4]].active_exchanges;
    servers[4].kill()?;
    let killed = Instant::now();
    until("a second has gone by", 2 * SECOND, || Ok((killed.elapsed() >= SECOND).then_some(())))?;
    // From here on it is out of the picks: the others serve all that is asked, and nothing fails.
    let second = Load::start(client, evenkeel.address(), STREAMS, &["--seconds", "1"])?.report()?;
    assert!(second.errors == 0 && second.calls > 100, "{second:?}");
    assert!(!second.per_backend.contains_key(servers[4].name()), "{second:?}");
    let window = evenkeel.window(SECOND / 2)?;
    let dead = share(&window, &all[4..]);
    assert!(dead < 0.02, "the dead one is picked for {dead:.3}: {window:?}");

    servers[4].start_again()?;
    let then = evenkeel.endpoints()?[&all[4]].requests_total;
    evenkeel.until("it is back among the picks", |known| {
        known.get(&all[4]).is_some_and(|endpoint| endpoint.requests_total > then + 100)
    })?;
    let back = Load::of_calls(client, evenkeel.address(), 1_000, STREAMS)?.report()?;
    assert!(back.errors == 0 && back.per_backend.contains_key(servers[4].name()), "{back:?}");

    let first = load.end()?;
    assert!(first.error_codes.keys().all(|code| code == "UNAVAILABLE"), "{first:?}");
    // As many as the last look saw on it, and as a fair share those that began between the look and the kill.
    assert!(first.errors <= in_flight + STREAMS / 5, "{in_flight} were in flight on it: {first:?}");
    Ok(())
}

#[test]
fn a_termination_of_evenkeel_lets_the_calls_in_flight_end() -> Result<()> {
    let servers = Server::several(2, Duration::from_secs(1))?;
    let mut evenkeel = Evenkeel::start(&addresses(&servers), "slow_start: 0s")?;
    let load = Load::of_calls(programs::fastest()?, evenkeel.address(), 20, 20)?;
    evenkeel.until("all calls are in flight", |endpoints| {
        endpoints.values().map(|endpoint| endpoint.active_exchanges).sum::<u64>() == 20
    })?;
    evenkeel.terminate()?;
    let report = load.report()?;
    assert_eq!((report.calls, report.errors), (20, 0), "{report:?}");
    evenkeel.finish()
}
