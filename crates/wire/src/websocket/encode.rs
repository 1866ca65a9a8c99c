//! Control frames that a relay puts between the frames of others.
//!
//! Does not know whether there is a place for one: `FrameTracker::is_between_frames` does.

use super::LONGEST_CONTROL;

/// Longest reason of a close frame, in octets: a control frame's payload less the code (RFC 6455 §5.5).
pub const LONGEST_REASON: usize = LONGEST_CONTROL - 2;

const FINAL_CLOSE: u8 = 0x88;
const FINAL_PING: u8 = 0x89;
const MASKED: u8 = 0x80;

/// Appends a ping (§5.5.2). With a mask towards a server, without towards a client. What is over 125 octets of `payload`
/// is left out.
pub fn put_ping(out: &mut Vec<u8>, mask: Option<[u8; 4]>, payload: &[u8]) {
    let payload = &payload[..payload.len().min(LONGEST_CONTROL)];
    put(out, FINAL_PING, mask, [payload, &[]]);
}

/// Appends a close (§5.5.1) with its code and reason. With a mask towards a server, without towards a client. A reason over
/// [`LONGEST_REASON`] is cut where a character ends.
pub fn put_close(out: &mut Vec<u8>, mask: Option<[u8; 4]>, code: u16, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(LONGEST_REASON)];
    put(out, FINAL_CLOSE, mask, [&code.to_be_bytes(), reason.as_bytes()]);
}

/// A frame whose payload is these two parts, together 125 octets at most.
fn put(out: &mut Vec<u8>, first: u8, mask: Option<[u8; 4]>, parts: [&[u8]; 2]) {
    let length = (parts[0].len() + parts[1].len()) as u8;
    out.extend_from_slice(&[first, length | if mask.is_some() { MASKED } else { 0 }]);
    out.extend_from_slice(mask.as_ref().map_or(&[], |m| m.as_slice()));
    let payload = parts.into_iter().flatten().copied();
    match mask {
        Some(mask) => out.extend(payload.zip(mask.into_iter().cycle()).map(|(byte, key)| byte ^ key)),
        None => out.extend(payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::{Event, FrameTracker, Sender};

    #[test]
    fn the_examples_of_rfc_6455_for_a_ping_come_out() {
        let mut out = Vec::new();
        put_ping(&mut out, None, b"Hello");
        assert_eq!(out, [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        out.clear();
        // The same octets as the masked pong of §5.7, but for the opcode.
        put_ping(&mut out, Some([0x37, 0xfa, 0x21, 0x3d]), b"Hello");
        assert_eq!(out, [0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn what_is_put_is_read_back_by_the_tracker_of_its_side() {
        for (mask, sender) in [(None, Sender::Server), (Some([1, 2, 3, 0xff]), Sender::Client)] {
            for reason in ["", "drained", &"é".repeat(200)] {
                let mut out = Vec::new();
                put_ping(&mut out, mask, &[7; 300]);
                put_close(&mut out, mask, 1012, reason);
                let (mut tracker, mut input) = (FrameTracker::new(sender), &out[..]);
                assert_eq!(tracker.next(&mut input), Ok(Some(Event::Ping)));
                assert_eq!(tracker.next(&mut input), Ok(Some(Event::Close(Some(1012)))));
                assert!(input.is_empty());
            }
        }
    }

    #[test]
    fn a_reason_of_123_octets_is_kept_and_a_longer_one_is_cut_between_characters() {
        let reason = |text: &str| {
            let mut out = Vec::new();
            put_close(&mut out, None, 1001, text);
            assert_eq!(usize::from(out[1]), out.len() - 2);
            String::from_utf8(out[4..].to_vec()).unwrap()
        };
        let longest = "a".repeat(LONGEST_REASON);
        assert_eq!(reason(&longest), longest);
        assert_eq!(reason(&(longest.clone() + "b")), longest);
        assert_eq!(reason(&"é".repeat(62)), "é".repeat(61));
    }
}
