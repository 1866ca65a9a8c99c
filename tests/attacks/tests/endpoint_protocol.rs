//! Endpoints that break the protocol: what they do ends their own connection or their own exchanges, at a bounded cost, and the
//! service beside theirs goes on.

use anyhow::{Result, ensure};
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::block::Block;
use evenkeel_attacks::frame::{self, code, flag, kind, setting};
use evenkeel_attacks::hostile::{Conversation, Hostile};
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Calls in flight to it.
const IN_FLIGHT: u64 = 10;

fn withstood(
    attack: Attack,
    script: impl Fn(&mut Conversation) -> io::Result<()> + Send + Sync + 'static,
) -> Result<()> {
    let hostile = Hostile::start(script)?;
    // Its frames are not the caller's: what they may cost is stated for each answer.
    let attack = attack.within_cpu(Duration::from_millis(1));
    Arena::with_hostile(hostile.address())?.withstands(&attack, |siege| {
        let ended = siege.calls("/hostile/call", IN_FLIGHT)?;
        ensure!(ended > 0, "no call came to an end");
        let met = hostile.met();
        siege.sent().add(met.sent_frames.load(Ordering::Relaxed), met.sent_bytes.load(Ordering::Relaxed));
        Ok(())
    })
}

/// Answers each request by these frames.
fn each(
    attack: Attack,
    answer: impl Fn(&mut Conversation, u32) -> io::Result<()> + Send + Sync + 'static,
) -> Result<()> {
    withstood(attack, move |conversation| {
        conversation.greet(&[])?;
        loop {
            let stream = conversation.request()?;
            answer(conversation, stream)?;
        }
    })
}

/// Sends the same frame for as long as the connection stands.
fn endlessly(
    conversation: &mut Conversation,
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &[u8],
) -> io::Result<()> {
    let mut frames = Vec::new();
    (0..500).for_each(|_| frame::put(&mut frames, kind, flags, stream, payload));
    loop {
        conversation.send_all(&frames, 500)?;
    }
}

#[test]
fn a_flood_of_settings_ends_the_upstream() -> Result<()> {
    each(Attack::named("endpoint: SETTINGS flood").ends_upstreams("control_flood"), |conversation, _| {
        endlessly(conversation, kind::SETTINGS, flag::NONE, 0, &[])
    })
}

#[test]
fn a_flood_of_pings_ends_the_upstream() -> Result<()> {
    each(Attack::named("endpoint: PING flood").ends_upstreams("control_flood"), |conversation, _| {
        endlessly(conversation, kind::PING, flag::NONE, 0, &[0; 8])
    })
}

#[test]
fn a_flood_of_empty_data_ends_the_upstream() -> Result<()> {
    each(
        Attack::named("endpoint: empty DATA flood").ends_upstreams("control_flood"),
        |conversation, stream| {
            conversation.answer(stream, &Block::ok(), flag::NONE)?;
            endlessly(conversation, kind::DATA, flag::NONE, stream, &[])
        },
    )
}

#[test]
fn a_push_ends_the_upstream() -> Result<()> {
    each(Attack::named("endpoint: PUSH_PROMISE").ends_upstreams("protocol_error"), |conversation, stream| {
        let promise = [&2u32.to_be_bytes()[..], Block::get("/pushed").bytes()].concat();
        conversation.send(kind::PUSH_PROMISE, flag::END_HEADERS, stream, &promise)
    })
}

#[test]
fn answers_to_streams_that_were_not_asked_end_the_upstream() -> Result<()> {
    each(
        Attack::named("endpoint: answers to unknown streams").ends_upstreams("protocol_error"),
        |conversation, stream| conversation.answer(stream + 1_000, &Block::ok(), flag::END_STREAM),
    )
}

#[test]
fn data_before_headers_ends_the_exchange() -> Result<()> {
    let attack = Attack::named("endpoint: DATA before HEADERS").ends_exchanges("upstream_protocol_error");
    each(attack, |conversation, stream| conversation.send(kind::DATA, flag::NONE, stream, b"early"))
}

#[test]
fn a_body_beyond_the_stream_window_ends_the_exchange() -> Result<()> {
    let attack =
        Attack::named("endpoint: window overrun").within_mib(64).ends_exchanges("upstream_protocol_error");
    each(attack, |conversation, stream| {
        conversation.answer(stream, &Block::ok(), flag::NONE)?;
        // The caller's own window is used up by then, so that nothing is given back.
        (0..40).try_for_each(|_| conversation.send(kind::DATA, flag::NONE, stream, &[0; 16 * 1024]))
    })
}

#[test]
fn a_connection_window_that_overflows_ends_the_upstream() -> Result<()> {
    each(Attack::named("endpoint: window of 2^31").ends_upstreams("flow_control_error"), |conversation, _| {
        conversation.send(kind::WINDOW_UPDATE, flag::NONE, 0, &0x7fff_ffff_u32.to_be_bytes())
    })
}

