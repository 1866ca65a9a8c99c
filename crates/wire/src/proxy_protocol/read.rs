//! Headers of others, strictly: what two readers could take in two ways is refused.

use super::checksum::crc32c;
use super::{
    Addresses, Header, LONGEST_AUTHORITY, LONGEST_V1, LONGEST_V2, TCP_OVER_V4, TCP_OVER_V6, TLV_AUTHORITY,
    V2_FIXED, V2_SIGNATURE,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const V1_START: &[u8; 6] = b"PROXY ";
const TLV_CRC32C: u8 = 3;

/// Why a header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// The bytes are no header of either version.
    #[error("no header of the PROXY protocol")]
    NotProxy,
    /// Longer than [`LONGEST_V1`] or [`LONGEST_V2`].
    #[error("a header of the PROXY protocol that is too long")]
    TooLong,
    /// A line of version 1 that its grammar does not have.
    #[error("a malformed line of the PROXY protocol")]
    Line,
    /// A version, command or family that there is not.
    #[error("an unknown version, command or family of the PROXY protocol")]
    Unknown,
    /// Less than the addresses of its family need.
    #[error("a header of the PROXY protocol without room for its addresses")]
    TooShort,
    /// An additional value that is longer than the header, comes twice, or is not what its type says.
    #[error("a malformed value in a header of the PROXY protocol")]
    Value,
    /// The checksum does not match.
    #[error("a header of the PROXY protocol with a wrong checksum")]
    Checksum,
}

/// The header that `input`, all that came so far of a connection, begins with, and its length; `None` if more has to come.
///
/// Never asks for more than [`LONGEST_V2`] bytes.
///
/// # Errors
/// Something else, or a header that its version does not allow.
pub fn read(input: &[u8]) -> Result<Option<(usize, Header<'_>)>, Fault> {
    if is_start(input, V1_START) {
        return read_v1(input);
    }
    if is_start(input, V2_SIGNATURE) {
        return read_v2(input);
    }
    Err(Fault::NotProxy)
}

/// Whether one of the two begins with the other.
fn is_start(input: &[u8], start: &[u8]) -> bool {
    input.iter().zip(start).all(|(a, b)| a == b)
}

fn read_v1(input: &[u8]) -> Result<Option<(usize, Header<'_>)>, Fault> {
    let most = &input[..input.len().min(LONGEST_V1)];
    let Some(end) = memchr::memchr(b'\n', most) else {
        return if most.len() < LONGEST_V1 { Ok(None) } else { Err(Fault::TooLong) };
    };
    let line =
        most[..end].strip_suffix(b"\r").and_then(|line| str::from_utf8(line).ok()).ok_or(Fault::Line)?;
    let rest = &line[V1_START.len().min(line.len())..];
    let header = match rest.split_once(' ').unwrap_or((rest, "")) {
        // Whatever stands behind it (§2.1).
        ("UNKNOWN", _) if !rest.contains('\r') => Header::UNKNOWN,
        ("TCP4", ends) => v1_header(ends, |ip| ip.parse::<Ipv4Addr>().ok().map(IpAddr::V4))?,
        ("TCP6", ends) => v1_header(ends, |ip| ip.parse::<Ipv6Addr>().ok().map(IpAddr::V6))?,
        _ => return Err(Fault::Line),
    };
    Ok(Some((end + 1, header)))
}

fn v1_header(ends: &str, ip: impl Fn(&str) -> Option<IpAddr>) -> Result<Header<'static>, Fault> {
    let mut words = ends.split(' ');
    let mut next = || words.next().ok_or(Fault::Line);
    let [source, destination, from, to] = [next()?, next()?, next()?, next()?];
    if words.next().is_some() {
        return Err(Fault::Line);
    }
    let end = |address, of| Some(SocketAddr::new(ip(address)?, port(of)?));
    let source = end(source, from).ok_or(Fault::Line)?;
    let destination = end(destination, to).ok_or(Fault::Line)?;
    Ok(Header { addresses: Some(Addresses { source, destination }), ..Header::UNKNOWN })
}

/// Digits alone, and no zero before them (§2.1).
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

fn read_v2(input: &[u8]) -> Result<Option<(usize, Header<'_>)>, Fault> {
    let Some(&[version_and_command, family, high, low]) =
        input.get(V2_SIGNATURE.len()..V2_FIXED).and_then(<[u8]>::first_chunk)
    else {
        return Ok(None);
    };
    let is_local = match version_and_command {
        0x20 => true,
        0x21 => false,
        _ => return Err(Fault::Unknown),
    };
    let whole = V2_FIXED + usize::from(u16::from_be_bytes([high, low]));
    if whole > LONGEST_V2 {
        return Err(Fault::TooLong);
    }
    let Some(header) = input.get(..whole) else { return Ok(None) };
    if is_local {
        // Family and block mean nothing then (§2.2).
        return Ok(Some((whole, Header { is_local, ..Header::UNKNOWN })));
    }
    let block = &header[V2_FIXED..];
    let (addresses, length) = match family {
        0 => return Ok(Some((whole, Header::UNKNOWN))),
        TCP_OVER_V4 => (v4(block), 12),
        TCP_OVER_V6 => (v6(block), 36),
        // Datagrams and sockets of Unix are known, but their addresses are none of TCP (§2.2).
        0x12 => (None, 12),
        0x22 => (None, 36),
        0x31 | 0x32 => (None, 216),
        _ => return Err(Fault::Unknown),
    };
    let values = block.get(length..).ok_or(Fault::TooShort)?;
    let authority = read_values(header, values)?;
    Ok(Some((whole, Header { addresses, is_local, authority })))
}

