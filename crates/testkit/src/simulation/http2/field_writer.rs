//! Header blocks written from RFC 7541, with every representation by chance and a table of its own.

use crate::simulation::ledger::Fields;
use crate::simulation::prng::Prng;
use evenkeel_wire::hpack::strings;
use std::collections::VecDeque;

/// The encoding side of one simulated connection.
#[derive(Debug)]
pub struct FieldWriter {
    table: VecDeque<(Vec<u8>, Vec<u8>)>,
    size: usize,
    most: usize,
    /// Sizes that the next block announces.
    announced: Vec<usize>,
}

/// Static entries that are used by name and value, or by name (RFC 7541 appendix A).
const STATIC: &[(usize, &str, &str)] = &[
    (1, ":authority", ""),
    (2, ":method", "GET"),
    (3, ":method", "POST"),
    (4, ":path", "/"),
    (6, ":scheme", "http"),
    (8, ":status", "200"),
    (23, "authorization", ""),
    (31, "content-type", ""),
    (32, "cookie", ""),
    (58, "user-agent", ""),
];

impl Default for FieldWriter {
    fn default() -> Self {
        Self { table: VecDeque::new(), size: 0, most: 4096, announced: Vec::new() }
    }
}

impl FieldWriter {
    /// Uses a table of this size from the next block on (at most what the reader allows).
    pub fn resize(&mut self, most: usize) {
        if self.announced.len() == 2 {
            // A block announces the smallest and the last size in between (RFC 7541 §4.2).
            self.announced = vec![self.announced[0].min(self.announced[1])];
        }
        self.announced.push(most);
        self.most = most;
        self.evict();
    }

    /// Appends the block of these fields.
    pub fn write(&mut self, fields: &Fields, prng: &mut Prng, out: &mut Vec<u8>) {
        for size in std::mem::take(&mut self.announced) {
            integer(size, 5, 0x20, out);
        }
        for (name, value) in fields {
            self.field(name, value, prng, out);
        }
    }

    fn field(&mut self, name: &[u8], value: &[u8], prng: &mut Prng, out: &mut Vec<u8>) {
        let whole = STATIC.iter().find(|s| s.1.as_bytes() == name && s.2.as_bytes() == value);
        if let Some((index, ..)) = whole.filter(|_| prng.chance(900)) {
            return integer(*index, 7, 0x80, out);
        }
        let known = self.table.iter().position(|(n, v)| n == name && v == value);
        if let Some(place) = known.filter(|_| prng.chance(900)) {
            return integer(62 + place, 7, 0x80, out);
        }
        let (bits, flags, is_added) = match prng.below(10) {
            0..=6 => (6, 0x40, true),
            7 | 8 => (4, 0, false),
            _ => (4, 0x10, false),
        };
        let same_name = STATIC.iter().find(|s| s.1.as_bytes() == name).map(|s| s.0);
        let same_name = same_name.or_else(|| self.table.iter().position(|(n, _)| n == name).map(|i| 62 + i));
        match same_name.filter(|_| prng.chance(800)) {
            Some(index) => integer(index, bits, flags, out),
            None => {
                out.push(flags);
                string(name, prng, out);
            }
        }
        string(value, prng, out);
        if is_added {
            self.size += name.len() + value.len() + 32;
            self.table.push_front((name.to_vec(), value.to_vec()));
            self.evict();
        }
    }

    fn evict(&mut self) {
        while self.size > self.most
            && let Some((name, value)) = self.table.pop_back()
        {
            self.size -= name.len() + value.len() + 32;
        }
    }
}

fn string(bytes: &[u8], prng: &mut Prng, out: &mut Vec<u8>) {
    if prng.chance(500) {
        let mut coded = Vec::new();
        strings::encode(bytes, &mut coded);
        integer(coded.len(), 7, 0x80, out);
        out.extend_from_slice(&coded);
    } else {
        integer(bytes.len(), 7, 0, out);
        out.extend_from_slice(bytes);
    }
}

/// An integer behind a prefix (RFC 7541 §5.1).
fn integer(n: usize, prefix_bits: u32, flags: u8, out: &mut Vec<u8>) {
    let most = (1 << prefix_bits) - 1;
    if n < most {
        out.push(flags | n as u8);
        return;
    }
    out.push(flags | most as u8);
    let mut rest = n - most;
    while rest >= 128 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use evenkeel_wire::hpack::{Decoder, HeaderLimits, HeaderList, HeaderStore};

    #[test]
    fn whatever_is_chosen_by_chance_reads_back() {
        let mut store = HeaderStore::new((1, 2), 1 << 20);
        for seed in 0..100 {
            let (mut prng, mut writer, mut decoder) =
                (Prng::new(seed), FieldWriter::default(), Decoder::default());
            for round in 0..20 {
                if prng.chance(100) {
                    writer.resize(prng.pick(&[0, 100, 4096]));
                }
                let fields: Fields = (0..prng.below(12))
                    .map(|i| (format!("x-{}", i % 7).into_bytes(), vec![b'v'; prng.below(300) * (round % 3)]))
                    .collect();
                let (mut block, mut list) = (Vec::new(), HeaderList::default());
                writer.write(&fields, &mut prng, &mut block);
                decoder.decode(&block, &HeaderLimits::default(), &mut store, &mut list).unwrap();
                let read: Fields = list
                    .fields()
                    .iter()
                    .map(|f| (list.name_bytes(f, &store).to_vec(), list.value(f, &store).to_vec()))
                    .collect();
                assert_eq!(read, fields, "seed {seed}");
                list.clear(&mut store);
            }
            decoder.clear(&mut store);
        }
    }
}
