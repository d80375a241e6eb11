//! Scenarios of requests that are refused, with the words of the refusal, and of odd requests that are accepted.

use super::{Item, STREAM, play};
use crate::kit::centre::{Centre, ITALIAN, Plan};
use crate::kit::ground::STRANGER;

/// RFC 3261 §8.2: method, scheme, extensions, content.
const NOT_UNDERSTOOD: &[Item] = &[
    Item::refused("message", ITALIAN, "> MESSAGE\n< 405\n ~ Allow: .*INVITE, ACK"),
    Item::refused("subscribe", ITALIAN, "> SUBSCRIBE\n< 405\n ~ Allow: .*INVITE"),
    Item::refused("publish", ITALIAN, "> PUBLISH\n< 405\n ~ Allow: .*INVITE"),
    Item::refused("refer", ITALIAN, "> REFER\n< 405\n ~ Allow: .*INVITE"),
    Item::refused("unknown_method", ITALIAN, "> DANCE\n< 501\n ~ Allow: .*INVITE"),
    Item::refused(
        "options_outside",
        ITALIAN,
        "> OPTIONS\n< 200\n ~ Accept: application/sdp",
    ),
    Item::refused(
        "body_of_another_kind",
        ITALIAN,
        "
        > INVITE sdp=text
          Content-Type: text/plain
        < 415
          ~ Accept: application/sdp
        > ACK refused
        ",
    ),
    Item::refused(
        "body_compressed",
        ITALIAN,
        "
        > INVITE sdp
          Content-Encoding: gzip
        < 415
          ~ Accept-Encoding: identity
        > ACK refused
        ",
    ),
    Item::refused(
        "only_html_accepted",
        ITALIAN,
        "
        > INVITE sdp
          Accept: text/html
        < 406
        > ACK refused
        ",
    ),
    Item::refused(
        "scheme_unknown",
        ITALIAN,
        "> INVITE sdp uri=mailto:someone@example.com\n< 416\n> ACK refused",
    ),
    Item::refused(
        "extension_required",
        ITALIAN,
        "
        > INVITE sdp
          Require: 100rel, dance
        < 420
          ~ Unsupported: 100rel, dance
        > ACK refused
        ",
    ),
    Item::refused("number_unknown", "999", "> INVITE sdp\n< 404\n> ACK refused"),
    Item::new("no_codec", ITALIAN, "> INVITE sdp=alien\n< 488\n> ACK refused").leaves(&[("refused", "")]),
];

/// An OPTIONS written out: how often it is sent, Request-URI and version, the length it claims and what follows that, and its
/// answer.
macro_rules! options {
    ($times:literal, $start:literal, $length:literal, $answer:literal) => {
        concat!(
            "> raw OPTIONS",
            $times,
            "\n  OPTIONS ",
            $start,
            "\n  Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch};rport",
            "\n  From: <sip:{user}@[local_ip]>;tag=[pid]",
            "\n  To: <sip:[service]@[remote_ip]>",
            "\n  Call-ID: [call_id]",
            "\n  CSeq: 1 OPTIONS",
            "\n  Max-Forwards: 70",
            "\n  Content-Length: ",
            $length,
            "\n< ",
            $answer
        )
    };
}

const MALFORMED: &[Item] = &[
    Item::refused(
        "version_unknown",
        ITALIAN,
        options!("", "sip:[service]@[remote_ip]:[remote_port] SIP/3.0", "0", 505),
    ),
    Item::refused(
        "uri_too_long",
        ITALIAN,
        options!("", "sip:{long}@[remote_ip]:[remote_port] SIP/2.0", "0", 414),
    ),
    Item::refused(
        "header_fields_too_many",
        ITALIAN,
        options!(
            "",
            "sip:[service]@[remote_ip]:[remote_port] SIP/2.0",
            "0\n  {many}",
            513
        ),
    ),
    Item::refused(
        "to_twice",
        ITALIAN,
        options!(
            "",
            "sip:[service]@[remote_ip]:[remote_port] SIP/2.0",
            "0\n  To: <sip:someone@else.example>",
            400
        ),
    ),
    Item::refused(
        "announced_longer_than_any_message",
        ITALIAN,
        options!(
            " once",
            "sip:[service]@[remote_ip]:[remote_port] SIP/2.0",
            "70000",
            413
        ),
    )
    .over(STREAM),
];

