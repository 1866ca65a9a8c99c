//! Files that become bad while Evenkeel runs: what ran goes on, the mistake is told, and a mended file is taken up again.

use anyhow::{Context, Result};
use evenkeel_interop::bystander::{Bystander, GoodServers};
use evenkeel_interop::instance::{Instance, replace, says};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use tempfile::TempDir;

/// How many records there are of this event.
fn count(evenkeel: &Instance, event: &str) -> Result<usize> {
    Ok(evenkeel.records()?.iter().filter(|record| record["event"] == event).count())
}

#[test]
fn an_endpoints_file_that_breaks_or_goes_keeps_the_last_good_list_until_it_is_mended() -> Result<()> {
    let good = GoodServers::start()?;
    let dir = TempDir::new()?;
    let file = dir.path().join("endpoints.yaml");
    let well = format!("endpoints: {}\n", good.list(&[]));
    fs::write(&file, &well)?;
    let configuration = format!(
        "workers: 2\n\
         admin: {{ bind: \"127.0.0.1:0\" }}\n\
         listeners: [{{ name: web, bind: \"127.0.0.1:0\", service: good }}]\n\
         services: [{{ name: good, endpoints: {{ file: \"{}\" }} }}]\n",
        file.display()
    );
    let mut evenkeel = Instance::start(dir, &configuration)?;
    let target = evenkeel.address("web")?;
    let bystander = Bystander::start(&mut evenkeel, &target, "good")?;
    let age = "evenkeel_endpoints_age_seconds";
    let failures = "evenkeel_discovery_failures_total";

    let broken = "endpoints: [{ address: \"127.0.0.1:80\", state: dead }]\n";
    for (reason, part) in [("file_mistakes", "unknown word"), ("file_unreadable", "No such file")] {
        match reason {
            "file_mistakes" => replace(&file, broken)?,
            _ => fs::remove_file(&file)?,
        }
        let record = evenkeel.record_of("discovery_failed", reason)?;
        assert_eq!((&record["service"], &record["source"]), (&"good".into(), &"file".into()));
        assert_eq!((&record["level"], &record["endpoints_kept"]), (&"warn".into(), &2.into()));
        says(record["detail"].as_str().context("no detail")?, &["endpoints.yaml", part])?;
        evenkeel.until_metric(failures, &[("service", "good"), ("reason", reason)], |count| count >= 1.0)?;
        bystander.goes_on(&mut evenkeel)?;
    }
    // The answer grows old, as a dashboard sees it.
    evenkeel.until_metric(age, &[("service", "good")], |seconds| seconds > 1.0)?;
    replace(&file, &well)?;
    evenkeel.record("discovery recovers", |record| record["event"] == "discovery_recovered")?;
    evenkeel.until_metric(age, &[("service", "good")], |seconds| seconds < 1.0)?;
    assert_eq!(count(&evenkeel, "endpoint_removed")?, 0, "an endpoint was taken for gone");
    bystander.noticed_nothing(&mut evenkeel)
}

#[test]
fn a_configuration_with_mistakes_is_refused_by_file_change_and_by_hangup_and_the_running_one_stays()
-> Result<()> {
    let good = GoodServers::start()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let with = |more: &str| {
        format!(
            "workers: 2\n\
             admin: {{ bind: \"127.0.0.1:0\" }}\n\
             listeners:\n\
             - {{ name: web, bind: \"127.0.0.1:0\", service: good }}\n\
             {more}\
             services: [{{ name: good, endpoints: {{ static: {} }} }}]\n",
            good.list(&[])
        )
    };
    let mut evenkeel = Instance::start(TempDir::new()?, &with(""))?;
    let target = evenkeel.address("web")?;
    let bystander = Bystander::start(&mut evenkeel, &target, "good")?;
    let (reloads, rejected) = ("evenkeel_config_reloads_total", [("result", "rejected")]);
    let mistakes_in = |record: &Value| record["mistakes"].to_string();

    // By the change of the file: all mistakes at once.
    evenkeel.configure(&with("- { name: more, bind: nowhere, servcie: good, max_sessions: many }\n"))?;
    evenkeel.until_metric(reloads, &rejected, |count| count >= 1.0)?;
    let record = evenkeel.record("a refusal", |record| record["event"] == "configuration_rejected")?;
    assert_eq!(record["level"], "error");
    says(&mistakes_in(&record), &["evenkeel.yaml:5", "bind", "servcie", "`service`", "max_sessions"])?;

    // By SIGHUP: the file is read again, and is as bad.
    evenkeel.hang_up()?;
    evenkeel.until_metric(reloads, &rejected, |count| count >= 2.0)?;
    bystander.goes_on(&mut evenkeel)?;

    // Well written, but its address is taken.
    let address = taken.local_addr()?;
    evenkeel.configure(&with(&format!("- {{ name: more, bind: \"{address}\", service: good }}\n")))?;
    let record = evenkeel.record("a refusal for the port", |record| {
        record["event"] == "configuration_rejected" && mistakes_in(record).contains("listener more")
    })?;
    says(&mistakes_in(&record), &[&address.to_string(), "in use"])?;
    evenkeel.until_metric(reloads, &rejected, |count| count >= 3.0)?;

    // Not there at all.
    fs::remove_file(evenkeel.dir().join("evenkeel.yaml"))?;
    evenkeel.until_metric(reloads, &rejected, |count| count >= 4.0)?;
    bystander.goes_on(&mut evenkeel)?;
    assert_eq!(count(&evenkeel, "configuration_applied")?, 0);

    // Mended: it runs.
    evenkeel.configure(&with("- { name: more, bind: \"127.0.0.1:0\", service: good }\n"))?;
    evenkeel.record("an application", |record| record["event"] == "configuration_applied")?;
    evenkeel.address("more")?;
    bystander.noticed_nothing(&mut evenkeel)
}
