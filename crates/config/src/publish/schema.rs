//! The JSON schema (draft 2020-12) of a configuration file, for editors. It knows types, ranges, words and exclusive keys;
//! what holds between values (names, addresses bound twice) only the parser knows.

use crate::section::default_words;
use crate::settings::endpoint::{ENDPOINT, ENDPOINTS_FILE};
use crate::settings::process::ROOT;
use crate::settings::text::{ENDPOINT_ADDRESS, TextRule};
use crate::settings::{Choose, Key, Presence, Shape, Table};
use crate::value::http::{MAX_TOKEN, MAX_VALUE};
use serde_json::{Map, Value, json};

const DURATION: &str = "[0-9]+(ms|s|m|h)";
const SIZE: &str = "[0-9]+(B|KiB|MiB|GiB)";
const SHARE: &str = "^((100(\\.0+)?|[0-9]{1,2}(\\.[0-9]+)?)%|0(\\.[0-9]+)?|1(\\.0+)?)$";

/// The schema, indented, with a newline at its end. An endpoints file's is its `$defs/endpoints_file`.
#[must_use]
pub fn json_schema() -> String {
    let mut schema = object(&ROOT);
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("Evenkeel configuration"));
    let definitions = json!({ "endpoint": object(&ENDPOINT), "endpoints_file": object(&ENDPOINTS_FILE) });
    schema.insert("$defs".to_owned(), definitions);
    format!("{:#}\n", Value::Object(schema))
}

fn object(table: &Table) -> Map<String, Value> {
    let mut schema = Map::new();
    let properties: Map<String, Value> =
        table.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = table
        .keys
        .iter()
        .filter(|key| matches!(key.presence, Presence::Required))
        .map(|key| key.name)
        .collect();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    if let Some(choose) = &table.choose {
        schema.insert("oneOf".to_owned(), choice(choose));
    }
    schema
}

/// One branch for each key, and one without any where none is needed.
fn choice(choose: &Choose) -> Value {
    let mut branches: Vec<Value> = choose.keys.iter().map(|key| json!({ "required": [key] })).collect();
    if !choose.is_needed {
        branches.push(json!({ "not": { "anyOf": branches.clone() } }));
    }
    Value::Array(branches)
}

fn property(key: &Key) -> Value {
    let mut schema = shape(&key.shape);
    let mut description = key.what.to_owned();
    if !matches!(key.shape, Shape::Section(_) | Shape::Sections { .. }) {
        description.push_str(&format!(" Allowed: {}.", key.shape.range()));
    }
    match key.presence {
        Presence::Required => {}
        Presence::Default(default) => {
            schema.insert("default".to_owned(), default_value(&key.shape, default));
        }
        Presence::Absent(meaning) | Presence::Off(meaning) => {
            description.push_str(&format!(" Absent: {meaning}."));
        }
    }
    schema.insert("description".to_owned(), json!(description));
    Value::Object(schema)
}

/// A number or a list where the type is one, else text.
fn default_value(shape: &Shape, default: &str) -> Value {
    if let Shape::Words { .. } = shape {
        return default_words(default).collect();
    }
    if let Shape::Switch = shape {
        return json!(default == "true");
    }
    let number = matches!(shape, Shape::Count { .. } | Shape::Share)
        .then(|| default.parse::<serde_json::Number>().ok());
    number.flatten().map_or_else(|| json!(default), Value::Number)
}

