//! Every field that peers of this worker used more than once, each once and with a count of its owners.
//!
//! Ids never leave their worker. A field that a table or a [`HeaderList`](super::HeaderList) owns never goes away, so an
//! id can never come to mean another client's header.

use super::id::HeaderId;
use super::name::Name;
use super::static_table::TABLE;
use hashbrown::HashTable;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// A value as it is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct WireValue<'a> {
    pub(super) is_huffman: bool,
    pub(super) bytes: &'a [u8],
}

#[derive(Debug)]
struct Entry {
    /// The name if it is not a known one, and the value.
    bytes: Vec<u8>,
    hash: u64,
    owners: u32,
    /// Of the bytes.
    name_len: u16,
    traits: Traits,
}

/// What a list keeps of a field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    /// As a dynamic table counts it (RFC 7541 §4.1).
    pub(super) size: u16,
    pub(super) name: Name,
    /// Whether name and value obey RFC 9113 §8.2.1.
    pub(super) is_valid: bool,
}

impl Entry {
    fn name_bytes(&self) -> &[u8] {
        if self.traits.name == Name::Other { self.other_name() } else { self.traits.name.text().as_bytes() }
    }

    fn other_name(&self) -> &[u8] {
        &self.bytes[..usize::from(self.name_len)]
    }

    fn value_bytes(&self) -> &[u8] {
        &self.bytes[usize::from(self.name_len)..]
    }

    fn is(&self, name: Name, other_name: &[u8], value: &[u8]) -> bool {
        self.traits.name == name && self.other_name() == other_name && self.value_bytes() == value
    }
}

/// What a dynamic table counts for each entry beside its bytes (RFC 7541 §4.1).
pub(super) const ENTRY_OVERHEAD: usize = 32;
/// Fields of a larger size (RFC 7541 §4.1) would push the rest out of an encoder's table, so they stay out of it, and of
/// the store.
pub(super) const MOST_INDEXED: usize = 1024;
/// Bytes that a freed slot may keep for the next field, so that the steady state does not allocate.
const KEPT_CAPACITY: usize = 256;
/// Freed slots that may keep theirs.
const KEPT_SLOTS: usize = 1024;
/// Bytes of an allocation that the allocator keeps for itself, as far as one can say.
const ALLOCATION: usize = 8;
/// What a field costs beside its bytes: its slot, its place in the index, and its allocation.
const FIELD_OVERHEAD: usize = size_of::<Entry>() + 2 * size_of::<u32>() + ALLOCATION;

/// The fields of one worker.
#[derive(Debug)]
pub struct HeaderStore {
    entries: Vec<Entry>,
    /// Slots without a field.
    free: Vec<u32>,
    /// As those, but with memory for the next field; they are taken first.
    ready: Vec<u32>,
    index: HashTable<u32>,
    hasher: SipHasher13,
    owned_bytes: usize,
    /// Memory of tables and of lists in use, beside the fields here.
    beside_bytes: usize,
    /// Memory of slots without a field.
    spare_bytes: usize,
    most_bytes: usize,
    refused: u64,
}

impl HeaderStore {
    /// A store that owns at most `most_bytes`; `key` keeps peers from choosing fields that collide.
    #[must_use]
    pub fn new(key: (u64, u64), most_bytes: usize) -> Self {
        let entry = |name: &str, value: &str| {
            let known = Name::of(name.as_bytes());
            let other_name = if known == Name::Other { name } else { "" };
            Entry {
                bytes: [other_name.as_bytes(), value.as_bytes()].concat(),
                hash: 0,
                owners: 0,
                name_len: other_name.len() as u16,
                traits: Traits {
                    size: (name.len() + value.len() + ENTRY_OVERHEAD) as u16,
                    name: known,
                    is_valid: true,
                },
            }
        };
        // Index 0 is no field: the ids of the static table are its indices.
        let entries = [("", "")].iter().chain(&TABLE).map(|(name, value)| entry(name, value)).collect();
        Self {
            entries,
            free: Vec::new(),
            ready: Vec::new(),
            index: HashTable::new(),
            hasher: SipHasher13::new_with_keys(key.0, key.1),
            owned_bytes: 0,
            beside_bytes: 0,
            spare_bytes: 0,
            most_bytes,
            refused: 0,
        }
    }

