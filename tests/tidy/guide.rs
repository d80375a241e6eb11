//! Documents that follow the code: the API guide names each call of the contract, and shows the code of the examples that the
//! wire tests run; the list of planted faults names tests that exist.

use super::{Page, pages, verdict};

const GUIDE: &str = "docs/api.md";

fn page<'a>(pages: &'a [Page], path: &str) -> &'a Page {
    let found = pages.iter().find(|page| page.path == path);
    found.unwrap_or_else(|| panic!("there is a {path}"))
}

/// The fenced blocks of a language: the line of each, and its text.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match &mut open {
            Some(_) if line == "```" => found.extend(open.take()),
            Some((_, block)) => {
                block.push_str(line);
                block.push('\n');
            }
            None if line == format!("```{language}") => open = Some((index + 2, String::new())),
            None => {}
        }
    }
    found
}

#[test]
fn the_code_of_the_api_guide_stands_in_the_examples() {
    let pages = pages();
    let guide = page(&pages, GUIDE);
    let mut faults = Vec::new();
    for (language, path) in [
        ("python", "examples/integrator.py"),
        ("rust", "examples/integrator.rs"),
    ] {
        let blocks = blocks(&guide.text, language);
        assert!(!blocks.is_empty(), "{GUIDE} shows {path}");
        let code = &page(&pages, path).text;
        faults.extend(
            blocks
                .iter()
                .filter(|(_, block)| !code.contains(block.as_str()))
                .map(|(line, _)| format!("{GUIDE}:{line}: {path} has no such lines")),
        );
    }
    verdict("the guide shows code that the tests run", &faults);
}

#[test]
fn the_api_guide_names_each_call_of_the_contract() {
    let pages = pages();
    let guide = page(&pages, GUIDE);
    let mut faults = Vec::new();
    let contract = pages.iter().filter(|page| page.path.ends_with(".proto"));
    for page in contract {
        let mut service = "";
        for (line, text) in page.lines() {
            if let Some(rest) = text.strip_prefix("service ") {
                service = rest.trim_end_matches(" {");
            }
            let Some(rest) = text.trim_start().strip_prefix("rpc ") else {
                continue;
            };
            let call = rest.split('(').next().unwrap_or(rest);
            if !guide.text.contains(&format!("`{service}.{call}`")) {
                faults.push(format!("{}:{line}: {service}.{call}", page.path));
            }
        }
    }
    verdict("each call of the contract has its row in the API guide", &faults);
}

#[test]
fn each_planted_fault_names_a_test_that_exists() {
    let pages = pages();
    let list = page(&pages, "tests/mutants.md");
    let rows = list.lines().filter_map(|(line, text)| {
        let name = text.strip_prefix("| ")?.strip_suffix("` |")?.rsplit_once('`')?.1;
        Some((line, name))
    });
    let (mut faults, mut count) = (Vec::new(), 0);
    for (line, name) in rows {
        count += 1;
        let test = format!("fn {name}(");
        if !pages
            .iter()
            .any(|page| page.is_rust() && page.text.contains(&test))
        {
            faults.push(format!("tests/mutants.md:{line}: {name}"));
        }
    }
    assert!(count >= 21, "the table of planted faults is found: {count} rows");
    verdict("a planted fault names a test that catches it", &faults);
}
