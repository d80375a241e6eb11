//! Fuzz targets: mutations of seeds of our own. What is checked everywhere is that nothing panics and that what was read
//! once is read alike again; what else, each target says.
//!
//!     cargo test --release -p pronto-sip fuzz                                       # a short pass
//!     BOLERO_RANDOM_ITERATIONS=10000000 cargo test --release -p pronto-sip fuzz     # the long one

use std::net::SocketAddr;

use bolero::TypeGenerator;
use bytes::Bytes;
use pronto_types::{OperatorId, Secret, Time};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

use crate::framing::Framer;
use crate::message::{Challenge, Credentials, HeaderName, MAX_MESSAGE, Message, NameAddr, Uri, Via};
use crate::settings::{Flow, Ha1, Settings, Transport, Trunk};
use crate::{Endpoint, Input, Output, sdp};

/// One change of a seed.
#[derive(Clone, Copy, Debug, TypeGenerator)]
struct Cut {
    at: u16,
    how: u8,
    byte: u8,
}

/// The changes to make, and the seed to make them in.
#[derive(Clone, Debug, TypeGenerator)]
struct Mutation {
    seed: u8,
    cuts: [Cut; 6],
    count: u8,
}

/// Words that parsers stumble over.
const WORDS: [&str; 16] = [
    "\r\n",
    "\r\n ",
    "\0",
    "%00",
    "\"",
    "\\",
    "<",
    ">",
    ";",
    ",",
    "-1",
    "4294967296",
    "99999999999999999999",
    "\u{e9}",
    "[::",
    "a=",
];

