//! The examples of the specification, and what cuts may do to lines, ids and boundaries.

use super::*;
use proptest::prelude::*;

/// What a client knows after a stream.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    events: u64,
    id: Option<String>,
    retry: Option<u64>,
    is_at_boundary: bool,
}

fn known(tracker: &EventTracker) -> Known {
    let id = match tracker.last_id() {
        LastId::None => None,
        LastId::Id(id) => Some(String::from_utf8_lossy(id).into_owned()),
        LastId::TooLong => Some("too long".to_owned()),
    };
    Known {
        events: tracker.events(),
        id,
        retry: tracker.retry().map(|d| d.as_millis() as u64),
        is_at_boundary: tracker.is_at_boundary(),
    }
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Known {
    let mut tracker = EventTracker::new();
    let mut events = 0;
    for piece in pieces {
        events += tracker.take(piece).events;
    }
    assert_eq!(events, tracker.events());
    known(&tracker)
}

fn whole(stream: &str) -> Known {
    let known = read([stream.as_bytes()]);
    assert_eq!(read(stream.as_bytes().chunks(1)), known, "{stream:?}");
    known
}

fn is(events: u64, id: Option<&str>, retry: Option<u64>, is_at_boundary: bool) -> Known {
    Known { events, id: id.map(str::to_owned), retry, is_at_boundary }
}

#[test]
fn the_examples_of_the_specification_give_their_events() {
    assert_eq!(
        whole("data: This is the first message.\n\ndata: second\ndata: lines\n\n"),
        is(2, None, None, true)
    );
    assert_eq!(whole("event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n"), is(2, None, None, true));
    assert_eq!(whole("data: YHOO\ndata: +2\ndata: 10\n\n"), is(1, None, None, true));
    // A comment, an id, an id taken back, and an event that no blank line ends.
    let four = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n";
    assert_eq!(whole(four), is(2, None, None, false));
    // Events of nothing, and one that is discarded.
    assert_eq!(whole("data\n\ndata\ndata\n\ndata:"), is(2, None, None, false));
    assert_eq!(whole("data:test\n\ndata: test\n\n"), is(2, None, None, true));
}

#[test]
fn lines_end_with_cr_lf_or_both() {
    for stream in [
        "id:1\ndata:a\n\n",
        "id:1\rdata:a\r\r",
        "id:1\r\ndata:a\r\n\r\n",
        "id:1\rdata:a\n\r\n",
        "id:1\r\ndata:a\r\r",
    ] {
        assert_eq!(whole(stream), is(1, Some("1"), None, true), "{stream:?}");
    }
    // A LF that belongs to the CR before it is no blank line.
    assert_eq!(whole("data:a\r\n"), is(0, None, None, false));
}

#[test]
fn a_byte_order_mark_counts_only_at_the_start_and_whole() {
    assert_eq!(whole("\u{feff}data:a\n\n"), is(1, None, None, true));
    assert_eq!(whole("\u{feff}"), is(0, None, None, true));
    assert_eq!(whole("data:a\n\n\u{feff}data:b\n\n"), is(1, None, None, true));
    for stream in [&b"\xef\xbbdata:a\n\n"[..], b"\xefdata:a\n\n", b"\xef\n\n"] {
        assert_eq!(read([stream]), is(0, None, None, true));
        assert_eq!(read(stream.chunks(1)), is(0, None, None, true));
    }
}

#[test]
fn an_id_holds_from_the_end_of_its_event_until_another_one_or_an_empty_one() {
    for (stream, id) in [
        ("id: 7\ndata: a\n", None),
        ("id: 7\n\n", Some("7")),
        ("id: 7\n\ndata: a\n\n", Some("7")),
        ("id: 7\nid: 8\n\n", Some("8")),
        ("id:  7 \n\n", Some(" 7 ")),
        ("id: 7\n\nid\n\n", None),
        ("id: 7\n\nid:\n\n", None),
        ("id: 7\n\nid: \n\n", None),
        ("id: 7\n\nid: a\0b\n\n", Some("7")),
        ("id: 7\nid: \0\n\n", Some("7")),
        ("id: 7\n\nid: 8\n", Some("7")),
        ("ID: 7\n\n", None),
        ("id : 7\n\n", None),
        (" id: 7\n\n", None),
        ("ids: 7\n\n", None),
        ("id:é:1\n\n", Some("é:1")),
    ] {
        assert_eq!(whole(stream).id.as_deref(), id, "{stream:?}");
    }
}

#[test]
fn the_longest_id_is_kept_and_a_longer_one_cannot_be_resumed_until_the_next() {
    let longest = "x".repeat(LONGEST_ID);
    assert_eq!(whole(&format!("id: {longest}\n\n")).id, Some(longest.clone()));
    let mut tracker = EventTracker::new();
    tracker.take(format!("id:{longest}y\n\n").as_bytes());
    assert_eq!(tracker.last_id(), LastId::TooLong);
    tracker.take(b"data: a\n\n");
    assert_eq!(tracker.last_id(), LastId::TooLong);
    tracker.take(b"id: 1\n\n");
    assert_eq!(tracker.last_id(), LastId::Id(b"1"));
    // A NUL beyond what is kept makes it no id all the same.
    tracker.take(format!("id:{longest}y\0\n\n").as_bytes());
    assert_eq!(tracker.last_id(), LastId::Id(b"1"));
}

#[test]
fn the_last_retry_of_digits_alone_holds_at_once() {
    for (stream, retry) in [
        ("retry: 3000\n", Some(3000)),
        ("retry:3000\nretry: 10\n", Some(10)),
        ("retry: 5\nretry: 1.5\nretry: -1\nretry: +1\nretry\nretry:\nretry: 1s\nretry:  1\n", Some(5)),
        ("retry: 18446744073709551615\n", Some(u64::MAX)),
        ("retry: 5\nretry: 18446744073709551616\n", Some(5)),
        ("retry: 000000000000000000000000009\n", Some(9)),
        ("retry: 9", None),
    ] {
        assert_eq!(whole(stream).retry, retry, "{stream:?}");
    }
}

#[test]
fn a_boundary_is_where_a_client_holds_nothing() {
    for (stream, is_boundary) in [
        ("", true),
        ("d", false),
        ("data: a\n", false),
        ("data: a\n\n", true),
        ("data: a\n\r", true),
        ("data: a\n\n: ping", false),
        ("data: a\n\n: ping\n", true),
        ("data: a\n: ping\n", false),
        ("event: a\n", false),
        ("id: a\n", false),
        ("retry: 1\nx: 1\n", true),
    ] {
        assert_eq!(whole(stream).is_at_boundary, is_boundary, "{stream:?}");
    }
}

#[test]
fn a_slice_tells_where_its_last_whole_event_ends() {
    let mut tracker = EventTracker::new();
    for (slice, events, last_boundary) in [
        (&b"data: a\n"[..], 0, 0),
        (b"\ndata: b", 1, 1),
        (b"\r\n\r\ndata: c\n\nda", 2, 13),
        (b"ta: d\r\r", 1, 7),
        (b"\n", 0, 1),
        (b"", 0, 0),
        (b": ping\n: pi", 0, 7),
        (b"ng\n\n\n", 0, 5),
    ] {
        assert_eq!(tracker.take(slice), Taken { events, last_boundary }, "{slice:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_cuts_give_the_same_as_the_whole(
        parts in prop::collection::vec(prop::sample::select(&[
            "\n", "\r", "\r\n", "data", "id", "retry", "event", ":", ": ", " ", "1", "22", "\0", "x", "\u{feff}",
            "data: a\n\n", "id: 5\r\n", ": c\r",
        ][..]), 0..60),
        cuts in prop::collection::vec(1usize..20, 1..10),
    ) {
        let stream = parts.concat();
        let whole = read([stream.as_bytes()]);
        let mut pieces = Vec::new();
        let mut rest = stream.as_bytes();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(&read(pieces), &whole);
        prop_assert_eq!(&read(stream.as_bytes().chunks(1)), &whole);
    }
}
