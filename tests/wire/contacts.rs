//! Phones that are not where they register from, strangers in another's name, and hosts that are not ours.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::kit::centre::{Centre, PASSWORD, Plan, STRAIGHT};
use crate::kit::digest;
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, CENTRE, PHONE, STRANGER};
use crate::kit::message::{Message, sdp};
use crate::kit::phone::{DOMAIN, PATIENCE, Phone};
use crate::kit::rtp::{RtpEndpoint, Sound};

const CALLERS: f64 = 500.0;
const OPERATORS: f64 = 900.0;
const OPERATORS_MOVED: f64 = 1_300.0;

/// A REGISTER of `user`. `via`: its sent-by and parameters.
fn register(user: &str, (number, via): (u32, &str), contacts: &str, proof: &str) -> String {
    format!(
        "REGISTER sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK{user}x{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@{DOMAIN}>;tag=r\r\nTo: <sip:{user}@{DOMAIN}>\r\nCall-ID: {user}@{via}\r\nCSeq: {number} REGISTER\r\n\
         Contact: {contacts}\r\nExpires: 300\r\n{proof}Content-Length: 0\r\n\r\n"
    )
}

/// The Authorization line that answers a 401 to [`register`].
fn proof(challenged: &Message, user: &str, password: &str) -> String {
    let challenge = challenged.header("WWW-Authenticate").expect("a challenge");
    let value = digest::answer(challenge, "REGISTER", &format!("sip:{DOMAIN}"), user, password);
    format!("Authorization: {value}\r\n")
}

/// The next response that reaches this socket.
fn response(socket: &UdpSocket) -> Message {
    socket
        .set_read_timeout(Some(PATIENCE))
        .expect("a positive timeout is accepted");
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).expect("the centre answers");
    Message::parse(&buffer[..length]).expect("a message")
}

fn talk(centre: &Centre, phone: &mut Phone) {
    let mut caller = centre.caller(0);
    let (rtp, own) = (
        RtpEndpoint::open(centre.ip(CALLER)),
        RtpEndpoint::open(centre.ip(PHONE)),
    );
    let mut call = caller.call(STRAIGHT, &rtp, Law::A);
    let rung = phone.rung(PATIENCE).expect("the phone rings");
    phone.answer(&rung, &own);
    assert!(phone.acknowledged(&rung, PATIENCE), "the ACK finds it");
    assert!(caller.hang_up(&mut call));
    assert!(
        phone.hung_up_by_them(&rung, PATIENCE).is_some(),
        "the BYE finds it"
    );
}

#[test]
fn a_phone_that_sends_from_another_port_is_rung_at_its_contact() {
    let centre = Centre::open(&Plan::default());
    let mut phone = Phone::open("101", centre.ip(PHONE), centre.sip());
    let sender = UdpSocket::bind((centre.ip(PHONE), 0)).expect("an address of the loopback can be bound");
    let (via, contact) = (phone.local().to_string(), format!("<sip:101@{}>", phone.local()));
    // It asks for no `rport`: the answers come to where it listens.
    let answer = |phone: &mut Phone| {
        phone
            .receive(PATIENCE, |m| m.status().is_some())
            .expect("an answer")
    };
    let ask = |number: u32, proof: &str| {
        let text = register("101", (number, &via), &contact, proof);
        sender
            .send_to(text.as_bytes(), centre.sip())
            .expect("the loopback takes a datagram");
    };
    ask(1, "");
    let challenged = answer(&mut phone);
    ask(2, &proof(&challenged, "101", PASSWORD));
    assert_eq!(answer(&mut phone).status(), Some(200));
    talk(&centre, &mut phone);
    centre.close();
}

/// Registers a phone that knows only its address behind the NAT. Returns the next number.
fn register_behind_nat(phone: &mut Phone, number: u32) -> u32 {
    let (via, contact) = ("192.168.1.5:5060;rport", "<sip:101@192.168.1.5:5060>");
    let mut ask = |number: u32, proof: &str| {
        phone.send_raw(register("101", (number, via), contact, proof).as_bytes());
        let answer = phone.receive(PATIENCE, |m| m.status().is_some() && m.cseq().0 == number);
        answer.expect("an answer")
    };
    let challenged = ask(number, "");
    let answer = ask(number + 1, &proof(&challenged, "101", PASSWORD));
    assert_eq!(answer.status(), Some(200));
    number + 2
}