#[test]
fn a_flood_of_continuations_ends_the_upstream() -> Result<()> {
    each(
        Attack::named("endpoint: CONTINUATION flood").ends_upstreams("continuation_flood"),
        |conversation, stream| {
            conversation.send(kind::HEADERS, flag::NONE, stream, Block::ok().bytes())?;
            endlessly(conversation, kind::CONTINUATION, flag::NONE, stream, &[0x88])
        },
    )
}

#[test]
fn a_header_list_beyond_the_limit_ends_the_exchange() -> Result<()> {
    let attack = Attack::named("endpoint: giant headers")
        .meets("header_list_bytes")
        .ends_exchanges("upstream_protocol_error");
    each(attack, |conversation, stream| {
        let large = Block::ok().entered("x", &[b'a'; 3_900]).raw(&[0xbe; 200]);
        conversation.answer(stream, &large, flag::END_STREAM)
    })
}

#[test]
fn trailers_beyond_the_limit_end_the_exchange() -> Result<()> {
    let attack = Attack::named("endpoint: giant trailers").meets("header_list_bytes");
    each(attack, |conversation, stream| {
        conversation.answer(stream, &Block::ok(), flag::NONE)?;
        let large = Block::new().entered("x", &[b'a'; 3_900]).raw(&[0xbe; 200]);
        conversation.answer(stream, &large, flag::END_STREAM)
    })
}

#[test]
fn broken_header_blocks_end_the_upstream() -> Result<()> {
    each(
        Attack::named("endpoint: broken HPACK").ends_upstreams("compression_error"),
        |conversation, stream| conversation.answer(stream, &Block::ok().raw(&[0xff; 12]), flag::END_STREAM),
    )
}

#[test]
fn malformed_answers_end_the_exchange() -> Result<()> {
    let attack = Attack::named("endpoint: malformed answers").ends_exchanges("upstream_protocol_error");
    each(attack, |conversation, stream| {
        let blocks = [
            Block::new(),
            Block::new().literal("x", b"y"),
            Block::ok().indexed(8),
            Block::ok().literal("connection", b"close"),
            Block::ok().literal("transfer-encoding", b"chunked"),
            Block::ok().literal("X", b"upper"),
            Block::ok().literal("x", b"a\r\nb"),
            Block::new().literal(":status", b"abc"),
            Block::new().literal(":status", b"101"),
            Block::ok().literal("content-length", b"5"),
        ];
        let turn = (stream as usize / 2) % blocks.len();
        conversation.answer(stream, &blocks[turn], flag::END_STREAM)
    })
}

#[test]
fn interim_answers_without_end_cost_what_they_weigh() -> Result<()> {
    let interim = Block::new().literal(":status", b"103").literal("link", b"</style.css>");
    let hostile = Hostile::start(move |conversation| {
        conversation.greet(&[])?;
        let stream = conversation.request()?;
        endlessly(conversation, kind::HEADERS, flag::END_HEADERS, stream, interim.bytes())
    })?;
    let attack =
        Attack::named("endpoint: 1xx without end").within_cpu(Duration::from_micros(5)).within_mib(32);
    Arena::with_hostile(hostile.address())?.withstands(&attack, |siege| {
        let mut caller = siege.connect()?;
        caller.open(&Block::request("/hostile/call"), flag::END_STREAM);
        caller.flush();
        std::thread::sleep(siege.left());
        let sent = hostile.met().sent_frames.load(Ordering::Relaxed);
        ensure!(sent > 0, "it was never asked");
        siege.sent().add(sent, hostile.met().sent_bytes.load(Ordering::Relaxed));
        Ok(())
    })
}

#[test]
fn frames_of_a_wrong_size_end_the_upstream() -> Result<()> {
    each(
        Attack::named("endpoint: frame of 16 MiB").ends_upstreams("frame_size_error"),
        |conversation, stream| {
            let mut head = Vec::new();
            frame::put_head(&mut head, 0xff_ffff, kind::DATA, flag::NONE, stream);
            conversation.send_all(&head, 1)
        },
    )
}

#[test]
fn settings_that_forbid_everything_let_requests_wait_and_fail() -> Result<()> {
    let attack = Attack::named("endpoint: MAX_CONCURRENT_STREAMS of 0").ends_exchanges("pending_timeout");
    withstood(attack, |conversation| {
        conversation.greet(&[(setting::MAX_CONCURRENT_STREAMS, 0), (setting::INITIAL_WINDOW_SIZE, 0)])?;
        conversation.hear_out()
    })
}

#[test]
fn resets_of_streams_that_were_not_opened_end_the_upstream() -> Result<()> {
    each(
        Attack::named("endpoint: RST_STREAM on idle").ends_upstreams("protocol_error"),
        |conversation, stream| {
            conversation.send(kind::RST_STREAM, flag::NONE, stream + 1_000, &code::CANCEL.to_be_bytes())
        },
    )
}
