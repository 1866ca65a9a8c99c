//! Streams and frames where the state machine of RFC 9113 §5.1 has none: each fault ends the session with its code, at the cost
//! of a connection.

use anyhow::{Result, ensure};
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::attacker::{Attacker, PATH};
use evenkeel_attacks::block::Block;
use evenkeel_attacks::frame::{self, code, flag, kind, setting};

/// A fault, the code that it must end with, and how it is made.
type Fault = (&'static str, u32, fn(&mut Attacker));

fn headers(attacker: &mut Attacker, stream: u32, flags: u8) {
    attacker.frame(kind::HEADERS, flags | flag::END_HEADERS, stream, Block::request(PATH).bytes());
}

fn end_with_their_codes(name: &'static str, reason: &'static str, faults: &[Fault]) -> Result<()> {
    let attack = Attack::named(name).ends_sessions(reason);
    Arena::start()?.withstands(&attack, |siege| {
        let mut turn = faults.iter().cycle();
        let mut done = 0;
        while siege.goes_on() || done < faults.len() {
            let Some((fault, told, script)) = turn.next() else { break };
            let mut attacker = siege.connect()?;
            script(&mut attacker);
            let heard = attacker.until_closed()?;
            ensure!(heard.goaway_code() == Some(*told), "{fault}: {:?}", heard.goaway);
            done += 1;
        }
        Ok(())
    })
}

#[test]
fn stream_ids_that_may_not_be_end_the_session() -> Result<()> {
    const FAULTS: &[Fault] = &[
        ("an even id", code::PROTOCOL_ERROR, |attacker| headers(attacker, 2, flag::NONE)),
        ("stream 0", code::PROTOCOL_ERROR, |attacker| headers(attacker, 0, flag::NONE)),
        ("an id below the last", code::STREAM_CLOSED, |attacker| {
            headers(attacker, 0x7fff_ffff, flag::NONE);
            headers(attacker, 5, flag::NONE);
        }),
        ("an id that was used", code::STREAM_CLOSED, |attacker| {
            headers(attacker, 1, flag::END_STREAM);
            attacker.flush();
            // The answer ends the stream; without one the code is another, and the test fails.
            let _answered = attacker.ear().until("it is answered", |heard| heard.ended > 0);
            headers(attacker, 1, flag::END_STREAM);
        }),
    ];
    end_with_their_codes("stream ids", "protocol_error", FAULTS)
}

#[test]
fn frames_for_streams_that_are_idle_end_the_session() -> Result<()> {
    const FAULTS: &[Fault] = &[
        ("DATA", code::PROTOCOL_ERROR, |attacker| {
            attacker.frame(kind::DATA, flag::NONE, 7, b"x");
        }),
        ("RST_STREAM", code::PROTOCOL_ERROR, |attacker| {
            attacker.reset(7, code::CANCEL);
        }),
        ("WINDOW_UPDATE", code::PROTOCOL_ERROR, |attacker| {
            attacker.window_update(7, 1);
        }),
        ("CONTINUATION", code::PROTOCOL_ERROR, |attacker| {
            attacker.frame(kind::CONTINUATION, flag::END_HEADERS, 7, &[0x82]);
        }),
        ("DATA on stream 0", code::PROTOCOL_ERROR, |attacker| {
            attacker.frame(kind::DATA, flag::NONE, 0, b"x");
        }),
        ("RST_STREAM on stream 0", code::PROTOCOL_ERROR, |attacker| {
            attacker.reset(0, code::CANCEL);
        }),
        ("PRIORITY on stream 0", code::PROTOCOL_ERROR, |attacker| {
            attacker.frame(kind::PRIORITY, flag::NONE, 0, &[0; 5]);
        }),
        ("a push", code::PROTOCOL_ERROR, |attacker| {
            attacker.frame(kind::PUSH_PROMISE, flag::END_HEADERS, 1, &[0, 0, 0, 2, 0x82]);
        }),
    ];
    end_with_their_codes("frames for idle streams", "protocol_error", FAULTS)
}

#[test]
fn frames_that_are_wrong_for_the_connection_end_the_session() -> Result<()> {
    const FAULTS: &[Fault] = &[
        ("PING on a stream", code::PROTOCOL_ERROR, |attacker| {
            attacker.frame(kind::PING, flag::NONE, 1, &[0; 8]);
        }),
        ("SETTINGS on a stream", code::PROTOCOL_ERROR, |attacker| {
            attacker.frame(kind::SETTINGS, flag::NONE, 1, &[]);
        }),
        ("GOAWAY on a stream", code::PROTOCOL_ERROR, |attacker| {
            attacker.frame(kind::GOAWAY, flag::NONE, 1, &frame::goaway(0, 0));
        }),
        ("a block that PING interrupts", code::PROTOCOL_ERROR, |attacker| {
            attacker.frame(kind::HEADERS, flag::NONE, 1, &[0x82]);
            attacker.frame(kind::PING, flag::NONE, 0, &[0; 8]);
        }),
        ("a block that another stream continues", code::PROTOCOL_ERROR, |attacker| {
            attacker.frame(kind::HEADERS, flag::NONE, 1, &[0x82]);
            attacker.frame(kind::CONTINUATION, flag::END_HEADERS, 3, &[0x84]);
        }),
        ("padding longer than the frame", code::PROTOCOL_ERROR, |attacker| {
            headers(attacker, 1, flag::NONE);
            attacker.frame(kind::DATA, flag::PADDED, 1, &[200, 1, 2]);
        }),
        ("ENABLE_PUSH of 2", code::PROTOCOL_ERROR, |attacker| {
            attacker.frame(kind::SETTINGS, flag::NONE, 0, &frame::settings(&[(setting::ENABLE_PUSH, 2)]));
        }),
        ("MAX_FRAME_SIZE of 1", code::PROTOCOL_ERROR, |attacker| {
            attacker.frame(kind::SETTINGS, flag::NONE, 0, &frame::settings(&[(setting::MAX_FRAME_SIZE, 1)]));
        }),
    ];
    end_with_their_codes("frames wrong for the connection", "protocol_error", FAULTS)
}

#[test]
fn frames_of_a_wrong_size_end_the_session() -> Result<()> {
    const FAULTS: &[Fault] = &[
        ("DATA of 16 MiB", code::FRAME_SIZE_ERROR, |attacker| {
            let mut head = Vec::new();
            frame::put_head(&mut head, 0xff_ffff, kind::DATA, flag::NONE, 1);
            attacker.raw(&head);
        }),
        ("HEADERS of 16 KiB and a byte", code::FRAME_SIZE_ERROR, |attacker| {
            attacker.frame(kind::HEADERS, flag::END_HEADERS, 1, &[0x82; 16 * 1024 + 1]);
        }),
        ("SETTINGS of 7 bytes", code::FRAME_SIZE_ERROR, |attacker| {
            attacker.frame(kind::SETTINGS, flag::NONE, 0, &[0; 7]);
        }),
        ("SETTINGS ACK with a value", code::FRAME_SIZE_ERROR, |attacker| {
            attacker.frame(kind::SETTINGS, flag::ACK, 0, &[0; 6]);
        }),
        ("PING of 9 bytes", code::FRAME_SIZE_ERROR, |attacker| {
            attacker.frame(kind::PING, flag::NONE, 0, &[0; 9]);
        }),
        ("WINDOW_UPDATE of 3 bytes", code::FRAME_SIZE_ERROR, |attacker| {
            attacker.frame(kind::WINDOW_UPDATE, flag::NONE, 0, &[0; 3]);
        }),
        ("RST_STREAM of 5 bytes", code::FRAME_SIZE_ERROR, |attacker| {
            headers(attacker, 1, flag::NONE);
            attacker.frame(kind::RST_STREAM, flag::NONE, 1, &[0; 5]);
        }),
        ("GOAWAY of 7 bytes", code::FRAME_SIZE_ERROR, |attacker| {
            attacker.frame(kind::GOAWAY, flag::NONE, 0, &[0; 7]);
        }),
    ];
    end_with_their_codes("frames of a wrong size", "frame_size_error", FAULTS)
}

#[test]
fn stream_ids_that_jump_cost_no_more_than_others() -> Result<()> {
    let attack = Attack::named("stream ids that jump").within_cpu(std::time::Duration::from_micros(50));
    Arena::start()?.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            for jump in 0..500 {
                headers(attacker, 1 + jump * 4_000_000, flag::END_STREAM);
            }
            attacker.flush();
            let heard =
                attacker.ear().until("all are answered", |heard| heard.is_closed || heard.ended >= 500)?;
            ensure!(heard.ended == 500, "{:?}", heard.goaway);
            Ok(())
        })
    })
}
