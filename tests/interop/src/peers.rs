//! Real servers behind a TCP port, each with a directory and a configuration of its own on loopback: sshd, PostgreSQL, MariaDB,
//! Redis, RabbitMQ. Knows how each is started and ended; the peers tests use it.

use crate::evenkeel::free_address;
use crate::process::Process;
use crate::wait::{DEADLINE, until};
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsStr;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The user and the password of the databases' clients (`tests/clients/web-python/database.py`).
const USER: &str = "evenkeel";
const PASSWORD: &str = "on-loopback-only";

/// How long a server may take to start: RabbitMQ takes ten seconds of a free machine.
const START: Duration = Duration::from_mins(1);

/// A running server, ended when dropped.
#[derive(Debug)]
pub struct Peer {
    process: Process,
    // Held until the server has ended.
    beside: Vec<Process>,
    dir: TempDir,
    address: String,
}

impl Peer {
    /// An sshd that lets in the user of this test by the key that [`Peer::ssh`] uses.
    ///
    /// # Errors
    /// If it does not start.
    pub fn sshd() -> Result<Self> {
        let (dir, address) = place()?;
        for key in ["host", "user"] {
            let file = dir.path().join(key);
            done(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file))?;
        }
        let at = |name: &str| dir.path().join(name).display().to_string();
        let (host, port) = parts(&address)?;
        let config = format!(
            "ListenAddress {host}\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nPermitRootLogin prohibit-password\n\
             Subsystem sftp internal-sftp\n",
            at("host"),
            at("user.pub"),
        );
        fs::write(dir.path().join("sshd_config"), config)?;
        // It separates its privileges in there, where a service manager is usually who makes it.
        if is_root()? {
            fs::create_dir_all("/run/sshd")?;
        }
        let program = program("sshd", &["/usr/sbin", "/usr/bin"])?;
        let mut sshd = Command::new(program);
        sshd.args(["-D", "-e", "-f", &at("sshd_config")]);
        Self::start("sshd", sshd, dir, address, Vec::new())
    }

    /// A PostgreSQL with an empty cluster.
    ///
    /// # Errors
    /// If it does not start.
    pub fn postgresql() -> Result<Self> {
        let (dir, address) = place()?;
        let newest = newest_postgresql()?;
        let cluster = dir.path().join("cluster");
        let own = |name: &str| -> Result<Command> { as_user("postgres", dir.path(), newest.join(name)) };
        let words = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"];
        done(own("initdb")?.arg("-D").arg(&cluster).arg(format!("--username={USER}")).args(words))?;
        let (host, port) = parts(&address)?;
        let mut server = own("postgres")?;
        server
            .arg("-D")
            .arg(&cluster)
            .args(["-h", host, "-p", port, "-c", "fsync=off", "-k"])
            .arg(dir.path());
        let mut peer = Self::start("postgresql", server, dir, address, Vec::new())?;
        let ready = newest.join("pg_isready");
        let (host, port) = (host_of(&peer.address)?.to_owned(), port_of(&peer.address)?.to_owned());
        peer.ready(|| Ok(Command::new(&ready).args(["-q", "-h", &host, "-p", &port]).status()?.success()))?;
        Ok(peer)
    }

    /// A MariaDB with one database and one user.
    ///
    /// # Errors
    /// If it does not start.
    pub fn mariadb() -> Result<Self> {
        let (dir, address) = place()?;
        let (data, socket) = (dir.path().join("data"), dir.path().join("socket"));
        let (host, port) = parts(&address)?;
        let datadir = format!("--datadir={}", data.display());
        let install = program("mariadb-install-db", &["/usr/bin"])?;
        let common = ["--no-defaults", &datadir];
        let mut make = as_user("mysql", dir.path(), &install)?;
        done(make.args(common).args(["--auth-root-authentication-method=normal", "--skip-test-db"]))?;
        let init = dir.path().join("init.sql");
        let grant = format!(
            "CREATE DATABASE test_evenkeel;\nCREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON test_evenkeel.* TO {USER}@'%';\n"
        );
        fs::write(&init, grant)?;
        let mut server = as_user("mysql", dir.path(), &program("mariadbd", &["/usr/sbin", "/usr/bin"])?)?;
        server.args(common).args([&format!("--bind-address={host}"), &format!("--port={port}")]);
        server.args([&format!("--socket={}", socket.display()), &format!("--init-file={}", init.display())]);
        server.arg(format!("--pid-file={}", dir.path().join("pid").display()));
        // It accepts only when it has run the file.
        Self::start("mariadb", server, dir, address, Vec::new())
    }

    /// A Redis that keeps nothing.
    ///
    /// # Errors
    /// If it does not start.
    pub fn redis() -> Result<Self> {
        let (dir, address) = place()?;
        let (host, port) = parts(&address)?;
        let mut server = Command::new("redis-server");
        server
            .args(["--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir"])
            .arg(dir.path());
        Self::start("redis", server, dir, address, Vec::new())
    }

    /// A RabbitMQ with its own port mapper, which ends with it.
    ///
    /// # Errors
    /// If it does not start.
    pub fn rabbitmq() -> Result<Self> {
        let (dir, address) = place()?;
        let (host, port) = parts(&address)?;
        let (mapper, between) = (free_address()?, free_address()?);
        let epmd = program("epmd", &["/usr/bin"])?;
        let mut mapping = Command::new(epmd);
        mapping.args(["-address", "127.0.0.1", "-port", port_of(&mapper)?]);
        let mapping = Process::start("epmd", &mut mapping)?;
        until("epmd accepts", DEADLINE, || Ok(TcpStream::connect(&mapper).ok()))?;
        fs::write(dir.path().join("rabbitmq.conf"), format!("listeners.tcp.1 = {host}:{port}\n"))?;
        fs::write(dir.path().join("plugins"), "[].\n")?;
        fs::write(dir.path().join(".erlang.cookie"), "evenkeel-tests")?;
        let private = fs::Permissions::from_mode(0o400);
        fs::set_permissions(dir.path().join(".erlang.cookie"), private)?;
        // The program itself: what is on the path becomes another user.
        let mut server = Command::new(program("rabbitmq-server", &["/usr/lib/rabbitmq/bin"])?);
        server.env("HOME", dir.path()).env("RABBITMQ_CONFIG_FILE", dir.path().join("rabbitmq"));
        server.env("RABBITMQ_NODENAME", format!("peer{port}@localhost")).env("RABBITMQ_LOGS", "-");
        server.env("RABBITMQ_ENABLED_PLUGINS_FILE", dir.path().join("plugins"));
        server.env("RABBITMQ_MNESIA_BASE", dir.path().join("mnesia"));
        server.env("RABBITMQ_LOG_BASE", dir.path()).env("ERL_EPMD_PORT", port_of(&mapper)?);
        server.env("RABBITMQ_DIST_PORT", port_of(&between)?).env("ERL_EPMD_ADDRESS", "127.0.0.1");
        Self::start("rabbitmq", server, dir, address, vec![mapping])
    }

    fn start(
        name: &str,
        mut command: Command,
        dir: TempDir,
        address: String,
        beside: Vec<Process>,
    ) -> Result<Self> {
        let process = Process::start(name, command.current_dir(dir.path()))?;
        let mut peer = Self { process, beside, dir, address };
        let address = peer.address.clone();
        peer.ready(|| Ok(TcpStream::connect(&address).is_ok()))?;
        Ok(peer)
    }

    fn ready(&mut self, mut is: impl FnMut() -> Result<bool>) -> Result<()> {
        let process = &mut self.process;
        until("the server accepts", START, || match process.ended()? {
            Some(status) => bail!("it ended with {status}:\n{}", process.said()?),
            None => Ok(is()?.then_some(())),
        })
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A directory for a test's files, gone with the server.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// An `ssh`, `scp` or the like with the key and without the user's own configuration.
    #[must_use]
    pub fn ssh(&self, program: &str, port_flag: &str, target: &str) -> Command {
        let mut command = Command::new(program);
        let key = self.dir.path().join("user").display().to_string();
        let port = target.rsplit_once(':').map_or("", |(_, port)| port);
        command.args([
            "-F",
            "none",
            "-i",
            &key,
            port_flag,
            port,
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "BatchMode=yes",
        ]);
        command.args([
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
        ]);
        command
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // By its own way, so that its children end too; if it does not, dropping the process ends it.
        if self.process.terminate().is_ok() {
            let process = &mut self.process;
            let _late = until("the server ends", DEADLINE, || process.ended());
        }
        self.beside.clear();
    }
}

