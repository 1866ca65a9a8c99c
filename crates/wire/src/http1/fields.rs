//! The field lines of a head: into the list what goes on, apart what belongs to the connection (RFC 9110 §7.6.1).
//!
//! Knows nothing of the first line. What the values mean together is for `request` and `response`.

use super::error::HeadError;
use super::framing::Upgrade;
use super::octets;
use crate::hpack::{HeaderList, Name};

/// Names that Connection may have beside the ones that every connection knows; each costs a look at every field.
pub const MOST_CONNECTION_OPTIONS: usize = 16;

/// What `Connection` says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Connection<'a> {
    pub(super) closes: bool,
    pub(super) keeps_alive: bool,
    pub(super) has_upgrade: bool,
    pub(super) has_http2_settings: bool,
    /// Names of fields that end here.
    named: [&'a [u8]; MOST_CONNECTION_OPTIONS],
    named_count: usize,
}

/// What fields said of the connection and of the body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found<'a> {
    pub(super) connection: Connection<'a>,
    pub(super) host: Option<&'a [u8]>,
    pub(super) content_length: Option<u64>,
    pub(super) is_chunked: bool,
    pub(super) expects_continue: bool,
    pub(super) upgrade: Once<'a>,
    pub(super) http2_settings: Once<'a>,
    has_te: bool,
}

/// A field that means nothing where it comes more than once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Once<'a> {
    #[default]
    Absent,
    Single(&'a [u8]),
    Repeated,
}

impl<'a> Once<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = if *self == Self::Absent { Self::Single(value) } else { Self::Repeated };
    }

    pub(super) fn single(self) -> Option<&'a [u8]> {
        if let Self::Single(value) = self { Some(value) } else { None }
    }
}

/// Which message the fields are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// The next line; `None` at the empty one.
pub(super) fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = memchr::memchr(b'\n', rest)?;
    let (line, after) = (&rest[..end.saturating_sub(1)], &rest[end + 1..]);
    *rest = after;
    (!line.is_empty()).then_some(line)
}

/// Name, as it came, and value of a field line.
pub(super) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), HeadError> {
    let length = line.iter().position(|&b| octets::LOWER_TOKEN[usize::from(b)] == 0);
    let length = length.ok_or(HeadError::FieldName)?;
    let (name, rest) = line.split_at(length);
    match rest[0] {
        b':' if length > 0 => Ok((name, octets::trim(&rest[1..]))),
        b' ' | b'\t' if length == 0 => Err(HeadError::FoldedLine),
        b' ' | b'\t' if octets::trim(rest).first() == Some(&b':') => Err(HeadError::SpaceBeforeColon),
        _ => Err(HeadError::FieldName),
    }
}

impl<'a> Found<'a> {
    /// Reads field lines up to the empty line. Says how many there were.
    pub(super) fn read(
        &mut self,
        mut rest: &'a [u8],
        side: Side,
        most: usize,
        list: &mut HeaderList,
    ) -> Result<usize, HeadError> {
        let mut count = 0;
        while let Some(line) = take_line(&mut rest) {
            count += 1;
            if count > most {
                return Err(HeadError::TooManyFields);
            }
            let (name, value) = split(line)?;
            let begun = list.begin(name);
            match begun.name() {
                Name::ContentLength => {
                    if let Some(digits) = self.content_length(value)? {
                        list.finish(begun, digits);
                    }
                }
                Name::TransferEncoding => self.transfer_encoding(value)?,
                Name::Connection => self.connection.add(value)?,
                Name::Upgrade => self.upgrade.add(value),
                Name::Http2Settings => self.http2_settings.add(value),
                Name::KeepAlive | Name::ProxyConnection => {}
                Name::Host if side == Side::Request => {
                    if self.host.replace(value).is_some() {
                        return Err(HeadError::SecondHost);
                    }
                }
                Name::Te if side == Side::Request => self.te(value, list),
                Name::Te => {}
                Name::Expect if side == Side::Request => {
                    if !value.eq_ignore_ascii_case(b"100-continue") {
                        return Err(HeadError::Expectation);
                    }
                    self.expects_continue = true;
                }
                _ => list.finish(begun, value),
            }
        }
        Ok(count)
    }

