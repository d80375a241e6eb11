//! `[[queue]]` and `[[operator]]`: what the page of each typical mistake looks like.

use super::assert_page;

#[test]
fn a_bare_number_is_no_duration() {
    assert_page(
        r#"
[[queue]]
name = "support"
ring = 15
"#,
        r#"
  × `ring` in [[queue]] is a whole number
   ╭─[pronto.toml:3:8]
 2 │ name = "support"
 3 │ ring = 15
   ·        ─┬
   ·         ╰── found a whole number
   ╰────
  help: expected a duration such as "30s", "5m", "1h30m" or "500ms"; did you mean `"15s"`?

"#,
    );
}

#[test]
fn a_duration_has_a_form_and_bounds() {
    assert_page(
        r#"
[[queue]]
name = "support"
ring = "15 sec"
wrap_up = "48h"
"#,
        r#"
  × `ring` in [[queue]] is `15 sec`
   ╭─[pronto.toml:3:8]
 2 │ name = "support"
 3 │ ring = "15 sec"
   ·        ────┬───
   ·            ╰── found `15 sec`
 4 │ wrap_up = "48h"
   ╰────
  help: expected a duration such as "30s", "5m", "1h30m" or "500ms"

  × `wrap_up` in [[queue]] is `48h`
   ╭─[pronto.toml:4:11]
 3 │ ring = "15 sec"
 4 │ wrap_up = "48h"
   ·           ──┬──
   ·             ╰── found `48h`
   ╰────
  help: expected at least 0s and at most 24h

"#,
    );
}

#[test]
fn one_bracket_too_few_is_shown() {
    assert_page(
        r#"
[queue]
name = "support"
"#,
        r#"
  × `queue` in the configuration is a section
   ╭─[pronto.toml:1:1]
 1 │ [queue]
   · ───┬───
   ·    ╰── found a section
 2 │ name = "support"
   ╰────
  help: expected a list of sections, each headed `[[queue]]`; did you mean `[[queue]]`?

"#,
    );
}

#[test]
fn a_strategy_that_does_not_exist_is_shown() {
    assert_page(
        r#"
[[queue]]
name = "support"
strategy = "longest_idle"
"#,
        r#"
  × `strategy` in [[queue]] is `longest_idle`
   ╭─[pronto.toml:3:12]
 2 │ name = "support"
 3 │ strategy = "longest_idle"
   ·            ───────┬──────
   ·                   ╰── found `longest_idle`
   ╰────
  help: expected `longest-idle`

"#,
    );
}

#[test]
fn a_misspelt_queue_names_the_nearest() {
    assert_page(
        r#"
[[queue]]
name = "support"

[[operator]]
id = "101"
password = "correct horse"
queues = ["suport"]
"#,
        r#"
  × there is no queue `suport`
   ╭─[pronto.toml:7:11]
 6 │ password = "*************"
 7 │ queues = ["suport"]
   ·           ────┬───
   ·               ╰── found `suport`
   ╰────
  help: expected `support`

"#,
    );
}

#[test]
fn two_operators_with_one_id_are_refused() {
    assert_page(
        r#"
[[queue]]
name = "support"

[[operator]]
id = "101"
password = "correct horse"
queues = ["support"]

[[operator]]
id = "101"
password = "battery staple"
queues = ["support"]
"#,
        r#"
  × there are two operators with the id `101`
    ╭─[pronto.toml:10:6]
  9 │ [[operator]]
 10 │ id = "101"
    ·      ──┬──
    ·        ╰── found `101`
 11 │ password = "**************"
    ╰────
  help: expected an id no other operator has

"#,
    );
}

#[test]
fn an_operator_needs_a_password() {
    assert_page(
        r#"
[[queue]]
name = "support"

[[operator]]
id = "101"
queues = ["support"]
"#,
        r#"
  × [[operator]] needs `password`
   ╭─[pronto.toml:4:1]
 3 │
 4 │ [[operator]]
   · ──────┬─────
   ·       ╰── found no `password`
 5 │ id = "101"
   ╰────
  help: expected one of `password`, `ha1`, `password_env`: there is no default password

"#,
    );
}

