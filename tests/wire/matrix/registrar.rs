//! Phones that register, and what becomes of it.

use super::{Digest, Item, play};
use crate::kit::centre::{Centre, Plan};
use crate::kit::phone::DOMAIN;

const SIGNS_IN: &[Item] = &[
    Item::proven(
        "registers_refreshes_and_leaves",
        DOMAIN,
        "
        > REGISTER
          Contact: <sip:[service]@[local_ip]:[contact_port];transport=[transport]>;expires=300
        < 401 auth
          ~ WWW-Authenticate: Digest realm=.pronto.example., nonce=.*qop=.auth
        > REGISTER auth
          Contact: <sip:[service]@[local_ip]:[contact_port];transport=[transport]>;expires=300
        < 200
          ~ Contact: <sip:[0-9]+@127[^>]*>;expires=1(20|19)
        > REGISTER
        < 401 auth
        > REGISTER auth
        < 200
          ~ Contact: <sip:
        > REGISTER
          Contact: *
          Expires: 0
        < 401 auth
        > REGISTER auth
          Contact: *
          Expires: 0
        < 200
          ! Contact:
        ",
    ),
    Item::proven(
        "several_contacts_and_one_less",
        DOMAIN,
        "
        > REGISTER
          Contact: <sip:[service]@[local_ip]:[contact_port]>;q=0.5, <sip:[service]@[local_ip]:7;transport=[transport]>
        < 401 auth
        > REGISTER auth
          Contact: <sip:[service]@[local_ip]:[contact_port]>;q=0.5, <sip:[service]@[local_ip]:7;transport=[transport]>
        < 200
          ~ Contact: .*Contact:
          ~ q=0.5
        > REGISTER
          Contact: <sip:[service]@[local_ip]:7;transport=[transport]>;expires=0
        < 401 auth
        > REGISTER auth
          Contact: <sip:[service]@[local_ip]:7;transport=[transport]>;expires=0
        < 200
          ~ Contact: .*q=0.5
          ! :7;
        ",
    ),
    Item::proven(
        "too_brief",
        DOMAIN,
        "
        > REGISTER
          Contact: <sip:[service]@[local_ip]:[contact_port]>
          Expires: 5
        < 401 auth
        > REGISTER auth
          Contact: <sip:[service]@[local_ip]:[contact_port]>
          Expires: 5
        < 423
          ~ Min-Expires: [1-9]
        ",
    ),
    Item::proven(
        "star_with_a_lifetime",
        DOMAIN,
        "
        > REGISTER
          Contact: *
          Expires: 300
        < 400
        ",
    ),
    // "REGISTER is challenged whatever the domain of its Request-URI; a wrong domain is told after the digest."
    Item::proven(
        "wrong_domain",
        "elsewhere.example",
        "
        > REGISTER uri=sip:elsewhere.example
        < 401 auth
        > REGISTER auth uri=sip:elsewhere.example
        < 404
        ",
    ),
    Item::proven(
        "somebody_elses_address",
        DOMAIN,
        "
        > REGISTER
          To: <sip:101@pronto.example>
        < 401 auth
        > REGISTER auth
          To: <sip:101@pronto.example>
        < 403
        ",
    ),
    Item {
        digest: Some(Digest {
            password: "not-the-password",
            uri: DOMAIN,
        }),
        ..Item::refused(
            "wrong_password",
            "",
            "
            > REGISTER
            < 401 auth
            > REGISTER auth
            < 401
              ! stale
            ",
        )
    },
    // One nonce serves as often as its count rises.
    Item::proven(
        "nonce_used_again",
        DOMAIN,
        "
        > REGISTER
        < 401 auth
        > REGISTER auth
        < 200
        > REGISTER auth
        < 200
        ",
    ),
];

