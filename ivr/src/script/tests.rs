//! Flows as people write them, right and wrong.

mod forecasts;

use proptest::prelude::*;

use super::*;
use crate::{BUILTIN_FLOW, LAST_WORDS};

/// A flow without a fault, whose parts the tests spoil.
const GOOD: &str = r#"
start = "main"
[main]
menu = ["main-menu"]
keys = { 1 = "support", "*" = "bye" }
[support]
queue = "support"
[bye]
hangup = true
"#;

/// Each problem of a flow as `found text | message | found | expected | nearest`, the text taken by its span.
fn problems(source: &str) -> Vec<String> {
    let Err(problems) = Script::parse(source) else {
        panic!("this flow is good:\n{source}")
    };
    problems.iter().map(|problem| shown(source, problem)).collect()
}

fn shown(source: &str, problem: &Problem) -> String {
    let Problem {
        span,
        message,
        found,
        expected,
        nearest,
        ..
    } = problem;
    let text = &source[span.clone()];
    format!(
        "{text} | {message} | {found} | {expected} | {}",
        nearest.as_deref().unwrap_or("-")
    )
}

/// The only problem of [`GOOD`] once `from` reads `to`.
fn problem(from: &str, to: &str) -> String {
    let source = GOOD.replace(from, to);
    assert_ne!(source, GOOD, "nothing was spoilt");
    let problems = problems(&source);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems[0].clone()
}

fn named<'a>(flow: &'a Script, source: &'a str) -> Vec<(&'a str, &'a str)> {
    flow.prompts().map(|(name, span)| (name, &source[span])).collect()
}

#[test]
fn the_built_in_flow_is_whole_and_names_what_the_house_has() {
    let flow = Script::parse(BUILTIN_FLOW).unwrap();
    assert_eq!(flow.warnings(), []);
    assert_eq!(
        flow.states().collect::<Vec<_>>(),
        ["welcome", "main", "support", "sales", "sorry", "goodbye"]
    );
    let prompts = [
        ("welcome", "\"welcome\""),
        ("main-menu", "\"main-menu\""),
        ("all-busy", "\"all-busy\""),
    ];
    assert_eq!(named(&flow, BUILTIN_FLOW)[..3], prompts);
    let queues: Vec<_> = flow
        .queues()
        .map(|(name, span)| (name.as_str(), &BUILTIN_FLOW[span]))
        .collect();
    assert_eq!(queues, [("support", "\"support\""), ("sales", "\"sales\"")]);
    assert_eq!(LAST_WORDS, ["all-busy", "goodbye"]);
}

#[test]
fn every_key_of_the_keypad_can_be_written_and_tables_may_stand_apart() {
    let source = r##"
        start = "m"
        [m]
        menu = ["a", "b"]
        timeout = "1m30s"
        bargein = false
        [m.keys]
        0 = "x"
        "*" = "x"
        "#" = "m"
        a = "x"
        D = "x"
        [x]
        say = ["c"]
        bargein = true
        hangup = true
    "##;
    let flow = Script::parse(source).unwrap();
    let Kind::Menu {
        keys,
        timeout,
        bargein,
        exits,
        ..
    } = &flow.state(flow.start()).kind
    else {
        panic!()
    };
    let target = |key| keys.target(Digit::from_char(key).unwrap()).map(|at| at.0);
    assert_eq!(
        ['0', '*', '#', 'A', 'D', '1'].map(target),
        [Some(1), Some(1), Some(0), Some(1), Some(1), None]
    );
    assert_eq!((*timeout, *bargein), (Duration::from_secs(90), false));
    assert_eq!(
        *exits,
        MenuExits {
            noinput: None,
            nomatch: None
        }
    );
    assert_eq!(
        named(&flow, source),
        [("a", "\"a\""), ("b", "\"b\""), ("c", "\"c\"")]
    );
}

