//! What a header block costs between two connections: decoded, and encoded for the other side, in ns a block.
//!
//! Run it with `cargo run --release -p evenkeel-wire --example transcode [PART OF A CASE'S NAME]`. It only measures and
//! prints: nothing passes or fails by speed. Blocks are written the way the libraries in the field write them, which
//! differs much:
//!
//! - grpc-go puts every field into its table and codes with Huffman whatever gets shorter by it;
//! - gRPC core (Python, C++, Ruby) leaves its users' metadata out of the table and never codes it;
//! - nghttp2 (grpc-js, curl) puts no path in, marks `authorization` as never to be indexed, and codes the rest.
//!
//! Each line is the best of several rounds, so that neighbours on the machine count for little.

use evenkeel_wire::hpack::{Decoder, Encoder, HeaderLimits, HeaderList, HeaderStore, IndexPolicy, strings};
use evenkeel_wire::http2::{Frame, FrameReader, put_data_header, put_headers};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Blocks of one connection of a case.
const BLOCKS: usize = 500;
/// Rounds, of which the best counts.
const ROUNDS: usize = 200;

/// How a library writes what it has not written before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Library {
    Go,
    Core,
    Nghttp2,
}

/// Where a literal goes.
#[derive(Clone, Copy)]
enum Indexing {
    Add,
    Without,
    Never,
}

impl Library {
    fn indexing(self, name: &str) -> Indexing {
        const OWN: &[&str] =
            &[":path", ":authority", "user-agent", "te", "content-type", "grpc-accept-encoding"];
        match (self, name) {
            (Self::Go, _) => Indexing::Add,
            (Self::Core, name) if OWN.contains(&name) => Indexing::Add,
            (Self::Core, _) | (Self::Nghttp2, ":path" | "content-length" | "etag") => Indexing::Without,
            (Self::Nghttp2, "authorization") => Indexing::Never,
            (Self::Nghttp2, _) => Indexing::Add,
        }
    }
}

/// The writing side of one connection of the library.
struct Writer {
    library: Library,
    newest_first: VecDeque<(String, String)>,
    size: usize,
}

impl Writer {
    fn new(library: Library) -> Self {
        Self { library, newest_first: VecDeque::new(), size: 0 }
    }

