//! Messages of our own after each section of RFC 4475 and RFC 5118, over datagrams and over a stream.

use super::raw::*;
use crate::framing::Framer;
use crate::settings::Transport;

/// Via to Contact of a request that is in order; each message below says what is tortuous about it.
pub(super) fn frame(request_line: &str, cseq: &str, extra: &str) -> String {
    format!(
        "{request_line}\nVia: SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bKtorture\nMax-Forwards: 70\nFrom: <sip:a@torture.example>;tag=f\nTo: <sip:800@pronto.example>\nCall-ID: torture\nCSeq: {cseq}\nContact: <sip:a@127.0.0.2:5070>\n{extra}Content-Length: 0\n\n"
    )
}

pub(super) fn options(extra: &str) -> String {
    frame("OPTIONS sip:800@pronto.example SIP/2.0", "1 OPTIONS", extra)
}

pub(super) fn calling(extra: &str) -> String {
    frame("INVITE sip:800@pronto.example SIP/2.0", "1 INVITE", extra)
}

pub(super) fn registering(contact: &str) -> String {
    frame("REGISTER sip:pronto.example SIP/2.0", "1 REGISTER", "")
        .replace("To: <sip:800@", "To: <sip:101@")
        .replace("<sip:a@127.0.0.2:5070>", contact)
}

/// A gateway that is dialled at the address of RFC 5118's examples too.
fn at_ipv6() -> Raw {
    let mut settings = super::world::gateway_settings(Transport::Udp);
    settings.hosts = vec!["2001:db8::10".to_owned()];
    Raw::with(settings)
}

/// The statuses a datagram with this in it gets.
pub(super) fn over_udp(bytes: &[u8]) -> Vec<u16> {
    let mut raw = at_ipv6();
    let sent = raw.send_bytes(TRUNK, bytes.to_vec());
    sent.iter().map(|(_, text)| status(text)).collect()
}

/// The statuses a stream with this in it gets before its sender pauses or it is cut.
pub(super) fn over_tcp(bytes: &[u8]) -> Vec<u16> {
    let mut raw = at_ipv6();
    raw.transport = Transport::Tcp;
    let (mut framer, mut statuses) = (Framer::new(), Vec::new());
    framer.push(bytes).unwrap();
    while let Some(message) = framer.next().ok().flatten().or_else(|| framer.refuse_early()) {
        let sent = raw.send_bytes(TRUNK, message.to_vec());
        statuses.extend(sent.iter().map(|(_, text)| status(text)));
    }
    statuses
}

pub(super) fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// One message, the same over both transports.
pub(super) fn both(section: &str, text: &str, expected: &[u16]) {
    let bytes = crlf(text);
    assert_eq!(over_udp(&bytes), expected, "{section} over UDP");
    assert_eq!(over_tcp(&bytes), expected, "{section} over TCP");
}

#[test]
fn what_is_tortuous_and_well_formed_is_understood() {
    let folded = calling("s :\n\nK\n :\nSubject\n")
        .replace(
            "s :\n\nK\n :\nSubject\n",
            "S\t:\n  folded\n\t again\nNewFangled: x; y=\"\n  ;;\"\n",
        )
        .replace("Call-ID:", "i  :")
        .replace("CSeq: 1 INVITE", "CSeq: 0001\n\tINVITE");
    both("4475 3.1.1.1", &folded, &[100]);
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    let odd = frame(
        &format!(
            "{method} sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@pronto.example SIP/2.0"
        ),
        &format!("1 {method}"),
        "",
    );
    both("4475 3.1.1.2", &odd, &[501]);
    both(
        "4475 3.1.1.3",
        &calling("").replace("sip:800@", "sip:sips%3A800%40x@"),
        &[100],
    );
    let nulls =
        registering("<sip:null-%00@127.0.0.2>, <sip:%00@127.0.0.2>").replace("sip:101@", "sip:nu%00ll@");
    both("4475 3.1.1.4", &nulls, &[401]);
    let percent = registering("<sip:a@127.0.0.2>").replace("REGISTER", "RE%47IST%45R");
    both("4475 3.1.1.5", &percent, &[501]);
    both(
        "4475 3.1.1.6",
        &options("").replace("From: <", "From: caller<"),
        &[200],
    );
}

