//! Every message of the corpus beside this file is refused with its status, or read as the messages that it names.

#[path = "smuggling/corpus.rs"]
mod corpus;

use corpus::{CASES, Case, Direction, Then};
use evenkeel_wire::hpack::{HeaderList, HeaderStore, Name};
use evenkeel_wire::http1::{
    ChunkedReader, Framing, HeadLimits, Part, ResponseTo, Scheme, read_request, read_response, read_trailers,
};

/// Messages as the corpus names them.
type Messages = Vec<(String, Vec<u8>)>;

/// Reads heads and bodies one after the other, like a session.
struct Reader<'a> {
    rest: &'a [u8],
    list: HeaderList,
    store: HeaderStore,
    limits: HeadLimits,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let store = HeaderStore::new((1, 2), 1 << 20);
        Self { rest: bytes, list: HeaderList::default(), store, limits: HeadLimits::default() }
    }

    /// A pseudo-header of the head that was read last.
    fn text(&self, name: Name) -> String {
        String::from_utf8_lossy(self.list.find(name, &self.store).unwrap_or_default()).into_owned()
    }

    /// One message; `None` if more is to come.
    fn message(&mut self, direction: Direction) -> Result<Option<(String, Vec<u8>)>, u16> {
        self.list.clear(&mut self.store);
        let read = match direction {
            Direction::Request => {
                read_request(self.rest, &mut 0, Scheme::Http, &self.limits, &mut self.list, &mut self.store)
                    .map(|read| read.map(|(n, line)| (n, line.framing)))
                    .map_err(|e| e.status())?
            }
            Direction::ResponseTo(method) => read_response(
                self.rest,
                &mut 0,
                ResponseTo { is_head: method == "HEAD", ..ResponseTo::default() },
                &self.limits,
                &mut self.list,
                &mut self.store,
            )
            .map(|read| read.map(|(n, line)| (n, line.framing)))
            .map_err(|_| 502u16)?,
        };
        let Some((taken, framing)) = read else { return Ok(None) };
        self.rest = &self.rest[taken..];
        let start = match direction {
            Direction::Request => format!("{} {}", self.text(Name::Method), self.text(Name::Path)),
            Direction::ResponseTo(_) => self.text(Name::Status),
        };
        Ok(self.body(framing)?.map(|body| (start, body)))
    }

    fn body(&mut self, framing: Framing) -> Result<Option<Vec<u8>>, u16> {
        match framing {
            Framing::None => Ok(Some(Vec::new())),
            Framing::Length(length) => {
                let Some((body, rest)) = self.rest.split_at_checked(length as usize) else { return Ok(None) };
                self.rest = rest;
                Ok(Some(body.to_vec()))
            }
            Framing::UntilClose => Ok(Some(std::mem::take(&mut self.rest).to_vec())),
            Framing::Chunked => {
                let (mut reader, mut body) = (ChunkedReader::default(), Vec::new());
                loop {
                    match reader.next(&mut self.rest).map_err(|_| 400u16)? {
                        Part::Data(data) => body.extend_from_slice(data),
                        Part::NeedMore => return Ok(None),
                        Part::Trailers => break,
                    }
                }
                self.list.clear(&mut self.store);
                let trailers =
                    read_trailers(self.rest, &mut 0, &self.limits, &mut self.list, &mut self.store);
                let Some(taken) = trailers.map_err(|e| e.status())? else { return Ok(None) };
                self.rest = &self.rest[taken..];
                Ok(Some(body))
            }
        }
    }
}

fn outcome(case: &Case) -> (Messages, Then) {
    let (mut reader, mut messages) = (Reader::new(case.bytes), Vec::new());
    let then = loop {
        if reader.rest.is_empty() {
            break Then::Nothing;
        }
        match reader.message(case.direction) {
            // One request has one final answer: what is left over is nobody's.
            Ok(Some(message)) if case.direction != Direction::Request => {
                messages.push(message);
                break if reader.rest.is_empty() { Then::Nothing } else { Then::Refused(502) };
            }
            Ok(Some(message)) => messages.push(message),
            Ok(None) => break Then::Waits,
            Err(status) => break Then::Refused(status),
        }
    };
    (messages, then)
}

#[test]
fn every_ambiguous_message_is_refused_or_read_in_the_one_way_that_is_allowed() {
    let mut wrong = Vec::new();
    for case in CASES {
        let expected: Messages =
            case.reads.iter().map(|(start, body)| ((*start).to_owned(), body.to_vec())).collect();
        let (messages, then) = outcome(case);
        if (&messages, then) != (&expected, case.then) {
            wrong.push(format!("{}: {messages:?}, then {then:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_corpus_has_at_least_sixty_messages_each_with_a_name_of_its_own_and_a_source() {
    assert!(CASES.len() >= 60, "{}", CASES.len());
    for (i, case) in CASES.iter().enumerate() {
        assert!(!case.source.is_empty() && !case.bytes.is_empty(), "{}", case.name);
        assert!(
            CASES[..i].iter().all(|other| other.name != case.name && other.bytes != case.bytes),
            "{} is there twice",
            case.name
        );
    }
}
