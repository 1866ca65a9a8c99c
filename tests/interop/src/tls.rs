//! A client's side of TLS by rustls, for what no program's command line does: to end one side and hear the rest, and to have the
//! socket below at hand. Knows nothing of what it carries.

use crate::certificate::Certificate;
use crate::wait::DEADLINE;
use anyhow::Result;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// A connection of which the handshake is over.
#[derive(Debug)]
pub struct Client(StreamOwned<ClientConnection, TcpStream>);

impl Client {
    /// Connects, and believes the certificate's authority alone.
    ///
    /// # Errors
    /// If the handshake fails.
    pub fn connect(address: &str, trusted: &Certificate) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(trusted.authority())?)?;
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let tls = ClientConnection::new(Arc::new(config), "localhost".try_into()?)?;
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut client = StreamOwned::new(tls, stream);
        while client.conn.is_handshaking() {
            client.conn.complete_io(&mut client.sock)?;
        }
        Ok(Self(client))
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// If the socket does not take them.
    pub fn say(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes)?;
        Ok(self.0.flush()?)
    }

    /// Ends our side by its `close_notify`.
    ///
    /// # Errors
    /// If the socket does not take it.
    pub fn end(&mut self) -> Result<()> {
        self.0.conn.send_close_notify();
        while self.0.conn.wants_write() {
            self.0.conn.write_tls(&mut self.0.sock)?;
        }
        Ok(())
    }

    /// All that comes until the peer's `close_notify`.
    ///
    /// # Errors
    /// If the end comes without it, or not in time.
    pub fn hear_to_the_end(&mut self) -> Result<Vec<u8>> {
        let mut heard = Vec::new();
        self.0.read_to_end(&mut heard)?;
        Ok(heard)
    }

    /// The socket below.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.0.sock
    }
}
