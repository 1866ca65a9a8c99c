//! Every client calls every server, each kind of call once: direct, and through Evenkeel with the same result. A tap on each
//! side of Evenkeel holds what went in against what came out, field by field and message by message.

use anyhow::{Context, Result};
use evenkeel_interop::evenkeel::Evenkeel;
use evenkeel_interop::load::Load;
use evenkeel_interop::programs::{LANGUAGES, is_installed};
use evenkeel_interop::server::Server;
use evenkeel_interop::tap::Tap;
use evenkeel_interop::transcript::{Exchange, Half, Message, exchanges};
use std::time::Duration;

const KINDS: [&str; 12] = [
    "bidi",
    "cancel",
    "client_stream",
    "deadline",
    "details",
    "gzip",
    "large",
    "metadata",
    "server_stream",
    "status",
    "trailers_only",
    "unary",
];

/// What the largest message has, which goes both ways.
const LARGEST: usize = 4 << 20;

/// RST_STREAM with CANCEL (RFC 9113 §7).
const CANCEL: u32 = 8;

fn every_server_answers(client: &'static str) -> Result<()> {
    for language in LANGUAGES {
        if !is_installed(language)? {
            continue;
        }
        let server = Server::start(language, "only", Duration::ZERO)?;
        let behind = Tap::start(&server.address())?;
        let evenkeel = Evenkeel::start(&[behind.address().to_owned()], "policy: peak_ewma")?;
        let before = Tap::start(evenkeel.address())?;
        for (way, target) in [("direct", server.address()), ("through evenkeel", before.address().to_owned())]
        {
            let report = Load::start(client, &target, 10, &["--calls", "200", "--kinds"])?.report()?;
            let what = format!("{client} client, {language} server, {way}: {report:?}");
            assert_eq!(report.errors, 0, "{what}");
            assert_eq!(report.per_backend.get("only"), Some(&200), "{what}");
            assert_eq!(report.kinds.keys().collect::<Vec<_>>(), KINDS, "{what}");
            assert!(report.kinds.values().all(|said| said == "ok"), "{what}");
        }
        let what = format!("{client} client, {language} server");
        let (went_in, came_out) = (exchanges(&before.passed())?, exchanges(&behind.passed())?);
        arrived_unchanged(&went_in, &came_out).with_context(|| what.clone())?;
        shows_what_it_should(language, &came_out).context(what)?;
    }
    Ok(())
}

/// Sees that every exchange is the same on both sides of Evenkeel.
fn arrived_unchanged(went_in: &[Exchange], came_out: &[Exchange]) -> Result<()> {
    anyhow::ensure!(
        went_in.len() == came_out.len(),
        "{} went in, {} came out",
        went_in.len(),
        came_out.len()
    );
    for (before, behind) in went_in.iter().zip(came_out) {
        anyhow::ensure!(is_same(before, behind), "it went in as\n{before:?}\nand came out as\n{behind:?}");
    }
    Ok(())
}

fn is_same(before: &Exchange, behind: &Exchange) -> bool {
    if before.asked("x-watch").is_some() {
        // Cut short by one side or the other: only what was asked is there for sure.
        return before.request.blocks == behind.request.blocks;
    }
    if before.asked("x-fail").is_some() {
        // The server may answer before it has the request, and then nobody needs the rest of it (RFC 9113 §8.1).
        let (asked, arrived) = (&before.request, &behind.request);
        let answer =
            |one: &Exchange| (one.answer.blocks.clone(), one.answer.messages.clone(), one.answer.ended);
        return asked.blocks == arrived.blocks
            && asked.messages.starts_with(&arrived.messages)
            && answer(before) == answer(behind);
    }
    before == behind
}

/// Sees that the calls were what the test is about: one of the largest messages, compressed ones, an answer of trailers only,
/// a stream that was reset.
fn shows_what_it_should(server: &str, exchanges: &[Exchange]) -> Result<()> {
    let any = |is: &dyn Fn(&Exchange) -> bool| exchanges.iter().any(is);
    let large = |half: &Half| half.messages.iter().any(|message| message.length == LARGEST);
    let compressed = |half: &Half| half.messages.iter().any(|message: &Message| message.flag == 1);
    anyhow::ensure!(any(&|one| large(&one.request) && large(&one.answer)), "no message of 4 MiB");
    anyhow::ensure!(any(&|one| compressed(&one.request)), "no compressed request");
    // grpc-js does not compress answers.
    anyhow::ensure!(server == "node" || any(&|one| compressed(&one.answer)), "no compressed answer");
    anyhow::ensure!(any(&Exchange::is_trailers_only), "no answer of trailers only");
    let cancelled = |one: &Exchange| {
        one.asked("x-watch").is_some() && one.asked(":path").is_some_and(|path| path.ends_with("/Bidi"))
    };
    anyhow::ensure!(
        any(&|one| cancelled(one) && one.request.reset == Some(CANCEL)),
        "no stream that was cancelled"
    );
    Ok(())
}

#[test]
fn a_python_client_makes_every_kind_of_call() -> Result<()> {
    every_server_answers("python")
}

#[test]
fn a_node_client_makes_every_kind_of_call() -> Result<()> {
    every_server_answers("node")
}

#[test]
fn a_go_client_makes_every_kind_of_call() -> Result<()> {
    every_server_answers("go")
}

#[test]
fn a_java_client_makes_every_kind_of_call() -> Result<()> {
    every_server_answers("java")
}

#[test]
fn a_rust_client_makes_every_kind_of_call() -> Result<()> {
    every_server_answers("rust")
}
