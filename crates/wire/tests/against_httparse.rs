//! Heads held against the `httparse` crate: what both take is the same, and what it takes and we refuse is listed here with
//! the reason. And every head means the same in whatever cuts it comes, and written again and read again.

#[path = "smuggling/corpus.rs"]
#[expect(dead_code, reason = "only the bytes are of use here")]
mod corpus;

use evenkeel_wire::hpack::{HeaderList, HeaderStore, Name};
use evenkeel_wire::http1::{
    Framing, HeadError, HeadLimits, RequestLine, RequestOptions, ResponseOptions, ResponseTo, Scheme,
    StatusLine, put_request, put_response, read_request, read_response,
};
use proptest::prelude::*;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A head that was read: its bytes, what was said beside the list, and the list.
type Read<Line> = (usize, Line, Fields);

struct Bench {
    list: HeaderList,
    store: HeaderStore,
    limits: HeadLimits,
}

impl Bench {
    fn new() -> Self {
        let store = HeaderStore::new((1, 2), 1 << 20);
        Self { list: HeaderList::default(), store, limits: HeadLimits::default() }
    }

    fn fields(&self) -> Fields {
        let pair =
            |f| (self.list.name_bytes(f, &self.store).to_vec(), self.list.value(f, &self.store).to_vec());
        self.list.fields().iter().map(pair).collect()
    }

    /// Reads a request that comes in pieces that end at `cuts`.
    fn request(&mut self, input: &[u8], cuts: &[usize]) -> Result<Option<Read<RequestLine>>, HeadError> {
        let mut scanned = 0;
        for end in cuts.iter().copied().chain([input.len()]) {
            self.list.clear(&mut self.store);
            let read = read_request(
                &input[..end.min(input.len())],
                &mut scanned,
                Scheme::Http,
                &self.limits,
                &mut self.list,
                &mut self.store,
            )?;
            if let Some((taken, line)) = read {
                return Ok(Some((taken, line, self.fields())));
            }
        }
        Ok(None)
    }

    fn response(&mut self, input: &[u8], to: ResponseTo) -> Result<Option<Read<StatusLine>>, HeadError> {
        self.list.clear(&mut self.store);
        let read = read_response(input, &mut 0, to, &self.limits, &mut self.list, &mut self.store)?;
        Ok(read.map(|(taken, line)| (taken, line, self.fields())))
    }
}

/// What httparse reads: bytes, method, target, minor version, and fields with names in lower case.
fn theirs(input: &[u8]) -> Option<(usize, String, String, u8, Fields)> {
    let mut headers = [httparse::EMPTY_HEADER; 200];
    let mut request = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(taken)) = request.parse(input) else { return None };
    let fields = request.headers.iter().map(|h| (h.name.to_ascii_lowercase().into_bytes(), h.value.to_vec()));
    Some((taken, request.method?.to_owned(), request.path?.to_owned(), request.version?, fields.collect()))
}

/// What we refuse and httparse takes, for it looks at one line at a time, and which rule is ours.
fn is_stricter(error: HeadError) -> bool {
    use HeadError as E;
    matches!(
        error,
        // It takes LF alone (RFC 9112 §2.2 allows that), and any number of empty lines before a request.
        E::BareLineFeed | E::EmptyLine
        // It does not know what targets there are for which method; it takes bytes beyond ASCII in them.
        | E::Target | E::TargetBytes
        // It does not read values: hosts, framing, options.
        | E::MissingHost | E::SecondHost | E::Host | E::DifferentHost
        | E::ContentLength | E::DifferentLengths | E::LengthAndCoding
        | E::TransferEncoding | E::UnknownCoding | E::CodingInHttp10
        | E::ConnectionOption | E::TooManyOptions | E::Expectation | E::BodyNotAllowed
    )
}

/// Fields of ours that must be those of httparse in order, without what belongs to the connection.
fn end_to_end(fields: &Fields) -> Fields {
    const ENDS: &[&str] = &[
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
        "te",
        "host",
        "expect",
        "content-length",
    ];
    let named: Vec<Vec<u8>> = fields
        .iter()
        .filter(|(name, _)| name == b"connection")
        .flat_map(|(_, value)| value.split(|&b| b == b','))
        .map(|name| name.trim_ascii().to_ascii_lowercase())
        .collect();
    let goes_on =
        |name: &[u8]| !ENDS.iter().any(|e| e.as_bytes() == name) && !named.iter().any(|n| n == name);
    fields.iter().filter(|(name, _)| !name.starts_with(b":") && goes_on(name)).cloned().collect()
}

