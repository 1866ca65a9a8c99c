//! What either side of a connection may not say: broken frames, frames for streams that are not there, floods.
//!
//! None of it says anything of a request, so whatever is said in truth beside it must come through unchanged or not at
//! all. What only clients or only endpoints get wrong is in their own `lies`.

use super::frames::names;
use super::session::{OwnSettings, Session};
use crate::simulation::prng::Prng;

/// 2^31-1, which is also the highest stream id.
const MOST_WINDOW: u32 = 0x7fff_ffff;
/// More frames without work than anybody lets pass at once.
const FLOOD: u32 = 2_100;

/// Streams that a lie may be about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    /// One that is open, if any is.
    pub(super) open: u32,
    /// One that has ended or was jumped over, if any has.
    pub(super) past: u32,
    /// One that nobody has opened.
    pub(super) idle: u32,
}

/// Appends one frame, or a few, that RFC 9113 forbids here.
pub(super) fn put_broken(session: &mut Session, at: Streams, prng: &mut Prng) {
    let Streams { open, past, idle } = at;
    let five_octets = [0xff; 6];
    match prng.below(24) {
        0 => session.put_raw_data(2, 0, b"even stream"),
        1 => session.put_raw_data(idle, 0, b"idle stream"),
        2 => session.put_raw(names::HEADERS, names::END_HEADERS, open, &five_octets),
        3 => {
            session.put_window(0, MOST_WINDOW);
            session.put_window(0, MOST_WINDOW);
        }
        4 => session.put_raw(names::SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1]),
        5 => session.put_raw(names::SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0]),
        6 => session.put_raw(names::SETTINGS, 0, 0, &[0, 4, 0, 0, 0]),
        7 => session.put_raw(names::RST_STREAM, 0, idle, &[0, 0, 0, 8]),
        8 => session.put_raw(names::RST_STREAM, 0, open, &[0, 0, 8]),
        9 => session.put_raw_data(open, 0, &[0; 16_385]),
        10 => session.put_raw_data(open, names::PADDED, &[9, 1, 2, 3]),
        11 => session.put_raw(names::PUSH_PROMISE, names::END_HEADERS, open, &[0, 0, 0, 2]),
        12 => session.put_raw(names::CONTINUATION, 0, open, &[0x82]),
        13 => session.put_raw(names::WINDOW_UPDATE, 0, 0, &[0; 4]),
        14 => session.put_raw(names::WINDOW_UPDATE, 0, open, &[0; 4]),
        15 => session.put_raw(names::WINDOW_UPDATE, 0, idle, &[0, 0, 0, 1]),
        16 => session.put_raw(names::PING, 0, 0, &[0; 7]),
        17 => session.put_raw(names::GOAWAY, 0, 0, &[0; 7]),
        18 => session.put_raw(names::PRIORITY, 0, open, &[0; 4]),
        19 => session.put_raw(names::PRIORITY, 0, open, &open.to_be_bytes()),
        20 => {
            session.put_raw(names::HEADERS, 0, open, &[0x82]);
            session.put_ping(prng);
        }
        21 => {
            session.put_raw(names::HEADERS, 0, open, &[]);
            (0..40).for_each(|_| session.put_raw(names::CONTINUATION, 0, open, &[]));
        }
        22 => session.put_raw(names::RST_STREAM, 0, past, &[0, 0, 0, 8]),
        _ => {
            session.put_goaway(MOST_WINDOW, 0);
            let garbage: Vec<u8> = (0..prng.between(1, 200)).map(|_| prng.bits() as u8).collect();
            session.out.extend_from_slice(&garbage);
        }
    }
}

/// Appends more frames that bring nothing than may pass.
pub(super) fn put_flood(session: &mut Session, at: Streams, prng: &mut Prng) {
    match prng.below(4) {
        0 => (0..FLOOD).for_each(|_| session.put_ping(prng)),
        1 => {
            let settings = OwnSettings { window: prng.pick(&[0, 65_535]), ..session.announced() };
            (0..FLOOD).for_each(|_| session.put_settings(settings));
        }
        2 => (0..FLOOD).for_each(|_| session.put_raw(names::PRIORITY, 0, at.idle, &[0, 0, 0, 0, 7])),
        _ => (0..FLOOD).for_each(|_| session.put_raw_data(at.open, 0, &[])),
    }
}
