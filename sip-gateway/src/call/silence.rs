//! A phone that sends nothing, neither RTP nor RTCP: it is asked whether it is there, and given up when nothing answers.
//!
//! ```text
//!            Stalled                  OPTIONS                    an answer
//!   (sends) ─────────► quiet until … ─────────► asked until … ─────────────► quiet until …
//!      ▲      Resumed        │                     │   │ no answer for 5 s, or 481, or 408
//!      └─────────────────────┴─────────────────────┘   └────────────────────► gone
//! ```
//!
//! A muted phone, or one on hold, answers and stays. Nothing is timed while packets arrive.

use std::time::Duration;

use pronto_sip::Found;
use pronto_types::Time;

/// A phone that has not answered for this long is gone.
const ANSWER: Duration = Duration::from_secs(5);
/// A question that could not be sent is tried again after this long: the phone may have another connection by then.
const RETRY: Duration = Duration::from_secs(1);

/// When a phone that sends nothing is asked.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// After the media threads have missed it.
    first: Duration,
    /// After its last answer.
    again: Duration,
}

impl Pace {
    /// Somebody listens and hears nothing: with the 2 s of the media threads, a phone that vanishes is missed within 7 s.
    pub(super) const TALKING: Pace = Pace {
        first: Duration::ZERO,
        again: Duration::from_secs(2),
    };
    /// Nobody listens: a caller in a menu or a queue may have nothing to say. Gone within 11 s.
    pub(super) const LISTENING: Pace = Pace {
        first: Duration::from_secs(3),
        again: Duration::from_secs(6),
    };
}

/// How long a phone has sent nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum MediaTimeout {
    /// It is to be asked then.
    Quiet { ask_at: Time },
    /// It has been asked. `again`: the question could not be sent and is tried again then.
    Asked { again: Option<Time>, gone_at: Time },
}

/// The next step for a silent phone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    Nothing,
    Ask,
    /// The phone is gone.
    GiveUp,
}

impl MediaTimeout {
    /// The media threads miss the phone.
    pub(super) fn begins(now: Time, pace: Pace) -> MediaTimeout {
        MediaTimeout::Quiet {
            ask_at: now + pace.first,
        }
    }

    /// The next time something is due. The phone is not given up before `earliest`.
    pub(super) fn deadline(self, earliest: Option<Time>) -> Time {
        match self {
            MediaTimeout::Quiet { ask_at } => ask_at,
            MediaTimeout::Asked { again, gone_at } => {
                let gone_at = earliest.map_or(gone_at, |at| at.max(gone_at));
                again.map_or(gone_at, |at| at.min(gone_at))
            }
        }
    }

    /// When the phone is given up, if it has been asked.
    pub(super) fn verdict(self) -> Option<Time> {
        match self {
            MediaTimeout::Quiet { .. } => None,
            MediaTimeout::Asked { gone_at, .. } => Some(gone_at),
        }
    }

    /// The step that is due now; `Ask` is taken as done.
    pub(super) fn due(this: &mut Option<MediaTimeout>, now: Time, earliest: Option<Time>) -> Due {
        let Some(silence) = this.as_mut().filter(|it| it.deadline(earliest) <= now) else {
            return Due::Nothing;
        };
        match silence {
            MediaTimeout::Quiet { .. } => {
                *silence = MediaTimeout::Asked {
                    again: None,
                    gone_at: now + ANSWER,
                };
                Due::Ask
            }
            MediaTimeout::Asked { gone_at, .. } if *gone_at <= now && earliest.is_none_or(|at| at <= now) => {
                Due::GiveUp
            }
            MediaTimeout::Asked { again, .. } => {
                *again = None;
                Due::Ask
            }
        }
    }

    /// Takes the result of a question. If the dialog is gone, the calling function must handle that.
    pub(super) fn found(this: &mut Option<MediaTimeout>, now: Time, found: Found, pace: Pace) {
        match (this, found) {
            (Some(silence), Found::There | Found::Denied) => {
                *silence = MediaTimeout::Quiet {
                    ask_at: now + pace.again,
                };
            }
            (Some(MediaTimeout::Asked { again, .. }), Found::NoWay) => *again = Some(now + RETRY),
            (Some(MediaTimeout::Quiet { .. }), Found::NoWay) | (_, Found::Gone) | (None, _) => {}
        }
    }
}

