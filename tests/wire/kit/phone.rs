//! A SIP phone of our own over UDP: text templates and one socket, no transaction layer, no code of the product's.
//! It may call, be called, register, and do all of it wrong on purpose.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::digest;
use super::g711::Law;
use super::message::{Message, parameter, sdp, uri};
use super::rtp::RtpEndpoint;

/// The longest wait for an answer to a request before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// `[sip] domain` of the test centre: what operators register at.
pub(crate) const DOMAIN: &str = "pronto.example";

static SERIAL: AtomicU32 = AtomicU32::new(1);

fn serial() -> String {
    format!(
        "{}x{}",
        std::process::id(),
        SERIAL.fetch_add(1, Ordering::Relaxed)
    )
}

pub(crate) struct Phone {
    desk: Arc<Desk>,
    server: SocketAddr,
    /// The algorithm the last challenge asked for.
    #[allow(dead_code, reason = "the load bench does not ask")]
    pub(crate) asked: String,
    /// Call-IDs of the calls that came in, so that a retransmitted INVITE is no second call.
    rung: BTreeSet<String>,
}

/// The state a phone shares with the thread that reads for it while its test looks elsewhere: that thread answers
/// OPTIONS.
struct Desk {
    socket: UdpSocket,
    local: SocketAddr,
    user: String,
    /// Held by whoever reads the socket.
    inbox: Mutex<VecDeque<Message>>,
    /// It answers no OPTIONS.
    mute: AtomicBool,
}

/// So often that thread looks.
const ATTENDS: Duration = Duration::from_millis(200);

impl Desk {
    /// Reads what has come, unless the test reads.
    fn attend(&self) {
        let Ok(mut inbox) = self.inbox.try_lock() else {
            return;
        };
        let mut buffer = vec![0; 65_536];
        let soon = Some(Duration::from_millis(1));
        self.socket
            .set_read_timeout(soon)
            .expect("a positive timeout is accepted");
        while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            inbox.extend(self.take(&buffer[..length], from));
        }
    }

    /// A message for the test.
    fn take(&self, datagram: &[u8], from: SocketAddr) -> Option<Message> {
        let message = Message::parse(datagram)?;
        if message.method() != Some("OPTIONS") {
            return Some(message);
        }
        if !self.mute.load(Ordering::Relaxed) {
            let text = self.response(&message, (200, "OK"), "", "");
            let _ = self.socket.send_to(text.as_bytes(), from);
        }
        None
    }

    fn response(&self, request: &Message, (status, reason): (u16, &str), tag: &str, body: &str) -> String {
        let mut text = format!("SIP/2.0 {status} {reason}\r\n");
        for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
            for value in request.all(name) {
                let ours = if name == "To" && !tag.is_empty() {
                    format!(";tag={tag}")
                } else {
                    String::new()
                };
                text += &format!("{name}: {value}{ours}\r\n");
            }
        }
        text += &format!("Contact: <sip:{}@{}>\r\n", self.user, self.local);
        finish(text, body)
    }
}

/// One dialog, or the attempt at one.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    call_id: String,
    /// Our side and theirs, as From (or To) values with their tags.
    ours: String,
    theirs: String,
    target: String,
    cseq: u32,
    branch: String,
    /// The INVITE we received, when they called.
    invite: Option<Message>,
}

impl Phone {
    pub(crate) fn open(user: &str, ip: IpAddr, server: SocketAddr) -> Phone {
        Phone::open_at(user, (ip, 0).into(), server)
    }

    /// The same at a port of its choice.
    pub(crate) fn open_at(user: &str, local: SocketAddr, server: SocketAddr) -> Phone {
        let socket = UdpSocket::bind(local).expect("an address of the loopback can be bound");
        let local = socket.local_addr().expect("a bound socket has an address");
        let desk = Arc::new(Desk {
            socket,
            local,
            user: user.to_owned(),
            inbox: Mutex::default(),
            mute: AtomicBool::new(false),
        });
        let attended = Arc::downgrade(&desk);
        thread::spawn(move || {
            while let Some(desk) = attended.upgrade() {
                desk.attend();
                drop(desk);
                thread::park_timeout(ATTENDS);
            }
        });
        Phone {
            desk,
            server,
            asked: String::new(),
            rung: BTreeSet::new(),
        }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.desk.local
    }

