//! The answer to a digest challenge (RFC 7616), MD5 with qop=auth: what every phone can do.

use md5::{Digest, Md5};

/// The value of an Authorization header that answers `challenge`, the value of a WWW-Authenticate header.
pub(crate) fn answer(challenge: &str, method: &str, uri: &str, user: &str, password: &str) -> String {
    let realm = parameter(challenge, "realm").expect("a challenge has a realm");
    let nonce = parameter(challenge, "nonce").expect("a challenge has a nonce");
    let (count, client_nonce) = ("00000001", "0a4f113b");
    let response = response(realm, nonce, method, uri, (user, password), (count, client_nonce));
    let opaque = parameter(challenge, "opaque")
        .map(|opaque| format!(", opaque=\"{opaque}\""))
        .unwrap_or_default();
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
         algorithm=MD5, cnonce=\"{client_nonce}\", qop=auth, nc={count}{opaque}"
    )
}

/// RFC 7616 §3.4.1 with MD5 and qop=auth, for a user and password, a nonce count and client nonce.
pub(crate) fn response(
    realm: &str,
    nonce: &str,
    method: &str,
    uri: &str,
    (user, password): (&str, &str),
    (count, client_nonce): (&str, &str),
) -> String {
    let secret = hex(&format!("{user}:{realm}:{password}"));
    let request = hex(&format!("{method}:{uri}"));
    hex(&format!("{secret}:{nonce}:{count}:{client_nonce}:auth:{request}"))
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

fn hex(text: &str) -> String {
    Md5::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
