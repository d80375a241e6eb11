//! All keys of a flow: name, form, default, range and meaning. The reader takes them from here, and
//! `docs/reference/flow.md` is generated from them.

use pronto_config::{Key, Keys, Rule, names};
use pronto_types::Quantile;

pub(super) const STATE: &str = "the name of a state: \"…\"";
pub(super) const PROMPT: &str = "the name of a prompt: \"…\"";
const QUEUE_NAME: &str = "the name of a queue: \"…\"";
/// The form of a name, as shown in error messages.
pub(super) const NAME: &str = "1 to 64 of a-z A-Z 0-9 . _ -";
pub(super) const PROMPTS: &str = "a list of prompts: [\"…\"]";
pub(super) const KEYS: &str = "keys and where they lead: `{ 1 = \"…\" }`";
/// The key of the keypad that is expected where another text stands.
pub(super) const KEYPAD: &str = "one key of the keypad: 0 to 9, \"*\", \"#\", A to D";
/// The waits that a forecast state may compare.
pub(super) const QUANTILES: [(&str, Quantile); 3] = [
    ("p50", Quantile::P50),
    ("p80", Quantile::P80),
    ("p90", Quantile::P90),
];
const QUANTILE_NAMES: [&str; 3] = names(&QUANTILES);

const PROMPTS_SCHEMA: &str = r#"{"type":"array","minItems":1,"maxItems":32,"items":{"anyOf":[{"type":"string"},{"type":"object","properties":{"forecast":{"type":"string"}},"required":["forecast"],"additionalProperties":false}]}}"#;
const KEYS_SCHEMA: &str = r##"{"type":"object","propertyNames":{"enum":["0","1","2","3","4","5","6","7","8","9","*","#","A","B","C","D","a","b","c","d"]},"additionalProperties":{"type":"string"}}"##;

const SAID: &str = "Prompts that are said, 1 to 32, in this order. Among them, `{ forecast = \"QUEUE\" }` says the wait of a caller \
                    who would join that queue now. A wait that is unknown, or too long to say, is left out.";

/// The top of a flow.
pub static FLOW: Keys = Keys {
    title: "a flow",
    about: "A flow is a list of states, each a section with the state's name, at most 500. The first key of a state says what \
            it does: `say`, `menu`, `queue`, `forecast` or `hangup`.",
    keys: &[Key::text("start", STATE, "State in which every call begins.").required()],
    others: &[],
};

/// Each kind of state, by the key that makes it one. It is the first of the kind's keys.
pub static STATES: [&Keys; 5] = [&SAY, &MENU, &QUEUE, &FORECAST, &HANG_UP];

/// The keys that say what follows the prompts of a say state.
const FOLLOWS: Rule = Rule::OneOf(&["next", "hangup"]);

/// Keys of a say state.
static SAY: Keys = Keys {
    title: "a say state",
    about: "Says prompts, and then goes on or hangs up. Exactly one of `next` and `hangup = true` is needed.",
    keys: &[
        Key::other("say", PROMPTS, PROMPTS_SCHEMA, SAID).required(),
        Key::text("next", STATE, "State that follows the prompts.").under(FOLLOWS),
        Key::flag("hangup", Some(false), "Whether the call ends after the prompts.").under(FOLLOWS),
        Key::flag(
            "bargein",
            None,
            "Whether a key ends the prompts. Without it, a key does, except in a state that hangs up. Where it does not, keys \
             wait until the prompts have ended.",
        ),
    ],
    others: &STATES,
};

/// Keys of a menu state.
static MENU: Keys = Keys {
    title: "a menu state",
    about: "Says prompts and waits for one key. Without a key that matches, it is said again at most three times in a row. \
            Then `goodbye` is said and the call ends.",
    keys: &[
        Key::other("menu", PROMPTS, PROMPTS_SCHEMA, SAID).required(),
        Key::other(
            "keys",
            KEYS,
            KEYS_SCHEMA,
            "Keys of the keypad, 0 to 9, `\"*\"`, `\"#\"` and A to D, each with the state that it leads to.",
        )
        .required(),
        Key::duration(
            "timeout",
            "5s",
            ["100ms", "10m"],
            "Time to wait for a key, from the end of the prompts.",
        ),
        Key::text(
            "noinput",
            STATE,
            "State that follows when no key was pressed in time. Without it, the menu is said again.",
        ),
        Key::text(
            "nomatch",
            STATE,
            "State that follows a key that is not in `keys`. Without it, the menu is said again.",
        ),
        Key::flag(
            "bargein",
            Some(true),
            "Whether a key ends the prompts. Where it does not, keys wait until the prompts have ended.",
        ),
    ],
    others: &STATES,
};

/// Keys of a queue state.
static QUEUE: Keys = Keys {
    title: "a queue state",
    about: "The caller waits in a queue, and then talks to an operator.",
    keys: &[
        Key::text("queue", QUEUE_NAME, "Name of the queue.").required(),
        Key::other(
            "keys",
            KEYS,
            KEYS_SCHEMA,
            "Keys that leave the queue at any moment of the wait, each with the state that it leads to.",
        ),
        Key::text(
            "way_out",
            PROMPT,
            "Prompt that says where the keys lead. It is said when the wait grows, and needs `keys`. Without it, a built-in \
             sentence names the first key.",
        )
        .under(Rule::Needs("keys")),
        Key::text(
            "timed_out",
            STATE,
            "State that follows after the queue's `max_wait`. Without it, `all-busy` is said and the call ends.",
        ),
        Key::text(
            "nobody",
            STATE,
            "State that follows when no operator is signed in. Without it, `all-busy` is said and the call ends.",
        ),
        Key::text(
            "failed",
            STATE,
            "State that follows when the queue is full, or the queue service is away. Without it, `all-busy` is said and the \
             call ends.",
        ),
        Key::text(
            "ended",
            STATE,
            "State that follows the talk, when the operator has hung up. Without it, `goodbye` is said and the call ends.",
        ),
    ],
    others: &STATES,
};

/// Keys of a forecast state.
static FORECAST: Keys = Keys {
    title: "a forecast state",
    about: "Goes on by the wait of a caller who would join a queue now. It says nothing.",
    keys: &[
        Key::text("forecast", QUEUE_NAME, "Name of the queue.").required(),
        Key::time(
            "limit",
            ["1s", "24h"],
            "Longest forecast wait with which the caller goes on to `next`.",
        )
        .required(),
        Key::name(
            "quantile",
            &QUANTILE_NAMES,
            "Forecast that is compared. Of ten callers, five wait no longer than the `p50`, eight than the `p80`, and nine than \
             the `p90`.",
        )
        .or("p80"),
        Key::text("longer", STATE, "State that follows when the forecast is above `limit`.").required(),
        Key::text(
            "unknown",
            STATE,
            "State that follows when there is no forecast. Then nobody is signed in, waits were not as forecast, or the queue \
             service is away. Without it, `next`.",
        ),
        Key::text("next", STATE, "State that follows in all other cases.").required(),
    ],
    others: &STATES,
};

/// Keys of a state that only hangs up.
pub(super) static HANG_UP: Keys = Keys {
    title: "a state that only hangs up",
    about: "Ends the call.",
    keys: &[Key::flag("hangup", None, "Always `true`: ends the call.").required()],
    others: &STATES,
};

/// Keys of a forecast among prompts.
pub(super) static SPOKEN: Keys = Keys {
    title: "a spoken forecast",
    about: "A wait that is said among prompts.",
    keys: &[Key::text("forecast", QUEUE_NAME, "Name of the queue.").required()],
    others: &[],
};
