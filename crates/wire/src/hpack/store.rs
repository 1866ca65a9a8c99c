//! Every field that a dynamic table of this worker owns, each once and with a count of its owners.
//!
//! Ids never leave their worker. A field that a table or a [`HeaderList`](super::HeaderList) owns never goes away, so an
//! id can never come to mean another client's header.

use super::id::HeaderId;
use super::name::Name;
use super::static_table::TABLE;
use hashbrown::HashTable;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// The bytes a value came in, to be sent on as they were.
#[derive(Clone, Copy, Debug)]
pub(super) struct WireValue<'a> {
    pub(super) is_huffman: bool,
    pub(super) bytes: &'a [u8],
}

#[derive(Debug, Default)]
struct Entry {
    owners: u32,
    name: Option<Name>,
    is_valid: bool,
    is_huffman: bool,
    hash: u64,
    name_len: u32,
    value_len: u32,
    /// Name, value, and the coded value if it came Huffman-coded.
    bytes: Vec<u8>,
}

impl Entry {
    fn name_bytes(&self) -> &[u8] {
        &self.bytes[..self.name_len as usize]
    }

    fn value_bytes(&self) -> &[u8] {
        &self.bytes[self.name_len as usize..(self.name_len + self.value_len) as usize]
    }
}

/// Bytes that a freed slot may keep for the next field, so that the steady state does not allocate.
const KEPT_CAPACITY: usize = 512;

/// The fields of one worker.
#[derive(Debug)]
pub struct HeaderStore {
    entries: Vec<Entry>,
    free: Vec<u32>,
    index: HashTable<u32>,
    hasher: SipHasher13,
    owned_bytes: usize,
    /// Bytes of lists that are in use, beside their ids.
    list_bytes: usize,
    most_bytes: usize,
}

/// The store may own no more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoreFull;

impl HeaderStore {
    /// A store that owns at most `most_bytes`; `key` keeps peers from choosing fields that collide.
    #[must_use]
    pub fn new(key: (u64, u64), most_bytes: usize) -> Self {
        let mut entries = vec![Entry::default()];
        entries.extend(TABLE.iter().map(|(name, value)| Entry {
            owners: 0,
            name: Some(Name::of(name.as_bytes())),
            is_valid: true,
            is_huffman: false,
            hash: 0,
            name_len: name.len() as u32,
            value_len: value.len() as u32,
            bytes: [name.as_bytes(), value.as_bytes()].concat(),
        }));
        let hasher = SipHasher13::new_with_keys(key.0, key.1);
        Self {
            entries,
            free: Vec::new(),
            index: HashTable::new(),
            hasher,
            owned_bytes: 0,
            list_bytes: 0,
            most_bytes,
        }
    }

