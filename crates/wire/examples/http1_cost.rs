//! What a head of HTTP/1 costs: read into a list, and written of it, in ns a head.
//!
//! Run it with `cargo run --release -p evenkeel-wire --example http1_cost`. It only measures and prints: nothing passes or
//! fails by speed. Each line is the best of several rounds, so that neighbours on the machine count for little.

use evenkeel_wire::hpack::{HeaderList, HeaderStore};
use evenkeel_wire::http1::{
    Framing, HeadLimits, RequestOptions, ResponseOptions, ResponseTo, Scheme, put_request, put_response,
    read_request, read_response,
};
use std::hint::black_box;
use std::time::Instant;

/// Heads of one round.
const HEADS: u32 = 20_000;
/// Rounds, of which the best counts.
const ROUNDS: usize = 30;

const BROWSER: &[u8] = b"GET /assets/application-5d41402abc4b2a76.js?v=3 HTTP/1.1\r\n\
Host: www.example.com\r\n\
Connection: keep-alive\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
Sec-Fetch-Site: same-origin\r\n\
Sec-Fetch-Mode: no-cors\r\n\
Referer: https://www.example.com/index.html\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n";

const SMALL: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nUser-Agent: load\r\n\r\n";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n\
Content-Type: text/html; charset=utf-8\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n\
Cache-Control: max-age=600\r\nETag: \"5d41402abc4b2a76\"\r\n\r\n";

fn best(name: &str, mut once: impl FnMut()) {
    let mut least = f64::MAX;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for _ in 0..HEADS {
            once();
        }
        least = least.min(began.elapsed().as_nanos() as f64 / f64::from(HEADS));
    }
    println!("{name:<40} {least:>7.1} ns");
}

fn main() {
    let (mut list, mut store) = (HeaderList::default(), HeaderStore::new((1, 2), 1 << 20));
    let (limits, mut out) = (HeadLimits::default(), Vec::with_capacity(4096));
    for (name, input) in [("browser request", BROWSER), ("small request", SMALL)] {
        best(&format!("{name}, {} bytes: read", input.len()), || {
            list.clear(&mut store);
            let read = read_request(black_box(input), &mut 0, Scheme::Http, &limits, &mut list, &mut store);
            black_box(read).expect("it is a right request");
        });
        let options = RequestOptions {
            framing: Framing::None,
            upgrade: None,
            expects_continue: false,
            keeps_alive: true,
        };
        best(&format!("{name}, {} bytes: written", input.len()), || {
            out.clear();
            put_request(&mut out, black_box(&list), &store, &options).expect("what was read can be written");
            black_box(&out);
        });
    }
    best(&format!("response, {} bytes: read", ANSWER.len()), || {
        list.clear(&mut store);
        let to = ResponseTo::default();
        black_box(read_response(black_box(ANSWER), &mut 0, to, &limits, &mut list, &mut store))
            .expect("it is a right response");
    });
    let options =
        ResponseOptions { minor: 1, framing: Framing::Length(1024), keeps_alive: true, upgrade: None };
    best(&format!("response, {} bytes: written", ANSWER.len()), || {
        out.clear();
        put_response(&mut out, black_box(&list), &store, &options).expect("what was read can be written");
        black_box(&out);
    });
    list.clear(&mut store);
}
