//! How many typical INVITEs one processor reads and validates in a second: the median of three runs.
//!
//!     taskset -c 1 cargo bench --locked -p pronto-sip --bench parse
//!
//! Validated means that everything an INVITE must have is typed and checked: Request-URI, every Via, From, To, Call-ID, CSeq,
//! Max-Forwards, Contact, Content-Length against the body; Route, Supported and the like are found and not looked into.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pronto_sip::message::{HeaderName, Message, NameAddr, Uri, Via};

/// As a carrier's session border controller sends it: 16 header fields.
const HEAD: &str = "INVITE sip:+390612345678@pronto.example.com;user=phone SIP/2.0\r\n\
Via: SIP/2.0/UDP 198.51.100.21:5060;branch=z9hG4bK0a1b2c3d4e5f60718293a4b5c6d7e8f9;rport\r\n\
Via: SIP/2.0/UDP 203.0.113.40:5060;received=203.0.113.40;branch=z9hG4bK-524287-1---6e3f2d1c0b9a8877\r\n\
Max-Forwards: 68\r\n\
Record-Route: <sip:198.51.100.21;lr;ftag=8a7b6c5d>\r\n\
From: \"Anna Rossi\" <sip:+393331234567@carrier.example.net;user=phone>;tag=8a7b6c5d\r\n\
To: <sip:+390612345678@pronto.example.com;user=phone>\r\n\
Call-ID: 3c2675a1-0b4f-4c2a-9d33-7f1e5a9b2c64@203.0.113.40\r\n\
CSeq: 101 INVITE\r\n\
Contact: <sip:+393331234567@203.0.113.40:5060;transport=udp>\r\n\
P-Asserted-Identity: <sip:+393331234567@carrier.example.net>\r\n\
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO\r\n\
Supported: timer, replaces\r\n\
User-Agent: Carrier SBC 9.2\r\n\
Session-Expires: 1800\r\n\
Content-Type: application/sdp\r\n\
Content-Length: ";
const SDP: &str = "v=0\r\no=- 20518 0 IN IP4 203.0.113.41\r\ns=-\r\nc=IN IP4 203.0.113.41\r\nt=0 0\r\n\
m=audio 40376 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n";

const RUN: Duration = Duration::from_secs(2);

fn validate(bytes: &Bytes) -> bool {
    let Ok(message) = Message::parse(bytes.clone()) else {
        return false;
    };
    let uri = Uri::parse(message.request_uri()).is_some();
    let vias = message
        .list(HeaderName::Via)
        .all(|via| via.is_ok_and(|via| Via::parse(via).is_some()));
    let contacts = message
        .list(HeaderName::Contact)
        .all(|contact| contact.is_ok_and(|contact| NameAddr::parse(contact).is_some()));
    let sound = message.fault().is_none() && message.essentials().is_ok();
    sound && uri && vias && contacts && message.body().len() == SDP.len()
}

fn rate(bytes: &Bytes) -> f64 {
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < RUN {
        for _ in 0..1000 {
            assert!(validate(black_box(bytes)), "the INVITE is sound");
        }
        count += 1000;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

fn main() {
    let bytes = Bytes::from(format!("{HEAD}{}\r\n\r\n{SDP}", SDP.len()));
    let head = bytes.len() - SDP.len();
    assert!((700..=900).contains(&head), "typical");
    let mut rates = [rate(&bytes), rate(&bytes), rate(&bytes)];
    rates.sort_by(f64::total_cmp);
    println!(
        "INVITE of {head} octets and 16 header fields (SDP not counted), parsed and validated: {:.0}/s on one processor",
        rates[1]
    );
}
