//! Announcements: begun, heard, cut, each reported once and before what ended it.

use pronto_ivr::speak;
use pronto_types::AnnouncementId;
use pronto_types::link::{Hearing, Promise, RiseReason};

use super::*;

impl House {
    fn announce(&mut self, number: u64, ticket: TicketId) {
        self.announce_rise(number, ticket, None);
    }

    fn announce_rise(&mut self, number: u64, ticket: TicketId, rise: Option<RiseReason>) {
        let wait = Promise {
            p50: secs(100),
            p90: secs(230),
        };
        self.say(Input::Directive(Directive::Announce {
            announcement: AnnouncementId(number),
            ticket,
            position: Some(2),
            wait: Some(wait),
            rise,
        }));
    }

    /// The id of the last play, and its clips.
    fn spoken(&self) -> Option<(media::PlayId, &[Clip])> {
        match self.commands.last() {
            Some(media::Command::Play { play, clips, .. }) => Some((*play, clips)),
            _ => None,
        }
    }

    /// The reports about this announcement, and where in the journal they stand.
    fn reports(&self, number: u64) -> Vec<(usize, Hearing)> {
        let report = |(at, event): (usize, &Event)| match event {
            Event::Heard {
                announcement, how, ..
            } if announcement.0 == number => Some((at, *how)),
            _ => None,
        };
        self.events.iter().enumerate().filter_map(report).collect()
    }

    fn place_of(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().position(wanted).expect("it is in the journal")
    }
}

#[test]
fn position_and_wait_are_spoken_over_the_music_which_then_goes_on() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.announce(7, ticket);
    let words = speak::Announcement {
        position: Some(2),
        wait: speak::WaitRange::new(2, 4),
        ..speak::Announcement::default()
    };
    let (play, clips) = house.spoken().unwrap();
    let wanted = words.clips(Language::English);
    assert_eq!(clips.len(), wanted.len());
    for (clip, name) in clips.iter().zip(&wanted) {
        let of_name = house
            .gateway
            .settings
            .prompts
            .clip(Language::English, name)
            .unwrap();
        assert!(clip.is_same(&of_name), "{name}");
    }
    assert_eq!(house.reports(7), [], "not before its end");
    let leg = media::LegId(1);
    house.say(Input::Media(media::Event::Finished { leg, play }));
    house.say(Input::Media(media::Event::Finished { leg, play }));
    let reports = house.reports(7);
    assert!(matches!(reports.as_slice(), [(_, Hearing::Whole)]), "{reports:?}");
    assert!(house.hears_music());
}

#[test]
fn who_hears_that_it_takes_longer_hears_why_and_which_key_leads_out() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.announce_rise(7, ticket, Some(RiseReason::FewerOperators));
    let words = speak::Announcement {
        position: Some(2),
        rise: Some(RiseReason::FewerOperators),
        wait: speak::WaitRange::new(2, 4),
        way_out: pronto_types::Digit::from_char('9'),
    };
    let (_, clips) = house.spoken().unwrap();
    let prompts = &house.gateway.settings.prompts;
    let wanted: Vec<Clip> = words
        .clips(Language::English)
        .iter()
        .map(|name| prompts.clip(Language::English, name).expect("a clip"))
        .collect();
    assert_eq!(clips.len(), wanted.len());
    assert!(
        clips
            .iter()
            .zip(&wanted)
            .all(|(clip, wanted)| clip.is_same(wanted))
    );
    house.press('9');
    assert!(
        matches!(house.reports(7).as_slice(), [(_, Hearing::Cut)]),
        "it yields to that key"
    );
    let reason = LeaveReason::Key;
    house.place_of(|event| *event == Event::Left { ticket, reason });
}

#[test]
fn any_key_cuts_an_announcement_and_the_flow_gets_the_key() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.announce(7, ticket);
    house.press('5');
    assert!(matches!(house.reports(7).as_slice(), [(_, Hearing::Cut)]));
    assert!(house.hears_music(), "a key that leads nowhere: the music goes on");
    house.announce(8, ticket);
    house.press('9');
    let [(heard, Hearing::Cut)] = house.reports(8)[..] else {
        panic!("{:?}", house.reports(8))
    };
    let reason = LeaveReason::Key;
    let left = house.place_of(|event| *event == Event::Left { ticket, reason });
    assert!(heard < left);
    assert!(!house.hears_music(), "9 leads back to the menu");
}

