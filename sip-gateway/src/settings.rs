//! What the gateway is told at start: its numbers, what it plays, its limits.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pronto_ivr::Flow;
use pronto_media::Clip;
use pronto_recordings::{Library, Recording};
use pronto_types::{Language, QueueName};

/// The settings of the [`Gateway`](crate::Gateway) core.
#[derive(Clone)]
pub struct Settings {
    /// The configured numbers by their normalised dial string.
    pub numbers: BTreeMap<String, Number>,
    /// How long a caller may wait in each queue: the gateway's own clock takes over when the queue service is away.
    pub max_wait: BTreeMap<QueueName, Duration>,
    /// After this long without the queue service's acknowledgement a joining caller takes the `failed` exit.
    pub queue_away: Duration,
    /// The address written into our SDP, where it is not the one the media socket is bound to.
    pub advertise: Option<IpAddr>,
    /// Learn the media address once from the first packet where the SDP's address is not the signalling source's.
    pub learn: bool,
    /// Everything the flows can ask to hear.
    pub prompts: Prompts,
    /// The queues whose talks are recorded, each with the prompt that tells the caller so beforehand; `None`: nobody is
    /// told.
    pub recorded: BTreeMap<QueueName, Option<Arc<str>>>,
    /// Calls at once; the next INVITE gets 503 with Retry-After.
    pub max_calls: usize,
}

impl Settings {
    /// The queues whose forecasts the flows ask for.
    pub fn forecasts(&self) -> BTreeSet<QueueName> {
        let asked = self.numbers.values().flat_map(|number| number.flow.forecasts());
        asked.map(|(queue, _)| queue.clone()).collect()
    }
}

/// A number somebody can dial.
#[derive(Clone)]
pub struct Number {
    /// As configured; names the number in records.
    pub dial: String,
    /// What the caller hears and presses.
    pub flow: Arc<Flow>,
    /// In which language.
    pub language: Language,
    /// When the caller begins to pay.
    pub answer: Answer,
}

/// When a call is answered with 200, which is when most networks begin to charge for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// Before the first prompt.
    #[default]
    AtOnce,
    /// When an operator answers: prompts, keys and music before that are early media (183). A call without an offer, which
    /// early media would need a reliable provisional response for (RFC 3262), is answered at once.
    OnOperator,
}

/// Clips by name and language. Each is encoded when it is first heard, once for all callers: a few milliseconds then,
/// where all of them would delay the start.
#[derive(Clone, Default)]
pub struct Prompts {
    clips: BTreeMap<(Language, Arc<str>), OnceLock<Clip>>,
    library: Option<Library>,
    music: Option<Clip>,
}

impl Prompts {
    /// Everything a library has. Its music is encoded now.
    pub fn of(library: Library) -> Self {
        let names = |language| library.names(language).map(move |name| (language, name.into()));
        Self {
            clips: Language::ALL
                .into_iter()
                .flat_map(names)
                .map(|key| (key, OnceLock::new()))
                .collect(),
            music: Some(encoded(library.music())),
            library: Some(library),
        }
    }

    /// Keeps a clip under its name.
    pub fn insert(&mut self, language: Language, name: &str, clip: Clip) {
        self.clips.insert((language, name.into()), OnceLock::from(clip));
    }

    /// Sets the music on hold.
    pub fn set_music(&mut self, clip: Clip) {
        self.music = Some(clip);
    }

    /// The clip of this name. Names were checked when the configuration was read.
    pub fn clip(&self, language: Language, name: &Arc<str>) -> Option<Clip> {
        let clip = self.clips.get(&(language, Arc::clone(name)))?;
        if clip.get().is_none() {
            let recording = self.library.as_ref()?.prompt(name, language)?;
            // Whoever was faster encoded the same.
            let _ = clip.set(encoded(recording));
        }
        clip.get().cloned()
    }

    /// The music on hold.
    pub fn music(&self) -> Option<Clip> {
        self.music.clone()
    }
}

fn encoded(recording: &Recording) -> Clip {
    if recording.sample_rate == 8000 {
        Clip::from_pcm16_8k(&recording.samples)
    } else {
        Clip::from_pcm16_16k(&recording.samples)
    }
}

/// Reduces a dialled number, or a configured one, to what is compared: visual separators (RFC 3966 §5.1.1, and
/// the space and slash that people add) go, and a leading `00` is the `+` it stands for (ITU-T E.164 in most of
/// the world).
pub fn normalise_dialled(dialled: &str) -> String {
    let kept: String = dialled
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/'))
        .collect();
    match kept.strip_prefix("00") {
        Some(rest) if !rest.is_empty() => format!("+{rest}"),
        _ => kept,
    }
}

/// The number in the user part of a Request-URI, normalised. A telephone-subscriber there may bring parameters
/// (RFC 3261 §19.1.6), such as the `;npdi;rn=…` with which carriers mark a ported number (RFC 4694): they are no part
/// of the number.
pub(crate) fn dialled_number(user: &str) -> String {
    let number = user.split_once(';').map_or(user, |(number, _)| number);
    normalise_dialled(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_of_the_library_is_encoded_once_and_lasts_as_long() {
        let library = Library::builtin();
        let prompts = Prompts::of(library.clone());
        for language in Language::ALL {
            let name = "welcome".into();
            let clip = prompts.clip(language, &name).unwrap();
            assert!(clip.is_same(&prompts.clip(language, &name).unwrap()));
            let recorded = library.prompt(&name, language).unwrap().duration();
            assert!(clip.duration().abs_diff(recorded) < Duration::from_millis(1));
            assert!(prompts.clip(language, &"kitchen".into()).is_none());
        }
        assert!(prompts.music().is_some());
    }

    #[test]
    fn separators_go_and_double_zero_is_plus() {
        assert_eq!(normalise_dialled("+39 06-123.45(6)/7"), "+39061234567");
        assert_eq!(normalise_dialled("00-39-06"), normalise_dialled("+3906"));
        assert_eq!(normalise_dialled("800"), "800");
        assert_eq!(normalise_dialled("00"), "00");
    }

    #[test]
    fn the_parameters_a_carrier_adds_are_no_part_of_the_number() {
        for dialled in [
            "+39800123456;npdi;rn=+39062",
            "0039800123456;phone-context=+39",
            "+39800123456;",
        ] {
            assert_eq!(dialled_number(dialled), "+39800123456", "{dialled}");
        }
        assert_eq!(dialled_number(";npdi"), "");
    }
}
