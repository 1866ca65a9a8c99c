//! The `h2` crate on both ends, and nothing but our codec in the middle.
//!
//! Every frame of an h2 client is read by our reader, its headers go through our decoder and our encoder, and an h2
//! server takes what we write; the answers travel back the same way. So h2 accepts what we write, we read what h2
//! writes, and requests, answers, bodies and trailers come through unchanged.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

use bytes::Bytes;
use evenkeel_wire::detect::PREFACE;
use evenkeel_wire::hpack::{Decoder, Encoder, HeaderLimits, HeaderList, HeaderStore, IndexPolicy};
use evenkeel_wire::http2::{self, Frame, FrameReader, Settings};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

/// How a direction of the middle treats header lists.
#[derive(Clone, Copy, Debug)]
struct Manner {
    policy: IndexPolicy,
    /// Lists are made anew from names and values, as the relay makes its own.
    is_rebuilt: bool,
    /// Bytes that are read at once.
    piece: usize,
}

/// What went through one direction.
#[derive(Debug, Default)]
struct Passed {
    blocks: usize,
    /// Fields that stood in the table or entered it.
    indexed: usize,
    bytes_in: usize,
    bytes_out: usize,
}

/// Reads frames from one peer and writes them to the other, until the first closes.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    is_client: bool,
    manner: Manner,
) -> Passed {
    let limits = HeaderLimits::default();
    let (mut reader, mut decoder) = (FrameReader::new(limits), Decoder::default());
    let (mut encoder, mut store) = (Encoder::new(manner.policy), HeaderStore::new((1, 2), 1 << 20));
    let (mut settings, mut passed) = (Settings::default(), Passed::default());
    if is_client {
        let mut preface = [0; PREFACE.len()];
        from.read_exact(&mut preface).await.unwrap();
        assert_eq!(&preface, PREFACE);
        to.write_all(PREFACE).await.unwrap();
    }
    let mut buffer = vec![0; manner.piece];
    loop {
        let n = from.read(&mut buffer).await.unwrap_or(0);
        if n == 0 {
            break;
        }
        passed.bytes_in += n;
        let (mut input, mut out) = (&buffer[..n], Vec::new());
        while let Some(frame) = reader.next(&mut input).unwrap() {
            match frame {
                Frame::Data { stream, payload, is_end, .. } => {
                    http2::put_data_header(&mut out, stream, payload.len(), is_end);
                    out.extend_from_slice(payload);
                }
                Frame::Headers { stream, block, is_end } => {
                    let mut list = HeaderList::default();
                    decoder.decode(block, &limits, &mut store, &mut list).unwrap();
                    assert!(list.fields().iter().all(|f| f.is_valid) && !list.is_truncated());
                    passed.blocks += 1;
                    passed.indexed += list.fields().iter().filter(|f| f.is_indexed).count();
                    if manner.is_rebuilt {
                        let mut rebuilt = HeaderList::default();
                        for field in list.fields() {
                            let name = std::str::from_utf8(list.name_bytes(field, &store)).unwrap();
                            rebuilt.push(name, list.value(field, &store));
                        }
                        list.clear(&mut store);
                        list = rebuilt;
                    }
                    http2::put_headers(&mut out, stream, is_end, 16_384, &list, &mut encoder, &mut store);
                    list.clear(&mut store);
                }
                Frame::RstStream { stream, code } => http2::put_rst_stream(&mut out, stream, code),
                Frame::Settings(payload) => {
                    settings.apply(payload).unwrap();
                    http2::put_settings(&mut out, &settings, is_client);
                }
                Frame::SettingsAck => http2::put_settings_ack(&mut out),
                Frame::Ping { is_ack, data } => http2::put_ping(&mut out, is_ack, data),
                Frame::GoAway { last_stream, code } => http2::put_goaway(&mut out, last_stream, code, b""),
                Frame::WindowUpdate { stream, increment } => {
                    http2::put_window_update(&mut out, stream, increment);
                }
                Frame::HeadersPart | Frame::Priority | Frame::Unknown => {}
                Frame::StreamFault { stream, fault } => panic!("stream {stream}: {fault}"),
            }
        }
        passed.bytes_out += out.len();
        if to.write_all(&out).await.is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _ = to.shutdown().await;
    decoder.clear(&mut store);
    encoder.clear(&mut store);
    assert_eq!(store.owned_fields(), 0);
    passed
}

/// The headers of the nth message: some that repeat, some that do not, one that is long, one that is secret.
fn headers(n: usize) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert("user-agent", HeaderValue::from_static("a client/1.0"));
    map.insert("content-type", HeaderValue::from_static("application/grpc"));
    map.insert("x-number", HeaderValue::from(n));
    map.append("x-many", HeaderValue::from(n % 3));
    map.append("x-many", HeaderValue::from_static(""));
    map.insert("x-bytes", HeaderValue::from_bytes(&[0xff, 0x80, b'!', n as u8 | 0x80]).unwrap());
    let mut secret = HeaderValue::from_str(&format!("Bearer {}", n % 2)).unwrap();
    secret.set_sensitive(n.is_multiple_of(2));
    map.insert("authorization", secret);
    map.append("cookie", HeaderValue::from_static("a=b"));
    if n % 5 == 1 {
        // Longer than a frame, so that it needs CONTINUATION.
        map.insert("x-long", HeaderValue::from_str(&"l".repeat(40_000)).unwrap());
    }
    for i in 0..n % 7 {
        let name = HeaderName::from_bytes(format!("x-{}", (n * 31 + i) % 40).as_bytes()).unwrap();
        map.insert(name, HeaderValue::from_str(&"v".repeat(n * 13 % 200)).unwrap());
    }
    map
}

