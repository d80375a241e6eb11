//! Italian, against tables written by hand.

use super::*;

const IT: Language = Language::Italian;

const CARDINALS: &str = "
    zero uno due tre quattro cinque sei sette otto nove
    dieci undici dodici tredici quattordici quindici sedici diciassette diciotto diciannove
    venti ventuno ventidue ventitré ventiquattro venticinque ventisei ventisette ventotto ventinove
    trenta trentuno trentadue trentatré trentaquattro trentacinque trentasei trentasette trentotto trentanove
    quaranta quarantuno quarantadue quarantatré quarantaquattro
    quarantacinque quarantasei quarantasette quarantotto quarantanove
    cinquanta cinquantuno cinquantadue cinquantatré cinquantaquattro
    cinquantacinque cinquantasei cinquantasette cinquantotto cinquantanove
    sessanta sessantuno sessantadue sessantatré sessantaquattro
    sessantacinque sessantasei sessantasette sessantotto sessantanove
    settanta settantuno settantadue settantatré settantaquattro
    settantacinque settantasei settantasette settantotto settantanove
    ottanta ottantuno ottantadue ottantatré ottantaquattro
    ottantacinque ottantasei ottantasette ottantotto ottantanove
    novanta novantuno novantadue novantatré novantaquattro
    novantacinque novantasei novantasette novantotto novantanove";

/// From 1 on.
const ORDINALS: &str = "
    prima seconda terza quarta quinta sesta settima ottava nona
    decima undicesima dodicesima tredicesima quattordicesima
    quindicesima sedicesima diciassettesima diciottesima diciannovesima
    ventesima ventunesima ventiduesima ventitreesima ventiquattresima
    venticinquesima ventiseiesima ventisettesima ventottesima ventinovesima
    trentesima trentunesima trentaduesima trentatreesima trentaquattresima
    trentacinquesima trentaseiesima trentasettesima trentottesima trentanovesima
    quarantesima quarantunesima quarantaduesima quarantatreesima quarantaquattresima
    quarantacinquesima quarantaseiesima quarantasettesima quarantottesima quarantanovesima
    cinquantesima cinquantunesima cinquantaduesima cinquantatreesima cinquantaquattresima
    cinquantacinquesima cinquantaseiesima cinquantasettesima cinquantottesima cinquantanovesima
    sessantesima sessantunesima sessantaduesima sessantatreesima sessantaquattresima
    sessantacinquesima sessantaseiesima sessantasettesima sessantottesima sessantanovesima
    settantesima settantunesima settantaduesima settantatreesima settantaquattresima
    settantacinquesima settantaseiesima settantasettesima settantottesima settantanovesima
    ottantesima ottantunesima ottantaduesima ottantatreesima ottantaquattresima
    ottantacinquesima ottantaseiesima ottantasettesima ottantottesima ottantanovesima
    novantesima novantunesima novantaduesima novantatreesima novantaquattresima
    novantacinquesima novantaseiesima novantasettesima novantottesima novantanovesima";

const HUNDREDS: &str = "
    cento duecento trecento quattrocento cinquecento seicento settecento ottocento novecento";

/// Cardinals that are not the hundreds followed by the word of [`CARDINALS`].
const ODD_CARDINALS: [(u16, &str); 9] = [
    (3, "centotré"),
    (8, "centotto"),
    (80, "centottanta"),
    (81, "centottantuno"),
    (82, "centottantadue"),
    (83, "centottantatré"),
    (85, "centottantacinque"),
    (88, "centottantotto"),
    (89, "centottantanove"),
];

/// Ordinals that are not the hundreds followed by the word of [`ORDINALS`].
const ODD_ORDINALS: [(u16, &str); 13] = [
    (0, "centesima"),
    (1, "centounesima"),
    (2, "centoduesima"),
    (3, "centotreesima"),
    (4, "centoquattresima"),
    (5, "centocinquesima"),
    (6, "centoseiesima"),
    (7, "centosettesima"),
    (8, "centottesima"),
    (9, "centonovesima"),
    (80, "centottantesima"),
    (81, "centottantunesima"),
    (88, "centottantottesima"),
];

