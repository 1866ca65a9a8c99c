//! The frame reader: the same frames in whatever cuts, no panic, and no more bytes held than its limits allow.

use crate::grammar;
use crate::prng::Prng;
use crate::tape::Tape;
use evenkeel_wire::hpack::HeaderLimits;
use evenkeel_wire::http2::{DEFAULT_MAX_FRAME_SIZE, FRAME_HEADER_LEN, Frame, FrameReader, ReadError};

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut out = vec![tape.byte(), tape.byte(), tape.byte()];
    out.extend_from_slice(&grammar::frames::stream_of_frames(tape));
    out
}

/// What a reader made of some bytes: its frames with the parts of DATA joined, its error, and whether it is inside one.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    frames: Vec<String>,
    error: Option<ReadError>,
    is_inside: bool,
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let mut tape = Tape::new(input);
    let mut prng = Prng::new(&[u64::from(tape.byte())]);
    let limits = HeaderLimits {
        block_bytes: tape.pick(&[64 * 1024, 100, 1, 16_385]),
        block_frames: tape.pick(&[32, 1, 2]),
        ..HeaderLimits::default()
    };
    let bytes = tape.rest();
    let whole = read(bytes, limits, |left| left)?;
    for most in [1, 2, 9, 40, 1000] {
        let cut = read(bytes, limits, |left| (1 + prng.below(most)).min(left))?;
        if cut != whole {
            return Err(format!("in pieces of up to {most}:\n{cut:?}\nwhole:\n{whole:?}"));
        }
    }
    Ok(())
}

fn read(bytes: &[u8], limits: HeaderLimits, mut cut: impl FnMut(usize) -> usize) -> Result<Reading, String> {
    let mut reader = FrameReader::new(limits);
    // Vectors may grow to twice of what they hold.
    let most_held = 2 * (FRAME_HEADER_LEN + DEFAULT_MAX_FRAME_SIZE as usize + limits.block_bytes);
    let (mut reading, mut rest) = (Reading { frames: Vec::new(), error: None, is_inside: false }, bytes);
    let mut data = None;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(cut(rest.len()));
        rest = after;
        let mut input = piece;
        loop {
            match reader.next(&mut input) {
                Ok(None) => break,
                Ok(Some(frame)) => take(frame, &mut data, &mut reading.frames, &limits)?,
                Err(error) => {
                    put_data(&mut data, &mut reading.frames);
                    reading.error = Some(error);
                    return Ok(reading);
                }
            }
        }
        if !input.is_empty() {
            return Err(format!("{} bytes were left without a frame or an error", input.len()));
        }
        if reader.held_bytes() > most_held {
            return Err(format!("{} bytes held, {most_held} are the most", reader.held_bytes()));
        }
    }
    put_data(&mut data, &mut reading.frames);
    reading.is_inside = reader.is_inside_frame();
    Ok(reading)
}

/// Parts of DATA on one stream, joined.
#[derive(Debug)]
struct Joined {
    stream: u32,
    payload: Vec<u8>,
    flow_bytes: u32,
}

fn take(
    frame: Frame<'_>,
    data: &mut Option<Joined>,
    frames: &mut Vec<String>,
    limits: &HeaderLimits,
) -> Result<(), String> {
    if let Frame::Data { stream, payload, flow_bytes, is_end, is_empty_frame: false, .. } = frame {
        if data.as_ref().is_some_and(|d| d.stream != stream) {
            put_data(data, frames);
        }
        let joined = data.get_or_insert(Joined { stream, payload: Vec::new(), flow_bytes: 0 });
        joined.payload.extend_from_slice(payload);
        joined.flow_bytes += flow_bytes;
        if is_end {
            put_data(data, frames);
            frames.push("end".to_owned());
        }
        return Ok(());
    }
    put_data(data, frames);
    if let Frame::Headers { block, .. } = frame
        && block.len() > limits.block_bytes
    {
        return Err(format!("a block of {} bytes passed", block.len()));
    }
    frames.push(format!("{frame:?}"));
    Ok(())
}

fn put_data(data: &mut Option<Joined>, frames: &mut Vec<String>) {
    if let Some(joined) = data.take() {
        frames.push(format!("{joined:?}"));
    }
}