/// Whether both took it.
fn compare(input: &[u8]) -> bool {
    let ours = Bench::new().request(input, &[]);
    match (ours, theirs(input)) {
        (Ok(Some((taken, line, fields))), Some((their_taken, method, target, minor, their_fields))) => {
            assert_eq!((taken, line.minor), (their_taken, minor), "{input:?}");
            let value = |name: &str| fields.iter().find(|f| f.0 == name.as_bytes()).map(|f| f.1.clone());
            assert_eq!(value(":method"), Some(method.into_bytes()), "{input:?}");
            if target.starts_with('/') {
                assert_eq!(value(":path"), Some(target.into_bytes()), "{input:?}");
            }
            // What Connection named is unknown from the list alone.
            let goes_on = end_to_end(&their_fields);
            let ours: Fields = end_to_end(&fields);
            assert_eq!(ours, goes_on, "{input:?}");
            return true;
        }
        (Err(error), Some(_)) => assert!(is_stricter(error), "{error:?}: {input:?}"),
        // We take nothing that httparse refuses, and see no end of a head later than it does.
        (ours, theirs) => {
            assert!(!matches!(ours, Ok(Some(_))) && theirs.is_none(), "{ours:?}, {theirs:?}: {input:?}");
        }
    }
    false
}

/// What we read, written again with the same framing, is read as the same.
fn write_again(input: &[u8]) {
    let mut bench = Bench::new();
    let Ok(Some((_, line, fields))) = bench.request(input, &[]) else { return };
    let options = RequestOptions {
        framing: line.framing,
        upgrade: None,
        expects_continue: line.expects_continue,
        keeps_alive: line.keeps_alive,
    };
    let mut out = Vec::new();
    let written = put_request(&mut out, &bench.list, &bench.store, &options);
    assert_eq!(written, Ok(()), "{input:?}");
    if !fields.iter().any(|f| f.0 == b":authority") {
        // Its Host is empty (RFC 9112 §3.2), which is for servers of one host and not for us.
        assert_eq!(Bench::new().request(&out, &[]), Err(HeadError::Host));
        return;
    }
    let (taken, again, again_fields) =
        Bench::new().request(&out, &[]).expect("it is right").expect("it is whole");
    assert_eq!(taken, out.len());
    assert_eq!(again.keeps_alive, line.keeps_alive);
    assert_eq!(again.expects_continue, line.expects_continue);
    let is_nothing = |f| matches!(f, Framing::None | Framing::Length(0));
    assert!(
        again.framing == line.framing || (is_nothing(again.framing) && is_nothing(line.framing)),
        "{input:?}"
    );
    assert_eq!(end_to_end(&normal(again_fields)), end_to_end(&normal(fields)), "{input:?}");
}

/// With the crumbs of cookies joined at the place of the first.
fn normal(fields: Fields) -> Fields {
    let mut out = Fields::new();
    for (name, value) in fields {
        match out.iter_mut().find(|f| f.0 == b"cookie" && name == b"cookie") {
            Some(cookie) => {
                cookie.1.extend_from_slice(b"; ");
                cookie.1.extend_from_slice(&value);
            }
            None => out.push((name, value)),
        }
    }
    out
}

const BROWSER: &[u8] = b"GET /assets/app.js?v=3 HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n\
    User-Agent: Mozilla/5.0\r\nAccept: */*\r\nReferer: https://www.example.com/\r\nAccept-Encoding: gzip, deflate, br\r\n\
    Accept-Language: en\r\nCookie: a=b\r\nCookie: c=d\r\nX-Caf: \xe9\r\n\r\n";

