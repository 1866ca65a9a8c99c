//! A mapping of the document, read by its table of settings.
//!
//! Owns what is common to all mappings: unknown, repeated, missing and exclusive keys, and values by their shape. The
//! modules of [`crate::parse`] ask it key by key; a key that is wrong is reported and reads as if it were absent.

use crate::document::{Content, Entry, Node};
use crate::mistake::{Complaint, Mistake, Place, Report, listed, nearest, shown};
use crate::settings::{Key, Presence, Shape, Table};
use crate::value::{duration, share, size};
use std::collections::HashMap;
use std::time::Duration;

/// A mapping and its table.
pub(crate) struct Section<'d> {
    table: &'static Table,
    entries: &'d [Entry],
    place: Option<Place>,
    path: String,
}

/// A key of a section, with its value if it is written.
pub(crate) struct Field<'d> {
    pub(crate) key: &'static Key,
    pub(crate) node: Option<&'d Node>,
    pub(crate) path: String,
    section_place: Option<Place>,
}

impl<'d> Section<'d> {
    /// A mapping that nobody wrote.
    pub(crate) fn absent(table: &'static Table, path: String) -> Self {
        Self { table, entries: &[], place: None, path }
    }

    /// A mapping of entries that are known to be in the table.
    pub(crate) fn of_entries(entries: &'d [Entry], table: &'static Table) -> Self {
        Self { table, entries, place: None, path: String::new() }
    }

    /// Reports keys that are unknown, repeated or exclude each other. Anything but a mapping is a mistake.
    pub(crate) fn open(
        node: &'d Node,
        path: String,
        table: &'static Table,
        report: &mut Report,
    ) -> Option<Self> {
        let Content::Map(entries) = &node.content else {
            let allowed = Shape::Section(table).allowed();
            report.add(mistake(Some(node.place), &path, "wrong type", Some(node.described()), Some(allowed)));
            return None;
        };
        let section = Self { table, entries, place: Some(node.place), path };
        section.check_keys(report);
        section.check_choice(report);
        Some(section)
    }

    pub(crate) fn field(&self, name: &str) -> Field<'d> {
        let key = self.table.key(name).expect("the parser asks only for keys of the table");
        let node = self.entries.iter().find(|entry| entry.key == name).map(|entry| &*entry.value);
        Field { key, node, path: self.path_of(name), section_place: self.place }
    }

    fn path_of(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => shown(name),
            path => format!("{path}.{}", shown(name)),
        }
    }

    fn check_keys(&self, report: &mut Report) {
        let mut lines: HashMap<&str, usize> = HashMap::new();
        for entry in self.entries {
            if let Some(first) = lines.get(entry.key.as_str()) {
                let what = format!("this key is given twice, first on line {first}");
                report.add(mistake(Some(entry.place), &self.path_of(&entry.key), what, None, None));
                continue;
            }
            lines.insert(&entry.key, entry.place.line);
            if self.table.key(&entry.key).is_none() {
                report.add_with(|| self.unknown(entry, &self.path_of(&entry.key)));
            }
        }
    }

    fn unknown(&self, entry: &Entry, path: &str) -> Mistake {
        let allowed = Some(listed(self.table.names()));
        if self.table.later.contains(&entry.key.as_str()) {
            return mistake(Some(entry.place), path, "not supported by this version", None, allowed);
        }
        if let Some(key) = self.table.elsewhere.iter().find(|key| key.word == entry.key) {
            return mistake(Some(entry.place), path, format!("not here: {}", key.what), None, allowed);
        }
        let what = if entry.key == "<<" { "merge keys are not supported" } else { "unknown key" };
        let mut mistake = mistake(Some(entry.place), path, what, None, allowed);
        mistake.nearest = nearest(&entry.key, self.table.names());
        mistake
    }

    fn check_choice(&self, report: &mut Report) {
        let Some(choose) = &self.table.choose else { return };
        let given: Vec<&Entry> =
            self.entries.iter().filter(|entry| choose.keys.contains(&entry.key.as_str())).collect();
        let names = listed(choose.keys.iter().copied());
        let amount = if choose.is_needed { "exactly one" } else { "at most one" };
        let allowed = Some(format!("{amount} of {names}"));
        match given.as_slice() {
            // A key of a later version was meant to fill the choice and is reported already.
            [] if choose.is_needed
                && !self.entries.iter().any(|entry| self.table.later.contains(&entry.key.as_str())) =>
            {
                report.add(mistake(self.place, &self.path, "a key is missing", None, allowed));
            }
            [_, second, ..] => {
                let given = listed(given.iter().map(|entry| entry.key.as_str()));
                let what = "these keys exclude each other";
                report.add(mistake(Some(second.place), &self.path, what, Some(given), allowed));
            }
            _ => {}
        }
    }
}

