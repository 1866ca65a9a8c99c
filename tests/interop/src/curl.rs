//! `curl`: many requests over one connection, and the kinds of exchange that only its command line reaches (HTTP/1.0, a body that
//! waits for `100 Continue`). Knows its options; `tests/clients/WEB.md` says what the server answers.

use crate::process::Process;
use crate::wait::until;
use crate::web::WebReport;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::time::Duration;

/// A large body, which goes both ways.
const LARGE: usize = 4 << 20;

/// `curl` against one target.
#[derive(Clone, Debug)]
pub struct Curl {
    target: String,
}

impl Curl {
    /// Asks this address.
    #[must_use]
    pub fn to(address: &str) -> Self {
        Self { target: format!("http://{address}") }
    }

    /// One process that makes so many requests.
    ///
    /// # Errors
    /// If it ends badly, or says what it should not.
    pub fn many(&self, requests: u64) -> Result<WebReport> {
        let mut command = self.command(&[
            "-w",
            "%{http_code} %header{x-backend} %header{x-protocol}\\n",
            "-o",
            "/dev/null",
        ]);
        command.arg(format!("{}/?number=[1-{requests}]", self.target));
        let mut process = Process::start("curl", &mut command)?;
        until("curl ends", Duration::from_mins(2), || process.ended())?;
        process.finish()?;
        let said = process.said()?;
        let mut report = WebReport {
            requests: 0,
            errors: 0,
            per_backend: BTreeMap::new(),
            protocols: BTreeMap::new(),
            kinds: BTreeMap::new(),
            said: String::new(),
        };
        for line in said.lines() {
            report.requests += 1;
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["200", backend, protocol] => {
                    *report.per_backend.entry(backend.to_owned()).or_default() += 1;
                    *report.protocols.entry(protocol.to_owned()).or_default() += 1;
                }
                _ => report.errors += 1,
            }
        }
        Ok(report)
    }

    /// Makes each kind of exchange once.
    ///
    /// # Errors
    /// What did not go as it should.
    pub fn every_kind(&self) -> Result<()> {
        let dir = tempfile::TempDir::new()?;
        let file = dir.path().join("large");
        let large: Vec<u8> = (0..LARGE).map(|place| (place % 251) as u8).collect();
        std::fs::write(&file, &large)?;
        let file = file.display().to_string();

        let old = self.ask("/", &["--http1.0", "-i"])?;
        let text = String::from_utf8_lossy(&old);
        ensure!(text.starts_with("HTTP/1.") && text.contains(" 200 "), "HTTP/1.0: {text}");
        ensure!(text.ends_with("only\n"), "HTTP/1.0: {text}");
        // HTTP/1.0 knows no chunks: the body ends with the connection.
        let unframed = self.ask("/trailers", &["--http1.0", "--raw"])?;
        ensure!(unframed == b"part one\npart two\n", "HTTP/1.0: {:?}", String::from_utf8_lossy(&unframed));
        let posted = self.ask("/echo", &["--http1.0", "--data-binary", "an old body"])?;
        ensure!(posted == b"an old body", "HTTP/1.0: {:?}", String::from_utf8_lossy(&posted));

        let head = self.ask("/", &["-I"])?;
        let head = String::from_utf8_lossy(&head).to_lowercase();
        ensure!(head.contains("content-length: 5") && !head.contains("only\n"), "HEAD: {head}");

        // A body of more than a MiB waits for `100 Continue`, which is then the first answer.
        let heads = dir.path().join("heads").display().to_string();
        let back = self.ask(
            "/echo",
            &["--data-binary", &format!("@{file}"), "-D", &heads, "--expect100-timeout", "20"],
        )?;
        ensure!(back == large, "{} bytes came back, not the same", back.len());
        let heads = std::fs::read_to_string(heads)?;
        ensure!(heads.starts_with("HTTP/1.1 100"), "the first answer: {heads}");

        let chunked = ["-X", "POST", "-H", "Transfer-Encoding: chunked", "-H", "Expect:", "-T", &file];
        ensure!(self.ask("/echo", &chunked)? == large, "what went in chunks came back otherwise");

        for code in ["204", "304"] {
            let status = self.ask(&format!("/status/{code}"), &["-w", "%{http_code} %{size_download}"])?;
            ensure!(status == format!("{code} 0").as_bytes(), "{}", String::from_utf8_lossy(&status));
        }
        Ok(())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("curl");
        command.args(["-q", "-sS", "--noproxy", "*", "--max-time", "60"]).args(words);
        command
    }

    /// What it printed for one request.
    fn ask(&self, path: &str, words: &[&str]) -> Result<Vec<u8>> {
        let Output { status, stdout, stderr } =
            self.command(words).arg(format!("{}{path}", self.target)).output().context("cannot run curl")?;
        ensure!(status.success(), "curl {words:?} {path}: {}", String::from_utf8_lossy(&stderr));
        Ok(stdout)
    }
}
