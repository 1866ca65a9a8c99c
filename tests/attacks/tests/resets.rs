//! Streams that are opened only to be reset, by the client or by us for its faults: each way ends in ENHANCE_YOUR_CALM.

use anyhow::{Result, ensure};
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::attacker::{Attacker, PATH};
use evenkeel_attacks::block::Block;
use evenkeel_attacks::bystander;
use evenkeel_attacks::frame::{code, flag, kind};

/// More streams than the budget of resets and its refill allow.
const STREAMS: usize = 20_000;

fn flood(name: &'static str, stream: impl Fn(&mut Attacker)) -> Result<()> {
    let attack = Attack::named(name).ends_sessions("reset_flood").meets("resets");
    withstood(&attack, stream)
}

fn withstood(attack: &Attack, stream: impl Fn(&mut Attacker)) -> Result<()> {
    Arena::start()?.withstands(attack, |siege| {
        siege.again_and_again(|attacker| {
            for _ in 0..STREAMS {
                stream(attacker);
                if !attacker.is_alive() {
                    break;
                }
            }
            let heard = attacker.until_closed()?;
            // Frames that cross the end of their stream may also be a fault of their own (RFC 9113 §5.1).
            let is_told = [None, Some(code::ENHANCE_YOUR_CALM), Some(code::STREAM_CLOSED)];
            let is_told = is_told.contains(&heard.goaway_code());
            ensure!(is_told, "{:?}", heard.goaway);
            Ok(())
        })
    })
}

#[test]
fn rapid_reset_is_ended() -> Result<()> {
    // CVE-2023-44487.
    flood("rapid reset", |attacker| {
        let stream = attacker.open_call();
        attacker.reset(stream, code::CANCEL);
    })
}

#[test]
fn rapid_reset_of_whole_requests_is_ended() -> Result<()> {
    flood("rapid reset of whole requests", |attacker| {
        let stream = attacker.call();
        attacker.reset(stream, code::CANCEL);
    })
}

#[test]
fn resets_made_by_windows_that_overflow_are_ended() -> Result<()> {
    // CVE-2025-8671: the server is made to reset, so the client's own resets need not be many.
    flood("made you reset: window overflow", |attacker| {
        let stream = attacker.open_call();
        attacker.window_update(stream, 0x7fff_ffff);
    })
}

#[test]
fn resets_made_by_window_updates_of_nothing_are_ended() -> Result<()> {
    flood("made you reset: window update of 0", |attacker| {
        let stream = attacker.open_call();
        attacker.window_update(stream, 0);
    })
}

#[test]
fn resets_made_by_streams_that_depend_on_themselves_are_ended() -> Result<()> {
    flood("made you reset: self-dependency", |attacker| {
        let stream = attacker.open_call();
        attacker.frame(kind::PRIORITY, flag::NONE, stream, &[&stream.to_be_bytes()[..], &[0]].concat());
    })
}

#[test]
fn resets_made_by_priority_frames_of_a_wrong_size_are_ended() -> Result<()> {
    flood("made you reset: PRIORITY of 4 bytes", |attacker| {
        let stream = attacker.open_call();
        attacker.frame(kind::PRIORITY, flag::NONE, stream, &[0; 4]);
    })
}

#[test]
fn resets_made_by_data_behind_the_end_are_ended() -> Result<()> {
    flood("made you reset: DATA behind the end", |attacker| {
        let stream = attacker.open(&Block::request(PATH), flag::END_STREAM);
        attacker.frame(kind::DATA, flag::NONE, stream, b"more");
    })
}

#[test]
fn resets_made_by_headers_behind_the_end_are_ended() -> Result<()> {
    flood("made you reset: HEADERS behind the end", |attacker| {
        let stream = attacker.open(&Block::request(PATH), flag::END_STREAM);
        let trailers = Block::new().literal("x", b"y");
        attacker.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, trailers.bytes());
    })
}

#[test]
fn resets_made_by_malformed_requests_are_ended() -> Result<()> {
    flood("made you reset: malformed requests", |attacker| {
        attacker.open(&Block::get("/").literal("Upper", b"case"), flag::END_STREAM);
    })
}

#[test]
fn resets_made_by_wrong_content_lengths_are_ended() -> Result<()> {
    flood("made you reset: content-length", |attacker| {
        let stream = attacker.open(&Block::request(PATH).literal("content-length", b"3"), flag::NONE);
        attacker.frame(kind::DATA, flag::END_STREAM, stream, b"four");
    })
}

#[test]
fn resets_made_by_more_streams_than_allowed_are_ended() -> Result<()> {
    flood("made you reset: too many streams", |attacker| {
        attacker.open_call();
    })
}

#[test]
fn rapid_reset_on_the_bystanders_own_upstreams_ends_none_of_its_calls() -> Result<()> {
    // Passed on as it is, the endpoints' own protection would close the connections that everybody shares.
    let attack = Attack::named("rapid reset, shared upstreams").ends_sessions("reset_flood");
    withstood(&attack, |attacker| {
        let stream = attacker.open(&Block::request(bystander::PATH), flag::NONE);
        attacker.reset(stream, code::CANCEL);
    })
}
