//! One direction of an HTTP/1 connection, read message by message (RFC 9112).

use crate::simulation::ledger::Fields;

/// What a reader waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Head,
    Length(usize),
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    Trailers,
    UntilClose,
}

/// How a message's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Known at its head, none included.
    Length,
    /// At a last chunk, behind which trailers have their place.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// A message's head.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Pseudo-headers, as HTTP/2 would have them, and fields in order.
    pub(super) fields: Fields,
    pub(super) ends: Ends,
    /// The connection goes on behind it.
    pub(super) keeps_alive: bool,
    /// `Upgrade` was there.
    pub(super) is_upgrade: bool,
}

/// What came.
#[derive(Debug)]
pub(super) enum Happening {
    Head(Head),
    Body(Vec<u8>),
    /// The message is whole.
    End(Fields),
}

/// Who writes what is read, and to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    /// An answer, to HEAD or not.
    Answer {
        to_head: bool,
    },
}

/// Reads one side's messages.
#[derive(Debug)]
pub(super) struct Reader {
    bytes: Vec<u8>,
    place: Place,
    /// The end is to be told.
    is_ending: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self { bytes: Vec::new(), place: Place::Head, is_ending: false }
    }
}

impl Reader {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Nothing came that was not told.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether it stands between two messages.
    pub(super) fn is_between(&self) -> bool {
        self.place == Place::Head && !self.is_ending && self.bytes.is_empty()
    }

    /// What was not read.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// The connection ended; true if that ends a message as it should.
    pub(super) fn close(&mut self) -> bool {
        self.place == Place::UntilClose
    }

    /// The next thing that came; none before more bytes.
    pub(super) fn next(&mut self, kind: Kind) -> Result<Option<Happening>, String> {
        if std::mem::take(&mut self.is_ending) {
            self.place = Place::Head;
            return Ok(Some(Happening::End(Fields::new())));
        }
        match self.place {
            Place::Head => self.head(kind),
            Place::Length(0) => {
                self.is_ending = true;
                self.next(kind)
            }
            Place::Length(left) => Ok(self.body(left, Place::Length)),
            Place::UntilClose => Ok(self.body(usize::MAX, |_| Place::UntilClose)),
            Place::ChunkSize => {
                let Some(line) = self.line()? else { return Ok(None) };
                let size = std::str::from_utf8(&line).ok().and_then(|s| usize::from_str_radix(s, 16).ok());
                let size = size.ok_or(format!("a chunk of size {:?}", String::from_utf8_lossy(&line)))?;
                self.place = if size == 0 { Place::Trailers } else { Place::Chunk(size) };
                self.next(kind)
            }
            Place::Chunk(0) => {
                self.place = Place::ChunkEnd;
                self.next(kind)
            }
            Place::Chunk(left) => Ok(self.body(left, Place::Chunk)),
            Place::ChunkEnd => match self.line()? {
                None => Ok(None),
                Some(line) if line.is_empty() => {
                    self.place = Place::ChunkSize;
                    self.next(kind)
                }
                Some(_) => Err("a chunk longer than its size".to_owned()),
            },
            Place::Trailers => {
                let Some(lines) = self.lines()? else { return Ok(None) };
                self.place = Place::Head;
                Ok(Some(Happening::End(fields(&lines)?)))
            }
        }
    }

    fn body(&mut self, most: usize, place: impl Fn(usize) -> Place) -> Option<Happening> {
        let n = self.bytes.len().min(most);
        self.place = place(most - n);
        (n > 0).then(|| Happening::Body(self.bytes.drain(..n).collect()))
    }

    /// A line without its end.
    fn line(&mut self) -> Result<Option<Vec<u8>>, String> {
        let Some(end) = self.bytes.iter().position(|&b| b == b'\n') else { return Ok(None) };
        let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
        line.pop();
        if line.pop() == Some(b'\r') { Ok(Some(line)) } else { Err("a line that ends without CR".to_owned()) }
    }

