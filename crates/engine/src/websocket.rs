//! What is known of one WebSocket: where the frames of its two directions end, what it was pinged with, and how it is to
//! end.
//!
//! Looks at bytes and says which of them go on; moves none. A header that was cut is held back, so that the receiver always
//! stands between two frames or inside a payload, and a frame of ours finds its place. `relay/websocket` acts on it.

use crate::side::Side;
use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
use evenkeel_core::time::Moment;
use evenkeel_wire::websocket::{Event, Fault, FrameTracker, Sender};

/// Octets of our pings' payload.
const PING_PAYLOAD: usize = 8;

/// Final pong.
const PONG: u8 = 0x8a;
const MASKED: u8 = 0x80;

/// A header that was cut: longest frame header, and a close code behind it.
const MOST_HELD: usize = 16;

/// Where a frame of ours may end a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Boundary {
    /// Behind any frame: what comes of the message is of no use any more.
    Frame,
    /// Behind a message.
    Message,
    /// Behind its close frame: what the sender says before it still arrives.
    Close,
}

/// How a WebSocket is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The close code for both peers.
    pub(crate) code: u16,
    pub(crate) boundary: Boundary,
    pub(crate) outcome: ExchangeOutcome,
    pub(crate) reason: CloseReason,
}

/// When a peer was last heard, and asked whether it is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) heard: Moment,
    /// The ping that nothing came after yet.
    pub(crate) pinged: Option<Moment>,
    /// The last ping's payload, until its pong came.
    payload: Option<[u8; PING_PAYLOAD]>,
}

/// Both peers' [`Heard`], where the service wants pings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pings {
    pub(crate) client: Heard,
    pub(crate) endpoint: Heard,
}

impl Pings {
    /// Both were just heard.
    pub(crate) fn new(now: Moment) -> Self {
        let heard = Heard { heard: now, pinged: None, payload: None };
        Self { client: heard, endpoint: heard }
    }

    pub(crate) fn of(&mut self, side: Side) -> &mut Heard {
        match side {
            Side::Client => &mut self.client,
            Side::Upstream => &mut self.endpoint,
        }
    }
}

impl Heard {
    /// A ping of this nonce goes out.
    pub(crate) fn ping(&mut self, now: Moment, nonce: [u8; 16]) -> [u8; PING_PAYLOAD] {
        let mut payload = [0; PING_PAYLOAD];
        payload.copy_from_slice(&nonce[..PING_PAYLOAD]);
        self.pinged = Some(now);
        self.payload = Some(payload);
        payload
    }

    fn hear(&mut self, now: Moment) {
        self.heard = now;
        self.pinged = None;
    }

    /// Whether a frame is the pong that answers our last ping.
    fn is_answer(&self, frame: &[u8]) -> bool {
        let Some(payload) = self.payload else { return false };
        match frame {
            [PONG, length, mask @ .., _, _, _, _, _, _, _, _]
                if usize::from(length & !MASKED) == PING_PAYLOAD =>
            {
                let said = &frame[frame.len() - PING_PAYLOAD..];
                match mask {
                    [] if length & MASKED == 0 => *said == payload,
                    [_, _, _, _] if length & MASKED != 0 => {
                        said.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).eq(payload)
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }
}

/// Bytes of a header that came before and were held back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    bytes: [u8; MOST_HELD],
    length: u8,
}

impl Held {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// What came of a slice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    /// What goes on before it.
    pub(crate) held: Held,
    /// So much of it goes on.
    pub(crate) goes_on: usize,
    /// The part of that which does not: the pong to a ping of ours.
    pub(crate) swallowed: Option<(usize, usize)>,
    /// Messages that ended in it.
    pub(crate) messages: u64,
    /// The code of a close frame that ended in it.
    pub(crate) closed: Option<Option<u16>>,
    /// What is wrong with the frame behind what goes on.
    pub(crate) fault: Option<Fault>,
    /// The WebSocket is to end.
    pub(crate) is_ordered: bool,
    /// The direction is to be ended here.
    pub(crate) is_at_end: bool,
}

/// A WebSocket.
#[derive(Debug)]
pub(crate) struct WebSocket {
    from_client: FrameTracker,
    from_endpoint: FrameTracker,
    /// Nothing of this sender goes on any more: we have ended its direction.
    is_client_cut: bool,
    is_endpoint_cut: bool,
    pub(crate) began: Moment,
    /// It is to end so, or ends.
    pub(crate) end: Option<End>,
    pub(crate) pings: Option<Box<Pings>>,
}

impl WebSocket {
    /// One that stands from now on.
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            from_client: FrameTracker::new(Sender::Client),
            from_endpoint: FrameTracker::new(Sender::Server),
            is_client_cut: false,
            is_endpoint_cut: false,
            began: now,
            end: None,
            pings: None,
        }
    }

