//! Lists to header blocks (RFC 7541 §3.1, §6), index to index.

use super::encoder_table::EncoderTable;
use super::id::HeaderId;
use super::integer;
use super::list::{Field, FieldForm, HeaderList};
use super::name::{Name, NameSet};
use super::static_table;
use super::store::{HeaderStore, MOST_INDEXED, WireValue};

/// Which fields may enter the table of a connection. Fields marked never-indexed and secrets never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexPolicy {
    /// One client's own connection: whatever the other side indexed.
    Private,
    /// A connection that clients share: only these names, for a shared table tells one client what another sent
    /// (RFC 7541 §7.1).
    Shared(NameSet),
}

impl IndexPolicy {
    /// Names that say nothing of a person and repeat from request to request.
    pub const SHARED: Self = Self::Shared(NameSet::of(&[
        Name::Authority,
        Name::Method,
        Name::Path,
        Name::Scheme,
        Name::Accept,
        Name::AcceptEncoding,
        Name::ContentType,
        Name::ContentEncoding,
        Name::GrpcAcceptEncoding,
        Name::GrpcEncoding,
        Name::Te,
        Name::UserAgent,
    ]));

    fn allows(self, field: &Field, value: &[u8]) -> bool {
        if field.is_sensitive || field.name.is_secret() {
            return false;
        }
        match self {
            Self::Private => true,
            // A query is the client's own matter.
            Self::Shared(names) => {
                names.has(field.name) && !(field.name == Name::Path && value.contains(&b'?'))
            }
        }
    }
}

/// The encoding side of one connection.
#[derive(Debug)]
pub struct Encoder {
    table: EncoderTable,
    policy: IndexPolicy,
    /// Smallest and last size that the next block has to announce.
    size_update: Option<(u16, u16)>,
}

/// Largest table that we use, whatever the peer allows.
const MOST_TABLE: usize = 4096;

impl Encoder {
    /// An encoder with the protocol's default table.
    #[must_use]
    pub fn new(policy: IndexPolicy) -> Self {
        Self { table: EncoderTable::new(MOST_TABLE), policy, size_update: None }
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE; the next block announces what is made of it (RFC 7541 §4.2).
    pub fn set_peer_limit(&mut self, limit: usize, store: &mut HeaderStore) {
        let size = limit.min(MOST_TABLE);
        if size == self.table.most() {
            return;
        }
        let smallest = self.size_update.map_or(size as u16, |(smallest, _)| smallest.min(size as u16));
        self.size_update = Some((smallest, size as u16));
        self.table.resize(size, store);
    }

    /// Appends the block of `list` to `out`. What is appended must be sent: the table has changed with it.
    pub fn encode(&mut self, list: &HeaderList, store: &mut HeaderStore, out: &mut Vec<u8>) {
        if let Some((smallest, last)) = self.size_update.take() {
            if smallest < last {
                integer::encode(usize::from(smallest), 5, 0x20, out);
            }
            integer::encode(usize::from(last), 5, 0x20, out);
        }
        for field in list.fields() {
            if let FieldForm::Stored(id) = field.form {
                if let Some(index) = id.static_index().or_else(|| self.table.index_of(id)) {
                    integer::encode(index, 7, 0x80, out);
                    continue;
                }
                if self.policy.allows(field, store.value(id)) && self.fits(id, store) {
                    self.name(list, field, 6, 0x40, store, out);
                    value(list.wire_value(field, store), out);
                    store.retain(id);
                    self.table.add(id, store);
                    continue;
                }
            }
            // A secret stays unindexed on every hop behind us too (RFC 7541 §7.1.3).
            let flags = if field.is_sensitive || field.name.is_secret() { 0x10 } else { 0 };
            self.name(list, field, 4, flags, store, out);
            value(list.wire_value(field, store), out);
        }
    }

    fn fits(&self, id: HeaderId, store: &HeaderStore) -> bool {
        store.table_size(id) <= MOST_INDEXED.min(self.table.most())
    }

    fn name(
        &self,
        list: &HeaderList,
        field: &Field,
        prefix_bits: u32,
        flags: u8,
        store: &HeaderStore,
        out: &mut Vec<u8>,
    ) {
        if let Some(index) = static_table::name_index(field.name) {
            integer::encode(index, prefix_bits, flags, out);
            return;
        }
        out.push(flags);
        let name = list.name_bytes(field, store);
        integer::encode(name.len(), 7, 0, out);
        out.extend_from_slice(name);
    }

    /// Gives back memory that is not in use, for a connection at rest.
    pub fn shrink(&mut self) {
        self.table.shrink();
    }

    /// Gives back all that the table owns, at the end of the connection.
    pub fn clear(&mut self, store: &mut HeaderStore) {
        self.table.clear(store);
    }

    /// Memory of the fields in the table, which others may own too.
    #[must_use]
    pub fn owned_bytes(&self, store: &HeaderStore) -> usize {
        self.table.owned_bytes(store)
    }

    /// Memory of the table beside the store.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.table.held_bytes()
    }
}

