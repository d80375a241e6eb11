//! English: tens and units are words of their own (twenty-three), and `and` follows the hundreds.

use pronto_types::is_figure;
use pronto_types::link::RiseReason;

use super::{Phrase, WaitRange};

const BELOW_TWENTY: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const FIRST_NINETEEN: [&str; 19] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];

pub(super) fn cardinal(number: u16) -> Phrase {
    match (number / 100, number / 10 % 10, number % 10) {
        (0, 0 | 1, _) => Phrase::clip(
            format_args!("cardinal.{number}"),
            BELOW_TWENTY[usize::from(number)],
        ),
        (0, tens, 0) => ten(tens),
        (0, tens, unit) => ten(tens).hyphened(cardinal(unit)),
        (hundreds, 0, 0) => cardinal(hundreds).then(Phrase::clip("hundred", "hundred")),
        (hundreds, ..) => hundred_and(hundreds).then(cardinal(number % 100)),
    }
}

pub(super) fn ordinal(number: u16) -> Phrase {
    let name = format!("ordinal.{number}");
    match (number / 100, number / 10 % 10, number % 10) {
        (0, 0 | 1, _) => Phrase::clip(name, FIRST_NINETEEN[usize::from(number.saturating_sub(1))]),
        (0, tens, 0) => {
            let stem = TENS[usize::from(tens - 2)].trim_end_matches('y');
            Phrase::clip(name, format!("{stem}ieth"))
        }
        (0, tens, unit) => ten(tens).hyphened(ordinal(unit)),
        (hundreds, 0, 0) => cardinal(hundreds).then(Phrase::clip("hundredth", "hundredth")),
        (hundreds, ..) => hundred_and(hundreds).then(ordinal(number % 100)),
    }
}

fn ten(tens: u16) -> Phrase {
    Phrase::clip(format_args!("cardinal.{tens}0"), TENS[usize::from(tens - 2)])
}

fn hundred_and(hundreds: u16) -> Phrase {
    cardinal(hundreds).then(Phrase::clip("hundred.and", "hundred and"))
}

pub(super) fn duration(minutes: u16) -> Phrase {
    match (minutes / 60, minutes % 60) {
        (0, 0) => Phrase::clip("minutes.0", "less than a minute"),
        (0, 1) => Phrase::clip("minutes.1", "one minute"),
        (0, minutes) => cardinal(minutes).then(Phrase::clip("minutes", "minutes")),
        (hours, 0) => Phrase::clip(format_args!("hours.{hours}"), hours_words(hours)),
        (hours, 30) => Phrase::clip(format_args!("hours.{hours}.half"), half_words(hours)),
        (hours, minutes) => duration(hours * 60).then(and_minutes(minutes)),
    }
}

pub(super) fn expect(wait: WaitRange) -> Phrase {
    match (wait.low(), wait.high()) {
        (1, 1) => Phrase::clip("wait.under", "Your expected wait is").then(duration(0)),
        (low, high) if low == high => {
            Phrase::clip("wait.about", "Your expected wait is about").then(duration(low))
        }
        (low, high) => Phrase::clip("wait.between", "Your expected wait is between").then(ends(low, high)),
    }
}

pub(super) fn because(reason: RiseReason) -> Phrase {
    match reason {
        RiseReason::FewerOperators => Phrase::clip(
            "rise.operators",
            "Your wait has become longer, because there are fewer operators now.",
        ),
        RiseReason::CallersAhead => Phrase::clip(
            "rise.ahead",
            "Your wait has become longer, because other callers come first.",
        ),
        RiseReason::LongerCalls => Phrase::clip(
            "rise.calls",
            "Your wait has become longer, because the present calls take longer than usual.",
        ),
        RiseReason::Unknown => {
            Phrase::clip("rise.unknown", "Your wait is longer than expected. We are sorry.")
        }
    }
}

/// The phrase after `between`: the unit is said once where both have the same.
fn ends(low: u16, high: u16) -> Phrase {
    let low = match (low, high) {
        (_, ..=59) => cardinal(low),
        (60 | 120, 120 | 180) => cardinal(low / 60),
        _ => duration(low),
    };
    low.then(and_duration(high))
}

/// `and four minutes`, `and one hour`.
fn and_duration(minutes: u16) -> Phrase {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => and_minutes(minutes),
        (hours, 0) => Phrase::clip(
            format_args!("and-hours.{hours}"),
            format!("and {}", hours_words(hours)),
        ),
        (hours, 30) => Phrase::clip(
            format_args!("and-hours.{hours}.half"),
            format!("and {}", half_words(hours)),
        ),
        (hours, minutes) => and_duration(hours * 60).then(and_minutes(minutes)),
    }
}

/// Whole for the waits that are announced; others are put together.
fn and_minutes(minutes: u16) -> Phrase {
    let whole = |text: String| Phrase::clip(format_args!("and-minutes.{minutes}"), text);
    match minutes {
        1 => whole("and one minute".to_owned()),
        _ if is_figure(minutes) => whole(format!("and {} minutes", cardinal(minutes))),
        _ => Phrase::clip("and", "and").then(duration(minutes)),
    }
}

fn hours_words(hours: u16) -> String {
    match hours {
        1 => "one hour".to_owned(),
        _ => format!("{} hours", cardinal(hours)),
    }
}

fn half_words(hours: u16) -> String {
    format!("{} and a half hours", cardinal(hours))
}
