//! English, against tables written by hand.

use super::*;

const EN: Language = Language::English;

const CARDINALS: &str = "
    zero one two three four five six seven eight nine
    ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
    twenty twenty-one twenty-two twenty-three twenty-four
    twenty-five twenty-six twenty-seven twenty-eight twenty-nine
    thirty thirty-one thirty-two thirty-three thirty-four
    thirty-five thirty-six thirty-seven thirty-eight thirty-nine
    forty forty-one forty-two forty-three forty-four
    forty-five forty-six forty-seven forty-eight forty-nine
    fifty fifty-one fifty-two fifty-three fifty-four
    fifty-five fifty-six fifty-seven fifty-eight fifty-nine
    sixty sixty-one sixty-two sixty-three sixty-four
    sixty-five sixty-six sixty-seven sixty-eight sixty-nine
    seventy seventy-one seventy-two seventy-three seventy-four
    seventy-five seventy-six seventy-seven seventy-eight seventy-nine
    eighty eighty-one eighty-two eighty-three eighty-four
    eighty-five eighty-six eighty-seven eighty-eight eighty-nine
    ninety ninety-one ninety-two ninety-three ninety-four
    ninety-five ninety-six ninety-seven ninety-eight ninety-nine";

/// From 1 on.
const ORDINALS: &str = "
    first second third fourth fifth sixth seventh eighth ninth
    tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth
    twentieth twenty-first twenty-second twenty-third twenty-fourth
    twenty-fifth twenty-sixth twenty-seventh twenty-eighth twenty-ninth
    thirtieth thirty-first thirty-second thirty-third thirty-fourth
    thirty-fifth thirty-sixth thirty-seventh thirty-eighth thirty-ninth
    fortieth forty-first forty-second forty-third forty-fourth
    forty-fifth forty-sixth forty-seventh forty-eighth forty-ninth
    fiftieth fifty-first fifty-second fifty-third fifty-fourth
    fifty-fifth fifty-sixth fifty-seventh fifty-eighth fifty-ninth
    sixtieth sixty-first sixty-second sixty-third sixty-fourth
    sixty-fifth sixty-sixth sixty-seventh sixty-eighth sixty-ninth
    seventieth seventy-first seventy-second seventy-third seventy-fourth
    seventy-fifth seventy-sixth seventy-seventh seventy-eighth seventy-ninth
    eightieth eighty-first eighty-second eighty-third eighty-fourth
    eighty-fifth eighty-sixth eighty-seventh eighty-eighth eighty-ninth
    ninetieth ninety-first ninety-second ninety-third ninety-fourth
    ninety-fifth ninety-sixth ninety-seventh ninety-eighth ninety-ninth";

#[test]
fn every_english_number_has_its_hyphen_and_its_and() {
    let (said, below) = (cardinals(EN), words(CARDINALS));
    assert_eq!(below.len(), 100);
    assert_eq!(said[..100], below);
    for number in 100..=999 {
        let hundreds = below[number / 100];
        let expected = match number % 100 {
            0 => format!("{hundreds} hundred"),
            rest => format!("{hundreds} hundred and {}", below[rest]),
        };
        assert_eq!(said[number], expected);
    }
    assert_eq!(said[100], "one hundred");
    assert_eq!(said[121], "one hundred and twenty-one");
    assert_eq!(said[999], "nine hundred and ninety-nine");
}

#[test]
fn every_english_place_ends_as_an_ordinal_and_only_there() {
    let (said, below) = (ordinals(EN), words(ORDINALS));
    assert_eq!(below.len(), 99);
    assert_eq!(said[..99], below);
    for number in 100..=999 {
        let hundreds = words(CARDINALS)[number / 100];
        let expected = match number % 100 {
            0 => format!("{hundreds} hundredth"),
            rest => format!("{hundreds} hundred and {}", below[rest - 1]),
        };
        assert_eq!(said[number - 1], expected);
    }
    assert_eq!(said[99], "one hundredth");
    assert_eq!(said[122], "one hundred and twenty-third");
}

const ODD_DURATIONS: [(usize, &str); 13] = [
    (0, "less than a minute"),
    (1, "one minute"),
    (60, "one hour"),
    (61, "one hour and one minute"),
    (62, "one hour and two minutes"),
    (83, "one hour and twenty-three minutes"),
    (90, "one and a half hours"),
    (119, "one hour and fifty-nine minutes"),
    (120, "two hours"),
    (121, "two hours and one minute"),
    (150, "two and a half hours"),
    (179, "two hours and fifty-nine minutes"),
    (180, "three hours"),
];

