//! Floods of frames that cost Evenkeel work and bring none: each ends in ENHANCE_YOUR_CALM.

use anyhow::{Result, ensure};
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::attacker::Attacker;
use evenkeel_attacks::block::Block;
use evenkeel_attacks::frame::{self, code, flag, kind, setting};
use std::time::Duration;

/// More frames than the score and its decay allow.
const FRAMES: usize = 20_000;

fn flood(name: &'static str, frame: impl Fn(&mut Attacker, u32)) -> Result<()> {
    let attack = Attack::named(name).ends_sessions("control_flood").meets("control_frames");
    Arena::start()?.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            let stream = attacker.open_call();
            for _ in 0..FRAMES {
                frame(attacker, stream);
                if !attacker.is_alive() {
                    break;
                }
            }
            let heard = attacker.until_closed()?;
            let is_told = heard.goaway_code().is_none_or(|told| told == code::ENHANCE_YOUR_CALM);
            ensure!(is_told, "{:?}", heard.goaway);
            Ok(())
        })
    })
}

#[test]
fn a_flood_of_pings_is_ended() -> Result<()> {
    flood("PING flood", |attacker, _| {
        attacker.frame(kind::PING, flag::NONE, 0, &[0; 8]);
    })
}

#[test]
fn a_flood_of_settings_is_ended() -> Result<()> {
    flood("SETTINGS flood", |attacker, _| {
        attacker.frame(kind::SETTINGS, flag::NONE, 0, &[]);
    })
}

#[test]
fn a_flood_of_settings_with_all_they_can_hold_is_ended() -> Result<()> {
    let all = frame::settings(
        &[(setting::INITIAL_WINDOW_SIZE, 0), (setting::INITIAL_WINDOW_SIZE, 65_535)].repeat(1_300),
    );
    let attack = Attack::named("SETTINGS flood: 2,600 values each")
        .within_cpu(Duration::from_micros(100))
        .ends_sessions("control_flood");
    Arena::start()?.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            while attacker.frame(kind::SETTINGS, flag::NONE, 0, &all) && siege.goes_on() {}
            Ok(())
        })
    })
}

#[test]
fn a_flood_of_settings_that_move_a_thousand_windows_is_ended() -> Result<()> {
    let up = frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 65_535)]);
    let down = frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
    let attack = Attack::named("SETTINGS that move 900 windows")
        .within_cpu(Duration::from_micros(100))
        .ends_sessions("control_flood");
    Arena::start()?.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            for _ in 0..900 {
                attacker.open_call();
            }
            for _ in 0..FRAMES {
                attacker.frame(kind::SETTINGS, flag::NONE, 0, &up);
                if !attacker.frame(kind::SETTINGS, flag::NONE, 0, &down) {
                    break;
                }
            }
            attacker.until_closed().map(drop)
        })
    })
}

#[test]
fn a_flood_of_priorities_is_ended() -> Result<()> {
    flood("PRIORITY flood", |attacker, stream| {
        attacker.frame(kind::PRIORITY, flag::NONE, stream, &[0, 0, 0, 0, 7]);
    })
}

#[test]
fn a_flood_of_empty_data_is_ended() -> Result<()> {
    flood("empty DATA flood", |attacker, stream| {
        attacker.frame(kind::DATA, flag::NONE, stream, &[]);
    })
}

#[test]
fn a_flood_of_data_that_is_nothing_but_padding_is_ended() -> Result<()> {
    flood("DATA of padding only", |attacker, stream| {
        attacker.frame(kind::DATA, flag::PADDED, stream, &[3, 0, 0, 0]);
    })
}

#[test]
fn a_flood_of_unknown_frames_is_ended() -> Result<()> {
    flood("unknown frames", |attacker, _| {
        attacker.frame(0xfa, 0xff, 0, b"whatever");
    })
}

#[test]
fn a_flood_of_settings_acks_is_ended() -> Result<()> {
    flood("SETTINGS ACK flood", |attacker, _| {
        attacker.frame(kind::SETTINGS, flag::ACK, 0, &[]);
    })
}

#[test]
fn a_flood_of_ping_acks_is_ended() -> Result<()> {
    flood("PING ACK flood", |attacker, _| {
        attacker.frame(kind::PING, flag::ACK, 0, &[0; 8]);
    })
}

#[test]
fn a_flood_of_tiny_window_updates_of_the_connection_is_ended() -> Result<()> {
    flood("WINDOW_UPDATE of 1, connection", |attacker, _| {
        attacker.window_update(0, 1);
    })
}

#[test]
fn a_flood_of_tiny_window_updates_of_a_stream_is_ended() -> Result<()> {
    flood("WINDOW_UPDATE of 1, stream", |attacker, stream| {
        attacker.window_update(stream, 1);
    })
}

#[test]
fn a_flood_of_goaways_is_ended() -> Result<()> {
    flood("GOAWAY flood", |attacker, _| {
        attacker.frame(kind::GOAWAY, flag::NONE, 0, &frame::goaway(0, code::NO_ERROR));
    })
}

#[test]
fn pings_whose_answers_nobody_reads_cost_no_memory() -> Result<()> {
    let attack = Attack::named("PING, answers not read").within_mib(8).ends_sessions("control_flood");
    Arena::start()?.withstands(&attack, |siege| {
        while siege.goes_on() {
            let mut attacker = siege.connect_deaf(&[])?;
            for _ in 0..FRAMES {
                if !attacker.frame(kind::PING, flag::NONE, 0, &[0; 8]) {
                    break;
                }
            }
        }
        Ok(())
    })
}

#[test]
fn answers_that_nobody_reads_cost_a_bounded_output() -> Result<()> {
    // CONNECT gets an answer of Evenkeel's own, with a body, at once.
    let request = Block::new().literal(":method", b"CONNECT").named(1, "attacked:443");
    let attack = Attack::named("own answers, not read")
        .lasting(Duration::from_secs(3))
        .within_cpu(Duration::from_micros(20))
        .within_mib(32)
        .ends_sessions("output_full")
        .meets("control_output");
    Arena::start()?.withstands(&attack, |siege| {
        while siege.goes_on() {
            let mut attacker = siege.connect_deaf(&[])?;
            while siege.goes_on() && attacker.is_alive() {
                attacker.open(&request, flag::END_STREAM);
            }
        }
        Ok(())
    })
}
