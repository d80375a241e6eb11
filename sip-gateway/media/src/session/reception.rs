//! Receive statistics of a leg: sequence numbers, loss, duplicates and jitter (RFC 3550 §A.1, §A.3, §A.8).

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Duration;

use pronto_types::Time;

use crate::rtp::Packet;
use crate::{MICROS_PER_SAMPLE, SAMPLE_RATE};

/// RFC 3550 §A.1: a forward step above this is no loss.
const MAX_DROPOUT: u16 = 3_000;
/// How far back a late packet is still told from one that came twice.
const WINDOW: u16 = 64;
/// A larger step of the transit time (1 s) is a clock reset at the source, not jitter. In timestamp units.
const CLOCK_SET: u32 = SAMPLE_RATE;

/// The decision on a received packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Accept the packet.
    Fresh {
        /// A later one came before.
        late: bool,
        /// The first of a new source.
        new_source: bool,
    },
    /// It came before.
    Duplicate,
    /// Its sequence number is from elsewhere; two in a row would be a restart.
    Stale,
}

/// The packets of one leg, over all sources it has had.
#[derive(Clone, Debug, Default)]
pub(super) struct Reception {
    source: Option<Source>,
    /// A source of events only, beside the one of the audio.
    events: Option<Source>,
    earlier_lost: u64,
    max_jitter: u32,
}

#[derive(Clone, Debug)]
struct Source {
    ssrc: u32,
    /// It has brought audio, not events only.
    has_voice: bool,
    /// The first sequence number.
    base: u32,
    /// The highest so far; the upper half counts the wraps.
    highest: u32,
    /// Bit n: `highest - n` has come.
    window: u64,
    received: u32,
    /// The sequence number that would confirm a restart: one after the last stale packet.
    restart: Option<u16>,
    /// Arrival minus timestamp of the last packet, in timestamp units.
    transit: Option<u32>,
    /// Sixteen times the jitter, in timestamp units.
    jitter: u32,
    /// Expected and received at the last report.
    reported: (u32, u32),
}

/// A report block's contents (RFC 3550 §6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Received {
    pub(super) ssrc: u32,
    pub(super) fraction_lost: u8,
    pub(super) lost: u32,
    pub(super) highest: u32,
    pub(super) jitter: u32,
}

impl Source {
    fn new(packet: &Packet, has_voice: bool) -> Self {
        // One wrap ahead, so that late packets from before the first one do not underflow.
        let base = 0x1_0000 | u32::from(packet.sequence);
        Source {
            ssrc: packet.ssrc,
            has_voice,
            base,
            highest: base,
            window: 1,
            received: 1,
            restart: None,
            transit: None,
            jitter: 0,
            reported: (0, 0),
        }
    }

    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.base).wrapping_add(1)
    }

    fn lost(&self) -> u32 {
        self.expected().saturating_sub(self.received)
    }

    fn place(&mut self, sequence: u16) -> Verdict {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let behind = ahead.wrapping_neg();
        let late = if (1..=MAX_DROPOUT).contains(&ahead) {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
            self.window = self.window.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            false
        } else if behind < WINDOW {
            let bit = 1u64 << behind;
            if self.window & bit != 0 {
                return Verdict::Duplicate;
            }
            self.window |= bit;
            true
        } else {
            // "Two sequential packets -- assume that the other side restarted without telling us" (§A.1).
            let restarted = self.restart == Some(sequence);
            self.restart = Some(sequence.wrapping_add(1));
            return if restarted {
                Verdict::Fresh {
                    late: false,
                    new_source: true,
                }
            } else {
                Verdict::Stale
            };
        };
        self.restart = None;
        self.received = self.received.wrapping_add(1);
        Verdict::Fresh {
            late,
            new_source: false,
        }
    }
}

