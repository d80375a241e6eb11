//! `record` and `consent` of `[[queue]]`: who is recorded, and who is told.

use std::ops::Range;
use std::sync::Arc;

use pronto_config::{Problem, Problems, Section, nearest, one_of, quoted};
use pronto_ivr::speak;
use pronto_recordings::Library;
use pronto_types::Language;

use super::settings::Number;

/// The recording settings of one queue, with their places in the file.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) record: bool,
    pub(super) consent: Option<(String, Range<usize>)>,
    /// Where a missing consent is missing.
    place: Range<usize>,
}

impl Written {
    /// The prompt that tells callers, where there is one.
    pub(super) fn prompt(&self) -> Option<Arc<str>> {
        let consent = self.consent.as_ref();
        consent.map(|(prompt, _)| prompt.as_str().into())
    }
}

/// Reads both keys.
pub(super) fn read(section: &mut Section<'_, '_>) -> Written {
    let record = section.flag("record");
    let consent = section.text("consent");
    Written {
        record,
        consent: consent.map(|consent| (consent.text.to_owned(), consent.span)),
        place: section.place("record").unwrap_or_else(|| section.span()),
    }
}

/// Checks each consent against the prompts of every language somebody is spoken to in, and warns of what is recorded
/// without one.
pub(super) fn check(written: &[Written], numbers: &[Number], library: &Library, problems: &mut Problems) {
    let spoken = |language: &Language| numbers.iter().any(|number| number.served.language == *language);
    let languages: Vec<Language> = Language::ALL.into_iter().filter(spoken).collect();
    for Written {
        record,
        consent,
        place,
    } in written
    {
        match consent {
            None if *record => problems.push(
                Problem::warning(
                    place.clone(),
                    "talks are recorded and callers are not told",
                    "no `consent`",
                )
                .expected("the prompt that tells them, as `consent`: the law of most countries asks for it"),
            ),
            None => {}
            Some((prompt, place)) => {
                if !record {
                    let message = "callers are told of a recording that is not made";
                    let problem = Problem::warning(place.clone(), message, "no `record = true`");
                    problems.push(problem.expected("`record = true` beside it, or no `consent`"));
                }
                for language in &languages {
                    find(prompt, place, *language, library, problems);
                }
            }
        }
    }
}

fn find(prompt: &str, place: &Range<usize>, language: Language, library: &Library, problems: &mut Problems) {
    if library.source(prompt, language).is_some() {
        return;
    }
    let message = format!(
        "there is no prompt {} in the language `{language}`",
        quoted(prompt)
    );
    let names = || library.names(language);
    let problem = Problem::error(place.clone(), message, quoted(prompt));
    // What announcements are made of would hide the rest.
    let usual = names().filter(|name| !name.starts_with(speak::PREFIX));
    problems.push(problem.expected(one_of(usual)).nearest(nearest(prompt, names())));
}