    fn from(&self, side: Side) -> &FrameTracker {
        match side {
            Side::Client => &self.from_client,
            Side::Upstream => &self.from_endpoint,
        }
    }

    /// Whether nothing of this sender goes on any more.
    pub(crate) fn is_cut(&self, from: Side) -> bool {
        match from {
            Side::Client => self.is_client_cut,
            Side::Upstream => self.is_endpoint_cut,
        }
    }

    /// Nothing of this sender goes on from now.
    pub(crate) fn cut(&mut self, from: Side) {
        match from {
            Side::Client => self.is_client_cut = true,
            Side::Upstream => self.is_endpoint_cut = true,
        }
    }

    /// Whether this sender's close frame went by.
    pub(crate) fn is_closed(&self, from: Side) -> bool {
        self.from(from).is_closed()
    }

    /// Whether a frame of ours may stand here among those of this sender. A header that was cut is held back, so it is
    /// no obstacle, and what comes behind a close frame is nothing.
    pub(crate) fn is_at(&self, from: Side, boundary: Boundary) -> bool {
        let tracker = self.from(from);
        if self.is_cut(from) || tracker.is_closed() {
            return true;
        }
        match boundary {
            Boundary::Frame => tracker.is_between_frames() || !tracker.cut_header().is_empty(),
            // The header that was cut may be one of an open message, so it has to be whole first.
            Boundary::Message => tracker.is_between_messages(),
            Boundary::Close => false,
        }
    }

    /// Follows bytes of this sender.
    pub(crate) fn pass(&mut self, now: Moment, from: Side, bytes: &[u8]) -> Passed {
        let end = self.end;
        let Self { from_client, from_endpoint, pings, .. } = self;
        let tracker = match from {
            Side::Client => from_client,
            Side::Upstream => from_endpoint,
        };
        let mut heard = pings.as_mut().map(|pings| pings.of(from));
        if let Some(heard) = &mut heard {
            heard.hear(now);
        }
        pass(tracker, bytes, end.map(|end| end.boundary), heard)
    }
}

