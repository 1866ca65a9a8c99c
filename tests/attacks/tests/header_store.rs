//! The worker's store of header fields, filled by some so that others find no room: the fullest go, the bystander stays.

use anyhow::Result;
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::attacker::{Attacker, PATH};
use evenkeel_attacks::block::Block;
use evenkeel_attacks::frame::{flag, kind};
use std::collections::VecDeque;
use std::time::Duration;

/// A request with a header list of about 60 KiB, each field of which enters the table, and none of which was there before.
fn large(seed: u64) -> Block {
    (0..15).fold(Block::request(PATH), |block, n| {
        let mut value = vec![b'v'; 3_900];
        value[..16].copy_from_slice(format!("{:016x}", seed * 15 + n).as_bytes());
        block.entered("x", &value)
    })
}

fn open(attacker: &mut Attacker, block: &Block) {
    let stream = attacker.next_stream();
    let mut parts = block.bytes().chunks(16 * 1024).peekable();
    let mut kind = kind::HEADERS;
    while let Some(part) = parts.next() {
        let end = if parts.peek().is_none() { flag::END_HEADERS } else { flag::NONE };
        attacker.frame(kind, end, stream, part);
        kind = kind::CONTINUATION;
    }
}

#[test]
fn open_streams_with_large_lists_do_not_take_the_store_from_others() -> Result<()> {
    // 64 MiB is what the store may hold: it is kept at its brim by many, of which the oldest make room for new ones.
    const CLIENTS: usize = 130;
    let attack = Attack::named("a store at its brim: open streams of 60 KiB lists")
        .lasting(Duration::from_secs(2))
        .within_cpu(Duration::from_millis(1))
        .within_mib(200)
        .meets("interned_bytes");
    Arena::start()?.withstands(&attack, |siege| {
        let (mut clients, mut seed) = (VecDeque::new(), 0);
        while siege.goes_on() {
            let mut client = siege.connect()?;
            for _ in 0..10 {
                seed += 1;
                open(&mut client, &large(seed));
            }
            client.settle()?;
            clients.push_back(client);
            if clients.len() > CLIENTS {
                clients.pop_front();
            }
        }
        Ok(())
    })
}

#[test]
fn tables_of_many_clients_do_not_take_the_store_from_others() -> Result<()> {
    const CLIENTS: u64 = 3_000;
    let attack = Attack::named("3,000 clients with a full table each")
        .lasting(Duration::from_secs(3))
        .within_cpu(Duration::from_millis(1))
        .within_mib(200);
    Arena::start()?.withstands(&attack, |siege| {
        let mut clients = Vec::new();
        for n in 0..CLIENTS {
            let mut client = siege.connect_deaf(&[])?;
            let mut value = vec![b'v'; 3_900];
            value[..16].copy_from_slice(format!("{n:016x}").as_bytes());
            client.open(&Block::request(PATH).entered("x", &value), flag::END_STREAM);
            client.flush();
            clients.push(client);
        }
        Ok(())
    })
}
