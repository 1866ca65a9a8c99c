//! One connection's bytes: a socket that does not block, in cleartext or, as a client, under TLS. It knows nothing of what
//! the bytes say. `link` and `talk` read and write through it; `plain` and `relay` have sockets of their own.
use crate::Args;
use rustls::crypto::ring::cipher_suite::{TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256};
use rustls::crypto::ring::kx_group::{SECP256R1, X25519};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// What a client under TLS offers and trusts.
pub struct Secret(Arc<ClientConfig>);

impl Secret {
    /// As the words `--ca` (without it: cleartext) and `--tls-version` say.
    pub fn of(args: &Args, protocol: &str) -> Option<Self> {
        let ca = args.str("ca", "");
        (!ca.is_empty()).then(|| Self::new(&ca, protocol, &args.str("tls-version", "1.3")))
    }

    /// Trusts the certificate in the file `ca` and speaks `protocol` (ALPN). One suite and one group, which every server
    /// here has, so that all are measured at the same work; no resumption, so that all connections cost the same.
    fn new(ca: &str, protocol: &str, version: &str) -> Self {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(ca).unwrap_or_else(|e| panic!("--ca {ca}: {e}"));
        roots.add(certificate).unwrap_or_else(|e| panic!("--ca {ca}: {e}"));
        let (versions, groups): (&[_], _) = match version {
            "1.3" => (&[&rustls::version::TLS13], vec![X25519]),
            // Here the group of the certificate's key must be offered too.
            "1.2" => (&[&rustls::version::TLS12], vec![X25519, SECP256R1]),
            other => panic!("--tls-version: 1.2 or 1.3, not {other}"),
        };
        let provider = CryptoProvider {
            cipher_suites: vec![TLS13_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256],
            kx_groups: groups,
            ..ring::default_provider()
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .expect("the suites serve both versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Self(Arc::new(config))
    }
}

pub struct Pipe {
    sock: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Pipe {
    /// An accepted socket.
    pub fn plain(sock: TcpStream) -> io::Result<Self> {
        sock.set_nonblocking(true)?;
        sock.set_nodelay(true)?;
        Ok(Self { sock, tls: None })
    }

    /// Connects, and does the handshake: returns when it is done. Fails if the server chose another protocol.
    pub fn connect(addr: &str, secret: Option<&Secret>) -> io::Result<Self> {
        let mut sock = TcpStream::connect(addr)?;
        let Some(secret) = secret else { return Self::plain(sock) };
        sock.set_read_timeout(Some(Duration::from_secs(10)))?;
        let name = ServerName::try_from("localhost").expect("a name");
        let mut tls = ClientConnection::new(secret.0.clone(), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut sock)?;
        }
        if tls.alpn_protocol() != secret.0.alpn_protocols.first().map(Vec::as_slice) {
            return Err(io::Error::other("the server did not agree to the protocol"));
        }
        let mut pipe = Self::plain(sock)?;
        pipe.tls = Some(Box::new(tls));
        Ok(pipe)
    }

    pub fn fd(&self) -> RawFd {
        self.sock.as_raw_fd()
    }

    pub fn close(&self) {
        let _ = self.sock.shutdown(std::net::Shutdown::Both);
    }

    /// Reads once; `WouldBlock` if nothing came that is for us. Under TLS the upper half of `buf` holds what is sealed.
    pub fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.sock.read(buf) };
        let (open, sealed) = buf.split_at_mut(buf.len() / 2);
        let mut got = drain(tls, open)?;
        if got > 0 {
            return Ok(got);
        }
        let n = self.sock.read(sealed)?;
        if n == 0 {
            return Ok(0);
        }
        let mut rest = &sealed[..n];
        while !rest.is_empty() {
            tls.read_tls(&mut rest)?;
            tls.process_new_packets().map_err(io::Error::other)?;
            got += drain(tls, &mut open[got..])?;
        }
        if tls.wants_write() {
            self.push()?;
        }
        if got == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(got) }
    }

    /// How much of it was taken. Under TLS what was taken may not be sent yet: see `holds`.
    pub fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.sock.write(data) };
        let n = tls.writer().write(data)?;
        self.push()?;
        if n == 0 && !data.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(n) }
    }

    /// Sends what is sealed, as far as there is room.
    pub fn push(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.sock) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Whether something taken is not sent yet.
    pub fn holds(&self) -> bool {
        self.tls.as_ref().is_some_and(|t| t.wants_write())
    }
}

/// Takes what is opened already.
fn drain(tls: &mut ClientConnection, open: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < open.len() {
        match tls.reader().read(&mut open[got..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}
