//! The core with real SIP endpoints around it, modelled media and a queue played by the test: one call, step by step.

mod recording;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use pronto_ivr::Script;
use pronto_media::Clip;
use pronto_recordings::Talk;
use pronto_sip::sdp;
use pronto_types::link::{CallOutcome, Directive, ExitReason, LeaveReason, RefuseReason};
use pronto_types::{Digit, Language, QueueName, Secret, TrunkName};
use rand::SeedableRng;

use super::*;
use crate::prompts::Prompts;
use crate::settings::{Answer, Number};

mod announcing;
mod colleague;
mod epochs;
mod forecasts;
mod full;
mod holding;
mod lost_phones;
mod moving;
mod orphans;
mod refusals;
mod ringing;
mod sessions;
mod unanswered;
mod unwritten;

const FLOW: &str = "start = \"main\"\n[main]\nmenu = [\"main-menu\"]\nkeys = { 1 = \"support\" }\n\
    [support]\nqueue = \"support\"\nkeys = { 9 = \"main\" }\nfailed = \"sorry\"\ntimed_out = \"sorry\"\nended = \"bye\"\n\
    [sorry]\nsay = [\"all-busy\"]\nhangup = true\n[bye]\nsay = [\"goodbye\"]\nhangup = true\n";

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A gateway, a caller and operator 101, on a wire without delay.
struct House {
    now: Time,
    gateway: Gateway,
    phones: Vec<(SocketAddr, sip::Endpoint)>,
    /// Messages sent by the gateway.
    sent: Vec<Bytes>,
    /// Events of each phone, in order.
    told: Vec<(usize, sip::Event)>,
    commands: Vec<media::Command>,
    events: Vec<Event>,
    /// The talks the recorder was told of.
    recordings: Vec<Talk>,
    /// The disk takes what is written only when the test says so.
    slow_disk: bool,
    /// Changes of dialogs that the gateway wanted stored.
    dialogs: Vec<(u64, sip::DialogChange)>,
    /// Phones that hear nothing and say nothing.
    dead: BTreeSet<usize>,
    /// Where the gateway sees phones that are behind a NAT.
    seen_at: BTreeMap<usize, SocketAddr>,
}

const CALLER: usize = 0;
const OPERATOR: usize = 1;
/// The operator's other phone, which is not registered yet.
const DESK: usize = 2;

fn gateway_address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 5060))
}

fn operator() -> OperatorId {
    OperatorId::new("101").unwrap()
}

impl House {
    fn open() -> Self {
        House::open_with(settings())
    }

    fn open_with(settings: Settings) -> Self {
        House::around(House::core(settings, 1))
    }

    /// The core of a process.
    fn core(settings: Settings, seed: u64) -> Gateway {
        House::core_asking(settings, seed, None)
    }

    /// One that asks registered phones so often whether they can be reached.
    fn core_asking(settings: Settings, seed: u64, qualify: Option<Duration>) -> Gateway {
        let secret = Secret::new("correct horse");
        let mut endpoint = sip::Settings::new("pronto.example");
        endpoint.listen = vec![(sip::Transport::Udp, gateway_address())];
        endpoint.qualify = qualify;
        endpoint.keep_dialogs = true;
        for id in ["101", "102", "103"] {
            let ha1 = sip::Ha1::from_password(id, "pronto.example", &secret);
            endpoint.operators.insert(OperatorId::new(id).unwrap(), ha1);
        }
        let allow = vec!["127.0.0.0/8".parse().unwrap()];
        endpoint
            .trunks
            .push(sip::Trunk::new(TrunkName::new("carrier").unwrap(), allow));
        let endpoint = sip::Endpoint::new(endpoint, ChaCha12Rng::seed_from_u64(seed));
        Gateway::new(Arc::new(settings), endpoint, ChaCha12Rng::seed_from_u64(seed + 1))
    }

    /// The queue service was not reached yet, and nobody is registered.
    fn open_unattached(settings: Settings) -> Self {
        House::alone(House::core(settings, 1))
    }

