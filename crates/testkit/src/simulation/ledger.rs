//! What was asked, who worked on it, what was answered, and how it ended: the judge of a simulation.
//!
//! Clients and endpoints both write here, around Evenkeel, so neither has to believe what Evenkeel delivers. Every rule
//! that is broken is an `Err` with a sentence.

use super::prng::Prng;
use std::sync::OnceLock;

/// Header fields in order.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A body: a part of [`pattern`], so that each byte has its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub from: usize,
    /// Number of bytes.
    pub length: usize,
}

/// Longest body.
pub const MOST_BODY: usize = 200 * 1024;
const PATTERN: usize = 512 * 1024;

/// Bytes without a period, in which bodies are spans.
#[must_use]
pub fn pattern() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut prng = Prng::new(4);
        (0..PATTERN / 8).flat_map(|_| prng.bits().to_le_bytes()).collect()
    })
}

impl Span {
    /// A body of this length, anywhere in the pattern.
    pub fn of(length: usize, prng: &mut Prng) -> Self {
        Self { from: prng.below(PATTERN - MOST_BODY), length: length.min(MOST_BODY) }
    }

    /// The bytes from `at` on, at most `most` of them.
    #[must_use]
    pub fn bytes(self, at: usize, most: usize) -> &'static [u8] {
        &pattern()[self.from + at..self.from + at + most.min(self.length - at)]
    }

    /// Whether these bytes are the body's at `at`.
    #[must_use]
    pub fn matches(self, at: usize, bytes: &[u8]) -> bool {
        at + bytes.len() <= self.length && self.bytes(at, bytes.len()) == bytes
    }
}

/// What an endpoint answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Final response headers.
    pub headers: Fields,
    /// Its body.
    pub body: Span,
    /// Trailers.
    pub trailers: Option<Fields>,
    /// It is said over HTTP/1.
    pub is_http1: bool,
}

/// One endpoint's meeting with a request.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Number of the endpoint.
    pub endpoint: u32,
    /// It worked on it, rather than refused it as untouched.
    pub is_processed: bool,
    /// What it (would have) answered.
    pub answer: Answer,
    /// The answer announces another length than it has: it must not look whole to anybody.
    pub is_broken: bool,
    /// It came over a connection that had been used before, and that may end between two messages: what is idempotent
    /// may be sent again then, whatever became of it (RFC 9110 §9.2.2).
    pub may_be_stale: bool,
}

/// How a request ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole answer came, byte by byte.
    Complete,
    /// An answer or a reset that says so.
    Failed(&'static str),
    /// The client itself gave up.
    Cancelled,
    /// The client's connection ended before.
    ConnectionLost,
    /// The client was told that it was not processed.
    Unprocessed,
}

/// A request as the client sent it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Number of the client.
    pub client: u32,
    /// Header fields.
    pub headers: Fields,
    /// Body.
    pub body: Span,
    /// Trailers.
    pub trailers: Option<Fields>,
    /// The endpoint sends the request's body back.
    pub wants_echo: bool,
    /// It has no body in its answer, whatever that announces.
    pub is_head: bool,
    /// Its answer has no fields by chance.
    pub is_plain: bool,
    /// It announces another length than it has: it must not look whole to an endpoint.
    pub is_broken: bool,
    /// It is sent over HTTP/1.
    pub is_http1: bool,
    /// The tunnel that it asks for.
    pub tunnel: Option<usize>,
    /// Final headers have come to its client.
    pub is_answered: bool,
    /// An endpoint broke the protocol while it worked on it, so whatever came of it may be wrong.
    pub is_distrusted: bool,
    /// Who met it.
    pub attempts: Vec<Attempt>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl Request {
    /// More than one endpoint worked on it.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.attempts.iter().filter(|a| a.is_processed).count() > 1
    }

    fn is_idempotent(&self) -> bool {
        self.headers.iter().any(|(name, value)| name == b":method" && (value == b"GET" || value == b"HEAD"))
    }
}

/// A tunnel: the first of each pair is the client's.
#[derive(Clone, Debug, Default)]
pub struct Tunnel {
    /// What each side sends in all.
    pub bytes: [Vec<u8>; 2],
    /// How much of the other's bytes came.
    pub got: [usize; 2],
    /// A side has sent all, and its end.
    pub has_finished: [bool; 2],
    /// The other's end came.
    pub has_heard_end: [bool; 2],
    /// Somebody broke it.
    pub is_broken: bool,
    /// A close frame of Evenkeel's own came.
    is_closed: [bool; 2],
    is_met: bool,
}

/// First byte of a close frame (RFC 6455 §5.5.1).
const CLOSE_FRAME: u8 = 0x88;

impl Tunnel {
    fn is_websocket(&self) -> bool {
        !self.bytes[0].starts_with(super::tunnel::MARK)
    }

