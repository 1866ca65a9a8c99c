//! The smuggling corpus of the parser's tests, sent through the whole program to endpoints that record what comes.
//!
//! What Evenkeel does is asserted: it refuses with the case's status, or the endpoint reads the messages that the case names,
//! in bytes that have no second meaning. What HAProxy and nginx do is shown in `SMUGGLING.md`, which `EVENKEEL_BLESS=1` writes
//! anew where they are installed; it is nobody's duty.

#[path = "../../../crates/wire/tests/smuggling/corpus.rs"]
mod corpus;
#[path = "smuggling/h2_recorder.rs"]
mod h2_recorder;
#[path = "smuggling/others.rs"]
mod others;

use anyhow::{Context, Result, ensure};
use corpus::{CASES, Case, Direction, Then};
use evenkeel_attacks::recorder::{Message, Record, Recorder};
use evenkeel_attacks::wire::Wire;
use evenkeel_interop::instance::Instance;
use evenkeel_interop::wait::{DEADLINE, until};
use h2_recorder::H2Recorder;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// What goes before a case on its connection.
const FIRST: &[u8] = b"GET /the-first HTTP/1.1\r\nHost: a\r\n\r\n";

/// How long nothing more comes when nothing is to come.
const QUIET: Duration = Duration::from_millis(200);

fn requests() -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(|case| case.direction == Direction::Request)
}

/// An Evenkeel before an endpoint that speaks this.
fn before(endpoint: &str, protocol: &str) -> Result<(Instance, String)> {
    let configuration = format!(
        "workers: 1\n\
         admin: {{ bind: \"127.0.0.1:0\" }}\n\
         listeners:\n\
         - {{ name: web, bind: \"127.0.0.1:0\", service: behind }}\n\
         services:\n\
         - {{ name: behind, endpoints: {{ static: [\"{endpoint}\"] }}, upstream: {{ protocol: {protocol} }}, ejection: {{ max_share: 0 }} }}\n"
    );
    let mut evenkeel = Instance::start(TempDir::new()?, &configuration)?;
    let address = evenkeel.address("web")?;
    Ok((evenkeel, address))
}

/// The statuses of all answers in these bytes, which must be answers with a length or none.
fn statuses(mut bytes: &[u8]) -> Result<Vec<(u16, Vec<u8>)>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let shown = bytes.escape_ascii().to_string();
        let end = bytes
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .with_context(|| format!("half an answer: {shown}"))?;
        let head = std::str::from_utf8(&bytes[..end])?;
        ensure!(head.starts_with("HTTP/1.1 ") || head.starts_with("HTTP/1.0 "), "no answer: {shown}");
        let status: u16 = head[9..12].parse()?;
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        let length = length.filter(|_| status != 304).map_or(Ok(0), |length| length.parse::<usize>())?;
        let body = bytes.get(end + 4..end + 4 + length).with_context(|| format!("half a body: {shown}"))?;
        all.push((status, body.to_vec()));
        bytes = &bytes[end + 4 + length..];
    }
    Ok(all)
}

/// Sends a case behind these bytes; what came back, and whether the connection was closed.
fn send(address: &str, before: &[u8], case: &Case) -> Result<(Vec<u8>, bool)> {
    let mut wire = Wire::connect(address, Arc::default())?;
    wire.send(&[before, case.bytes].concat(), 1);
    match case.then {
        Then::Nothing => {
            let most = case.reads.len() + 1;
            wire.until("all answers", |wire| statuses(wire.heard()).is_ok_and(|all| all.len() >= most))?;
        }
        Then::Refused(_) => drop(wire.until_closed()?),
        Then::Waits => {}
    }
    if !matches!(case.then, Then::Refused(_)) {
        wire.until_quiet(QUIET);
    }
    Ok((wire.heard().to_vec(), wire.is_closed()))
}

/// Sends a case that is refused as the first words of a connection. What does not even begin like a request is no HTTP/1 to
/// Evenkeel: there it is closed without a word.
fn refused_at_first(address: &str, case: &Case) -> Result<()> {
    let (heard, is_closed) = send(address, b"", case)?;
    let answers: Vec<_> = statuses(&heard)?.into_iter().map(|(status, _)| Then::Refused(status)).collect();
    ensure!(
        is_closed && (answers.is_empty() || answers == [case.then]),
        "answered with {answers:?} at first"
    );
    Ok(())
}

/// Holds what happened to a request against what must happen.
fn judge(case: &Case, heard: &[u8], is_closed: bool, met: &[(String, Vec<u8>)]) -> Result<()> {
    let answers: Vec<_> = statuses(heard)?.into_iter().map(|(status, _)| status).collect();
    let mut expected = vec![200; case.reads.len() + 1];
    if let Then::Refused(status) = case.then {
        expected.push(status);
        ensure!(is_closed, "the connection goes on behind what was refused");
    }
    ensure!(answers == expected, "answered with {answers:?}, and {expected:?} are right");
    let met: Vec<_> = met.iter().map(|(line, body)| (line.as_str(), body.as_slice())).collect();
    ensure!(met == case.reads, "the endpoint read {met:?}, and {:?} is right", case.reads);
    Ok(())
}