    /// With the queue service, and operator 101's phone.
    fn around(gateway: Gateway) -> Self {
        let mut house = House::alone(gateway);
        house.say(Input::Attached { have: 0 });
        house.enrol(OPERATOR);
        house
    }

    fn alone(gateway: Gateway) -> Self {
        let phone = |address: SocketAddr, seed| {
            let mut settings = sip::Settings::new("pronto.example");
            settings.listen = vec![(sip::Transport::Udp, address)];
            (
                address,
                sip::Endpoint::new(settings, ChaCha12Rng::seed_from_u64(seed)),
            )
        };
        let phones = vec![
            phone(SocketAddr::from(([127, 0, 0, 9], 5060)), 3),
            phone(SocketAddr::from(([10, 0, 0, 2], 5060)), 4),
            phone(SocketAddr::from(([10, 0, 0, 3], 5060)), 5),
        ];
        let (told, commands, events) = (Vec::new(), Vec::new(), Vec::new());
        House {
            now: Time::from_secs(1000),
            gateway,
            phones,
            sent: Vec::new(),
            told,
            commands,
            events,
            recordings: Vec::new(),
            slow_disk: false,
            dialogs: Vec::new(),
            dead: BTreeSet::new(),
            seen_at: BTreeMap::new(),
        }
    }

    /// Registers a phone as operator 101's.
    fn enrol(&mut self, phone: usize) {
        self.enrol_as(phone, "101");
    }

    fn enrol_as(&mut self, phone: usize, user: &str) {
        let wanted = sip::Registration {
            flow: self.flow(phone),
            domain: "pronto.example".to_owned(),
            user: user.to_owned(),
            password: Secret::new("correct horse"),
            expires: secs(3600),
        };
        self.phones[phone].1.register(self.now, wanted);
        self.settle();
    }

    /// Where the gateway sees a phone.
    fn seen(&self, phone: usize) -> SocketAddr {
        let own = self.phones[phone].0;
        self.seen_at.get(&phone).copied().unwrap_or(own)
    }

    fn flow(&self, phone: usize) -> sip::Flow {
        sip::Flow {
            transport: sip::Transport::Udp,
            local: self.phones[phone].0,
            remote: gateway_address(),
        }
    }

