//! Every number, every wait, every announcement, against words written by hand.

mod english;
mod italian;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pronto_types::QueueName;
use proptest::prelude::*;

use super::*;

/// The words of a table, in order.
fn words(table: &'static str) -> Vec<&'static str> {
    table.split_whitespace().collect()
}

fn cardinals(language: Language) -> Vec<String> {
    let word = |number| cardinal(number, language).unwrap().to_string();
    (0..=MOST).map(word).collect()
}

/// The first of them belongs to 1.
fn ordinals(language: Language) -> Vec<String> {
    let word = |number| ordinal(number, language).unwrap().to_string();
    (1..=MOST).map(word).collect()
}

fn durations(language: Language) -> Vec<String> {
    let words = |minutes| duration(minutes, language).unwrap().to_string();
    (0..=MOST_MINUTES).map(words).collect()
}

fn wait(low: u16, high: u16, language: Language) -> String {
    let wait = WaitRange::new(low, high);
    assert!(wait.is_some(), "{low} to {high}");
    Announcement {
        wait,
        ..Announcement::default()
    }
    .text(language)
}

fn announcements() -> impl Iterator<Item = Announcement> {
    let waits = WaitRange::all().map(Some).chain([None]);
    let positions = (0..=1_001).map(Some).chain([None, Some(u32::MAX)]);
    let by_wait = waits.map(|wait| Announcement {
        position: Some(7),
        wait,
        ..Announcement::default()
    });
    let by_position = positions.map(|position| Announcement {
        position,
        ..Announcement::default()
    });
    let risen = REASONS.into_iter().flat_map(|reason| {
        (0..=15).map(move |key| Announcement {
            position: None,
            rise: Some(reason),
            wait: WaitRange::new(2, 4),
            way_out: Digit::from_event(key),
        })
    });
    by_wait.chain(by_position).chain(risen)
}

/// The text without spaces, hyphens and full stops.
fn letters(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric() || *c == '\'')
        .collect()
}

#[test]
fn every_clip_of_every_announcement_is_in_the_vocabulary_and_says_the_words_of_the_text() {
    for language in Language::ALL {
        let vocabulary: BTreeMap<_, _> = vocabulary(language).collect();
        for announcement in announcements() {
            let text = |clip: &Arc<str>| match vocabulary.get(clip) {
                Some(text) => text.as_str(),
                None => panic!("{language}: {announcement:?} asks for {clip}"),
            };
            let clips = announcement.clips(language);
            let spoken: String = clips.iter().map(text).collect();
            assert_eq!(letters(&spoken), letters(&announcement.text(language)));
        }
    }
}

#[test]
fn the_vocabulary_holds_nothing_that_is_never_asked_for() {
    for language in Language::ALL {
        let said = announcements().flat_map(|announcement| announcement.clips(language));
        let counted = (0..=MOST).filter_map(|number| cardinal(number, language));
        let lasting = (0..=MOST_MINUTES).filter_map(|minutes| duration(minutes, language));
        let numbers: Vec<_> = counted.chain(lasting).collect();
        let numbers = numbers
            .iter()
            .flat_map(Phrase::clips)
            .map(|(name, _)| Arc::clone(name));
        let asked_for: BTreeSet<_> = said.chain(numbers).collect();
        let names: BTreeSet<_> = vocabulary(language).map(|(name, _)| name).collect();
        assert_eq!(names, asked_for, "{language}");
    }
}

#[test]
fn a_clip_has_a_name_a_file_can_have_and_always_the_same_words() {
    for language in Language::ALL {
        let mut known = BTreeMap::new();
        let mut check = |phrase: &Phrase| {
            for (name, text) in phrase.clips() {
                assert!(name.starts_with(PREFIX) && QueueName::new(name).is_ok(), "{name}");
                assert!(!text.is_empty() && text.trim() == text, "{name} says {text:?}");
                let before = known.insert(name.to_string(), text.to_owned());
                assert!(before.is_none_or(|before| before == text), "{language}: {name}");
            }
        };
        (0..=MOST).for_each(|number| check(&cardinal(number, language).unwrap()));
        (0..=MOST_MINUTES).for_each(|minutes| check(&duration(minutes, language).unwrap()));
        for announcement in announcements() {
            announcement.sentences(language).iter().for_each(&mut check);
        }
    }
}

