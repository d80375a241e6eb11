//! The pages of the reference.

use std::fmt::Write;

use pronto_config::{Form, Key, Keys, Rule};

use super::{COMMAND, default_of, sections};

const CONFIGURATION: &str = "\
# Reference: keys of the configuration

Every key that `pronto.toml` may have. `examples/pronto.toml` is a complete file, and `pronto config check` reports every
error with its line. A duration is whole numbers with units, the largest first: `30s`, `5m`, `1h30m`, `500ms`.

## In an editor

`configuration.schema.json`, in this folder, is a JSON schema of the file. Editors with Taplo, such as Visual Studio Code with
*Even Better TOML*, then complete keys, show their meaning and mark mistakes. Name the schema in the first line of your file,
as a path from that file, or as a URL:

    #:schema docs/reference/configuration.schema.json

The schema checks keys, forms, ranges, and rules between the keys of a section, such as exactly one of `password`, `ha1` and
`password_env`. `pronto config check` also checks names, files and what the sections say of each other.
";

const FLOW: &str = "\
# Reference: states of a flow

Every key that a flow may have. [Routing](../routing.md) explains how flows work, and `examples/flows` has complete ones. A
duration is whole numbers with units, the largest first: `5s`, `1m30s`, `500ms`.

## In an editor

`flow.schema.json`, in this folder, is a JSON schema of a flow. Editors with Taplo, such as Visual Studio Code with *Even Better
TOML*, complete keys and mark mistakes. Name the schema in the first line of your flow, as a path from that file, or as a URL:

    #:schema docs/reference/flow.schema.json
";

/// Notes that a page is written by a program.
fn notice() -> String {
    format!("<!-- Generated from the readers of the keys. Write it again: {COMMAND} -->\n")
}

/// The page of the configuration.
pub(super) fn configuration(top: &'static Keys) -> String {
    let mut page = notice() + CONFIGURATION;
    for keys in sections(top) {
        let title = match keys.title.starts_with('[') {
            true => format!("`{}`", keys.title),
            false => capital(keys.title),
        };
        section(&mut page, &title, keys);
    }
    page
}

/// The page of the flow.
pub(super) fn flow(top: &'static Keys, states: &[&'static Keys]) -> String {
    let mut page = notice() + FLOW;
    for keys in [top].iter().chain(states) {
        section(&mut page, &capital(keys.title), keys);
    }
    page
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

fn section(page: &mut String, title: &str, keys: &Keys) {
    let _ = write!(page, "\n## {title}\n\n{}\n\n", wrapped(keys.about));
    page.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
    for key in keys.keys {
        let default = match default_of(key) {
            Some(default) => format!("`{default}`"),
            None if matches!(key.form, Form::Section(_) | Form::Sections { .. }) => String::new(),
            None if key.required => "required".to_owned(),
            None if matches!(key.rule, Some(Rule::OneOf(_))) => "one of them".to_owned(),
            None => "none".to_owned(),
        };
        let (value, about) = (value(key), key.about.replace('|', "\\|"));
        let _ = writeln!(page, "| `{}` | {value} | {default} | {about} |", key.name);
    }
}

/// The form of a value, with its range.
fn value(key: &Key) -> String {
    let names = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("`\"{name}\"`")).collect();
        names.join(", ")
    };
    let text = match key.form {
        Form::Duration {
            range: [low, high], ..
        } => format!("duration, `{low}` to `{high}`"),
        Form::Whole {
            range: [low, high], ..
        } => format!("whole number, {low} to {high}"),
        Form::Flag { .. } => "`true` or `false`".to_owned(),
        Form::Text { expected, .. } | Form::Other { expected, .. } => expected.to_owned(),
        Form::Name { names: known, .. } => names(known),
        Form::Texts {
            expected, names: [], ..
        } => match expected.starts_with("a list") {
            true => expected.to_owned(),
            false => format!("a list: {expected}"),
        },
        Form::Texts { names: known, .. } => format!("a list of {}", names(known)),
        Form::Section(keys) if keys.title.starts_with('[') => "section".to_owned(),
        Form::Section(_) => "table in braces".to_owned(),
        Form::Sections { keys, most } => format!("up to {most} sections `{}`", keys.title),
    };
    text.replace('|', "\\|")
}

/// A paragraph in lines of at most 120 characters.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().unwrap();
        if line.chars().count() + word.chars().count() >= 120 {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}
