//! Tables of what is pressed and heard when. A line is `seconds input > outputs`; see [`Table`].

mod forecasts;

use super::*;
use pronto_types::{Forecast, QueueName};

use crate::BUILTIN_FLOW;

/// Plays a table against a session and compares every line.
///
/// Inputs: `start`, `key K`, `found LOOK FORECASTS`, `heard PLAY`, `tick` (a deadline), `WISH OUTCOME`, `gone`. Outputs: `play PLAY NAMES`,
/// `stop`, `look LOOK QUEUES`, `enqueue WISH QUEUE`, `leave`, `hangup`.
struct Table {
    session: Session,
    keys: u64,
}

impl Table {
    fn new(flow: &str) -> Self {
        let flow = crate::Script::parse(flow).unwrap_or_else(|problems| panic!("{problems:#?}"));
        Self {
            session: Session::new(Arc::new(flow), Language::English),
            keys: 0,
        }
    }

    /// Gives back the session at the end of the table.
    #[track_caller]
    fn runs(mut self, table: &str) -> Session {
        for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (event, expected) = line.split_once('>').unwrap();
            let (at, input) = event.trim().split_once(' ').unwrap();
            let now = Time::ZERO + Duration::from_secs_f64(at.parse().unwrap());
            self.input(now, input.trim());
            let outputs: Vec<String> = std::iter::from_fn(|| self.session.poll_output())
                .map(|o| shown(&o))
                .collect();
            assert_eq!(outputs.join(", "), expected.trim(), "at: {line}");
            assert_eq!(self.session.digits().pressed, self.keys, "at: {line}");
        }
        self.session
    }

    fn input(&mut self, now: Time, input: &str) {
        let (verb, of) = input.split_once(' ').unwrap_or((input, ""));
        let input = match verb {
            "start" => Input::Start,
            "key" => {
                self.keys += 1;
                Input::Digit(Digit::from_char(of.chars().next().unwrap()).unwrap())
            }
            "heard" => Input::PlayFinished(PlayId(of.parse().unwrap())),
            "gone" => Input::HungUp,
            "found" => found(of),
            "tick" => return self.session.handle_timeout(now),
            wish => Input::Outcome {
                wish: WishId(wish.parse().unwrap()),
                outcome: match of {
                    "timed out" => Outcome::TimedOut,
                    "nobody" => Outcome::Nobody,
                    "failed" => Outcome::Failed,
                    "ended" => Outcome::Ended,
                    other => panic!("{other}"),
                },
            },
        };
        self.session.handle_input(now, input);
    }
}

/// `LOOK QUEUE=P50-P80-P90 …`, in minutes.
fn found(of: &str) -> Input {
    let mut words = of.split(' ');
    let look = LookId(words.next().unwrap().parse().unwrap());
    let forecasts = words.map(|word| {
        let (queue, waits) = word.split_once('=').unwrap();
        let waits: Vec<u64> = waits.split('-').map(|wait| wait.parse().unwrap()).collect();
        let [p50, p80, p90] = [0, 1, 2].map(|at| Duration::from_secs(60 * waits[at]));
        (QueueName::new(queue).unwrap(), Forecast { p50, p80, p90 })
    });
    let forecasts = forecasts.collect();
    Input::Found { look, forecasts }
}

fn shown(output: &Output) -> String {
    match output {
        Output::Play { play, prompts } => {
            let names: Vec<&str> = prompts.iter().map(|name| &**name).collect();
            format!("play {} {}", play.0, names.join("+"))
        }
        Output::Stop => "stop".to_owned(),
        Output::Wish(Wish::Enqueue { wish, queue }) => format!("enqueue {} {queue}", wish.0),
        Output::LookUp { look, queues } => {
            let names: Vec<&str> = queues.iter().map(QueueName::as_str).collect();
            format!("look {} {}", look.0, names.join("+"))
        }
        Output::Wish(Wish::LeaveQueue) => "leave".to_owned(),
        Output::HangUp => "hangup".to_owned(),
    }
}

/// Three menus in a row behind a greeting, then a queue; what is omitted is omitted.
const DEEP: &str = r##"
start = "hello"
[hello]
say = ["hello", "news"]
next = "one"
[one]
menu = ["one"]
keys = { 1 = "two" }
[two]
menu = ["two"]
keys = { 2 = "three" }
timeout = "2s"
[three]
menu = ["three"]
keys = { 3 = "wait" }
[wait]
queue = "support"
keys = { 9 = "one", "*" = "two" }
"##;

