//! Italian. Numbers are one word; their last vowel falls before `uno` and `otto` (ventuno, ventotto), `cento` keeps
//! its own before `uno` and `undici` but not before `otto` and `ottanta` (centouno, centotto), and a `tre` that ends a
//! word is stressed (ventitré). Ordinals agree with *la persona*.

use pronto_types::is_figure;
use pronto_types::link::RiseReason;

use super::{Phrase, WaitRange};

const BELOW_TWENTY: [&str; 20] = [
    "zero",
    "uno",
    "due",
    "tre",
    "quattro",
    "cinque",
    "sei",
    "sette",
    "otto",
    "nove",
    "dieci",
    "undici",
    "dodici",
    "tredici",
    "quattordici",
    "quindici",
    "sedici",
    "diciassette",
    "diciotto",
    "diciannove",
];
/// Without their last vowel.
const TENS: [&str; 8] = [
    "vent", "trent", "quarant", "cinquant", "sessant", "settant", "ottant", "novant",
];
const HUNDREDS: [&str; 9] = [
    "cent",
    "duecent",
    "trecent",
    "quattrocent",
    "cinquecent",
    "seicent",
    "settecent",
    "ottocent",
    "novecent",
];
const FIRST_TEN: [&str; 10] = [
    "prima", "seconda", "terza", "quarta", "quinta", "sesta", "settima", "ottava", "nona", "decima",
];

pub(super) fn cardinal(number: u16) -> Phrase {
    let (hundreds, rest) = (number / 100, number % 100);
    if hundreds == 0 {
        return Phrase::clip(format_args!("cardinal.{rest}"), word(rest));
    }
    match rest {
        0 => hundred(hundreds, "", "o"),
        3 => hundred(hundreds, "", "o").fused(Phrase::clip("cardinal.3.stressed", "tré")),
        8 | 80..=89 => hundred(hundreds, ".elided", "").fused(cardinal(rest)),
        _ => hundred(hundreds, "", "o").fused(cardinal(rest)),
    }
}

pub(super) fn ordinal(number: u16) -> Phrase {
    let (hundreds, rest) = (number / 100, number % 100);
    if hundreds == 0 {
        return Phrase::clip(format_args!("ordinal.{rest}"), ordinal_word(rest));
    }
    match rest {
        0 => Phrase::clip(
            format_args!("ordinal.{number}"),
            format!("{}esima", HUNDREDS[usize::from(hundreds - 1)]),
        ),
        8 => hundred(hundreds, ".elided", "").fused(last(rest)),
        1..=9 => hundred(hundreds, "", "o").fused(last(rest)),
        80..=89 => hundred(hundreds, ".elided", "").fused(ordinal(rest)),
        _ => hundred(hundreds, "", "o").fused(ordinal(rest)),
    }
}

/// `cento`, or what is left of it before a vowel that takes its place.
fn hundred(hundreds: u16, mark: &str, vowel: &str) -> Phrase {
    let word = HUNDREDS[usize::from(hundreds - 1)];
    Phrase::clip(
        format_args!("cardinal.{hundreds}00{mark}"),
        format!("{word}{vowel}"),
    )
}

/// The end of an ordinal behind the hundreds: (cento)unesima, not centoprima.
fn last(unit: u16) -> Phrase {
    Phrase::clip(format_args!("ordinal.{unit}.last"), regular(&word(unit)))
}

/// A number below a hundred.
fn word(number: u16) -> String {
    let (tens, unit) = (number / 10, number % 10);
    let Some(stem) = tens.checked_sub(2).map(|tens| TENS[usize::from(tens)]) else {
        return BELOW_TWENTY[usize::from(number)].to_owned();
    };
    let vowel = match (tens, unit) {
        (_, 1 | 8) => "",
        (2, _) => "i",
        _ => "a",
    };
    let unit = match unit {
        0 => "",
        3 => "tré",
        _ => BELOW_TWENTY[usize::from(unit)],
    };
    format!("{stem}{vowel}{unit}")
}

/// An ordinal from 1 to 99.
fn ordinal_word(number: u16) -> String {
    match number {
        1..=10 => FIRST_TEN[usize::from(number - 1)].to_owned(),
        _ => regular(&word(number)),
    }
}

