//! Numbers with `answer = "on-operator"`: the caller hears menu and music as early media, and is charged from the
//! operator's answer.

use super::{Item, Way, play};
use crate::kit::centre::{Centre, EARLY, EARLY_WORDS, Plan};

/// Not answered when it ended, and so not charged.
const GAVE_UP: &[(&str, &str)] = &[("cancelled", "\"duration\":0.000")];
const GAVE_UP_WAITING: &[(&str, &str)] = &[("cancelled", "\"duration\":0.000&\"outcome\":\"abandoned\"")];
const ANSWERED: &[(&str, &str)] = &[("caller-hung-up", "\"outcome\":\"answered\"")];

/// A bad network: what is lost of 100 and 183 nobody sends again, until the INVITE comes again.
const BAD: &[Way] = &[Way::Lossy];
const GOOD: &[Way] = &[Way::Udp, Way::Tcp];

/// A second passes in which nothing comes: no 200 before the phone, which rings for two, says one.
const HEARS_AND_IS_ANSWERED: &str = "
    > INVITE sdp
    < 183
      ~ m=audio [1-9].* 8 101
      ~ Contact: <sip:
    = 1000
    < 200
      ~ m=audio [1-9].* 8 101
    > ACK
    = 500
    > BYE
    < 200
    ";
const IS_ANSWERED: &str = "
    > INVITE sdp
    < 200
      ~ m=audio [1-9].* 8 101
    > ACK
    = 500
    > BYE
    < 200
    ";
const GIVES_UP: &str = "
    > INVITE sdp
    < 183
    = 1500
    > CANCEL
    < 200
    < 487 INVITE
    > ACK refused
    ";
/// Any provisional response allows a CANCEL (§9.1).
const GIVES_UP_IN_BAD_WEATHER: &str = "
    > INVITE sdp
    < 100 ? next=rings
    < 183 ? next=rings
    < 480
    > ACK refused
    : rings
    = 2500
    > CANCEL
    < 200
    < 487 INVITE
    > ACK refused
    ";
/// Longer than the ring time of eight seconds.
const STAYS: &str = "
    > INVITE sdp
    < 183
    = 11000
    > CANCEL
    < 200
    < 487 INVITE
    > ACK refused
    ";

const RINGS_AND_ANSWERS: &str = "
    < INVITE
      ~ m=audio
    > 180
    = 2000
    > 200 sdp=answer
    < ACK
    < BYE
    > 200
    ";
const RINGS_IN_VAIN: &str = "
    < INVITE
    > 180
    < CANCEL
    > 200
    > 487 INVITE
    < ACK
    ";

const ANSWERS: &[Item] = &[
    Item::rung(
        "early_until_the_operator_answers",
        HEARS_AND_IS_ANSWERED,
        RINGS_AND_ANSWERS,
    )
    .leaves(ANSWERED)
    .over(GOOD),
    Item::rung("early_until_the_operator_answers", IS_ANSWERED, RINGS_AND_ANSWERS)
        .leaves(ANSWERED)
        .over(BAD),
    Item::rung(
        "operator_hangs_up",
        "
        > INVITE sdp
        < 200
        > ACK
        < BYE
        > 200
        ",
        "
        < INVITE
        > 180
        > 200 sdp=answer
        < ACK
        = 500
        > BYE
        < 200
        ",
    )
    .leaves(&[("completed", "\"outcome\":\"answered\"")]),
    Item::rung(
        "held_once_it_is_answered",
        "
        > INVITE sdp
        < 183
        < 200
        > ACK
        > INVITE sdp=held
        < 200
          ~ a=recvonly
        > ACK
        > INVITE sdp
        < 200
          ~ a=sendrecv
        > ACK
        > BYE
        < 200
        ",
        RINGS_AND_ANSWERS,
    )
    .leaves(ANSWERED)
    .over(GOOD),
    // Requests of the early dialog count on; the ACK has the INVITE's number all the same.
    Item::rung(
        "key_before_the_answer",
        "
        > INVITE sdp
        < 183 early
        > INFO sdp=digit=5
          Content-Type: application/dtmf-relay
        < 200
        < 200 INVITE
        > ACK
        = 1500
        > BYE
        < 200
        ",
        RINGS_AND_ANSWERS,
    )
    .leaves(ANSWERED)
    .over(GOOD),
    // Nothing could be heard before the answer: there is an answer at once.
    Item::rung(
        "late_offer_is_answered_at_once",
        "
        > INVITE
        < 200
          ~ m=audio .* 8 0 101
        > ACK sdp=answer
        = 4000
        > BYE
        < 200
        ",
        RINGS_AND_ANSWERS,
    )
    .leaves(ANSWERED),
];

