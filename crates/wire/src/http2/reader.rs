//! Bytes to frames, in whatever cuts they come.
//!
//! DATA is passed on as it arrives; every other frame is whole. Only an unparsed tail is kept, so a connection at rest
//! holds no buffer. The rules of RFC 9113 §4 and §6 that need no knowledge of streams are checked here.

use super::code::ErrorCode;
use super::fault::{Fault, ReadError};
use super::frame::{DEFAULT_MAX_FRAME_SIZE, FRAME_HEADER_LEN, Frame, Kind, flags};
use crate::hpack::HeaderLimits;

#[derive(Clone, Copy, Debug)]
struct Head {
    length: usize,
    kind: Option<Kind>,
    flags: u8,
    stream: u32,
}

impl Head {
    fn parse(b: &[u8]) -> Self {
        Self {
            length: u32::from_be_bytes([0, b[0], b[1], b[2]]) as usize,
            kind: Kind::of(b[3]),
            flags: b[4],
            stream: u32::from_be_bytes([b[5], b[6], b[7], b[8]]) & 0x7fff_ffff,
        }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A DATA frame of which the payload is still coming.
#[derive(Clone, Copy, Debug)]
struct OpenData {
    stream: u32,
    /// The whole payload.
    payload: u16,
    left: u16,
    padding: u8,
    is_end: bool,
}

// A frame is never larger than what the open part of one can say.
const _: () = assert!(DEFAULT_MAX_FRAME_SIZE <= u16::MAX as u32);

/// A header block of which frames are still coming.
#[derive(Debug)]
struct OpenBlock {
    stream: u32,
    is_end: bool,
    frames: u32,
    bytes: Vec<u8>,
}

/// Takes bytes, gives frames.
#[derive(Debug)]
pub struct FrameReader {
    /// An unfinished frame (but DATA), or the header of one.
    tail: Vec<u8>,
    /// The tail was given out as a frame and is to be emptied.
    is_tail_spent: bool,
    data: Option<OpenData>,
    block: Option<Box<OpenBlock>>,
    /// Padding of a DATA frame, or an unknown frame, that is to be passed over.
    skip: u32,
    block_bytes: u32,
    block_frames: u32,
}

impl Default for FrameReader {
    fn default() -> Self {
        Self::new(HeaderLimits::default())
    }
}

impl FrameReader {
    /// A reader under these limits.
    #[must_use]
    pub fn new(limits: HeaderLimits) -> Self {
        Self {
            tail: Vec::new(),
            is_tail_spent: false,
            data: None,
            block: None,
            skip: 0,
            block_bytes: u32::try_from(limits.block_bytes).unwrap_or(u32::MAX),
            block_frames: limits.block_frames,
        }
    }

    /// The next frame; `None` when `input` is used up. What is not a whole frame is kept for the next call.
    ///
    /// # Errors
    /// A fault of the connection; the reader is of no use afterwards.
    pub fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'a>>, ReadError> {
        if self.is_tail_spent {
            self.tail = Vec::new();
            self.is_tail_spent = false;
        }
        if self.block.as_ref().is_some_and(|b| b.frames == 0) {
            self.block = None;
        }
        loop {
            if self.skip > 0 {
                let n = input.len().min(self.skip as usize);
                *input = &input[n..];
                self.skip -= n as u32;
            }
            if input.is_empty() {
                return Ok(None);
            }
            if let Some(open) = self.data {
                return Ok(Some(self.data_part(open, input)));
            }
            // The head, from the tail or in place.
            if !self.fill_tail(FRAME_HEADER_LEN, input) {
                return Ok(None);
            }
            let head = Head::parse(if self.tail.is_empty() { input } else { &self.tail });
            self.check_head(&head)?;
            if head.kind == Some(Kind::Data) {
                match self.begin_data(&head, input)? {
                    Begun::NeedMore => return Ok(None),
                    Begun::Frame(frame) => return Ok(Some(frame)),
                    Begun::Open => continue,
                }
            }
            if head.kind.is_none() {
                self.drop_front(FRAME_HEADER_LEN, input);
                self.skip = head.length as u32;
                return Ok(Some(Frame::Unknown));
            }
            let whole = FRAME_HEADER_LEN + head.length;
            let most = (self.block_bytes as usize, self.block_frames);
            if !self.fill_tail(whole, input) {
                return Ok(None);
            }
            let payload: &'a [u8] = if self.tail.is_empty() {
                let (frame, rest) = input.split_at(whole);
                *input = rest;
                &frame[FRAME_HEADER_LEN..]
            } else {
                self.is_tail_spent = true;
                &self.tail[FRAME_HEADER_LEN..]
            };
            return match head.kind {
                Some(Kind::Headers | Kind::Continuation) => {
                    match block_frame(&mut self.block, most, &head, payload)? {
                        BlockStep::Whole(frame) => Ok(Some(frame)),
                        BlockStep::More => Ok(Some(Frame::HeadersPart)),
                        BlockStep::Joined => Ok(self.block.as_mut().map(|b| {
                            b.frames = 0;
                            Frame::Headers { stream: b.stream, block: &b.bytes, is_end: b.is_end }
                        })),
                    }
                }
                _ => plain_frame(&head, payload).map(Some),
            };
        }
    }