#[test]
fn what_is_long_and_well_formed_is_understood() {
    let long = calling("")
        .replace(
            "Via: ",
            &format!(
                "Via: SIP/2.0/TCP {}.example.com;branch=z9hG4bK{}\n",
                "a".repeat(60),
                "b".repeat(200)
            )
            .repeat(30),
        )
        .replace("tag=f", &format!("tag=f{}", "0".repeat(900)));
    both(
        "4475 3.1.1.7",
        &long
            .replace("Via: ", "")
            .replace("SIP/2.0/TCP", "Via: SIP/2.0/TCP")
            .replace("SIP/2.0/UDP", "Via: SIP/2.0/UDP"),
        &[100],
    );
    both(
        "4475 3.1.1.9",
        &options("").replace("sip:800@", "sip:800;par=u%40example.net@"),
        &[200],
    );
    let vias = "Via: SIP/2.0/UDP a.example;branch=z9hG4bK1, SIP/2.0/SCTP b.example;branch=z9hG4bK2\nVia: SIP/2.0/TLS c.example, SIP/2.0/UNKNOWN d.example:80\n";
    both(
        "4475 3.1.1.10",
        &options("").replace("Max-Forwards", &format!("{vias}Max-Forwards")),
        &[200],
    );
    let binary = frame(
        "MESSAGE sip:800@pronto.example SIP/2.0",
        "1 MESSAGE",
        "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\n",
    );
    both(
        "4475 3.1.1.11",
        &with_body(
            &binary.replace("Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\n", ""),
            "multipart/mixed;boundary=b",
            "--b\n\n\0\u{1}\0\n--b--\n",
        ),
        &[405],
    );
}

#[test]
fn what_is_not_well_formed_is_refused_with_400() {
    let separators = calling("").replace(";branch=z9hG4bKtorture", ";;,;,,").replace(
        "Contact: <sip:a@127.0.0.2:5070>",
        "Contact: \"Joe\" <sip:joe@example.org>;;;;",
    );
    both("4475 3.1.2.1", &separators, &[400]);
    both(
        "4475 3.1.2.3",
        &calling("").replace("Content-Length: 0", "Content-Length: -999"),
        &[400],
    );
    let overlarge = registering("<sip:a@127.0.0.2>;expires=10000000000000000000000")
        .replace("CSeq: 1 ", "CSeq: 36893488147419103232 ")
        .replace("Max-Forwards: 70", "Max-Forwards: 300");
    both("4475 3.1.2.4", &overlarge, &[400]);
    both(
        "4475 3.1.2.6",
        &calling("").replace("To: <", "To: \"Mr. J. User <"),
        &[400],
    );
    both(
        "4475 3.1.2.7",
        &calling("").replace(
            "INVITE sip:800@pronto.example SIP",
            "INVITE <sip:800@pronto.example> SIP",
        ),
        &[400],
    );
    both(
        "4475 3.1.2.8",
        &calling("").replace("sip:800@pronto.example SIP", "sip:800@pronto.example; lr SIP"),
        &[400],
    );
}

#[test]
fn what_is_not_a_request_line_is_refused_with_400() {
    both(
        "4475 3.1.2.9",
        &calling("").replace(
            "INVITE sip:800@pronto.example SIP",
            "INVITE  sip:800@pronto.example  SIP",
        ),
        &[400],
    );
    both(
        "4475 3.1.2.10",
        &options("").replace("SIP/2.0\nVia", "SIP/2.0  \nVia"),
        &[400],
    );
    both(
        "4475 3.1.2.11",
        &calling("").replace(
            "sip:800@pronto.example SIP",
            "sip:800@pronto.example?Route=%3Csip:x%3E SIP",
        ),
        &[400],
    );
    both(
        "4475 3.1.2.13",
        &registering("sip:a@127.0.0.2?Route=%3Csip:x%3E"),
        &[400],
    );
    both(
        "4475 3.1.2.15",
        &options("").replace("From: <", "From: Bell, Alexander <"),
        &[400],
    );
}

#[test]
fn what_contradicts_itself_is_refused_with_400() {
    both(
        "4475 3.1.2.17",
        &options("").replace("1 OPTIONS", "1 INVITE"),
        &[400],
    );
    both(
        "4475 3.1.2.18",
        &frame("NEWMETHOD sip:800@pronto.example SIP/2.0", "1 INVITE", ""),
        &[400],
    );
    both(
        "4475 3.3.1",
        &calling("")
            .replace("Call-ID: torture\n", "")
            .replace("From: <sip:a@torture.example>;tag=f\n", ""),
        &[400],
    );
    for twice in [
        "From: <sip:b@x>;tag=2",
        "To: <sip:b@x>",
        "Call-ID: 2",
        "CSeq: 2 INVITE",
        "Max-Forwards: 5",
    ] {
        both("4475 3.3.8", &calling(&format!("{twice}\n")), &[400]);
    }
    both("4475 3.3.9", &options("Content-Length: 5\n"), &[400]);
    let bracketless = options("").replace("sip:800@pronto.example SIP", "sip:2001:db8::10 SIP");
    both("5118 4.2", &bracketless, &[400]);
    both(
        "5118 4.10",
        &options("").replace("sip:800@pronto.example SIP", "sip:800@[2001:db8:::192.0.2.1] SIP"),
        &[400],
    );
}

