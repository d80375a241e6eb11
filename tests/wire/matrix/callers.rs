//! Scenarios of callers: transactions and dialogs.

use super::{DATAGRAMS, Item, STREAM, Way, play};
use crate::kit::centre::{BRIEF, Centre, ITALIAN, Plan};

const ENDING: &[Item] = &[
    Item::new(
        "caller_hangs_up",
        ITALIAN,
        "
        > INVITE sdp
        < 200
          ~ Contact: <sip:
          ~ Allow: .*INVITE
          ~ m=audio
        > ACK
        = 200
        > BYE
        < 200
        ",
    ),
    Item::new(
        "gateway_hangs_up",
        BRIEF,
        "
        > INVITE sdp
        < 200
        > ACK
        < BYE
          ~ CSeq: 1 BYE
        > 200
        ",
    )
    .leaves(&[("completed", "")]),
    // Our BYE crosses theirs, which stays without an answer: ours is answered, and theirs is given up (timer F).
    Item::new(
        "both_hang_up",
        BRIEF,
        "
        > INVITE sdp
        < 200
        > ACK
        < BYE
        > BYE
        < 200
        ",
    )
    .leaves(&[("completed", "")]),
    // 64*T1 after a 200 that nobody acknowledges: BYE (RFC 3261 §13.3.1.4).
    Item::new(
        "ack_never_sent",
        ITALIAN,
        "
        > INVITE sdp
        < 200
        < BYE
        > 200
        ",
    )
    .leaves(&[("peer-lost|completed", "")])
    .over(&[Way::Udp]),
    Item::new(
        "ack_late",
        ITALIAN,
        "
        > INVITE sdp
        < 200
        = 1700
        > ACK
        = 1200
        > BYE
        < 200
        ",
    )
    .often(&[("SIP/2.0 200", "1 INVITE", 3)])
    .lenient()
    .over(DATAGRAMS),
    Item::new(
        "ack_late",
        ITALIAN,
        "
        > INVITE sdp
        < 200
        < 200 INVITE
        < 200 INVITE
        > ACK
        = 1200
        > BYE
        < 200
        ",
    )
    .over(STREAM),
];

const ABSORBED: &[Item] = &[
    Item::new(
        "invite_retransmitted",
        ITALIAN,
        "
        > INVITE sdp
        > INVITE sdp again
        < 200
        > ACK
        = 700
        > BYE
        < 200
        ",
    )
    .lenient()
    .over(DATAGRAMS),
    Item::new(
        "bye_retransmitted",
        ITALIAN,
        "
        > INVITE sdp
        < 200
        > ACK
        > BYE
        > BYE again
        < 200
        ",
    )
    .lenient()
    .over(DATAGRAMS),
    // §9.2: an INVITE that was answered cannot be taken back; the CANCEL is answered all the same.
    Item::new(
        "cancel_crosses_200",
        ITALIAN,
        "
        > INVITE sdp
        < 200
        > CANCEL
        < 200
        > ACK
        > BYE
        < 200
        ",
    ),
    // §8.2.2.2: one request that came over two paths.
    Item::refused(
        "merged",
        "999",
        "
        > INVITE sdp
        < 404
        > INVITE sdp cseq=1 branch=other
        < 482
        > ACK refused
        ",
    )
    .lenient(),
    Item::refused(
        "stray_ack",
        ITALIAN,
        "
        > ACK tag=stray
        > OPTIONS
        < 200
        ",
    ),
    Item::refused("stray_bye", ITALIAN, "> BYE tag=stray\n< 481"),
    Item::refused("stray_bye_untagged", ITALIAN, "> BYE\n< 481"),
    Item::refused("stray_cancel", ITALIAN, "> CANCEL branch=stray\n< 481"),
    Item::refused("stray_info", ITALIAN, "> INFO tag=stray\n< 481"),
    Item::refused("stray_update", ITALIAN, "> UPDATE tag=stray sdp\n< 481"),
    Item::refused(
        "stray_reinvite",
        ITALIAN,
        "> INVITE tag=stray sdp\n< 481\n> ACK refused",
    ),
];

