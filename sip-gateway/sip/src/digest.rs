//! Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760): both sides, MD5, SHA-256 and SHA-512-256, `qop=auth`.
//!
//! Nonces are signed, not stored: a time, a number, and an HMAC over both, the realm and the address that the nonce was given
//! to. A nonce that another address uses is an old one, whatever the answer is: nobody can answer in another's place. Only a
//! nonce that has *proved* somebody takes memory, for its nonce counts, and each operator has a memory of their own. Whoever
//! knows no password cannot make us remember anything.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use pronto_types::{OperatorId, Secret, Time, source_of};
use sha2::{Sha256, Sha512_256};
use subtle::ConstantTimeEq;

use crate::message::{Challenge, Credentials, Uri};

#[cfg(test)]
mod tests;

/// How long a nonce proves anybody.
pub(crate) const NONCE_LIFE: Duration = Duration::from_secs(300);

/// A digest algorithm (RFC 8760 §2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Algorithm {
    /// For the phones there are.
    Md5,
    /// For the phones there will be.
    Sha256,
    /// SHA-512 cut to 256 bits (FIPS 180-4 §5.3.6.2).
    Sha512_256,
}

impl Algorithm {
    /// The token in the `algorithm` parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512_256 => "SHA-512-256",
        }
    }

    fn from_param(param: Option<&str>) -> Option<Self> {
        match param {
            None => Some(Algorithm::Md5),
            Some(a) if a.eq_ignore_ascii_case("MD5") => Some(Algorithm::Md5),
            Some(a) if a.eq_ignore_ascii_case("SHA-256") => Some(Algorithm::Sha256),
            Some(a) if a.eq_ignore_ascii_case("SHA-512-256") => Some(Algorithm::Sha512_256),
            Some(_) => None,
        }
    }

    /// The hash of the parts joined by colons, in hexadecimal.
    fn hash(self, parts: &[&[u8]]) -> String {
        fn run<D: Digest>(parts: &[&[u8]]) -> String {
            let mut digest = D::new();
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    digest.update(b":");
                }
                digest.update(part);
            }
            HEXLOWER.encode(&digest.finalize())
        }
        match self {
            Algorithm::Md5 => run::<Md5>(parts),
            Algorithm::Sha256 => run::<Sha256>(parts),
            Algorithm::Sha512_256 => run::<Sha512_256>(parts),
        }
    }
}

/// `H(username:realm:password)`, per algorithm known. Never prints itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    md5: Option<String>,
    sha256: Option<String>,
    sha512_256: Option<String>,
}

impl Ha1 {
    /// For every algorithm.
    pub fn from_password(user: &str, realm: &str, password: &Secret) -> Self {
        let of = |a: Algorithm| a.hash(&[user.as_bytes(), realm.as_bytes(), password.reveal().as_bytes()]);
        Ha1 {
            md5: Some(of(Algorithm::Md5)),
            sha256: Some(of(Algorithm::Sha256)),
            sha512_256: Some(of(Algorithm::Sha512_256)),
        }
    }

    /// From 32 (MD5) or 64 (SHA-256) hexadecimal digits; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let text = text.to_ascii_lowercase();
        match text.len() {
            32 => Some(Ha1 {
                md5: Some(text),
                sha256: None,
                sha512_256: None,
            }),
            64 => Some(Ha1 {
                md5: None,
                sha256: Some(text),
                sha512_256: None,
            }),
            _ => None,
        }
    }

    fn get(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Md5 => self.md5.as_deref(),
            Algorithm::Sha256 => self.sha256.as_deref(),
            Algorithm::Sha512_256 => self.sha512_256.as_deref(),
        }
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1([secret])")
    }
}

/// The result of checking credentials.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// The credentials prove this operator.
    Proven(OperatorId),
    /// The nonce has expired, was given to another address or by another process, or was used with this count: ask again
    /// with `stale=true`, which says that "the previous request … was rejected because the nonce value was stale" (RFC 7616
    /// §3.3). Whether the password is right is not looked at, or it could be tried without being counted.
    Stale,
    /// Nobody: no answer to a question of ours.
    Wrong,
    /// Nobody: an answer to a question of ours, and not the right one, for a user that exists or not.
    Guessed,
}

