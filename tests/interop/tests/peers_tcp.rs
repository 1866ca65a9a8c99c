//! Real servers and their real clients through a TCP tunnel: ssh with large copies, byte-exact; databases and a broker with the same
//! transcript direct and through; and a half-close that is kept. `EVENKEEL_INTEROP_SSH_MIB` says how large the copies are (64).

use anyhow::{Context, Result, ensure};
use evenkeel_interop::balancer::Balancer;
use evenkeel_interop::peers::Peer;
use evenkeel_interop::wait::DEADLINE;
use evenkeel_interop::web;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

const MIB: usize = 1 << 20;

/// A file of as many MiB as the environment says, in which no two blocks are the same.
fn large_file(dir: &Path) -> Result<PathBuf> {
    let size: usize = match std::env::var("EVENKEEL_INTEROP_SSH_MIB") {
        Ok(size) => size.parse()?,
        Err(_) => 64,
    };
    let path = dir.join("large");
    let mut file = File::create(&path)?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..size {
        let mut block = Vec::with_capacity(MIB);
        while block.len() < MIB {
            // xorshift64: cheap, and no compressor or copy of an older block gives it by chance.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.extend_from_slice(&state.to_le_bytes());
        }
        file.write_all(&block)?;
    }
    Ok(path)
}

fn are_the_same(one: &Path, other: &Path) -> Result<()> {
    let same = Command::new("cmp").args([one, other]).status()?.success();
    ensure!(same, "{} and {} differ", one.display(), other.display());
    Ok(())
}

fn ends_well(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn ssh_works(sshd: &Peer, target: &str) -> Result<()> {
    // An interactive shell: each line is asked for only when the answer to the one before was read.
    let mut shell = sshd.ssh("ssh", "-p", target);
    shell.args(["127.0.0.1", "sh"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = shell.spawn()?;
    let mut asks = shell.stdin.take().context("no input")?;
    let mut answers = BufReader::new(shell.stdout.take().context("no output")?);
    for number in 0..50 {
        writeln!(asks, "echo answer $(({number} * 2))")?;
        let mut answer = String::new();
        answers.read_line(&mut answer)?;
        assert_eq!(answer, format!("answer {}\n", number * 2));
    }
    drop(asks);
    assert_eq!(answers.read_line(&mut String::new())?, 0, "the shell ends with its input");
    ensure!(shell.wait()?.success(), "the shell ended badly");

    // A terminal, and the exit of what ran.
    let told = sshd.ssh("ssh", "-p", target).args(["-tt", "127.0.0.1", "tty && exit 7"]).output()?;
    assert_eq!(told.status.code(), Some(7));
    ensure!(String::from_utf8_lossy(&told.stdout).contains("/dev/pts/"), "no terminal: {told:?}");

    let large = large_file(sshd.dir())?;
    let (there, here) = (sshd.dir().join("there"), sshd.dir().join("here"));
    let remote = |file: &Path| format!("127.0.0.1:{}", file.display());
    ends_well(sshd.ssh("scp", "-P", target).arg(&large).arg(remote(&there)))?;
    are_the_same(&large, &there)?;
    ends_well(sshd.ssh("scp", "-P", target).arg(remote(&there)).arg(&here))?;
    are_the_same(&large, &here)?;

    // The same through pipes, where the end of the input is a half-close of the channel.
    let cat = format!("cat > {0} && cat {0}", there.display());
    let mut both = sshd.ssh("ssh", "-p", target);
    both.args(["127.0.0.1", &cat]).stdin(File::open(&large)?).stdout(File::create(&here)?);
    ensure!(both.status()?.success(), "the copy through pipes ended badly");
    are_the_same(&large, &here)
}

#[test]
fn an_sshd_client_has_its_shell_and_its_copies_byte_exact() -> Result<()> {
    let sshd = Peer::sshd()?;
    ssh_works(&sshd, sshd.address()).context("direct")?;
    let balancer = Balancer::tcp(sshd.address())?;
    ssh_works(&sshd, balancer.address()).context("through the balancer")
}

fn has_the_same_transcript(kind: &str, server: &Peer, lines: usize) -> Result<()> {
    let work = |target: &str| web::run("web-python", &["database", "--kind", kind, "--target", target]);
    let direct = work(server.address()).context("direct")?;
    ensure!(direct.lines().count() == lines, "direct, {lines} lines were expected:\n{direct}");
    let balancer = Balancer::tcp(server.address())?;
    let through = work(balancer.address()).context("through the balancer")?;
    assert_eq!(through, direct);
    Ok(())
}

#[test]
fn a_python_client_of_postgresql_has_the_same_transcript() -> Result<()> {
    has_the_same_transcript("postgresql", &Peer::postgresql()?, 25)
}

#[test]
fn a_python_client_of_mariadb_has_the_same_transcript() -> Result<()> {
    has_the_same_transcript("mariadb", &Peer::mariadb()?, 23)
}

#[test]
fn a_python_client_of_redis_has_the_same_transcript() -> Result<()> {
    has_the_same_transcript("redis", &Peer::redis()?, 26)
}

#[test]
fn a_python_client_of_rabbitmq_has_the_same_transcript() -> Result<()> {
    has_the_same_transcript("rabbitmq", &Peer::rabbitmq()?, 23)
}

/// A server that answers only what it has read to the end: with the number of bytes, then with all of them.
fn answers_after_the_end() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            thread::spawn(move || -> std::io::Result<()> {
                let mut asked = Vec::new();
                client.read_to_end(&mut asked)?;
                writeln!(client, "{}", asked.len())?;
                client.write_all(&asked)
            });
        }
    });
    Ok(address)
}

