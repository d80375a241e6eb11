//! The keys of `[[number]]`, `[[queue]]` and `[[operator]]`.

use pronto_config::{Key, Keys, Rule, names};
use pronto_engine::{SignIn, Strategy};
use pronto_gateway::Answer;
use pronto_types::Language;

use super::NAME;
use super::sip::{DIGEST_NAMES, DIGESTS};

/// The languages of callers.
pub(in crate::config) const LANGUAGES: [(&str, Language); 2] = {
    let [italian, english] = Language::ALL;
    [(italian.code(), italian), (english.code(), english)]
};
const LANGUAGE_NAMES: [&str; 2] = names(&LANGUAGES);

/// The moments at which a call is answered.
pub(in crate::config) const ANSWERS: [(&str, Answer); 2] =
    [("at-once", Answer::AtOnce), ("on-operator", Answer::OnOperator)];
const ANSWER_NAMES: [&str; 2] = names(&ANSWERS);

/// The strategies of queues.
pub(in crate::config) const STRATEGIES: [(&str, Strategy); 1] = [("longest-idle", Strategy::LongestIdle)];
const STRATEGY_NAMES: [&str; 1] = names(&STRATEGIES);

/// The contents of announcements: whether the position is told, and whether the wait.
pub(in crate::config) const ANNOUNCEMENTS: [(&str, (bool, bool)); 4] = [
    ("both", (true, true)),
    ("wait", (false, true)),
    ("position", (true, false)),
    ("nothing", (false, false)),
];
const ANNOUNCEMENT_NAMES: [&str; 4] = names(&ANNOUNCEMENTS);

/// The ways to sign in.
pub(in crate::config) const SIGN_INS: [(&str, SignIn); 1] = [("registration", SignIn::Registration)];
const SIGN_IN_NAMES: [&str; 1] = names(&SIGN_INS);

/// Keys of `[[number]]`.
pub(in crate::config) static NUMBER: Keys = Keys {
    title: "[[number]]",
    about: "A number that callers dial.",
    keys: &[
        Key::text(
            "dial",
            "a number: digits, perhaps after a `+`",
            "The dialled number. Separators do not count, and `00` at the beginning is `+`. Each number once.",
        )
        .required(),
        Key::name("language", &LANGUAGE_NAMES, "Language in which callers are spoken to.").required(),
        Key::name(
            "answer",
            &ANSWER_NAMES,
            "Moment at which a call is answered, and most networks begin to charge. `at-once` is before the first prompt. With \
             `on-operator`, everything before an operator answers is early media.",
        )
        .or("at-once"),
        Key::text(
            "flow",
            "the path of a flow",
            "File of the flow that callers go through. Several numbers may share one file.",
        )
        .required(),
    ],
    others: &[],
};

