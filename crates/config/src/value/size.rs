//! Sizes in bytes as people write them: a whole number and a unit.

use crate::mistake::Complaint;

/// Units from the smallest.
const UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// `65535B`, `64KiB`, `1MiB`, `2GiB`.
pub(crate) fn parse(text: &str) -> Result<u64, Complaint> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(Complaint::new("not a size"));
    }
    if unit.is_empty() {
        return Err(Complaint::new("a size without a unit").with_nearest(Some(format!("{number}B"))));
    }
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let meant = UNITS.iter().find(|(name, _)| is_meant(name, unit));
        return Err(Complaint::new("a size with an unknown unit")
            .with_nearest(meant.map(|(name, _)| format!("{number}{name}"))));
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
    bytes.ok_or_else(|| Complaint::new("out of range"))
}

/// Whether `unit` is another way to write the unit of this name: `K`, `kb`, `kib`.
fn is_meant(name: &str, unit: &str) -> bool {
    let other = [name, name.trim_end_matches('B'), name.trim_end_matches("iB")];
    let decimal = name.replace('i', "");
    other.into_iter().chain([&*decimal]).any(|way| !way.is_empty() && way.eq_ignore_ascii_case(unit))
}

/// As [`parse`] takes it, in the largest unit that divides it.
pub(crate) fn show(bytes: u64) -> String {
    let fits = |factor: u64| bytes > 0 && bytes.is_multiple_of(factor);
    let largest = UNITS.iter().rev().find(|(_, factor)| fits(*factor));
    largest.map_or_else(|| "0B".to_owned(), |(unit, factor)| format!("{}{unit}", bytes / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_shown_again() {
        for (text, bytes) in
            [("0B", 0), ("65535B", 65_535), ("64KiB", 65_536), ("3MiB", 3 << 20), ("2GiB", 2 << 30)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
            assert_eq!(show(bytes), text);
        }
        assert_eq!(parse("1024KiB"), Ok(1 << 20));
    }

    #[test]
    fn other_ways_to_write_a_unit_are_refused_with_the_one_that_is_meant() {
        for (text, meant) in [
            ("64", Some("64B")),
            ("64K", Some("64KiB")),
            ("64kb", Some("64KiB")),
            ("64kib", Some("64KiB")),
            ("64Ki", Some("64KiB")),
            ("1MB", Some("1MiB")),
            ("1G", Some("1GiB")),
            ("5b", Some("5B")),
            ("5 KiB", None),
            ("5TiB", None),
            ("KiB", None),
            ("-1B", None),
            ("1.5MiB", None),
            ("", None),
        ] {
            assert_eq!(parse(text).unwrap_err().nearest.as_deref(), meant, "{text}");
        }
    }

    #[test]
    fn what_no_u64_holds_is_out_of_range() {
        assert_eq!(parse("18446744073709551615B"), Ok(u64::MAX));
        for text in ["18446744073709551616B", "18446744073709551615KiB"] {
            assert_eq!(parse(text).unwrap_err().what, "out of range", "{text}");
        }
    }
}
