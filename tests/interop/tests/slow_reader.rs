//! A client that stops reading stalls only itself: real clients on the same upstream connection go on without a failure, memory
//! stays within a stated bound, and when it reads on it gets every byte.

use anyhow::Result;
use evenkeel_interop::instance::Instance;
use evenkeel_interop::load::Load;
use evenkeel_interop::programs;
use evenkeel_interop::server::Server;
use evenkeel_interop::slow_reader::{SlowReader, Stall};
use std::time::Duration;
use tempfile::TempDir;

/// Calls of the others while it is stalled.
const CALLS: u64 = 2_000;

/// What Evenkeel may hold for each stalled stream: a window that had grown to its most before the reader stopped, and what
/// buffers hold that are not quite full.
const PER_STREAM: u64 = (1 << 20) + (128 << 10);

/// What else its memory may grow by meanwhile.
const SLACK: u64 = 1 << 20;

/// One worker and one connection to the server: whoever calls shares it.
fn start(server: &Server) -> Result<Instance> {
    let configuration = format!(
        "workers: 1\n\
         admin: {{ bind: \"127.0.0.1:0\" }}\n\
         listeners: [{{ name: web, bind: \"127.0.0.1:0\", service: echo, timeouts: {{ send: 10m }} }}]\n\
         services:\n\
         - {{ name: echo, endpoints: {{ static: [\"{}\"] }}, upstream: {{ max_connections: 1 }} }}\n",
        server.address()
    );
    Instance::start(TempDir::new()?, &configuration)
}

/// Many calls of a real client, none of which fails.
fn others_go_on(target: &str) -> Result<()> {
    let report = Load::of_calls(programs::fastest()?, target, CALLS, 8)?.report()?;
    assert_eq!((report.calls, report.errors), (CALLS, 0), "{report:?}");
    Ok(())
}

fn stalls_only_itself(stall: Stall, streams: usize, messages: usize) -> Result<()> {
    let server = Server::start(programs::fastest()?, "only", Duration::ZERO)?;
    let mut evenkeel = start(&server)?;
    let target = evenkeel.address("web")?;
    others_go_on(&target)?;
    let before = evenkeel.memory()?.resident;

    let mut slow = SlowReader::start(&target, stall, streams, messages)?;
    others_go_on(&target)?;
    if stall == Stall::Streams {
        slow.calls_beside(100)?;
    }
    let (during, bound) = (evenkeel.memory()?.resident, before + PER_STREAM * streams as u64 + SLACK);
    assert!(during <= bound, "{during} bytes with {streams} stalled streams; {before} before");
    evenkeel.until_metric("evenkeel_endpoint_active_exchanges", &[], |active| active == streams as f64)?;
    evenkeel.until_metric("evenkeel_endpoint_upstreams", &[], |connections| connections == 1.0)?;

    slow.read_on()?;
    evenkeel.until_metric("evenkeel_endpoint_active_exchanges", &[], |active| active == 0.0)?;
    let all = evenkeel.metric("evenkeel_exchanges_total", &[])?;
    assert_eq!(all, evenkeel.metric("evenkeel_exchanges_total", &[("outcome", "completed")])?);
    println!("{stall:?}: {before} bytes before, {during} with {streams} stalled streams, at most {bound}");
    Ok(())
}

#[test]
fn streams_that_are_not_read_stall_nobody_beside_them() -> Result<()> {
    stalls_only_itself(Stall::Streams, 16, 256)
}

#[test]
fn a_socket_that_is_not_read_stalls_nobody_beside_it() -> Result<()> {
    stalls_only_itself(Stall::Socket, 1, 1_024)
}