#[test]
fn different_things_are_said_differently() {
    for language in Language::ALL {
        let all = [cardinals(language), ordinals(language), durations(language)];
        let waits = WaitRange::all().map(|range| wait(range.low(), range.high(), language));
        for list in all.into_iter().chain([waits.collect()]) {
            let distinct: BTreeSet<_> = list.iter().collect();
            assert_eq!(distinct.len(), list.len(), "{language}: {}", list[0]);
        }
        let clips = |announcement: Announcement| announcement.clips(language);
        let waits = WaitRange::all().map(|wait| {
            clips(Announcement {
                wait: Some(wait),
                ..Announcement::default()
            })
        });
        let waits: Vec<_> = waits.collect();
        assert_eq!(
            waits.iter().collect::<BTreeSet<_>>().len(),
            waits.len(),
            "{language}"
        );
    }
}

#[test]
fn what_cannot_be_said_is_not_said() {
    for language in Language::ALL {
        assert_eq!(cardinal(MOST + 1, language), None);
        assert_eq!(ordinal(0, language), None);
        assert_eq!(ordinal(MOST + 1, language), None);
        assert_eq!(duration(MOST_MINUTES + 1, language), None);
        for position in [None, Some(0), Some(1_000), Some(65_537), Some(u32::MAX)] {
            let announcement = Announcement {
                position,
                rise: Some(RiseReason::Unknown),
                ..Announcement::default()
            };
            assert_eq!(announcement.clips(language), [], "{position:?}");
            assert_eq!(announcement.text(language), "", "{position:?}");
        }
    }
    for (low, high) in [(0, 1), (2, 1), (1, MOST_MINUTES + 1)] {
        assert_eq!(WaitRange::new(low, high), None, "{low} to {high}");
    }
}

#[test]
fn quantiles_become_figures_that_a_person_would_say() {
    let minutes = |p50: f64, p90: f64| {
        let of = |minutes: f64| Duration::from_secs_f64(minutes * 60.0);
        WaitRange::from_quantiles(of(p50), of(p90)).map(|wait| (wait.low(), wait.high()))
    };
    let table = [
        ((0.0, 0.0), Some((1, 1))),
        ((0.3, 0.99), Some((1, 1))),
        // Sixty seconds are not less than a minute.
        ((0.5, 1.0), Some((1, 2))),
        ((1.0, 1.0), Some((2, 2))),
        ((1.2, 3.4), Some((2, 4))),
        ((2.0, 4.0), Some((2, 4))),
        ((3.1, 3.9), Some((4, 4))),
        ((9.5, 10.1), Some((10, 12))),
        ((11.0, 16.0), Some((12, 20))),
        ((21.0, 43.0), Some((25, 45))),
        ((58.0, 61.0), Some((60, 70))),
        ((100.5, 121.0), Some((110, 135))),
        ((179.0, 180.0), Some((180, 180))),
        ((20.0, 180.1), None),
        ((200.0, 300.0), None),
        // The greater counts.
        ((12.0, 3.0), Some((12, 12))),
    ];
    for ((p50, p90), expected) in table {
        assert_eq!(minutes(p50, p90), expected, "{p50} and {p90} minutes");
    }
    assert_eq!(WaitRange::from_quantiles(Duration::ZERO, Duration::MAX), None);
}

proptest! {
    #[test]
    fn what_is_said_holds_and_is_not_much_too_long(p50 in 0..11_000_u64, more in 0..11_000_u64) {
        let p90 = p50 + more;
        match WaitRange::from_quantiles(Duration::from_secs(p50), Duration::from_secs(p90)) {
            None => prop_assert!(p90 > u64::from(MOST_MINUTES) * 60),
            Some(wait) => {
                let (low, high) = (u64::from(wait.low()) * 60, u64::from(wait.high()) * 60);
                prop_assert!(p50 <= low && p90 <= high && low <= high && high <= 10_800);
                // At most a minute or a third longer than it is.
                prop_assert!(low <= p50 + 60 || low * 3 <= p50 * 4, "{p50} s is said as {low} s");
                prop_assert!(high <= p90 + 60 || high * 3 <= p90 * 4, "{p90} s is said as {high} s");
            }
        }
    }

    #[test]
    fn a_longer_wait_is_never_said_shorter(
        p50 in 0..10_800_u64, p90 in 0..10_800_u64, more in 0..3_000_u64, later in 0..3_000_u64,
    ) {
        let of = |p50, p90| WaitRange::from_quantiles(Duration::from_secs(p50), Duration::from_secs(p90));
        let (short, long) = (of(p50, p90), of(p50 + more, p90 + later));
        if let (Some(short), Some(long)) = (short, long) {
            prop_assert!(short.low() <= long.low() && short.high() <= long.high());
        }
        prop_assert!(short.is_some() || long.is_none());
    }
}