    /// Carries everything to its end at this instant.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.gateway.poll_output() {
                quiet = false;
                self.gateway_output(output);
            }
            for index in 0..self.phones.len() {
                while let Some(output) = self.phones[index].1.poll_output() {
                    quiet = false;
                    match output {
                        sip::Output::Transmit { .. } if self.dead.contains(&index) => {}
                        sip::Output::Transmit { flow, bytes } => {
                            let flow = sip::Flow {
                                local: flow.remote,
                                remote: self.seen(index),
                                ..flow
                            };
                            self.input(Input::Sip(sip::Input::Message { flow, bytes }));
                        }
                        sip::Output::Event(event) => self.told.push((index, event)),
                    }
                }
            }
            if self.gateway.awaits().is_some() && !self.slow_disk {
                self.written();
            } else if quiet {
                return;
            }
        }
    }

    /// The disk has taken everything.
    fn written(&mut self) {
        let number = self.gateway.last_entry();
        self.input(Input::Durable { number });
    }

    fn gateway_output(&mut self, output: Output) {
        match output {
            Output::Transmit { flow, bytes } => {
                let now = self.now;
                self.sent.push(bytes.clone());
                let to = (0..self.phones.len()).find(|index| self.seen(*index) == flow.remote);
                if let Some(index) = to.filter(|index| !self.dead.contains(index)) {
                    let (address, phone) = &mut self.phones[index];
                    let flow = sip::Flow {
                        local: *address,
                        remote: flow.local,
                        ..flow
                    };
                    phone.handle_input(now, sip::Input::Message { flow, bytes });
                }
            }
            Output::Media(command) => {
                if let media::Command::Open { leg, .. } = &command {
                    let local = SocketAddr::from(([10, 0, 0, 1], 20_000 + u16::try_from(leg.0 * 2).unwrap()));
                    self.input(Input::Media(media::Event::Opened { leg: *leg, local }));
                }
                self.commands.push(command);
            }
            Output::Recording(talk) => self.recordings.push(talk),
            Output::Record(entry) => self.events.push(entry.event),
            Output::Dialog { dialog, change } => self.dialogs.push((dialog, change)),
            Output::Entry(_) | Output::Leg { .. } | Output::Refused { .. } => {}
        }
    }

    fn input(&mut self, input: Input) {
        self.gateway.handle_input(self.now, input);
    }

    /// The caller's key.
    fn press(&mut self, key: char) {
        let digit = Digit::from_char(key).unwrap();
        let leg = media::LegId(1);
        let bridged = self.is_bridged(leg);
        self.say(Input::Media(media::Event::Digit { leg, digit, bridged }));
    }

    /// Whether a media leg is in a bridge, as the commands have it.
    fn is_bridged(&self, wanted: media::LegId) -> bool {
        use media::Command as C;
        let last = self.commands.iter().rev().find_map(|command| match command {
            C::Bridge { a, b } if *a == wanted || *b == wanted => Some(true),
            C::Unbridge { a, b } if *a == wanted || *b == wanted => Some(false),
            _ => None,
        });
        last == Some(true)
    }

    fn say(&mut self, input: Input) {
        self.input(input);
        self.settle();
    }

    /// Lets time pass, timer by timer.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let phones = self.phones.iter().filter_map(|(_, phone)| phone.poll_timeout());
            let next = phones.chain(self.gateway.poll_timeout()).min();
            let Some(at) = next.filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            self.gateway.handle_timeout(self.now);
            for (_, phone) in &mut self.phones {
                phone.handle_timeout(self.now);
            }
            self.settle();
        }
        self.now = end;
    }

    fn dial(&mut self) -> sip::LegId {
        self.dial_user("800")
    }

    /// Dials what stands before the `@`.
    fn dial_user(&mut self, user: &str) -> sip::LegId {
        let (uri, flow) = (format!("sip:{user}@10.0.0.1").into(), self.flow(CALLER));
        let leg = self.phones[CALLER].1.invite(
            self.now,
            &sip::Destination { uri, flow },
            sdp::offer(&local()),
            sip::InviteOptions::default(),
        );
        self.settle();
        leg
    }

    /// Dials, presses 1; returns the caller's leg and the ticket.
    fn wait_in_queue(&mut self) -> (sip::LegId, TicketId) {
        let leg = self.dial();
        let digit = Digit::from_char('1').unwrap();
        self.say(Input::Media(media::Event::Digit {
            leg: media::LegId(1),
            digit,
            bridged: false,
        }));
        let ticket = self.events.iter().rev().find_map(|event| match event {
            Event::Joined { ticket, .. } => Some(*ticket),
            _ => None,
        });
        (leg, ticket.expect("the caller has joined"))
    }

    fn offer(&mut self, offer: u64, ticket: TicketId) {
        let queue = QueueName::new("support").unwrap();
        let (offer, operator, ring, waited) = (OfferId(offer), operator(), secs(15), secs(3));
        self.say(Input::Directive(Directive::Offer {
            offer,
            ticket,
            operator,
            ring,
            queue,
            waited,
        }));
    }

    /// The leg of the call that rings at the operator's phone.
    fn ringing(&self) -> sip::LegId {
        self.ringing_at(OPERATOR)
    }

    fn ringing_at(&self, wanted: usize) -> sip::LegId {
        let found = self.told.iter().rev().find_map(|(phone, event)| match event {
            sip::Event::Invite(invite) if *phone == wanted => Some(invite.leg),
            _ => None,
        });
        found.expect("the operator's phone rings")
    }

    fn hears_music(&self) -> bool {
        let last = self.commands.iter().rev().find(|command| {
            use media::Command as C;
            matches!(
                command,
                C::Music { .. } | C::Play { .. } | C::Stop { .. } | C::Bridge { .. } | C::Unbridge { .. }
            )
        });
        matches!(last, Some(media::Command::Music { .. }))
    }

    fn saw(&self, wanted: &Event) -> usize {
        self.events.iter().filter(|event| *event == wanted).count()
    }
}

