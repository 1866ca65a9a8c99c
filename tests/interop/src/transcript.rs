//! What a tap saw, as gRPC exchanges: each one's fields as they were decoded, its messages with their flags, its end. So that
//! what went into Evenkeel can be held against what came out. Knows HTTP/2's frames and gRPC's message prefix; the HPACK
//! decoder is not Evenkeel's.

use crate::tap::Passed;
use anyhow::{Context, Result, anyhow, bail, ensure};
use fluke_hpack::Decoder;
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// The client's first bytes (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The error code of what is no error (RFC 9113 §7).
const NO_ERROR: u32 = 0;

/// One block of fields, in its order.
pub type Fields = Vec<(String, String)>;

/// A request and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchange {
    /// What the client sent.
    pub request: Half,
    /// What the server sent.
    pub answer: Half,
}

/// One direction of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Half {
    /// Headers, and trailers if there were any.
    pub blocks: Vec<Fields>,
    /// The messages that were whole.
    pub messages: Vec<Message>,
    /// Bytes of a message that was not.
    pub rest: usize,
    /// Whether it was said that nothing more comes.
    pub ended: bool,
    /// The code that the stream was reset with. NO_ERROR after the end is none: a server that has said all may or may not say
    /// too that it needs no more of the request (RFC 9113 §8.1), even when there is no more.
    pub reset: Option<u32>,
}

/// A message as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// gRPC's flag: 1 is compressed.
    pub flag: u8,
    /// Its length on the wire.
    pub length: usize,
    /// A digest of its bytes on the wire.
    pub digest: u64,
}

impl Exchange {
    /// A field of the request's headers.
    #[must_use]
    pub fn asked(&self, name: &str) -> Option<&str> {
        let fields = self.request.blocks.first()?;
        fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the answer was one block of fields and nothing else.
    #[must_use]
    pub fn is_trailers_only(&self) -> bool {
        self.answer.blocks.len() == 1 && self.answer.ended && self.answer.messages.is_empty()
    }
}

/// All exchanges of these connections, sorted: their order among each other says nothing.
///
/// # Errors
/// If what passed is not HTTP/2.
pub fn exchanges(connections: &[Passed]) -> Result<Vec<Exchange>> {
    let mut all = Vec::new();
    for passed in connections {
        let asked = passed.asked.strip_prefix(PREFACE).context("no preface")?;
        let mut answers = halves(&passed.answered)?;
        for (stream, request) in halves(asked)? {
            all.push(Exchange { request, answer: answers.remove(&stream).unwrap_or_default() });
        }
        ensure!(answers.is_empty(), "answers that nobody asked for: {answers:?}");
    }
    all.sort();
    Ok(all)
}

/// A stream while it is read.
#[derive(Default)]
struct Open {
    half: Half,
    block: Vec<u8>,
    body: Vec<u8>,
}

/// One direction of a connection, by stream.
fn halves(mut bytes: &[u8]) -> Result<BTreeMap<u32, Half>> {
    let mut streams: BTreeMap<u32, Open> = BTreeMap::new();
    let mut decoder = Decoder::new();
    // The receiver's limit is in its SETTINGS; who exceeds it fails there.
    decoder.set_max_allowed_table_size(usize::MAX);
    while let Some((frame, rest)) = Frame::first(bytes) {
        bytes = rest;
        let open = || -> Result<u32> {
            ensure!(frame.stream != 0, "frame {} on stream 0", frame.kind);
            Ok(frame.stream)
        };
        match frame.kind {
            Frame::DATA => {
                let stream = streams.entry(open()?).or_default();
                stream.body.extend_from_slice(frame.unpadded()?);
                stream.half.ended |= frame.ends_stream();
            }
            Frame::HEADERS | Frame::CONTINUATION => {
                let stream = streams.entry(open()?).or_default();
                stream.block.extend_from_slice(frame.fragment()?);
                stream.half.ended |= frame.kind == Frame::HEADERS && frame.ends_stream();
                if frame.ends_block() {
                    let fields =
                        decoder.decode(&stream.block).map_err(|error| anyhow!("HPACK: {error:?}"))?;
                    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
                    stream.half.blocks.push(fields.into_iter().map(|(n, v)| (text(n), text(v))).collect());
                    stream.block.clear();
                }
            }
            Frame::RST_STREAM => {
                let code = frame.payload.first_chunk().context("RST_STREAM without a code")?;
                let half = &mut streams.entry(open()?).or_default().half;
                let code = u32::from_be_bytes(*code);
                if code != NO_ERROR || !half.ended {
                    half.reset = Some(code);
                }
            }
            _ => {}
        }
    }
    Ok(streams.into_iter().map(|(id, open)| (id, open.closed())).collect())
}

impl Open {
    fn closed(self) -> Half {
        let Self { mut half, body, .. } = self;
        let mut body = &body[..];
        while let Some((message, rest)) = Message::first(body) {
            half.messages.push(message);
            body = rest;
        }
        half.rest = body.len();
        half
    }
}

impl Message {
    /// The message that a body begins with, if all of it is there.
    fn first(body: &[u8]) -> Option<(Self, &[u8])> {
        let (prefix, rest) = body.split_first_chunk::<5>()?;
        let [flag, length @ ..] = *prefix;
        let length = u32::from_be_bytes(length) as usize;
        let (bytes, rest) = rest.split_at_checked(length)?;
        let mut digest = DefaultHasher::new();
        bytes.hash(&mut digest);
        Some((Self { flag, length, digest: digest.finish() }, rest))
    }
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const CONTINUATION: u8 = 9;