/// A caller who is not answered yet, and what a 481 of theirs means.
///
/// Some phones and carriers do not know early dialogs and answer every question in one with 481. So does the neighbour that an
/// INVITE with a forged source names, and a carrier that was restarted. Callers of whom anything was heard are there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unanswered {
    /// They are known to have our answer: by RTP, RTCP, a key, or a proof of who they are.
    shown: bool,
    denied: u8,
}

impl Unanswered {
    /// This many times a caller of whom nothing was heard may deny the dialog: our 183 may be late.
    const DENIALS: u8 = 2;

    pub(super) fn new(proven: bool) -> Self {
        Unanswered {
            shown: proven,
            denied: 0,
        }
    }

    /// Something came from the caller that only somebody who has our answer can send.
    pub(super) fn shows(&mut self) {
        self.shown = true;
    }

    /// The outcome of a question, and how soon the next one follows.
    pub(super) fn judge(&mut self, found: Found) -> (Found, Pace) {
        if found != Found::Denied {
            return (found, Pace::LISTENING);
        }
        if self.shown {
            return (Found::There, Pace::LISTENING);
        }
        self.denied = self.denied.saturating_add(1);
        if self.denied > Self::DENIALS {
            (Found::Gone, Pace::LISTENING)
        } else {
            (Found::There, Pace::TALKING)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_secs(100) + Duration::from_millis(millis)
    }

    #[test]
    fn a_late_answer_counts_until_five_seconds_are_over() {
        let mut silent = Some(MediaTimeout::begins(at(0), Pace::TALKING));
        assert_eq!(MediaTimeout::due(&mut silent, at(0), None), Due::Ask);
        assert_eq!(MediaTimeout::due(&mut silent, at(4_999), None), Due::Nothing);
        MediaTimeout::found(&mut silent, at(4_999), Found::There, Pace::TALKING);
        assert_eq!(MediaTimeout::due(&mut silent, at(5_000), None), Due::Nothing);
        assert_eq!(MediaTimeout::due(&mut silent, at(6_999), None), Due::Ask);
        assert_eq!(MediaTimeout::due(&mut silent, at(11_999), None), Due::GiveUp);
    }

    #[test]
    fn a_question_that_cannot_be_sent_is_tried_again_and_no_answer() {
        let mut silent = Some(MediaTimeout::begins(at(0), Pace::TALKING));
        assert_eq!(MediaTimeout::due(&mut silent, at(0), None), Due::Ask);
        MediaTimeout::found(&mut silent, at(0), Found::NoWay, Pace::TALKING);
        assert_eq!(MediaTimeout::due(&mut silent, at(999), None), Due::Nothing);
        assert_eq!(MediaTimeout::due(&mut silent, at(1_000), None), Due::Ask);
        assert_eq!(MediaTimeout::due(&mut silent, at(5_000), None), Due::GiveUp);
    }

    #[test]
    fn a_verdict_waits_for_the_other_phone() {
        let mut silent = Some(MediaTimeout::begins(at(0), Pace::TALKING));
        assert_eq!(MediaTimeout::due(&mut silent, at(0), None), Due::Ask);
        assert_eq!(
            MediaTimeout::due(&mut silent, at(5_000), Some(at(6_000))),
            Due::Nothing
        );
        assert_eq!(MediaTimeout::due(&mut silent, at(5_100), None), Due::GiveUp);
    }

    #[test]
    fn a_question_that_is_tried_again_is_no_verdict_while_the_other_phone_is_asked() {
        let mut silent = Some(MediaTimeout::begins(at(0), Pace::TALKING));
        assert_eq!(MediaTimeout::due(&mut silent, at(0), None), Due::Ask);
        MediaTimeout::found(&mut silent, at(4_900), Found::NoWay, Pace::TALKING);
        let other = Some(at(7_000));
        assert_eq!(
            MediaTimeout::due(&mut silent, at(5_900), other),
            Due::Ask,
            "the other phone has until 7 s"
        );
        assert_eq!(MediaTimeout::due(&mut silent, at(6_999), other), Due::Nothing);
        assert_eq!(MediaTimeout::due(&mut silent, at(7_000), other), Due::GiveUp);
    }
}