fn local() -> sdp::Local {
    sdp::Local {
        address: [127, 0, 0, 9].into(),
        port: 4000,
        session_id: 1,
        version: 1,
    }
}

fn settings() -> Settings {
    let flow = Arc::new(Script::parse(FLOW).unwrap());
    let number = Number {
        dial: "800".to_owned(),
        flow,
        language: Language::English,
        answer: Answer::AtOnce,
    };
    let mut prompts = Prompts::default();
    for name in ["main-menu", "all-busy", "goodbye"] {
        prompts.insert(Language::English, name, Clip::from_pcm16_8k(&[0; 8000]));
    }
    for (name, _) in pronto_ivr::speak::vocabulary(Language::English) {
        prompts.insert(Language::English, &name, Clip::from_pcm16_8k(&[0; 80]));
    }
    prompts.set_music(Clip::from_pcm16_8k(&[0; 8000]));
    Settings {
        numbers: BTreeMap::from([("800".to_owned(), number)]),
        max_wait: BTreeMap::from([(QueueName::new("support").unwrap(), secs(600))]),
        queue_away: secs(60),
        recorded: BTreeMap::new(),
        advertise: None,
        inside: pronto_sip::Inside::default(),
        learn: true,
        reach: sdp::Reach { v4: true, v6: false },
        prompts,
        max_calls: 10,
    }
}

/// While a step lasts, nobody else's ACK, key or BYE moves.
#[test]
fn thousands_of_calls_that_a_crash_left_open_stall_nobody() {
    let mut house = House::open();
    let before = house.events.len();
    house.say(Input::Recovered((0..1_000).map(CallId).collect()));
    let first = house.events.len() - before;
    assert!((1..=AT_ONCE).contains(&first), "{first} records in one step");
    house.pass(Duration::ZERO);
    assert_eq!(house.events.len() - before, 1_000, "each call has its record");
    assert!(
        house.gateway.poll_timeout().is_none_or(|at| at > house.now),
        "there is nothing left to do"
    );
}

/// Their phones were on one connection, which is gone.
#[test]
fn operators_whose_presence_changed_at_once_are_written_some_in_each_step_to_the_last() {
    let mut house = House::open();
    let changed = (1..=100).map(|id| OperatorId::new(&id.to_string()).unwrap());
    house.gateway.unsaid.extend(changed);
    let before = house.events.len();
    house.say(Input::Detached);
    assert_eq!(house.events.len() - before, AT_ONCE);
    house.pass(Duration::ZERO);
    assert_eq!(house.events.len() - before, 100);
}

#[test]
fn call_ids_count_on_from_one_another() {
    let mut house = House::open();
    house.dial();
    house.dial();
    let ids = house.events.iter().filter_map(|event| match event {
        Event::CallBegan { call, .. } => Some(call.0),
        _ => None,
    });
    let ids: Vec<_> = ids.collect();
    assert_eq!(ids[1], ids[0] + 1, "{ids:?}");
    assert!(
        ids[0] > 1 << 24 && ids[0] % (1 << 24) == 1,
        "of another start: {ids:?}"
    );
}

#[test]
fn a_caller_whom_the_queue_never_knew_of_takes_the_failed_exit_after_queue_away() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.pass(secs(59));
    assert!(house.hears_music());
    house.pass(secs(2));
    assert_eq!(
        house.saw(&Event::Left {
            ticket,
            reason: LeaveReason::Failed
        }),
        1
    );
    assert!(
        matches!(house.commands.last(), Some(media::Command::Play { .. })),
        "the apology"
    );
}

#[test]
fn a_caller_the_queue_knows_of_keeps_the_music_up_to_max_wait_when_the_queue_is_gone() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.say(Input::Attached { have: 0 });
    let number = house.gateway.last_entry();
    house.say(Input::Acknowledged { number });
    house.say(Input::Detached);
    house.pass(secs(590));
    assert!(house.hears_music());
    house.pass(secs(12));
    assert_eq!(
        house.saw(&Event::Left {
            ticket,
            reason: LeaveReason::TimedOut
        }),
        1
    );
    assert!(!house.hears_music());
}

