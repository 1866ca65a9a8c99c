//! Header blocks to lists (RFC 7541 §3.2, §6).

use super::decoder_table::{DecoderTable, Own, TABLE_SIZE, TableEntry};
use super::huffman::{self, HasRareBytes};
use super::integer;
use super::list::{HeaderList, Literal};
use super::name::Name;
use super::store::{ENTRY_OVERHEAD, HeaderStore, MOST_INDEXED};

/// Why a block cannot be decoded. Each is a connection error of type COMPRESSION_ERROR (RFC 9113 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The block ends inside a field.
    #[error("the block ends inside a field")]
    Truncated,
    /// An integer of more than five octets.
    #[error("an integer of more than five octets")]
    Integer,
    /// A string that is not a Huffman coding.
    #[error("a wrong Huffman coding")]
    Huffman,
    /// An index that neither table has.
    #[error("an index beyond the tables")]
    Index,
    /// A table size update after a field, a third one, or one above what we announced.
    #[error("a table size update that is not allowed here")]
    SizeUpdate,
}

/// Limits of what a peer may send as headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderLimits {
    /// Decoded bytes of one list (names, values, 32 a field); what lies beyond is not kept, and the list is marked.
    pub list_bytes: usize,
    /// Encoded bytes of one block over all its frames.
    pub block_bytes: usize,
    /// Frames of one block.
    pub block_frames: u32,
}

impl Default for HeaderLimits {
    /// 64 KiB decoded, 64 KiB encoded, 32 frames.
    fn default() -> Self {
        Self { list_bytes: 64 * 1024, block_bytes: 64 * 1024, block_frames: 32 }
    }
}

/// The decoding side of one connection.
#[derive(Debug)]
pub struct Decoder {
    table: DecoderTable,
    /// Largest table that the peer may use.
    limit: u16,
    /// The next block has to begin with a table size update.
    owes_update: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { table: DecoderTable::default(), limit: TABLE_SIZE as u16, owes_update: false }
    }
}

impl Decoder {
    /// Appends the fields of a whole block to `list`. A list larger than the limit is marked as truncated, and the
    /// table is kept right all the same.
    ///
    /// # Errors
    /// After an error the table is not that of the peer any more: the connection must end.
    pub fn decode(
        &mut self,
        block: &[u8],
        limits: &HeaderLimits,
        store: &mut HeaderStore,
        list: &mut HeaderList,
    ) -> Result<(), DecodeError> {
        let mut rest = block;
        let mut updates_left = 2;
        if self.owes_update && block.first().is_some_and(|b| b & 0xe0 != 0x20) {
            return Err(DecodeError::SizeUpdate);
        }
        self.owes_update &= block.is_empty();
        while let Some(&first) = rest.first() {
            if first & 0x80 != 0 {
                updates_left = 0;
                let index = take_integer(&mut rest, 7)?;
                self.indexed(index, limits, store, list)?;
            } else if first & 0x40 != 0 {
                updates_left = 0;
                self.literal(&mut rest, 6, Indexing::Add, limits, store, list)?;
            } else if first & 0x20 != 0 {
                let size = take_integer(&mut rest, 5)?;
                if updates_left == 0 || size > usize::from(self.limit) {
                    return Err(DecodeError::SizeUpdate);
                }
                updates_left -= 1;
                self.table.resize(size, store);
            } else {
                updates_left = 0;
                let indexing = if first & 0x10 != 0 { Indexing::Never } else { Indexing::Without };
                self.literal(&mut rest, 4, indexing, limits, store, list)?;
            }
        }
        list.charge(store);
        Ok(())
    }

