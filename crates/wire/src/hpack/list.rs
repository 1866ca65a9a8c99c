//! A decoded header block: ids where the peer used its table, bytes where it did not.

use super::id::HeaderId;
use super::name::Name;
use super::store::{HeaderStore, WireValue};

/// How a field was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldForm {
    /// A field of the store (the list owns it).
    Stored(HeaderId),
    /// A literal of the list's own bytes.
    Literal,
}

/// One field of a [`HeaderList`].
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub(super) form: FieldForm,
    /// The name, where it is a known one.
    pub name: Name,
    /// Whether name and value obey RFC 9113 §8.2.1.
    pub is_valid: bool,
    /// Marked never-indexed by the peer (RFC 7541 §6.2.3), which must be kept.
    pub is_sensitive: bool,
    is_huffman: bool,
    name_at: (u32, u32),
    value_at: (u32, u32),
    wire_at: (u32, u32),
}

impl Field {
    /// How it was written.
    #[must_use]
    pub fn form(&self) -> FieldForm {
        self.form
    }
}

/// A decoded header block. It owns the ids in it, so it must be given back with [`HeaderList::clear`].
#[derive(Debug, Default)]
pub struct HeaderList {
    fields: Vec<Field>,
    bytes: Vec<u8>,
    decoded_bytes: usize,
    is_truncated: bool,
    /// What its store knows that it holds.
    charged: usize,
}

impl HeaderList {
    /// The fields in order.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Size as SETTINGS_MAX_HEADER_LIST_SIZE counts it (RFC 9113 §6.5.2): names, values, and 32 a field.
    #[must_use]
    pub fn decoded_bytes(&self) -> usize {
        self.decoded_bytes
    }

    /// Whether the block was larger than the limit: what is here is only its beginning.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// A field's name.
    #[must_use]
    pub fn name_bytes<'a>(&'a self, field: &Field, store: &'a HeaderStore) -> &'a [u8] {
        match field.form {
            FieldForm::Stored(id) => store.name_bytes(id),
            FieldForm::Literal => self.slice(field.name_at),
        }
    }

    /// A field's value.
    #[must_use]
    pub fn value<'a>(&'a self, field: &Field, store: &'a HeaderStore) -> &'a [u8] {
        match field.form {
            FieldForm::Stored(id) => store.value(id),
            FieldForm::Literal => self.slice(field.value_at),
        }
    }

    /// The first value of a known name.
    #[must_use]
    pub fn find<'a>(&'a self, name: Name, store: &'a HeaderStore) -> Option<&'a [u8]> {
        self.fields.iter().find(|f| f.name == name).map(|f| self.value(f, store))
    }

    pub(super) fn wire_value<'a>(&'a self, field: &Field, store: &'a HeaderStore) -> WireValue<'a> {
        match field.form {
            FieldForm::Stored(id) => store.wire_value(id),
            FieldForm::Literal => {
                WireValue { is_huffman: field.is_huffman, bytes: self.slice(field.wire_at) }
            }
        }
    }

    fn slice(&self, (from, length): (u32, u32)) -> &[u8] {
        &self.bytes[from as usize..(from + length) as usize]
    }

    /// Whether one more field of this size stays within the limit; if not, the list is marked as truncated.
    pub(super) fn admit(&mut self, size: usize, most: usize) -> bool {
        self.decoded_bytes = self.decoded_bytes.saturating_add(size);
        self.is_truncated |= self.decoded_bytes > most;
        !self.is_truncated
    }

    /// Appends a field of the store, and owns it.
    pub(super) fn push_stored(&mut self, id: HeaderId, store: &mut HeaderStore) {
        store.retain(id);
        self.fields.push(Field {
            form: FieldForm::Stored(id),
            name: store.name(id),
            is_valid: store.is_valid(id),
            is_sensitive: false,
            is_huffman: false,
            name_at: (0, 0),
            value_at: (0, 0),
            wire_at: (0, 0),
        });
    }

    pub(super) fn push_bytes(
        &mut self,
        name: &[u8],
        value: &[u8],
        wire: WireValue<'_>,
        is_valid: bool,
        is_sensitive: bool,
    ) {
        let name_at = self.keep(name);
        let value_at = self.keep(value);
        let wire_at = if wire.is_huffman { self.keep(wire.bytes) } else { value_at };
        self.fields.push(Field {
            form: FieldForm::Literal,
            name: Name::of(name),
            is_valid,
            is_sensitive,
            is_huffman: wire.is_huffman,
            name_at,
            value_at,
            wire_at,
        });
    }

    fn keep(&mut self, bytes: &[u8]) -> (u32, u32) {
        let from = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        (from, bytes.len() as u32)
    }

    /// Appends a field of our own making. The caller vouches for a lower-case name and a value without control bytes.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        self.decoded_bytes += name.len() + value.len() + 32;
        self.push_bytes(name.as_bytes(), value, WireValue { is_huffman: false, bytes: value }, true, false);
    }

    /// Appends a static field of our own making, such as `:status: 200`.
    ///
    /// # Panics
    /// If the id is not one of the static table's.
    pub fn push_static(&mut self, id: HeaderId, store: &mut HeaderStore) {
        assert!(id.is_static(), "only static fields have no owner");
        self.decoded_bytes += store.table_size(id);
        self.push_stored(id, store);
    }

    /// Drops the fields that `keep` refuses.
    pub fn retain_fields(&mut self, store: &mut HeaderStore, mut keep: impl FnMut(&Field) -> bool) {
        self.fields.retain(|field| {
            let kept = keep(field);
            if !kept && let FieldForm::Stored(id) = field.form {
                store.release(id);
            }
            kept
        });
    }

    /// Gives back all it owns; its memory stays for the next block.
    pub fn clear(&mut self, store: &mut HeaderStore) {
        for field in self.fields.drain(..) {
            if let FieldForm::Stored(id) = field.form {
                store.release(id);
            }
        }
        store.charge_list(std::mem::take(&mut self.charged), 0);
        self.bytes.clear();
        self.decoded_bytes = 0;
        self.is_truncated = false;
    }

    /// Tells the store what the list holds beside the ids, until it is cleared.
    pub(super) fn charge(&mut self, store: &mut HeaderStore) {
        let held = self.held_bytes();
        store.charge_list(std::mem::replace(&mut self.charged, held), held);
    }

    /// Memory that goes with it: its own, and that of the fields that it owns, with others or alone.
    #[must_use]
    pub fn owned_bytes(&self, store: &HeaderStore) -> usize {
        let stored = self.fields.iter().filter_map(|f| match f.form {
            FieldForm::Stored(id) => Some(store.cost(id)),
            FieldForm::Literal => None,
        });
        self.charged + stored.sum::<usize>()
    }

    /// Memory it holds beside the ids.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.fields.capacity() * size_of::<Field>() + self.bytes.capacity()
    }
}