const NO_ANSWER: &[Item] = &[
    Item::rung("caller_gives_up", GIVES_UP, RINGS_IN_VAIN)
        .leaves(GAVE_UP_WAITING)
        .over(GOOD),
    Item::rung("caller_gives_up", GIVES_UP_IN_BAD_WEATHER, RINGS_IN_VAIN)
        .leaves(GAVE_UP_WAITING)
        .over(BAD),
    // "The caller's UA MAY send a BYE for either confirmed or early dialogs" (§15).
    Item::rung(
        "caller_says_bye",
        "
        > INVITE sdp
        < 183 early
        = 1500
        > BYE
        < 200
        < 487 INVITE
        > ACK refused
        ",
        RINGS_IN_VAIN,
    )
    .leaves(GAVE_UP_WAITING)
    .over(GOOD),
    Item::rung("operator_never_answers", STAYS, RINGS_IN_VAIN)
        .leaves(&[("cancelled", "\"duration\":0.000&\"refused\":1")])
        .over(GOOD),
    Item::rung("operator_declines", GIVES_UP, "< INVITE\n> 180\n> 603\n< ACK")
        .leaves(&[("cancelled", "\"duration\":0.000&\"refused\":1")])
        .over(GOOD),
    Item::rung(
        "operator_declines",
        GIVES_UP_IN_BAD_WEATHER,
        "< INVITE\n> 180\n> 603\n< ACK",
    )
    .leaves(GAVE_UP_WAITING)
    .over(BAD),
    // Nobody is signed in: the caller is told so, unanswered, and refused.
    Item::new(
        "nobody_is_there",
        EARLY,
        "
        > INVITE sdp
        < 183 early
        > INFO sdp=digit=1
          Content-Type: application/dtmf-relay
        < 200
        < 480 INVITE
        > ACK refused
        ",
    )
    .leaves(&[("completed", "\"duration\":0.000&\"queue\":\"support\"")])
    .over(GOOD),
    Item::new(
        "a_few_words",
        EARLY_WORDS,
        "
        > INVITE sdp
        < 183
        < 480
        > ACK refused
        ",
    )
    .leaves(&[("completed", "\"duration\":0.000&\"tickets\":[]")])
    .over(GOOD),
    Item::new("a_few_words", EARLY_WORDS, "> INVITE sdp\n< 480\n> ACK refused")
        .leaves(&[("completed", "\"duration\":0.000&\"tickets\":[]")])
        .over(BAD),
];

const MEANWHILE: &[Item] = &[
    // Nobody may do this (§9.1), and somebody does: 200, and 487 all the same.
    Item::new(
        "cancelled_before_any_response",
        EARLY,
        "
        > INVITE sdp
        > CANCEL
        < 100 ? INVITE
        < 183 ? INVITE
        < 200
        < 487 INVITE
        > ACK refused
        ",
    )
    .leaves(GAVE_UP)
    .lenient()
    .over(GOOD),
    Item::new(
        "cancel_retransmitted",
        EARLY,
        "
        > INVITE sdp
        < 183
        > CANCEL
        > CANCEL again
        < 200
        < 487 INVITE
        > ACK refused
        ",
    )
    .leaves(GAVE_UP)
    .lenient()
    .over(&[Way::Udp]),
    Item::new(
        "key_by_info",
        EARLY,
        "
        > INVITE sdp
        < 183 early
        > INFO sdp=digit=2
          Content-Type: application/dtmf-relay
        < 200
        = 500
        > CANCEL
        < 200
        < 487 INVITE
        > ACK refused
        ",
    )
    .leaves(&[("cancelled", "\"duration\":0.000&\"queue\":\"sales\"")])
    .over(GOOD),
    // RFC 3311 §5.2: another offer while that of the INVITE is not answered for good.
    Item::new(
        "update_is_too_early",
        EARLY,
        "
        > INVITE sdp
        < 183 early
        > UPDATE sdp
        < 500
          ~ Retry-After: [0-9]
        > PRACK
        < 481
        > CANCEL
        < 200
        < 487 INVITE
        > ACK refused
        ",
    )
    .leaves(GAVE_UP)
    .over(GOOD),
    Item::new("no_codec", EARLY, "> INVITE sdp=alien\n< 488\n> ACK refused").leaves(&[("refused", "")]),
];

#[test]
fn numbers_that_answer_with_the_operator_are_early_until_then_over_udp_tcp_and_a_bad_network() {
    let items = [ANSWERS, NO_ANSWER, MEANWHILE].concat();
    let plan = Plan {
        lines: items.iter().map(|item| item.ways.len()).sum(),
        answer: "on-operator",
        ..Plan::default()
    };
    play(Centre::open(&plan), &items);
}
