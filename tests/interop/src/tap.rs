//! A tap on the wire: takes connections, makes one to the target for each, and keeps all that passes, changing nothing. Knows
//! nothing of what it carries; [`crate::transcript`] reads it.

use anyhow::Result;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What has passed on one connection.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    /// From the client on.
    pub asked: Vec<u8>,
    /// From the server on.
    pub answered: Vec<u8>,
}

/// A running tap. It lives until the test's process ends.
#[derive(Debug)]
pub struct Tap {
    address: String,
    passed: Arc<Mutex<Vec<Passed>>>,
}

#[derive(Clone, Copy)]
enum Direction {
    Asked,
    Answered,
}

impl Tap {
    /// Starts one on a free port of loopback.
    ///
    /// # Errors
    /// If there is no port.
    pub fn start(target: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let passed = Arc::new(Mutex::new(Vec::new()));
        let (kept, target) = (passed.clone(), target.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Without a server its client is closed, which the test then sees.
                if let Ok(server) = TcpStream::connect(&target) {
                    let _gone = relay(client, server, &kept);
                }
            }
        });
        Ok(Self { address, passed })
    }

    /// Where it takes connections.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What has passed so far, by connection.
    #[must_use]
    pub fn passed(&self) -> Vec<Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections were made so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

fn relay(client: TcpStream, server: TcpStream, kept: &Arc<Mutex<Vec<Passed>>>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut connections = kept.lock().unwrap_or_else(PoisonError::into_inner);
    connections.push(Passed::default());
    let place = connections.len() - 1;
    drop(connections);
    let ways =
        [(client.try_clone()?, server.try_clone()?, Direction::Asked), (server, client, Direction::Answered)];
    for (from, to, direction) in ways {
        let kept = kept.clone();
        thread::spawn(move || {
            // The end of one side is the end of the other.
            let _gone = copy(from, &to, |bytes| {
                let mut connections = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let passed = &mut connections[place];
                match direction {
                    Direction::Asked => passed.asked.extend_from_slice(bytes),
                    Direction::Answered => passed.answered.extend_from_slice(bytes),
                }
            });
            let _gone = to.shutdown(Shutdown::Write);
        });
    }
    Ok(())
}

/// What arrives is kept before it is passed on: who has seen its effect finds it in the record.
fn copy(mut from: TcpStream, mut to: &TcpStream, mut keep: impl FnMut(&[u8])) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        keep(&buffer[..length]);
        to.write_all(&buffer[..length])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_kept_and_not_changed() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let tap = Tap::start(&server.local_addr().unwrap().to_string()).unwrap();
        let mut client = TcpStream::connect(tap.address()).unwrap();
        let (mut served, _) = server.accept().unwrap();
        let mut heard = [0; 3];
        client.write_all(b"ask").unwrap();
        served.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"ask");
        served.write_all(b"yes").unwrap();
        client.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"yes");
        let passed = tap.passed();
        assert_eq!(
            (passed.len(), &passed[0].asked[..], &passed[0].answered[..]),
            (1, &b"ask"[..], &b"yes"[..])
        );
    }
}
