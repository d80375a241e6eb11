//! When a leg reports over RTCP, and what (RFC 3550 §6.2, §6.4).

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Duration;

use data_encoding::HEXLOWER;
use pronto_types::Time;

use super::outgoing::Outgoing;
use super::reception::Received;
use crate::rtcp::{Block, Heard, Report};

/// The mean interval, "a fixed minimum interval … of 5 seconds" (§6.2).
const EVERY: Duration = Duration::from_secs(5);

/// RTCP's own state.
#[derive(Clone, Debug)]
pub(super) struct Reports {
    dice: u64,
    cname: [u8; 24],
    due: Time,
    /// SSRC and middle NTP bits of the peer's last sender report, and when it came.
    heard: Option<(u32, u32, Time)>,
}

/// SplitMix64: spreads one seed over the few numbers a stream starts with. The seed is the CSPRNG's.
pub(super) fn roll(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Reports {
    pub(super) fn new(mut dice: u64, now: Time) -> Self {
        let name = u128::from(roll(&mut dice)) << 64 | u128::from(roll(&mut dice));
        let mut cname = [0; 24];
        HEXLOWER.encode_mut(&name.to_be_bytes()[..12], &mut cname);
        // "The delay … before the first compound RTCP packet … half the minimum interval" (§6.2).
        Reports {
            dice,
            cname,
            due: now + EVERY / 2,
            heard: None,
        }
    }

    /// The peer reported.
    pub(super) fn heard(&mut self, now: Time, heard: Heard) {
        if let Some((ssrc, ntp)) = heard.sender_report {
            self.heard = Some((ssrc, ntp, now));
        }
    }

    /// Whether it is time; if so, the next time is drawn.
    pub(super) fn is_due(&mut self, now: Time) -> bool {
        let due = now >= self.due;
        if due {
            // "Varied randomly over the range [0.5,1.5] times the calculated interval" (§6.2).
            let spread = roll(&mut self.dice) % EVERY.as_micros() as u64;
            self.due = now + EVERY / 2 + Duration::from_micros(spread);
        }
        due
    }

    /// Writes the report; `None` if there is nothing to report on yet.
    pub(super) fn write(
        &self,
        now: Time,
        out: &Outgoing,
        received: Option<Received>,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let (packets, octets) = out.sent();
        let sent = (packets > 0).then(|| (out.timestamp_at(now), packets, octets));
        if sent.is_none() && received.is_none() {
            return None;
        }
        let received = received.map(|received| Block {
            ssrc: received.ssrc,
            fraction_lost: received.fraction_lost,
            lost: received.lost,
            highest: received.highest,
            jitter: received.jitter,
            last_report: self.last_report(now, received.ssrc),
        });
        Report {
            ssrc: out.ssrc(),
            cname: self.cname,
            now,
            sent,
            received,
        }
        .write(buffer)
    }

    /// LSR and DLSR (§6.4.1).
    fn last_report(&self, now: Time, ssrc: u32) -> (u32, u32) {
        let Some((_, ntp, at)) = self.heard.filter(|(of, ..)| *of == ssrc) else {
            return (0, 0);
        };
        (
            ntp,
            u32::try_from((now.since(at).as_micros() << 16) / 1_000_000).unwrap_or(u32::MAX),
        )
    }
}
