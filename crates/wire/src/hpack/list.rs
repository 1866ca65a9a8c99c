//! A decoded header block: ids where the peer speaks of what it sent before, bytes where it does not.

use super::id::HeaderId;
use super::name::{LONGEST_KNOWN, Name};
use super::static_table;
use super::store::{ENTRY_OVERHEAD, HeaderStore, Traits, WireValue};

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
    /// Whether the peer took it from its dynamic table, or put it there.
    pub is_indexed: bool,
    is_huffman: bool,
    /// Where a literal's bytes begin: the name if it is not a known one, the value, and the coded value if it came so.
    at: u32,
    name_len: u32,
    value_len: u32,
    coded_len: u32,
}

impl Field {
    /// How it was written.
    #[must_use]
    pub fn form(&self) -> FieldForm {
        self.form
    }

    fn value_at(&self) -> usize {
        self.at as usize + self.name_len as usize
    }
}

/// A literal whose name, if it is not a known one, and value are the last bytes of the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Literal<'a> {
    pub(super) name: Name,
    /// The list's length before the literal.
    pub(super) start: usize,
    pub(super) name_len: usize,
    /// The value as it came, if it came Huffman-coded.
    pub(super) coded: Option<&'a [u8]>,
    pub(super) is_valid: bool,
    pub(super) is_sensitive: bool,
    pub(super) is_indexed: bool,
}

/// A literal whose name was put, and whose value is yet to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    name: Name,
    /// Where the next literal began before the name.
    start: usize,
}

