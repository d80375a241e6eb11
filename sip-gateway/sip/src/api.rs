//! The words between an endpoint and its application: inputs, outputs, events, and what commands take.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use pronto_types::{Digit, OperatorId, Secret, Time, TrunkName};

use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::settings::Flow;

/// One dialog, or an attempt at one; never reused within an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LegId(pub u64);

/// One registration of our own at somebody else's registrar; never reused within an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RegistrationId(pub u64);

/// An input from the sockets or the network interfaces.
#[derive(Clone, Debug)]
pub enum Input {
    /// One datagram, or one message that the [`Framer`](crate::framing::Framer) cut from a stream.
    Message {
        /// Where it came from and where it arrived.
        flow: Flow,
        /// The octets of the datagram or message.
        bytes: Bytes,
    },
    /// A connection was closed.
    FlowClosed {
        /// The flow whose connection was closed.
        flow: Flow,
    },
    /// Could not connect, or could not send.
    FlowFailed {
        /// Over which flow.
        flow: Flow,
    },
    /// The addresses that this machine's network interfaces have now. They replace those told before.
    OwnAddresses(Vec<IpAddr>),
}

/// An output of the endpoint: a message to send, or an event.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send these bytes.
    Transmit {
        /// Over which flow.
        flow: Flow,
        /// One message to send.
        bytes: Bytes,
    },
    /// An event to report to the application.
    Event(Event),
}

/// The identity of a caller, as far as it is proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Identity {
    /// From the addresses of this trunk.
    Trunk(TrunkName),
    /// Proven by digest.
    Operator(OperatorId),
    /// From the registrar this endpoint is registered at: it is the phone here.
    Registrar,
}

/// The user and display name that the caller claims. Personal data: `Debug` shows neither of them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Caller {
    /// The user part of From, or of a trunk's P-Asserted-Identity (RFC 3325), unescaped.
    pub user: Option<String>,
    /// The display name.
    pub display: Option<String>,
    /// The caller asked not to be shown (RFC 3323).
    pub anonymous: bool,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller(anonymous: {})", self.anonymous)
    }
}

/// A change of a dialog, for a later process that may have to end it.
#[derive(Clone, PartialEq, Eq)]
pub enum DialogChange {
    /// It stands, or is another than it was: what an [`Orphan`] is made of. Personal data.
    Open(Bytes),
    /// We have answered: it stands, and is as it was.
    Answered,
    /// It is over.
    Over,
}

impl fmt::Debug for DialogChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DialogChange::Open(_) => "Open",
            DialogChange::Answered => "Answered",
            DialogChange::Over => "Over",
        })
    }
}

/// A dialog that its process did not end.
#[derive(Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The octets of the last [`DialogChange::Open`].
    pub kept: Bytes,
    /// Whether [`DialogChange::Answered`] followed it.
    pub answered: bool,
}

impl Orphan {
    /// Somebody hears it ring, or may send the INVITE again: to be ended before those that are only silent.
    pub fn is_urgent(&self) -> bool {
        // The second octet says what it is: 2 is a dialog that both sides know.
        !self.answered && self.kept.get(1).is_some_and(|what| *what < 2)
    }
}

impl fmt::Debug for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Orphan(answered: {})", self.answered)
    }
}

/// Where a request goes: what to ask for, and over which flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destination {
    /// The Request-URI, which is also the address in To.
    pub uri: Bytes,
    /// To a registered phone: [`Binding::reach`](crate::Binding::reach).
    pub flow: Flow,
}

/// How an INVITE of ours looks to the one who is called.
#[derive(Clone, Default)]
pub struct InviteOptions {
    /// The user part of From; `anonymous` when absent.
    pub from_user: Option<String>,
    /// The display name of From: who calls, for which queue, after how long.
    pub from_display: Option<String>,
}

impl fmt::Debug for InviteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteOptions([caller])")
    }
}

/// A registration of our own, for endpoints that are phones.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The registrar, and the socket we use.
    pub flow: Flow,
    /// The domain of the address of record, and the Request-URI.
    pub domain: String,
    /// The user part, for From, To, Contact and the digest.
    pub user: String,
    /// For the digest.
    pub password: Secret,
    /// How long to ask for.
    pub expires: Duration,
}

