//! Scenarios of operators' phones: their reactions to the calls they are offered.

use super::{Item, play};
use crate::kit::centre::{Centre, Plan};

/// Waits long enough for what the phone does, lost datagrams included, and leaves.
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
const IS_LEFT: &str = "
    > INVITE sdp
    < 200
    > ACK
    < BYE
    > 200
    ";
const ANSWERED: &[(&str, &str)] = &[("caller-hung-up", "\"outcome\":\"answered\"")];
const NOT_TAKEN: &[(&str, &str)] = &[("caller-hung-up", "\"outcome\":\"abandoned\"")];

/// A phone that does `$first`, rings, and is told to stop.
macro_rules! rings_after {
    ($first:literal) => {
        concat!(
            "< INVITE\n",
            $first,
            "> 180\n< CANCEL\n> 200\n> 487 INVITE\n< ACK"
        )
    };
}

const TALKS: &[Item] = &[
    Item::rung(
        "caller_hangs_up",
        WAITS,
        "
        < INVITE
          ~ m=audio
          ~ Contact: <sip:
        > 180
        = 200
        > 200 sdp=answer
        < ACK
        < BYE
        > 200
        ",
    )
    .leaves(ANSWERED),
    Item::rung(
        "operator_hangs_up",
        IS_LEFT,
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
        "operator_holds_and_resumes",
        STAYS,
        "
        < INVITE
        > 180
        > 200 sdp=answer
        < ACK
        > INVITE sdp=held
        < 200
          ~ a=recvonly
        > ACK
        > INVITE sdp
        < 200
          ~ a=sendrecv
        > ACK
        < BYE
        > 200
        ",
    )
    .leaves(ANSWERED),
    Item::rung(
        "early_media_then_answer",
        WAITS,
        "
        < INVITE
        > 183 sdp=answer
        = 200
        > 200 sdp=answer
        < ACK
        < BYE
        > 200
        ",
    )
    .leaves(ANSWERED),
    // Two phones behind a forking proxy answer: the second dialog is acknowledged, and ended (RFC 3261 §13.2.2.4).
    Item::rung(
        "both_forks_answer",
        WAITS,
        "
        < INVITE
        > 200 sdp=answer tag=a
        < ACK
          ~ To:.*tag=[0-9]+o1a
        > 200 INVITE sdp=answer tag=b
        < ACK
          ~ To:.*tag=[0-9]+o1b
        < BYE
          ~ To:.*tag=[0-9]+o1b
        > 200
        < BYE
          ~ To:.*tag=[0-9]+o1a
        > 200
        ",
    )
    .leaves(ANSWERED),
];

const NO_TALK: &[Item] = &[
    Item::rung("busy", WAITS, "< INVITE\n> 486\n< ACK").leaves(NOT_TAKEN),
    Item::rung("declined", WAITS, "< INVITE\n> 180\n> 603\n< ACK").leaves(NOT_TAKEN),
    Item::rung("unavailable", WAITS, "< INVITE\n> 480\n< ACK").leaves(NOT_TAKEN),
    // A redirection is a refusal: nobody else is called because a phone says so.
    Item::rung(
        "redirected",
        WAITS,
        "
        < INVITE
        > 302
          Contact: <sip:elsewhere@[local_ip]:[contact_port]>
        < ACK
        = 1000
        ",
    )
    .leaves(NOT_TAKEN),
    // Nobody but a registrar of ours gets to see a digest.
    Item::rung(
        "challenged",
        WAITS,
        "
        < INVITE
        > 401
          WWW-Authenticate: Digest realm=\"pronto.example\", nonce=\"n0nce\", algorithm=MD5, qop=\"auth\"
        < ACK
          ! Authorization
        = 1000
        ",
    )
    .leaves(NOT_TAKEN),
    Item::rung(
        "answered_without_an_answer",
        WAITS,
        "
        < INVITE
        > 200
        < ACK
        < BYE
        > 200
        ",
    )
    .leaves(NOT_TAKEN),
    Item::rung("rings_out", STAYS, rings_after!("")).leaves(NOT_TAKEN),
    // §9.1: no CANCEL before a provisional response.
    Item::rung("silent_until_it_is_too_late", STAYS, rings_after!("= 8500\n")).leaves(NOT_TAKEN),
    // §15, RFC 5407 §3.1.2: the 200 crosses the CANCEL: ACK and BYE.
    Item::rung(
        "answered_after_cancel",
        WAITS,
        "
        < INVITE
        > 180
        < CANCEL
        > 200
        > 200 INVITE sdp=answer
        < ACK
        < BYE
        > 200
        ",
    )
    .leaves(NOT_TAKEN),
    Item::rung(
        "caller_gives_up",
        "
        > INVITE sdp
        < 200
        > ACK
        = 1500
        > BYE
        < 200
        ",
        "
        < INVITE
        > 180
        < CANCEL
        > 200
        > 487 INVITE
        < ACK
        ",
    )
    .leaves(NOT_TAKEN),
];

#[test]
fn phones_may_answer_refuse_and_ring_as_they_like_over_udp_tcp_and_a_bad_network() {
    let items = [TALKS, NO_TALK].concat();
    let plan = Plan {
        lines: items.iter().map(|item| item.ways.len()).sum(),
        ..Plan::default()
    };
    play(Centre::open(&plan), &items);
}
