//! Waits that are said in menus, and flows that go on by them.

use super::*;

const ASKING: &str = r#"
start = "how-long"
[how-long]
forecast = "support"
limit = "10m"
longer = "tell"
unknown = "main"
next = "support"
[tell]
say = [{ forecast = "support" }]
next = "main"
[main]
menu = ["for-support", { forecast = "support" }, "for-sales", { forecast = "sales" }]
keys = { 1 = "support", 2 = "sales" }
[support]
queue = "support"
[sales]
queue = "sales"
"#;

#[test]
fn a_flow_goes_on_by_the_wait_of_a_queue() {
    for (waits, goes_on) in [
        ("support=5-10-20", "enqueue 1 support"),
        ("support=5-11-20", "look 2 support"),
        ("", "look 2 sales+support"),
        ("sales=1-2-3", "look 2 sales+support"),
    ] {
        Table::new(ASKING).runs(&format!(
            "0 start           > look 1 support
             0 found 1 {waits} > {goes_on}"
        ));
    }
    let by = |quantile: &str| ASKING.replacen("limit", &format!("quantile = \"{quantile}\"\nlimit"), 1);
    for (quantile, goes_on) in [("p50", "enqueue 1 support"), ("p90", "look 2 support")] {
        Table::new(&by(quantile)).runs(&format!(
            "0 start                   > look 1 support
             0 found 1 support=5-10-20 > {goes_on}"
        ));
    }
}

#[test]
fn each_choice_is_said_with_its_wait_and_what_is_not_known_is_left_out() {
    let both = "play 1 for-support+speak.wait.between+speak.cardinal.2+speak.and-minutes.4+for-sales+speak.wait.under\
                +speak.minutes.0";
    let one = "play 1 for-support+for-sales+speak.wait.about+speak.cardinal.5+speak.minutes";
    for (found, said) in [
        ("support=2-3-4 sales=0-0-0", both),
        ("sales=5-5-5", one),
        ("", "play 1 for-support+for-sales"),
        ("support=200-300-400", "play 1 for-support+for-sales"),
    ] {
        let menu = ASKING.replacen("\"how-long\"", "\"main\"", 1);
        Table::new(&menu).runs(&format!(
            "0 start           > look 1 sales+support
             0 found 1 {found} > {said}
             9 heard 1         >
             12 key 1          > enqueue 1 support"
        ));
    }
}

#[test]
fn a_say_of_which_nothing_is_known_is_over_at_once() {
    Table::new(ASKING).runs(
        "0 start                      > look 1 support
         0 found 1 support=11-11-11   > look 2 support
         0 found 2 support=11-11-11   > play 1 speak.wait.about+speak.cardinal.12+speak.minutes
         3 heard 1                    > look 3 sales+support
         3 found 3                    > play 2 for-support+for-sales",
    );
    Table::new(ASKING).runs(
        "0 start                      > look 1 support
         0 found 1 support=11-11-11   > look 2 support
         0 found 2 sales=1-1-1        > look 3 sales+support",
    );
}

#[test]
fn who_gets_no_answer_goes_on_after_half_a_second_and_no_key_is_lost() {
    let session = Table::new(ASKING).runs(
        "0 start        > look 1 support
         0.2 key 2      >
         0.3 tick       >
         0.5 tick       > enqueue 1 sales
         0.6 found 1 support=1-1-1 >",
    );
    assert_eq!(session.state_name(), "sales");
    // A key that would cut the prompts does not wait for them.
    Table::new(ASKING).runs(
        "0 start        > look 1 support
         0 found 1      > look 2 sales+support
         0.1 key 1      > enqueue 1 support
         0.2 found 2    >",
    );
    let heard_out = ASKING.replacen("keys =", "bargein = false\nkeys =", 1);
    Table::new(&heard_out).runs(
        "0 start        > look 1 support
         0 found 1      > look 2 sales+support
         0.1 key 1      >
         0.5 tick       > play 1 for-support+for-sales
         9 heard 1      > enqueue 1 support",
    );
}
