//! Chromium opens a page that holds a WebSocket and an EventSource: direct and through the balancer, in cleartext, and over TLS,
//! where page, session and stream share the one HTTP/2 connection to the balancer.

use anyhow::Result;
use evenkeel_interop::balancer::{Balancer, Listener, Setup, Upstream};
use evenkeel_interop::certificate::Certificate;
use evenkeel_interop::process::Process;
use evenkeel_interop::programs;
use evenkeel_interop::tap::Tap;
use evenkeel_interop::wait::{DEADLINE, until};
use evenkeel_interop::web::WebServer;
use serde_json::{Value, json};

/// A browser with the page, which prints what the page says.
struct Browser(Process);

impl Browser {
    fn open(target: &str) -> Result<Self> {
        let chromium = programs::command("chromium")?.get_program().to_string_lossy().into_owned();
        let mut command = programs::command("web-node")?;
        command.args(["browser", "--executable", &chromium, "--target", target]);
        Ok(Self(Process::start("chromium", &mut command)?))
    }

    fn until(&mut self, what: &str, is: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
        self.0.until(what, |process| {
            let said = process.said()?;
            let lines: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            Ok(is(&lines).then_some(lines))
        })
    }

    /// Closes it, and all processes that it has.
    fn close(mut self) -> Result<()> {
        self.0.terminate()?;
        self.0.finish()
    }
}

fn the_page_works(server: &WebServer, target: &str, protocol: &str) -> Result<()> {
    let mut browser = Browser::open(target)?;
    let said = browser
        .until("the session has ended", |lines| lines.iter().any(|line| line["websocket"] == "closed"))?;
    let of_session: Vec<_> = said.iter().filter(|line| line.get("websocket").is_some()).collect();
    let expected = [
        json!({"websocket": "open", "subprotocol": "b.echo", "deflate": true}),
        json!({"websocket": "from the page"}),
        json!({"websocket": "large", "same": true}),
        json!({"websocket": "closed", "code": 4001, "reason": "the page is done", "wasClean": true}),
    ];
    assert_eq!(of_session, expected.iter().collect::<Vec<_>>());
    assert!(said.contains(&json!({ "protocol": protocol })), "not over {protocol}: {said:?}");

    until("the stream is open", DEADLINE, || Ok((server.open()? == 1).then_some(())))?;
    server.send_events("retry: 50\n\n")?;
    for number in 0..20 {
        server.send_events(&format!("id: {number}\ndata: event {number}\n\n"))?;
        let event = json!({"event": "message", "data": format!("event {number}"), "id": number.to_string()});
        browser.until(&format!("event {number} is seen"), |lines| lines.contains(&event))?;
    }
    server.drop_streams()?;
    until("the page comes again", DEADLINE, || Ok((server.open()? == 1).then_some(())))?;
    assert_eq!(server.opened()?.last().map(String::as_str), Some("19"), "the Last-Event-ID at the server");
    server.send_events("event: named\nid: 20\ndata: one\ndata: two\n\n")?;
    let named = json!({"event": "named", "data": "one\ntwo", "id": "20"});
    browser.until("an event on the second stream is seen", |lines| lines.contains(&named))?;
    browser.close()
}

#[test]
fn a_page_in_chromium_has_its_session_and_its_events_from_a_go_server_in_cleartext() -> Result<()> {
    let server = WebServer::go(&["only"], &[])?;
    the_page_works(&server, &format!("http://{}", server.addresses()[0]), "http/1.1")?;
    let server = WebServer::go(&["only"], &[])?;
    let balancer = Balancer::http(Upstream::H1, server.addresses())?;
    the_page_works(&server, &format!("http://{}", balancer.address()), "http/1.1")
}

#[test]
fn a_page_in_chromium_has_its_session_and_its_events_from_a_go_server_over_tls_and_h2() -> Result<()> {
    let certificate = Certificate::make()?;
    let (chain, key) = (certificate.chain().display().to_string(), certificate.key().display().to_string());
    let server = WebServer::go(&["only"], &["--cert", &chain, "--key", &key])?;
    the_page_works(&server, &format!("https://{}", server.addresses()[0]), "h2")?;
    let server = WebServer::go(&["only"], &[])?;
    let balancer = Balancer::start(&Setup {
        listener: Listener::Http,
        upstream: Upstream::H1,
        endpoints: server.addresses(),
        certificate: Some(&certificate),
    })?;
    let before = Tap::start(balancer.address())?;
    the_page_works(&server, &format!("https://{}", before.address()), "h2")?;
    // The session went by extended CONNECT (RFC 8441): by an upgrade it would have had a connection of its own.
    assert_eq!(before.connections(), 1, "connections of the page");
    Ok(())
}
