//! The PROXY protocol: whom a client's connection speaks for, and what the endpoint of its tunnel is told of that.
//!
//! A header comes before everything else, TLS too, so the event loop looks for it on the socket and asks here what it
//! says. What a listener or a service wants is their policy.

use super::Engine;
use crate::conn::Phase;
use crate::exchange::Kind;
use crate::keys::{ConnKey, ExchangeKey};
use evenkeel_core::policy::SendProxyProtocol;
use evenkeel_core::reason::CloseReason;
use evenkeel_core::time::Moment;
use evenkeel_wire::proxy_protocol::{Addresses, Fault, put_v1, put_v2, read};
use std::net::SocketAddr;

pub use evenkeel_wire::proxy_protocol::LONGEST_V2 as LONGEST_PROXY_HEADER;

impl Engine {
    /// Whether a connection has to begin with a PROXY protocol header, which is taken off before anything else by
    /// [`Engine::proxy_header`].
    #[must_use]
    pub fn awaits_proxy_header(&self, key: ConnKey) -> bool {
        self.conns.get(key).and_then(|c| c.client()).is_some_and(|c| c.awaits_proxy_header)
    }

    /// The first bytes of such a connection, all that came so far: the length of the header if that is whole, and then
    /// the session is its client's. `None` if more has to come, or if the connection is ended for what it said. Never
    /// needs more than [`LONGEST_PROXY_HEADER`] bytes.
    pub fn proxy_header(&mut self, now: Moment, key: ConnKey, bytes: &[u8]) -> Option<usize> {
        let conn = self.conns.get_mut(key).filter(|c| c.phase == Phase::Detecting)?;
        let client = conn.client_mut().filter(|c| c.awaits_proxy_header)?;
        let (length, header) = match read(bytes) {
            Ok(whole) => whole?,
            Err(fault) => {
                conn.detail = Some(why(fault));
                self.end_conn(now, key, CloseReason::BadProxyHeader, None);
                return None;
            }
        };
        client.awaits_proxy_header = false;
        if let Some(ends) = header.addresses {
            (client.peer, client.destination) = (ends.source, Some(ends.destination));
        }
        conn.figures.bytes_in += length as u64;
        conn.idle_since = now;
        self.await_first_bytes(now, key);
        Some(length)
    }

    /// What a client connected to: told to endpoints that ask for it, unless a header said it better.
    pub fn set_destination(&mut self, key: ConnKey, destination: SocketAddr) {
        if let Some(client) = self.conns.get_mut(key).and_then(|c| c.client_mut()) {
            client.destination.get_or_insert(destination);
        }
    }

    /// Whether any service's endpoints are told what clients connected to.
    #[must_use]
    pub fn tells_destinations(&self) -> bool {
        let tells = |policy: SendProxyProtocol| policy != SendProxyProtocol::None;
        self.snapshot.services.iter().any(|s| tells(s.policy.upstream.proxy_protocol))
    }

    /// What an endpoint is to be told in cleartext before TLS begins; empty for most. What is asked for here is not
    /// part of the connection's output any more.
    pub fn introduction(&mut self, key: ConnKey) -> Vec<u8> {
        let mut out = Vec::new();
        let tunnel = self.conns.get(key).and_then(|c| c.streams.get(c.highest_stream));
        if let Some(tunnel) = tunnel
            && let Some((version, ends)) = self.take_introduction(tunnel, key)
        {
            put(&mut out, version, ends);
            self.conns[key].figures.bytes_out += out.len() as u64;
        }
        out
    }

    /// Puts the header of a tunnel's own upstream before everything else.
    pub(super) fn introduce(&mut self, tunnel: ExchangeKey, key: ConnKey) {
        let Some((version, ends)) = self.take_introduction(tunnel, key) else { return };
        put(self.conns[key].output.buffer(&mut self.buffers), version, ends);
        self.mark_dirty(key);
    }

    /// The header that is still to be sent on an upstream.
    fn take_introduction(
        &mut self,
        tunnel: ExchangeKey,
        key: ConnKey,
    ) -> Option<(SendProxyProtocol, Option<Addresses>)> {
        let ex = self.exchanges.get(tunnel).filter(|ex| ex.kind == Kind::Tunnel)?;
        let version = self.services.get(ex.service)?.service.policy.upstream.proxy_protocol;
        let client = ex.client.at.and_then(|(client, _)| self.conns.get(client)?.client());
        let ends =
            client.and_then(|c| c.destination.map(|destination| Addresses { source: c.peer, destination }));
        let upstream = self.conns.get_mut(key)?.upstream_mut()?;
        let is_due =
            version != SendProxyProtocol::None && !std::mem::replace(&mut upstream.is_introduced, true);
        is_due.then_some((version, ends))
    }
}

fn put(out: &mut Vec<u8>, version: SendProxyProtocol, ends: Option<Addresses>) {
    match version {
        SendProxyProtocol::None => {}
        SendProxyProtocol::V1 => put_v1(out, ends),
        SendProxyProtocol::V2 => put_v2(out, ends, None),
    }
}

/// The fault in the words of a record.
const fn why(fault: Fault) -> &'static str {
    match fault {
        Fault::NotProxy => "no header of the PROXY protocol",
        Fault::TooLong => "a header that is too long",
        Fault::Line => "a malformed line",
        Fault::Unknown => "an unknown version, command or family",
        Fault::TooShort => "no room for the addresses of its family",
        Fault::Value => "a malformed value",
        Fault::Checksum => "a wrong checksum",
    }
}
