//! A phone holds the other.

use super::*;

const CALLERS_LEG: media::LegId = media::LegId(1);
const OPERATORS_LEG: media::LegId = media::LegId(2);

/// The three ways to say it.
fn holds() -> [Bytes; 3] {
    let directed = |direction| sdp::offer_directed(&again(), direction, sdp::Codec::Pcma);
    let nowhere = sdp::Local {
        address: [0, 0, 0, 0].into(),
        ..again()
    };
    [
        directed(sdp::Direction::SendOnly),
        directed(sdp::Direction::Inactive),
        sdp::offer(&nowhere),
    ]
}

fn again() -> sdp::Local {
    sdp::Local {
        version: 2,
        ..local()
    }
}

struct Talk {
    house: House,
    caller: sip::LegId,
    operator: sip::LegId,
    ticket: TicketId,
    /// The number of INFOs sent.
    informs: u32,
}

impl Talk {
    fn begin() -> Talk {
        let mut house = House::open();
        let (caller, ticket) = house.wait_in_queue();
        house.offer(7, ticket);
        let (operator, now) = (house.ringing(), house.now);
        house.phones[OPERATOR]
            .1
            .answer(now, operator, sdp::offer(&local()));
        house.settle();
        Talk {
            house,
            caller,
            operator,
            ticket,
            informs: 0,
        }
    }

    /// The operator's phone offers another session.
    fn operator_offers(&mut self, sdp: Bytes) {
        let now = self.house.now;
        self.house.phones[OPERATOR].1.reoffer(now, self.operator, sdp);
        self.house.settle();
    }

    fn caller_offers(&mut self, sdp: Bytes) {
        let now = self.house.now;
        self.house.phones[CALLER].1.reoffer(now, self.caller, sdp);
        self.house.settle();
    }

    /// The audio a leg hears, derived from the last command that changes it.
    fn hears(&self, wanted: media::LegId) -> &'static str {
        use media::Command as C;
        let last = self
            .house
            .commands
            .iter()
            .rev()
            .find_map(|command| match command {
                C::Music { leg, .. } if *leg == wanted => Some("music"),
                C::Play { leg, .. } if *leg == wanted => Some("a prompt"),
                C::Stop { leg } if *leg == wanted => Some("the other"),
                C::Bridge { a, b } if *a == wanted || *b == wanted => Some("the other"),
                C::Unbridge { a, b } if *a == wanted || *b == wanted => Some("nothing"),
                _ => None,
            });
        last.unwrap_or("nothing")
    }

    /// The keys that the control plane tells the operator's leg.
    fn keys_to_the_operator(&self) -> String {
        let keys = self.house.commands.iter().filter_map(|command| match command {
            media::Command::Digits { leg, digits } if *leg == OPERATORS_LEG => Some(digits),
            _ => None,
        });
        keys.flatten().map(|digit| digit.as_char()).collect()
    }

    /// The caller's phone tells a key by INFO.
    fn caller_informs(&mut self, key: char) {
        let call_id = self.house.phones[CALLER].1.call_id(self.caller).cloned().unwrap();
        let call_id = String::from_utf8(call_id.to_vec()).unwrap();
        let ok = self.house.sent.iter().find(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            text.starts_with("SIP/2.0 200") && text.contains(&call_id)
        });
        let ok = String::from_utf8_lossy(ok.unwrap()).into_owned();
        let field = |name: &str| ok.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        let (from, to) = (field("From:"), field("To:"));
        self.informs += 1;
        let (number, body) = (self.informs, format!("Signal={key}\r\n"));
        let text = format!(
            "INFO sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKinfo{number}\r\n{from}\r\n{to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {} INFO\r\nMax-Forwards: 70\r\nContent-Type: application/dtmf-relay\r\n\
             Content-Length: {}\r\n\r\n{body}",
            100 + number,
            body.len()
        );
        let flow = self.house.flow(CALLER);
        let (local, remote) = (flow.remote, flow.local);
        let flow = sip::Flow {
            local,
            remote,
            ..flow
        };
        let bytes = text.into();
        self.house.say(Input::Sip(sip::Input::Message { flow, bytes }));
    }

    fn partings(&self) -> usize {
        let parted = |command: &&media::Command| matches!(command, media::Command::Unbridge { .. });
        self.house.commands.iter().filter(parted).count()
    }
}

#[test]
fn a_caller_on_hold_hears_music_and_after_it_the_operator() {
    for hold in holds() {
        let mut talk = Talk::begin();
        assert_eq!(talk.hears(CALLERS_LEG), "the other");
        for _ in 0..3 {
            talk.operator_offers(hold.clone());
            assert_eq!(talk.hears(CALLERS_LEG), "music");
            talk.house.pass(secs(20));
            assert_eq!(talk.hears(CALLERS_LEG), "music");
            talk.operator_offers(sdp::offer(&again()));
            assert_eq!(talk.hears(CALLERS_LEG), "the other");
        }
        assert_eq!(talk.partings(), 0, "the bridge stays, and so does its recording");
    }
}

