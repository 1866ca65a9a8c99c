//! The Autobahn test suite's client against a real WebSocket server: direct, and through the balancer with the same verdict in
//! every case. `EVENKEEL_INTEROP_AUTOBAHN` names other cases than 1 to 7 and 10, by commas (`9.*,12.*,13.*` take long).

use anyhow::{Context, Result, ensure};
use evenkeel_interop::balancer::{Balancer, Upstream};
use evenkeel_interop::process::Process;
use evenkeel_interop::programs;
use evenkeel_interop::wait::until;
use evenkeel_interop::web::WebServer;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;
use tempfile::TempDir;

const CASES: &str = "1.*,2.*,3.*,4.*,5.*,6.*,7.*,10.*";
/// Longest time of a run: the long cases take a quarter of an hour.
const RUN: Duration = Duration::from_mins(45);

/// How each case and its close went, by the case's name.
type Verdicts = BTreeMap<String, (String, String)>;

fn run(target: &str) -> Result<Verdicts> {
    let dir = TempDir::new()?;
    let reports = dir.path().join("reports");
    let cases = std::env::var("EVENKEEL_INTEROP_AUTOBAHN").unwrap_or_else(|_| CASES.to_owned());
    let spec = json!({
        "outdir": reports.display().to_string(),
        "servers": [{"agent": "peer", "url": format!("ws://{target}/ws/echo")}],
        "cases": cases.split(',').collect::<Vec<_>>(),
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    let file = dir.path().join("spec.json");
    fs::write(&file, spec.to_string())?;
    let mut command = programs::command("autobahn")?;
    command.args(["-m", "fuzzingclient", "-s"]).arg(&file).current_dir(dir.path());
    let mut suite = Process::start("autobahn", &mut command)?;
    until("the suite ends", RUN, || suite.ended())?;
    suite.finish()?;
    let index: Value = serde_json::from_str(&fs::read_to_string(reports.join("index.json"))?)?;
    let cases = index["peer"].as_object().context("no report")?;
    let read = |case: &Value| -> Option<(String, String)> {
        Some((case["behavior"].as_str()?.to_owned(), case["behaviorClose"].as_str()?.to_owned()))
    };
    let verdicts = cases.iter().map(|(name, case)| Ok((name.clone(), read(case).context("not a verdict")?)));
    verdicts.collect()
}

#[test]
fn every_autobahn_case_has_the_same_verdict_direct_and_through() -> Result<()> {
    let server = WebServer::start("web-node", &["websocket-server"], 1)?;
    let direct = run(&server.addresses()[0])?;
    let well = direct.values().filter(|(behaviour, _)| behaviour == "OK").count();
    ensure!(well * 10 >= direct.len() * 9, "only {well} of {} are well direct: {direct:?}", direct.len());
    let balancer = Balancer::http(Upstream::H1, server.addresses())?;
    let through = run(balancer.address())?;
    println!("{} cases, {well} of them OK direct", direct.len());
    let differ = |name: &String| direct.get(name) != through.get(name);
    let different: Vec<_> = direct.keys().chain(through.keys()).filter(|name| differ(name)).collect();
    let shown: Vec<_> = different.iter().map(|&name| (name, direct.get(name), through.get(name))).collect();
    ensure!(shown.is_empty(), "(case, direct, through): {shown:?}");
    Ok(())
}