#[test]
fn the_corpus_is_read_by_httparse_as_by_us_but_for_what_we_refuse_with_a_reason() {
    for case in corpus::CASES {
        compare(case.bytes);
        write_again(case.bytes);
    }
    assert!(compare(BROWSER));
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<&'static [u8]> = vec![
        b"Host: a.example\r\n",
        b"Host: a:80\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 05\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close, x-hop\r\n",
        b"Connection: keep-alive\r\n",
        b"X-Hop: 1\r\n",
        b"TE: trailers\r\n",
        b"Expect: 100-continue\r\n",
        b"Cookie: a=b\r\n",
        b"Cookie: c\r\n",
        b"X-A:  b \t\r\n",
        b"x!#$%&'*+-.^_`|~9: \xff\x80\r\n",
        b"Empty:\r\n",
        b" folded\r\n",
        b"X : y\r\n",
        b": z\r\n",
        b"X: \0\r\n",
        b"X: a\rb\r\n",
        b"X: y\n",
        b"Upgrade: websocket\r\nConnection: upgrade\r\n",
        b"Keep-Alive: timeout=5\r\n",
        b"Accept: */*\r\n",
        b"User-Agent: x\r\n",
        b"X: \x7f\r\n",
        b"X: \x01\r\n",
    ];
    prop_oneof![8 => prop::sample::select(lines).prop_map(<[u8]>::to_vec), 1 => prop::collection::vec(any::<u8>(), 0..6)]
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let first: Vec<&'static [u8]> = vec![
        b"GET / HTTP/1.1\r\n",
        b"POST /a?b HTTP/1.1\r\n",
        b"PUT /a HTTP/1.0\r\n",
        b"OPTIONS * HTTP/1.1\r\n",
        b"GET http://a.example/x HTTP/1.1\r\n",
        b"CONNECT a:80 HTTP/1.1\r\n",
        b"GET  / HTTP/1.1\r\n",
        b"GET /\xc3\xa4 HTTP/1.1\r\n",
        b"GET / HTTP/1.1\n",
        b"\r\nGET / HTTP/1.1\r\n",
        b"M-SEARCH /a HTTP/1.1\r\n",
        b"GET /a#b HTTP/1.1\r\n",
        b"GET / HTTP/1.2\r\n",
    ];
    let lines = prop::collection::vec(piece(), 0..8);
    (prop::sample::select(first), any::<bool>(), lines, any::<bool>()).prop_map(
        |(first, has_host, lines, ends)| {
            let mut out = first.to_vec();
            if has_host {
                out.extend_from_slice(b"Host: a.example\r\n");
            }
            lines.iter().for_each(|line| out.extend_from_slice(line));
            if ends {
                out.extend_from_slice(b"\r\n");
            }
            out
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_message_is_read_as_httparse_reads_it_or_refused(input in message()) {
        compare(&input);
        write_again(&input);
    }

    #[test]
    fn any_cuts_give_the_same(input in message(), mut cuts in prop::collection::vec(0usize..200, 0..12)) {
        cuts.sort_unstable();
        prop_assert_eq!(Bench::new().request(&input, &cuts), Bench::new().request(&input, &[]));
    }

    #[test]
    fn any_cuts_give_the_same_at_small_limits(
        input in message(), mut cuts in prop::collection::vec(0usize..200, 0..12),
        bytes in 10usize..150, line in 5usize..30, fields in 0usize..6,
    ) {
        cuts.sort_unstable();
        let limits = HeadLimits { bytes, fields, line };
        let read = |cuts: &[usize]| Bench { limits, ..Bench::new() }.request(&input, cuts);
        prop_assert_eq!(read(&cuts), read(&[]));
    }
}

#[test]
fn every_byte_by_byte_cut_of_the_corpus_gives_the_same() {
    for case in corpus::CASES {
        let cuts: Vec<usize> = (0..case.bytes.len()).collect();
        let whole = Bench::new().request(case.bytes, &[]);
        assert_eq!(Bench::new().request(case.bytes, &cuts), whole, "{}", case.name);
    }
}

#[test]
fn the_list_begins_with_the_pseudo_headers_and_holds_nothing_of_the_connection() {
    let input =
        b"POST /chat HTTP/1.1\r\nX-A: 1\r\nConnection: Upgrade, X-Hop\r\nX-Hop: 2\r\nUpgrade: WebSocket\r\n\
              Host: Example.com\r\nSec-WebSocket-Key: k\r\n\r\nmore";
    let (taken, line, fields) = Bench::new().request(input, &[]).unwrap().unwrap();
    let text = |f: &(Vec<u8>, Vec<u8>)| {
        format!("{}={}", String::from_utf8_lossy(&f.0), String::from_utf8_lossy(&f.1))
    };
    let fields: Vec<String> = fields.iter().map(text).collect();
    assert_eq!(
        fields,
        [
            ":method=POST",
            ":scheme=http",
            ":authority=Example.com",
            ":path=/chat",
            "x-a=1",
            "sec-websocket-key=k"
        ]
    );
    assert_eq!(line.upgrade, Some(evenkeel_wire::http1::Upgrade::WebSocket));
    assert_eq!((taken, line.framing, line.keeps_alive), (input.len() - 4, Framing::None, true));
}

#[test]
fn an_upgrade_to_h2c_needs_its_settings_and_says_where_they_are() {
    let head = |settings: &str| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n{settings}\r\n"
        )
    };
    let one = head("HTTP2-Settings: AAMAAABk\r\n");
    let (_, line, _) = Bench::new().request(one.as_bytes(), &[]).unwrap().unwrap();
    assert_eq!(line.upgrade, Some(evenkeel_wire::http1::Upgrade::H2c));
    assert_eq!(line.http2_settings.of(one.as_bytes()), b"AAMAAABk");
    assert_eq!(line.protocol.of(one.as_bytes()), b"h2c");
    for none in [head(""), head("HTTP2-Settings: A\r\nHTTP2-Settings: A\r\n")] {
        let (_, line, _) = Bench::new().request(none.as_bytes(), &[]).unwrap().unwrap();
        assert_eq!(line.upgrade, None);
    }
}

