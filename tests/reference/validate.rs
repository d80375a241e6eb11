//! The configurations and flows of the project follow the schemas.

use std::fs;

use pronto_config::parse_duration;
use pronto_ivr::Script;
use serde_json::{Value, json};

use super::{parsers, root, schema};

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
            "const" if value == rule => Vec::new(),
            "const" => wrong(format!("{value} is not {rule}")),
            "minimum" if value.as_u64() >= rule.as_u64() => Vec::new(),
            "maximum" if value.as_u64() <= rule.as_u64() => Vec::new(),
            "minItems" if value.as_array().map(Vec::len) >= length(rule) => Vec::new(),
            "maxItems" if value.as_array().map(Vec::len) <= length(rule) => Vec::new(),
            "minimum" | "maximum" | "minItems" | "maxItems" => wrong(format!("{value}: {keyword} {rule}")),
            "items" => elements(value)
                .flat_map(|(at, it)| faults(rule, it, &format!("{place}[{at}]")))
                .collect(),
            "anyOf" | "oneOf" | "dependencies" => combined(keyword, rule, value, place),
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

/// The faults by a rule that is made of rules.
fn combined(keyword: &str, rule: &Value, value: &Value, place: &str) -> Vec<String> {
    if keyword == "dependencies" {
        let with = entries(rule).filter(|(name, _)| value.get(name).is_some());
        return with
            .flat_map(|(_, rule)| match rule {
                Value::Array(_) => faults(&json!({ "required": rule }), value, place),
                rule => faults(rule, value, place),
            })
            .collect();
    }
    let each = rule.as_array().unwrap().iter();
    let each: Vec<_> = each.map(|rule| faults(rule, value, place)).collect();
    match each.iter().filter(|faults| faults.is_empty()).count() {
        0 => each.concat(),
        1 => Vec::new(),
        _ if keyword == "anyOf" => Vec::new(),
        met => vec![format!("{place}: {met} of {rule}")],
    }
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

/// Centres with one fault between keys, and the same without it: the reader and the schema agree.
#[test]
fn the_schemas_and_the_readers_keep_the_same_rules_between_keys() {
    let (configuration, flow) = (schema::configuration(), schema::flow());
    let operator =
        |keys: &str| format!("[[queue]]\nname = \"q\"\n[[operator]]\nid = \"101\"\nqueues = [\"q\"]\n{keys}");
    let ha1 = "ha1 = \"0123456789abcdef0123456789abcdef\"\n";
    let password = "password = \"correct horse\"\n";
    let queue = |announce: &str| format!("[[queue]]\nname = \"q\"\nannounce_change = \"1m\"\n{announce}");
    for (legal, text) in [
        (true, operator(password)),
        (true, operator(ha1)),
        (false, operator("")),
        (false, operator(&format!("{password}{ha1}"))),
        (true, queue("")),
        (true, queue("announce = \"wait\"")),
        (false, queue("announce = \"position\"")),
        (false, queue("announce = \"nothing\"")),
    ] {
        assert_eq!(faults_of(&configuration, &text).is_empty(), legal, "{text}");
        assert_eq!(parsers::read(&text).is_ok(), legal, "{text}");
    }
    let say = |keys: &str| format!("start = \"s\"\n[s]\nsay = [\"welcome\"]\n{keys}\n[t]\nhangup = true\n");
    let wait = |keys: &str| {
        format!("start = \"s\"\n[s]\nqueue = \"q\"\nway_out = \"way\"\n{keys}\n[t]\nhangup = true\n")
    };
    for (legal, text) in [
        (true, say("next = \"t\"")),
        (true, say("next = \"t\"\nhangup = false")),
        (true, say("hangup = true")),
        (false, say("")),
        (false, say("hangup = false")),
        (false, say("next = \"t\"\nhangup = true")),
        (true, wait("keys = { 1 = \"t\" }")),
        (false, wait("")),
    ] {
        assert_eq!(faults_of(&flow, &text).is_empty(), legal, "{text}");
        assert_eq!(Script::parse(&text).is_ok(), legal, "{text}");
    }
}
