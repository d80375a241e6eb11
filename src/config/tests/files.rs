//! Whole files, the shipped example, and that no text does harm.

use std::path::Path;

use pronto_types::Language;
use proptest::prelude::*;

use super::legal::CENTRE;
use super::{Folder, SUPPORT, read};
use crate::config::{Config, Credential, Look};
use crate::diagnose;

#[test]
fn the_example_is_right_and_its_summary_says_what_leads_where() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pronto.toml");
    let config = Config::load_without_secrets(&path).unwrap_or_else(|report| panic!("{report}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    assert_eq!(
        config.phones[0].credential,
        Credential::Variable("SUPPORT_ANNA".to_owned())
    );
    let summary = diagnose::summary(&config);
    let body: Vec<&str> = summary.lines().skip(1).take(10).collect();
    assert_eq!(
        body.join("\n"),
        "numbers
  +39800123456 (it) → flows/support.toml → support, sales
  801 (en) → flows/support.toml → support, sales
queues
  support (longest-idle, ring 15s, max wait 30m, announces place and wait every 1m) → 101, 102
  sales (longest-idle, ring 20s, max wait 30m, announces place and wait every 1m) → 102, 103
operators
  101 takes support
  102 takes support, sales
  103 takes sales"
    );
}

#[test]
fn the_example_that_goes_by_the_wait_is_right() {
    let folder = Folder::new();
    folder.write(
        "flows/by-wait.toml",
        include_str!("../../../examples/flows/by-wait.toml"),
    );
    let text = include_str!("../../../examples/pronto.toml")
        .replace("flows/support.toml", "flows/by-wait.toml")
        .replace("# overflow =", "overflow =");
    let file = folder.write("pronto.toml", &text);
    let config = Config::load_without_secrets(&file).unwrap_or_else(|report| panic!("{report}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    assert!(
        config
            .numbers
            .iter()
            .all(|number| number.served.flow.forecasts().count() == 2)
    );
    assert_eq!(
        config.engine.queues[0].overflow.as_ref().unwrap().to.as_str(),
        "sales"
    );
}

#[test]
fn a_check_says_how_many_mistakes_there_are_and_a_file_that_is_not_there_is_one() {
    let folder = Folder::new();
    let path = folder.write("pronto.toml", "[sip]\nlisen = []\ndrain = 1\n");
    let finding = diagnose::check(&path, Look::Plain);
    assert!(!finding.sound);
    assert!(finding.text.ends_with("\n2 errors\n"), "{}", finding.text);
    let missing = diagnose::check(&folder.path().join("nowhere.toml"), Look::Plain);
    assert!(!missing.sound);
    assert!(
        missing.text.contains("cannot read") && missing.text.contains("nowhere.toml"),
        "{}",
        missing.text
    );
    let sound = diagnose::check(&folder.write("empty.toml", ""), Look::Plain);
    assert!(
        sound.sound && sound.text.contains("nobody can call"),
        "{}",
        sound.text
    );
}

#[test]
fn recorded_prompts_join_the_built_in_ones_and_a_file_that_is_not_one_is_named() {
    let folder = Folder::new();
    let flow = SUPPORT.replace("say = [\"welcome\"]", "say = [\"welcome\", \"opening-hours\"]");
    folder.write("flows/support.toml", &flow);
    let text = "[prompts]\npath = \"prompts\"\n[[queue]]\nname = \"support\"\n[[number]]\ndial = \"1\"\n\
                flow = \"flows/support.toml\"\nlanguage = \"it\"\n";
    let wav = folder.write("prompts/it/opening-hours.wav", "");
    let report = read(text, folder.path()).err().unwrap().to_string();
    assert!(report.contains("opening-hours.wav is not a prompt"), "{report}");
    let builtin = concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/prompts/it/goodbye.wav");
    let mut compressed = std::fs::read(builtin).unwrap();
    compressed[20] = 0x55;
    std::fs::write(&wav, compressed).unwrap();
    let report = read(text, folder.path()).err().unwrap().to_string();
    for part in [
        "opening-hours.wav is not a prompt",
        "MP3 data in a WAV file (format tag 0x0055)",
        "ffmpeg -i IN -ar 8000 -ac 1 OUT.wav",
    ] {
        assert!(report.contains(part), "{report}");
    }
    std::fs::copy(builtin, wav).unwrap();
    let config = read(text, folder.path()).unwrap_or_else(|report| panic!("{report}"));
    assert!(
        config
            .library
            .prompt("opening-hours", Language::Italian)
            .is_some()
    );
    let english = text.replace("\"it\"", "\"en\"");
    let report = read(&english, folder.path()).err().unwrap().to_string();
    assert!(
        report.contains("there is no prompt `opening-hours` in the language `en`"),
        "{report}"
    );
}

#[test]
fn more_queues_than_the_engine_holds_are_refused() {
    let queues: String = (0..1001)
        .map(|number| format!("[[queue]]\nname = \"q{number}\"\n"))
        .collect();
    let report = read(&queues, Path::new("")).err().unwrap();
    assert_eq!(
        report.lines().collect::<Vec<_>>(),
        ["pronto.toml:2001:1: there are 1001 `[[queue]]`"]
    );
    assert_eq!(report.errors(), 1);
}

#[test]
fn a_missing_key_is_noted_beside_an_unknown_one_that_is_something_else() {
    let report = read("[[queue]]\ncolour = \"red\"\n", Path::new(""))
        .err()
        .unwrap();
    assert_eq!(report.errors(), 2);
    let report = read("[[queue]]\nnmae = \"red\"\n", Path::new("")).err().unwrap();
    assert_eq!(report.errors(), 1);
}

#[test]
fn each_problem_is_one_line_of_a_log_too() {
    let report = read("[sip]\nlisen = []\n", Path::new("")).err().unwrap();
    assert_eq!(
        report.lines().collect::<Vec<_>>(),
        ["pronto.toml:2:1: [sip] has no key `lisen`"]
    );
}

proptest! {
    #[test]
    fn no_text_panics_and_every_mistake_can_be_drawn(text in "\\PC{0,80}") {
        if let Err(report) = read(&text, Path::new("/nonexistent")) {
            prop_assert!(report.errors() > 0);
            prop_assert!(!report.to_string().is_empty());
        }
    }

    #[test]
    fn no_slip_of_the_pen_panics_or_shows_a_password(at in 0..CENTRE.len(), cut in 0..8_usize, slip in "\\PC{0,4}|\n|\"|\\[|=") {
        let end = (at + cut).min(CENTRE.len());
        let mut bytes = CENTRE.as_bytes().to_vec();
        bytes.splice(at..end, slip.bytes());
        let text = String::from_utf8_lossy(&bytes);
        let shown = match read(&text, Path::new("/nonexistent")) {
            Ok(config) => config.warnings.to_string(),
            Err(report) => report.to_string(),
        };
        prop_assert!(!shown.contains("correct horse") || !text.contains("password = \"correct horse"), "{shown}");
    }
}
