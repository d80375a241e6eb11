//! `[[number]]` and its flows: what the page of each typical mistake looks like.

use super::assert_page;

#[test]
fn a_number_is_text_its_flow_is_there_and_its_language_is_spoken() {
    assert_page(
        r#"
[[number]]
dial = 800
flow = "flows/suport.toml"
language = "fr"
"#,
        r#"
  × `dial` in [[number]] is a whole number
   ╭─[pronto.toml:2:8]
 1 │ [[number]]
 2 │ dial = 800
   ·        ─┬─
   ·         ╰── found a whole number
 3 │ flow = "flows/suport.toml"
   ╰────
  help: expected a number: digits, perhaps after a `+`; did you mean `"800"`?

  × cannot read the flow `flows/suport.toml`: No such file or directory (os error 2)
   ╭─[pronto.toml:3:8]
 2 │ dial = 800
 3 │ flow = "flows/suport.toml"
   ·        ─────────┬─────────
   ·                 ╰── found `flows/suport.toml`
 4 │ language = "fr"
   ╰────
  help: expected the path of a flow; did you mean `flows/support.toml`?

  × `language` in [[number]] is `fr`
   ╭─[pronto.toml:4:12]
 3 │ flow = "flows/suport.toml"
 4 │ language = "fr"
   ·            ──┬─
   ·              ╰── found `fr`
   ╰────
  help: expected one of `it`, `en`

"#,
    );
}

#[test]
fn two_spellings_of_one_number_are_one_number() {
    assert_page(
        r#"
[[queue]]
name = "support"

[[number]]
dial = "+39 06 123"
flow = "flows/support.toml"
language = "it"

[[number]]
dial = "0039-06-123"
flow = "flows/support.toml"
language = "it"
"#,
        r#"
  × there are two numbers +3906123
    ╭─[pronto.toml:10:8]
  9 │ [[number]]
 10 │ dial = "0039-06-123"
    ·        ──────┬──────
    ·              ╰── found `0039-06-123`
 11 │ flow = "flows/support.toml"
    ╰────
  help: expected a number no other entry has; separators do not count, and 00 is +

"#,
    );
}

#[test]
fn a_flow_is_shown_in_its_own_file_with_the_names_that_exist() {
    assert_page(
        r#"
[[queue]]
name = "support"

[[number]]
dial = "800"
flow = "flows/misspelt.toml"
language = "it"
"#,
        r#"
  × there is no prompt `wellcome` in the language `it`
   ╭─[flows/misspelt.toml:3:8]
 2 │ [welcome]
 3 │ say = ["wellcome"]
   ·        ─────┬────
   ·             ╰── found `wellcome`
 4 │ next = "support"
   ╰────
  help: expected one of `all-busy`, `goodbye`, `main-menu`, `music`, `recorded`, `welcome`; did
        you mean `welcome`?

  × there is no queue `suport`
   ╭─[flows/misspelt.toml:6:9]
 5 │ [support]
 6 │ queue = "suport"
   ·         ────┬───
   ·             ╰── found `suport`
   ╰────
  help: expected `support`

"#,
    );
}

#[test]
fn a_flow_that_cannot_be_parsed_is_shown_in_its_own_file() {
    assert_page(
        r#"
[[queue]]
name = "support"

[[number]]
dial = "800"
flow = "flows/broken.toml"
language = "it"
"#,
        r#"
  × there is no state `welcom`
   ╭─[flows/broken.toml:1:9]
 1 │ start = "welcom"
   ·         ────┬───
   ·             ╰── found `welcom`
 2 │ [welcome]
   ╰────
  help: expected `welcome`

  × state `welcome` is a dead end: nothing follows its prompts
   ╭─[flows/broken.toml:2:2]
 1 │ start = "welcom"
 2 │ [welcome]
   ·  ───┬───
   ·     ╰── found neither `next` nor `hangup = true`
 3 │ say = ["welcome"]
   ╰────
  help: expected `next = "…"` or `hangup = true`

  × a say state has no key `nekst`
   ╭─[flows/broken.toml:4:1]
 3 │ say = ["welcome"]
 4 │ nekst = "support"
   · ──┬──
   ·   ╰── found `nekst`
   ╰────
  help: expected one of `say`, `next`, `hangup`, `bargein`

"#,
    );
}

#[test]
fn what_nobody_reaches_is_a_warning() {
    assert_page(
        r#"
[[queue]]
name = "support"
"#,
        r#"
  ⚠ there is no number: nobody can call
   ╭─[pronto.toml:1:1]
 1 │ [[queue]]
   · ▲
   · ╰── found no `[[number]]`
 2 │ name = "support"
   ╰────

  ⚠ no flow leads to the queue `support`
   ╭─[pronto.toml:1:1]
 1 │ [[queue]]
   · ────┬────
   ·     ╰── found a queue without callers
 2 │ name = "support"
   ╰────

  ⚠ no operator serves the queue `support`: its callers take the exit `nobody`
   ╭─[pronto.toml:1:1]
 1 │ [[queue]]
   · ────┬────
   ·     ╰── found a queue without operators
 2 │ name = "support"
   ╰────

"#,
    );
}

#[test]
fn a_flow_asks_for_the_forecasts_of_queues_there_are() {
    assert_page(
        r#"
[[queue]]
name = "support"

[[number]]
dial = "800"
flow = "flows/asked.toml"
language = "it"
"#,
        r#"
  × there is no queue `suport`
   ╭─[flows/asked.toml:3:12]
 2 │ [how-long]
 3 │ forecast = "suport"
   ·            ────┬───
   ·                ╰── found `suport`
 4 │ limit = "10m"
   ╰────
  help: expected `support`

  × there is no queue `sails`
   ╭─[flows/asked.toml:8:35]
 7 │ [menu]
 8 │ menu = ["main-menu", { forecast = "sails" }]
   ·                                   ───┬───
   ·                                      ╰── found `sails`
 9 │ keys = { 1 = "support" }
   ╰────
  help: expected `support`

"#,
    );
}

#[test]
fn a_forecast_has_a_limit_that_is_a_duration() {
    assert_page(
        r#"
[[queue]]
name = "support"

[[number]]
dial = "800"
flow = "flows/asking.toml"
language = "it"
"#,
        r#"
  × `limit` in a forecast state is `10 min`
   ╭─[flows/asking.toml:4:9]
 3 │ forecast = "suport"
 4 │ limit = "10 min"
   ·         ────┬───
   ·             ╰── found `10 min`
 5 │ longer = "menu"
   ╰────
  help: expected a duration such as "30s", "5m", "1h30m" or "500ms"

"#,
    );
}
