//! The configuration as the house uses it: checked, typed, with nothing left to look up.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use pronto_ivr::Script;
use pronto_recordings::Library;
use pronto_types::{GatewayName, Language, OperatorId, QueueName, Secret};

use super::Report;

/// Everything one TOML says, for both halves of the house. Defaults stand at each field.
#[derive(Clone)]
pub struct Config {
    /// The file it was read from; `None` for the built-in centre.
    pub file: Option<PathBuf>,
    /// `timezone`: in which the centre's day passes. Default: the machine's.
    pub timezone: TimeZone,
    /// `[sip]`: where phones and trunks reach us.
    pub sip: Sip,
    /// `[media]`: where their sound goes.
    pub media: Media,
    /// `[grpc] listen`: where integrators and gateways reach the queue service. Default `127.0.0.1:50051`.
    /// Loopback only: it has neither encryption nor tokens.
    pub grpc: SocketAddr,
    /// `[metrics] listen`: where Prometheus reads `serve` and `queue`. Default `127.0.0.1:9090`.
    pub metrics: SocketAddr,
    /// `[gateway]`: the half that touches phones.
    pub gateway: Gateway,
    /// `[registrar]`: the phones of operators.
    pub registrar: Registrar,
    /// `[trace]`: the SIP messages that the gateway keeps for `pronto trace`.
    pub trace: Trace,
    /// `[queue_service] grace`: how long the places of a gateway that is away are kept. Default `30s`.
    pub grace: Duration,
    /// `[store] path`: ledger, journal, recordings, generated secrets. Relative to the file. Default `var`.
    pub store: PathBuf,
    /// The built-in prompts, overlaid by those under `[prompts] path`, relative to the file.
    pub library: Arc<Library>,
    /// `[[number]]`: what can be dialled, in the order of the file.
    pub numbers: Vec<Number>,
    /// `[[queue]]`: where callers wait, in the order of the file.
    pub queues: Vec<Queue>,
    /// `[[operator]]`: who answers, in the order of the file.
    pub operators: Vec<Operator>,
    /// Settings that are legal but probably not meant; empty in a good file.
    pub warnings: Report,
}

impl Config {
    /// The file of the gateways' token.
    pub fn token_file(&self) -> PathBuf {
        let written = self.gateway.token_file.clone();
        written.unwrap_or_else(|| self.store.join(super::token::FILE))
    }
}

/// The settings of `[sip]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sip {
    /// `listen`: one or more of `udp:ADDRESS:PORT`, `tcp:…`, `tls:…`, `ws:…`, `wss:…`. Default: UDP and TCP on
    /// `127.0.0.1:5060`; any other has to be written.
    pub listen: Vec<Listen>,
    /// `[sip.tls]`: the certificate of the TLS and WSS sockets. Needed where there is one.
    pub tls: Option<Tls>,
    /// `[sip.websocket] origins`: the web pages whose scripts may connect over WS and WSS. Default: none.
    pub origins: Vec<String>,
    /// `domain`: of our addresses of record, and the digest realm: an `ha1` is bound to it. Default `pronto.local`.
    pub domain: String,
    /// `hosts`: further names and addresses that callers may dial us at. Default: none; the domain and our own addresses are
    /// ours anyway.
    pub hosts: Vec<String>,
    /// `advertise`: the public address behind NAT, written into Via and Contact; at most one of each family. Default: the
    /// listening one.
    pub advertise: Vec<IpAddr>,
    /// `local`: networks whose phones and trunks see our own address, in signalling and in SDP, and not the advertised one.
    /// Default: none.
    pub local: Vec<IpNet>,
    /// `dscp`: the class of service of signalling (RFC 2474), 0 to 63. Default 24, CS3.
    pub dscp: u8,
    /// `drain`: after SIGTERM, how long calls may go on. Default `600s`.
    pub drain: Duration,
    /// `digest`: the algorithms phones are asked for, best first (RFC 8760). Default `["md5"]`: some phones fail as soon as
    /// another stands beside it.
    pub digest: Vec<Digest>,
    /// `qualify`: how often a registered phone is asked whether it is there; zero: never. Default `60s`.
    pub qualify: Duration,
    /// `[[sip.trunk]]`: who may call in without registering. Default: nobody.
    pub trunks: Vec<Trunk>,
}

/// `[sip.tls]`: files in PEM, relative to the file they are named in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `certificate`: ours, then those between it and its authority.
    pub certificate: PathBuf,
    /// `key`: its private key.
    pub key: PathBuf,
    /// `client_ca`: the authorities of the phones' certificates. With it, a phone without one is not let in.
    pub client_ca: Option<PathBuf>,
}

/// A socket SIP is spoken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// The transport that carries SIP on this socket.
    pub transport: Transport,
    /// At which address; port 0 lets the system choose.
    pub address: SocketAddr,
}

