//! The rules of the house that no compiler checks: sizes, words, who may name whom, which paths exist.
//! Each failure says where, what was found and what the rule is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking; helpers of tests are tests"
)]

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/fence.rs"]
mod fence;
#[path = "tidy/guide.rs"]
mod guide;
#[path = "tidy/prose.rs"]
mod prose;
#[path = "tidy/values.rs"]
mod values;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file's path from the root, with `/`, and its text.
struct Page {
    path: String,
    text: String,
}

impl Page {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the line belongs to a test: a test file, or below a `#[cfg(test)]` that opens one in place.
    fn is_test(&self, line: usize) -> bool {
        let mut marked = false;
        let below = |(at, text): (usize, &str)| {
            let opens = std::mem::replace(&mut marked, text.trim() == "#[cfg(test)]") && text.ends_with('{');
            opens && at < line
        };
        let test = |part| ["tests", "tests.rs", "world"].contains(&part);
        self.path.split('/').any(test) || self.lines().any(below)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the project, in the order of their paths.
fn pages() -> Vec<Page> {
    let mut found = Vec::new();
    walk(root(), &mut found);
    found.sort();
    let pages: Vec<Page> = found.iter().filter_map(|path| page(path)).collect();
    assert!(
        pages.iter().filter(|page| page.is_rust()).count() > 50,
        "the walk over the project finds its files"
    );
    pages
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory)
        .expect("the project can be read")
        .flatten()
    {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let kind = entry.file_type().expect("a directory entry has a kind");
        if kind.is_dir() && !["target", "var", ".git"].contains(&&*name) {
            walk(&path, found);
        } else if kind.is_file() && ![".git", "Cargo.lock"].contains(&&*name) && !name.starts_with("LICENSE")
        {
            found.push(path);
        }
    }
}

fn page(path: &Path) -> Option<Page> {
    let text = fs::read_to_string(path).ok()?;
    let path = path
        .strip_prefix(root())
        .ok()?
        .to_string_lossy()
        .replace('\\', "/");
    Some(Page { path, text })
}

fn verdict(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}\n  {}", faults.join("\n  "));
}

/// Whether `text` holds `word` with no letter, digit or underscore on either side.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

#[test]
fn a_file_has_at_most_500_lines_one_of_tests_800_and_a_function_70() {
    let mut faults = Vec::new();
    for page in pages().iter().filter(|page| page.is_rust()) {
        let length = page.text.lines().count();
        let is_test = page
            .path
            .split(['/', '.'])
            .any(|part| part == "tests" || part == "world");
        match length {
            801.. => faults.push(format!("{}: {length} lines", page.path)),
            501.. if !is_test => faults.push(format!("{}: {length} lines", page.path)),
            501.. => println!("a smell: {} has {length} lines", page.path),
            _ => {}
        }
        for (line, name, length) in functions(&page.text) {
            if length > 70 {
                faults.push(format!("{}:{line}: {name} has {length} lines", page.path));
            }
        }
    }
    verdict(
        "a file tells one story (500 lines at most, 800 in tests), a function one step of it (70)",
        &faults,
    );
}

/// Line, name and length of each function, trusting rustfmt: it ends at the first `}` as far in as its `fn`.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        let words = [
            "pub",
            "pub(crate)",
            "pub(super)",
            "const",
            "async",
            "unsafe",
            "extern",
            "\"C\"",
        ];
        let mut rest = code.split(' ').skip_while(|word| words.contains(word));
        let (Some("fn"), Some(name)) = (rest.next(), rest.next()) else {
            continue;
        };
        if code.ends_with(';') || code.ends_with('}') {
            continue;
        }
        let ends = |line: &&str| {
            line.strip_prefix(indent)
                .is_some_and(|line| line == "}" || line.starts_with(')') && line.ends_with(';'))
        };
        let Some(end) = lines[start..].iter().position(ends) else {
            continue;
        };
        // A comment that says why, or quotes the RFC, costs nothing.
        let body = lines[start..=start + end].iter().map(|line| line.trim_start());
        let length = body
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
            .count();
        let name = name.split(['(', '<']).next().unwrap_or(name);
        found.push((start + 1, name.to_owned(), length));
    }
    found
}

