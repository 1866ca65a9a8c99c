//! A TLS handshake has ended: a session learns who its client is, and an upstream what is spoken on it.

use super::Engine;
use crate::conn::{Conn, Http1, Phase, Speech};
use crate::keys::ConnKey;
use crate::secured::{Alpn, Secured};
use evenkeel_core::policy::ListenerProtocol;
use evenkeel_core::reason::CloseReason;
use evenkeel_core::time::Moment;

impl Engine {
    /// The TLS handshake of a connection begins: of a client whose first bytes say so, of an upstream when its socket is
    /// open. [`Engine::secured`] is to follow within the timeout for handshakes.
    pub fn securing(&mut self, now: Moment, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        conn.phase = match conn.phase {
            Phase::Detecting => Phase::Securing,
            Phase::Connecting => Phase::Handshaking,
            _ => return,
        };
        conn.idle_since = now;
        let timeout = self.timeouts_of(key).tls_handshake;
        self.arm_conn(key, now + timeout);
    }

    /// The TLS handshake of a connection has ended: of a client before its first bytes, of an upstream before
    /// [`Engine::connected`], which is not to be called if the connection was closed for what was agreed on.
    pub fn secured(&mut self, now: Moment, key: ConnKey, secured: Secured) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        match (conn.phase, conn.is_client()) {
            (Phase::Connecting | Phase::Handshaking, false) => self.agreed(now, key, secured.alpn),
            (Phase::Securing | Phase::Detecting, true) => {
                (conn.phase, conn.idle_since) = (Phase::Detecting, now);
                if let Some(client) = conn.client_mut() {
                    client.secured = Some(Box::new(secured));
                }
                if self.protocol_of(key) == ListenerProtocol::Tcp {
                    self.begin_tunnel(now, key, None, &[]);
                } else {
                    let header = self.timeouts_of(key).header;
                    let detect = self.detect_timeout_of(key).unwrap_or(header);
                    self.arm_conn(key, now + header.min(detect));
                }
            }
            _ => {}
        }
        self.relieve(now);
    }

    /// What a handshake with an endpoint may agree on (ALPN), in the order of preference; nothing for a tunnel, which
    /// offers nothing.
    #[must_use]
    pub fn may_agree_on(&self, key: ConnKey) -> &'static [Alpn] {
        let Some(conn) = self.conns.get(key).filter(|c| !c.is_client()) else { return &[] };
        match conn.speech {
            Speech::Raw => &[],
            Speech::Http1(_) => &[Alpn::H1],
            Speech::Http2(_) => &[Alpn::H2],
            Speech::Unknown => &[Alpn::H2, Alpn::H1],
        }
    }

    /// What is spoken on an upstream is what the handshake chose, if the service leaves it open. Without a choice it is
    /// HTTP/1, as for anybody who knows no ALPN.
    pub(super) fn agreed(&mut self, now: Moment, key: ConnKey, alpn: Option<Alpn>) {
        let conn = &self.conns[key];
        let refused = match (&conn.speech, alpn) {
            (Speech::Http1(_), Some(Alpn::H2)) => Some(CloseReason::TlsHandshakeFailed),
            (Speech::Http2(_), Some(Alpn::H1)) => Some(CloseReason::NotHttp2),
            _ => None,
        };
        if let Some(reason) = refused {
            self.conns[key].detail = Some("the handshake chose a protocol that the service does not speak");
            return self.end_conn(now, key, reason, None);
        }
        if !matches!(conn.speech, Speech::Unknown) {
            return;
        }
        let is_http1 = alpn != Some(Alpn::H2);
        let Some(pool) = conn.upstream().map(|u| u.pool) else { return };
        self.pools[pool].is_http1 = Some(is_http1);
        let speech = if is_http1 {
            Speech::Http1(Box::<Http1>::default())
        } else {
            Conn::new_http2(false, &self.limits)
        };
        self.conns[key].speak(speech);
    }

    /// An upstream stands whose transport said nothing of what was agreed on: its endpoint is taken as one in cleartext.
    pub(super) fn assume_speech(&mut self, key: ConnKey) {
        let Some(pool) = self.conns[key].upstream().map(|u| u.pool) else { return };
        let speech = self.likely_speech(pool, self.pools[pool].pending.front().copied());
        self.conns[key].speak(speech);
    }
}