/// A new call.
#[derive(Clone, Debug)]
pub struct Invite {
    /// The leg of this call.
    pub leg: LegId,
    /// The caller's identity, as far as it is proven.
    pub from: Identity,
    /// The user part of the Request-URI, unescaped, otherwise as it came. Empty when there was none.
    pub dialled: String,
    /// The user and display name that the caller claims.
    pub caller: Caller,
    /// The address it came from.
    pub source: SocketAddr,
    /// The offer; without one, ours goes into the 200 (RFC 3261 §13.2.1).
    pub offer: Option<Bytes>,
    /// Whether the sender is known to be at its address: by a connection, or by a digest for a nonce that was sent there. A
    /// datagram's source can be forged.
    pub proven: bool,
}

/// How a dialog ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EndedBy {
    /// The peer said BYE.
    Bye {
        /// Why, if it said so.
        reason: Option<Reason>,
    },
    /// Our 200 was never acknowledged (RFC 3261 §13.3.1.4); we have sent BYE.
    AckTimeout,
    /// A request inside the dialog was answered 481 or 408, or not at all (§12.2.1.2): this status, 408 for silence.
    Lost {
        /// 408, 481, or 503 for a flow that failed.
        status: u16,
    },
    /// The connection closed before the INVITE had its final response.
    FlowClosed,
}

/// The outcome of a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// An answer, be it a refusal: somebody is there.
    There,
    /// The peer, or a proxy, says that the dialog is gone (481, 408), or nothing has answered at all. If the dialog was
    /// acknowledged, [`Event::Ended`] follows.
    Gone,
    /// A 481 in a dialog that is not confirmed yet. Either the peer has lost the call, or it does not know early dialogs and
    /// answers so to every question.
    Denied,
    /// The question could not be sent: its connection is closed. The leg stays, and may be asked again.
    NoWay,
}

/// An event of a leg, binding or registration. Each leg has exactly one last event: [`Event::Cancelled`],
/// [`Event::Refused`], [`Event::Ended`] or [`Event::Released`]. After it, and after
/// [`Endpoint::hangup`](crate::Endpoint::hangup) and [`Endpoint::reject`](crate::Endpoint::reject), commands to the leg
/// do nothing.
#[derive(Clone, Debug)]
pub enum Event {
    /// A call came in; 100 has been sent.
    Invite(Invite),
    /// The ACK for our 200 came, also after a re-INVITE.
    Acknowledged {
        /// The leg whose 200 was acknowledged.
        leg: LegId,
        /// The answer, when the offer was in our 200.
        answer: Option<Bytes>,
    },
    /// The caller gave up before our final answer. CANCEL was answered 200, the INVITE 487. The last event.
    Cancelled {
        /// The leg that the caller cancelled.
        leg: LegId,
        /// Why, if the caller's side said so.
        reason: Option<Reason>,
    },
    /// A provisional answer to our INVITE, except 100.
    Progress {
        /// The leg that received the provisional answer.
        leg: LegId,
        /// 101 to 199.
        status: u16,
        /// The session description for early media, if there is one.
        sdp: Option<Bytes>,
    },
    /// Our INVITE was answered; the ACK has been sent.
    Answered {
        /// The leg that was answered.
        leg: LegId,
        /// The answer: of the 200, or else of a provisional response before it.
        sdp: Option<Bytes>,
    },
    /// Our INVITE failed. The last event.
    Refused {
        /// The leg whose INVITE failed.
        leg: LegId,
        /// The peer's status, or ours: 408 for no answer at all, 503 for a flow that failed.
        status: u16,
        /// The status is ours: nobody said it.
        local: bool,
        /// The delay from Retry-After, if the response has one.
        retry_after: Option<Duration>,
    },
    /// The peer wants another session: [`Endpoint::accept_offer`](crate::Endpoint::accept_offer) or
    /// [`Endpoint::refuse_offer`](crate::Endpoint::refuse_offer).
    Offer {
        /// The leg whose peer wants another session.
        leg: LegId,
        /// The offer; without one, accept with an offer of ours, whose answer comes with [`Event::Acknowledged`].
        sdp: Option<Bytes>,
        /// It is an UPDATE, which no ACK follows: only somebody who got our 200 knows the dialog.
        proven: bool,
    },
    /// The outcome of [`Endpoint::reoffer`](crate::Endpoint::reoffer). After a refusal the session stays as it was,
    /// unless [`Event::Ended`] follows.
    Reoffered {
        /// The leg of the re-INVITE.
        leg: LegId,
        /// The peer's status; 491 too where the peer's own offer has come between: the reason for ours may be gone.
        status: u16,
        /// The answer, in a 200.
        answer: Option<Bytes>,
    },
    /// A key, by INFO.
    Digit {
        /// The leg whose peer pressed the key.
        leg: LegId,
        /// The key that was pressed.
        digit: Digit,
        /// For how long it was held.
        duration: Duration,
    },
    /// The dialog is over, and it was not us who ended it. The last event.
    Ended {
        /// The leg whose dialog is over.
        leg: LegId,
        /// The way the dialog ended.
        by: EndedBy,
    },
    /// A leg that we rejected or hung up is finished with. The last event.
    Released {
        /// The leg that was rejected or hung up.
        leg: LegId,
    },
    /// The peer's phone has another IP address now, as after a change of network: what belongs to the dialog, media too, comes
    /// from there. It was proven with the operator's password.
    Moved {
        /// The leg whose phone has moved.
        leg: LegId,
        /// The new address.
        ip: IpAddr,
    },
    /// The outcome of [`Endpoint::probe`](crate::Endpoint::probe).
    Probed {
        /// The leg that was probed.
        leg: LegId,
        /// The outcome of the probe.
        found: Found,
    },
    /// The best lease of an operator's reachable phones changed: registered, refreshed, unregistered, expired, found
    /// unreachable or reachable again.
    Binding {
        /// The operator whose lease changed.
        operator: OperatorId,
        /// The time when the longest binding expires; `None` without a binding.
        expires: Option<Time>,
    },
    /// An INVITE, UPDATE or INFO was refused for its body, before anybody was told of it.
    BodyRefused {
        /// The address and port of the sender.
        source: SocketAddr,
        /// The refusal that the sender received.
        refusal: Refusal,
    },
    /// A registration of ours stands, or stands again.
    Registered {
        /// The registration that now stands.
        registration: RegistrationId,
        /// For how long.
        expires: Duration,
    },
    /// A registration of ours failed, or ended as asked (200). After a failure it is tried again, later and later.
    RegistrationFailed {
        /// The registration that failed or ended.
        registration: RegistrationId,
        /// The registrar's status; 408 for silence, 503 for a flow that failed, 200 after unregistering.
        status: u16,
    },
}

