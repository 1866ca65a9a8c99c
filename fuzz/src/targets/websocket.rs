//! WebSocket frames: the same events at the same places in whatever cuts, and control frames of ours that read back wherever
//! the tracker says that there is a place for one.

use super::pieces;
use crate::prng::Prng;
use crate::tape::Tape;
use evenkeel_wire::websocket::{Event, Fault, FrameTracker, Sender, put_close, put_ping};

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    let is_client = tape.is_one_in(2);
    let mut out = vec![u8::from(is_client), tape.byte()];
    let mut is_message_open = false;
    while !tape.is_over() && out.len() < 20_000 {
        let (is_final, is_control) = (!tape.is_one_in(3), tape.is_one_in(4));
        let opcode = match (is_control, is_message_open) {
            (true, _) => tape.pick(&[9, 10, 9, 10, 9, 8]),
            (false, true) => 0,
            (false, false) => tape.pick(&[1, 2]),
        };
        let length = match tape.below(8) {
            0..=4 => tape.below(20),
            5 => tape.pick(&[124, 125]),
            6 if !is_control => tape.pick(&[126, 127, 1_000]),
            7 if !is_control => tape.pick(&[65_535, 65_536]),
            _ => 2,
        };
        // Half a code is no close.
        let length = if opcode == 8 && length == 1 { 0 } else { length };
        if !is_control {
            is_message_open = !is_final;
        }
        out.push(opcode | if is_final || is_control { 0x80 } else { 0 } | tape.pick(&[0, 0, 0, 0x40, 0x70]));
        let mask = if is_client { 0x80 } else { 0 };
        match length {
            0..=125 => out.push(length as u8 | mask),
            126..=65_535 => {
                out.push(126 | mask);
                out.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                out.push(127 | mask);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        if is_client {
            out.extend_from_slice(&[tape.byte(), tape.byte(), 3, 4]);
        }
        out.resize(out.len() + length, tape.byte());
    }
    out
}

/// What a tracker made of a stream: its events, each with the place where it ended, and how it stood at the end.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    events: Vec<(usize, Event)>,
    fault: Option<Fault>,
    state: [bool; 3],
    cut_header: Vec<u8>,
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let mut tape = Tape::new(input);
    let sender = if tape.byte() & 1 == 1 { Sender::Client } else { Sender::Server };
    let mut prng = Prng::new(&[u64::from(tape.byte())]);
    let stream = tape.rest();
    let whole = read(sender, &[stream])?;
    for most in [1, 2, 7, 40, 1_000] {
        let cut = read(sender, &pieces::of(stream, most, &mut prng))?;
        if cut != whole {
            return Err(format!("in pieces of up to {most}:\n{cut:?}\nwhole:\n{whole:?}"));
        }
    }
    Ok(())
}

fn read(sender: Sender, pieces: &[&[u8]]) -> Result<Reading, String> {
    let mut tracker = FrameTracker::new(sender);
    let (mut events, mut fault, mut before) = (Vec::new(), None, 0);
    'stream: for piece in pieces {
        let mut input = *piece;
        loop {
            match tracker.next(&mut input) {
                Ok(Some(event)) => events.push((before + piece.len() - input.len(), event)),
                Ok(None) => break,
                Err(found) => {
                    fault = Some(found);
                    break 'stream;
                }
            }
            if tracker.is_between_frames() {
                a_place_takes_frames_of_ours(tracker, sender)?;
            }
        }
        if !input.is_empty() {
            return Err(format!("{} bytes were left without an event or a fault", input.len()));
        }
        before += piece.len();
    }
    if fault.is_some() {
        // How much of a header came before its fault depends on the cuts.
        return Ok(Reading { events, fault, state: [false; 3], cut_header: Vec::new() });
    }
    let state = [tracker.is_between_frames(), tracker.is_between_messages(), tracker.is_closed()];
    Ok(Reading { events, fault, state, cut_header: tracker.cut_header().to_vec() })
}

fn a_place_takes_frames_of_ours(mut tracker: FrameTracker, sender: Sender) -> Result<(), String> {
    let mask = (sender == Sender::Client).then_some([1, 2, 3, 4]);
    let mut out = Vec::new();
    put_ping(&mut out, mask, b"place");
    put_close(&mut out, mask, 1012, "moved");
    let mut rest = &out[..];
    let events = [tracker.next(&mut rest), tracker.next(&mut rest)];
    match events {
        [Ok(Some(Event::Ping)), Ok(Some(Event::Close(Some(1012))))] => Ok(()),
        events => Err(format!("frames of ours read as {events:?}")),
    }
}