fn v4(block: &[u8]) -> Option<Addresses> {
    let &[a, b, c, d, e, f, g, h, i, j, k, l] = block.first_chunk()?;
    let end = |ip: [u8; 4], port| SocketAddr::from((ip, u16::from_be_bytes(port)));
    Some(Addresses { source: end([a, b, c, d], [i, j]), destination: end([e, f, g, h], [k, l]) })
}

fn v6(block: &[u8]) -> Option<Addresses> {
    let (source, rest) = block.split_first_chunk::<16>()?;
    let (destination, rest) = rest.split_first_chunk::<16>()?;
    let &[i, j, k, l] = rest.first_chunk()?;
    let end = |ip: [u8; 16], port| SocketAddr::from((ip, u16::from_be_bytes(port)));
    Some(Addresses { source: end(*source, [i, j]), destination: end(*destination, [k, l]) })
}

/// The authority among the values behind the addresses; the checksum is checked, everything else passed over.
fn read_values<'a>(header: &[u8], values: &'a [u8]) -> Result<Option<&'a str>, Fault> {
    let (mut rest, mut authority, mut is_checked) = (values, None, false);
    while !rest.is_empty() {
        let (&[kind, high, low], after) = rest.split_first_chunk().ok_or(Fault::Value)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, after) = after.split_at_checked(length).ok_or(Fault::Value)?;
        match kind {
            TLV_AUTHORITY if authority.is_some() || length > LONGEST_AUTHORITY => return Err(Fault::Value),
            TLV_AUTHORITY => authority = Some(str::from_utf8(value).map_err(|_| Fault::Value)?),
            TLV_CRC32C if is_checked => return Err(Fault::Value),
            TLV_CRC32C => {
                let said = *value.first_chunk().filter(|_| length == 4).ok_or(Fault::Value)?;
                let at = header.len() - after.len() - 4;
                // It is made over the header with zeros in its own place (§2.2.3).
                let octets =
                    header.iter().enumerate().map(|(n, &b)| if (at..at + 4).contains(&n) { 0 } else { b });
                if crc32c(octets) != u32::from_be_bytes(said) {
                    return Err(Fault::Checksum);
                }
                is_checked = true;
            }
            _ => {}
        }
        rest = after;
    }
    Ok(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(rest: &[u8]) -> Vec<u8> {
        [&V2_SIGNATURE[..], rest].concat()
    }

    /// A header for 1.2.3.4:5 to 6.7.8.9:10 with these values.
    fn with_values(values: &[u8]) -> Vec<u8> {
        let length = (12 + values.len()) as u16;
        let [high, low] = length.to_be_bytes();
        v2(&[&[0x21, 0x11, high, low, 1, 2, 3, 4, 6, 7, 8, 9, 0, 5, 0, 10], values].concat())
    }

    fn ends(source: &str, destination: &str) -> Header<'static> {
        let addresses =
            Some(Addresses { source: source.parse().unwrap(), destination: destination.parse().unwrap() });
        Header { addresses, ..Header::UNKNOWN }
    }

    /// Reads with more bytes behind, and at every cut before.
    fn whole(header: &[u8]) -> Header<'_> {
        for cut in 0..header.len() {
            assert_eq!(read(&header[..cut]), Ok(None), "{cut}");
        }
        let more = [header, b"\x16\x03"].concat();
        assert_eq!(read(&more).unwrap().unwrap().0, header.len());
        read(header).unwrap().unwrap().1
    }

    #[test]
    fn lines_of_version_1_are_read() {
        assert_eq!(
            whole(b"PROXY TCP4 255.255.255.255 10.0.0.1 65535 0\r\n"),
            ends("255.255.255.255:65535", "10.0.0.1:0")
        );
        assert_eq!(
            whole(b"PROXY TCP6 2001:DB8::1 ::1 56324 443\r\n"),
            ends("[2001:db8::1]:56324", "[::1]:443")
        );
        for unknown in
            [&b"PROXY UNKNOWN\r\n"[..], b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"]
        {
            assert_eq!(whole(unknown), Header::UNKNOWN);
        }
    }

    #[test]
    fn what_the_grammar_of_version_1_does_not_have_is_refused() {
        for line in [
            "PROXY \r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
            "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
            "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
            "PROXY TCP6 ::1%1 ::1 1 2\r\n",
            "PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n",
            "PROXY UNKNOWNX\r\n",
            "PROXY UNKNOWN \r x\r\n",
        ] {
            assert_eq!(read(line.as_bytes()), Err(Fault::Line), "{line:?}");
        }
    }

    #[test]
    fn other_first_bytes_are_refused_at_once() {
        for bytes in [&b"GET"[..], b"PROXX", b"PROXY\r", b"\r\n\r\n\r", b"\x16", b"proxy "] {
            assert_eq!(read(bytes), Err(Fault::NotProxy), "{bytes:?}");
        }
        assert_eq!(read(b""), Ok(None));
    }

    #[test]
    fn a_line_of_107_bytes_is_read_and_one_more_is_too_long() {
        let line = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
        assert_eq!(whole(line(LONGEST_V1).as_bytes()), Header::UNKNOWN);
        assert_eq!(read(line(LONGEST_V1 + 1).as_bytes()), Err(Fault::TooLong));
    }

    #[test]
    fn headers_of_version_2_are_read() {
        assert_eq!(whole(&with_values(b"")), ends("1.2.3.4:5", "6.7.8.9:10"));
        let mut block = vec![0x21, 0x21, 0, 36];
        block.extend((1..=32).chain([0, 5, 1, 0]));
        assert_eq!(
            whole(&v2(&block)),
            ends("[102:304:506:708:90a:b0c:d0e:f10]:5", "[1112:1314:1516:1718:191a:1b1c:1d1e:1f20]:256")
        );
        // Of ourselves, whatever the block says; unspecified; datagrams; a socket of Unix.
        assert_eq!(whole(&v2(&[0x20, 0x99, 0, 2, 7, 7])), Header { is_local: true, ..Header::UNKNOWN });
        assert_eq!(whole(&v2(&[0x21, 0, 0, 1, 7])), Header::UNKNOWN);
        assert_eq!(whole(&v2(&[&[0x21, 0x12, 0, 12][..], &[0; 12]].concat())), Header::UNKNOWN);
        assert_eq!(whole(&v2(&[&[0x21, 0x31, 0, 216][..], &[0; 216]].concat())), Header::UNKNOWN);
    }

    #[test]
    fn the_authority_is_taken_and_other_values_are_passed_over() {
        let values = with_values(b"\x01\0\x02h2\x20\0\x05\x01\0\0\0\0\x02\0\x0bexample.com\x04\0\0");
        let header = whole(&values);
        assert_eq!(header.authority, Some("example.com"));
        assert_eq!(header.addresses, ends("1.2.3.4:5", "6.7.8.9:10").addresses);
    }

    #[test]
    fn a_checksum_is_checked() {
        let mut header = with_values(b"\x02\0\x01a\x03\0\x04\0\0\0\0\x04\0\x01x");
        let sum = crc32c(header.iter().copied());
        let at = header.len() - 8;
        header[at..at + 4].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(whole(&header).authority, Some("a"));
        for n in [16, 31, at, header.len() - 1] {
            let mut wrong = header.clone();
            wrong[n] ^= 1;
            assert_eq!(read(&wrong), Err(Fault::Checksum), "{n}");
        }
    }

    #[test]
    fn headers_of_version_2_that_say_too_little_or_too_much_are_refused() {
        for (header, fault) in [
            (v2(&[0x11, 0x11, 0, 12]), Fault::Unknown),
            (v2(&[0x22, 0x11, 0, 12]), Fault::Unknown),
            (v2(&[&[0x21, 0x41, 0, 12][..], &[0; 12]].concat()), Fault::Unknown),
            (v2(&[&[0x21, 0x11, 0, 11][..], &[0; 11]].concat()), Fault::TooShort),
            (v2(&[&[0x21, 0x21, 0, 35][..], &[0; 35]].concat()), Fault::TooShort),
            (with_values(b"\x02\0"), Fault::Value),
            (with_values(b"\x02\0\x02a"), Fault::Value),
            (with_values(b"\x02\0\x01a\x02\0\x01a"), Fault::Value),
            (with_values(b"\x02\0\x01\xff"), Fault::Value),
            (with_values(b"\x03\0\x03abc"), Fault::Value),
        ] {
            assert_eq!(read(&header), Err(fault), "{header:02x?}");
        }
    }

    #[test]
    fn the_longest_header_of_version_2_is_read_and_one_byte_more_is_refused_before_it_came() {
        let values = |length: usize| {
            let length = length - V2_FIXED - 12 - 3;
            [&[4, (length >> 8) as u8, length as u8][..], &vec![0; length]].concat()
        };
        assert!(read(&with_values(&values(LONGEST_V2))).unwrap().is_some());
        let longer = with_values(&values(LONGEST_V2 + 1));
        assert_eq!(read(&longer[..V2_FIXED]), Err(Fault::TooLong));
    }

    #[test]
    fn an_authority_of_255_octets_is_taken_and_a_longer_one_is_refused() {
        let value =
            |length: usize| [&[2, (length >> 8) as u8, length as u8][..], &vec![b'a'; length]].concat();
        assert!(read(&with_values(&value(LONGEST_AUTHORITY))).is_ok());
        assert_eq!(read(&with_values(&value(LONGEST_AUTHORITY + 1))), Err(Fault::Value));
    }
}
