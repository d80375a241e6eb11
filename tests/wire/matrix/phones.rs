//! An operator with two phones: both ring, the first to answer has the call, and the other is told so.

use super::{Item, Way, play};
use crate::kit::centre::{Centre, Plan};

/// Waits long enough for what the phones do, lost datagrams included, and leaves.
const WAITS: &str = "
    > INVITE sdp
    < 200
    > ACK
    = 7000
    > BYE
    < 200
    ";
/// Stays until nobody has answered within the ring time of eight seconds.
const STAYS: &str = "
    > INVITE sdp
    < 200
    > ACK
    = 14000
    > BYE
    < 200
    ";
/// The first to answer, of those that ring: the other's 180 has time to come, though datagrams are lost.
const ANSWERS: &str = "
    < INVITE
      ~ m=audio
    > 180
    = 3000
    > 200 sdp=answer
    < ACK
    < BYE
      ! Call completed elsewhere
    > 200
    ";
const RINGS_UNTIL_IT_IS_TAKEN: &str = "
    < INVITE
    > 180
    < CANCEL
      ~ Reason: SIP ?;cause=200 ?;text=\"Call completed elsewhere\"
    > 200
    > 487 INVITE
    < ACK
    ";
/// Nobody has taken it.
const RINGS_IN_VAIN: &str = "
    < INVITE
    > 180
    < CANCEL
      ! cause=200
    > 200
    > 487 INVITE
    < ACK
    ";
const IS_BUSY: &str = "< INVITE\n> 486\n< ACK";
const ANSWERED: &[(&str, &str)] = &[("caller-hung-up", "\"outcome\":\"answered\"&\"refused\":0")];
/// Two phones, and one offer that came to nothing.
const NOT_TAKEN: &[(&str, &str)] = &[("caller-hung-up", "\"outcome\":\"abandoned\"&\"refused\":1")];

const TAKEN: &[Item] = &[
    Item::rung_twice("first_answers", WAITS, [ANSWERS, RINGS_UNTIL_IT_IS_TAKEN]).leaves(ANSWERED),
    Item::rung_twice("second_answers", WAITS, [RINGS_UNTIL_IT_IS_TAKEN, ANSWERS]).leaves(ANSWERED),
    // The loser's 200 crosses our CANCEL: ACK, and BYE that says why (§15).
    Item::rung_twice(
        "both_answer",
        WAITS,
        [
            ANSWERS,
            "
            < INVITE
            > 180
            < CANCEL
              ~ Call completed elsewhere
            > 200
            > 200 INVITE sdp=answer
            < ACK
            < BYE
              ~ Reason: SIP ?;cause=200 ?;text=\"Call completed elsewhere\"
            > 200
            ",
        ],
    )
    .leaves(ANSWERED),
    // §9.1: a phone that has said nothing yet cannot be told before it does.
    Item::rung_twice(
        "one_says_nothing_until_it_is_taken",
        WAITS,
        [
            ANSWERS,
            "
            < INVITE
            = 4500
            > 180
            < CANCEL
              ~ Call completed elsewhere
            > 200
            > 487 INVITE
            < ACK
            ",
        ],
    )
    .leaves(ANSWERED)
    .over(&[Way::Udp, Way::Tcp]),
    Item::rung_twice("one_is_busy", WAITS, [ANSWERS, IS_BUSY]).leaves(ANSWERED),
    Item::rung_twice(
        "one_is_challenging",
        WAITS,
        [
            "
            < INVITE
            > 407
              Proxy-Authenticate: Digest realm=\"pronto.example\", nonce=\"n0nce\", algorithm=MD5, qop=\"auth\"
            < ACK
              ! Authorization
            = 1000
            ",
            ANSWERS,
        ],
    )
    .leaves(ANSWERED),
    // A 200 without an SDP answer does not count: the other phone rings on.
    Item::rung_twice(
        "one_answers_without_an_answer",
        WAITS,
        [
            "
            < INVITE
            > 200
            < ACK
            < BYE
            > 200
            ",
            ANSWERS,
        ],
    )
    .leaves(ANSWERED),
];

const NOBODY: &[Item] = &[
    Item::rung_twice("both_are_busy", WAITS, [IS_BUSY, IS_BUSY]).leaves(NOT_TAKEN),
    Item::rung_twice("busy_and_not_found", WAITS, [IS_BUSY, "< INVITE\n> 404\n< ACK"]).leaves(NOT_TAKEN),
    // A 6xx ends what is pending (§16.7 step 5): who declines on one phone declines on all.
    Item::rung_twice(
        "declined_on_one",
        WAITS,
        [
            "
            < INVITE
            > 180
            = 3000
            > 603
            < ACK
            ",
            RINGS_IN_VAIN,
        ],
    )
    .leaves(NOT_TAKEN),
    Item::rung_twice("both_ring_out", STAYS, [RINGS_IN_VAIN, RINGS_IN_VAIN]).leaves(NOT_TAKEN),
    Item::rung_twice("busy_and_rings_out", STAYS, [IS_BUSY, RINGS_IN_VAIN]).leaves(NOT_TAKEN),
    Item::rung_twice(
        "caller_gives_up",
        "
        > INVITE sdp
        < 200
        > ACK
        = 3000
        > BYE
        < 200
        ",
        [RINGS_IN_VAIN, RINGS_IN_VAIN],
    )
    .leaves(&[("caller-hung-up", "\"outcome\":\"abandoned\"")]),
];

#[test]
fn two_phones_of_one_operator_ring_and_one_has_the_call_over_udp_tcp_and_a_bad_network() {
    let items = [TAKEN, NOBODY].concat();
    let plan = Plan {
        lines: items.iter().map(|item| item.ways.len()).sum(),
        ..Plan::default()
    };
    play(Centre::open(&plan), &items);
}

/// The same before the caller is answered.
const EARLY: &[Item] = &[
    Item::rung_twice(
        "first_answers",
        "
        > INVITE sdp
        < 200
        > ACK
        = 500
        > BYE
        < 200
        ",
        [ANSWERS, RINGS_UNTIL_IT_IS_TAKEN],
    )
    .leaves(ANSWERED),
    Item::rung_twice(
        "caller_gives_up",
        "
        > INVITE sdp
        < 183
        = 1500
        > CANCEL
        < 200
        < 487 INVITE
        > ACK refused
        ",
        [RINGS_IN_VAIN, RINGS_IN_VAIN],
    )
    .leaves(&[("cancelled", "\"outcome\":\"abandoned\"&\"duration\":0.000")])
    .over(&[Way::Udp, Way::Tcp]),
];

#[test]
fn two_phones_ring_for_a_caller_who_is_not_answered_yet() {
    let plan = Plan {
        lines: EARLY.iter().map(|item| item.ways.len()).sum(),
        answer: "on-operator",
        ..Plan::default()
    };
    play(Centre::open(&plan), EARLY);
}
