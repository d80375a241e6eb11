//! Consent prompts, recorded talks, and the entries written about them.

use pronto_recordings::FinishedRecording;
use pronto_types::link::RecordingFlaw;

use super::*;

const TELLS: usize = 4_000;

/// A house whose queue is recorded: with a prompt of half a second that says so, or untold.
fn recorded(told: bool) -> House {
    let mut settings = settings();
    let clip = Clip::from_pcm16_8k(&[0; TELLS]);
    settings.prompts.insert(Language::English, "recorded", clip);
    let consent = told.then(|| "recorded".into());
    settings
        .recorded
        .insert(QueueName::new("support").unwrap(), consent);
    House::open_with(settings)
}

impl House {
    /// The prompt being played to the caller, if any: its length in samples, and its play id.
    fn prompt(&self) -> Option<(usize, media::PlayId)> {
        let last = self.commands.iter().rev().find_map(|command| match command {
            media::Command::Play { play, clips, .. } => Some(Some((clips[0].samples(), *play))),
            media::Command::Stop { .. } | media::Command::Music { .. } => Some(None),
            _ => None,
        });
        last.flatten()
    }

    fn hear_to_the_end(&mut self) {
        let (_, play) = self.prompt().expect("a prompt is played");
        let leg = media::LegId(1);
        self.say(Input::Media(media::Event::Finished { leg, play }));
    }

    fn joined(&self) -> Vec<TicketId> {
        let joined = |event: &Event| match event {
            Event::Joined { ticket, .. } => Some(*ticket),
            _ => None,
        };
        self.events.iter().filter_map(joined).collect()
    }

    /// The operator takes the call of this ticket.
    fn talk(&mut self, ticket: TicketId) -> sip::LegId {
        self.offer(7, ticket);
        let (ringing, now) = (self.ringing(), self.now);
        self.phones[OPERATOR].1.answer(now, ringing, sdp::offer(&local()));
        self.settle();
        let offer = OfferId(7);
        assert_eq!(self.saw(&Event::Answered { offer, ticket }), 1);
        ringing
    }

    fn recordings_begun(&self) -> Vec<&media::Command> {
        let begun = |command: &&media::Command| matches!(command, media::Command::Record { .. });
        self.commands.iter().filter(begun).collect()
    }
}

#[test]
fn a_caller_is_told_once_a_call_before_the_place_is_taken() {
    let mut house = recorded(true);
    house.dial();
    house.press('1');
    assert_eq!(house.prompt().map(|prompt| prompt.0), Some(TELLS));
    house.pass(secs(3));
    assert!(
        house.joined().is_empty(),
        "no operator may come before the prompt has ended"
    );
    house.hear_to_the_end();
    assert!(house.hears_music() && house.joined().len() == 1);
    // Out of the queue and in again.
    house.press('9');
    house.press('1');
    assert!(house.hears_music() && house.joined().len() == 2, "told already");
}

#[test]
fn hanging_up_while_being_told_is_an_end_like_any_other() {
    let mut house = recorded(true);
    let caller = house.dial();
    house.press('1');
    let now = house.now;
    house.phones[CALLER].1.hangup(now, caller, None);
    house.settle();
    house.pass(secs(64));
    assert!(house.joined().is_empty());
    assert_eq!(
        (house.gateway.counts().calls, house.gateway.counts().ended),
        (0, 1)
    );
    assert!(
        !house
            .events
            .iter()
            .any(|event| matches!(event, Event::Left { .. }))
    );
}

#[test]
fn a_key_cuts_nothing_but_one_that_leads_out_does_and_then_it_is_told_again() {
    let mut house = recorded(true);
    house.dial();
    house.press('1');
    house.press('4');
    assert_eq!(house.prompt().map(|prompt| prompt.0), Some(TELLS));
    house.press('9');
    assert_ne!(
        house.prompt().map(|prompt| prompt.0),
        Some(TELLS),
        "back in the menu"
    );
    assert!(house.joined().is_empty());
    house.press('1');
    assert_eq!(house.prompt().map(|prompt| prompt.0), Some(TELLS));
    house.hear_to_the_end();
    assert_eq!(house.joined().len(), 1);
}

