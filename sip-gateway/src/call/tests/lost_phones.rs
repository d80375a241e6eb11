//! Phones that vanish without a word, and phones that only send nothing.

use super::*;

/// The caller's media leg, and the operator's, in the order in which they are opened.
const CALLERS_LEG: media::LegId = media::LegId(1);
const OPERATORS_LEG: media::LegId = media::LegId(2);

impl House {
    /// The caller talks to operator 101 under offer 7; the first place in the queue.
    fn begin_talk(&mut self) -> TicketId {
        let (_, ticket) = self.wait_in_queue();
        let number = self.gateway.last_entry();
        self.say(Input::Acknowledged { number });
        self.offer(7, ticket);
        self.answers(OPERATOR);
        ticket
    }

    /// Operator 101 dials 102 on the other phone.
    fn dial_colleague(&mut self) -> sip::LegId {
        self.enrol_as(DESK, "102");
        let to = sip::Destination {
            uri: "sip:102@10.0.0.1".into(),
            flow: self.flow(OPERATOR),
        };
        let now = self.now;
        let options = sip::InviteOptions {
            from_user: Some("101".to_owned()),
            from_display: None,
        };
        let leg = self.phones[OPERATOR]
            .1
            .invite(now, &to, sdp::offer(&local()), options);
        self.settle();
        leg
    }

    fn operators_talk(&mut self) {
        self.dial_colleague();
        self.answers(DESK);
    }

    fn answers(&mut self, phone: usize) {
        let (ringing, now) = (self.ringing_at(phone), self.now);
        self.phones[phone].1.answer(now, ringing, sdp::offer(&local()));
        self.settle();
    }

    /// Nothing comes from it any more.
    fn stalls(&mut self, leg: media::LegId) {
        let heard = true;
        self.say(Input::Media(media::Event::Stalled { leg, heard }));
    }

    /// Nothing has ever come from it.
    fn never_speaks(&mut self, leg: media::LegId) {
        let heard = false;
        self.say(Input::Media(media::Event::Stalled { leg, heard }));
    }

    fn resumes(&mut self, leg: media::LegId) {
        self.say(Input::Media(media::Event::Resumed { leg }));
    }

    /// Questions sent so far, those sent again included.
    fn asked(&self) -> usize {
        let sent = self.sent.iter();
        sent.filter(|bytes| bytes.starts_with(b"OPTIONS ")).count()
    }

    fn outcome(&self) -> Option<CallOutcome> {
        self.events.iter().find_map(|event| match event {
            Event::CallEnded { outcome, .. } => Some(*outcome),
            _ => None,
        })
    }

    /// The place that continues this one.
    fn place_after(&self, lost: TicketId) -> Option<TicketId> {
        self.events.iter().find_map(|event| match event {
            Event::Joined {
                ticket,
                regained: Some(old),
                ..
            } if *old == lost => Some(*ticket),
            _ => None,
        })
    }

    fn lost_operators(&self) -> usize {
        let lost = self.events.iter();
        lost.filter(|event| matches!(event, Event::OperatorLost { .. }))
            .count()
    }
}

#[test]
fn an_operator_who_vanishes_in_mid_talk_leaves_the_caller_with_music_and_the_place() {
    let mut house = House::open();
    let ticket = house.begin_talk();
    house.dead.insert(OPERATOR);
    house.stalls(OPERATORS_LEG);
    house.pass(Duration::from_millis(4_999));
    assert_eq!((house.lost_operators(), house.hears_music()), (0, false));
    house.pass(Duration::from_millis(1));
    let offer = OfferId(7);
    assert_eq!(house.saw(&Event::OperatorLost { offer, ticket }), 1);
    assert!(house.hears_music());
    assert_eq!(house.outcome(), None, "the call goes on");
    let again = house.place_after(ticket).expect("the caller waits again");
    // The queue offers again, and the next operator has the caller.
    house.dead.clear();
    house.enrol(DESK);
    house.offer(8, again);
    house.answers(DESK);
    let answered = Event::Answered {
        offer: OfferId(8),
        ticket: again,
    };
    assert_eq!(house.saw(&answered), 1);
    assert!(!house.hears_music());
}