    /// Its socket, for somebody else to speak through.
    pub(crate) fn into_socket(self) -> UdpSocket {
        // Whoever reads now is done first.
        drop(self.desk.inbox.lock());
        let socket = self.desk.socket.try_clone();
        socket.expect("a socket can be had twice")
    }

    /// From now on nothing is answered unless the test does: to the centre it is gone.
    #[allow(dead_code, reason = "no phone of the load bench vanishes")]
    pub(crate) fn vanish(&self) {
        self.desk.mute.store(true, Ordering::Relaxed);
    }

    /// Talks to another server from now on.
    pub(crate) fn talk_to(&mut self, server: SocketAddr) {
        self.server = server;
    }

    pub(crate) fn send_raw(&self, bytes: &[u8]) {
        self.desk
            .socket
            .send_to(bytes, self.server)
            .expect("the loopback takes a datagram");
    }

    /// The first message, kept or coming, that satisfies `wanted`. OPTIONS are answered on the way.
    pub(crate) fn receive(
        &mut self,
        timeout: Duration,
        wanted: impl Fn(&Message) -> bool,
    ) -> Option<Message> {
        let deadline = Instant::now() + timeout;
        let desk = &self.desk;
        let mut inbox = desk.inbox.lock().unwrap();
        if let Some(at) = inbox.iter().position(&wanted) {
            return inbox.remove(at);
        }
        let mut buffer = vec![0; 65_536];
        loop {
            let left = deadline
                .checked_duration_since(Instant::now())
                .filter(|left| !left.is_zero())?;
            desk.socket
                .set_read_timeout(Some(left))
                .expect("a positive timeout is accepted");
            let Ok((length, from)) = desk.socket.recv_from(&mut buffer) else {
                continue;
            };
            match desk.take(&buffer[..length], from) {
                Some(message) if wanted(&message) => return Some(message),
                other => inbox.extend(other),
            }
        }
    }

    /// The same, and an instant at which the message had not arrived: some 200 µs before it did, unless the machine is
    /// busy. `None` if it was here when the first look began.
    #[allow(dead_code, reason = "the load bench measures in another way")]
    pub(crate) fn watch_for(
        &mut self,
        timeout: Duration,
        wanted: impl Fn(&Message) -> bool,
    ) -> Option<(Option<Instant>, Message)> {
        // A thread that only looked would use up its share of the processor, and come late on a busy machine.
        const LOOK: Duration = Duration::from_micros(20);
        const BETWEEN: Duration = Duration::from_micros(100);
        let deadline = Instant::now() + timeout;
        let desk = Arc::clone(&self.desk);
        let nonblocking = |so| {
            let set = desk.socket.set_nonblocking(so);
            set.expect("a socket can be made non-blocking, and blocking");
        };
        nonblocking(true);
        let mut absent = None;
        let found = loop {
            let looks = Instant::now();
            if let Some(message) = self.receive(LOOK, &wanted) {
                break Some((absent, message));
            }
            if looks >= deadline {
                break None;
            }
            // This look found nothing: when it began, the message had not arrived.
            absent = Some(looks);
            thread::park_timeout(BETWEEN);
        };
        nonblocking(false);
        found
    }

    /// Asks whether the server is there: an OPTIONS, and any response to it.
    pub(crate) fn ping(&mut self, timeout: Duration) -> Option<u16> {
        let call = self.dial("");
        self.request(&call, "OPTIONS", "", "");
        self.receive(timeout, |message| {
            message.status().is_some() && message.call_id() == call.call_id
        })?
        .status()
    }

