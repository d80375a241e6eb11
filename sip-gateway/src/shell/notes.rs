//! Lines of the log that strangers can cause: so many in a while, and how many were left out.

use std::net::IpAddr;
use std::time::Duration;

use pronto_sip::Refusal;
use pronto_types::Time;

/// Lines in one [`WINDOW`].
const LINES: u32 = 20;
/// How long one lasts.
const WINDOW: Duration = Duration::from_secs(10);

/// Counts the lines of one window.
#[derive(Debug)]
pub(super) struct Notes {
    until: Time,
    written: u32,
    left_out: u64,
}

impl Notes {
    pub(super) fn new() -> Self {
        Notes {
            until: Time::ZERO,
            written: 0,
            left_out: 0,
        }
    }

    /// A body or a session offer was refused.
    pub(super) fn refused(&mut self, now: Time, source: IpAddr, refusal: &Refusal) {
        if self.admits(now) {
            tracing::info!(%source, "refused a session: {refusal}");
        }
    }

    fn admits(&mut self, now: Time) -> bool {
        if now >= self.until {
            if self.left_out > 0 {
                tracing::info!("{} more refusals of sessions were not logged", self.left_out);
            }
            *self = Notes {
                until: now + WINDOW,
                ..Notes::new()
            };
        }
        let admitted = self.written < LINES;
        if admitted {
            self.written += 1;
        } else {
            self.left_out += 1;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_a_few_lines_of_the_log() {
        let mut notes = Notes::new();
        let flood = (0..1_000).filter(|_| notes.admits(Time::from_secs(100))).count();
        assert_eq!((flood, notes.left_out), (20, 980));
        assert!(notes.admits(Time::from_secs(110)));
        assert_eq!(notes.left_out, 0);
    }
}
