//! What an endpoint speaks in cleartext, where its service leaves that open: it is asked in its client's version, and what
//! it turns out to speak instead is remembered.
//!
//! Nothing was processed when an endpoint does not understand what it was asked in, so nothing is lost and nobody is blamed.

use super::Engine;
use crate::conn::{Conn, Http1, Speech};
use crate::exchange::Exchange;
use crate::keys::{ConnKey, ExchangeKey, PoolKey};
use evenkeel_core::policy::{Transport, UpstreamProtocol};
use evenkeel_core::reason::{CloseReason, ExchangeOutcome};
use evenkeel_core::time::Moment;
use evenkeel_wire::http2::{ErrorCode, FRAME_HEADER_LEN, Kind};

/// What the first bytes of an answer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstBytes {
    /// A frame that a server of HTTP/2 says first (RFC 9113 §3.4), or says before it leaves.
    Http2,
    /// Perhaps that.
    NeedMore,
    /// HTTP/1, or nothing that is known.
    Other,
}

/// Looks at the first bytes of what should be an answer in HTTP/1, which never begins with a zero.
pub(super) fn first_bytes(input: &[u8]) -> FirstBytes {
    let is_first = |&kind: &u8| kind == Kind::Settings as u8 || kind == Kind::GoAway as u8;
    match input {
        [0, ..] if input.len() < FRAME_HEADER_LEN => FirstBytes::NeedMore,
        [0, _, _, kind, _, 0, 0, 0, 0, ..] if is_first(kind) => FirstBytes::Http2,
        _ => FirstBytes::Other,
    }
}

impl Engine {
    /// Whether it is left open what a pool's endpoint speaks, and nobody says so but the endpoint itself.
    fn may_learn(&self, pool: PoolKey) -> bool {
        let upstream = &self.services[self.pools[pool].service].service.policy.upstream;
        upstream.protocol == UpstreamProtocol::Auto && upstream.transport == Transport::Cleartext
    }

    /// Whether an exchange may go on a connection: a gRPC call goes on HTTP/1 only where its service says so.
    pub(super) fn suits(&self, ex: &Exchange, conn: &Conn) -> bool {
        let Some(pool) = conn.upstream().and_then(|u| self.pools.get(u.pool)) else { return false };
        let is_open = self.services[pool.service].service.policy.upstream.protocol == UpstreamProtocol::Auto;
        !(ex.is_grpc && conn.http1().is_some() && is_open)
    }

    /// An upstream ended for this reason before its endpoint's SETTINGS came: true if its endpoint is taken for one of
    /// HTTP/1 from now on. One that is known to speak HTTP/2 has failed instead, and what it speaks is asked anew.
    pub(super) fn falls_back(&mut self, pool: PoolKey, reason: CloseReason) -> bool {
        let is_refusal = matches!(
            reason,
            CloseReason::NotHttp2 | CloseReason::UpstreamClosed | CloseReason::UpstreamReset
        );
        if !is_refusal || !self.pools.has(pool) || !self.may_learn(pool) {
            return false;
        }
        // A gRPC call has no use for another version: for it the endpoint has failed.
        let is_grpc = |&e: &ExchangeKey| self.exchanges.get(e).is_some_and(|ex| ex.is_grpc);
        if self.pools[pool].pending.iter().any(is_grpc) {
            return false;
        }
        if self.pools[pool].is_http1 == Some(false) {
            self.pools[pool].is_http1 = None;
            return false;
        }
        self.pools[pool].is_http1 = Some(true);
        // Nothing was said yet on those that are being opened.
        for key in self.pools[pool].conns.clone() {
            let conn = &mut self.conns[key];
            if conn.phase.is_connecting() && conn.http2().is_some() {
                conn.speak(Speech::Http1(Box::<Http1>::default()));
            }
        }
        true
    }

    /// An endpoint that was asked in HTTP/1 speaks HTTP/2: it did not understand the request, which goes to it again. False
    /// if that is not to be learnt here.
    pub(super) fn spoke_http2(&mut self, now: Moment, key: ConnKey, exchange: Option<ExchangeKey>) -> bool {
        let Some(pool_key) = self.conns[key].upstream().map(|u| u.pool) else { return false };
        if !self.pools.has(pool_key) || !self.may_learn(pool_key) {
            return false;
        }
        let before = self.pools[pool_key].is_http1.replace(false);
        for other in self.pools[pool_key].conns.clone() {
            let conn = &mut self.conns[other];
            if conn.http1().is_none() {
                continue;
            }
            if conn.phase.is_connecting() {
                let speech = Conn::new_http2(false, &self.limits);
                self.conns[other].speak(speech);
            } else if let Some(upstream) = conn.upstream_mut() {
                upstream.is_retiring = true;
            }
        }
        if let Some(exchange) = exchange {
            self.conns[key].streams.remove(1);
            let ex = &mut self.exchanges[exchange];
            ex.upstream.at = None;
            self.leave_upstream(now, exchange, Some(ErrorCode::Cancel));
            let is_whole = self.exchanges[exchange].is_replayable;
            if is_whole && before != Some(false) && !self.exchanges[exchange].kind.is_session() {
                self.wait(now, exchange, pool_key);
            } else {
                self.move_on(now, exchange, ExchangeOutcome::UpstreamProtocolError);
            }
        }
        self.conns[key].detail = Some("the endpoint answers in HTTP/2");
        self.end_conn(now, key, CloseReason::Rotated, None);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evenkeel_wire::http2::{self, Settings};

    #[test]
    fn settings_and_goaway_are_http_2_and_nothing_else_is() {
        let mut settings = Vec::new();
        http2::put_settings(&mut settings, &Settings::default(), false);
        assert_eq!(first_bytes(&settings), FirstBytes::Http2);
        let mut goaway = Vec::new();
        http2::put_goaway(&mut goaway, 0, ErrorCode::ProtocolError, b"bad preface");
        assert_eq!(first_bytes(&goaway), FirstBytes::Http2);
        for n in 1..FRAME_HEADER_LEN {
            assert_eq!(first_bytes(&goaway[..n]), FirstBytes::NeedMore, "{n}");
        }
        for other in [&b"HTTP/1.1 200 OK\r\n"[..], b"H", b"\0\0\0\0\0\0\0\0\0", b"\0\0\0\x04\0\0\0\0\x01"] {
            assert_eq!(first_bytes(other), FirstBytes::Other, "{other:?}");
        }
    }
}
