//! Plain English, as far as a machine can tell: lengths of sentences, first words of docs, phrases of an old dialect.

use super::{Page, pages, verdict};

/// Words of a sentence, at most, in the README and the documents.
const LONGEST: usize = 40;
/// Words of a sentence on average, at most, in each document.
const AVERAGE: usize = 25;
/// Lines of the README, at most.
const README: usize = 120;

/// Phrases that a reader has to read twice.
fn phrases() -> [String; 5] {
    let words = [
        ["so ", "long"],
        ["so ", "many"],
        ["is ", "none"],
        ["an", "ew"],
        ["whom it ", "concerns"],
    ];
    words.map(|word| word.concat())
}

fn documents() -> impl Iterator<Item = Page> {
    pages().into_iter().filter(|page| page.path.ends_with(".md"))
}

/// The sentences of a document, each with its line: paragraphs and items of lists. Not headings, tables and code.
fn sentences(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut paragraph, mut begun, mut code) = (String::new(), 0, false);
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.starts_with("```") {
            code = !code;
        }
        let prose = !code && !trimmed.starts_with(['#', '|', '`', '<']) && !line.starts_with("    ");
        let item = trimmed.starts_with("- ") || trimmed.starts_with("* ") || numbered(trimmed);
        if trimmed.is_empty() || !prose || item {
            split(&mut paragraph, begun, &mut found);
        }
        if prose && !trimmed.is_empty() {
            if paragraph.is_empty() {
                begun = index + 1;
            }
            paragraph.push_str(trimmed);
            paragraph.push(' ');
        }
    }
    split(&mut paragraph, begun, &mut found);
    found
}

fn numbered(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < line.len() && rest.starts_with(". ")
}

fn split(paragraph: &mut String, line: usize, found: &mut Vec<(usize, String)>) {
    let text = std::mem::take(paragraph);
    let mut rest = text.as_str();
    while let Some(end) = [". ", "? ", "! ", ": "]
        .iter()
        .filter_map(|end| rest.find(end))
        .min()
    {
        found.push((line, rest[..end].to_owned()));
        rest = &rest[end + 2..];
    }
    found.push((line, rest.to_owned()));
    found.retain(|(_, sentence)| sentence.split_whitespace().count() > 1);
}

fn words(sentence: &str) -> usize {
    sentence.split_whitespace().count()
}

#[test]
fn documents_have_short_sentences() {
    let mut faults = Vec::new();
    for page in documents() {
        let sentences = sentences(&page.text);
        for (line, sentence) in &sentences {
            let count = words(sentence);
            if count > LONGEST {
                faults.push(format!("{}:{line}: {count} words: {sentence}", page.path));
            }
        }
        let all: usize = sentences.iter().map(|(_, sentence)| words(sentence)).sum();
        if all > AVERAGE * sentences.len() {
            faults.push(format!(
                "{}: {} words a sentence",
                page.path,
                all / sentences.len()
            ));
        }
    }
    verdict("one idea a sentence: 40 words at most, 25 on average", &faults);
}

#[test]
fn the_readme_is_read_in_five_minutes() {
    let readme = documents().find(|page| page.path == "README.md");
    let lines = readme.expect("there is a README").text.lines().count();
    assert!(lines <= README, "the README has {lines} lines, {README} at most");
}

#[test]
fn documents_are_in_plain_english() {
    let mut faults = Vec::new();
    for page in documents() {
        for (line, sentence) in sentences(&page.text) {
            let plain = sentence.to_lowercase();
            let said = phrases()
                .into_iter()
                .find(|phrase| super::has_word(&plain, phrase));
            faults.extend(said.map(|phrase| format!("{}:{line}: \"{phrase}\": {sentence}", page.path)));
        }
    }
    verdict("the field's words, in the order subject, verb, object", &faults);
}

/// The first line of each doc: of Rust items, and of comments in the contract.
fn first_lines(page: &Page) -> Vec<(usize, &str)> {
    let doc = |line: &'_ str| -> Option<usize> {
        let signs = if page.is_rust() {
            &["/// ", "//! "][..]
        } else {
            &["// "]
        };
        signs
            .iter()
            .find(|sign| line.starts_with(**sign))
            .map(|sign| sign.len())
    };
    let mut found = Vec::new();
    let mut goes_on = false;
    for (number, line) in page.lines() {
        let line = line.trim_start();
        match doc(line) {
            Some(from) if !goes_on => found.push((number, line[from..].trim())),
            _ => {}
        }
        goes_on = line.starts_with("//");
    }
    found
}

#[test]
fn the_first_line_of_a_doc_says_what_the_item_is() {
    let heads = ["Who", "What", "Which", "Whose", "Whom", "Of"];
    let mut faults = Vec::new();
    for page in pages().iter().filter(|page| page.is_rust()) {
        for (line, text) in first_lines(page) {
            let first = text.split([' ', ',']).next().unwrap_or_default();
            let short = text.split_whitespace().count() <= 2 && !text.starts_with("```");
            if heads.contains(&first) || short {
                faults.push(format!("{}:{line}: {text}", page.path));
            }
        }
    }
    verdict(
        "a doc begins with a noun phrase, or a verb with its object, of three words or more",
        &faults,
    );
}

#[test]
fn comments_and_messages_are_in_plain_english() {
    let mut faults = Vec::new();
    for page in pages() {
        if !(page.is_rust() || page.path.ends_with(".proto")) {
            continue;
        }
        for (line, text) in page.lines() {
            let plain = text.to_lowercase();
            let said = phrases()
                .into_iter()
                .find(|phrase| super::has_word(&plain, phrase));
            faults.extend(said.map(|phrase| format!("{}:{line}: \"{phrase}\": {}", page.path, text.trim())));
        }
    }
    verdict("no phrase that has to be read twice", &faults);
}

#[test]
fn sentences_are_found_in_paragraphs_and_lists() {
    let text = "# A heading\n\nOne two. Three\nfour five.\n\n- six seven\n- eight nine\n\n| a | table here |\n\n    code in here\n\n```\nmore code\n```\n1. ten eleven\n";
    let found: Vec<(usize, String)> = sentences(text);
    let found: Vec<(usize, &str)> = found
        .iter()
        .map(|(line, text)| (*line, text.trim_end()))
        .collect();
    assert_eq!(
        found,
        [
            (3, "One two"),
            (3, "Three four five"),
            (6, "- six seven"),
            (7, "- eight nine"),
            (16, "ten eleven")
        ]
    );
}
