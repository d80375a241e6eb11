//! The built-in clips as they sound, and the directories that replace them.

use std::fs;
use std::path::PathBuf;

use pronto_types::Language;

use super::*;

const PROMPTS: [&str; 4] = ["all-busy", "goodbye", "main-menu", "welcome"];

fn spoken() -> Vec<(String, Recording)> {
    let library = Library::builtin();
    let of = |language| {
        PROMPTS.map(|name| {
            (
                format!("{language}/{name}"),
                library.prompt(name, language).cloned(),
            )
        })
    };
    let clips = Language::ALL.into_iter().flat_map(of);
    clips
        .map(|(name, clip)| (name.clone(), clip.unwrap_or_else(|| panic!("{name} is missing"))))
        .collect()
}

fn decibels(level: f64) -> f64 {
    20.0 * level.log10()
}

/// The level of the 20 ms windows in which something is heard (above -40 dBFS), in dBFS.
fn level_while_heard(clip: &Recording) -> f64 {
    let window = |samples: &[i16]| {
        samples
            .iter()
            .map(|s| (f64::from(*s) / 32768.0).powi(2))
            .sum::<f64>()
            / samples.len() as f64
    };
    let heard: Vec<f64> = clip
        .samples
        .chunks_exact(320)
        .map(window)
        .filter(|power| *power > 0.000_1)
        .collect();
    decibels((heard.iter().sum::<f64>() / heard.len() as f64).sqrt())
}

/// Loudness over time as a fingerprint: one number for each 100 ms.
fn envelope(clip: &Recording) -> Vec<f64> {
    let loud = |samples: &[i16]| samples.iter().map(|s| f64::from(s.unsigned_abs())).sum::<f64>();
    clip.samples.chunks_exact(1_600).map(loud).collect()
}

/// How alike two envelopes are over the shorter one: 1 is the same but for the volume.
fn likeness(a: &[f64], b: &[f64]) -> f64 {
    let centred = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        x.iter().map(|v| v - mean).collect::<Vec<_>>()
    };
    let length = a.len().min(b.len());
    let (a, b) = (centred(&a[..length]), centred(&b[..length]));
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

#[test]
fn every_prompt_speaks_both_languages_at_sixteen_kilohertz() {
    for (name, clip) in spoken() {
        assert_eq!(clip.sample_rate, 16_000, "{name}");
        assert!(
            (1.0..10.0).contains(&clip.duration().as_secs_f64()),
            "{name} {clip:?}"
        );
    }
    let library = Library::builtin();
    for language in Language::ALL {
        assert_eq!(
            library.names(language).collect::<Vec<_>>(),
            ["all-busy", "goodbye", "main-menu", "music", "welcome"],
            "{language}"
        );
    }
    assert_eq!(library.prompt("kitchen", Language::Italian), None);
}

