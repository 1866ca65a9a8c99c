//! Request targets (RFC 9112 §3.2): which of the four forms, and what they say of authority and path.

use super::authority;
use super::error::HeadError;
use super::octets;

/// The form of a request target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`.
    Origin,
    /// `http://host/path?query`.
    Absolute,
    /// `host:port`, of CONNECT.
    Authority,
    /// `*`, of OPTIONS.
    Asterisk,
}

/// A target taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    pub(super) form: TargetForm,
    /// Where the target says it.
    pub(super) authority: Option<&'a [u8]>,
    /// The port that the target's scheme has without saying.
    pub(super) default_port: Option<&'a [u8]>,
    /// Empty for CONNECT. A query without a path has yet to get its slash.
    pub(super) path: &'a [u8],
}

/// Takes a target apart.
pub(super) fn parse<'a>(method: &[u8], target: &'a [u8]) -> Result<Target<'a>, HeadError> {
    if !octets::is_target(target) {
        return Err(HeadError::TargetBytes);
    }
    let plain = |form, path| Target { form, authority: None, default_port: None, path };
    if method == b"CONNECT" {
        return match authority::split(target) {
            Some((_, Some(_))) => Ok(Target { authority: Some(target), ..plain(TargetForm::Authority, b"") }),
            _ => Err(HeadError::Target),
        };
    }
    match target {
        [b'/', ..] => Ok(plain(TargetForm::Origin, target)),
        b"*" if method == b"OPTIONS" => Ok(plain(TargetForm::Asterisk, target)),
        _ => absolute(method, target),
    }
}

fn absolute<'a>(method: &[u8], target: &'a [u8]) -> Result<Target<'a>, HeadError> {
    let after = |scheme: &[u8]| {
        let (head, rest) = target.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let (rest, default_port) = match (after(b"http://"), after(b"https://")) {
        (Some(rest), _) => (rest, b"80".as_slice()),
        (_, Some(rest)) => (rest, b"443".as_slice()),
        _ => return Err(HeadError::Target),
    };
    let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority::split(authority).is_none() {
        return Err(HeadError::Host);
    }
    let path: &[u8] = match path {
        // RFC 9112 §3.2.4: the server as a whole is meant.
        [] if method == b"OPTIONS" => b"*",
        [] => b"/",
        _ => path,
    };
    Ok(Target {
        form: TargetForm::Absolute,
        authority: Some(authority),
        default_port: Some(default_port),
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_has_its_forms() {
        let form = |method: &str, target: &str| {
            let parsed = parse(method.as_bytes(), target.as_bytes())?;
            let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
            Ok((parsed.form, parsed.authority.map(text), text(parsed.path)))
        };
        let ok = |f, authority: &str, path: &str| {
            Ok((f, Some(authority.to_owned()).filter(|a| !a.is_empty()), path.to_owned()))
        };
        for (method, target, expected) in [
            ("GET", "/a?b=//c", ok(TargetForm::Origin, "", "/a?b=//c")),
            ("GET", "//a", ok(TargetForm::Origin, "", "//a")),
            ("GET", "http://a:8080/b", ok(TargetForm::Absolute, "a:8080", "/b")),
            ("GET", "HTTPS://a", ok(TargetForm::Absolute, "a", "/")),
            ("GET", "http://a?b", ok(TargetForm::Absolute, "a", "?b")),
            ("OPTIONS", "http://a", ok(TargetForm::Absolute, "a", "*")),
            ("OPTIONS", "*", ok(TargetForm::Asterisk, "", "*")),
            ("CONNECT", "a:443", ok(TargetForm::Authority, "a:443", "")),
            ("CONNECT", "[::1]:443", ok(TargetForm::Authority, "[::1]:443", "")),
            ("GET", "*", Err(HeadError::Target)),
            ("GET", "a:443", Err(HeadError::Target)),
            ("GET", "a", Err(HeadError::Target)),
            ("GET", "", Err(HeadError::Target)),
            ("GET", "ftp://a/", Err(HeadError::Target)),
            ("GET", "http:/a", Err(HeadError::Target)),
            ("GET", "http:///a", Err(HeadError::Host)),
            ("GET", "http://u@a/", Err(HeadError::Host)),
            ("GET", "http://a:b/", Err(HeadError::Host)),
            ("CONNECT", "a", Err(HeadError::Target)),
            ("CONNECT", "/", Err(HeadError::Target)),
            ("CONNECT", "http://a:1/", Err(HeadError::Target)),
            ("GET", "/a#b", Err(HeadError::TargetBytes)),
            ("GET", "/ä", Err(HeadError::TargetBytes)),
            ("GET", "/a\tb", Err(HeadError::TargetBytes)),
            ("GET", "/a b", Err(HeadError::TargetBytes)),
        ] {
            assert_eq!(form(method, target), expected, "{method} {target}");
        }
    }
}
