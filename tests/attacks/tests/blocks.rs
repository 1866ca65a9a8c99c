//! Header blocks that cost more than they seem to: floods of CONTINUATION, bombs, tricks with integers, Huffman and table sizes.

use anyhow::{Result, ensure};
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::attacker::PATH;
use evenkeel_attacks::block::Block;
use evenkeel_attacks::frame::{code, flag, kind, setting};
use std::time::{Duration, Instant};

/// Frames of a block that are sent unless Evenkeel ends it before.
const PARTS: usize = 5_000;

fn continuations(name: &'static str, limit: &'static str, part: &[u8]) -> Result<()> {
    let attack = Attack::named(name).ends_sessions("continuation_flood").meets(limit);
    Arena::start()?.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            let stream = attacker.next_stream();
            attacker.frame(kind::HEADERS, flag::NONE, stream, Block::request(PATH).bytes());
            let mut parts = 0;
            while parts < PARTS && attacker.frame(kind::CONTINUATION, flag::NONE, stream, part) {
                parts += 1;
            }
            let heard = attacker.until_closed()?;
            ensure!(heard.answers.is_empty(), "it was answered");
            Ok(())
        })
    })
}

#[test]
fn a_flood_of_small_continuations_is_ended() -> Result<()> {
    continuations("CONTINUATION flood: a byte each", "header_block_frames", &[0x82])
}

#[test]
fn a_flood_of_empty_continuations_is_ended() -> Result<()> {
    // CVE-2019-9518.
    continuations("CONTINUATION flood: empty", "header_block_frames", &[])
}

#[test]
fn a_flood_of_full_continuations_is_ended() -> Result<()> {
    continuations("CONTINUATION flood: 16 KiB each", "header_block_bytes", &[0x82; 16 * 1024])
}

#[test]
fn header_blocks_that_drip_end_at_the_header_timeout() -> Result<()> {
    const CLIENTS: usize = 200;
    const DRIP: Duration = Duration::from_millis(100);
    let attack = Attack::named("CONTINUATION drip, 200 clients")
        .lasting(Duration::from_millis(1_500))
        .ends_sessions("header_timeout");
    Arena::start()?.withstands(&attack, |siege| {
        let clients = (0..CLIENTS).map(|_| siege.connect()).collect::<Result<Vec<_>>>();
        let mut clients = clients?;
        for client in &mut clients {
            client.frame(kind::HEADERS, flag::NONE, 1, &[0x82]);
            client.flush();
        }
        let mut next = Instant::now();
        while siege.goes_on() {
            if Instant::now() >= next {
                for client in &mut clients {
                    client.frame(kind::CONTINUATION, flag::NONE, 1, &[0x84]);
                    client.flush();
                }
                next += DRIP;
            }
            std::thread::yield_now();
        }
        clients.iter_mut().try_for_each(|client| client.until_closed().map(drop))
    })
}

#[test]
fn a_bomb_of_references_gets_431_and_costs_no_memory() -> Result<()> {
    // 16 KiB on the wire that claim 64 MiB of fields.
    let bomb = Block::request(PATH).raw(&[0xbe; 16_000]);
    let attack = Attack::named("HPACK bomb")
        .within_cpu(Duration::from_millis(1))
        .within_mib(8)
        .meets("header_list_bytes")
        .ends_unrouted("bad_request");
    Arena::start()?.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            attacker.open(&Block::request(PATH).entered("x", &[b'a'; 4_000]), flag::END_STREAM);
            for _ in 0..200 {
                attacker.open(&bomb, flag::END_STREAM);
            }
            let heard = attacker.settle()?;
            ensure!(heard.is_closed || heard.answers.len() >= 200, "{} answers", heard.answers.len());
            Ok(())
        })
    })
}

#[test]
fn references_that_grow_on_their_way_to_the_endpoint_stay_within_its_output() -> Result<()> {
    // 15 references are 15 bytes here and 60 KB for an endpoint, since the name is none that is indexed there.
    let grown = Block::request(PATH).raw(&[0xbe; 15]);
    let attack =
        Attack::named("amplification by references").within_cpu(Duration::from_millis(1)).within_mib(300);
    Arena::start()?.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            attacker.open(&Block::request(PATH).entered("x", &[b'a'; 4_000]), flag::END_STREAM);
            for _ in 0..900 {
                attacker.open(&grown, flag::NONE);
            }
            attacker.settle().map(drop)
        })
    })
}