/// The Contact rules of RFC 3261 §10.3, with the additions of RFC 3327 and RFC 5626.
const CONTACTS: &[Item] = &[
    Item::proven(
        "star_removes_them_all",
        DOMAIN,
        "
        > REGISTER
          Contact: <sip:[service]@[local_ip]:7>;q=0.2, <sip:[service]@[local_ip]:9>, <sip:[service]@[local_ip]:8>;q=0.9
        < 401 auth
        > REGISTER auth
          Contact: <sip:[service]@[local_ip]:7>;q=0.2, <sip:[service]@[local_ip]:9>, <sip:[service]@[local_ip]:8>;q=0.9
        < 200
          ~ Contact: [^>]*:9>.*Contact: [^>]*:8>.*q=0.9.*Contact: [^>]*:7>.*q=0.2
        > REGISTER
          Contact: *
          Expires: 0
        < 401 auth
        > REGISTER auth
          Contact: *
          Expires: 0
        < 200
          ! Contact:
        > REGISTER
        < 401 auth
        > REGISTER auth
        < 200
          ! Contact:
        ",
    ),
    Item::proven("star_without_expires", DOMAIN, "> REGISTER\n  Contact: *\n< 400"),
    Item::proven(
        "star_and_another",
        DOMAIN,
        "
        > REGISTER
          Contact: *, <sip:[service]@[local_ip]:7>
          Expires: 0
        < 400
        ",
    ),
    Item::proven(
        "preference_that_is_none",
        DOMAIN,
        "> REGISTER\n  Contact: <sip:[service]@[local_ip]:7>;q=1.5\n< 400",
    ),
    // "All of it or nothing" (§10.3, step 7).
    Item::proven(
        "one_of_two_too_brief",
        DOMAIN,
        "
        > REGISTER
          Contact: <sip:[service]@[local_ip]:7>;expires=90, <sip:[service]@[local_ip]:8>;expires=3
        < 401 auth
        > REGISTER auth
          Contact: <sip:[service]@[local_ip]:7>;expires=90, <sip:[service]@[local_ip]:8>;expires=3
        < 423
          ~ Min-Expires: [1-9]
        > REGISTER
        < 401 auth
        > REGISTER auth
        < 200
          ! Contact:
        ",
    ),
    Item::proven(
        "each_contact_has_its_own_lifetime",
        DOMAIN,
        "
        > REGISTER
          Expires: 100
          Contact: <sip:[service]@[local_ip]:7>;expires=60, <sip:[service]@[local_ip]:8>
        < 401 auth
        > REGISTER auth
          Expires: 100
          Contact: <sip:[service]@[local_ip]:7>;expires=60, <sip:[service]@[local_ip]:8>
        < 200
          ~ :7>;expires=(60|59)
          ~ :8>;expires=(100|99)
        ",
    ),
    // "CSeq … lower … the update MUST be aborted and the request fails" (§10.3, step 7).
    Item::proven(
        "overtaken_by_a_newer_one",
        DOMAIN,
        "
        > REGISTER cseq=10
          Contact: <sip:[service]@[local_ip]:7>
        < 401 auth
        > REGISTER auth cseq=11
          Contact: <sip:[service]@[local_ip]:7>
        < 200
        > REGISTER auth cseq=5
          Contact: <sip:[service]@[local_ip]:7>;expires=0
        < 500
        > REGISTER auth cseq=12
        < 200
          ~ Contact: .*:7>
        ",
    ),
    Item::proven(
        "path_is_told_back",
        DOMAIN,
        "
        > REGISTER
          Require: path
          Path: <sip:edge.example;lr>, <sip:core.example;lr>
          Contact: <sip:[service]@[local_ip]:[contact_port]>
        < 401 auth
        > REGISTER auth
          Require: path
          Path: <sip:edge.example;lr>, <sip:core.example;lr>
          Contact: <sip:[service]@[local_ip]:[contact_port]>
        < 200
          ~ Path: <sip:edge.example;lr>, <sip:core.example;lr>
        ",
    ),
    // RFC 5626 §6: one flow of one instance has one binding, wherever the phone is now.
    Item::proven(
        "instance_moves",
        DOMAIN,
        "
        > REGISTER
          Supported: path, outbound
          Contact: <sip:[service]@[local_ip]:7>;reg-id=1;+sip.instance=\"<urn:uuid:0c67446e-f1a1-11d9-94d3-000a95a0e128>\"
        < 401 auth
        > REGISTER auth
          Supported: path, outbound
          Contact: <sip:[service]@[local_ip]:7>;reg-id=1;+sip.instance=\"<urn:uuid:0c67446e-f1a1-11d9-94d3-000a95a0e128>\"
        < 200
          ~ Require: outbound
          ~ \\+sip.instance=.<urn:uuid:0c67446e-f1a1-11d9-94d3-000a95a0e128>.;reg-id=1
        > REGISTER
          Supported: path, outbound
          Contact: <sip:[service]@[local_ip]:8>;reg-id=1;+sip.instance=\"<urn:uuid:0c67446e-f1a1-11d9-94d3-000a95a0e128>\"
        < 401 auth
        > REGISTER auth
          Supported: path, outbound
          Contact: <sip:[service]@[local_ip]:8>;reg-id=1;+sip.instance=\"<urn:uuid:0c67446e-f1a1-11d9-94d3-000a95a0e128>\"
        < 200
          ~ :8>
          ! :7>
        > REGISTER
          Supported: path, outbound
          Contact: <sip:[service]@[local_ip]:9>;reg-id=2;+sip.instance=\"<urn:uuid:0c67446e-f1a1-11d9-94d3-000a95a0e128>\"
        < 401 auth
        > REGISTER auth
          Supported: path, outbound
          Contact: <sip:[service]@[local_ip]:9>;reg-id=2;+sip.instance=\"<urn:uuid:0c67446e-f1a1-11d9-94d3-000a95a0e128>\"
        < 200
          ~ :8>
          ~ :9>
        ",
    ),
    Item::proven(
        "extension_required",
        DOMAIN,
        "
        > REGISTER
          Require: gruu, path
          Contact: <sip:[service]@[local_ip]:7>
        < 420
          ~ Unsupported: gruu
        ",
    ),
];

