//! The modelled media threads: the same commands and events as the real ones, no packets. Prompts take as long as
//! their clips; digits and talk are known to the phones by the port they were told.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use pronto_media::{Command, Event, LegId, PlayId};
use pronto_types::Time;

/// The built-in menu listens for five seconds; a parted operator's leg is closed at once.
const LONGEST_SILENCE: Duration = Duration::from_secs(6);

/// The sound that a leg's listener hears from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Silence,
    Prompt { play: PlayId, until: Time },
    Music,
    Peer(LegId),
}

#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) port: u16,
    pub(crate) heard: Heard,
    /// When the listener last began to hear nothing, once a flow has begun to speak.
    pub(crate) silent_since: Option<Time>,
}

/// One gateway's media.
#[derive(Default)]
pub(crate) struct MediaModel {
    pub(crate) legs: BTreeMap<LegId, Leg>,
    by_port: BTreeMap<u16, LegId>,
    next: u16,
}

impl MediaModel {
    /// Carries out a command; returns what it makes happen and after how long.
    pub(crate) fn command(&mut self, now: Time, command: Command) -> Option<(Duration, Event)> {
        match command {
            Command::Open { leg, .. } => {
                let port = self.free_port();
                self.legs.insert(
                    leg,
                    Leg {
                        port,
                        heard: Heard::Silence,
                        silent_since: None,
                    },
                );
                self.by_port.insert(port, leg);
                let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), port);
                return Some((Duration::from_micros(200), Event::Opened { leg, local }));
            }
            Command::Play { leg, play, clips } => {
                let length: Duration = clips.iter().map(pronto_media::Clip::duration).sum();
                self.hear(
                    now,
                    leg,
                    Heard::Prompt {
                        play,
                        until: now + length,
                    },
                );
                return Some((length, Event::Finished { leg, play }));
            }
            Command::Music { leg, .. } => self.hear(now, leg, Heard::Music),
            Command::Stop { leg } => self.hear(now, leg, Heard::Silence),
            Command::Bridge { a, b } => {
                self.hear(now, a, Heard::Peer(b));
                self.hear(now, b, Heard::Peer(a));
            }
            Command::Unbridge { a, b } => {
                self.hear(now, a, Heard::Silence);
                self.hear(now, b, Heard::Silence);
            }
            Command::Configure { .. } | Command::Digits { .. } | Command::Record { .. } => {}
            Command::Close { leg } => {
                if let Some(closed) = self.legs.remove(&leg) {
                    self.by_port.remove(&closed.port);
                    for other in self.legs.values_mut() {
                        if other.heard == Heard::Peer(leg) {
                            other.heard = Heard::Silence;
                        }
                    }
                }
            }
        }
        None
    }

    /// A prompt that was cut or replaced does not finish.
    pub(crate) fn still_true(&self, event: &Event) -> bool {
        match event {
            Event::Finished { leg, play } => {
                matches!(self.legs.get(leg), Some(Leg { heard: Heard::Prompt { play: p, .. }, .. }) if p == play)
            }
            Event::Opened { leg, .. } => self.legs.contains_key(leg),
            _ => true,
        }
    }

    pub(crate) fn finished(&mut self, now: Time, leg: LegId) {
        self.hear(now, leg, Heard::Silence);
    }

    /// The sound that each leg's listener hears.
    pub(crate) fn hearing(&self) -> Vec<(LegId, Heard)> {
        self.legs.iter().map(|(id, leg)| (*id, leg.heard)).collect()
    }

    pub(crate) fn is_bridged(&self, leg: LegId) -> bool {
        matches!(
            self.legs.get(&leg),
            Some(Leg {
                heard: Heard::Peer(_),
                ..
            })
        )
    }

    pub(crate) fn leg_at(&self, port: u16) -> Option<LegId> {
        self.by_port.get(&port).copied()
    }

    /// Finds a leg that has heard nothing for too long: a flow says something, plays music, or listens for a key for
    /// five seconds.
    pub(crate) fn forgotten(&self, now: Time) -> Option<LegId> {
        let too_long = |leg: &Leg| {
            leg.silent_since
                .is_some_and(|since| now.since(since) > LONGEST_SILENCE)
        };
        self.legs.iter().find(|(_, leg)| too_long(leg)).map(|(id, _)| *id)
    }

    fn hear(&mut self, now: Time, leg: LegId, what: Heard) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            let begun = leg.silent_since.is_some() || leg.heard != Heard::Silence;
            leg.silent_since = (what == Heard::Silence && begun).then(|| leg.silent_since.unwrap_or(now));
            leg.heard = what;
        }
    }

    fn free_port(&mut self) -> u16 {
        loop {
            self.next = if self.next < 20_000 { 20_000 } else { self.next + 2 };
            if self.next > 29_000 {
                self.next = 20_000;
            }
            if !self.by_port.contains_key(&self.next) {
                return self.next;
            }
        }
    }
}
