//! Messages that parsers in the field read differently, each with its source and with the one reading that is allowed.
//!
//! Data only, without a use of any crate, so that whoever has a parser or a proxy to try includes this file by its path.
//! Used by the test beside this folder and by whoever sends it through the whole program.

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From a client.
    Request,
    /// From an endpoint, in answer to a request of this method.
    ResponseTo(&'static str),
}

/// What comes after the messages that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing is left over.
    Nothing,
    /// More bytes are waited for.
    Waits,
    /// The rest is refused with this status. A response is refused towards the client with 502, whatever is wrong.
    Refused(u16),
}

/// One input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// What is ambiguous.
    pub(crate) name: &'static str,
    /// Where it is from: an RFC's section, a CVE, a paper.
    pub(crate) source: &'static str,
    /// Which way it goes.
    pub(crate) direction: Direction,
    /// The bytes.
    pub(crate) bytes: &'static [u8],
    /// The messages that have to be read, in order: method and target (or status), and body.
    pub(crate) reads: &'static [(&'static str, &'static [u8])],
    /// What comes after them.
    pub(crate) then: Then,
}

const fn refused(name: &'static str, source: &'static str, bytes: &'static [u8], status: u16) -> Case {
    Case { name, source, direction: Direction::Request, bytes, reads: &[], then: Then::Refused(status) }
}

const fn read(
    name: &'static str,
    source: &'static str,
    bytes: &'static [u8],
    reads: &'static [(&'static str, &'static [u8])],
    then: Then,
) -> Case {
    Case { name, source, direction: Direction::Request, bytes, reads, then }
}

const fn answer(
    name: &'static str,
    source: &'static str,
    method: &'static str,
    bytes: &'static [u8],
    reads: &'static [(&'static str, &'static [u8])],
    then: Then,
) -> Case {
    Case { name, source, direction: Direction::ResponseTo(method), bytes, reads, then }
}

const BAD_ANSWER: Then = Then::Refused(502);