impl Begun {
    /// The name, where it is a known one.
    pub(crate) fn name(&self) -> Name {
        self.name
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
            FieldForm::Literal if field.name != Name::Other => field.name.text().as_bytes(),
            FieldForm::Literal => self.slice(field.at as usize, field.name_len),
        }
    }

    /// A field's value.
    #[must_use]
    pub fn value<'a>(&'a self, field: &Field, store: &'a HeaderStore) -> &'a [u8] {
        match field.form {
            FieldForm::Stored(id) => store.value(id),
            FieldForm::Literal => self.slice(field.value_at(), field.value_len),
        }
    }

    /// The first value of a known name.
    #[must_use]
    pub fn find<'a>(&'a self, name: Name, store: &'a HeaderStore) -> Option<&'a [u8]> {
        self.fields.iter().find(|f| f.name == name).map(|f| self.value(f, store))
    }

    pub(super) fn wire_value<'a>(&'a self, field: &Field, store: &'a HeaderStore) -> WireValue<'a> {
        match field.form {
            FieldForm::Stored(id) => WireValue { is_huffman: false, bytes: store.value(id) },
            FieldForm::Literal if field.is_huffman => WireValue {
                is_huffman: true,
                bytes: self.slice(field.value_at() + field.value_len as usize, field.coded_len),
            },
            FieldForm::Literal => {
                WireValue { is_huffman: false, bytes: self.slice(field.value_at(), field.value_len) }
            }
        }
    }

    fn slice(&self, from: usize, length: u32) -> &[u8] {
        &self.bytes[from..from + length as usize]
    }

    /// Whether one more field of this size stays within the limit; if not, the list is marked as truncated.
    pub(super) fn admit(&mut self, size: usize, most: usize) -> bool {
        self.decoded_bytes = self.decoded_bytes.saturating_add(size);
        self.is_truncated |= self.decoded_bytes > most;
        !self.is_truncated
    }

    /// Appends a field of the store, and owns it.
    pub(super) fn push_stored(&mut self, id: HeaderId, store: &mut HeaderStore) {
        let traits = store.retain(id);
        self.push_retained(id, traits);
    }

    /// Appends a field of the store if it stays within the limit.
    #[inline]
    pub(super) fn push_stored_within(&mut self, id: HeaderId, most: usize, store: &mut HeaderStore) {
        let traits = store.retain(id);
        if self.admit(usize::from(traits.size), most) {
            self.push_retained(id, traits);
        } else {
            store.release(id);
        }
    }

    fn push_retained(&mut self, id: HeaderId, traits: Traits) {
        self.fields.push(Field {
            form: FieldForm::Stored(id),
            name: traits.name,
            is_valid: traits.is_valid,
            is_sensitive: false,
            is_indexed: !id.is_static(),
            is_huffman: false,
            at: 0,
            name_len: 0,
            value_len: 0,
            coded_len: 0,
        });
    }

    /// The bytes of the literals, where the next one is put together.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Appends a field of the bytes that were put at the end.
    pub(super) fn push_literal(&mut self, literal: Literal<'_>) {
        let value_len = self.bytes.len() - literal.start - literal.name_len;
        let coded = literal.coded.unwrap_or_default();
        self.bytes.extend_from_slice(coded);
        self.fields.push(Field {
            form: FieldForm::Literal,
            name: literal.name,
            is_valid: literal.is_valid,
            is_sensitive: literal.is_sensitive,
            is_indexed: literal.is_indexed,
            is_huffman: literal.coded.is_some(),
            at: literal.start as u32,
            name_len: literal.name_len as u32,
            value_len: value_len as u32,
            coded_len: coded.len() as u32,
        });
    }

    /// Puts a token, lower-cased, where the next literal's name is. It is to be finished or abandoned before the next one;
    /// of a known name nothing is put.
    #[inline]
    pub(crate) fn begin(&mut self, token: &[u8]) -> Begun {
        let start = self.bytes.len();
        let mut lower = [0; LONGEST_KNOWN];
        if let Some(lower) = lower.get_mut(..token.len()) {
            for (to, from) in lower.iter_mut().zip(token) {
                *to = from.to_ascii_lowercase();
            }
            let name = Name::of(lower);
            if name == Name::Other {
                self.bytes.extend_from_slice(lower);
            }
            return Begun { name, start };
        }
        self.bytes.extend(token.iter().map(u8::to_ascii_lowercase));
        Begun { name: Name::Other, start }
    }

    /// The name of a literal that is begun, unless it is a known one.
    pub(crate) fn begun_bytes(&self, begun: &Begun) -> &[u8] {
        &self.bytes[begun.start..]
    }

    /// Drops the literal that was begun last.
    pub(crate) fn abandon(&mut self, begun: Begun) {
        self.bytes.truncate(begun.start);
    }

    /// Appends the literal that was begun last. The caller vouches for a value without control bytes.
    #[inline]
    pub(crate) fn finish(&mut self, begun: Begun, value: &[u8]) {
        let name_len = self.bytes.len() - begun.start;
        self.bytes.extend_from_slice(value);
        self.push_checked(begun.name, begun.start, name_len);
    }

    /// Appends a field of a known name. The caller vouches for a value without control bytes.
    pub(crate) fn push_known(&mut self, name: Name, value: &[u8]) {
        self.push_parts(name, value, b"");
    }

    /// As [`push_known`](Self::push_known), of a value in two parts.
    pub(crate) fn push_parts(&mut self, name: Name, first: &[u8], second: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(first);
        self.bytes.extend_from_slice(second);
        self.push_checked(name, start, 0);
    }

    /// As [`push_known`](Self::push_known), of the static table where it is there.
    pub(crate) fn push_pseudo(&mut self, name: Name, value: &[u8], store: &mut HeaderStore) {
        match static_table::pseudo_id(name, value) {
            Some(id) => self.push_static(id, store),
            None => self.push_known(name, value),
        }
    }

    #[inline]
    fn push_checked(&mut self, name: Name, start: usize, name_len: usize) {
        self.decoded_bytes += name.text().len() + self.bytes.len() - start + ENTRY_OVERHEAD;
        self.push_literal(Literal {
            name,
            start,
            name_len,
            coded: None,
            is_valid: true,
            is_sensitive: false,
            is_indexed: false,
        });
    }

    /// Gives a literal of a known name another value. What it had is not given back before the list is cleared.
    pub(crate) fn set_value(&mut self, at: usize, value: &[u8]) {
        let (start, field) = (self.bytes.len(), &mut self.fields[at]);
        debug_assert!(field.form == FieldForm::Literal && field.name != Name::Other);
        self.decoded_bytes = self.decoded_bytes - field.value_len as usize + value.len();
        (field.at, field.value_len, field.coded_len) = (start as u32, value.len() as u32, 0);
        self.bytes.extend_from_slice(value);
    }

    /// Takes a literal of a known name out.
    pub(crate) fn remove(&mut self, at: usize) {
        let field = self.fields.remove(at);
        debug_assert!(field.form == FieldForm::Literal);
        self.decoded_bytes -= field.name.text().len() + field.value_len as usize + ENTRY_OVERHEAD;
    }

    /// Takes the literals of these names out, in whatever case they are given.
    pub(crate) fn remove_named(&mut self, names: &[&[u8]]) {
        let (bytes, decoded_bytes) = (&self.bytes, &mut self.decoded_bytes);
        self.fields.retain(|field| {
            let own = field.at as usize..field.value_at();
            let name = if field.name == Name::Other { &bytes[own] } else { field.name.text().as_bytes() };
            let is_named =
                field.form == FieldForm::Literal && names.iter().any(|n| n.eq_ignore_ascii_case(name));
            if is_named {
                *decoded_bytes -= name.len() + field.value_len as usize + ENTRY_OVERHEAD;
            }
            !is_named
        });
    }

    /// Appends a field of our own making. The caller vouches for a lower-case name and a value without control bytes.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        self.decoded_bytes += name.len() + value.len() + 32;
        let (known, start) = (Name::of(name.as_bytes()), self.bytes.len());
        if known == Name::Other {
            self.bytes.extend_from_slice(name.as_bytes());
        }
        let name_len = self.bytes.len() - start;
        self.bytes.extend_from_slice(value);
        self.push_literal(Literal {
            name: known,
            start,
            name_len,
            coded: None,
            is_valid: true,
            is_sensitive: false,
            is_indexed: false,
        });
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

    /// Drops the fields of this name, which is in lower case, whatever form they came in.
    pub fn drop_named(&mut self, name: &[u8], store: &mut HeaderStore) {
        let (bytes, decoded_bytes) = (&self.bytes, &mut self.decoded_bytes);
        self.fields.retain(|field| {
            let (is_named, size) = match field.form {
                FieldForm::Stored(id) => (store.name_bytes(id) == name, store.table_size(id)),
                FieldForm::Literal => {
                    let own = field.at as usize..field.value_at();
                    let of_list =
                        if field.name == Name::Other { &bytes[own] } else { field.name.text().as_bytes() };
                    (of_list == name, name.len() + field.value_len as usize + ENTRY_OVERHEAD)
                }
            };
            if is_named {
                *decoded_bytes = decoded_bytes.saturating_sub(size);
                if let FieldForm::Stored(id) = field.form {
                    store.release(id);
                }
            }
            !is_named
        });
    }

    /// Gives back all it owns; its memory stays for the next block.
    pub fn clear(&mut self, store: &mut HeaderStore) {
        for field in self.fields.drain(..) {
            if let FieldForm::Stored(id) = field.form {
                store.release(id);
            }
        }
        store.charge(std::mem::take(&mut self.charged), 0);
        self.bytes.clear();
        self.decoded_bytes = 0;
        self.is_truncated = false;
    }

    /// Tells the store what the list holds beside the ids, until it is cleared.
    pub(crate) fn charge(&mut self, store: &mut HeaderStore) {
        let held = self.held_bytes();
        store.charge(std::mem::replace(&mut self.charged, held), held);
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