#[test]
fn an_operator_has_one_password_and_it_is_hard_to_guess() {
    assert_page(
        r#"
[[queue]]
name = "support"

[[operator]]
id = "101"
password = "101"
ha1 = "x"
queues = ["support"]
"#,
        r#"
  × the operator's password is too easy to guess
   ╭─[pronto.toml:6:12]
 5 │ id = "101"
 6 │ password = "***"
   ·            ──┬──
   ·              ╰── found 3 characters
 7 │ ha1 = "*"
   ╰────
  help: expected at least 8 characters that are not the id

  × the operator has more than one of `password`, `ha1`, `password_env`
   ╭─[pronto.toml:7:7]
 6 │ password = "***"
 7 │ ha1 = "*"
   ·       ─┬─
   ·        ╰── found a second one
 8 │ queues = ["support"]
   ╰────
  help: expected exactly one of `password`, `ha1`, `password_env`

"#,
    );
}

#[test]
fn a_misspelt_password_is_one_mistake_and_stays_hidden() {
    assert_page(
        r#"
[[queue]]
name = "support"

[[operator]]
id = "101"
pasword = "correct horse"
queues = ["support"]
"#,
        r#"
  × [[operator]] has no key `pasword`
   ╭─[pronto.toml:6:1]
 5 │ id = "101"
 6 │ pasword = "*************"
   · ───┬───
   ·    ╰── found `pasword`
 7 │ queues = ["support"]
   ╰────
  help: expected one of `password`, `id`, `ha1`, `password_env`, `queues`, `digest`, `sign_in`;
        did you mean `password`?

"#,
    );
}

#[test]
fn a_variable_has_to_be_set() {
    assert_page(
        r#"
[[queue]]
name = "support"

[[operator]]
id = "101"
password_env = "NOT_SET"
queues = ["support"]
"#,
        r#"
  × the environment variable `NOT_SET` is not set
   ╭─[pronto.toml:6:16]
 5 │ id = "101"
 6 │ password_env = "NOT_SET"
   ·                ────┬────
   ·                    ╰── found `NOT_SET`
 7 │ queues = ["support"]
   ╰────
  help: expected a variable that is set

"#,
    );
}

#[test]
fn what_is_announced_is_one_of_four_things() {
    assert_page(
        r#"
[[queue]]
name = "support"
announce = "waits"
"#,
        r#"
  × `announce` in [[queue]] is `waits`
   ╭─[pronto.toml:3:12]
 2 │ name = "support"
 3 │ announce = "waits"
   ·            ───┬───
   ·               ╰── found `waits`
   ╰────
  help: expected one of `both`, `wait`, `position`, `nothing`; did you mean `wait`?

"#,
    );
    assert_page(
        r#"
[[queue]]
name = "support"
announce = false
announce_every = 60
"#,
        r#"
  × `announce` in [[queue]] is true or false
   ╭─[pronto.toml:3:12]
 2 │ name = "support"
 3 │ announce = false
   ·            ──┬──
   ·              ╰── found true or false
 4 │ announce_every = 60
   ╰────
  help: expected one of `both`, `wait`, `position`, `nothing`

  × `announce_every` in [[queue]] is a whole number
   ╭─[pronto.toml:4:18]
 3 │ announce = false
 4 │ announce_every = 60
   ·                  ─┬
   ·                   ╰── found a whole number
   ╰────
  help: expected a duration such as "30s", "5m", "1h30m" or "500ms"; did you mean `"60s"`?

"#,
    );
}

