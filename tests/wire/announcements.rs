//! Announcements, at the caller's ear and in the ledger: what is spoken is what the queue decided, and a key or the
//! operator's answer cuts it.

use std::path::Path;
use std::time::{Duration, Instant};

use pronto_engine::Fact;
use pronto_ivr::speak::{Announcement, WaitRange};
use pronto_store::SqliteStore;
use pronto_types::Language;
use pronto_types::link::Hearing;

use crate::cut::{LIMIT, overrun};
use crate::kit::centre::{Centre, Plan, STRAIGHT, clip};
use crate::kit::ears::{self, PIECE, RECOGNISED};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE};
use crate::kit::phone::PATIENCE;
use crate::kit::rtp::{Audio, RtpEndpoint, Sound};

/// The longest announcement lasts some ten seconds.
const SPOKEN: Duration = Duration::from_secs(20);

/// The ledger's record: the announcements, and how much of each was heard.
struct Books {
    announced: Vec<Announcement>,
    heard: Vec<Hearing>,
}

/// Reads the ledger of a centre that has ended.
fn books(directory: &Path) -> Books {
    let (store, _) = SqliteStore::open(&directory.join("var/ledger.sqlite"), |_| {}).expect("a ledger");
    let (mut announced, mut heard) = (Vec::new(), Vec::new());
    for record in pronto_store::records(&store) {
        let record = record.expect("a record");
        let fact = pronto_queue::ledger::decode(record.version, &record.bytes).expect("a fact");
        match fact.fact {
            Fact::Announced {
                position, wait, rise, ..
            } => announced.push(Announcement {
                position,
                rise,
                wait: wait.and_then(|wait| wait.said()),
                way_out: None,
            }),
            Fact::Heard { how, .. } => heard.push(how),
            _ => {}
        }
    }
    Books { announced, heard }
}

/// The clips of an announcement, as the telephone hears them.
pub(crate) fn words(announcement: &Announcement) -> Vec<Vec<i16>> {
    let names = announcement.clips(Language::Italian);
    names.iter().map(|name| clip(&format!("it/{name}"))).collect()
}

/// Whether these words lie in the audio, one clip after the other: the likeness of the least like of them.
fn spoken(words: &[Vec<i16>], audio: &Audio) -> f64 {
    let whole = words.concat();
    let Some(found) = ears::locate(&whole[..whole.len().min(2 * PIECE)], &audio.samples) else {
        return 0.0;
    };
    let mut at = found.offset;
    let mut worst = found.score;
    for clip in words {
        let heard = audio.samples.get(at..at + clip.len()).unwrap_or_default();
        let likeness = if heard.is_empty() {
            Some(0.0)
        } else {
            ears::likeness(clip, heard)
        };
        worst = worst.min(likeness.unwrap_or(1.0));
        at += clip.len();
    }
    worst
}

/// A caller who waits at the head, and is just being told so: the sitter has declined.
fn told(rtp: &RtpEndpoint, since: Instant) -> Instant {
    let first = Announcement {
        position: Some(1),
        ..Announcement::default()
    };
    let begun = rtp.wait_for_clip(&words(&first).concat(), since, SPOKEN);
    begun.expect("the caller is told the position")
}

#[test]
fn what_the_caller_hears_is_the_position_and_the_wait_of_the_ledger() {
    let centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let music = clip("music");
    let since = Instant::now();
    let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
    told(&rtp, since);
    assert!(
        rtp.wait_for_part_of(&music, Instant::now(), SPOKEN).is_some(),
        "the music goes on afterwards"
    );
    assert!(caller.hang_up(&mut call));
    let audio = rtp.audio();
    rtp.assert_one_stream();
    let books = books(centre.close_but_keep().directory());
    let [announced, ..] = books.announced.as_slice() else {
        panic!("nothing was announced")
    };
    assert_eq!(announced.position, Some(1));
    let wait = announced
        .wait
        .expect("an operator is signed in: the wait is known");
    let likeness = spoken(&words(announced), &audio);
    println!("{:?}: likeness {likeness:.3}", announced.text(Language::Italian));
    assert!(likeness > RECOGNISED, "{likeness}: {announced:?}");
    // No other figure would do.
    for other in [
        Announcement {
            position: Some(2),
            ..*announced
        },
        Announcement {
            wait: WaitRange::new(wait.low(), wait.high() + 10),
            ..*announced
        },
    ] {
        let likeness = spoken(&words(&other), &audio);
        assert!(likeness < RECOGNISED, "{likeness}: {other:?}");
    }
    assert_eq!(books.heard, [Hearing::Whole]);
}

#[test]
fn a_key_cuts_an_announcement_within_100_ms_and_the_music_goes_on() {
    let centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let since = Instant::now();
    let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
    told(&rtp, since);
    let pressed = rtp.press('5');
    assert!(
        rtp.wait_for_part_of(&clip("music"), pressed, PATIENCE).is_some(),
        "music follows the key"
    );
    assert!(caller.hang_up(&mut call));
    let audio = rtp.audio();
    rtp.assert_one_stream();
    let books = books(centre.close_but_keep().directory());
    let whole = words(&books.announced[0]).concat();
    let late = overrun(&whole, &audio, pressed).expect("it was being spoken when the key was pressed");
    println!("the announcement was cut {late:?} after the key");
    assert!(
        late <= LIMIT,
        "the announcement went on for {late:?} after the key"
    );
    assert_eq!(books.heard, [Hearing::Cut]);
}

#[test]
fn the_operators_answer_cuts_an_announcement_within_100_ms() {
    let centre = Centre::open(&Plan::default());
    let _sitter = centre.sitter();
    let mut caller = centre.caller(0);
    let (rtp, desk) = (
        RtpEndpoint::open(centre.ip(CALLER)),
        RtpEndpoint::open(centre.ip(PHONE)),
    );
    desk.say(Sound::Tone(900.0));
    let since = Instant::now();
    let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
    told(&rtp, since);
    let mut operator = centre.operator("101", 0);
    let ringing = operator.rung(PATIENCE).expect("the operator's phone rings");
    let answered = operator.answer(&ringing, &desk);
    assert!(operator.acknowledged(&ringing, PATIENCE));
    let voice = rtp.wait_for_tone(900.0, answered, PATIENCE);
    let voice = voice.expect("the operator is heard");
    assert!(caller.hang_up(&mut call));
    assert!(operator.hung_up_by_them(&ringing, PATIENCE).is_some());
    let audio = rtp.audio();
    rtp.assert_one_stream();
    let books = books(centre.close_but_keep().directory());
    let whole = words(&books.announced[0]).concat();
    let late = overrun(&whole, &audio, answered).expect("it was being spoken at the answer");
    println!(
        "the announcement was cut {late:?}, the operator heard {:?} after the answer",
        voice - answered
    );
    assert!(
        late <= LIMIT,
        "the announcement went on for {late:?} after the answer"
    );
    assert!(
        voice - answered <= 3 * LIMIT,
        "the operator is heard {:?} after the answer",
        voice - answered
    );
    assert_eq!(books.heard, [Hearing::Cut]);
}
