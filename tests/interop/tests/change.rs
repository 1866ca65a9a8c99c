//! Endpoints come and go under load, as a deployment does it, and no call fails.

use anyhow::{Context, Result};
use evenkeel_interop::evenkeel::{Endpoints, Evenkeel, State, share};
use evenkeel_interop::load::{Load, Report};
use evenkeel_interop::programs;
use evenkeel_interop::server::Server;
use std::time::{Duration, Instant};

const DELAY: Duration = Duration::from_millis(5);
const SECOND: Duration = Duration::from_secs(1);
/// Streams that each connection keeps in flight.
const STREAMS: u64 = 20;
const CONNECTIONS: usize = 3;

fn addresses(servers: &[Server]) -> Vec<String> {
    servers.iter().map(Server::address).collect()
}

fn with_state(addresses: &[String], state: State) -> Vec<(String, State)> {
    addresses.iter().map(|address| (address.clone(), state)).collect()
}

fn busy(evenkeel: &Evenkeel) -> Result<Vec<Load>> {
    let load = |_| Load::endless(programs::fastest()?, evenkeel.address(), STREAMS);
    let loads = (0..CONNECTIONS).map(load).collect::<Result<Vec<_>>>()?;
    evenkeel.until("every endpoint has served some", |endpoints| {
        endpoints.values().all(|endpoint| endpoint.requests_total > 100)
    })?;
    Ok(loads)
}

fn reports(loads: Vec<Load>) -> Result<Vec<Report>> {
    loads.into_iter().map(Load::end).collect()
}

fn assert_no_error(reports: &[Report]) {
    for report in reports {
        assert!(report.calls > 0 && report.errors == 0, "{report:?}");
    }
}

/// Looks until the two are known as ready; the look and its time.
fn two_more_visible(evenkeel: &Evenkeel, two: &[String]) -> Result<(Endpoints, Instant)> {
    let ready = |known: &Endpoints| two.iter().all(|a| known.get(a).is_some_and(|e| e.state == "ready"));
    let look = evenkeel.until("two more are visible", ready)?;
    Ok((look, Instant::now()))
}

#[test]
fn two_new_endpoints_have_their_share_within_a_second() -> Result<()> {
    let servers = Server::several(5, DELAY)?;
    let all = addresses(&servers);
    let evenkeel = Evenkeel::start(&all[..3], "slow_start: 0s")?;
    let loads = busy(&evenkeel)?;
    evenkeel.set_endpoints(&with_state(&all, State::Ready))?;
    let (look, start) = two_more_visible(&evenkeel, &all[3..])?;
    let window = evenkeel.window_since(&look, start, SECOND)?;
    assert_no_error(&reports(loads)?);
    let new = share(&window, &all[3..]);
    assert!(new >= 0.36, "the new two got {new:.3} in the first second: {window:?}");
    assert!(new <= 0.60, "the new two were overrun with {new:.3}: {window:?}");
    Ok(())
}

#[test]
fn with_slow_start_two_new_endpoints_warm_up() -> Result<()> {
    let servers = Server::several(5, DELAY)?;
    let all = addresses(&servers);
    let evenkeel = Evenkeel::start(&all[..3], "slow_start: 4s")?;
    let loads = busy(&evenkeel)?;
    evenkeel.set_endpoints(&with_state(&all, State::Ready))?;
    let (look, start) = two_more_visible(&evenkeel, &all[3..])?;
    let early = share(&evenkeel.window_since(&look, start, SECOND)?, &all[3..]);
    evenkeel.window_since(&look, start, 5 * SECOND)?;
    let late = share(&evenkeel.window(SECOND)?, &all[3..]);
    assert_no_error(&reports(loads)?);
    assert!(early < late * 0.85, "the new two began with {early:.3} and ended with {late:.3}");
    assert!(late >= 0.36, "the new two ended with {late:.3}");
    Ok(())
}

#[test]
fn endpoints_that_terminate_get_nothing_new_and_no_call_fails() -> Result<()> {
    let mut servers = Server::several(5, DELAY)?;
    let all = addresses(&servers);
    let evenkeel = Evenkeel::start(&all, "slow_start: 0s")?;
    let loads = busy(&evenkeel)?;
    let mut three = with_state(&all[..3], State::Ready);
    three.extend(with_state(&all[3..], State::Terminating));
    evenkeel.set_endpoints(&three)?;
    evenkeel.until("two terminate and run dry", |known| {
        let dry =
            |address| known.get(address).is_some_and(|e| e.state == "terminating" && e.active_exchanges == 0);
        all[3..].iter().all(dry)
    })?;
    let window = evenkeel.window(SECOND)?;
    for server in &mut servers[3..] {
        server.stop()?;
    }
    evenkeel.set_endpoints(&with_state(&all[..3], State::Ready))?;
    evenkeel.until("two are gone", |known| all[3..].iter().all(|address| !known.contains_key(address)))?;
    let after = evenkeel.window(SECOND)?;
    assert_no_error(&reports(loads)?);
    for address in &all[3..] {
        assert_eq!(window.get(address), Some(&0), "terminating, and picked: {window:?}");
    }
    assert!(all[..3].iter().all(|address| after[address] > 0), "{after:?}");
    Ok(())
}

#[test]
fn a_rolling_restart_of_all_five_fails_no_call() -> Result<()> {
    let mut servers = Server::several(5, DELAY)?;
    let evenkeel = Evenkeel::start(&addresses(&servers), "slow_start: 0s")?;
    let loads = busy(&evenkeel)?;
    for server in &mut servers {
        server.stop()?;
        server.start_again()?;
        let before = evenkeel.endpoints()?;
        let address = server.address();
        let then = before.get(&address).context("the endpoint is unknown")?.requests_total;
        // More than a trial or two: it is among the picks again.
        evenkeel.until("it serves again", |known| {
            known.get(&address).is_some_and(|endpoint| endpoint.requests_total > then + 100)
        })?;
    }
    let reports = reports(loads)?;
    assert_no_error(&reports);
    for report in reports {
        assert_eq!(report.per_backend.len(), 5, "{report:?}");
    }
    Ok(())
}
