//! The shell: one person's phone. A task owns its sockets (SIP, RTP, RTCP), its SIP endpoint and the RTP session of its
//! one call, and lends them to its person.

mod line;

use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use pronto_media::rtcp;
use pronto_media::session::{Arrival, Contents, PACKET, TICK};
use pronto_sip::{Endpoint, Event, Flow, Input, Output, Registration, RegistrationId, Transport};
use pronto_types::{Secret, Time};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant, Interval, MissedTickBehavior, interval};

use self::line::{Line, Sound};
use crate::person::{Happened, Note, Person};
use crate::voice::Speaker;

/// How long a registration is asked for; the phone refreshes it in time.
const EXPIRES: Duration = Duration::from_secs(60);
/// How long an operator's phone waits for its goodbye to be answered.
const GOODBYE: Duration = Duration::from_secs(2);
/// The largest SIP message, and more than any RTP packet.
const DATAGRAM: usize = 65_535;
/// Ports tried until two neighbours are free, the first even.
const PORTS_TRIED: usize = 200;

/// Why a phone cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// A phone gets no socket from the operating system.
    #[error("a phone gets no socket: {0}")]
    Socket(#[from] io::Error),
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers")]
    Random,
}

/// Makes [`Time`] for phones and their persons: zero is when the clock was started.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts the clock now, at zero.
    pub fn start() -> Self {
        Clock(Instant::now())
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.at(Instant::now())
    }

    fn at(&self, instant: Instant) -> Time {
        Time::ZERO + instant.saturating_duration_since(self.0)
    }

    fn instant(&self, at: Time) -> Instant {
        self.0 + at.since(Time::ZERO)
    }
}

/// Where the phones call, and who else is there.
#[derive(Clone, Debug)]
pub struct Centre {
    /// SIP over UDP.
    pub sip: SocketAddr,
    /// How many callers there are, and how many operators: whose voices to listen for.
    pub people: (usize, usize),
}

/// An operator's account.
#[derive(Clone, Debug)]
pub struct Account {
    /// The operator's id.
    pub user: String,
    /// The password for SIP digest authentication.
    pub password: Secret,
    /// The domain of the address of record.
    pub domain: String,
}

/// A phone, in the hands of somebody.
pub struct Phone<P> {
    person: P,
    centre: Centre,
    clock: Clock,
    notes: mpsc::Sender<Note>,
    endpoint: Endpoint,
    dice: ChaCha12Rng,
    sip: UdpSocket,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    local: SocketAddr,
    name: String,
    registration: Option<RegistrationId>,
    registered: bool,
    line: Option<Line>,
}

/// Why the task wakes.
enum Woken {
    Sip(usize, SocketAddr),
    Rtp(usize, SocketAddr),
    Rtcp(usize, SocketAddr),
    Tick(Instant),
    Deadline,
    Closing,
    Failed(io::Error),
}