#[test]
fn the_answer_cuts_an_announcement_and_it_does_not_delay_the_connection() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.announce(7, ticket);
    house.offer(70, ticket);
    assert_eq!(house.reports(7), [], "it goes on while the phone rings");
    let ringing = house.ringing();
    let now = house.now;
    house.phones[OPERATOR]
        .1
        .answer(now, ringing, sdp::offer(&local()));
    house.settle();
    let [(heard, Hearing::Cut)] = house.reports(7)[..] else {
        panic!("{:?}", house.reports(7))
    };
    let answered = house.place_of(|event| matches!(event, Event::Answered { .. }));
    assert!(heard < answered);
    assert!(matches!(
        house.commands.last(),
        Some(media::Command::Bridge { .. })
    ));
    assert_eq!(house.now, now);
}

#[test]
fn one_that_comes_while_another_is_spoken_is_dropped() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.announce(7, ticket);
    let commands = house.commands.len();
    house.announce(8, ticket);
    assert_eq!(house.commands.len(), commands);
    assert!(matches!(house.reports(8).as_slice(), [(_, Hearing::Cut)]));
    assert_eq!(house.reports(7), []);
}

#[test]
fn whoever_hangs_up_has_heard_it_cut_and_then_left() {
    let mut house = House::open();
    let (caller, ticket) = house.wait_in_queue();
    house.announce(7, ticket);
    let now = house.now;
    house.phones[CALLER].1.hangup(now, caller, None);
    house.settle();
    let [(heard, Hearing::Cut)] = house.reports(7)[..] else {
        panic!("{:?}", house.reports(7))
    };
    assert!(heard < house.place_of(|event| matches!(event, Event::Left { .. })));
}

#[test]
fn what_cannot_be_spoken_is_reported_cut() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.announce(7, TicketId(1));
    assert!(matches!(house.reports(7).as_slice(), [(_, Hearing::Cut)]));
    house.offer(70, ticket);
    house.announce(8, ticket);
    assert!(matches!(house.reports(8).as_slice(), [(_, Hearing::Cut)]));
    assert!(house.hears_music());
}

#[test]
fn a_clip_that_is_missing_does_not_silence_the_rest() {
    let words = speak::Announcement {
        position: Some(2),
        wait: speak::WaitRange::new(2, 4),
        ..speak::Announcement::default()
    };
    let wanted = words.clips(Language::English);
    let mut settings = settings();
    let mut prompts = Prompts::default();
    prompts.insert(Language::English, "main-menu", Clip::from_pcm16_8k(&[0; 80]));
    for name in &wanted[1..] {
        prompts.insert(Language::English, name, Clip::from_pcm16_8k(&[0; 80]));
    }
    prompts.set_music(Clip::from_pcm16_8k(&[0; 8000]));
    settings.prompts = prompts;
    let mut house = House::open_with(settings);
    let (_, ticket) = house.wait_in_queue();
    house.announce(7, ticket);
    assert_eq!(house.spoken().unwrap().1.len(), wanted.len() - 1);
}

#[test]
fn an_end_that_nobody_reports_does_not_keep_the_music_away() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.announce(7, ticket);
    house.pass(secs(5));
    assert!(matches!(house.reports(7).as_slice(), [(_, Hearing::Cut)]));
    assert!(house.hears_music());
}

#[test]
fn one_that_is_spoken_over_a_new_epoch_ends_with_its_last_sample() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.announce(7, ticket);
    let play = house.spoken().unwrap().0;
    house.say(Input::Detached);
    house.say(Input::NewEpoch);
    let leg = media::LegId(1);
    house.say(Input::Media(media::Event::Finished { leg, play }));
    assert!(house.hears_music(), "at once");
    assert_eq!(house.reports(7), [], "the new epoch knows no announcement 7");
}
