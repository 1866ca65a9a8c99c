//! Where the frames and messages of one direction end, in whatever cuts its bytes come.
//!
//! Reads headers, and of a close frame its code; counts everything else away. Holds the start of a header that was cut
//! and nothing more, and changes no byte. The engine has one for each direction of a session.

use super::LONGEST_CONTROL;
use super::fault::Fault;

/// Whose frames they are; clients mask, servers do not (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The side that opened the connection.
    Client,
    /// The side that answered.
    Server,
}

/// What a message is made of, as its first frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8, which is not checked here.
    Text,
    /// Any octets.
    Binary,
}

/// What ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The last frame of a message.
    Message(MessageKind),
    /// A ping.
    Ping,
    /// A pong.
    Pong,
    /// A close with its code, or without one. The code is as it was sent, whether it may be sent or not (§7.4).
    Close(Option<u16>),
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FIN: u8 = 0x80;
const MASK: u8 = 0x80;

/// Longest header: two octets, eight of length, four of mask.
const LONGEST_HEADER: usize = 14;

/// A header that is whole.
#[derive(Clone, Copy)]
struct Header {
    is_final: bool,
    opcode: u8,
    /// Octets of payload that are not in `size`.
    left: u64,
    /// Octets of it; those of a close code count as such.
    size: usize,
    close_code: Option<u16>,
}

/// Follows the bytes of one direction.
#[derive(Clone, Copy, Debug)]
pub struct FrameTracker {
    /// Payload of the open frame that has not come.
    left: u64,
    /// A header that was cut.
    cut: [u8; LONGEST_HEADER],
    /// How much of it came.
    cut_length: u8,
    /// FIN and opcode of the open frame.
    open: u8,
    /// Code of the close frame that is open.
    close_code: Option<u16>,
    /// The message whose last frame has not come.
    message: Option<MessageKind>,
    state: State,
    sender: Sender,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a header, or inside one.
    Header,
    Payload,
    /// After a close.
    Closed,
}

// One for each direction of every session.
const _: () = assert!(size_of::<FrameTracker>() <= 32);

impl FrameTracker {
    /// A direction of which nothing has come, after the handshake.
    #[must_use]
    pub const fn new(sender: Sender) -> Self {
        Self {
            left: 0,
            cut: [0; LONGEST_HEADER],
            cut_length: 0,
            open: 0,
            close_code: None,
            message: None,
            state: State::Header,
            sender,
        }
    }

    /// The next event; `None` when `input` is used up. `input` then begins behind the frame that the event ended with.
    ///
    /// Bytes after a close frame mean nothing (§5.5.1) and are used up without an event.
    ///
    /// # Errors
    /// A header that RFC 6455 §5 forbids. `input` then begins with what came of it in this call, and the tracker is of
    /// no use afterwards.
    #[inline]
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Fault> {
        loop {
            match self.state {
                State::Payload => {
                    let n = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
                    self.left -= n as u64;
                    *input = &input[n..];
                    if self.left > 0 {
                        return Ok(None);
                    }
                    if let Some(event) = self.end_frame() {
                        return Ok(Some(event));
                    }
                }
                State::Header if input.is_empty() => return Ok(None),
                State::Header => {
                    if !self.read_header(input)? {
                        return Ok(None);
                    }
                }
                State::Closed => {
                    *input = &[];
                    return Ok(None);
                }
            }
        }
    }

