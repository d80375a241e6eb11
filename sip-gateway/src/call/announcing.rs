//! Announcements: position and wait, spoken over the music of a caller who waits.
//!
//! ```text
//!   music ─Announce─► speaking ─last sample──────────► music    heard whole
//!                        │ key ──────────────────────► music    cut (and the flow gets the key)
//!                        └ answer, exit, hang-up ────► …        cut
//! ```
//!
//! One at a time: an announcement that comes while another is spoken is not begun, as what the caller is being told is
//! hardly older, and two figures in one breath are none. Each one that came is reported heard exactly once, and always
//! before what ended it.

use std::time::Duration;

use pronto_ivr::{WayOut, speak};
use pronto_media as media;
use pronto_types::link::{Event, Hearing};
use pronto_types::{AnnouncementId, TicketId, Time};

use super::Gateway;
use super::state::{Call, CallState, Playing, Speaking};

/// The media threads report the last sample at once; the music does not stay away for want of a report.
const REPORT: Duration = Duration::from_secs(2);

impl Gateway {
    /// The queue says how things stand: position, wait, and why it is longer than before.
    pub(super) fn announce(
        &mut self,
        now: Time,
        announcement: AnnouncementId,
        ticket: TicketId,
        words: speak::Announcement,
    ) {
        let begun = match self.tickets.get(&ticket).copied() {
            Some(id) => {
                let mut begun = false;
                self.with_call(now, id, |gateway, call| {
                    begun = gateway.speak(now, call, announcement, words);
                });
                begun
            }
            None => false,
        };
        if !begun {
            self.heard(now, announcement, ticket, Hearing::Cut);
        }
    }

    /// Whether the words are being spoken. A clip that the library lacks is passed over.
    fn speak(
        &mut self,
        now: Time,
        call: &mut Call,
        announcement: AnnouncementId,
        mut words: speak::Announcement,
    ) -> bool {
        let CallState::Waiting(place) = &call.state else {
            return false;
        };
        if matches!(call.caller.playing, Some(Playing::Announcement(_))) {
            return false;
        }
        let ticket = place.id;
        // Whoever hears that it takes longer hears what else they can do.
        let way_out = words.rise.and_then(|_| call.way_out());
        if let Some(WayOut::Key(key)) = &way_out {
            words.way_out = Some(*key);
        }
        let mut names = words.clips(call.language);
        if let Some(WayOut::Prompt(prompt)) = way_out {
            names.push(prompt);
        }
        let clips: Vec<media::Clip> = names
            .into_iter()
            .filter_map(|name| self.settings.prompts.clip(call.language, &name))
            .collect();
        if clips.is_empty() {
            return false;
        }
        let lasts: Duration = clips.iter().map(media::Clip::duration).sum();
        call.caller.playing = Some(Playing::Announcement(Speaking {
            play: self.play_clips(call, clips),
            announcement,
            ticket,
            until: now + lasts + REPORT,
        }));
        true
    }

    /// A key: what is being announced ends, and the music goes on at the sample where it stopped.
    pub(super) fn cut_announcement(&mut self, now: Time, call: &mut Call) {
        self.end_announcement(now, call, Hearing::Cut);
    }

    /// No report came.
    pub(super) fn announcement_deadline(&mut self, now: Time, call: &mut Call) {
        if matches!(call.caller.playing, Some(Playing::Announcement(speaking)) if speaking.until <= now) {
            self.cut_announcement(now, call);
        }
    }

    pub(super) fn end_announcement(&mut self, now: Time, call: &mut Call, how: Hearing) {
        let Some(Playing::Announcement(speaking)) = call.caller.playing else {
            return;
        };
        self.heard(now, speaking.announcement, speaking.ticket, how);
        if self.settings.prompts.music().is_some() {
            self.music(call);
        } else {
            call.caller.playing = None;
            self.command(media::Command::Stop {
                leg: call.caller.leg.media,
            });
        }
    }

    /// The wait ends: what is being announced is over before the journal says why.
    pub(super) fn silence_announcement(&mut self, now: Time, call: &mut Call) {
        if matches!(call.caller.playing, Some(Playing::Announcement(_))) {
            self.silence(now, call);
        }
    }

    pub(super) fn heard(&mut self, now: Time, announcement: AnnouncementId, ticket: TicketId, how: Hearing) {
        self.write(
            now,
            Event::Heard {
                announcement,
                ticket,
                how,
            },
        );
    }
}