/// Follows bytes of one direction, to its next boundary of this kind if it is to end there.
fn pass(
    tracker: &mut FrameTracker,
    bytes: &[u8],
    until: Option<Boundary>,
    mut heard: Option<&mut Heard>,
) -> Passed {
    let mut passed = Passed { is_ordered: until.is_some(), ..Passed::default() };
    let before = tracker.cut_header();
    let (held, is_fresh) = (before.len(), tracker.is_between_frames());
    passed.held.bytes[..held].copy_from_slice(before);
    passed.held.length = held as u8;
    let mut input = bytes;
    // Where a frame begins, if that is known: behind the last event.
    let mut frame_at = is_fresh.then_some(0);
    loop {
        match tracker.next(&mut input) {
            Ok(Some(event)) => {
                let at = bytes.len() - input.len();
                match event {
                    Event::Message(_) => passed.messages += 1,
                    Event::Close(code) => passed.closed = Some(code),
                    Event::Pong => {
                        let frame = frame_at.map(|from| (from, at));
                        if let (Some((from, to)), Some(heard)) = (frame, &mut heard)
                            && heard.is_answer(&bytes[from..to])
                        {
                            heard.payload = None;
                            passed.swallowed = Some((from, to));
                        }
                    }
                    Event::Ping => {}
                }
                frame_at = Some(at);
                let is_there = match until {
                    None => false,
                    Some(Boundary::Frame) => true,
                    Some(Boundary::Message) => tracker.is_between_messages() || tracker.is_closed(),
                    Some(Boundary::Close) => tracker.is_closed(),
                };
                if is_there {
                    passed.goes_on = at;
                    passed.is_at_end = true;
                    return passed;
                }
            }
            Ok(None) => break,
            Err(fault) => {
                passed.goes_on = bytes.len() - input.len();
                passed.fault = Some(fault);
                if passed.goes_on == 0 {
                    passed.held = Held::default();
                }
                return passed;
            }
        }
    }
    let cut = tracker.cut_header().len();
    if cut > bytes.len() || (cut == held && bytes.is_empty()) {
        // The same header as before, and still not whole.
        passed.held = Held::default();
    } else {
        passed.goes_on = bytes.len() - cut;
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::ZERO;

    /// What goes on of these pieces of an endpoint's bytes, and the messages in it.
    fn passed(socket: &mut WebSocket, pieces: &[&[u8]]) -> (Vec<u8>, u64) {
        let (mut out, mut messages) = (Vec::new(), 0);
        for piece in pieces {
            let passed = socket.pass(NOW, Side::Upstream, piece);
            out.extend_from_slice(passed.held.bytes());
            let (from, to) = passed.swallowed.unwrap_or((passed.goes_on, passed.goes_on));
            out.extend_from_slice(&piece[..from]);
            out.extend_from_slice(&piece[to..passed.goes_on]);
            messages += passed.messages;
        }
        (out, messages)
    }

    const FRAMES: &[u8] = b"\x01\x02He\x89\x01p\x80\x03llo\x82\x7e\0\x7e";

    #[test]
    fn all_goes_on_in_any_cut_but_a_header_that_is_not_whole() {
        let whole = [FRAMES, &[7; 126], b"\x81\x01x\x82\x7e\0"].concat();
        for size in 1..whole.len() {
            let mut socket = WebSocket::new(NOW);
            let pieces: Vec<_> = whole.chunks(size).collect();
            let (out, messages) = passed(&mut socket, &pieces);
            assert_eq!((out.as_slice(), messages), (&whole[..whole.len() - 3], 3), "by {size}");
            assert!(socket.is_at(Side::Upstream, Boundary::Frame));
            assert!(!socket.is_at(Side::Upstream, Boundary::Message), "the next header is half here");
        }
    }

    #[test]
    fn what_comes_before_a_fault_goes_on_and_nothing_of_the_frame_does() {
        let good = b"\x81\x01x\x02\x01y";
        for bad in [&b"\x83\0"[..], b"\x82\0", b"\x81\x81....x", b"\x80\x7e\0\x01"] {
            let whole = [good, bad].concat();
            for size in 1..whole.len() {
                let mut socket = WebSocket::new(NOW);
                let (mut out, mut fault) = (Vec::new(), None);
                for piece in whole.chunks(size) {
                    let passed = socket.pass(NOW, Side::Upstream, piece);
                    out.extend_from_slice(passed.held.bytes());
                    out.extend_from_slice(&piece[..passed.goes_on]);
                    fault = passed.fault;
                    if fault.is_some() {
                        break;
                    }
                }
                assert!(fault.is_some(), "{bad:02x?} by {size}");
                assert_eq!(out, good, "{bad:02x?} by {size}");
            }
        }
    }

    #[test]
    fn a_pong_to_our_ping_is_taken_out_and_no_other() {
        let mut pings = Pings::new(NOW);
        let payload = pings.endpoint.ping(NOW, *b"12345678........");
        assert_eq!(&payload, b"12345678");
        let fresh = || WebSocket { pings: Some(Box::new(pings)), ..WebSocket::new(NOW) };
        let ours = b"\x8a\x0812345678";
        for (before, frame, after, is_ours) in [
            (&b""[..], &ours[..], &b""[..], true),
            (b"\x81\x01x", ours, b"\x81\x01y", true),
            // Theirs, of another payload or none.
            (b"", b"\x8a\x0812345679", b"\x81\x01y", false),
            (b"", b"\x8a\0", b"\x81\x01y", false),
            // One that ends as ours looks.
            (b"", b"\x8a\x12........\x8a\x0812345678", b"", false),
            // The same octets, but not as a pong.
            (b"\x82\x0a", ours, b"", false),
        ] {
            let whole = [before, frame, after].concat();
            let (out, _) = passed(&mut fresh(), &[&whole]);
            let expected = if is_ours { [before, after].concat() } else { whole };
            assert_eq!(out, expected, "{frame:02x?}");
        }
        // A second one answers nothing.
        let (out, _) = passed(&mut fresh(), &[ours, ours]);
        assert_eq!(out, ours);
    }

    #[test]
    fn a_masked_pong_of_a_client_is_known_by_its_payload() {
        let mut heard = Pings::new(NOW).client;
        heard.ping(NOW, *b"12345678........");
        let mask = [9, 8, 7, 6];
        let masked: Vec<u8> = b"12345678".iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b).collect();
        assert!(heard.is_answer(&[&[0x8a, 0x88], &mask[..], &masked].concat()));
        assert!(!heard.is_answer(&[&[0x8a, 0x88], &mask[..], b"12345678"].concat()));
        assert!(!heard.is_answer(&[&[0x89, 0x88], &mask[..], &masked].concat()));
    }

    #[test]
    fn an_end_between_messages_waits_for_the_open_one_and_passes_no_more() {
        let mut socket = WebSocket::new(NOW);
        assert_eq!(socket.pass(NOW, Side::Upstream, b"\x01\x02H").goes_on, 3);
        assert!(!socket.is_at(Side::Upstream, Boundary::Message));
        let (outcome, reason) = (ExchangeOutcome::Drained, CloseReason::DrainDeadline);
        socket.end = Some(End { code: 1001, boundary: Boundary::Message, outcome, reason });
        let passed = socket.pass(NOW, Side::Upstream, b"e\x80\x01l\x81\x01x");
        assert_eq!((passed.goes_on, passed.is_at_end, passed.messages), (4, true, 1));
        assert!(socket.is_at(Side::Client, Boundary::Message));
    }
}