fn body(n: usize) -> Bytes {
    let length = [0, 1, 100, 16_384, 16_385, 150_000][n % 6];
    (0..length).map(|i| (i * 7 + n) as u8).collect()
}

fn trailers(n: usize) -> Option<HeaderMap> {
    n.is_multiple_of(3)
        .then(|| HeaderMap::from_iter([(HeaderName::from_static("x-end"), HeaderValue::from(n))]))
}

async fn whole_body(mut body: h2::RecvStream) -> (Vec<u8>, Option<HeaderMap>) {
    let mut all = Vec::new();
    while let Some(part) = body.data().await {
        let part = part.unwrap();
        body.flow_control().release_capacity(part.len()).unwrap();
        all.extend_from_slice(&part);
    }
    (all, body.trailers().await.unwrap())
}

fn send_rest(mut stream: h2::SendStream<Bytes>, n: usize) {
    match trailers(n) {
        Some(trailers) => {
            stream.send_data(body(n), false).unwrap();
            stream.send_trailers(trailers).unwrap();
        }
        None => stream.send_data(body(n), true).unwrap(),
    }
}

async fn serve(io: tokio::io::DuplexStream) {
    let mut connection = h2::server::handshake(io).await.unwrap();
    while let Some(accepted) = connection.accept().await {
        let (request, mut respond) = accepted.unwrap();
        tokio::spawn(async move {
            let n: usize = request.headers()["x-number"].to_str().unwrap().parse().unwrap();
            assert_eq!(request.method(), if n.is_multiple_of(2) { "POST" } else { "PUT" });
            assert_eq!(request.uri().to_string(), format!("http://host.example/path/{}?q={n}", n % 4));
            assert_eq!(request.headers(), &headers(n));
            let (came, end) = whole_body(request.into_body()).await;
            assert_eq!((came, end), (body(n).to_vec(), trailers(n)));
            let mut response = Response::builder().status(200 + (n % 3) as u16).body(()).unwrap();
            *response.headers_mut() = headers(n + 1);
            send_rest(respond.send_response(response, false).unwrap(), n + 1);
        });
    }
}

/// `most` exchanges on one connection; says what went through each way.
async fn exchange(most: usize, manner: Manner) -> (Passed, Passed) {
    let (client_io, left) = tokio::io::duplex(1 << 16);
    let (right, server_io) = tokio::io::duplex(1 << 16);
    let ((left_read, left_write), (right_read, right_write)) = (split(left), split(right));
    let there = tokio::spawn(carry(left_read, right_write, true, manner));
    let back = tokio::spawn(carry(right_read, left_write, false, manner));
    let server = tokio::spawn(serve(server_io));
    let (mut send, connection) = h2::client::handshake(client_io).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut answers = Vec::new();
    for n in 0..most {
        let mut request = Request::builder()
            .method(if n.is_multiple_of(2) { "POST" } else { "PUT" })
            .uri(format!("http://host.example/path/{}?q={n}", n % 4))
            .body(())
            .unwrap();
        *request.headers_mut() = headers(n);
        send = send.ready().await.unwrap();
        let (answer, stream) = send.send_request(request, false).unwrap();
        send_rest(stream, n);
        // All at once: one that waits would hold the connection's window.
        answers.push(tokio::spawn(async move {
            let response = answer.await.unwrap();
            assert_eq!(response.status(), 200 + (n % 3) as u16);
            assert_eq!(response.headers(), &headers(n + 1));
            let (came, end) = whole_body(response.into_body()).await;
            assert_eq!((came, end), (body(n + 1).to_vec(), trailers(n + 1)), "answer {n}");
        }));
    }
    for answer in answers {
        answer.await.unwrap();
    }
    drop(send);
    connection.await.unwrap().unwrap();
    server.await.unwrap();
    (there.await.unwrap(), back.await.unwrap())
}

fn run(most: usize, manner: Manner) -> (Passed, Passed) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(exchange(most, manner))
}

#[test]
fn h2_reads_what_we_write_and_we_read_what_h2_writes() {
    let manner = Manner { policy: IndexPolicy::Private, is_rebuilt: false, piece: 16_384 };
    let (there, back) = run(60, manner);
    assert!(there.blocks >= 60 && back.blocks >= 60, "{there:?} {back:?}");
    assert!(there.indexed > 300 && back.indexed > 200, "the tables are used: {there:?} {back:?}");
}

#[test]
fn h2_reads_what_we_write_on_a_connection_that_clients_share() {
    for piece in [1, 7, 1_000] {
        run(
            if piece == 1 { 4 } else { 20 },
            Manner { policy: IndexPolicy::SHARED, is_rebuilt: false, piece },
        );
    }
}

#[test]
fn h2_reads_lists_of_our_own_making() {
    let manner = Manner { policy: IndexPolicy::Private, is_rebuilt: true, piece: 4_096 };
    let (there, _) = run(20, manner);
    assert!(there.bytes_out > there.bytes_in, "without a table more is written: {there:?}");
}
