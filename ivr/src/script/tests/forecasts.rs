//! Forecasts in flows, right and wrong.

use super::*;

/// A flow with forecasts and without a fault.
const ASKING: &str = r#"
start = "how-long"
[how-long]
forecast = "support"
limit = "10m"
longer = "main"
next = "support"
[main]
menu = ["for-support", { forecast = "support" }, "for-sales", { forecast = "sales" }]
keys = { 1 = "support" }
[support]
queue = "support"
"#;

fn spoilt(from: &str, to: &str) -> Vec<String> {
    let source = ASKING.replacen(from, to, 1);
    assert_ne!(source, ASKING, "nothing was spoilt");
    problems(&source)
}

#[test]
fn forecasts_are_named_apart_from_the_queues_that_callers_join() {
    let flow = Script::parse(ASKING).unwrap();
    assert_eq!(flow.warnings(), []);
    let named: Vec<_> = flow
        .forecasts()
        .map(|(name, span)| (name.as_str(), &ASKING[span]))
        .collect();
    let [support, sales] = ["support", "sales"];
    assert_eq!(
        named,
        [
            (support, "\"support\""),
            (support, "\"support\""),
            (sales, "\"sales\"")
        ]
    );
    assert_eq!(flow.queues().count(), 1);
    let Kind::Forecast {
        quantile,
        limit,
        exits,
        ..
    } = &flow.state(StateIndex(0)).kind
    else {
        panic!("{flow:?}")
    };
    assert_eq!((*quantile, *limit), (Quantile::P80, Duration::from_secs(600)));
    assert_eq!(exits.unknown, exits.next, "omitted");
    for (text, quantile) in [("p50", Quantile::P50), ("p90", Quantile::P90)] {
        let source = ASKING.replacen("limit", &format!("quantile = \"{text}\"\nlimit"), 1);
        let flow = Script::parse(&source).unwrap();
        assert!(
            matches!(&flow.state(StateIndex(0)).kind, Kind::Forecast { quantile: q, .. } if *q == quantile)
        );
    }
}

#[test]
fn a_forecast_needs_a_limit_and_two_ways() {
    assert_eq!(
        spoilt("limit = \"10m\"\nlonger = \"main\"\nnext = \"support\"", ""),
        [
            "how-long | a forecast state needs `limit` | no `limit` | a duration such as \"30s\", \"5m\", \"1h30m\" or \"500ms\" | -",
            "how-long | a forecast state needs `longer` | no `longer` | the name of a state: \"…\" | -",
            "how-long | a forecast state needs `next` | no `next` | the name of a state: \"…\" | -",
        ]
    );
    assert_eq!(
        spoilt("limit = \"10m\"", "limit = \"2d\""),
        [
            "\"2d\" | `limit` in a forecast state is `2d` | `2d` | a duration such as \"30s\", \"5m\", \"1h30m\" or \"500ms\" | -"
        ]
    );
    assert_eq!(
        spoilt("limit = \"10m\"", "limit = \"30h\""),
        ["\"30h\" | `limit` in a forecast state is `30h` | `30h` | at least 1s and at most 24h | -"]
    );
    assert_eq!(
        spoilt("limit", "quantile = \"p95\"\nlimit"),
        ["\"p95\" | `quantile` in a forecast state is `p95` | `p95` | one of `p50`, `p80`, `p90` | p90"]
    );
    assert_eq!(
        spoilt("longer", "longest"),
        [
            "longest | a forecast state has no key `longest` | `longest` | one of `longer`, `forecast`, `limit`, `quantile`, \
             `unknown`, `next` | longer",
        ]
    );
    assert_eq!(
        spoilt("longer = \"main\"", "longer = \"man\""),
        ["\"man\" | there is no state `man` | `man` | one of `how-long`, `main`, `support` | main"]
    );
}

#[test]
fn what_is_said_is_a_prompt_or_a_forecast() {
    assert_eq!(
        spoilt("{ forecast = \"support\" }", "{ forcast = \"support\" }"),
        ["forcast | a spoken forecast has no key `forcast` | `forcast` | `forecast` | forecast"]
    );
    assert_eq!(
        spoilt("{ forecast = \"support\" }", "{}"),
        ["{} | a spoken forecast needs `forecast` | no `forecast` | the name of a queue: \"…\" | -"]
    );
    assert_eq!(
        spoilt("{ forecast = \"support\" }", "{ forecast = \"no queue\" }"),
        ["\"no queue\" | `no queue` cannot name a queue | `no queue` | 1 to 64 of a-z A-Z 0-9 . _ - | -"]
    );
    assert_eq!(
        spoilt(
            "[\"for-support\", { forecast = \"support\" }, \"for-sales\", { forecast = \"sales\" }]",
            "[{ forecast = \"support\" }]"
        ),
        [
            "menu | menu `main` says nothing while the wait is not known | forecasts alone | a prompt beside them | -"
        ]
    );
    let said = ASKING.replacen("longer = \"main\"", "longer = \"tell\"", 1)
        + "[tell]\nsay = [{ forecast = \"support\" }]\nnext = \"main\"\n";
    assert!(Script::parse(&said).is_ok(), "a say may say nothing");
}

#[test]
fn loops_through_a_forecast_are_found() {
    assert_eq!(
        spoilt("next = \"support\"", "next = \"how-long\""),
        [
            "how-long | a loop without an end: these states only talk | a loop of `how-long` | a menu, a caller's key or a \
          hang-up on the way | -"
        ]
    );
    assert_eq!(
        spoilt(
            "queue = \"support\"",
            "queue = \"support\"\nnobody = \"how-long\""
        ),
        [
            "how-long | a loop without an end: these queues send a caller they refuse to one another, without a word | a \
          loop of `how-long`, `support` | a menu, a caller's key or a hang-up on the way | -"
        ]
    );
}
