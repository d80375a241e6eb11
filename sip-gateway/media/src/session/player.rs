//! Playback of one leg: prompts once, music in a loop, or silence.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::{Clip, Codec, PlayId, g711};

/// A cursor over shared clips. The music's own cursor outlives whatever interrupts it.
#[derive(Clone, Debug, Default)]
pub(super) struct Player {
    playing: Playing,
    music: Option<(Clip, usize)>,
}

#[derive(Clone, Debug, Default)]
enum Playing {
    #[default]
    Silence,
    Prompts {
        play: PlayId,
        clips: Vec<Clip>,
        /// The current clip; `at` is its next sample.
        index: usize,
        at: usize,
    },
    Music,
}

impl Player {
    pub(super) fn play(&mut self, play: PlayId, clips: Vec<Clip>) {
        self.playing = Playing::Prompts {
            play,
            clips,
            index: 0,
            at: 0,
        };
    }

    pub(super) fn music(&mut self, clip: Clip) {
        match &self.music {
            Some((current, _)) if current.is_same(&clip) => {}
            _ => self.music = Some((clip, 0)),
        }
        self.playing = Playing::Music;
    }

    pub(super) fn stop(&mut self) {
        self.playing = Playing::Silence;
    }

    pub(super) fn is_playing(&self) -> bool {
        !matches!(self.playing, Playing::Silence)
    }

    /// Fills a frame and moves the cursor. Returns the play whose last sample it holds.
    pub(super) fn fill(&mut self, codec: Codec, frame: &mut [u8]) -> Option<PlayId> {
        match &mut self.playing {
            Playing::Silence => frame.fill(g711::silence(codec)),
            Playing::Music => {
                if let Some((clip, at)) = &mut self.music {
                    loop_into(clip.octets(codec), at, codec, frame);
                }
            }
            Playing::Prompts {
                play,
                clips,
                index,
                at,
            } => {
                let mut filled = 0;
                while let Some(clip) = clips.get(*index) {
                    let rest = clip.octets(codec).get(*at..).unwrap_or_default();
                    let count = rest.len().min(frame.len() - filled);
                    frame[filled..filled + count].copy_from_slice(&rest[..count]);
                    filled += count;
                    *at += count;
                    if count < rest.len() {
                        return None;
                    }
                    (*index, *at) = (*index + 1, 0);
                }
                frame[filled..].fill(g711::silence(codec));
                let play = *play;
                self.playing = Playing::Silence;
                return Some(play);
            }
        }
        None
    }
}

/// Copies from a loop. A loop without samples is silence.
fn loop_into(octets: &[u8], at: &mut usize, codec: Codec, frame: &mut [u8]) {
    if octets.is_empty() {
        frame.fill(g711::silence(codec));
        return;
    }
    let mut filled = 0;
    while filled < frame.len() {
        let rest = octets.get(*at..).unwrap_or_default();
        let count = rest.len().min(frame.len() - filled);
        frame[filled..filled + count].copy_from_slice(&rest[..count]);
        filled += count;
        *at += count;
        if *at >= octets.len() {
            *at = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clip whose samples tell where they are: 16 values per octet apart survive G.711.
    fn ramp(samples: usize, from: i16) -> Clip {
        Clip::from_pcm16_8k(
            &(0..samples)
                .map(|n| from + (n as i16 % 100) * 64)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn clips_join_without_a_seam_and_the_end_is_told_with_the_last_sample() {
        let (one, two) = (ramp(200, 0), ramp(121, 3_000));
        let mut player = Player::default();
        player.play(
            PlayId(1),
            vec![one.clone(), Clip::from_pcm16_8k(&[]), two.clone()],
        );
        let mut heard = Vec::new();
        let mut ends = Vec::new();
        for _ in 0..4 {
            let mut frame = [0; 160];
            ends.push(player.fill(Codec::Pcma, &mut frame));
            heard.extend(frame);
        }
        assert_eq!(ends, [None, None, Some(PlayId(1)), None]);
        let expected = [one.octets(Codec::Pcma), two.octets(Codec::Pcma)].concat();
        assert_eq!(heard[..321], expected);
        assert!(heard[321..].iter().all(|o| *o == g711::PCMA_SILENCE));
    }

    #[test]
    fn a_prompt_that_fills_its_last_frame_ends_there() {
        let mut player = Player::default();
        player.play(PlayId(2), vec![ramp(160, 0)]);
        assert_eq!(player.fill(Codec::Pcmu, &mut [0; 160]), Some(PlayId(2)));
        player.play(PlayId(3), vec![]);
        assert_eq!(player.fill(Codec::Pcmu, &mut [0; 160]), Some(PlayId(3)));
        assert!(!player.is_playing());
    }

    #[test]
    fn music_loops_and_goes_on_at_the_sample_where_it_stopped() {
        let clip = ramp(250, 0);
        let octets = clip.octets(Codec::Pcmu);
        let mut player = Player::default();
        let mut frame = [0; 160];
        player.music(clip.clone());
        player.fill(Codec::Pcmu, &mut frame);
        assert_eq!(frame, octets[..160]);
        player.play(PlayId(1), vec![ramp(10, 0)]);
        player.fill(Codec::Pcmu, &mut frame);
        player.stop();
        player.music(clip.clone());
        player.fill(Codec::Pcmu, &mut frame);
        assert_eq!(frame[..90], octets[160..]);
        assert_eq!(frame[90..], octets[..70]);
        // Other music begins at its beginning; music without samples is silence.
        player.music(ramp(250, 0));
        player.fill(Codec::Pcmu, &mut frame);
        assert_eq!(frame, octets[..160]);
        player.music(Clip::from_pcm16_8k(&[]));
        player.fill(Codec::Pcmu, &mut frame);
        assert!(frame.iter().all(|o| *o == g711::PCMU_SILENCE));
    }
}
