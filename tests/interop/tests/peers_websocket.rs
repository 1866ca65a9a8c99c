//! Every WebSocket client against every WebSocket server, case by case: direct, and through the balancer with the same transcript;
//! over HTTP/1.1, and by extended CONNECT (RFC 8441) on either side.

use anyhow::{Context, Result};
use evenkeel_interop::balancer::{Balancer, Upstream};
use evenkeel_interop::programs::is_installed;
use evenkeel_interop::web::{self, WebServer};

const CODES: [u16; 4] = [1000, 1001, 3000, 4999];

/// What is seen of a session in each case, whatever the client and the server.
fn transcript(without: &[&str]) -> Vec<(String, Vec<String>)> {
    let compressed = "text:120000:ccf74666";
    let fixed: [(&str, &[&str]); 17] = [
        ("answered_in_fragments", &["text:one two three"]),
        ("binary", &["binary:1000:4e4c294b"]),
        ("client_aborts", &["text:first", "text:1006 "]),
        ("deflate", &["deflate:true", compressed, compressed]),
        ("empty_binary", &["binary:0:e3b0c442"]),
        ("empty_text", &["text:"]),
        ("fragmented", &["text:abc"]),
        ("header", &["text:a value"]),
        ("large_binary", &["binary:1048576:631b8402"]),
        ("large_text", &["text:1048576:aca1cd02"]),
        ("many", &["in order:500"]),
        ("ping", &["pong"]),
        ("pinged", &["text:ponged"]),
        ("refused", &["status:403"]),
        ("server_aborts", &["closed:1006:"]),
        ("subprotocol", &["protocol:b.echo"]),
        ("text", &["text:hello", "text:κόσμε 🚀"]),
    ];
    let fixed = fixed
        .into_iter()
        .map(|(case, saw)| (case.to_owned(), saw.iter().map(|&saw| saw.to_owned()).collect()));
    let closes = CODES.into_iter().flat_map(|code| {
        [
            (format!("server_closes_{code}"), vec![format!("closed:{code}:because {code}")]),
            (
                format!("client_closes_{code}"),
                vec!["text:first".to_owned(), format!("text:{code} since {code}")],
            ),
        ]
    });
    let mut all: Vec<_> = fixed.chain(closes).filter(|(case, _)| !without.contains(&case.as_str())).collect();
    all.sort();
    all
}

/// A client, the words that it takes, and the cases that its library cannot do.
#[derive(Clone, Copy)]
struct Client {
    program: &'static str,
    words: &'static [&'static str],
    without: &'static [&'static str],
}

const WS: Client = Client { program: "web-node", words: &[], without: &[] };
/// ws over Node's http2, where it makes no handshake of its own and so offers no extension.
const WS_OVER_H2: Client = Client { program: "web-node", words: &["--h2"], without: &["deflate"] };
const WEBSOCKETS: Client =
    Client { program: "web-python", words: &["--library", "websockets"], without: &[] };
/// aiohttp cannot send a message in fragments.
const AIOHTTP: Client =
    Client { program: "web-python", words: &["--library", "aiohttp"], without: &["fragmented"] };
const GO: Client = Client { program: "web-go", words: &[], without: &[] };
/// The JDK's WebSocket has no extensions.
const JAVA: Client = Client { program: "web-java", words: &[], without: &["deflate"] };

fn saw_all(client: Client, target: &str, without: &[&str], what: &str) -> Result<()> {
    let saw: Vec<_> = web::sessions(client.program, target, client.words)
        .with_context(|| what.to_owned())?
        .into_iter()
        .collect();
    let mut expected = transcript(client.without);
    for (case, seen) in &mut expected {
        // Nothing is agreed on where the server has no extension.
        if without.contains(&case.as_str()) {
            seen[0] = "deflate:false".to_owned();
        }
    }
    assert_eq!(saw, expected, "{what}");
    Ok(())
}

/// The servers that speak HTTP/1.1: a name, the program, its words.
const SERVERS: [(&str, &str, &[&str]); 3] = [
    ("ws", "web-node", &["websocket-server"]),
    ("websockets", "web-python", &["websocket-server"]),
    ("go", "web-go", &["server", "--name", "only"]),
];

fn every_server_serves(client: Client) -> Result<()> {
    for (name, program, words) in SERVERS {
        if !is_installed(program)? {
            continue;
        }
        let server = WebServer::start(program, words, 1)?;
        let balancer = Balancer::http(Upstream::H1, server.addresses())?;
        let what = format!("{} {:?} with {name}", client.program, client.words);
        // Without a balancer there is nobody to translate extended CONNECT.
        if client.words != WS_OVER_H2.words {
            saw_all(client, &server.addresses()[0], &[], &format!("{what}, direct"))?;
        }
        saw_all(client, balancer.address(), &[], &format!("{what}, through the balancer"))?;
    }
    Ok(())
}

fn a_server_over_h2_serves(client: Client) -> Result<()> {
    let server = WebServer::start("web-node", &["websocket-server", "--h2"], 1)?;
    let balancer = Balancer::http(Upstream::H2, server.addresses())?;
    let what = format!("{} {:?} with ws over HTTP/2", client.program, client.words);
    if client.words == WS_OVER_H2.words {
        saw_all(client, &server.addresses()[0], &["deflate"], &format!("{what}, direct"))?;
    }
    saw_all(client, balancer.address(), &["deflate"], &format!("{what}, through the balancer"))
}

#[test]
fn a_node_client_on_ws_has_the_same_sessions() -> Result<()> {
    every_server_serves(WS)
}

#[test]
fn a_python_client_on_websockets_has_the_same_sessions() -> Result<()> {
    every_server_serves(WEBSOCKETS)
}

#[test]
fn a_python_client_on_aiohttp_has_the_same_sessions() -> Result<()> {
    every_server_serves(AIOHTTP)
}

#[test]
fn a_go_client_has_the_same_sessions() -> Result<()> {
    every_server_serves(GO)
}

#[test]
fn a_java_client_has_the_same_sessions() -> Result<()> {
    every_server_serves(JAVA)
}

#[test]
fn a_node_client_over_extended_connect_has_the_same_sessions_with_servers_over_http_1() -> Result<()> {
    every_server_serves(WS_OVER_H2)
}

#[test]
fn a_node_client_over_extended_connect_has_the_same_sessions_with_a_server_over_extended_connect()
-> Result<()> {
    a_server_over_h2_serves(WS_OVER_H2)
}

#[test]
fn a_node_client_over_http_1_has_the_same_sessions_with_a_server_over_extended_connect() -> Result<()> {
    a_server_over_h2_serves(WS)
}

#[test]
fn a_python_client_over_http_1_has_the_same_sessions_with_a_node_server_over_extended_connect() -> Result<()>
{
    a_server_over_h2_serves(WEBSOCKETS)?;
    a_server_over_h2_serves(AIOHTTP)
}

#[test]
fn a_go_client_over_http_1_has_the_same_sessions_with_a_node_server_over_extended_connect() -> Result<()> {
    a_server_over_h2_serves(GO)
}

#[test]
fn a_java_client_over_http_1_has_the_same_sessions_with_a_node_server_over_extended_connect() -> Result<()> {
    a_server_over_h2_serves(JAVA)
}
