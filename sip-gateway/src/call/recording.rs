//! Recorded queues: the caller is told before the place is taken, and only who was told is recorded.

use std::sync::Arc;
use std::time::Duration;

use pronto_ivr as ivr;
use pronto_media as media;
use pronto_recordings::{FinishedRecording, Talk};
use pronto_types::link::Event;
use pronto_types::{QueueName, Time};

use super::state::{Call, CallState, ConsentPrompt, Playing, Ticket};
use super::{Gateway, Output};

/// The media threads say when a prompt is over; where they do not, the caller waits for it no longer than this.
const UNSAID: Duration = Duration::from_secs(5);

impl Gateway {
    /// The flow asks for a place in a queue. Where that queue's talks are recorded with consent, the caller is told
    /// first, once per call: an operator may be free at once. Keys go to the flow meanwhile and cut nothing.
    pub(super) fn enqueue(&mut self, now: Time, call: &mut Call, wish: ivr::WishId, queue: QueueName) {
        let consent = self.settings.recorded.get(&queue).cloned().flatten();
        let untold = consent.filter(|prompt| !call.told.contains(prompt));
        let clip = untold
            .as_ref()
            .and_then(|prompt| self.settings.prompts.clip(call.language, prompt));
        let (Some(prompt), Some(clip)) = (untold, clip) else {
            return self.join(now, call, wish, queue);
        };
        call.state = CallState::ConsentPrompt(ConsentPrompt {
            wish,
            queue,
            prompt,
            until: now + clip.duration() + UNSAID,
        });
        let play = self.play_clips(call, vec![clip]);
        call.caller.playing = Some(Playing::Consent(play));
    }

    /// The consent was played to its end.
    pub(super) fn consent_heard(&mut self, now: Time, call: &mut Call) {
        if let CallState::ConsentPrompt(telling) = &call.state {
            call.told.insert(Arc::clone(&telling.prompt));
            self.join_after_telling(now, call);
        }
    }

    /// The place is taken, told or not.
    pub(super) fn join_after_telling(&mut self, now: Time, call: &mut Call) {
        match std::mem::replace(&mut call.state, CallState::None) {
            CallState::ConsentPrompt(ConsentPrompt { wish, queue, .. }) => {
                call.caller.playing = None;
                self.join(now, call, wish, queue);
            }
            state => call.state = state,
        }
    }

    /// Caller and operator hear each other from now on: so does the recorder, if it may. It stops with the bridge.
    pub(super) fn record_talk(&mut self, now: Time, call: &Call, ticket: &Ticket, operator: media::LegId) {
        let Some(consent) = self.settings.recorded.get(&ticket.queue) else {
            return;
        };
        if consent.as_ref().is_some_and(|prompt| !call.told.contains(prompt)) {
            return;
        }
        self.recordings.insert(ticket.id);
        self.outputs.push_back(Output::Recording(Talk {
            call: call.id,
            ticket: ticket.id,
            began: now,
        }));
        self.command(media::Command::Record {
            left: call.caller.leg.media,
            right: operator,
            recording: media::RecordingId(ticket.id.0),
        });
    }

    /// A recording is finished, of a talk of ours or of the process before.
    pub(super) fn recorded(&mut self, now: Time, kept: FinishedRecording) {
        let FinishedRecording {
            call,
            ticket,
            file,
            duration,
            flaw,
        } = kept;
        self.recordings.remove(&ticket);
        self.write(
            now,
            Event::Recorded {
                call,
                ticket,
                file,
                duration,
                flaw,
            },
        );
    }
}