    /// All lines up to an empty one, if that came.
    fn lines(&mut self) -> Result<Option<Vec<Vec<u8>>>, String> {
        let is_whole = self.bytes.starts_with(b"\r\n") || self.bytes.windows(4).any(|w| w == b"\r\n\r\n");
        let mut lines = Vec::new();
        while is_whole && let Some(line) = self.line()? {
            if line.is_empty() {
                return Ok(Some(lines));
            }
            lines.push(line);
        }
        Ok(None)
    }

    fn head(&mut self, kind: Kind) -> Result<Option<Happening>, String> {
        let Some(lines) = self.lines()? else { return Ok(None) };
        let first = lines.first().ok_or("a head without a first line")?;
        let text = String::from_utf8_lossy(first).into_owned();
        let mut list = Fields::new();
        let mut words = text.splitn(3, ' ');
        let (a, b, c) = (words.next(), words.next(), words.next());
        let (Some(a), Some(b), Some(c)) = (a, b, c) else { return Err(format!("the first line {text:?}")) };
        let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        if kind == Kind::Request {
            if c != "HTTP/1.1" {
                return Err(format!("the version {c:?}"));
            }
            list.push(field(":method", a));
            list.push(field(":path", b));
        } else if a == "HTTP/1.1" && b.len() == 3 {
            list.push(field(":status", b));
        } else {
            return Err(format!("the status line {text:?}"));
        }
        let (mut length, mut is_chunked, mut keeps_alive, mut is_upgrade) = (None, false, true, false);
        for (name, value) in fields(&lines[1..])? {
            match &name[..] {
                b"host" if kind == Kind::Request => list.push((b":authority".to_vec(), value.clone())),
                b"content-length" if length.is_some() => return Err("two lengths".to_owned()),
                b"content-length" => {
                    let digits = std::str::from_utf8(&value).ok().and_then(|s| s.parse::<usize>().ok());
                    length = Some(digits.ok_or("a length that is no number")?);
                }
                b"transfer-encoding" => is_chunked = true,
                b"connection" if value.windows(5).any(|w| w == b"close") => keeps_alive = false,
                b"upgrade" => is_upgrade = true,
                _ => {}
            }
            if name != b"host" || kind != Kind::Request {
                list.push((name, value));
            }
        }
        if length.is_some() && is_chunked {
            return Err("a message with two framings".to_owned());
        }
        let status = list.first().filter(|(name, _)| name == b":status").map(|(_, status)| &status[..]);
        let is_bare = status.is_some_and(|s| s.starts_with(b"1") || s == b"204" || s == b"304");
        self.place = match (kind, length) {
            _ if is_bare || kind == (Kind::Answer { to_head: true }) => Place::Length(0),
            _ if is_chunked => Place::ChunkSize,
            (_, Some(length)) => Place::Length(length),
            (Kind::Request, None) => Place::Length(0),
            (Kind::Answer { .. }, None) => Place::UntilClose,
        };
        if is_bare && is_chunked {
            return Err("an answer without a body that has chunks".to_owned());
        }
        if status.is_some_and(|s| s.starts_with(b"1")) {
            // Nothing follows it but another head.
            self.place = Place::Head;
        }
        let ends = match self.place {
            Place::ChunkSize => Ends::Chunked,
            Place::UntilClose => Ends::UntilClose,
            _ => Ends::Length,
        };
        Ok(Some(Happening::Head(Head { fields: list, ends, keeps_alive, is_upgrade })))
    }
}

fn fields(lines: &[Vec<u8>]) -> Result<Fields, String> {
    let field = |line: &Vec<u8>| {
        let at = line.iter().position(|&b| b == b':')?;
        let name = line[..at].to_ascii_lowercase();
        let is_name = !name.is_empty() && name.iter().all(|b| b.is_ascii_graphic());
        is_name.then(|| (name, line[at + 1..].trim_ascii().to_vec()))
    };
    let all: Option<Fields> = lines.iter().map(field).collect();
    all.ok_or_else(|| "a line that is no field".to_owned())
}