fn value(wire: WireValue<'_>, out: &mut Vec<u8>) {
    integer::encode(wire.bytes.len(), 7, if wire.is_huffman { 0x80 } else { 0 }, out);
    out.extend_from_slice(wire.bytes);
}

#[cfg(test)]
mod tests {
    use super::super::{Decoder, HeaderLimits};
    use super::*;

    /// Name, value, and whether it was never to be indexed.
    type ReadField = (Vec<u8>, Vec<u8>, bool);

    /// One client's decoder, a shared upstream encoder, and the endpoint's decoder behind it.
    struct Relay {
        store: HeaderStore,
        client: Decoder,
        encoder: Encoder,
        endpoint: Decoder,
    }

    impl Relay {
        fn new(policy: IndexPolicy) -> Self {
            Self {
                store: HeaderStore::new((5, 6), 1 << 20),
                client: Decoder::default(),
                encoder: Encoder::new(policy),
                endpoint: Decoder::default(),
            }
        }

        /// What the endpoint reads of a block of the client, and the block's length on its wire.
        fn pass(&mut self, block: &[u8]) -> (Vec<ReadField>, usize) {
            let (mut list, mut out, limits) = (HeaderList::default(), Vec::new(), HeaderLimits::default());
            self.client.decode(block, &limits, &mut self.store, &mut list).unwrap();
            self.encoder.encode(&list, &mut self.store, &mut out);
            list.clear(&mut self.store);
            let mut read = HeaderList::default();
            self.endpoint.decode(&out, &limits, &mut self.store, &mut read).unwrap();
            let fields = read
                .fields()
                .iter()
                .map(|f| {
                    let (n, v) = (read.name_bytes(f, &self.store), read.value(f, &self.store));
                    (n.to_vec(), v.to_vec(), f.is_sensitive)
                })
                .collect();
            read.clear(&mut self.store);
            (fields, out.len())
        }
    }

    fn literal(flags: u8, name: &str, value: &str) -> Vec<u8> {
        let mut out = vec![flags, name.len() as u8];
        out.extend_from_slice(name.as_bytes());
        out.push(value.len() as u8);
        out.extend_from_slice(value.as_bytes());
        out
    }

    #[test]
    fn a_field_enters_the_other_sides_table_when_it_repeats_and_then_costs_one_byte() {
        let mut relay = Relay::new(IndexPolicy::SHARED);
        let first = relay.pass(&[&[0x83][..], &literal(0x40, ":path", "/a.B/C")].concat());
        assert_eq!(relay.endpoint.entry(62, &relay.store), None, "not yet: most fields come once");
        let second = relay.pass(&[0x83, 0xbe]);
        assert_eq!(relay.endpoint.entry(62, &relay.store), Some((&b":path"[..], &b"/a.B/C"[..])));
        let third = relay.pass(&[0x83, 0xbe]);
        assert_eq!((&first.0, &second.0), (&second.0, &third.0));
        assert_eq!((first.1, second.1, third.1), (9, 9, 2));
    }