    /// All went both ways.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.has_heard_end == [true, true]
    }
}

/// All requests of a run, by number.
#[derive(Debug, Default)]
pub struct Ledger {
    requests: Vec<Request>,
    tunnels: Vec<Tunnel>,
    /// Some route lets a request be sent again that an endpoint may have worked on.
    pub may_repeat: bool,
    /// Times that a peer broke a rule.
    pub lies: usize,
}

/// Most times that a request is sent, whatever a route's policy says.
pub const MOST_TRIES: usize = 6;

impl Ledger {
    /// The number that the next request gets.
    #[must_use]
    pub fn next_number(&self) -> usize {
        self.requests.len()
    }

    /// A client sends a request.
    pub fn begin(&mut self, request: Request) {
        self.requests.push(request);
    }

    /// A request by its number.
    #[must_use]
    pub fn request(&self, number: usize) -> Option<&Request> {
        self.requests.get(number)
    }

    /// All requests.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// An endpoint met a request; gives the attempt's index.
    ///
    /// # Errors
    /// It was processed before, or its client was told that it never will be.
    pub fn meet(&mut self, number: usize, attempt: Attempt) -> Result<usize, String> {
        let request = self.requests.get_mut(number).ok_or(format!("request {number} was never sent"))?;
        if request.attempts.len() >= MOST_TRIES {
            return Err(format!("request {number} is sent more than {MOST_TRIES} times"));
        }
        // Of what a liar says that it did not do, nobody can know.
        if attempt.is_processed && !request.is_distrusted {
            let is_idempotent = request.is_idempotent();
            let holds =
                |a: &&Attempt| a.is_processed && !self.may_repeat && !(is_idempotent && a.may_be_stale);
            if let Some(other) = request.attempts.iter().find(holds) {
                let (a, b) = (other.endpoint, attempt.endpoint);
                return Err(format!("request {number} is processed twice: by endpoint {a} and {b}"));
            }
            // Where a try that took too long may be followed by another, the first may be the later one to arrive.
            if request.is_answered && !self.may_repeat {
                return Err(format!("request {number} is sent again, and its answer has begun"));
            }
            if request.outcome == Some(Outcome::Unprocessed) {
                return Err(format!("request {number} is processed after its client heard that it is not"));
            }
        }
        request.attempts.push(attempt);
        Ok(request.attempts.len() - 1)
    }

    /// A request ended for its client.
    ///
    /// # Errors
    /// It had ended before, or ends as unprocessed although an endpoint has worked on it.
    pub fn end(&mut self, number: usize, outcome: Outcome) -> Result<(), String> {
        let request = self.requests.get_mut(number).ok_or(format!("request {number} was never sent"))?;
        if let Some(before) = request.outcome {
            return Err(format!("request {number} ends twice: {before:?}, then {outcome:?}"));
        }
        let is_processed = !request.is_distrusted && request.attempts.iter().any(|a| a.is_processed);
        if outcome == Outcome::Unprocessed && is_processed {
            return Err(format!("request {number} was processed, and its client heard that it was not"));
        }
        request.outcome = Some(outcome);
        Ok(())
    }

    /// The endpoint that works on a request breaks the protocol.
    pub fn distrust(&mut self, number: usize) {
        if let Some(request) = self.requests.get_mut(number) {
            request.is_distrusted = true;
        }
    }

    /// Final headers came to a request's client.
    pub fn answered(&mut self, number: usize) {
        if let Some(request) = self.requests.get_mut(number) {
            request.is_answered = true;
        }
    }

    /// The number that the next tunnel gets.
    #[must_use]
    pub fn next_tunnel(&self) -> usize {
        self.tunnels.len()
    }

    /// A client opens a tunnel; these are the bytes that it and its endpoint will send.
    pub fn open_tunnel(&mut self, bytes: [Vec<u8>; 2]) {
        self.tunnels.push(Tunnel { bytes, ..Tunnel::default() });
    }

    /// All tunnels.
    #[must_use]
    pub fn tunnels(&self) -> &[Tunnel] {
        &self.tunnels
    }

    /// An endpoint has a tunnel's first bytes.
    ///
    /// # Errors
    /// Another one has them too.
    pub fn meet_tunnel(&mut self, number: usize) -> Result<(), String> {
        let tunnel = self.tunnels.get_mut(number).ok_or(format!("tunnel {number} was never opened"))?;
        // A change of protocol that was agreed on and not heard of may be asked for again.
        if std::mem::replace(&mut tunnel.is_met, true) && tunnel.got[1] > 0 {
            return Err(format!("tunnel {number} came to two endpoints"));
        }
        Ok(())
    }

    /// All bytes that a side (0 is the client's) of a tunnel sends.
    #[must_use]
    pub fn tunnel_bytes(&self, number: usize, side: usize) -> &[u8] {
        &self.tunnels[number].bytes[side]
    }