#[test]
fn every_italian_number_is_one_word_with_its_elisions() {
    let (said, below, hundreds) = (cardinals(IT), words(CARDINALS), words(HUNDREDS));
    assert_eq!(below.len(), 100);
    assert_eq!(said[..100], below);
    for (index, hundred) in hundreds.iter().enumerate() {
        let first = (index + 1) * 100;
        assert_eq!(said[first], *hundred);
        for (rest, below) in below.iter().enumerate().skip(1) {
            let odd = ODD_CARDINALS.iter().find(|odd| usize::from(odd.0) == rest);
            let expected = match odd {
                Some((_, word)) => word.replacen("cent", hundred.trim_end_matches('o'), 1),
                None if (80..90).contains(&rest) => format!("{}{below}", hundred.trim_end_matches('o')),
                None => format!("{hundred}{below}"),
            };
            assert_eq!(said[first + rest], expected);
        }
    }
    let spot = [101, 111, 123, 180, 208, 303, 438, 583, 661, 718, 888, 999]
        .map(|number: usize| said[number].as_str());
    assert_eq!(
        spot,
        [
            "centouno",
            "centoundici",
            "centoventitré",
            "centottanta",
            "duecentotto",
            "trecentotré",
            "quattrocentotrentotto",
            "cinquecentottantatré",
            "seicentosessantuno",
            "settecentodiciotto",
            "ottocentottantotto",
            "novecentonovantanove",
        ]
    );
}

#[test]
fn every_italian_place_is_one_word_and_agrees_with_the_person() {
    let (said, below, hundreds) = (ordinals(IT), words(ORDINALS), words(HUNDREDS));
    assert_eq!(below.len(), 99);
    assert_eq!(said[..99], below);
    for (index, hundred) in hundreds.iter().enumerate() {
        for rest in 0..100 {
            let odd = ODD_ORDINALS.iter().find(|odd| usize::from(odd.0) == rest);
            let expected = match odd {
                Some((_, word)) => word.replacen("cent", hundred.trim_end_matches('o'), 1),
                None if (80..90).contains(&rest) => {
                    format!("{}{}", hundred.trim_end_matches('o'), below[rest - 1])
                }
                None => format!("{hundred}{}", below[rest - 1]),
            };
            assert_eq!(said[(index + 1) * 100 + rest - 1], expected);
        }
    }
    let spot = [101, 110, 111, 123, 200, 308, 486, 999].map(|number: usize| said[number - 1].as_str());
    assert_eq!(
        spot,
        [
            "centounesima",
            "centodecima",
            "centoundicesima",
            "centoventitreesima",
            "duecentesima",
            "trecentottesima",
            "quattrocentottantaseiesima",
            "novecentonovantanovesima",
        ]
    );
}

/// Everything that is not a number followed by `minuti`, or an hour followed by `e` and such.
const ODD_DURATIONS: [(usize, &str); 13] = [
    (0, "meno di un minuto"),
    (1, "un minuto"),
    (60, "un'ora"),
    (61, "un'ora e un minuto"),
    (62, "un'ora e due minuti"),
    (83, "un'ora e ventitré minuti"),
    (90, "un'ora e mezza"),
    (119, "un'ora e cinquantanove minuti"),
    (120, "due ore"),
    (121, "due ore e un minuto"),
    (150, "due ore e mezza"),
    (179, "due ore e cinquantanove minuti"),
    (180, "tre ore"),
];

/// A wait by the table above, whatever it is made of.
fn lasting(minutes: usize) -> String {
    let numbers = words(CARDINALS);
    match ODD_DURATIONS.iter().find(|odd| odd.0 == minutes) {
        Some((_, words)) => (*words).to_owned(),
        None if minutes < 60 => format!("{} minuti", numbers[minutes]),
        None if minutes < 120 => format!("un'ora e {} minuti", numbers[minutes - 60]),
        None => format!("due ore e {} minuti", numbers[minutes - 120]),
    }
}

#[test]
fn every_italian_duration_has_its_hours_and_its_one_minute() {
    let said = durations(IT);
    for (minutes, said) in said.iter().enumerate() {
        assert_eq!(*said, lasting(minutes));
    }
    let spot = [2, 8, 21, 23, 28, 59, 70, 105, 165].map(|minutes: usize| said[minutes].as_str());
    assert_eq!(
        spot,
        [
            "due minuti",
            "otto minuti",
            "ventuno minuti",
            "ventitré minuti",
            "ventotto minuti",
            "cinquantanove minuti",
            "un'ora e dieci minuti",
            "un'ora e quarantacinque minuti",
            "due ore e quarantacinque minuti",
        ]
    );
}

