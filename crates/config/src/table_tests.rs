//! The table of settings against the parser: each range on both sides, each word, each default.

use crate::model::{Config, LogLevel};
use crate::section::default_words;
use crate::settings::limits::LIMITS;
use crate::settings::process::ROOT;
use crate::settings::{Key, Presence, Shape, Table};
use crate::value::{duration, size};
use crate::{Mistakes, parse, parse_endpoints};
use evenkeel_core::limits::Limits;
use evenkeel_core::policy::{Drain, ListenerPolicy, RoutePolicy, ServicePolicy};
use evenkeel_core::reason::Limit;
use serde_json::{Value, json};
use std::time::Duration;

fn minimal() -> Value {
    json!({
        "listeners": [{ "name": "web", "bind": "127.0.0.1:80", "service": "backend" }],
        "services": [{ "name": "backend", "endpoints": { "dns": "backend:80" } }],
    })
}

fn read(document: &Value) -> Result<Config, Mistakes> {
    parse(&document.to_string(), "f")
}

/// Every key with its path, lists by their first item.
fn walk(table: &'static Table, path: &str, visit: &mut impl FnMut(&str, &'static Key)) {
    for key in table.keys {
        let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        visit(&path, key);
        match &key.shape {
            Shape::Section(table) => walk(table, &path, visit),
            Shape::Sections { table, .. } => walk(table, &format!("{path}[0]"), visit),
            _ => {}
        }
    }
}

/// The minimal document with one value put in, written as YAML would be: digits are a number, brackets a list.
fn with(path: &str, written: &str) -> Value {
    let mut document = minimal();
    let mut node = &mut document;
    for part in path.replace("[0]", ".0").split('.') {
        node = match part.parse::<usize>() {
            Ok(index) => {
                if node.is_null() {
                    *node = json!([{}]);
                }
                &mut node[index]
            }
            Err(_) => &mut node[part],
        };
    }
    *node = match written.strip_prefix('[') {
        Some(_) => default_words(written).collect(),
        None => serde_json::from_str(written)
            .ok()
            .filter(|value: &Value| value.is_i64() || value.is_boolean())
            .unwrap_or_else(|| json!(written)),
    };
    document
}

/// What is wrong at the path; mistakes elsewhere come from keys that the document lacks.
fn complaint(path: &str, written: &str) -> Option<String> {
    let mistakes = read(&with(path, written)).err()?;
    mistakes.list.into_iter().find(|mistake| mistake.path == path).map(|mistake| mistake.what)
}

fn is_out_of_range(path: &str, written: &str) -> bool {
    complaint(path, written).as_deref() == Some("out of range")
}

#[test]
fn every_number_size_and_duration_is_taken_up_to_both_ends_of_its_range_and_not_beyond() {
    let mut tested = 0;
    walk(&ROOT, "", &mut |path, key| match key.shape {
        Shape::Count { min, max, .. } => {
            tested += 1;
            for inside in [min, max] {
                assert!(!is_out_of_range(path, &inside.to_string()), "{path} {inside}");
            }
            for outside in [i128::from(min) - 1, i128::from(max) + 1] {
                assert!(is_out_of_range(path, &outside.to_string()), "{path} {outside}");
            }
        }
        Shape::Size { min, max, .. } => {
            tested += 1;
            for inside in [min, max] {
                assert!(!is_out_of_range(path, &size::show(inside)), "{path} {inside}");
            }
            for outside in [min.checked_sub(1), Some(max + 1)].into_iter().flatten() {
                assert!(is_out_of_range(path, &size::show(outside)), "{path} {outside}");
            }
        }
        Shape::Duration { min, max, .. } => {
            tested += 1;
            let step = Duration::from_millis(1);
            for inside in [min, max] {
                assert!(!is_out_of_range(path, &duration::show(inside)), "{path} {inside:?}");
            }
            for outside in [min.checked_sub(step), Some(max + step)].into_iter().flatten() {
                assert!(is_out_of_range(path, &duration::show(outside)), "{path} {outside:?}");
            }
        }
        _ => {}
    });
    assert!(tested > 20, "only {tested} keys");
}

#[test]
fn none_is_taken_only_where_the_table_says_so() {
    walk(&ROOT, "", &mut |path, key| {
        if let Shape::Count { or_none, .. } | Shape::Duration { or_none, .. } | Shape::Size { or_none, .. } =
            key.shape
        {
            assert_eq!(complaint(path, "none").is_none(), or_none, "{path}");
        }
    });
}

#[test]
fn every_word_has_a_meaning_and_every_later_word_says_so() {
    let mut tested = 0;
    walk(&ROOT, "", &mut |path, key| {
        let Shape::Choice { words, later } = key.shape else { return };
        tested += 1;
        for word in words {
            // A word may still want other keys beside it.
            let complaint = complaint(path, word.word);
            let is_strange = |what: &str| ["unknown word", "not supported by this version"].contains(&what);
            assert!(!complaint.as_deref().is_some_and(is_strange), "{path} {}", word.word);
        }
        for word in later {
            assert_eq!(
                complaint(path, word).as_deref(),
                Some("not supported by this version"),
                "{path} {word}"
            );
        }
        assert_eq!(complaint(path, "zzzzzz").as_deref(), Some("unknown word"), "{path}");
    });
    assert!(tested >= 5, "only {tested} keys");
}