#[test]
fn a_patient_caller_hears_everything_and_is_served() {
    let session = Table::new(BUILTIN_FLOW).runs(
        "0 start       > play 1 welcome
         2 heard 1     > play 2 main-menu
         8 heard 2     >
         10 key 1      > enqueue 1 support
         300 1 ended   > play 3 goodbye
         302 heard 3   > hangup",
    );
    assert!(session.is_over());
    assert_eq!(
        session.digits(),
        DigitCount {
            pressed: 1,
            matched: 1,
            ..DigitCount::default()
        }
    );
}

#[test]
fn a_key_cuts_what_is_said_at_once_and_leads_on() {
    Table::new(BUILTIN_FLOW).runs(
        "0 start       > play 1 welcome
         2 heard 1     > play 2 main-menu
         3 key 2       > stop, enqueue 1 sales
         3.1 heard 2   >",
    );
    Table::new(BUILTIN_FLOW).runs(
        "0 start       > play 1 welcome
         0.5 key 2     > stop, enqueue 1 sales",
    );
}

#[test]
fn digits_typed_ahead_are_taken_in_order_and_no_prompt_between_them_is_started() {
    let session = Table::new(DEEP).runs(
        "0 key 1       >
         0.1 key 2     >
         0.2 start     > play 1 three
         0.3 key 3     > stop, enqueue 1 support",
    );
    assert_eq!(session.state_name(), "wait");
    assert_eq!(session.digits().matched, 3);
    Table::new(DEEP).runs(
        "0 key 1       >
         0 key 2       >
         0 key 3       >
         1 start       > enqueue 1 support",
    );
    Table::new(DEEP).runs(
        "0 start       > play 1 hello+news
         0.1 key 1     > stop, play 2 two
         0.2 key 2     > stop, play 3 three
         0.3 key 3     > stop, enqueue 1 support
         0.4 key *     > leave, play 4 two",
    );
}

#[test]
fn a_digit_typed_before_the_queue_is_the_queues_too() {
    let session = Table::new(DEEP).runs(
        "0 key 1       >
         0 key 2       >
         0 key 3       >
         0 key 7       >
         0 key *       >
         0 start       > play 1 two",
    );
    assert_eq!(
        session.digits(),
        DigitCount {
            pressed: 5,
            matched: 4,
            nomatch: 1,
            ..DigitCount::default()
        }
    );
}

#[test]
fn the_timeout_counts_from_the_end_of_the_prompt() {
    let session = Table::new(DEEP).runs(
        "0 start       > play 1 hello+news
         5 heard 1     > play 2 one
         9 heard 2     >
         13.999 tick   >
         14 tick       > play 3 one
         14 tick       >
         18 key 1      > stop, play 4 two
         20 heard 4    >
         21.9 tick     >
         22 tick       > play 5 two",
    );
    assert_eq!(
        session.poll_timeout(),
        Some(Time::from_secs(622)),
        "while it plays: only the watchdog"
    );
    let mut session = Table::new(DEEP).runs("0 key 1 >\n 0 start > play 1 two\n 1 heard 1 >");
    assert_eq!(session.poll_timeout(), Some(Time::from_secs(3)));
    session.handle_timeout(Time::from_secs(3));
    assert!(session.poll_output().is_some());
}

#[test]
fn a_digit_that_arrives_with_the_deadline_wins() {
    Table::new(DEEP).runs(
        "0 start       > play 1 hello+news
         1 heard 1     > play 2 one
         2 heard 2     >
         7 key 1       > play 3 two
         7 tick        >",
    );
}

#[test]
fn a_menu_without_an_answer_is_said_four_times_and_no_more() {
    let session = Table::new(DEEP).runs(
        "0 start       > play 1 hello+news
         1 heard 1     > play 2 one
         2 heard 2     >
         7 tick        > play 3 one
         8 heard 3     >
         13 tick       > play 4 one
         14 key 5      > stop, play 5 one
         15 heard 5    >
         20 tick       > play 6 goodbye
         21 key 1      >
         22 heard 6    > hangup
         23 key 1      >",
    );
    assert_eq!(
        session.digits(),
        DigitCount {
            pressed: 3,
            nomatch: 1,
            refused: 2,
            ..DigitCount::default()
        }
    );
}

