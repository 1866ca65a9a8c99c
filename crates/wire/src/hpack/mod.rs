//! HPACK (RFC 7541) for a relay: header blocks are transcoded index to index.
//!
//! A [`Decoder`] turns a block into a [`HeaderList`]. What its peer sends for the first time is a literal of the list's own
//! bytes, decoded once, for the rules and for routing; the bytes it came in are sent on as they were. What the peer uses
//! again by its index is a field of the worker's [`HeaderStore`], where each field is once, and the list has its id; an
//! [`Encoder`] maps the same id to the index of its own table.

mod decoder;
mod decoder_table;
mod encoder;
mod encoder_table;
mod huffman;
mod id;
mod integer;
mod list;
mod name;
mod static_table;
mod store;

pub use decoder::{DecodeError, Decoder, HeaderLimits};
pub use encoder::{Encoder, IndexPolicy};
pub use id::{HeaderId, STATIC_LEN};
pub use list::{Field, FieldForm, HeaderList};
pub use name::{Name, NameSet};
pub use static_table::static_id;
pub use store::HeaderStore;

/// Huffman coding of strings (RFC 7541 §5.2), for the fuzz targets and the tests.
pub mod strings {
    pub use super::huffman::{decode, encode};
}