#[test]
fn every_word_of_a_list_has_a_meaning_and_every_refused_one_says_why() {
    let mut tested = 0;
    walk(&ROOT, "", &mut |path, key| {
        let Shape::Words { words, refused } = key.shape else { return };
        tested += 1;
        let first = format!("{path}[0]");
        let complaint = |written: &str| {
            let mistakes = read(&with(path, written)).err()?;
            let is_about = |at: &str| at == first || at == format!("{path}[1]");
            mistakes.list.into_iter().find(|mistake| is_about(&mistake.path)).map(|mistake| mistake.what)
        };
        for word in words {
            assert_eq!(complaint(&format!("[{}]", word.word)), None, "{path} {}", word.word);
        }
        for word in refused {
            let why = format!("never allowed: {}", word.what);
            assert_eq!(complaint(&format!("[{}]", word.word)), Some(why), "{path} {}", word.word);
        }
        assert_eq!(complaint("[]"), None, "{path}");
        assert_eq!(complaint("[zzzzzz]").as_deref(), Some("unknown word"), "{path}");
        let twice = format!("[{0}, {0}]", words[0].word);
        assert_eq!(complaint(&twice).as_deref(), Some("this word is given twice"), "{path}");
    });
    assert!(tested >= 3, "only {tested} keys");
}

#[test]
fn every_default_written_out_changes_nothing() {
    let unwritten = read(&minimal()).unwrap();
    // What is below a section that is off without them is no default of the whole.
    let mut off: Vec<String> = Vec::new();
    walk(&ROOT, "", &mut |path, key| {
        if let Presence::Off(_) = key.presence {
            off.push(format!("{path}."));
        }
        let is_below = path.contains("routes") || off.iter().any(|off| path.starts_with(off));
        if let (Presence::Default(default), false) = (key.presence, is_below) {
            assert_eq!(read(&with(path, default)).as_ref(), Ok(&unwritten), "{path}");
        }
    });
}

#[test]
fn the_defaults_of_core_are_those_of_the_table() {
    let config = read(&minimal()).unwrap();
    assert_eq!(config.drain, Drain::default());
    assert_eq!(config.listeners[0].policy, ListenerPolicy::default());
    assert_eq!(config.services[0].policy, ServicePolicy::default());
    assert_eq!(config.listeners[0].routes[0].policy, RoutePolicy::default());
    assert_eq!(config.limits, Limits::default());
    assert_eq!((config.workers, config.log.format, config.log.level), (None, None, LogLevel::default()));
    assert_eq!(config.log.interval, Duration::from_secs(300));
    assert_eq!(config.admin.bind, Some("127.0.0.1:9901".parse().unwrap()));
    assert_eq!(config.admin.public, None);
}

#[test]
fn every_key_of_a_later_version_says_so() {
    fn check(table: &'static Table, path: &str, tested: &mut usize) {
        for later in table.later {
            let path = if path.is_empty() { (*later).to_owned() } else { format!("{path}.{later}") };
            assert_eq!(complaint(&path, "x").as_deref(), Some("not supported by this version"), "{path}");
            *tested += 1;
        }
        for key in table.keys {
            let below = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
            match &key.shape {
                Shape::Section(table) => check(table, &below, tested),
                Shape::Sections { table, .. } => check(table, &format!("{below}[0]"), tested),
                _ => {}
            }
        }
    }
    let mut tested = 0;
    check(&ROOT, "", &mut tested);
    assert!(tested >= 6, "only {tested} keys");
}

#[test]
fn every_key_that_belongs_elsewhere_says_where() {
    let mut tested = 0;
    walk(&ROOT, "", &mut |path, key| {
        let Shape::Section(table) = &key.shape else { return };
        for word in table.elsewhere {
            tested += 1;
            let why = format!("not here: {}", word.what);
            assert_eq!(complaint(&format!("{path}.{}", word.word), "1s"), Some(why), "{path}");
            assert!(table.key(word.word).is_none());
        }
    });
    assert_eq!(tested, 7);
}

#[test]
fn a_limit_that_refuses_has_the_name_of_its_metric_label() {
    // Of the listener, of a service's upstream, retries and limits, of routes, of the process; fixed ones.
    let elsewhere = [
        "handshake_bytes",
        "departed_clients",
        "max_sessions",
        "endpoint_sessions",
        "request_body_bytes",
        "pending",
        "upstream_connections",
        "retry_budget",
        "descriptors",
        "accept_errors",
    ];
    for limit in Limit::ALL {
        assert_eq!(LIMITS.key(limit.code()).is_some(), !elsewhere.contains(&limit.code()), "{limit}");
    }
}

