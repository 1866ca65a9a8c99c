//! The decoder on anything: no panic, lists within their limit, a table within its size, nothing owned at the end, and
//! the same table whatever part of the lists was kept.

use crate::grammar;
use crate::tape::Tape;
use evenkeel_wire::hpack::{DecodeError, Decoder, HeaderLimits, HeaderList, HeaderStore, STATIC_LEN};

/// What a decoder's dynamic table may take (RFC 9113 §6.5.2: nothing else was announced).
const TABLE_SIZE: usize = 4096;

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut out = vec![tape.byte(), tape.byte()];
    out.extend_from_slice(&grammar::blocks::blocks(tape));
    out
}

struct Side {
    decoder: Decoder,
    store: HeaderStore,
    limits: HeaderLimits,
    list: HeaderList,
}

impl Side {
    fn new(list_bytes: usize, store_bytes: usize) -> Self {
        Self {
            decoder: Decoder::default(),
            store: HeaderStore::new((1, 2), store_bytes),
            limits: HeaderLimits { list_bytes, ..HeaderLimits::default() },
            list: HeaderList::default(),
        }
    }

    fn decode(&mut self, block: &[u8]) -> Result<Result<(), DecodeError>, String> {
        let result = self.decoder.decode(block, &self.limits, &mut self.store, &mut self.list);
        let (list, store) = (&self.list, &self.store);
        let kept: usize = list
            .fields()
            .iter()
            .map(|f| list.name_bytes(f, store).len() + list.value(f, store).len() + 32)
            .sum();
        if kept > self.limits.list_bytes {
            return Err(format!("{kept} bytes kept of {} allowed", self.limits.list_bytes));
        }
        if result.is_ok() && !list.is_truncated() && kept != list.decoded_bytes() {
            return Err(format!("{kept} bytes kept, {} counted", list.decoded_bytes()));
        }
        if list.is_truncated() != (list.decoded_bytes() > self.limits.list_bytes) {
            return Err(format!("truncated: {} at {}", list.is_truncated(), list.decoded_bytes()));
        }
        self.list.clear(&mut self.store);
        Ok(result)
    }

    fn table(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        (STATIC_LEN + 1..)
            .map_while(|i| self.decoder.entry(i, &self.store))
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect()
    }

    fn finish(mut self) -> Result<(), String> {
        self.decoder.clear(&mut self.store);
        match (self.store.owned_fields(), self.store.owned_bytes()) {
            (0, 0) => Ok(()),
            (fields, bytes) => Err(format!("{fields} fields of {bytes} bytes are owned by nobody")),
        }
    }
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let mut tape = Tape::new(input);
    let list_bytes = tape.pick(&[64 * 1024, 0, 33, 200, 5000]);
    let store_bytes = tape.pick(&[1 << 20, 1 << 20, 2_000, 0]);
    let mut limited = Side::new(list_bytes, store_bytes);
    let mut free = Side::new(1 << 30, 1 << 24);
    while let Some(block) = tape.part() {
        let (a, b) = (limited.decode(block)?, free.decode(block)?);
        if a != b {
            return Err(format!("{a:?} under limits, {b:?} without"));
        }
        let (table, other) = (limited.table(), free.table());
        if table != other {
            return Err(format!("table under limits {table:?}, without {other:?}"));
        }
        let size: usize = table.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
        if size > TABLE_SIZE {
            return Err(format!("a table of {size} bytes"));
        }
        if a.is_err() {
            break;
        }
    }
    limited.finish()?;
    free.finish()
}
