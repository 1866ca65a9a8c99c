//! Durations as people write them: a whole number and a unit.

use crate::mistake::Complaint;
use std::time::Duration;

/// Units from the smallest, in milliseconds.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// `50ms`, `5s`, `1m`, `2h`.
pub(crate) fn parse(text: &str) -> Result<Duration, Complaint> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(Complaint::new("not a duration"));
    }
    if unit.is_empty() {
        return Err(Complaint::new("a duration without a unit").with_nearest(Some(format!("{number}s"))));
    }
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(Complaint::new("a duration with an unknown unit"));
    };
    let millis = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
    millis.map(Duration::from_millis).ok_or_else(|| Complaint::new("a duration that is out of range"))
}

/// As [`parse`] takes it, in the largest unit that divides it.
pub(crate) fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    let fits = |factor: u64| millis > 0 && millis.is_multiple_of(u128::from(factor));
    match UNITS.iter().rev().find(|(_, factor)| fits(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", millis / u128::from(*factor)),
        None => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_shown_again() {
        for (text, millis) in [("50ms", 50), ("5s", 5_000), ("1m", 60_000), ("2h", 7_200_000), ("0s", 0)] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
            assert_eq!(show(Duration::from_millis(millis)), text);
        }
        assert_eq!(show(Duration::from_secs(3600 * 48)), "48h");
        assert_eq!(show(Duration::from_millis(1500)), "1500ms");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "s", "-1s", "+1s", "1.5s", "1 s", "1S", "1d", "1us", "1m30s", "5", "١s"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("30").unwrap_err().nearest.as_deref(), Some("30s"));
    }

    #[test]
    fn a_number_beyond_what_milliseconds_can_hold_is_refused() {
        assert!(parse("18446744073709551615ms").is_ok());
        assert!(parse("18446744073709551616ms").is_err());
        assert!(parse("18446744073709551615s").is_err());
    }
}