    /// The digits that go on; none where the same length was said before.
    fn content_length<'v>(&mut self, value: &'v [u8]) -> Result<Option<&'v [u8]>, HeadError> {
        let length = number(value).ok_or(HeadError::ContentLength)?;
        match self.content_length.replace(length) {
            Some(before) if before != length => Err(HeadError::DifferentLengths),
            Some(_) => Ok(None),
            None => {
                // A leading zero is an octal number to some.
                let zeros = value.iter().take_while(|&&b| b == b'0').count();
                Ok(Some(&value[zeros.min(value.len() - 1)..]))
            }
        }
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), HeadError> {
        if self.is_chunked {
            return Err(HeadError::TransferEncoding);
        }
        if value.eq_ignore_ascii_case(b"chunked") {
            self.is_chunked = true;
            return Ok(());
        }
        // Other codings before a last chunked are right, but not ours to undo.
        const CODINGS: [&[u8]; 5] = [b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress"];
        let is_known = |coding: &[u8]| CODINGS.iter().any(|known| coding.eq_ignore_ascii_case(known));
        match memchr::memrchr(b',', value) {
            Some(at)
                if octets::trim(&value[at + 1..]).eq_ignore_ascii_case(b"chunked")
                    && octets::members(&value[..at]).next().is_some()
                    && octets::members(&value[..at]).all(is_known) =>
            {
                Err(HeadError::UnknownCoding)
            }
            _ => Err(HeadError::TransferEncoding),
        }
    }

    /// `trailers` alone says something to the other side; it is said again on every hop (RFC 9110 §10.1.4).
    fn te(&mut self, value: &[u8], list: &mut HeaderList) {
        if !self.has_te && octets::members(value).any(|m| m.eq_ignore_ascii_case(b"trailers")) {
            self.has_te = true;
            list.push_known(Name::Te, b"trailers");
        }
    }

    /// Takes the fields that Connection named out of the list.
    pub(super) fn drop_named(&self, list: &mut HeaderList) {
        let named = &self.connection.named[..self.connection.named_count];
        if !named.is_empty() {
            list.remove_named(named);
        }
    }

    /// The protocol that both fields ask for or agree to, with its name. The first of a list counts.
    pub(super) fn protocol(&self) -> Option<(Upgrade, &'a [u8])> {
        let value = self.upgrade.single().filter(|_| self.connection.has_upgrade)?;
        let protocol = value.split(|&b| b == b',').map(octets::trim).find(|p| !p.is_empty())?;
        let is_name = protocol.split(|&b| b == b'/').all(octets::is_token);
        is_name.then(|| (Upgrade::of(protocol), protocol))
    }
}

impl<'a> Connection<'a> {
    fn add(&mut self, value: &'a [u8]) -> Result<(), HeadError> {
        for option in octets::members(value) {
            let is = |text: &[u8]| option.eq_ignore_ascii_case(text);
            match option.len() {
                5 if is(b"close") => self.closes = true,
                10 if is(b"keep-alive") => self.keeps_alive = true,
                7 if is(b"upgrade") => self.has_upgrade = true,
                14 if is(b"http2-settings") => self.has_http2_settings = true,
                2 if is(b"te") => {}
                // Some servers name it; it ends here in any case.
                17 if is(b"transfer-encoding") => {}
                4 if is(b"host") => return Err(HeadError::ConnectionOption),
                14 if is(b"content-length") => return Err(HeadError::ConnectionOption),
                _ if !octets::is_token(option) => return Err(HeadError::ConnectionOption),
                _ => {
                    let free = self.named.get_mut(self.named_count).ok_or(HeadError::TooManyOptions)?;
                    *free = option;
                    self.named_count += 1;
                }
            }
        }
        Ok(())
    }
}

