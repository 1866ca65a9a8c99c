//! What a header list means on every hop: without the order of pseudo-headers, and without what only one hop needs.

use crate::simulation::ledger::Fields;

/// Fields that a hop writes for itself, or may.
const OF_ONE_HOP: &[&[u8]] = &[
    b"te",
    b"content-length",
    b"transfer-encoding",
    b"connection",
    b"keep-alive",
    b"upgrade",
    b"trailer",
    b":scheme",
];

/// The list as it can be compared between HTTP/1 and HTTP/2. Crumbs of cookies are one field (RFC 9113 §8.2.3).
#[must_use]
pub fn meaning(fields: &Fields) -> Fields {
    let mut pseudo = Fields::new();
    let mut others = Fields::new();
    for (name, value) in fields {
        if OF_ONE_HOP.contains(&name.as_slice()) {
            continue;
        }
        if name.starts_with(b":") {
            pseudo.push((name.clone(), value.clone()));
        } else if name == b"cookie"
            && let Some((_, jar)) = others.iter_mut().find(|(name, _)| name == b"cookie")
        {
            jar.extend_from_slice(b"; ");
            jar.extend_from_slice(value);
        } else {
            others.push((name.clone(), value.clone()));
        }
    }
    pseudo.sort();
    pseudo.extend(others);
    pseudo
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Fields {
        let pair = |field: &str| field.split_once('=').map(|(n, v)| (n.into(), v.into()));
        text.split(' ').filter_map(pair).collect()
    }

    #[test]
    fn two_ways_to_say_the_same_mean_the_same_and_others_do_not() {
        let a = list(":method=GET :scheme=http :path=/ te=trailers cookie=a x=1 cookie=b y=2");
        let b = list(":path=/ :method=GET cookie=a x=1 cookie=b y=2 content-length=0");
        assert_eq!(meaning(&a), meaning(&b));
        for other in
            [":path=/ :method=GET x=1 cookie=a cookie=b y=2", ":path=/a :method=GET cookie=a x=1 y=2"]
        {
            assert_ne!(meaning(&a), meaning(&list(other)));
        }
    }
}
