//! More clients than there is room for: those that are in are served, those that are not are told or wait, and all is well when
//! there is room again.

use anyhow::Result;
use evenkeel_interop::bystander::{Bystander, GoodServers};
use evenkeel_interop::instance::Instance;
use evenkeel_interop::wait::{DEADLINE, until};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PREFACE_AND_SETTINGS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn configuration(good: &GoodServers, listener: &str) -> String {
    format!(
        "workers: 2\n\
         admin: {{ bind: \"127.0.0.1:0\" }}\n\
         listeners: [{{ name: web, bind: \"127.0.0.1:0\", service: good, {listener} }}]\n\
         services: [{{ name: good, endpoints: {{ static: {} }} }}]\n",
        good.list(&[])
    )
}

/// A client that has said hello and then keeps still.
fn idler(target: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(target)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    // One that is refused may hear of it while it still speaks.
    let _refused = stream.write_all(PREFACE_AND_SETTINGS);
    Ok(stream)
}

/// Whether Evenkeel greets this client; false if it closes the connection instead.
fn is_greeted(stream: &mut TcpStream) -> Result<bool> {
    match stream.read(&mut [0; 9]) {
        Ok(length) => Ok(length > 0),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[test]
fn one_session_beyond_the_limit_is_closed_at_once_and_there_is_room_again_when_one_ends() -> Result<()> {
    let good = GoodServers::start()?;
    let mut evenkeel = Instance::start(TempDir::new()?, &configuration(&good, "max_sessions: 3"))?;
    let target = evenkeel.address("web")?;
    // The instance's own start leaves no session on this listener; the bystander is one.
    let bystander = Bystander::start(&mut evenkeel, &target, "good")?;
    let (mut second, mut third) = (idler(&target)?, idler(&target)?);
    assert!(is_greeted(&mut second)? && is_greeted(&mut third)?);

    let mut fourth = idler(&target)?;
    assert!(!is_greeted(&mut fourth)?, "the fourth is taken");
    let record = evenkeel.record_of("session_refused", "max_sessions")?;
    assert_eq!(
        (&record["listener"], record["peer"].as_str()),
        (&"web".into(), Some(&*fourth.local_addr()?.to_string()))
    );
    let labels = [("listener", "web"), ("reason", "max_sessions")];
    assert_eq!(evenkeel.metric("evenkeel_sessions_closed_total", &labels)?, Some(1.0));
    let labels = [("limit", "max_sessions")];
    assert_eq!(evenkeel.metric("evenkeel_limits_refused_total", &labels)?, Some(1.0));
    bystander.goes_on(&mut evenkeel)?;

    drop(second);
    let labels = [("listener", "web")];
    evenkeel.until_metric("evenkeel_sessions_active", &labels, |count| count < 2.5)?;
    assert!(is_greeted(&mut idler(&target)?)?, "there is room, and it is not given");
    bystander.noticed_nothing(&mut evenkeel)
}

#[test]
fn without_descriptors_it_neither_spins_nor_ends_and_goes_on_when_sessions_end() -> Result<()> {
    const DESCRIPTORS: u32 = 400;
    /// Shortest pause between two attempts to accept.
    const PAUSE: Duration = Duration::from_millis(50);
    let good = GoodServers::start()?;
    let configuration = configuration(&good, "max_sessions: 1000");
    let mut evenkeel = Instance::start_with_descriptors(TempDir::new()?, &configuration, DESCRIPTORS)?;
    let target = evenkeel.address("web")?;
    let bystander = Bystander::start(&mut evenkeel, &target, "good")?;
    let idlers = (0..DESCRIPTORS).map(|_| idler(&target)).collect::<Result<Vec<_>>>()?;

    let record = evenkeel.record("accepting pauses", |record| record["event"] == "accept_paused")?;
    assert_eq!((&record["limit"], &record["listener"]), (&"descriptors".into(), &"web".into()), "{record}");
    let (attempts, labels) = ("evenkeel_limits_refused_total", [("limit", "descriptors")]);
    let first = evenkeel.until_metric(attempts, &labels, |count| count >= 1.0)?;
    let (began, used) = (Instant::now(), evenkeel.cpu_time()?);
    // A spinning acceptor tries a hundred thousand times a second; one that pauses, at most every 50 ms.
    let last = evenkeel.until_metric(attempts, &labels, |count| count >= first + 20.0)?;
    let (took, used) = (began.elapsed(), evenkeel.cpu_time()?.saturating_sub(used));
    let most = took.as_secs_f64() / PAUSE.as_secs_f64() + 2.0;
    assert!(last - first <= most, "{} attempts in {took:?}", last - first);
    assert!(used < took / 2, "{used:?} of CPU time in {took:?}");
    let sessions = evenkeel.metric("evenkeel_sessions_active", &[("listener", "web")])?.unwrap_or(0.0);
    assert!(sessions > 100.0 && sessions < f64::from(DESCRIPTORS), "{sessions}");
    bystander.goes_on(&mut evenkeel)?;

    // The youngest wait in the backlog until the oldest make room.
    let mut waiting = idlers;
    drop(waiting.drain(..DESCRIPTORS as usize - 50));
    let last = waiting.last_mut().map(is_greeted).transpose()?;
    assert_eq!(last, Some(true), "who waited is not served");
    drop(waiting);
    evenkeel.record("accepting goes on", |record| record["event"] == "accept_resumed")?;
    until("a new client is greeted", DEADLINE, || Ok(is_greeted(&mut idler(&target)?)?.then_some(())))?;
    bystander.noticed_nothing(&mut evenkeel)?;
    evenkeel.finish()
}