#[test]
fn losing_the_link_does_not_touch_a_talk_and_its_end_is_reported_once() {
    let mut house = House::open();
    let (caller, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    let ringing = house.ringing();
    let now = house.now;
    house.phones[OPERATOR]
        .1
        .answer(now, ringing, sdp::offer(&local()));
    house.settle();
    assert_eq!(
        house.saw(&Event::Answered {
            offer: OfferId(7),
            ticket
        }),
        1
    );
    assert!(matches!(
        house.commands.last(),
        Some(media::Command::Bridge { .. })
    ));
    let before = house.commands.len();
    house.say(Input::Detached);
    house.pass(secs(900));
    assert_eq!(house.commands.len(), before, "nothing was done to the audio");
    let now = house.now;
    house.phones[CALLER].1.hangup(now, caller, None);
    house.settle();
    assert_eq!(
        house.saw(&Event::TalkEnded {
            offer: OfferId(7),
            ticket
        }),
        1
    );
    house.pass(secs(64));
    assert_eq!(
        (house.gateway.counts().calls, house.gateway.sip_counts().dialogs),
        (0, 0)
    );
}

#[test]
fn an_operator_who_hangs_up_leaves_the_caller_with_the_flow() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    let (ringing, now) = (house.ringing(), house.now);
    house.phones[OPERATOR]
        .1
        .answer(now, ringing, sdp::offer(&local()));
    house.settle();
    house.phones[OPERATOR].1.hangup(now, ringing, None);
    house.settle();
    assert_eq!(
        house.saw(&Event::TalkEnded {
            offer: OfferId(7),
            ticket
        }),
        1
    );
    assert!(
        house
            .commands
            .iter()
            .any(|command| matches!(command, media::Command::Unbridge { .. }))
    );
    let goodbye = house.commands.iter().rev().find_map(|command| match command {
        media::Command::Play { leg, play, .. } => Some((*leg, *play)),
        _ => None,
    });
    let (leg, play) = goodbye.expect("goodbye is played");
    house.say(Input::Media(media::Event::Finished { leg, play }));
    let ended = |event: &Event| {
        matches!(
            event,
            Event::CallEnded {
                outcome: CallOutcome::Completed,
                ..
            }
        )
    };
    assert_eq!(house.events.iter().filter(|event| ended(event)).count(), 1);
}

#[test]
fn an_answer_without_a_session_is_hung_up_and_the_caller_keeps_place_and_music() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    let (ringing, now) = (house.ringing(), house.now);
    house.phones[OPERATOR].1.answer(now, ringing, Bytes::new());
    house.settle();
    assert_eq!(
        house.saw(&Event::Refused {
            offer: OfferId(7),
            reason: RefuseReason::Rejected
        }),
        1
    );
    assert!(house.hears_music());
    house.pass(secs(1));
    let hung_up = |(phone, event): &(usize, sip::Event)| {
        *phone == OPERATOR && matches!(event, sip::Event::Ended { .. })
    };
    assert!(house.told.iter().any(hung_up), "the operator's phone is told BYE");
    house.offer(8, ticket);
    assert_ne!(house.ringing(), ringing, "the operator can be rung again");
}

#[test]
fn a_phone_that_rings_in_vain_is_reported_and_the_caller_keeps_the_music() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    let (ringing, now) = (house.ringing(), house.now);
    house.phones[OPERATOR].1.ring(now, ringing);
    house.settle();
    assert_eq!(house.saw(&Event::Ringing { offer: OfferId(7) }), 1);
    house.pass(secs(16));
    assert_eq!(
        house.saw(&Event::Refused {
            offer: OfferId(7),
            reason: RefuseReason::Ignored
        }),
        1
    );
    assert!(
        house
            .told
            .iter()
            .any(|(_, event)| matches!(event, sip::Event::Cancelled { .. }))
    );
    assert!(house.hears_music());
}

