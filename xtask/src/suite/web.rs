//! Installs what the peers suite runs: the web programs of `tests/clients` into the cache, and servers, browser and the Autobahn
//! suite from their packages. Knows what each needs; the peers suite runs what comes out.

use super::clients::{Words, needs, once, source, venv, words};
use crate::machine::{cache, install};
use crate::run;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files of a language's web program, in order of their names.
fn files(place: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let all = fs::read_dir(place).with_context(|| place.display().to_string())?;
    let mut files: Vec<_> = all.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == ending));
    files.sort();
    Ok(files)
}

pub(super) fn go() -> Result<Words> {
    needs(&["go"])?;
    let program = cache("clients")?.join("web-go");
    let mut build = Command::new("go");
    build.args(["build", "-mod=readonly", "-o"]).arg(&program).arg(".").current_dir(source("web-go"));
    run::quietly(&mut build)?;
    Ok(words([&program]))
}

pub(super) fn node() -> Result<Words> {
    needs(&["node", "npm"])?;
    let place = source("web-node");
    let mut all = files(&place, "js")?;
    all.extend(["package.json", "package-lock.json", ".npmrc"].map(|name| place.join(name)));
    let dir = once("web-node", &all, |dir| {
        for file in &all {
            fs::copy(file, dir.join(file.file_name().context("a file without a name")?))?;
        }
        run::quietly(Command::new("npm").args(["ci", "--ignore-scripts"]).current_dir(dir))
    })?;
    Ok(words([Path::new("node"), &dir.join("web.js")]))
}

pub(super) fn python() -> Result<Words> {
    let place = source("web-python");
    let venv = venv("web-python", &place.join("requirements.txt"))?;
    Ok(words([&venv.join("bin/python"), &place.join("web.py")]))
}

/// The JDK's own clients need nothing but the JDK.
pub(super) fn java() -> Result<Words> {
    needs(&["java", "javac"])?;
    let all = files(&source("web-java").join("evenkeel"), "java")?;
    let dir = once("web-java", &all, |dir| {
        run::quietly(Command::new("javac").args(["--release", "17", "-d"]).arg(dir).args(&all))
    })?;
    Ok(["java", "-cp", &dir.display().to_string(), "evenkeel.Web"].map(str::to_owned).into())
}

pub(super) fn curl() -> Result<Words> {
    install(&[("curl", "curl")])?;
    Ok(vec!["curl".to_owned()])
}

pub(super) fn chromium() -> Result<Words> {
    install(&[("chromium", "chromium"), ("openssl", "openssl")])?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join("chromium")).find(|file| file.is_file());
    Ok(words([&found.context("chromium is not on the path")?]))
}

/// The Autobahn suite is a program of Python 2.7, which a machine has or has not: it is not installed.
pub(super) fn autobahn() -> Result<Words> {
    let python = python_2()?;
    let requirements = source("autobahn").join("requirements.txt");
    let dir = once("autobahn", std::slice::from_ref(&requirements), |dir| {
        let tool = dir.join("virtualenv");
        let pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--target"];
        run::quietly(Command::new(&python).args(pip).arg(&tool).arg("virtualenv==16.7.10"))?;
        let mut make = Command::new(&python);
        make.args(["-m", "virtualenv", "--no-download", "--quiet"]).arg(dir.join("venv"));
        run::quietly(make.env("PYTHONPATH", &tool))?;
        let mut pip = Command::new(dir.join("venv/bin/pip"));
        run::quietly(pip.args(["install", "--quiet", "--no-deps", "-r"]).arg(&requirements))
    })?;
    Ok(words([&dir.join("venv/bin/wstest")]))
}

/// A Python 2.7 on the path, or among those of pyenv.
fn python_2() -> Result<PathBuf> {
    let mut candidates = ["python2.7", "python2", "pypy"].map(PathBuf::from).to_vec();
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
    let pyenv = std::env::var_os("PYENV_ROOT").map(PathBuf::from).or(home);
    let versions = pyenv.and_then(|pyenv| fs::read_dir(pyenv.join("versions")).ok()).into_iter().flatten();
    candidates.extend(versions.flatten().map(|version| version.path().join("bin/python2.7")));
    let asks = "import sys; sys.exit(sys.version_info[:2] != (2, 7))";
    let is_one = |python: &PathBuf| run::quietly(Command::new(python).args(["-c", asks])).is_ok();
    match candidates.into_iter().find(is_one) {
        Some(python) => Ok(python),
        None => bail!("there is no Python 2.7"),
    }
}

/// A server from its package, unless one of these files is there.
fn server(files: &[&str], package: &str) -> Result<Words> {
    let installed = || files.iter().find(|file| Path::new(file).is_file());
    if installed().is_none() {
        // Its name stands for a program that is not there, since where it is may not be on the path.
        install(&[(files[0], package)])?;
    }
    let found = installed().with_context(|| format!("{package} has no {}", files[0]))?;
    Ok(vec![(*found).to_owned()])
}

pub(super) fn sshd() -> Result<Words> {
    install(&[("ssh", "openssh-client")])?;
    server(&["/usr/sbin/sshd", "/usr/bin/sshd"], "openssh-server")
}

pub(super) fn postgresql() -> Result<Words> {
    let versions = || fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = || versions().map(|version| version.path().join("bin/initdb")).find(|file| file.is_file());
    if found().is_none() {
        install(&[("initdb", "postgresql")])?;
    }
    Ok(words([&found().context("postgresql has no initdb")?]))
}

pub(super) fn mariadb() -> Result<Words> {
    server(&["/usr/sbin/mariadbd", "/usr/bin/mariadbd"], "mariadb-server")
}

pub(super) fn redis() -> Result<Words> {
    server(&["/usr/bin/redis-server"], "redis-server")
}

pub(super) fn rabbitmq() -> Result<Words> {
    server(&["/usr/lib/rabbitmq/bin/rabbitmq-server"], "rabbitmq-server")
}