impl Reception {
    /// Places a packet in its stream. Some gateways send events under an SSRC of their own, between packets of audio, or before
    /// the first.
    pub(super) fn receive(&mut self, packet: &Packet, event: bool) -> Verdict {
        let is = |source: &Option<Source>| source.as_ref().is_some_and(|s| s.ssrc == packet.ssrc);
        let only_events = self.source.as_ref().is_some_and(|source| !source.has_voice);
        if !event && only_events && !is(&self.source) && !is(&self.events) {
            // The audio begins, and the events go on beside it.
            self.events = self.source.take();
        }
        let beside = is(&self.events) || (event && self.source.is_some() && !is(&self.source));
        let place = if beside {
            &mut self.events
        } else {
            &mut self.source
        };
        let verdict = match place {
            Some(source) if source.ssrc == packet.ssrc => source.place(packet.sequence),
            _ => Verdict::Fresh {
                late: false,
                new_source: true,
            },
        };
        if let Verdict::Fresh { new_source: true, .. } = verdict {
            if beside {
                self.events = Some(Source::new(packet, false));
            } else {
                self.earlier_lost = self.lost();
                self.source = Some(Source::new(packet, !event));
            }
        } else if !event
            && !beside
            && let Some(source) = &mut self.source
        {
            source.has_voice = true;
        }
        verdict
    }

    /// Measures jitter by a fresh audio packet (events repeat their timestamp and say nothing about it).
    pub(super) fn measure(&mut self, now: Time, timestamp: u32) {
        let Some(source) = &mut self.source else { return };
        let arrival = (now.as_micros() / MICROS_PER_SAMPLE) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        let Some(last) = source.transit.replace(transit) else {
            return;
        };
        let difference = (transit.wrapping_sub(last) as i32).unsigned_abs();
        if difference < CLOCK_SET {
            // §A.8: s->jitter += d - ((s->jitter + 8) >> 4)
            source.jitter = source.jitter + difference - ((source.jitter + 8) >> 4);
            self.max_jitter = self.max_jitter.max(source.jitter >> 4);
        }
    }

    /// Packets missing, over all sources.
    pub(super) fn lost(&self) -> u64 {
        self.earlier_lost + self.source.as_ref().map_or(0, |source| u64::from(source.lost()))
    }

    /// The highest jitter so far.
    pub(super) fn max_jitter(&self) -> Duration {
        Duration::from_secs(u64::from(self.max_jitter)) / SAMPLE_RATE
    }