    /// The frame that the bytes begin with, if all of it is there.
    fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&[a, b, c, kind, flags, stream @ ..], rest) = bytes.split_first_chunk::<9>()?;
        let (payload, rest) = rest.split_at_checked(u32::from_be_bytes([0, a, b, c]) as usize)?;
        Some((Self { kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff, payload }, rest))
    }

    fn ends_stream(&self) -> bool {
        self.flags & 0x1 != 0
    }

    fn ends_block(&self) -> bool {
        self.flags & 0x4 != 0
    }

    fn unpadded(&self) -> Result<&'a [u8]> {
        if self.flags & 0x8 == 0 {
            return Ok(self.payload);
        }
        let (padding, rest) = self.payload.split_first().context("no length of the padding")?;
        match rest.len().checked_sub(usize::from(*padding)) {
            Some(length) => Ok(&rest[..length]),
            None => bail!("more padding than payload"),
        }
    }

    /// The part of a field block in a HEADERS or CONTINUATION frame.
    fn fragment(&self) -> Result<&'a [u8]> {
        if self.kind == Self::CONTINUATION {
            return Ok(self.payload);
        }
        let payload = self.unpadded()?;
        if self.flags & 0x20 == 0 { Ok(payload) } else { payload.get(5..).context("no priority") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn an_exchange_is_read_with_its_flags_padding_and_end() {
        // `:method: POST` and `:status: 200` of the static table.
        let (post, ok) = ([0x83], [0x88]);
        let mut asked = PREFACE.to_vec();
        asked.extend(frame(4, 0, 0, &[]));
        asked.extend(frame(Frame::HEADERS, 0x20, 1, &[0, 0, 0, 0, 16]));
        asked.extend(frame(Frame::CONTINUATION, 0x4, 1, &post));
        asked.extend(frame(Frame::DATA, 0x8, 1, &[2, 1, 0, 0, 0, 1, b'a', 0, 0]));
        asked.extend(frame(Frame::DATA, 0, 1, &[0, 0]));
        asked.extend(frame(Frame::RST_STREAM, 0, 1, &[0, 0, 0, 8]));
        let answered = frame(Frame::HEADERS, 0x5, 1, &ok);
        let all = exchanges(&[Passed { asked, answered }]).unwrap();
        assert_eq!(all.len(), 1);
        let Exchange { request, answer } = &all[0];
        assert_eq!((all[0].asked(":method"), request.ended), (Some("POST"), false));
        assert_eq!(request.messages.iter().map(|m| (m.flag, m.length)).collect::<Vec<_>>(), [(1, 1)]);
        assert_eq!((request.rest, request.reset), (2, Some(8)));
        assert!(all[0].is_trailers_only() && answer.reset.is_none(), "{answer:?}");
    }

    #[test]
    fn only_a_reset_that_cuts_something_short_is_one() {
        let reset = |code: u8| frame(Frame::RST_STREAM, 0, 1, &[0, 0, 0, code]);
        let ended = frame(Frame::HEADERS, 0x5, 1, &[0x88]);
        let of = |frames: &[Vec<u8>]| halves(&frames.concat()).unwrap()[&1].reset;
        assert_eq!(of(&[ended.clone(), reset(0)]), None);
        assert_eq!(of(&[ended, reset(8)]), Some(8));
        assert_eq!(of(&[reset(0)]), Some(0));
    }

    #[test]
    fn messages_of_other_bytes_differ() {
        let digest = |bytes: &[u8]| Message::first(bytes).unwrap().0.digest;
        assert_ne!(digest(&[0, 0, 0, 0, 1, b'a']), digest(&[0, 0, 0, 0, 1, b'b']));
        assert!(Message::first(&[0, 0, 0, 0, 2, b'a']).is_none());
    }

    #[test]
    fn what_is_no_http2_is_refused() {
        assert!(exchanges(&[Passed { asked: b"GET / HTTP/1.1".to_vec(), answered: vec![] }]).is_err());
        let padded = frame(Frame::DATA, 0x8, 1, &[9, 0]);
        assert!(halves(&padded).is_err());
    }
}
