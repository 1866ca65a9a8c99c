//! Reads a source file as tokens and lists the paths that it mentions. Comments and strings are no tokens, so they do not
//! count; macro arguments are, so they do. Knows no rule; the rules in `modules` and `source` read the mentions.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// A path in a source, such as `crate::id::EndpointId`, each branch of a `use` tree on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    /// Its words; a glob ends in `*`, a macro call is one word that ends in `!`.
    pub(crate) path: Vec<String>,
    /// The inline modules around it, from the outside.
    pub(crate) inside: Vec<String>,
    /// Its line, from 1.
    pub(crate) line: usize,
    /// Whether it is compiled for tests only.
    pub(crate) in_test: bool,
    /// Whether it stands in a `pub use`.
    pub(crate) exported: bool,
}

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// All paths, in order.
    pub(crate) mentions: Vec<Mention>,
    /// Modules in files of their own that are compiled for tests only.
    pub(crate) test_modules: Vec<String>,
}

/// Reads a file's text.
///
/// # Errors
/// If it is not Rust.
pub(crate) fn read(text: &str) -> Result<Source, proc_macro2::LexError> {
    let stream: TokenStream = text.parse()?;
    let mut reader = Reader { source: Source::default(), inside: Vec::new() };
    reader.items(stream, Place { in_test: false, exported: false });
    Ok(reader.source)
}

#[derive(Clone, Copy)]
struct Place {
    in_test: bool,
    exported: bool,
}

struct Reader {
    source: Source,
    inside: Vec<String>,
}

impl Reader {
    fn items(&mut self, stream: TokenStream, place: Place) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        // An attribute holds until the end of its item: its `;` or its braces.
        let mut item = place;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == '#' => {
                    let outer = tokens.get(at + 1);
                    if let Some(TokenTree::Group(attribute)) = outer {
                        item.in_test |= is_for_tests(attribute);
                        self.items(attribute.stream(), item);
                        at += 1;
                    }
                    at += 1;
                }
                TokenTree::Punct(mark) if mark.as_char() == ';' => {
                    item = place;
                    at += 1;
                }
                TokenTree::Group(group) => {
                    self.items(group.stream(), item);
                    if group.delimiter() == Delimiter::Brace {
                        item = place;
                    }
                    at += 1;
                }
                TokenTree::Ident(word) if word == "mod" => {
                    at = self.module(&tokens, at, item);
                    item = place;
                }
                TokenTree::Ident(word) if word == "use" => {
                    item.exported = is_public(&tokens[..at]);
                    at = self.branch(&tokens, at + 1, &[], item);
                }
                TokenTree::Ident(_) => at = self.path(&tokens, at, item),
                _ => at += 1,
            }
        }
    }

    /// `mod name { … }` or `mod name;`; where it ends.
    fn module(&mut self, tokens: &[TokenTree], at: usize, item: Place) -> usize {
        let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else { return at + 1 };
        match tokens.get(at + 2) {
            Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => {
                self.inside.push(name.to_string());
                self.items(body.stream(), item);
                self.inside.pop();
                at + 3
            }
            _ => {
                if item.in_test {
                    self.source.test_modules.push(name.to_string());
                }
                at + 2
            }
        }
    }

    /// A path in an expression or type, or a macro call.
    fn path(&mut self, tokens: &[TokenTree], at: usize, item: Place) -> usize {
        let TokenTree::Ident(first) = &tokens[at] else { return at + 1 };
        if let Some(TokenTree::Punct(mark)) = tokens.get(at + 1)
            && mark.as_char() == '!'
            && mark.spacing() == Spacing::Alone
            && matches!(tokens.get(at + 2), Some(TokenTree::Group(_)))
        {
            self.mention(vec![format!("{first}!")], first.span().start().line, item);
            return at + 2;
        }
        if is_colons(tokens, at + 1) { self.branch(tokens, at, &[], item) } else { at + 1 }
    }

    /// One branch of a `use` tree, or a path; where it ends.
    fn branch(&mut self, tokens: &[TokenTree], mut at: usize, before: &[String], item: Place) -> usize {
        let mut path = before.to_vec();
        if is_colons(tokens, at) {
            at += 2;
        }
        loop {
            match tokens.get(at) {
                Some(TokenTree::Ident(word)) => {
                    let line = word.span().start().line;
                    path.push(word.to_string());
                    at += 1;
                    let goes_on = matches!(
                        tokens.get(at + 2),
                        Some(TokenTree::Ident(_)) | Some(TokenTree::Group(_)) | Some(TokenTree::Punct(_))
                    );
                    if is_colons(tokens, at) && goes_on {
                        at += 2;
                        if let Some(TokenTree::Punct(mark)) = tokens.get(at)
                            && mark.as_char() != '*'
                        {
                            // `path::<T>`: the path ends here, its arguments are read on their own.
                            self.mention(path, line, item);
                            return at;
                        }
                    } else {
                        self.mention(path, line, item);
                        return at;
                    }
                }
                Some(TokenTree::Punct(mark)) if mark.as_char() == '*' && !path.is_empty() => {
                    path.push("*".to_owned());
                    self.mention(path, mark.span().start().line, item);
                    return at + 1;
                }
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    for piece in pieces(group) {
                        self.branch(&piece, 0, &path, item);
                    }
                    return at + 1;
                }
                _ => return at,
            }
        }
    }

    fn mention(&mut self, path: Vec<String>, line: usize, item: Place) {
        let Place { in_test, exported } = item;
        self.source.mentions.push(Mention { path, inside: self.inside.clone(), line, in_test, exported });
    }
}

