//! The one table of settings: for each key its type, range, default, and what it is for and why.
//!
//! The parser reads defaults and ranges here; reference page, schema and example are made from it. Refuses to know
//! the model: a key's meaning is given to it by [`crate::parse`].

pub(crate) mod endpoint;
pub(crate) mod exchange;
pub(crate) mod grpc_web;
pub(crate) mod limits;
pub(crate) mod listener;
pub(crate) mod process;
pub(crate) mod service;
pub(crate) mod text;
pub(crate) mod tls;

use crate::mistake::listed;
use crate::value;
use crate::value::duration;
use std::time::Duration;
use text::TextRule;

/// A mapping: its keys, and the keys that Evenkeel's contract names and this version does not have.
pub(crate) struct Table {
    pub(crate) keys: &'static [Key],
    pub(crate) later: &'static [&'static str],
    /// Keys that belong elsewhere, with the reason.
    pub(crate) elsewhere: &'static [Word],
    pub(crate) choose: Option<Choose>,
}

/// Keys that exclude each other.
pub(crate) struct Choose {
    pub(crate) keys: &'static [&'static str],
    /// One of them must be there.
    pub(crate) is_needed: bool,
}

/// One setting.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) presence: Presence,
    /// What it is, and why one would change it.
    pub(crate) what: &'static str,
    /// A value for the example file, where the default is none.
    pub(crate) example: Option<&'static str>,
}

/// What holds when a key is not written.
#[derive(Clone, Copy)]
pub(crate) enum Presence {
    /// It is a mistake.
    Required,
    /// This value, written as a user would.
    Default(&'static str),
    /// No value; the text says what that means. A section's keys have their defaults.
    Absent(&'static str),
    /// No section, which is something else than one of defaults; the text says what.
    Off(&'static str),
}

/// Type and range of a value.
pub(crate) enum Shape {
    /// A whole number, or `none`.
    Count { min: u64, max: u64, or_none: bool },
    /// A whole number with its unit, or `none`.
    Duration { min: Duration, max: Duration, or_none: bool },
    /// A whole number of bytes with its unit, or `none`.
    Size { min: u64, max: u64, or_none: bool },
    /// 0 to 1, or percent.
    Share,
    /// `true` or `false`.
    Switch,
    /// One of these words; `later` ones are not in this version.
    Choice { words: &'static [Word], later: &'static [&'static str] },
    /// A list of these words, each at most once; `refused` ones never are, with the reason.
    Words { words: &'static [Word], refused: &'static [Word] },
    /// Text with a meaning of its own.
    Text(&'static TextRule),
    /// A list of such texts.
    Texts { rule: &'static TextRule, min: usize, max: usize },
    /// A mapping.
    Section(&'static Table),
    /// A list of mappings.
    Sections { table: &'static Table, min: usize, max: usize },
    /// A list whose items are an address or a mapping by [`endpoint::ENDPOINT`].
    Endpoints { min: usize, max: usize },
    /// Header names with their values.
    Headers { max: usize },
}

/// A word, and what it means or why it is refused.
pub(crate) struct Word {
    pub(crate) word: &'static str,
    pub(crate) what: &'static str,
}

impl Table {
    /// A key of this table.
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

impl Shape {
    /// What may be written, in words, with the units.
    pub(crate) fn allowed(&self) -> String {
        match self {
            Self::Duration { .. } => format!("{}; a whole number and ms, s, m or h", self.range()),
            Self::Size { .. } => format!("{}; a whole number and B, KiB, MiB or GiB", self.range()),
            other => other.range(),
        }
    }

    /// What may be written, in words.
    pub(crate) fn range(&self) -> String {
        let none = |or_none: bool| if or_none { ", or none" } else { "" };
        match self {
            Self::Count { min, max, or_none } => {
                format!("a whole number from {min} to {max}{}", none(*or_none))
            }
            Self::Duration { min, max, or_none } => format!(
                "a duration from {} to {}{}",
                duration::show(*min),
                duration::show(*max),
                none(*or_none)
            ),
            Self::Size { min, max, or_none } => format!(
                "a size from {} to {}{}",
                value::size::show(*min),
                value::size::show(*max),
                none(*or_none)
            ),
            Self::Switch => "true or false".to_owned(),
            Self::Share => "a share from 0 to 1, or from 0% to 100%".to_owned(),
            Self::Choice { words, .. } => listed(words.iter().map(|word| word.word)),
            Self::Words { words, .. } => format!("a list of {}", listed(words.iter().map(|word| word.word))),
            Self::Text(rule) => rule.allowed.to_owned(),
            Self::Texts { rule, min, max } => {
                format!("a list of {min} to {max} texts, each {}", rule.allowed)
            }
            Self::Section(table) => format!("a mapping of {}", listed(table.names())),
            Self::Sections { table, min, max } => {
                format!("a list of {min} to {max} mappings of {}", listed(table.names()))
            }
            Self::Endpoints { min, max } => {
                format!(
                    "a list of {min} to {max} endpoints, each \"address:port\" or a mapping with `address`"
                )
            }
            Self::Headers { max } => {
                format!("a mapping of at most {max} header names to the values they must have")
            }
        }
    }
}

/// Key without an example of its own.
const fn key(name: &'static str, shape: Shape, presence: Presence, what: &'static str) -> Key {
    Key { name, shape, presence, what, example: None }
}

/// Key that shows `example` in the example file.
const fn key_like(
    name: &'static str,
    shape: Shape,
    presence: Presence,
    example: &'static str,
    what: &'static str,
) -> Key {
    Key { name, shape, presence, what, example: Some(example) }
}

const fn word(word: &'static str, what: &'static str) -> Word {
    Word { word, what }
}

/// All keys are there; nothing is left for later.
const fn table(keys: &'static [Key]) -> Table {
    Table { keys, later: &[], elsewhere: &[], choose: None }
}

const fn count(min: u64, max: u64) -> Shape {
    Shape::Count { min, max, or_none: false }
}

const fn size(min: u64, max: u64) -> Shape {
    Shape::Size { min, max, or_none: false }
}

const fn seconds(min: Duration, max_seconds: u64) -> Shape {
    Shape::Duration { min, max: Duration::from_secs(max_seconds), or_none: false }
}

/// A duration of at most so many seconds, or `none`.
const fn seconds_or_none(min: Duration, max_seconds: u64) -> Shape {
    Shape::Duration { min, max: Duration::from_secs(max_seconds), or_none: true }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// A section whose keys have defaults may be left out.
const EACH_DEFAULT: Presence = Presence::Absent("each of its keys has its default");
