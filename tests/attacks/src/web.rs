//! HTTP/1 endpoints byte by byte: a calm one behind `/web`, and such as say whatever their script wants.

use anyhow::Result;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What the calm one says.
pub const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// What the calm one says to whoever asks for a WebSocket; it says all that comes afterwards again.
pub const SWITCHES: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// How much the calm one answers to a request for `/web/large`.
pub const LARGE: usize = 8 << 20;

/// What is said at once of much.
const PART: &[u8] = &[b'x'; 64 * 1024];

/// What an endpoint met.
#[derive(Debug, Default)]
pub struct Met {
    /// Connections.
    pub connections: AtomicU64,
    /// Heads of requests.
    pub requests: AtomicU64,
    /// Bytes behind heads.
    pub bytes: AtomicU64,
}

/// An endpoint.
#[derive(Clone, Debug)]
pub struct Web {
    address: String,
    met: Arc<Met>,
}

/// One connection to it.
#[derive(Debug)]
pub struct Talk {
    stream: TcpStream,
    unread: Vec<u8>,
    met: Arc<Met>,
    /// Which connection of the endpoint it is, from 1.
    pub number: u64,
}

impl Web {
    /// Starts a calm one: it answers each request whatever its body is, says bytes again on a WebSocket, and in a tunnel of
    /// which the first line is `sink` reads all and says nothing, and of which it is `flood` says more than anybody reads.
    ///
    /// # Errors
    /// If there is no port.
    pub fn start() -> Result<Self> {
        Self::with(|talk| {
            loop {
                let head = talk.head()?;
                if head.starts_with(b"sink") {
                    return talk.hear_out();
                }
                if head.starts_with(b"flood") {
                    loop {
                        talk.say(PART)?;
                    }
                }
                if head.windows(18).any(|w| w.eq_ignore_ascii_case(b"upgrade: websocket")) {
                    talk.say(SWITCHES)?;
                    return talk.echo();
                }
                if head.starts_with(b"GET /web/large") {
                    talk.say(format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n").as_bytes())?;
                    for _ in 0..LARGE / PART.len() {
                        talk.say(PART)?;
                    }
                    continue;
                }
                talk.body(&head)?;
                talk.say(ANSWER)?;
            }
        })
    }

    /// Starts one that talks by this script.
    ///
    /// # Errors
    /// If there is no port.
    pub fn with(script: impl Fn(&mut Talk) -> io::Result<()> + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let web = Self { address: listener.local_addr()?.to_string(), met: Arc::default() };
        let (met, script) = (web.met.clone(), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = met.connections.fetch_add(1, Ordering::Relaxed) + 1;
                let (met, script) = (met.clone(), script.clone());
                thread::spawn(move || {
                    let mut talk = Talk { stream, unread: Vec::new(), met, number };
                    // It ends when Evenkeel closes it: that is no fault of the script.
                    talk.stream.set_nodelay(true).and_then(|()| script(&mut talk))
                });
            }
        });
        Ok(web)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it met.
    #[must_use]
    pub fn met(&self) -> &Met {
        &self.met
    }
}

impl Talk {
    fn more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                self.unread.extend_from_slice(&chunk[..n]);
                Ok(())
            }
        }
    }

    /// The next head, or a tunnel's first line.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn head(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let is_line = |end: &[u8]| self.unread.windows(end.len()).position(|w| w == end);
            let end = is_line(b"\r\n\r\n").map(|at| at + 4);
            let line = is_line(b"\n")
                .filter(|_| self.unread.starts_with(b"sink") || self.unread.starts_with(b"flood"));
            if let Some(end) = end.or(line.map(|at| at + 1)) {
                self.met.requests.fetch_add(1, Ordering::Relaxed);
                return Ok(self.unread.drain(..end).collect());
            }
            self.more()?;
        }
    }

    /// Reads the body behind a head to its end.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn body(&mut self, head: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(head).to_ascii_lowercase();
        let length =
            text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if let Some(mut left) = length {
            while left > 0 {
                if self.unread.is_empty() {
                    self.more()?;
                }
                let n = left.min(self.unread.len());
                self.unread.drain(..n);
                self.met.bytes.fetch_add(n as u64, Ordering::Relaxed);
                left -= n;
            }
        } else if text.contains("transfer-encoding: chunked") {
            // Nobody sends the last chunk's bytes inside a chunk here.
            loop {
                let end = self.unread.windows(5).position(|w| w == b"0\r\n\r\n");
                let n = end.map_or(self.unread.len().saturating_sub(4), |at| at + 5);
                self.met.bytes.fetch_add(n as u64, Ordering::Relaxed);
                self.unread.drain(..n);
                if end.is_some() {
                    break;
                }
                self.more()?;
            }
        }
        Ok(())
    }

    /// Says something.
    ///
    /// # Errors
    /// When the connection is closed.
    pub fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says all that comes again.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn echo(&mut self) -> io::Result<()> {
        loop {
            let bytes = std::mem::take(&mut self.unread);
            self.met.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            self.say(&bytes)?;
            self.more()?;
        }
    }

    /// Reads all until the end.
    ///
    /// # Errors
    /// At the end.
    pub fn hear_out(&mut self) -> io::Result<()> {
        loop {
            let n = self.unread.len();
            self.met.bytes.fetch_add(n as u64, Ordering::Relaxed);
            self.unread.clear();
            self.more()?;
        }
    }
}