/// The request whose credentials are checked.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// Where the request came from.
    pub(crate) source: IpAddr,
    pub(crate) method: &'a str,
    /// The Request-URI, as received.
    pub(crate) uri: &'a [u8],
    /// Whether the host in the `uri` parameter is one of ours.
    pub(crate) is_ours: bool,
}

/// The nonces that one operator has used.
#[derive(Default)]
struct Memory {
    used: BTreeMap<u64, Used>,
    /// A nonce issued no later than this counts as used, unless it is among `used`: what has been forgotten was not newer.
    forgotten: Option<Time>,
}

impl Memory {
    /// Counts a proven use of a nonce; `false` for a replay. Full, it forgets the oldest nonce: whoever holds that one asks
    /// for another.
    fn take(&mut self, now: Time, (number, issued): (u64, Time), nc: u32, limit: usize) -> bool {
        if let Some(used) = self.used.get_mut(&number) {
            return used.take(nc);
        }
        if self.used.len() >= limit {
            self.used.retain(|_, used| now.since(used.issued) <= NONCE_LIFE);
        }
        let oldest = self
            .used
            .iter()
            .map(|(number, used)| (used.issued, *number))
            .min();
        if let Some((at, oldest)) = oldest.filter(|_| self.used.len() >= limit)
            && self.forgotten.is_none_or(|forgotten| forgotten < issued)
            && at < issued
        {
            self.used.remove(&oldest);
            self.forgotten = self.forgotten.max(Some(at));
        }
        if self.forgotten.is_some_and(|at| issued <= at) || self.used.len() >= limit {
            return false;
        }
        let (highest, window) = (nc, 1);
        self.used.insert(
            number,
            Used {
                issued,
                highest,
                window,
            },
        );
        true
    }
}

/// The nonce counts one nonce was used with.
struct Used {
    issued: Time,
    highest: u32,
    /// Bit n: `highest - n` was seen.
    window: u64,
}

impl Used {
    /// Whether this count is new; remembers it. Counts may overtake each other by 63 (RFC 7616 §3.4.5 asks for "nc
    /// checks"; two requests in flight arrive in any order).
    fn take(&mut self, nc: u32) -> bool {
        if nc > self.highest {
            let shift = nc - self.highest;
            self.window = if shift > 63 { 1 } else { self.window << shift | 1 };
            self.highest = nc;
            return true;
        }
        let bit = self.highest - nc;
        if bit > 63 || self.window >> bit & 1 == 1 {
            return false;
        }
        self.window |= 1 << bit;
        true
    }
}

/// The parts of a nonce.
pub(crate) struct Nonce {
    pub(crate) issued: Time,
    /// Makes the nonce unique.
    pub(crate) number: u64,
    /// The address that it is given to.
    pub(crate) source: IpAddr,
}

/// The parts of a request that its credentials are computed from.
pub(crate) struct Covered<'a> {
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
    pub(crate) cnonce: &'a str,
}

/// The side that asks: signs nonces, checks answers, refuses replays.
pub(crate) struct Authority {
    key: [u8; 32],
    realm: String,
    algorithms: Vec<Algorithm>,
    /// Operators with a list of their own.
    own: BTreeMap<OperatorId, Vec<Algorithm>>,
    nobody: Ha1,
    /// By operator: at most as many as there are.
    used: BTreeMap<OperatorId, Memory>,
    /// Nonces remembered of one operator.
    limit: usize,
}

impl Authority {
    pub(crate) fn new(
        key: [u8; 32],
        realm: &str,
        algorithms: &[Algorithm],
        own: BTreeMap<OperatorId, Vec<Algorithm>>,
        limit: usize,
    ) -> Self {
        let nobody = Ha1::from_password("", realm, &Secret::new(HEXLOWER.encode(&key)));
        let algorithms = if algorithms.is_empty() {
            vec![Algorithm::Md5]
        } else {
            algorithms.to_vec()
        };
        Authority {
            key,
            realm: realm.to_owned(),
            algorithms,
            own,
            nobody,
            used: BTreeMap::new(),
            limit: limit.max(1),
        }
    }