#[test]
fn the_table_of_texts_and_the_clips_compiled_in_name_the_same() {
    let table = include_str!("../build/prompts.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let mut texts: Vec<_> = table
        .map(|line| match *line.split('\t').collect::<Vec<_>>() {
            [name, language, text] if !text.is_empty() => (Language::from_code(language).unwrap(), name),
            _ => panic!("not name, language and text: {line}"),
        })
        .collect();
    let clips = builtin::CLIPS
        .iter()
        .filter_map(|clip| Some((clip.language?, clip.name)));
    let mut clips: Vec<_> = clips.collect();
    texts.sort_unstable();
    clips.sort_unstable();
    assert_eq!(texts, clips);
}

#[test]
fn no_clip_is_clipped_and_all_are_equally_loud() {
    let clips = spoken();
    for (name, clip) in &clips {
        let peak = clip.samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!(
            decibels(f64::from(peak) / 32768.0) < -1.0,
            "{name} peaks at {peak}"
        );
    }
    let levels: Vec<f64> = clips.iter().map(|(_, clip)| level_while_heard(clip)).collect();
    let mean = levels.iter().sum::<f64>() / levels.len() as f64;
    for ((name, _), level) in clips.iter().zip(&levels) {
        assert!(
            (level - mean).abs() < 3.0,
            "{name} is at {level:.1} dBFS, the others at {mean:.1}"
        );
    }
    assert!((-26.0..-18.0).contains(&mean), "speech is at {mean:.1} dBFS");
    let music = level_while_heard(Library::builtin().music());
    assert!(
        (1.0..9.0).contains(&(mean - music)),
        "music at {music:.1} dBFS under speech at {mean:.1}"
    );
}

#[test]
fn prompts_begin_and_end_at_once_without_a_click() {
    for (name, clip) in spoken() {
        let heard = |s: &i16| s.unsigned_abs() > 330;
        let lead = clip.samples.iter().position(heard).unwrap();
        let trail = clip.samples.iter().rev().position(heard).unwrap();
        assert!(
            lead < 2_400 && trail < 2_400,
            "{name}: silent for {lead} samples before, {trail} after"
        );
        for edge in [clip.samples[0], clip.samples[clip.samples.len() - 1]] {
            assert!(
                edge.unsigned_abs() < 100,
                "{name} begins or ends with a click: {edge}"
            );
        }
    }
}

#[test]
fn prompts_can_be_told_apart_by_their_loudness_over_time() {
    let clips = spoken();
    for (i, (name, clip)) in clips.iter().enumerate() {
        assert!(likeness(&envelope(clip), &envelope(clip)) > 0.999);
        for (other, other_clip) in &clips[i + 1..] {
            let alike = likeness(&envelope(clip), &envelope(other_clip));
            assert!(alike < 0.8, "{name} and {other} are alike: {alike:.2}");
        }
    }
}

#[test]
fn the_music_loops_without_a_seam() {
    let music = Library::builtin().music().clone();
    let samples = &music.samples;
    assert_eq!(samples.len() % 320, 0, "whole packets of 20 ms");
    assert!((20.0..30.0).contains(&music.duration().as_secs_f64()));
    // A click is a bend: the wave turns no more sharply across the seam than within 50 ms of it.
    let bend = |w: &[i16]| (i32::from(w[0]) - 2 * i32::from(w[1]) + i32::from(w[2])).abs();
    let (head, tail) = (&samples[..800], &samples[samples.len() - 800..]);
    let around = head.windows(3).chain(tail.windows(3)).map(bend).max().unwrap();
    let seam = [tail[798], tail[799], head[0], head[1]]
        .windows(3)
        .map(bend)
        .max()
        .unwrap();
    assert!(
        seam <= around,
        "the seam bends by {seam}, the music around it by {around} at most"
    );
    let power = |s: &[i16]| s.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / s.len() as f64;
    let tail = power(&samples[samples.len() - 1_600..]);
    assert!(
        tail > power(samples) / 30.0,
        "the music does not fade away before it begins again"
    );
}

/// A directory of its own under the target's, gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pronto-recordings-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("it")).unwrap();
        Self(path)
    }

    /// A clip of 100 ms whose every sample is `value`.
    fn clip(&self, file: &str, channels: u16, rate: u32, value: i16) {
        wav::write_test_clip(&self.0.join(file), channels, rate, value);
    }

    fn refused(&self) -> String {
        let error = Library::builtin()
            .with_directory(&self.0)
            .unwrap_err()
            .to_string();
        error.replace(&self.0.display().to_string(), "DIR")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_recorded_voice_replaces_the_built_in_one_clip_by_clip() {
    let directory = Directory::new("override");
    directory.clip("it/welcome.wav", 1, 16_000, 1);
    directory.clip("goodbye.wav", 1, 8_000, 2);
    directory.clip("it/goodbye.WAV", 1, 8_000, 3);
    directory.clip("holidays.wav", 1, 8_000, 4);
    fs::write(directory.0.join("README.txt"), "not a clip").unwrap();
    fs::write(directory.0.join(".hidden.wav"), "not a clip").unwrap();
    let library = Library::builtin().with_directory(&directory.0).unwrap();
    let first = |name, language| library.prompt(name, language).map(|clip| clip.samples[0]);
    assert_eq!(first("welcome", Language::Italian), Some(1));
    assert_eq!(
        library.prompt("welcome", Language::English),
        Library::builtin().prompt("welcome", Language::English)
    );
    assert_eq!(first("goodbye", Language::English), Some(2));
    assert_eq!(first("goodbye", Language::Italian), Some(3));
    assert_eq!(first("holidays", Language::English), Some(4));
    assert!(library.names(Language::English).any(|name| name == "holidays"));
    assert_eq!(library.music(), Library::builtin().music());
}

#[test]
fn music_is_replaced_for_every_language_or_not_at_all() {
    let directory = Directory::new("music");
    directory.clip("music.wav", 1, 8_000, 7);
    let library = Library::builtin().with_directory(&directory.0).unwrap();
    assert_eq!(
        (library.music().sample_rate, library.music().samples[0]),
        (8_000, 7)
    );
    assert_eq!(library.prompt(MUSIC, Language::English), Some(library.music()));
    directory.clip("it/music.wav", 1, 8_000, 8);
    assert_eq!(
        directory.refused(),
        "DIR/it/music.wav: found music with a language, expected `music.wav` beside the languages, for all of them"
    );
}

#[test]
fn what_cannot_be_played_is_refused_with_its_name_what_it_is_and_what_it_should_be() {
    let directory = Directory::new("bad-format");
    directory.clip("it/welcome.wav", 2, 44_100, 0);
    assert_eq!(
        directory.refused(),
        "DIR/it/welcome.wav: found 16 bit PCM, stereo, 44100 Hz, expected a WAV file: 16 bit PCM, mono, 16000 or \
         8000 Hz, not empty, at most 10 minutes"
    );
    let directory = Directory::new("not-wav");
    fs::write(directory.0.join("welcome.wav"), b"ID3\x03").unwrap();
    assert!(
        directory
            .refused()
            .starts_with("DIR/welcome.wav: found no WAV file ("),
        "{}",
        directory.refused()
    );
    let directory = Directory::new("bad-name");
    directory.clip("wel come.wav", 1, 8_000, 0);
    assert!(
        directory
            .refused()
            .starts_with("DIR/wel come.wav: found a name no flow can write")
    );
    let directory = Directory::new("bad-language");
    fs::create_dir(directory.0.join("fr")).unwrap();
    assert_eq!(
        directory.refused(),
        "DIR/fr: found a directory, expected a language: `it` or `en`"
    );
    let directory = Directory::new("absent");
    fs::remove_dir_all(&directory.0).unwrap();
    assert!(
        directory.refused().starts_with("DIR: "),
        "{}",
        directory.refused()
    );
}

#[test]
fn the_errors_of_a_directory_do_not_depend_on_its_order() {
    let directory = Directory::new("order");
    for name in ["z", "b", "m", "a"] {
        fs::write(directory.0.join(format!("{name}.wav")), "").unwrap();
    }
    assert!(
        directory.refused().starts_with("DIR/a.wav: "),
        "{}",
        directory.refused()
    );
}
