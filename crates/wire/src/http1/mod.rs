//! HTTP/1.1 messages (RFC 9112) to header lists and back, and their bodies' chunks.
//!
//! A head becomes the [`HeaderList`](crate::hpack::HeaderList) that an HTTP/2 block becomes: pseudo-headers first, names
//! in lower case, nothing of the connection left in it. What belonged to the connection is said beside it, as values. A
//! message that two parsers could read in two ways is refused, and [`HeadError`] says why. Pure: bytes in, values out; the
//! engine keeps the unread bytes and acts on the framing.

mod authority;
mod chunked;
mod ends_here;
mod error;
mod fields;
mod framing;
mod head;
mod octets;
mod reason;
mod request;
mod response;
mod target;
mod trailers;
mod write;

pub use chunked::{
    ChunkError, ChunkedReader, MOST_EXTENSION_BYTES, MOST_EXTENSIONS_BYTES, Part, put_chunk_end,
    put_chunk_header,
};
pub use error::HeadError;
pub use fields::MOST_CONNECTION_OPTIONS;
pub use framing::{Framing, Upgrade};
pub use head::{HeadLimits, Span};
pub use reason::reason_phrase;
pub use request::{RequestLine, Scheme, read_request};
pub use response::{ResponseTo, StatusLine, read_response};
pub use target::TargetForm;
pub use trailers::read_trailers;
pub use write::{RequestOptions, ResponseOptions, Unwritable, put_last_chunk, put_request, put_response};