    /// The key of another life of the process.
    #[cfg(test)]
    pub(crate) fn forget_key(&mut self) {
        self.key[0] ^= 1;
    }

    /// The algorithms asked of this user. Where operators differ, nobody may learn from it who exists: a user that does not
    /// is asked for one of the lists that are, always for the same one.
    fn algorithms_of(&self, user: &str, operators: &BTreeMap<OperatorId, Ha1>) -> &[Algorithm] {
        if self.own.is_empty() {
            return &self.algorithms;
        }
        if let Some(own) = self.own.get(user) {
            return own;
        }
        if operators.contains_key(user) {
            return &self.algorithms;
        }
        let lists = 1 + self.own.len();
        match usize::from(self.sign(user.as_bytes())[0]) % lists {
            0 => &self.algorithms,
            at => self.own.values().nth(at - 1).unwrap_or(&self.algorithms),
        }
    }

    /// The values of the WWW-Authenticate fields to send to this user, best first.
    pub(crate) fn challenge(
        &self,
        nonce: &Nonce,
        stale: bool,
        user: &str,
        operators: &BTreeMap<OperatorId, Ha1>,
    ) -> Vec<String> {
        let nonce = self.nonce(nonce);
        let stale = if stale { ", stale=true" } else { "" };
        let one = |a: &Algorithm| {
            let realm = self.realm.replace(['"', '\\'], "");
            format!(
                "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={}, qop=\"auth\"{stale}",
                a.as_str()
            )
        };
        self.algorithms_of(user, operators).iter().map(one).collect()
    }

    fn nonce(&self, nonce: &Nonce) -> String {
        let plain = format!(
            "{:016x}{:016x}",
            nonce.issued.as_micros().cast_unsigned(),
            nonce.number
        );
        let mac = self.seal(&plain, nonce.source);
        plain + &mac
    }

    /// The MAC that binds a nonce to this endpoint, the realm and the client. An IPv6 client is its network, since one
    /// subscriber changes addresses within it.
    fn seal(&self, plain: &str, source: IpAddr) -> String {
        let text = format!("nonce {plain} {} {}", source_of(source), self.realm);
        HEXLOWER.encode(&self.sign(text.as_bytes())[..16])
    }

    /// HMAC-SHA-256 under this endpoint's own key.
    pub(crate) fn sign(&self, text: &[u8]) -> [u8; 32] {
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.key) {
            Ok(mac) => mac,
            // HMAC takes keys of any length (RFC 2104 §2).
            Err(_) => return [0; 32],
        };
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    /// The number and time of a nonce that this source may answer now.
    fn read_nonce(&self, now: Time, nonce: &str, source: IpAddr) -> Option<(u64, Time)> {
        let (plain, seal) = (nonce.get(..32)?, nonce.get(32..)?);
        if !bool::from(self.seal(plain, source).as_bytes().ct_eq(seal.as_bytes())) {
            return None;
        }
        let issued = u64::from_str_radix(&plain[..16], 16).ok()?.cast_signed();
        let issued = Time::from_micros(issued);
        let fresh = issued <= now && now.since(issued) <= NONCE_LIFE;
        let number = u64::from_str_radix(&plain[16..], 16).ok()?;
        fresh.then_some((number, issued))
    }