#[test]
fn an_offer_for_a_ticket_that_is_over_says_both() {
    let mut house = House::open();
    let ticket = TicketId(99);
    house.offer(7, ticket);
    assert_eq!(
        house.saw(&Event::Left {
            ticket,
            reason: LeaveReason::Failed
        }),
        1
    );
    assert_eq!(
        house.saw(&Event::Refused {
            offer: OfferId(7),
            reason: RefuseReason::Withdrawn
        }),
        1
    );
}

#[test]
fn rejoining_while_a_phone_rings_stops_the_ringing_and_keeps_the_seniority() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    house.say(Input::Directive(Directive::Rejoin { ticket }));
    assert_eq!(
        house.saw(&Event::Refused {
            offer: OfferId(7),
            reason: RefuseReason::Withdrawn
        }),
        1
    );
    let regained =
        |event: &Event| matches!(event, Event::Joined { regained: Some(lost), .. } if *lost == ticket);
    assert_eq!(house.events.iter().filter(|event| regained(event)).count(), 1);
    assert!(house.hears_music());
}

#[test]
fn an_exit_of_the_queue_leads_on_and_a_late_one_does_nothing() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    let exit = Directive::Exit {
        ticket,
        reason: ExitReason::TimedOut,
    };
    house.say(Input::Directive(exit.clone()));
    assert!(
        matches!(house.commands.last(), Some(media::Command::Play { .. })),
        "sorry"
    );
    let before = house.commands.len();
    house.say(Input::Directive(exit));
    assert_eq!(house.commands.len(), before);
}

#[test]
fn media_threads_that_never_answer_do_not_leave_a_caller_without_an_answer() {
    let mut house = House::open();
    // A leg that is never opened: the answer is lost on purpose by asking the core alone.
    let (uri, flow) = ("sip:800@10.0.0.1".into(), house.flow(CALLER));
    let destination = sip::Destination { uri, flow };
    let now = house.now;
    house.phones[CALLER].1.invite(
        now,
        &destination,
        sdp::offer(&local()),
        sip::InviteOptions::default(),
    );
    while let Some(output) = house.phones[CALLER].1.poll_output() {
        if let sip::Output::Transmit { flow, bytes } = output {
            let flow = sip::Flow {
                local: flow.remote,
                remote: flow.local,
                ..flow
            };
            house
                .gateway
                .handle_input(now, Input::Sip(sip::Input::Message { flow, bytes }));
        }
    }
    let mut kept = Vec::new();
    while let Some(output) = house.gateway.poll_output() {
        if !matches!(output, Output::Media(media::Command::Open { .. })) {
            kept.push(output);
        }
    }
    kept.into_iter().for_each(|output| house.gateway_output(output));
    house.pass(secs(3));
    let refused = |(_, event): &(usize, sip::Event)| matches!(event, sip::Event::Refused { status: 503, .. });
    assert!(house.told.iter().any(refused), "503");
    assert_eq!(house.gateway.counts().calls, 0);
}

#[test]
fn a_number_with_the_parameters_of_a_carrier_is_answered_as_the_number() {
    let mut house = House::open();
    house.dial_user("800;npdi;rn=+39062");
    let dialled: Vec<_> = house
        .events
        .iter()
        .filter_map(|event| match event {
            Event::CallBegan { dialled, .. } => Some(dialled.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(dialled, ["800"]);
}

#[test]
fn a_caller_who_joins_again_keeps_the_music_though_the_queue_goes_away_at_once() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.say(Input::Attached { have: 0 });
    let number = house.gateway.last_entry();
    house.say(Input::Acknowledged { number });
    house.pass(secs(40));
    // Lost by the grace; the link breaks again before the new joining is acknowledged.
    house.say(Input::Directive(Directive::Rejoin { ticket }));
    house.say(Input::Detached);
    house.pass(secs(540));
    assert!(
        house.hears_music(),
        "a caller already waiting waits up to max_wait"
    );
    house.pass(secs(30));
    assert!(!house.hears_music(), "and no longer");
}