/// Every input.
pub(crate) const CASES: &[Case] = &[
    // Which of two lengths counts.
    refused(
        "length and chunks (CL.TE)",
        "RFC 9112 §6.1; Linhart et al., HTTP Request Smuggling, 2005; CVE-2005-2088 (httpd)",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSMUGGLED",
        400,
    ),
    refused(
        "chunks and length (TE.CL)",
        "RFC 9112 §6.1; Kettle, HTTP Desync Attacks, 2019; CVE-2020-10109 (Twisted)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\nSMUGGLED\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "two lengths that differ",
        "RFC 9112 §6.3; CVE-2017-7658 (Jetty); CVE-2019-20445 (Netty); CVE-2020-10108 (Twisted)",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nContent-Length: 5\r\n\r\n12345G",
        400,
    ),
    refused(
        "two lengths that differ in a list",
        "RFC 9110 §8.6",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 6\r\n\r\n12345G",
        400,
    ),
    refused(
        "a list of one length twice",
        "RFC 9110 §8.6 (allowed to refuse)",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n12345",
        400,
    ),
    read(
        "one length said twice is said once behind us",
        "RFC 9110 §8.6; RFC 9112 §6.3",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n12345",
        &[("POST /", b"12345")],
        Then::Nothing,
    ),
    refused(
        "a length with a sign",
        "RFC 9110 §8.6; CVE-2021-32715 (hyper); CVE-2023-40167 (Jetty); CVE-2020-15049 (Squid)",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n12345",
        400,
    ),
    refused(
        "a negative length",
        "RFC 9110 §8.6",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        400,
    ),
    refused(
        "an empty length",
        "RFC 9110 §8.6; CVE-2023-40225 (HAProxy); CVE-2023-40175 (Puma)",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    refused(
        "an empty length and a right one",
        "RFC 9112 §6.3; CVE-2023-40225 (HAProxy)",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\nContent-Length: 5\r\n\r\n12345",
        400,
    ),
    refused(
        "a hexadecimal length",
        "RFC 9110 §8.6; CVE-2022-42252 (Tomcat); CVE-2023-38697 (protocol-http1)",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x10\r\n\r\n",
        400,
    ),
    refused(
        "a length with digits behind a space",
        "RFC 9110 §8.6; T-Reqs, CCS 2021",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\n12345",
        400,
    ),
    refused(
        "a length with an underscore between its digits",
        "RFC 9110 §8.6; CVE-2023-47627 (aiohttp)",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n0123456789",
        400,
    ),
    refused(
        "a length beyond 64 bits",
        "RFC 9110 §8.6; CVE-2021-32565 (ATS)",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551621\r\n\r\n12345",
        400,
    ),
    refused(
        "a length with a decimal point",
        "RFC 9110 §8.6",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5.0\r\n\r\n12345",
        400,
    ),
    read(
        "a length with leading zeros is decimal, and has none behind us",
        "RFC 9110 §8.6; HDiff, DSN 2022",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 010\r\n\r\n0123456789",
        &[("POST /", b"0123456789")],
        Then::Nothing,
    ),
    // Transfer codings.
    refused(
        "a vertical tab before chunked",
        "CVE-2019-18277 (HAProxy)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "a coding that only contains chunked",
        "Kettle, HTTP Desync Attacks, 2019",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "chunked in quotes",
        "Kettle, HTTP Desync Attacks, 2019",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "two Transfer-Encodings, the second of no meaning",
        "CVE-2020-8287 (Node.js); CVE-2021-21299 (hyper)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "two Transfer-Encodings, the first of no meaning",
        "Kettle, HTTP Desync Attacks, 2019; CVE-2022-1705 (Go)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "chunked twice",
        "RFC 9112 §6.1",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "chunked that is not the last coding",
        "RFC 9112 §6.3; CVE-2022-32213 (llhttp)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "identity beside a length",
        "CVE-2021-33037 (Tomcat); RFC 9112 §6.1",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n12345",
        400,
    ),
    refused(
        "an empty Transfer-Encoding beside a length",
        "RFC 9112 §6.1; T-Reqs, CCS 2021",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\nContent-Length: 5\r\n\r\n12345",
        400,
    ),
    refused(
        "a coding that we do not know to undo",
        "RFC 9112 §6.1",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    refused(
        "Transfer-Encoding in HTTP/1.0",
        "RFC 9112 §6.1; CVE-2021-33037 (Tomcat)",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "a space before the colon of Transfer-Encoding",
        "RFC 9112 §5.1; CVE-2019-16869 (Netty); CVE-2019-16276 (Go); CVE-2021-22959 (llhttp)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "a space before Transfer-Encoding",
        "CVE-2020-7238 (Netty)",
        b"POST / HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: a\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "chunked on a folded line",
        "RFC 9112 §5.2; CVE-2022-32215 (llhttp)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "a length on a line that could be folded into another field",
        "RFC 9112 §5.2; CVE-2024-27982 (llhttp)",
        b"POST / HTTP/1.1\r\nHost: a\r\n Content-Length: 5\r\n\r\n12345",
        400,
    ),
    refused(
        "a folded line that is nothing but a tab",
        "RFC 9112 §5.2; Kettle, HTTP/1.1 must die, 2025",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n\t\r\nContent-Length: 5\r\n\r\n12345",
        400,
    ),
    read(
        "Transfer_Encoding with an underscore is another field",
        "Kettle, HTTP Desync Attacks, 2019",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        &[("POST /", b"0\r\n\r\n")],
        Then::Nothing,
    ),
    refused(
        "a non-ASCII letter that lower-cases into the name",
        "RFC 9110 §5.1",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encod\xc4\xb1ng: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        400,
    ),
    read(
        "chunked in other letters is chunked, and is written in small ones behind us",
        "RFC 9112 §7",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \tChUnKeD \r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        &[("POST /", b"hello")],
        Then::Nothing,
    ),
    // Line ends and bytes.
    refused(
        "a header line that ends in LF",
        "RFC 9112 §2.2; CVE-2019-16785 (Waitress); CVE-2021-41136 (Puma); CVE-2021-37147 (ATS); CVE-2022-35256 (llhttp)",
        b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        400,
    ),
    refused("a request of nothing but LF", "RFC 9112 §2.2", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    refused(
        "an empty line that ends in LF",
        "RFC 9112 §2.2",
        b"GET / HTTP/1.1\r\nHost: a\r\n\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    refused(
        "CR alone between two header fields",
        "RFC 9112 §2.2; CVE-2023-30589 (llhttp)",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    refused(
        "CR alone before the line's end",
        "RFC 9112 §2.2; CVE-2023-30589 (llhttp)",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\r\n\r\n",
        400,
    ),
    refused(
        "a null byte in a value",
        "RFC 9110 §5.5",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n",
        400,
    ),
    refused(
        "a null byte in a name",
        "RFC 9110 §5.1",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length\0: 5\r\n\r\n12345",
        400,
    ),
    refused(
        "a form feed in a value",
        "RFC 9110 §5.5; T-Reqs, CCS 2021",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\x0cz\r\n\r\n",
        400,
    ),
    refused(
        "an empty field name",
        "CVE-2023-25725 (HAProxy)",
        b"POST / HTTP/1.1\r\nHost: a\r\n: x\r\nContent-Length: 5\r\n\r\n12345",
        400,
    ),
    refused(
        "a line without a colon",
        "RFC 9112 §5; CVE-2019-20444 (Netty)",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length\r\n\r\n",
        400,
    ),
    refused(
        "a space inside a name",
        "RFC 9110 §5.1; CVE-2015-5739 (Go)",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent Length: 5\r\n\r\n12345",
        400,
    ),
    refused(
        "a byte order mark before the method",
        "RFC 9110 §9.1",
        b"\xef\xbb\xbfGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    // Request lines.
    refused("two empty lines before a request", "RFC 9112 §2.2", b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    read(
        "one empty line behind a body, as old clients send it",
        "RFC 9112 §2.2",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
        &[("POST /", b"x"), ("GET /b", b"")],
        Then::Nothing,
    ),
    refused(
        "HTTP/0.9",
        "RFC 9112 §2.3; CVE-2017-7656 (Jetty)",
        b"GET /\r\n\r\n",
        400,
    ),
    refused("a version of two digits", "RFC 9112 §2.3", b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
    refused("a version of small letters", "RFC 9112 §2.3", b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    refused("a version that there is not", "RFC 9110 §2.5", b"GET / HTTP/1.9\r\nHost: a\r\n\r\n", 505),
    refused("HTTP/2.0 on a request line", "RFC 9110 §15.6.6", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    refused("two spaces before the target", "RFC 9112 §3", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    refused("a space in the target", "RFC 9112 §3.2; CVE-2023-25690 (httpd)", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    refused("a second version in the target", "RFC 9112 §3.2; CVE-2023-25690 (httpd)", b"GET /a HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    refused("a tab between method and target", "RFC 9112 §3; HDiff, DSN 2022", b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    refused("a space before the method", "RFC 9112 §3", b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    refused("a space behind the version", "RFC 9112 §3", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    refused("a fragment in the target", "RFC 9112 §3.2", b"GET /a#/b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    refused("a target without a slash", "RFC 9112 §3.2", b"GET admin HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    refused("a target of another method's form", "RFC 9112 §3.2.4", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    // Hosts.
    refused("no Host", "RFC 9112 §3.2", b"GET / HTTP/1.1\r\n\r\n", 400),
    refused(
        "two Hosts",
        "RFC 9112 §3.2; Chen et al., Host of Troubles, CCS 2016",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        400,
    ),
    refused(
        "a Host behind a space",
        "Chen et al., Host of Troubles, CCS 2016",
        b"GET / HTTP/1.1\r\n Host: b\r\nHost: a\r\n\r\n",
        400,
    ),
    refused(
        "a Host with a space before the colon",
        "Chen et al., Host of Troubles, CCS 2016",
        b"GET / HTTP/1.1\r\nHost : b\r\nHost: a\r\n\r\n",
        400,
    ),
    refused(
        "a target for one host and a Host for another",
        "RFC 9112 §3.2.2; Chen et al., Host of Troubles, CCS 2016",
        b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    refused("a Host with userinfo", "RFC 9110 §4.2.4", b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    refused("a Host of two hosts", "RFC 9112 §3.2", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    refused("a Host with a path", "RFC 9110 §7.2", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    refused("a Host with two ports", "RFC 9110 §7.2", b"GET / HTTP/1.1\r\nHost: a:80:81\r\n\r\n", 400),
    read(
        "an absolute target and its Host, of which the list has one",
        "RFC 9112 §3.2.2",
        b"GET http://a:80/b HTTP/1.1\r\nHost: A\r\n\r\n",
        &[("GET /b", b"")],
        Then::Nothing,
    ),
    // Chunks.
    refused(
        "a chunk size that wraps around 64 bits",
        "CVE-2017-7657 (Jetty); CVE-2021-32714 (hyper)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "a chunk size with 0x",
        "CVE-2022-24801 (Twisted); CVE-2023-38697 (protocol-http1)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "a chunk size with a sign",
        "CVE-2022-24801 (Twisted); CVE-2023-38697 (protocol-http1)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "a chunk size behind a space",
        "RFC 9112 §7.1; CVE-2018-8004 (ATS)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "a chunk size before a space",
        "RFC 9112 §7.1.1",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "a chunk size line that ends in LF",
        "CVE-2025-22871 (Go)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "LF inside a chunk extension",
        "Weikop, Funky Chunks, 2025; CVE-2024-52304 (aiohttp); CVE-2025-58056 (Netty)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;\nhello\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "CR alone inside a chunk extension",
        "Weikop, Funky Chunks, 2025; CVE-2025-55315 (Kestrel)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a\rX\r\nhello\r\n0\r\n\r\n",
        400,
    ),
    read(
        "a chunk extension is thrown away",
        "RFC 9112 §7.1.1; CVE-2021-22960 (llhttp)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"0;b\"\r\nhello\r\n0;c\r\n\r\n",
        &[("POST /", b"hello")],
        Then::Nothing,
    ),
    refused(
        "bytes between a chunk's data and its end",
        "Weikop, Funky Chunks, 2025; CVE-2023-46846 (Squid)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
        400,
    ),
    refused(
        "two bytes that are not CRLF behind a chunk's data",
        "RFC 9112 §7.1; Weikop, Funky Chunks, 2025",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
        400,
    ),
    refused(
        "chunk data that ends in LF",
        "RFC 9112 §7.1; Weikop, Funky Chunks, 2025",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n",
        400,
    ),
    refused(
        "a length in the trailers",
        "RFC 9110 §6.5.1; CVE-2023-40175 (Puma)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
        400,
    ),
    refused(
        "a trailer line that ends in LF",
        "RFC 9112 §7.1.2; CVE-2024-35161 (ATS)",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n",
        400,
    ),
    refused(
        "a last chunk of LF",
        "RFC 9112 §7.1",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n",
        400,
    ),
    read(
        "a chunked body and the request behind it",
        "RFC 9112 §7.1, §9.3.2",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n00\r\nX: y\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
        &[("POST /", b""), ("GET /b", b"")],
        Then::Nothing,
    ),
    // Bodies where few expect them.
    read(
        "a GET with a body, and the request behind it",
        "RFC 9110 §9.3.1; Kettle, Browser-Powered Desync Attacks, 2022; CVE-2020-35863 (hyper)",
        b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 23\r\n\r\nGET /b HTTP/1.1\r\nX: y\r\n\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n",
        &[("GET /a", b"GET /b HTTP/1.1\r\nX: y\r\n"), ("GET /c", b"")],
        Then::Nothing,
    ),
    refused(
        "CONNECT with a length",
        "RFC 9110 §9.3.6",
        b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 5\r\n\r\n12345",
        400,
    ),
    refused("TRACE with a body", "RFC 9110 §9.3.8", b"TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345", 400),
    read(
        "HTTP/1.0 without a length has no body",
        "RFC 9112 §6.3",
        b"POST / HTTP/1.0\r\n\r\n",
        &[("POST /", b"")],
        Then::Nothing,
    ),
    read(
        "a body of which bytes are missing is waited for (0.CL)",
        "Kettle, HTTP/1.1 must die, 2025",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nabc",
        &[],
        Then::Waits,
    ),
    refused(
        "an expectation that only contains 100-continue",
        "Kettle, HTTP/1.1 must die, 2025; RFC 9110 §10.1.1",
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: y 100-continue\r\nContent-Length: 5\r\n\r\n12345",
        417,
    ),
    // Fields of the connection.
    refused(
        "Connection that names the length",
        "RFC 9110 §7.6.1; Davison, Abusing HTTP hop-by-hop request headers, 2019",
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\n12345",
        400,
    ),
    read(
        "an upgrade to h2c beside a body stays a request",
        "Bishop Fox, h2c Smuggling, 2020; RFC 9110 §7.8",
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 3\r\n\r\nabc",
        &[("POST /", b"abc")],
        Then::Nothing,
    ),
    // Answers.
    answer(
        "an answer with length and chunks",
        "RFC 9112 §6.3",
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[],
        BAD_ANSWER,
    ),
    answer(
        "an answer with two lengths",
        "RFC 9112 §6.3",
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        &[],
        BAD_ANSWER,
    ),
    answer(
        "a 204 with a body",
        "RFC 9112 §6.3; RFC 9110 §8.6",
        "GET",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        &[],
        BAD_ANSWER,
    ),
    answer(
        "an interim answer with chunks",
        "RFC 9112 §6.1",
        "GET",
        b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[],
        BAD_ANSWER,
    ),
    answer(
        "the length in an answer to HEAD is of no body",
        "RFC 9112 §6.3",
        "HEAD",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        &[("200", b"")],
        Then::Nothing,
    ),
    answer(
        "the length in a 304 is of no body",
        "RFC 9112 §6.3",
        "GET",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        &[("304", b"")],
        Then::Nothing,
    ),
    answer(
        "a switch of protocols that nobody asked for",
        "RFC 9110 §15.2.2",
        "GET",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        &[],
        BAD_ANSWER,
    ),
    answer(
        "an answer whose header lines end in LF",
        "RFC 9112 §2.2",
        "GET",
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        &[],
        BAD_ANSWER,
    ),
    answer(
        "an answer with a folded header line",
        "RFC 9112 §5.2",
        "GET",
        b"HTTP/1.1 200 OK\r\nX: y\r\n Content-Length: 5\r\n\r\nhello",
        &[],
        BAD_ANSWER,
    ),
    answer(
        "a chunked answer in HTTP/1.0",
        "RFC 9112 §6.1",
        "GET",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[],
        BAD_ANSWER,
    ),
    answer(
        "a status of four digits",
        "RFC 9112 §4",
        "GET",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        &[],
        BAD_ANSWER,
    ),
    answer("an empty line before an answer", "RFC 9112 §2.2", "GET", b"\r\nHTTP/1.1 200 OK\r\n\r\n", &[], BAD_ANSWER),
    answer(
        "a second answer behind the first is not of this request",
        "RFC 9112 §9.2; Kettle, HTTP Desync Attacks, 2019",
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
        &[("200", b"ok")],
        BAD_ANSWER,
    ),
];