    /// The id of this field, which the caller now owns.
    pub(super) fn intern(
        &mut self,
        name: &[u8],
        value: &[u8],
        wire: WireValue<'_>,
        is_valid: bool,
    ) -> Result<HeaderId, StoreFull> {
        let mut hasher = self.hasher;
        hasher.write_usize(name.len());
        hasher.write(name);
        hasher.write(value);
        let hash = hasher.finish();
        let entries = &self.entries;
        let same = |&i: &u32| {
            let e = &entries[i as usize];
            e.hash == hash && e.name_bytes() == name && e.value_bytes() == value
        };
        if let Some(&found) = self.index.find(hash, same) {
            self.entries[found as usize].owners += 1;
            return Ok(HeaderId::of_slot(found));
        }
        let cost = name.len()
            + value.len()
            + if wire.is_huffman { wire.bytes.len() } else { 0 }
            + size_of::<Entry>();
        if self.owned_bytes + cost > self.most_bytes {
            return Err(StoreFull);
        }
        self.owned_bytes += cost;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry::default());
            (self.entries.len() - 1) as u32
        });
        let entry = &mut self.entries[slot as usize];
        entry.owners = 1;
        entry.name = Some(Name::of(name));
        entry.is_valid = is_valid;
        entry.is_huffman = wire.is_huffman;
        entry.hash = hash;
        entry.name_len = name.len() as u32;
        entry.value_len = value.len() as u32;
        entry.bytes.clear();
        entry.bytes.extend_from_slice(name);
        entry.bytes.extend_from_slice(value);
        if wire.is_huffman {
            entry.bytes.extend_from_slice(wire.bytes);
        }
        let entries = &self.entries;
        self.index.insert_unique(hash, slot, |&i| entries[i as usize].hash);
        Ok(HeaderId::of_slot(slot))
    }

    /// One more owner.
    pub(super) fn retain(&mut self, id: HeaderId) {
        if !id.is_static() {
            self.entries[id.slot()].owners += 1;
        }
    }

    /// One owner less; a field without owners goes away.
    pub(super) fn release(&mut self, id: HeaderId) {
        if id.is_static() {
            return;
        }
        let entry = &mut self.entries[id.slot()];
        entry.owners -= 1;
        if entry.owners > 0 {
            return;
        }
        let hash = entry.hash;
        self.owned_bytes -= entry.bytes.len() + size_of::<Entry>();
        if entry.bytes.capacity() > KEPT_CAPACITY {
            entry.bytes = Vec::new();
        }
        if let Ok(found) = self.index.find_entry(hash, |&i| i as usize == id.slot()) {
            found.remove();
        }
        self.free.push(id.slot() as u32);
    }

    /// The field's name, where it is a known one.
    #[must_use]
    pub fn name(&self, id: HeaderId) -> Name {
        self.entries[id.slot()].name.unwrap_or(Name::Other)
    }

    /// The field's name.
    #[must_use]
    pub fn name_bytes(&self, id: HeaderId) -> &[u8] {
        self.entries[id.slot()].name_bytes()
    }

    /// The field's value.
    #[must_use]
    pub fn value(&self, id: HeaderId) -> &[u8] {
        self.entries[id.slot()].value_bytes()
    }

    /// Whether name and value obey RFC 9113 §8.2.1.
    pub(super) fn is_valid(&self, id: HeaderId) -> bool {
        self.entries[id.slot()].is_valid
    }

    pub(super) fn wire_value(&self, id: HeaderId) -> WireValue<'_> {
        let e = &self.entries[id.slot()];
        let from = (e.name_len + if e.is_huffman { e.value_len } else { 0 }) as usize;
        WireValue { is_huffman: e.is_huffman, bytes: &e.bytes[from..] }
    }

    /// Size of the field as a dynamic table counts it (RFC 7541 §4.1).
    pub(super) fn table_size(&self, id: HeaderId) -> usize {
        let e = &self.entries[id.slot()];
        (e.name_len + e.value_len) as usize + 32
    }

    /// A list holds so much more or less than before.
    pub(super) fn charge_list(&mut self, before: usize, now: usize) {
        self.list_bytes = self.list_bytes + now - before;
    }

    /// Bytes that a field with owners takes; a static one takes none.
    pub(super) fn cost(&self, id: HeaderId) -> usize {
        if id.is_static() { 0 } else { self.entries[id.slot()].bytes.len() + size_of::<Entry>() }
    }

    /// Bytes that the fields with owners take, and the lists in use beside them.
    #[must_use]
    pub fn charged_bytes(&self) -> usize {
        self.owned_bytes + self.list_bytes
    }

    /// Bytes that the fields with owners take.
    #[must_use]
    pub fn owned_bytes(&self) -> usize {
        self.owned_bytes
    }

    /// Fields with owners. With no table and no list left there must be none.
    #[must_use]
    pub fn owned_fields(&self) -> usize {
        self.index.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(bytes: &[u8]) -> WireValue<'_> {
        WireValue { is_huffman: false, bytes }
    }

    #[test]
    fn a_field_is_held_once_and_goes_with_its_last_owner() {
        let mut store = HeaderStore::new((1, 2), 10_000);
        let a = store.intern(b"x-a", b"1", plain(b"1"), true).unwrap();
        let b = store.intern(b"x-a", b"1", plain(b"1"), true).unwrap();
        assert_eq!(a, b);
        store.release(a);
        assert_eq!(store.value(b), b"1");
        store.release(b);
        assert_eq!((store.owned_fields(), store.owned_bytes()), (0, 0));
    }

    #[test]
    fn names_and_values_do_not_run_into_each_other() {
        let mut store = HeaderStore::new((1, 2), 10_000);
        let a = store.intern(b"ab", b"c", plain(b"c"), true).unwrap();
        let b = store.intern(b"a", b"bc", plain(b"bc"), true).unwrap();
        assert_ne!(a, b);
        assert_eq!((store.name_bytes(b), store.value(b)), (&b"a"[..], &b"bc"[..]));
    }

    #[test]
    fn the_largest_field_that_fits_is_taken_and_one_byte_more_is_refused() {
        let room = size_of::<Entry>() + 4 + 96;
        let mut store = HeaderStore::new((1, 2), room);
        assert!(store.intern(b"name", &[b'v'; 97], plain(&[b'v'; 97]), true).is_err());
        assert!(store.intern(b"name", &[b'v'; 96], plain(&[b'v'; 96]), true).is_ok());
    }
}
