//! Lists to header blocks (RFC 7541 §3.1, §6), index to index.

use super::id::HeaderId;
use super::integer;
use super::list::{Field, FieldForm, HeaderList};
use super::name::{Name, NameSet};
use super::static_table;
use super::store::{HeaderStore, WireValue};
use super::table::Table;

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
    table: Table,
    policy: IndexPolicy,
    /// Smallest and last size that the next block has to announce.
    size_update: Option<(usize, usize)>,
}

/// Largest table that we use, whatever the peer allows.
const MOST_TABLE: usize = 4096;
/// Fields larger than this would push the rest out of the table.
const MOST_INDEXED: usize = 1024;

impl Encoder {
    /// An encoder with the protocol's default table.
    #[must_use]
    pub fn new(policy: IndexPolicy) -> Self {
        Self { table: Table::new(MOST_TABLE), policy, size_update: None }
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE; the next block announces what is made of it (RFC 7541 §4.2).
    pub fn set_peer_limit(&mut self, limit: usize, store: &mut HeaderStore) {
        let size = limit.min(MOST_TABLE);
        if size == self.table.most() {
            return;
        }
        let smallest = self.size_update.map_or(size, |(smallest, _)| smallest.min(size));
        self.size_update = Some((smallest, size));
        self.table.resize(size, store);
    }

    /// Appends the block of `list` to `out`. What is appended must be sent: the table has changed with it.
    pub fn encode(&mut self, list: &HeaderList, store: &mut HeaderStore, out: &mut Vec<u8>) {
        if let Some((smallest, last)) = self.size_update.take() {
            if smallest < last {
                integer::encode(smallest, 5, 0x20, out);
            }
            integer::encode(last, 5, 0x20, out);
        }
        for field in list.fields() {
            if let FieldForm::Stored(id) = field.form {
                if let Some(index) = id.static_index().or_else(|| self.table.index_of(id)) {
                    integer::encode(index, 7, 0x80, out);
                    continue;
                }
                if self.policy.allows(field, store.value(id)) && self.fits(id, store) {
                    self.name(list, field, 6, 0x40, store, out);
                    value(store.wire_value(id), out);
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
            self.client.decode(block, &limits, &mut self.store, &mut Vec::new(), &mut list).unwrap();
            self.encoder.encode(&list, &mut self.store, &mut out);
            list.clear(&mut self.store);
            let mut read = HeaderList::default();
            self.endpoint.decode(&out, &limits, &mut self.store, &mut Vec::new(), &mut read).unwrap();
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
    fn a_field_that_repeats_costs_one_byte_on_the_other_side() {
        let mut relay = Relay::new(IndexPolicy::SHARED);
        let first = relay.pass(&[&[0x83][..], &literal(0x40, ":path", "/a.B/C")].concat());
        let second = relay.pass(&[0x83, 0xbe]);
        assert_eq!(first.0, second.0);
        assert_eq!(second.1, 2);
    }

    #[test]
    fn a_secret_never_enters_a_shared_table_and_is_marked_never_indexed() {
        let mut relay = Relay::new(IndexPolicy::SHARED);
        let (fields, first) = relay.pass(&literal(0x40, "authorization", "Bearer x"));
        let (_, second) = relay.pass(&[0xbe]);
        assert!(fields[0].2);
        assert_eq!(first, second);
        assert_eq!(relay.endpoint.entry(62), None);
    }

    #[test]
    fn names_outside_the_list_and_paths_with_a_query_do_not_enter_a_shared_table() {
        let mut relay = Relay::new(IndexPolicy::SHARED);
        relay.pass(&literal(0x40, "x-tenant", "7"));
        relay.pass(&literal(0x40, ":path", "/a?token=1"));
        assert_eq!(relay.endpoint.entry(62), None);
        let mut private = Relay::new(IndexPolicy::Private);
        private.pass(&literal(0x40, "x-tenant", "7"));
        assert!(private.endpoint.entry(62).is_some());
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
        relay.encoder.set_peer_limit(0, &mut relay.store);
        relay.encoder.set_peer_limit(4096, &mut relay.store);
        relay.encoder.set_peer_limit(0, &mut relay.store);
        let (fields, _) = relay.pass(&[0xbe]);
        assert_eq!(fields[0].1, b"/x");
        assert_eq!(relay.endpoint.entry(62), None);
        relay.client.clear(&mut relay.store);
        relay.endpoint.clear(&mut relay.store);
        assert_eq!(relay.store.owned_fields(), 0, "the encoder's table is empty");
    }
}
