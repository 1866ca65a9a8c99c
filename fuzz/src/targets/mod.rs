//! What is fuzzed: each target takes any bytes, and says what did not hold.
//!
//! A target that panics, ends the process or hangs is a finding too; `hunt` sees to that. New targets are listed here.

mod client_hello;
mod config;
mod frames;
mod grpc_web;
mod hpack_decode;
mod hpack_differential;
mod hpack_h2;
mod hpack_roundtrip;
mod http1;
mod huffman;
mod pieces;
mod planted;
mod proxy_protocol;
mod relay;
mod settings;
mod sse;
mod websocket;

use crate::tape::Tape;

/// Something that is fed with inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// What it is called on the command line, and its folder in the corpus.
    pub(crate) name: &'static str,
    /// Its share of a smoke run's time.
    pub(crate) share: u32,
    /// Makes an input from choices, mostly valid.
    pub(crate) make: fn(&mut Tape<'_>) -> Vec<u8>,
    /// Runs an input; the error says what did not hold.
    pub(crate) run: fn(&[u8]) -> Result<(), String>,
}

/// Every target of a smoke run.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "frames", share: 2, make: frames::make, run: frames::run },
    Target { name: "hpack_decode", share: 2, make: hpack_decode::make, run: hpack_decode::run },
    Target { name: "hpack_roundtrip", share: 3, make: hpack_roundtrip::make, run: hpack_roundtrip::run },
    Target {
        name: "hpack_differential",
        share: 3,
        make: hpack_differential::make,
        run: hpack_differential::run,
    },
    Target { name: "hpack_h2", share: 3, make: hpack_h2::make, run: hpack_h2::run },
    Target { name: "http1", share: 3, make: http1::make, run: http1::run },
    Target { name: "huffman", share: 2, make: huffman::make, run: huffman::run },
    Target { name: "settings", share: 1, make: settings::make, run: settings::run },
    Target { name: "websocket", share: 1, make: websocket::make, run: websocket::run },
    Target { name: "proxy_protocol", share: 1, make: proxy_protocol::make, run: proxy_protocol::run },
    Target { name: "client_hello", share: 1, make: client_hello::make, run: client_hello::run },
    Target { name: "sse", share: 1, make: sse::make, run: sse::run },
    Target { name: "grpc_web", share: 1, make: grpc_web::make, run: grpc_web::run },
    Target { name: "relay", share: 12, make: relay::make, run: relay::run },
    Target { name: "config", share: 3, make: config::make, run: config::run },
    Target { name: "endpoints_file", share: 2, make: config::make_endpoints, run: config::run_endpoints },
];

/// A target with faults of our own, which shows that the machine finds them.
const PLANTED: Target = Target { name: "planted", share: 0, make: planted::make, run: planted::run };

/// The target of a name.
pub(crate) fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().chain([&PLANTED]).find(|t| t.name == name)
}