#[test]
fn a_phone_that_was_lost_is_not_rung_before_it_answers() {
    let mut house = House::around(House::core_asking(settings(), 1, Some(secs(60))));
    let ticket = house.begin_talk();
    house.dead.insert(OPERATOR);
    house.stalls(OPERATORS_LEG);
    house.pass(secs(5));
    let gone = Event::Presence {
        operator: operator(),
        lease: None,
    };
    assert_eq!(house.saw(&gone), 1);
    let again = house.place_after(ticket).unwrap();
    house.offer(8, again);
    let reason = RefuseReason::Unreachable;
    let offer = OfferId(8);
    assert_eq!(house.saw(&Event::Refused { offer, reason }), 1);
    house.dead.clear();
    house.pass(secs(61));
    let back = house.events.iter().rev().find_map(|event| match event {
        Event::Presence { lease, .. } => Some(lease.is_some()),
        _ => None,
    });
    assert_eq!(back, Some(true), "it was asked again, and answered");
}

#[test]
fn a_muted_phone_that_answers_stays_for_ever() {
    let mut house = House::open();
    house.begin_talk();
    house.stalls(OPERATORS_LEG);
    house.stalls(CALLERS_LEG);
    house.pass(secs(3_600));
    assert_eq!((house.lost_operators(), house.outcome()), (0, None));
    // One question every two seconds to each, and none while packets arrive.
    let asked = house.asked();
    assert!((3_600..3_700).contains(&asked), "{asked}");
    house.resumes(OPERATORS_LEG);
    house.resumes(CALLERS_LEG);
    house.pass(secs(60));
    assert_eq!(house.asked(), asked);
}

#[test]
fn a_muted_phone_that_vanishes_is_missed_within_eight_seconds() {
    let mut house = House::open();
    house.begin_talk();
    house.stalls(OPERATORS_LEG);
    house.pass(Duration::from_millis(601_990));
    house.dead.insert(OPERATOR);
    house.pass(Duration::from_millis(7_100));
    assert_eq!(house.lost_operators(), 1);
}

#[test]
fn an_answer_that_comes_late_keeps_the_talk() {
    let mut house = House::open();
    house.begin_talk();
    house.dead.insert(OPERATOR);
    house.stalls(OPERATORS_LEG);
    // Asked at 0, 0.5, 1.5 and 3.5 s: the last one arrives.
    house.pass(secs(2));
    house.dead.clear();
    house.pass(secs(600));
    assert_eq!((house.lost_operators(), house.outcome()), (0, None));
}

/// A question that is not answered fails 32 s after it was asked (Timer F). The audio has come back long before.
#[test]
fn a_packet_is_an_answer_too() {
    for (leg, phone) in [(OPERATORS_LEG, OPERATOR), (CALLERS_LEG, CALLER)] {
        let mut house = House::open();
        house.begin_talk();
        house.dead.insert(phone);
        house.stalls(leg);
        house.pass(secs(4));
        house.resumes(leg);
        house.pass(secs(60));
        assert_eq!((house.lost_operators(), house.outcome()), (0, None));
        assert_eq!(house.asked(), 4, "nothing is asked while packets arrive");
    }
}

#[test]
fn of_two_operators_neither_is_cut_off_after_the_media_has_come_back() {
    for (leg, phone) in [(CALLERS_LEG, OPERATOR), (OPERATORS_LEG, DESK)] {
        let mut house = House::open();
        house.operators_talk();
        house.dead.insert(phone);
        house.stalls(leg);
        house.pass(secs(4));
        house.resumes(leg);
        house.pass(secs(60));
        assert_eq!(house.outcome(), None);
    }
}

