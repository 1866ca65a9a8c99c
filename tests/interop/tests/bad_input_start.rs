//! What is wrong before or while Evenkeel starts: it says so in clear words, with the exit code that its help promises, or it
//! starts and serves what it can.

use anyhow::{Context, Result};
use evenkeel_interop::bystander::{Bystander, GoodServers};
use evenkeel_interop::call::grpc;
use evenkeel_interop::instance::{Instance, run_to_its_end, says};
use std::net::TcpListener;
use std::process::Output;
use tempfile::TempDir;

const MISTAKES: &str = "\
workers: many
admin: { bind: \"127.0.0.1:0\" }
listeners:
  - { name: web, bind: \"127.0.0.1:0\", servcie: a }
services:
  - name: a
    endpoints: { static: [] }
    balance: { policy: fastest }
";

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn check_and_run_both_tell_every_mistake_with_its_place_and_exit_with_1() -> Result<()> {
    for words in [&["check"][..], &["run", "--config"]] {
        let output = run_to_its_end(words, MISTAKES)?;
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        // A wrong type, an unknown key with its nearest name, what is missing for it, an empty list, an unknown word.
        says(
            &said,
            &[
                "5 mistakes",
                "evenkeel.yaml:1:10: workers: not a whole number\n    given:   many\n    allowed: a whole number",
                "evenkeel.yaml:4:5: listeners[0]: a key is missing",
                "evenkeel.yaml:4:39: listeners[0].servcie: unknown key",
                "did you mean `service`?",
                "evenkeel.yaml:7:26: services[0].endpoints.static: the list is empty",
                "evenkeel.yaml:8:24: services[0].balance.policy: unknown word\n    given:   fastest",
                "allowed: peak_ewma, least_request",
            ],
        )?;
    }
    Ok(())
}

#[test]
fn a_port_in_use_is_named_with_its_listener_and_nothing_runs() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?;
    let configuration = format!(
        "admin: {{ bind: \"127.0.0.1:0\" }}\n\
         listeners: [{{ name: web, bind: \"{address}\", service: a }}]\n\
         services: [{{ name: a, endpoints: {{ static: [\"127.0.0.1:1\"] }} }}]\n"
    );
    let output = run_to_its_end(&["run", "--config"], &configuration)?;
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    says(&said, &[&format!("evenkeel: listener web: cannot listen on {address}: "), "in use"])?;
    assert!(!said.contains("\"started\""), "{said}");
    Ok(())
}

/// A name below `.invalid` never resolves (RFC 6761 §6.4), whether a name server says so or there is none to ask.
#[test]
fn a_name_that_cannot_be_resolved_at_the_start_harms_its_own_service_only() -> Result<()> {
    let good = GoodServers::start()?;
    let configuration = format!(
        "workers: 2\n\
         admin: {{ bind: \"127.0.0.1:0\" }}\n\
         listeners:\n\
         - name: web\n\
         \x20 bind: \"127.0.0.1:0\"\n\
         \x20 routes: [{{ match: {{ path_prefix: /nowhere }}, service: nowhere }}, {{ service: good }}]\n\
         services:\n\
         - {{ name: good, endpoints: {{ static: {} }} }}\n\
         - {{ name: nowhere, endpoints: {{ dns: \"no-such-name.invalid:80\" }} }}\n",
        good.list(&[])
    );
    let mut evenkeel = Instance::start(TempDir::new()?, &configuration)?;
    let target = evenkeel.address("web")?;
    let bystander = Bystander::start(&mut evenkeel, &target, "good")?;

    let record = evenkeel.record("discovery fails", |record| record["event"] == "discovery_failed")?;
    assert_eq!((&record["service"], &record["source"]), (&"nowhere".into(), &"dns".into()));
    assert_eq!((&record["level"], &record["endpoints_kept"]), (&"warn".into(), &0.into()));
    let reason = record["reason"].as_str().context("no reason")?.to_owned();
    assert!(reason.starts_with("dns_"), "{record}");
    says(record["detail"].as_str().context("no detail")?, &["no-such-name.invalid"])?;
    let labels = [("service", "nowhere"), ("reason", &*reason)];
    evenkeel.until_metric("evenkeel_discovery_failures_total", &labels, |count| count >= 1.0)?;
    let age = evenkeel.metric("evenkeel_endpoints_age_seconds", &[("service", "nowhere")])?;
    assert_eq!(age, None, "there was no good answer that could have an age");

    let answer = grpc(&target, "/nowhere/Call")?;
    assert_eq!(answer.grpc().0, "14", "{answer:?}");
    says(answer.grpc().1, &["no_endpoint"])?;
    let labels = [("service", "nowhere"), ("outcome", "no_endpoint")];
    assert_eq!(evenkeel.metric("evenkeel_exchanges_unpicked_total", &labels)?, Some(1.0));
    bystander.noticed_nothing(&mut evenkeel)
}
