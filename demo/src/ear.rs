//! The listener of one phone during one call: it finds gaps in the audio, silence, and the speaker.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Duration;

use pronto_media::session::TICK;
use pronto_media::{Codec, g711};
use pronto_types::Time;

use crate::voice::{self, Speaker, WINDOW};

/// Windows in a row in which the same pitch must be heard: a note of the music is no person.
const SURE: u32 = 2;
/// Below this a sample is silence: some 50 dB under full scale, above G.711's own noise.
const SILENCE: i16 = 100;

/// Statistics of the audio heard in a call, for its record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Listening {
    /// RTP packets with audio.
    pub packets: u64,
    /// The longest time between two of them.
    pub longest_gap: Duration,
    /// The longest time in which they held nothing but silence, while music or a voice should have been heard.
    pub longest_silence: Duration,
    /// From the answer to the first sound that was no silence.
    pub first_sound: Option<Duration>,
}

/// One call's ear.
pub(crate) struct Ear {
    /// When the call was answered.
    since: Time,
    last: Time,
    /// The length so far of silence that should not be; `None` while silence is right, as in a menu that waits for a
    /// key.
    silence: Option<Duration>,
    window: Vec<i16>,
    speaking: Option<(Speaker, u32)>,
    heard: Listening,
}

impl Ear {
    pub(crate) fn new(now: Time) -> Self {
        Ear {
            since: now,
            last: now,
            silence: None,
            window: Vec::with_capacity(WINDOW),
            speaking: None,
            heard: Listening::default(),
        }
    }

    /// A packet of audio. Returns who of `candidates` is heard, once it is sure and again at each change.
    pub(crate) fn hear(
        &mut self,
        now: Time,
        (codec, payload): (Codec, &[u8]),
        candidates: impl Iterator<Item = Speaker>,
    ) -> Option<Speaker> {
        self.heard.packets += 1;
        self.heard.longest_gap = self.heard.longest_gap.max(now.since(self.last));
        self.last = now;
        let from = self.window.len();
        self.window
            .extend(payload.iter().map(|octet| g711::decode(codec, *octet)));
        let loud = self.window[from..].iter().any(|sample| sample.abs() > SILENCE);
        if loud {
            self.silence = self.silence.and(Some(Duration::ZERO));
            let since = self.since;
            self.heard.first_sound.get_or_insert_with(|| now.since(since));
        } else if let Some(silence) = &mut self.silence {
            *silence += TICK;
            self.heard.longest_silence = self.heard.longest_silence.max(*silence);
        }
        if self.window.len() < WINDOW {
            return None;
        }
        let found = voice::recognise(&self.window[..WINDOW], candidates);
        self.window.clear();
        let times = match (found, self.speaking) {
            (Some(found), Some((speaker, times))) if found == speaker => times + 1,
            _ => 1,
        };
        self.speaking = found.map(|speaker| (speaker, times));
        found.filter(|_| times == SURE)
    }

    /// From now on there should be no silence.
    pub(crate) fn attend(&mut self) {
        self.silence.get_or_insert_default();
    }

    /// Returns the statistics of the audio heard up to now.
    pub(crate) fn heard(&self, now: Time) -> Listening {
        Listening {
            longest_gap: self.heard.longest_gap.max(now.since(self.last)),
            ..self.heard
        }
    }
}

#[cfg(test)]
mod tests {
    use pronto_media::FRAME;

    use super::*;

    /// Plays octets to an ear, a packet every 20 ms; who was heard, and when.
    fn listen(ear: &mut Ear, mut now: Time, octets: &[u8]) -> Vec<(Time, Speaker)> {
        let mut found = Vec::new();
        for packet in octets.chunks(FRAME) {
            now += TICK;
            let candidates = (0..8).map(Speaker::Operator);
            found.extend(ear.hear(now, (Codec::Pcma, packet), candidates).map(|s| (now, s)));
        }
        found
    }

    #[test]
    fn a_voice_is_told_once_and_soon() {
        let mut ear = Ear::new(Time::ZERO);
        let clip = Speaker::Operator(5).clip();
        let octets: Vec<u8> = clip.octets(Codec::Pcma).repeat(5);
        let found = listen(&mut ear, Time::ZERO, &octets);
        let [(at, speaker)] = found[..] else {
            panic!("told {} times", found.len())
        };
        assert_eq!(speaker, Speaker::Operator(5));
        assert!(at.since(Time::ZERO) <= Duration::from_millis(320));
        assert_eq!(ear.heard(at).longest_silence, Duration::ZERO);
    }

    #[test]
    fn gaps_are_measured_and_silence_from_when_it_should_not_be() {
        let mut ear = Ear::new(Time::ZERO);
        let silence = pronto_media::g711::PCMA_SILENCE;
        let hum = Speaker::Caller(1).clip();
        listen(
            &mut ear,
            Time::ZERO - Duration::from_secs(1),
            &vec![silence; 50 * FRAME],
        );
        ear.attend();
        listen(&mut ear, Time::ZERO, &vec![silence; 25 * FRAME]);
        let later = Time::ZERO + Duration::from_secs(2);
        listen(&mut ear, later, hum.octets(Codec::Pcma));
        let heard = ear.heard(later + Duration::from_millis(320));
        assert_eq!(heard.longest_silence, Duration::from_millis(500));
        assert_eq!(heard.longest_gap, Duration::from_millis(1_520));
        assert_eq!(heard.first_sound, Some(Duration::from_millis(2_020)));
        assert_eq!(heard.packets, 50 + 25 + 16);
        assert_eq!(
            ear.heard(later + Duration::from_secs(9)).longest_gap,
            Duration::from_millis(8_680),
            "nothing came for the last seconds"
        );
    }
}
