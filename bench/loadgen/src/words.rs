//! What clients say in their requests' headers, encoded as their HPACK encoders do (RFC 7541).
//!
//! Every shape says method, scheme, `:path`, `:authority`, `content-type`, `te` and `user-agent`; beside them:
//! - `plain`: nothing; from the second request on each field is one octet.
//! - `go`: a 70-octet `:path`, a `traceparent` and an `x-request-id` that differ on every request. All literals are
//!   Huffman-coded and enter the dynamic table, as grpc-go's encoder (x/net/http2/hpack) makes them. They push the
//!   others out of the table of 4,096 octets, which then are said anew some every thirteen requests.
//! - `core`: the same fields; the three that differ are literals without indexing, not Huffman-coded, names spelled
//!   out, as gRPC's C core makes metadata that it has no rule for.
//! - `token`: an `authorization` of 1 KiB, one a connection, never indexed and Huffman-coded, as nghttp2 (Node.js) makes it.
//! - `token-index`: the same in the dynamic table, as grpc-go makes it: one octet from the second request on.
use crate::hpack::{Codes, int};
use std::collections::VecDeque;

#[derive(Clone, Copy, PartialEq)]
enum How {
    Index,
    Without,
    Never,
}

enum Value {
    /// A string literal, ready to be sent.
    Same(Vec<u8>),
    Path,
    Trace,
    Id,
}

struct Field {
    name: &'static [u8],
    /// The name's place in the static table; 0 if it has none there.
    known: usize,
    how: How,
    value: Value,
    /// Octets of name and value and 32: what an entry counts.
    size: usize,
    /// Which insertion was the last of this name; 0 before the first.
    last: u64,
}

/// One connection's encoder, with the sizes of what its dynamic table holds.
pub struct Words {
    fields: Vec<Field>,
    huffman: bool,
    limit: usize,
    size_update: bool,
    held: VecDeque<usize>,
    total: usize,
    inserted: u64,
    random: u64,
    codes: Codes,
    bare: Vec<u8>,
}

/// 62 octets; eight hexadecimal digits make it 70.
const PATH: &[u8] = b"/bench.v1.headers.InventoryService/warehouses/northwest/items/";

impl Words {
    /// `seed` makes one connection's values differ from another's.
    pub fn new(shape: &str, seed: u64) -> Self {
        let codes = Codes::new();
        let (differ, token) = match shape {
            "plain" => (None, None),
            "go" => (Some(How::Index), None),
            "core" => (Some(How::Without), None),
            "token" => (None, Some(How::Never)),
            "token-index" => (None, Some(How::Index)),
            other => panic!("--headers: plain, go, core, token or token-index, not {other}"),
        };
        let mut random = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let same = |name: &'static [u8], known, how, text: &[u8]| {
            let mut value = Vec::new();
            codes.string(&mut value, text, true);
            Field { name, known, how, value: Value::Same(value), size: name.len() + text.len() + 32, last: 0 }
        };
        let mut fields = Vec::new();
        match differ {
            Some(how) => {
                fields.push(Field { name: b":path", known: 4, how, value: Value::Path, size: 107, last: 0 })
            }
            None if token.is_some() => {
                fields.push(same(b":path", 4, How::Index, b"/bench.v1.token.Echo/Unary"))
            }
            None => fields.push(same(b":path", 4, How::Index, b"/bench.Echo/Unary")),
        }
        fields.push(same(b":authority", 1, How::Index, b"inventory.bench.svc.cluster.local:8080"));
        fields.push(same(b"content-type", 31, How::Index, b"application/grpc"));
        fields.push(same(b"te", 0, How::Index, b"trailers"));
        fields.push(same(b"user-agent", 58, How::Index, b"grpc-go/1.85.0"));
        if let Some(how) = differ {
            fields.push(Field {
                name: b"traceparent",
                known: 0,
                how,
                value: Value::Trace,
                size: 98,
                last: 0,
            });
            fields.push(Field { name: b"x-request-id", known: 0, how, value: Value::Id, size: 80, last: 0 });
        }
        if let Some(how) = token {
            const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let mut text = b"Bearer ".to_vec();
            text.extend((0..1024).map(|_| URL_SAFE[(next(&mut random) >> 58) as usize]));
            fields.push(same(b"authorization", 23, how, &text));
        }
        Self {
            fields,
            huffman: shape != "core",
            limit: 4096,
            size_update: false,
            held: VecDeque::new(),
            total: 0,
            inserted: 0,
            random,
            codes,
            bare: Vec::new(),
        }
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE, before the first block.
    pub fn limit(&mut self, limit: usize) {
        if limit < self.limit {
            self.limit = limit;
            self.size_update = true;
        }
    }

