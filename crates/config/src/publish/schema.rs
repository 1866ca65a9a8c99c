//! The JSON schema (draft 2020-12) of a configuration file, for editors. It knows types, ranges, words and exclusive keys;
//! what holds between values (names, addresses bound twice) only the parser knows.

use crate::settings::endpoint::{ENDPOINT, ENDPOINTS_FILE};
use crate::settings::process::ROOT;
use crate::settings::text::{ENDPOINT_ADDRESS, TextRule};
use crate::settings::{Choose, Key, Presence, Shape, Table};
use crate::value::http::{MAX_TOKEN, MAX_VALUE};
use serde_json::{Map, Value, json};

const DURATION: &str = "[0-9]+(ms|s|m|h)";
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
        Presence::Absent(meaning) => description.push_str(&format!(" Absent: {meaning}.")),
    }
    schema.insert("description".to_owned(), json!(description));
    Value::Object(schema)
}

/// A number where the type is one, else text.
fn default_value(shape: &Shape, default: &str) -> Value {
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
        Shape::Share => json!({ "anyOf": [
            { "type": "number", "minimum": 0, "maximum": 1 },
            { "type": "string", "pattern": SHARE },
        ] }),
        Shape::Choice { words, .. } => {
            json!({ "enum": words.iter().map(|word| word.word).collect::<Vec<_>>() })
        }
        Shape::Text(rule) => text(rule),
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
