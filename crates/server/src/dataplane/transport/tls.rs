//! One connection's TLS: records in, plaintext out, and back.
//!
//! The handshake's answers wait in `pending` until the worker flushes; plaintext of the session is sealed into the
//! worker's [`Wire`] at the flush, and what the socket did not take of it waits in `pending` too. While anything much
//! waits there nothing more is sealed, so the session's own output grows and its backpressure works.

use super::agreed::{Agreed, Alpn};
use super::failure::TlsFailure;
use super::identity::identity_of;
use super::pending::Pending;
use super::server_name;
use super::wire::Wire;
use evenkeel_core::session::TlsVersion;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use rustls::{ClientConfig, CommonState, Error, ServerConfig};
use std::fmt;
use std::sync::Arc;

/// Plaintext that is sealed at once: two records.
pub(super) const SEAL_BYTES: usize = 32 * 1024;
/// Bytes that are kept of a record, or of a handshake message over several records, until the rest comes. No record is
/// larger than 18 KiB (RFC 8446 §5.2, RFC 5246 §6.2.3), and certificate chains are shorter.
pub(in crate::dataplane) const MOST_TAIL: usize = 32 * 1024;

/// What records that came turned out to hold.
#[derive(Debug)]
pub(in crate::dataplane) enum Heard<'a> {
    /// The handshake has ended: once, before any plaintext.
    Secured(Agreed),
    /// Bytes for the session.
    Plaintext(&'a [u8]),
}

/// One connection's TLS.
pub(in crate::dataplane) struct Tls {
    side: Side,
    /// Records that are not whole.
    tail: Vec<u8>,
    pending: Pending,
    /// Plaintext, the first of the session's output, whose records wait in `pending`.
    sealed: usize,
    server_name: Option<Box<str>>,
    is_open: bool,
    has_peer_closed: bool,
    /// Our side has ended.
    has_closed: bool,
}

enum Side {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// What one step of the state machine came to.
enum Next {
    More,
    /// Plaintext is there, to be taken when the session knows what was agreed.
    Plaintext,
    Wait,
    PeerClosed,
    Failed(Error),
}

impl Tls {
    /// The side that was connected to.
    ///
    /// # Errors
    /// A configuration that rustls does not take.
    pub(in crate::dataplane) fn server(config: Arc<ServerConfig>) -> Result<Self, TlsFailure> {
        let side = UnbufferedServerConnection::new(config).map_err(|e| TlsFailure::from(&e))?;
        Ok(Self::new(Side::Server(side)))
    }

    /// The side that connects, and offers these protocols; its first record waits to be flushed.
    ///
    /// # Errors
    /// A configuration that rustls does not take, or no entropy.
    pub(in crate::dataplane) fn client(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        alpn: impl Iterator<Item = Alpn>,
    ) -> Result<Self, TlsFailure> {
        let alpn = alpn.map(|alpn| alpn.name().to_vec()).collect();
        let side = UnbufferedClientConnection::new_with_alpn(config, name, alpn)
            .map_err(|e| TlsFailure::from(&e))?;
        let mut tls = Self::new(Side::Client(side));
        tls.receive(&mut [], |_| {})?;
        Ok(tls)
    }

    fn new(side: Side) -> Self {
        Self {
            side,
            tail: Vec::new(),
            pending: Pending::default(),
            sealed: 0,
            server_name: None,
            is_open: false,
            has_peer_closed: false,
            has_closed: false,
        }
    }

    /// Whether the handshake has ended.
    pub(in crate::dataplane) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether the peer has said that nothing more comes.
    pub(in crate::dataplane) fn has_peer_closed(&self) -> bool {
        self.has_peer_closed
    }

    /// Whether our side has ended, so that nothing follows what waits.
    pub(in crate::dataplane) fn has_closed(&self) -> bool {
        self.has_closed
    }

    /// Whether records wait to be written.
    pub(in crate::dataplane) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Bytes of the session's output whose records wait.
    pub(in crate::dataplane) fn sealed(&self) -> usize {
        self.sealed
    }