#[test]
fn announcements_that_could_never_be_made_are_shown() {
    assert_page(
        r#"
[[queue]]
name = "support"
announce = "position"
announce_change = "2 minutes"
announce_first = "25h"
"#,
        r#"
  × `announce_change` in [[queue]] is `2 minutes`
   ╭─[pronto.toml:4:19]
 3 │ announce = "position"
 4 │ announce_change = "2 minutes"
   ·                   ─────┬─────
   ·                        ╰── found `2 minutes`
 5 │ announce_first = "25h"
   ╰────
  help: expected a duration such as "30s", "5m", "1h30m" or "500ms"

  × `announce_change` compares waits, and no wait is told
   ╭─[pronto.toml:4:19]
 3 │ announce = "position"
 4 │ announce_change = "2 minutes"
   ·                   ─────┬─────
   ·                        ╰── found `announce` without the wait
 5 │ announce_first = "25h"
   ╰────
  help: expected `announce = "wait"` or `"both"` beside it

  × `announce_first` in [[queue]] is `25h`
   ╭─[pronto.toml:5:18]
 4 │ announce_change = "2 minutes"
 5 │ announce_first = "25h"
   ·                  ──┬──
   ·                    ╰── found `25h`
   ╰────
  help: expected at least 0s and at most 24h

"#,
    );
    assert_page(
        r#"
[[queue]]
name = "support"
announce_change = "-1m"
announce = "nothing"
"#,
        r#"
  × `announce_change` in [[queue]] is `-1m`
   ╭─[pronto.toml:3:19]
 2 │ name = "support"
 3 │ announce_change = "-1m"
   ·                   ──┬──
   ·                     ╰── found `-1m`
 4 │ announce = "nothing"
   ╰────
  help: expected a duration such as "30s", "5m", "1h30m" or "500ms"

  × `announce_change` compares waits, and no wait is told
   ╭─[pronto.toml:3:19]
 2 │ name = "support"
 3 │ announce_change = "-1m"
   ·                   ──┬──
   ·                     ╰── found `announce` without the wait
 4 │ announce = "nothing"
   ╰────
  help: expected `announce = "wait"` or `"both"` beside it

"#,
    );
}

#[test]
fn an_overflow_leads_to_another_queue_and_says_when() {
    assert_page(
        r#"
[[queue]]
name = "support"
overflow = { to = "sails", wait = "10m" }

[[queue]]
name = "sales"
overflow = { to = "sales", wait = "10 min" }
"#,
        r#"
  × there is no queue `sails`
   ╭─[pronto.toml:3:19]
 2 │ name = "support"
 3 │ overflow = { to = "sails", wait = "10m" }
   ·                   ───┬───
   ·                      ╰── found `sails`
 4 │
   ╰────
  help: expected `sales`

  × the queue `sales` overflows to itself
   ╭─[pronto.toml:7:19]
 6 │ name = "sales"
 7 │ overflow = { to = "sales", wait = "10 min" }
   ·                   ───┬───
   ·                      ╰── found `sales`
   ╰────
  help: expected `support`

  × `wait` in `overflow` is `10 min`
   ╭─[pronto.toml:7:35]
 6 │ name = "sales"
 7 │ overflow = { to = "sales", wait = "10 min" }
   ·                                   ────┬───
   ·                                       ╰── found `10 min`
   ╰────
  help: expected a duration such as "30s", "5m", "1h30m" or "500ms"

"#,
    );
    assert_page(
        r#"
[[queue]]
name = "support"
overflow = { to = "sales" }

[[queue]]
name = "sales"
overflow = "support"
"#,
        r#"
  × `overflow` needs `wait`
   ╭─[pronto.toml:3:12]
 2 │ name = "support"
 3 │ overflow = { to = "sales" }
   ·            ────────┬───────
   ·                    ╰── found no `wait`
 4 │
   ╰────
  help: expected a duration: how long is too long

  × `overflow` in [[queue]] is a text
   ╭─[pronto.toml:7:12]
 6 │ name = "sales"
 7 │ overflow = "support"
   ·            ────┬────
   ·                ╰── found a text
   ╰────
  help: expected `{ to = "…", wait = "10m" }`

"#,
    );
}
