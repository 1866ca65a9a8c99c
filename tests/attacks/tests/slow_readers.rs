//! Clients that ask for much and take little: they hold back their own streams and nobody else's, on the very upstream connections
//! that the bystander's calls go through, within the worker's budget.

use anyhow::{Result, ensure};
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::attacker::Attacker;
use evenkeel_attacks::block::Block;
use evenkeel_attacks::bystander::{PATH, SIZE};
use evenkeel_attacks::frame::{code, flag, kind, setting};
use evenkeel_attacks::generous;
use evenkeel_attacks::siege::Siege;
use std::io::Read;
use std::time::Duration;

/// The largest window.
const MOST: u32 = 0x7fff_ffff;

/// A call for so many bytes.
fn call_for(bytes: usize) -> Block {
    Block::request(PATH).literal(SIZE, bytes.to_string().as_bytes())
}

fn ask(attacker: &mut Attacker, calls: usize, bytes: usize) {
    let call = call_for(bytes);
    for _ in 0..calls {
        attacker.open(&call, flag::END_STREAM);
    }
    attacker.flush();
}

/// Gives the first streams so much window more.
fn widen(attacker: &mut Attacker, streams: u32, by: u32) {
    for n in 0..streams {
        attacker.window_update(1 + 2 * n, by);
    }
}

/// Holds what was begun until the attack's time is over.
fn hold(siege: &Siege) {
    std::thread::sleep(siege.left());
}

#[test]
fn windows_of_nothing_hold_back_only_their_own_streams() -> Result<()> {
    // 1,000 streams of 1 MiB each; what an endpoint may send before it hears of the window is 64 KiB a stream.
    let attack = Attack::named("zero window, 1,000 large answers")
        .lasting(Duration::from_millis(1_500))
        .within_cpu(Duration::from_millis(1))
        .within_mib(200);
    Arena::over_endpoint(&generous::start()?)?.withstands(&attack, |siege| {
        let settings = [(setting::INITIAL_WINDOW_SIZE, 0)];
        let attackers = (0..5).map(|_| siege.connect_with(&settings)).collect::<Result<Vec<_>>>();
        let mut attackers = attackers?;
        attackers.iter_mut().for_each(|attacker| ask(attacker, 200, 1 << 20));
        hold(siege);
        for attacker in &attackers {
            let heard = attacker.ear().so_far();
            ensure!(heard.data_bytes == 0 && heard.resets.is_empty(), "{} bytes", heard.data_bytes);
        }
        Ok(())
    })
}

#[test]
fn windows_of_a_byte_cost_a_frame_each_or_the_session() -> Result<()> {
    let attack = Attack::named("windows of one byte").within_cpu(Duration::from_micros(10)).within_mib(32);
    Arena::over_endpoint(&generous::start()?)?.withstands(&attack, |siege| {
        let mut attacker = siege.connect_with(&[(setting::INITIAL_WINDOW_SIZE, 1)])?;
        attacker.window_update(0, MOST - 65_535);
        ask(&mut attacker, 50, 1 << 20);
        attacker.ear().until("each answer begins", |heard| heard.is_closed || heard.data_bytes >= 50)?;
        while siege.goes_on() && attacker.is_alive() {
            for _ in 0..400 {
                widen(&mut attacker, 50, 1);
            }
            let heard = attacker.settle()?;
            // More of them than there is data to answer is a flood like others.
            let is_told = matches!(heard.goaway_code(), None | Some(code::ENHANCE_YOUR_CALM));
            ensure!(is_told && heard.data_bytes > 0, "{:?}, {} bytes", heard.goaway, heard.data_bytes);
        }
        Ok(())
    })
}

#[test]
fn windows_that_go_negative_stop_the_stream_and_no_other() -> Result<()> {
    let to = |size: u32| evenkeel_attacks::frame::settings(&[(setting::INITIAL_WINDOW_SIZE, size)]);
    let attack =
        Attack::named("negative windows by SETTINGS").within_cpu(Duration::from_micros(500)).within_mib(32);
    Arena::over_endpoint(&generous::start()?)?.withstands(&attack, |siege| {
        siege.again_and_again(|attacker| {
            attacker.window_update(0, MOST - 65_535);
            ask(attacker, 20, 100_000);
            let most = 20 * 65_535;
            attacker
                .ear()
                .until("the windows are used up", |heard| heard.is_closed || heard.data_bytes >= most)?;
            // Now each is at -65,535, and half of it back is not enough to go on.
            attacker.frame(kind::SETTINGS, flag::NONE, 0, &to(0));
            widen(attacker, 20, 30_000);
            let heard = attacker.settle()?;
            ensure!(heard.data_bytes == most, "{} bytes, and {most} were allowed", heard.data_bytes);
            attacker.frame(kind::SETTINGS, flag::NONE, 0, &to(65_535));
            widen(attacker, 20, 50_000);
            attacker.flush();
            let heard = attacker.ear().until("all is there", |heard| heard.is_closed || heard.ended == 20)?;
            ensure!(heard.data_bytes == 20 * 100_000, "{} bytes, {:?}", heard.data_bytes, heard.goaway);
            Ok(())
        })
    })
}

#[test]
fn sockets_that_are_read_by_the_byte_end_at_the_send_timeout() -> Result<()> {
    let attack = Attack::named("20 sockets read by the byte")
        .lasting(Duration::from_secs(5))
        .within_cpu(Duration::from_millis(1))
        .within_mib(128)
        .ends_sessions("send_timeout");
    Arena::over_endpoint(&generous::start()?)?.withstands(&attack, |siege| {
        let settings = [(setting::INITIAL_WINDOW_SIZE, MOST)];
        let attackers = (0..20).map(|_| siege.connect_deaf(&settings)).collect::<Result<Vec<_>>>();
        let mut attackers = attackers?;
        for attacker in &mut attackers {
            attacker.window_update(0, MOST - 65_535);
            ask(attacker, 20, 1 << 20);
        }
        while siege.goes_on() {
            for attacker in &mut attackers {
                // It may be closed by now, which is what is asked for.
                let _closed = attacker.socket().read(&mut [0]);
            }
            std::thread::sleep(siege.left().min(Duration::from_millis(500)));
        }
        Ok(())
    })
}

#[test]
fn answers_beyond_the_budget_are_shed_and_memory_stays_below_it() -> Result<()> {
    // 5,400 streams that take nothing: 64 KiB each would be 340 MiB, and the budget is 256.
    let attack = Attack::named("zero window, 5,400 large answers")
        .lasting(Duration::from_secs(3))
        .within_cpu(Duration::from_millis(1))
        .within_mib(400)
        .meets("buffered_bytes");
    Arena::over_endpoint(&generous::start()?)?.withstands(&attack, |siege| {
        let settings = [(setting::INITIAL_WINDOW_SIZE, 0)];
        let attackers = (0..6).map(|_| siege.connect_with(&settings)).collect::<Result<Vec<_>>>();
        let mut attackers = attackers?;
        // As fast as the endpoint takes them: what waits for a connection has a limit of its own.
        for begun in 1..=18 {
            for attacker in &mut attackers {
                ask(attacker, 50, 1 << 20);
                attacker.ear().until("answers begin", |heard| {
                    heard.is_closed || heard.answers.len() + heard.resets.len() >= begun * 50
                })?;
            }
        }
        hold(siege);
        Ok(())
    })
}