#[test]
fn a_phone_whose_public_address_changes_in_mid_talk_is_heard_and_hears() {
    let centre = Centre::open(&Plan::default());
    let mut phone = Phone::open("101", centre.ip(PHONE), centre.sip());
    let next = register_behind_nat(&mut phone, 1);
    let (mut caller, rtp) = (centre.caller(0), RtpEndpoint::open(centre.ip(CALLER)));
    let mut call = caller.call(STRAIGHT, &rtp, Law::A);
    rtp.say(Sound::Tone(CALLERS));
    let rung = phone.rung(PATIENCE).expect("the phone rings");
    let inside = SocketAddr::from(([192, 168, 1, 5], 4000));
    let (gateway, law) = rung.invite().media().expect("an offer");
    let talks = |desk: &RtpEndpoint, hz: f64, from: Instant| {
        desk.send_to(gateway, law);
        desk.say(Sound::Tone(hz));
        assert!(
            rtp.wait_for_tone(hz, from, PATIENCE).is_some(),
            "the caller hears the operator"
        );
        let heard = desk.wait_for_tone(CALLERS, from, PATIENCE);
        assert!(heard.is_some(), "and the operator the caller");
    };
    let desk = RtpEndpoint::open(centre.ip(PHONE));
    let answered = phone.answer_with(&rung, &sdp(inside, &[law]));
    assert!(phone.acknowledged(&rung, PATIENCE));
    talks(&desk, OPERATORS, answered);
    // The router has another public address; the phone notices, and registers again.
    phone.vanish();
    desk.say(Sound::Nothing);
    let mut moved = Phone::open("101", centre.ip(PHONE + 1), centre.sip());
    let since = Instant::now();
    register_behind_nat(&mut moved, next);
    talks(&RtpEndpoint::open(centre.ip(PHONE + 1)), OPERATORS_MOVED, since);
    assert!(caller.hang_up(&mut call));
    assert!(
        moved.hung_up_by_them(&rung, PATIENCE).is_some(),
        "the BYE finds it there"
    );
    centre.close();
}

#[test]
fn two_phones_that_a_third_registers_ring_both() {
    let centre = Centre::open(&Plan::default());
    let mut phones = [0, 1].map(|n| Phone::open("101", centre.ip(PHONE + n), centre.sip()));
    let third = UdpSocket::bind((centre.ip(STRANGER), 0)).expect("an address of the loopback can be bound");
    third
        .connect(centre.sip())
        .expect("the loopback reaches the centre");
    let via = format!(
        "{};rport",
        third.local_addr().expect("a bound socket has an address")
    );
    let contacts = format!("<sip:101@{}>, <sip:101@{}>", phones[0].local(), phones[1].local());
    third
        .send(register("101", (1, &via), &contacts, "").as_bytes())
        .expect("sent");
    let challenged = response(&third);
    let proof = proof(&challenged, "101", PASSWORD);
    third
        .send(register("101", (2, &via), &contacts, &proof).as_bytes())
        .expect("sent");
    assert_eq!(response(&third).status(), Some(200));
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let mut call = caller.call(STRAIGHT, &rtp, Law::A);
    let [one, two] = &mut phones;
    let first = one.rung(PATIENCE).expect("the first rings");
    assert!(two.rung(PATIENCE).is_some(), "and the second");
    one.refuse(&first, 603, "Decline");
    assert!(caller.hang_up(&mut call));
    centre.close_now();
}

/// A connection from this address: the loopback would choose another.
fn connected(from: IpAddr, to: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let stream = runtime.expect("a runtime can be built").block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        socket.connect(to).await?.into_std()
    });
    let stream = stream.expect("the centre takes connections");
    stream.set_nonblocking(false).expect("a socket may wait");
    stream
}

/// Calls that one connection begins at once.
const CALLS: usize = 20;