    /// Appends the header block of the next request.
    pub fn block(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.size_update) {
            int(out, 0x20, 5, self.limit);
        }
        out.extend_from_slice(&[0x83, 0x86]); // POST, http
        for i in 0..self.fields.len() {
            let f = &self.fields[i];
            let held = f.last + self.held.len() as u64 > self.inserted && f.last > 0;
            let place = 62 + (self.inserted - f.last) as usize;
            if held && f.how == How::Index && matches!(f.value, Value::Same(_)) {
                int(out, 0x80, 7, place);
                continue;
            }
            let how = if f.how == How::Index && f.size > self.limit { How::Without } else { f.how };
            let name = if f.known > 0 {
                f.known
            } else if held {
                place
            } else {
                0
            };
            match how {
                How::Index => int(out, 0x40, 6, name),
                How::Without => int(out, 0x00, 4, name),
                How::Never => int(out, 0x10, 4, name),
            }
            if name == 0 {
                self.codes.string(out, f.name, self.huffman);
            }
            let bare = &mut self.bare;
            bare.clear();
            match &f.value {
                Value::Same(literal) => out.extend_from_slice(literal),
                Value::Path => {
                    bare.extend_from_slice(PATH);
                    hex(bare, next(&mut self.random), 8);
                }
                Value::Trace => {
                    bare.extend_from_slice(b"00-");
                    hex(bare, next(&mut self.random), 16);
                    hex(bare, next(&mut self.random), 16);
                    bare.push(b'-');
                    hex(bare, next(&mut self.random), 16);
                    bare.extend_from_slice(b"-01");
                }
                Value::Id => {
                    let (a, b) = (next(&mut self.random), next(&mut self.random));
                    for (bits, digits) in [(a, 8), (a << 32, 4), (a << 48, 4), (b, 4), (b << 16, 12)] {
                        if !bare.is_empty() {
                            bare.push(b'-');
                        }
                        hex(bare, bits, digits);
                    }
                }
            }
            if !bare.is_empty() {
                self.codes.string(out, bare, self.huffman);
            }
            if how == How::Index {
                let size = f.size;
                self.inserted += 1;
                self.fields[i].last = self.inserted;
                self.held.push_back(size);
                self.total += size;
                while self.total > self.limit {
                    self.total -= self.held.pop_front().unwrap_or(self.total);
                }
            }
        }
    }
}

fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

/// The topmost bits as this many digits.
fn hex(out: &mut Vec<u8>, mut bits: u64, digits: usize) {
    for _ in 0..digits {
        out.push(b"0123456789abcdef"[(bits >> 60) as usize]);
        bits <<= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_differing_fields_are_as_long_as_they_count() {
        assert_eq!((PATH.len() + 8, 5 + 70 + 32), (70, 107));
        let mut words = Words::new("core", 1);
        let (mut one, mut two) = (Vec::new(), Vec::new());
        words.block(&mut one);
        words.block(&mut two);
        let at = one.windows(11).position(|w| w == b"traceparent").expect("a traceparent");
        assert_eq!((one[at + 11], one[at + 11 + 1 + 55 + 2..].starts_with(b"x-request-id")), (55, true));
        assert_ne!(one[one.len() - 37..], two[two.len() - 37..]);
        assert_eq!((one[one.len() - 37], 11 + 55 + 32, 12 + 36 + 32), (36, 98, 80));
    }

    #[test]
    fn fields_that_stay_are_one_octet_from_the_second_request_on() {
        let mut words = Words::new("token-index", 1);
        let mut out = Vec::new();
        words.block(&mut out);
        assert!(out.len() > 800);
        out.clear();
        words.block(&mut out);
        assert_eq!(out.len(), 8);
    }

    #[test]
    fn a_peer_without_a_table_gets_none() {
        let mut words = Words::new("go", 1);
        words.limit(0);
        let mut out = Vec::new();
        words.block(&mut out);
        assert_eq!(out[..4], [0x20, 0x83, 0x86, 0x04]);
        assert!(words.held.is_empty());
    }
}
