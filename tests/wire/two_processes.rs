//! The halves in two processes over TCP: each dies, freezes and stops, and the other carries on.
//!
//! Invariant 12: losing the queue service never drops a talking call, nor cuts the music of anyone waiting; losing a
//! gateway never strands an operator.

use std::time::{Duration, Instant};

use crate::kit::centre::{Centre, MUSIC, PASSWORD, Plan, STRAIGHT, clip};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE};
use crate::kit::phone::{Call, PATIENCE, Phone};
use crate::kit::rtp::{RtpEndpoint, Sound};

/// The longest silence between two packets of music.
const GAP: Duration = Duration::from_millis(60);
/// How often the queue service is killed.
const ROUNDS: usize = 4;
const DESK: f64 = 900.0;
const LOST: &str = "the link to the queue service is lost";

fn apart(grace: &'static str) -> Centre {
    Centre::open(&Plan {
        grace,
        apart: true,
        ..Plan::default()
    })
}

/// A person on the line, known by the tone they speak with.
struct Caller {
    phone: Phone,
    rtp: RtpEndpoint,
    call: Call,
    tone: f64,
}

impl Caller {
    fn dials(centre: &Centre, number: u8, tone: f64) -> Caller {
        let mut phone = centre.caller(number);
        let rtp = RtpEndpoint::open(centre.ip(CALLER + number));
        let call = phone.call(STRAIGHT, &rtp, Law::A);
        rtp.say(Sound::Tone(tone));
        Caller {
            phone,
            rtp,
            call,
            tone,
        }
    }

    /// The same, and certainly behind whoever waited before.
    fn waits(centre: &Centre, number: u8, tone: f64) -> Caller {
        let caller = Caller::dials(centre, number, tone);
        caller.hears_music();
        caller
    }

    fn hears_music(&self) {
        let heard = self.rtp.wait_for_part_of(&clip("music"), Instant::now(), MUSIC);
        assert!(
            heard.is_some(),
            "the caller with {} Hz waits with music",
            self.tone
        );
    }

    /// The longest time between two packets that came between then and now.
    fn longest_gap(&self, from: Instant) -> Duration {
        let packets = self.rtp.packets();
        let since = packets.partition_point(|packet| packet.at < from);
        let ends = [Instant::now()].into_iter();
        let arrivals = packets[since.saturating_sub(1)..]
            .iter()
            .map(|packet| packet.at)
            .chain(ends);
        let arrivals: Vec<Instant> = arrivals.collect();
        let gaps = arrivals.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.max().expect("music was received")
    }
}

/// An operator's phone and headset.
struct Operator {
    phone: Phone,
    rtp: RtpEndpoint,
}

impl Operator {
    fn signs_in(centre: &Centre, id: &str, number: u8) -> Operator {
        let phone = centre.operator(id, number);
        let rtp = RtpEndpoint::open(centre.ip(PHONE + number));
        rtp.say(Sound::Tone(DESK));
        Operator { phone, rtp }
    }

    fn is_rung(&mut self) -> Call {
        self.phone
            .rung(2 * PATIENCE)
            .expect("the operator is offered a call")
    }

    /// Is offered a call, answers, and it is this caller's.
    fn takes(&mut self, caller: &Caller) -> Call {
        let ringing = self.is_rung();
        self.answers(&ringing, caller);
        ringing
    }

    fn answers(&mut self, ringing: &Call, caller: &Caller) {
        let answered = self.phone.answer(ringing, &self.rtp);
        assert!(
            self.phone.acknowledged(ringing, PATIENCE),
            "the answer is acknowledged"
        );
        self.talks_with(caller, answered);
    }

    fn talks_with(&self, caller: &Caller, from: Instant) {
        let heard = self.rtp.wait_for_tone(caller.tone, from, PATIENCE);
        assert!(
            heard.is_some(),
            "the operator hears the caller with {} Hz",
            caller.tone
        );
        let heard = caller.rtp.wait_for_tone(DESK, from, PATIENCE);
        assert!(
            heard.is_some(),
            "the caller with {} Hz hears the operator",
            caller.tone
        );
    }

    fn is_left_alone(&mut self, time: Duration) {
        assert!(
            self.phone.rung(time).is_none(),
            "an operator who is not free is rung"
        );
    }

    /// The caller hangs up, and the operator's leg ends with it.
    fn is_hung_up_on(&mut self, talk: &Call, mut caller: Caller) {
        assert!(caller.phone.hang_up(&mut caller.call), "BYE is answered");
        assert!(
            self.phone.hung_up_by_them(talk, PATIENCE).is_some(),
            "the operator's leg ends"
        );
        caller.rtp.assert_one_stream();
    }
}

/// The lines that hold all of `parts`.
fn holding(lines: &[String], parts: &[&str]) -> usize {
    lines
        .iter()
        .filter(|line| parts.iter().all(|part| line.contains(part)))
        .count()
}

