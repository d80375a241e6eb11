//! `[[number]]` and the flow files it names.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pronto_config::{Page, Problem, Problems, Section, Table, Wrong, nearest, one_of, quoted};
use pronto_engine::QueueSettings;
use pronto_ivr::{Script, speak};
use pronto_recordings::Library;
use pronto_types::Language;

use super::dial::{is_dialable, normalise_dialled};
use super::keys::{ANSWERS, LANGUAGES, NUMBER};
use super::services::parse_path;
use super::settings::Number;

/// A flow of some thousand states; nobody writes more by hand.
const LARGEST_FLOW: u64 = 1 << 20;

/// Reads every `[[number]]`. The flows' own problems come as pages of their own.
pub(super) fn read(
    tables: Vec<Table<'_>>,
    folder: &Path,
    queues: &[QueueSettings],
    library: &Library,
    problems: &mut Problems,
) -> (Vec<Number>, Vec<Page>) {
    let mut numbers: Vec<Number> = Vec::with_capacity(tables.len());
    let mut shelf = Shelf {
        folder,
        flows: BTreeMap::new(),
    };
    for table in tables {
        let mut section = Section::new(&NUMBER, table, problems);
        let dial = section.parsed("dial", |text| {
            let dial = normalise_dialled(text);
            if !is_dialable(&dial) {
                return Err(Wrong::default());
            }
            if numbers.iter().any(|other| other.served.dial == dial) {
                return Err(Wrong::because(format!("there are two numbers {dial}"))
                    .expected("a number no other entry has; separators do not count, and 00 is +"));
            }
            Ok(dial)
        });
        let language = section.named("language", &LANGUAGES);
        let answer = section.named("answer", &ANSWERS);
        let flow = section.parsed("flow", |text| shelf.take(text, language));
        section.finish();
        if let (Some(dial), Some(language), Some((flow_name, Some(flow)))) = (dial, language, flow) {
            let served = pronto_gateway::Number {
                dial,
                flow,
                language,
                answer: answer.unwrap_or_default(),
            };
            numbers.push(Number { flow_name, served });
        }
    }
    (numbers, shelf.into_pages(queues, library))
}

/// The flow files, each read once.
struct Shelf<'a> {
    folder: &'a Path,
    flows: BTreeMap<PathBuf, Shelved>,
}

struct Shelved {
    name: String,
    source: String,
    flow: Result<Arc<Script>, Vec<Problem>>,
    /// In which its numbers speak.
    languages: Vec<Language>,
}

impl Shelf<'_> {
    /// The flow at a path; no flow if the file is there but wrong, which its own page says.
    fn take(
        &mut self,
        text: &str,
        language: Option<Language>,
    ) -> Result<(String, Option<Arc<Script>>), Wrong> {
        let path = parse_path(text, self.folder)?;
        if !self.flows.contains_key(&path) {
            let source = read_flow(&path).map_err(|why| unreadable(text, &path, &why))?;
            let flow = Script::parse(&source).map(Arc::new);
            let shelved = Shelved {
                name: text.to_owned(),
                source,
                flow,
                languages: Vec::new(),
            };
            self.flows.insert(path.clone(), shelved);
        }
        let Some(shelved) = self.flows.get_mut(&path) else {
            return Err(Wrong::default());
        };
        if let Some(language) = language.filter(|language| !shelved.languages.contains(language)) {
            shelved.languages.push(language);
        }
        Ok((text.to_owned(), shelved.flow.as_ref().ok().map(Arc::clone)))
    }

    fn into_pages(self, queues: &[QueueSettings], library: &Library) -> Vec<Page> {
        let page = |shelved: Shelved| {
            let mut problems = Problems::default();
            match &shelved.flow {
                Ok(flow) => check(flow, &shelved.languages, queues, library, &mut problems),
                Err(wrong) => problems.extend(wrong.iter().cloned()),
            }
            Page::new(&shelved.name, &shelved.source, problems)
        };
        self.flows.into_values().map(page).collect()
    }
}

/// Checks the names a flow uses against those there are.
fn check(
    flow: &Script,
    languages: &[Language],
    queues: &[QueueSettings],
    library: &Library,
    problems: &mut Problems,
) {
    problems.extend(flow.warnings().iter().cloned());
    for (name, span) in flow.queues().chain(flow.forecasts()) {
        let name = name.as_str();
        if queues.iter().all(|queue| queue.name.as_str() != name) {
            let names = || queues.iter().map(|queue| queue.name.as_str());
            let problem = Problem::error(span, format!("there is no queue {}", quoted(name)), quoted(name));
            problems.push(problem.expected(one_of(names())).nearest(nearest(name, names())));
        }
    }
    for (name, span) in flow.prompts() {
        for language in languages {
            if library.source(name, *language).is_none() {
                let message = format!("there is no prompt {} in the language `{language}`", quoted(name));
                let names = || library.names(*language);
                // What announcements are made of would hide the rest; a flow may use it all the same.
                let usual = names().filter(|name| !name.starts_with(speak::PREFIX));
                let problem = Problem::error(span.clone(), message, quoted(name));
                problems.push(problem.expected(one_of(usual)).nearest(nearest(name, names())));
            }
        }
    }
}

fn read_flow(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mut source = String::new();
    file.take(LARGEST_FLOW + 1)
        .read_to_string(&mut source)
        .map_err(|error| error.to_string())?;
    let length = u64::try_from(source.len()).unwrap_or(u64::MAX);
    if length > LARGEST_FLOW {
        Err("it is larger than 1 MiB".to_owned())
    } else {
        Ok(source)
    }
}

/// A flow file that cannot be read, and the one beside it that may have been meant.
fn unreadable(text: &str, path: &Path, why: &str) -> Wrong {
    /// A folder is listed no further than this.
    const MOST: usize = 1000;
    let wrong = Wrong::because(format!("cannot read the flow {}: {why}", quoted(text)));
    let (Some(folder), Some(wanted)) = (path.parent(), path.file_name().and_then(|name| name.to_str()))
    else {
        return wrong;
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MOST);
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.retain(|name| name != wanted);
    names.sort();
    let near = nearest(wanted, names.iter().map(String::as_str));
    let near = near.map(|near| text.strip_suffix(wanted).unwrap_or_default().to_owned() + &near);
    Wrong {
        nearest: near,
        ..wrong
    }
}