impl<'d> Field<'d> {
    /// Where it stands, or else where it could.
    pub(crate) fn place(&self) -> Option<Place> {
        self.node.map(|node| node.place).or(self.section_place)
    }

    /// Whether a key is written in the mapping below.
    pub(crate) fn holds(&self, name: &str) -> bool {
        match self.node.map(|node| &node.content) {
            Some(Content::Map(entries)) => entries.iter().any(|entry| entry.key == name),
            _ => false,
        }
    }

    /// Reports `what` about the value that is given.
    pub(crate) fn complain(&self, complaint: Complaint, report: &mut Report) {
        let given = self.node.map(Node::described);
        let mut mistake =
            mistake(self.place(), &self.path, complaint.what, given, Some(self.key.shape.allowed()));
        mistake.nearest = complaint.nearest;
        report.add(mistake);
    }

    /// Reports that the key goes with nothing that holds here, if it is written.
    pub(crate) fn must_not_be_there(&self, why: &str, allowed: &str, report: &mut Report) {
        if let Some(node) = self.node {
            let allowed = Some(allowed.to_owned());
            report.add(mistake(Some(node.place), &self.path, why, Some(node.described()), allowed));
        }
    }

    /// The value by `of`; else the default; else nothing. A missing required key is reported.
    fn read<T>(&self, report: &mut Report, of: impl Fn(&Node) -> Result<T, Complaint>) -> Option<T> {
        match (self.node, self.key.presence) {
            (Some(node), _) => match of(node) {
                Ok(value) => return Some(value),
                Err(complaint) => self.complain(complaint, report),
            },
            (None, Presence::Required) => self.complain(Complaint::new("this key is missing"), report),
            (None, _) => {}
        }
        let Presence::Default(default) = self.key.presence else { return None };
        Some(of(&Node::plain(default)).expect("every default of the table is in its own range"))
    }

    /// What [`Field::optional_duration`] reads, and apart from it `None` where neither the key nor a default is written.
    pub(crate) fn written_duration(&self, report: &mut Report) -> Option<Option<Duration>> {
        let Shape::Duration { min, max, or_none } = self.key.shape else { return None };
        self.read(report, |node| {
            let text = scalar(node, "a duration")?;
            if or_none && text == "none" {
                return Ok(None);
            }
            let duration = duration::parse(text)?;
            if (min..=max).contains(&duration) {
                Ok(Some(duration))
            } else {
                Err(Complaint::new("out of range"))
            }
        })
    }

