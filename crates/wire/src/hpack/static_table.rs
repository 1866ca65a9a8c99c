//! The static table (RFC 7541 Appendix A). Its indices are the first ids of every [`HeaderStore`](super::HeaderStore).

use super::id::{HeaderId, STATIC_LEN};
use super::name::Name;

/// Name and value of index 1 and on.
pub(super) const TABLE: [(&str, &str); STATIC_LEN] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// The static index whose name this is, for literals of ours; `None` where the name has no entry.
pub(super) const fn name_index(name: Name) -> Option<usize> {
    Some(match name {
        Name::Authority => 1,
        Name::Method => 2,
        Name::Path => 4,
        Name::Scheme => 6,
        Name::Status => 8,
        Name::AcceptEncoding => 16,
        Name::AcceptLanguage => 17,
        Name::Accept => 19,
        Name::Authorization => 23,
        Name::CacheControl => 24,
        Name::ContentEncoding => 26,
        Name::ContentLength => 28,
        Name::ContentType => 31,
        Name::Cookie => 32,
        Name::Date => 33,
        Name::Expect => 35,
        Name::Host => 38,
        Name::ProxyAuthorization => 49,
        Name::Server => 54,
        Name::SetCookie => 55,
        Name::TransferEncoding => 57,
        Name::UserAgent => 58,
        _ => return None,
    })
}

/// The id of a pseudo-header that the table has with its value.
pub(super) const fn pseudo_id(name: Name, value: &[u8]) -> Option<HeaderId> {
    Some(HeaderId::of_static(match (name, value) {
        (Name::Method, b"GET") => 2,
        (Name::Method, b"POST") => 3,
        (Name::Path, b"/") => 4,
        (Name::Path, b"/index.html") => 5,
        (Name::Scheme, b"http") => 6,
        (Name::Scheme, b"https") => 7,
        (Name::Status, b"200") => 8,
        (Name::Status, b"204") => 9,
        (Name::Status, b"206") => 10,
        (Name::Status, b"304") => 11,
        (Name::Status, b"400") => 12,
        (Name::Status, b"404") => 13,
        (Name::Status, b"500") => 14,
        _ => return None,
    }))
}

/// The id of a static field, where the table has exactly this name and value.
#[must_use]
pub fn static_id(name: &str, value: &str) -> Option<HeaderId> {
    TABLE.iter().position(|entry| *entry == (name, value)).map(|i| HeaderId::of_static(i + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pseudo_header_of_the_table_is_found_with_its_value_and_no_other() {
        for (name, value) in TABLE.into_iter().filter(|(_, value)| !value.is_empty()) {
            let known = Name::of(name.as_bytes());
            let expected = static_id(name, value).filter(|_| known.is_pseudo());
            assert_eq!(pseudo_id(known, value.as_bytes()), expected, "{name}: {value}");
        }
        assert_eq!(pseudo_id(Name::Method, b"get"), None);
    }

    #[test]
    fn each_name_index_leads_to_its_name() {
        for (name, _) in TABLE {
            let known = Name::of(name.as_bytes());
            if let Some(index) = name_index(known) {
                assert_eq!(TABLE[index - 1].0, known.text());
            }
        }
        assert_eq!(TABLE.iter().filter(|(n, _)| name_index(Name::of(n.as_bytes())).is_some()).count(), 31);
    }
}