    /// Whether something unfinished is held: a frame, or a header block.
    #[must_use]
    pub fn is_inside_frame(&self) -> bool {
        self.data.is_some()
            || self.is_inside_block()
            || (!self.tail.is_empty() && !self.is_tail_spent)
            || self.skip > 0
    }

    /// Whether a header block has begun and not ended, be it in the middle of its first frame: for the header timeout.
    #[must_use]
    pub fn is_inside_block(&self) -> bool {
        let kind = self.tail.get(3).filter(|_| !self.is_tail_spent).and_then(|&b| Kind::of(b));
        matches!(kind, Some(Kind::Headers | Kind::Continuation))
            || self.block.as_ref().is_some_and(|b| b.frames > 0)
    }

    /// Bytes held for unfinished frames.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.tail.capacity() + self.block.as_ref().map_or(0, |b| size_of::<OpenBlock>() + b.bytes.capacity())
    }

    /// Makes sure that `length` bytes lie together, at the front of `input` or in the tail.
    fn fill_tail(&mut self, length: usize, input: &mut &[u8]) -> bool {
        if self.tail.is_empty() && input.len() >= length {
            return true;
        }
        let missing = length.saturating_sub(self.tail.len()).min(input.len());
        self.tail.extend_from_slice(&input[..missing]);
        *input = &input[missing..];
        self.tail.len() >= length
    }

    /// Takes bytes off the front, wherever they lie. The tail never holds more than the frame at hand.
    fn drop_front(&mut self, length: usize, input: &mut &[u8]) {
        if self.tail.is_empty() {
            *input = &input[length..];
        } else {
            self.tail = Vec::new();
        }
    }

    fn check_head(&self, head: &Head) -> Result<(), ReadError> {
        if head.length > DEFAULT_MAX_FRAME_SIZE as usize {
            return Err(ReadError::size());
        }
        if let Some(open) = &self.block
            && (head.kind != Some(Kind::Continuation) || head.stream != open.stream)
        {
            return Err(ReadError::protocol(Fault::Interleaved));
        }
        let needs_stream = match head.kind {
            Some(Kind::Data | Kind::Headers | Kind::Priority | Kind::RstStream | Kind::Continuation) => {
                Some(true)
            }
            Some(Kind::Settings | Kind::Ping | Kind::GoAway) => Some(false),
            Some(Kind::PushPromise) => return Err(ReadError::protocol(Fault::Push)),
            Some(Kind::WindowUpdate) | None => None,
        };
        if needs_stream.is_some_and(|needs| needs != (head.stream != 0)) {
            return Err(ReadError::protocol(Fault::Stream));
        }
        let fits = match head.kind {
            Some(Kind::RstStream | Kind::WindowUpdate) => head.length == 4,
            Some(Kind::Ping) => head.length == 8,
            Some(Kind::GoAway) => head.length >= 8,
            Some(Kind::Settings) if head.has(flags::ACK) => head.length == 0,
            Some(Kind::Settings) => head.length.is_multiple_of(6),
            _ => true,
        };
        if fits { Ok(()) } else { Err(ReadError::size()) }
    }

    fn begin_data<'a>(&mut self, head: &Head, input: &mut &'a [u8]) -> Result<Begun<'a>, ReadError> {
        let is_padded = head.has(flags::PADDED);
        if is_padded && head.length == 0 {
            return Err(ReadError::size());
        }
        let front = FRAME_HEADER_LEN + usize::from(is_padded);
        if !self.fill_tail(front, input) {
            return Ok(Begun::NeedMore);
        }
        let padding = match is_padded {
            false => 0,
            true if self.tail.is_empty() => input[FRAME_HEADER_LEN],
            true => self.tail[FRAME_HEADER_LEN],
        };
        let after_front = head.length - usize::from(is_padded);
        if usize::from(padding) > after_front {
            return Err(ReadError::protocol(Fault::Padding));
        }
        self.drop_front(front, input);
        let is_end = head.has(flags::END_STREAM);
        let left = after_front - usize::from(padding);
        let overhead = head.length - left;
        let open = OpenData { stream: head.stream, payload: left as u16, left: left as u16, padding, is_end };
        if left == 0 || overhead > 0 {
            // Nothing to pass on, or padding to account for: said before the payload.
            self.skip = if left == 0 { u32::from(padding) } else { 0 };
            if left > 0 {
                self.data = Some(open);
            }
            return Ok(Begun::Frame(Frame::Data {
                stream: head.stream,
                payload: &[],
                flow_bytes: overhead as u32,
                is_end: is_end && left == 0,
                is_empty_frame: left == 0,
                frame_payload: (left == 0).then_some(0),
            }));
        }
        self.data = Some(open);
        if input.is_empty() {
            return Ok(Begun::NeedMore);
        }
        Ok(Begun::Open)
    }

    fn data_part<'a>(&mut self, mut open: OpenData, input: &mut &'a [u8]) -> Frame<'a> {
        let n = input.len().min(usize::from(open.left));
        let (payload, rest) = input.split_at(n);
        *input = rest;
        open.left -= n as u16;
        let is_last = open.left == 0;
        if is_last {
            self.skip = u32::from(open.padding);
        }
        self.data = (!is_last).then_some(open);
        Frame::Data {
            stream: open.stream,
            payload,
            flow_bytes: n as u32,
            is_end: is_last && open.is_end,
            is_empty_frame: false,
            frame_payload: is_last.then_some(open.payload as u32),
        }
    }
}

