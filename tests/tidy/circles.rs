//! Imports between the modules of a crate form no circle.
//!
//! Modules below one parent are compared: an import from `a::x` of `b::y` is an arrow from `a` to `b`. An import that a
//! parent re-exports counts for the module that it comes from. Imports between a module and its own parent are free: a
//! parent puts its parts together, and they share its private items. Tests are free too.

use std::collections::{BTreeMap, BTreeSet};

use super::{Page, pages, verdict};

/// Circles that stand, as the crate, the parent's path and the modules; with a word why each may.
const KNOWN: [(&str, &str); 0] = [];

/// A module as the names on the way from the root of its crate.
type Module = Vec<String>;

/// The modules of one crate.
struct Crate {
    /// Their text, without comments and tests.
    texts: BTreeMap<Module, String>,
    /// The origin of each re-export, by module and name.
    exports: BTreeMap<(Module, String), String>,
}

/// The crates of the workspace, by the place of their source.
fn crates() -> BTreeMap<String, Crate> {
    let mut crates: BTreeMap<String, Crate> = BTreeMap::new();
    for page in pages().iter().filter(|page| page.is_rust()) {
        let Some((place, file)) = page.path.rsplit_once("src/") else {
            continue;
        };
        let parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
        let module: Module = match parts.split_last() {
            Some((&("mod" | "lib"), above)) => above.iter().map(|part| (*part).to_owned()).collect(),
            _ => parts.iter().map(|part| (*part).to_owned()).collect(),
        };
        if page.is_test(0) || parts.contains(&"main") {
            continue;
        }
        let home = crates.entry(format!("{place}src")).or_insert_with(|| Crate {
            texts: BTreeMap::new(),
            exports: BTreeMap::new(),
        });
        home.add(module, code(page));
    }
    crates
}

/// The lines that the product is compiled from, without their comments.
fn code(page: &Page) -> String {
    let mut marked = false;
    let tests = |line: &str| std::mem::replace(&mut marked, line == "#[cfg(test)]") && line.ends_with('{');
    let end = page.text.lines().position(tests).unwrap_or(usize::MAX);
    let lines = page.text.lines().take(end);
    let lines: Vec<&str> = lines.filter_map(|line| line.split("//").next()).collect();
    lines.join("\n")
}

/// The trees of all `use` statements; `public`: of those that re-export, or of the others.
fn uses(text: &str, public: bool) -> Vec<&str> {
    let starts = text.match_indices("use ").filter(|(at, _)| {
        let before = text[..*at].rsplit('\n').next().unwrap_or_default().trim_start();
        before.starts_with("pub") == public && (before.is_empty() || before.starts_with("pub"))
    });
    starts
        .filter_map(|(at, word)| text[at + word.len()..].split(';').next())
        .collect()
}

/// The paths of a `use` tree, without spaces: `a::{b, c::{d, e}}` holds three.
fn expand(tree: &str) -> Vec<String> {
    let tree = tree.split(" as ").next().unwrap_or(tree).trim();
    let Some((before, rest)) = tree.split_once('{') else {
        return vec![tree.to_owned()];
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in inner.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts
        .flat_map(|part| expand(part))
        .map(|path| format!("{before}{path}"))
        .collect()
}

impl Crate {
    fn add(&mut self, module: Module, text: String) {
        for path in uses(&text, true).into_iter().flat_map(expand) {
            let name = path.rsplit("::").next().unwrap_or_default().to_owned();
            self.exports.insert((module.clone(), name), path);
        }
        self.texts.insert(module, text);
    }

    /// The module that a path names when `module` writes it; `None`: another crate's.
    fn module_of(&self, module: &Module, path: &str, depth: u8) -> Option<Module> {
        let mut parts = path.split("::").map(str::trim).peekable();
        let mut at = module.clone();
        match parts.peek() {
            Some(&"crate") => {
                at.clear();
                parts.next();
            }
            Some(&"self") => drop(parts.next()),
            Some(&"super") => {
                while parts.next_if_eq(&"super").is_some() {
                    at.pop()?;
                }
            }
            Some(first) if self.texts.contains_key(&below(&at, first)) => {}
            _ => return None,
        }
        while let Some(part) = parts.next_if(|part| self.texts.contains_key(&below(&at, part))) {
            at.push(part.to_owned());
        }
        let exported = parts.peek().map(|name| (at.clone(), (*name).to_owned()));
        let origin = exported.and_then(|name| self.exports.get(&name));
        // An export of an export, and so on, ends somewhere.
        match origin.filter(|_| depth < 5) {
            Some(origin) => self.module_of(&at, origin, depth + 1).or(Some(at)),
            None => Some(at),
        }
    }

    /// The modules that a module imports, or names by a path from the root or its parent.
    fn imports(&self, module: &Module, text: &str) -> BTreeSet<Module> {
        let used = uses(text, false).into_iter().flat_map(expand);
        let starts = ["crate::", "super::"];
        let named = starts.iter().flat_map(|start| text.match_indices(start));
        let named = named.map(|(at, _)| {
            let part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            text[at..].split(|c| !part(c)).next().unwrap_or_default()
        });
        let paths = used.chain(named.map(|path| path.trim_end_matches(':').to_owned()));
        paths
            .filter_map(|path| self.module_of(module, &path, 0))
            .collect()
    }

    /// The arrows between modules below one parent, each with an import that makes it one.
    fn arrows(&self) -> BTreeMap<Module, Arrows> {
        let mut arrows: BTreeMap<Module, Arrows> = BTreeMap::new();
        for (module, text) in &self.texts {
            for other in self.imports(module, text) {
                let same = module.iter().zip(&other).take_while(|(a, b)| a == b).count();
                if let Some((from, to)) = module.get(same).zip(other.get(same)) {
                    let why = format!("{} imports {}", module.join("::"), other.join("::"));
                    let parent = arrows.entry(module[..same].to_vec()).or_default();
                    parent
                        .entry(from.clone())
                        .or_default()
                        .entry(to.clone())
                        .or_insert(why);
                }
            }
        }
        arrows
    }
}

fn below(module: &Module, part: &str) -> Module {
    let mut module = module.clone();
    module.push(part.to_owned());
    module
}

/// From a module to those that it imports, each with one import as an example.
type Arrows = BTreeMap<String, BTreeMap<String, String>>;

/// The modules that can be reached over arrows.
fn reached<'a>(arrows: &'a Arrows, from: &'a str) -> BTreeSet<&'a str> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        for next in arrows.get(module).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    found
}

