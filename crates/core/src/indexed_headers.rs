//! Which headers may enter an HPACK table that clients share: plain values, filled in by `config`, obeyed by the engine.
//!
//! A header that is in such a table costs one byte when it comes again, and lets one client find out by the length of its
//! own requests what another sent (RFC 7541 §7.1). Secrets have no variant here, so no configuration can let them in.

macro_rules! indexed_headers {
    ($($variant:ident = $name:literal;)*) => {
        /// A header of requests that may be in the list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum IndexedHeader { $(#[doc = $name] $variant,)* }

        impl IndexedHeader {
            /// Every header that may be in the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name, in lower case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

indexed_headers! {
    Authority = ":authority";
    Method = ":method";
    Path = ":path";
    Scheme = ":scheme";
    Accept = "accept";
    AcceptEncoding = "accept-encoding";
    AcceptLanguage = "accept-language";
    CacheControl = "cache-control";
    ContentEncoding = "content-encoding";
    ContentLength = "content-length";
    ContentType = "content-type";
    GrpcAcceptEncoding = "grpc-accept-encoding";
    GrpcEncoding = "grpc-encoding";
    GrpcTimeout = "grpc-timeout";
    Te = "te";
    UserAgent = "user-agent";
}

/// A set of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexedHeaders(u32);

impl IndexedHeaders {
    /// None of them: a shared table stays empty.
    pub const NONE: Self = Self(0);

    /// These and one more.
    #[must_use]
    pub const fn with(self, header: IndexedHeader) -> Self {
        Self(self.0 | 1 << header as u32)
    }

    /// Those of the set, in the order of [`IndexedHeader::ALL`].
    pub fn iter(self) -> impl Iterator<Item = IndexedHeader> {
        IndexedHeader::ALL.iter().copied().filter(move |header| self.0 & (1 << *header as u32) != 0)
    }
}

impl FromIterator<IndexedHeader> for IndexedHeaders {
    fn from_iter<I: IntoIterator<Item = IndexedHeader>>(headers: I) -> Self {
        headers.into_iter().fold(Self::NONE, Self::with)
    }
}

impl Default for IndexedHeaders {
    /// Names that say nothing of a person and repeat from request to request.
    fn default() -> Self {
        use IndexedHeader::{
            Accept, AcceptEncoding, Authority, ContentEncoding, ContentType, GrpcAcceptEncoding,
            GrpcEncoding, Method, Path, Scheme, Te, UserAgent,
        };
        [
            Authority,
            Method,
            Path,
            Scheme,
            Accept,
            AcceptEncoding,
            ContentType,
            ContentEncoding,
            GrpcAcceptEncoding,
            GrpcEncoding,
            Te,
            UserAgent,
        ]
        .into_iter()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_exactly_what_was_put_in() {
        for &header in IndexedHeader::ALL {
            assert_eq!(IndexedHeaders::NONE.with(header).iter().collect::<Vec<_>>(), [header]);
        }
        let all: IndexedHeaders = IndexedHeader::ALL.iter().copied().collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), IndexedHeader::ALL);
        assert_eq!(IndexedHeaders::NONE.iter().count(), 0);
    }
}