/// A digest algorithm of RFC 8760 §2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// MD5, written `md5`.
    Md5,
    /// SHA-256, written `sha-256`.
    Sha256,
    /// SHA-512/256, written `sha-512-256`.
    Sha512_256,
}

/// A transport that carries SIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// RFC 3261 §18, datagrams.
    Udp,
    /// RFC 3261 §18, streams.
    Tcp,
    /// RFC 3261 §26.2.1.
    Tls,
    /// WebSocket without TLS, RFC 7118.
    Ws,
    /// RFC 7118 under TLS.
    Wss,
}

impl Transport {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws => "ws",
            Transport::Wss => "wss",
        }
    }

    /// Whether it needs a certificate.
    pub const fn is_secure(self) -> bool {
        matches!(self, Transport::Tls | Transport::Wss)
    }
}

/// `[[sip.trunk]]`: addresses whose calls are taken unchallenged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// `name`: names it in call records.
    pub name: String,
    /// `allow`: addresses and ranges. At least one, unless `this_machine`.
    pub allow: Vec<IpNet>,
    /// `"this-machine"` in `allow`: also every address that a network interface of this machine has, looked up again while
    /// the gateway runs. At most one trunk says so.
    pub this_machine: bool,
    /// `calls`: at once; the next is answered 503 with Retry-After. Default: as many as the gateway takes.
    pub calls: Option<usize>,
    /// `calls_per_second`: new ones; more are answered 503 with Retry-After. Default: no limit.
    pub calls_per_second: Option<u32>,
}

/// The settings of `[media]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// `listen`: the address RTP is received on. Default `127.0.0.1`.
    pub listen: IpAddr,
    /// `advertise`: the public address behind NAT, written into SDP. Default: the listening one.
    pub advertise: Option<IpAddr>,
    /// `ports[0]`: the first port, even (RFC 3550 §11). Default 20000.
    pub first_port: u16,
    /// `ports[1]`: the last port, above the first. Default 29999.
    pub last_port: u16,
    /// `dscp`: the class of service of sound (RFC 2474), 0 to 63. Default 46, expedited forwarding.
    pub dscp: u8,
    /// `learn`: take the media address, port included, from a packet that comes from the signalling source's IP (symmetric
    /// RTP, RFC 4961). Default true.
    pub learn: bool,
}

/// The settings of `[registrar]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registrar {
    /// `expires_min`: who asks to be registered for less is answered 423. Default `30s`.
    pub expires_min: Duration,
    /// `expires_max`: the registration lifetime of a phone that asks for a longer one or names none. Default `120s`,
    /// `10s` to `24h`.
    pub expires_max: Duration,
    /// `phones`: of one operator at once; the one that registered first makes room. Default 8.
    pub phones: usize,
}

/// The settings of `[trace]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// `calls`: the number of newest calls whose messages are kept, at most 100,000; 0 keeps nothing. Default 2000.
    pub calls: usize,
    /// `mebibytes`: the messages of all of them together. Default 8.
    pub mebibytes: usize,
}

/// The settings of `[gateway]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// `name`: under which the queue service knows this gateway. Default `gw1`.
    pub name: GatewayName,
    /// `queue`: the queue service, read when the gateway runs alone. `http://HOST:PORT`, loopback only. Default
    /// `http://127.0.0.1:50051`.
    pub queue: String,
    /// `listen`: the gateway's own gRPC (health), read when it runs alone. Loopback only. Default
    /// `127.0.0.1:50052`.
    pub listen: SocketAddr,
    /// `metrics`: where Prometheus reads a gateway that runs alone. Default `127.0.0.1:9091`.
    pub metrics: SocketAddr,
    /// `token_file`: the file of the token with which gateways prove that they may attach, relative to the configuration.
    /// Default: `gateway.token` in the store.
    pub token_file: Option<PathBuf>,
    /// `queue_away`: after this long without the queue service a joining caller takes the flow's `failed` exit.
    /// Default `60s`.
    pub queue_away: Duration,
    /// `calls`: how many at once, and no more than [`Media::most_calls`]; the next is answered 503 with Retry-After.
    /// Default 2000, at most 20000.
    pub calls: usize,
}

/// `[[number]]`: what can be dialled.
#[derive(Clone, PartialEq, Eq)]
pub struct Number {
    /// `dial`, normalised by [`normalise_dialled`](super::normalise_dialled): unique.
    pub dial: String,
    /// `flow`: the file as it was written, `builtin` in the built-in centre.
    pub flow_name: String,
    /// The parsed flow that the number's callers go through. Numbers with one file share it.
    pub flow: Arc<Script>,
    /// `language`: the one its callers are spoken to in.
    pub language: Language,
    /// `answer`: when the caller is answered, and begins to pay. Default `at-once`.
    pub answer: Answer,
}

/// When a number's callers are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Answer {
    /// `at-once`: before the first prompt.
    #[default]
    AtOnce,
    /// `on-operator`: when an operator answers; what the caller hears before is early media.
    OnOperator,
}