fn shape(shape: &Shape) -> Map<String, Value> {
    let schema = match shape {
        Shape::Count { min, max, or_none: false } => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        Shape::Count { min, max, or_none: true } => {
            json!({ "anyOf": [{ "type": "integer", "minimum": min, "maximum": max }, { "const": "none" }] })
        }
        Shape::Duration { or_none: false, .. } => {
            json!({ "type": "string", "pattern": format!("^{DURATION}$") })
        }
        Shape::Duration { or_none: true, .. } => {
            json!({ "type": "string", "pattern": format!("^({DURATION}|none)$") })
        }
        Shape::Size { or_none: false, .. } => json!({ "type": "string", "pattern": format!("^{SIZE}$") }),
        Shape::Size { or_none: true, .. } => {
            json!({ "type": "string", "pattern": format!("^({SIZE}|none)$") })
        }
        Shape::Switch => json!({ "type": "boolean" }),
        Shape::Share => json!({ "anyOf": [
            { "type": "number", "minimum": 0, "maximum": 1 },
            { "type": "string", "pattern": SHARE },
        ] }),
        Shape::Choice { words, .. } => {
            // `1.2` without quotes is a number.
            let number = |word: &str| word.parse::<serde_json::Number>().ok().map(Value::Number);
            let both = words.iter().flat_map(|word| [Some(json!(word.word)), number(word.word)]);
            json!({ "enum": both.flatten().collect::<Vec<_>>() })
        }
        Shape::Words { words, .. } => json!({
            "type": "array",
            "items": { "enum": words.iter().map(|word| word.word).collect::<Vec<_>>() },
            "uniqueItems": true,
        }),
        Shape::Text(rule) => text(rule),
        Shape::Texts { rule, min, max } => json!({
            "type": "array",
            "items": text(rule),
            "uniqueItems": true,
            "minItems": min,
            "maxItems": max,
        }),
        Shape::Section(table) => Value::Object(object(table)),
        Shape::Sections { table, min, max } => {
            json!({ "type": "array", "items": object(table), "minItems": min, "maxItems": max })
        }
        Shape::Endpoints { min, max } => json!({
            "type": "array",
            "items": { "anyOf": [text(&ENDPOINT_ADDRESS), { "$ref": "#/$defs/endpoint" }] },
            "minItems": min,
            "maxItems": max,
        }),
        Shape::Headers { max } => json!({
            "type": "object",
            "propertyNames": { "minLength": 1, "maxLength": MAX_TOKEN },
            "additionalProperties": { "type": "string", "maxLength": MAX_VALUE },
            "maxProperties": max,
        }),
    };
    match schema {
        Value::Object(schema) => schema,
        other => unreachable!("a schema is an object, not {other}"),
    }
}