fn broken(name: &'static str, blocks: &[Block]) -> Result<()> {
    let attack = Attack::named(name).ends_sessions("compression_error");
    let mut arena = Arena::start()?;
    arena.withstands(&attack, |siege| {
        let mut turn = blocks.iter().cycle();
        siege.again_and_again(|attacker| {
            let Some(block) = turn.next() else { return Ok(()) };
            attacker.open(block, flag::END_STREAM);
            let heard = attacker.until_closed()?;
            ensure!(heard.goaway_code() == Some(code::COMPRESSION_ERROR), "{block:?}: {:?}", heard.goaway);
            Ok(())
        })
    })?;
    ensure!(arena.passed_on() == (0, 0), "{:?}", arena.passed_on());
    Ok(())
}

#[test]
fn integers_that_overflow_are_compression_errors() -> Result<()> {
    let long = [0xff; 12];
    let request = || Block::request(PATH);
    broken(
        "HPACK integers",
        &[
            request().raw(&long),
            request().raw(&[0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]),
            request().raw(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            request().raw(&[0x00, 0x7f]).raw(&long),
            request().raw(&[0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f]),
            request().raw(&[0x00, 0x01, b'x', 0x7f, 0x80, 0xff, 0xff, 0x7f]),
            request().raw(&[0x80]),
            request().raw(&[0xff, 0x7f]),
            request().raw(&[0x40, 0x7f, 0x80]),
            Block::new().raw(&[0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        ],
    )
}

#[test]
fn tricks_with_huffman_codes_are_compression_errors() -> Result<()> {
    let value =
        |coded: &[u8]| Block::request(PATH).raw(&[0x00, 0x01, b'x', 0x80 | coded.len() as u8]).raw(coded);
    broken(
        "Huffman: EOS and padding",
        &[
            // EOS, padding of a whole byte, padding of zeros, a symbol cut short.
            value(&[0xff, 0xff, 0xff, 0xff]),
            value(&[0x1f, 0xff]),
            value(&[0x18]),
            value(&[0xff, 0xff, 0xff]),
            value(&[0xfe]),
        ],
    )
}

#[test]
fn table_sizes_where_or_as_they_may_not_be_are_compression_errors() -> Result<()> {
    broken(
        "HPACK table sizes",
        &[
            Block::new().size(4_097).raw(Block::request(PATH).bytes()),
            Block::new().size(usize::MAX >> 34).raw(Block::request(PATH).bytes()),
            Block::request(PATH).size(0),
            Block::new().indexed(3).size(100).raw(Block::request(PATH).bytes()),
            Block::new().size(0).raw(Block::request(PATH).bytes()).indexed(62),
        ],
    )
}

#[test]
fn table_sizes_that_shrink_and_grow_cost_little() -> Result<()> {
    // Each block fills the table, empties it and fills it again.
    let mut block = Block::new().size(0).size(4_096).raw(Block::request(PATH).bytes());
    for n in 0..60 {
        block = block.entered(&format!("x-{n}"), &[b'v'; 30]);
    }
    let attack = Attack::named("HPACK table that shrinks and grows").within_cpu(Duration::from_micros(200));
    let mut arena = Arena::start()?;
    arena.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            for _ in 0..500 {
                attacker.open(&block, flag::END_STREAM);
            }
            let heard = attacker.ear().clone();
            attacker.flush();
            heard.until("all are answered", |heard| heard.is_closed || heard.ended >= 500).map(drop)
        })
    })?;
    let (passed, whole) = arena.passed_on();
    ensure!(passed > 0 && passed == whole, "{passed} passed on, {whole} whole");
    Ok(())
}

#[test]
fn a_client_that_changes_its_table_limit_all_the_time_gets_answers_it_can_read() -> Result<()> {
    let attack = Attack::named("SETTINGS table size 0 and 4 GiB").within_cpu(Duration::from_micros(20));
    Arena::start()?.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            for size in [0, u32::MAX, 1, 4_096].into_iter().cycle().take(200) {
                let settings = evenkeel_attacks::frame::settings(&[(setting::HEADER_TABLE_SIZE, size)]);
                attacker.frame(kind::SETTINGS, flag::NONE, 0, &settings);
                attacker.call();
            }
            attacker.flush();
            let heard =
                attacker.ear().until("all are answered", |heard| heard.is_closed || heard.ended >= 200)?;
            ensure!(heard.ended == 200, "{heard:?}");
            Ok(())
        })
    })
}