    #[test]
    fn a_client_that_comes_later_finds_the_fields_of_the_first_in_the_table() {
        let mut relay = Relay::new(IndexPolicy::SHARED);
        let block = literal(0x40, "user-agent", "grpc-go/1.76.0");
        relay.pass(&block);
        relay.pass(&[0xbe]);
        let mut first = std::mem::take(&mut relay.client);
        relay.pass(&block);
        let (fields, length) = relay.pass(&[0xbe]);
        assert_eq!((fields[0].1.as_slice(), length), (&b"grpc-go/1.76.0"[..], 1));
        first.clear(&mut relay.store);
        assert_eq!(relay.pass(&[0xbe]).1, 1, "it stays while anybody has it");
    }

    #[test]
    fn a_full_store_costs_bytes_and_nothing_else() {
        let mut relay = Relay::new(IndexPolicy::Private);
        relay.store = HeaderStore::new((5, 6), 0);
        let first = relay.pass(&literal(0x40, "x-tenant", "seven"));
        let second = relay.pass(&[0xbe]);
        assert_eq!(first, second);
        assert_eq!((relay.store.owned_fields(), relay.store.take_refused()), (0, 1));
    }

    #[test]
    fn a_field_near_the_size_of_a_table_stays_out_of_it() {
        let mut relay = Relay::new(IndexPolicy::Private);
        let mut pass = |length: usize| {
            let mut block = vec![0x40, 3];
            block.extend_from_slice(b"x-a");
            integer::encode(length, 7, 0, &mut block);
            block.extend_from_slice(&vec![b'v'; length]);
            relay.pass(&block);
            relay.pass(&[0xbe]);
            relay.pass(&[0xbe]).1
        };
        assert_eq!(pass(MOST_INDEXED - 32 - 3), 1);
        assert!(pass(MOST_INDEXED - 32 - 2) > 900, "one byte more is sent as a literal each time");
    }

    #[test]
    fn a_secret_never_enters_a_shared_table_and_is_marked_never_indexed() {
        let mut relay = Relay::new(IndexPolicy::SHARED);
        let (fields, first) = relay.pass(&literal(0x40, "authorization", "Bearer x"));
        let (again, second) = relay.pass(&[0xbe]);
        assert!(fields[0].2 && again[0].2);
        assert_eq!((first, relay.pass(&[0xbe]).1), (second, second));
        assert_eq!(relay.store.owned_fields(), 0, "not even the worker's store has it");
        assert_eq!(relay.endpoint.entry(62, &relay.store), None);
    }

    #[test]
    fn names_outside_the_list_and_paths_with_a_query_do_not_enter_a_shared_table() {
        let mut relay = Relay::new(IndexPolicy::SHARED);
        for block in [literal(0x40, "x-tenant", "7"), literal(0x40, ":path", "/a?token=1")] {
            relay.pass(&block);
            relay.pass(&[0xbe]);
            relay.pass(&[0xbe]);
        }
        assert_eq!(relay.endpoint.entry(62, &relay.store), None);
        let mut private = Relay::new(IndexPolicy::Private);
        private.pass(&literal(0x40, "x-tenant", "7"));
        private.pass(&[0xbe]);
        assert!(private.endpoint.entry(62, &private.store).is_some());
    }

    #[test]
    fn never_indexed_stays_never_indexed() {
        let mut relay = Relay::new(IndexPolicy::Private);
        let (fields, _) = relay.pass(&literal(0x10, "x-pin", "1234"));
        assert_eq!(fields, [(b"x-pin".to_vec(), b"1234".to_vec(), true)]);
    }

    #[test]
    fn a_peer_that_allows_no_table_gets_none() {
        let mut relay = Relay::new(IndexPolicy::SHARED);
        relay.pass(&literal(0x40, ":path", "/x"));
        relay.pass(&[0xbe]);
        assert!(relay.endpoint.entry(62, &relay.store).is_some());
        relay.encoder.set_peer_limit(0, &mut relay.store);
        relay.encoder.set_peer_limit(4096, &mut relay.store);
        relay.encoder.set_peer_limit(0, &mut relay.store);
        let (fields, _) = relay.pass(&[0xbe]);
        assert_eq!(fields[0].1, b"/x");
        assert_eq!(relay.endpoint.entry(62, &relay.store), None);
        relay.client.clear(&mut relay.store);
        relay.endpoint.clear(&mut relay.store);
        assert_eq!(relay.store.owned_fields(), 0, "the encoder's table is empty");
    }
}
