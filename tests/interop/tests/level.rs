//! One channel, 10,000 calls, five servers: every server gets its share.

use anyhow::Result;
use evenkeel_interop::evenkeel::Evenkeel;
use evenkeel_interop::load::{Load, Report};
use evenkeel_interop::programs;
use evenkeel_interop::server::{Server, Siblings};
use std::time::Duration;

const CALLS: u64 = 10_000;
const IN_FLIGHT: u64 = 50;
/// Of servers that are equal. Well above what a busy machine adds, which a balancer that goes by latency rightly acts on.
const SERVICE_TIME: Duration = Duration::from_millis(10);

fn addresses(servers: &[Server]) -> Vec<String> {
    servers.iter().map(Server::address).collect()
}

fn one_channel_is_level(language: &str) -> Result<()> {
    let servers = Siblings::start(&["a", "b", "c", "d", "e"], SERVICE_TIME)?;
    let evenkeel = Evenkeel::start(servers.addresses(), "policy: peak_ewma")?;
    let report = Load::of_calls(language, evenkeel.address(), CALLS, IN_FLIGHT)?.report()?;
    assert_eq!((report.calls, report.errors), (CALLS, 0), "{report:?}");
    assert_eq!(report.per_backend.len(), 5, "{report:?}");
    assert!(report.skew(5) <= 1.10, "skew {:.3}: {report:?}", report.skew(5));
    Ok(())
}

#[test]
fn one_channel_of_a_python_client_is_level_over_five_servers() -> Result<()> {
    one_channel_is_level("python")
}

#[test]
fn one_channel_of_a_node_client_is_level_over_five_servers() -> Result<()> {
    one_channel_is_level("node")
}

#[test]
fn one_channel_of_a_go_client_is_level_over_five_servers() -> Result<()> {
    one_channel_is_level("go")
}

#[test]
fn one_channel_of_a_java_client_is_level_over_five_servers() -> Result<()> {
    one_channel_is_level("java")
}

#[test]
fn one_channel_of_a_rust_client_is_level_over_five_servers() -> Result<()> {
    one_channel_is_level("rust")
}

/// Four servers that take 4 ms, and a fifth with this delay.
fn beside_four_of_4_ms(fifth: Duration) -> Result<Report> {
    let usual = Duration::from_millis(4);
    let mut servers = Server::several(4, usual)?;
    servers.push(Server::start(programs::fastest()?, "e", fifth)?);
    let evenkeel = Evenkeel::start(&addresses(&servers), "policy: peak_ewma")?;
    Load::of_calls(programs::fastest()?, evenkeel.address(), CALLS, IN_FLIGHT)?.report()
}

fn slowest_of_the_four(report: &Report) -> Duration {
    let four = report.p99_per_backend.iter().filter(|(name, _)| *name != "e");
    four.map(|(_, p99)| *p99).max().unwrap_or_default()
}

#[test]
fn a_server_five_times_slower_gets_clearly_less_and_the_others_stay_fast() -> Result<()> {
    let even = beside_four_of_4_ms(Duration::from_millis(4))?;
    let uneven = beside_four_of_4_ms(Duration::from_millis(20))?;
    assert_eq!((even.errors, uneven.errors), (0, 0), "{even:?} {uneven:?}");
    assert_eq!((even.per_backend.len(), uneven.per_backend.len()), (5, 5), "{even:?} {uneven:?}");
    let fair = CALLS / 5;
    assert!(uneven.per_backend["e"] * 10 < fair * 6, "the slow one gets too much: {uneven:?}");
    let (before, after) = (slowest_of_the_four(&even), slowest_of_the_four(&uneven));
    assert!(after < before * 3, "the others' p99 went from {before:?} to {after:?}");
    Ok(())
}
