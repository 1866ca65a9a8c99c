//! The configured list of headers that may enter a shared HPACK table, in the codec's names. Called when an upstream
//! is opened.

use evenkeel_core::indexed_headers::IndexedHeaders;
use evenkeel_wire::hpack::{Name, NameSet};

/// The names of the headers.
pub(crate) fn names_of(headers: IndexedHeaders) -> NameSet {
    headers.iter().fold(NameSet::of(&[]), |names, header| names.with(Name::of(header.name().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use evenkeel_core::indexed_headers::IndexedHeader;
    use evenkeel_wire::hpack::IndexPolicy;

    #[test]
    fn the_default_list_is_that_of_the_codec() {
        assert_eq!(IndexPolicy::Shared(names_of(IndexedHeaders::default())), IndexPolicy::SHARED);
    }

    #[test]
    fn every_header_that_may_be_in_the_list_is_known_to_the_codec_and_no_secret() {
        for &header in IndexedHeader::ALL {
            let name = Name::of(header.name().as_bytes());
            assert_eq!(name.text(), header.name());
            assert!(!name.is_secret() && !name.is_connection_specific());
            assert!(names_of(IndexedHeaders::NONE.with(header)).has(name));
        }
        assert_eq!(names_of(IndexedHeaders::NONE), NameSet::of(&[]));
    }
}
