//! Frames of ours in random cuts: the reader gives the same as for the whole, and holds nothing afterwards.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use evenkeel_wire::hpack::{Encoder, HeaderLimits, HeaderList, HeaderStore, IndexPolicy};
use evenkeel_wire::http2::{self, ErrorCode, Frame, FrameReader, Settings};
use proptest::prelude::*;

/// A frame to be written.
#[derive(Clone, Debug)]
enum Said {
    Data { stream: u32, length: usize, padding: Option<u8>, is_end: bool },
    Headers { stream: u32, value: usize, most: u32, is_end: bool },
    Reset(u32),
    Settings(u32),
    SettingsAck,
    Ping([u8; 8]),
    GoAway(Vec<u8>),
    WindowUpdate(u32, u32),
    Unknown(u8, usize),
}

fn said() -> impl Strategy<Value = Said> {
    let stream = || (0u32..50).prop_map(|n| 2 * n + 1);
    prop_oneof![
        (stream(), 0usize..3_000, prop::option::of(any::<u8>()), any::<bool>())
            .prop_map(|(stream, length, padding, is_end)| Said::Data { stream, length, padding, is_end }),
        (stream(), 0usize..300, 10u32..200, any::<bool>())
            .prop_map(|(stream, value, most, is_end)| Said::Headers { stream, value, most, is_end }),
        stream().prop_map(Said::Reset),
        (0u32..1_000).prop_map(Said::Settings),
        Just(Said::SettingsAck),
        any::<[u8; 8]>().prop_map(Said::Ping),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Said::GoAway),
        (stream(), 1u32..0x7fff_ffff).prop_map(|(stream, n)| Said::WindowUpdate(stream, n)),
        (10u8..255, 0usize..100).prop_map(|(kind, length)| Said::Unknown(kind, length)),
    ]
}

fn write(said: &[Said]) -> Vec<u8> {
    let (mut out, mut store) = (Vec::new(), HeaderStore::new((1, 2), 1 << 20));
    let mut encoder = Encoder::new(IndexPolicy::Private);
    for said in said {
        match said {
            Said::Data { stream, length, padding: None, is_end } => {
                http2::put_data_header(&mut out, *stream, *length, *is_end);
                out.resize(out.len() + length, 7);
            }
            Said::Data { stream, length, padding: Some(padding), is_end } => {
                let whole = 1 + length + usize::from(*padding);
                http2::put_data_header(&mut out, *stream, whole, *is_end);
                let flags = out.len() - 5;
                out[flags] |= 8;
                out.push(*padding);
                out.resize(out.len() + length, 7);
                out.resize(out.len() + usize::from(*padding), 0);
            }
            Said::Headers { stream, value, most, is_end } => {
                let mut list = HeaderList::default();
                list.push("x", &vec![b'v'; *value]);
                http2::put_headers(&mut out, *stream, *is_end, *most, &list, &mut encoder, &mut store);
            }
            Said::Reset(stream) => http2::put_rst_stream(&mut out, *stream, ErrorCode::Cancel),
            Said::Settings(n) => {
                let settings = Settings { max_concurrent_streams: *n, ..Settings::default() };
                http2::put_settings(&mut out, &settings, true);
            }
            Said::SettingsAck => http2::put_settings_ack(&mut out),
            Said::Ping(data) => http2::put_ping(&mut out, false, *data),
            Said::GoAway(debug) => http2::put_goaway(&mut out, 9, ErrorCode::NoError, debug),
            Said::WindowUpdate(stream, n) => http2::put_window_update(&mut out, *stream, *n),
            Said::Unknown(kind, length) => {
                out.extend_from_slice(&[0, 0, *length as u8, *kind, 0xff, 0, 0, 0, 3]);
                out.resize(out.len() + length, 1);
            }
        }
    }
    out
}

/// What a reader says of pieces; DATA of a stream joined up to its end or the next frame.
fn read(pieces: &[&[u8]]) -> Vec<String> {
    let mut reader = FrameReader::new(HeaderLimits::default());
    let mut out: Vec<String> = Vec::new();
    let mut data: Option<(u32, usize, u32)> = None;
    for piece in pieces {
        let mut input = *piece;
        while let Some(frame) = reader.next(&mut input).unwrap() {
            match frame {
                Frame::HeadersPart => {}
                Frame::Data { stream, payload, flow_bytes, is_end, is_empty_frame: false, .. } => {
                    assert!(payload.iter().all(|&b| b == 7), "padding is no payload");
                    if data.is_some_and(|(of, ..)| of != stream) {
                        out.extend(data.take().map(|d| format!("{d:?}")));
                    }
                    let joined = data.get_or_insert((stream, 0, 0));
                    *joined = (stream, joined.1 + payload.len(), joined.2 + flow_bytes);
                    if is_end {
                        out.extend(data.take().map(|d| format!("{d:?} end")));
                    }
                }
                other => {
                    out.extend(data.take().map(|d| format!("{d:?}")));
                    out.push(format!("{other:?}"));
                }
            }
        }
    }
    out.extend(data.take().map(|d| format!("{d:?}")));
    assert!(!reader.is_inside_frame());
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_cuts_give_the_same_frames_as_the_whole(
        said in prop::collection::vec(said(), 1..20),
        cuts in prop::collection::vec(1usize..4_000, 1..30),
    ) {
        let bytes = write(&said);
        let whole = read(&[&bytes]);
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(&read(&pieces), &whole);
        let octets: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&read(&octets), &whole);
    }
}
