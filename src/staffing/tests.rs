use clap::Parser;

use super::*;

#[derive(Parser)]
struct Typed {
    #[command(flatten)]
    arguments: StaffingArgs,
}

fn typed(line: &str) -> StaffingArgs {
    let words = format!("staffing {line}");
    match Typed::try_parse_from(words.split_whitespace()) {
        Ok(typed) => typed.arguments,
        Err(error) => panic!("{line}: {error}"),
    }
}

fn taught(talks: u64, hang_ups: u64, joined: &[Time]) -> Taught {
    let secs = Duration::from_secs;
    // Ten weeks from a Monday, 2026-11-02T00:00Z, a little before and after.
    let span = (
        Time::from_secs(MONDAY - 60),
        Time::from_secs(MONDAY + 70 * 86_400 + 60),
    );
    Taught {
        queue: QueueName::new("support").unwrap(),
        habits: Habits {
            talks,
            handling: Some(secs(240)),
            hang_ups,
            patience: Some(secs(120)),
        },
        week: Arrivals::of(&by_hour_joined(joined), &[span], &TimeZone::UTC),
    }
}

fn by_hour_joined(joined: &[Time]) -> BTreeMap<i64, u32> {
    let mut hours = BTreeMap::new();
    for &at in joined {
        *hours.entry(hour(at)).or_default() += 1;
    }
    hours
}

const MONDAY: i64 = 1_793_577_600;

/// Sixty callers each Monday from 9 to 10, six each Tuesday from 14 to 15.
fn mondays() -> Vec<Time> {
    let week = |week: i64| {
        let monday = MONDAY + week * 7 * 86_400;
        let nine = (0..60).map(move |caller| monday + 9 * 3600 + 60 * caller);
        let tuesday = (0..6).map(move |caller| monday + 38 * 3600 + 600 * caller);
        nine.chain(tuesday)
    };
    (0..10).flat_map(week).map(Time::from_secs).collect()
}

#[test]
fn what_is_given_needs_no_ledger() {
    // Garnett, Mandelbaum & Reiman 2002, table 1: with 50 operators 3.1 % hang up, after 3.7 s on average.
    let arguments =
        typed("--arrivals 2880 --handling 1m --patience 2m --service-level 0 --max-abandonment 3.1");
    let sheet = text(&arguments, Look::Plain).unwrap();
    let expected = "\
wanted    0 % answered within 20 s, at most 3.1 % hang up
handling  60 s a call, given
patience  120 s, given
arrivals  2880 an hour, given

hour   callers  operators  in time  hang up  wait s  occupancy
given   2880.0         50   94.3 %    3.1 %     3.7     93.0 %
";
    assert_eq!(sheet, expected);
}

#[test]
fn each_hour_of_the_week_has_its_operators_and_the_sheet_says_what_it_rests_on() {
    let arguments = typed("--within 30s");
    let sheet = sheet(&arguments, Some(&taught(500, 40, &mondays()))).unwrap();
    let lines: Vec<&str> = sheet.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "queue     support",
            "wanted    80 % answered within 30 s, at most 100 % hang up",
            "handling  240 s a call, of 500 talks",
            "patience  120 s, of 40 hang-ups",
            "arrivals  660 callers in 1680 whole hours",
        ]
    );
    assert_eq!(lines.len(), 9, "two hours have callers: {sheet}");
    let cells = |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    let monday = cells(lines[7]);
    assert_eq!(monday[..3], ["Mon", "09:00", "60.0"]);
    let load = Load {
        arrivals: 60.0 / 3600.0,
        handling: 240.0,
        patience: Some(120.0),
    };
    let target = Target {
        share: 0.8,
        within: 30.0,
        hang_ups: 1.0,
    };
    assert_eq!(monday[3], load.needed(target).unwrap().0.to_string());
    assert_eq!(cells(lines[8])[..3], ["Tue", "14:00", "6.0"]);
}

