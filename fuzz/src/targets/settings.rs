//! SETTINGS: no value out of its range gets in, the change is what it says, and what we write reads back.

use crate::grammar;
use crate::tape::Tape;
use evenkeel_wire::hpack::HeaderLimits;
use evenkeel_wire::http2::{self, Frame, FrameReader, MAX_WINDOW, Settings};

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    grammar::frames::settings_payload(tape)
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let mut settings = Settings::default();
    for payload in input.chunks(30) {
        let before = settings;
        let Ok(change) = settings.apply(payload) else { break };
        if settings.initial_window_size > MAX_WINDOW
            || !(16_384..=0xff_ffff).contains(&settings.max_frame_size)
        {
            return Err(format!("{settings:?}"));
        }
        let delta = i64::from(settings.initial_window_size) - i64::from(before.initial_window_size);
        let tables = payload.chunks_exact(6).filter(|pair| pair[..2] == [0, 1]);
        let smallest = tables.map(|p| u32::from_be_bytes([p[2], p[3], p[4], p[5]])).min();
        if change.window_delta != delta || change.smallest_table != smallest {
            return Err(format!("{change:?} from {before:?} to {settings:?}"));
        }
    }
    // The largest frame is never said: ours is the default.
    settings.max_frame_size = Settings::default().max_frame_size;
    if settings.initial_window_size > MAX_WINDOW {
        settings.initial_window_size = MAX_WINDOW;
    }
    for is_client in [true, false] {
        let (mut out, mut back) = (Vec::new(), Settings::default());
        http2::put_settings(&mut out, &settings, is_client);
        let (mut reader, mut rest) = (FrameReader::new(HeaderLimits::default()), &out[..]);
        match reader.next(&mut rest) {
            Ok(Some(Frame::Settings(payload))) => {
                back.apply(payload).map_err(|e| format!("our own SETTINGS: {e:?}"))?;
            }
            other => return Err(format!("our own SETTINGS read as {other:?}")),
        }
        if back != settings || !rest.is_empty() {
            return Err(format!("{settings:?} reads back as {back:?}"));
        }
    }
    Ok(())
}
