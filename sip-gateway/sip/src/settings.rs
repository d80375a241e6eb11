//! Settings that an endpoint receives at its start.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use pronto_types::{OperatorId, TrunkName};

pub use crate::digest::{Algorithm, Ha1};

/// How a message travels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// Datagrams: we retransmit.
    Udp,
    /// A stream: the transport retransmits.
    Tcp,
    /// A stream under TLS (RFC 3261 §26.2.1).
    Tls,
    /// A WebSocket (RFC 7118).
    Ws,
    /// A WebSocket under TLS.
    Wss,
}

impl Transport {
    /// As it stands in a Via.
    pub const fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// All of them.
    pub const ALL: [Transport; 5] = [
        Transport::Udp,
        Transport::Tcp,
        Transport::Tls,
        Transport::Ws,
        Transport::Wss,
    ];

    /// The parameter of a `sip:` URI that names it; none for UDP. "sips" says TLS by itself, and WebSockets are `ws` with or
    /// without TLS (RFC 7118 §5.2.4).
    pub(crate) const fn uri_param(self, sips: bool) -> &'static str {
        match self {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls if sips => "",
            Transport::Tls => ";transport=tls",
            Transport::Ws | Transport::Wss => ";transport=ws",
        }
    }

    /// Whether nobody on the way can read it.
    pub const fn is_secure(self) -> bool {
        matches!(self, Transport::Tls | Transport::Wss)
    }

    /// Whether messages are cut out of a stream by their Content-Length. A WebSocket brings whole messages.
    pub const fn is_stream(self) -> bool {
        matches!(self, Transport::Tcp | Transport::Tls)
    }

    /// Whether we can open a lost connection again: not over TLS and WebSockets, whose clients have neither a
    /// certificate nor a server.
    pub const fn is_dialled(self) -> bool {
        matches!(self, Transport::Udp | Transport::Tcp)
    }

    /// Its name in lower case, as in a URI and in our configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws => "ws",
            Transport::Wss => "wss",
        }
    }

    /// "Reliable" in the sense of RFC 3261 §17.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Transport::Udp)
    }
}

/// Between which two sockets (RFC 5626 §3). On streams a flow is one connection. Asked to transmit on a TCP flow it does
/// not have, the shell connects to `remote`, and keeps calling it by the same flow; over TLS and WebSockets such a flow has
/// failed ([`Transport::is_dialled`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Flow {
    /// The transport of the flow.
    pub transport: Transport,
    /// Our listening socket.
    pub local: SocketAddr,
    /// The peer's address, as seen.
    pub remote: SocketAddr,
}

/// A peer that may call in without registering, known by its source address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trunk {
    /// The name in the configuration.
    pub name: TrunkName,
    /// The networks that its calls arrive from.
    pub allow: Vec<IpNet>,
    /// Whether callers from this machine's own addresses belong to it, where no `allow` names their address. The shell tells
    /// the addresses ([`Input::OwnAddresses`](crate::Input::OwnAddresses)).
    pub this_machine: bool,
    /// The calls that it may make.
    pub budget: Budget,
}

impl Trunk {
    /// A trunk that is known by its networks alone, without a budget of its own.
    pub fn new(name: TrunkName, allow: Vec<IpNet>) -> Self {
        Trunk {
            name,
            allow,
            this_machine: false,
            budget: Budget::default(),
        }
    }
}

/// Limits of one trunk; above them, 503 with Retry-After. A trunk is budgeted, never banned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Calls at once.
    pub calls: usize,
    /// New calls a second; as many may come at once.
    pub per_second: u32,
}

impl Default for Budget {
    /// No budget of its own: the endpoint's limits are the trunk's.
    fn default() -> Self {
        Budget {
            calls: usize::MAX,
            per_second: u32::MAX,
        }
    }
}

/// Limits for one source address that is no trunk, no bound phone and in no call of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StrangerLimits {
    /// Messages looked at a second; more are dropped unread.
    pub per_second: u32,
    /// Messages looked at that come at once: an office whose power is back registers all its phones.
    pub burst: u32,
    /// Wrong passwords within [`StrangerLimits::ban`] that ban the port they came from; ten times as many ban the address.
    /// Several phones may share an address behind a NAT, and one must not shut out the others.
    pub guesses: u32,
    /// How long no password from there is looked at: every request is answered as if it were wrong. A phone that is bound
    /// goes on refreshing.
    pub ban: Duration,
    /// Sources remembered; the one longest silent makes room.
    pub sources: usize,
}

impl Default for StrangerLimits {
    fn default() -> Self {
        StrangerLimits {
            per_second: 1000,
            burst: 2000,
            guesses: 30,
            ban: Duration::from_secs(60),
            sources: 4096,
        }
    }
}

/// Networks whose peers reach us without the advertised address, which may be of no use from there: each with our own address
/// in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside(Vec<(IpNet, IpAddr)>);

