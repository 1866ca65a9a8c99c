//! The dynamic table of a decoder (RFC 7541 §2.3.2): what the peer put in, newest first.
//!
//! Most of what peers index they never speak of again (ids of requests and traces). So a field stands here by its own
//! bytes, which cost a copy and nothing else, until the peer first uses its index; from then on it is a field of the
//! [`HeaderStore`], once for all connections. Secrets, and fields that no encoder would index, stay here. The bytes lie
//! one behind another in one buffer of at most the table's size. Empty, a table holds no memory.

use super::id::{HeaderId, STATIC_LEN};
use super::name::Name;
use super::store::{ENTRY_OVERHEAD, HeaderStore};
use std::collections::VecDeque;

/// Size of the dynamic table that we let peers use: the protocol's own default (RFC 9113 §6.5.2).
pub(super) const TABLE_SIZE: usize = 4096;
/// The smallest buffer.
const LEAST_CAPACITY: usize = 256;

/// A field by the table's own bytes: the name, if it is not a known one, and the value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    pub(super) name: Name,
    pub(super) is_valid: bool,
    at: u16,
    name_len: u16,
    value_len: u16,
}

impl Own {
    fn kept(&self) -> usize {
        usize::from(self.name_len) + usize::from(self.value_len)
    }

    /// Size of the field as the table counts it.
    pub(super) fn size(&self) -> usize {
        self.name.text().len() + self.kept() + ENTRY_OVERHEAD
    }
}

/// Where a field of the table stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum TableEntry {
    /// In the store; the table is one of its owners.
    Stored(HeaderId),
    /// In the table itself.
    Own(Own),
}

/// The dynamic table of a decoder.
#[derive(Debug)]
pub(super) struct DecoderTable {
    newest_first: VecDeque<TableEntry>,
    /// The bytes of the own entries, in order of age, with gaps where entries moved to the store.
    bytes: Vec<u8>,
    size: u16,
    most: u16,
    /// What the store knows of this table's memory.
    charged: u16,
}

impl Default for DecoderTable {
    fn default() -> Self {
        Self {
            newest_first: VecDeque::new(),
            bytes: Vec::new(),
            size: 0,
            most: TABLE_SIZE as u16,
            charged: 0,
        }
    }
}

impl DecoderTable {
    /// The field at an HPACK index, static ones included.
    pub(super) fn get(&self, index: usize) -> Option<TableEntry> {
        match index {
            0 => None,
            1..=STATIC_LEN => Some(TableEntry::Stored(HeaderId::of_static(index))),
            _ => self.newest_first.get(index - STATIC_LEN - 1).copied(),
        }
    }

    /// The name of an own entry as far as it is not a known one, and its value.
    pub(super) fn parts(&self, own: &Own) -> (&[u8], &[u8]) {
        let from = usize::from(own.at);
        self.bytes[from..from + own.kept()].split_at(usize::from(own.name_len))
    }

    /// Adds a field; `other_name` is empty where the name is a known one. A field that is too large for any table of this
    /// size leaves the table empty (RFC 7541 §4.4).
    pub(super) fn add(
        &mut self,
        name: Name,
        other_name: &[u8],
        value: &[u8],
        is_valid: bool,
        store: &mut HeaderStore,
    ) {
        let kept = other_name.len() + value.len();
        let size = name.text().len() + kept + ENTRY_OVERHEAD;
        let most = self.most();
        self.evict_to(most.saturating_sub(size), store);
        if size > most {
            return;
        }
        if self.bytes.capacity() - self.bytes.len() < kept {
            self.make_room(kept);
        }
        self.newest_first.push_front(TableEntry::Own(Own {
            name,
            is_valid,
            at: self.bytes.len() as u16,
            name_len: other_name.len() as u16,
            value_len: value.len() as u16,
        }));
        self.bytes.extend_from_slice(other_name);
        self.bytes.extend_from_slice(value);
        self.size += size as u16;
        self.charge(store);
    }