const ODD_AND_RIGHT: &[Item] = &[
    // §7.3.3: the compact forms; §7.3.1: folds, and blanks before the colon.
    Item::new(
        "compact_and_folded",
        ITALIAN,
        "
        > raw INVITE
          INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
          v: SIP/2.0/[transport] [local_ip]:[local_port]
          \\ ;branch={branch}
          \\   ;rport
          f : \"Matrix\"
          \\ <sip:{user}@[local_ip]>;tag=[pid]s[call_number]
          t: <sip:[service]@[remote_ip]>
          i: [call_id]
          CSEQ :
          \\ 1
          \\   INVITE
          m: <sip:{user}@[local_ip]:[contact_port];transport=[transport]>
          max-forwards:70
          k: timer
          c: application/sdp
          l: [len]
          |
          v=0
          o=sipp 1 1 IN IP4 [local_ip]
          s=-
          c=IN IP4 [media_ip]
          t=0 0
          m=audio [media_port] RTP/AVP 0
        < 200
          ~ a=rtpmap:0 PCMU
        > ACK
        > BYE
        < 200
        ",
    ),
    // §18.2: several Via values, on one line and on two, come back as they went.
    Item::refused(
        "vias_of_proxies",
        ITALIAN,
        "
        > raw OPTIONS
          OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0
          Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch};rport, SIP/2.0/UDP near.example;branch=z9hG4bKnear
          Via: SIP / 2.0 / TLS far.example:5061 ;branch=z9hG4bKfar
          From: <sip:{user}@[local_ip]>;tag=[pid]
          To: <sip:[service]@[remote_ip]>
          Call-ID: [call_id]
          CSeq: 1 OPTIONS
          Max-Forwards: 70
          Content-Length: 0
        < 200
          ~ received=127[^,]*, SIP/2.0/UDP near.example;branch=z9hG4bKnear
          ~ Via: SIP / 2.0 / TLS far.example:5061 ;branch=z9hG4bKfar
        ",
    ),
    // Another's line breaks and a name of a header that only looks like one of ours.
    Item::new(
        "header_smuggled",
        ITALIAN,
        "
        > INVITE sdp
          X-Contact : <sip:evil@192.0.2.66>
          X-Route: <sip:192.0.2.66;lr>
        < 200
          ! 192.0.2.66
        > ACK
        > BYE
        < 200
        ",
    ),
    // §16.3: who forwards counts hops; we are the last.
    Item::new(
        "at_the_last_hop",
        ITALIAN,
        "
        > INVITE sdp
          Max-Forwards: 0
        < 200
        > ACK
        > BYE
        < 200
        ",
    ),
    Item::new(
        "body_that_may_be_ignored",
        ITALIAN,
        "
        > INVITE sdp=text
          Content-Type: text/plain
          Content-Disposition: session;handling=optional
        < 200
          ~ m=audio
        > ACK sdp=answer
        > BYE
        < 200
        ",
    ),
    // RFC 3966 in a SIP URI, with what carriers add, and the number as a tel URI.
    Item::new(
        "number_with_parameters",
        "800;npdi;rn=+39062",
        "> INVITE sdp\n< 200\n> ACK\n> BYE\n< 200",
    ),
    Item::new("tel_uri", ITALIAN, "> INVITE sdp uri=tel:800\n< 200\n> ACK\n> BYE\n< 200"),
];

/// Nobody knows them: the same answer whatever they ask for.
const STRANGERS: &[Item] = &[
    Item::refused(
        "stranger_calls",
        ITALIAN,
        "> INVITE sdp\n< 401\n ~ WWW-Authenticate: Digest\n> ACK refused",
    )
    .from(STRANGER),
    Item::refused(
        "stranger_calls_nobody",
        "999",
        "> INVITE sdp\n< 401\n> ACK refused",
    )
    .from(STRANGER),
    Item::refused(
        "stranger_calls_out",
        "0039055123456",
        "> INVITE sdp\n< 401\n> ACK refused",
    )
    .from(STRANGER),
    Item::refused(
        "stranger_without_codec",
        ITALIAN,
        "> INVITE sdp=alien\n< 401\n> ACK refused",
    )
    .from(STRANGER),
    // Syntax and method come first, for every source.
    Item::refused("stranger_dances", ITALIAN, "> DANCE\n< 501").from(STRANGER),
    Item::refused(
        "stranger_requires",
        ITALIAN,
        "
        > INVITE sdp
          Require: dance
        < 420
        > ACK refused
        ",
    )
    .from(STRANGER),
    // Toll fraud: a caller of the trunk reaches the configured numbers, and nothing else.
    Item::refused(
        "caller_calls_out",
        "0039055123456",
        "> INVITE sdp\n< 404\n> ACK refused",
    ),
    Item::refused(
        "caller_calls_an_operator",
        "101",
        "> INVITE sdp\n< 404\n> ACK refused",
    ),
];

#[test]
fn what_is_refused_is_refused_in_the_standards_words_over_udp_tcp_and_a_bad_network() {
    let items = [NOT_UNDERSTOOD, MALFORMED, ODD_AND_RIGHT, STRANGERS].concat();
    play(Centre::open(&Plan::default()), &items);
}
