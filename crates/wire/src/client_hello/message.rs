//! The body of a ClientHello: lists within lists, each with its length.

use super::Fault;

const SERVER_NAME: u16 = 0;
const PROTOCOLS: u16 = 16;
const HOST_NAME: u8 = 0;

/// The extensions that are looked at, as they were sent.
#[derive(Default)]
pub(super) struct Extensions<'a> {
    pub(super) server_name: Option<&'a [u8]>,
    /// Names with their lengths.
    pub(super) protocols: Option<&'a [u8]>,
}

/// Finds the extensions, and holds the whole message to its grammar.
pub(super) fn extensions(message: &[u8]) -> Result<Extensions<'_>, Fault> {
    let mut body = Reader(message);
    // Version and random.
    body.take(2 + 32)?;
    let session = body.short_list()?;
    let suites = body.list()?;
    let compressions = body.short_list()?;
    if session.len() > 32 || suites.is_empty() || suites.len() % 2 != 0 || compressions.is_empty() {
        return Err(Fault::Malformed);
    }
    let mut found = Extensions::default();
    // Before TLS 1.3 there may be no extensions at all (RFC 5246 §7.4.1.2).
    if body.is_over() {
        return Ok(found);
    }
    let mut list = Reader(body.list()?);
    body.end()?;
    while !list.is_over() {
        let kind = list.number()?;
        let data = Reader(list.list()?);
        match kind {
            SERVER_NAME if found.server_name.is_some() => return Err(Fault::Repeated),
            SERVER_NAME => found.server_name = Some(host_name(data)?),
            PROTOCOLS if found.protocols.is_some() => return Err(Fault::Repeated),
            PROTOCOLS => found.protocols = Some(protocols(data)?),
            _ => {}
        }
    }
    Ok(found)
}

/// The name in a list of names (RFC 6066 §3). `host_name` is the only kind that there is; where a list has others, it is not
/// known how long they are.
fn host_name(mut data: Reader<'_>) -> Result<&[u8], Fault> {
    let mut names = Reader(data.list()?);
    data.end()?;
    if names.take(1)? != [HOST_NAME] {
        return Err(Fault::Malformed);
    }
    let name = names.list()?;
    match names.0.first() {
        None => Ok(name),
        Some(&HOST_NAME) => Err(Fault::Repeated),
        Some(_) => Err(Fault::Malformed),
    }
}

/// The list of protocols, none of them empty (RFC 7301 §3.1).
fn protocols(mut data: Reader<'_>) -> Result<&[u8], Fault> {
    let list = data.list()?;
    data.end()?;
    let mut names = Reader(list);
    loop {
        if names.short_list()?.is_empty() {
            return Err(Fault::Malformed);
        }
        if names.is_over() {
            return Ok(list);
        }
    }
}

/// Takes bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Fault::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u16, Fault> {
        let (&number, rest) = self.0.split_first_chunk().ok_or(Fault::Malformed)?;
        self.0 = rest;
        Ok(u16::from_be_bytes(number))
    }

    /// A list with its length in two octets.
    fn list(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.number()?;
        self.take(usize::from(length))
    }

    /// A list with its length in one octet.
    fn short_list(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.take(1)?[0];
        self.take(usize::from(length))
    }

    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn end(&self) -> Result<(), Fault> {
        if self.is_over() { Ok(()) } else { Err(Fault::Malformed) }
    }
}
