//! What a peer hears: frames, counted as they come by a thread of its own, so that whoever attacks can go on writing.

use crate::frame::{Cutter, Frame, code, flag, kind};
use anyhow::{Result, bail};
use evenkeel_interop::wait::DEADLINE;
use std::collections::HashMap;
use std::io::Read;
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// Most streams of which ends are remembered.
const REMEMBERED: usize = 100_000;

/// All that came so far.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Frames by their type.
    pub frames: [u64; 10],
    /// Bytes of DATA.
    pub data_bytes: u64,
    /// Codes of RST_STREAM by stream.
    pub resets: HashMap<u32, u32>,
    /// First byte of the first header block by stream: 0x88 is status 200 (RFC 7541 appendix A).
    pub answers: HashMap<u32, u8>,
    /// Streams that ended by END_STREAM.
    pub ended: u64,
    /// Code and words of the last GOAWAY.
    pub goaway: Option<(u32, String)>,
    /// The connection is closed.
    pub is_closed: bool,
}

/// Where it is heard.
#[derive(Clone, Debug, Default)]
pub struct Ear(Arc<(Mutex<Heard>, Condvar)>);

impl Ear {
    /// Hears all that comes on this stream, on a thread of its own until its end.
    #[must_use]
    pub fn to(mut stream: TcpStream) -> Self {
        let ear = Self::default();
        let its = ear.clone();
        thread::spawn(move || {
            let (mut cutter, mut chunk) = (Cutter::default(), vec![0; 64 * 1024]);
            while let Ok(n @ 1..) = stream.read(&mut chunk) {
                cutter.push(&chunk[..n]);
                its.note(|heard| cutter.by_ref().for_each(|frame| heard.take(&frame)));
            }
            its.note(|heard| heard.is_closed = true);
        });
        ear
    }

    fn note(&self, change: impl FnOnce(&mut Heard)) {
        let (heard, news) = &*self.0;
        change(&mut heard.lock().unwrap_or_else(PoisonError::into_inner));
        news.notify_all();
    }

    /// All that came so far.
    #[must_use]
    pub fn so_far(&self) -> Heard {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks what came so far, without a copy.
    pub fn ask<T>(&self, question: impl FnOnce(&Heard) -> T) -> T {
        question(&self.0.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until it is as asked, and gives all that came until then.
    ///
    /// # Errors
    /// At the deadline, with what came instead.
    pub fn until(&self, what: &str, is: impl Fn(&Heard) -> bool) -> Result<Heard> {
        let (heard, news) = &*self.0;
        let end = Instant::now() + DEADLINE;
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        while !is(&heard) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!(
                    "not within {DEADLINE:?}: {what}; frames {:?}, GOAWAY {:?}",
                    heard.frames,
                    heard.goaway
                );
            }
            heard = news.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(heard.clone())
    }
}

impl Heard {
    /// How many frames of this type.
    #[must_use]
    pub fn count(&self, kind: u8) -> u64 {
        self.frames.get(usize::from(kind)).copied().unwrap_or(0)
    }

    /// The code of the last GOAWAY.
    #[must_use]
    pub fn goaway_code(&self) -> Option<u32> {
        self.goaway.as_ref().map(|(code, _)| *code)
    }

    /// Streams that ended, well or by a reset.
    #[must_use]
    pub fn ends(&self) -> u64 {
        self.ended + self.resets.len() as u64
    }

    /// Whether the peer ended the connection for a fault.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.is_closed && self.goaway_code() != Some(code::NO_ERROR)
    }

    fn take(&mut self, frame: &Frame) {
        if let Some(count) = self.frames.get_mut(usize::from(frame.kind)) {
            *count += 1;
        }
        match frame.kind {
            kind::DATA => self.data_bytes += frame.payload.len() as u64,
            kind::HEADERS if self.answers.len() < REMEMBERED => {
                self.answers
                    .entry(frame.stream)
                    .or_insert_with(|| frame.payload.first().copied().unwrap_or(0));
            }
            kind::RST_STREAM if self.resets.len() < REMEMBERED => {
                self.resets.insert(frame.stream, frame.word(0));
            }
            kind::GOAWAY => {
                let words = frame.payload.get(8..).unwrap_or_default();
                self.goaway = Some((frame.word(4), String::from_utf8_lossy(words).into_owned()));
            }
            _ => {}
        }
        if matches!(frame.kind, kind::DATA | kind::HEADERS) && frame.has(flag::END_STREAM) {
            self.ended += 1;
        }
    }
}
