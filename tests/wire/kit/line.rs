//! Operators' lines: each operator 300, 301 … has a queue and a number 900, 901 … of their own, so that many can be rung
//! side by side. The line registers, and then passes everything between the centre and a SIPp that answers.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;

use super::centre::PASSWORD;
use super::digest;
use super::phone::{DOMAIN, PATIENCE, Phone};
use super::relay::{Relay, Trouble};

/// The operator of a line.
pub(crate) fn operator(line: usize) -> String {
    format!("{}", 300 + line)
}

/// The number whose callers wait for that operator alone.
pub(crate) fn number(line: usize) -> String {
    format!("{}", 900 + line)
}

/// Writes one flow file for each of `lines` lines.
pub(super) fn write_flows(directory: &Path, lines: usize) {
    for line in 0..lines {
        let flow = format!(
            "start = \"wait\"\n[wait]\nqueue = \"line-{line}\"\nended = \"bye\"\n[bye]\nhangup = true\n"
        );
        fs::write(directory.join(format!("line-{line}.toml")), flow)
            .expect("the test's directory is writable");
    }
}

/// Their numbers, answered as `answer` says, queues and operators.
pub(super) fn toml(lines: usize, answer: &str) -> String {
    let mut toml = String::new();
    for line in 0..lines {
        let (dial, id) = (number(line), operator(line));
        let _ = write!(
            toml,
            "[[number]]\ndial = \"{dial}\"\nflow = \"line-{line}.toml\"\nlanguage = \"it\"\nanswer = \"{answer}\"\n\
             [[queue]]\nname = \"line-{line}\"\nring = \"8s\"\nrona_pause = \"60s\"\n\
             [[operator]]\nid = \"{id}\"\npassword = \"{PASSWORD}\"\nqueues = [\"line-{line}\"]\nsign_in = \"registration\"\n"
        );
    }
    toml
}

/// The connection between an operator's SIPp and the centre.
pub(crate) enum Line {
    Datagrams(Relay),
    Stream { back: SocketAddr },
}

impl Line {
    /// Registers `phone`, and relays between its address and `sipp` with `trouble`.
    pub(crate) fn over_udp(mut phone: Phone, centre: SocketAddr, sipp: SocketAddr, trouble: Trouble) -> Line {
        assert_eq!(phone.register(PASSWORD, 300), Some(200), "the line registers");
        Line::Datagrams(Relay::behind(phone.into_socket(), centre, Some(sipp), trouble))
    }

    /// Registers `id` on a connection of its own, and joins that to one to `sipp`, which listens.
    pub(crate) fn over_tcp(id: &str, centre: SocketAddr, sipp: SocketAddr) -> Line {
        let to_centre = TcpStream::connect(centre).expect("the centre takes connections");
        let back = to_centre.local_addr().expect("a connected socket has an address");
        register(&to_centre, back, id);
        let to_sipp = TcpStream::connect(sipp).expect("SIPp takes connections");
        for (from, to) in [(&to_centre, &to_sipp), (&to_sipp, &to_centre)] {
            let twin = |stream: &TcpStream| stream.try_clone().expect("a socket can be had twice");
            let (mut from, mut to) = (twin(from), twin(to));
            from.set_read_timeout(None).expect("no timeout is accepted");
            // Ends with either connection: SIPp's when it exits.
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Both);
            });
        }
        Line::Stream { back }
    }

    /// The port at which the centre finds it.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Line::Datagrams(relay) => relay.back().port(),
            Line::Stream { back } => back.port(),
        }
    }
}

/// REGISTER, the challenge, REGISTER with its answer.
fn register(stream: &TcpStream, local: SocketAddr, id: &str) {
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a positive timeout is accepted");
    let mut reader = BufReader::new(stream);
    let mut ask = |number: u32, proof: &str| {
        let text = format!(
            "REGISTER sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/TCP {local};branch=z9hG4bKline{number}x{port}\r\nMax-Forwards: 70\r\n\
             From: <sip:{id}@{DOMAIN}>;tag=line\r\nTo: <sip:{id}@{DOMAIN}>\r\nCall-ID: line{id}x{port}\r\nCSeq: {number} REGISTER\r\n\
             Contact: <sip:{id}@{local};transport=tcp>\r\nExpires: 300\r\n{proof}Content-Length: 0\r\n\r\n",
            port = local.port(),
        );
        let mut stream = stream;
        stream
            .write_all(text.as_bytes())
            .expect("the connection takes it");
        head(&mut reader)
    };
    let challenged = ask(1, "");
    let challenge = challenged
        .lines()
        .find_map(|line| line.strip_prefix("WWW-Authenticate: "))
        .unwrap_or_else(|| panic!("the line is challenged, not: {challenged}"));
    let proof = digest::answer(challenge, "REGISTER", &format!("sip:{DOMAIN}"), id, PASSWORD);
    let welcome = ask(2, &format!("Authorization: {proof}\r\n"));
    assert!(
        welcome.starts_with("SIP/2.0 200"),
        "the line registers, not: {welcome}"
    );
}

/// One response without a body.
fn head(reader: &mut BufReader<impl Read>) -> String {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        let read = reader.read_line(&mut text).expect("the centre answers");
        assert!(read > 0, "the centre closes the line: {text}");
    }
    text
}
