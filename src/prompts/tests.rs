//! Tests of which clips are made, kept and removed, without speech; and of the committed clips.

use pronto_recordings::Library;

use super::*;

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings")
}

/// A folder of its own in which every clip there should be is there, one byte long.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pronto-build-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("build")).unwrap();
        fs::write(
            path.join("build/prompts.tsv"),
            "welcome\tit\tBenvenuti.\nwelcome\ten\tWelcome.\n",
        )
        .unwrap();
        let folder = Self(path);
        let wanted = wanted(&folder.0).unwrap();
        for (language, name) in wanted.keys() {
            let clip = folder.clip(*language, name);
            fs::create_dir_all(clip.parent().unwrap()).unwrap();
            fs::write(clip, "-").unwrap();
        }
        folder.remember(&wanted);
        folder
    }

    fn clip(&self, language: Language, name: &str) -> PathBuf {
        self.0.join(format!("prompts/{language}/{name}.wav"))
    }

    fn remember(&self, texts: &Texts) {
        fs::write(self.0.join("prompts/texts.tsv"), table::write(texts)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_is_there_and_says_the_same_is_kept_and_nobody_has_to_speak() {
    let folder = Folder::new("kept");
    let wanted = wanted(&folder.0).unwrap();
    let summary = build(&folder.0, false).unwrap();
    assert_eq!(
        (summary.made, summary.kept, summary.removed),
        (0, wanted.len(), 0)
    );
    assert_eq!(summary.voices, Vec::<String>::new());
}

#[test]
fn a_clip_made_for_a_text_that_is_gone_is_removed_and_nobody_elses() {
    let folder = Folder::new("gone");
    let mut texts = wanted(&folder.0).unwrap();
    texts.insert((Language::Italian, "holidays".to_owned()), "Chiuso.".to_owned());
    folder.remember(&texts);
    let (gone, foreign) = (
        folder.clip(Language::Italian, "holidays"),
        folder.clip(Language::English, "holidays"),
    );
    fs::write(&gone, "-").unwrap();
    fs::write(&foreign, "-").unwrap();
    assert_eq!(build(&folder.0, false).unwrap().removed, 1);
    assert!(!gone.exists() && foreign.exists());
    assert_eq!(build(&folder.0, false).unwrap().removed, 0);
}

#[test]
fn only_what_changed_or_is_missing_is_said_again() {
    let folder = Folder::new("changed");
    let mut texts = wanted(&folder.0).unwrap();
    let key = (Language::Italian, "speak.cardinal.21".to_owned());
    texts.insert(key.clone(), "ventuna".to_owned());
    folder.remember(&texts);
    fs::remove_file(folder.clip(Language::English, "welcome")).unwrap();
    let before = table::read_if_there(&folder.0.join("prompts/texts.tsv")).unwrap();
    let plan = |language, all| {
        let wanted = wanted(&folder.0).unwrap();
        let missing = missing(&folder.0, language, &wanted, &before, all);
        missing.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(plan(Language::Italian, false), [key.1]);
    assert_eq!(plan(Language::English, false), ["welcome"]);
    assert!(plan(Language::English, true).len() > 90);
}

#[test]
fn a_voice_that_is_missing_names_the_packages() {
    let mute = Mute::Missing {
        language: Language::Italian,
        package: "festvox-italp16k",
    };
    assert_eq!(
        BuildError::from(mute).to_string(),
        "nothing here speaks `it`: install the Debian packages festival and festvox-italp16k (or, for another voice, \
         espeak-ng)"
    );
}

#[test]
fn a_table_with_a_wrong_line_makes_nothing() {
    let folder = Folder::new("wrong");
    fs::write(
        folder.0.join("build/prompts.tsv"),
        "# head\nwelcome\tfr\tBonjour.\n",
    )
    .unwrap();
    let error = build(&folder.0, true).unwrap_err().to_string();
    assert!(
        error.ends_with("prompts.tsv:2: found the language `fr`, expected `it` or `en`"),
        "{error}"
    );
}

/// Whoever changes what announcements say, or the table of texts, makes the clips again.
#[test]
fn the_committed_clips_say_what_they_should_and_all_are_compiled_in() {
    let wanted = wanted(&committed()).unwrap();
    let remembered = table::read_if_there(&committed().join("prompts/texts.tsv")).unwrap();
    assert_eq!(
        remembered, wanted,
        "run `pronto prompts build` and commit what it made"
    );
    let library = Library::builtin();
    for (language, name) in wanted.keys() {
        assert!(library.prompt(name, *language).is_some(), "{language} {name}");
    }
    for language in Language::ALL {
        for (name, _) in speak::vocabulary(language) {
            assert!(library.prompt(&name, language).is_some(), "{language} {name}");
        }
    }
}
