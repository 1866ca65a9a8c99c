//! The h2spec suite: HTTP/2 conformance by cases that others wrote, direct against a server and through Evenkeel, in cleartext
//! and over TLS. Through Evenkeel every case has to hold, whatever the server's own failures are.

use super::Outcome;
use crate::machine::{built, cache, cargo, install, tree};
use crate::run::{self, Cases};
use anyhow::{Context, Result, bail};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time until a server listens.
const START: Duration = Duration::from_secs(20);

pub(super) fn run() -> Result<Outcome> {
    if let Err(error) = install(&[("nghttpd", "nghttp2-server")]) {
        let cases = Cases { skipped: 1, ..Cases::default() };
        return Ok(Outcome { cases, not_run: vec![error.to_string()] });
    }
    let dir = cache("h2spec")?;
    let h2spec = dir.join("h2spec");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&h2spec).arg("github.com/summerwind/h2spec/cmd/h2spec");
    run::quietly(build.current_dir(tree().join("tests/h2spec")))?;
    if !run::aloud(&mut cargo(["build", "--release", "--locked", "-p", "evenkeel"]))? {
        bail!("evenkeel does not build");
    }
    std::fs::write(dir.join("index.html"), "an answer\n")?;
    let mut through = Cases::default();
    for way in [Way::Cleartext, Way::Tls] {
        through.add(&both(&dir, &h2spec, way)?);
    }
    Ok(Outcome { cases: through, not_run: Vec::new() })
}

/// What the cases go over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Cleartext,
    Tls,
}

/// Every case direct and through Evenkeel; the numbers of the latter.
fn both(dir: &Path, h2spec: &Path, way: Way) -> Result<Cases> {
    let (server_port, port) = (free_port()?, free_port()?);
    let (cert, key) = (dir.join("own.pem"), dir.join("own.key"));
    let mut nghttpd = Command::new("nghttpd");
    nghttpd.arg("-d").arg(dir);
    match way {
        Way::Cleartext => drop(nghttpd.arg("--no-tls").arg(server_port.to_string())),
        Way::Tls => {
            let mut make = Command::new("openssl");
            make.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
            make.args(["-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]);
            make.args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout"]).arg(&key).arg("-out").arg(&cert);
            run::quietly(&mut make)?;
            nghttpd.arg(server_port.to_string()).arg(&key).arg(&cert);
        }
    }
    let _server = Running::start(&mut nghttpd, server_port)?;
    let file = dir.join("evenkeel.yaml");
    std::fs::write(&file, configuration(way, port, server_port, &cert, &key))?;
    let mut evenkeel = Command::new(built("release").join("evenkeel"));
    let _evenkeel = Running::start(evenkeel.args(["run", "--config"]).arg(&file), port)?;
    let direct = cases(h2spec, server_port, way)?;
    println!("{way:?}, direct against nghttpd: {} passed, {} failed", direct.passed, direct.failed);
    let through = cases(h2spec, port, way)?;
    println!("{way:?}, through Evenkeel: {} passed, {} failed", through.passed, through.failed);
    Ok(through)
}

/// A listener and a service that both speak this way.
fn configuration(way: Way, port: u16, server_port: u16, cert: &Path, key: &Path) -> String {
    let (listener, service) = match way {
        Way::Cleartext => (String::new(), String::new()),
        Way::Tls => (
            format!(", tls: {{ certificates: [{{ cert: {cert:?}, key: {key:?} }}] }}"),
            ", tls: { verify: false }".to_owned(),
        ),
    };
    format!(
        "admin: {{ bind: off }}\nlisteners:\n- {{ name: h2spec, bind: \"127.0.0.1:{port}\", service: h2spec{listener} }}\n\
         services:\n- name: h2spec\n  endpoints: {{ static: [\"127.0.0.1:{server_port}\"] }}\n  \
         upstream: {{ protocol: h2{service} }}\n"
    )
}

/// A process that ends with its value.
struct Running(Child);

impl Running {
    /// Starts it and waits until it listens.
    fn start(command: &mut Command, port: u16) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Self(silent.spawn().with_context(|| format!("cannot start {name}"))?);
        let until = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > until {
                bail!("{name} does not listen on port {port}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Runs every case against a port; those that fail are shown.
fn cases(h2spec: &Path, port: u16, way: Way) -> Result<Cases> {
    let port = port.to_string();
    let tls: &[&str] = if way == Way::Tls { &["-t", "-k"] } else { &[] };
    let output = Command::new(h2spec).args(["-h", "127.0.0.1", "-p", &port, "-o", "3"]).args(tls).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let cases =
        text.lines().rev().find_map(counted).with_context(|| format!("h2spec counted nothing:\n{text}"))?;
    if let Some((_, failures)) = text.split_once("Failures:") {
        println!("{}", failures.trim_end());
    }
    Ok(cases)
}

/// The numbers of a line like `145 tests, 144 passed, 0 skipped, 1 failed`.
fn counted(line: &str) -> Option<Cases> {
    let number = |what: &str| {
        let part = line.trim().split(", ").find(|part| part.ends_with(what))?;
        part.split(' ').next()?.parse().ok()
    };
    number("tests").and_then(|_: u64| {
        Some(Cases { passed: number("passed")?, failed: number("failed")?, skipped: number("skipped")? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_numbers_is_read_and_no_other() {
        let cases = counted("145 tests, 144 passed, 0 skipped, 1 failed").unwrap();
        assert_eq!((cases.passed, cases.failed, cases.skipped), (144, 1, 0));
        assert!(counted("Finished in 0.1817 seconds").is_none());
        assert!(counted("").is_none());
    }
}
