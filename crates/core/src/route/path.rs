//! Comparing the path of a rule with that of a request. The query never takes part; case always does.

use super::PathMatch;

impl PathMatch {
    /// Whether a request's `:path` is what it must be.
    pub(super) fn is_match(&self, path: &[u8]) -> bool {
        let path = path.split(|b| *b == b'?').next().unwrap_or(path);
        match self {
            Self::Any => true,
            Self::Exact(exact) => path == exact.as_bytes(),
            Self::Prefix(prefix) => has_segments(path, prefix.as_bytes()),
            Self::Grpc { service, method } => is_grpc(path, service, method.as_deref()),
        }
    }
}

/// Whether the path begins with the whole segments of the prefix. A slash at the prefix's end makes no difference.
fn has_segments(path: &[u8], prefix: &[u8]) -> bool {
    let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
    match path.strip_prefix(prefix) {
        // An empty prefix (`/`) still wants a path, not the `*` of OPTIONS.
        Some([]) => !prefix.is_empty(),
        Some([next, ..]) => *next == b'/',
        None => false,
    }
}

fn is_grpc(path: &[u8], service: &str, method: Option<&str>) -> bool {
    let after_service = path.strip_prefix(b"/").and_then(|p| p.strip_prefix(service.as_bytes()));
    match (after_service.and_then(|p| p.strip_prefix(b"/")), method) {
        (None, _) => false,
        (Some(called), Some(method)) => called == method.as_bytes(),
        (Some(called), None) => !called.is_empty() && !called.contains(&b'/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prefix(prefix: &str, path: &str) -> bool {
        PathMatch::Prefix(prefix.into()).is_match(path.as_bytes())
    }

    #[test]
    fn a_prefix_is_whole_segments() {
        for path in ["/a", "/a/", "/a/b", "/a?x=/b", "/a/b?x"] {
            assert!(prefix("/a", path), "{path}");
            assert!(prefix("/a/", path), "{path}");
        }
        for path in ["/ab", "/", "", "/A", "/b/a", "*"] {
            assert!(!prefix("/a", path), "{path}");
        }
    }

    #[test]
    fn the_root_is_a_prefix_of_every_path_but_not_of_the_asterisk() {
        assert!(prefix("/", "/") && prefix("/", "/a/b") && prefix("/", "/?q"));
        assert!(!prefix("/", "*") && !prefix("/", ""));
    }

    #[test]
    fn an_exact_path_leaves_the_query_out_and_nothing_else() {
        let exact = PathMatch::Exact("/a/b".into());
        assert!(exact.is_match(b"/a/b") && exact.is_match(b"/a/b?c=d"));
        assert!(!exact.is_match(b"/a/b/") && !exact.is_match(b"/a/B") && !exact.is_match(b"/a"));
    }

    #[test]
    fn a_grpc_rule_is_a_service_and_perhaps_a_method() {
        let service = |method: Option<&str>| PathMatch::Grpc {
            service: "pkg.Echo".into(),
            method: method.map(Into::into),
        };
        assert!(service(None).is_match(b"/pkg.Echo/Say"));
        assert!(service(Some("Say")).is_match(b"/pkg.Echo/Say"));
        for path in
            ["/pkg.Echo/Said", "/pkg.Echo/", "/pkg.Echo", "/pkg.EchoX/Say", "pkg.Echo/Say", "/pkg.Echo/Say/x"]
        {
            assert!(!service(Some("Say")).is_match(path.as_bytes()), "{path}");
        }
        for path in ["/pkg.Echo/", "/pkg.Echo", "/pkg.EchoX/Say", "/pkg.Echo/Say/x"] {
            assert!(!service(None).is_match(path.as_bytes()), "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_path_has_each_row_of_its_first_segments_as_prefix(segments in prop::collection::vec("[a-z]{1,4}", 1..6)) {
            let path = format!("/{}", segments.join("/"));
            for n in 1..=segments.len() {
                let first = format!("/{}", segments[..n].join("/"));
                prop_assert!(prefix(&first, &path));
                let longer = format!("{first}x");
                prop_assert!(!prefix(&longer, &path));
            }
        }
    }
}