#[expect(private_bounds, reason = "persons are the two of this crate")]
impl<P: Person> Phone<P> {
    /// A phone with sockets of its own on the loopback address of the centre. With an account it registers there as soon
    /// as it runs, and goes on trying.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub async fn open(
        person: P,
        centre: Centre,
        account: Option<Account>,
        clock: Clock,
        notes: mpsc::Sender<Note>,
    ) -> Result<Self, PhoneError> {
        let ip = centre.sip.ip();
        let sip = UdpSocket::bind((ip, 0)).await?;
        let local = sip.local_addr()?;
        let (rtp, rtcp) = pair(ip).await?;
        let mut dice = ChaCha12Rng::try_from_rng(&mut rand::rngs::SysRng).map_err(|_| PhoneError::Random)?;
        let domain = account
            .as_ref()
            .map_or(ip.to_string(), |account| account.domain.clone());
        let settings = pronto_sip::Settings {
            listen: vec![(Transport::Udp, local)],
            product: concat!("Pronto-Demo/", env!("CARGO_PKG_VERSION")).to_owned(),
            ..pronto_sip::Settings::new(&domain)
        };
        let name = match person.speaker() {
            Speaker::Caller(number) => format!("39055{:05}", number + 1),
            Speaker::Operator(number) => format!("operator {number}"),
        };
        let endpoint = Endpoint::new(settings, ChaCha12Rng::from_rng(&mut dice));
        let mut phone = Phone {
            person,
            centre,
            clock,
            notes,
            endpoint,
            dice,
            sip,
            rtp,
            rtcp,
            local,
            name,
            registration: None,
            registered: false,
            line: None,
        };
        if let Some(Account {
            user,
            password,
            domain,
        }) = account
        {
            let wanted = Registration {
                flow: phone.flow(),
                domain,
                user,
                password,
                expires: EXPIRES,
            };
            phone.registration = Some(phone.endpoint.register(clock.now(), wanted));
        }
        Ok(phone)
    }

    /// Runs until told to stop. `closing` names the time at which the last calls end; dropped, it means: stop now.
    ///
    /// # Errors
    /// A socket failed.
    pub async fn run(mut self, mut closing: watch::Receiver<Option<Time>>) -> Result<(), PhoneError> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut message, mut packet) = (vec![0; DATAGRAM], vec![0; DATAGRAM]);
        loop {
            let quiet = !self.has_sound();
            self.carry_on();
            if quiet && self.has_sound() {
                ticks.reset();
            }
            let woken = self
                .sleep(&mut ticks, &mut closing, (&mut message, &mut packet))
                .await;
            let now = self.clock.now();
            match woken {
                Woken::Sip(length, from) => self.take_message(now, &message[..length], from),
                Woken::Rtp(length, from) => self.take_packet(now, &packet[..length], from),
                Woken::Rtcp(length, from) => {
                    if let Some(sound) = self.sound() {
                        sound.session.handle_rtcp(now, from, &packet[..length]);
                    }
                }
                Woken::Tick(at) => self.tick(self.clock.at(at)),
                Woken::Deadline => {
                    self.endpoint.handle_timeout(now);
                    self.person.handle_timeout(now);
                }
                Woken::Closing => {
                    let at = *closing.borrow_and_update();
                    if let Some(at) = at {
                        self.person.handle(now, Happened::Closing(at));
                    }
                }
                // The sender is gone: the day is over.
                Woken::Failed(error) if error.kind() == io::ErrorKind::Interrupted => break,
                Woken::Failed(error) => return Err(error.into()),
            }
        }
        self.say_goodbye(&mut message).await
    }

    async fn sleep(
        &self,
        ticks: &mut Interval,
        closing: &mut watch::Receiver<Option<Time>>,
        (message, packet): (&mut [u8], &mut [u8]),
    ) -> Woken {
        let deadlines = [self.endpoint.poll_timeout(), self.person.poll_timeout()];
        let deadline = deadlines.into_iter().flatten().min();
        let taken =
            |result: io::Result<(usize, SocketAddr)>, woken: fn(usize, SocketAddr) -> Woken| match result {
                Ok((length, from)) => woken(length, from),
                Err(error) => Woken::Failed(error),
            };
        // Two futures may not write into one buffer: RTCP is small.
        let mut report = [0; 1500];
        tokio::select! {
            at = ticks.tick(), if self.has_sound() => Woken::Tick(at),
            result = self.rtp.recv_from(packet) => taken(result, Woken::Rtp),
            result = self.sip.recv_from(message) => taken(result, Woken::Sip),
            result = self.rtcp.recv_from(&mut report) => taken(result, Woken::Rtcp),
            () = sleep_until(deadline.map(|at| self.clock.instant(at))) => Woken::Deadline,
            changed = closing.changed() => match changed {
                Ok(()) => Woken::Closing,
                Err(_) => Woken::Failed(io::ErrorKind::Interrupted.into()),
            },
        }
    }

    fn flow(&self) -> Flow {
        Flow {
            transport: Transport::Udp,
            local: self.local,
            remote: self.centre.sip,
        }
    }

    fn has_sound(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.sound.is_some())
    }

    fn sound(&mut self) -> Option<&mut Sound> {
        self.line.as_mut()?.sound.as_mut()
    }

    fn take_message(&mut self, now: Time, message: &[u8], from: SocketAddr) {
        let flow = Flow {
            remote: from,
            ..self.flow()
        };
        let bytes = Bytes::copy_from_slice(message);
        self.endpoint.handle_input(now, Input::Message { flow, bytes });
    }

    fn take_packet(&mut self, now: Time, packet: &[u8], from: SocketAddr) {
        let (callers, operators) = self.centre.people;
        let candidates: Box<dyn Iterator<Item = Speaker>> = match self.person.speaker() {
            Speaker::Caller(_) => Box::new((0..operators).map(Speaker::Operator)),
            Speaker::Operator(_) => Box::new((0..callers).map(Speaker::Caller)),
        };
        let Some(Sound { session, ear }) = self.sound() else {
            return;
        };
        let Arrival::Rtp { heard, .. } = session.handle_packet(now, from, packet) else {
            return;
        };
        if let Contents::Audio(codec) = heard.contents
            && let Some(payload) = packet.get(heard.packet.payload)
            && let Some(speaker) = ear.hear(now, (codec, payload), candidates)
        {
            self.person.handle(now, Happened::Voice(speaker));
        }
    }

    fn tick(&mut self, now: Time) {
        let mut buffer = [0; PACKET];
        let Some(line) = &mut self.line else { return };
        let Some(Sound { session, .. }) = &mut line.sound else {
            return;
        };
        // What the kernel does not take is lost, as on a network.
        if let Some((to, range)) = session.tick(now, &mut buffer).datagram {
            let _ = self.rtp.try_send_to(&buffer[range], to);
        }
        let mut report = [0; rtcp::REPORT];
        if let Some((to, range)) = session.report(now, &mut report) {
            let _ = self.rtcp.try_send_to(&report[range], to);
        }
    }

    /// Lets endpoint and person say all they have to say.
    fn carry_on(&mut self) {
        loop {
            let now = self.clock.now();
            if let Some(output) = self.endpoint.poll_output() {
                match output {
                    Output::Transmit { flow, bytes } => {
                        let _ = self.sip.try_send_to(&bytes, flow.remote);
                    }
                    Output::Event(event) => self.event(now, event),
                }
            } else if let Some(deed) = self.person.poll_deed() {
                self.carry_out(now, deed);
            } else {
                return;
            }
        }
    }

    /// Takes the registration back and waits a little for the answer.
    async fn say_goodbye(mut self, message: &mut [u8]) -> Result<(), PhoneError> {
        let Some(registration) = self.registration else {
            return Ok(());
        };
        self.endpoint.unregister(self.clock.now(), registration);
        let until = Instant::now() + GOODBYE;
        loop {
            while let Some(output) = self.endpoint.poll_output() {
                match output {
                    Output::Transmit { flow, bytes } => {
                        let _ = self.sip.try_send_to(&bytes, flow.remote);
                    }
                    Output::Event(Event::RegistrationFailed { .. }) => return Ok(()),
                    Output::Event(_) => {}
                }
            }
            let deadline = self.endpoint.poll_timeout().map(|at| self.clock.instant(at));
            tokio::select! {
                received = self.sip.recv_from(message) => {
                    let (length, from) = received?;
                    self.take_message(self.clock.now(), &message[..length], from);
                }
                () = sleep_until(deadline) => self.endpoint.handle_timeout(self.clock.now()),
                () = tokio::time::sleep_until(until) => return Ok(()),
            }
        }
    }
}

/// Two neighbouring ports, the first even (RFC 3550 §11).
async fn pair(ip: IpAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    for _ in 0..PORTS_TRIED {
        let rtp = UdpSocket::bind((ip, 0)).await?;
        let port = rtp.local_addr()?.port();
        if port.is_multiple_of(2)
            && let Ok(rtcp) = UdpSocket::bind((ip, port + 1)).await
        {
            return Ok((rtp, rtcp));
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        "no two neighbouring ports are free",
    ))
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
