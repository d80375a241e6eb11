//! `[sip.tls]` and `[sip.websocket]`: what TLS, WS and WSS sockets need besides an address.

use std::net::SocketAddr;
use std::path::Path;

use pronto_config::{Keys, Problem, Problems, Section, Table, Text, Wrong, quoted};
use pronto_gateway::shell::TlsFiles;
use pronto_sip::Transport;

use super::keys::{TLS, WEBSOCKET};
use super::services::file;

/// An allow-list that somebody still oversees.
const MOST_ORIGINS: usize = 64;

/// Reads `[sip.tls]`; `None` where it is missing or invalid.
pub(super) fn read(
    table: Table<'_>,
    listen: &[(Transport, SocketAddr)],
    folder: &Path,
    open: bool,
    problems: &mut Problems,
) -> Option<TlsFiles> {
    let tls = read_files(&TLS, table, folder, open, problems)?;
    if !listen.iter().any(|(transport, _)| transport.is_secure()) {
        let message = "[sip.tls] has no effect: no socket of [sip] uses TLS";
        let problem = Problem::warning(table.span(), message, "neither `tls:` nor `wss:` in `listen`");
        problems.push(problem.expected("`tls:ADDRESS:5061` in `listen` of [sip]"));
    }
    Some(tls)
}

/// Reads the files of a certificate; `None` where the section is missing or invalid. They must be there; with `open`, their
/// content is checked too.
pub(super) fn read_files(
    keys: &'static Keys,
    table: Table<'_>,
    folder: &Path,
    open: bool,
    problems: &mut Problems,
) -> Option<TlsFiles> {
    if !table.is_written() {
        return None;
    }
    let mut section = Section::new(keys, table, problems);
    let certificate = section.parsed("certificate", |text| file(text, folder));
    let key = section.parsed("key", |text| file(text, folder));
    let client_ca = section.parsed("client_ca", |text| file(text, folder));
    let whole = !section.has("client_ca") || client_ca.is_some();
    section.finish();
    let tls = TlsFiles {
        certificate: certificate?,
        key: key?,
        client_ca,
    };
    if open
        && whole
        && let Err(error) = tls.check()
    {
        let problem = Problem::error(table.span(), "this certificate cannot be used", error.to_string());
        problems.push(problem.expected("a certificate and its private key, both in PEM"));
    }
    Some(tls)
}

/// Reads the section `[sip.websocket]`.
pub(super) fn read_websocket(table: Table<'_>, problems: &mut Problems) -> Vec<String> {
    let mut section = Section::new(&WEBSOCKET, table, problems);
    let texts = section.texts("origins").unwrap_or_default();
    if let Some(beyond) = texts.get(MOST_ORIGINS) {
        let message = format!("there are {} origins", texts.len());
        let problem = Problem::error(beyond.span.clone(), message, "one too many");
        section
            .problems
            .push(problem.expected(format!("at most {MOST_ORIGINS}")));
    }
    let read = |text: &Text<'_>| section.understand("origins", text, parse_origin);
    let origins = texts.iter().filter_map(read).collect();
    section.finish();
    origins
}

/// An origin as browsers write it (RFC 6454 §6.2): scheme, host, port if it is not the scheme's own; no path.
fn parse_origin(text: &str) -> Result<String, Wrong> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let (scheme, host) = match text.split_once("://") {
        Some(parts) => parts,
        None => {
            return Err(Wrong::because(format!("{} names no scheme", quoted(text)))
                .nearest(format!("https://{text}")));
        }
    };
    if let Some((host, _)) = host.split_once('/') {
        return Err(Wrong::because("an origin has no path").nearest(format!("{scheme}://{host}")));
    }
    let own = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    if let Some(bare) = host.strip_suffix(own).filter(|_| !own.is_empty()) {
        let wrong = Wrong::because(format!("browsers leave out the port of {scheme}"));
        return Err(wrong.nearest(format!("{scheme}://{bare}")));
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-');
    if host.is_empty() || !host.bytes().all(legal) || scheme.is_empty() || !scheme.bytes().all(letters) {
        return Err(Wrong::default());
    }
    Ok(text.to_owned())
}
