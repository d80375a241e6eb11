//! The engine's facts as bytes and back: `pronto/v1/ledger.proto`. Nothing is decided here, and nothing is lost: what
//! the engine records comes back equal, so that folding the ledger gives the state that wrote it.
//!
//! The bytes are canonical (fields in the order of their numbers, no maps): the same facts are the same bytes, on every
//! machine and in every run.

use std::time::Duration;

use pronto_engine::{Cause, LedgerEntry};
use pronto_proto::v1::{self, fact};
use pronto_proto::wire::{Wire, WireError, duration};
use prost::Message;

mod facts;
mod wire;

/// The codec of the ledger's facts.
#[derive(Debug)]
struct Ledger;

/// The form [`encode`] writes. To be raised with *every* change of `ledger.proto`, additions included: an older
/// reader would pass over what it does not know and fold another state. [`decode`] goes on reading the forms before.
pub const VERSION: u16 = 10;

/// The oldest form [`decode`] reads.
const OLDEST: u16 = 1;

/// Bytes that are no fact. Nothing may be folded past it: the state would not be the one that was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Written by a newer Pronto, or by something else.
    #[error("facts of version {0} cannot be read: expected {OLDEST} to {VERSION}")]
    Version(u16),
    /// Not a protobuf message of that shape: cut off, or changed.
    #[error("not a fact: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// A field is missing, or holds what it may not.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// A fact as the bytes of a `pronto.v1.Fact`, in the form [`VERSION`].
///
/// Every fact comes back from [`decode`] as it was, provided that its ids, its epochs and the number of its cause
/// are not 0 (the link lets none in, a sequence begins at 1) and its durations are below 2⁶³ s (longer ones are cut).
pub fn encode(recorded: &LedgerEntry) -> Vec<u8> {
    v1::Fact {
        sequence: recorded.seq,
        at_micros: recorded.at.as_micros(),
        cause: recorded.cause.as_ref().map(|cause| fact::Cause {
            gateway: cause.gateway.to_string(),
            epoch: cause.epoch,
            number: cause.number,
        }),
        fact: Some(Wire::<Ledger>::to_wire(&recorded.fact)),
    }
    .encode_to_vec()
}

/// The fact of which [`encode`] made these bytes, in the form `version`. Takes memory in proportion to `bytes`. A fact that this
/// version did not know is read all the same: `version` tells how to read, and no release writes such a record.
///
/// # Errors
/// [`LedgerError`]; never panics, whatever the bytes.
pub fn decode(version: u16, bytes: &[u8]) -> Result<LedgerEntry, LedgerError> {
    if !(OLDEST..=VERSION).contains(&version) {
        return Err(LedgerError::Version(version));
    }
    let mut wire = v1::Fact::decode(bytes)?;
    if version < 3 {
        without_announcements(&mut wire);
    }
    if version < 4 {
        with_both_figures(&mut wire);
    }
    let fact = wire.fact.ok_or(WireError::Missing("fact"))?;
    Ok(LedgerEntry {
        seq: Wire::<Ledger>::from_wire(wire.sequence, "sequence")?,
        at: Wire::<Ledger>::from_wire(wire.at_micros, "at")?,
        cause: wire.cause.map(cause).transpose()?,
        fact: Wire::<Ledger>::from_wire(fact, "fact")?,
    })
}

fn cause(form: fact::Cause) -> Result<Cause, WireError> {
    Ok(Cause {
        gateway: Wire::<Ledger>::from_wire(form.gateway, "cause.gateway")?,
        epoch: Wire::<Ledger>::from_wire(form.epoch, "cause.epoch")?,
        number: Wire::<Ledger>::from_wire(form.number, "cause.number")?,
    })
}

/// Before version 3 nobody was told anything, and so it stays where such a configuration is in force.
fn without_announcements(wire: &mut v1::Fact) {
    if let Some(fact::Fact::Configured(configured)) = &mut wire.fact {
        for queue in &mut configured.queues {
            queue.announce_every = Some(duration(Duration::ZERO));
        }
    }
}

/// Before version 4 position and wait were told, at once, and a talk was believed to last 4 minutes.
fn with_both_figures(wire: &mut v1::Fact) {
    let lasting = |seconds| Some(duration(Duration::from_secs(seconds)));
    if let Some(fact::Fact::Configured(configured)) = &mut wire.fact {
        for queue in &mut configured.queues {
            (queue.announce_position, queue.announce_wait) = (true, true);
            (queue.announce_first, queue.announce_change) = (lasting(0), lasting(0));
            queue.talk = lasting(240);
        }
    }
}

#[cfg(test)]
mod tests;