impl Event {
    /// The leg an event is about.
    pub fn leg(&self) -> Option<LegId> {
        match self {
            Event::Invite(invite) => Some(invite.leg),
            Event::Acknowledged { leg, .. }
            | Event::Cancelled { leg, .. }
            | Event::Reoffered { leg, .. }
            | Event::Progress { leg, .. }
            | Event::Answered { leg, .. }
            | Event::Refused { leg, .. }
            | Event::Offer { leg, .. }
            | Event::Digit { leg, .. }
            | Event::Ended { leg, .. }
            | Event::Released { leg }
            | Event::Moved { leg, .. }
            | Event::Probed { leg, .. } => Some(*leg),
            Event::Binding { .. }
            | Event::BodyRefused { .. }
            | Event::Registered { .. }
            | Event::RegistrationFailed { .. } => None,
        }
    }
}

/// Somebody who asks for more than they have a right to, for the log. Told at most once until
/// [`Endpoint::take_notices`](crate::Endpoint::take_notices), with how often it happened.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Notice {
    /// An operator registers, or calls, more often than a person can.
    Overdone(OperatorId),
    /// More messages from an unknown address, or requests within one call, than are looked at.
    Limited(IpAddr),
    /// Too many wrong passwords came from here.
    Banned(SocketAddr),
}

/// Messages that led to nothing, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dropped {
    /// Not SIP, or too broken to answer.
    pub unusable: u64,
    /// Line breaks only.
    pub keep_alive: u64,
    /// Responses that belong to no request of ours.
    pub stray_responses: u64,
    /// ACKs that belong to no answer of ours.
    pub stray_acks: u64,
    /// Requests answered 400 and their like.
    pub malformed: u64,
    /// Requests answered 503 at a limit or while draining.
    pub overload: u64,
    /// Requests answered 401.
    pub challenged: u64,
    /// Requests answered 403.
    pub forbidden: u64,
    /// Messages of strangers over their source's rate, not looked at.
    pub limited: u64,
    /// Sources banned for wrong passwords.
    pub banned: u64,
    /// Requests of operators over their budget, answered 503.
    pub overdone: u64,
}

/// How much is going on; for metrics and for leak checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Transactions, lingering ones included.
    pub transactions: usize,
    /// Dialogs and attempts at one.
    pub dialogs: usize,
    /// Bindings of all operators.
    pub bindings: usize,
    /// Registrations of our own.
    pub registrations: usize,
    /// Source addresses whose messages are counted.
    pub sources: usize,
    /// Messages that led to nothing.
    pub dropped: Dropped,
}
