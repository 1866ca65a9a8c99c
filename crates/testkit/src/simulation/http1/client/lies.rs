//! What clients of HTTP/1 get wrong: framings that contradict each other, heads that are none, bytes between messages,
//! heads that never end.
//!
//! Each ends its connection: nothing behind it may come to an endpoint, least of all the request that some hide there.

use super::Client;
use crate::simulation::http1::writer::Framing;
use crate::simulation::surroundings::Surroundings;
use std::time::Duration;

/// Beginnings that nobody may take for a request. Where two readers could differ, a request hides behind.
const WRONG: &[&str] = &[
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 44\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length : 0\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\r\n folded: line\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
    "GET / HTTP/1.1\nhost: a\n\n",
    "GET /a b HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET / HTTP/2.0\r\nhost: a\r\n\r\n",
    "GET / HTTP/1.10\r\nhost: a\r\n\r\n",
    "G(T / HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET a HTTP/1.1\r\nhost: a\r\n\r\n",
    "\0\x01\x02\x03\x04\x05\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\nexpect: everything\r\n\r\n",
];

/// What would be a request, if what stands before it were none.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";

impl Client {
    pub(super) fn lie(&mut self, around: &mut Surroundings) {
        // What is said behind a wish for another protocol is in that one, if it is agreed on.
        let asks_change = self.asked.iter().any(|asked| asked.tunnel.is_some());
        if self.has_ended_side || self.ends_side || asks_change || self.has_lied {
            return;
        }
        let kind = around.prng.below(10);
        around.ledger.lies += 1;
        around.note("client lies", &[u64::from(self.id), kind as u64]);
        let is_between = self.upload.is_none();
        if kind == 0 {
            // It neither reads nor acts for a while.
            let time = Duration::from_micros(around.prng.pick(&[10_000, 500_000, 15_000_000]) as u64);
            self.stalls_until = around.schedule.now() + time;
            return;
        }
        self.has_lied = true;
        if !is_between {
            // The body ends here, whatever was said of it.
            if let Some(asked) = self.asked.back() {
                around.ledger.distrust(asked.number);
            }
            let is_chunked = self.upload.take().is_some_and(|upload| upload.framing == Framing::Chunked);
            if is_chunked {
                let wrong = around.prng.pick(&[&b"\r\n"[..], b"zz\r\n", b"-1\r\n", b""]);
                self.out.extend_from_slice(wrong);
            }
            (self.is_last, self.ends_side) = (true, true);
            return;
        }
        self.is_last = true;
        match kind {
            // A head without an end.
            1 => self.out.extend_from_slice(b"GET / HTTP/1.1\r\nhost: a\r\nx-slow: "),
            2 => {
                self.out.extend_from_slice(b"GET / HTTP/1.1\r\nhost: a\r\n");
                for _ in 0..2_000 {
                    self.out.extend_from_slice(b"x-many: of them, and each one is long enough to count\r\n");
                }
                self.out.extend_from_slice(b"\r\n");
            }
            _ => {
                self.out.extend_from_slice(around.prng.pick(WRONG).as_bytes());
                self.out.extend_from_slice(HIDDEN.as_bytes());
            }
        }
        // What nobody may take for a request never gets one's answer; it waits for the end.
        self.ends_side = around.prng.chance(300);
    }
}