#[test]
fn a_response_says_where_its_body_ends() {
    let head = ResponseTo { is_head: true, ..ResponseTo::default() };
    let connect = ResponseTo { is_connect: true, ..ResponseTo::default() };
    let plain = ResponseTo::default();
    for (text, to, framing, keeps_alive) in [
        ("HTTP/1.1 200 OK|Content-Length: 3", plain, Framing::Length(3), true),
        ("HTTP/1.1 200|Content-Length: 3|Connection: close", plain, Framing::Length(3), false),
        ("HTTP/1.1 200 |Transfer-Encoding: chunked", plain, Framing::Chunked, true),
        ("HTTP/1.1 200 OK", plain, Framing::UntilClose, false),
        ("HTTP/1.0 200 OK|Content-Length: 3", plain, Framing::Length(3), false),
        ("HTTP/1.0 200 OK|Content-Length: 3|Connection: keep-alive", plain, Framing::Length(3), true),
        ("HTTP/1.1 200 OK|Content-Length: 3", head, Framing::None, true),
        ("HTTP/1.1 200 OK|Transfer-Encoding: chunked", head, Framing::None, true),
        ("HTTP/1.1 200 OK|Content-Length: 3", connect, Framing::UntilClose, false),
        ("HTTP/1.1 407 No|Content-Length: 3", connect, Framing::Length(3), true),
        ("HTTP/1.1 100 Continue", plain, Framing::None, true),
        ("HTTP/1.1 204 No Content|Content-Length: 0", plain, Framing::None, true),
        ("HTTP/1.1 304 Not Modified|Content-Length: 9", plain, Framing::None, true),
    ] {
        let input = format!("{}\r\n\r\n", text.replace('|', "\r\n"));
        let (taken, line, fields) = Bench::new().response(input.as_bytes(), to).unwrap().unwrap();
        assert_eq!((taken, line.framing, line.keeps_alive), (input.len(), framing, keeps_alive), "{text}");
        assert_eq!(fields[0], (b":status".to_vec(), line.status.to_string().into_bytes()));
    }
    for bad in [
        "HTTP/1.1 099 A",
        "HTTP/1.1 600 A",
        "HTTP/1.1 20 A",
        "HTTP/1.1  200",
        "HTTP/1.1 200OK",
        "HTTP/1.1",
        "HTTP/2 200 OK",
    ] {
        assert!(Bench::new().response(format!("{bad}\r\n\r\n").as_bytes(), plain).is_err(), "{bad}");
    }
}

#[test]
fn a_response_is_written_for_the_client_that_asked() {
    let list = |status: &str| {
        let mut list = HeaderList::default();
        list.push(":status", status.as_bytes());
        list.push("content-length", b"5");
        list.push("x-a", b"b");
        list
    };
    let options = ResponseOptions { minor: 1, framing: Framing::Length(5), keeps_alive: true, upgrade: None };
    let write = |status: &str, options: ResponseOptions<'_>| {
        let mut out = Vec::new();
        put_response(&mut out, &list(status), &Bench::new().store, &options)
            .map(|()| String::from_utf8(out).unwrap())
    };
    for (options, expected) in [
        (options, "x-a: b|content-length: 5||"),
        (ResponseOptions { minor: 0, ..options }, "x-a: b|content-length: 5|connection: keep-alive||"),
        (ResponseOptions { keeps_alive: false, ..options }, "x-a: b|content-length: 5|connection: close||"),
        (ResponseOptions { framing: Framing::Chunked, ..options }, "x-a: b|transfer-encoding: chunked||"),
        (ResponseOptions { framing: Framing::UntilClose, ..options }, "x-a: b|connection: close||"),
        (ResponseOptions { framing: Framing::None, ..options }, "x-a: b|content-length: 5||"),
    ] {
        let expected = format!("HTTP/1.1 200 OK|{expected}").replace('|', "\r\n");
        assert_eq!(write("200", options), Ok(expected));
    }
    let upgrade = ResponseOptions { upgrade: Some(b"websocket"), ..options };
    let expected =
        "HTTP/1.1 101 Switching Protocols\r\nx-a: b\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(write("200", upgrade), Ok(expected.to_owned()));
    assert!(write("204", options).is_err());
    assert!(write("200", ResponseOptions { minor: 0, framing: Framing::Chunked, ..options }).is_err());
    assert!(write("2000", options).is_err());
}

