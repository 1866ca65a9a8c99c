//! Endpoints that keep to the letter of the protocol and serve nobody: they refuse, reset, go away, keep silent. Their own service
//! fails with a reason; a service that has good endpoints beside them goes on.

use anyhow::{Result, ensure};
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::block::Block;
use evenkeel_attacks::frame::{self, code, flag, kind};
use evenkeel_attacks::hostile::{Conversation, Hostile};
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Calls in flight to it.
const IN_FLIGHT: u64 = 10;

fn alone(
    attack: Attack,
    script: impl Fn(&mut Conversation) -> io::Result<()> + Send + Sync + 'static,
) -> Result<()> {
    let hostile = Hostile::start(script)?;
    let attack = attack.within_cpu(Duration::from_millis(1));
    Arena::with_hostile(hostile.address())?.withstands(&attack, |siege| {
        let ended = siege.calls("/hostile/call", IN_FLIGHT)?;
        ensure!(ended > 0, "no call came to an end");
        siege.sent().connected(hostile.met().connections.load(Ordering::Relaxed));
        Ok(())
    })
}

/// In one service with good endpoints: the bystander's own calls are picked for it, and none may fail.
fn beside_good_ones(
    attack: Attack,
    script: impl Fn(&mut Conversation) -> io::Result<()> + Send + Sync + 'static,
) -> Result<()> {
    let hostile = Hostile::start(script)?;
    let attack = attack.within_cpu(Duration::from_millis(1));
    Arena::mixed_with(hostile.address())?.withstands(&attack, |siege| {
        std::thread::sleep(siege.left());
        let connections = hostile.met().connections.load(Ordering::Relaxed);
        ensure!(connections > 0, "it was never asked");
        siege.sent().connected(connections);
        Ok(())
    })
}

/// Refuses each request, as one that was not processed.
fn refuse(conversation: &mut Conversation) -> io::Result<()> {
    conversation.greet(&[])?;
    loop {
        let stream = conversation.request()?;
        conversation.send(kind::RST_STREAM, flag::NONE, stream, &code::REFUSED_STREAM.to_be_bytes())?;
    }
}

/// Goes away at the first request, which it did not process.
fn go_away(conversation: &mut Conversation) -> io::Result<()> {
    conversation.greet(&[])?;
    conversation.request()?;
    conversation.send(kind::GOAWAY, flag::NONE, 0, &frame::goaway(0, code::NO_ERROR))?;
    conversation.hear_out()
}

/// Goes away at once.
fn greet_and_go_away(conversation: &mut Conversation) -> io::Result<()> {
    conversation.greet(&[])?;
    conversation.send(kind::GOAWAY, flag::NONE, 0, &frame::goaway(0, code::ENHANCE_YOUR_CALM))?;
    conversation.hear_out()
}

#[test]
fn an_endpoint_that_refuses_every_stream_is_asked_a_bounded_number_of_times() -> Result<()> {
    alone(Attack::named("endpoint: REFUSED_STREAM always"), refuse)
}

#[test]
fn a_service_with_one_that_refuses_every_stream_goes_on() -> Result<()> {
    beside_good_ones(Attack::named("endpoint among good: REFUSED_STREAM"), refuse)
}

#[test]
fn a_storm_of_goaways_is_a_connection_each_and_no_more() -> Result<()> {
    alone(Attack::named("endpoint: GOAWAY storm").ends_upstreams("upstream_goaway"), go_away)
}

#[test]
fn a_service_with_one_that_goes_away_all_the_time_goes_on() -> Result<()> {
    beside_good_ones(
        Attack::named("endpoint among good: GOAWAY storm").ends_upstreams("upstream_goaway"),
        go_away,
    )
}

#[test]
fn an_endpoint_that_greets_and_goes_away_is_not_connected_to_without_end() -> Result<()> {
    alone(Attack::named("endpoint: GOAWAY at once").ends_upstreams("upstream_goaway"), greet_and_go_away)
}

#[test]
fn goaway_after_goaway_costs_next_to_nothing() -> Result<()> {
    alone(Attack::named("endpoint: GOAWAY flood"), |conversation| {
        conversation.greet(&[])?;
        let stream = conversation.request()?;
        for _ in 0..20_000 {
            conversation.send(kind::GOAWAY, flag::NONE, 0, &frame::goaway(stream, code::NO_ERROR))?;
        }
        conversation.answer(stream, &Block::ok(), flag::END_STREAM)?;
        conversation.hear_out()
    })
}

#[test]
fn an_endpoint_that_resets_every_stream_fails_its_own_calls() -> Result<()> {
    alone(Attack::named("endpoint: RST storm").ends_exchanges("upstream_reset"), |conversation| {
        conversation.greet(&[])?;
        loop {
            let stream = conversation.request()?;
            // Once for the call, and some more for a stream that is over.
            for _ in 0..10 {
                conversation.send(kind::RST_STREAM, flag::NONE, stream, &2u32.to_be_bytes())?;
            }
        }
    })
}

#[test]
fn an_endpoint_without_settings_is_left_at_the_connect_timeout() -> Result<()> {
    let attack = Attack::named("endpoint: no SETTINGS")
        .lasting(Duration::from_secs(2))
        .ends_upstreams("connect_timeout");
    alone(attack, Conversation::say_nothing)
}

#[test]
fn an_endpoint_that_begins_with_another_frame_is_no_http2_server() -> Result<()> {
    // The acknowledgement of our SETTINGS comes before its own.
    alone(Attack::named("endpoint: SETTINGS ACK first").ends_upstreams("not_http2"), Conversation::hear_out)
}

#[test]
fn an_endpoint_that_closes_after_each_request_fails_its_own_calls() -> Result<()> {
    alone(
        Attack::named("endpoint: closes after a request").ends_upstreams("upstream_closed"),
        |conversation| {
            conversation.greet(&[])?;
            conversation.request().map(drop)
        },
    )
}

#[test]
fn an_endpoint_that_closes_after_each_answer_costs_a_connection_each() -> Result<()> {
    alone(Attack::named("endpoint: closes after an answer"), |conversation| {
        conversation.greet(&[])?;
        let stream = conversation.request()?;
        conversation.answer(stream, &Block::ok(), flag::END_STREAM)
    })
}