    fn block(&mut self, fields: &[(&str, String)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in fields {
            self.field(name, value, &mut out);
        }
        out
    }

    fn field(&mut self, name: &str, value: &str, out: &mut Vec<u8>) {
        let index =
            STATIC_FIELDS.iter().find(|f| (f.0, f.1) == (name, value)).map(|f| f.2).or_else(|| {
                self.newest_first.iter().position(|(n, v)| v == value && n == name).map(|i| i + 62)
            });
        if let Some(index) = index {
            return integer(index, 7, 0x80, out);
        }
        let (flags, bits) = match self.library.indexing(name) {
            Indexing::Add => (0x40, 6),
            Indexing::Without => (0, 4),
            Indexing::Never => (0x10, 4),
        };
        let known = STATIC_NAMES.iter().find(|(known, _)| *known == name).map(|(_, index)| *index);
        let known = known.or_else(|| self.newest_first.iter().position(|(n, _)| n == name).map(|i| i + 62));
        integer(known.unwrap_or(0), bits, flags, out);
        if known.is_none() {
            self.string(name, out);
        }
        self.string(value, out);
        if flags == 0x40 {
            self.size += name.len() + value.len() + 32;
            self.newest_first.push_front((name.to_owned(), value.to_owned()));
            while self.size > 4096 {
                let (n, v) = self.newest_first.pop_back().expect("a size above 0 is that of entries");
                self.size -= n.len() + v.len() + 32;
            }
        }
    }

    fn string(&self, text: &str, out: &mut Vec<u8>) {
        let mut coded = Vec::new();
        strings::encode(text.as_bytes(), &mut coded);
        if self.library != Library::Core && coded.len() < text.len() {
            integer(coded.len(), 7, 0x80, out);
            out.extend_from_slice(&coded);
        } else {
            integer(text.len(), 7, 0, out);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// The first static index of each name that the cases use.
const STATIC_NAMES: &[(&str, usize)] = &[
    (":authority", 1),
    (":method", 2),
    (":path", 4),
    (":scheme", 6),
    (":status", 8),
    ("accept-encoding", 16),
    ("authorization", 23),
    ("content-length", 28),
    ("content-type", 31),
    ("date", 33),
    ("etag", 34),
    ("server", 54),
    ("user-agent", 58),
];

/// The whole static fields that the cases use.
const STATIC_FIELDS: &[(&str, &str, usize)] =
    &[(":method", "POST", 3), (":scheme", "http", 6), (":status", "200", 8)];

fn integer(value: usize, bits: u32, flags: u8, out: &mut Vec<u8>) {
    let most = (1 << bits) - 1;
    if value < most {
        return out.push(flags | value as u8);
    }
    out.push(flags | most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        out.push(rest as u8 | 128);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Digits that differ from number to number, as random ids do.
fn digits(n: usize, length: usize, alphabet: &[u8]) -> String {
    let mut state = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize
    };
    (0..length).map(|_| char::from(alphabet[next() % alphabet.len()])).collect()
}

const HEX: &[u8] = b"0123456789abcdef";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn grpc(path: String) -> Vec<(&'static str, String)> {
    [
        (":method", "POST".to_owned()),
        (":scheme", "http".to_owned()),
        (":path", path),
        (":authority", "orders.shop.svc.cluster.local:8080".to_owned()),
        ("content-type", "application/grpc".to_owned()),
        ("user-agent", "grpc-go/1.76.0".to_owned()),
        ("te", "trailers".to_owned()),
        ("grpc-accept-encoding", "identity,deflate,gzip".to_owned()),
    ]
    .to_vec()
}

fn steady(_: usize) -> Vec<(&'static str, String)> {
    grpc("/shop.orders.v1.OrderService/GetOrder".to_owned())
}

fn unique_ids(n: usize) -> Vec<(&'static str, String)> {
    let mut all = steady(n);
    all.push(("traceparent", format!("00-{}-{}-01", digits(n, 32, HEX), digits(n + 7, 16, HEX))));
    let id = digits(n + 9, 32, HEX);
    let id = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-");
    all.push(("x-request-id", id));
    all
}

fn unique(n: usize) -> Vec<(&'static str, String)> {
    let mut all = unique_ids(n);
    // 70 bytes.
    all[2].1 = format!("/api/v1/customers/{}/orders/{}/items", digits(n, 20, HEX), digits(n + 3, 17, HEX));
    all
}

fn bearer(n: usize) -> Vec<(&'static str, String)> {
    let mut all = steady(n);
    all.push(("authorization", format!("Bearer {}", digits(1, 1017, BASE64))));
    all
}

fn rotating_bearer(n: usize) -> Vec<(&'static str, String)> {
    let mut all = steady(n);
    all.push(("authorization", format!("Bearer {}", digits(n, 1017, BASE64))));
    all
}

fn grpc_answer(_: usize) -> Vec<(&'static str, String)> {
    [(":status", "200"), ("content-type", "application/grpc")].map(|(n, v)| (n, v.to_owned())).to_vec()
}

fn grpc_trailers(_: usize) -> Vec<(&'static str, String)> {
    [("grpc-status", "0"), ("grpc-message", "")].map(|(n, v)| (n, v.to_owned())).to_vec()
}

fn http_answer(n: usize) -> Vec<(&'static str, String)> {
    [
        (":status", "200".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("server", "backend".to_owned()),
        ("date", format!("Fri, 20 Nov 2026 15:{:02}:{:02} GMT", n / 60 % 60, n % 60)),
        ("content-length", (n % 4000).to_string()),
        ("etag", format!("\"{}\"", digits(n, 32, HEX))),
        ("x-request-id", digits(n + 5, 32, HEX)),
    ]
    .to_vec()
}

/// One direction of a case, and what it took.
struct Case {
    name: &'static str,
    policy: IndexPolicy,
    blocks: Vec<Vec<u8>>,
}

impl Case {
    fn new(
        name: &'static str,
        library: Library,
        policy: IndexPolicy,
        fields: fn(usize) -> Vec<(&'static str, String)>,
    ) -> Self {
        let mut writer = Writer::new(library);
        let blocks = (0..BLOCKS).map(|n| writer.block(&fields(n))).collect();
        Self { name, policy, blocks }
    }

    fn measure(&self) {
        let (mut store, limits) = (HeaderStore::new((1, 2), 64 << 20), HeaderLimits::default());
        let (mut encoder, mut list) = (Encoder::new(self.policy), HeaderList::default());
        let mut out = Vec::new();
        let (mut decoding, mut both) = (Duration::MAX, Duration::MAX);
        let mut written = 0;
        for _ in 0..ROUNDS {
            let mut decoder = Decoder::default();
            let started = Instant::now();
            for block in &self.blocks {
                decoder.decode(black_box(block), &limits, &mut store, &mut list).expect("a block");
                black_box(list.fields());
                list.clear(&mut store);
            }
            decoding = decoding.min(started.elapsed());
            decoder.clear(&mut store);
            let started = Instant::now();
            written = 0;
            for block in &self.blocks {
                decoder.decode(black_box(block), &limits, &mut store, &mut list).expect("a block");
                out.clear();
                encoder.encode(&list, &mut store, &mut out);
                written += black_box(&out).len();
                list.clear(&mut store);
            }
            both = both.min(started.elapsed());
            decoder.clear(&mut store);
        }
        let each = |time: Duration| time.as_nanos() as f64 / BLOCKS as f64;
        let read: usize = self.blocks.iter().map(Vec::len).sum();
        println!(
            "{:44} {:>8.0} {:>8.0} {:>8.0} {:>8.0}",
            self.name,
            each(decoding),
            each(both),
            read as f64 / BLOCKS as f64,
            written as f64 / BLOCKS as f64
        );
    }
}

/// What a connection keeps when it rests after 20 exchanges whose headers differ, with the same library.
fn measure_memory(name: &str, library: Library, fields: fn(usize) -> Vec<(&'static str, String)>) {
    const CONNECTIONS: usize = 1_000;
    let (mut store, limits) = (HeaderStore::new((1, 2), 1 << 30), HeaderLimits::default());
    let mut list = HeaderList::default();
    let mut decoders = Vec::new();
    for c in 0..CONNECTIONS {
        let (mut writer, mut decoder) = (Writer::new(library), Decoder::default());
        for n in 0..20 {
            let block = writer.block(&fields(c * 20 + n));
            decoder.decode(&block, &limits, &mut store, &mut list).expect("a block");
            list.clear(&mut store);
        }
        decoder.shrink(&mut store);
        decoders.push(decoder);
    }
    let tables: usize = decoders.iter().map(Decoder::held_bytes).sum();
    println!(
        "{name:44} {:>8} in tables {:>8} in the store",
        tables / CONNECTIONS,
        store.owned_bytes() / CONNECTIONS
    );
    decoders.iter_mut().for_each(|d| d.clear(&mut store));
}

/// Frames of a request of a few bytes: HEADERS and DATA, cut and written again.
fn measure_frames() {
    let (mut store, mut list) = (HeaderStore::new((1, 2), 1 << 20), HeaderList::default());
    list.push(":path", b"/shop.orders.v1.OrderService/GetOrder");
    let mut encoder = Encoder::new(IndexPolicy::Private);
    let mut bytes = Vec::new();
    for n in 0..BLOCKS as u32 {
        put_headers(&mut bytes, 2 * n + 1, false, 16_384, &list, &mut encoder, &mut store);
        put_data_header(&mut bytes, 2 * n + 1, 20, true);
        bytes.extend_from_slice(&[7; 20]);
    }
    let mut best = Duration::MAX;
    let mut out = Vec::new();
    for _ in 0..ROUNDS {
        let mut reader = FrameReader::new(HeaderLimits::default());
        let mut seen = 0;
        let started = Instant::now();
        for mut input in bytes.chunks(16_384) {
            out.clear();
            while let Some(frame) = reader.next(&mut input).expect("frames") {
                match frame {
                    Frame::Data { stream, payload, is_end, .. } => {
                        put_data_header(&mut out, stream, payload.len(), is_end);
                        out.extend_from_slice(payload);
                    }
                    Frame::Headers { stream, block, is_end } => {
                        seen += stream as usize + block.len() + usize::from(is_end);
                    }
                    _ => {}
                }
            }
            black_box((&out, seen));
        }
        best = best.min(started.elapsed());
    }
    println!(
        "{:44} {:>8.1}",
        "a frame, read (and DATA written)",
        best.as_nanos() as f64 / (2 * BLOCKS) as f64
    );
}

fn main() {
    use Library::{Core, Go, Nghttp2};
    let only = std::env::args().nth(1).unwrap_or_default();
    let (shared, private) = (IndexPolicy::SHARED, IndexPolicy::Private);
    println!("{:44} {:>8} {:>8} {:>8} {:>8}", "ns a block; bytes a block", "decode", "both", "in", "out");
    for case in [
        Case::new("same headers, shared", Go, shared, steady),
        Case::new("same headers, private", Go, private, steady),
        Case::new("unique ids, grpc-go, shared", Go, shared, unique_ids),
        Case::new("unique ids, gRPC core, shared", Core, shared, unique_ids),
        Case::new("unique ids, nghttp2, shared", Nghttp2, shared, unique_ids),
        Case::new("unique ids and path, grpc-go, shared", Go, shared, unique),
        Case::new("unique ids and path, grpc-go, private", Go, private, unique),
        Case::new("unique ids and path, gRPC core, shared", Core, shared, unique),
        Case::new("unique ids and path, nghttp2, shared", Nghttp2, shared, unique),
        Case::new("1 KiB token, grpc-go (indexed)", Go, shared, bearer),
        Case::new("1 KiB token, gRPC core (plain)", Core, shared, bearer),
        Case::new("1 KiB token, nghttp2 (never, Huffman)", Nghttp2, shared, bearer),
        Case::new("1 KiB tokens that differ, grpc-go", Go, shared, rotating_bearer),
        Case::new("gRPC answer, grpc-go, private", Go, private, grpc_answer),
        Case::new("gRPC trailers, grpc-go, private", Go, private, grpc_trailers),
        Case::new("HTTP answer, grpc-go, private", Go, private, http_answer),
        Case::new("HTTP answer, nghttp2, private", Nghttp2, private, http_answer),
    ] {
        if !case.name.contains(&only) {
            continue;
        }
        case.measure();
    }
    measure_frames();
    println!("\nbytes that a connection keeps after 20 exchanges");
    measure_memory("unique ids and path, grpc-go", Go, unique);
    measure_memory("unique ids, gRPC core", Core, unique_ids);
    measure_memory("unique ids and path, nghttp2", Nghttp2, unique);
    println!(
        "{:44} {:>8} decoder {} encoder {} reader",
        "sizes of the values themselves",
        size_of::<Decoder>(),
        size_of::<Encoder>(),
        size_of::<FrameReader>()
    );
}