    /// Registers this phone as `user`, answering the challenge; the status that came of it.
    pub(crate) fn register(&mut self, password: &str, expires: u32) -> Option<u16> {
        let mut call = self.dial("");
        call.ours = format!("<sip:{}@{DOMAIN}>;tag=r{}", self.desk.user, serial());
        call.theirs = format!("<sip:{}@{DOMAIN}>", self.desk.user);
        call.target = format!("sip:{DOMAIN}");
        let contact = format!(
            "Contact: <sip:{}@{}>\r\nExpires: {expires}\r\n",
            self.desk.user, self.desk.local
        );
        self.request(&call, "REGISTER", &contact, "");
        let challenged = self.response(&call, PATIENCE)?;
        if challenged.status() != Some(401) {
            return challenged.status();
        }
        let challenge = challenged.header("WWW-Authenticate")?;
        self.asked = digest::algorithm(challenge).to_owned();
        let proof = digest::answer(challenge, "REGISTER", &call.target, &self.desk.user, password);
        call.next();
        self.request(
            &call,
            "REGISTER",
            &format!("{contact}Authorization: {proof}\r\n"),
            "",
        );
        self.response(&call, PATIENCE)?.status()
    }

    fn dial(&self, number: &str) -> Call {
        let serial = serial();
        let at = if number.is_empty() {
            String::new()
        } else {
            format!("{number}@")
        };
        Call {
            call_id: format!("{serial}@{}", self.desk.local.ip()),
            ours: format!(
                "\"Wire Test\" <sip:{}@{}>;tag=t{serial}",
                self.desk.user,
                self.desk.local.ip()
            ),
            theirs: format!("<sip:{at}{}>", self.server.ip()),
            target: format!("sip:{at}{}", self.server),
            cseq: 1,
            branch: format!("z9hG4bK{serial}"),
            invite: None,
        }
    }

    /// Sends an INVITE that offers `rtp`. What comes of it: [`Phone::outcome`].
    pub(crate) fn invite(&mut self, number: &str, rtp: &RtpEndpoint, laws: &[Law]) -> Call {
        self.invite_with(number, &sdp(rtp.local(), laws))
    }

    pub(crate) fn invite_with(&mut self, number: &str, body: &str) -> Call {
        let call = self.dial(number);
        self.request(&call, "INVITE", "", body);
        call
    }