#[test]
fn the_measure_of_functions_counts_from_fn_to_its_brace() {
    let text = "trait T {\n    fn none(\n        &self,\n    ) -> u8;\n    fn one(&self) {}\n}\npub(crate) async fn two<T>(\n    a: T,\n) {\n    if a {\n    }\n}\n";
    assert_eq!(
        functions(text),
        [(2, "none".to_owned(), 3), (7, "two".to_owned(), 6)]
    );
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("HA", "CK"),
    ];
    let calls = [
        concat!("todo", "!"),
        concat!("unimplemented", "!"),
        concat!("dbg", "!"),
    ];
    let mut faults = Vec::new();
    for page in pages() {
        for (line, text) in page.lines() {
            let found = words
                .iter()
                .chain(calls.iter().filter(|_| page.is_rust()))
                .find(|word| has_word(text, word.trim_end_matches('!')) && text.contains(**word));
            if let Some(word) = found {
                faults.push(format!("{}:{line}: {word}", page.path));
            }
        }
    }
    verdict("what is not done is an issue, not a comment", &faults);
}

#[test]
fn tests_never_sleep_and_are_sentences() {
    let sleeps = [concat!("thread::", "sleep"), concat!("time::", "sleep")];
    let prefix = concat!("fn ", "test_");
    let mut faults = Vec::new();
    for page in pages().iter().filter(|page| page.is_rust()) {
        for (line, text) in page.lines().filter(|&(line, _)| page.is_test(line)) {
            if sleeps.iter().any(|sleep| text.contains(sleep)) && !page.text.contains("start_paused") {
                faults.push(format!("{}:{line}: sleeps", page.path));
            }
            if text.contains(prefix) {
                faults.push(format!("{}:{line}: {}", page.path, text.trim()));
            }
        }
    }
    verdict(
        "a test waits for an event with a deadline, or plays in virtual time; its name is a sentence",
        &faults,
    );
}

/// Checks invariant 13: each third-party protocol is named in one place.
#[test]
fn a_third_party_protocol_is_named_in_one_place() {
    let homes: [(&str, &[&str]); 6] = [
        ("rsip", &["sip-gateway/sip/src/message"]),
        ("rtp_rs", &["sip-gateway/media/src/rtp"]),
        ("hound", &["recordings/src/wav"]),
        ("rubato", &["recordings/src/rate"]),
        ("rusqlite", &["store/src/"]),
        (
            "tonic",
            &[
                "proto/",
                "queue/src/service",
                "queue/src/server",
                "queue/src/shell",
                "sip-gateway/src/shell/",
                "src/access/guard",
                "src/serve",
                "src/demo/watch",
                "src/connections/grpc",
                "src/in_memory",
                "src/trace/ask",
                "examples/",
                "tests/",
            ],
        ),
    ];
    let mut faults = Vec::new();
    for page in pages().iter().filter(|page| page.is_rust()) {
        for (line, text) in page
            .lines()
            .filter(|(_, text)| !text.trim_start().starts_with("//"))
        {
            for (name, home) in homes {
                let at_home = home.iter().any(|home| page.path.starts_with(home));
                let named = has_word(text, name)
                    && (text.contains(&format!("{name}::")) || text.trim_start().starts_with("use "));
                if named && !at_home {
                    faults.push(format!(
                        "{}:{line}: {name} is at home in {}",
                        page.path,
                        home.join(", ")
                    ));
                }
            }
        }
    }
    verdict(
        "what we stand on can be exchanged: each protocol crate is named in one place",
        &faults,
    );
}

/// Invariant 1: the lists of `.clippy.toml` are denied where a core begins, and allowed nowhere in it.
#[test]
fn every_core_denies_clocks_threads_locks_and_dice() {
    let denied = "#![deny(clippy::disallowed_methods, clippy::disallowed_types)]";
    // A file stands for its whole module: the attribute reaches the modules below it.
    let mut cores: Vec<String> = [
        "config/src/lib",
        "ivr/src/lib",
        "recordings/src/lib",
        "queue/routing/src/lib",
        "queue/engine/src/lib",
        "queue/forecast/src/lib",
        "sip-gateway/sip/src/lib",
    ]
    .into_iter()
    .chain(["sip-gateway/src/call/mod", "sip-gateway/src/journal"])
    .map(|core| format!("{core}.rs"))
    .collect();
    let media = fs::read_dir(root().join("sip-gateway/media/src")).expect("there is a media crate");
    for entry in media.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // The shell of the media: threads, sockets, the clock; and tests, which wait.
        let shell = [
            "lib", "shell", "worker", "socket", "sockets", "ports", "poll", "tests",
        ];
        if !shell.contains(&name.trim_end_matches(".rs")) {
            let module = if entry.path().is_dir() {
                format!("{name}/mod.rs")
            } else {
                name
            };
            cores.push(format!("sip-gateway/media/src/{module}"));
        }
    }
    let mut faults = Vec::new();
    for core in cores {
        let twin = core.replace("/mod.rs", ".rs");
        let text = fs::read_to_string(root().join(&core)).or_else(|_| fs::read_to_string(root().join(twin)));
        if !text.is_ok_and(|text| text.contains(denied)) {
            faults.push(format!("{core} does not say {denied}"));
        }
    }
    // The shell inside a crate that is a core; and one line elsewhere, which says why.
    let allowed = ["recordings/src/shell/mod.rs", "src/calls/when.rs", "tests/"];
    for page in pages().iter().filter(|page| page.is_rust()) {
        if allowed.iter().any(|allowed| page.path.starts_with(allowed)) {
            continue;
        }
        for (line, text) in page.lines() {
            let lints = ["clippy::disallowed_", "allow(clippy::all", "allow(clippy::style"];
            let names = text != denied && lints.iter().any(|lint| text.contains(lint));
            if names && !page.is_test(line) {
                faults.push(format!("{}:{line}: allows what a core may not do", page.path));
            }
        }
    }
    verdict("cores never read a clock, spawn, lock or roll dice", &faults);
}