    /// What must stand before the bytes that are given to [`Tls::receive`] next.
    pub(in crate::dataplane) fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Takes records: the tail, and what was read behind it. `bytes` is worked in, and not to be used afterwards.
    ///
    /// # Errors
    /// Why the connection ends; the alert for the peer waits to be flushed.
    pub(in crate::dataplane) fn receive(
        &mut self,
        bytes: &mut [u8],
        mut heard: impl FnMut(Heard<'_>),
    ) -> Result<(), TlsFailure> {
        let mut start = 0;
        while !self.has_peer_closed {
            let (discard, next) = self.step(&mut bytes[start..], &mut heard);
            start += discard;
            if self.server_name.is_none() && !self.is_open {
                self.server_name = server_name::take();
            }
            if !self.is_open && !self.common().is_handshaking() {
                self.is_open = true;
                heard(Heard::Secured(self.agreed()));
            }
            match next {
                Next::More => {}
                Next::Plaintext if self.is_open => {}
                Next::Plaintext => return Err(TlsFailure::PeerMisbehaved),
                Next::Wait => break,
                Next::PeerClosed => self.has_peer_closed = true,
                Next::Failed(error) => {
                    self.queue_alert(&mut bytes[start..]);
                    return Err(TlsFailure::from(&error));
                }
            }
        }
        self.keep(if self.has_peer_closed { &[] } else { &bytes[start..] })
    }

    fn keep(&mut self, rest: &[u8]) -> Result<(), TlsFailure> {
        if rest.is_empty() {
            self.tail = Vec::new();
        } else if rest.len() > MOST_TAIL {
            return Err(TlsFailure::HandshakeTooLarge);
        } else {
            self.tail.clear();
            self.tail.extend_from_slice(rest);
        }
        Ok(())
    }

    fn step(&mut self, bytes: &mut [u8], heard: &mut impl FnMut(Heard<'_>)) -> (usize, Next) {
        let (pending, is_open) = (self.pending.end(), self.is_open);
        match &mut self.side {
            Side::Server(side) => take(side.process_tls_records(bytes), pending, is_open, heard),
            Side::Client(side) => take(side.process_tls_records(bytes), pending, is_open, heard),
        }
    }

    /// Has the alert that tells the peer of a failure wait to be flushed. Records are not looked at again: rustls has said
    /// its last word about them.
    fn queue_alert(&mut self, rest: &mut [u8]) {
        let mut start = 0;
        while self.common().wants_write() {
            start += self.step(&mut rest[start..], &mut |_| {}).0;
        }
    }

    /// Puts the next records on the wire: those that wait, and up to `plaintext` of the session's output that they do
    /// not hold yet. Returns how much of `plaintext` was sealed; [`Tls::wrote`] must follow.
    ///
    /// # Errors
    /// The keys may not be used for more (RFC 8446 §5.5), and there are no others.
    pub(in crate::dataplane) fn fill(
        &mut self,
        plaintext: &[u8],
        wire: &mut Wire,
    ) -> Result<usize, TlsFailure> {
        wire.clear();
        if self.pending.waiting().len() > Wire::MOST_MOVED {
            return Ok(0);
        }
        wire.put(self.pending.waiting());
        self.pending.replace(&[]);
        if !self.is_open || plaintext.is_empty() {
            return Ok(0);
        }
        let part = &plaintext[..plaintext.len().min(SEAL_BYTES)];
        self.write(wire, |mut traffic, wire| traffic.encrypt(part, wire.room()))?;
        self.sealed += part.len();
        Ok(part.len())
    }

    /// What is to be written next after [`Tls::fill`].
    pub(in crate::dataplane) fn outgoing<'a>(&'a self, wire: &'a Wire) -> &'a [u8] {
        if self.pending.is_empty() { wire.filled() } else { self.pending.waiting() }
    }

    /// The socket took the first `n` bytes of [`Tls::outgoing`], which may be none; the rest is kept. Returns how much of
    /// the session's output has left by that.
    pub(in crate::dataplane) fn wrote(&mut self, n: usize, wire: &mut Wire) -> usize {
        if self.pending.is_empty() {
            self.pending.replace(&wire.filled()[n..]);
        } else {
            self.pending.advance(n);
        }
        wire.clear();
        // A record is larger than what it holds, and the last byte counts when the last record is gone.
        let left = if self.pending.is_empty() { self.sealed } else { n.min(self.sealed.saturating_sub(1)) };
        self.sealed -= left;
        left
    }

    /// Has the `close_notify` wait, with which our side ends (RFC 8446 §6.1), once; nothing before the handshake has ended.
    pub(in crate::dataplane) fn close(&mut self, wire: &mut Wire) {
        if !self.is_open || std::mem::replace(&mut self.has_closed, true) {
            return;
        }
        wire.clear();
        // Keys that are used up leave no way to say so, and the end is one all the same.
        if self.write(wire, |mut traffic, wire| traffic.queue_close_notify(wire.room())).is_ok() {
            self.pending.end().extend_from_slice(wire.filled());
        }
        wire.clear();
    }

    /// Records that wait.
    pub(in crate::dataplane) fn waiting(&self) -> &[u8] {
        self.pending.waiting()
    }

    /// Lets `write` append to the wire, behind what TLS itself has to say.
    fn write(
        &mut self,
        wire: &mut Wire,
        write: impl Fn(Traffic<'_, '_>, &mut Wire) -> Sealed,
    ) -> Result<(), TlsFailure> {
        loop {
            // What is not whole goes along: rustls may have noted where in it a message begins.
            let (discard, is_done) = match &mut self.side {
                Side::Server(side) => {
                    put(side.process_tls_records(&mut self.tail), wire, |t, w| write(Traffic::Server(t), w))
                }
                Side::Client(side) => {
                    put(side.process_tls_records(&mut self.tail), wire, |t, w| write(Traffic::Client(t), w))
                }
            }?;
            self.tail.drain(..discard);
            if is_done {
                return Ok(());
            }
        }
    }

    fn common(&self) -> &CommonState {
        match &self.side {
            Side::Server(side) => side,
            Side::Client(side) => side,
        }
    }

    fn agreed(&mut self) -> Agreed {
        let common = self.common();
        let alpn = common.alpn_protocol().and_then(Alpn::from_name);
        let client_identity = match &self.side {
            Side::Server(_) => common.peer_certificates().and_then(|chain| identity_of(chain.first()?)),
            Side::Client(_) => None,
        };
        let version = common.protocol_version().and_then(|version| match version {
            rustls::ProtocolVersion::TLSv1_2 => Some(TlsVersion::V1_2),
            rustls::ProtocolVersion::TLSv1_3 => Some(TlsVersion::V1_3),
            _ => None,
        });
        Agreed { version, alpn, server_name: self.server_name.take(), client_identity }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("is_server", &matches!(self.side, Side::Server(_)))
            .field("is_open", &self.is_open)
            .field("tail", &self.tail.len())
            .field("pending", &self.pending.waiting().len())
            .field("sealed", &self.sealed)
            .finish_non_exhaustive()
    }
}

type Sealed = Result<usize, EncryptError>;

/// The leave to send, of either side.
enum Traffic<'a, 'c> {
    Server(&'a mut WriteTraffic<'c, rustls::server::ServerConnectionData>),
    Client(&'a mut WriteTraffic<'c, rustls::client::ClientConnectionData>),
}

impl Traffic<'_, '_> {
    fn encrypt(&mut self, plaintext: &[u8], room: &mut [u8]) -> Sealed {
        match self {
            Self::Server(traffic) => traffic.encrypt(plaintext, room),
            Self::Client(traffic) => traffic.encrypt(plaintext, room),
        }
    }

    fn queue_close_notify(&mut self, room: &mut [u8]) -> Sealed {
        match self {
            Self::Server(traffic) => traffic.queue_close_notify(room),
            Self::Client(traffic) => traffic.queue_close_notify(room),
        }
    }
}

/// Takes a step's result while records come in: answers to `pending`, plaintext to `heard` once the connection is open.
fn take<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    pending: &mut Vec<u8>,
    is_open: bool,
    heard: &mut impl FnMut(Heard<'_>),
) -> (usize, Next) {
    let UnbufferedStatus { mut discard, state } = status;
    let next = match state {
        Err(error) => Next::Failed(error),
        // Left where it is until the session knows what was agreed.
        Ok(ConnectionState::ReadTraffic(_)) if !is_open => Next::Plaintext,
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut next = Next::More;
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        discard += record.discard;
                        heard(Heard::Plaintext(record.payload));
                    }
                    Err(error) => {
                        next = Next::Failed(error);
                        break;
                    }
                }
            }
            next
        }
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            encode(&mut data, pending);
            Next::More
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Next::More
        }
        Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Next::PeerClosed,
        // Early data is never allowed, so none is left to be read; what else may come to exist is waited out.
        Ok(_) => Next::Wait,
    };
    (discard, next)
}

fn encode<Data>(data: &mut EncodeTlsData<'_, Data>, pending: &mut Vec<u8>) {
    let start = pending.len();
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        pending.resize(start + size.required_size, 0);
        let written = data.encode(&mut pending[start..]);
        debug_assert!(written.is_ok(), "the size was asked for");
    }
}

/// Takes a step's result while something is to be sent: what was discarded, and whether it was sent.
fn put<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    wire: &mut Wire,
    write: impl FnOnce(&mut WriteTraffic<'_, Data>, &mut Wire) -> Sealed,
) -> Result<(usize, bool), TlsFailure> {
    let UnbufferedStatus { discard, state } = status;
    match state.map_err(|e| TlsFailure::from(&e))? {
        ConnectionState::WriteTraffic(mut traffic) => {
            let written = write(&mut traffic, wire).map_err(|_| TlsFailure::Internal)?;
            wire.add(written);
            Ok((discard, true))
        }
        ConnectionState::EncodeTlsData(mut data) => {
            let written = data.encode(wire.room()).map_err(|_| TlsFailure::Internal)?;
            wire.add(written);
            Ok((discard, false))
        }
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Ok((discard, false))
        }
        // Both sides have ended.
        _ => Err(TlsFailure::Internal),
    }
}
