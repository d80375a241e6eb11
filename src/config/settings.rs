//! The configuration as the house uses it: checked, in the types of the crates that it is for, with nothing left to look up.
//!
//! `docs/reference/configuration.md` has the meaning, default and range of each key.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use pronto_gateway::shell::TlsFiles;
use pronto_gateway::trace;
use pronto_recordings::Library;
use pronto_sip::{Algorithm, ExpiresLimits, Transport, Trunk};
use pronto_types::{GatewayName, OperatorId, QueueName, Secret};

use super::Report;
use crate::access::Client;

/// Everything one TOML says, for both halves of the house.
#[derive(Clone)]
pub struct Config {
    /// The file it was read from; `None` for the built-in centre.
    pub file: Option<PathBuf>,
    /// The time zone in which the centre's day passes.
    pub timezone: TimeZone,
    /// The section `[sip]`.
    pub sip: Sip,
    /// The section `[media]`.
    pub media: Media,
    /// The section `[grpc]`: where integrators and gateways reach the queue service.
    pub grpc: Grpc,
    /// `listen` of `[metrics]`: where Prometheus reads `serve` and `queue`.
    pub metrics: SocketAddr,
    /// The section `[gateway]`.
    pub gateway: Gateway,
    /// The section `[registrar]`.
    pub registrar: Registrar,
    /// The section `[trace]`.
    pub trace: trace::Limits,
    /// `path` of `[store]`: ledger, journal, recordings, generated secrets.
    pub store: PathBuf,
    /// The built-in prompts, overlaid by those under `path` of `[prompts]`.
    pub library: Arc<Library>,
    /// Each `[[number]]`, in the order of the file.
    pub numbers: Vec<Number>,
    /// Each `[[queue]]` and `[[operator]]`, in the order of the file, and `grace` of `[queue_service]`.
    pub engine: pronto_engine::Configuration,
    /// The queues whose talks are recorded, each with the prompt that tells callers so.
    pub recorded: BTreeMap<QueueName, Option<Arc<str>>>,
    /// The phones of each `[[operator]]`, in the order of the file.
    pub phones: Vec<Phone>,
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

/// The section `[sip]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sip {
    /// The sockets for SIP; port 0 lets the system choose.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// The section `[sip.tls]`, where there is one.
    pub tls: Option<TlsFiles>,
    /// The web pages whose scripts may connect over WS and WSS.
    pub origins: Vec<String>,
    /// The domain of our addresses of record, and the digest realm.
    pub domain: String,
    /// Further names and addresses that callers may dial us at.
    pub hosts: Vec<String>,
    /// The public addresses behind NAT, at most one of each family.
    pub advertise: Vec<IpAddr>,
    /// Networks whose phones and trunks see our own address, and not the advertised one.
    pub local: Vec<IpNet>,
    /// The class of service of signalling (RFC 2474), 0 to 63.
    pub dscp: u8,
    /// How long calls may go on after SIGTERM.
    pub drain: Duration,
    /// The digest algorithms that phones are asked for, best first.
    pub digest: Vec<Algorithm>,
    /// How often a registered phone is asked whether it is there; zero: never.
    pub qualify: Duration,
    /// The trunks, in the order of the file.
    pub trunks: Vec<Trunk>,
}

/// The section `[grpc]`. An address beyond loopback has TLS and clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grpc {
    /// The socket of the API.
    pub listen: SocketAddr,
    /// The certificate; `None`: without TLS.
    pub tls: Option<TlsFiles>,
    /// The known clients; empty: every program on this machine may call everything.
    pub clients: Vec<Client>,
}

/// The section `[media]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// The address on which RTP is received.
    pub listen: IpAddr,
    /// The public address behind NAT; `None`: the listening one.
    pub advertise: Option<IpAddr>,
    /// The first port, even (RFC 3550 §11), and the last.
    pub ports: (u16, u16),
    /// The class of service of sound (RFC 2474), 0 to 63.
    pub dscp: u8,
    /// Whether media addresses are learned from packets (symmetric RTP, RFC 4961).
    pub learn: bool,
}

/// The section `[registrar]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registrar {
    /// `expires_min` and `expires_max`, which is the default too.
    pub expires: ExpiresLimits,
    /// The number of phones of one operator at once.
    pub phones: usize,
}

/// The section `[gateway]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The name under which the queue service knows this gateway.
    pub name: GatewayName,
    /// The queue service, `http://HOST:PORT` or `https://HOST:PORT`, for a gateway that runs alone.
    pub queue: String,
    /// The authorities of the queue service's certificate; `None`: without TLS.
    pub queue_ca: Option<PathBuf>,
    /// The gateway's own gRPC (health), where it runs alone. Loopback only.
    pub listen: SocketAddr,
    /// The socket where Prometheus reads a gateway that runs alone.
    pub metrics: SocketAddr,
    /// The file of the gateways' token; `None`: in the store.
    pub token_file: Option<PathBuf>,
    /// The time without the queue service after which a joining caller takes the flow's `failed` exit.
    pub queue_away: Duration,
    /// Calls at once, and no more than [`Media::most_calls`].
    pub calls: usize,
}

/// A number of the file, `[[number]]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Number {
    /// The file of the flow as it was written, `builtin` in the built-in centre.
    pub flow_name: String,
    /// The number as the gateway serves it. Numbers with one file share the flow.
    pub served: pronto_gateway::Number,
}

/// The phones of one `[[operator]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    /// The operator; also the user part of the address of record.
    pub operator: OperatorId,
    /// How they prove themselves.
    pub credential: Credential,
    /// The digest algorithms that they are asked for; `None`: those of `[sip]`.
    pub digest: Option<Vec<Algorithm>>,
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

impl Media {
    /// How many calls the ports are enough for. A call needs two pairs once an operator is rung: a caller is not
    /// taken in who could never be connected.
    pub fn most_calls(&self) -> usize {
        let (first, last) = self.ports;
        let ports = usize::from(last.saturating_sub(first)) + 1;
        (ports / 4).max(1)
    }
}
