//! Modules inside a crate form no circle. The nodes are the modules directly below the crate's root, and the root itself;
//! a module and its children are one. What the root exports again belongs to where it comes from. Tests are left out.

use super::tokens::{self, Mention};
use super::{Finding, files};
use crate::machine::tree;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

/// The crate's root as a node.
const ROOT: &str = "the crate's root";

pub(super) fn check() -> Result<Finding> {
    let mut crates: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for path in files()? {
        if let Some((package, file)) = path.rsplit_once("/src/")
            && file.ends_with(".rs")
            && !file.starts_with("bin/")
            && !path.starts_with("bench/")
        {
            let text = std::fs::read_to_string(tree().join(&path)).with_context(|| path.clone())?;
            crates.entry(package.to_owned()).or_default().push((file.to_owned(), text));
        }
    }
    let mut faults = Vec::new();
    for (package, files) in crates {
        if let Some(circle) = circle(&files)? {
            faults.push(format!("{package}: {circle}"));
        }
    }
    Ok(Finding::from_faults(faults))
}

/// Edges between nodes, each with the place that makes it.
type Graph = BTreeMap<String, BTreeMap<String, String>>;

/// The first circle of a crate, given its files below `src`, as `a → b → a` with the places.
fn circle(files: &[(String, String)]) -> Result<Option<String>> {
    Ok(find(&graph(files)?).map(|steps| {
        let start = steps.first().map(|(from, _)| from.clone()).unwrap_or_default();
        let edges: Vec<_> = steps.iter().map(|(_, place)| place.clone()).collect();
        let path: Vec<_> = steps.into_iter().map(|(from, _)| from).chain([start]).collect();
        format!("{} ({})", path.join(" → "), edges.join("; "))
    }))
}

/// A file's module path; none where the file belongs to another crate root.
fn module_of(file: &str, has_lib: bool) -> Option<Vec<String>> {
    match file {
        "lib.rs" => return Some(Vec::new()),
        "main.rs" => return if has_lib { None } else { Some(Vec::new()) },
        _ => {}
    }
    let mut path: Vec<String> = file.strip_suffix(".rs")?.split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    Some(path)
}

struct Crate {
    tops: BTreeSet<String>,
    exports: BTreeMap<String, String>,
    glob_exports: Vec<String>,
}

fn graph(files: &[(String, String)]) -> Result<Graph> {
    let has_lib = files.iter().any(|(file, _)| file == "lib.rs");
    let mut sources = Vec::new();
    let mut only_tests: Vec<Vec<String>> = Vec::new();
    for (file, text) in files {
        let Some(module) = module_of(file, has_lib) else { continue };
        let source = tokens::read(text).map_err(|error| anyhow::anyhow!("{file}: {error}"))?;
        only_tests.extend(
            source.test_modules.iter().map(|name| [&module[..], std::slice::from_ref(name)].concat()),
        );
        sources.push((file, module, source));
    }
    sources.retain(|(_, module, _)| !only_tests.iter().any(|test| module.starts_with(test)));

    let inline = sources.iter().flat_map(|(_, module, source)| {
        source
            .mentions
            .iter()
            .filter(|mention| !mention.in_test && module.is_empty())
            .filter_map(|m| m.inside.first())
    });
    let tops = sources.iter().filter_map(|(_, module, _)| module.first()).chain(inline).cloned().collect();
    let mut this = Crate { tops, exports: BTreeMap::new(), glob_exports: Vec::new() };
    for (_, _, source) in sources.iter().filter(|(_, module, _)| module.is_empty()) {
        this.exports(&source.mentions);
    }

    let mut graph = Graph::new();
    for (file, module, source) in &sources {
        for mention in source.mentions.iter().filter(|mention| !mention.in_test) {
            let here = [&module[..], &mention.inside[..]].concat();
            let from = here.first().map_or(ROOT, String::as_str);
            if from == ROOT && mention.exported {
                continue;
            }
            if let Some(to) = this.target(&here, &mention.path)
                && to != from
            {
                let place = format!("{file}:{} says {}", mention.line, mention.path.join("::"));
                graph.entry(from.to_owned()).or_default().entry(to).or_insert(place);
            }
        }
    }
    Ok(graph)
}

impl Crate {
    /// Notes what the root exports from its modules.
    fn exports(&mut self, mentions: &[Mention]) {
        for mention in mentions.iter().filter(|mention| mention.exported && mention.inside.is_empty()) {
            let path = match mention.path.first().map(String::as_str) {
                Some("crate" | "self") => &mention.path[1..],
                _ => &mention.path[..],
            };
            if let [top, .., name] = path
                && self.tops.contains(top)
            {
                if name == "*" {
                    self.glob_exports.push(top.clone());
                } else {
                    self.exports.insert(name.clone(), top.clone());
                }
            }
        }
    }