/// A crate cannot allow what is forbidden, but it could leave the lints of the workspace out.
#[test]
fn every_crate_forbids_unsafe_code() {
    let forbidden = "\n[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
    let faults: Vec<String> = pages()
        .into_iter()
        .filter(|page| page.path.ends_with("Cargo.toml"))
        .filter(|page| {
            let allows = page.path == "Cargo.toml" && !page.text.contains(forbidden);
            allows || !page.text.contains("\n[lints]\nworkspace = true\n")
        })
        .map(|page| page.path)
        .collect();
    verdict(
        "the workspace forbids unsafe code, and each crate takes its lints",
        &faults,
    );
}

/// ARCHITECTURE: dependencies point one way. What a crate's `[dependencies]` may name of the house.
#[test]
fn dependencies_between_our_crates_point_one_way() {
    let allowed: [(&str, &[&str]); 16] = [
        ("proto/types", &[]),
        ("config", &[]),
        ("clock", &["types"]),
        ("proto", &["types"]),
        ("ivr", &["config", "types"]),
        ("recordings", &["types"]),
        ("store", &["types"]),
        ("queue/routing", &["types"]),
        ("queue/engine", &["forecast", "routing", "types"]),
        ("queue/forecast", &["routing", "types"]),
        ("queue", &["clock", "engine", "store", "proto", "types"]),
        ("sip-gateway/sip", &["types"]),
        ("sip-gateway/media", &["types"]),
        (
            "sip-gateway",
            &[
                "clock",
                "ivr",
                "recordings",
                "store",
                "proto",
                "types",
                "sip",
                "media",
            ],
        ),
        ("demo", &["types", "sip", "media"]),
        ("fuzz", &["ivr", "types", "sip", "media"]),
    ];
    let workspace = fs::read_to_string(root().join("Cargo.toml")).expect("the root has a manifest");
    let members = workspace
        .split_once("members = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .expect("a workspace")
        .0;
    let members: BTreeSet<&str> = members.split('"').skip(1).step_by(2).collect();
    let known: BTreeSet<&str> = allowed.iter().map(|crates| crates.0).collect();
    assert_eq!(members, known, "a new crate says here what it may depend on");
    let mut faults = Vec::new();
    for (member, may) in allowed {
        let manifest =
            fs::read_to_string(root().join(member).join("Cargo.toml")).expect("a member has a manifest");
        let section = manifest
            .split("\n[")
            .find_map(|section| section.strip_prefix("dependencies]"))
            .unwrap_or_default();
        for name in section.lines().filter_map(|line| line.strip_prefix("pronto-")) {
            let name = name.split(['.', ' ', '=']).next().unwrap_or(name);
            if !may.contains(&name) {
                faults.push(format!("{member} may not depend on pronto-{name}"));
            }
        }
    }
    verdict(
        "src → {sip-gateway, queue} → proto; sip-gateway → {ivr, recordings}; cores know nothing of each other",
        &faults,
    );
}

/// Paths in README: those in a row of the code map are also looked for below the row's own place.
#[test]
fn the_readme_names_only_paths_that_exist_and_leaves_no_room_out() {
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README");
    let mut faults = Vec::new();
    for (index, line) in readme.lines().enumerate() {
        let places: Vec<&str> = paths(line).collect();
        let home = places
            .first()
            .filter(|_| line.starts_with("| `"))
            .copied()
            .unwrap_or_default();
        for place in &places {
            let homes = [
                root().to_owned(),
                root().join(home),
                root().join(home).join("src"),
            ];
            let known = homes.iter().any(|home| home.join(place).exists());
            if !known && !place.starts_with("var/") {
                faults.push(format!("README.md:{}: {place} does not exist", index + 1));
            }
        }
    }
    for entry in fs::read_dir(root()).expect("the project can be read").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let room =
            entry.path().is_dir() && !name.starts_with('.') && !["target", "var"].contains(&name.as_str());
        if room && !readme.contains(&format!("{name}/")) {
            faults.push(format!("README.md says nothing of {name}/"));
        }
    }
    verdict("a map that lies is worse than none", &faults);
}