#[test]
fn who_was_told_is_recorded_from_the_bridge_on_and_the_file_comes_on_the_books() {
    let mut house = recorded(true);
    house.dial();
    house.press('1');
    house.hear_to_the_end();
    let ticket = house.joined()[0];
    let operator = house.talk(ticket);
    let at = |wanted: fn(&media::Command) -> bool| house.commands.iter().rposition(wanted).unwrap();
    let bridged = at(|command| matches!(command, media::Command::Bridge { .. }));
    let begun = at(|command| {
        matches!(
            command,
            media::Command::Record {
                left: media::LegId(1),
                right: media::LegId(2),
                ..
            }
        )
    });
    assert!(bridged < begun);
    let [
        Talk {
            call,
            ticket: recorded,
            ..
        },
    ] = house.recordings[..]
    else {
        panic!("{:?}", house.recordings)
    };
    assert_eq!(recorded, ticket);
    let now = house.now;
    house.phones[OPERATOR].1.hangup(now, operator, None);
    house.settle();
    house.say(Input::Drain);
    assert!(!house.gateway.drained(), "the caller is here");
    house.say(Input::HangUpAll);
    house.pass(secs(64));
    let last = house.gateway.last_entry();
    house.say(Input::Attached { have: last });
    assert!(
        house.gateway.drained() && !house.gateway.settled(),
        "the file is not on the books yet"
    );
    let (file, duration, flaw) = ("f.wav".to_owned(), secs(9), Some(RecordingFlaw::Overrun));
    house.say(Input::Recorded(FinishedRecording {
        call,
        ticket,
        file: file.clone(),
        duration,
        flaw,
    }));
    let recorded = Event::Recorded {
        call,
        ticket,
        file,
        duration,
        flaw,
    };
    assert_eq!(house.saw(&recorded), 1);
    let number = house.gateway.last_entry();
    house.say(Input::Acknowledged { number });
    assert!(house.gateway.settled());
}

#[test]
fn who_may_not_have_been_told_is_served_and_not_recorded() {
    let mut house = recorded(true);
    house.dial();
    house.press('1');
    // The media threads never say that the prompt is over.
    house.pass(secs(6));
    let ticket = house.joined()[0];
    house.talk(ticket);
    assert!(house.recordings_begun().is_empty() && house.recordings.is_empty());
}

#[test]
fn without_consent_there_is_no_delay_and_without_record_no_recording() {
    for (mut house, recorded) in [(recorded(false), 1), (House::open(), 0)] {
        house.dial();
        house.press('1');
        assert!(house.hears_music());
        let ticket = house.joined()[0];
        house.talk(ticket);
        assert_eq!(
            (house.recordings_begun().len(), house.recordings.len()),
            (recorded, recorded)
        );
    }
}

#[test]
fn whom_the_queue_let_wait_on_in_another_is_recorded_by_the_rules_of_that_one() {
    for (recorded, consent, begun) in [
        ("sales", None, 1),
        ("sales", Some("recorded"), 0),
        ("support", None, 0),
    ] {
        let mut settings = settings();
        let consent = consent.map(Arc::from);
        settings
            .recorded
            .insert(QueueName::new(recorded).unwrap(), consent);
        let mut house = House::open_with(settings);
        let (_, ticket) = house.wait_in_queue();
        house.say(Input::Directive(Directive::Offer {
            offer: OfferId(7),
            ticket,
            operator: operator(),
            ring: secs(15),
            queue: QueueName::new("sales").unwrap(),
            waited: secs(3),
        }));
        let (ringing, now) = (house.ringing(), house.now);
        house.phones[OPERATOR]
            .1
            .answer(now, ringing, sdp::offer(&local()));
        house.settle();
        assert_eq!(house.recordings_begun().len(), begun, "{recorded}");
    }
}
