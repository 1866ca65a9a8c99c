//! The worker's store of header fields, filled by some so that others find no room: the fullest go, the bystander stays.

use anyhow::Result;
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_attacks::attacker::{Attacker, PATH};
use evenkeel_attacks::block::Block;
use evenkeel_attacks::frame::{flag, kind};
use std::time::Duration;

/// A request of so many fields, each of which enters the table and none of which was there before.
fn unique(seed: &mut u64, fields: usize, bytes: usize) -> Block {
    (0..fields).fold(Block::request(PATH), |block, _| {
        *seed += 1;
        let mut value = format!("{seed:016x}").into_bytes();
        value.resize(bytes.max(value.len()), b'v');
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
fn a_store_at_its_very_brim_has_room_for_those_who_need_little() -> Result<()> {
    /// Streams of a client, fields of each, and bytes of a field: ever less, so that at the end not even a short field fits.
    const STEPS: [(usize, usize, usize); 6] =
        [(40, 15, 3_900), (10, 15, 3_900), (1, 15, 3_900), (1, 1, 3_900), (1, 1, 400), (1, 1, 40)];
    /// Of each kind; far more than fit.
    const CLIENTS: usize = 60;
    let attack = Attack::named("a store of header fields at its brim")
        .lasting(Duration::from_secs(1))
        .within_cpu(Duration::from_millis(1))
        .within_mib(200)
        .meets("interned_bytes");
    Arena::start()?.withstands(&attack, |siege| {
        let (mut clients, mut seed) = (Vec::new(), 0);
        for (streams, fields, bytes) in STEPS {
            for _ in 0..CLIENTS {
                let mut client = siege.connect()?;
                (0..streams).for_each(|_| open(&mut client, &unique(&mut seed, fields, bytes)));
                let is_refused = client.settle()?.is_closed;
                clients.push(client);
                if is_refused {
                    break;
                }
            }
        }
        std::thread::sleep(Duration::from_secs(1));
        Ok(())
    })
}

#[test]
fn tables_of_many_clients_do_not_take_the_store_from_others() -> Result<()> {
    const CLIENTS: usize = 3_000;
    let attack = Attack::named("3,000 clients with a full table each")
        .within_cpu(Duration::from_millis(1))
        .within_mib(100);
    Arena::start()?.withstands(&attack, |siege| {
        let (mut clients, mut seed) = (Vec::new(), 0);
        for _ in 0..CLIENTS {
            let mut client = siege.connect_deaf(&[])?;
            client.open(&unique(&mut seed, 1, 3_900), flag::END_STREAM);
            client.flush();
            clients.push(client);
        }
        Ok(())
    })
}