fn mutate(seeds: &[&str], mutation: &Mutation) -> Vec<u8> {
    let seed = seeds[usize::from(mutation.seed) % seeds.len()];
    let mut bytes = seed.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes();
    for cut in &mutation.cuts[..usize::from(mutation.count) % 7] {
        if bytes.is_empty() {
            break;
        }
        let at = usize::from(cut.at) % bytes.len();
        let span = usize::from(cut.byte);
        match cut.how % 7 {
            0 => bytes[at] = cut.byte,
            1 => drop(bytes.drain(at..(at + span % 40).min(bytes.len()))),
            2 => bytes.insert(at, cut.byte),
            3 => {
                let again = bytes[at.saturating_sub(span)..at].to_vec();
                drop(bytes.splice(at..at, again));
            }
            4 => drop(bytes.splice(at..at, WORDS[span % WORDS.len()].bytes())),
            5 => bytes[at] ^= 1 << (span % 8),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

const INVITE: &str = "INVITE sip:800;x=y@pronto.example:5060;transport=udp SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bKa;rport\nv: SIP/2.0/TCP [2001:db8::1];received=2001:db8::2;branch=z9hG4bKb,\n SIP/2.0/UDP h\nMax-Forwards: 70\nFrom: \"A \\\"B\\\"\" <sip:0612345@carrier.example>;tag=f\nTo: <sip:800@pronto.example>\nCall-ID: c\nCSeq: 1 INVITE\nContact: <sip:c@127.0.0.2:5070;lr?a=b>;q=0.5;expires=60\nRecord-Route: <sip:p.example;lr>\nP-Asserted-Identity: <tel:+3906;phone-context=x>\nReason: Q.850;cause=16;text=\"x\"\nAccept: application/sdp\nContent-Type: application/sdp\nContent-Length: 112\n\nv=0\no=- 1 1 IN IP4 127.0.0.2\ns=-\nc=IN IP4 127.0.0.2\nt=0 0\nm=audio 4000 RTP/AVP 8 0 101\na=rtpmap:101 telephone-event/8000\n";
const REGISTER: &str = "REGISTER sip:pronto.example SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.9:5090;branch=z9hG4bKr\nFrom: <sip:101@pronto.example>;tag=r\nTo: <sip:101@pronto.example>\nCall-ID: r\nCSeq: 2 REGISTER\nContact: <sip:101@127.0.0.9>;+sip.instance=\"<urn:uuid:1>\";reg-id=1;q=1.0\nPath: <sip:edge;lr>\nSupported: path, outbound\nExpires: 600\nAuthorization: Digest username=\"101\", realm=\"pronto.example\", nonce=\"00000000000000000000000000000000\", uri=\"sip:pronto.example\", response=\"0\", qop=auth, nc=00000001, cnonce=\"c\", algorithm=MD5\nContent-Length: 0\n\n";
const CANCEL: &str = "CANCEL sip:800;x=y@pronto.example:5060;transport=udp SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bKa;rport\nMax-Forwards: 70\nFrom: \"A \\\"B\\\"\" <sip:0612345@carrier.example>;tag=f\nTo: <sip:800@pronto.example>\nCall-ID: c\nCSeq: 1 CANCEL\nContent-Length: 0\n\n";
const OPTIONS: &str = "OPTIONS sip:127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bKo\nFrom: <sip:a@b>;tag=1\nTo: <sip:127.0.0.1>\nCall-ID: o\nCSeq: 4294967295 OPTIONS\nMax-Forwards: 0\nRequire: x, y\nl: 0\n\n";
const RESPONSE: &str = "SIP/2.0 407 No\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK00112233445566778899\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>;tag=2\nCall-ID: x\nCSeq: 1 INVITE\nProxy-Authenticate: Digest realm=\"a \\\"b\\\"\", nonce=\"n,n\", qop=\"auth-int,auth\", stale=TRUE, opaque=\"\"\nRetry-After: 5 (x);duration=3\nContact: <sip:z@127.0.0.3>\n\n";
const INFO: &str = "INFO sip:127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bKi\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>;tag=00112233445566778899\nCall-ID: o\nCSeq: 9 INFO\nContent-Type: application/dtmf-relay\nContent-Length: 23\n\nSignal=5\nDuration=160\n";
const MESSAGES: [&str; 6] = [INVITE, REGISTER, CANCEL, OPTIONS, RESPONSE, INFO];

#[test]
fn the_lexer_takes_any_octets() {
    bolero::check!().with_type::<Mutation>().for_each(|mutation| {
        let bytes = Bytes::from(mutate(&MESSAGES, mutation));
        let Ok(message) = Message::parse(bytes.clone()) else {
            return;
        };
        let _ = (
            message.essentials(),
            message.content_type(),
            message.seconds(HeaderName::Expires),
        );
        assert!(message.body().len() <= bytes.len());
        for name in [
            HeaderName::Via,
            HeaderName::Contact,
            HeaderName::Route,
            HeaderName::Path,
            HeaderName::Accept,
        ] {
            for value in message.list(name).flatten() {
                let _ = (NameAddr::parse(value), Via::parse(value));
            }
        }
    });
}

#[test]
fn addresses_are_read_once_and_again_alike() {
    let seeds = [
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@h.example:5060;transport=tcp;lr?a=b&c=d",
        "sips:%61lice:pass@[2001:db8::9:1]:5061;maddr=192.0.2.1;ttl=15",
        "tel:+39-06(123)456;phone-context=example.com",
        "\"A \\\"B\\\", <C>\" <sip:a@b;x=y>;tag=1;q=0.5",
        "sip:a@b;tag=1",
        "SIP / 2.0 / UDP [2001:db8::1] : 5060 ;branch=z9hG4bK1;received=2001:db8::2;rport",
    ];
    bolero::check!().with_type::<Mutation>().for_each(|mutation| {
        let bytes = mutate(&seeds, mutation);
        if let Some(uri) = Uri::parse(&bytes) {
            let again = Uri::parse(uri.raw).expect("what was read is read again");
            assert_eq!(
                (again.host, again.port, again.user),
                (uri.host, uri.port, uri.user)
            );
            let _ = (uri.user_text(), uri.param("lr"));
        }
        if let Some(address) = NameAddr::parse(&bytes) {
            assert!(Uri::parse(address.uri.raw).is_some());
            let _ = (address.tag(), address.display_text());
        }
        if let Some(via) = Via::parse(&bytes) {
            let _ = via.branch();
            let mut out = Vec::new();
            via.write_stamped(([192, 0, 2, 7], 7).into(), &mut out);
            assert!(Via::parse(&out).is_some(), "what we return can be read: {out:?}");
        }
    });
}

#[test]
fn nobody_is_proven_by_a_mutated_digest() {
    let seeds = [
        "Digest username=\"101\", realm=\"a \\\"b\\\"\", nonce=\"n,n\", uri=\"sip:x;transport=udp\", response=\"r\", qop=auth, nc=00000001, cnonce=\"c==\", algorithm=md5, opaque=\"\"",
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int,auth\", stale=TRUE, opaque=\"o\", algorithm=SHA-512-256",
    ];
    let settings = settings();
    bolero::check!().with_type::<Mutation>().for_each(|mutation| {
        let bytes = mutate(&seeds, mutation);
        if let Some(challenge) = Challenge::parse(&bytes) {
            let answered =
                crate::digest::answer(&challenge, "u", &Secret::new("p"), ("INVITE", "sip:a"), "c");
            if let Some(value) = answered {
                assert!(!value.contains(['\r', '\n']) || bytes.contains(&b'\r') || bytes.contains(&b'\n'));
            }
        }
        if let Some(given) = Credentials::parse(&bytes) {
            let mut authority =
                crate::digest::Authority::new([1; 32], "r", &settings.digest, Default::default(), 4);
            let asked = crate::digest::Asked {
                source: [127, 0, 0, 1].into(),
                method: "REGISTER",
                uri: b"sip:x",
                is_ours: true,
            };
            let verdict = authority.verify(Time::from_secs(1), &given, asked, &settings.operators);
            assert!(
                !matches!(verdict, crate::digest::Verdict::Proven(_)),
                "no password was given"
            );
        }
    });
}

#[test]
fn any_session_description_is_answered_or_refused() {
    let seeds = [
        "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendonly\r\n",
        "v=0\no=u 2 3 IN IP6 ::1\ns=x\nb=AS:64\nt=0 0\na=inactive\nm=video 0 RTP/AVP 31\nm=audio 5004/2 RTP/AVP 0 96\nc=IN IP6 2001:db8::1\na=rtpmap:96 opus/48000/2\nm=audio 6000 RTP/SAVP 8\n",
    ];
    let local = sdp::Local {
        address: [127, 0, 0, 1].into(),
        port: 5000,
        session_id: 1,
        version: 1,
    };
    bolero::check!().with_type::<Mutation>().for_each(|mutation| {
        let bytes = mutate(&seeds, mutation);
        if let Ok((ours, _)) = sdp::answer(&local, &bytes) {
            assert!(ours.len() <= 1024 + 4 * bytes.len(), "an answer is no amplifier");
            assert!(ours.starts_with(b"v=0\r\n"));
        }
        let _ = sdp::accept(&local, &bytes);
    });
}

#[test]
fn a_stream_is_cut_alike_however_it_comes_in_pieces() {
    bolero::check!()
        .with_type::<(Mutation, Mutation, u16, u16)>()
        .for_each(|(first, second, a, b)| {
            let stream = [mutate(&MESSAGES, first), mutate(&MESSAGES, second)].concat();
            let whole = cut(&stream, &[]);
            let split = [
                usize::from(*a) % (stream.len() + 1),
                usize::from(*b) % (stream.len() + 1),
            ];
            assert_eq!(whole, cut(&stream, &split), "however the stream comes in pieces");
        });
}

/// The messages in a stream that comes in these pieces, and whether it was given up.
fn cut(stream: &[u8], splits: &[usize]) -> (Vec<Bytes>, bool) {
    let mut at: Vec<usize> = splits.iter().copied().chain([0, stream.len()]).collect();
    at.sort_unstable();
    let (mut framer, mut messages) = (Framer::new(), Vec::new());
    for piece in at.windows(2) {
        if framer.push(&stream[piece[0]..piece[1]]).is_err() {
            return (messages, true);
        }
        loop {
            match framer.next() {
                Ok(Some(message)) => {
                    assert!(message.len() <= MAX_MESSAGE);
                    messages.push(message);
                }
                Ok(None) => break,
                Err(_) => return (messages, true),
            }
        }
    }
    (messages, false)
}

fn settings() -> Settings {
    let mut settings = Settings::new("pronto.example");
    let operator = OperatorId::new("101").expect("a legal id");
    let ha1 = Ha1::from_password("101", "pronto.example", &Secret::new("secret"));
    settings.listen = vec![(Transport::Udp, "127.0.0.1:5060".parse().expect("an address"))];
    settings.operators.insert(operator, ha1);
    settings.trunks = vec![Trunk {
        name: "carrier".into(),
        allow: vec!["127.0.0.2/32".parse().expect("a network")],
    }];
    settings.limits.transactions = 64;
    settings.limits.dialogs = 16;
    settings
}

#[test]
fn the_whole_endpoint_keeps_within_its_limits() {
    let flow = |tcp: bool, trunk: bool| Flow {
        transport: if tcp { Transport::Tcp } else { Transport::Udp },
        local: "127.0.0.1:5060".parse::<SocketAddr>().expect("an address"),
        remote: if trunk {
            ([127, 0, 0, 2], 5070).into()
        } else {
            ([127, 0, 0, 9], 5090).into()
        },
    };
    let settings = settings();
    bolero::check!()
        .with_type::<([(Mutation, bool, bool, u8); 4], u64)>()
        .for_each(|(steps, seed)| {
            let mut endpoint = Endpoint::new(settings.clone(), ChaCha12Rng::seed_from_u64(*seed));
            let mut now = Time::from_secs(1_000);
            for (mutation, tcp, trunk, pause) in steps {
                let bytes = Bytes::from(mutate(&MESSAGES, mutation));
                let flow = flow(*tcp, *trunk);
                endpoint.handle_input(now, Input::Message { flow, bytes });
                let mut calls = Vec::new();
                while let Some(output) = endpoint.poll_output() {
                    match output {
                        Output::Transmit { bytes, .. } => {
                            assert!(Message::parse(bytes).is_ok(), "we speak SIP")
                        }
                        Output::Event(crate::Event::Invite(invite)) => calls.push(invite.leg),
                        Output::Event(_) => {}
                    }
                }
                for leg in calls.into_iter().filter(|_| pause % 2 == 0) {
                    endpoint.answer(now, leg, Bytes::from_static(b"v=0\r\n"));
                }
                now += std::time::Duration::from_millis(u64::from(*pause) * 20);
                endpoint.handle_timeout(now);
                let counts = endpoint.counts();
                assert!(counts.transactions <= 64 && counts.dialogs <= 16);
            }
        });
}
