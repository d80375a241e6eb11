//! `pronto trace`: the SIP messages of a call, as the gateway that has the call still holds them; as a ladder for people,
//! as a capture for other tools.

mod ask;
mod ladder;
mod pcap;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use jiff::tz::TimeZone;
use pronto_types::Time;

use crate::calls::when;
use crate::config::DEFAULT_CONFIG;
use crate::config::{Config, Look};

/// Hexadecimal digits at the beginning or the end of a call's name that are enough to ask for it, if they name one call. All
/// calls of a process begin alike for a long time: their ends differ.
const SHORTEST: usize = 4;
/// Names said of several calls that were meant.
const SAID: usize = 8;

/// The arguments of `trace`.
#[derive(Debug, Clone, Args, PartialEq, Eq)]
pub struct TraceArgs {
    /// A call as `pronto calls` names it, or `attempts/7`: an INVITE that became no call. Without it, all that is held
    #[arg(value_name = "CALL")]
    pub call: Option<String>,
    /// The configuration that says where the gateway is [default: pronto.toml if it is here, else the built-in centre]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The gateway itself: `http://127.0.0.1:50051`, or `https://` with --ca; times are shown in UTC
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    pub gateway: Option<String>,
    /// The authorities of the gateway's certificate, for TLS
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The token of a client with the role integrator or admin, where [[grpc.client]] is configured
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Write the messages as a capture for tcpdump or Wireshark; those of streams are framed as datagrams
    #[arg(long, value_name = "FILE", requires = "call")]
    pub pcap: Option<PathBuf>,
    /// Print each message in full below its arrow
    #[arg(long, requires = "call")]
    pub messages: bool,
    /// Show callers' numbers and names, and keys pressed: personal data. Digests never are
    #[arg(long)]
    pub numbers: bool,
}

/// Why nothing is shown.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The configuration is wrong; the report is rendered.
    #[error("{0}")]
    Config(String),
    /// Not an address.
    #[error("--gateway `{}`: expected `http://ADDRESS:PORT` or `https://HOST:PORT`", .0.escape_debug())]
    Gateway(String),
    /// Under TLS, and no authority is named.
    #[error(
        "{0} is under TLS: name the file of its authority as --ca, and an address of its certificate as --gateway"
    )]
    NoAuthority(String),
    /// The authority is no such thing.
    #[error("--ca {0}")]
    Authority(pronto_gateway::shell::TlsError),
    /// The token cannot be used.
    #[error("--token-file {file}: {error}", file = .0.display(), error = .1)]
    Token(PathBuf, io::Error),
    /// No gateway answers at this address.
    #[error(
        "no gateway answers at {0}: is `pronto serve` or `pronto gateway` running, from this configuration? \
         Its address is [grpc] listen (serve) or [gateway] listen (gateway), or --gateway"
    )]
    Unreachable(String),
    /// The gateway says no.
    #[error("the gateway at {0} says: {1}")]
    Refused(String, String),
    /// Not a call's name.
    #[error(
        "`{}` names no call: expected a name as `pronto calls` and `pronto trace` list it, its first or last {SHORTEST} digits or \
         more, or `attempts/NUMBER`",
        .0.escape_debug()
    )]
    Name(String),
    /// It is not there.
    #[error(
        "the gateway holds no trace of `{0}`: of {1} it holds, `pronto trace` lists all. It keeps the newest ([trace] calls, \
         mebibytes) and none of before its start"
    )]
    Absent(String, String),
    /// More than one begins or ends so.
    #[error("`{0}` begins or ends the names of several calls: {1}")]
    Ambiguous(String, String),
    /// The capture cannot be written.
    #[error("--pcap {file}: {error}", file = .0.display(), error = .1)]
    Capture(PathBuf, io::Error),
    /// The ladder cannot be written.
    #[error("the trace cannot be written: {0}")]
    Output(io::Error),
    /// The asynchronous runtime cannot start.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
}

/// The summary of one trace.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    /// The resource name of the trace.
    name: String,
    /// `e19c92f4a0b1c2d3` or `attempts/7`.
    id: String,
    /// The operator of each leg; empty for the caller.
    legs: Vec<String>,
    first: Time,
    messages: u32,
    octets: u64,
    left_out: u32,
    status: u32,
}

