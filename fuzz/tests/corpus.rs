//! Each file of the corpus as it is, in each target that takes octets of its kind; and for each file, what it is read as, or
//! why it is refused.

use bytes::Bytes;
use pronto_fuzz::{Step, address, datagram, description, endpoint, flow, message, seeds, stream};
use pronto_ivr::Script;
use pronto_media::telephone_event::Payload;
use pronto_media::{rtcp, rtp};
use pronto_sip::framing::Framer;
use pronto_sip::message::{Challenge, Credentials, HeaderName, Host, Message, NameAddr, Uri, Via};
use pronto_sip::sdp;

/// Asserts what each file of a target is read as. A file that is not listed fails.
fn read_as(target: &str, read: fn(&[u8]) -> String, expected: &[(&str, &str)]) {
    let seeds = seeds(target);
    let names: Vec<&str> = seeds.iter().map(|seed| seed.name.as_str()).collect();
    let listed: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, listed);
    for (seed, (name, reading)) in seeds.iter().zip(expected) {
        assert_eq!(&read(&seed.octets), reading, "{name}");
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// The start line, the fields that every message has, and the length of the body.
fn read_message(octets: &[u8]) -> String {
    let message = match Message::parse(Bytes::copy_from_slice(octets)) {
        Ok(message) => message,
        Err(unusable) => return format!("dropped: {unusable}"),
    };
    let essentials = match (message.fault(), message.essentials()) {
        (None, Ok(essentials)) => essentials,
        (Some(fault), _) | (None, Err(fault)) => return format!("{} {}", fault.status.code(), fault.phrase),
    };
    let start = match message.status() {
        Some(status) => status.code().to_string(),
        None => format!("{} {}", text(message.method_token()), text(message.request_uri())),
    };
    let vias = message.list(HeaderName::Via).filter(Result::is_ok).count();
    let (tag, body) = (essentials.from.tag().map(text), message.body().len());
    format!(
        "{start}: {} {}, from {}, {vias} Via, {body} octets",
        text(essentials.call_id),
        essentials.cseq,
        tag.unwrap_or_default(),
    )
}

/// The statuses that an endpoint answers a message of its trunk with.
fn answered(octets: &[u8]) -> String {
    let step = Step {
        octets: octets.to_vec(),
        tcp: false,
        trunk: true,
        pause: 40,
    };
    format!("{:?}", endpoint(&[step], 1))
}

const MESSAGES: [(&str, &str); 23] = [
    (
        "bye-outside-a-dialog.sip",
        "BYE sip:800@127.0.0.1: nowhere 2, from 1, 1 Via, 0 octets → [481]",
    ),
    (
        "cancel.sip",
        "CANCEL sip:800;x=y@pronto.example:5060;transport=udp: c 1, from f, 1 Via, 0 octets → [481]",
    ),
    ("content-length-negative.sip", "400 Bad Content-Length → [400]"),
    ("content-length-too-large.sip", "400 Bad Content-Length → [400]"),
    ("cseq-of-another-method.sip", "400 CSeq Method Mismatch → [400]"),
    ("cseq-too-high.sip", "400 Malformed CSeq → [400]"),
    (
        "folded-everywhere.sip",
        "INVITE sip:800@127.0.0.1: fold 1, from 1, 1 Via, 0 octets → [100, 200]",
    ),
    (
        "info.sip",
        "INFO sip:127.0.0.1: o 9, from 1, 1 Via, 23 octets → [481]",
    ),
    (
        "invite.sip",
        "INVITE sip:800;x=y@pronto.example:5060;transport=udp: c 1, from f, 3 Via, 112 octets → [100, 200]",
    ),
    (
        "many-vias.sip",
        "OPTIONS sip:127.0.0.1: v 1, from 1, 60 Via, 0 octets → [200]",
    ),
    (
        "multipart-body.sip",
        "INVITE sip:800@127.0.0.1: m 1, from 1, 1 Via, 238 octets → [100, 200]",
    ),
    ("not-sip.txt", "dropped: no SIP start line → []"),
    (
        "options.sip",
        "OPTIONS sip:127.0.0.1: o 2147483647, from 1, 1 Via, 0 octets → [420]",
    ),
    (
        "refer.sip",
        "REFER sip:800@127.0.0.1: r 2, from 1, 1 Via, 0 octets → [405]",
    ),
    (
        "register-with-a-star.sip",
        "REGISTER sip:pronto.example: star 3, from r, 1 Via, 0 octets → [401]",
    ),
    (
        "register-with-nine-contacts.sip",
        "REGISTER sip:pronto.example: nine 4, from r, 1 Via, 0 octets → [401]",
    ),
    (
        "register.sip",
        "REGISTER sip:pronto.example: r 2, from r, 1 Via, 0 octets → [401]",
    ),
    (
        "response-without-a-reason.sip",
        "200: x 1, from 1, 1 Via, 0 octets → []",
    ),
    ("response.sip", "407: x 1, from 1, 1 Via, 0 octets → []"),
    ("tab-in-the-request-line.sip", "dropped: no SIP start line → []"),
    ("two-content-lengths.sip", "400 Repeated Header Field → [400]"),
    (
        "unknown-method.sip",
        "FROBNICATE sip:800@127.0.0.1: f 7, from 1, 1 Via, 0 octets → [501]",
    ),
    (
        "update-with-an-offer.sip",
        "UPDATE sip:800@127.0.0.1: u 2, from 1, 1 Via, 97 octets → [481]",
    ),
];

#[test]
fn each_message_is_read_as_it_is_written_or_refused_with_its_status() {
    let read = |octets: &[u8]| format!("{} → {}", read_message(octets), answered(octets));
    read_as("message", read, &MESSAGES);
}

fn read_host(host: Host<'_>, port: Option<u16>) -> String {
    let host = match host {
        Host::Ip(address) => address.to_string(),
        Host::Name(name) => name.to_owned(),
    };
    port.map_or(host.clone(), |port| format!("{host} port {port}"))
}

/// The readings of an address, a Via value and a digest, each by its own reader.
fn read_address(octets: &[u8]) -> String {
    let mut readings = Vec::new();
    if let Some(uri) = Uri::parse(octets) {
        let user = uri.user_text().unwrap_or_default();
        readings.push(format!(
            "{:?} {user} at {}",
            uri.scheme,
            read_host(uri.host, uri.port)
        ));
    }
    if let Some(address) = NameAddr::parse(octets) {
        let display = address.display_text().unwrap_or_default();
        let tag = address.tag().map(text).unwrap_or_default();
        readings.push(format!(
            "address of {display:?}, {}, tag {tag:?}",
            text(address.uri.raw)
        ));
    }
    if let Some(via) = Via::parse(octets) {
        let branch = via.branch().map(text).unwrap_or_default();
        readings.push(format!(
            "{} to {}, {branch}",
            text(via.transport),
            read_host(via.host, via.port)
        ));
    }
    if let Some(Challenge {
        realm,
        nonce,
        stale,
        qop_auth,
        ..
    }) = Challenge::parse(octets)
    {
        readings.push(format!(
            "challenge {realm} {nonce}, stale {stale}, auth {qop_auth}"
        ));
    }
    if let Some(Credentials {
        username,
        realm,
        nonce,
        ..
    }) = Credentials::parse(octets)
    {
        readings.push(format!("credentials of {username}, {realm} {nonce}"));
    }
    readings.join("; ")
}

#[test]
fn each_address_is_read_as_it_is_written_or_not_at_all() {
    read_as(
        "address",
        read_address,
        &[
            (
                "credentials-without-quotes.txt",
                "challenge r n, stale false, auth true; credentials of 101, r n",
            ),
            ("digest-challenge.txt", "challenge r n, stale true, auth true"),
            (
                "digest-credentials.txt",
                "challenge a \"b\" n,n, stale false, auth true; credentials of 101, a \"b\" n,n",
            ),
            ("empty-host.txt", ""),
            ("ipv6-zone.txt", ""),
            (
                "maddr.txt",
                "Sips alice at 2001:db8::9:1 port 5061; address of \"\", sips:%61lice:pass@[2001:db8::9:1]:5061, tag \"\"",
            ),
            ("name-without-end.txt", ""),
            (
                "no-brackets.txt",
                "Sip a at b; address of \"\", sip:a@b, tag \"1\"",
            ),
            ("percent-at-the-end.txt", ""),
            ("port-too-high.txt", ""),
            (
                "quoted-name.txt",
                "address of \"A \\\"B\\\", <C>\", sip:a@b;x=y, tag \"1\"",
            ),
            (
                "tel.txt",
                "Tel +39-06(123)456 at ; address of \"\", tel:+39-06(123)456, tag \"\"",
            ),
            (
                "unusual-sip.txt",
                "Sip 1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;* at h.example port 5060",
            ),
            ("via-with-blanks.txt", "UDP to 2001:db8::1 port 5060, z9hG4bK1"),
        ],
    );
}

/// The session that an offer leads to, or the status of its refusal.
fn read_description(octets: &[u8]) -> String {
    let local = sdp::Local {
        address: [127, 0, 0, 1].into(),
        port: 5000,
        session_id: 1,
        version: 1,
    };
    match sdp::answer(&local, octets) {
        Ok((_, agreed)) => format!(
            "{} to {:?}, {}, keys {:?}, {:?}",
            agreed.codec.name(),
            agreed.remote,
            agreed.direction.as_str(),
            agreed.telephone_event,
            agreed.ptime,
        ),
        Err(error) => format!("{}: {error}", error.refusal().status.code()),
    }
}

#[test]
fn each_description_is_answered_as_it_offers_or_refused_with_its_status() {
    read_as(
        "description",
        read_description,
        &[
            (
                "audio.sdp",
                "PCMA to Some(127.0.0.2:4000), recvonly, keys Some(101), 20ms",
            ),
            ("hold.sdp", "PCMA to None, inactive, keys None, 10ms"),
            (
                "ipv6-and-video.sdp",
                "488: the media address is of a family that is not used here",
            ),
            (
                "many-formats.sdp",
                "PCMU to Some(127.0.0.2:4000), sendrecv, keys None, 20ms",
            ),
            ("no-audio.sdp", "488: no audio stream with a port"),
            ("port-zero.sdp", "488: no audio stream with a port"),
            ("srtp-only.sdp", "488: no audio stream over RTP/AVP or RTP/AVPF"),
        ],
    );
}

/// The length of each message in a stream, the keep-alives, and how the stream ends.
fn read_stream(octets: &[u8]) -> String {
    let mut framer = Framer::new();
    let mut lengths = Vec::new();
    let pushed = framer.push(octets);
    let end = loop {
        match pushed.and_then(|()| framer.next()) {
            Ok(Some(message)) => lengths.push(message.len()),
            Ok(None) => break "more may follow".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    format!("{lengths:?}, {} keep-alives, {end}", framer.take_pings())
}

#[test]
fn each_stream_is_cut_into_its_messages_or_given_up() {
    read_as(
        "stream",
        read_stream,
        &[
            ("message-and-garbage.sip", "[207], 0 keep-alives, not SIP"),
            ("never-ends.sip", "[], 0 keep-alives, more may follow"),
            (
                "no-content-length.sip",
                "[188], 0 keep-alives, no usable Content-Length",
            ),
            (
                "two-messages-and-pings.sip",
                "[208, 213], 4 keep-alives, more may follow",
            ),
        ],
    );
}

/// The states of a flow and the prompts they name; or each problem, and where it is.
fn read_flow(octets: &[u8]) -> String {
    let source = String::from_utf8_lossy(octets);
    match Script::parse(&source) {
        Ok(script) => {
            let states: Vec<&str> = script.states().collect();
            let queues: Vec<&str> = script.queues().map(|(queue, _)| queue.as_str()).collect();
            let prompts: Vec<&str> = script.prompts().map(|(prompt, _)| prompt).collect();
            format!("{states:?}, queues {queues:?}, prompts {prompts:?}")
        }
        Err(problems) => {
            let messages: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
            messages.join("; ")
        }
    }
}

#[test]
fn each_flow_is_read_as_it_is_written_or_every_problem_is_named() {
    read_as(
        "flow",
        read_flow,
        &[
            ("loop.toml", "a loop without an end: these states only talk"),
            (
                "menu.toml",
                "[\"welcome\", \"main\", \"support\", \"sales\", \"sorry\", \"goodbye\"], queues [\"support\", \"sales\"], prompts [\"welcome\", \"main-menu\", \"all-busy\", \"goodbye\"]",
            ),
            ("no-start.toml", "the flow does not say where it starts"),
            (
                "not-toml.toml",
                "not TOML: invalid basic string; not TOML: unquoted keys cannot be empty",
            ),
            (
                "unknown-next.toml",
                "there is no state `nowhere`; `x` is not a key of the keypad; `timeout` in a menu state is `-5s`",
            ),
            (
                "wrong-types.toml",
                "`start` in a flow is a whole number; `say` in a say state is a text; `hangup` in a say state is a text; state `b` is both a `queue` and a `forecast`",
            ),
        ],
    );
}

/// The header of an RTP packet, its payload and the key in it; or what an RTCP packet reports.
fn read_datagram(octets: &[u8]) -> String {
    if rtp::is_rtcp(octets) {
        return match rtcp::parse(octets) {
            Ok(heard) => format!("RTCP, sender report {:x?}", heard.sender_report),
            Err(malformed) => malformed.to_string(),
        };
    }
    let packet = match rtp::Packet::parse(octets) {
        Ok(packet) => packet,
        Err(malformed) => return malformed.to_string(),
    };
    let payload = octets.get(packet.payload.clone()).unwrap_or_default();
    // The dynamic type of telephone-events in this corpus.
    let event = Payload::parse(payload).filter(|_| packet.payload_type == 101);
    let event = event.map(|event| format!(", key {} for {}, end {}", event.event, event.duration, event.end));
    format!(
        "type {} of {:x}, number {}, time {}, {} octets{}",
        packet.payload_type,
        packet.ssrc,
        packet.sequence,
        packet.timestamp,
        payload.len(),
        event.unwrap_or_default(),
    )
}

#[test]
fn each_datagram_is_read_as_it_is_written_or_refused() {
    read_as(
        "datagram",
        read_datagram,
        &[
            ("app-packet.hex", "RTCP, sender report None"),
            ("bye-with-reason.hex", "RTCP, sender report None"),
            (
                "csrc-and-extension.hex",
                "type 2 of deadbeef, number 4, time 800, 2 octets",
            ),
            (
                "event-end.hex",
                "type 101 of deadbeef, number 3, time 800, 4 octets, key 5 for 800, end true",
            ),
            (
                "event-start.hex",
                "type 101 of deadbeef, number 2, time 800, 4 octets, key 5 for 160, end false",
            ),
            ("header-cut.hex", "not an RTP packet"),
            ("length-beyond-the-end.hex", "not an RTCP packet"),
            ("padding-too-long.hex", "not an RTP packet"),
            ("pcma.hex", "type 8 of deadbeef, number 1, time 0, 20 octets"),
            ("receiver-report.hex", "RTCP, sender report None"),
            (
                "sender-report.hex",
                "RTCP, sender report Some((deadbeef, a5108000))",
            ),
            ("version-one.hex", "not an RTP packet"),
        ],
    );
}
#[test]
fn each_message_of_the_corpus_is_read_or_refused() {
    for seed in seeds("message").iter().chain(&seeds("stream")) {
        println!("{}", seed.name);
        message(&seed.octets);
        address(&seed.octets);
    }
}

#[test]
fn each_address_of_the_corpus_is_read_again_alike() {
    for seed in seeds("address") {
        println!("{}", seed.name);
        address(&seed.octets);
    }
}

#[test]
fn each_description_of_the_corpus_is_answered_or_refused() {
    for seed in seeds("description") {
        println!("{}", seed.name);
        description(&seed.octets);
    }
}

#[test]
fn each_stream_of_the_corpus_is_cut_alike_wherever_it_is_split() {
    for seed in seeds("stream").iter().chain(&seeds("message")) {
        println!("{}", seed.name);
        for place in 0..=seed.octets.len().min(600) {
            let place = u16::try_from(place).unwrap_or(u16::MAX);
            stream(&seed.octets, [place, place.wrapping_mul(7)]);
        }
    }
}

#[test]
fn an_endpoint_takes_the_whole_corpus_over_each_transport() {
    for (tcp, trunk) in [(false, false), (false, true), (true, false), (true, true)] {
        let steps: Vec<Step> = seeds("message")
            .into_iter()
            .map(|seed| Step {
                octets: seed.octets,
                tcp,
                trunk,
                pause: 40,
            })
            .collect();
        endpoint(&steps, 1);
    }
}

#[test]
fn each_flow_of_the_corpus_is_read_or_refused_with_a_reason() {
    for seed in seeds("flow") {
        println!("{}", seed.name);
        flow(&seed.octets);
    }
}

#[test]
fn each_datagram_of_the_corpus_is_read_or_refused() {
    for seed in seeds("datagram") {
        println!("{}", seed.name);
        datagram(&seed.octets);
    }
}