#[test]
fn what_came_before_garbage_on_a_connection_is_answered() {
    let centre = Centre::open(&Plan::default());
    let mut stream = connected(centre.ip(CALLER), centre.sip());
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a positive timeout is accepted");
    let local = stream.local_addr().expect("a connected socket has an address");
    let body = sdp(SocketAddr::new(local.ip(), 4000), &[Law::A]);
    let invite = |call: usize| {
        format!(
            "INVITE sip:{STRAIGHT}@{to} SIP/2.0\r\nVia: SIP/2.0/TCP {local};branch=z9hG4bKgarbage{call}\r\nMax-Forwards: 70\r\n\
             From: <sip:tester@{local}>;tag=g{call}\r\nTo: <sip:{STRAIGHT}@{to}>\r\nCall-ID: {call}@{local}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:tester@{local};transport=tcp>\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}",
            to = centre.ip(CENTRE),
            length = body.len(),
        )
    };
    // The last one's Content-Length was too small: the end of its body is no message.
    let text: String = (0..CALLS).map(invite).collect();
    stream
        .write_all((text + "/90000\r\n").as_bytes())
        .expect("the connection takes it");
    let mut answered = String::new();
    stream
        .read_to_string(&mut answered)
        .expect("the centre closes the connection in order");
    for call in 0..CALLS {
        let of_call = format!("Call-ID: {call}@{local}\r\n");
        let mut answers = answered.split("SIP/2.0 ").filter(|m| m.contains(&of_call));
        assert!(
            answers.any(|m| m.starts_with("200 ")),
            "call {call} of {CALLS} has no answer"
        );
    }
    centre.close_now();
}

/// An INVITE of a caller's phone for this Request-URI; its final status.
fn dialled(phone: &mut Phone, uri: &str, id: &str) -> u16 {
    let local = phone.local();
    let body = sdp(SocketAddr::new(local.ip(), 4000), &[Law::A]);
    let text = format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\nFrom: <sip:t@{local}>;tag={id}\r\n\
         To: <{uri}>\r\nCall-ID: {id}@{local}\r\nCSeq: 1 INVITE\r\nContact: <sip:t@{local}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    phone.send_raw(text.as_bytes());
    let last = phone.receive(PATIENCE, |m| {
        m.call_id().starts_with(id) && m.status().is_some_and(|s| s >= 200)
    });
    last.and_then(|m| m.status()).expect("a final answer")
}

#[test]
fn a_call_for_a_host_that_is_not_ours_is_refused() {
    let named = Plan {
        host: Some("sip.example.com"),
        ..Plan::default()
    };
    for (plan, sip_example_com) in [(Plan::default(), 404), (named, 200)] {
        let centre = Centre::open(&plan);
        let mut caller = centre.caller(0);
        let us = centre.ip(CENTRE).to_string();
        let hosts = [
            ("elsewhere.example", 404),
            ("203.0.113.9", 404),
            (DOMAIN, 200),
            ("PRONTO.example:5060", 200),
            ("SIP.example.com", sip_example_com),
            (us.as_str(), 200),
        ];
        for (at, (host, expected)) in hosts.into_iter().enumerate() {
            let uri = format!("sip:{STRAIGHT}@{host}");
            assert_eq!(
                dialled(&mut caller, &uri, &format!("host{at}")),
                expected,
                "{host}"
            );
        }
        centre.close_now();
    }
}

#[test]
fn the_inside_sees_our_own_address_and_the_outside_the_advertised_one() {
    let centre = Centre::open(&Plan {
        advertise: Some("203.0.113.5"),
        ..Plan::default()
    });
    let own = centre.ip(CENTRE).to_string();
    let mut phone = centre.operator("101", 0);
    let (mut caller, rtp) = (centre.caller(0), RtpEndpoint::open(centre.ip(CALLER)));
    let mut call = caller.invite(STRAIGHT, &rtp, &[Law::A]);
    let ok = caller
        .final_response(&mut call, PATIENCE)
        .expect("a final answer");
    let seen = |message: &Message, name: &str| message.header(name).unwrap_or_default().to_owned();
    assert!(seen(&ok, "Contact").contains("203.0.113.5"), "{ok:?}");
    assert!(ok.body.contains("c=IN IP4 203.0.113.5"), "{}", ok.body);
    let rung = phone.rung(PATIENCE).expect("the phone rings");
    let invite = rung.invite();
    assert!(
        seen(invite, "Contact").contains(&own) && seen(invite, "Via").contains(&own),
        "{invite:?}"
    );
    assert!(
        invite.body.contains(&format!("c=IN IP4 {own}")),
        "{}",
        invite.body
    );
    assert!(!format!("{invite:?}").contains("203.0.113.5"), "{invite:?}");
    phone.answer(&rung, &RtpEndpoint::open(centre.ip(PHONE)));
    assert!(phone.acknowledged(&rung, PATIENCE));
    centre.close_now();
}