#[test]
fn what_is_understood_and_not_supported_says_which() {
    both(
        "4475 3.1.2.16",
        &options("").replace("SIP/2.0\nVia: SIP/2.0/UDP", "SIP/7.0\nVia: SIP/7.0/UDP"),
        &[505],
    );
    both(
        "4475 3.3.2",
        &options("").replace(
            "sip:800@pronto.example SIP",
            "nobodyKnowsThisScheme:totallyopaquecontent SIP",
        ),
        &[416],
    );
    both(
        "4475 3.3.3",
        &options("").replace("sip:800@pronto.example SIP", "soap.beep://192.0.2.103:3002 SIP"),
        &[416],
    );
    both(
        "4475 3.3.4",
        &registering("<name:John_Smith>").replace("To: <sip:101@pronto.example>", "To: <isbn:2983792873>"),
        &[400],
    );
    both(
        "4475 3.3.5",
        &options("Require: nothingSupportsThis, nothingSupportsThisEither\nProxy-Require: x\n"),
        &[420],
    );
    both(
        "4475 3.3.6",
        &with_body(&calling(""), "application/unknownformat", "<audio>\n"),
        &[415],
    );
    both(
        "4475 3.3.7",
        &registering("<sip:a@127.0.0.2>").replace(
            "Contact",
            "Authorization: NoOneKnowsThisScheme opaque-data=here\nContact",
        ),
        &[401],
    );
}

#[test]
fn what_is_odd_in_a_header_and_no_fault_is_taken() {
    both(
        "4475 3.3.11",
        &options("").replace("Max-Forwards: 70", "Max-Forwards: 0"),
        &[200],
    );
    both(
        "4475 3.3.12",
        &registering("<sip:+19725552222@gw1.example.net>;unknownparam"),
        &[401],
    );
    both(
        "4475 3.3.13",
        &registering("<sip:+19725552222@gw1.example.net;unknownparam>"),
        &[401],
    );
    both(
        "4475 3.3.14",
        &registering("<sip:a@127.0.0.2?Route=%3Csip:x%3E>"),
        &[401],
    );
    both(
        "4475 3.4.1",
        &with_body(
            &calling("Accept: text/nobodyKnowsThis\n"),
            "application/sdp",
            "v=0\n",
        ),
        &[406],
    );
}

#[test]
fn spaces_dates_and_branches_that_may_be_taken_are_taken_or_refused_but_never_dropped() {
    both(
        "4475 3.1.2.12",
        &calling("Date: Fri, 01 Jan 2010 16:00:00 EST\n"),
        &[100],
    );
    both(
        "4475 3.1.2.14",
        &options("").replace("To: <sip:800@", "To: \"Watson, Thomas\" < sip:800@"),
        &[200],
    );
    both(
        "4475 3.2.1",
        &options("").replace("z9hG4bKtorture", "z9hG4bK"),
        &[200],
    );
}

#[test]
fn a_stray_line_break_is_refused_and_does_not_become_a_line_of_the_answer() {
    for name in ["Via: ", "From: ", "Call-ID: "] {
        let text = String::from_utf8(crlf(&options(""))).unwrap();
        for stray in ["x\rInjected: 1", "x\nInjected: 1"] {
            let broken = text.replace(name, &format!("{name}{stray}"));
            let sent = Raw::new().send_bytes(TRUNK, broken.into_bytes());
            assert_eq!(status(&sent[0].1), 400);
            let lines = sent[0].1.split("\r\n");
            assert!(
                lines.flat_map(str::chars).all(|c| !matches!(c, '\r' | '\n')),
                "{:?}",
                sent[0].1
            );
        }
    }
}