/// The parts of a line that look like a path of ours: in backticks or a link, with a slash or an ending we use.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let linked = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    quoted.chain(linked).filter(|text| {
        let plain = text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
        let ending = [".rs", ".toml", ".md", ".proto", ".py", ".sh"]
            .iter()
            .any(|ending| text.ends_with(ending));
        plain && (text.contains('/') || ending) && !text.starts_with('/')
    })
}

#[test]
fn no_path_of_anyones_machine_is_written_down() {
    let machines = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
        concat!("/t", "mp/"),
    ];
    let mut faults = Vec::new();
    for page in pages() {
        for (line, text) in page.lines() {
            for machine in machines.iter().filter(|machine| text.contains(**machine)) {
                // Inside a longer path of the project it is no machine's.
                let absolute = text.match_indices(*machine).any(|(at, _)| {
                    !text[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}/".contains(c))
                });
                if absolute {
                    faults.push(format!("{}:{line}: {machine}", page.path));
                }
            }
        }
    }
    verdict("paths are relative, or found at run time", &faults);
}

#[test]
fn every_prompt_exists_in_both_languages() {
    let names = |language: &str| -> BTreeSet<String> {
        let directory = root().join("recordings/prompts").join(language);
        let entries = fs::read_dir(directory).expect("each language has its prompts");
        entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            // Each language puts its numbers together in its own way; `src/prompts` looks after those.
            .filter(|name| !name.starts_with("speak."))
            .collect()
    };
    let (italian, english) = (names("it"), names("en"));
    assert_eq!(
        italian, english,
        "a prompt that exists in one language only cannot be played in the other"
    );
    for needed in ["welcome", "main-menu", "all-busy", "goodbye"] {
        assert!(italian.contains(&format!("{needed}.wav")), "{needed} is built in");
    }
    assert!(
        root().join("recordings/prompts/music.wav").exists(),
        "music is built in"
    );
}

#[test]
fn every_dependency_comes_from_the_public_registry_or_from_here() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("the lock file is committed");
    let foreign: Vec<String> = lock
        .lines()
        .filter_map(|line| line.strip_prefix("source = "))
        .filter(|source| *source != "\"registry+https://github.com/rust-lang/crates.io-index\"")
        .map(str::to_owned)
        .collect();
    verdict("no git dependency, no private registry", &foreign);
}

#[test]
fn every_metric_is_described_where_operators_read_it() {
    let (mut used, mut described) = (BTreeSet::new(), BTreeSet::new());
    for page in pages().iter().filter(|page| page.is_rust() && !page.is_test(0)) {
        for (at, _) in page.text.match_indices("\"pronto_") {
            let literal = page.text[at + 1..].split('"').next().unwrap_or_default();
            let rest = page.text[at + literal.len() + 2..].trim_start();
            let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
            if literal == "pronto_" || !literal.chars().all(is_name) {
                continue;
            }
            // After a name comes its help, a sentence; or the name of a label.
            let text = rest.strip_prefix(',').map_or("", str::trim_start);
            let begins = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
            let help = text
                .strip_prefix('"')
                .is_some_and(|text| text.starts_with(begins));
            let names = if help { &mut described } else { &mut used };
            names.insert(literal.to_owned());
        }
    }
    assert!(used.len() > 50, "the search finds the metrics: {}", used.len());
    let faults: Vec<String> = used
        .symmetric_difference(&described)
        .map(|name| {
            let fault = if used.contains(name) {
                "has no help"
            } else {
                "is described and never set"
            };
            format!("{name} {fault}")
        })
        .collect();
    verdict(
        "a metric that is set has a help text (`describe_…!`), and the reverse",
        &faults,
    );
}
