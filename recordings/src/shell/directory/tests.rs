//! Directories of clips: what replaces a built-in clip, and what is refused.

use super::*;
use crate::wav::tests::short_clip;

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
        fs::write(self.0.join(file), short_clip(channels, rate, value)).unwrap();
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
    directory.clip("it/speak.cardinal.2.wav", 1, 16_000, 5);
    fs::write(directory.0.join("README.txt"), "not a clip").unwrap();
    fs::write(directory.0.join(".hidden.wav"), "not a clip").unwrap();
    let library = Library::builtin().with_directory(&directory.0).unwrap();
    let first = |name, language| library.prompt(name, language).map(|clip| clip.samples[0]);
    // Converted from 16 to 8 kHz, a constant keeps its value but for the ends.
    assert!(
        library.prompt("welcome", Language::Italian).unwrap().samples[200..600]
            .iter()
            .all(|s| *s == 1)
    );
    assert_eq!(
        library.prompt("welcome", Language::English),
        Library::builtin().prompt("welcome", Language::English)
    );
    assert_eq!(first("goodbye", Language::English), Some(2));
    assert_eq!(first("goodbye", Language::Italian), Some(3));
    assert_eq!(first("holidays", Language::English), Some(4));
    let two = library.prompt("speak.cardinal.2", Language::Italian).unwrap();
    assert_eq!((two.sample_rate, two.samples[400]), (8_000, 5));
    assert_eq!(first("speak.cardinal.3", Language::Italian), Some(0));
    assert!(library.names(Language::English).any(|name| name == "holidays"));
    assert_eq!(library.music().content(), Library::builtin().music().content());
}

#[test]
fn music_is_replaced_for_every_language_or_not_at_all() {
    let directory = Directory::new("music");
    directory.clip("music.wav", 1, 8_000, 7);
    let library = Library::builtin().with_directory(&directory.0).unwrap();
    let music = library.music().telephone();
    assert_eq!((music.sample_rate, music.samples[0]), (8_000, 7));
    assert_eq!(library.prompt(MUSIC, Language::English), Some(music));
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
    let path = directory.0.join("it/welcome.wav");
    let mut file = fs::read(&path).unwrap();
    file[20] = 0x55;
    fs::write(&path, file).unwrap();
    assert_eq!(
        directory.refused(),
        "DIR/it/welcome.wav: found MP3 data in a WAV file (format tag 0x0055), expected a WAV file (PCM, floating point, \
         A-law or µ-law; 4000 to 192000 Hz) of at most 10 minutes, as `ffmpeg -i IN -ar 8000 -ac 1 OUT.wav` makes one"
    );
    let directory = Directory::new("not-wav");
    fs::write(directory.0.join("welcome.wav"), b"ID3\x03").unwrap();
    assert!(
        directory
            .refused()
            .starts_with("DIR/welcome.wav: found an MP3 file, expected a WAV file ("),
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
