//! What endpoints of HTTP/1 get wrong: heads that are none, framings that contradict each other, bytes that answer nobody,
//! answers that stop.
//!
//! The request that is lied about is marked in the ledger, and so is every later one of the same connection.

use super::conn::Conn;
use crate::simulation::surroundings::Surroundings;
use std::time::Duration;

const WRONG: &[&str] = &[
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n",
    "HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx : 1\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 999 OK\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nbytes",
    "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "\0\0\0\x04\0\0\0\0\0\r\n\r\n",
    "220 mail.example ESMTP\r\n",
];

/// A whole answer, to nobody.
const UNASKED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";

impl Conn {
    pub(super) fn lie(&mut self, index: u32, around: &mut Surroundings) {
        around.ledger.lies += 1;
        let kind = around.prng.below(10);
        around.note("endpoint lies", &[u64::from(index), u64::from(self.end.link), kind as u64]);
        if kind == 0 {
            let time = Duration::from_micros(around.prng.pick(&[10_000, 500_000, 5_000_000]) as u64);
            self.stalls_until = around.schedule.now() + time;
            return;
        }
        self.has_lied = true;
        if let Some(serving) = &self.serving {
            around.ledger.distrust(serving.number);
        }
        match (kind, &self.serving) {
            (1, _) => self.out.extend_from_slice(UNASKED.as_bytes()),
            (2, Some(serving)) if !serving.has_head => {
                for _ in 0..100 {
                    self.out.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
                }
            }
            (3, _) => {
                self.out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
                for _ in 0..4_000 {
                    self.out.extend_from_slice(b"x-many: of them, and each one is long enough to count\r\n");
                }
                self.out.extend_from_slice(b"\r\n");
            }
            // The end, wherever it stands.
            (4 | 5, _) => {}
            _ => self.out.extend_from_slice(around.prng.pick(WRONG).as_bytes()),
        }
        // Whatever came later could be taken for the answer to a request that it has not seen.
        self.is_ending = true;
    }
}
