//! Endpoints that are no HTTP/2 servers. Each lives on a thread until the test's process ends.

use anyhow::Result;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// What an endpoint does instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impostor {
    /// Answers as an HTTP/1 server that knows no HTTP/2.
    SpeaksHttp1,
    /// Accepts, and never says a word.
    SaysNothing,
    /// Accepts, and closes.
    ClosesAtOnce,
    /// Nobody listens there.
    Refuses,
}

impl Impostor {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::SpeaksHttp1, Self::SaysNothing, Self::ClosesAtOnce, Self::Refuses];

    /// Starts one on a free port of loopback, and says where.
    ///
    /// # Errors
    /// If there is no port.
    pub fn start(self) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        match self {
            Self::Refuses => drop(listener),
            _ => drop(thread::spawn(move || self.serve(&listener))),
        }
        Ok(address)
    }

    /// The code of the reason for which a connection to it ends.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::SpeaksHttp1 => "not_http2",
            Self::SaysNothing => "connect_timeout",
            Self::ClosesAtOnce => "upstream_closed",
            Self::Refuses => "connect_refused",
        }
    }

    fn serve(self, listener: &TcpListener) {
        let mut silent = Vec::new();
        for stream in listener.incoming().flatten() {
            match self {
                Self::SpeaksHttp1 => drop(thread::spawn(move || refuse_http2(stream))),
                Self::SaysNothing => silent.push(stream),
                Self::ClosesAtOnce => drop(thread::spawn(move || close(stream))),
                Self::Refuses => drop(stream),
            }
        }
    }
}

fn refuse_http2(mut stream: TcpStream) {
    if matches!(stream.read(&mut [0; 4096]), Ok(1..)) {
        // Whoever called may be gone.
        let _gone =
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        read_on(stream);
    }
}

fn close(stream: TcpStream) {
    let _gone = stream.shutdown(Shutdown::Write);
    read_on(stream);
}

/// Reads until the caller goes away: bytes that nobody has read turn an end into a reset.
fn read_on(mut stream: TcpStream) {
    while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
}
