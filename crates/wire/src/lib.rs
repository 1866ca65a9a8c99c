//! Bytes to frames and back: HTTP/2 and HPACK, with every limit.