const ODD_RANGES: [(u16, u16, &str); 16] = [
    (1, 1, "L'attesa prevista è di meno di un minuto."),
    (2, 2, "L'attesa prevista è di circa due minuti."),
    (60, 60, "L'attesa prevista è di circa un'ora."),
    (90, 90, "L'attesa prevista è di circa un'ora e mezza."),
    (1, 2, "L'attesa prevista è tra uno e due minuti."),
    (2, 4, "L'attesa prevista è tra due e quattro minuti."),
    (21, 28, "L'attesa prevista è tra ventuno e ventotto minuti."),
    (1, 60, "L'attesa prevista è tra un minuto e un'ora."),
    (50, 60, "L'attesa prevista è tra cinquanta minuti e un'ora."),
    (
        45,
        70,
        "L'attesa prevista è tra quarantacinque minuti e un'ora e dieci minuti.",
    ),
    (60, 90, "L'attesa prevista è tra un'ora e un'ora e mezza."),
    (60, 120, "L'attesa prevista è tra una e due ore."),
    (60, 180, "L'attesa prevista è tra una e tre ore."),
    (120, 180, "L'attesa prevista è tra due e tre ore."),
    (
        90,
        150,
        "L'attesa prevista è tra un'ora e mezza e due ore e mezza.",
    ),
    (
        61,
        121,
        "L'attesa prevista è tra un'ora e un minuto e due ore e un minuto.",
    ),
];

#[test]
fn every_italian_range_says_the_unit_once_where_both_ends_share_it() {
    for range in WaitRange::all() {
        let (low, high) = (range.low(), range.high());
        let (from, to) = (lasting(low.into()), lasting(high.into()));
        let odd = ODD_RANGES.iter().find(|odd| (odd.0, odd.1) == (low, high));
        let expected = match odd {
            Some((.., words)) => (*words).to_owned(),
            None if low == high => format!("L'attesa prevista è di circa {from}."),
            None if high < 60 => {
                format!(
                    "L'attesa prevista è tra {} e {to}.",
                    words(CARDINALS)[usize::from(low)]
                )
            }
            None => format!("L'attesa prevista è tra {from} e {to}."),
        };
        assert_eq!(wait(low, high, IT), expected);
    }
}

#[test]
fn an_italian_caller_hears_the_place_and_the_wait() {
    let text = |position, low, high| {
        let wait = WaitRange::new(low, high);
        Announcement {
            position: Some(position),
            wait,
            ..Announcement::default()
        }
        .text(IT)
    };
    assert_eq!(
        text(1, 1, 1),
        "Lei è la prima persona in attesa. L'attesa prevista è di meno di un minuto."
    );
    assert_eq!(
        text(23, 2, 4),
        "Lei è la ventitreesima persona in attesa. L'attesa prevista è tra due e quattro minuti."
    );
    assert_eq!(text(1_000, 2, 4), "L'attesa prevista è tra due e quattro minuti.");
    let clips = Announcement {
        position: Some(108),
        wait: WaitRange::new(50, 70),
        ..Announcement::default()
    }
    .clips(IT);
    let clips: Vec<_> = clips.iter().map(|clip| &**clip).collect();
    assert_eq!(
        clips,
        [
            "speak.position",
            "speak.cardinal.100.elided",
            "speak.ordinal.8.last",
            "speak.position.end",
            "speak.wait.between",
            "speak.cardinal.50",
            "speak.minutes",
            "speak.and-hours.1",
            "speak.and-minutes.10",
        ]
    );
}

#[test]
fn an_italian_caller_hears_why_it_takes_longer_and_what_else_there_is() {
    let text = |rise, key| {
        Announcement {
            rise: Some(rise),
            wait: WaitRange::new(4, 6),
            way_out: Digit::from_char(key),
            ..Announcement::default()
        }
        .text(IT)
    };
    let wait = "L'attesa prevista è tra quattro e sei minuti.";
    for (reason, why) in [
        (
            RiseReason::FewerOperators,
            "L'attesa si è allungata, perché gli operatori in servizio ora sono di meno.",
        ),
        (
            RiseReason::CallersAhead,
            "L'attesa si è allungata, perché altre persone hanno la precedenza.",
        ),
        (
            RiseReason::LongerCalls,
            "L'attesa si è allungata, perché le telefonate in corso durano più del solito.",
        ),
        (
            RiseReason::Unknown,
            "L'attesa è più lunga del previsto. Ci scusiamo.",
        ),
    ] {
        let way_out = "Può restare in linea, oppure premere nove per altre possibilità.";
        assert_eq!(text(reason, '9'), format!("{why} {wait} {way_out}"));
        let way_out = "Può restare in linea, oppure premere asterisco per altre possibilità.";
        assert_eq!(text(reason, '*'), format!("{why} {wait} {way_out}"));
        assert_eq!(
            text(reason, 'A'),
            format!("{why} {wait}"),
            "no phone has that key"
        );
    }
}
