//! Mistakes in what was written: where, what was given, what is allowed, and the nearest name.
//!
//! Owns how mistakes are collected, bounded, ordered and shown; refuses to know settings and documents. Every module
//! of this crate that reads reports here.

use std::fmt;

/// Most mistakes that are kept and shown; the rest is counted.
pub const MAX_MISTAKES: usize = 100;
/// Most characters of a given value, or of a name that is looked for, that are shown.
const MAX_SHOWN: usize = 80;
/// Names in a list of what is allowed; more are left out.
const MAX_LISTED: usize = 24;

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where; `None` where the text has no lines (a flag, a file that cannot be read).
    pub place: Option<Place>,
    /// The key's path, `services[1].upstream.pending`; empty for the whole document.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What stands there, where that helps.
    pub given: Option<String>,
    /// What may stand there.
    pub allowed: Option<String>,
    /// What was probably meant.
    pub nearest: Option<String>,
}

/// All mistakes of one text; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    /// The file or flag.
    pub origin: String,
    /// By place, at most [`MAX_MISTAKES`].
    pub list: Vec<Mistake>,
    /// How many more there are.
    pub unlisted: usize,
}

impl fmt::Display for Mistakes {
    /// A head line, then one paragraph a mistake that begins `origin:line:column: path: what`. No newline at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.list.len() + self.unlisted;
        write!(f, "{count} mistake{} in {}", if count == 1 { "" } else { "s" }, self.origin)?;
        for mistake in &self.list {
            write!(f, "\n\n{}", self.origin)?;
            if let Some(place) = mistake.place {
                write!(f, ":{}:{}", place.line, place.column)?;
            }
            if !mistake.path.is_empty() {
                write!(f, ": {}", mistake.path)?;
            }
            write!(f, ": {}", mistake.what)?;
            if let Some(given) = &mistake.given {
                write!(f, "\n    given:   {given}")?;
            }
            if let Some(allowed) = &mistake.allowed {
                write!(f, "\n    allowed: {allowed}")?;
            }
            if let Some(nearest) = &mistake.nearest {
                write!(f, "\n    did you mean `{nearest}`?")?;
            }
        }
        if self.unlisted > 0 {
            write!(f, "\n\nand {} more", self.unlisted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// What is wrong with one value, before its place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) what: String,
    pub(crate) nearest: Option<String>,
}

impl Complaint {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), nearest: None }
    }

    pub(crate) fn with_nearest(mut self, nearest: Option<String>) -> Self {
        self.nearest = nearest;
        self
    }
}

/// Collects the mistakes of one text.
pub(crate) struct Report {
    origin: String,
    list: Vec<Mistake>,
    unlisted: usize,
    has_places: bool,
}

impl Report {
    /// Of one value on the command line, which has no lines and no key path.
    pub(crate) fn of_flag(flag: &str) -> Self {
        Self { has_places: false, ..Self::new(flag) }
    }

    pub(crate) fn new(origin: &str) -> Self {
        Self { origin: origin.to_owned(), list: Vec::new(), unlisted: 0, has_places: true }
    }

    pub(crate) fn add(&mut self, mistake: Mistake) {
        self.add_with(|| mistake);
    }

    /// As [`Report::add`]; a mistake that would not be listed is only counted, since looking for its nearest name
    /// costs time that a hostile document could multiply.
    pub(crate) fn add_with(&mut self, mistake: impl FnOnce() -> Mistake) {
        if self.list.len() < MAX_MISTAKES {
            self.list.push(mistake());
        } else {
            self.unlisted += 1;
        }
    }

    /// How many mistakes there are until now: what follows from values is looked at only where they are well.
    pub(crate) fn count(&self) -> usize {
        self.list.len() + self.unlisted
    }

    /// A mistake of the whole text.
    pub(crate) fn add_whole(&mut self, what: impl Into<String>, allowed: &str) {
        self.add(Mistake {
            place: None,
            path: String::new(),
            what: what.into(),
            given: None,
            allowed: Some(allowed.to_owned()),
            nearest: None,
        });
    }

    /// The value, if nothing was reported.
    ///
    /// # Errors
    /// Everything that was reported, by place.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Result<T, Mistakes> {
        match value {
            Some(value) if self.list.is_empty() => Ok(value),
            _ => {
                if !self.has_places {
                    self.list.iter_mut().for_each(|mistake| {
                        mistake.place = None;
                        mistake.path.clear();
                    });
                }
                self.list.sort_by(|a, b| (a.place, &a.path).cmp(&(b.place, &b.path)));
                Err(Mistakes { origin: self.origin, list: self.list, unlisted: self.unlisted })
            }
        }
    }
}

/// A value as it is shown: shortened, and without characters that a terminal would obey.
pub(crate) fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(MAX_SHOWN).flat_map(visible).collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        out.push('…');
    }
    out
}

fn visible(c: char) -> impl Iterator<Item = char> {
    // Format characters (bidirectional overrides, zero-width ones) would let a value disguise itself.
    let is_hidden = c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let (plain, escaped) = if is_hidden { (None, Some(c.escape_default())) } else { (Some(c), None) };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// Names in one line.
pub(crate) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let mut names = names.into_iter();
    let mut line = names.by_ref().take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    if names.next().is_some() {
        line.push_str(", …");
    }
    line
}

/// The name that was probably meant: a third of its letters may differ, case, `-` and `_` do not count.
pub(crate) fn nearest<'n>(given: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    if given.chars().nth(MAX_SHOWN).is_some() {
        return None;
    }
    let plain = |name: &str| name.to_lowercase().replace(['-', '_', ' '], "");
    let wanted = plain(given);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted, &plain(name)), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1) && *distance < wanted.len().max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_forgives_case_separators_and_a_slip() {
        let names = ["max_connections", "max_streams", "pending"];
        for (given, meant) in
            [("maxConnections", "max_connections"), ("max-streams", "max_streams"), ("pendng", "pending")]
        {
            assert_eq!(nearest(given, names).as_deref(), Some(meant));
        }
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("", ["a", "b"]), None);
        assert_eq!(nearest("x", ["a"]), None);
    }

    #[test]
    fn a_value_is_shown_short_and_without_escapes() {
        assert_eq!(shown("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
        assert_eq!(shown(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(shown(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }

    #[test]
    fn a_hundred_mistakes_are_listed_and_the_rest_is_counted() {
        let report = |count: usize| {
            let mut report = Report::new("f");
            (0..count).for_each(|_| report.add_whole("wrong", "right"));
            report.finish(Some(())).unwrap_err()
        };
        assert_eq!((report(MAX_MISTAKES).list.len(), report(MAX_MISTAKES).unlisted), (100, 0));
        assert_eq!((report(MAX_MISTAKES + 1).list.len(), report(MAX_MISTAKES + 1).unlisted), (100, 1));
        assert!(report(MAX_MISTAKES + 1).to_string().ends_with("and 1 more"));
        assert!(report(MAX_MISTAKES + 1).to_string().starts_with("101 mistakes in f\n"));
    }

    #[test]
    fn names_beyond_the_listed_ones_are_left_out() {
        assert_eq!(listed(vec!["a"; MAX_LISTED]).matches('a').count(), 24);
        assert!(!listed(vec!["a"; MAX_LISTED]).contains('…'));
        assert!(listed(vec!["a"; MAX_LISTED + 1]).ends_with(", …"));
    }
}
