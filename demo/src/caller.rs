//! A caller: rests, dials, chooses in the menu, waits as long as patience lasts, talks, hangs up.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::VecDeque;

use pronto_types::{Digit, Time};

use crate::ear::Listening;
use crate::person::{Deed, Happened, Note, Outcome, Person, Phase};
use crate::script::{CallerScript, Planned};
use crate::voice::Speaker;

/// A simulated caller, driven by its script.
#[derive(Debug)]
pub struct Caller {
    number: usize,
    script: CallerScript,
    state: State,
    closing: Option<Time>,
    deeds: VecDeque<Deed>,
}

#[derive(Debug)]
enum State {
    Resting {
        until: Time,
        call: Planned,
    },
    Calling(Planned),
    Up(Up),
    /// Our BYE is under way.
    Leaving(Outcome),
    Gone,
}

/// A call that was answered.
#[derive(Debug)]
struct Up {
    answered: Time,
    call: Planned,
    /// How many keys were pressed.
    pressed: usize,
    last_key: Time,
    talk: Option<Talk>,
}

#[derive(Clone, Copy, Debug)]
struct Talk {
    began: Time,
    operator: usize,
}

impl Up {
    fn next_key(&self) -> Option<(Time, char)> {
        let (after, key) = self.call.keys.get(self.pressed)?;
        self.talk.is_none().then_some((self.answered + *after, *key))
    }

    fn hangs_up(&self) -> Option<Time> {
        match (self.talk, self.call.talk) {
            (None, _) => Some(self.answered + self.call.patience),
            (Some(talk), Some(length)) => Some(talk.began + length),
            (Some(_), None) => None,
        }
    }

    /// How it ended, if it ends now.
    fn outcome(&self, now: Time, by_caller: bool) -> Outcome {
        let waited = |until: Time| until.since(self.last_key);
        match self.talk {
            Some(talk) => Outcome::Talked {
                waited: waited(talk.began),
                operator: talk.operator,
                by_caller,
            },
            None if by_caller => Outcome::Abandoned { waited: waited(now) },
            None => Outcome::SentAway { waited: waited(now) },
        }
    }
}

impl Caller {
    /// The caller of this number, who begins now.
    pub fn new(now: Time, number: usize, mut script: CallerScript) -> Self {
        let call = script.next_call();
        Caller {
            number,
            script,
            state: State::Resting {
                until: now + call.rest,
                call,
            },
            closing: None,
            deeds: VecDeque::new(),
        }
    }

    fn tell(&mut self, phase: Phase) {
        self.deeds.push_back(Deed::Tell(Note::Caller {
            caller: self.number,
            phase,
        }));
    }

    fn rest(&mut self, now: Time, outcome: Outcome, heard: Option<Listening>) {
        self.deeds.push_back(Deed::Tell(Note::Called {
            caller: self.number,
            outcome,
            heard,
        }));
        self.tell(Phase::Resting);
        let call = self.script.next_call();
        self.state = State::Resting {
            until: now + call.rest,
            call,
        };
        self.go_if_closing();
    }

    fn go_if_closing(&mut self) {
        if self.closing.is_some() && matches!(self.state, State::Resting { .. }) {
            self.state = State::Gone;
            self.deeds
                .push_back(Deed::Tell(Note::Gone { who: self.speaker() }));
        }
    }

    fn answered(&mut self, now: Time) {
        if let State::Calling(call) = std::mem::replace(&mut self.state, State::Gone) {
            let waits = call.keys.is_empty();
            self.state = State::Up(Up {
                answered: now,
                call,
                pressed: 0,
                last_key: now,
                talk: None,
            });
            if waits {
                self.tell(Phase::Waiting);
            }
        }
    }

    fn heard_operator(&mut self, now: Time, operator: usize) {
        if let State::Up(up) = &mut self.state
            && up.talk.is_none()
        {
            up.talk = Some(Talk { began: now, operator });
            self.deeds.push_back(Deed::Attend);
            self.tell(Phase::Talking);
        }
    }

    fn hang_up(&mut self, now: Time) {
        if let State::Up(up) = &self.state {
            let outcome = up.outcome(now, true);
            self.state = State::Leaving(outcome);
            self.deeds.push_back(Deed::HangUp);
        }
    }

    /// Presses the keys that are due.
    fn press(&mut self, now: Time) {
        while let State::Up(up) = &mut self.state
            && let Some((at, key)) = up.next_key()
            && at <= now
        {
            up.pressed += 1;
            up.last_key = now;
            let chosen = up.call.keys[up.pressed..].is_empty();
            self.deeds.extend(Digit::from_char(key).map(Deed::Press));
            if chosen {
                self.deeds.push_back(Deed::Attend);
            }
            self.tell(if key == '9' || key == '7' {
                Phase::Menu
            } else {
                Phase::Waiting
            });
        }
    }
}

impl Person for Caller {
    fn speaker(&self) -> Speaker {
        Speaker::Caller(self.number)
    }

    fn handle(&mut self, now: Time, happened: Happened) {
        match (happened, &self.state) {
            (Happened::Answered, State::Calling(_)) => self.answered(now),
            (Happened::Refused(status), State::Calling(_)) => {
                self.rest(now, Outcome::Refused(status), None);
            }
            (Happened::Voice(Speaker::Operator(operator)), State::Up(_)) => {
                self.heard_operator(now, operator);
            }
            (Happened::Over { heard }, State::Up(up)) => {
                let outcome = up.outcome(now, false);
                self.rest(now, outcome, heard);
            }
            (Happened::Released { heard } | Happened::Over { heard }, State::Leaving(outcome)) => {
                let outcome = *outcome;
                self.rest(now, outcome, heard);
            }
            (Happened::Closing(at), _) => {
                self.closing = Some(at);
                self.go_if_closing();
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if let State::Resting { until, call } = &self.state
            && *until <= now
        {
            self.deeds.push_back(Deed::Dial(call.dial));
            self.state = State::Calling(call.clone());
            self.tell(Phase::Menu);
        }
        self.press(now);
        let State::Up(up) = &self.state else { return };
        let ends = [up.hangs_up(), self.closing].into_iter().flatten().min();
        if ends.is_some_and(|at| at <= now) {
            self.hang_up(now);
        }
    }

    fn poll_deed(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    fn poll_timeout(&self) -> Option<Time> {
        match &self.state {
            State::Resting { until, .. } => Some(*until),
            State::Up(up) => {
                let key = up.next_key().map(|(at, _)| at);
                [key, up.hangs_up(), self.closing].into_iter().flatten().min()
            }
            State::Calling(_) | State::Leaving(_) | State::Gone => None,
        }
    }
}

#[cfg(test)]
mod tests;