    /// Returns the figures of the next report and begins a new interval (§A.3).
    pub(super) fn report(&mut self) -> Option<Received> {
        let source = self.source.as_mut()?;
        let (expected, received) = (source.expected(), source.received);
        let expected_now = expected.wrapping_sub(source.reported.0);
        let lost_now = expected_now.saturating_sub(received.wrapping_sub(source.reported.1));
        source.reported = (expected, received);
        let fraction = (u64::from(lost_now) << 8)
            .checked_div(u64::from(expected_now))
            .unwrap_or(0);
        Some(Received {
            ssrc: source.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: source.lost().min(0x7f_ffff),
            // The base began one wrap ahead.
            highest: source.highest.wrapping_sub(0x1_0000),
            jitter: source.jitter >> 4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16) -> Packet {
        Packet {
            marker: false,
            payload_type: 0,
            sequence,
            timestamp: 0,
            ssrc,
            payload: 12..172,
        }
    }

    fn fresh(late: bool) -> Verdict {
        Verdict::Fresh {
            late,
            new_source: false,
        }
    }

    #[test]
    fn loss_duplicates_and_late_packets_are_told_apart_across_the_wrap() {
        let mut reception = Reception::default();
        let new = Verdict::Fresh {
            late: false,
            new_source: true,
        };
        let verdicts = [65_533, 65_535, 65_535, 1, 65_534, 65_534, 0, 2]
            .map(|s| reception.receive(&packet(1, s), false));
        assert_eq!(
            verdicts,
            [
                new,
                fresh(false),
                Verdict::Duplicate,
                fresh(false),
                fresh(true),
                Verdict::Duplicate,
                fresh(true),
                fresh(false)
            ]
        );
        assert_eq!(reception.lost(), 0);
        reception.receive(&packet(1, 12), false);
        assert_eq!(reception.lost(), 9);
    }

    #[test]
    fn a_restart_needs_two_packets_in_a_row_and_a_new_source_one() {
        let mut reception = Reception::default();
        reception.receive(&packet(1, 10), false);
        assert_eq!(reception.receive(&packet(1, 30_000), false), Verdict::Stale);
        assert_eq!(reception.receive(&packet(1, 11), false), fresh(false));
        assert_eq!(
            reception.receive(&packet(1, 30_001), false),
            Verdict::Stale,
            "the row was broken"
        );
        assert_eq!(
            reception.receive(&packet(1, 30_002), false),
            Verdict::Fresh {
                late: false,
                new_source: true
            }
        );
        assert_eq!(
            reception.receive(&packet(2, 9), false),
            Verdict::Fresh {
                late: false,
                new_source: true
            }
        );
        assert_eq!(reception.receive(&packet(2, 13), false), fresh(false));
        assert_eq!(reception.lost(), 3);
    }

    #[test]
    fn events_under_an_ssrc_of_their_own_are_no_new_source_of_the_audio() {
        let mut reception = Reception::default();
        reception.receive(&packet(1, 10), false);
        let new = Verdict::Fresh {
            late: false,
            new_source: true,
        };
        assert_eq!(reception.receive(&packet(2, 500), true), new);
        for n in 1..4 {
            assert_eq!(reception.receive(&packet(1, 10 + n), false), fresh(false));
            assert_eq!(reception.receive(&packet(2, 500 + n), true), fresh(false));
        }
        assert_eq!(reception.receive(&packet(2, 503), true), Verdict::Duplicate);
        assert_eq!(reception.lost(), 0);
        assert_eq!(reception.report().map(|report| report.ssrc), Some(1));
    }

    #[test]
    fn events_that_come_before_the_audio_go_on_beside_it() {
        let mut reception = Reception::default();
        let new = Verdict::Fresh {
            late: false,
            new_source: true,
        };
        assert_eq!(reception.receive(&packet(2, 500), true), new);
        assert_eq!(reception.receive(&packet(1, 10), false), new);
        assert_eq!(reception.receive(&packet(2, 501), true), fresh(false));
        assert_eq!(reception.receive(&packet(1, 11), false), fresh(false));
        assert_eq!(reception.receive(&packet(2, 501), true), Verdict::Duplicate);
        assert_eq!(reception.report().map(|report| report.ssrc), Some(1));
        // A source that has brought audio is replaced, as ever.
        assert_eq!(reception.receive(&packet(3, 7), false), new);
        assert_eq!(reception.receive(&packet(2, 502), true), fresh(false));
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn jitter_follows_the_formula() {
        let mut reception = Reception::default();
        reception.receive(&packet(1, 0), false);
        for n in 0..500u32 {
            // Every second packet 10 ms (80 units) late: |D| is 80 each time, and the estimate converges to it.
            let late = if n % 2 == 0 { 0 } else { 10_000 };
            reception.measure(Time::from_micros(i64::from(n) * 20_000 + late), n * 160);
        }
        let jitter = reception.max_jitter();
        assert!((9_000..=10_000).contains(&jitter.as_micros()), "{jitter:?}");
        reception.measure(Time::from_secs(10), 0xffff_0000);
        assert_eq!(reception.max_jitter(), jitter, "a clock reset is not jitter");
    }

    #[test]
    fn a_report_counts_its_own_interval() {
        let mut reception = Reception::default();
        for sequence in [100, 101, 103, 104] {
            reception.receive(&packet(9, sequence), false);
        }
        let first = reception.report().unwrap();
        assert_eq!(
            (first.ssrc, first.fraction_lost, first.lost, first.highest),
            (9, 51, 1, 104)
        );
        reception.receive(&packet(9, 105), false);
        let second = reception.report().unwrap();
        assert_eq!((second.fraction_lost, second.lost, second.highest), (0, 1, 105));
    }
}
