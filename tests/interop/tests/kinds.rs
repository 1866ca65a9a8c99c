//! Every client calls every server, each kind of call once: direct, and through Evenkeel with the same result.

use anyhow::Result;
use evenkeel_interop::evenkeel::Evenkeel;
use evenkeel_interop::load::Load;
use evenkeel_interop::programs::{LANGUAGES, is_installed};
use evenkeel_interop::server::Server;
use std::time::Duration;

const KINDS: [&str; 6] = ["bidi", "client_stream", "metadata", "server_stream", "status", "unary"];

fn every_server_answers(client: &'static str) -> Result<()> {
    for language in LANGUAGES {
        if !is_installed(language)? {
            continue;
        }
        let server = Server::start(language, "only", Duration::ZERO)?;
        let evenkeel = Evenkeel::start(&[server.address()], "policy: peak_ewma")?;
        for (way, target) in
            [("direct", server.address()), ("through evenkeel", evenkeel.address().to_owned())]
        {
            let report = Load::start(client, &target, 10, &["--calls", "200", "--kinds"])?.report()?;
            let what = format!("{client} client, {language} server, {way}: {report:?}");
            assert_eq!(report.errors, 0, "{what}");
            assert_eq!(report.per_backend.get("only"), Some(&200), "{what}");
            assert_eq!(report.kinds.keys().collect::<Vec<_>>(), KINDS, "{what}");
            assert!(report.kinds.values().all(|said| said == "ok"), "{what}");
        }
    }
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