    /// Verifies credentials. The work is the same for users that exist and users that do not.
    pub(crate) fn verify(
        &mut self,
        now: Time,
        given: &Credentials,
        asked: Asked<'_>,
        operators: &BTreeMap<OperatorId, Ha1>,
    ) -> Verdict {
        let algorithm = Algorithm::from_param(given.algorithm.as_deref())
            .filter(|a| self.algorithms_of(&given.username, operators).contains(a));
        let Some(algorithm) = algorithm.filter(|_| is_ours_in_form(&given.nonce)) else {
            return Verdict::Wrong;
        };
        let Some(nonce) = self.read_nonce(now, &given.nonce, asked.source) else {
            return Verdict::Stale;
        };
        let known = operators.get_key_value(given.username.as_str());
        let nobody = self.nobody.get(algorithm).unwrap_or_default();
        let ha1 = known.and_then(|(_, ha1)| ha1.get(algorithm)).unwrap_or(nobody);
        let Some(expected) = expected_response(algorithm, ha1, given, asked.method) else {
            return Verdict::Wrong;
        };
        let matches = bool::from(
            expected
                .as_bytes()
                .ct_eq(given.response.to_ascii_lowercase().as_bytes()),
        );
        let Some((operator, _)) = known.filter(|(_, ha1)| ha1.get(algorithm).is_some() && matches) else {
            return Verdict::Guessed;
        };
        let for_us = asked.is_ours || same_target(given.uri.as_bytes(), asked.uri);
        if given.realm != self.realm || !for_us {
            return Verdict::Wrong;
        }
        let nc = given
            .nc
            .as_deref()
            .map_or(Some(1), |nc| u32::from_str_radix(nc, 16).ok());
        let memory = self.used.entry(operator.clone()).or_default();
        match nc {
            Some(nc) if memory.take(now, nonce, nc, self.limit) => Verdict::Proven(operator.clone()),
            _ => Verdict::Stale,
        }
    }
}

/// Whether a text could be a nonce of ours, in this life of the process or another.
fn is_ours_in_form(nonce: &str) -> bool {
    nonce.len() == 64 && nonce.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The uri parameter against the Request-URI: the same text, or at least the same scheme, user and host. Both may differ, since
/// a proxy may have changed the latter: "it is not necessarily a failure if the two fields are not equivalent" (RFC 3261
/// §22.4); then the host must be one of ours.
fn same_target(param: &[u8], request: &[u8]) -> bool {
    param == request
        || match (Uri::parse(param), Uri::parse(request)) {
            (Some(a), Some(b)) => a.scheme == b.scheme && a.user == b.user && a.host.is_same(b.host),
            _ => false,
        }
}

/// RFC 7616 §3.4.1, and RFC 2069's form where no qop is given.
fn expected_response(algorithm: Algorithm, ha1: &str, given: &Credentials, method: &str) -> Option<String> {
    let ha2 = algorithm.hash(&[method.as_bytes(), given.uri.as_bytes()]);
    let (ha1, nonce, ha2) = (ha1.as_bytes(), given.nonce.as_bytes(), ha2.as_bytes());
    match given.qop.as_deref() {
        None => Some(algorithm.hash(&[ha1, nonce, ha2])),
        Some(qop) if qop.eq_ignore_ascii_case("auth") => {
            let (nc, cnonce) = (given.nc.as_deref()?, given.cnonce.as_deref()?);
            Some(algorithm.hash(&[ha1, nonce, nc.as_bytes(), cnonce.as_bytes(), qop.as_bytes(), ha2]))
        }
        Some(_) => None,
    }
}

/// The side that answers: the Authorization value for a challenge, or `None` for an algorithm we do not know.
pub(crate) fn answer(
    challenge: &Challenge,
    user: &str,
    password: &Secret,
    covered: &Covered<'_>,
) -> Option<String> {
    let Covered { method, uri, cnonce } = *covered;
    let algorithm = Algorithm::from_param(challenge.algorithm.as_deref())?;
    let ha1 = algorithm.hash(&[
        user.as_bytes(),
        challenge.realm.as_bytes(),
        password.reveal().as_bytes(),
    ]);
    let mut given = Credentials {
        username: user.to_owned(),
        realm: challenge.realm.clone(),
        nonce: challenge.nonce.clone(),
        uri: uri.to_owned(),
        response: String::new(),
        algorithm: None,
        qop: challenge.qop_auth.then(|| "auth".to_owned()),
        cnonce: Some(cnonce.to_owned()),
        nc: Some("00000001".to_owned()),
    };
    given.response = expected_response(algorithm, &ha1, &given, method)?;
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut value = format!(
        "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{}\", algorithm={}",
        quoted(user),
        quoted(&challenge.realm),
        quoted(&challenge.nonce),
        given.response,
        algorithm.as_str()
    );
    if challenge.qop_auth {
        value += &format!(", qop=auth, nc=00000001, cnonce=\"{cnonce}\"");
    }
    if let Some(opaque) = &challenge.opaque {
        value += &format!(", opaque=\"{}\"", quoted(opaque));
    }
    Some(value)
}
