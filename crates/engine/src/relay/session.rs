//! What a session is counted and told as: by what it speaks, by its exchanges that fail, and by what lasts on it, which
//! its client comes again for when it loses it.

use super::Engine;
use crate::conn::{ClientSide, Conn, Phase, Speech};
use crate::exchange::{Exchange, Kind};
use crate::keys::{ConnKey, ExchangeKey};
use crate::secured::{Alpn, Secured};
use evenkeel_core::event::EventKind;
use evenkeel_core::reason::{CloseReason, Limit};
use evenkeel_core::session::{LongLived, SessionProtocol, SessionTls};
use evenkeel_core::stats::ClientName;
use evenkeel_core::time::Moment;

/// What a speech of a client that is no WebSocket's counts as.
fn protocol_of(speech: &Speech) -> SessionProtocol {
    match speech {
        Speech::Unknown => SessionProtocol::Unknown,
        Speech::Http1(_) => SessionProtocol::Http1,
        Speech::Http2(_) => SessionProtocol::Http2,
        Speech::Raw => SessionProtocol::Tcp,
    }
}

/// What a handshake ended with, as it is told.
pub(super) fn told(secured: &Secured) -> Box<SessionTls> {
    Box::new(SessionTls {
        version: secured.version,
        alpn: secured.alpn.map(Alpn::name),
        server_name: secured.server_name.clone(),
        client_identity: secured.client_identity.clone(),
    })
}

/// What of an exchange lasts, if anything does.
fn long_lived(ex: &Exchange) -> Option<LongLived> {
    if ex.websocket.is_some() {
        Some(LongLived::WebSocket)
    } else if ex.events.is_some() {
        Some(LongLived::Events)
    } else {
        (ex.kind == Kind::Tunnel && ex.is_tunnel).then_some(LongLived::Tunnel)
    }
}

impl Engine {
    /// It is known what a client speaks.
    pub(super) fn begin_session(&mut self, key: ConnKey, phase: Phase, speech: Speech) {
        let conn = &mut self.conns[key];
        let protocol = protocol_of(&speech);
        conn.phase = phase;
        conn.speak(speech);
        self.session_speaks(key, protocol);
        let Some(client) = self.conns[key].client() else { return };
        let (listener, peer, session) = (client.listener.id, client.peer, client.session);
        let tls = client.secured.as_deref().map(told);
        self.tell(EventKind::SessionStarted { listener, peer, session, protocol, tls });
    }

    /// A client's connection speaks this from now on.
    pub(super) fn session_speaks(&mut self, key: ConnKey, protocol: SessionProtocol) {
        let worker = self.worker;
        let Some(client) = self.conns.get_mut(key).and_then(Conn::client_mut) else { return };
        let before = std::mem::replace(&mut client.protocol, protocol);
        client.listener.stats.cell(worker).session_changed(before, protocol);
    }

    /// Counts the end of a session, and tells of it.
    pub(super) fn session_ended(&mut self, client: &ClientSide, conn: &Conn, reason: CloseReason) {
        let (figures, detail) = (conn.figures, conn.detail);
        self.clients -= 1;
        self.stats.sessions.set(self.clients as u64);
        let (listener, peer, session) = (client.listener.id, client.peer, client.session);
        let (protocol, tls) = (client.protocol, client.secured.as_deref().map(told));
        let cell = client.listener.stats.cell(self.worker);
        cell.session_ended(protocol, reason, figures.age);
        let messages = figures.messages_in + figures.messages_out;
        if messages > 0 || protocol == SessionProtocol::WebSocket {
            cell.session_had_messages(protocol, messages);
        }
        self.tell(EventKind::SessionEnded {
            listener,
            peer,
            session,
            protocol,
            tls,
            reason,
            detail,
            figures,
        });
    }

    /// An exchange of a client's connection, or what should have become one, failed.
    pub(super) fn exchange_failed(&mut self, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        conn.figures.failed += 1;
        if let Some(client) = conn.client() {
            client.listener.stats.cell(self.worker).exchange_failed(client.protocol);
        }
    }

    /// What lasts of an exchange begins: its client may have lost the like a short while ago.
    pub(super) fn lasts(&self, now: Moment, exchange: ExchangeKey) {
        let ex = &self.exchanges[exchange];
        let (Some(what), Some((key, _))) = (long_lived(ex), ex.client.at) else { return };
        let Some(client) = self.conns.get(key).and_then(Conn::client) else { return };
        if !client.listener.stats.client_came(now, what, client.name()) {
            return;
        }
        client.listener.stats.cell(self.worker).client_came_back(what);
        if what == LongLived::WebSocket
            && let Some(state) = self.services.get(ex.service)
        {
            state.service.stats.cell(self.worker).websocket_came_back();
        }
    }

    /// An exchange leaves its client: what lasted of it has ended.
    pub(super) fn lasted(&self, now: Moment, exchange: ExchangeKey) {
        let ex = &self.exchanges[exchange];
        let (Some(what), Some((key, _))) = (long_lived(ex), ex.client.at) else { return };
        let Some(client) = self.conns.get(key).and_then(Conn::client) else { return };
        if !client.listener.stats.client_went(now, what, client.name()) {
            self.stats.refused(Limit::DepartedClients);
        }
    }
}

impl ClientSide {
    /// How the client is known when it comes again.
    fn name(&self) -> ClientName<'_> {
        match self.secured.as_deref().and_then(|s| s.client_identity.as_deref()) {
            Some(identity) => ClientName::Certificate(identity),
            None => ClientName::Address(self.peer.ip().to_canonical()),
        }
    }
}
