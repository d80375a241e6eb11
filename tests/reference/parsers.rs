//! The readers read every key that is described, refuse every other, and take the described default.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use pronto::config::{CONFIGURATION, Config, Report};
use pronto_config::Keys;
use pronto_ivr::Script;
use pronto_ivr::script::STATES;

use super::{default_of, root, sections};

/// A value that no key takes.
const DATE: &str = "1979-05-27";

/// Every section with what it needs, and each key but those left to its default.
const CENTRE: &str = r#"
[sip]
[sip.tls]
[sip.websocket]
[media]
[registrar]
[grpc]
[metrics]
[trace]
[gateway]
[queue_service]
[store]
[prompts]
[[number]]
dial = "800"
language = "en"
flow = "flow.toml"
[[queue]]
name = "support"
[[operator]]
id = "101"
password = "correct horse"
queues = ["support"]
"#;

pub(super) fn read(text: &str) -> Result<Config, Report> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("pronto-reference-{}-{number}", std::process::id());
    let folder: PathBuf = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::copy(root().join("tests/flood.flow.toml"), folder.join("flow.toml")).unwrap();
    let file = folder.join("pronto.toml");
    fs::write(&file, text).unwrap();
    let config = Config::load(&file);
    fs::remove_dir_all(&folder).unwrap();
    // The file's own place is the only difference between two that are alike.
    config.map(|mut config| {
        config.store = config.store.strip_prefix(&folder).unwrap().to_owned();
        config
    })
}

/// A file that has one key of a section.
fn with(keys: &Keys, line: &str) -> String {
    match keys.title {
        "the configuration" => line.to_owned(),
        "`overflow`" => format!("[[queue]]\noverflow = {{ {line} }}\n"),
        title => format!("{title}\n{line}\n"),
    }
}

#[test]
fn every_described_key_of_the_configuration_is_read_and_no_other() {
    let mut count = 0;
    for keys in sections(&CONFIGURATION) {
        for key in keys.keys {
            let report = read(&with(keys, &format!("{} = {DATE}", key.name)))
                .err()
                .unwrap();
            let expected = format!("`{}` in {} is a date", key.name, keys.title);
            let lines: Vec<String> = report.lines().collect();
            assert!(
                lines.iter().any(|line| line.ends_with(&expected)),
                "{expected}: {lines:?}"
            );
            count += 1;
        }
        let report = read(&with(keys, "nonsense = 1")).err().unwrap();
        let expected = format!("{} has no key `nonsense`", keys.title);
        let lines: Vec<String> = report.lines().collect();
        assert!(
            lines.iter().any(|line| line.ends_with(&expected)),
            "{expected}: {lines:?}"
        );
    }
    assert!(count > 70, "the walk finds the keys: {count}");
}

#[test]
fn every_described_key_of_a_flow_is_read_and_no_other() {
    for keys in STATES {
        let kind = keys.names().next().unwrap();
        for key in keys.keys {
            let head = if key.name == kind {
                String::new()
            } else {
                format!("{kind} = {DATE}\n")
            };
            let text = format!("start = \"s\"\n[s]\n{head}{} = {DATE}\n", key.name);
            let problems = Script::parse(&text).unwrap_err();
            let expected = format!("`{}` in {} is a date", key.name, keys.title);
            assert!(
                problems.iter().any(|it| it.message == expected),
                "{expected}: {problems:?}"
            );
        }
        let problems =
            Script::parse(&format!("start = \"s\"\n[s]\n{kind} = {DATE}\nnonsense = 1\n")).unwrap_err();
        let refused = ["has no key `nonsense`", "a state has no `nonsense`"];
        let refused = |message: &str| refused.iter().any(|end| message.ends_with(end));
        assert!(problems.iter().any(|it| refused(&it.message)), "{problems:?}");
    }
    let problems = Script::parse(&format!("start = {DATE}\n")).unwrap_err();
    assert_eq!(problems[0].message, "`start` in a flow is a date");
}

#[test]
fn a_default_that_is_written_changes_nothing() {
    // Needs files that are not there.
    let centre = CENTRE.replace("[sip.tls]\n", "");
    let plain = read(&centre).unwrap_or_else(|report| panic!("{report}"));
    let mut count = 0;
    for keys in sections(&CONFIGURATION) {
        for (key, default) in keys.keys.iter().filter_map(|key| Some((key, default_of(key)?))) {
            let header = format!("{}\n", keys.title);
            assert!(centre.contains(&header), "{header}");
            let text = centre.replacen(&header, &format!("{header}{} = {default}\n", key.name), 1);
            let written = read(&text).unwrap_or_else(|report| panic!("{report}"));
            let differences = plain.differences(&written);
            assert_eq!(differences, Vec::<&str>::new(), "{} of {}", key.name, keys.title);
            count += 1;
        }
    }
    assert!(count > 30, "the walk finds the defaults: {count}");
    let changed = read(&centre.replace("[media]\n", "[media]\nports = [20000, 29997]\n"));
    assert_eq!(plain.differences(&changed.unwrap()), ["[media]"]);
}

#[test]
fn a_default_that_is_written_in_a_flow_changes_nothing() {
    let flow = r#"
start = "s"
[s]
say = ["welcome"]
next = "f"
[f]
forecast = "support"
limit = "10m"
longer = "m"
next = "q"
[m]
menu = ["main-menu"]
keys = { 1 = "q" }
[q]
queue = "support"
"#;
    // Places of names move with what is written above them.
    let shape = |text: &str| {
        let script = Script::parse(text).unwrap_or_else(|problems| panic!("{problems:?}"));
        let shown = format!("{script:?}");
        let states = shown.split("mentions").next().unwrap().to_owned();
        assert!(states.contains("main-menu"), "{shown}");
        states
    };
    let plain = shape(flow);
    for keys in STATES {
        for (key, default) in keys.keys.iter().filter_map(|key| Some((key, default_of(key)?))) {
            let kind = keys.names().next().unwrap();
            let head = format!("{kind} =");
            let text = flow.replacen(&head, &format!("{} = {default}\n{head}", key.name), 1);
            assert_eq!(shape(&text), plain, "{} of {}", key.name, keys.title);
        }
    }
    assert_ne!(
        shape(&flow.replace("menu = [", "timeout = \"6s\"\nmenu = [")),
        plain
    );
}
