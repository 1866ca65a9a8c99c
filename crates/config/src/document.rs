//! YAML (and so JSON) text to a tree whose every node knows its place.
//!
//! Owns the limits of a document: bytes, nodes, depth, aliases. Refuses to know settings. Built from the parser's events
//! and not from a library's tree, since that loses duplicate keys and copies what an alias names.

use crate::mistake::{Mistake, Place, Report, shown};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};
use std::collections::HashMap;
use std::rc::Rc;

/// Longest document, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 1 << 20;
/// Most nodes (keys, values, lists, mappings) of a document, each alias counted with all it stands for.
pub const MAX_DOCUMENT_NODES: usize = 250_000;
/// Deepest nesting.
pub const MAX_DOCUMENT_DEPTH: usize = 32;

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) content: Content,
    /// Nodes below and this one, aliases counted in full.
    size: usize,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Content {
    /// Text as it is written, and whether it is plain: only a plain one can be a number.
    Scalar {
        text: String,
        is_plain: bool,
    },
    List(Vec<Rc<Node>>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Rc<Node>,
}

impl Entry {
    /// A key with a plain scalar that stands nowhere.
    pub(crate) fn plain(key: &str, text: &str) -> Self {
        let value = Node::plain(text);
        Self { key: key.to_owned(), place: value.place, value: Rc::new(value) }
    }
}

impl Node {
    /// A plain scalar that stands nowhere.
    pub(crate) fn plain(text: &str) -> Self {
        Self {
            place: Place { line: 0, column: 0 },
            content: Content::Scalar { text: text.to_owned(), is_plain: true },
            size: 1,
        }
    }

    /// The node in a mistake's words.
    pub(crate) fn described(&self) -> String {
        match &self.content {
            Content::Scalar { text, is_plain: true } if text.is_empty() => "nothing".to_owned(),
            Content::Scalar { text, is_plain: true } => shown(text),
            Content::Scalar { text, is_plain: false } => format!("\"{}\"", shown(text)),
            Content::List(items) if items.is_empty() => "an empty list".to_owned(),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// Reads one document. `None` means that mistakes were reported; mistakes may be reported beside a tree too.
pub(crate) fn read(text: &str, report: &mut Report) -> Option<Rc<Node>> {
    const ALLOWED: &str = "one YAML or JSON document of at most 1 MiB";
    if text.len() > MAX_DOCUMENT_BYTES {
        report.add_whole(format!("the document is too long: {} bytes", text.len()), ALLOWED);
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder =
        Builder { parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0, tag: None };
    match builder.document() {
        Ok(Some(root)) => {
            if let Some(mistake) = builder.tag {
                report.add(mistake);
            }
            Some(root)
        }
        Ok(None) => {
            report.add_whole("the document is empty", ALLOWED);
            None
        }
        Err(fault) => {
            report.add(fault.mistake(text));
            None
        }
    }
}

/// Why no tree can be built.
enum Fault {
    Syntax(ScanError),
    Limit { at: Marker, what: String, allowed: String },
}

impl Fault {
    fn mistake(self, text: &str) -> Mistake {
        let (place, what, allowed) = match self {
            Self::Limit { at, what, allowed } => (place(at), what, Some(allowed)),
            // The parser looks ahead, so its own limit may be met before ours.
            Self::Syntax(error) if error.info().contains("recursion limit") => {
                (place(*error.marker()), TOO_DEEP.to_owned(), Some(depth_allowed()))
            }
            Self::Syntax(error) => match indenting_tab(text, &error) {
                Some(tab) => (tab, "a tab indents this line".to_owned(), Some("spaces".to_owned())),
                None => (place(*error.marker()), format!("not YAML: {}", error.info()), None),
            },
        };
        Mistake { place: Some(place), path: String::new(), what, given: None, allowed, nearest: None }
    }
}

/// A tab before the first other character of the error's line or a neighbour: the parser notices early or late.
fn indenting_tab(text: &str, error: &ScanError) -> Option<Place> {
    let line = error.marker().line();
    let after = if error.info().contains("tab") { line + 1 } else { line };
    [line, line.saturating_sub(1), after].into_iter().filter(|line| *line > 0).find_map(|line| {
        let content = text.lines().nth(line - 1)?;
        let indent = content.chars().take_while(|c| c.is_whitespace());
        let column = indent.enumerate().find(|(_, c)| *c == '\t')?.0 + 1;
        Some(Place { line, column })
    })
}

const TOO_DEEP: &str = "nested too deep";

fn depth_allowed() -> String {
    format!("at most {MAX_DOCUMENT_DEPTH} levels")
}

fn place(at: Marker) -> Place {
    Place { line: at.line().max(1), column: at.col() + 1 }
}

struct Builder<'t> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Rc<Node>>,
    nodes: usize,
    tag: Option<Mistake>,
}

impl<'t> Builder<'t> {
    fn document(&mut self) -> Result<Option<Rc<Node>>, Fault> {
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => break,
                _ if root.is_some() => {
                    return Err(limit(span, "a second document", "one document in a file"));
                }
                event => root = Some(self.node(event, span, 1)?),
            }
        }
        // The parser gives an empty scalar where `---` stands alone.
        Ok(root.filter(|node: &Rc<Node>| !matches!(&node.content, Content::Scalar { text, is_plain: true } if text.is_empty())))
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Fault> {
        self.parser.next_event().transpose().map_err(Fault::Syntax)
    }

    /// An event within a collection; the parser ends every collection that it begins.
    fn next_inside(&mut self, opened: Span) -> Result<(Event<'t>, Span), Fault> {
        self.next()?.ok_or_else(|| limit(opened, "the text ends inside a list or mapping", "its end"))
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Rc<Node>, Fault> {
        if depth > MAX_DOCUMENT_DEPTH {
            return Err(limit(span, TOO_DEEP, depth_allowed()));
        }
        self.count(1, span)?;
        let (content, anchor, tag) = match event {
            Event::Alias(anchor) => return self.alias(anchor, span),
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                (Content::Scalar { text: text.into_owned(), is_plain }, anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => (self.list(span, depth)?, anchor, tag),
            Event::MappingStart(anchor, tag) => (self.map(span, depth)?, anchor, tag),
            _ => return Err(limit(span, "a value is missing", "a value")),
        };
        if let Some(tag) = tag
            && self.tag.is_none()
        {
            self.tag = Some(Mistake {
                place: Some(place(span.start)),
                path: String::new(),
                what: "tags are not supported".to_owned(),
                given: Some(shown(&tag.to_string())),
                allowed: Some("the value without a tag".to_owned()),
                nearest: None,
            });
        }
        let below: usize = match &content {
            Content::Scalar { .. } => 0,
            Content::List(items) => items.iter().map(|item| item.size).sum(),
            Content::Map(entries) => entries.iter().map(|entry| entry.value.size + 1).sum(),
        };
        let node = Rc::new(Node { place: place(span.start), content, size: below + 1 });
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    /// What an alias names is shared, not copied, and counted as often as it is named.
    fn alias(&mut self, anchor: usize, span: Span) -> Result<Rc<Node>, Fault> {
        let Some(named) = self.anchors.get(&anchor).map(Rc::clone) else {
            return Err(limit(
                span,
                "an alias inside of what it names",
                "an alias of a value that ended before",
            ));
        };
        self.count(named.size, span)?;
        Ok(named)
    }

    fn list(&mut self, opened: Span, depth: usize) -> Result<Content, Fault> {
        let mut items = Vec::new();
        loop {
            match self.next_inside(opened)? {
                (Event::SequenceEnd, _) => return Ok(Content::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, opened: Span, depth: usize) -> Result<Content, Fault> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next_inside(opened)?;
            if event == Event::MappingEnd {
                return Ok(Content::Map(entries));
            }
            let key = self.node(event, span, depth + 1)?;
            let Content::Scalar { text, .. } = &key.content else {
                return Err(limit(span, format!("{} as a key", key.described()), "a name as a key"));
            };
            let (event, value_span) = self.next_inside(opened)?;
            let value = self.node(event, value_span, depth + 1)?;
            entries.push(Entry { key: text.clone(), place: place(span.start), value });
        }
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Fault> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_DOCUMENT_NODES {
            let allowed = format!("at most {MAX_DOCUMENT_NODES}, an alias counted with all that it names");
            return Err(limit(span, "too many values in the document", allowed));
        }
        Ok(())
    }
}

fn limit(span: Span, what: impl Into<String>, allowed: impl Into<String>) -> Fault {
    Fault::Limit { at: span.start, what: what.into(), allowed: allowed.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> Option<String> {
        let mut report = Report::new("f");
        let root = read(text, &mut report);
        report.finish(root).err().map(|mistakes| mistakes.list[0].what.clone())
    }

    #[test]
    fn a_document_ends_at_one_mebibyte() {
        let text = |bytes: usize| format!("a: {}", "x".repeat(bytes - 3));
        assert_eq!(mistake(&text(MAX_DOCUMENT_BYTES)), None);
        assert_eq!(
            mistake(&text(MAX_DOCUMENT_BYTES + 1)).as_deref(),
            Some("the document is too long: 1048577 bytes")
        );
    }

    #[test]
    fn nesting_ends_at_its_limit() {
        let text = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(mistake(&text(MAX_DOCUMENT_DEPTH)), None);
        assert_eq!(mistake(&text(MAX_DOCUMENT_DEPTH + 1)).as_deref(), Some("nested too deep"));
    }

    #[test]
    fn values_end_at_their_limit() {
        let text = |nodes: usize| format!("[{}]", "x,".repeat(nodes - 1));
        assert_eq!(mistake(&text(MAX_DOCUMENT_NODES)), None);
        assert_eq!(
            mistake(&text(MAX_DOCUMENT_NODES + 1)).as_deref(),
            Some("too many values in the document")
        );
    }

    #[test]
    fn an_alias_counts_with_all_that_it_names() {
        // List, anchored list of 999 items, and an alias node with the 1000 nodes that it names.
        let text = |aliases: usize| format!("[&a [{}], {}]", "x,".repeat(999), "*a,".repeat(aliases));
        let most = (MAX_DOCUMENT_NODES - 1 - 1000) / 1001;
        assert_eq!(mistake(&text(most)), None);
        assert_eq!(mistake(&text(most + 1)).as_deref(), Some("too many values in the document"));
    }

    #[test]
    fn an_endless_flow_collection_is_refused_at_once() {
        assert_eq!(mistake(&"[".repeat(MAX_DOCUMENT_BYTES)).as_deref(), Some("nested too deep"));
        assert_eq!(mistake(&"{a: ".repeat(MAX_DOCUMENT_BYTES / 4)).as_deref(), Some("nested too deep"));
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(mistake("\u{feff}a: b"), None);
    }
}