/// The media legs keep what is pressed during a hold: they alone know which keys the phone has got. So the control plane
/// tells them of a key by INFO at once, and of a key in the media never.
#[test]
fn keys_by_info_are_told_once_and_keys_in_the_media_never() {
    let mut talk = Talk::begin();
    for hold in holds() {
        talk.operator_offers(hold);
        talk.house.press('4');
        assert_eq!(talk.hears(CALLERS_LEG), "music", "it goes on");
        talk.caller_informs('4');
        talk.operator_offers(sdp::offer(&again()));
        assert_eq!(talk.keys_to_the_operator(), "");
    }
    talk.operator_offers(holds()[0].clone());
    talk.caller_informs('2');
    talk.house.press('2');
    assert_eq!(talk.keys_to_the_operator(), "2");
    talk.operator_offers(sdp::offer(&again()));
    assert_eq!(talk.keys_to_the_operator(), "2");
}

/// The media thread hears a key, and carries out the command to bridge a moment later: the bridge does not relay the press.
#[test]
fn a_key_of_the_media_that_came_just_before_the_bridge_is_told_by_the_control_plane() {
    let mut talk = Talk::begin();
    let (leg, digit) = (CALLERS_LEG, Digit::from_char('6').unwrap());
    let bridged = false;
    let before = Input::Media(media::Event::Digit { leg, digit, bridged });
    talk.house.say(before);
    assert_eq!(talk.keys_to_the_operator(), "6");
    talk.house.press('7');
    assert_eq!(talk.keys_to_the_operator(), "6", "the bridge relays this one");
}

#[test]
fn either_may_hang_up_while_the_caller_is_on_hold() {
    for caller_hangs_up in [true, false] {
        let mut talk = Talk::begin();
        talk.operator_offers(holds()[1].clone());
        let (now, offer, ticket) = (talk.house.now, OfferId(7), talk.ticket);
        if caller_hangs_up {
            talk.house.phones[CALLER].1.hangup(now, talk.caller, None);
        } else {
            talk.house.phones[OPERATOR].1.hangup(now, talk.operator, None);
        }
        talk.house.settle();
        assert_eq!(talk.house.saw(&Event::TalkEnded { offer, ticket }), 1);
        if !caller_hangs_up {
            assert_eq!(talk.hears(CALLERS_LEG), "a prompt", "the flow goes on");
        }
    }
}

#[test]
fn an_operator_who_holds_and_vanishes_is_missed_and_the_music_goes_on() {
    let mut talk = Talk::begin();
    talk.operator_offers(holds()[1].clone());
    let leg = OPERATORS_LEG;
    talk.house
        .say(Input::Media(media::Event::Stalled { leg, heard: true }));
    talk.house.pass(secs(600));
    talk.house.dead.insert(OPERATOR);
    talk.house.pass(secs(8));
    let (offer, ticket) = (OfferId(7), talk.ticket);
    assert_eq!(talk.house.saw(&Event::OperatorLost { offer, ticket }), 1);
    let stopped = talk.house.commands.iter().rev().take_while(|command| {
        let music = matches!(command, media::Command::Music { leg, .. } if *leg == CALLERS_LEG);
        !music
    });
    let cut =
        |command: &media::Command| matches!(command, media::Command::Stop { leg } if *leg == CALLERS_LEG);
    assert!(!stopped.into_iter().any(cut), "it is not cut");
}

#[test]
fn when_both_hold_the_caller_hears_music_as_long_as_the_operator_holds() {
    let mut talk = Talk::begin();
    talk.caller_offers(holds()[0].clone());
    assert_eq!(
        talk.hears(CALLERS_LEG),
        "the other",
        "the caller's own hold is no music"
    );
    talk.operator_offers(holds()[1].clone());
    talk.caller_offers(sdp::offer(&again()));
    assert_eq!(talk.hears(CALLERS_LEG), "music");
    talk.operator_offers(sdp::offer(&again()));
    assert_eq!(talk.hears(CALLERS_LEG), "the other");
    assert_eq!(talk.partings(), 0);
}

#[test]
fn a_phone_that_answers_on_hold_plays_music_from_the_start() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    let (ringing, now) = (house.ringing(), house.now);
    let held = sdp::offer_directed(&local(), sdp::Direction::SendOnly, sdp::Codec::Pcma);
    house.phones[OPERATOR].1.answer(now, ringing, held);
    house.settle();
    assert!(house.hears_music());
}

#[test]
fn of_two_operators_the_one_on_hold_hears_music() {
    let mut house = House::open();
    house.enrol_as(DESK, "102");
    let to = sip::Destination {
        uri: "sip:102@10.0.0.1".into(),
        flow: house.flow(OPERATOR),
    };
    let options = sip::InviteOptions {
        from_user: Some("101".to_owned()),
        from_display: None,
    };
    let now = house.now;
    let caller = house.phones[OPERATOR]
        .1
        .invite(now, &to, sdp::offer(&local()), options);
    house.settle();
    let ringing = house.ringing_at(DESK);
    house.phones[DESK].1.answer(now, ringing, sdp::offer(&local()));
    house.settle();
    let music = |house: &House, wanted: media::LegId| {
        let last = house.commands.iter().rev().find_map(|command| match command {
            media::Command::Music { leg, .. } if *leg == wanted => Some(true),
            media::Command::Stop { leg } if *leg == wanted => Some(false),
            _ => None,
        });
        last == Some(true)
    };
    for (phone, leg, other) in [(OPERATOR, caller, OPERATORS_LEG), (DESK, ringing, CALLERS_LEG)] {
        for (offer, held) in [(holds()[1].clone(), true), (sdp::offer(&again()), false)] {
            house.phones[phone].1.reoffer(now, leg, offer);
            house.settle();
            assert_eq!(music(&house, other), held);
        }
    }
}
