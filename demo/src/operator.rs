//! An operator: answers most of what rings, talks, and pauses now and then.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::VecDeque;
use std::time::Duration;

use pronto_types::Time;

use crate::ear::Listening;
use crate::person::{Deed, Happened, Note, Offer, Person, Wish};
use crate::script::{OperatorScript, Reply};
use crate::voice::Speaker;

/// A simulated operator, driven by its script.
#[derive(Debug)]
pub struct Operator {
    number: usize,
    script: OperatorScript,
    state: State,
    /// A pause, until then.
    pause: Option<Time>,
    closing: Option<Time>,
    gone: bool,
    deeds: VecDeque<Deed>,
}

#[derive(Debug)]
enum State {
    Idle,
    Ringing {
        since: Time,
        reply: Reply,
    },
    Talking(Talk),
    /// We have hung up or declined; the other side has not confirmed yet.
    Leaving(Offer, Option<Duration>),
}

#[derive(Clone, Copy, Debug)]
struct Talk {
    began: Time,
    until: Time,
    caller: Option<usize>,
    pause: Option<Duration>,
}

impl Talk {
    fn offer(&self, now: Time, by_operator: bool) -> Offer {
        Offer::Talked {
            talked: now.since(self.began),
            caller: self.caller,
            by_operator,
        }
    }
}

impl Operator {
    /// The operator of this number.
    pub fn new(number: usize, script: OperatorScript) -> Self {
        Operator {
            number,
            script,
            state: State::Idle,
            pause: None,
            closing: None,
            gone: false,
            deeds: VecDeque::new(),
        }
    }

    fn wish(&mut self, wish: Wish) {
        self.deeds.push_back(Deed::Tell(Note::Wished {
            operator: self.number,
            wish,
        }));
    }

    fn idle(&mut self, now: Time, offer: Offer, heard: Option<Listening>, pause: Option<Duration>) {
        self.state = State::Idle;
        self.deeds.push_back(Deed::Tell(Note::Offered {
            operator: self.number,
            offer,
            heard,
        }));
        if let Some(pause) = pause.filter(|_| self.closing.is_none()) {
            self.pause = Some(now + pause);
            self.wish(Wish::Pause);
        }
        self.go_if_closing();
    }

    fn go_if_closing(&mut self) {
        if self.closing.is_some() && !self.gone && matches!(self.state, State::Idle) {
            self.gone = true;
            self.deeds
                .push_back(Deed::Tell(Note::Gone { who: self.speaker() }));
        }
    }

    fn ringing_due(&mut self, now: Time, since: Time, reply: Reply) {
        match reply {
            Reply::Answer { after, talk, pause } if since + after <= now => {
                self.deeds.extend([Deed::Answer, Deed::Attend]);
                self.state = State::Talking(Talk {
                    began: now,
                    until: now + talk,
                    caller: None,
                    pause,
                });
            }
            Reply::Decline { after } if since + after <= now => {
                self.deeds.push_back(Deed::Decline);
                self.state = State::Leaving(Offer::Declined, None);
            }
            Reply::Answer { .. } | Reply::Decline { .. } | Reply::Ignore => {}
        }
    }
}

impl Person for Operator {
    fn speaker(&self) -> Speaker {
        Speaker::Operator(self.number)
    }

    fn handle(&mut self, now: Time, happened: Happened) {
        match (happened, &mut self.state) {
            (Happened::Registered, _) => self.deeds.push_back(Deed::Tell(Note::SignedIn {
                operator: self.number,
            })),
            (Happened::Rung, State::Idle) => {
                let reply = self.script.next_reply();
                self.state = State::Ringing { since: now, reply };
            }
            (Happened::Voice(Speaker::Caller(caller)), State::Talking(talk)) => {
                talk.caller.get_or_insert(caller);
            }
            (Happened::Over { heard }, State::Ringing { .. }) => {
                self.idle(now, Offer::Missed, heard, None);
            }
            (Happened::Over { heard }, State::Talking(talk)) => {
                let (offer, pause) = (talk.offer(now, false), talk.pause);
                self.idle(now, offer, heard, pause);
            }
            (Happened::Over { heard } | Happened::Released { heard }, State::Leaving(offer, pause)) => {
                let (offer, pause) = (*offer, *pause);
                self.idle(now, offer, heard, pause);
            }
            (Happened::Closing(at), _) => {
                self.closing = Some(at);
                self.go_if_closing();
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if self.pause.is_some_and(|until| until <= now) {
            self.pause = None;
            self.wish(Wish::Ready);
        }
        match &self.state {
            State::Ringing { since, reply } => {
                let (since, reply) = (*since, *reply);
                self.ringing_due(now, since, reply);
            }
            State::Talking(talk) if talk.ends(self.closing) <= now => {
                let (offer, pause) = (talk.offer(now, true), talk.pause);
                self.deeds.push_back(Deed::HangUp);
                self.state = State::Leaving(offer, pause);
            }
            State::Talking(_) | State::Idle | State::Leaving(..) => {}
        }
    }

    fn poll_deed(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    fn poll_timeout(&self) -> Option<Time> {
        let state = match &self.state {
            State::Ringing { since, reply } => match reply {
                Reply::Answer { after, .. } | Reply::Decline { after } => Some(*since + *after),
                Reply::Ignore => None,
            },
            State::Talking(talk) => Some(talk.ends(self.closing)),
            State::Idle | State::Leaving(..) => None,
        };
        [state, self.pause].into_iter().flatten().min()
    }
}

impl Talk {
    fn ends(&self, closing: Option<Time>) -> Time {
        closing.map_or(self.until, |at| at.min(self.until))
    }
}

#[cfg(test)]
mod tests;
