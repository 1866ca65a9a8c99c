//! Shares of a whole: `50%` or `0.5`.

use crate::mistake::Complaint;

/// 0 to 1, both included.
pub(crate) fn parse(text: &str) -> Result<f64, Complaint> {
    let (number, whole) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    // `f64` would take `inf`, `nan`, `1e3` and signs too.
    let is_decimal = number.starts_with(|c: char| c.is_ascii_digit())
        && number.ends_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let share = is_decimal.then(|| number.parse::<f64>().ok()).flatten().map(|number| number / whole);
    match share {
        None => Err(Complaint::new("not a share")),
        Some(share) if share > 1.0 => Err(Complaint::new("out of range")),
        Some(share) => Ok(share),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_and_number_mean_the_same() {
        assert_eq!(parse("50%"), parse("0.5"));
        assert_eq!(parse("12.5%"), Ok(0.125));
        assert_eq!(parse("0"), Ok(0.0));
    }

    #[test]
    fn a_share_ends_at_the_whole() {
        assert_eq!((parse("100%"), parse("1")), (Ok(1.0), Ok(1.0)));
        for text in ["100.1%", "1.001", "2"] {
            assert_eq!(parse(text).unwrap_err().what, "out of range", "{text}");
        }
    }

    #[test]
    fn signs_exponents_and_words_are_refused() {
        for text in ["", "%", "-1%", "+0.5", "1e-1", "inf", "NaN", ".5", "5.", "0.5.5", "50 %", "half"] {
            assert_eq!(parse(text).unwrap_err().what, "not a share", "{text}");
        }
    }
}