    /// The id of this field, which the caller now owns; `None` if the store is full. `other_name` is empty where the name
    /// is a known one.
    pub(super) fn intern(
        &mut self,
        name: Name,
        other_name: &[u8],
        value: &[u8],
        is_valid: bool,
    ) -> Option<HeaderId> {
        let mut hasher = self.hasher;
        hasher.write_u32(u32::from(name as u8) << 16 | other_name.len() as u32);
        hasher.write(other_name);
        hasher.write(value);
        let hash = hasher.finish();
        let entries = &self.entries;
        let is_same = |&i: &u32| {
            let e = &entries[i as usize];
            e.hash == hash && e.is(name, other_name, value)
        };
        if let Some(&found) = self.index.find(hash, is_same) {
            self.entries[found as usize].owners += 1;
            return Some(HeaderId::of_slot(found));
        }
        let cost = other_name.len() + value.len() + FIELD_OVERHEAD;
        if self.charged_bytes() + cost > self.most_bytes {
            self.refused += 1;
            return None;
        }
        self.owned_bytes += cost;
        let slot = self.ready.pop().or_else(|| self.free.pop()).unwrap_or(self.entries.len() as u32);
        let mut bytes =
            self.entries.get_mut(slot as usize).map_or_else(Vec::new, |e| std::mem::take(&mut e.bytes));
        self.spare_bytes -= bytes.capacity();
        bytes.clear();
        bytes.reserve_exact(other_name.len() + value.len());
        bytes.extend_from_slice(other_name);
        bytes.extend_from_slice(value);
        let size = (name.text().len() + bytes.len() + ENTRY_OVERHEAD) as u16;
        let traits = Traits { size, name, is_valid };
        let entry = Entry { bytes, hash, owners: 1, name_len: other_name.len() as u16, traits };
        match self.entries.get_mut(slot as usize) {
            Some(free) => *free = entry,
            None => self.entries.push(entry),
        }
        let entries = &self.entries;
        self.index.insert_unique(hash, slot, |&i| entries[i as usize].hash);
        Some(HeaderId::of_slot(slot))
    }

    /// One more owner.
    pub(super) fn retain(&mut self, id: HeaderId) -> Traits {
        let entry = &mut self.entries[id.slot()];
        if !id.is_static() {
            entry.owners += 1;
        }
        entry.traits
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
        self.owned_bytes -= entry.bytes.len() + FIELD_OVERHEAD;
        if entry.bytes.capacity() <= KEPT_CAPACITY && self.ready.len() < KEPT_SLOTS {
            self.spare_bytes += entry.bytes.capacity();
            self.ready.push(id.slot() as u32);
        } else {
            entry.bytes = Vec::new();
            self.free.push(id.slot() as u32);
        }
        if let Ok(found) = self.index.find_entry(hash, |&i| i as usize == id.slot()) {
            found.remove();
        }
    }

    /// The field's name, where it is a known one.
    #[must_use]
    pub fn name(&self, id: HeaderId) -> Name {
        self.entries[id.slot()].traits.name
    }

    /// The field's name.
    #[must_use]
    pub fn name_bytes(&self, id: HeaderId) -> &[u8] {
        self.entries[id.slot()].name_bytes()
    }

    /// The field's name, if it is not a known one.
    pub(super) fn other_name(&self, id: HeaderId) -> &[u8] {
        self.entries[id.slot()].other_name()
    }

    /// The field's value.
    #[must_use]
    pub fn value(&self, id: HeaderId) -> &[u8] {
        self.entries[id.slot()].value_bytes()
    }

    /// Whether name and value obey RFC 9113 §8.2.1.
    pub(super) fn is_valid(&self, id: HeaderId) -> bool {
        self.entries[id.slot()].traits.is_valid
    }

    /// Size of the field as a dynamic table counts it (RFC 7541 §4.1).
    pub(super) fn table_size(&self, id: HeaderId) -> usize {
        usize::from(self.entries[id.slot()].traits.size)
    }

    /// A table or a list in use holds so much more or less than before, beside the fields here.
    pub(super) fn charge(&mut self, before: usize, now: usize) {
        self.beside_bytes = self.beside_bytes + now - before;
    }

    /// Bytes that a field with owners takes, with what it costs beside its text; a static one takes none.
    pub(super) fn cost(&self, id: HeaderId) -> usize {
        if id.is_static() { 0 } else { self.entries[id.slot()].bytes.len() + FIELD_OVERHEAD }
    }

    /// Bytes that the fields with owners take, with what each costs beside its text.
    #[must_use]
    pub fn owned_bytes(&self) -> usize {
        self.owned_bytes
    }

    /// Bytes of header fields wherever they are: those with owners here, and those of decoders' tables and of lists in use.
    /// This is what the limit is on.
    #[must_use]
    pub fn charged_bytes(&self) -> usize {
        self.owned_bytes + self.beside_bytes
    }

    /// Memory that stands ready for fields that are to come, and that of the static ones.
    #[must_use]
    pub fn spare_bytes(&self) -> usize {
        let lists = (self.free.capacity() + self.ready.capacity()) * size_of::<u32>();
        let all = self.entries.capacity() * size_of::<Entry>()
            + lists
            + self.index.allocation_size()
            + self.spare_bytes;
        all.saturating_sub(self.owned_fields() * FIELD_OVERHEAD)
    }