    /// Tells the store how much memory the table has now.
    fn charge(&mut self, store: &mut HeaderStore) {
        let held = self.held_bytes();
        if held != usize::from(self.charged) {
            store.charge(usize::from(self.charged), held);
            self.charged = held as u16;
        }
    }

    /// Makes the own entry at an HPACK index one of the store, which the table then owns; `None` if the store is full.
    pub(super) fn store_entry(
        &mut self,
        index: usize,
        own: &Own,
        store: &mut HeaderStore,
    ) -> Option<HeaderId> {
        let (other_name, value) = self.parts(own);
        let id = store.intern(own.name, other_name, value, own.is_valid)?;
        self.newest_first[index - STATIC_LEN - 1] = TableEntry::Stored(id);
        Some(id)
    }

    pub(super) fn most(&self) -> usize {
        usize::from(self.most)
    }

    /// At most [`TABLE_SIZE`]. A table that ends empty gives its memory back.
    pub(super) fn resize(&mut self, most: usize, store: &mut HeaderStore) {
        self.most = most as u16;
        self.evict_to(most, store);
        if self.newest_first.is_empty() {
            self.clear(store);
        }
    }

    fn evict_to(&mut self, size: usize, store: &mut HeaderStore) {
        while usize::from(self.size) > size {
            let Some(oldest) = self.newest_first.pop_back() else { break };
            self.size -= match oldest {
                TableEntry::Own(own) => own.size(),
                TableEntry::Stored(id) => {
                    let size = store.table_size(id);
                    store.release(id);
                    size
                }
            } as u16;
        }
        if self.newest_first.is_empty() {
            self.bytes.clear();
        }
    }

    /// Closes the gaps, and takes a larger buffer where little would be won by that alone. The own entries never have
    /// more bytes than the table's size, so the buffer never has either.
    fn make_room(&mut self, missing: usize) {
        let needed = self.own_bytes() + missing;
        let capacity = self.bytes.capacity();
        if needed * 4 > capacity * 3 && capacity < TABLE_SIZE {
            let larger = (needed * 4 / 3).next_power_of_two().clamp(LEAST_CAPACITY, TABLE_SIZE);
            self.move_to(larger);
        } else {
            self.close_gaps();
        }
    }

    fn own_bytes(&self) -> usize {
        self.newest_first.iter().map(|e| if let TableEntry::Own(own) = e { own.kept() } else { 0 }).sum()
    }

    fn close_gaps(&mut self) {
        let mut to = 0;
        for entry in self.newest_first.iter_mut().rev() {
            if let TableEntry::Own(own) = entry {
                let from = usize::from(own.at);
                self.bytes.copy_within(from..from + own.kept(), to);
                own.at = to as u16;
                to += own.kept();
            }
        }
        self.bytes.truncate(to);
    }

    /// Moves what is there to a buffer of exactly this capacity.
    fn move_to(&mut self, capacity: usize) {
        self.close_gaps();
        let mut bytes = Vec::new();
        bytes.reserve_exact(capacity);
        bytes.extend_from_slice(&self.bytes);
        self.bytes = bytes;
    }

    /// Gives back the memory that is not in use, for a connection at rest.
    pub(super) fn shrink(&mut self, store: &mut HeaderStore) {
        self.close_gaps();
        self.bytes.shrink_to_fit();
        self.newest_first.shrink_to_fit();
        self.charge(store);
    }

    /// Gives back every id and the memory.
    pub(super) fn clear(&mut self, store: &mut HeaderStore) {
        for entry in std::mem::take(&mut self.newest_first) {
            if let TableEntry::Stored(id) = entry {
                store.release(id);
            }
        }
        self.bytes = Vec::new();
        self.size = 0;
        self.charge(store);
    }

