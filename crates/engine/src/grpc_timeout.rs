//! `grpc-timeout`: how long a caller waits (gRPC over HTTP/2, "Requests": `Timeout`).
//!
//! The header travels on unchanged; this only reads it. Called for gRPC requests that have it.

use std::time::Duration;

/// What the value says: one to eight digits and a unit. `None` for anything else, which is the endpoint's to
/// refuse: servers answer such a call with INTERNAL, and a proxy that did so first would hide whose fault it is.
pub(crate) fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let n = digits.iter().try_fold(0_u64, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))?;
    Some(match unit {
        b'H' => Duration::from_secs(n * 3600),
        b'M' => Duration::from_secs(n * 60),
        b'S' => Duration::from_secs(n),
        b'm' => Duration::from_millis(n),
        b'u' => Duration::from_micros(n),
        b'n' => Duration::from_nanos(n),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_up_to_eight_digits() {
        for (value, expected) in [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("30S", Duration::from_secs(30)),
            ("250m", Duration::from_millis(250)),
            ("100u", Duration::from_micros(100)),
            ("7n", Duration::from_nanos(7)),
            ("0S", Duration::ZERO),
            ("00000010S", Duration::from_secs(10)),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ] {
            assert_eq!(parse(value.as_bytes()), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_the_grammar_does_not_know_is_no_timeout() {
        for value in
            ["", "S", "1", "1s", "1 S", " 1S", "1S ", "-1S", "+1S", "1.5S", "123456789S", "1SS", "\u{661}S"]
        {
            assert_eq!(parse(value.as_bytes()), None, "{value}");
        }
    }
}