#[test]
fn a_killed_queue_service_costs_nobody_their_place_their_music_or_their_talk() {
    let mut centre = apart("30s");
    let mut operator = Operator::signs_in(&centre, "101", 0);
    let talking = Caller::dials(&centre, 0, 500.0);
    let mut talk = operator.takes(&talking);
    let mut waiting: Vec<Caller> = [(1, 600.0), (2, 700.0), (3, 800.0)]
        .into_iter()
        .map(|(number, tone)| Caller::waits(&centre, number, tone))
        .collect();
    // Every round counts and is told; a machine that is busy elsewhere may spoil one of them, and no more.
    let mut measured: Vec<Duration> = Vec::new();
    for round in 0..ROUNDS {
        let killed = Instant::now();
        centre.queue().signal("KILL");
        assert!(centre.queue().wait_for_exit(PATIENCE).is_some());
        operator.talks_with(&talking, Instant::now());
        waiting.iter().for_each(Caller::hears_music);
        if round == 0 {
            // Who comes while nobody keeps the places has one too: the last.
            waiting.push(Caller::waits(&centre, 4, 1_000.0));
        }
        centre.restart_queue();
        operator.talks_with(&talking, Instant::now());
        waiting.iter().for_each(Caller::hears_music);
        operator.is_left_alone(Duration::from_millis(500));
        let gaps = waiting[..3].iter().map(|caller| caller.longest_gap(killed));
        measured.push(gaps.max().expect("three callers wait"));
    }
    println!("the longest gap in the music, each time: {measured:?}");
    let spoiled = measured.iter().filter(|gap| **gap > GAP).count();
    assert!(spoiled <= 1, "the music had gaps: {measured:?}");
    // The settling second is over, and the talk is not.
    operator.is_left_alone(Duration::from_secs(2));
    operator.talks_with(&talking, Instant::now());
    operator.is_hung_up_on(&talk, talking);
    for caller in waiting {
        talk = operator.takes(&caller);
        operator.is_hung_up_on(&talk, caller);
    }
    centre.until("all five have their record", |centre| {
        centre.calls(&["--json", "--outcome", "answered"]).len() == 5
    });
    let listed = centre.calls(&["--json"]);
    assert_eq!(listed.len(), 5, "{listed:#?}");
    assert_eq!(
        holding(
            &listed,
            &["\"outcome\":\"caller-hung-up\"", "\"outcome\":\"answered\""]
        ),
        5,
        "{listed:#?}"
    );
    centre.close();
}

#[test]
fn a_killed_gateway_strands_no_operator_and_leaves_a_record_of_each_call() {
    let mut centre = apart("2s");
    let mut operator = Operator::signs_in(&centre, "101", 0);
    let talking = Caller::dials(&centre, 0, 500.0);
    operator.takes(&talking);
    let _waiting = Caller::waits(&centre, 1, 600.0);
    centre.until("the queue shows the talk", |centre| {
        centre.figure("pronto_operators{state=\"talking\"}") == 1.0
    });
    centre.signal("KILL");
    let killed = Instant::now();
    assert!(centre.wait_for_exit(PATIENCE).is_some());
    centre.until("the operator is not taken to be talking any more", |centre| {
        centre.figure("pronto_operators{state=\"talking\"}") == 0.0
    });
    let freed = killed.elapsed();
    println!("the operator was free {freed:?} after the gateway was killed, the grace is 2 s");
    assert!(freed >= Duration::from_secs(1), "before the grace was over");
    let listed = centre.calls(&["--json"]);
    assert_eq!(
        holding(&listed, &["\"ended\":null", "\"outcome\":\"lost\""]),
        2,
        "{listed:#?}"
    );

    let started = Instant::now();
    centre.restart();
    // A phone registers again when it finds its flow dead; whatever the new process knows of the old one's bindings.
    assert_eq!(operator.phone.register(PASSWORD, 300), Some(200));
    let next = Caller::dials(&centre, 2, 700.0);
    let talk = operator.takes(&next);
    let answered = started.elapsed();
    println!("the first call was answered {answered:?} after the restart");
    assert!(
        answered <= Duration::from_secs(5),
        "answered only {answered:?} after the restart"
    );
    let listed = centre.calls(&["--json"]);
    assert_eq!(listed.len(), 3, "one line for each call: {listed:#?}");
    let lost = [
        "\"outcome\":\"gateway-lost\"",
        "\"duration\":null",
        "\"outcome\":\"lost\"",
    ];
    assert_eq!(holding(&listed, &lost), 2, "{listed:#?}");
    operator.is_hung_up_on(&talk, next);
    centre.close();
}