/// The number loses its last vowel before `-esima`, unless it ends in `tré` or `sei`.
fn regular(cardinal: &str) -> String {
    let stem = match cardinal {
        "tre" => "tre".to_owned(),
        _ if cardinal.ends_with("tré") => cardinal.replace('é', "e"),
        _ if cardinal.ends_with("sei") => cardinal.to_owned(),
        _ => cardinal.trim_end_matches(['a', 'e', 'i', 'o']).to_owned(),
    };
    format!("{stem}esima")
}

pub(super) fn duration(minutes: u16) -> Phrase {
    match (minutes / 60, minutes % 60) {
        (0, 0) => Phrase::clip("minutes.0", "meno di un minuto"),
        (0, 1) => Phrase::clip("minutes.1", "un minuto"),
        (0, minutes) => cardinal(minutes).then(Phrase::clip("minutes", "minuti")),
        (hours, 0) => Phrase::clip(format_args!("hours.{hours}"), hours_word(hours)),
        (hours, 30) => Phrase::clip(
            format_args!("hours.{hours}.half"),
            format!("{} e mezza", hours_word(hours)),
        ),
        (hours, minutes) => duration(hours * 60).then(and_minutes(minutes)),
    }
}

pub(super) fn expect(wait: WaitRange) -> Phrase {
    match (wait.low(), wait.high()) {
        (1, 1) => Phrase::clip("wait.under", "L'attesa prevista è di").then(duration(0)),
        (low, high) if low == high => {
            Phrase::clip("wait.about", "L'attesa prevista è di circa").then(duration(low))
        }
        (low, high) => Phrase::clip("wait.between", "L'attesa prevista è tra").then(ends(low, high)),
    }
}

pub(super) fn because(reason: RiseReason) -> Phrase {
    match reason {
        RiseReason::FewerOperators => Phrase::clip(
            "rise.operators",
            "L'attesa si è allungata, perché gli operatori in servizio ora sono di meno.",
        ),
        RiseReason::CallersAhead => Phrase::clip(
            "rise.ahead",
            "L'attesa si è allungata, perché altre persone hanno la precedenza.",
        ),
        RiseReason::LongerCalls => Phrase::clip(
            "rise.calls",
            "L'attesa si è allungata, perché le telefonate in corso durano più del solito.",
        ),
        RiseReason::Unknown => {
            Phrase::clip("rise.unknown", "L'attesa è più lunga del previsto. Ci scusiamo.")
        }
    }
}

/// The phrase after `tra`: the unit is said once where both have the same.
fn ends(low: u16, high: u16) -> Phrase {
    let low = match (low, high) {
        (_, ..=59) => cardinal(low),
        (60, 120 | 180) => Phrase::clip("cardinal.1.feminine", "una"),
        (120, 180) => cardinal(2),
        _ => duration(low),
    };
    low.then(and_duration(high))
}

/// `e quattro minuti`, `e un'ora`.
fn and_duration(minutes: u16) -> Phrase {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => and_minutes(minutes),
        (hours, 0) => Phrase::clip(
            format_args!("and-hours.{hours}"),
            format!("e {}", hours_word(hours)),
        ),
        (hours, 30) => Phrase::clip(
            format_args!("and-hours.{hours}.half"),
            format!("e {} e mezza", hours_word(hours)),
        ),
        (hours, minutes) => and_duration(hours * 60).then(and_minutes(minutes)),
    }
}

/// Whole for the waits that are announced; others are put together.
fn and_minutes(minutes: u16) -> Phrase {
    let whole = |text: String| Phrase::clip(format_args!("and-minutes.{minutes}"), text);
    match minutes {
        1 => whole("e un minuto".to_owned()),
        _ if is_figure(minutes) => whole(format!("e {} minuti", word(minutes))),
        _ => Phrase::clip("and", "e").then(duration(minutes)),
    }
}

fn hours_word(hours: u16) -> String {
    match hours {
        1 => "un'ora".to_owned(),
        _ => format!("{} ore", word(hours)),
    }
}
