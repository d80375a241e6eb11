//! The configurations and flows of the project follow the schemas.

use std::fs;

use pronto_config::parse_duration;
use serde_json::Value;

use super::{root, schema};

/// The faults of a value, each with its place. Knows the keywords of our schemas, and no other.
fn faults(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    let wrong = |what: String| vec![format!("{place}: {what}")];
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        found.extend(match keyword.as_str() {
            "$schema" | "title" | "description" | "default" => Vec::new(),
            "type" if is(value, rule.as_str().unwrap()) => Vec::new(),
            "type" => wrong(format!("{value} is not {rule}")),
            "enum" if rule.as_array().unwrap().contains(value) => Vec::new(),
            "enum" => wrong(format!("{value} is not one of {rule}")),
            "pattern" => {
                assert_eq!(rule, schema::DURATION, "the only pattern there is");
                match value.as_str().and_then(parse_duration) {
                    Some(_) => Vec::new(),
                    None => wrong(format!("{value} is no duration")),
                }
            }
            "minimum" if value.as_u64() >= rule.as_u64() => Vec::new(),
            "maximum" if value.as_u64() <= rule.as_u64() => Vec::new(),
            "minItems" if value.as_array().map(Vec::len) >= length(rule) => Vec::new(),
            "maxItems" if value.as_array().map(Vec::len) <= length(rule) => Vec::new(),
            "minimum" | "maximum" | "minItems" | "maxItems" => wrong(format!("{value}: {keyword} {rule}")),
            "items" => elements(value)
                .flat_map(|(at, it)| faults(rule, it, &format!("{place}[{at}]")))
                .collect(),
            "anyOf" => {
                let each: Vec<_> = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|rule| faults(rule, value, place))
                    .collect();
                match each.iter().any(Vec::is_empty) {
                    true => Vec::new(),
                    false => each.concat(),
                }
            }
            "required" => {
                let absent = |name: &&Value| value.get(name.as_str().unwrap()).is_none();
                let absent = rule.as_array().unwrap().iter().filter(absent);
                absent.map(|name| format!("{place}: no {name}")).collect()
            }
            "properties" => entries(value)
                .filter_map(|(name, it)| Some(faults(rule.get(name)?, it, &format!("{place}.{name}"))))
                .flatten()
                .collect(),
            "propertyNames" => entries(value)
                .flat_map(|(name, _)| faults(rule, &Value::from(name.as_str()), place))
                .collect(),
            "additionalProperties" => entries(value)
                .filter(|(name, _)| {
                    schema
                        .get("properties")
                        .is_none_or(|known| known.get(name).is_none())
                })
                .flat_map(|(name, it)| match rule {
                    Value::Bool(_) => wrong(format!("no key {name}")),
                    rule => faults(rule, it, &format!("{place}.{name}")),
                })
                .collect(),
            other => panic!("{other} is no keyword of our schemas"),
        });
    }
    found
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        other => panic!("{other} is no type of our schemas"),
    }
}

fn length(rule: &Value) -> Option<usize> {
    rule.as_u64().and_then(|length| usize::try_from(length).ok())
}

fn elements(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().into_iter().flatten().enumerate()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn faults_of(schema: &Value, text: &str) -> Vec<String> {
    let table: toml::Table = text.parse().expect("the file is TOML");
    faults(schema, &serde_json::to_value(table).unwrap(), "")
}

fn file(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_configurations_and_flows_of_the_project_follow_the_schemas() {
    let (configuration, flow) = (schema::configuration(), schema::flow());
    for name in ["examples/pronto.toml", "tests/flood.toml"] {
        assert_eq!(
            faults_of(&configuration, &file(name)),
            Vec::<String>::new(),
            "{name}"
        );
    }
    // Settings that are switched off in the example follow it too.
    let example = file("examples/pronto.toml").replace("# overflow =", "overflow =");
    assert!(example.contains("\noverflow ="));
    assert_eq!(faults_of(&configuration, &example), Vec::<String>::new());
    for name in [
        "examples/flows/support.toml",
        "examples/flows/by-wait.toml",
        "ivr/flows/builtin.toml",
        "tests/flood.flow.toml",
    ] {
        assert_eq!(faults_of(&flow, &file(name)), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_does_not_follow_a_schema_is_found() {
    let (configuration, flow) = (schema::configuration(), schema::flow());
    let (example, script) = (file("examples/pronto.toml"), file("examples/flows/by-wait.toml"));
    for (schema, text, from, to) in [
        (&configuration, &example, "qualify = ", "qualfy = "),
        (&configuration, &example, "ring = \"15s\"", "ring = \"15 s\""),
        (&configuration, &example, "ring = \"15s\"", "ring = 15"),
        (&configuration, &example, "limit = 1000", "limit = 10001"),
        (
            &configuration,
            &example,
            "digest = [\"md5\"]",
            "digest = [\"md4\"]",
        ),
        (&configuration, &example, "language = \"en\"", ""),
        (
            &configuration,
            &example,
            "ports = [20000, 29999]",
            "ports = [20000]",
        ),
        (&configuration, &example, "# overflow = { to", "overflow = { too"),
        (&flow, &script, "longer = \"sorry\"", ""),
        (&flow, &script, "nomatch =", "nomach ="),
        (
            &flow,
            &script,
            "{ forecast = \"support\" }",
            "{ forecst = \"support\" }",
        ),
        (&flow, &script, "0 = \"support\"", "E = \"support\""),
    ] {
        let spoilt = text.replacen(from, to, 1);
        assert_ne!(&spoilt, text, "{from} is there");
        assert_ne!(faults_of(schema, &spoilt), Vec::<String>::new(), "{to}");
    }
}