enum Begun<'a> {
    NeedMore,
    Frame(Frame<'a>),
    Open,
}

enum BlockStep<'a> {
    Whole(Frame<'a>),
    Joined,
    More,
}

/// HEADERS or CONTINUATION: a block in one frame is passed on in place, parts are joined.
fn block_frame<'a>(
    open: &mut Option<Box<OpenBlock>>,
    (most_bytes, most_frames): (usize, u32),
    head: &Head,
    payload: &'a [u8],
) -> Result<BlockStep<'a>, ReadError> {
    let is_last = head.has(flags::END_HEADERS);
    if head.kind == Some(Kind::Headers) {
        let is_end = head.has(flags::END_STREAM);
        let fragment = match fragment(head, payload) {
            Ok(fragment) => fragment,
            Err(Fault::Size) => return Err(ReadError::size()),
            Err(fault) => return Err(ReadError::protocol(fault)),
        };
        if fragment.len() > most_bytes {
            return Err(too_large(Fault::BlockBytes));
        }
        if is_last {
            return Ok(BlockStep::Whole(Frame::Headers { stream: head.stream, block: fragment, is_end }));
        }
        *open =
            Some(Box::new(OpenBlock { stream: head.stream, is_end, frames: 1, bytes: fragment.to_vec() }));
        return Ok(BlockStep::More);
    }
    let Some(block) = open else { return Err(ReadError::protocol(Fault::Interleaved)) };
    block.frames += 1;
    if block.frames > most_frames {
        return Err(too_large(Fault::BlockFrames));
    }
    if block.bytes.len() + payload.len() > most_bytes {
        return Err(too_large(Fault::BlockBytes));
    }
    block.bytes.extend_from_slice(payload);
    Ok(if is_last { BlockStep::Joined } else { BlockStep::More })
}

const fn too_large(fault: Fault) -> ReadError {
    ReadError { code: ErrorCode::EnhanceYourCalm, fault }
}

/// The block fragment of a HEADERS frame, without padding and priority.
fn fragment<'a>(head: &Head, payload: &'a [u8]) -> Result<&'a [u8], Fault> {
    let mut rest = payload;
    let mut padding = 0;
    if head.has(flags::PADDED) {
        let (&length, after) = rest.split_first().ok_or(Fault::Size)?;
        padding = usize::from(length);
        rest = after;
    }
    if head.has(flags::PRIORITY) {
        let (priority, after) = rest.split_at_checked(5).ok_or(Fault::Size)?;
        let depends_on =
            u32::from_be_bytes([priority[0], priority[1], priority[2], priority[3]]) & 0x7fff_ffff;
        if depends_on == head.stream {
            return Err(Fault::SelfDependency);
        }
        rest = after;
    }
    let length = rest.len().checked_sub(padding).ok_or(Fault::Padding)?;
    Ok(&rest[..length])
}