fn half_close_is_kept(target: &str) -> Result<()> {
    for length in [0, 1, 4 * MIB] {
        let asked: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
        let mut client = TcpStream::connect(target)?;
        client.set_read_timeout(Some(DEADLINE))?;
        client.write_all(&asked)?;
        client.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer)?;
        let expected = [format!("{length}\n").into_bytes(), asked].concat();
        ensure!(answer == expected, "{length} bytes were asked, {} came back", answer.len());
    }
    Ok(())
}

#[test]
fn who_sends_its_end_still_reads_the_answer() -> Result<()> {
    let server = answers_after_the_end()?;
    half_close_is_kept(&server).context("direct")?;
    let balancer = Balancer::tcp(&server)?;
    half_close_is_kept(balancer.address()).context("through the balancer")
}

/// The first connection that says so: whoever waited for the balancer to accept may have made one before.
fn who_says_hello(listener: &TcpListener) -> Result<TcpStream> {
    loop {
        let (mut server, _) = listener.accept()?;
        server.set_read_timeout(Some(DEADLINE))?;
        let mut said = [0; 5];
        if server.read_exact(&mut said).is_ok() && &said == b"hello" {
            return Ok(server);
        }
    }
}

/// A server that sends its end first and goes on to read, as a client does above.
#[test]
fn who_got_the_servers_end_may_still_send() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let balancer = Balancer::tcp(&listener.local_addr()?.to_string())?;
    let mut client = TcpStream::connect(balancer.address())?;
    client.set_read_timeout(Some(DEADLINE))?;
    client.write_all(b"hello")?;
    let mut server = who_says_hello(&listener)?;
    server.write_all(b"that is all")?;
    server.shutdown(Shutdown::Write)?;
    let mut heard = Vec::new();
    client.read_to_end(&mut heard)?;
    assert_eq!(heard, b"that is all");
    let more = vec![7; 2 * MIB];
    let sending = thread::spawn(move || -> std::io::Result<()> {
        client.write_all(&more)?;
        client.shutdown(Shutdown::Write)
    });
    let mut got = Vec::new();
    server.read_to_end(&mut got)?;
    sending.join().map_err(|_| anyhow::anyhow!("the client's thread died"))??;
    assert_eq!(got.len(), 2 * MIB);
    Ok(())
}
