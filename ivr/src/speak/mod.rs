//! Announcements to a waiting caller, as clips and as the words they say.
//!
//! An [`Announcement`] is put together from clips that each hold a word or a few, cut where a speaker would breathe:
//! `L'attesa prevista è tra` · `due` · `e quattro minuti`. Italian numbers and ordinals below a hundred are whole
//! words, and above it the hundreds and the rest (`cento` · `ventitré`, but `cent` · `otto`); English ones are made
//! of their tens and units, as they are written. What ends a range that is announced is one clip with
//! its `e` or `and`: a vowel cut out alone is a stutter.
//!
//! Everything begins as a [`Phrase`], which knows its clips *and* its writing, so that what is played and what is
//! logged cannot differ. The grammar is the business of `italian` and `english`.

mod english;
mod italian;
mod phrase;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use pronto_types::link::RiseReason;
use pronto_types::{Digit, Language};

pub use phrase::{PREFIX, Phrase};
pub use pronto_types::{MOST_MINUTES, WaitRange};

/// The greatest number, cardinal or ordinal, that is said.
pub const MOST: u16 = 999;

/// Every reason why a wait is longer than it was.
const REASONS: [RiseReason; 4] = [
    RiseReason::FewerOperators,
    RiseReason::CallersAhead,
    RiseReason::LongerCalls,
    RiseReason::Unknown,
];

/// An announcement to a waiting caller: their position and the expected wait; if the wait is longer than they heard
/// before, the reason, and the key that leads out of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Announcement {
    /// 1 is the next to be answered. Zero and what lies beyond [`MOST`] is not said.
    pub position: Option<u32>,
    /// Why the wait is longer than what was said before; `None`: it is not. Without a wait it is not said.
    pub rise: Option<RiseReason>,
    /// The wait still to come.
    pub wait: Option<WaitRange>,
    /// The key that leads out of the queue. The letters, which hardly any phone has, are not said.
    pub way_out: Option<Digit>,
}

impl Announcement {
    /// The prompts to play, in order; none if there is nothing to say.
    pub fn clips(&self, language: Language) -> Vec<Arc<str>> {
        let sentences = self.sentences(language);
        let clips = sentences.iter().flat_map(Phrase::clips);
        clips.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// The same words, written; empty if there is nothing to say.
    pub fn text(&self, language: Language) -> String {
        let mut text = String::new();
        for sentence in self.sentences(language) {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&sentence.to_string());
            if !text.ends_with('.') {
                text.push('.');
            }
        }
        text
    }

    fn sentences(&self, language: Language) -> Vec<Phrase> {
        let position = self.position.and_then(|position| u16::try_from(position).ok());
        let position = position.and_then(|position| stand(position, language));
        let rise = self.rise.filter(|_| self.wait.is_some());
        let rise = rise.map(|reason| because(reason, language));
        let wait = self.wait.map(|wait| expect(wait, language));
        let way_out = self.way_out.and_then(|key| lead_out(key, language));
        let sentences = [position, rise, wait, way_out];
        sentences.into_iter().flatten().collect()
    }
}

/// A number: `ventitré`, `one hundred and twenty-one`. `None` beyond [`MOST`].
pub fn cardinal(number: u16, language: Language) -> Option<Phrase> {
    (number <= MOST).then(|| match language {
        Language::Italian => italian::cardinal(number),
        Language::English => english::cardinal(number),
    })
}

/// A place in a row: `ventitreesima` (la persona), `twenty-third`. `None` for zero and beyond [`MOST`].
pub fn ordinal(number: u16, language: Language) -> Option<Phrase> {
    (1..=MOST).contains(&number).then(|| match language {
        Language::Italian => italian::ordinal(number),
        Language::English => english::ordinal(number),
    })
}

/// Some minutes: `un minuto`, `un'ora e mezza`; 0 is `meno di un minuto`. `None` beyond [`MOST_MINUTES`].
pub fn duration(minutes: u16, language: Language) -> Option<Phrase> {
    (minutes <= MOST_MINUTES).then(|| match language {
        Language::Italian => italian::duration(minutes),
        Language::English => english::duration(minutes),
    })
}

/// The sentence that says a position.
fn stand(position: u16, language: Language) -> Option<Phrase> {
    let (before, after) = match language {
        Language::Italian => ("Lei è la", "persona in attesa."),
        Language::English => ("You are", "in line."),
    };
    let before = Phrase::clip("position", before);
    let after = Phrase::clip("position.end", after);
    Some(before.then(ordinal(position, language)?).then(after))
}

/// The sentence that says why a wait is longer than it was.
fn because(reason: RiseReason, language: Language) -> Phrase {
    match language {
        Language::Italian => italian::because(reason),
        Language::English => english::because(reason),
    }
}

/// The sentence that says which key leads out of the queue.
fn lead_out(key: Digit, language: Language) -> Option<Phrase> {
    let (before, after) = match language {
        Language::Italian => ("Può restare in linea, oppure premere", "per altre possibilità."),
        Language::English => ("You can stay on the line, or press", "for other options."),
    };
    let key = match (key.as_char(), language) {
        ('*', Language::Italian) => Phrase::clip("key.star", "asterisco"),
        ('#', Language::Italian) => Phrase::clip("key.hash", "cancelletto"),
        ('*', Language::English) => Phrase::clip("key.star", "star"),
        ('#', Language::English) => Phrase::clip("key.hash", "hash"),
        (digit, _) => cardinal(u16::try_from(digit.to_digit(10)?).ok()?, language)?,
    };
    let before = Phrase::clip("way-out", before);
    Some(before.then(key).then(Phrase::clip("way-out.end", after)))
}

/// The sentence that says a wait.
fn expect(wait: WaitRange, language: Language) -> Phrase {
    match language {
        Language::Italian => italian::expect(wait),
        Language::English => english::expect(wait),
    }
}

/// Every clip that can ever be asked for, by name, with the text to be spoken.
///
/// Found by saying everything there is to say: nothing can be forgotten, and nothing is recorded in vain.
pub fn vocabulary(language: Language) -> impl Iterator<Item = (Arc<str>, String)> {
    let numbers = (0..=MOST).flat_map(move |number| {
        let sentence = stand(number, language);
        cardinal(number, language).into_iter().chain(sentence)
    });
    let durations = (0..=MOST_MINUTES).filter_map(move |minutes| duration(minutes, language));
    let waits = WaitRange::all().map(move |wait| expect(wait, language));
    let mut clips = BTreeMap::new();
    let reasons = REASONS.into_iter().map(move |reason| because(reason, language));
    let keys = (0..16).filter_map(Digit::from_event);
    let ways_out = keys.filter_map(move |key| lead_out(key, language));
    let phrases = numbers.chain(durations).chain(waits);
    for phrase in phrases.chain(reasons).chain(ways_out) {
        for (name, text) in phrase.clips() {
            if !clips.contains_key(name) {
                clips.insert(Arc::clone(name), text.to_owned());
            }
        }
    }
    clips.into_iter()
}
