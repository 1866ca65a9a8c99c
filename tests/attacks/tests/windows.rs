//! Flow control turned into a weapon: windows that overflow, are overrun, are made negative; padding that fills them.

use anyhow::{Result, ensure};
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::attacker::Attacker;
use evenkeel_attacks::block::Block;
use evenkeel_attacks::frame::{self, code, flag, kind, setting};
use evenkeel_attacks::hostile::Hostile;
use std::time::Duration;

/// The largest window.
const MOST: u32 = 0x7fff_ffff;

fn ends_with(
    name: &'static str,
    reason: &'static str,
    told: u32,
    script: impl Fn(&mut Attacker),
) -> Result<()> {
    let attack = Attack::named(name).ends_sessions(reason);
    Arena::start()?.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            script(attacker);
            let heard = attacker.until_closed()?;
            ensure!(heard.goaway_code() == Some(told), "{:?}", heard.goaway);
            Ok(())
        })
    })
}

#[test]
fn a_connection_window_that_overflows_ends_the_session() -> Result<()> {
    ends_with("connection window of 2^31", "flow_control_error", code::FLOW_CONTROL_ERROR, |attacker| {
        attacker.window_update(0, MOST);
    })
}

#[test]
fn a_connection_window_update_of_nothing_ends_the_session() -> Result<()> {
    ends_with("connection window update of 0", "protocol_error", code::PROTOCOL_ERROR, |attacker| {
        attacker.window_update(0, 0);
    })
}

#[test]
fn an_initial_window_out_of_range_ends_the_session() -> Result<()> {
    ends_with("initial window of 2^31", "flow_control_error", code::FLOW_CONTROL_ERROR, |attacker| {
        let settings = frame::settings(&[(setting::INITIAL_WINDOW_SIZE, MOST + 1)]);
        attacker.frame(kind::SETTINGS, flag::NONE, 0, &settings);
    })
}

#[test]
fn settings_that_push_an_open_stream_over_the_edge_end_the_session() -> Result<()> {
    ends_with("SETTINGS overflow a stream", "flow_control_error", code::FLOW_CONTROL_ERROR, |attacker| {
        let stream = attacker.open_call();
        attacker.window_update(stream, MOST - 65_535);
        let settings = frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 65_536)]);
        attacker.frame(kind::SETTINGS, flag::NONE, 0, &settings);
    })
}

/// An endpoint that takes requests and never gives a window back.
fn miser() -> Result<Hostile> {
    Hostile::start(|conversation| {
        conversation.greet(&[(setting::INITIAL_WINDOW_SIZE, 0)])?;
        conversation.hear_out()
    })
}

#[test]
fn a_stream_that_sends_more_than_its_window_is_reset() -> Result<()> {
    let miser = miser()?;
    let request = Block::request("/hostile/window");
    let attack = Attack::named("stream window overrun").within_cpu(Duration::from_micros(20)).within_mib(64);
    Arena::with_hostile(miser.address())?.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            let streams: Vec<_> = (0..20).map(|_| attacker.open(&request, flag::NONE)).collect();
            for stream in &streams {
                for _ in 0..5 {
                    attacker.frame(kind::DATA, flag::NONE, *stream, &[0; 16 * 1024]);
                }
            }
            attacker.flush();
            let heard = attacker.ear().until("every stream is reset", |heard| {
                heard.is_closed || heard.resets.len() >= streams.len()
            })?;
            let is_right =
                streams.iter().all(|stream| heard.resets.get(stream) == Some(&code::FLOW_CONTROL_ERROR));
            ensure!(is_right, "{:?}, {:?}", heard.resets, heard.goaway);
            Ok(())
        })
    })
}

#[test]
fn bodies_that_no_endpoint_takes_stay_within_their_windows() -> Result<()> {
    // Each of 4,500 streams may send its whole window, no byte of it leaves, and all of it is kept to be sent again: more than the
    // worker's budget of 256 MiB.
    let miser = miser()?;
    let request = Block::request("/hostile/window");
    let attack = Attack::named("bodies that wait, 4,500 streams")
        .within_cpu(Duration::from_micros(50))
        .within_mib(340)
        .meets("buffered_bytes");
    Arena::with_hostile(miser.address())?.withstands(&attack, |siege| {
        let mut attackers = (0..5).map(|_| siege.connect()).collect::<Result<Vec<_>>>()?;
        for attacker in &mut attackers {
            for _ in 0..900 {
                let stream = attacker.open(&request, flag::NONE);
                for _ in 0..3 {
                    attacker.frame(kind::DATA, flag::NONE, stream, &[0; 16 * 1024]);
                }
                attacker.frame(kind::DATA, flag::NONE, stream, &[0; 16 * 1024 - 1]);
            }
        }
        attackers.iter_mut().try_for_each(|attacker| attacker.settle().map(drop))
    })
}

#[test]
fn data_for_streams_that_were_reset_is_dropped_at_little_cost() -> Result<()> {
    let attack = Attack::named("DATA on a reset stream").within_cpu(Duration::from_micros(20));
    Arena::start()?.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            let stream = attacker.open_call();
            attacker.window_update(stream, MOST);
            while siege.goes_on() && attacker.is_alive() {
                for _ in 0..500 {
                    attacker.frame(kind::DATA, flag::NONE, stream, &[7; 16 * 1024]);
                }
                attacker.settle()?;
            }
            Ok(())
        })
    })
}

#[test]
fn padding_counts_and_comes_back_as_window() -> Result<()> {
    // 255 bytes of padding around one byte of body: the stream goes on, since padding is given back, and nothing of it is sent on.
    let mut payload = vec![0; 257];
    payload[0] = 255;
    let attack = Attack::named("padding bomb").within_cpu(Duration::from_micros(20));
    Arena::start()?.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            let stream = attacker.open_call();
            for _ in 0..250 {
                attacker.frame(kind::DATA, flag::PADDED, stream, &payload);
            }
            attacker.frame(kind::DATA, flag::END_STREAM, stream, &[]);
            attacker.flush();
            let heard = attacker.ear().until("it is answered", |heard| heard.is_closed || heard.ended > 0)?;
            ensure!(heard.ended == 1, "{:?}, {:?}", heard.resets, heard.goaway);
            Ok(())
        })
    })
}