#[test]
fn lists_end_at_their_limits() {
    let is_taken = |change: &dyn Fn(&mut Value)| {
        let mut document = minimal();
        change(&mut document);
        read(&document).is_ok()
    };
    let listeners = |count: usize| {
        is_taken(&|document| {
            let listener = |i: usize| json!({ "name": format!("l{i}"), "bind": format!("127.0.0.1:{}", i + 1), "service": "backend" });
            document["listeners"] = (0..count).map(listener).collect();
        })
    };
    let services = |count: usize| {
        is_taken(&|document| {
            let service = |i: usize| json!({ "name": format!("s{i}"), "endpoints": { "dns": "b:80" } });
            document["services"] = (0..count).map(service).collect();
            document["listeners"][0]["service"] = json!("s0");
        })
    };
    let routes = |count: usize| {
        is_taken(&|document| {
            let routes: Vec<Value> = (0..count).map(|_| json!({ "service": "backend" })).collect();
            document["listeners"][0] = json!({ "name": "web", "bind": "127.0.0.1:80", "routes": routes });
        })
    };
    let headers = |count: usize| {
        is_taken(&|document| {
            let headers: serde_json::Map<String, Value> =
                (0..count).map(|i| (format!("h{i}"), json!("v"))).collect();
            let routes = json!([{ "match": { "headers": headers }, "service": "backend" }]);
            document["listeners"][0] = json!({ "name": "web", "bind": "127.0.0.1:80", "routes": routes });
        })
    };
    let endpoints = |count: usize| {
        let address = |i: usize| format!("10.0.{}.{}:80", i / 256, i % 256);
        is_taken(&|document| {
            let list: Vec<String> = (0..count).map(address).collect();
            document["services"][0]["endpoints"] = json!({ "static": list });
        })
    };
    let file = |bytes: usize| {
        is_taken(&|document| document["services"][0]["endpoints"] = json!({ "file": "x".repeat(bytes) }))
    };
    let certificates = |count: usize| {
        let certificate = |i: usize| json!({ "cert": format!("{i}.crt"), "key": format!("{i}.key") });
        is_taken(&|document| {
            let list: Vec<Value> = (0..count).map(certificate).collect();
            document["listeners"][0]["tls"] = json!({ "certificates": list });
        })
    };
    let cors = |origins: usize, headers: usize| {
        is_taken(&|document| {
            let origins: Vec<String> = (0..origins).map(|i| format!("https://a{i}.example")).collect();
            let headers: Vec<String> = (0..headers).map(|i| format!("h{i}")).collect();
            document["listeners"][0]["grpc_web"] =
                json!({ "cors": { "origins": origins, "headers": headers } });
        })
    };
    assert!(certificates(256) && !certificates(257) && !certificates(0));
    assert!(cors(256, 64) && !cors(257, 64) && !cors(0, 64) && !cors(1, 65) && cors(1, 0));
    assert!(listeners(64) && !listeners(65) && !listeners(0));
    assert!(services(1024) && !services(1025) && !services(0));
    assert!(routes(1024) && !routes(1025) && !routes(0));
    assert!(headers(16) && !headers(17));
    assert!(endpoints(10_000) && !endpoints(10_001) && !endpoints(0));
    assert!(file(4096) && !file(4097) && !file(0));
}

#[test]
fn an_endpoints_file_ends_at_ten_thousand_full_endpoints() {
    let text = |count: usize| {
        let endpoint = |i: usize| json!({ "address": format!("10.0.{}.{}:80", i / 256, i % 256), "weight": 1, "ordinal": i, "zone": "a" });
        json!({ "endpoints": (0..count).map(endpoint).collect::<Vec<_>>() }).to_string()
    };
    assert_eq!(parse_endpoints(&text(10_000), "f").map(|list| list.len()), Ok(10_000));
    assert!(parse_endpoints(&text(10_001), "f").is_err());
}

#[test]
fn an_endpoints_numbers_end_at_their_limits() {
    let is_taken = |key: &str, value: &str| {
        parse_endpoints(&format!("endpoints: [{{ address: 10.0.0.1:80, {key}: {value} }}]"), "f").is_ok()
    };
    assert!(is_taken("weight", "0") && is_taken("weight", "1000000") && !is_taken("weight", "1000001"));
    assert!(is_taken("ordinal", "4294967295") && !is_taken("ordinal", "4294967296"));
    assert!(is_taken("state", "not_ready") && is_taken("state", "terminating") && !is_taken("state", "gone"));
}

#[test]
fn a_document_full_of_mistakes_is_answered_without_looking_for_every_nearest_name() {
    let keys: String = (0..60_000).map(|index| format!("k{index}: 1\n")).collect();
    let mistakes = parse(&keys, "f").unwrap_err();
    assert_eq!((mistakes.list.len(), mistakes.unlisted), (100, 60_000 + 2 - 100));

    let service = |index: usize| json!({ "name": format!("service{index}"), "endpoints": { "dns": "b:80" } });
    let routes: Vec<Value> = (0..1024).map(|index| json!({ "service": format!("servic{index}") })).collect();
    let listener =
        |index: usize| json!({ "name": format!("l{index}"), "bind": "127.0.0.1:0", "routes": routes });
    let mut document = minimal();
    document["services"] = (0..1024).map(service).collect();
    document["listeners"] = (0..16).map(listener).collect();
    assert_eq!(read(&document).unwrap_err().unlisted, 16 * 1024 - 100);
}
