//! A client, whatever it speaks.

use super::network::{Arrival, End};
use super::scenario::Scenario;
use super::surroundings::Surroundings;
use super::{http1, http2, tunnel};

/// One of a world's clients.
#[derive(Debug)]
pub(super) enum Client {
    Http2(Box<http2::Client>),
    Http1(Box<http1::Client>),
    Tunnel(tunnel::Client),
}

impl Client {
    /// All clients of a scenario, by number.
    pub(super) fn all(scenario: &Scenario) -> Vec<Self> {
        let mut all = Vec::new();
        for habits in &scenario.clients {
            all.push(Self::Http2(Box::new(http2::Client::new(all.len() as u32, habits.clone()))));
        }
        for habits in &scenario.http1_clients {
            all.push(Self::Http1(Box::new(http1::Client::new(all.len() as u32, *habits))));
        }
        for habits in &scenario.tunnels {
            all.push(Self::Tunnel(tunnel::Client::new(all.len() as u32, *habits)));
        }
        all
    }

    pub(super) fn is_tunnel(&self) -> bool {
        matches!(self, Self::Tunnel(_))
    }

    pub(super) fn is_http1(&self) -> bool {
        matches!(self, Self::Http1(_))
    }

    /// Whether it keeps to the rules.
    pub(super) fn is_honest(&self) -> bool {
        match self {
            Self::Http2(client) => client.is_honest(),
            Self::Http1(client) => client.is_honest(),
            Self::Tunnel(_) => true,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Http2(client) => client.is_done(),
            Self::Http1(client) => client.is_done(),
            Self::Tunnel(client) => client.is_done(),
        }
    }

    pub(super) fn end(&self) -> Option<End> {
        match self {
            Self::Http2(client) => client.end(),
            Self::Http1(client) => client.end(),
            Self::Tunnel(client) => client.end(),
        }
    }

    /// Requests that are open: their numbers.
    pub(super) fn open(&self) -> Vec<usize> {
        match self {
            Self::Http2(client) => client.open(),
            Self::Http1(client) => client.open(),
            Self::Tunnel(_) => Vec::new(),
        }
    }

    /// Does what it does next; true if it wants to connect.
    pub(super) fn act(&mut self, around: &mut Surroundings) -> Result<bool, String> {
        match self {
            Self::Http2(client) => client.act(around),
            Self::Http1(client) => client.act(around),
            Self::Tunnel(client) => Ok(client.act(around)),
        }
    }

    pub(super) fn connect(&mut self, around: &mut Surroundings) -> End {
        match self {
            Self::Http2(client) => client.connect(around),
            Self::Http1(client) => client.connect(around),
            Self::Tunnel(client) => client.connect(around),
        }
    }

    /// Nobody takes connections any more.
    pub(super) fn give_up(&mut self) {
        match self {
            Self::Http2(client) => client.give_up(),
            Self::Http1(client) => client.give_up(),
            Self::Tunnel(client) => client.give_up(),
        }
    }

    pub(super) fn flush(&mut self, around: &mut Surroundings) {
        match self {
            Self::Http2(client) => client.flush(around),
            Self::Http1(client) => client.flush(around),
            // It writes when it acts.
            Self::Tunnel(_) => {}
        }
    }

    pub(super) fn arrived(&mut self, arrival: Arrival, around: &mut Surroundings) -> Result<(), String> {
        match self {
            Self::Http2(client) => client.arrived(arrival, around),
            Self::Http1(client) => client.arrived(&arrival, around),
            Self::Tunnel(client) => client.arrived(&arrival, around),
        }
    }
}