    /// How often a field was not taken because the store was full, since this was last asked. Such a field travels as a
    /// literal.
    pub fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// Fields with owners. With no table and no list left there must be none.
    #[must_use]
    pub fn owned_fields(&self) -> usize {
        self.index.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::STATIC_LEN;
    use super::*;

    fn intern(store: &mut HeaderStore, name: &str, value: &[u8]) -> Option<HeaderId> {
        store.intern(Name::Other, name.as_bytes(), value, true)
    }

    #[test]
    fn a_field_is_held_once_and_goes_with_its_last_owner() {
        let mut store = HeaderStore::new((1, 2), 10_000);
        let a = intern(&mut store, "x-a", b"1").unwrap();
        let b = intern(&mut store, "x-a", b"1").unwrap();
        assert_eq!(a, b);
        store.release(a);
        assert_eq!(store.value(b), b"1");
        store.release(b);
        assert_eq!((store.owned_fields(), store.owned_bytes()), (0, 0));
    }

    #[test]
    fn names_and_values_do_not_run_into_each_other() {
        let mut store = HeaderStore::new((1, 2), 10_000);
        let a = intern(&mut store, "ab", b"c").unwrap();
        let b = intern(&mut store, "a", b"bc").unwrap();
        let c = store.intern(Name::Path, b"", b"abc", true).unwrap();
        assert!(a != b && b != c && a != c);
        assert_eq!((store.name_bytes(b), store.value(b)), (&b"a"[..], &b"bc"[..]));
        assert_eq!((store.name_bytes(c), store.value(c)), (&b":path"[..], &b"abc"[..]));
        assert_eq!(store.table_size(c), 5 + 3 + 32);
    }

    #[test]
    fn the_largest_field_that_fits_is_taken_and_one_byte_more_is_refused_and_counted() {
        let mut store = HeaderStore::new((1, 2), FIELD_OVERHEAD + 4 + 96);
        assert_eq!(intern(&mut store, "name", &[b'v'; 97]), None);
        assert_eq!((store.take_refused(), store.take_refused()), (1, 0));
        assert!(intern(&mut store, "name", &[b'v'; 96]).is_some());
        assert_eq!(store.take_refused(), 0);
    }

    #[test]
    fn what_is_counted_is_what_is_held() {
        let mut store = HeaderStore::new((1, 2), 1 << 20);
        let ids: Vec<HeaderId> = (0..1_000)
            .map(|n| intern(&mut store, "x-request-id", format!("{n:0>36}").as_bytes()).unwrap())
            .collect();
        let counted = store.owned_bytes() + store.spare_bytes();
        let texts: usize = store.entries.iter().skip(STATIC_LEN + 1).map(|e| e.bytes.capacity()).sum();
        let places = store.entries.capacity() * size_of::<Entry>() + store.index.allocation_size();
        assert_eq!(counted, texts + places);
        assert_eq!(ids.iter().map(|&id| store.cost(id)).sum::<usize>(), store.owned_bytes());
        for id in ids {
            store.release(id);
        }
        assert_eq!((store.owned_bytes(), store.charged_bytes()), (0, 0));
        let texts: usize = store.entries.iter().skip(STATIC_LEN + 1).map(|e| e.bytes.capacity()).sum();
        let lists = (store.free.capacity() + store.ready.capacity()) * size_of::<u32>();
        assert_eq!(store.spare_bytes(), texts + places + lists);
    }

    #[test]
    fn memory_of_tables_and_lists_leaves_less_for_fields() {
        let mut store = HeaderStore::new((1, 2), FIELD_OVERHEAD + 4 + 96 + 500);
        store.charge(0, 501);
        assert_eq!(intern(&mut store, "name", &[b'v'; 96]), None);
        store.charge(501, 500);
        assert!(intern(&mut store, "name", &[b'v'; 96]).is_some());
    }

    #[test]
    fn a_burst_of_fields_leaves_little_behind_and_the_next_field_takes_of_that() {
        let mut store = HeaderStore::new((1, 2), 1 << 30);
        let value = [b'v'; 200];
        let ids: Vec<HeaderId> =
            (0..20_000).map(|n| intern(&mut store, &format!("x-{n}"), &value).unwrap()).collect();
        for id in ids {
            store.release(id);
        }
        let texts: usize = store.entries.iter().map(|e| e.bytes.capacity()).sum();
        assert!(texts <= (KEPT_SLOTS + 1) * KEPT_CAPACITY, "{texts} bytes of text are kept for nothing");
        let before = store.spare_bytes;
        intern(&mut store, "x-next", &[b'v'; 100]).unwrap();
        assert!(store.spare_bytes < before);
    }
}