/// A wait by the table above, whatever it is made of.
fn lasting(minutes: usize) -> String {
    let numbers = words(CARDINALS);
    match ODD_DURATIONS.iter().find(|odd| odd.0 == minutes) {
        Some((_, words)) => (*words).to_owned(),
        None if minutes < 60 => format!("{} minutes", numbers[minutes]),
        None if minutes < 120 => format!("one hour and {} minutes", numbers[minutes - 60]),
        None => format!("two hours and {} minutes", numbers[minutes - 120]),
    }
}

#[test]
fn every_english_duration_has_its_hours_and_its_one_minute() {
    for (minutes, said) in durations(EN).iter().enumerate() {
        assert_eq!(*said, lasting(minutes));
    }
}

const ODD_RANGES: [(u16, u16, &str); 15] = [
    (1, 1, "Your expected wait is less than a minute."),
    (2, 2, "Your expected wait is about two minutes."),
    (60, 60, "Your expected wait is about one hour."),
    (90, 90, "Your expected wait is about one and a half hours."),
    (1, 2, "Your expected wait is between one and two minutes."),
    (2, 4, "Your expected wait is between two and four minutes."),
    (
        21,
        28,
        "Your expected wait is between twenty-one and twenty-eight minutes.",
    ),
    (1, 60, "Your expected wait is between one minute and one hour."),
    (
        50,
        60,
        "Your expected wait is between fifty minutes and one hour.",
    ),
    (
        45,
        70,
        "Your expected wait is between forty-five minutes and one hour and ten minutes.",
    ),
    (
        60,
        90,
        "Your expected wait is between one hour and one and a half hours.",
    ),
    (60, 120, "Your expected wait is between one and two hours."),
    (60, 180, "Your expected wait is between one and three hours."),
    (120, 180, "Your expected wait is between two and three hours."),
    (
        90,
        150,
        "Your expected wait is between one and a half hours and two and a half hours.",
    ),
];

#[test]
fn every_english_range_says_the_unit_once_where_both_ends_share_it() {
    for range in WaitRange::all() {
        let (low, high) = (range.low(), range.high());
        let (from, to) = (lasting(low.into()), lasting(high.into()));
        let odd = ODD_RANGES.iter().find(|odd| (odd.0, odd.1) == (low, high));
        let expected = match odd {
            Some((.., words)) => (*words).to_owned(),
            None if low == high => format!("Your expected wait is about {from}."),
            None if high < 60 => {
                let from = words(CARDINALS)[usize::from(low)];
                format!("Your expected wait is between {from} and {to}.")
            }
            None => format!("Your expected wait is between {from} and {to}."),
        };
        assert_eq!(wait(low, high, EN), expected);
    }
}

#[test]
fn an_english_caller_hears_the_place_and_the_wait() {
    let text = |position, low, high| {
        let wait = WaitRange::new(low, high);
        Announcement {
            position: Some(position),
            wait,
            ..Announcement::default()
        }
        .text(EN)
    };
    assert_eq!(
        text(1, 1, 1),
        "You are first in line. Your expected wait is less than a minute."
    );
    assert_eq!(
        text(123, 2, 4),
        "You are one hundred and twenty-third in line. Your expected wait is between two and four minutes."
    );
    let clips = Announcement {
        position: Some(23),
        wait: WaitRange::new(2, 4),
        ..Announcement::default()
    }
    .clips(EN);
    let clips: Vec<_> = clips.iter().map(|clip| &**clip).collect();
    assert_eq!(
        clips,
        [
            "speak.position",
            "speak.cardinal.20",
            "speak.ordinal.3",
            "speak.position.end",
            "speak.wait.between",
            "speak.cardinal.2",
            "speak.and-minutes.4",
        ]
    );
}

#[test]
fn an_english_caller_hears_why_it_takes_longer_and_what_else_there_is() {
    let text = |rise, key| {
        Announcement {
            rise: Some(rise),
            wait: WaitRange::new(4, 6),
            way_out: Digit::from_char(key),
            ..Announcement::default()
        }
        .text(EN)
    };
    let wait = "Your expected wait is between four and six minutes.";
    for (reason, why) in [
        (
            RiseReason::FewerOperators,
            "Your wait has become longer, because there are fewer operators now.",
        ),
        (
            RiseReason::CallersAhead,
            "Your wait has become longer, because other callers come first.",
        ),
        (
            RiseReason::LongerCalls,
            "Your wait has become longer, because the present calls take longer than usual.",
        ),
        (
            RiseReason::Unknown,
            "Your wait is longer than expected. We are sorry.",
        ),
    ] {
        let way_out = "You can stay on the line, or press nine for other options.";
        assert_eq!(text(reason, '9'), format!("{why} {wait} {way_out}"));
        let way_out = "You can stay on the line, or press hash for other options.";
        assert_eq!(text(reason, '#'), format!("{why} {wait} {way_out}"));
        assert_eq!(
            text(reason, 'D'),
            format!("{why} {wait}"),
            "no phone has that key"
        );
    }
}