fn text(rule: &TextRule) -> Value {
    json!({ "type": "string", "pattern": rule.pattern })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{self, Content, Node};
    use crate::mistake::Report;
    use regex::Regex;

    /// A document as the schema sees it.
    fn value(node: &Node) -> Value {
        match &node.content {
            Content::Scalar { text, is_plain: true } => {
                serde_json::from_str(text).unwrap_or_else(|_| json!(text))
            }
            Content::Scalar { text, .. } => json!(text),
            Content::List(items) => items.iter().map(|item| value(item)).collect(),
            Content::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), value(&entry.value))).collect()
            }
        }
    }

    fn document(text: &str) -> Value {
        value(&document::read(text, &mut Report::new("f")).unwrap())
    }

    /// The keywords that [`json_schema`] uses, and no others.
    fn accepts(root: &Value, schema: &Value, value: &Value) -> bool {
        let below = |schema: &Value, value: &Value| accepts(root, schema, value);
        schema.as_object().unwrap().iter().all(|(keyword, rule)| match (keyword.as_str(), value) {
            ("$schema" | "$defs" | "title" | "description" | "default", _) => true,
            ("$ref", _) => {
                below(root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap(), value)
            }
            ("type", _) => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "boolean" => value.is_boolean(),
                "string" => value.is_string(),
                "integer" => value.is_u64() || value.is_i64(),
                "number" => value.is_number(),
                other => panic!("unknown type {other}"),
            },
            ("const", _) => rule == value,
            ("enum", _) => rule.as_array().unwrap().contains(value),
            ("anyOf", _) => rule.as_array().unwrap().iter().any(|schema| below(schema, value)),
            ("oneOf", _) => {
                rule.as_array().unwrap().iter().filter(|schema| below(schema, value)).count() == 1
            }
            ("not", _) => !below(rule, value),
            ("minimum", Value::Number(number)) => number.as_f64() >= rule.as_f64(),
            ("maximum", Value::Number(number)) => number.as_f64() <= rule.as_f64(),
            ("pattern", Value::String(text)) => Regex::new(rule.as_str().unwrap()).unwrap().is_match(text),
            ("maxLength", Value::String(text)) => text.len() as u64 <= rule.as_u64().unwrap(),
            ("minLength", Value::String(text)) => text.len() as u64 >= rule.as_u64().unwrap(),
            ("items", Value::Array(items)) => items.iter().all(|item| below(rule, item)),
            ("uniqueItems", Value::Array(items)) => {
                (1..items.len()).all(|index| !items[..index].contains(&items[index]))
            }
            ("minItems", Value::Array(items)) => items.len() as u64 >= rule.as_u64().unwrap(),
            ("maxItems", Value::Array(items)) => items.len() as u64 <= rule.as_u64().unwrap(),
            ("maxProperties", Value::Object(map)) => map.len() as u64 <= rule.as_u64().unwrap(),
            ("propertyNames", Value::Object(map)) => map.keys().all(|key| below(rule, &json!(key))),
            ("required", Value::Object(map)) => {
                rule.as_array().unwrap().iter().all(|key| map.contains_key(key.as_str().unwrap()))
            }
            ("properties", Value::Object(map)) => {
                map.iter().all(|(key, value)| rule.get(key).is_none_or(|schema| below(schema, value)))
            }
            ("additionalProperties", Value::Object(map)) => map.iter().all(|(key, value)| {
                schema.get("properties").is_some_and(|known| known.get(key).is_some())
                    || (rule != &json!(false) && below(rule, value))
            }),
            (
                "minimum"
                | "maximum"
                | "pattern"
                | "maxLength"
                | "minLength"
                | "items"
                | "uniqueItems"
                | "minItems"
                | "maxItems"
                | "maxProperties"
                | "propertyNames"
                | "required"
                | "properties"
                | "additionalProperties",
                _,
            ) => true,
            (other, _) => panic!("unknown keyword {other}"),
        })
    }

    fn takes(text: &str) -> bool {
        let schema: Value = serde_json::from_str(&json_schema()).unwrap();
        accepts(&schema, &schema, &document(text))
    }

    const MINIMAL: &str = "listeners: [{ name: web, bind: 127.0.0.1:80, service: a }]\n\
                           services: [{ name: a, endpoints: { dns: \"a:80\" } }]\n";

    #[test]
    fn the_example_and_a_minimal_file_are_accepted() {
        assert!(takes(&crate::example_yaml()));
        assert!(takes(MINIMAL));
    }

    #[test]
    fn what_the_parser_takes_the_schema_takes() {
        for (from, to) in [
            (
                "dns: \"a:80\"",
                "static: [10.0.0.1:1, { address: \"[::1]:1\", zone: a, weight: 0, state: not_ready }]",
            ),
            ("dns: \"a:80\"", "srv: _a._tcp.b"),
            ("dns: \"a:80\"", "file: /e.yaml"),
            ("service: a }", "routes: [{ service: a, match: { host: \"*.a.b\", headers: { x-a: b } } }] }"),
            (
                "service: a }",
                "routes: [{ service: a, match: { grpc: { service: a.B, method: C }, method: GET } }] }",
            ),
            (
                "service: a }",
                "routes: [{ service: a, match: { path_prefix: / } }], timeouts: { request: none, idle: 1m } }",
            ),
            (
                "service: a }",
                "routes: [{ service: a, timeouts: { request: none }, retry: { on: [reset], per_try_timeout: none, budget: 0 }, \
                 headers: { x_request_id: add } }], headers: { x_forwarded_for: append } }",
            ),
            (
                "listeners",
                "limits: { replay_bytes: 0B, resets: { burst: 1 }, indexed_headers: [\":path\"] }\nlisteners",
            ),
            ("listeners", "admin: { bind: off, public: \"[::]:1\" }\nlisteners"),
            (
                "service: a }",
                "service: a, tls: { certificates: [{ cert: c, key: k }], min_version: 1.3, alpn: [] } }",
            ),
            (
                "service: a }",
                "service: a, grpc_web: { cors: { origins: [\"*\"], headers: [x-a] } }, \
                 limits: { request_body_bytes: none } }",
            ),
            (
                "service: a }",
                "protocol: tcp, routes: [{ match: { sni: \"*.a.b\" }, service: a }], proxy_protocol: required }",
            ),
            (
                "dns: \"a:80\" }",
                "dns: \"a:80\" }, upstream: { tls: { server_name: \"fd00::1\", verify: false } }",
            ),
        ] {
            let text = MINIMAL.replace(from, to);
            assert!(crate::parse(&text, "f").is_ok(), "{text}");
            assert!(takes(&text), "{text}");
        }
    }

    #[test]
    fn unknown_keys_wrong_types_ranges_and_exclusive_keys_are_refused() {
        for (from, to) in [
            ("listeners", "wrokers: 1\nlisteners"),
            ("listeners", "control: {}\nlisteners"),
            ("listeners", "workers: 257\nlisteners"),
            ("listeners", "workers: two\nlisteners"),
            ("listeners", "log: { level: loud }\nlisteners"),
            ("listeners", "drain: { deadline: 30 }\nlisteners"),
            ("listeners", "limits: { replay_bytes: 64 }\nlisteners"),
            ("listeners", "limits: { indexed_headers: [cookie] }\nlisteners"),
            ("listeners", "limits: { indexed_headers: [te, te] }\nlisteners"),
            ("service: a }", "routes: [{ service: a, timeouts: { idle: 1s } }] }"),
            ("service: a }", "routes: [{ service: a, retry: { on: reset } }] }"),
            ("service: a }", "service: a, routes: [{ service: a }] }"),
            (", service: a }", " }"),
            ("service: a }", "routes: [{ service: a, match: { path: /a, grpc: { service: a } } }] }"),
            ("name: web, ", ""),
            ("dns: \"a:80\"", "static: []"),
            ("service: a }", "service: a, tls: {} }"),
            ("service: a }", "service: a, tls: { certificates: [{ cert: c }] } }"),
            ("service: a }", "service: a, tls: { certificates: [{ cert: c, key: k }], min_version: 1.1 } }"),
            ("service: a }", "service: a, grpc_web: { cors: { origins: [a.b] } } }"),
            ("service: a }", "service: a, limits: { request_body_bytes: 1 } }"),
            ("dns: \"a:80\" }", "dns: \"a:80\" }, upstream: { tls: { verify: no } }"),
            ("dns: \"a:80\"", "static: [backend:80]"),
            ("dns: \"a:80\"", ""),
            ("dns: \"a:80\" }", "dns: \"a:80\" }, ejection: { max_share: 101% }"),
        ] {
            let text = MINIMAL.replace(from, to);
            assert_ne!(text, MINIMAL);
            assert!(crate::parse(&text, "f").is_err(), "{text}");
            assert!(!takes(&text), "{text}");
        }
    }

    #[test]
    fn an_endpoints_file_has_its_schema() {
        let root: Value = serde_json::from_str(&json_schema()).unwrap();
        let file = root.pointer("/$defs/endpoints_file").unwrap();
        assert!(accepts(&root, file, &document("endpoints: []")));
        assert!(accepts(&root, file, &document("endpoints: [10.0.0.1:1, { address: 10.0.0.2:1 }]")));
        assert!(!accepts(&root, file, &document("endpoints: [{ zone: a }]")));
    }
}
