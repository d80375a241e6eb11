//! The reference of all keys, in `docs/reference`, is what the readers of configurations and flows know.
//!
//! The pages and schemas are generated from the descriptions by which the readers read ([`pronto_config::Keys`]).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking; helpers of tests are tests"
)]

mod markdown;
mod parsers;
mod schema;
mod validate;

use std::fs;
use std::path::{Path, PathBuf};

use pronto::config::CONFIGURATION;
use pronto_config::{Form, Key, Keys};
use pronto_ivr::script::{FLOW, STATES};

/// The command that writes the files again.
const COMMAND: &str = "PRONTO_WRITE=1 cargo test --locked --test reference";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A section and all sections below it, each once, in the order of the reference.
fn sections(keys: &'static Keys) -> Vec<&'static Keys> {
    let below = keys.keys.iter().filter_map(|key| match key.form {
        Form::Section(keys) | Form::Sections { keys, .. } => Some(keys),
        _ => None,
    });
    std::iter::once(keys).chain(below.flat_map(sections)).collect()
}

/// The default of a key as it is written in TOML.
fn default_of(key: &Key) -> Option<String> {
    let quoted = |text: &str| format!("\"{text}\"");
    match key.form {
        Form::Duration { default, .. } | Form::Text { default, .. } | Form::Name { default, .. } => {
            default.map(quoted)
        }
        Form::Whole { default, .. } => default.map(|number| number.to_string()),
        Form::Flag { default } => default.map(|flag| flag.to_string()),
        Form::Texts { default: [], .. } => None,
        Form::Texts { default, .. } => {
            let texts: Vec<String> = default.iter().map(|text| quoted(text)).collect();
            Some(format!("[{}]", texts.join(", ")))
        }
        Form::Other { default, .. } => default.map(str::to_owned),
        Form::Section(_) | Form::Sections { .. } => None,
    }
}

#[test]
fn the_reference_is_what_the_readers_know() {
    let pages = [
        ("configuration.md", markdown::configuration(&CONFIGURATION)),
        ("configuration.schema.json", schema::text(schema::configuration())),
        ("flow.md", markdown::flow(&FLOW, &STATES)),
        ("flow.schema.json", schema::text(schema::flow())),
    ];
    let mut stale = Vec::new();
    for (name, text) in pages {
        let path: PathBuf = root().join("docs/reference").join(name);
        if std::env::var_os("PRONTO_WRITE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "docs/reference is stale: {}\nwrite it again: {COMMAND}",
        stale.join(", ")
    );
}