    /// The node that a path leads to; none where it leaves the crate.
    fn target(&self, here: &[String], path: &[String]) -> Option<String> {
        let mut base = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => here.to_vec(),
            first if here.is_empty() && self.tops.contains(first) && path.len() > 1 => {
                return Some(first.to_owned());
            }
            _ => return None,
        };
        let mut rest = path;
        while let Some((word, after)) = rest.split_first() {
            match word.as_str() {
                "crate" | "self" => {}
                "super" => drop(base.pop()),
                _ => break,
            }
            rest = after;
        }
        let top = base.first().or(rest.first())?;
        if self.tops.contains(top) {
            return Some(top.clone());
        }
        match (self.exports.get(top), self.glob_exports.as_slice()) {
            (Some(module), _) => Some(module.clone()),
            (None, [module]) if top != "*" => Some(module.clone()),
            _ => Some(ROOT.to_owned()),
        }
    }
}

/// A circle, as its nodes with the place of the edge that leads on.
fn find(graph: &Graph) -> Option<Vec<(String, String)>> {
    fn walk<'g>(
        graph: &'g Graph,
        node: &'g str,
        trail: &mut Vec<(&'g str, &'g str)>,
        done: &mut BTreeSet<&'g str>,
    ) -> Option<Vec<(String, String)>> {
        for (next, place) in graph.get(node).into_iter().flatten() {
            trail.push((node, place));
            if let Some(start) = trail.iter().position(|(from, _)| from == next) {
                return Some(
                    trail[start..].iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
                );
            }
            if !done.contains(next.as_str())
                && let Some(circle) = walk(graph, next, trail, done)
            {
                return Some(circle);
            }
            trail.pop();
        }
        done.insert(node);
        None
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|node| walk(graph, node, &mut Vec::new(), &mut done))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Option<String> {
        let files: Vec<_> = files.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        circle(&files).unwrap()
    }

    #[test]
    fn modules_that_import_downwards_are_well() {
        let files = [
            ("lib.rs", "pub mod a; mod b; pub use b::Thing; use a::X;"),
            ("a.rs", "use crate::b::Thing; use crate::b;"),
            ("b/mod.rs", "mod c; use c::D; use self::c::E;"),
            ("b/c.rs", "use super::Thing; use crate::b::Other;"),
        ];
        assert_eq!(found(&files), None);
    }

    #[test]
    fn a_circle_of_three_is_reported_with_its_path_and_places() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::B;"),
            ("b/mod.rs", "fn f() {\n    super::c::g();\n}"),
            ("c/mod.rs", "mod d;"),
            ("c/d.rs", "use super::super::a::A;"),
        ];
        let circle = found(&files).unwrap();
        assert!(circle.starts_with("a → b → c → a ("), "{circle}");
        assert!(circle.contains("b/mod.rs:2 says super::c::g"), "{circle}");
        assert!(circle.contains("c/d.rs:1"), "{circle}");
    }

    #[test]
    fn what_the_root_exports_again_belongs_to_its_module() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::A;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "use crate::A;"),
        ];
        assert!(found(&files).unwrap().starts_with("a → b → a"));
        let well = [("lib.rs", "mod a; mod b; pub use a::A;"), ("a.rs", ""), ("b.rs", "use crate::A;")];
        assert_eq!(found(&well), None);
    }

    #[test]
    fn a_root_with_code_of_its_own_is_in_the_circle_too() {
        let files =
            [("main.rs", "mod a; const N: u8 = 1; fn main() { a::run() }"), ("a.rs", "use crate::N;")];
        assert!(found(&files).unwrap().contains(ROOT));
    }

    #[test]
    fn tests_may_use_what_they_test() {
        let files = [
            ("lib.rs", "mod a; mod b; #[cfg(test)] mod fixtures;"),
            ("a.rs", "use crate::b::B; #[cfg(test)] mod tests { use super::*; use crate::a::A; }"),
            ("b.rs", "#[cfg(test)] mod tests { use crate::a::A; }"),
            ("fixtures.rs", "use crate::a::A; use crate::b::B;"),
        ];
        assert_eq!(found(&files), None);
    }

    #[test]
    fn a_main_beside_a_lib_is_another_crate() {
        let files =
            [("lib.rs", "pub mod a;"), ("main.rs", "fn main() { a::run() }"), ("a.rs", "use crate::*;")];
        assert_eq!(found(&files), None);
    }
}
