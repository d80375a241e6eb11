//! Any flow, any caller: what must hold all the same.

use pronto_types::{Forecast, QueueName};
use proptest::prelude::*;

use super::*;

/// A random flow as text, so that reading is tried as well. Only those without endless loops come through.
fn flows() -> impl Strategy<Value = Arc<Script>> {
    let state = (
        0..5_u8,
        prop::collection::vec((0..16_u8, any::<prop::sample::Index>()), 1..5),
        any::<[u16; 6]>(),
    );
    prop::collection::vec(state, 1..9).prop_filter_map("an endless loop", |states| {
        let count = states.len();
        let mut source = "start = \"s0\"\n".to_owned();
        for (at, (kind, keys, dice)) in states.iter().enumerate() {
            let keys: Vec<String> = keys
                .iter()
                .map(|(key, to)| {
                    (
                        Digit::from_event(*key).map_or('0', Digit::as_char),
                        to.index(count),
                    )
                })
                .collect::<std::collections::BTreeMap<char, usize>>()
                .into_iter()
                .map(|(key, to)| format!("\"{key}\" = \"s{to}\""))
                .collect();
            let exit = |name: &str, dice: u16| match dice % 3 {
                0 => String::new(),
                _ => format!("{name} = \"s{}\"\n", usize::from(dice) % count),
            };
            let bargein = ["", "bargein = true\n", "bargein = false\n"][usize::from(dice[5]) % 3];
            let body = match kind {
                0 if dice[0] % 4 == 0 => format!("say = [\"p{at}\"]\nhangup = true\n{bargein}"),
                0 => format!(
                    "say = [\"p{at}\"]\nnext = \"s{}\"\n{bargein}",
                    usize::from(dice[0]) % count
                ),
                4 => format!(
                    "forecast = \"q{at}\"\nlimit = \"5m\"\nlonger = \"s{}\"\nnext = \"s{}\"\n{}",
                    usize::from(dice[0]) % count,
                    usize::from(dice[1]) % count,
                    exit("unknown", dice[2])
                ),
                1 | 2 => format!(
                    "menu = [\"p{at}\"{}]\nkeys = {{ {} }}\ntimeout = \"1s\"\n{bargein}{}{}",
                    ["", ", { forecast = \"q\" }"][usize::from(dice[0]) % 2],
                    keys.join(", "),
                    exit("noinput", dice[1]),
                    exit("nomatch", dice[2])
                ),
                _ => {
                    let exits = ["timed_out", "nobody", "failed", "ended"];
                    let exits: String = exits
                        .iter()
                        .zip(dice)
                        .map(|(name, dice)| exit(name, *dice))
                        .collect();
                    format!("queue = \"q{at}\"\nkeys = {{ {} }}\n{exits}", keys.join(", "))
                }
            };
            source.push_str(&format!("[s{at}]\n{body}"));
        }
        match Script::parse(&source) {
            Ok(flow) => Some(Arc::new(flow)),
            Err(problems) => {
                assert!(
                    problems.iter().all(|p| p.message.starts_with("a loop")),
                    "{problems:#?}\n{source}"
                );
                None
            }
        }
    })
}

/// One thing the world does; numbers may belong to plays and wishes that never were.
#[derive(Debug, Clone)]
enum Event {
    Start,
    Digit(u8),
    Heard { stale: u64 },
    Outcome { stale: u64, outcome: Outcome },
    Found { stale: u64, minutes: u64 },
    Tick { early: bool },
    HungUp,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let outcome = prop::sample::select(vec![
        Outcome::TimedOut,
        Outcome::Nobody,
        Outcome::Failed,
        Outcome::Ended,
    ]);
    let stale = prop_oneof![4 => Just(0), 1 => 1..3_u64];
    let event = prop_oneof![
        6 => (0..16_u8).prop_map(Event::Digit),
        5 => stale.clone().prop_map(|stale| Event::Heard { stale }),
        4 => (stale, outcome).prop_map(|(stale, outcome)| Event::Outcome { stale, outcome }),
        4 => (prop_oneof![4 => Just(0), 1 => 1..3_u64], 0..10_u64)
            .prop_map(|(stale, minutes)| Event::Found { stale, minutes }),
        4 => prop::bool::weighted(0.2).prop_map(|early| Event::Tick { early }),
        1 => Just(Event::Start),
    ];
    let end = prop_oneof![3 => Just(None), 1 => Just(Some(Event::HungUp))];
    (prop::collection::vec(event, 0..120), 0..5_usize, end).prop_map(|(mut events, before_start, end)| {
        events.insert(before_start.min(events.len()), Event::Start);
        events.extend(end);
        events
    })
}