const WITHIN: &[Item] = &[
    Item::new(
        "late_offer",
        ITALIAN,
        "
        > INVITE
        < 200
          ~ m=audio .* 8 0 101
        > ACK sdp=answer
        = 200
        > BYE
        < 200
        ",
    ),
    Item::new(
        "held_and_resumed",
        ITALIAN,
        "
        > INVITE sdp
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
        > INVITE sdp=inactive
        < 200
          ~ a=inactive
        > ACK
        > BYE
        < 200
        ",
    ),
    // RFC 2543's spelling of a hold: nowhere to send to.
    Item::new(
        "held_by_address_and_resumed",
        ITALIAN,
        "
        > INVITE sdp
        < 200
        > ACK
        > INVITE sdp=nowhere
        < 200
          ~ m=audio [1-9]
        > ACK
        > INVITE sdp
        < 200
          ~ a=sendrecv
        > ACK
        > BYE
        < 200
        ",
    ),
    Item::new(
        "reinvite_without_sdp",
        ITALIAN,
        "
        > INVITE sdp
        < 200
        > ACK
        > INVITE
        < 200
          ~ m=audio .* 8 0 101
        > ACK sdp=answer
        > BYE
        < 200
        ",
    ),
    Item::new(
        "reinvite_without_a_codec",
        ITALIAN,
        "
        > INVITE sdp
        < 200
        > ACK
        > INVITE sdp=alien
        < 488
        > ACK refused
        > OPTIONS
        < 200
        > BYE
        < 200
        ",
    ),
    Item::new(
        "update",
        ITALIAN,
        "
        > INVITE sdp
        < 200
        > ACK
        > UPDATE sdp=held
        < 200
          ~ a=recvonly
        > UPDATE
        < 200
          ~ Contact: <sip:
          ! m=audio
        > BYE
        < 200
        ",
    ),
    Item::new(
        "info_digit",
        ITALIAN,
        "
        > INVITE sdp
        < 200
        > ACK
        > INFO sdp=digit=2
          Content-Type: application/dtmf-relay
        < 200
        > INFO sdp=text
          Content-Type: text/plain
        < 415
          ~ Accept: .*application/dtmf-relay
        = 500
        > BYE
        < 200
        ",
    )
    .leaves(&[("caller-hung-up|completed", "\"queue\":\"sales\"")]),
    Item::new(
        "options_inside",
        ITALIAN,
        "
        > INVITE sdp
        < 200
        > ACK
        > OPTIONS
        < 200
          ~ Accept: application/sdp
        > MESSAGE
        < 405
          ~ Allow: .*BYE
        > BYE
        < 200
        ",
    ),
    // §12.2.2: "lower than the remote sequence number … MUST be rejected with a 500".
    Item::new(
        "out_of_order",
        ITALIAN,
        "
        > INVITE sdp
        < 200
        > ACK
        > OPTIONS cseq=10
        < 200
        > INFO cseq=5
        < 500
        > BYE cseq=11
        < 200
        ",
    ),
    // §12.1.1, §12.2.1.1: the path is kept, and walked, though the Contact leads elsewhere.
    Item::new(
        "path_of_loose_routers",
        BRIEF,
        "
        > INVITE sdp
          Record-Route: <sip:[local_ip]:[contact_port];transport=[transport];lr>, <sip:far.example;lr>
          Contact: <sip:caller@192.0.2.7:5070>
        < 200
          ~ Record-Route: <sip:127[^>]*;lr>, <sip:far.example;lr>
        > ACK
        < BYE
          ~ ^BYE sip:caller@192.0.2.7:5070 SIP
          ~ Route: <sip:127[^>]*;lr>.*Route: <sip:far.example;lr>
        > 200
        ",
    )
    .leaves(&[("completed", "")]),
    Item::new(
        "path_of_a_strict_router",
        BRIEF,
        "
        > INVITE sdp
          Record-Route: <sip:[local_ip]:[contact_port];transport=[transport]>
          Record-Route: <sip:far.example;lr>
          Contact: <sip:caller@192.0.2.7:5070>
        < 200
        > ACK
        < BYE
          ~ ^BYE sip:127
          ~ Route: <sip:far.example;lr>.*Route: <sip:caller@192.0.2.7:5070>
        > 200
        ",
    )
    .leaves(&[("completed", "")]),
];

#[test]
fn callers_may_begin_hold_change_and_end_calls_over_udp_tcp_and_a_bad_network() {
    let items = [ENDING, ABSORBED, WITHIN].concat();
    play(Centre::open(&Plan::default()), &items);
}
