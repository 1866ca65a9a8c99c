//! `limits`: the bounds of each worker.

use crate::mistake::{Complaint, Report};
use crate::section::{Field, Section};
use crate::value;
use evenkeel_core::indexed_headers::{IndexedHeader, IndexedHeaders};
use evenkeel_core::limits::{Limits, Rate};

/// All limits with their defaults.
pub(crate) fn read(section: &Section<'_>, report: &mut Report) -> Limits {
    let before = report.count();
    let limits = Limits {
        header_list_bytes: size(section, "header_list_bytes", report),
        header_fields: section.field("header_fields").count(report),
        request_line_bytes: size(section, "request_line_bytes", report),
        chunk_extension_bytes: size(section, "chunk_extension_bytes", report),
        tunnel_bytes: size(section, "tunnel_bytes", report),
        pipes: section.field("pipes").count(report),
        handshakes_per_turn: section.field("handshakes_per_turn").count(report),
        header_block_bytes: size(section, "header_block_bytes", report),
        header_block_frames: section.field("header_block_frames").count(report),
        concurrent_streams: section.field("concurrent_streams").count(report),
        exchanges: section.field("exchanges").count(report) as usize,
        stream_window: window(section, "stream_window", report),
        most_stream_window: window(section, "most_stream_window", report),
        connection_window: window(section, "connection_window", report),
        most_connection_window: window(section, "most_connection_window", report),
        granted_credit: size(section, "granted_credit", report),
        replay_bytes: size(section, "replay_bytes", report),
        output_high: size(section, "output_high", report),
        output_low: size(section, "output_low", report),
        control_output: size(section, "control_output", report),
        buffered_bytes: size(section, "buffered_bytes", report),
        interned_bytes: size(section, "interned_bytes", report),
        upstream_resets: rate(&section.field("upstream_resets").section(report), report),
        early_resets: section.field("early_resets").count(report),
        interim_answers: section.field("interim_answers").count(report),
        reset_linger: section.field("reset_linger").duration(report),
        settings_ack: section.field("settings_ack").duration(report),
        indexed_headers: indexed_headers(&section.field("indexed_headers"), report),
        resets: rate(&section.field("resets").section(report), report),
        control_frames: rate(&section.field("control_frames").section(report), report),
    };
    if report.count() == before {
        check(section, &limits, report);
    }
    limits
}

fn size(section: &Section<'_>, name: &str, report: &mut Report) -> usize {
    // Where memory cannot hold as much, the limit is all that it can.
    usize::try_from(section.field(name).size(report)).unwrap_or(usize::MAX)
}

fn window(section: &Section<'_>, name: &str, report: &mut Report) -> u32 {
    u32::try_from(section.field(name).size(report)).expect("the table's range ends within u32")
}

fn rate(section: &Section<'_>, report: &mut Report) -> Rate {
    Rate {
        burst: section.field("burst").count(report),
        per_second: section.field("per_second").count(report),
    }
}

fn indexed_headers(field: &Field<'_>, report: &mut Report) -> IndexedHeaders {
    let words = field.words(report).expect("the table gives this key a default");
    let named = |word: &&str| IndexedHeader::ALL.iter().copied().find(|header| header.name() == *word);
    words.iter().map(|word| named(word).expect("the table's words are names of such headers")).collect()
}

/// Reports limits that contradict each other.
fn check(section: &Section<'_>, limits: &Limits, report: &mut Report) {
    let stream = ("stream_window", limits.stream_window as usize);
    let most_stream = ("most_stream_window", limits.most_stream_window as usize);
    let connection = ("connection_window", limits.connection_window as usize);
    let most_connection = ("most_connection_window", limits.most_connection_window as usize);
    let list = ("header_list_bytes", limits.header_list_bytes);
    for (large, small, why) in [
        (most_stream, stream, "a window grows from the one to the other"),
        (most_connection, connection, "a window grows from the one to the other"),
        (connection, stream, "no stream could use its window up"),
        (most_connection, most_stream, "no stream could use its window up"),
        (("buffered_bytes", limits.buffered_bytes), most_stream, "what one stream may send must fit"),
        (("control_output", limits.control_output), list, "the headers of one answer must fit"),
    ] {
        if large.1 < small.1 {
            complain(section, [large, small], "less than", why, report);
        }
    }
    let (high, low) = (("output_high", limits.output_high), ("output_low", limits.output_low));
    if low.1 >= high.1 {
        complain(section, [low, high], "not less than", "streams that are held back go on below it", report);
    }
}

/// At the first of the two that is written.
fn complain(
    section: &Section<'_>,
    [first, second]: [(&str, usize); 2],
    relation: &str,
    why: &str,
    report: &mut Report,
) {
    let shown = |(name, bytes): (&str, usize)| format!("`{name}` ({})", value::size::show(bytes as u64));
    let what = format!("{} is {relation} {}: {why}", shown(first), shown(second));
    let fields = [first.0, second.0].map(|name| section.field(name));
    if let Some(field) = fields.iter().find(|field| field.node.is_some()) {
        field.complain(Complaint::new(what), report);
    }
}