    /// A whole number; `None` is absent or `none`.
    pub(crate) fn optional_count(&self, report: &mut Report) -> Option<u64> {
        let Shape::Count { min, max, or_none } = self.key.shape else { return None };
        self.read(report, |node| {
            let text = plain(node, "a whole number")?;
            if or_none && text == "none" {
                return Ok(None);
            }
            let digits = text.strip_prefix('-').unwrap_or(text);
            if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
                return Err(Complaint::new("not a whole number"));
            }
            // What no u64 holds, and what is negative, is a number beyond every range.
            match text.parse::<u64>() {
                Ok(count) if (min..=max).contains(&count) => Ok(Some(count)),
                _ => Err(Complaint::new("out of range")),
            }
        })
        .flatten()
    }

    /// A whole number of a key that has a default.
    pub(crate) fn count(&self, report: &mut Report) -> u32 {
        self.small_count(report).expect("the table gives this key a default")
    }

    /// A whole number of a key whose range ends within u32; `None` is absent or `none`.
    pub(crate) fn small_count(&self, report: &mut Report) -> Option<u32> {
        let count = self.optional_count(report)?;
        Some(u32::try_from(count).expect("the table's range ends within u32"))
    }

    /// A duration; `None` is absent or `none`.
    pub(crate) fn optional_duration(&self, report: &mut Report) -> Option<Duration> {
        self.written_duration(report).flatten()
    }

    /// A duration of a key that has a default.
    pub(crate) fn duration(&self, report: &mut Report) -> Duration {
        self.optional_duration(report).expect("the table gives this key a default")
    }

    /// A size of a key that has a default, in bytes.
    pub(crate) fn size(&self, report: &mut Report) -> u64 {
        self.written_size(report).flatten().expect("the table gives this key a default")
    }

    /// A size, apart from `none` where neither the key nor a default is written.
    pub(crate) fn written_size(&self, report: &mut Report) -> Option<Option<u64>> {
        let Shape::Size { min, max, or_none } = self.key.shape else { return None };
        self.read(report, |node| {
            let text = scalar(node, "a size")?;
            if or_none && text == "none" {
                return Ok(None);
            }
            match size::parse(text)? {
                bytes if (min..=max).contains(&bytes) => Ok(Some(bytes)),
                _ => Err(Complaint::new("out of range")),
            }
        })
    }

    /// A share; `None` is absent.
    pub(crate) fn optional_share(&self, report: &mut Report) -> Option<f64> {
        self.read(report, |node| share::parse(scalar(node, "a share")?))
    }

    /// A share of a key that has a default.
    pub(crate) fn share(&self, report: &mut Report) -> f64 {
        self.optional_share(report).expect("the table gives this key a default")
    }

    /// Whether a key that has a default is on.
    pub(crate) fn is_on(&self, report: &mut Report) -> bool {
        let is_on = self.read(report, |node| match &node.content {
            Content::Scalar { text, is_plain: true } if text == "true" => Ok(true),
            Content::Scalar { text, is_plain: true } if text == "false" => Ok(false),
            _ => Err(Complaint::new("neither true nor false")),
        });
        is_on.expect("the table gives this key a default")
    }

    /// A word of the key's choice, by what `meaning` gives each of them.
    pub(crate) fn choice<T>(&self, report: &mut Report, meaning: impl Fn(&'static str) -> T) -> Option<T> {
        let Shape::Choice { words, later } = self.key.shape else { return None };
        self.read(report, |node| {
            let text = scalar(node, "a word")?;
            match words.iter().find(|word| word.word == text) {
                Some(word) => Ok(meaning(word.word)),
                None if later.contains(&text) => Err(Complaint::new("not supported by this version")),
                None => Err(Complaint::new("unknown word")
                    .with_nearest(nearest(text, words.iter().map(|word| word.word)))),
            }
        })
    }

    /// The words of a list; `None` is absent. A word that is wrong is reported, and the list reads as absent.
    pub(crate) fn words(&self, report: &mut Report) -> Option<Vec<&'static str>> {
        let Shape::Words { words, refused } = self.key.shape else { return None };
        let known = |text: &str| words.iter().map(|word| word.word).find(|word| *word == text);
        let default = || {
            let Presence::Default(default) = self.key.presence else { return None };
            let words = default_words(default).map(known);
            Some(words.collect::<Option<_>>().expect("every default of the table is made of its own words"))
        };
        let Some(node) = self.node else { return default() };
        let Content::List(items) = &node.content else {
            self.complain(Complaint::new("wrong type"), report);
            return default();
        };
        let mut given: Vec<&'static str> = Vec::new();
        let mut is_whole = true;
        for (index, item) in items.iter().enumerate() {
            let word = scalar(item, "a word").and_then(|text| match known(text) {
                Some(word) if given.contains(&word) => Err(Complaint::new("this word is given twice")),
                Some(word) => Ok(word),
                None => Err(match refused.iter().find(|word| word.word.eq_ignore_ascii_case(text)) {
                    Some(refused) => Complaint::new(format!("never allowed: {}", refused.what)),
                    None => Complaint::new("unknown word")
                        .with_nearest(nearest(text, words.iter().map(|word| word.word))),
                }),
            });
            match word {
                Ok(word) => given.push(word),
                Err(complaint) => {
                    is_whole = false;
                    let path = format!("{}[{index}]", self.path);
                    let allowed = Some(listed(words.iter().map(|word| word.word)));
                    let mut mistake =
                        mistake(Some(item.place), &path, complaint.what, Some(item.described()), allowed);
                    mistake.nearest = complaint.nearest;
                    report.add(mistake);
                }
            }
        }
        if is_whole { Some(given) } else { default() }
    }

    /// Text, by what `of` makes of it.
    pub(crate) fn text<T>(
        &self,
        report: &mut Report,
        of: impl Fn(&str) -> Result<T, Complaint>,
    ) -> Option<T> {
        self.read(report, |node| of(scalar(node, "text")?))
    }

    /// The texts of a list, by what `of` makes of each, each at most once; `None` is absent. A wrong one is reported and
    /// left out.
    pub(crate) fn texts(
        &self,
        report: &mut Report,
        of: impl Fn(&str) -> Result<String, Complaint>,
    ) -> Option<Vec<String>> {
        let Shape::Texts { rule, .. } = self.key.shape else { return None };
        if self.node.is_none() && !matches!(self.key.presence, Presence::Required) {
            return None;
        }
        let mut given: Vec<String> = Vec::new();
        for (node, path) in self.items(report) {
            let text = scalar(node, "text").and_then(&of).and_then(|text| match given.contains(&text) {
                true => Err(Complaint::new("this is in the list twice")),
                false => Ok(text),
            });
            match text {
                Ok(text) => given.push(text),
                Err(complaint) => {
                    let allowed = Some(rule.allowed.to_owned());
                    let mut mistake =
                        mistake(Some(node.place), &path, complaint.what, Some(node.described()), allowed);
                    mistake.nearest = complaint.nearest;
                    report.add(mistake);
                }
            }
        }
        Some(given)
    }

    /// The mapping below; an absent or wrong one reads as an empty one.
    pub(crate) fn section(&self, report: &mut Report) -> Section<'d> {
        let Shape::Section(table) = self.key.shape else {
            unreachable!("the table says that {} is a section", self.key.name);
        };
        let opened = self.node.and_then(|node| Section::open(node, self.path.clone(), table, report));
        opened.unwrap_or_else(|| Section::absent(table, self.path.clone()))
    }

    /// The mapping below, where it must or may be missing. A wrong one is reported and missing.
    pub(crate) fn optional_section(&self, report: &mut Report) -> Option<Section<'d>> {
        let Shape::Section(table) = self.key.shape else { return None };
        match (self.node, self.key.presence) {
            (Some(node), _) => Section::open(node, self.path.clone(), table, report),
            (None, Presence::Required) => {
                self.complain(Complaint::new("this key is missing"), report);
                None
            }
            (None, _) => None,
        }
    }

    /// The items of a list whose length is in range, each with its path. A wrong list is reported and empty.
    pub(crate) fn items(&self, report: &mut Report) -> Vec<(&'d Node, String)> {
        let (Shape::Sections { min, max, .. }
        | Shape::Texts { min, max, .. }
        | Shape::Endpoints { min, max }) = self.key.shape
        else {
            return Vec::new();
        };
        let Some(node) = self.node else {
            if matches!(self.key.presence, Presence::Required) {
                self.complain(Complaint::new("this key is missing"), report);
            }
            return Vec::new();
        };
        let Content::List(items) = &node.content else {
            self.complain(Complaint::new("wrong type"), report);
            return Vec::new();
        };
        if items.len() < min {
            self.complain(Complaint::new("the list is empty"), report);
        }
        if items.len() > max {
            self.complain(Complaint::new(format!("the list is too long: {} items", items.len())), report);
        }
        let path = |index: usize| format!("{}[{index}]", self.path);
        items.iter().take(max).enumerate().map(|(index, item)| (&**item, path(index))).collect()
    }
}