    /// An INVITE whose body is of this type.
    #[allow(dead_code, reason = "the load bench sends SDP only")]
    pub(crate) fn invite_of_kind(&mut self, number: &str, kind: &str, body: &str) -> Call {
        let call = self.dial(number);
        let text = self.text(&call, "INVITE", "");
        let text = format!("{text}Content-Type: {kind}\r\n");
        self.send_raw(format!("{text}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
        call
    }

    /// An INFO with a key (application/dtmf-relay); the status of its answer.
    #[allow(dead_code, reason = "the load bench presses no keys")]
    pub(crate) fn inform(&mut self, call: &mut Call, relay: &str) -> Option<u16> {
        call.next();
        let text = self.text(call, "INFO", "Content-Type: application/dtmf-relay\r\n");
        self.send_raw(format!("{text}Content-Length: {}\r\n\r\n{relay}", relay.len()).as_bytes());
        self.response(call, PATIENCE)?.status()
    }

    /// The final response to our INVITE, acknowledged. A 2xx makes the dialog; another ends the transaction, its ACK
    /// as RFC 3261 §17.1.1.3 wants it.
    pub(crate) fn final_response(&mut self, call: &mut Call, timeout: Duration) -> Option<Message> {
        let last = self.receive(timeout, call.is_final())?;
        self.acknowledge(call, &last)?;
        Some(last)
    }

    /// The ACK of a final response to our INVITE.
    pub(crate) fn acknowledge(&mut self, call: &mut Call, last: &Message) -> Option<()> {
        call.theirs = last.header("To")?.to_owned();
        if last.status()? < 300 {
            call.target = uri(last.header("Contact")?).to_owned();
            call.branch = format!("z9hG4bK{}", serial());
        }
        self.request(call, "ACK", "", "");
        Some(())
    }

    /// The same, and `rtp` sends to where a 2xx wants it from now on.
    pub(crate) fn outcome(
        &mut self,
        call: &mut Call,
        rtp: &RtpEndpoint,
        timeout: Duration,
    ) -> Option<Message> {
        let last = self.final_response(call, timeout)?;
        if last.status()? < 300 {
            let (remote, law) = last.media()?;
            rtp.send_to(remote, law);
        }
        Some(last)
    }

    /// INVITE to 2xx and ACK in one, for calls that must succeed.
    pub(crate) fn call(&mut self, number: &str, rtp: &RtpEndpoint, law: Law) -> Call {
        let mut call = self.invite(number, rtp, &[law]);
        let last = self
            .outcome(&mut call, rtp, PATIENCE)
            .unwrap_or_else(|| panic!("no final response to our INVITE of {number}"));
        assert_eq!(
            last.status(),
            Some(200),
            "the call to {number} was refused: {}",
            last.start
        );
        call
    }

    /// Offers another session inside the dialog; the answer to it.
    #[allow(dead_code, reason = "the load bench holds nobody")]
    pub(crate) fn reoffer(&mut self, call: &mut Call, body: &str) -> Message {
        call.next();
        self.request(call, "INVITE", "", body);
        let last = self.final_response(call, PATIENCE);
        last.expect("a re-INVITE is answered")
    }

    /// Takes our own INVITE back: same branch and CSeq number (RFC 3261 §9.1).
    pub(crate) fn cancel(&mut self, call: &Call) {
        self.request(call, "CANCEL", "", "");
    }

    /// Sends BYE; whether it was answered 200.
    pub(crate) fn hang_up(&mut self, call: &mut Call) -> bool {
        call.next();
        self.request(call, "BYE", "", "");
        self.response(call, PATIENCE)
            .and_then(|response| response.status())
            == Some(200)
    }

    /// Waits for their BYE and answers it; when it came.
    pub(crate) fn hung_up_by_them(&mut self, call: &Call, timeout: Duration) -> Option<Instant> {
        let call_id = call.call_id.clone();
        let bye = self.receive(timeout, |message| {
            message.method() == Some("BYE") && message.call_id() == call_id
        })?;
        let at = Instant::now();
        self.respond(&bye, 200, "OK", "", "");
        Some(at)
    }

    /// Answers one BYE that has already come, of whatever call; whether there was one.
    #[allow(dead_code, reason = "the load bench has one phone for many calls")]
    pub(crate) fn any_hang_up(&mut self) -> bool {
        let mut inbox = self.desk.inbox.lock().unwrap();
        let bye = inbox.iter().position(|message| message.method() == Some("BYE"));
        let bye = bye.and_then(|at| inbox.remove(at));
        drop(inbox);
        if let Some(bye) = &bye {
            self.respond(bye, 200, "OK", "", "");
        }
        bye.is_some()
    }

    /// Throws away what came and nobody waited for: provisional responses, retransmissions.
    #[allow(dead_code, reason = "the load bench keeps its phones for thousands of calls")]
    pub(crate) fn forget(&mut self) {
        self.desk
            .inbox
            .lock()
            .unwrap()
            .retain(|message| matches!(message.method(), Some("INVITE" | "BYE" | "CANCEL")));
    }

    /// A response to the newest request of the call.
    fn response(&mut self, call: &Call, timeout: Duration) -> Option<Message> {
        let branch = call.branch.clone();
        self.receive(timeout, |message| {
            message.branch() == branch && message.status().is_some_and(|status| status >= 200)
        })
    }

    /// Waits to be called, and rings. The call is ours to answer or refuse.
    pub(crate) fn rung(&mut self, timeout: Duration) -> Option<Call> {
        let call = self.called(timeout)?;
        self.reply(&call, 180, "Ringing", "");
        Some(call)
    }

    /// Waits to be called, and does not ring yet.
    pub(crate) fn trying(&mut self, timeout: Duration) -> Option<Call> {
        let call = self.called(timeout)?;
        self.reply(&call, 100, "Trying", "");
        Some(call)
    }

    fn called(&mut self, timeout: Duration) -> Option<Call> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let invite = self.receive(left, |message| message.method() == Some("INVITE"))?;
            if !self.rung.insert(invite.call_id().to_owned()) {
                continue;
            }
            return Some(Call {
                call_id: invite.call_id().to_owned(),
                ours: format!("{};tag=p{}", invite.header("To")?, serial()),
                theirs: invite.header("From")?.to_owned(),
                target: uri(invite.header("Contact")?).to_owned(),
                cseq: 0,
                branch: String::new(),
                invite: Some(invite),
            });
        }
    }

    /// 200 to a request that needs no more.
    pub(crate) fn agree(&self, request: &Message) {
        self.respond(request, 200, "OK", "", "");
    }