#[test]
fn nobody_hangs_up_where_fewer_than_one_in_two_thousand_do() {
    let operators = |line: &str| {
        let sheet = text(&typed(line), Look::Plain).unwrap();
        let row: Vec<String> = sheet
            .lines()
            .last()
            .unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        (row[2].parse::<u32>().unwrap(), row[3].clone(), row[5].clone())
    };
    let load = "--arrivals 240 --handling 4m --patience 2m";
    let load_of = Load {
        arrivals: 240.0 / 3600.0,
        handling: 240.0,
        patience: Some(120.0),
    };
    let hang_ups = |operators: u32| load_of.served_by(operators, 20.0).unwrap().hang_ups;
    let (needed, _, told) = operators(&format!("{load} --service-level 0 --max-abandonment 0"));
    assert_eq!(told, "0.0");
    assert!(hang_ups(needed) <= 0.0005 && hang_ups(needed - 1) > 0.0005);
    // 16 erlangs: not many more than the load.
    assert!((20..32).contains(&needed), "{needed}");
    // A smaller bound is the same, a greater one is what it says.
    let (tiny, ..) = operators(&format!("{load} --service-level 0 --max-abandonment 0.01"));
    let (loose, ..) = operators(&format!("{load} --service-level 0 --max-abandonment 1"));
    assert_eq!(tiny, needed);
    assert!(hang_ups(loose) <= 0.01 && hang_ups(loose - 1) > 0.01);
    // All in time, likewise.
    let (all, in_time, _) = operators(&format!("{load} --service-level 100"));
    assert_eq!(in_time, "100.0");
    assert!(load_of.served_by(all - 1, 20.0).unwrap().in_time < 0.9995);
}

#[test]
fn too_little_is_refused_and_said() {
    let arguments = typed("");
    let refused = |taught: Taught| sheet(&arguments, Some(&taught)).unwrap_err();
    assert_eq!(
        refused(taught(29, 40, &mondays())),
        "the ledger says too little of how long a call takes: found 29 talks, expected 30, or `--handling`"
    );
    assert_eq!(
        refused(taught(500, 40, &mondays()[..49])),
        "the ledger says too little of when callers come: found 49 in 1680 whole hours, expected 50 in 24, or `--arrivals`"
    );
    let few = sheet(&arguments, Some(&taught(500, 9, &mondays()))).unwrap();
    assert!(few.contains("patience  taken as endless (Erlang-C"), "{few}");
    assert!(few.contains("found 9 hang-ups, expected 10"), "{few}");
    let impossible = typed("--arrivals 100000 --handling 20m --patience none --service-level 80");
    let error = sheet(&impossible, None).unwrap_err();
    assert!(error.contains("no number of operators up to 10000"), "{error}");
}

#[test]
fn hours_are_those_of_the_centre_and_only_whole_ones_count() {
    let rome = TimeZone::get("Europe/Rome").unwrap();
    // From Monday 08:30 to 11:30 in Rome: nine and ten are whole.
    let (first, last) = (MONDAY + 7 * 3600 + 1800, MONDAY + 10 * 3600 + 1800);
    let joined: Vec<Time> = (first..last).step_by(60).map(Time::from_secs).collect();
    let week = Arrivals::of(
        &by_hour_joined(&joined),
        &[(Time::from_secs(first), Time::from_secs(last))],
        &rome,
    );
    assert_eq!(
        (week.passed[8], week.passed[9], week.passed[10], week.passed[11]),
        (0, 1, 1, 0)
    );
    assert_eq!((week.callers[8], week.callers[9], week.callers[10]), (0, 60, 60));
    assert_eq!(week.total(), 120);
}

#[test]
fn a_slip_says_what_was_expected() {
    for (option, expected) in [
        (
            "--within 20",
            "found `20`, expected a duration such as \"30s\", \"5m\" or \"1h30m\", of a day at most",
        ),
        ("--patience never", "or `none`"),
        ("--service-level 120", "found `120`, expected 0 to 100 percent"),
        (
            "--arrivals many",
            "found `many`, expected 0 to 1000000 callers an hour",
        ),
    ] {
        let words = format!("staffing {option}");
        let error = Typed::try_parse_from(words.split_whitespace())
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}
