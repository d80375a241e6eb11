//! `[grpc]`, `[metrics]`, `[gateway]`, `[queue_service]`, `[store]`, `[trace]`, `[prompts]` and the time zone.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use pronto_recordings::{Library, LibraryError};
use pronto_types::GatewayName;

use super::nearest::{nearest, quoted};
use super::problem::Problems;
use super::section::{Section, Table, Wrong};
use super::settings::{Gateway, Trace};

pub(super) const GRPC_PORT: u16 = 50_051;
pub(super) const METRICS_PORT: u16 = 9_090;
const GATEWAY_GRPC_PORT: u16 = 50_052;
const GATEWAY_METRICS_PORT: u16 = 9_091;
pub(super) const GRACE: Duration = Duration::from_secs(30);
pub(super) const STORE: &str = "var";

const HOUR: Duration = Duration::from_secs(3600);
const SOCKET: &str = "`ADDRESS:PORT`";
const QUEUE: &str = "`http://127.0.0.1:PORT`";

/// `127.0.0.1` with this port.
pub(super) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// The gateway where nothing is written.
#[expect(clippy::expect_used, reason = "the name is a constant that a test reads back")]
pub(super) fn default_gateway() -> Gateway {
    Gateway {
        name: GatewayName::new("gw1").expect("a constant name"),
        queue: format!("http://{}", local(GRPC_PORT)),
        listen: local(GATEWAY_GRPC_PORT),
        metrics: local(GATEWAY_METRICS_PORT),
        token_file: None,
        queue_away: Duration::from_secs(60),
        calls: 2000,
    }
}

/// Reads the section `[grpc]`.
pub(super) fn read_grpc(table: Table<'_>, problems: &mut Problems) -> SocketAddr {
    let mut section = Section::new("[grpc]", table, problems);
    let listen = section.parsed("listen", SOCKET, parse_private);
    section.finish();
    listen.unwrap_or_else(|| local(GRPC_PORT))
}

/// Reads `[metrics]`. They name nobody, so they may be read from another machine.
pub(super) fn read_metrics(table: Table<'_>, problems: &mut Problems) -> SocketAddr {
    let mut section = Section::new("[metrics]", table, problems);
    let listen = section.parsed("listen", SOCKET, parse_socket);
    section.finish();
    listen.unwrap_or_else(|| local(METRICS_PORT))
}

/// Reads the section `[gateway]`.
pub(super) fn read_gateway(table: Table<'_>, folder: &Path, problems: &mut Problems) -> Gateway {
    let default = default_gateway();
    let mut section = Section::new("[gateway]", table, problems);
    let name = section.parsed("name", "a name: 1 to 64 of a-z A-Z 0-9 . _ -", |text| {
        GatewayName::new(text).map_err(|_| Wrong::default())
    });
    let gateway = Gateway {
        name: name.unwrap_or(default.name),
        queue: section
            .parsed("queue", QUEUE, parse_queue)
            .unwrap_or(default.queue),
        listen: section
            .parsed("listen", SOCKET, parse_private)
            .unwrap_or(default.listen),
        metrics: section
            .parsed("metrics", SOCKET, parse_socket)
            .unwrap_or(default.metrics),
        token_file: section.parsed("token_file", "the path of a file", |text| {
            parse_path(text, folder)
        }),
        queue_away: section.duration("queue_away", default.queue_away, Duration::ZERO..=24 * HOUR),
        calls: section.whole("calls", default.calls, 1..=20_000),
    };
    section.finish();
    gateway
}

/// The trace where nothing is written.
pub(super) const TRACE: Trace = Trace {
    calls: 2000,
    mebibytes: 8,
};

/// Reads the section `[trace]`.
pub(super) fn read_trace(table: Table<'_>, problems: &mut Problems) -> Trace {
    let mut section = Section::new("[trace]", table, problems);
    let trace = Trace {
        calls: section.whole("calls", TRACE.calls, 0..=100_000),
        mebibytes: section.whole("mebibytes", TRACE.mebibytes, 1..=1024),
    };
    section.finish();
    trace
}

/// Reads the section `[queue_service]`: the grace, 1s to 1h.
pub(super) fn read_queue_service(table: Table<'_>, problems: &mut Problems) -> Duration {
    let mut section = Section::new("[queue_service]", table, problems);
    let grace = section.duration("grace", GRACE, Duration::from_secs(1)..=HOUR);
    section.finish();
    grace
}