impl Inside {
    /// Creates the table from networks, each with our own address in it.
    pub fn new(networks: Vec<(IpNet, IpAddr)>) -> Self {
        Inside(networks)
    }

    /// Our address in the network of a peer, where it is one of these. It is for sockets that listen on all addresses; one
    /// that listens on a single address is known by that.
    pub fn address_towards(&self, peer: IpAddr) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        let mut networks = self.0.iter();
        networks
            .find(|(network, _)| network.contains(&peer))
            .map(|(_, address)| *address)
    }

    /// Whether this is one of our addresses there.
    pub(crate) fn is_ours(&self, address: IpAddr) -> bool {
        self.0.iter().any(|(_, own)| *own == address)
    }
}

/// How long a binding may last (RFC 3261 §10.3, step 7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExpiresLimits {
    /// Shorter requests are answered 423.
    pub min: Duration,
    /// Longer requests are shortened.
    pub max: Duration,
    /// For requests that name no time.
    pub default: Duration,
}

impl Default for ExpiresLimits {
    fn default() -> Self {
        ExpiresLimits {
            min: Duration::from_secs(30),
            max: Duration::from_secs(3600),
            default: Duration::from_secs(300),
        }
    }
}

/// How much the endpoint holds at most. At a limit a new request is answered 503 with Retry-After; what is up is untouched.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Transactions, lingering ones included. New calls are refused from half of it on: the other half is for the calls
    /// that are up, whose requests are refused, BYE excepted, only at the whole of it. Over UDP a short call leaves two that
    /// linger for 32 seconds (64*T1): half of it is as many as 2,300 such calls a second leave. About 1.2 KiB each.
    pub transactions: usize,
    /// Dialogs and attempts at one.
    pub dialogs: usize,
    /// Bindings of one operator; the oldest makes room for a new one.
    pub bindings_per_operator: usize,
    /// Digest nonces remembered of one operator against replay; the oldest makes room for a new one.
    pub nonces_per_operator: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            transactions: 300_000,
            dialogs: 10_000,
            bindings_per_operator: 8,
            nonces_per_operator: 64,
        }
    }
}

/// An endpoint's configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The domain of the operators' addresses of record, and the digest realm.
    pub domain: String,
    /// The sockets the shell has opened; the address of each is one we answer to.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// The address of each family to write into Via and Contact instead of the socket's own. Needed where a socket
    /// listens on every address (`0.0.0.0`, `::`), which no peer can reach.
    pub advertise: Vec<IpAddr>,
    /// The networks whose peers see another address of ours instead.
    pub inside: Inside,
    /// Further hosts that a caller may dial us at, names and addresses.
    pub hosts: Vec<String>,
    /// The machine's own addresses: where a socket listens on all of them, a caller may dial us at each. Empty where they are
    /// not known: then at any.
    pub addresses: Vec<IpAddr>,
    /// For User-Agent and Server.
    pub product: String,
    /// The operators that may register, each with its digest hashes.
    pub operators: BTreeMap<OperatorId, Ha1>,
    /// The trunks, which may call in without registering.
    pub trunks: Vec<Trunk>,
    /// Limits for every other source.
    pub strangers: StrangerLimits,
    /// Digest algorithms to ask for, best first. Debian's baresip 1.0.0 fails once SHA-256 is among them.
    pub digest: Vec<Algorithm>,
    /// The same for single operators.
    pub operator_digest: BTreeMap<OperatorId, Vec<Algorithm>>,
    /// Limits on registration lifetimes.
    pub expires: ExpiresLimits,
    /// How often each bound phone is asked with OPTIONS whether it is there; `None`: never. One that does not answer is
    /// not called until it does.
    pub qualify: Option<Duration>,
    /// For how long a 100 waits whether something better is to be said: it "MUST" be sent "unless it knows that the TU will
    /// generate a provisional or final response within 200 ms" (§17.2.1), and who waits knows. Zero: it is sent at once.
    pub trying: Duration,
    /// Whether changes of dialogs are told, so that a later process can end them:
    /// [`Endpoint::poll_dialog`](crate::Endpoint::poll_dialog).
    pub keep_dialogs: bool,
    /// Limits on table sizes.
    pub limits: Limits,
}

impl Settings {
    /// Nobody may register and nobody may call; the other fields have their defaults.
    pub fn new(domain: &str) -> Self {
        Settings {
            domain: domain.to_owned(),
            listen: Vec::new(),
            advertise: Vec::new(),
            inside: Inside::default(),
            hosts: Vec::new(),
            addresses: Vec::new(),
            product: "Pronto".to_owned(),
            operators: BTreeMap::new(),
            trunks: Vec::new(),
            strangers: StrangerLimits::default(),
            digest: vec![Algorithm::Md5],
            operator_digest: BTreeMap::new(),
            expires: ExpiresLimits::default(),
            qualify: None,
            trying: Duration::ZERO,
            keep_dialogs: false,
            limits: Limits::default(),
        }
    }
}
