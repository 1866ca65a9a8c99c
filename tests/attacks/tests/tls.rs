//! Attacks on TLS: handshakes that do not go on, that are too large, that are never ended, and what comes behind them.

use anyhow::Result;
use evenkeel_attacks::arena::Arena;
use evenkeel_attacks::attack::Attack;
use evenkeel_interop::certificate::Certificate;
use evenkeel_interop::tls::Client;
use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

/// Clients that are slow at once.
const CLIENTS: usize = 1_000;

/// The listener that all of them are on.
const SECURED: &str = "secured";

/// A ClientHello that names this much of nothing, over as many records as that takes; the last of them may be left out.
fn hello(padding: usize) -> Vec<u8> {
    // TLS 1.2, a random, no session, one suite, no compression, and one extension: padding (RFC 7685).
    let mut body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 0x01, 1, 0]].concat();
    body.extend(((padding + 4) as u16).to_be_bytes());
    body.extend([0, 21]);
    body.extend((padding as u16).to_be_bytes());
    body.resize(body.len() + padding, 0);
    let length = (body.len() as u32).to_be_bytes();
    let message = [&[1][..], &length[1..], &body].concat();
    let records = message
        .chunks(1 << 14)
        .map(|part| [&[0x16, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat());
    records.collect::<Vec<_>>().concat()
}

#[test]
fn handshakes_that_stall_are_closed_at_their_timeout() -> Result<()> {
    let attack = Attack::named("slowloris: half a ClientHello, 1,000 clients")
        .lasting(Duration::from_secs(2))
        .within_mib(32)
        .ends_sessions("tls_handshake_timeout");
    let hello = hello(400);
    Arena::secured(&Certificate::make()?)?.withstands_at(SECURED, &attack, |siege| {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let mut client = siege.connect_mute()?;
            client.raw(&hello[..200]);
            client.flush();
            clients.push(client);
        }
        // One byte more now and then does not help.
        for next in hello[200..].chunks(1) {
            std::thread::sleep(siege.left().min(Duration::from_millis(400)));
            for client in clients.iter_mut().filter(|_| siege.goes_on()) {
                client.raw(next);
                client.flush();
            }
        }
        Ok(())
    })
}

#[test]
fn clients_that_say_nothing_at_all_are_closed_at_the_handshakes_timeout() -> Result<()> {
    let attack = Attack::named("half-open handshakes: 1,000 clients")
        .lasting(Duration::from_secs(2))
        .within_mib(32)
        .ends_sessions("tls_handshake_timeout");
    Arena::secured(&Certificate::make()?)?.withstands_at(SECURED, &attack, |siege| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| siege.connect_mute()).collect::<Result<_>>()?;
        std::thread::sleep(siege.left());
        drop(clients);
        Ok(())
    })
}

#[test]
fn a_hello_larger_than_is_kept_is_refused() -> Result<()> {
    let attack = Attack::named("huge ClientHello")
        .within_mib(32)
        .ends_sessions("tls_handshake_failed")
        .meets("handshake_bytes");
    let huge = hello(60_000);
    // The last record never comes.
    let (huge, _) = huge.split_at(3 * ((1 << 14) + 5));
    Arena::secured(&Certificate::make()?)?.withstands_at(SECURED, &attack, |siege| {
        while siege.goes_on() {
            let mut client = siege.connect_mute()?;
            client.raw(huge);
            client.flush();
            client.listen()?;
            client.until_closed()?;
        }
        Ok(())
    })
}

#[test]
fn records_of_garbage_end_the_handshake() -> Result<()> {
    let attack =
        Attack::named("garbage for a ClientHello").within_mib(16).ends_sessions("tls_handshake_failed");
    Arena::secured(&Certificate::make()?)?.withstands_at(SECURED, &attack, |siege| {
        while siege.goes_on() {
            let mut client = siege.connect_mute()?;
            client.raw(&[&[0x16, 3, 1, 0, 200][..], &[0xee; 200]].concat());
            client.flush();
            client.listen()?;
            client.until_closed()?;
        }
        Ok(())
    })
}

/// Handshakes by a client that keeps the rules, and then what `breaks` them, until the time is over.
fn after_the_handshake(attack: &Attack, breaks: impl Fn(&mut Client) -> Result<()>) -> Result<()> {
    let certificate = Certificate::make()?;
    // A whole handshake is a signature and a key exchange.
    let attack = attack.clone().within_cpu_of_connections(Duration::from_millis(5));
    Arena::secured(&certificate)?.withstands_at(SECURED, &attack, |siege| {
        while siege.goes_on() {
            siege.sent().connected(1);
            let mut client = Client::connect(siege.address(), &certificate)?;
            breaks(&mut client)?;
            // Whether by an alert or without a word, it has an end.
            let _alert = client.hear_to_the_end();
        }
        Ok(())
    })
}

#[test]
fn garbage_behind_the_handshake_ends_the_session() -> Result<()> {
    let attack = Attack::named("garbage behind the handshake").ends_sessions("tls_handshake_failed");
    after_the_handshake(&attack, |client| {
        Ok(client.socket().write_all(&[&[0x17, 3, 3, 0, 100][..], &[0xee; 100]].concat())?)
    })
}

#[test]
fn a_clients_second_hello_behind_the_handshake_ends_the_session() -> Result<()> {
    let attack = Attack::named("renegotiation").ends_sessions("tls_handshake_failed");
    let hello = hello(100);
    after_the_handshake(&attack, |client| Ok(client.socket().write_all(&hello)?))
}

#[test]
fn a_session_that_is_cut_off_is_told_from_one_that_ended() -> Result<()> {
    let attack = Attack::named("truncated TLS").ends_sessions("tls_closed_uncleanly");
    after_the_handshake(&attack, |client| {
        client.say(b"GET / HTTP/1.1\r\nhost: a\r\n")?;
        Ok(client.socket().shutdown(Shutdown::Write)?)
    })
}
