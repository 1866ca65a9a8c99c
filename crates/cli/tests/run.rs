//! `evenkeel run` as a process: it starts, tells where it listens, obeys signals and ends with its report.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

/// A running program, whose log is read line by line. Killed when the test fails before it ended.
struct Running {
    process: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
            .arg("run")
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let log = BufReader::new(process.stderr.take().unwrap()).lines();
        Self { process, log }
    }

    /// Reads the log up to the next record of this name. The log's end fails the test.
    fn wait_for(&mut self, event: &str) -> Value {
        for line in self.log.by_ref() {
            let record: Value = serde_json::from_str(&line.unwrap()).expect("each line is an object");
            if record["event"] == event {
                return record;
            }
        }
        panic!("the log ended without {event}");
    }

    fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write_config(path: &Path, endpoint: &str) {
    let text = format!(
        "admin: {{ bind: \"127.0.0.1:0\" }}\n\
         drain: {{ deadline: 5s, propagation_delay: 0s }}\n\
         listeners: [{{ name: web, bind: \"127.0.0.1:0\", service: a }}]\n\
         services: [{{ name: a, endpoints: {{ static: [\"{endpoint}\"] }} }}]\n"
    );
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_process_serves_its_admin_api_reloads_on_hangup_and_drains_on_terminate() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("evenkeel.yaml");
    write_config(&path, "127.0.0.1:1");
    let mut running =
        Running::start(&["--config", path.to_str().unwrap(), "--workers", "1", "--log", "json"]);
    assert_eq!(running.wait_for("started")["workers"], 1);
    let admin = running.wait_for("admin_bound");

    let mut stream = TcpStream::connect(admin["address"].as_str().unwrap()).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    running.signal("HUP");
    running.wait_for("configuration_unchanged");
    write_config(&path, "127.0.0.1:2");
    running.wait_for("configuration_applied");

    running.signal("TERM");
    assert_eq!(running.wait_for("drain_began")["trigger"], "sigterm");
    assert_eq!(running.wait_for("drain_ended")["reason"], "drain_finished");
    assert_eq!(running.process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_signal_ends_a_drain_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("evenkeel.yaml");
    write_config(&path, "127.0.0.1:1");
    let slow = std::fs::read_to_string(&path)
        .unwrap()
        .replace("deadline: 5s, propagation_delay: 0s", "deadline: 1h, propagation_delay: 1h");
    std::fs::write(&path, slow).unwrap();
    let mut running =
        Running::start(&["--config", path.to_str().unwrap(), "--workers", "1", "--log", "json"]);
    running.wait_for("started");
    running.signal("TERM");
    assert_eq!(running.wait_for("drain_began")["deadline_ms"], 3_600_000);
    running.signal("INT");
    assert_eq!(running.wait_for("drain_began")["deadline_ms"], 0);
    running.wait_for("drain_ended");
    assert_eq!(running.process.wait().unwrap().code(), Some(0));
}

#[test]
fn an_admin_port_in_use_is_a_clear_error_and_the_process_ends() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let flags = ["run", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "--admin", &address];
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel")).args(flags).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with(&format!("evenkeel: admin: cannot listen on {address}: ")), "{error}");
    assert_eq!(error.matches("in use").count(), 1, "the cause once: {error}");
}