    fn indexed(
        &mut self,
        index: usize,
        limits: &HeaderLimits,
        store: &mut HeaderStore,
        list: &mut HeaderList,
    ) -> Result<(), DecodeError> {
        match self.table.get(index).ok_or(DecodeError::Index)? {
            TableEntry::Stored(id) => {
                list.push_stored_within(id, limits.list_bytes, store);
            }
            TableEntry::Own(own) => {
                if list.admit(own.size(), limits.list_bytes) {
                    self.second_use(index, &own, store, list);
                }
            }
        }
        Ok(())
    }

    /// A field that the peer speaks of again will come again: it moves to the store, where other connections' tables can
    /// have it too. What never enters another table is copied instead.
    fn second_use(&mut self, index: usize, own: &Own, store: &mut HeaderStore, list: &mut HeaderList) {
        if !own.name.is_secret()
            && own.size() <= MOST_INDEXED
            && let Some(id) = self.table.store_entry(index, own, store)
        {
            list.push_stored(id, store);
            return;
        }
        let (other_name, value) = self.table.parts(own);
        let bytes = list.bytes();
        let start = bytes.len();
        bytes.extend_from_slice(other_name);
        bytes.extend_from_slice(value);
        list.push_literal(Literal {
            name: own.name,
            start,
            name_len: other_name.len(),
            coded: None,
            is_valid: own.is_valid,
            is_sensitive: false,
            is_indexed: true,
        });
    }

    /// A literal is put together at the end of the list's bytes, and stays there if the list has room for it.
    fn literal(
        &mut self,
        rest: &mut &[u8],
        prefix_bits: u32,
        indexing: Indexing,
        limits: &HeaderLimits,
        store: &mut HeaderStore,
        list: &mut HeaderList,
    ) -> Result<(), DecodeError> {
        let start = list.bytes().len();
        let (name, is_name_valid) = match take_integer(rest, prefix_bits)? {
            0 => {
                let (is_huffman, coded) = take_string(rest)?;
                unpack(is_huffman, coded, list.bytes())?;
                let bytes = &list.bytes()[start..];
                match Name::of(bytes) {
                    Name::Other => (Name::Other, is_valid_name(bytes)),
                    known => {
                        list.bytes().truncate(start);
                        (known, true)
                    }
                }
            }
            index => {
                let entry = self.table.get(index).ok_or(DecodeError::Index)?;
                let (name, bytes, is_valid) = match &entry {
                    TableEntry::Stored(id) => (store.name(*id), store.other_name(*id), store.is_valid(*id)),
                    TableEntry::Own(own) => (own.name, self.table.parts(own).0, own.is_valid),
                };
                list.bytes().extend_from_slice(bytes);
                (name, is_valid || name != Name::Other || is_valid_name(bytes))
            }
        };
        let name_len = list.bytes().len() - start;
        let (is_huffman, coded) = take_string(rest)?;
        let has_rare = unpack(is_huffman, coded, list.bytes())?;
        let (other_name, value) = list.bytes()[start..].split_at(name_len);
        let is_valid = is_name_valid && is_valid_value(value, has_rare);
        let size = name.text().len() + name_len + value.len() + ENTRY_OVERHEAD;
        if indexing == Indexing::Add {
            self.table.add(name, other_name, value, is_valid, store);
        }
        if list.admit(size, limits.list_bytes) {
            list.push_literal(Literal {
                name,
                start,
                name_len,
                coded: is_huffman.then_some(coded),
                is_valid,
                is_sensitive: indexing == Indexing::Never,
                is_indexed: indexing == Indexing::Add,
            });
        } else {
            list.bytes().truncate(start);
        }
        Ok(())
    }

    /// The peer has acknowledged this SETTINGS_HEADER_TABLE_SIZE of ours, at most the protocol's default: its next
    /// block has to announce a table of this size or less, if it had a larger one (RFC 9113 §4.3.1).
    pub fn set_limit(&mut self, limit: usize, store: &mut HeaderStore) {
        let limit = limit.min(TABLE_SIZE);
        self.limit = limit as u16;
        if self.table.most() > limit {
            self.owes_update = true;
            self.table.resize(limit, store);
        }
    }