/// `[[queue]]`: where callers wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// `name`: the queue's unique name.
    pub name: QueueName,
    /// `strategy`: who is offered the next caller. Default `longest-idle`.
    pub strategy: Strategy,
    /// `ring`: how long an operator's phone rings. Default `15s`, `1s` to `5m`.
    pub ring: Duration,
    /// `rona_pause`: how long an operator who did not answer is paused. Default `30s`, at most `24h`.
    pub rona_pause: Duration,
    /// `wrap_up`: between one talk and the next. Default `10s`, at most `24h`.
    pub wrap_up: Duration,
    /// `max_wait`: then the caller takes the flow's `timed_out` exit. Default `30m`, `1s` to `24h`.
    pub max_wait: Duration,
    /// `limit`: how many may wait; the next takes the flow's `failed` exit. Default 1000, at most 10000.
    pub limit: usize,
    /// `nobody_after`: with no operator signed in for this long, those who wait take the flow's `nobody` exit.
    /// Default `30s`, at most `24h`.
    pub nobody_after: Duration,
    /// `announce`: what a waiting caller is told. Default `both`.
    pub announce: Announce,
    /// `announce_first`: how long after the joining for the first time. Default `0s`, at most `24h`.
    pub announce_first: Duration,
    /// `announce_every`: how often after that. Default `60s`, at most `24h`; `0s`: only once.
    pub announce_every: Duration,
    /// `announce_change`: again only if the time at which the caller expects to be answered has moved by so much. Default
    /// `0s`, each time; at most `24h`.
    pub announce_change: Duration,
    /// `talk`: what a talk lasts on average, believed until talks have been seen. Default `4m`, `1s` to `24h`.
    pub talk: Duration,
    /// `overflow`: where callers go on waiting if it takes too long. Default: nowhere.
    pub overflow: Option<Overflow>,
    /// `record`: whether talks are recorded, below `recordings` in the store's folder. Default `false`.
    pub record: bool,
    /// `consent`: the prompt that tells callers so before they take a place; only who heard it is recorded. Without it
    /// they are recorded untold, which is warned of.
    pub consent: Option<Arc<str>>,
}

/// `overflow` of `[[queue]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overflow {
    /// `to`: another queue, where they are clearly served sooner.
    pub to: QueueName,
    /// `wait`: from a wait still to come that eight of ten callers would not exceed. `1s` to `24h`.
    pub wait: Duration,
}

/// The parts of an announcement to a waiting caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Announce {
    /// `both`: position and wait.
    #[default]
    Both,
    /// `wait`: from how many to how many minutes.
    Wait,
    /// `position`: the place in line.
    Position,
    /// `nothing`: neither position nor wait.
    Nothing,
}

impl Announce {
    /// Each, as it is written.
    pub const ALL: [(&'static str, Announce); 4] = [
        ("both", Announce::Both),
        ("wait", Announce::Wait),
        ("position", Announce::Position),
        ("nothing", Announce::Nothing),
    ];

    /// Whether the position is told.
    pub const fn position(self) -> bool {
        matches!(self, Announce::Both | Announce::Position)
    }

    /// Whether the wait is told.
    pub const fn wait(self) -> bool {
        matches!(self, Announce::Both | Announce::Wait)
    }
}

/// The rule that decides which operator is offered the next caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// `longest-idle`: the operator who has been ready the longest.
    LongestIdle,
}

/// `[[operator]]`: who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// `id`: unique; also the user part of the operator's address of record.
    pub id: OperatorId,
    /// `password`, `ha1` or `password_env`: exactly one.
    pub credential: Credential,
    /// `queues`: whose callers the operator takes, at least one.
    pub queues: Vec<QueueName>,
    /// `digest`: the algorithms this operator's phone is asked for. Default: those of `[sip]`.
    pub digest: Option<Vec<Digest>>,
    /// `sign_in`. Default `registration`.
    pub sign_in: SignIn,
}

/// How an operator's phone proves itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// `password`, or the content of the variable that `password_env` names.
    Password(Secret),
    /// `ha1`: MD5 of `id:domain:password` (RFC 7616 §3.4.2), 32 hexadecimal digits in lower case.
    Ha1(Secret),
    /// The built-in centre: [`generated_passwords`](super::generated_passwords) holds it.
    Generated,
    /// `password_env`, not looked up: [`Config::load_without_secrets`] leaves it to the half that meets phones.
    Variable(String),
}

/// The event that signs an operator in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// `registration`: REGISTER signs in and makes ready; un-REGISTER or expiry signs out after the call.
    Registration,
}

impl Media {
    /// How many calls the ports are enough for. A call needs two pairs once an operator is rung: a caller is not
    /// taken in who could never be connected.
    pub fn most_calls(&self) -> usize {
        let ports = usize::from(self.last_port.saturating_sub(self.first_port)) + 1;
        (ports / 4).max(1)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.address)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Strategy::LongestIdle => "longest-idle",
        })
    }
}