/// The caller's side of a session, as its outputs leave it: the play, the wish and the look in progress.
#[derive(Debug, Default)]
struct World {
    now: Time,
    play: u64,
    playing: bool,
    wish: u64,
    look: u64,
    asking: bool,
    queued: bool,
    over: bool,
    pressed: u64,
}

impl World {
    /// Tries one event, then checks every output against what is true.
    fn step(&mut self, session: &mut Session, event: &Event) {
        self.now += Duration::from_millis(20);
        let was_over = self.over;
        match *event {
            Event::Start => session.handle_input(self.now, Input::Start),
            Event::Digit(digit) => {
                self.pressed += 1;
                session.handle_input(self.now, Input::Digit(Digit::from_event(digit).unwrap()));
            }
            Event::Heard { stale } => {
                self.playing &= stale != 0;
                session.handle_input(
                    self.now,
                    Input::PlayFinished(PlayId(self.play.saturating_sub(stale))),
                );
            }
            Event::Outcome { stale, outcome } => {
                self.queued &= stale != 0;
                let wish = WishId(self.wish.saturating_sub(stale));
                session.handle_input(self.now, Input::Outcome { wish, outcome });
            }
            Event::Found { stale, minutes } => {
                self.asking &= stale != 0;
                let wait = Duration::from_secs(60 * minutes);
                let forecast = Forecast {
                    p50: wait,
                    p80: wait,
                    p90: wait,
                };
                let queues = ["q", "q0", "q1", "q2"].map(|name| QueueName::new(name).unwrap());
                let input = Input::Found {
                    look: LookId(self.look.saturating_sub(stale)),
                    forecasts: queues.into_iter().map(|queue| (queue, forecast)).collect(),
                };
                session.handle_input(self.now, input);
            }
            Event::Tick { early } => {
                let due = session.poll_timeout().unwrap_or(self.now);
                if !early {
                    self.now = self.now.max(due);
                }
                session.handle_timeout(self.now);
            }
            Event::HungUp => {
                session.handle_input(self.now, Input::HungUp);
                self.over = true;
            }
        }
        let mut outputs = 0;
        while let Some(output) = session.poll_output() {
            outputs += 1;
            assert!(
                outputs <= 3,
                "one event, at most: cut, leave, and one thing to do"
            );
            assert!(
                !was_over && !matches!(event, Event::HungUp),
                "after the end: {output:?}"
            );
            self.output(output);
        }
        self.check(session);
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::LookUp { look, queues } => {
                assert!(!self.queued && !self.playing && !queues.is_empty());
                assert_eq!(look.0, self.look + 1);
                (self.look, self.asking) = (look.0, true);
            }
            Output::Play { play, prompts } => {
                self.asking = false;
                assert!(
                    !self.playing,
                    "a play begins only when the last has ended or was cut"
                );
                assert!(!self.queued, "nothing is played over the music");
                assert_eq!(play.0, self.play + 1);
                assert!(!prompts.is_empty());
                (self.play, self.playing) = (play.0, true);
            }
            Output::Stop => {
                assert!(self.playing, "only what plays is cut");
                self.playing = false;
            }
            Output::Wish(Wish::Enqueue { wish, .. }) => {
                assert!(!self.queued && !self.playing);
                self.asking = false;
                assert_eq!(wish.0, self.wish + 1);
                (self.wish, self.queued) = (wish.0, true);
            }
            Output::Wish(Wish::LeaveQueue) => {
                assert!(self.queued, "only who waits leaves");
                self.queued = false;
            }
            Output::HangUp => {
                assert!(!self.queued && !self.playing && !self.over);
                self.over = true;
            }
        }
    }

    fn check(&self, session: &Session) {
        let DigitCount {
            pressed,
            matched,
            nomatch,
            waiting,
            refused,
        } = session.digits();
        assert_eq!(pressed, self.pressed, "each digit is accounted for");
        assert_eq!(pressed, matched + nomatch + waiting + refused);
        assert!(waiting <= 32);
        assert_eq!(session.is_over(), self.over);
        let begun = self.play + self.wish + self.look > 0;
        if begun && !self.over {
            // Whoever is on the line is heard, served or given a deadline: nobody is stuck.
            assert!(
                self.queued || session.poll_timeout().is_some(),
                "{}",
                session.state_name()
            );
            assert!(
                waiting == 0 || self.playing || self.asking,
                "who listens, or waits in a queue, has no digit left over"
            );
        } else {
            assert_eq!(session.poll_timeout(), None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_caller_in_any_flow_is_accounted_for(flow in flows(), events in events()) {
        let (mut session, mut world) = (Session::new(flow, Language::English), World::default());
        for event in &events {
            world.step(&mut session, event);
        }
    }

    #[test]
    fn a_caller_who_never_presses_a_key_is_let_go(flow in flows(), outcomes in prop::collection::vec(0..4_u8, 1..20)) {
        let (mut session, mut world) = (Session::new(flow, Language::English), World::default());
        world.step(&mut session, &Event::Start);
        for round in 0..400_usize {
            if world.over {
                return Ok(());
            }
            let outcome = match outcomes[round % outcomes.len()] {
                0 => Outcome::TimedOut,
                1 => Outcome::Nobody,
                2 => Outcome::Failed,
                _ => Outcome::Ended,
            };
            let event = match (world.queued, world.playing) {
                _ if world.asking && round % 2 == 0 => Event::Found {
                    stale: 0,
                    minutes: 7,
                },
                (true, _) => Event::Outcome { stale: 0, outcome },
                (_, true) => Event::Heard { stale: 0 },
                _ => Event::Tick { early: false },
            };
            world.step(&mut session, &event);
        }
        prop_assert!(false, "still on the line in {}", session.state_name());
    }

    /// The same keys lead to the same place whenever they are pressed: before the call is answered, during the
    /// prompts, or after them.
    #[test]
    fn timing_never_changes_where_the_keys_lead(keys in prop::collection::vec(0..3_u8, 1..12), gaps in prop::collection::vec(0..3_u8, 12), bargein: bool) {
        let mut source = format!("start = \"hello\"\n[hello]\nsay = [\"x\"]\nbargein = {bargein}\nnext = \"m0_0\"\n");
        for depth in 0..keys.len() {
            for last in 0..3 {
                let to = depth + 1;
                source.push_str(&format!(
                    "[m{depth}_{last}]\nmenu = [\"x\"]\nbargein = {bargein}\nkeys = {{ 0 = \"m{to}_0\", 1 = \"m{to}_1\", 2 = \"m{to}_2\" }}\n"
                ));
            }
        }
        for last in 0..3 {
            source.push_str(&format!("[m{}_{last}]\nqueue = \"q{last}\"\n", keys.len()));
        }
        let mut session = Session::new(Arc::new(Script::parse(&source).unwrap()), Language::English);
        let mut world = World::default();
        for (at, (key, gap)) in keys.iter().zip(&gaps).enumerate() {
            if at == usize::from(gaps[11]) {
                world.step(&mut session, &Event::Start);
            }
            for _ in 0..*gap {
                if world.playing {
                    world.step(&mut session, &Event::Heard { stale: 0 });
                }
            }
            world.step(&mut session, &Event::Digit(*key));
        }
        world.step(&mut session, &Event::Start);
        while world.playing {
            world.step(&mut session, &Event::Heard { stale: 0 });
        }
        prop_assert_eq!(session.state_name(), format!("m{}_{}", keys.len(), keys[keys.len() - 1]));
        prop_assert_eq!(session.digits().matched, u64::try_from(keys.len()).unwrap());
    }
}