#[test]
fn stray_responses_whatever_their_shape_are_never_answered() {
    let head = "Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe\nCall-ID: r\nCSeq: 35 INVITE\nFrom: <sip:u@example.com>;tag=1\nTo: <sip:j@example.edu>;tag=2\nContent-Length: 0\n\n";
    for line in [
        "SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e}",
        "SIP/2.0 100 ",
        "SIP/2.0 4294967301 better not break the receiver",
        "SIP/2.0 503 Service Unavailable",
    ] {
        let text = format!("{line}\n{head}").replace(
            "CSeq: 35",
            if line.contains("503") {
                "CSeq: 9292394834772304023312"
            } else {
                "CSeq: 35"
            },
        );
        both(
            "4475 3.1.1.12, 3.1.1.13, 3.1.2.5, 3.1.2.19",
            &text.replace("Content", "Retry-After: 949302838503028349304023988\nContent"),
            &[],
        );
        both(
            "4475 3.3.10",
            &format!("{line}\n{head}").replace(
                "Content",
                "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\nContent",
            ),
            &[],
        );
    }
}

#[test]
fn a_second_request_after_the_first_is_ignored_in_a_datagram_and_served_on_a_stream() {
    let two = crlf(
        &(registering("<sip:a@127.0.0.2>") + "\n" + &calling("").replace("Call-ID: torture", "Call-ID: two")),
    );
    assert_eq!(over_udp(&two), [401]);
    assert_eq!(over_tcp(&two), [401, 100]);
}

#[test]
fn a_body_shorter_than_promised_is_refused_in_a_datagram_and_waited_for_on_a_stream() {
    let short = crlf(
        &with_body(&calling(""), "application/sdp", "v=0\n")
            .replace("Content-Length: 5", "Content-Length: 9999"),
    );
    assert_eq!(over_udp(&short), [400]);
    assert_eq!(over_tcp(&short), [] as [u16; 0]);
}

#[test]
fn a_head_that_breaks_off_is_refused_on_a_stream_only_when_it_is_wrong_already() {
    let cut = |text: &str| crlf(text.trim_end_matches('\n'));
    assert_eq!(
        over_tcp(&cut(&options("").replace("From: <", "From: Bell, Alexander <"))),
        [400]
    );
    assert_eq!(over_tcp(&cut(&options(""))), [] as [u16; 0]);
    let waiting = with_body(
        &calling("").replace("From: <", "From: Bell, Alexander <"),
        "application/sdp",
        "v=0\n",
    );
    assert_eq!(
        over_tcp(&crlf(waiting.trim_end_matches("=0\n"))),
        [400],
        "its body is not waited for"
    );
    assert_eq!(
        over_tcp(b"OPTIONS sip:a SIP/2.0\r\nFrom: Bell, A <sip:a@b>\r\nTo: <sip"),
        [] as [u16; 0],
        "nothing to know an answer by"
    );
}

#[test]
fn ipv6_is_understood_wherever_it_stands() {
    let six = |text: String| {
        text.replace("127.0.0.2:5070", "[2001:db8::9:1]")
            .replace("sip:800@pronto.example SIP", "sip:800@[2001:db8::10] SIP")
    };
    both("5118 4.1", &six(options("")), &[200]);
    both(
        "5118 4.3",
        &six(options("")).replace("[2001:db8::10] SIP", "[2001:db8::10:5070] SIP"),
        &[200],
    );
    both(
        "5118 4.4",
        &six(options("")).replace("[2001:db8::10] SIP", "[2001:db8::10]:5070 SIP"),
        &[200],
    );
    for received in ["[2001:db8::9:255]", "2001:db8::9:255"] {
        both(
            "5118 4.5",
            &six(options("")).replace(";branch", &format!(";received={received};branch")),
            &[200],
        );
    }
    let body =
        "v=0\no=a 1 0 IN IP6 2001:db8::20\ns=-\nc=IN IP6 2001:db8::20\nt=0 0\nm=audio 6000 RTP/AVP 0\n";
    both(
        "5118 4.6",
        &with_body(&six(calling("")), "application/sdp", body),
        &[100],
    );
    let mixed = six(frame("BYE sip:800@pronto.example SIP/2.0", "1 BYE", "")).replace("Max-Forwards", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2\nVia: SIP/2.0/TCP [2001:db8::2]:5061;branch=z9hG4bK3\nMax-Forwards");
    both("5118 4.7", &mixed, &[481]);
    let several = "v=0\no=b 1 2 IN IP4 host.example.com\ns=\nt=0 0\nm=audio 22334 RTP/AVP 0\nc=IN IP4 192.0.2.1\nm=video 6024 RTP/AVP 107\nc=IN IP6 2001:db8::1\na=rtpmap:107 H263-1998/90000\n";
    both(
        "5118 4.8",
        &with_body(&six(calling("")), "application/sdp", several),
        &[100],
    );
    both(
        "5118 4.9",
        &calling("").replace("127.0.0.2:5070;branch", "[::ffff:192.0.2.10]:19823;branch"),
        &[100],
    );
}