/// Reads `[store]`; the folder is made when it is first written to.
pub(super) fn read_store(table: Table<'_>, folder: &Path, problems: &mut Problems) -> PathBuf {
    let mut section = Section::new("[store]", table, problems);
    let path = section.parsed("path", "the path of a folder", |text| {
        let path = parse_path(text, folder)?;
        if path.exists() && !path.is_dir() {
            return Err(Wrong::because(format!("{} is not a folder", quoted(text))));
        }
        Ok(path)
    });
    section.finish();
    path.unwrap_or_else(|| folder.join(STORE))
}

/// Reads `[prompts]` and what lies in its folder.
pub(super) fn read_prompts(table: Table<'_>, folder: &Path, problems: &mut Problems) -> Arc<Library> {
    let mut section = Section::new("[prompts]", table, problems);
    let library = section.parsed("path", "the path of a folder with recorded prompts", |text| {
        let path = parse_path(text, folder)?;
        if !path.is_dir() {
            return Err(Wrong::because(format!("there is no folder {}", quoted(text))));
        }
        Library::builtin().with_directory(&path).map_err(refused)
    });
    section.finish();
    Arc::new(library.unwrap_or_else(Library::builtin))
}

/// A folder of prompts with something in it that cannot be played.
fn refused(error: LibraryError) -> Wrong {
    match error {
        LibraryError::Unexpected {
            path,
            found,
            expected,
        } => Wrong::because(format!("{} is not a prompt", path.display()))
            .found(found)
            .expected(expected),
        LibraryError::Unreadable { .. } | LibraryError::TooMany { .. } | LibraryError::TooLong { .. } => {
            Wrong::because(error.to_string())
        }
    }
}

/// Reads `timezone`, a name of the IANA database.
pub(super) fn read_timezone(section: &mut Section<'_, '_>) -> TimeZone {
    let zone = section.parsed("timezone", "an IANA time zone such as \"Europe/Rome\"", |text| {
        TimeZone::get(text).map_err(|_| {
            let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
            Wrong {
                message: Some(format!("there is no time zone {}", quoted(text))),
                nearest: nearest(text, names.iter().map(String::as_str)),
                ..Wrong::default()
            }
        })
    });
    zone.unwrap_or_else(default_timezone)
}

/// The machine's own, UTC where it has none.
pub(super) fn default_timezone() -> TimeZone {
    TimeZone::try_system().unwrap_or(TimeZone::UTC)
}

/// A path, taken from the folder of the configuration.
pub(super) fn parse_path(text: &str, folder: &Path) -> Result<PathBuf, Wrong> {
    if text.is_empty() || text.contains('\0') {
        Err(Wrong::default())
    } else {
        Ok(folder.join(text))
    }
}

fn parse_socket(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| match text.strip_prefix("localhost:") {
        Some(port) => Wrong::default().nearest(format!("127.0.0.1:{port}")),
        None => Wrong::default(),
    })
}

/// A socket only this machine can reach: whoever reaches our gRPC may do everything, unseen and unasked.
fn parse_private(text: &str) -> Result<SocketAddr, Wrong> {
    let address = parse_socket(text)?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(Wrong::because(format!(
        "{} can be reached from other machines, and gRPC has no TLS and asks for no token: refused",
        quoted(text)
    ))
    .expected("an address of this machine alone")
    .nearest(local(address.port()).to_string()))
}

fn parse_queue(text: &str) -> Result<String, Wrong> {
    let Some(rest) = text.strip_prefix("http://") else {
        return Err(match text.split_once("://") {
            Some(("https", rest)) => {
                let plain = parse_queue(&format!("http://{rest}"));
                let nearest = plain.map_or_else(|wrong| wrong.nearest, Some);
                Wrong {
                    nearest,
                    ..Wrong::because("gRPC has no TLS yet")
                }
            }
            Some(_) => Wrong::default(),
            None => Wrong::default().nearest(format!("http://{text}")),
        });
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority
        .strip_prefix("localhost:")
        .is_some_and(|port| port.parse::<u16>().is_ok())
    {
        return Ok(format!("http://{authority}"));
    }
    let address: SocketAddr = authority.parse().map_err(|_| Wrong::default())?;
    if address.ip().is_loopback() {
        return Ok(format!("http://{address}"));
    }
    Err(Wrong::because(format!(
        "{} is another machine, and gRPC has no TLS and asks for no token: refused",
        quoted(text)
    ))
    .nearest(format!("http://{}", local(address.port()))))
}
