//! The answer to a digest challenge (RFC 7616) with qop=auth: MD5, which every phone can, SHA-256 and SHA-512-256.

use data_encoding::HEXLOWER;
use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

/// The value of an Authorization header that answers `challenge`, the value of a WWW-Authenticate header.
pub(crate) fn answer(challenge: &str, method: &str, uri: &str, user: &str, password: &str) -> String {
    let realm = parameter(challenge, "realm").expect("a challenge has a realm");
    let nonce = parameter(challenge, "nonce").expect("a challenge has a nonce");
    let algorithm = algorithm(challenge);
    let (count, client_nonce) = ("00000001", "0a4f113b");
    let proof = Proof {
        algorithm,
        realm,
        nonce,
        method,
        uri,
        user,
        password,
        count,
        client_nonce,
    };
    let response = proof.response();
    let opaque = parameter(challenge, "opaque")
        .map(|opaque| format!(", opaque=\"{opaque}\""))
        .unwrap_or_default();
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
         algorithm={algorithm}, cnonce=\"{client_nonce}\", qop=auth, nc={count}{opaque}"
    )
}

/// The digest algorithm that a challenge asks for.
pub(crate) fn algorithm(challenge: &str) -> &str {
    parameter(challenge, "algorithm").unwrap_or("MD5")
}

/// The fields that a digest response is made of.
pub(crate) struct Proof<'a> {
    pub(crate) algorithm: &'a str,
    pub(crate) realm: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    /// The nonce count, as eight hexadecimal digits.
    pub(crate) count: &'a str,
    pub(crate) client_nonce: &'a str,
}

impl Proof<'_> {
    /// The response by RFC 7616 §3.4.1 with qop=auth.
    pub(crate) fn response(&self) -> String {
        let Proof {
            realm,
            nonce,
            method,
            uri,
            user,
            password,
            count,
            client_nonce,
            ..
        } = self;
        let hex = |text: &str| hex(self.algorithm, text);
        let secret = hex(&format!("{user}:{realm}:{password}"));
        let request = hex(&format!("{method}:{uri}"));
        hex(&format!("{secret}:{nonce}:{count}:{client_nonce}:auth:{request}"))
    }
}

/// Nonce count and client nonce of an Authorization value.
pub(crate) fn counters(proof: &str) -> (&str, &str) {
    (
        parameter(proof, "nc").unwrap_or_default(),
        parameter(proof, "cnonce").unwrap_or_default(),
    )
}

pub(crate) fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let (_, parameters) = challenge.split_once(' ')?;
    // No value of a challenge of ours holds a comma inside its quotes but `qop`, whose first word is enough.
    parameters.split(',').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"'))
    })
}

fn hex(algorithm: &str, text: &str) -> String {
    let hash = match algorithm {
        "MD5" => Md5::digest(text).to_vec(),
        "SHA-256" => Sha256::digest(text).to_vec(),
        "SHA-512-256" => Sha512_256::digest(text).to_vec(),
        other => panic!("no phone knows {other}"),
    };
    HEXLOWER.encode(&hash)
}