    /// Whether a frame may be put here: no header and no payload is open, and no close was seen.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        self.state == State::Header && self.cut_length == 0
    }

    /// Whether a message may be put here, and the other side be changed: as [`Self::is_between_frames`], with no message open.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.is_between_frames() && self.message.is_none()
    }

    /// Whether a close frame went by.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// The start of a header of which the rest has not come, of a close frame with what came of its code. These bytes are
    /// used up; a relay that holds them back stays between frames.
    #[must_use]
    pub fn cut_header(&self) -> &[u8] {
        &self.cut[..usize::from(self.cut_length)]
    }

    /// Takes a header from what was cut and `input`; false if it is not whole yet.
    fn read_header(&mut self, input: &mut &[u8]) -> Result<bool, Fault> {
        if self.cut_length == 0 {
            if let Some(header) = self.parse(input)? {
                *input = &input[header.size..];
                self.begin_frame(header);
                return Ok(true);
            }
            // Less than a header.
            self.cut[..input.len()].copy_from_slice(input);
            self.cut_length = input.len() as u8;
            *input = &[];
            return Ok(false);
        }
        let before = usize::from(self.cut_length);
        let n = input.len().min(LONGEST_HEADER - before);
        let mut bytes = self.cut;
        bytes[before..before + n].copy_from_slice(&input[..n]);
        match self.parse(&bytes[..before + n])? {
            Some(header) => {
                *input = &input[header.size - before..];
                self.cut_length = 0;
                self.begin_frame(header);
                Ok(true)
            }
            None => {
                self.cut = bytes;
                self.cut_length += n as u8;
                *input = &input[n..];
                Ok(false)
            }
        }
    }

    /// The header that `bytes` begin with; `None` if they end before it does. Each rule is checked with the octet that
    /// breaks it, so cuts change nothing.
    #[inline]
    fn parse(&self, bytes: &[u8]) -> Result<Option<Header>, Fault> {
        let Some(&[first, second]) = bytes.first_chunk() else {
            return match bytes.first() {
                Some(&first) => self.check_first(first).map(|()| None),
                None => Ok(None),
            };
        };
        self.check_first(first)?;
        match (self.sender, second & MASK != 0) {
            (Sender::Client, false) => return Err(Fault::NotMasked),
            (Sender::Server, true) => return Err(Fault::Masked),
            _ => {}
        }
        let (opcode, short) = (first & 0x0f, second & 0x7f);
        if opcode >= CLOSE && usize::from(short) > LONGEST_CONTROL {
            return Err(Fault::ControlTooLong);
        }
        if opcode == CLOSE && short == 1 {
            return Err(Fault::CloseCodeCut);
        }
        let (length, mut size) = match short {
            126 => {
                let Some(&[_, _, a, b]) = bytes.first_chunk() else { return Ok(None) };
                (u64::from(u16::from_be_bytes([a, b])), 4)
            }
            127 => {
                let Some(&[_, _, a, b, c, d, e, f, g, h]) = bytes.first_chunk() else { return Ok(None) };
                (u64::from_be_bytes([a, b, c, d, e, f, g, h]), 10)
            }
            _ => (u64::from(short), 2),
        };
        match short {
            126 if length < 126 => return Err(Fault::LengthNotMinimal),
            127 if length <= u64::from(u16::MAX) => return Err(Fault::LengthNotMinimal),
            127 if length >> 63 != 0 => return Err(Fault::LengthTooLarge),
            _ => {}
        }
        let mask_at = size;
        size += if self.sender == Sender::Client { 4 } else { 0 };
        let mut header = Header { is_final: first & FIN != 0, opcode, left: length, size, close_code: None };
        if opcode == CLOSE && length > 0 {
            let Some(code) = bytes.get(size..size + 2) else { return Ok(None) };
            let mask = if self.sender == Sender::Client { &bytes[mask_at..mask_at + 2] } else { &[0, 0] };
            header.close_code = Some(u16::from_be_bytes([code[0] ^ mask[0], code[1] ^ mask[1]]));
            header.size += 2;
            header.left -= 2;
        }
        Ok((bytes.len() >= header.size).then_some(header))
    }

    #[inline]
    fn check_first(&self, first: u8) -> Result<(), Fault> {
        match first & 0x0f {
            CONTINUATION if self.message.is_none() => Err(Fault::NothingToContinue),
            TEXT | BINARY if self.message.is_some() => Err(Fault::MessageInterrupted),
            CONTINUATION | TEXT | BINARY => Ok(()),
            CLOSE | PING | PONG if first & FIN == 0 => Err(Fault::ControlFragmented),
            CLOSE | PING | PONG => Ok(()),
            _ => Err(Fault::ReservedOpcode),
        }
    }

    #[inline]
    fn begin_frame(&mut self, header: Header) {
        match header.opcode {
            TEXT => self.message = Some(MessageKind::Text),
            BINARY => self.message = Some(MessageKind::Binary),
            CLOSE => self.close_code = header.close_code,
            _ => {}
        }
        self.open = header.opcode | if header.is_final { FIN } else { 0 };
        self.left = header.left;
        self.state = State::Payload;
    }

    #[inline]
    fn end_frame(&mut self) -> Option<Event> {
        self.state = State::Header;
        match self.open & 0x0f {
            CLOSE => {
                self.state = State::Closed;
                Some(Event::Close(self.close_code))
            }
            PING => Some(Event::Ping),
            PONG => Some(Event::Pong),
            _ if self.open & FIN != 0 => self.message.take().map(Event::Message),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Sender::{Client, Server};

    /// The events of pieces, and the fault they end with.
    fn read(sender: Sender, pieces: &[&[u8]]) -> (Vec<Event>, Option<Fault>) {
        let (mut tracker, mut events) = (FrameTracker::new(sender), Vec::new());
        for piece in pieces {
            let mut input = *piece;
            loop {
                match tracker.next(&mut input) {
                    Ok(Some(event)) => events.push(event),
                    Ok(None) => break,
                    Err(fault) => return (events, Some(fault)),
                }
            }
            assert!(input.is_empty());
        }
        (events, None)
    }

    #[test]
    fn the_examples_of_rfc_6455_are_read() {
        let binary = |header: &[u8], length| [header.to_vec(), vec![0; length]].concat();
        for (sender, bytes, event) in [
            (Server, b"\x81\x05Hello".to_vec(), Event::Message(MessageKind::Text)),
            (
                Client,
                b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec(),
                Event::Message(MessageKind::Text),
            ),
            (Server, b"\x01\x03Hel\x80\x02lo".to_vec(), Event::Message(MessageKind::Text)),
            (Server, b"\x89\x05Hello".to_vec(), Event::Ping),
            (Client, b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec(), Event::Pong),
            (Server, binary(b"\x82\x7e\x01\x00", 256), Event::Message(MessageKind::Binary)),
            (Server, binary(b"\x82\x7f\0\0\0\0\0\x01\0\0", 65536), Event::Message(MessageKind::Binary)),
        ] {
            assert_eq!(read(sender, &[&bytes]), (vec![event], None));
            assert_eq!(read(sender, &bytes.chunks(1).collect::<Vec<_>>()), (vec![event], None));
        }
    }

    #[test]
    fn each_forbidden_header_is_a_fault_in_any_cut() {
        for (sender, bytes, fault) in [
            (Server, &b"\x83\0"[..], Fault::ReservedOpcode),
            (Server, b"\x8b\0", Fault::ReservedOpcode),
            (Server, b"\x09\0", Fault::ControlFragmented),
            (Server, b"\x08\0", Fault::ControlFragmented),
            (Server, b"\x89\x7e\0\x7e", Fault::ControlTooLong),
            (Client, b"\x8a\xff", Fault::ControlTooLong),
            (Server, b"\x88\x01\x03", Fault::CloseCodeCut),
            (Server, b"\x82\x7e\0\x7d", Fault::LengthNotMinimal),
            (Server, b"\x82\x7f\0\0\0\0\0\0\xff\xff", Fault::LengthNotMinimal),
            (Server, b"\x82\x7f\x80\0\0\0\0\0\0\0", Fault::LengthTooLarge),
            (Client, b"\x81\x05Hello", Fault::NotMasked),
            (Server, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", Fault::Masked),
            (Server, b"\x80\0", Fault::NothingToContinue),
            (Server, b"\x01\0\x81\0", Fault::MessageInterrupted),
            (Server, b"\x02\0\x02\0", Fault::MessageInterrupted),
        ] {
            assert_eq!(read(sender, &[bytes]), (vec![], Some(fault)), "{bytes:02x?}");
            assert_eq!(
                read(sender, &bytes.chunks(1).collect::<Vec<_>>()),
                (vec![], Some(fault)),
                "{bytes:02x?}"
            );
            assert_eq!(fault.close_code(), 1002);
        }
    }

    #[test]
    fn the_longest_control_frame_and_the_longest_length_are_taken() {
        let ping = [b"\x89\x7d".to_vec(), vec![0; 125]].concat();
        assert_eq!(read(Server, &[&ping]), (vec![Event::Ping], None));
        assert_eq!(read(Server, &[b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffabc"]), (vec![], None));
        let shortest = [b"\x82\x7e\0\x7e".to_vec(), vec![0; 126]].concat();
        assert_eq!(read(Server, &[&shortest]), (vec![Event::Message(MessageKind::Binary)], None));
    }

    #[test]
    fn bits_of_extensions_are_passed_on() {
        assert_eq!(
            read(Server, &[b"\xc1\x01x\xb9\0"]),
            (vec![Event::Message(MessageKind::Text), Event::Ping], None)
        );
    }

    #[test]
    fn a_close_tells_its_code_unmasked_and_nothing_after_it_counts() {
        for (sender, bytes, code) in [
            (Server, &b"\x88\0"[..], None),
            (Server, b"\x88\x02\x03\xe8", Some(1000)),
            (Server, b"\x88\x02\0\0", Some(0)),
            (Server, b"\x88\x06\x03\xf4move", Some(1012)),
            (Client, b"\x88\x80\x01\x02\x03\x04", None),
            (Client, b"\x88\x83\xff\x0f\x03\x04\xfc\xe6x", Some(1001)),
        ] {
            let more = [bytes, b"\x83anything"].concat();
            for pieces in [
                vec![&more[..]],
                more.chunks(1).collect(),
                more.chunks(3).collect(),
                more.chunks(7).collect(),
            ] {
                assert_eq!(read(sender, &pieces), (vec![Event::Close(code)], None), "{bytes:02x?}");
            }
        }
    }

    #[test]
    fn boundaries_are_told_at_every_byte() {
        // Two frames of a text message with a ping between them, then a binary message of nothing.
        let bytes = b"\x01\x02He\x89\x01p\x80\x03llo\x82\0";
        let frames = [0, 4, 7, 12, 14];
        let messages = [0, 12, 14];
        let mut tracker = FrameTracker::new(Server);
        for (at, byte) in bytes.iter().enumerate() {
            assert_eq!(tracker.is_between_frames(), frames.contains(&at), "frames at {at}");
            assert_eq!(tracker.is_between_messages(), messages.contains(&at), "messages at {at}");
            tracker.next(&mut &[*byte][..]).unwrap();
        }
        assert!(tracker.is_between_messages() && !tracker.is_closed());
        tracker.next(&mut &b"\x88\0"[..]).unwrap();
        assert!(tracker.is_closed() && !tracker.is_between_frames());
    }

    #[test]
    fn input_stands_behind_what_an_event_ended_with_and_before_what_is_refused() {
        let mut tracker = FrameTracker::new(Server);
        let mut input = &b"\x81\x01a\x81\x01b\x83\0"[..];
        assert!(tracker.next(&mut input).unwrap().is_some());
        assert_eq!(input, b"\x81\x01b\x83\0");
        assert!(tracker.next(&mut input).unwrap().is_some());
        assert_eq!(tracker.next(&mut input), Err(Fault::ReservedOpcode));
        assert_eq!(input, b"\x83\0");
    }

    #[test]
    fn a_cut_header_can_be_held_back() {
        let mut tracker = FrameTracker::new(Client);
        assert_eq!(
            tracker.next(&mut &b"\x81\x80\x01\x02\x03\x04\x82\xfe\x01"[..]),
            Ok(Some(Event::Message(MessageKind::Text)))
        );
        tracker.next(&mut &b"\x82\xfe\x01"[..]).unwrap();
        assert_eq!(tracker.cut_header(), b"\x82\xfe\x01");
        tracker.next(&mut &b"\x00mask"[..]).unwrap();
        assert_eq!(tracker.cut_header(), b"");
        assert!(!tracker.is_between_frames());
    }
}
