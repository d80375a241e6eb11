//! The built-in clips as they sound.

use pronto_types::Language;

use super::*;

/// Prompts of the built-in flow, and the one that tells the caller of a recording.
const PROMPTS: [&str; 5] = ["all-busy", "goodbye", "main-menu", "recorded", "welcome"];

/// Every clip with a voice.
fn spoken() -> Vec<(String, Recording)> {
    let library = Library::builtin();
    let of = |language| {
        let clip = |name| {
            (
                format!("{language}/{name}"),
                library.prompt(name, language).unwrap(),
            )
        };
        let names = library.names(language).filter(|name| *name != MUSIC);
        names.map(clip).collect::<Vec<_>>()
    };
    Language::ALL.into_iter().flat_map(of).collect()
}

/// The music as it is compiled in.
fn music() -> Recording {
    Library::builtin().prompt(MUSIC, Language::English).unwrap()
}

/// Those of the built-in flow.
fn prompts() -> Vec<(String, Recording)> {
    let is_prompt = |name: &str| PROMPTS.iter().any(|prompt| name.ends_with(&format!("/{prompt}")));
    spoken().into_iter().filter(|(name, _)| is_prompt(name)).collect()
}

/// Samples between -1 and 1.
fn floating(clip: &Recording) -> Vec<f64> {
    clip.samples.iter().map(|s| f64::from(*s) / 32_768.0).collect()
}

fn lufs(clip: &Recording) -> f64 {
    loudness(&floating(clip), clip.sample_rate).unwrap()
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
    let library = Library::builtin();
    for (name, clip) in spoken() {
        assert_eq!(clip.sample_rate, 16_000, "{name}");
        let seconds = clip.duration().as_secs_f64();
        assert!((0.05..10.0).contains(&seconds), "{name} {clip:?}");
    }
    for language in Language::ALL {
        let names = library.names(language).filter(|name| !name.starts_with("speak."));
        let expected = [&PROMPTS[..3], &["music"], &PROMPTS[3..]].concat();
        assert_eq!(names.collect::<Vec<_>>(), expected, "{language}");
    }
    assert_eq!(prompts().len(), 10);
    assert_eq!(library.prompt("kitchen", Language::Italian), None);
}

#[test]
fn the_table_of_texts_and_the_clips_compiled_in_name_the_same() {
    let table = include_str!("../prompts/texts.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let mut texts: Vec<_> = table
        .map(|line| match *line.split('\t').collect::<Vec<_>>() {
            [name, language, text] if !text.is_empty() => (language, name),
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
    let size: usize = builtin::CLIPS.iter().map(|clip| clip.file.len()).sum();
    assert!(size < 14_000_000, "the binary carries {size} bytes of clips");
}

#[test]
fn no_clip_is_clipped_and_all_are_equally_loud() {
    for (name, clip) in spoken() {
        let peak = clip.samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!(
            20.0 * (f64::from(peak) / 32_768.0).log10() < -1.0,
            "{name} peaks at {peak}"
        );
        assert!(
            (lufs(&clip) - LOUDNESS).abs() < 1.0,
            "{name} is at {:.1} LUFS",
            lufs(&clip)
        );
    }
    let music = lufs(&music());
    assert!(
        (1.0..9.0).contains(&(LOUDNESS - music)),
        "music at {music:.1} LUFS under speech at {LOUDNESS}"
    );
}

/// Two clips make one phrase: what is silent between them is less than a plosive takes twice over. A sentence ends in a
/// breath.
#[test]
fn clips_begin_and_end_at_once_and_without_a_click() {
    let sentences: Vec<_> = include_str!("../prompts/texts.tsv")
        .lines()
        .filter(|line| line.ends_with(['.', '!', '?']))
        .filter_map(|line| line.split('\t').next())
        .collect();
    for (name, clip) in spoken() {
        let samples = &clip.samples;
        let heard = sounding(&floating(&clip), clip.sample_rate).unwrap();
        let (lead, trail) = (heard.start, samples.len() - heard.end);
        let most = if sentences.contains(&name.split('/').next_back().unwrap()) {
            300
        } else {
            40
        };
        assert!(
            lead <= 20 * 16 && trail <= most * 16,
            "{name}: silent for {lead} samples before, {trail} after"
        );
        for edge in [&samples[..32], &samples[samples.len() - 32..]] {
            assert!(edge.iter().all(|s| *s == 0), "{name} begins or ends with a click");
        }
    }
}

#[test]
fn prompts_can_be_told_apart_by_their_loudness_over_time() {
    let clips = prompts();
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
    let music = music();
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