#[test]
fn last_words_are_heard_out_and_other_prompts_can_be_cut_unless_written() {
    let flow =
        Script::parse("start = \"a\"\n[a]\nsay = [\"x\"]\nnext = \"b\"\n[b]\nsay = [\"y\"]\nhangup = true")
            .unwrap();
    let bargein: Vec<bool> = flow
        .states
        .iter()
        .map(|state| match &state.kind {
            Kind::Say { bargein, .. } => *bargein,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(bargein, [true, false]);
}

#[test]
fn a_wrong_name_shows_where_it_stands_and_what_was_meant() {
    assert_eq!(
        problem("1 = \"support\"", "1 = \"suport\""),
        "\"suport\" | there is no state `suport` | `suport` | one of `bye`, `main`, `support` | support"
    );
    assert_eq!(
        problem("start = \"main\"", "start = \"kitchen\""),
        "\"kitchen\" | there is no state `kitchen` | `kitchen` | one of `bye`, `main`, `support` | -"
    );
    assert_eq!(
        problem("[support]", "[support]\ntimedout = \"bye\""),
        "timedout | a queue state has no key `timedout` | `timedout` | one of `timed_out`, `queue`, `keys`, `way_out`, `nobody`, \
         `failed`, `ended` | timed_out"
    );
    assert_eq!(
        problem("[support]", "[support]\nnext = \"bye\""),
        "next | `next` does not belong to a queue state | `next` | one of `queue`, `keys`, `way_out`, `timed_out`, `nobody`, \
         `failed`, `ended` | -"
    );
    assert_eq!(
        problem("menu =", "meun ="),
        "meun | a state has no `meun` | `meun` | one of `say`, `menu`, `queue`, `forecast`, `hangup` | menu"
    );
    assert_eq!(
        problem("start = \"main\"", "strat = \"main\"\nstart = \"main\""),
        "strat | `strat` is not a state | `strat` | `start = \"…\"`, then states, each a table: `[name]` | start"
    );
}

#[test]
fn keys_are_single_keys_of_the_keypad() {
    const KEYPAD: &str = "one key of the keypad: 0 to 9, \"*\", \"#\", A to D";
    for key in ["10", "E", "\"1 \"", "\"\"", "\"é\""] {
        let bare = key.trim_matches('"');
        assert_eq!(
            problem("1 = \"support\"", &format!("{key} = \"support\"")),
            format!("{key} | `{bare}` is not a key of the keypad | `{bare}` | {KEYPAD} | -")
        );
    }
    assert_eq!(
        problem("1 = \"support\"", "a = \"support\", A = \"bye\""),
        "A | key A leads to two states | `A` | each key once | -"
    );
    assert_eq!(
        problem("keys = { 1 = \"support\", \"*\" = \"bye\" }", "keys = {}"),
        "keys | menu `main` has no keys to press | no `keys` | `keys = { 1 = \"…\" }` | -"
    );
    assert_eq!(
        problem("keys = { 1 = \"support\", \"*\" = \"bye\" }", ""),
        "main | a menu state needs `keys` | no `keys` | keys and where they lead: `{ 1 = \"…\" }` | -"
    );
}

#[test]
fn a_wrong_type_says_what_it_is_and_what_it_should_be() {
    const LIST: &str = "a list of prompts: [\"…\"]";
    const DURATION: &str = "a duration such as \"30s\", \"5m\", \"1h30m\" or \"500ms\"";
    let wrong = |text: &str, key: &str, found: &str, expected: &str| {
        format!("{text} | {key} is {found} | {found} | {expected}")
    };
    assert_eq!(
        problem("[\"main-menu\"]", "\"main-menu\""),
        wrong(
            "\"main-menu\"",
            "`menu` in a menu state",
            "a text",
            &format!("{LIST} | -")
        )
    );
    assert_eq!(
        problem("[\"main-menu\"]", "[7]"),
        wrong(
            "7",
            "`menu` in a menu state",
            "a whole number",
            "the name of a prompt: \"…\" | -"
        )
    );
    assert_eq!(
        problem("hangup = true", "hangup = \"yes\""),
        wrong(
            "\"yes\"",
            "`hangup` in a state that only hangs up",
            "a text",
            "true or false | -"
        )
    );
    assert_eq!(
        problem("menu =", "timeout = 5\nmenu ="),
        wrong(
            "5",
            "`timeout` in a menu state",
            "a whole number",
            &format!("{DURATION} | \"5s\"")
        )
    );
    assert_eq!(
        problem("queue = \"support\"", "queue = { name = \"support\" }"),
        wrong(
            "{ name = \"support\" }",
            "`queue` in a queue state",
            "a section",
            "the name of a queue: \"…\" | -"
        )
    );
    assert_eq!(
        problem("keys = { 1 = \"support\", \"*\" = \"bye\" }", "keys = [1]"),
        wrong(
            "[1]",
            "`keys` in a menu state",
            "a list",
            "keys and where they lead: `{ 1 = \"…\" }` | -"
        )
    );
    assert_eq!(
        problem("[\"main-menu\"]", "[]"),
        format!("[] | a state says between 1 and 32 prompts | 0 | {LIST} | -")
    );
}

#[test]
fn durations_and_names_are_bounded() {
    assert_eq!(
        problem("menu =", "timeout = \"5 s\"\nmenu ="),
        "\"5 s\" | `timeout` in a menu state is `5 s` | `5 s` | a duration such as \"30s\", \"5m\", \"1h30m\" or \"500ms\" | -"
    );
    for text in ["0s", "99ms", "601s", "9999h"] {
        assert_eq!(
            problem("menu =", &format!("timeout = \"{text}\"\nmenu =")),
            format!(
                "\"{text}\" | `timeout` in a menu state is `{text}` | `{text}` | at least 100ms and at most 10m | -"
            )
        );
    }
    for name in ["../etc/passwd", ".hidden", "", "a b", "è"] {
        assert_eq!(
            problem("\"main-menu\"", &format!("\"{name}\"")),
            format!(
                "\"{name}\" | `{name}` cannot name a prompt | `{name}` | 1 to 64 of a-z A-Z 0-9 . _ - | -"
            )
        );
    }
    assert_eq!(
        problem("[bye]", "[\"a b\"]\nhangup = true\n[bye]"),
        "\"a b\" | `a b` cannot name a state | `a b` | 1 to 64 of a-z A-Z 0-9 . _ - | -"
    );
}

#[test]
fn a_state_does_one_thing_and_leads_somewhere() {
    assert_eq!(
        problem("queue = \"support\"", ""),
        "support | state `support` does nothing | no `say`, `menu`, `queue` or `forecast` | one of `say`, `menu`, `queue`, `forecast`, or \
         `hangup = true` | -"
    );
    assert_eq!(
        problem("hangup = true", "hangup = true\nnext = \"main\""),
        "next | `next` does not belong to a state that only hangs up | `next` | `hangup` | -"
    );
    assert_eq!(
        problem("hangup = true", "hangup = false"),
        "bye | state `bye` does nothing | no `say`, `menu`, `queue` or `forecast` | one of `say`, `menu`, `queue`, `forecast`, or \
         `hangup = true` | -"
    );
    assert_eq!(
        problem("queue = \"support\"", "queue = \"support\"\nsay = [\"x\"]"),
        "queue | state `support` is both a `say` and a `queue` | `queue` | one of them, the other in a state of its \
         own | -"
    );
    assert_eq!(
        problem("hangup = true", "say = [\"x\"]"),
        "bye | state `bye` is a dead end: nothing follows its prompts | neither `next` nor `hangup = true` | \
         `next = \"…\"` or `hangup = true` | -"
    );
    assert_eq!(
        problem("hangup = true", "say = [\"x\"]\nnext = \"main\"\nhangup = true"),
        "hangup | state `bye` both goes on and hangs up | `next` and `hangup = true` | one of them | -"
    );
}

#[test]
fn loops_without_a_caller_in_them_are_refused() {
    let talk = "say = [\"x\"]\nnext =";
    assert_eq!(
        problem(
            "hangup = true",
            &format!("{talk} \"c\"\n[c]\n{talk} \"d\"\n[d]\n{talk} \"c\"")
        ),
        "c | a loop without an end: these states only talk | a loop of `c`, `d` | a menu, a caller's key or a \
         hang-up on the way | -"
    );
    assert_eq!(
        problem(
            "[bye]",
            "nobody = \"sales\"\n[sales]\nqueue = \"sales\"\nfailed = \"support\"\n[bye]"
        ),
        "support | a loop without an end: these queues send a caller they refuse to one another, without a word | a \
         loop of `support`, `sales` | a menu, a caller's key or a hang-up on the way | -"
    );
    assert!(Script::parse(&GOOD.replace("[support]", "[support]\ntimed_out = \"support\"")).is_ok());
    assert!(Script::parse(&GOOD.replace("hangup = true", &format!("{talk} \"main\""))).is_ok());
}

#[test]
fn a_state_nothing_leads_to_is_a_warning() {
    let source = format!("{GOOD}[attic]\nsay = [\"dust\"]\nnext = \"cellar\"\n[cellar]\nhangup = true\n");
    let flow = Script::parse(&source).unwrap();
    let warnings: Vec<_> = flow
        .warnings()
        .iter()
        .map(|warning| shown(&source, warning))
        .collect();
    let expected = "a key, `next` or exit that names it | -";
    assert_eq!(
        warnings,
        [
            format!("attic | nothing leads to state `attic` | `attic` | {expected}"),
            format!("cellar | nothing leads to state `cellar` | `cellar` | {expected}")
        ]
    );
    assert_eq!(
        flow.prompts().count(),
        2,
        "their prompts are checked all the same"
    );
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_text() {
    let source = r#"
start = "mian"
colour = "red"
[main]
menu = ["main menu"]
keys = { 1 = "suport", 12 = "bye" }
timeout = "soon"
[support]
queue = 7
ended = "by"
[bye]
say = ["goodbye"]
"#;
    let texts: Vec<_> = problems(source)
        .into_iter()
        .map(|p| p.split(" | ").next().unwrap().to_owned())
        .collect();
    assert_eq!(
        texts,
        [
            "\"mian\"",
            "colour",
            "\"main menu\"",
            "\"suport\"",
            "12",
            "\"soon\"",
            "7",
            "\"by\"",
            "bye"
        ]
    );
}

#[test]
fn what_is_not_toml_is_shown_alone_with_its_place() {
    let problems = problems("start = \"main\"\n[main\nsay = 5 5\n[main]\nmenu = 1\n");
    assert!(
        !problems.is_empty() && problems.iter().all(|p| p.contains("| not TOML: ")),
        "{problems:#?}"
    );
    let twice = Script::parse("start = \"a\"\n[a]\nhangup = true\n[a]\nhangup = true").unwrap_err();
    assert_eq!(
        (&*twice[0].message, twice[0].span.clone()),
        ("`a` is written twice", 31..32),
        "{twice:?}"
    );
    let empty = Script::parse("").unwrap_err();
    assert_eq!(empty[0].message, "the flow does not say where it starts");
}

#[test]
fn a_flow_has_limits_and_so_have_its_problems() {
    let states = |n: usize| {
        (0..n)
            .map(|i| format!("[s{i}]\nhangup = true\n"))
            .collect::<String>()
    };
    assert!(Script::parse(&format!("start = \"s0\"\n{}", states(MOST_STATES))).is_ok());
    let many = Script::parse(&format!("start = \"s0\"\n{}", states(MOST_STATES + 1))).unwrap_err();
    assert_eq!(many[0].message, "a flow has at most 500 states");
    let wrong = (0..MOST_STATES)
        .map(|i| format!("[s{i}]\nnonsense = 1\n"))
        .collect::<String>();
    assert_eq!(Script::parse(&wrong).unwrap_err().len(), 100);
    assert_eq!(
        Script::parse(&" ".repeat(MOST_BYTES + 1)).unwrap_err()[0].message,
        "this flow is too long"
    );
    // The longest chain of talk is looked through for loops in no time.
    let chain = (0..MOST_STATES - 1).map(|i| format!("[s{i}]\nsay = [\"x\"]\nnext = \"s{}\"\n", i + 1));
    let last = format!("[s{}]\nsay = [\"x\"]\nnext = \"s0\"\n", MOST_STATES - 1);
    let ring = Script::parse(&format!("start = \"s0\"\n{}{last}", chain.collect::<String>())).unwrap_err();
    assert_eq!(ring.len(), 1);
}

/// Tokens from which flows are made, so that nonsense is nearly right.
fn nearly_toml() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "start",
        "=",
        "\"a\"",
        "[a]",
        "[b]",
        "\n",
        "say",
        "menu",
        "queue",
        "keys",
        "{",
        "}",
        "[",
        "]",
        "1",
        ",",
        "\"1\"",
        "next",
        "hangup",
        "true",
        "timeout",
        "\"5s\"",
        "noinput",
        ".",
        "#",
        "'",
        "\"\"\"",
        "1979-05-27",
        "é",
    ]);
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_panics_and_every_span_lies_within(source in prop_oneof!["\\PC{0,80}", nearly_toml()]) {
        if let Err(problems) = Script::parse(&source) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(source.get(problem.span.clone()).is_some(), "{:?}", problem);
            }
        }
    }

    #[test]
    fn no_slip_in_a_good_flow_panics(at in 0..BUILTIN_FLOW.len(), with in "\\PC{0,3}", cut in 0..20_usize) {
        let (Some(head), Some(tail)) = (BUILTIN_FLOW.get(..at), BUILTIN_FLOW.get(at + cut..)) else { return Ok(()) };
        let source = format!("{head}{with}{tail}");
        if let Err(problems) = Script::parse(&source) {
            for problem in problems {
                prop_assert!(source.get(problem.span.clone()).is_some(), "{:?}", problem);
            }
        }
    }
}

#[test]
fn a_way_out_of_a_queue_is_a_prompt_and_needs_a_key() {
    let source = GOOD.replace(
        "queue = \"support\"",
        "queue = \"support\"\nkeys = { 9 = \"bye\" }\nway_out = \"leave-a-message\"",
    );
    let flow = Script::parse(&source).unwrap();
    assert!(named(&flow, &source).contains(&("leave-a-message", "\"leave-a-message\"")));
    assert_eq!(
        problem(
            "queue = \"support\"",
            "queue = \"support\"\nway_out = \"leave-a-message\""
        ),
        "way_out | queue `support` offers a way out and has no keys | no `keys` | `keys = { 9 = \"…\" }` beside it | -"
    );
}
