//! A hostile endpoint: a server that writes whatever frames its script wants. Each connection to it is a conversation on a
//! thread of its own, until the test's process ends.

use crate::block::Block;
use crate::frame::{self, Cutter, Frame, HEAD, PREFACE, flag, kind, setting};
use anyhow::Result;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What such an endpoint met.
#[derive(Debug, Default)]
pub struct Met {
    /// Connections to it.
    pub connections: AtomicU64,
    /// Requests.
    pub requests: AtomicU64,
    /// Requests that came to their end.
    pub whole_requests: AtomicU64,
    /// Frames that it sent.
    pub sent_frames: AtomicU64,
    /// Bytes that it sent.
    pub sent_bytes: AtomicU64,
}

/// A hostile endpoint.
#[derive(Clone, Debug)]
pub struct Hostile {
    address: String,
    met: Arc<Met>,
}

/// One connection to it, behind the client's preface.
#[derive(Debug)]
pub struct Conversation {
    stream: TcpStream,
    cutter: Cutter,
    met: Arc<Met>,
}

impl Hostile {
    /// Starts one that talks by this script.
    ///
    /// # Errors
    /// If there is no port.
    pub fn start(
        script: impl Fn(&mut Conversation) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let hostile = Self { address: listener.local_addr()?.to_string(), met: Arc::default() };
        let (met, script) = (hostile.met.clone(), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                met.connections.fetch_add(1, Ordering::Relaxed);
                let mut conversation = Conversation { stream, cutter: Cutter::default(), met: met.clone() };
                let script = script.clone();
                // A conversation ends when Evenkeel closes it: that is no fault of the script.
                thread::spawn(move || conversation.hear_preface().and_then(|()| script(&mut conversation)));
            }
        });
        Ok(hostile)
    }

    /// One that is not hostile at all: it answers every request when it has ended, and costs next to nothing.
    ///
    /// # Errors
    /// If there is no port.
    pub fn calm() -> Result<Self> {
        Self::start(|conversation| {
            conversation.greet(&[(setting::MAX_CONCURRENT_STREAMS, 1_000)])?;
            let answer =
                Block::ok().literal("content-type", b"application/grpc").literal("grpc-status", b"0");
            loop {
                let frame = conversation.frame()?;
                if frame.kind == kind::DATA && !frame.payload.is_empty() {
                    let length = (frame.payload.len() as u32).to_be_bytes();
                    conversation.send(kind::WINDOW_UPDATE, flag::NONE, 0, &length)?;
                }
                let is_message = matches!(frame.kind, kind::DATA | kind::HEADERS);
                conversation
                    .met
                    .requests
                    .fetch_add(u64::from(frame.kind == kind::HEADERS), Ordering::Relaxed);
                if is_message && frame.has(flag::END_STREAM) {
                    conversation.met.whole_requests.fetch_add(1, Ordering::Relaxed);
                    conversation.answer(frame.stream, &answer, flag::END_STREAM)?;
                }
            }
        })
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

impl Conversation {
    fn hear_preface(&mut self) -> io::Result<()> {
        let mut preface = vec![0; PREFACE.len()];
        self.stream.read_exact(&mut preface)
    }

    /// Sends these settings.
    ///
    /// # Errors
    /// If the connection is closed.
    pub fn greet(&mut self, settings: &[(u16, u32)]) -> io::Result<()> {
        self.send(kind::SETTINGS, flag::NONE, 0, &frame::settings(settings))
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// If the connection is closed.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let mut out = Vec::with_capacity(HEAD + payload.len());
        frame::put(&mut out, kind, flags, stream, payload);
        self.send_all(&out, 1)
    }

    /// Sends bytes that hold so many frames.
    ///
    /// # Errors
    /// If the connection is closed.
    pub fn send_all(&mut self, bytes: &[u8], frames: u64) -> io::Result<()> {
        self.met.sent_frames.fetch_add(frames, Ordering::Relaxed);
        self.met.sent_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.stream.write_all(bytes)
    }

    /// Answers with this header block.
    ///
    /// # Errors
    /// If the connection is closed.
    pub fn answer(&mut self, stream: u32, block: &Block, flags: u8) -> io::Result<()> {
        self.send(kind::HEADERS, flags | flag::END_HEADERS, stream, block.bytes())
    }

    /// The next frame; SETTINGS are acknowledged on the way.
    ///
    /// # Errors
    /// If the connection is closed.
    pub fn frame(&mut self) -> io::Result<Frame> {
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(frame) = self.cutter.next() {
                if frame.kind == kind::SETTINGS && !frame.has(flag::ACK) {
                    self.send(kind::SETTINGS, flag::ACK, 0, &[])?;
                }
                return Ok(frame);
            }
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.cutter.push(&chunk[..n]),
            }
        }
    }

    /// The stream of the next request.
    ///
    /// # Errors
    /// If the connection is closed.
    pub fn request(&mut self) -> io::Result<u32> {
        loop {
            let frame = self.frame()?;
            if frame.kind == kind::HEADERS {
                self.met.requests.fetch_add(1, Ordering::Relaxed);
                return Ok(frame.stream);
            }
        }
    }

    /// Says nothing at all, not even what the protocol asks for, until the end.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn say_nothing(&mut self) -> io::Result<()> {
        while self.stream.read(&mut [0; 4096])? > 0 {}
        Ok(())
    }

    /// Hears whatever comes until the end.
    ///
    /// # Errors
    /// At the end.
    pub fn hear_out(&mut self) -> io::Result<()> {
        loop {
            self.request()?;
        }
    }
}