#[test]
fn written_exits_are_taken_but_do_not_make_a_call_endless() {
    let flow = r#"
        start = "a"
        [a]
        menu = ["a"]
        keys = { 1 = "b" }
        timeout = "1s"
        noinput = "b"
        nomatch = "a"
        [b]
        menu = ["b"]
        keys = { 1 = "a" }
        timeout = "1s"
        noinput = "a"
    "#;
    Table::new(flow).runs(
        "0 start > play 1 a
         0 heard 1 >
         1 tick > play 2 b
         1 heard 2 >
         2 tick > play 3 a
         2 heard 3 >
         3 tick > play 4 b
         3 key 1 > stop, play 5 a
         3 key 7 > stop, play 6 a
         3 key 7 > stop, play 7 a
         3 key 7 > stop, play 8 a
         3 key 7 > stop, play 9 goodbye",
    );
}

#[test]
fn a_matching_key_begins_the_count_anew() {
    let session = Table::new(DEEP).runs(
        "0 start       > play 1 hello+news
         0 key 5       > stop, play 2 one
         0 key 5       > stop, play 3 one
         0 key 5       > stop, play 4 one
         0 key 1       > stop, play 5 two
         0 key 5       > stop, play 6 two
         0 key 2       > stop, play 7 three
         0 key 3       > stop, enqueue 1 support
         0 key 9       > leave, play 8 one
         0 key 5       > stop, play 9 one
         0 key 5       > stop, play 10 one
         0 key 5       > stop, play 11 one",
    );
    assert_eq!((session.state_name(), session.digits().nomatch), ("one", 7));
}

#[test]
fn a_wrong_key_while_waiting_costs_nothing_but_a_count() {
    let session = Table::new(BUILTIN_FLOW).runs(
        "0 start       > play 1 welcome
         1 key 1       > stop, enqueue 1 support
         2 key 5       >
         3 key #       >
         4 1 ended     > play 2 goodbye",
    );
    assert_eq!(session.digits().nomatch, 2);
}

#[test]
fn a_key_leads_out_of_the_queue_and_a_late_outcome_changes_nothing() {
    Table::new(BUILTIN_FLOW).runs(
        "0 start       > play 1 welcome
         1 key 1       > stop, enqueue 1 support
         9 key 9       > leave, play 2 main-menu
         9 1 timed out >
         9.5 key 2     > stop, enqueue 2 sales
         10 1 failed   >
         11 3 failed   >
         12 2 failed   > play 3 all-busy
         13 2 failed   >
         14 heard 3    > hangup",
    );
}

#[test]
fn an_omitted_exit_apologises_and_hangs_up_and_an_ended_talk_says_goodbye() {
    for (outcome, words) in [
        ("timed out", "all-busy"),
        ("nobody", "all-busy"),
        ("failed", "all-busy"),
        ("ended", "goodbye"),
    ] {
        let table = format!(
            "0 start       > enqueue 1 support
             9 1 {outcome} > play 1 {words}
             10 key 9      >
             11 heard 1    > hangup"
        );
        let session =
            Table::new("start = \"q\"\n[q]\nqueue = \"support\"\nkeys = { 9 = \"q\" }").runs(&table);
        assert_eq!(session.digits().refused, 1, "{outcome}");
    }
}

#[test]
fn last_words_are_heard_out() {
    let session = Table::new(BUILTIN_FLOW).runs(
        "0 start       > play 1 welcome
         1 key 1       > stop, enqueue 1 support
         9 1 nobody    > play 2 all-busy
         9.1 key 9     >
         12 heard 2    > hangup",
    );
    assert_eq!(
        session.digits(),
        DigitCount {
            pressed: 2,
            matched: 1,
            waiting: 1,
            ..DigitCount::default()
        }
    );
}

#[test]
fn where_barge_in_is_off_digits_wait_for_the_end_of_the_prompt() {
    let flow = r#"
        start = "notice"
        [notice]
        say = ["recorded"]
        bargein = false
        next = "menu"
        [menu]
        menu = ["terms"]
        bargein = false
        keys = { 1 = "menu", 2 = "bye" }
        [bye]
        say = ["bye"]
        bargein = true
        hangup = true
    "#;
    Table::new(flow).runs(
        "0 start       > play 1 recorded
         1 key 1       >
         1 key 2       >
         2 heard 1     > play 2 terms
         3 key 3       >
         4 heard 2     > play 3 terms
         5 heard 3     > hangup",
    );
    Table::new(flow).runs(
        "0 start       > play 1 recorded
         1 heard 1     > play 2 terms
         2 heard 2     >
         3 key 2       > play 3 bye
         4 key 2       > stop, hangup",
    );
}

