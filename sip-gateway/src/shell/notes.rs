//! Lines of the log about refused sessions: strangers can cause them, so there are few in a while, and the next one says how
//! many were left out.

use std::net::IpAddr;
use std::time::Duration;

use pronto_sip::Refusal;
use pronto_types::{RateLimit, Time};

/// Lines at once.
const LINES: u32 = 20;
/// The time in which they are regained.
const WINDOW: Duration = Duration::from_secs(10);

/// Writes the lines.
#[derive(Debug)]
pub(super) struct Notes(RateLimit);

impl Notes {
    pub(super) fn new() -> Self {
        Notes(RateLimit::new(LINES, WINDOW))
    }

    /// A body or a session offer was refused.
    pub(super) fn refused(&mut self, now: Time, source: IpAddr, refusal: &Refusal) {
        let Some(left_out) = self.0.allow(now) else {
            return;
        };
        if left_out > 0 {
            tracing::info!("{left_out} more refusals of sessions were not logged");
        }
        tracing::info!(%source, "refused a session: {refusal}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_a_few_lines_of_the_log() {
        let mut notes = Notes::new();
        let flood = (0..1_000).filter(|_| notes.0.allow(Time::from_secs(100)).is_some());
        assert_eq!(flood.count(), 20);
        assert_eq!(notes.0.allow(Time::from_secs(110)), Some(980));
        // A steady flood: the lines at once, then two a second.
        let mut notes = Notes::new();
        let steady = (0..1_000).map(|tick| Time::from_micros(200_000_000 + tick * 10_000));
        assert_eq!(steady.filter(|now| notes.0.allow(*now).is_some()).count(), 39);
    }
}