#[test]
fn wrong_answers_in_the_name_of_an_operator_shut_nobody_out() {
    let mut centre = Centre::open(&Plan::default());
    let socket = |centre: &Centre, host: u8| {
        let socket = UdpSocket::bind((centre.ip(host), 0)).expect("an address of the loopback can be bound");
        socket
            .connect(centre.sip())
            .expect("the loopback reaches the centre");
        socket
    };
    // Asked at one address, answered from that of the phone, and from another port of it.
    for (asks, answers) in [(STRANGER, PHONE), (PHONE, PHONE)] {
        let (asks, answers) = (socket(&centre, asks), socket(&centre, answers));
        for number in 0..40 {
            let via = |socket: &UdpSocket| format!("{};rport", socket.local_addr().expect("an address"));
            asks.send(register("101", (2 * number, &via(&asks)), "<sip:101@192.0.2.1>", "").as_bytes())
                .expect("sent");
            let proof = proof(&response(&asks), "101", "not-the-password");
            let text = register(
                "101",
                (2 * number + 1, &via(&answers)),
                "<sip:101@192.0.2.1>",
                &proof,
            );
            answers.send(text.as_bytes()).expect("sent");
            assert_eq!(response(&answers).status(), Some(401));
        }
    }
    let mut phone = Phone::open("101", centre.ip(PHONE), centre.sip());
    assert_eq!(phone.register(PASSWORD, 300), Some(200), "the phone itself");
    centre.until("the log names who guesses", |centre| {
        centre.log().contains("too many wrong passwords came from")
    });
    centre.close();
}

#[test]
fn an_operator_who_registers_without_end_shuts_nobody_out() {
    let mut centre = Centre::open(&Plan::default());
    let flood = UdpSocket::bind((centre.ip(PHONE), 0)).expect("an address of the loopback can be bound");
    flood
        .connect(centre.sip())
        .expect("the loopback reaches the centre");
    let local = flood.local_addr().expect("a bound socket has an address");
    let (via, contact) = (format!("{local};rport"), format!("<sip:101@{local}>"));
    let began = Instant::now();
    let mut refused = 0;
    // More than a table of nonces for everybody could hold.
    for number in 0..10_500 {
        flood
            .send(register("101", (2 * number, &via), &contact, "").as_bytes())
            .expect("sent");
        let proof = proof(&response(&flood), "101", PASSWORD);
        flood
            .send(register("101", (2 * number + 1, &via), &contact, &proof).as_bytes())
            .expect("sent");
        refused += u32::from(response(&flood).status() == Some(503));
    }
    assert!(
        refused > 0 || began.elapsed() > Duration::from_secs(900),
        "it is told to come later"
    );
    let mut other = Phone::open("102", centre.ip(PHONE + 1), centre.sip());
    assert_eq!(other.register(PASSWORD, 300), Some(200), "another operator");
    centre.until("the log names who registers too often", |centre| {
        centre.log().contains("operator 101 registers or calls too often")
    });
    let lines = centre.log().matches("too often").count();
    let most = 2 + usize::try_from(began.elapsed().as_secs() / 10).expect("a small number");
    assert!(lines <= most, "{lines} lines in {:?}", began.elapsed());
    centre.close();
}

#[test]
fn the_bindings_on_the_disk_are_ours_alone_to_read() {
    use std::os::unix::fs::PermissionsExt;
    let mut centre = Centre::open(&Plan::default());
    let file = centre.ground.directory().join("var/bindings.txt");
    let _phone = centre.operator("101", 0);
    let mode = |file: &std::path::Path| {
        std::fs::metadata(file)
            .map(|m| m.permissions().mode() & 0o777)
            .ok()
    };
    centre.until("the bindings are written", |_| mode(&file) == Some(0o600));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("the file is ours");
    centre.signal("KILL");
    assert!(centre.wait_for_exit(PATIENCE).is_some());
    centre.restart();
    assert_eq!(mode(&file), Some(0o600), "what an older version wrote is mended");
    centre.close();
}