    /// Gives back memory that is not in use, for a connection at rest. The table stays as the peer knows it.
    pub fn shrink(&mut self, store: &mut HeaderStore) {
        self.table.shrink(store);
    }

    /// Gives back all that the table owns, at the end of the connection.
    pub fn clear(&mut self, store: &mut HeaderStore) {
        self.table.clear(store);
    }

    /// Memory of the table, and of its fields in the store, which others may own too.
    #[must_use]
    pub fn owned_bytes(&self, store: &HeaderStore) -> usize {
        self.table.owned_bytes(store)
    }

    /// Memory of the table beside the store.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.table.held_bytes()
    }

    /// Name and value at an index, for tests that hold the table against another decoder's.
    #[must_use]
    pub fn entry<'a>(&'a self, index: usize, store: &'a HeaderStore) -> Option<(&'a [u8], &'a [u8])> {
        Some(match self.table.get(index)? {
            TableEntry::Stored(id) => (store.name_bytes(id), store.value(id)),
            TableEntry::Own(own) => {
                let (other_name, value) = self.table.parts(&own);
                (if own.name == Name::Other { other_name } else { own.name.text().as_bytes() }, value)
            }
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Indexing {
    Add,
    Without,
    Never,
}

fn take_integer(rest: &mut &[u8], prefix_bits: u32) -> Result<usize, DecodeError> {
    integer::decode(rest, prefix_bits).map_err(|_| DecodeError::Integer)
}

fn take_string<'a>(rest: &mut &'a [u8]) -> Result<(bool, &'a [u8]), DecodeError> {
    let is_huffman = rest.first().ok_or(DecodeError::Truncated)? & 0x80 != 0;
    let length = take_integer(rest, 7)?;
    let (string, after) = rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
    *rest = after;
    Ok((is_huffman, string))
}

/// Appends a string's bytes; says whether some of them may be forbidden in values.
fn unpack(is_huffman: bool, bytes: &[u8], out: &mut Vec<u8>) -> Result<HasRareBytes, DecodeError> {
    if is_huffman {
        huffman::decode_value(bytes, out).map_err(|_| DecodeError::Huffman)
    } else {
        out.extend_from_slice(bytes);
        Ok(HasRareBytes(true))
    }
}

/// Bytes that a name may have (RFC 9113 §8.2.1): `tchar` of RFC 9110 §5.6.2 but upper case.
const IS_NAME_BYTE: [bool; 256] = {
    const SIGNS: &[u8] = b"!#$%&'*+-.^_`|~";
    let (mut out, mut b, mut i) = ([false; 256], 0u8, 0);
    while b < 128 {
        out[b as usize] = b.is_ascii_lowercase() || b.is_ascii_digit();
        b += 1;
    }
    while i < SIGNS.len() {
        out[SIGNS[i] as usize] = true;
        i += 1;
    }
    out
};

/// Name bytes only, and no colon but a pseudo-header's first; unknown pseudo-headers are the engine's to refuse.
fn is_valid_name(name: &[u8]) -> bool {
    let rest = name.strip_prefix(b":").unwrap_or(name);
    !rest.is_empty() && rest.iter().all(|&b| IS_NAME_BYTE[usize::from(b)])
}

/// No NUL, CR or LF, which are rare bytes, and no space at either end (RFC 9113 §8.2.1).
fn is_valid_value(value: &[u8], HasRareBytes(has_rare): HasRareBytes) -> bool {
    let is_space = |b: Option<&u8>| matches!(b, Some(b' ' | b'\t'));
    let is_forbidden = |b: u8| matches!(b, 0 | b'\r' | b'\n');
    if is_space(value.first()) || is_space(value.last()) {
        return false;
    }
    // All bytes are looked at, whatever they are: so the compiler makes wide comparisons of it.
    !has_rare || !value.iter().fold(false, |bad, &b| bad | is_forbidden(b))
}

#[cfg(test)]
mod tests {
    use super::super::Name;
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: String = text.split_whitespace().collect();
        (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap()).collect()
    }

    struct Bench {
        decoder: Decoder,
        store: HeaderStore,
        limits: HeaderLimits,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                decoder: Decoder::default(),
                store: HeaderStore::new((3, 4), 1 << 20),
                limits: HeaderLimits::default(),
            }
        }

        fn decode(&mut self, block: &[u8]) -> Result<Vec<(String, String)>, DecodeError> {
            let mut list = HeaderList::default();
            let result = self.decoder.decode(block, &self.limits, &mut self.store, &mut list);
            let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
            let fields = list
                .fields()
                .iter()
                .map(|f| (text(list.name_bytes(f, &self.store)), text(list.value(f, &self.store))))
                .collect();
            list.clear(&mut self.store);
            result.map(|()| fields)
        }
    }

    fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_rfcs_three_requests_decode_with_and_without_huffman() {
        let plain = [
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ];
        let coded = [
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ];
        for blocks in [plain, coded] {
            let mut bench = Bench::new();
            let base =
                [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
            assert_eq!(bench.decode(&hex(blocks[0])).unwrap(), pairs(&base));
            let mut second = base.to_vec();
            second.push(("cache-control", "no-cache"));
            assert_eq!(bench.decode(&hex(blocks[1])).unwrap(), pairs(&second));
            let third = [
                (":method", "GET"),
                (":scheme", "https"),
                (":path", "/index.html"),
                (":authority", "www.example.com"),
                ("custom-key", "custom-value"),
            ];
            assert_eq!(bench.decode(&hex(blocks[2])).unwrap(), pairs(&third));
            let newest = bench.decoder.entry(62, &bench.store).unwrap();
            assert_eq!(newest, (&b"custom-key"[..], &b"custom-value"[..]));
            bench.decoder.clear(&mut bench.store);
            assert_eq!(bench.store.owned_fields(), 0);
        }
    }

    #[test]
    fn a_field_evicted_inside_its_own_block_still_means_itself() {
        // A table of 40 bytes holds one small field: index 62 is used, then pushed out by the next literal.
        let mut bench = Bench::new();
        let first = hex("3f09 4001 6101 31");
        assert_eq!(bench.decode(&first).unwrap(), pairs(&[("a", "1")]));
        let second = hex("be 4001 6201 32");
        assert_eq!(bench.decode(&second).unwrap(), pairs(&[("a", "1"), ("b", "2")]));
    }

    #[test]
    fn a_list_beyond_the_limit_is_marked_and_the_table_stays_right() {
        let mut bench = Bench::new();
        bench.limits.list_bytes = 34;
        let mut list = HeaderList::default();
        let block = hex("4001 6101 31 4001 6201 32");
        bench.decoder.decode(&block, &bench.limits, &mut bench.store, &mut list).unwrap();
        assert!(list.is_truncated());
        assert_eq!(list.fields().len(), 1);
        list.clear(&mut bench.store);
        assert_eq!(bench.decode(&hex("be")).unwrap(), pairs(&[("b", "2")]), "exactly 34 bytes pass");
    }

    #[test]
    fn a_table_that_was_taken_from_the_peer_is_gone_at_once_and_its_next_block_says_so() {
        let filled = || {
            let mut bench = Bench::new();
            bench.decode(&hex("4001 6101 31")).unwrap();
            assert!(bench.decoder.held_bytes() > 0);
            bench
        };
        let mut bench = filled();
        bench.decoder.set_limit(0, &mut bench.store);
        assert_eq!((bench.decoder.held_bytes(), bench.store.charged_bytes()), (0, 0));
        assert_eq!(bench.decode(&hex("82")), Err(DecodeError::SizeUpdate));
        let mut bench = filled();
        bench.decoder.set_limit(64, &mut bench.store);
        assert_eq!(bench.decode(&hex("3f22")), Err(DecodeError::SizeUpdate), "65 is one too many");
        let mut bench = filled();
        bench.decoder.set_limit(64, &mut bench.store);
        assert_eq!(bench.decode(&hex("3f21 be")).unwrap(), pairs(&[("a", "1")]), "64 is allowed");
        assert_eq!(bench.decode(&hex("be")).unwrap(), pairs(&[("a", "1")]), "said once is enough");
    }

    #[test]
    fn memory_of_tables_and_lists_is_known_to_the_store_until_they_are_cleared() {
        let (mut bench, mut list) = (Bench::new(), HeaderList::default());
        let block = hex("4001 6101 31 be 0001 6201 32 82");
        bench.decoder.decode(&block, &bench.limits, &mut bench.store, &mut list).unwrap();
        assert_eq!(list.fields().len(), 4);
        let (tables, lists) = (bench.decoder.owned_bytes(&bench.store), list.owned_bytes(&bench.store));
        // The field that was used by its index has two owners.
        assert_eq!(bench.store.charged_bytes(), tables + lists - bench.store.owned_bytes());
        assert!(bench.store.owned_bytes() > 0);
        bench.decoder.shrink(&mut bench.store);
        list.clear(&mut bench.store);
        assert_eq!(bench.store.charged_bytes(), bench.decoder.owned_bytes(&bench.store));
        bench.decoder.clear(&mut bench.store);
        assert_eq!((bench.store.charged_bytes(), bench.decoder.held_bytes()), (0, 0));
    }

    #[test]
    fn each_fault_is_refused_by_its_name() {
        for (block, error) in [
            ("80", DecodeError::Index),
            ("be", DecodeError::Index),
            ("40", DecodeError::Truncated),
            ("4003 61", DecodeError::Truncated),
            ("ff80 8080 8080 01", DecodeError::Integer),
            ("0001 6181 00", DecodeError::Huffman),
            ("8220", DecodeError::SizeUpdate),
            ("20 20 20", DecodeError::SizeUpdate),
            ("3fe2 1f", DecodeError::SizeUpdate),
        ] {
            assert_eq!(Bench::new().decode(&hex(block)), Err(error), "{block}");
        }
        assert!(Bench::new().decode(&hex("3fe1 1f")).is_ok(), "4096 is allowed");
    }

    #[test]
    fn names_and_values_that_the_protocol_forbids_are_marked() {
        let cases = [
            (&b"x-a"[..], &b"ok"[..], true),
            (b"X-a", b"ok", false),
            (b"x a", b"ok", false),
            (b"", b"ok", false),
            (b"x:a", b"ok", false),
            (b"x-a", b" ok", false),
            (b"x-a", b"o\nk", false),
            (b"x-a", b"o\0k", false),
            (b"x-a", b"0123456789012345678901234567890123456789\r0123456789", false),
            (b"x-a", b"ok\t", false),
            (b"x-a", b"{~\xff", true),
            (b"x-a", b"", true),
        ];
        for ((name, value, valid), is_coded) in cases.iter().flat_map(|case| [(*case, false), (*case, true)])
        {
            let mut block = vec![0x00, name.len() as u8];
            block.extend_from_slice(name);
            if is_coded {
                let mut coded = Vec::new();
                huffman::encode(value, &mut coded);
                block.push(0x80 | coded.len() as u8);
                block.extend_from_slice(&coded);
            } else {
                block.push(value.len() as u8);
                block.extend_from_slice(value);
            }
            let (mut bench, mut list) = (Bench::new(), HeaderList::default());
            bench.decoder.decode(&block, &bench.limits, &mut bench.store, &mut list).unwrap();
            assert_eq!(list.fields()[0].is_valid, valid, "{name:?} {value:?}");
            assert_eq!(list.fields()[0].name, Name::Other);
        }
    }
}