/// A directory that other users may look through, and a free address.
fn place() -> Result<(TempDir, String)> {
    let dir = TempDir::new()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
    Ok((dir, free_address()?))
}

fn parts(address: &str) -> Result<(&str, &str)> {
    address.rsplit_once(':').with_context(|| format!("no port: {address}"))
}

fn host_of(address: &str) -> Result<&str> {
    Ok(parts(address)?.0)
}

fn port_of(address: &str) -> Result<&str> {
    Ok(parts(address)?.1)
}

fn is_root() -> Result<bool> {
    Ok(Command::new("id").arg("-u").output()?.stdout == b"0\n")
}

/// A command of the package's own user where this is root, which databases refuse to be; the directory is then that user's.
fn as_user(user: &str, dir: &Path, program: impl AsRef<OsStr>) -> Result<Command> {
    if !is_root()? {
        return Ok(Command::new(program));
    }
    done(Command::new("chown").arg(user).arg(dir))?;
    let mut command = Command::new("setpriv");
    command
        .args([&format!("--reuid={user}"), &format!("--regid={user}"), "--init-groups", "--"])
        .arg(program);
    command.current_dir(dir);
    Ok(command)
}

/// A program that may not be on the path.
fn program(name: &str, places: &[&str]) -> Result<PathBuf> {
    let found = places.iter().map(|place| Path::new(place).join(name)).find(|file| file.is_file());
    found.with_context(|| format!("{name} is not installed"))
}

fn newest_postgresql() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("postgresql is not installed")?;
    let places = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    places.filter(|place| place.join("initdb").is_file()).max().context("postgresql is not installed")
}

fn done(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
    Ok(())
}
