//! Headers of ours, for endpoints that ask for them.

use super::{Addresses, LONGEST_AUTHORITY, TCP_OVER_V4, TCP_OVER_V6, TLV_AUTHORITY, V2_SIGNATURE};
use std::net::{IpAddr, Ipv6Addr};

const V2_LOCAL: u8 = 0x20;
const V2_PROXY: u8 = 0x21;

/// Both addresses in one family; IPv4 in IPv6 (RFC 4291 §2.5.5.2) only where the other end is IPv6.
enum Family {
    V4([[u8; 4]; 2]),
    V6([Ipv6Addr; 2]),
}

impl Family {
    fn of(addresses: &Addresses) -> Self {
        let ends = [addresses.source, addresses.destination].map(|end| end.ip().to_canonical());
        match ends {
            [IpAddr::V4(source), IpAddr::V4(destination)] => {
                Self::V4([source.octets(), destination.octets()])
            }
            ends => Self::V6(ends.map(|ip| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            })),
        }
    }
}

/// Appends a header of version 1; without addresses one that says that they are unknown.
pub fn put_v1(out: &mut Vec<u8>, addresses: Option<Addresses>) {
    let Some(addresses) = addresses else {
        out.extend_from_slice(b"PROXY UNKNOWN\r\n");
        return;
    };
    let (from, to) = (addresses.source.port(), addresses.destination.port());
    let line = match Family::of(&addresses) {
        Family::V4([source, destination]) => {
            let [source, destination] = [source, destination].map(std::net::Ipv4Addr::from);
            format!("PROXY TCP4 {source} {destination} {from} {to}\r\n")
        }
        Family::V6([source, destination]) => format!("PROXY TCP6 {source} {destination} {from} {to}\r\n"),
    };
    out.extend_from_slice(line.as_bytes());
}

/// Appends a header of version 2; without addresses a `LOCAL` one, for connections of our own. An `authority` over
/// [`LONGEST_AUTHORITY`], or without addresses, is left out.
pub fn put_v2(out: &mut Vec<u8>, addresses: Option<Addresses>, authority: Option<&str>) {
    out.extend_from_slice(V2_SIGNATURE);
    let Some(addresses) = addresses else {
        out.extend_from_slice(&[V2_LOCAL, 0, 0, 0]);
        return;
    };
    let authority = authority.filter(|name| name.len() <= LONGEST_AUTHORITY);
    let of_authority = authority.map_or(0, |name| 3 + name.len());
    let mut put_fixed = |family: u8, of_addresses: usize| {
        let length = (of_addresses + of_authority) as u16;
        out.extend_from_slice(&[V2_PROXY, family]);
        out.extend_from_slice(&length.to_be_bytes());
    };
    match Family::of(&addresses) {
        Family::V4(ends) => {
            put_fixed(TCP_OVER_V4, 12);
            out.extend_from_slice(ends.as_flattened());
        }
        Family::V6(ends) => {
            put_fixed(TCP_OVER_V6, 36);
            out.extend_from_slice(ends.map(|ip| ip.octets()).as_flattened());
        }
    }
    out.extend_from_slice(&addresses.source.port().to_be_bytes());
    out.extend_from_slice(&addresses.destination.port().to_be_bytes());
    if let Some(name) = authority {
        out.extend_from_slice(&[TLV_AUTHORITY, 0, name.len() as u8]);
        out.extend_from_slice(name.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Header, LONGEST_V1, read};
    use super::*;

    fn addresses(source: &str, destination: &str) -> Addresses {
        Addresses { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    #[test]
    fn headers_of_ours_are_read_back() {
        for (given, read_back) in [
            (addresses("1.2.3.4:5", "10.0.0.1:443"), None),
            (addresses("[2001:db8::1]:65535", "[::1]:1"), None),
            (
                addresses("[::ffff:1.2.3.4]:5", "[::ffff:10.0.0.1]:443"),
                Some(addresses("1.2.3.4:5", "10.0.0.1:443")),
            ),
            (
                addresses("1.2.3.4:5", "[2001:db8::1]:443"),
                Some(addresses("[::ffff:1.2.3.4]:5", "[2001:db8::1]:443")),
            ),
        ] {
            let addresses = Some(read_back.unwrap_or(given));
            let mut out = Vec::new();
            put_v1(&mut out, Some(given));
            assert_eq!(read(&out), Ok(Some((out.len(), Header { addresses, ..Header::UNKNOWN }))));
            for authority in [None, Some("example.com")] {
                let mut out = Vec::new();
                put_v2(&mut out, Some(given), authority);
                assert_eq!(
                    read(&out),
                    Ok(Some((out.len(), Header { addresses, is_local: false, authority })))
                );
            }
        }
    }

    #[test]
    fn without_addresses_we_speak_for_ourselves() {
        let mut out = Vec::new();
        put_v2(&mut out, None, Some("example.com"));
        assert_eq!(read(&out), Ok(Some((16, Header { is_local: true, ..Header::UNKNOWN }))));
        out.clear();
        put_v1(&mut out, None);
        assert_eq!(read(&out), Ok(Some((out.len(), Header::UNKNOWN))));
    }

    #[test]
    fn the_longest_addresses_stay_below_the_limit_of_version_1() {
        let longest = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
        let mut out = Vec::new();
        put_v1(&mut out, Some(addresses(longest, longest)));
        assert!(out.len() <= LONGEST_V1);
        assert!(read(&out).unwrap().is_some());
    }

    #[test]
    fn the_longest_authority_is_sent_and_a_longer_one_is_left_out() {
        let ends = Some(addresses("1.2.3.4:5", "10.0.0.1:443"));
        for (length, is_sent) in [(LONGEST_AUTHORITY, true), (LONGEST_AUTHORITY + 1, false)] {
            let mut out = Vec::new();
            put_v2(&mut out, ends, Some(&"a".repeat(length)));
            let (_, header) = read(&out).unwrap().unwrap();
            assert_eq!(header.authority.is_some(), is_sent);
        }
    }
}
