//! Hellos that rustls makes, and hellos made by hand for what rustls does not do.

use super::*;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::sync::Arc;

/// What a client of rustls sends first.
fn hello_of_rustls(name: &'static str, protocols: &[&str], largest_record: Option<usize>) -> Vec<u8> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    config.max_fragment_size = largest_record;
    let mut client = ClientConnection::new(Arc::new(config), ServerName::try_from(name).unwrap()).unwrap();
    let mut out = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut out).unwrap();
    }
    out
}

fn list(data: &[u8]) -> Vec<u8> {
    [&(data.len() as u16).to_be_bytes()[..], data].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &list(data)].concat()
}

fn server_name(name: &[u8]) -> Vec<u8> {
    extension(0, &list(&[&[0][..], &list(name)].concat()))
}

fn body(extensions: Option<&[u8]>) -> Vec<u8> {
    let fixed = [&[3, 3][..], &[7; 32], &[0], &list(&[0x13, 1]), &[1, 0]].concat();
    [fixed, extensions.map(list).unwrap_or_default()].concat()
}

fn message(body: &[u8]) -> Vec<u8> {
    [&[1][..], &(body.len() as u32).to_be_bytes()[1..], body].concat()
}

fn records(message: &[u8], largest: usize) -> Vec<u8> {
    message.chunks(largest).flat_map(|part| [&[22, 3, 1][..], &list(part)].concat()).collect()
}

/// One record with a hello of these extensions.
fn hello(extensions: &[u8]) -> Vec<u8> {
    records(&message(&body(Some(extensions))), 1 << 14)
}

/// Reads a hello, after it was found unfinished at every byte before its end.
fn whole(bytes: &[u8]) -> ClientHello {
    for cut in 0..bytes.len() {
        assert_eq!(read(&bytes[..cut]), Ok(None), "{cut}");
    }
    let hello = read(bytes).unwrap().unwrap();
    assert_eq!(read(&[bytes, b"\x14\x03"].concat()), Ok(Some(hello.clone())), "with what may come behind it");
    hello
}

#[test]
fn a_hello_of_rustls_gives_its_name_and_protocols_in_whole_and_in_fragments() {
    for largest in [None, Some(32), Some(100)] {
        let hello = whole(&hello_of_rustls("Chat.Example.com", &["h2", "http/1.1"], largest));
        assert_eq!(hello.server_name.as_deref(), Some("chat.example.com"));
        assert_eq!(hello.protocols().collect::<Vec<_>>(), [&b"h2"[..], b"http/1.1"]);
    }
}

#[test]
fn a_hello_without_name_and_protocols_has_none() {
    for bytes in [
        hello_of_rustls("127.0.0.1", &[], None),
        records(&message(&body(None)), 1 << 14),
        hello(&[]),
        hello(&server_name(b"192.0.2.1")),
    ] {
        assert_eq!(whole(&bytes), ClientHello::default());
    }
}

#[test]
fn records_of_one_byte_are_put_together() {
    let bytes = records(&message(&body(Some(&server_name(b"a.b")))), 1);
    assert_eq!(whole(&bytes).server_name.as_deref(), Some("a.b"));
}

#[test]
fn what_may_not_begin_a_connection_is_refused_as_soon_as_it_shows() {
    for (bytes, fault) in [
        (&b"\x15"[..], Fault::Record),
        (b"G", Fault::Record),
        (b"\x16\x02", Fault::Record),
        (b"\x16\x03\x01\0\0", Fault::Record),
        (b"\x16\x03\x01\x40\x01", Fault::Record),
        (b"\x16\x03\x01\0\x01\x01\x17", Fault::Record),
        (b"\x16\x03\x01\0\x05\x02", Fault::Message),
        (b"\x16\x03\x01\x02\0\x01\x01\0\0", Fault::TooLong),
    ] {
        assert_eq!(read(bytes), Err(fault), "{bytes:02x?}");
        assert_eq!(read(&bytes[..bytes.len() - 1]), Ok(None), "{bytes:02x?} but for the last");
    }
}

#[test]
fn lists_that_do_not_fit_are_refused() {
    let protocols = |names: &[u8]| extension(16, &list(names));
    for (extensions, fault) in [
        ([server_name(b"a"), server_name(b"a")].concat(), Fault::Repeated),
        ([protocols(b"\x02h2"), protocols(b"\x02h2")].concat(), Fault::Repeated),
        (extension(0, &list(b"\0\0\x01a\0\0\x01b")), Fault::Repeated),
        (extension(0, &list(b"\0\0\x01a\x01\0\x01b")), Fault::Malformed),
        (extension(0, &list(b"\x01\0\x01a")), Fault::Malformed),
        (extension(0, &list(b"")), Fault::Malformed),
        (extension(0, b""), Fault::Malformed),
        (extension(0, &[list(b"\0\0\x01a"), vec![0]].concat()), Fault::Malformed),
        (protocols(b""), Fault::Malformed),
        (protocols(b"\0"), Fault::Malformed),
        (protocols(b"\x03h2"), Fault::Malformed),
        (vec![0, 0, 0], Fault::Malformed),
        (vec![0, 99, 0, 2, 1], Fault::Malformed),
        (server_name(b"a b"), Fault::HostName),
        (server_name(b""), Fault::HostName),
    ] {
        assert_eq!(read(&hello(&extensions)), Err(fault), "{extensions:02x?}");
    }
    let good = body(Some(&[]));
    for bad in [
        good[..good.len() - 3].to_vec(),
        [&good[..], &[0]].concat(),
        [&[3, 3][..], &[7; 32], &[33], &[0; 33], &list(&[0x13, 1]), &[1, 0]].concat(),
        [&[3, 3][..], &[7; 32], &[0], &list(&[0x13]), &[1, 0]].concat(),
        [&[3, 3][..], &[7; 32], &[0], &list(&[]), &[1, 0]].concat(),
        [&[3, 3][..], &[7; 32], &[0], &list(&[0x13, 1]), &[0]].concat(),
        vec![3, 3],
        vec![],
    ] {
        assert_eq!(read(&records(&message(&bad), 1 << 14)), Err(Fault::Malformed), "{bad:02x?}");
    }
}

#[test]
fn every_changed_byte_ends_in_a_hello_a_refusal_or_a_wait() {
    let bytes = hello_of_rustls("example.com", &["h2"], Some(100));
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            if let Ok(Some(hello)) = read(&changed) {
                assert!(hello.protocols().all(|p| !p.is_empty()));
            }
        }
    }
}

#[test]
fn the_longest_hello_is_read_and_one_byte_more_is_refused() {
    let of_length = |length: usize| {
        let empty = hello(&[server_name(b"a.b"), extension(21, &[])].concat()).len();
        hello(&[server_name(b"a.b"), extension(21, &vec![0; length - empty])].concat())
    };
    let longest = of_length(LONGEST);
    assert_eq!(longest.len(), LONGEST);
    assert_eq!(read(&longest).unwrap().unwrap().server_name.as_deref(), Some("a.b"));
    assert_eq!(read(&of_length(LONGEST + 1)), Err(Fault::TooLong));
    // The headers of its records count too.
    let message = message(&body(Some(&extension(21, &vec![0; 4_000]))));
    assert!(records(&message, 1).len() > LONGEST);
    assert_eq!(read(&records(&message, 1)[..LONGEST - 1]), Ok(None));
    assert_eq!(read(&records(&message, 1)), Err(Fault::TooLong));
}