const CALLS: &[Item] = &[
    Item::proven(
        "operator_calls_a_number",
        "800@pronto.example",
        "
        > INVITE sdp uri=sip:800@pronto.example
        < 401 auth
        > ACK refused
        > INVITE sdp uri=sip:800@pronto.example auth
        < 200
        > ACK
        > BYE
        < 200
        ",
    )
    .leaves(&[("caller-hung-up", "\"origin\":{\"operator\":\"")]),
    // Toll fraud: the right password opens the configured numbers, and no line to the world.
    Item::proven(
        "operator_calls_out",
        "0039055123456@pronto.example",
        "
        > INVITE sdp uri=sip:0039055123456@pronto.example
        < 401 auth
        > ACK refused
        > INVITE sdp uri=sip:0039055123456@pronto.example auth
        < 404
        > ACK refused
        ",
    ),
    Item::proven(
        "operator_calls_as_somebody_else",
        "800@pronto.example",
        "
        > INVITE sdp uri=sip:800@pronto.example
          From: <sip:101@pronto.example>;tag=x
        < 401 auth
        > ACK refused
          From: <sip:101@pronto.example>;tag=x
        > INVITE sdp uri=sip:800@pronto.example auth
          From: <sip:101@pronto.example>;tag=x
        < 403
        > ACK refused
          From: <sip:101@pronto.example>;tag=x
        ",
    ),
];

#[test]
fn phones_register_and_operators_call_with_their_password_over_udp_tcp_and_a_bad_network() {
    let items = [SIGNS_IN, CONTACTS, CALLS].concat();
    let plan = Plan {
        lines: items.iter().map(|item| item.ways.len()).sum(),
        ..Plan::default()
    };
    play(Centre::open(&plan), &items);
}