/// Whether `::` stands there.
fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
    let joint = matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.spacing() == Spacing::Joint);
    colon(at) && joint && colon(at + 1)
}

/// Whether the tokens end in `pub` or `pub(…)`.
fn is_public(tokens: &[TokenTree]) -> bool {
    let is_pub = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Ident(word)) if word == "pub");
    match tokens.last() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
            is_pub(tokens.len().checked_sub(2).and_then(|at| tokens.get(at)))
        }
        last => is_pub(last),
    }
}

/// Whether an attribute is `#[cfg(test)]` or a `cfg(all(…))` with it, or `#[test]`.
fn is_for_tests(attribute: &Group) -> bool {
    let tokens: Vec<TokenTree> = attribute.stream().into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(word), TokenTree::Group(condition)] if word == "cfg" => asks_for_test(condition),
        _ => false,
    }
}

fn asks_for_test(condition: &Group) -> bool {
    let tokens: Vec<TokenTree> = condition.stream().into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(word), TokenTree::Group(all), ..] if word == "all" => pieces(all)
            .iter()
            .any(|piece| matches!(piece.as_slice(), [TokenTree::Ident(word)] if word == "test")),
        _ => false,
    }
}

/// What stands between the commas of a group.
fn pieces(group: &Group) -> Vec<Vec<TokenTree>> {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    tokens
        .split(|token| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ','))
        .map(<[TokenTree]>::to_vec)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        read(text).unwrap().mentions.iter().map(|mention| mention.path.join("::")).collect()
    }

    #[test]
    fn each_branch_of_a_use_tree_is_a_path_of_its_own() {
        let text = "use crate::{a, b::{self, c as d}, e::*};\nuse ::std::fs;";
        assert_eq!(paths(text), ["crate::a", "crate::b::self", "crate::b::c", "crate::e::*", "std::fs"]);
    }

    #[test]
    fn paths_in_expressions_types_and_macros_are_found() {
        let text =
            "fn f(x: crate::a::T<super::b::U>) { assert!(crate::c::is(x)); Vec::<std::fs::File>::new(); }";
        let found = paths(text);
        for wanted in ["crate::a::T", "super::b::U", "assert!", "crate::c::is", "std::fs::File"] {
            assert!(found.contains(&wanted.to_owned()), "{wanted} in {found:?}");
        }
    }

    #[test]
    fn comments_and_strings_are_not_mentions() {
        assert_eq!(paths("/// see [`std::fs`]\n// std::fs\nconst A: &str = \"std::fs::File\";"), [""; 0]);
    }

    #[test]
    fn what_is_for_tests_is_marked_and_the_next_item_is_not() {
        let text = "#[cfg(test)] mod tests { use super::a::B; }\n#[cfg(all(test, unix))] use crate::t;\n\
                    use crate::u;\n#[cfg(test)] mod fixtures;\nmod other;\n#[cfg(not(test))] use crate::v;";
        let source = read(text).unwrap();
        let marks: Vec<_> = source.mentions.iter().map(|m| (m.path.join("::"), m.in_test)).collect();
        let marks: Vec<_> = marks.iter().map(|(path, in_test)| (path.as_str(), *in_test)).collect();
        assert_eq!(
            marks,
            [("super::a::B", true), ("crate::t", true), ("crate::u", false), ("crate::v", false)]
        );
        assert_eq!(source.mentions[0].inside, ["tests"]);
        assert_eq!(source.test_modules, ["fixtures"]);
    }

    #[test]
    fn an_export_is_told_from_an_import() {
        let source = read("pub use a::B; pub(crate) use c::D; use e::F;").unwrap();
        assert_eq!(source.mentions.iter().map(|m| m.exported).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(source.mentions[1].line, 1);
    }
}
