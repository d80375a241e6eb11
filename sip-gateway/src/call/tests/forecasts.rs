//! Menus that say waits and flows that go on by them, with a queue that tells forecasts, tells none, or is away.

use pronto_ivr::speak;
use pronto_types::Forecast;

use super::*;

const ASKING: &str = "start = \"main\"\n[main]\nmenu = [\"main-menu\", { forecast = \"support\" }]\n\
    keys = { 1 = \"how-long\" }\n[how-long]\nforecast = \"support\"\nlimit = \"10m\"\nlonger = \"sorry\"\n\
    unknown = \"bye\"\nnext = \"support\"\n[support]\nqueue = \"support\"\n\
    [sorry]\nsay = [\"all-busy\"]\nhangup = true\n[bye]\nsay = [\"goodbye\"]\nhangup = true\n";

/// Its name, and what happens before the call.
type Case<'a> = (&'a str, &'a dyn Fn(&mut House));

fn queue() -> QueueName {
    QueueName::new("support").unwrap()
}

impl House {
    fn asking() -> Self {
        let mut settings = settings();
        let number = settings.numbers.get_mut("800").unwrap();
        number.flow = Arc::new(Script::parse(ASKING).unwrap());
        House::open_with(settings)
    }

    /// The queue tells a forecast, in minutes.
    fn forecast(&mut self, queue: QueueName, minutes: Option<[u64; 3]>) {
        let wait = minutes.map(|minutes| {
            let [p50, p80, p90] = minutes.map(|minutes| secs(60 * minutes));
            Forecast { p50, p80, p90 }
        });
        self.say(Input::Directive(Directive::Forecast { queue, wait }));
    }

    /// Whether the last play is of just these prompts.
    fn plays(&self, names: &[Arc<str>]) -> bool {
        let Some(media::Command::Play { clips, .. }) = self.commands.last() else {
            return false;
        };
        let prompts = &self.gateway.settings.prompts;
        let wanted = names
            .iter()
            .map(|name| prompts.clip(Language::English, name).unwrap());
        clips.len() == names.len()
            && clips
                .iter()
                .zip(wanted)
                .all(|(clip, wanted)| clip.is_same(&wanted))
    }

    /// Whether the menu is said with this wait.
    fn says_menu(&self, wait: Option<(u16, u16)>) -> bool {
        let words = speak::Announcement {
            wait: wait.and_then(|(low, high)| speak::WaitRange::new(low, high)),
            ..speak::Announcement::default()
        };
        let menu: Arc<str> = "main-menu".into();
        let names: Vec<_> = [menu].into_iter().chain(words.clips(Language::English)).collect();
        self.plays(&names)
    }
}

#[test]
fn a_menu_says_the_wait_and_the_flow_goes_on_by_it() {
    for (minutes, goes_on) in [([2, 9, 12], None), ([2, 11, 12], Some("all-busy"))] {
        let mut house = House::asking();
        assert_eq!(house.gateway.asked, BTreeSet::from([queue()]));
        house.forecast(queue(), Some(minutes));
        house.dial();
        assert!(house.says_menu(Some((2, 12))));
        house.press('1');
        match goes_on {
            None => assert!(house.hears_music(), "in the queue"),
            Some(prompt) => assert!(house.plays(&[prompt.into()])),
        }
    }
}

#[test]
fn what_is_not_known_is_left_out_and_takes_the_way_of_the_unknown() {
    let never = |_: &mut House| {};
    let untold = |house: &mut House| house.forecast(queue(), None);
    let away = |house: &mut House| house.say(Input::Detached);
    let old = |house: &mut House| house.pass(secs(16));
    let of_another = |house: &mut House| {
        house.say(Input::Detached);
        house.forecast(QueueName::new("sales").unwrap(), Some([1, 1, 1]));
        assert!(house.gateway.forecasts.is_empty(), "nobody asked for it");
    };
    let cases: [Case; 5] = [
        ("never told", &never),
        ("told that nobody knows", &untold),
        ("the queue is away", &away),
        ("old", &old),
        ("of another queue", &of_another),
    ];
    for (name, happens) in cases {
        let mut house = House::asking();
        if name != "never told" {
            house.forecast(queue(), Some([2, 3, 4]));
        }
        happens(&mut house);
        house.dial();
        assert!(house.says_menu(None), "{name}");
        house.press('1');
        assert!(house.plays(&["goodbye".into()]), "{name}");
    }
    let mut house = House::asking();
    house.forecast(queue(), Some([2, 3, 4]));
    house.pass(secs(15));
    house.dial();
    assert!(house.says_menu(Some((2, 4))), "not old yet");
}