/// Frames that are whole in one payload.
fn plain_frame<'a>(head: &Head, payload: &'a [u8]) -> Result<Frame<'a>, ReadError> {
    let word =
        |at: usize| u32::from_be_bytes([payload[at], payload[at + 1], payload[at + 2], payload[at + 3]]);
    Ok(match head.kind {
        Some(Kind::Settings) if head.has(flags::ACK) => Frame::SettingsAck,
        Some(Kind::Settings) => Frame::Settings(payload),
        Some(Kind::Ping) => {
            let mut data = [0; 8];
            data.copy_from_slice(payload);
            Frame::Ping { is_ack: head.has(flags::ACK), data }
        }
        Some(Kind::GoAway) => {
            Frame::GoAway { last_stream: word(0) & 0x7fff_ffff, code: ErrorCode::from_wire(word(4)) }
        }
        Some(Kind::RstStream) => {
            Frame::RstStream { stream: head.stream, code: ErrorCode::from_wire(word(0)) }
        }
        Some(Kind::WindowUpdate) => match word(0) & 0x7fff_ffff {
            0 if head.stream == 0 => return Err(ReadError::protocol(Fault::ZeroIncrement)),
            0 => Frame::StreamFault { stream: head.stream, fault: Fault::ZeroIncrement },
            increment => Frame::WindowUpdate { stream: head.stream, increment },
        },
        Some(Kind::Priority) if head.length != 5 => {
            Frame::StreamFault { stream: head.stream, fault: Fault::Size }
        }
        Some(Kind::Priority) if word(0) & 0x7fff_ffff == head.stream => {
            Frame::StreamFault { stream: head.stream, fault: Fault::SelfDependency }
        }
        Some(Kind::Priority) => Frame::Priority,
        // The rest does not come here.
        _ => Frame::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, encode};
    use super::*;
    use crate::hpack::{Encoder, HeaderList, HeaderStore, IndexPolicy};

    /// Every frame of `bytes`, fed in pieces of these lengths (the last repeats), DATA joined.
    fn read(bytes: &[u8], cuts: &[usize]) -> Result<Vec<String>, ReadError> {
        let mut reader = FrameReader::new(HeaderLimits::default());
        let (mut out, mut from, mut i) = (Vec::new(), 0, 0);
        let mut data: Option<(u32, Vec<u8>, u32)> = None;
        while from < bytes.len() {
            let n = cuts[i.min(cuts.len() - 1)].clamp(1, bytes.len() - from);
            let mut input = &bytes[from..from + n];
            while let Some(frame) = reader.next(&mut input)? {
                match frame {
                    Frame::Data { stream, payload, flow_bytes, is_end, .. } => {
                        let (_, all, flow) = data.get_or_insert((stream, Vec::new(), 0));
                        all.extend_from_slice(payload);
                        *flow += flow_bytes;
                        if is_end {
                            out.push(format!("data {:?}", data.take()));
                        }
                    }
                    Frame::HeadersPart => {}
                    other => out.push(format!("{other:?}")),
                }
            }
            from += n;
            i += 1;
        }
        assert!(!reader.is_inside_frame());
        Ok(out)
    }

    fn sample() -> Vec<u8> {
        let mut out = Vec::new();
        encode::put_settings(&mut out, &Settings { max_concurrent_streams: 7, ..Settings::default() }, true);
        encode::put_settings_ack(&mut out);
        encode::put_ping(&mut out, false, *b"12345678");
        encode::put_window_update(&mut out, 3, 9);
        let mut list = HeaderList::default();
        list.push("x-long", &[b'v'; 100]);
        let mut store = HeaderStore::new((1, 1), 1 << 20);
        let mut encoder = Encoder::new(IndexPolicy::Private);
        encode::put_headers(&mut out, 3, false, 16_384, &list, &mut encoder, &mut store);
        encode::put_headers(&mut out, 5, true, 40, &list, &mut encoder, &mut store);
        encode::put_data_header(&mut out, 3, 5, false);
        out.extend_from_slice(b"hello");
        // DATA of 4 octets with 3 of padding, which ends the stream.
        out.extend_from_slice(&[0, 0, 8, 0, flags::PADDED | flags::END_STREAM, 0, 0, 0, 3, 3]);
        out.extend_from_slice(b"data\0\0\0");
        out.extend_from_slice(&[0, 0, 2, 99, 0, 0, 0, 0, 0, 1, 2]);
        encode::put_rst_stream(&mut out, 3, ErrorCode::Cancel);
        encode::put_goaway(&mut out, 5, ErrorCode::NoError, b"bye");
        out
    }

    #[test]
    fn any_cut_gives_the_same_frames() {
        let bytes = sample();
        let whole = read(&bytes, &[bytes.len()]).unwrap();
        assert_eq!(whole.len(), 10, "{whole:#?}");
        assert!(
            whole.iter().any(|f| f.contains("(3, [104, 101, 108, 108, 111, 100, 97, 116, 97], 13)")),
            "{whole:#?}"
        );
        for n in 1..=bytes.len() {
            assert_eq!(read(&bytes, &[n]).unwrap(), whole, "pieces of {n}");
            assert_eq!(read(&bytes, &[n, bytes.len()]).unwrap(), whole, "cut at {n}");
        }
    }

    #[test]
    fn each_fault_has_its_code() {
        let block_of = |frames: usize| {
            let mut out = vec![0, 0, 0, 1, 0, 0, 0, 0, 1];
            for _ in 1..frames {
                out.extend_from_slice(&[0, 0, 0, 9, 0, 0, 0, 0, 1]);
            }
            out
        };
        let cases: &[(Vec<u8>, ErrorCode, Fault)] = &[
            (vec![0, 0x40, 1, 0, 0, 0, 0, 0, 1], ErrorCode::FrameSizeError, Fault::Size),
            (vec![0, 0, 1, 0, 0, 0, 0, 0, 0, 1], ErrorCode::ProtocolError, Fault::Stream),
            (vec![0, 0, 0, 4, 0, 0, 0, 0, 1], ErrorCode::ProtocolError, Fault::Stream),
            (vec![0, 0, 1, 4, 1, 0, 0, 0, 0, 0], ErrorCode::FrameSizeError, Fault::Size),
            (vec![0, 0, 5, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], ErrorCode::FrameSizeError, Fault::Size),
            (vec![0, 0, 7, 6, 0, 0, 0, 0, 0], ErrorCode::FrameSizeError, Fault::Size),
            (vec![0, 0, 2, 0, 8, 0, 0, 0, 1, 2, 0], ErrorCode::ProtocolError, Fault::Padding),
            (vec![0, 0, 0, 0, 8, 0, 0, 0, 1], ErrorCode::FrameSizeError, Fault::Size),
            (vec![0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0], ErrorCode::ProtocolError, Fault::ZeroIncrement),
            (vec![0, 0, 0, 9, 4, 0, 0, 0, 1], ErrorCode::ProtocolError, Fault::Interleaved),
            (vec![0, 0, 0, 5, 4, 0, 0, 0, 1], ErrorCode::ProtocolError, Fault::Push),
            (block_of(33), ErrorCode::EnhanceYourCalm, Fault::BlockFrames),
            (
                [block_of(1), vec![0, 0, 0, 9, 4, 0, 0, 0, 3]].concat(),
                ErrorCode::ProtocolError,
                Fault::Interleaved,
            ),
        ];
        for (bytes, code, fault) in cases {
            let mut reader = FrameReader::new(HeaderLimits::default());
            let mut input = &bytes[..];
            let error = loop {
                match reader.next(&mut input) {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("no fault in {bytes:?}"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error, ReadError { code: *code, fault: *fault }, "{bytes:?}");
        }
        assert!(
            read(&[block_of(31), vec![0, 0, 0, 9, 4, 0, 0, 0, 1]].concat(), &[9]).is_ok(),
            "32 frames pass"
        );
    }

    #[test]
    fn a_connection_at_rest_holds_no_buffer() {
        let mut reader = FrameReader::new(HeaderLimits::default());
        let bytes = sample();
        for piece in bytes.chunks(7) {
            let mut input = piece;
            while reader.next(&mut input).unwrap().is_some() {}
        }
        assert_eq!(reader.held_bytes(), 0);
        assert!(size_of::<FrameReader>() <= 64, "{} bytes", size_of::<FrameReader>());
    }
}