/// The circles: modules that reach one another, with the imports between them.
fn circles(arrows: &Arrows) -> BTreeMap<Vec<&str>, Vec<&str>> {
    let mut circles = BTreeMap::new();
    for module in arrows.keys() {
        let back = reached(arrows, module)
            .into_iter()
            .filter(|other| reached(arrows, other).contains(module.as_str()));
        let circle: Vec<&str> = back.collect();
        if circle.len() > 1 {
            let inside = |other: &String| circle.contains(&other.as_str());
            let among = arrows.iter().filter(|(from, _)| inside(from));
            let imports = among.flat_map(|(_, to)| to.iter().filter(|(to, _)| inside(to)));
            let imports = imports.map(|(_, why)| why.as_str()).collect();
            circles.insert(circle, imports);
        }
    }
    circles
}

#[test]
fn imports_between_modules_form_no_circle() {
    let mut known: BTreeSet<&str> = KNOWN.iter().map(|(circle, _)| *circle).collect();
    let mut faults = Vec::new();
    for (place, home) in crates() {
        for (parent, arrows) in home.arrows() {
            for (circle, imports) in circles(&arrows) {
                let place = [std::slice::from_ref(&place), &parent[..]].concat().join("::");
                let circle = format!("{place}: {}", circle.join(" "));
                if !known.remove(circle.as_str()) {
                    faults.push(format!("{circle}\n    {}", imports.join("\n    ")));
                }
            }
        }
    }
    faults.extend(known.iter().map(|circle| format!("no longer a circle: {circle}")));
    verdict(
        "modules that import one another cannot be read one after the other",
        &faults,
    );
}

#[test]
fn circles_are_found_through_trees_of_imports_and_re_exports() {
    let mut home = Crate {
        texts: BTreeMap::new(),
        exports: BTreeMap::new(),
    };
    let mut add = |module: &str, text: &str| {
        let module = module.split("::").filter(|part| !part.is_empty());
        home.add(module.map(str::to_owned).collect(), text.to_owned());
    };
    add("", "pub use a::{Deep, Other};\nmod a;\nmod b;\nmod c;\nmod d;\n");
    add("a", "use std::{fmt, io};\nuse crate::{\n    c::Third,\n};\n");
    add("b", "use crate::{Deep, d};\n");
    add("c", "fn f() -> super::b::Second {}\n");
    add("d", "mod part;\nuse self::part::Part;\n");
    add("d::part", "use super::Shared;\n");
    let arrows = home.arrows();
    assert_eq!(
        arrows.keys().cloned().collect::<Vec<Module>>(),
        [Module::new()],
        "a parent and its part may share"
    );
    let found = circles(&arrows[&Module::new()]);
    let expected = vec!["a imports c", "b imports a", "c imports b"];
    assert_eq!(found, BTreeMap::from([(vec!["a", "b", "c"], expected)]));
}