    /// Memory of the table, and of the fields in the store that it owns, with others or alone.
    pub(super) fn owned_bytes(&self, store: &HeaderStore) -> usize {
        let stored = self.newest_first.iter().map(|e| match e {
            TableEntry::Stored(id) => store.cost(*id),
            TableEntry::Own(_) => 0,
        });
        usize::from(self.charged) + stored.sum::<usize>()
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.newest_first.capacity() * size_of::<TableEntry>() + self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(table: &DecoderTable, store: &HeaderStore) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (STATIC_LEN + 1..)
            .map_while(|i| table.get(i))
            .map(|entry| match entry {
                TableEntry::Stored(id) => (text(store.name_bytes(id)), text(store.value(id))),
                TableEntry::Own(own) => {
                    let (name, value) = table.parts(&own);
                    (format!("{}{}", own.name.text(), text(name)), text(value))
                }
            })
            .collect()
    }

    /// Adds as a decoder does: a known name leaves no bytes.
    fn add(table: &mut DecoderTable, name: &str, value: &str, store: &mut HeaderStore) {
        let known = Name::of(name.as_bytes());
        let other = if known == Name::Other { name } else { "" };
        table.add(known, other.as_bytes(), value.as_bytes(), true, store);
    }

    #[test]
    fn a_table_that_is_full_again_and_again_keeps_its_fields_and_its_buffer() {
        let (mut table, mut store) = (DecoderTable::default(), HeaderStore::new((1, 2), 1 << 20));
        let mut expected: VecDeque<(String, String)> = VecDeque::new();
        for n in 0..2_000usize {
            let (name, value) = match n % 3 {
                0 => ("x-request-id".to_owned(), format!("{n:0>36}")),
                1 => (":path".to_owned(), format!("/{}", "p".repeat(n * 7 % 150))),
                _ => (format!("x-{}", n % 50), format!("{n}")),
            };
            add(&mut table, &name, &value, &mut store);
            expected.push_front((name, value));
            let size = |all: &VecDeque<(String, String)>| -> usize {
                all.iter().map(|(n, v)| n.len() + v.len() + 32).sum()
            };
            while size(&expected) > TABLE_SIZE {
                expected.pop_back();
            }
            if n % 4 == 0 {
                let index = STATIC_LEN + 1 + n % expected.len();
                if let Some(TableEntry::Own(own)) = table.get(index) {
                    table.store_entry(index, &own, &mut store).unwrap();
                }
            }
            if n % 111 == 0 {
                table.shrink(&mut store);
            }
            assert!(fields(&table, &store).iter().eq(&expected), "after {n}");
            assert!(table.bytes.capacity() <= TABLE_SIZE);
            assert_eq!(store.charged_bytes(), table.owned_bytes(&store));
        }
        table.clear(&mut store);
        assert_eq!((store.owned_fields(), table.held_bytes(), store.charged_bytes()), (0, 0, 0));
    }

    #[test]
    fn a_field_as_large_as_the_table_is_kept_and_one_byte_more_empties_it() {
        let (mut table, mut store) = (DecoderTable::default(), HeaderStore::new((1, 2), 1 << 20));
        let largest = "v".repeat(TABLE_SIZE - ENTRY_OVERHEAD - 3);
        add(&mut table, "x-a", &largest, &mut store);
        assert_eq!(fields(&table, &store), [("x-a".to_owned(), largest.clone())]);
        add(&mut table, "x-ab", &largest, &mut store);
        assert_eq!(fields(&table, &store), []);
    }

    #[test]
    fn a_table_at_rest_holds_its_fields_and_no_more() {
        let (mut table, mut store) = (DecoderTable::default(), HeaderStore::new((1, 2), 1 << 20));
        assert_eq!(table.held_bytes(), 0);
        for n in 0..100 {
            add(&mut table, "x-not-known1", &format!("{n:0>36}"), &mut store);
        }
        table.shrink(&mut store);
        let entries = TABLE_SIZE / (12 + 36 + ENTRY_OVERHEAD);
        assert_eq!(table.held_bytes(), entries * (12 + 36 + size_of::<TableEntry>()));
        assert!(size_of::<TableEntry>() <= 12);
    }
}
