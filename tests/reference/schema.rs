//! JSON schemas for editors.

use pronto::config::CONFIGURATION;
use pronto_config::{Form, Key, Keys, Rule};
use pronto_ivr::script::{FLOW, STATES};
use serde_json::{Map, Value, json};

use super::default_of;

/// The dialect that Taplo understands.
const DIALECT: &str = "http://json-schema.org/draft-07/schema#";
/// The form of a duration.
pub(super) const DURATION: &str = "^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";

/// The schema of a configuration.
pub(super) fn configuration() -> Value {
    let mut schema = json!({ "$schema": DIALECT, "title": "pronto.toml" });
    extend(&mut schema, section(&CONFIGURATION));
    schema
}

/// The schema of a flow.
pub(super) fn flow() -> Value {
    let mut schema = json!({ "$schema": DIALECT, "title": "a flow of Pronto" });
    extend(&mut schema, section(&FLOW));
    let states = STATES.map(section);
    schema["additionalProperties"] = json!({ "anyOf": states });
    schema
}

/// A schema as it stands in its file.
pub(super) fn text(schema: Value) -> String {
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

fn extend(schema: &mut Value, more: Value) {
    if let (Value::Object(schema), Value::Object(more)) = (schema, more) {
        schema.extend(more);
    }
}

fn section(keys: &Keys) -> Value {
    let properties: Map<String, Value> = keys
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    let required: Vec<&str> = keys
        .keys
        .iter()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    let mut schema = json!({
        "type": "object",
        "description": keys.about,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    for key in keys.keys {
        match key.rule {
            Some(Rule::OneOf(names)) => {
                let written = names
                    .iter()
                    .filter_map(|name| keys.keys.iter().find(|key| key.name == *name));
                schema["oneOf"] = written.map(written_alone).collect();
            }
            Some(Rule::Needs(other)) => schema["dependencies"][key.name] = json!([other]),
            Some(Rule::Only(other, values)) => {
                schema["dependencies"][key.name] = json!({ "properties": { other: { "enum": values } } });
            }
            None => {}
        }
    }
    schema
}

/// One of the keys of which exactly one is written.
fn written_alone(key: &Key) -> Value {
    match key.form {
        Form::Flag { .. } => json!({ "required": [key.name], "properties": { key.name: { "const": true } } }),
        _ => json!({ "required": [key.name] }),
    }
}

fn property(key: &Key) -> Value {
    let mut schema = match key.form {
        Form::Duration { .. } => json!({ "type": "string", "pattern": DURATION }),
        Form::Whole {
            range: [low, high], ..
        } => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Form::Flag { .. } => json!({ "type": "boolean" }),
        Form::Text { .. } => json!({ "type": "string" }),
        Form::Name { names, .. } => json!({ "type": "string", "enum": names }),
        Form::Texts { names: [], .. } => json!({ "type": "array", "items": { "type": "string" } }),
        Form::Texts { names, .. } => {
            json!({ "type": "array", "items": { "type": "string", "enum": names } })
        }
        Form::Section(keys) => section(keys),
        Form::Sections { keys, most } => {
            json!({ "type": "array", "maxItems": most, "items": section(keys) })
        }
        Form::Other { schema, .. } => serde_json::from_str(schema).expect("the schema of a key is JSON"),
    };
    let range = match key.form {
        Form::Duration {
            range: [low, high], ..
        } => format!(" {low} to {high}."),
        _ => String::new(),
    };
    schema["description"] = json!(format!("{}{range}", key.about));
    if let Some(default) = default_of(key) {
        let table: toml::Table = format!("default = {default}").parse().expect("a default is TOML");
        extend(&mut schema, serde_json::to_value(table).unwrap());
    }
    schema
}