#[test]
fn a_frozen_queue_service_is_noticed_and_nobody_is_lost_or_rung_in_vain() {
    let mut centre = apart("30s");
    let mut operator = Operator::signs_in(&centre, "101", 0);
    let first = Caller::dials(&centre, 0, 500.0);
    let ringing = operator.is_rung();
    let mut gone = Caller::waits(&centre, 1, 600.0);
    let last = Caller::waits(&centre, 2, 700.0);
    let attached = centre.attached();
    let frozen = Instant::now();
    centre.queue().signal("STOP");
    centre.until("the gateway notices", |centre| centre.log().contains(LOST));
    println!(
        "the gateway noticed {:?} after the queue service froze",
        frozen.elapsed()
    );
    // Life goes on: the phone that rang answers under its grant, one who waits gives up, one dials.
    operator.answers(&ringing, &first);
    assert!(gone.phone.hang_up(&mut gone.call));
    last.hears_music();
    let late = Caller::waits(&centre, 3, 800.0);
    centre.queue().signal("CONT");
    centre.reattached(attached);
    operator.talks_with(&first, Instant::now());
    operator.is_left_alone(Duration::from_secs(2));
    last.hears_music();
    // The next free operator gets the next caller, and not the one who has gone.
    let mut other = Operator::signs_in(&centre, "102", 1);
    let talk = other.takes(&last);
    other.is_hung_up_on(&talk, last);
    let talk = other.takes(&late);
    other.is_hung_up_on(&talk, late);
    operator.is_hung_up_on(&ringing, first);
    centre.until("all four have their record", |centre| {
        centre.calls(&["--json", "--outcome", "caller-hung-up"]).len() == 4
    });
    let listed = centre.calls(&["--json"]);
    assert_eq!(holding(&listed, &["\"outcome\":\"answered\""]), 3, "{listed:#?}");
    assert_eq!(holding(&listed, &["\"outcome\":\"abandoned\""]), 1, "{listed:#?}");
    assert_eq!(holding(&listed, &["\"outcome\":\"lost\""]), 0, "{listed:#?}");
    println!("{}", centre.calls(&[]).join("\n"));
    centre.close();
}

#[test]
fn a_frozen_gateway_is_noticed_and_its_talk_goes_on() {
    let mut centre = apart("30s");
    let mut operator = Operator::signs_in(&centre, "101", 0);
    let mut caller = Caller::dials(&centre, 0, 500.0);
    let talk = operator.takes(&caller);
    centre.until("the link is up", |centre| centre.figure("pronto_links") == 1.0);
    let attached = centre.attached();
    let frozen = Instant::now();
    centre.signal("STOP");
    centre.until("the queue service notices", |centre| {
        centre.figure("pronto_links") == 0.0
    });
    println!(
        "the queue service noticed {:?} after the gateway froze",
        frozen.elapsed()
    );
    centre.signal("CONT");
    centre.reattached(attached);
    operator.talks_with(&caller, Instant::now());
    operator.is_left_alone(Duration::from_secs(1));
    // Not `is_hung_up_on`: what froze has made a hole in the stream.
    assert!(caller.phone.hang_up(&mut caller.call));
    assert!(
        operator.phone.hung_up_by_them(&talk, PATIENCE).is_some(),
        "the operator's leg ends"
    );
    centre.until("the call has its record", |centre| {
        centre.calls(&["--json", "--outcome", "answered"]).len() == 1
    });
    centre.close();
}

#[test]
fn sigterm_stops_the_queue_service_cleanly_and_drains_the_gateway() {
    let mut centre = apart("30s");
    let mut operator = Operator::signs_in(&centre, "101", 0);
    let first = Caller::dials(&centre, 0, 500.0);
    let talk = operator.takes(&first);
    let second = Caller::waits(&centre, 1, 600.0);
    let asked = Instant::now();
    centre.queue().signal("TERM");
    let status = centre.queue().wait_for_exit(PATIENCE);
    println!("the queue service ended {:?} after SIGTERM", asked.elapsed());
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    operator.talks_with(&first, Instant::now());
    second.hears_music();
    centre.restart_queue();
    operator.is_left_alone(Duration::from_secs(2));
    operator.is_hung_up_on(&talk, first);
    let talk = operator.takes(&second);

    centre.signal("TERM");
    assert!(
        centre.wait_for_exit(Duration::from_secs(1)).is_none(),
        "a call is up: it drains"
    );
    let (mut late, ear) = (centre.caller(2), RtpEndpoint::open(centre.ip(CALLER + 2)));
    let mut refused = late.invite(STRAIGHT, &ear, &[Law::Mu]);
    let last = late
        .outcome(&mut refused, &ear, PATIENCE)
        .expect("a final response while draining");
    assert_eq!(last.status(), Some(503), "{}", last.start);
    operator.talks_with(&second, Instant::now());
    operator.is_hung_up_on(&talk, second);
    let status = centre.wait_for_exit(PATIENCE);
    assert!(
        status.is_some_and(|status| status.success()),
        "with the last call gone: {status:?}"
    );
    // The queue service has heard of its end before the gateway went.
    let listed = centre.calls(&["--json"]);
    assert_eq!(
        holding(
            &listed,
            &["\"outcome\":\"caller-hung-up\"", "\"outcome\":\"answered\""]
        ),
        2,
        "{listed:#?}"
    );
    centre.queue().signal("TERM");
    assert!(
        centre
            .queue()
            .wait_for_exit(PATIENCE)
            .is_some_and(|status| status.success())
    );
}