/// Keys of `[[queue]]`.
pub(in crate::config) static QUEUE: Keys = Keys {
    title: "[[queue]]",
    about: "A queue in which callers wait for an operator.",
    keys: &[
        Key::text("name", NAME, "Name of the queue. Each name once.").required(),
        Key::name(
            "strategy",
            &STRATEGY_NAMES,
            "Rule that chooses the operator for the next caller. `longest-idle` takes the operator who has been idle longest.",
        )
        .or("longest-idle"),
        Key::name(
            "announce",
            &ANNOUNCEMENT_NAMES,
            "Content of the announcements to a waiting caller: position and wait, one of them, or nothing.",
        )
        .or("both"),
        Key::flag(
            "record",
            Some(false),
            "Whether talks are recorded, into the folder `recordings` of the store.",
        ),
        Key::text(
            "consent",
            "the name of a prompt",
            "Prompt that tells callers of the recording before they join the queue. Only a caller who heard it is recorded. \
             Without it, callers are not told, and `config check` warns.",
        ),
        Key::section("overflow", &OVERFLOW),
        Key::duration(
            "ring",
            "15s",
            ["1s", "5m"],
            "Time for which an operator's phone rings.",
        ),
        Key::duration(
            "rona_pause",
            "30s",
            ["0s", "24h"],
            "Time for which an operator who did not answer is paused.",
        ),
        Key::duration(
            "wrap_up",
            "10s",
            ["0s", "24h"],
            "Time that an operator has between the end of a talk and the next offer.",
        ),
        Key::duration(
            "max_wait",
            "30m",
            ["1s", "24h"],
            "Longest wait. Then the caller takes the flow's exit `timed_out`.",
        ),
        Key::whole(
            "limit",
            1000,
            [1, 10_000],
            "Number of callers who may wait. The next takes the flow's exit `failed`.",
        ),
        Key::duration(
            "nobody_after",
            "30s",
            ["0s", "24h"],
            "Time after the last operator signed out at which waiting callers take the flow's exit `nobody`. Where no operator \
             has ever signed in, they take it at once.",
        ),
        Key::duration(
            "announce_first",
            "0s",
            ["0s", "24h"],
            "Time between joining and the first announcement.",
        ),
        Key::duration(
            "announce_every",
            "60s",
            ["0s", "24h"],
            "Time between later announcements. `0s` makes only the first.",
        ),
        Key::duration(
            "announce_change",
            "0s",
            ["0s", "24h"],
            "Least change of the expected time of the answer that is worth a later announcement. `0s` announces each time. It \
             needs announcements with the wait.",
        )
        .under(Rule::Only("announce", &["both", "wait"])),
        Key::duration(
            "talk",
            "4m",
            ["1s", "24h"],
            "Mean length of a talk, which forecasts use until talks have been measured.",
        ),
    ],
    others: &[],
};

/// Keys of `overflow`.
pub(in crate::config) static OVERFLOW: Keys = Keys {
    title: "`overflow`",
    about: "Another queue in which callers go on waiting when this one takes too long. Without it, they stay.",
    keys: &[
        Key::text(
            "to",
            "the name of another queue",
            "Name of the other queue. Callers move only if they are clearly served sooner there.",
        )
        .required(),
        Key::time(
            "wait",
            ["1s", "24h"],
            "A caller moves when the P80 of the remaining wait, which eight of ten callers do not exceed, is above this.",
        )
        .required(),
    ],
    others: &[],
};

/// The keys that give the password of an operator's phone.
const CREDENTIAL: Rule = Rule::OneOf(&["password", "ha1", "password_env"]);

/// Keys of `[[operator]]`.
pub(in crate::config) static OPERATOR: Keys = Keys {
    title: "[[operator]]",
    about: "An operator, with exactly one of `password`, `ha1` and `password_env`.",
    keys: &[
        Key::text(
            "id",
            NAME,
            "Identifier of the operator, and the user name of the operator's phone. Each id once.",
        )
        .required(),
        Key::text(
            "password",
            "a password",
            "Password of the operator's phone, at least 8 characters.",
        )
        .under(CREDENTIAL),
        Key::text(
            "ha1",
            "32 hexadecimal digits",
            "MD5 of `id:domain:password` (RFC 7616 §3.4.2), 32 hexadecimal digits, instead of the password.",
        )
        .under(CREDENTIAL),
        Key::text(
            "password_env",
            "the name of an environment variable",
            "Name of the environment variable that holds the password.",
        )
        .under(CREDENTIAL),
        Key::texts(
            "queues",
            "a list of queue names",
            &[],
            "Names of the queues whose callers the operator serves, at least one.",
        )
        .required(),
        Key::texts(
            "digest",
            DIGESTS,
            &[],
            "Digest algorithms that this operator's phone is asked for. Without it, those of `[sip]`.",
        )
        .of(&DIGEST_NAMES),
        Key::name(
            "sign_in",
            &SIGN_IN_NAMES,
            "Event that signs the operator in. With `registration`, the phone's REGISTER signs in and makes ready. The end of \
             the registration signs out after the call.",
        )
        .or("registration"),
    ],
    others: &[],
};