#[test]
fn a_phone_that_stalls_again_soon_is_asked_again_at_once() {
    let mut house = House::open();
    house.begin_talk();
    house.dead.insert(OPERATOR);
    house.stalls(OPERATORS_LEG);
    house.pass(secs(1));
    house.resumes(OPERATORS_LEG);
    house.pass(secs(1));
    let asked = house.asked();
    house.dead.clear();
    house.stalls(OPERATORS_LEG);
    house.pass(Duration::from_millis(1));
    assert_eq!(house.asked(), asked + 1);
    // The answer arrives: the phone, which is muted, stays.
    house.pass(secs(60));
    assert_eq!(house.lost_operators(), 0);
}

#[test]
fn a_phone_that_forgot_the_talk_is_lost_at_once_and_still_reachable() {
    let mut house = House::open();
    house.begin_talk();
    // It was switched off and on.
    let mut settings = sip::Settings::new("pronto.example");
    settings.listen = vec![(sip::Transport::Udp, house.phones[OPERATOR].0)];
    house.phones[OPERATOR].1 = sip::Endpoint::new(settings, ChaCha12Rng::seed_from_u64(9));
    house.stalls(OPERATORS_LEG);
    house.pass(Duration::ZERO);
    assert_eq!(house.lost_operators(), 1);
    assert!(house.hears_music());
    let gone = Event::Presence {
        operator: operator(),
        lease: None,
    };
    assert_eq!(house.saw(&gone), 0);
}

#[test]
fn when_both_phones_vanish_no_other_operator_is_rung_for_nobody() {
    for first in [CALLERS_LEG, OPERATORS_LEG] {
        let second = if first == CALLERS_LEG {
            OPERATORS_LEG
        } else {
            CALLERS_LEG
        };
        let mut house = House::open();
        let ticket = house.begin_talk();
        house.dead.extend([CALLER, OPERATOR]);
        house.stalls(first);
        house.pass(Duration::from_millis(700));
        house.stalls(second);
        house.pass(secs(7));
        assert_eq!(house.outcome(), Some(CallOutcome::PeerLost));
        assert_eq!(house.place_after(ticket), None);
        house.pass(secs(64));
        let counts = (house.gateway.counts().calls, house.gateway.sip_counts().dialogs);
        assert_eq!(counts, (0, 0));
    }
}

#[test]
fn a_muted_caller_does_not_keep_a_lost_operator() {
    let mut house = House::open();
    house.begin_talk();
    house.stalls(CALLERS_LEG);
    house.pass(secs(31));
    house.dead.insert(OPERATOR);
    house.stalls(OPERATORS_LEG);
    house.pass(secs(5));
    assert_eq!((house.lost_operators(), house.outcome()), (1, None));
}

#[test]
fn a_caller_who_vanishes_in_mid_talk_frees_the_operator() {
    let mut house = House::open();
    let ticket = house.begin_talk();
    house.dead.insert(CALLER);
    house.stalls(CALLERS_LEG);
    house.pass(secs(5));
    let offer = OfferId(7);
    assert_eq!(house.saw(&Event::TalkEnded { offer, ticket }), 1);
    assert_eq!(house.outcome(), Some(CallOutcome::PeerLost));
}

/// With the two seconds of the media threads: twelve after the last packet.
#[test]
fn a_ghost_leaves_the_menu_the_line_and_the_ringing_within_twelve_seconds() {
    for answer in [Answer::AtOnce, Answer::OnOperator] {
        for place in ["menu", "queue", "ringing"] {
            let mut settings = settings();
            settings.numbers.get_mut("800").unwrap().answer = answer;
            let mut house = House::open_with(settings);
            let ticket = if place == "menu" {
                house.dial();
                None
            } else {
                Some(house.wait_in_queue().1)
            };
            if place == "ringing" {
                house.offer(7, ticket.unwrap());
            }
            house.dead.insert(CALLER);
            house.stalls(CALLERS_LEG);
            house.pass(secs(9));
            assert_eq!(house.outcome(), Some(CallOutcome::PeerLost), "{answer:?} {place}");
            if let Some(ticket) = ticket {
                let reason = LeaveReason::PeerLost;
                assert_eq!(house.saw(&Event::Left { ticket, reason }), 1);
            }
            house.pass(secs(64));
            let counts = (house.gateway.counts().calls, house.gateway.counts().parting);
            assert_eq!(counts, (0, 0));
        }
    }
}

