//! `[metrics]`, `[gateway]`, `[queue_service]`, `[store]`, `[trace]`, `[prompts]` and the time zone.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use pronto_config::{Problem, Problems, Section, Table, Wrong, nearest, quoted};
use pronto_gateway::trace::Limits;
use pronto_recordings::{Library, LibraryError};
use pronto_types::GatewayName;

use super::keys::{GATEWAY, METRICS, PROMPTS, QUEUE_SERVICE, QUEUE_SERVICE_AT, STORE, STORE_KEYS, TRACE};
use super::settings::Gateway;

/// Reads `[metrics]`. They name nobody, so they may be read from another machine.
pub(super) fn read_metrics(table: Table<'_>, problems: &mut Problems) -> SocketAddr {
    let mut section = Section::new(&METRICS, table, problems);
    let listen = section.setting("listen", parse_socket);
    section.finish();
    listen
}

/// Reads the section `[gateway]`.
pub(super) fn read_gateway(table: Table<'_>, folder: &Path, problems: &mut Problems) -> Gateway {
    let mut section = Section::new(&GATEWAY, table, problems);
    let queue = section.parsed("queue", parse_queue);
    let queue_ca = section.parsed("queue_ca", |text| file(text, folder));
    let written = queue.is_some() || !section.has("queue");
    let queue = queue.unwrap_or_else(|| QUEUE_SERVICE_AT.to_owned());
    if written {
        check_authority(&mut section, &queue);
    }
    let gateway = Gateway {
        name: section.setting("name", |text| {
            GatewayName::new(text).map_err(|_| Wrong::default())
        }),
        queue,
        queue_ca,
        listen: section.setting("listen", parse_private),
        metrics: section.setting("metrics", parse_socket),
        token_file: section.parsed("token_file", |text| parse_path(text, folder)),
        queue_away: section.duration("queue_away"),
        calls: section.whole("calls"),
    };
    section.finish();
    gateway
}

/// Notes TLS without an authority, and an authority without TLS.
fn check_authority(section: &mut Section<'_, '_>, queue: &str) {
    let secure = queue.starts_with("https://");
    if secure && !section.has("queue_ca") {
        section.missing(
            "queue_ca",
            "the file of the authorities of the queue service's certificate, for `https://`",
        );
    }
    if let Some(place) = section.place("queue_ca").filter(|_| !secure) {
        let problem = Problem::error(
            place,
            "`queue_ca` has no effect without TLS",
            format!("`queue` is `{queue}`"),
        );
        section
            .problems
            .push(problem.expected("`https://HOST:PORT` as `queue`"));
    }
}

/// Reads the section `[trace]`.
pub(super) fn read_trace(table: Table<'_>, problems: &mut Problems) -> Limits {
    let mut section = Section::new(&TRACE, table, problems);
    let trace = Limits {
        calls: section.whole("calls"),
        octets: section.whole("mebibytes") << 20,
    };
    section.finish();
    trace
}

/// Reads the section `[queue_service]`: the grace.
pub(super) fn read_queue_service(table: Table<'_>, problems: &mut Problems) -> Duration {
    let mut section = Section::new(&QUEUE_SERVICE, table, problems);
    let grace = section.duration("grace");
    section.finish();
    grace
}

/// Reads `[store]`; the folder is made when it is first written to.
pub(super) fn read_store(table: Table<'_>, folder: &Path, problems: &mut Problems) -> PathBuf {
    let mut section = Section::new(&STORE_KEYS, table, problems);
    let path = section.parsed("path", |text| {
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
    let mut section = Section::new(&PROMPTS, table, problems);
    let library = section.parsed("path", |text| {
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
    let zone = section.parsed("timezone", |text| {
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
fn default_timezone() -> TimeZone {
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

/// A file that is there.
pub(super) fn file(text: &str, folder: &Path) -> Result<PathBuf, Wrong> {
    let path = parse_path(text, folder)?;
    if path.is_file() {
        Ok(path)
    } else {
        Err(Wrong::because(format!("there is no file {}", quoted(text))))
    }
}

/// A socket, `ADDRESS:PORT`.
pub(super) fn parse_socket(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| match text.strip_prefix("localhost:") {
        Some(port) => Wrong::default().nearest(format!("127.0.0.1:{port}")),
        None => Wrong::default(),
    })
}

/// A socket only this machine can reach: it has no TLS.
fn parse_private(text: &str) -> Result<SocketAddr, Wrong> {
    let address = parse_socket(text)?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(Wrong::because(format!(
        "{} can be reached from other machines, and this socket has no TLS: refused",
        quoted(text)
    ))
    .expected("a loopback address")
    .nearest(on_loopback(address)))
}

/// The same port on this machine alone.
pub(super) fn on_loopback(address: SocketAddr) -> String {
    SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())).to_string()
}

fn parse_queue(text: &str) -> Result<String, Wrong> {
    let Some(rest) = text.strip_prefix("http://") else {
        return match text.split_once("://") {
            Some(("https", rest)) => parse_secure(rest),
            Some(_) => Err(Wrong::default()),
            None => Err(Wrong::default().nearest(format!("http://{text}"))),
        };
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
        "{} is another machine, and `http://` has no TLS: refused",
        quoted(text)
    ))
    .nearest(format!("https://{address}")))
}

/// Reads the rest of a URL after `https://`: a name or address, and a port.
fn parse_secure(rest: &str) -> Result<String, Wrong> {
    let url = format!("https://{}", rest.strip_suffix('/').unwrap_or(rest));
    let uri: hyper::Uri = url.parse().map_err(|_| Wrong::default())?;
    let bare = uri.path() == "/" && uri.query().is_none();
    if !bare || uri.host().is_none_or(str::is_empty) {
        return Err(Wrong::default());
    }
    match uri.port_u16() {
        Some(_) => Ok(url),
        None => Err(Wrong::default().nearest(format!("{url}:50051"))),
    }
}