    /// 401 to a request, as the realm `wire` with the nonce `n0nce`.
    pub(crate) fn challenge(&self, request: &Message) {
        let header = "Digest realm=\"wire\", nonce=\"n0nce\", algorithm=MD5, qop=\"auth\"";
        self.respond(
            request,
            401,
            &format!("Unauthorized\r\nWWW-Authenticate: {header}"),
            "",
            "",
        );
    }

    /// Answers 200 with `rtp` in the first law of their offer; when the 200 was sent.
    pub(crate) fn answer(&mut self, call: &Call, rtp: &RtpEndpoint) -> Instant {
        let (remote, law) = call.invite().media().expect("their INVITE offers audio");
        rtp.send_to(remote, law);
        self.answer_with(call, &sdp(rtp.local(), &[law]))
    }

    /// 183 with this session description.
    #[allow(dead_code, reason = "the load bench answers at once")]
    pub(crate) fn progress_with(&mut self, call: &Call, body: &str) {
        self.reply(call, 183, "Session Progress", body);
    }

    pub(crate) fn answer_with(&mut self, call: &Call, body: &str) -> Instant {
        let at = Instant::now();
        self.reply(call, 200, "OK", body);
        at
    }

    /// Whether our 200 was acknowledged.
    pub(crate) fn acknowledged(&mut self, call: &Call, timeout: Duration) -> bool {
        let call_id = call.call_id.clone();
        self.receive(timeout, |message| {
            message.method() == Some("ACK") && message.call_id() == call_id
        })
        .is_some()
    }

    /// Refuses with `status` and waits for the ACK.
    pub(crate) fn refuse(&mut self, call: &Call, status: u16, reason: &str) -> bool {
        self.reply(call, status, reason, "");
        self.acknowledged(call, PATIENCE)
    }

    /// Waits for their CANCEL and obeys it: 200 to it, 487 to the INVITE. When it came.
    pub(crate) fn cancelled(&mut self, call: &Call, timeout: Duration) -> Option<Instant> {
        let call_id = call.call_id.clone();
        let cancel = self.receive(timeout, |message| {
            message.method() == Some("CANCEL") && message.call_id() == call_id
        })?;
        let at = Instant::now();
        self.respond(&cancel, 200, "OK", "", "");
        self.reply(call, 487, "Request Terminated", "");
        Some(at)
    }

    fn reply(&self, call: &Call, status: u16, reason: &str, body: &str) {
        let tag = parameter(&call.ours, "tag").unwrap_or_default();
        self.respond(call.invite(), status, reason, tag, body);
    }

    fn respond(&self, request: &Message, status: u16, reason: &str, tag: &str, body: &str) {
        let text = self.desk.response(request, (status, reason), tag, body);
        self.send_raw(text.as_bytes());
    }

    fn request(&self, call: &Call, method: &str, headers: &str, body: &str) {
        self.send_raw(finish(self.text(call, method, headers), body).as_bytes());
    }

    /// A request up to the fields of its body.
    fn text(&self, call: &Call, method: &str, headers: &str) -> String {
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: {ours}\r\nTo: {theirs}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{contact}{headers}",
            target = call.target,
            local = self.desk.local,
            branch = call.branch,
            ours = call.ours,
            theirs = call.theirs,
            call_id = call.call_id,
            cseq = call.cseq,
            contact = if method == "INVITE" {
                format!("Contact: <sip:{}@{}>\r\n", self.desk.user, self.desk.local)
            } else {
                String::new()
            },
        )
    }
}

impl Call {
    pub(crate) fn invite(&self) -> &Message {
        self.invite.as_ref().expect("only of a call that came in")
    }

    /// Whether a message is the final response to our INVITE.
    pub(crate) fn is_final(&self) -> impl Fn(&Message) -> bool + use<> {
        let call_id = self.call_id.clone();
        move |message| {
            message.call_id() == call_id
                && message.cseq().1 == "INVITE"
                && message.status().is_some_and(|status| status >= 200)
        }
    }

    /// A new request in the dialog.
    fn next(&mut self) {
        self.cseq += 1;
        self.branch = format!("z9hG4bK{}", serial());
    }
}

fn finish(mut head: String, body: &str) -> String {
    if !body.is_empty() {
        head += "Content-Type: application/sdp\r\n";
    }
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
}