#[test]
fn a_caller_who_hangs_up_hears_and_wishes_nothing_more() {
    for table in [
        "0 gone >\n 0 start >\n 0 tick >",
        "0 start > play 1 welcome\n 1 gone >\n 2 heard 1 >\n 900 tick >",
        "0 start > play 1 welcome\n 1 key 1 > stop, enqueue 1 support\n 2 gone >\n 3 1 ended >\n 4 key 9 >",
    ] {
        let session = Table::new(BUILTIN_FLOW).runs(table);
        assert!(session.is_over() && session.poll_timeout().is_none());
    }
    let mut session = Session::new(
        Arc::new(crate::Script::parse(BUILTIN_FLOW).unwrap()),
        Language::English,
    );
    session.handle_input(Time::ZERO, Input::Start);
    session.handle_input(Time::ZERO, Input::HungUp);
    assert_eq!(session.poll_output(), None, "what was not taken is dropped");
}

#[test]
fn a_lost_report_of_the_end_of_a_prompt_does_not_strand_the_caller() {
    Table::new(BUILTIN_FLOW).runs(
        "0 start       > play 1 welcome
         599 tick      >
         600 tick      > stop, play 2 main-menu
         600 heard 1   >
         1200 tick     > stop
         1205 tick     > enqueue 1 support",
    );
}

#[test]
fn a_second_start_is_no_second_call() {
    Table::new(BUILTIN_FLOW)
        .runs("0 start > play 1 welcome\n 1 start >\n 2 heard 1 > play 2 main-menu\n 3 start >");
}

#[test]
fn thirty_two_digits_wait_and_the_next_is_counted() {
    let mut script = Table::new(DEEP);
    for _ in 0..40 {
        script
            .session
            .handle_input(Time::ZERO, Input::Digit(Digit::from_char('1').unwrap()));
    }
    let count = DigitCount {
        pressed: 40,
        waiting: 32,
        refused: 8,
        ..DigitCount::default()
    };
    assert_eq!(script.session.digits(), count);
    script.session.handle_input(Time::ZERO, Input::Start);
    // One leads to the second menu, four are wrong there: goodbye.
    let count = DigitCount {
        pressed: 40,
        matched: 1,
        nomatch: 4,
        waiting: 27,
        refused: 8,
    };
    assert_eq!(script.session.digits(), count);
    assert_eq!(script.session.state_name(), "(goodbye)");
}

#[test]
fn a_queue_that_always_refuses_is_not_asked_for_ever() {
    let flow = "start = \"q\"\n[q]\nqueue = \"support\"\nfailed = \"s\"\n[s]\nsay = [\"x\"]\nnext = \"q\"";
    let mut session = Session::new(Arc::new(crate::Script::parse(flow).unwrap()), Language::English);
    session.handle_input(Time::ZERO, Input::Start);
    let mut asked = 0;
    while let Some(output) = session.poll_output() {
        let input = match output {
            Output::Wish(Wish::Enqueue { wish, .. }) => {
                asked += 1;
                Input::Outcome {
                    wish,
                    outcome: Outcome::Failed,
                }
            }
            Output::Play { play, .. } => Input::PlayFinished(play),
            Output::HangUp => break,
            other => panic!("{other:?}"),
        };
        session.handle_input(Time::ZERO, input);
    }
    assert!(session.is_over());
    assert_eq!(asked, 50);
}

#[test]
fn who_waits_can_be_told_the_way_out() {
    let waiting = "0 start       > play 1 welcome
         1 key 1       > stop, enqueue 1 support";
    let session = Table::new(BUILTIN_FLOW).runs(waiting);
    assert_eq!(session.way_out(), Digit::from_char('9').map(WayOut::Key));
    let before = Table::new(BUILTIN_FLOW).runs("0 start > play 1 welcome");
    assert_eq!(before.way_out(), None, "they do not wait");
    let own = BUILTIN_FLOW.replacen("[support]", "[support]\nway_out = \"welcome\"", 1);
    let session = Table::new(&own).runs(waiting);
    assert_eq!(session.way_out(), Some(WayOut::Prompt("welcome".into())));
    let none = BUILTIN_FLOW.replace("keys = { 9 = \"main\" }", "keys = { A = \"main\" }");
    assert_ne!(none, BUILTIN_FLOW);
    assert_eq!(
        Table::new(&none).runs(waiting).way_out(),
        None,
        "no phone has that key"
    );
}
