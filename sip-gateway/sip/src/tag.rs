//! The random words of SIP: tags, branches, Call-IDs.

use std::fmt;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use rand::Rng;
use rand_chacha::ChaCha12Rng;

/// 80 random bits, as 20 hexadecimal digits: "tag values MUST be globally unique and cryptographically random with at
/// least 32 bits of randomness" (RFC 3261 §19.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tag([u8; 10]);

impl Tag {
    pub(crate) fn random(rng: &mut ChaCha12Rng) -> Self {
        let mut bytes = [0; 10];
        rng.fill_bytes(&mut bytes);
        Tag(bytes)
    }

    /// From the first bytes of a hash.
    pub(crate) fn from_hash(hash: &[u8; 32]) -> Self {
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&hash[..10]);
        Tag(bytes)
    }

    /// One of ours, written by [`fmt::Display`]; `None` for anything else.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text: &[u8; 20] = text.try_into().ok()?;
        let mut bytes = [0; 10];
        HEXLOWER_PERMISSIVE.decode_mut(text, &mut bytes).ok()?;
        Some(Tag(bytes))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEXLOWER.encode_mut_str(&self.0, &mut [0; 20]))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({self})")
    }
}
