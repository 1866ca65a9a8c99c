//! A client that asks in HTTP/1 for HTTP/2 in cleartext (RFC 7540 §3.2): 101, then HTTP/2 with the request as stream 1.
//!
//! Who asks in a way that cannot be agreed to is answered in HTTP/1, as if it had not asked.

use super::Engine;
use crate::conn::{Conn, Phase, Speech};
use crate::keys::ConnKey;
use evenkeel_core::session::SessionProtocol;
use evenkeel_core::time::Moment;
use evenkeel_wire::detect::PREFACE;
use evenkeel_wire::hpack::HeaderList;
use evenkeel_wire::http2;

/// RFC 9110 §15.2.2.
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";

impl Engine {
    /// Changes a client's connection to HTTP/2 if these settings are sound and it may be; true if so. The request that
    /// asked is still to be answered, on stream 1.
    pub(super) fn change_to_http2(&mut self, now: Moment, key: ConnKey, settings: &[u8]) -> bool {
        let conn = &self.conns[key];
        // The preface has to come as soon as on any new connection.
        let is_first = conn.highest_stream == 1;
        let is_secured = conn.client().is_none_or(|c| c.secured.is_some());
        let Some(payload) = http2::upgrade_settings(settings) else { return false };
        if !is_first || is_secured || self.drain.is_some() {
            return false;
        }
        let mut speech = Conn::new_http2(true, &self.limits);
        let Speech::Http2(state) = &mut speech else { return false };
        let Ok(change) = state.peer.apply(&payload) else { return false };
        if let Some(smallest) = change.smallest_table {
            state.encoder.set_peer_limit(smallest as usize, &mut self.store);
            state.encoder.set_peer_limit(state.peer.header_table_size as usize, &mut self.store);
        }
        state.preface_left = PREFACE.len() as u8;
        let conn = &mut self.conns[key];
        conn.output.buffer(&mut self.buffers).extend_from_slice(SWITCHING);
        conn.speak(speech);
        conn.phase = Phase::Greeting;
        self.session_speaks(key, SessionProtocol::Http2);
        self.greet(now, key);
        let header = self.timeouts_of(key).header;
        self.arm_conn(key, self.conns[key].opened + header);
        true
    }

    /// The request that asked for it goes on as stream 1, half-closed by the client.
    pub(super) fn first_stream(&mut self, now: Moment, key: ConnKey, list: HeaderList) {
        self.request(now, key, 1, list, true, false);
    }

    /// Takes what has come of the preface that follows a change to HTTP/2; false if it is none.
    pub(super) fn take_preface(&mut self, key: ConnKey, input: &mut &[u8]) -> bool {
        let Some(http2) = self.conns[key].http2_mut() else { return false };
        let left = usize::from(http2.preface_left);
        let n = left.min(input.len());
        let (part, rest) = input.split_at(n);
        *input = rest;
        http2.preface_left -= n as u8;
        let from = PREFACE.len() - left;
        *part == PREFACE[from..from + n]
    }
}
