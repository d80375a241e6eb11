//! One value of a Via header field (RFC 3261 §20.42, RFC 3581).

use std::net::SocketAddr;

use super::text::{Params, is_token_text, trim};
use super::uri::{Host, host_port};

/// A parsed Via value.
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    /// The value as it came.
    pub raw: &'a [u8],
    /// `UDP`, `TCP`, … in the sender's spelling.
    pub transport: &'a [u8],
    /// `sent-by` as it came: part of the transaction key.
    pub sent_by: &'a [u8],
    /// The host of `sent-by`.
    pub host: Host<'a>,
    /// The port of `sent-by`.
    pub port: Option<u16>,
    /// The parameters after `sent-by`.
    pub params: Params<'a>,
}

/// "The branch ID inserted by an element compliant with this specification MUST always begin with the characters
/// `z9hG4bK`" (RFC 3261 §8.1.1.7).
pub(crate) const MAGIC: &[u8] = b"z9hG4bK";

impl<'a> Via<'a> {
    /// Reads one value; `None` when malformed.
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        let raw = trim(raw);
        let (name, rest) = cut(raw, b'/')?;
        let (version, rest) = cut(rest, b'/')?;
        if !name.eq_ignore_ascii_case(b"SIP") || version != b"2.0" {
            return None;
        }
        let rest = trim(rest);
        let (transport, rest) = rest.split_at(rest.iter().position(|b| matches!(b, b' ' | b'\t'))?);
        let (sent_by, params) = rest.split_at(rest.iter().position(|b| *b == b';').unwrap_or(rest.len()));
        let sent_by = trim(sent_by);
        if !is_token_text(transport) {
            return None;
        }
        let (host, port) = host_port(sent_by)?;
        Some(Via {
            raw,
            transport,
            sent_by,
            host,
            port,
            params: Params::parse(params)?,
        })
    }

    /// The branch, if it was made by RFC 3261's rules.
    pub fn branch(&self) -> Option<&'a [u8]> {
        // "must not break" on the cookie alone (RFC 4475 §3.2.1): such a branch identifies nothing.
        self.params
            .value("branch")
            .filter(|b| b.starts_with(MAGIC) && b.len() > MAGIC.len())
    }

    /// Writes the value as the server must return it: "the server MUST set the value of the `rport` parameter to the
    /// source port of the request" and "MUST insert a `received` parameter" (RFC 3581 §4).
    pub(crate) fn write_stamped(&self, source: SocketAddr, out: &mut Vec<u8>) {
        let rport = self
            .params
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(b"rport"));
        let stamped = rport || self.host != Host::Ip(source.ip());
        if !stamped {
            out.extend_from_slice(self.raw);
            return;
        }
        out.extend_from_slice(&self.raw[..self.raw.len() - self.params.as_bytes().len()]);
        for (name, value) in self.params.iter() {
            if name.eq_ignore_ascii_case(b"rport") || name.eq_ignore_ascii_case(b"received") {
                continue;
            }
            out.push(b';');
            out.extend_from_slice(name);
            if let Some(value) = value {
                out.push(b'=');
                out.extend_from_slice(value);
            }
        }
        super::builder::push_display(out, format_args!(";received={}", source.ip()));
        if rport {
            super::builder::push_display(out, format_args!(";rport={}", source.port()));
        }
    }
}

fn cut(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let slash = text.iter().position(|b| *b == at)?;
    Some((trim(&text[..slash]), &text[slash + 1..]))
}
