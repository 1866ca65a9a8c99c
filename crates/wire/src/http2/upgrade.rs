//! The settings that a client sends in the header of an HTTP/1 request that asks for HTTP/2 (RFC 7540 §3.2.1).

use crate::base64;

/// The payload of a SETTINGS frame in a value of `HTTP2-Settings`: base64url without padding. `None` if it is not that.
#[must_use]
pub fn upgrade_settings(value: &[u8]) -> Option<Vec<u8>> {
    let mut payload = Vec::with_capacity(value.len() / 4 * 3 + 2);
    for group in value.chunks(4) {
        let mut values = [0; 4];
        for (place, &character) in values.iter_mut().zip(group) {
            *place = match character {
                b'-' => 62,
                b'_' => 63,
                b'+' | b'/' => return None,
                other => base64::value(other)?,
            };
        }
        // A lone character says less than an octet.
        let octets = group.len().checked_sub(1).filter(|&n| n > 0)?;
        payload.extend_from_slice(&base64::decode_group(values)[..octets]);
    }
    payload.len().is_multiple_of(6).then_some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_out_and_what_is_none_does_not() {
        // curl's: 100 streams, a window of 32 MiB, no push.
        let payload = upgrade_settings(b"AAMAAABkAAQCAAAAAAIAAAAA").unwrap();
        assert_eq!(payload, [0, 3, 0, 0, 0, 100, 0, 4, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
        assert_eq!(upgrade_settings(b""), Some(Vec::new()));
        assert_eq!(upgrade_settings(b"____AAAA"), Some(vec![255, 255, 255, 0, 0, 0]));
        for wrong in [&b"AAMAAABk="[..], b"AAMA", b"AAMAAABkA", b"AAMA/ABk", b"AAMA ABk", b"AAMAAABkAA"] {
            assert_eq!(upgrade_settings(wrong), None, "{wrong:?}");
        }
    }
}