#[test]
fn a_caller_who_sends_nothing_and_answers_stays_until_max_wait() {
    for answer in [Answer::AtOnce, Answer::OnOperator] {
        let mut settings = settings();
        settings.numbers.get_mut("800").unwrap().answer = answer;
        let mut house = House::open_with(settings);
        house.wait_in_queue();
        let number = house.gateway.last_entry();
        house.say(Input::Acknowledged { number });
        house.stalls(CALLERS_LEG);
        house.pass(secs(590));
        assert_eq!(house.outcome(), None);
        assert!(house.hears_music());
        let asked = house.asked();
        assert!((80..120).contains(&asked), "every six seconds, not {asked}");
    }
}

/// A number that leads to the queue without a menu, and answers with the operator.
fn straight_and_unanswered() -> House {
    let mut settings = settings();
    let number = settings.numbers.get_mut("800").unwrap();
    number.answer = Answer::OnOperator;
    number.flow = Arc::new(Script::parse(&FLOW.replacen("main", "support", 1)).unwrap());
    House::open_with(settings)
}

impl House {
    /// A caller who waits unanswered, and whose phone does not know the call: its INVITE was forged, or it was restarted.
    /// (Our own endpoint answers 481 in an early dialog, too.)
    fn waits_denied(&mut self) -> TicketId {
        self.dial();
        let mut settings = sip::Settings::new("pronto.example");
        settings.listen = vec![(sip::Transport::Udp, self.phones[CALLER].0)];
        self.phones[CALLER].1 = sip::Endpoint::new(settings, ChaCha12Rng::seed_from_u64(9));
        let number = self.gateway.last_entry();
        self.say(Input::Acknowledged { number });
        let joined = self.events.iter().find_map(|event| match event {
            Event::Joined { ticket, .. } => Some(*ticket),
            _ => None,
        });
        assert!(self.hears_music());
        joined.unwrap()
    }
}

/// With the two seconds of the media threads: within twelve after the INVITE.
#[test]
fn a_forged_invite_of_which_nothing_is_heard_gets_no_music_for_ever() {
    let mut house = straight_and_unanswered();
    let ticket = house.waits_denied();
    house.never_speaks(CALLERS_LEG);
    house.pass(secs(6));
    assert_eq!((house.asked(), house.outcome()), (2, None), "the 183 may be late");
    house.pass(secs(4));
    assert_eq!((house.asked(), house.outcome()), (3, Some(CallOutcome::PeerLost)));
    let reason = LeaveReason::PeerLost;
    assert_eq!(house.saw(&Event::Left { ticket, reason }), 1);
    house.pass(secs(64));
    let counts = (house.gateway.counts().calls, house.gateway.sip_counts().dialogs);
    assert_eq!(counts, (0, 0));
}

#[test]
fn a_caller_who_was_heard_and_whose_carrier_knows_no_early_dialogs_waits_on() {
    for heard in ["packets", "packets after a stall", "a key"] {
        let mut house = straight_and_unanswered();
        house.waits_denied();
        match heard {
            "packets" => {}
            "packets after a stall" => {
                house.never_speaks(CALLERS_LEG);
                house.resumes(CALLERS_LEG);
            }
            _ => house.press('1'),
        }
        if heard == "a key" {
            house.never_speaks(CALLERS_LEG);
        } else {
            house.stalls(CALLERS_LEG);
        }
        house.pass(secs(500));
        assert_eq!(house.outcome(), None, "{heard}");
    }
}

#[test]
fn a_phone_lost_while_the_queue_is_away_keeps_the_caller_and_the_music() {
    let mut house = House::open();
    let ticket = house.begin_talk();
    house.say(Input::Detached);
    house.dead.insert(OPERATOR);
    house.stalls(OPERATORS_LEG);
    house.pass(secs(6));
    house.pass(secs(580));
    assert!(house.hears_music());
    assert_eq!((house.lost_operators(), house.outcome()), (1, None));
    let again = house.place_after(ticket).unwrap();
    house.pass(secs(30));
    let (ticket, reason) = (again, LeaveReason::TimedOut);
    assert_eq!(house.saw(&Event::Left { ticket, reason }), 1);
}