#[test]
fn what_has_no_place_in_http1_is_not_written_and_leaves_nothing_behind() {
    let base = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")];
    let options =
        RequestOptions { framing: Framing::None, upgrade: None, expects_continue: false, keeps_alive: true };
    let write = |fields: &[(&str, &str)], options: &RequestOptions<'_>| {
        let mut list = HeaderList::default();
        fields.iter().for_each(|(name, value)| list.push(name, value.as_bytes()));
        let mut out = b"before".to_vec();
        let written = put_request(&mut out, &list, &Bench::new().store, options);
        assert!(written.is_ok() || out == b"before");
        written.map(|()| String::from_utf8(out[6..].to_vec()).unwrap())
    };
    let with = |at: usize, field| {
        let mut fields = base.to_vec();
        if at < 4 {
            fields[at] = field;
        } else {
            fields.push(field);
        }
        fields
    };
    for (at, field) in [
        (0, (":method", "G T")),
        (0, (":method", "")),
        (2, (":authority", "a b")),
        (2, (":authority", "a\r\nX: y")),
        (3, (":path", "/a b")),
        (3, (":path", "/a\r\nX: y")),
        (3, (":path", "a")),
        (3, (":path", "*")),
        (4, ("x", "a\r\nb: c")),
        (4, ("x", "a\nb")),
        (4, ("x", "a\0b")),
        (4, (":unknown", "x")),
    ] {
        assert!(write(&with(at, field), &options).is_err(), "{field:?}");
    }
    assert!(write(&base, &RequestOptions { framing: Framing::UntilClose, ..options }).is_err());
    let fields = [
        base.as_slice(),
        &[
            ("cookie", "a=1"),
            ("te", "trailers"),
            ("connection", "x"),
            ("cookie", "b=2"),
            ("host", "a"),
            ("x", "\u{e4}"),
        ],
    ]
    .concat();
    let expected =
        "GET / HTTP/1.1|host: a|cookie: a=1; b=2|te: trailers|x: ä|connection: te||".replace('|', "\r\n");
    assert_eq!(write(&fields, &options), Ok(expected));
    let extended = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/c"),
    ];
    assert!(write(&extended, &options).is_err());
    let upgrade = RequestOptions { upgrade: Some(b"websocket"), keeps_alive: false, ..options };
    let expected =
        "GET /c HTTP/1.1|host: a|connection: upgrade, close|upgrade: websocket||".replace('|', "\r\n");
    assert_eq!(write(&extended, &upgrade), Ok(expected));
    let post = with(0, (":method", "POST"));
    let expected = "POST / HTTP/1.1|host: a|content-length: 0||".replace('|', "\r\n");
    assert_eq!(write(&post, &options), Ok(expected));
    let expected =
        "POST / HTTP/1.1|host: a|transfer-encoding: chunked|expect: 100-continue||".replace('|', "\r\n");
    let chunked = RequestOptions { framing: Framing::Chunked, expects_continue: true, ..options };
    assert_eq!(write(&post, &chunked), Ok(expected));
    assert_eq!(Name::of(b"http2-settings"), Name::Http2Settings);
}

#[test]
fn the_most_fields_pass_and_one_more_is_refused() {
    let limits = HeadLimits { fields: 3, ..HeadLimits::default() };
    let read = |n: usize| {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(n - 1));
        Bench { limits, ..Bench::new() }.request(head.as_bytes(), &[]).map(|read| read.map(|r| r.2.len()))
    };
    assert_eq!(read(3), Ok(Some(4 + 2)), "Host is none of them any more");
    assert_eq!(read(4), Err(HeadError::TooManyFields));
}