/// Sends every request of the corpus, and after each one that must arrive; `taken` gives what the endpoint met since.
fn all_requests(address: &str, taken: impl Fn() -> Result<Vec<(String, Vec<u8>)>>) -> Result<()> {
    let mut faults = Vec::new();
    for case in requests() {
        if matches!(case.then, Then::Refused(_)) {
            refused_at_first(address, case)
                .unwrap_or_else(|fault| faults.push(format!("{}: {fault:#}", case.name)));
        }
        let (heard, is_closed) = send(address, FIRST, case)?;
        let mut last = Wire::connect(address, Arc::default())?;
        last.send(b"GET /the-next HTTP/1.1\r\nHost: a\r\n\r\n", 1);
        last.until("the next one is answered", |wire| {
            statuses(wire.heard()).is_ok_and(|all| !all.is_empty())
        })?;
        let outcome = taken().and_then(|mut met| {
            let next = met.pop();
            ensure!(
                next.is_some_and(|next| next == ("GET /the-next".to_owned(), Vec::new())),
                "the next request came to harm"
            );
            ensure!(!met.is_empty() && met.remove(0).0 == "GET /the-first", "the first request came to harm");
            judge(case, &heard, is_closed, &met)
        });
        if let Err(fault) = outcome {
            faults.push(format!("{}: {fault:#}", case.name));
        }
    }
    ensure!(faults.is_empty(), "{} of {}:\n{}", faults.len(), requests().count(), faults.join("\n"));
    Ok(())
}

fn plain(record: Record) -> Result<Vec<(String, Vec<u8>)>> {
    ensure!(record.faults.is_empty(), "ambiguous bytes: {:?}", record.faults);
    Ok(record.messages.into_iter().map(|Message { line, body, .. }| (line, body)).collect())
}

#[test]
fn every_ambiguous_request_is_refused_or_is_one_message_to_an_http1_endpoint() -> Result<()> {
    let recorder = Recorder::start()?;
    let (mut evenkeel, address) = before(recorder.address(), "h1")?;
    all_requests(&address, || plain(recorder.take()))?;
    evenkeel.finish()
}

#[test]
fn every_ambiguous_request_is_refused_or_is_one_message_to_an_http2_endpoint() -> Result<()> {
    let recorder = H2Recorder::start()?;
    let (mut evenkeel, address) = before(recorder.address(), "h2")?;
    all_requests(&address, || recorder.take())?;
    evenkeel.finish()
}

/// An endpoint that answers each request with these bytes.
fn says(bytes: &'static [u8], connections: Arc<AtomicU64>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            connections.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || {
                let mut chunk = [0; 4096];
                let mut unread = Vec::new();
                // It stays until Evenkeel closes.
                while let Ok(n @ 1..) = stream.read(&mut chunk) {
                    unread.extend_from_slice(&chunk[..n]);
                    if unread.ends_with(b"\r\n\r\n") {
                        unread.clear();
                        if stream.write_all(bytes).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    Ok(address)
}

#[test]
fn every_ambiguous_answer_is_a_502_or_is_one_answer() -> Result<()> {
    let mut faults = Vec::new();
    for case in CASES {
        let Direction::ResponseTo(method) = case.direction else { continue };
        let connections = Arc::new(AtomicU64::new(0));
        let (_evenkeel, address) = before(&says(case.bytes, connections.clone())?, "h1")?;
        let outcome = answer(&address, case, method).and_then(|()| {
            // Nothing of it is left for whoever comes next.
            let before = connections.load(Ordering::SeqCst);
            answer(&address, case, method)?;
            let is_followed = case.then != Then::Nothing;
            until("a broken connection is not used again", DEADLINE, || {
                Ok((!is_followed || connections.load(Ordering::SeqCst) > before).then_some(()))
            })
        });
        if let Err(fault) = outcome {
            faults.push(format!("{}: {fault:#}", case.name));
        }
    }
    ensure!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n"));
    Ok(())
}

fn answer(address: &str, case: &Case, method: &str) -> Result<()> {
    let mut wire = Wire::connect(address, Arc::default())?;
    wire.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(), 1);
    let is_headless = |wire: &Wire| method == "HEAD" && wire.count("\r\n\r\n") > 0;
    wire.until("an answer", |wire| {
        is_headless(wire) || statuses(wire.heard()).is_ok_and(|all| !all.is_empty())
    })?;
    wire.until_quiet(QUIET);
    let (heard, shown) = (wire.heard().to_vec(), wire.heard().escape_ascii().to_string());
    let Some((status, body)) = case.reads.first() else {
        let all = statuses(&heard)?;
        ensure!(all.len() == 1 && all[0].0 == 502, "not a 502: {shown}");
        return Ok(());
    };
    ensure!(heard.starts_with(format!("HTTP/1.1 {status} ").as_bytes()), "not {status}: {shown}");
    ensure!(
        heard.ends_with(&[b"\r\n\r\n", *body].concat()) && wire.count("HTTP/1.") == 1,
        "not the answer: {shown}"
    );
    Ok(())
}

#[test]
fn what_other_proxies_do_is_written_down() -> Result<()> {
    others::write_down(&requests().collect::<Vec<_>>())
}