#[test]
fn a_phone_lost_after_the_queue_has_stopped_leaves_the_caller_with_the_flow() {
    let mut house = House::open();
    let ticket = house.begin_talk();
    house.say(Input::QueueStopped);
    assert_eq!(house.outcome(), None, "the talk goes on");
    house.dead.insert(OPERATOR);
    house.stalls(OPERATORS_LEG);
    house.pass(secs(5));
    let again = house
        .place_after(ticket)
        .expect("the loss is recorded as any other");
    let (ticket, reason) = (again, LeaveReason::Failed);
    assert_eq!(house.saw(&Event::Left { ticket, reason }), 1);
    let last = house.commands.last();
    assert!(matches!(last, Some(media::Command::Play { .. })), "the apology");
}

#[test]
fn a_key_works_in_the_queue_after_a_lost_operator() {
    let mut house = House::open();
    let ticket = house.begin_talk();
    house.dead.insert(OPERATOR);
    house.stalls(OPERATORS_LEG);
    house.pass(secs(5));
    let again = house.place_after(ticket).unwrap();
    house.press('9');
    let (ticket, reason) = (again, LeaveReason::Key);
    assert_eq!(house.saw(&Event::Left { ticket, reason }), 1);
}

/// It hears a phone ring, and knows no address of ours yet.
#[test]
fn an_operator_who_calls_another_is_not_asked_before_the_other_answers() {
    let mut house = House::open();
    house.dial_colleague();
    house.never_speaks(CALLERS_LEG);
    house.pass(secs(20));
    assert_eq!((house.asked(), house.outcome()), (0, None));
    house.answers(DESK);
    house.pass(Duration::from_millis(1_999));
    assert_eq!(house.asked(), 0, "it may begin to send");
    // It does not, and is gone.
    house.dead.insert(OPERATOR);
    house.pass(Duration::from_millis(5_001));
    assert_eq!(house.outcome(), Some(CallOutcome::PeerLost));
    // One that begins to send is not asked.
    let mut house = House::open();
    house.dial_colleague();
    house.never_speaks(CALLERS_LEG);
    house.pass(secs(20));
    house.answers(DESK);
    house.resumes(CALLERS_LEG);
    house.pass(secs(60));
    assert_eq!((house.asked(), house.outcome()), (0, None));
}

#[test]
fn of_two_operators_who_talk_the_one_who_vanishes_ends_the_call() {
    for gone in [OPERATOR, DESK] {
        let mut house = House::open();
        house.operators_talk();
        house.dead.insert(gone);
        let leg = if gone == OPERATOR {
            CALLERS_LEG
        } else {
            OPERATORS_LEG
        };
        house.stalls(leg);
        house.pass(secs(5));
        assert_eq!(house.outcome(), Some(CallOutcome::PeerLost));
    }
}

#[test]
fn a_colleague_whose_phone_answers_no_offer_is_lost_and_not_rung_before_it_answers() {
    let mut house = House::around(House::core_asking(settings(), 1, Some(secs(600))));
    let caller = house.dial_colleague();
    house.answers(DESK);
    house.dead.insert(DESK);
    // The caller's phone changes its codec, which the other one is asked for.
    let again = sdp::Local {
        version: 2,
        ..local()
    };
    let other = sdp::offer_only(&again, sdp::Codec::Pcmu);
    let now = house.now;
    house.phones[OPERATOR].1.reoffer(now, caller, other);
    house.settle();
    house.pass(secs(33));
    assert_eq!(house.outcome(), Some(CallOutcome::PeerLost));
    let gone = Event::Presence {
        operator: OperatorId::new("102").unwrap(),
        lease: None,
    };
    assert_eq!(house.saw(&gone), 1);
}