/// A message as the gateway shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Passed {
    at: Time,
    sent: bool,
    transport: String,
    local: SocketAddr,
    remote: SocketAddr,
    leg: usize,
    repeated: bool,
    octets: Vec<u8>,
}

/// Prints the list, or one trace.
///
/// # Errors
/// [`TraceError`].
pub fn run(arguments: &TraceArgs, look: Look) -> Result<(), TraceError> {
    let (places, zone) = place(arguments, look)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let text = runtime
        .map_err(TraceError::Runtime)?
        .block_on(shown(arguments, &places, &zone))?;
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads us has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(TraceError::Output),
    }
}

async fn shown(arguments: &TraceArgs, places: &[String], zone: &TimeZone) -> Result<String, TraceError> {
    let keys = ask::Keys::read(arguments)?;
    let mut gateway = ask::Gateway::connect(places, keys).await?;
    let listed = gateway.list().await?;
    let Some(wanted) = &arguments.call else {
        return Ok(ladder::list(&listed, zone));
    };
    let trace = chosen(&listed, wanted)?;
    let passed = gateway.read(&trace.name, arguments.numbers).await?;
    if let Some(file) = &arguments.pcap {
        let failed = |error| TraceError::Capture(file.clone(), error);
        std::fs::write(file, pcap::capture(&passed)).map_err(failed)?;
        let plural = if passed.len() == 1 { "" } else { "s" };
        return Ok(format!(
            "{} message{plural} of {} written to {}\n",
            passed.len(),
            trace.id,
            file.display()
        ));
    }
    Ok(ladder::draw(trace, &passed, arguments.messages, zone))
}

/// Where a gateway may answer, best guess first, and the zone its times are shown in.
fn place(arguments: &TraceArgs, look: Look) -> Result<(Vec<String>, TimeZone), TraceError> {
    if let Some(gateway) = &arguments.gateway {
        return Ok((vec![gateway.clone()], TimeZone::UTC));
    }
    let default = PathBuf::from(DEFAULT_CONFIG);
    let file = match &arguments.config {
        Some(file) => Some(file),
        None => default.symlink_metadata().is_ok().then_some(&default),
    };
    let config = match file {
        Some(file) => {
            Config::load_without_secrets(file).map_err(|report| TraceError::Config(report.render(look)))?
        }
        None => Config::builtin(),
    };
    // Under `serve` both halves share one port. Where they run apart the queue service has that one, and no calls.
    let scheme = if config.grpc.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let both = format!("{scheme}://{}", config.grpc.listen);
    let alone = format!("http://{}", config.gateway.listen);
    Ok((vec![both, alone], config.timezone))
}

fn chosen<'l>(listed: &'l [Listed], wanted: &str) -> Result<&'l Listed, TraceError> {
    let lower = wanted.to_ascii_lowercase();
    let attempt = lower.strip_prefix("attempts/");
    let sound = match attempt {
        Some(number) => !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()),
        None => (SHORTEST..=16).contains(&lower.len()) && lower.bytes().all(|byte| byte.is_ascii_hexdigit()),
    };
    if !sound {
        return Err(TraceError::Name(wanted.to_owned()));
    }
    let fits = |trace: &&Listed| match attempt {
        Some(_) => trace.id == lower,
        None => !trace.id.contains('/') && (trace.id.starts_with(&lower) || trace.id.ends_with(&lower)),
    };
    let found: Vec<&Listed> = listed.iter().filter(fits).collect();
    match found[..] {
        [trace] => Ok(trace),
        [] => {
            let calls = listed.iter().filter(|trace| !trace.id.contains('/')).count();
            let plural = if calls == 1 { "" } else { "s" };
            Err(TraceError::Absent(lower, format!("{calls} call{plural}")))
        }
        _ => {
            let names: Vec<&str> = found.iter().take(SAID).map(|trace| trace.id.as_str()).collect();
            let more = match found.len().saturating_sub(SAID) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Err(TraceError::Ambiguous(lower, names.join(", ") + &more))
        }
    }
}