    /// A side has sent all of its bytes and its end.
    pub fn tunnel_finished(&mut self, number: usize, side: usize) {
        self.tunnels[number].has_finished[side] = true;
    }

    /// Bytes came to a side.
    ///
    /// # Errors
    /// They are not the next ones of the other side.
    pub fn tunnel_got(&mut self, number: usize, side: usize, bytes: &[u8]) -> Result<(), String> {
        let tunnel = &mut self.tunnels[number];
        let (is_websocket, got) = (tunnel.is_websocket(), tunnel.got[side]);
        let next = &tunnel.bytes[side ^ 1][got..];
        let same = next.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        tunnel.got[side] += same;
        if same == bytes.len() || tunnel.is_closed[side] {
            return Ok(());
        }
        if is_websocket && bytes[same] == CLOSE_FRAME {
            (tunnel.is_closed[side], tunnel.is_broken) = (true, true);
            return Ok(());
        }
        let some = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
        Err(format!("tunnel {number}: side {side} got other bytes from {got} on: {some:?}"))
    }

    /// The end came to a side.
    ///
    /// # Errors
    /// The other side has not ended, or not all of it came.
    pub fn tunnel_ended(&mut self, number: usize, side: usize) -> Result<(), String> {
        let tunnel = &mut self.tunnels[number];
        let (got, whole) = (tunnel.got[side], tunnel.bytes[side ^ 1].len());
        // A WebSocket's frames say themselves whether they are whole.
        if tunnel.is_websocket() {
            tunnel.is_broken |= got < whole;
        } else if got < whole || !tunnel.has_finished[side ^ 1] {
            return Err(format!("tunnel {number}: side {side} hears an end at {got} of {whole} bytes"));
        }
        tunnel.has_heard_end[side] = true;
        Ok(())
    }

    /// A side broke it, or hears that it broke.
    pub fn tunnel_broke(&mut self, number: usize) {
        self.tunnels[number].is_broken = true;
    }

    /// Requests that ended so.
    pub fn count(&self, is_it: impl Fn(Outcome) -> bool) -> usize {
        self.requests.iter().filter(|r| r.outcome.is_some_and(&is_it)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.begin(Request {
            client: 0,
            headers: Vec::new(),
            body: Span::default(),
            trailers: None,
            wants_echo: false,
            is_head: false,
            is_plain: false,
            is_broken: false,
            is_http1: false,
            tunnel: None,
            is_answered: false,
            is_distrusted: false,
            attempts: Vec::new(),
            outcome: None,
        });
        ledger
    }

    fn attempt(is_processed: bool) -> Attempt {
        Attempt {
            endpoint: 0,
            is_processed,
            answer: Answer::default(),
            is_broken: false,
            may_be_stale: false,
        }
    }

    #[test]
    fn a_request_is_processed_once_and_ends_once() {
        let mut ledger = one();
        assert_eq!(ledger.meet(0, attempt(false)), Ok(0));
        assert_eq!(ledger.meet(0, attempt(true)), Ok(1));
        assert!(ledger.meet(0, attempt(true)).is_err());
        assert!(ledger.end(0, Outcome::Unprocessed).is_err());
        assert!(ledger.end(0, Outcome::Complete).is_ok());
        assert!(ledger.end(0, Outcome::Complete).is_err());
        assert!(ledger.meet(1, attempt(true)).is_err());
    }

    #[test]
    fn once_its_answer_has_begun_only_a_try_that_was_given_up_may_arrive() {
        let mut ledger = one();
        assert_eq!(ledger.meet(0, attempt(false)), Ok(0));
        ledger.answered(0);
        assert!(ledger.meet(0, attempt(true)).is_err());
        let mut ledger = Ledger { may_repeat: true, ..one() };
        assert_eq!(ledger.meet(0, attempt(true)), Ok(0));
        ledger.answered(0);
        assert_eq!(ledger.meet(0, attempt(true)), Ok(1));
    }

    #[test]
    fn nothing_is_sent_endlessly() {
        let mut ledger = one();
        assert!((0..MOST_TRIES).all(|_| ledger.meet(0, attempt(false)).is_ok()));
        assert!(ledger.meet(0, attempt(false)).is_err());
    }

    #[test]
    fn what_a_client_heard_is_unprocessed_is_not_processed_later() {
        let mut ledger = one();
        assert!(ledger.end(0, Outcome::Unprocessed).is_ok());
        assert!(ledger.meet(0, attempt(true)).is_err());
    }

    #[test]
    fn a_span_knows_its_bytes() {
        let span = Span { from: 10, length: 5 };
        assert!(span.matches(2, &pattern()[12..15]));
        assert!(!span.matches(2, &pattern()[12..16]));
        assert!(!span.matches(1, &pattern()[12..15]));
    }
}
