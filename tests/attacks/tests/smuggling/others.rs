//! What other proxies make of the same requests: a table for readers, never a judgement.

use super::corpus::{Case, Then};
use super::{QUIET, statuses};
use anyhow::{Context, Result};
use evenkeel_attacks::recorder::{Record, Recorder};
use evenkeel_attacks::wire::Wire;
use evenkeel_interop::evenkeel::free_address;
use evenkeel_interop::process::Process;
use std::fmt::Write;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// A proxy before a recorder of its own.
struct Proxy {
    name: String,
    address: String,
    recorder: Recorder,
    process: Process,
    _dir: TempDir,
}

/// Writes the table, if that is asked for and they are installed.
pub(crate) fn write_down(cases: &[&Case]) -> Result<()> {
    if std::env::var_os("EVENKEEL_BLESS").is_none() {
        return Ok(());
    }
    let proxies = [haproxy()?, nginx()?];
    let mut text = format!(
        "# What proxies make of ambiguous requests\n\n\
         Each request of `crates/wire/tests/smuggling/corpus.rs`, sent to Evenkeel, {} and {} in their plainest configurations \
         before an HTTP/1 endpoint that records bytes. Evenkeel's column is what `tests/smuggling.rs` asserts; the others' are \
         what was seen when this file was written: the statuses that the client got, and what the endpoint read. A message in \
         another column is not a fault by itself: it is one where the endpoint reads it in another way than the proxy did. \
         `strange` marks bytes that our recorder does not read as one plain message. Written by \
         `EVENKEEL_BLESS=1 cargo xtask test --only attacks`.\n\n\
         | request | source | Evenkeel | {} | {} |\n| --- | --- | --- | --- | --- |\n",
        proxies[0].name, proxies[1].name, proxies[0].name, proxies[1].name
    );
    for case in cases {
        let seen = [proxies[0].sees(case)?, proxies[1].sees(case)?];
        writeln!(text, "| {} | {} | {} | {} | {} |", case.name, case.source, ours(case), seen[0], seen[1])?;
    }
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("SMUGGLING.md"), text)?;
    Ok(())
}

fn ours(case: &Case) -> String {
    let read = messages(case.reads.iter().map(|(line, body)| (*line, *body)));
    match case.then {
        Then::Refused(status) if read.is_empty() => status.to_string(),
        Then::Refused(status) => format!("200: {read}, then {status}"),
        Then::Waits => "waits".to_owned(),
        Then::Nothing => format!("200: {read}"),
    }
}

fn messages<'a>(all: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let each = all.map(|(line, body)| match body {
        [] => format!("`{}`", line.replace('|', "\\|")),
        body => format!("`{}` + {} bytes", line.replace('|', "\\|"), body.len()),
    });
    each.collect::<Vec<_>>().join(", ")
}

impl Proxy {
    fn sees(&self, case: &Case) -> Result<String> {
        drop(self.recorder.take());
        let mut wire = Wire::connect(&self.address, Arc::default())?;
        wire.send(case.bytes, 1);
        wire.until_quiet(QUIET);
        let status = match statuses(wire.heard()) {
            Ok(all) if all.is_empty() && wire.is_closed() => "closes".to_owned(),
            Ok(all) if all.is_empty() => "waits".to_owned(),
            Ok(all) => all.iter().map(|(status, _)| status.to_string()).collect::<Vec<_>>().join(" "),
            Err(_) => "an answer without a head".to_owned(),
        };
        drop(wire);
        let Record { messages: met, faults, .. } = self.recorder.take();
        let read = messages(met.iter().map(|message| (message.line.as_str(), message.body.as_slice())));
        let strange = if faults.is_empty() { "" } else { " (strange)" };
        Ok(if read.is_empty() { format!("{status}{strange}") } else { format!("{status}: {read}{strange}") })
    }
}

fn version(program: &str) -> Result<String> {
    let output = Command::new(program).arg("-v").output().with_context(|| format!("no {program}"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let is_version = |word: &&str| word.contains('.') && word.chars().any(|c| c.is_ascii_digit());
    let word = said.lines().next().unwrap_or_default().split([' ', '/']).find(is_version).unwrap_or_default();
    let digits: String = word.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    Ok(format!("{} {digits}", if program == "haproxy" { "HAProxy" } else { "nginx" }))
}

fn haproxy() -> Result<Proxy> {
    let (dir, address, recorder) = (TempDir::new()?, free_address()?, Recorder::start()?);
    let file = dir.path().join("haproxy.cfg");
    let text = format!(
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
         frontend web\n  bind {address}\n  default_backend behind\n\
         backend behind\n  server one {}\n",
        recorder.address()
    );
    fs::write(&file, text)?;
    let process = Process::start("haproxy", Command::new("haproxy").args(["-db", "-f"]).arg(&file))?;
    standing(Proxy { name: version("haproxy")?, address, recorder, process, _dir: dir })
}

fn nginx() -> Result<Proxy> {
    let (dir, address, recorder) = (TempDir::new()?, free_address()?, Recorder::start()?);
    let file = dir.path().join("nginx.conf");
    let place = dir.path().display();
    let text = format!(
        "daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log {place}/errors;\nevents {{}}\n\
         http {{\n  access_log off;\n  client_body_temp_path {place}/a; proxy_temp_path {place}/b; fastcgi_temp_path {place}/c;\n\
         \x20 uwsgi_temp_path {place}/d; scgi_temp_path {place}/e;\n\
         \x20 upstream behind {{ server {}; keepalive 4; }}\n\
         \x20 server {{ listen {address}; location / {{ proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }}\n}}\n",
        recorder.address()
    );
    fs::write(&file, text)?;
    let process = Process::start(
        "nginx",
        Command::new("nginx").args(["-p", "."]).arg("-c").arg(&file).current_dir(dir.path()),
    )?;
    standing(Proxy { name: version("nginx")?, address, recorder, process, _dir: dir })
}

fn standing(mut proxy: Proxy) -> Result<Proxy> {
    let address = proxy.address.clone();
    proxy.process.until("it accepts", |_| Ok(TcpStream::connect(&address).ok()))?;
    Ok(proxy)
}