/// A number of at most 19 digits, so that it fits.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0u64, |n, &b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hpack::HeaderStore;

    type Read = (Vec<(String, String)>, Option<u64>, bool);

    fn read(text: &str) -> Result<Read, HeadError> {
        let (mut list, store) = (HeaderList::default(), HeaderStore::new((1, 2), 1 << 20));
        let lines = format!("{}\r\n\r\n", text.replace('|', "\r\n"));
        let mut found = Found::default();
        found.read(lines.as_bytes(), Side::Request, 100, &mut list)?;
        found.drop_named(&mut list);
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        let fields = list.fields().iter();
        let fields =
            fields.map(|f| (text(list.name_bytes(f, &store)), text(list.value(f, &store)))).collect();
        Ok((fields, found.content_length, found.is_chunked))
    }

    fn names(text: &str) -> Vec<String> {
        read(text).unwrap().0.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn names_are_in_lower_case_and_values_trimmed() {
        let (fields, ..) = read("X-A:  1 2\t|Accept:*/*|EMPTY:|y:\t").unwrap();
        let expected = [("x-a", "1 2"), ("accept", "*/*"), ("empty", ""), ("y", "")];
        assert!(fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).eq(expected));
    }

    #[test]
    fn what_belongs_to_the_connection_and_what_it_names_ends_here() {
        let text = "X-Hop: 1|Keep-Alive: 5|Connection: close, x-HOP ,, Cookie|Proxy-Connection: a|Upgrade: b|\
                    TE: gzip|X-Hop2: 1|HTTP2-Settings: A|cookie: c";
        assert_eq!(names(text), ["x-hop2"]);
        assert_eq!(names("TE: gzip, Trailers|Connection: TE|TE: trailers"), ["te"]);
    }

    #[test]
    fn the_most_connection_options_pass_and_one_more_is_refused() {
        let options = |n: usize| format!("Connection: {}", vec!["x"; n].join(","));
        assert!(read(&options(MOST_CONNECTION_OPTIONS)).is_ok());
        assert_eq!(read(&options(MOST_CONNECTION_OPTIONS + 1)), Err(HeadError::TooManyOptions));
    }

    #[test]
    fn a_length_is_one_number_and_goes_on_without_leading_zeros() {
        const MOST: u64 = 9_999_999_999_999_999_999;
        for (text, length, digits) in [
            ("0", 0, "0"),
            ("000", 0, "0"),
            ("007", 7, "7"),
            ("9999999999999999999", MOST, "9999999999999999999"),
        ] {
            let (fields, read, _) = read(&format!("content-length: {text}|Content-Length: {text}")).unwrap();
            assert_eq!((fields.len(), fields[0].1.as_str(), read), (1, digits, Some(length)));
        }
        for bad in ["", "+1", "-1", "1 2", "1,1", "0x1", "1.0", "99999999999999999999", "1;"] {
            assert_eq!(read(&format!("content-length: {bad}")), Err(HeadError::ContentLength), "{bad}");
        }
        assert_eq!(read("content-length: 1|content-length: 2"), Err(HeadError::DifferentLengths));
    }

    #[test]
    fn only_chunked_is_a_transfer_coding_of_ours() {
        assert!(read("transfer-encoding:  Chunked ").unwrap().2);
        for (value, error) in [
            ("gzip, chunked", HeadError::UnknownCoding),
            ("gzip", HeadError::TransferEncoding),
            ("identity", HeadError::TransferEncoding),
            ("chunked, identity", HeadError::TransferEncoding),
            ("chunked, chunked", HeadError::TransferEncoding),
            (",chunked", HeadError::TransferEncoding),
            ("x, chunked", HeadError::TransferEncoding),
            ("chunked;a=b", HeadError::TransferEncoding),
            ("\"chunked\"", HeadError::TransferEncoding),
            ("", HeadError::TransferEncoding),
            ("chunked|Transfer-Encoding: chunked", HeadError::TransferEncoding),
        ] {
            assert_eq!(read(&format!("transfer-encoding: {value}")), Err(error), "{value}");
        }
    }

    #[test]
    fn a_line_that_is_no_field_is_refused_by_what_is_wrong() {
        for (line, error) in [
            (" a: b", HeadError::FoldedLine),
            ("\ta: b", HeadError::FoldedLine),
            ("a : b", HeadError::SpaceBeforeColon),
            ("a\t: b", HeadError::SpaceBeforeColon),
            (": b", HeadError::FieldName),
            ("a", HeadError::FieldName),
            ("a b", HeadError::FieldName),
            ("a\"b: c", HeadError::FieldName),
            ("ä: b", HeadError::FieldName),
            ("Host: a|Host: a", HeadError::SecondHost),
            ("Expect: x", HeadError::Expectation),
            ("Connection: a b", HeadError::ConnectionOption),
            ("Connection: host", HeadError::ConnectionOption),
            ("Connection: Content-Length", HeadError::ConnectionOption),
        ] {
            assert_eq!(read(line), Err(error), "{line:?}");
        }
    }
}
