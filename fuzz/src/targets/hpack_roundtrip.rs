//! The relay's way of a header list: a peer's block, our decoder, our encoder, and a decoder behind it.
//!
//! The list comes through unchanged, in order and with its never-indexed marks, whatever the other peer's table may
//! hold; a second decoder, of another make, reads the same and obeys the announced table size; and no secret nor (on a
//! shared connection) any name that is not allowed enters the table.

use crate::grammar::blocks::{BlockWriter, field};
use crate::tape::Tape;
use evenkeel_wire::hpack::{
    Decoder, Encoder, HeaderLimits, HeaderList, HeaderStore, IndexPolicy, Name, STATIC_LEN,
};

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    tape.rest().to_vec()
}

/// Name, value, and whether it must never be indexed.
type Field = (Vec<u8>, Vec<u8>, bool);

struct Way {
    limits: HeaderLimits,
    writer: BlockWriter,
    store: HeaderStore,
    decoder: Decoder,
    encoder: Encoder,
    is_shared: bool,
    /// The peer behind us, with a store of its own.
    far_store: HeaderStore,
    far: Decoder,
    other: fluke_hpack::Decoder<'static>,
}

impl Way {
    fn new(is_shared: bool) -> Self {
        let policy = if is_shared { IndexPolicy::SHARED } else { IndexPolicy::Private };
        let mut other = fluke_hpack::Decoder::new();
        other.set_max_allowed_table_size(4096);
        Self {
            limits: HeaderLimits { list_bytes: 1 << 30, ..HeaderLimits::default() },
            writer: BlockWriter::default(),
            store: HeaderStore::new((1, 2), 1 << 24),
            decoder: Decoder::default(),
            encoder: Encoder::new(policy),
            is_shared,
            far_store: HeaderStore::new((3, 4), 1 << 24),
            far: Decoder::default(),
            other,
        }
    }

    /// One list on its way.
    fn send(&mut self, fields: &[Field], block: &[u8]) -> Result<(), String> {
        let mut list = HeaderList::default();
        self.decoder
            .decode(block, &self.limits, &mut self.store, &mut Vec::new(), &mut list)
            .map_err(|e| format!("the block written for {fields:02x?}: {e}"))?;
        let read = self.read(&list, false);
        if read != fields {
            return Err(format!("written {fields:02x?}, decoded {read:02x?}"));
        }
        let mut out = Vec::new();
        self.encoder.encode(&list, &mut self.store, &mut out);
        list.clear(&mut self.store);
        self.far
            .decode(&out, &self.limits, &mut self.far_store, &mut Vec::new(), &mut list)
            .map_err(|e| format!("our own block {out:02x?}: {e}"))?;
        let came = self.read(&list, true);
        let is_same = |(a, b): (&Field, &Field)| {
            let is_secret = Name::of(&a.0).is_secret();
            // A secret is never-indexed behind us, unless its whole field is one of the static table's.
            (&a.0, &a.1) == (&b.0, &b.1) && (b.2 == (a.2 || is_secret) || (!a.2 && a.1.is_empty()))
        };
        if came.len() != fields.len() || !fields.iter().zip(&came).all(is_same) {
            return Err(format!("sent {fields:02x?}, came {came:02x?}"));
        }
        list.clear(&mut self.far_store);
        let mut theirs = Vec::new();
        let result = self.other.decode_with_cb(&out, |n, v| theirs.push((n.into_owned(), v.into_owned())));
        use fluke_hpack::decoder::DecoderError::SizeUpdateAtEnd;
        if !matches!(result, Ok(()) | Err(SizeUpdateAtEnd)) {
            return Err(format!("the other decoder refuses our block {out:02x?}: {result:?}"));
        }
        if !theirs.iter().eq(came.iter().map(|(n, v, _)| (n.clone(), v.clone())).collect::<Vec<_>>().iter()) {
            return Err(format!("sent {fields:02x?}, the other reads {theirs:02x?}"));
        }
        self.check_table()
    }

    fn read(&self, list: &HeaderList, is_far: bool) -> Vec<Field> {
        let store = if is_far { &self.far_store } else { &self.store };
        list.fields()
            .iter()
            .map(|f| (list.name_bytes(f, store).to_vec(), list.value(f, store).to_vec(), f.is_sensitive))
            .collect()
    }

    /// What stands in the table behind us.
    fn check_table(&self) -> Result<(), String> {
        let IndexPolicy::Shared(allowed) = IndexPolicy::SHARED else { return Ok(()) };
        for id in (STATIC_LEN + 1..).map_while(|i| self.far.entry(i)) {
            let (name, value) = (self.far_store.name(id), self.far_store.value(id));
            let has_query = name == Name::Path && value.contains(&b'?');
            if name.is_secret() || (self.is_shared && (!allowed.has(name) || has_query)) {
                return Err(format!("{name:?}: {value:02x?} entered the table"));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), String> {
        self.decoder.clear(&mut self.store);
        self.encoder.clear(&mut self.store);
        self.far.clear(&mut self.far_store);
        match self.store.owned_fields() + self.far_store.owned_fields() {
            0 => Ok(()),
            n => Err(format!("{n} fields are owned by nobody")),
        }
    }
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let mut tape = Tape::new(input);
    let mut way = Way::new(tape.is_one_in(2));
    while !tape.is_over() {
        if tape.is_one_in(5) {
            let limit = tape.pick(&[0, 64, 200, 4096, 100_000]);
            way.encoder.set_peer_limit(limit, &mut way.store);
            way.other.set_max_allowed_table_size(limit.min(4096));
        }
        let (mut fields, mut block) = (Vec::new(), Vec::new());
        if tape.is_one_in(8) {
            let size = tape.pick(&[0, 50, 300, 4096]);
            way.writer.put_size_update(size, &mut block);
        }
        for _ in 0..=tape.below(8) {
            let (name, value) = field(&mut tape);
            let is_sensitive = way.writer.put_field(&mut tape, &name, &value, &mut block);
            fields.push((name, value, is_sensitive));
        }
        way.send(&fields, &block)?;
    }
    way.finish()
}
