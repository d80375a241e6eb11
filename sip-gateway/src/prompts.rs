//! Everything the flows can ask to hear, ready to be sent: encoded before the first call, so that the core hands out
//! clips and never works on sound.
//!
//! A clip is encoded once for its content: the same sound under two names, or in two languages, is one clip. Memory:
//! 8 kB for each second and codec; a library's limits ([`MOST_SECONDS_TOGETHER`](pronto_recordings::MOST_SECONDS_TOGETHER))
//! bound it at 115 MB.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pronto_media::Clip;
use pronto_recordings::{Content, Library, Source, in_parallel};
use pronto_types::Language;

/// Clips by name and language.
#[derive(Clone, Default)]
pub struct Prompts {
    clips: BTreeMap<(Language, Arc<str>), Clip>,
    music: Option<Clip>,
    /// The same clips by what they sound like.
    encoded: BTreeMap<Content, Clip>,
}

impl Prompts {
    /// Everything a library has in these languages, and its music. Uses all processors until it is done: 30 ms for each
    /// minute of sound of one processor at most.
    pub fn of(library: &Library, languages: &BTreeSet<Language>) -> Self {
        Prompts::default().renewed(library, languages)
    }

    /// The same for a library that has changed: what sounds as it did before is the clip that it was.
    #[must_use]
    pub fn renewed(&self, library: &Library, languages: &BTreeSet<Language>) -> Self {
        let mut wanted = Vec::new();
        for language in languages {
            let names = library.names(*language);
            let sources = names.filter_map(|name| Some((name, library.source(name, *language)?)));
            wanted.extend(sources.map(|(name, source)| ((*language, Arc::<str>::from(name)), source)));
        }
        let sources = wanted.iter().map(|(_, source)| *source).chain([library.music()]);
        let sources: BTreeMap<Content, &Source> = sources.map(|source| (source.content(), source)).collect();
        let sources: Vec<(Content, &Source)> = sources.into_iter().collect();
        let encoded: BTreeMap<Content, Clip> = in_parallel(&sources, |(content, source)| {
            let known = self.encoded.get(content).cloned();
            let clip = known.unwrap_or_else(|| Clip::from_pcm16_8k(&source.telephone().samples));
            (*content, clip)
        })
        .into_iter()
        .collect();
        let clip = |source: &Source| encoded.get(&source.content()).cloned();
        Prompts {
            clips: wanted
                .into_iter()
                .filter_map(|(key, source)| Some((key, clip(source)?)))
                .collect(),
            music: clip(library.music()),
            encoded,
        }
    }

    /// Keeps a clip under its name.
    pub fn insert(&mut self, language: Language, name: &str, clip: Clip) {
        self.clips.insert((language, name.into()), clip);
    }

    /// Sets the music on hold.
    pub fn set_music(&mut self, clip: Clip) {
        self.music = Some(clip);
    }

    /// The clip of this name. Names were checked when the configuration was read.
    pub fn clip(&self, language: Language, name: &Arc<str>) -> Option<Clip> {
        self.clips.get(&(language, Arc::clone(name))).cloned()
    }

    /// The music on hold.
    pub fn music(&self) -> Option<Clip> {
        self.music.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn prompts() -> Prompts {
        Prompts::of(&Library::builtin(), &Language::ALL.into())
    }

    #[test]
    fn a_prompt_is_ready_before_the_core_asks_for_it_and_lasts_as_long() {
        let (library, prompts) = (Library::builtin(), prompts());
        for language in Language::ALL {
            for name in library.names(language).map(Arc::<str>::from) {
                let clip = &prompts.clips[&(language, Arc::clone(&name))];
                assert!(clip.is_same(&prompts.clip(language, &name).unwrap()));
                let recorded = library.prompt(&name, language).unwrap().duration();
                assert!(
                    clip.duration().abs_diff(recorded) < Duration::from_millis(1),
                    "{name}"
                );
            }
            assert!(prompts.clip(language, &"kitchen".into()).is_none());
        }
        assert!(prompts.music().is_some());
    }

    #[test]
    fn the_same_sound_is_encoded_once_whatever_it_is_called_and_whenever_it_is_read() {
        let first = prompts();
        let [one, other] = Language::ALL.map(|language| first.clip(language, &"music".into()).unwrap());
        assert!(one.is_same(&other) && one.is_same(&first.music().unwrap()));
        let again = first.renewed(&Library::builtin(), &[Language::Italian].into());
        let of = |prompts: &Prompts, language| prompts.clip(language, &"welcome".into());
        let kept = of(&again, Language::Italian).unwrap();
        assert!(kept.is_same(&of(&first, Language::Italian).unwrap()));
        assert!(of(&again, Language::English).is_none());
    }
}
