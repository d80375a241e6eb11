//! Functions take at most five values: a tuple counts as what it holds.

use super::{Page, functions, pages, verdict};

/// The most values of a function, without `self`.
const MOST: usize = 5;

/// Functions that take more, as the file and the name; with a word why each may.
const KNOWN: [(&str, &str); 0] = [];

/// The parts between commas that stand in no bracket.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            // The arrow of a closure's type closes nothing.
            '>' if before == '-' || before == '=' => {}
            ')' | ']' | '}' | '>' => depth -= 1,
            ',' if depth == 0 => {
                found.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
        before = c;
    }
    found.push(text[from..].trim());
    found.retain(|part| !part.is_empty());
    found
}

/// The bracket's content at the start of a text, and the text behind it.
fn inside(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth == 0 {
            return Some((text.get(1..at)?, &text[at + 1..]));
        }
    }
    None
}

/// The values that a type holds: one, or those of a tuple, also behind a reference.
fn held(kind: &str) -> usize {
    let mut kind = kind.trim();
    while let Some(rest) = kind.strip_prefix('&') {
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('\'') {
            Some(lifetime) => lifetime.split_once(' ').map_or("", |(_, rest)| rest),
            None => rest,
        };
        kind = rest.strip_prefix("mut ").unwrap_or(rest).trim_start();
    }
    match kind.starts_with('(').then(|| inside(kind)).flatten() {
        Some((held_types, "")) => parts(held_types).into_iter().map(held).sum::<usize>().max(1),
        _ => 1,
    }
}

/// The values of a function whose text begins at its name.
fn values(text: &str) -> Option<usize> {
    let mut at = text.find(['(', '<'])?;
    if text[at..].starts_with('<') {
        // The generics end before the bracket of the parameters: `<F: Fn(u8) -> u8>(`.
        let (mut depth, mut before) = (0, ' ');
        at += text[at..].find(|c: char| {
            depth += i32::from(c == '<') - i32::from(c == '>' && before != '-');
            before = c;
            depth == 0
        })? + 1;
        at += text[at..].find('(')?;
    }
    let (parameters, _) = inside(&text[at..])?;
    let parameters = parts(parameters).into_iter().filter_map(|part| {
        let (name, kind) = part.split_once(": ")?;
        (name != "self").then(|| held(kind))
    });
    Some(parameters.sum())
}

/// The functions of a file that take more, each with its line, its name and how many.
fn too_many(page: &Page) -> Vec<(usize, String, usize)> {
    let code: Vec<&str> = page
        .text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect();
    let mut found = Vec::new();
    for (line, name, _) in functions(&page.text) {
        let text = code[line - 1..].join("\n");
        let count = text
            .split_once("fn ")
            .and_then(|(_, text)| values(text))
            .unwrap_or_default();
        if count > MOST {
            found.push((line, name, count));
        }
    }
    found
}

#[test]
fn a_function_takes_at_most_five_values() {
    let mut known = KNOWN.to_vec();
    let mut faults = Vec::new();
    for page in pages().iter().filter(|page| page.is_rust()) {
        for (line, name, count) in too_many(page) {
            let at = known
                .iter()
                .position(|(path, function)| *path == page.path && *function == name);
            match at {
                Some(at) => drop(known.remove(at)),
                None => faults.push(format!("{}:{line}: {name} takes {count}", page.path)),
            }
        }
    }
    faults.extend(
        known
            .iter()
            .map(|(path, name)| format!("{path}: {name} takes no more than five")),
    );
    verdict(
        "a function takes at most five values; a tuple counts as what it holds: give them a struct with names",
        &faults,
    );
}

#[test]
fn values_are_counted_in_tuples_and_not_in_closures() {
    for (text, count) in [
        ("f(&mut self, a: u8, b: Vec<(u8, u8)>) {", 2),
        ("f((a, b): (u8, &mut [(u8, u8)]), (c, (d, e)): (u8, (u8, u8)))", 5),
        ("f<F: Fn(u8, u8) -> (u8, u8)>(each: F, x: &'a (u8, u8)) {", 3),
        (
            "f(\n    each: impl Fn(u8, u8) -> u8,\n    (): (),\n) -> (u8, u8)",
            2,
        ),
        ("f()", 0),
    ] {
        assert_eq!(values(text), Some(count), "{text}");
    }
}