/// The words of a list as the table writes a default: `[a, \":b\"]`.
pub(crate) fn default_words(default: &str) -> impl Iterator<Item = &str> {
    let items = default.trim_start_matches('[').trim_end_matches(']').split(',');
    items.map(|item| item.trim().trim_matches('"')).filter(|item| !item.is_empty())
}

/// A mistake without a nearest name.
pub(crate) fn mistake(
    place: Option<Place>,
    path: &str,
    what: impl Into<String>,
    given: Option<String>,
    allowed: Option<String>,
) -> Mistake {
    Mistake { place, path: path.to_owned(), what: what.into(), given, allowed, nearest: None }
}

/// A scalar's text, where YAML would not read it as `null` or a boolean.
pub(crate) fn scalar<'n>(node: &'n Node, wanted: &str) -> Result<&'n str, Complaint> {
    match &node.content {
        Content::Scalar { text, is_plain } if *is_plain => match text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => {
                Err(Complaint::new(format!("no value where {wanted} is wanted")))
            }
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => {
                Err(Complaint::new(format!("a boolean where {wanted} is wanted")))
            }
            text => Ok(text),
        },
        Content::Scalar { text, .. } => Ok(text),
        Content::List(_) | Content::Map(_) => Err(Complaint::new(format!("wrong type: {wanted} is wanted"))),
    }
}

/// A scalar's text where quotes would make it another type.
fn plain<'n>(node: &'n Node, wanted: &str) -> Result<&'n str, Complaint> {
    let text = scalar(node, wanted)?;
    match &node.content {
        Content::Scalar { is_plain: false, .. } if text != "none" => {
            Err(Complaint::new(format!("text in quotes where {wanted} is wanted")))
        }
        _ => Ok(text),
    }
}
