//! Event streams of real clients: each event passes at once, however it is cut, and a client that comes again says with
//! `Last-Event-ID` where it was, direct and through the balancer.

use anyhow::Result;
use evenkeel_interop::balancer::{Balancer, Upstream};
use evenkeel_interop::process::Process;
use evenkeel_interop::programs;
use evenkeel_interop::wait::{DEADLINE, until};
use evenkeel_interop::web::WebServer;
use serde_json::{Value, json};

const EVENTS: usize = 50;
const LARGE: usize = 256 << 10;

/// A client that prints each event as it comes.
struct Follower(Process);

impl Follower {
    fn start(program: &str, target: &str) -> Result<Self> {
        let mut command = programs::command(program)?;
        command.args(["events", "--target", &format!("http://{target}")]);
        Ok(Self(Process::start(&format!("{program} events"), &mut command)?))
    }

    /// The lines so far that are whole.
    fn lines(said: &str) -> Vec<Value> {
        let whole = said.rfind('\n').map_or("", |end| &said[..end]);
        whole.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn until(&mut self, what: &str, is: impl Fn(&[Value]) -> bool) -> Result<()> {
        self.0.until(what, |process| Ok(is(&Self::lines(&process.said()?)).then_some(())))
    }

    /// The events so far, without what else it says.
    fn events(&self) -> Result<Vec<Value>> {
        let lines = Self::lines(&self.0.said()?);
        Ok(lines.into_iter().filter(|line| line.get("event").is_some()).collect())
    }
}

fn event(kind: &str, data: &str, id: &str) -> Value {
    json!({"event": kind, "data": data, "id": id})
}

fn follows(program: &str, server: &WebServer, target: &str) -> Result<()> {
    let mut follower = Follower::start(program, target)?;
    until("the stream is open", DEADLINE, || Ok((server.open()? == 1).then_some(())))?;
    // Read by both, and the clients come again at once.
    server.send_events("retry: 50\n\n")?;
    let mut expected = Vec::new();
    for number in 0..EVENTS {
        server.send_events(&format!("id: {number}\ndata: event {number}\n\n"))?;
        expected.push(event("message", &format!("event {number}"), &number.to_string()));
        // The next one is sent only when this one was seen: nobody may wait for more.
        follower.until(&format!("event {number} is seen"), |lines| lines.contains(&expected[number]))?;
    }
    // An event with a name and two lines, after a comment; its bytes come in three parts.
    for part in [": a comment\n\nevent: na", "med\r\nid: 100\r\ndata: one\r\ndata:", " two\r\n\r\n"] {
        server.send_events(part)?;
    }
    expected.push(event("named", "one\ntwo", "100"));
    let large = "x".repeat(LARGE);
    server.send_events(&format!("id: 101\ndata: {large}\n\n"))?;
    expected.push(event("message", &large, "101"));
    follower.until("the large event is seen", |lines| lines.last() == expected.last())?;

    server.drop_streams()?;
    until("the client comes again", DEADLINE, || Ok((server.open()? == 1).then_some(())))?;
    assert_eq!(server.opened()?.last().map(String::as_str), Some("101"), "the Last-Event-ID at the server");
    server.send_events("id: 102\ndata: again\n\n")?;
    expected.push(event("message", "again", "102"));
    follower.until("an event on the second stream is seen", |lines| lines.last() == expected.last())?;
    assert_eq!(follower.events()?, expected);
    Ok(())
}

fn follows_every_way(program: &str) -> Result<()> {
    for (upstream, more) in [(Upstream::H1, &[][..]), (Upstream::H2, &["--h2c"])] {
        if upstream == Upstream::H1 {
            let server = WebServer::go(&["only"], more)?;
            follows(program, &server, &server.addresses()[0])?;
        }
        let server = WebServer::go(&["only"], more)?;
        let balancer = Balancer::http(upstream, server.addresses())?;
        follows(program, &server, balancer.address())?;
    }
    Ok(())
}

#[test]
fn a_python_client_sees_each_event_of_a_go_server_at_once_and_comes_again_with_its_last_id() -> Result<()> {
    follows_every_way("web-python")
}

#[test]
fn a_node_client_sees_each_event_of_a_go_server_at_once_and_comes_again_with_its_last_id() -> Result<()> {
    follows_every_way("web-node")
}
