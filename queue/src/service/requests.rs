//! Requests with an id: "a repeated request is answered again and not carried out again" (AIP-155).

use std::collections::{BTreeMap, VecDeque};

use pronto_engine::{OperatorView, RequestId, SetOperatorError, Wanted};
use pronto_types::{OperatorId, Time};
use tokio::sync::oneshot;

/// Requests remembered; beyond it the oldest is forgotten, and a repetition of it is carried out again: harmless,
/// as asking for the same state twice is.
const REMEMBERED: usize = 4_096;

/// An operator, and the state wanted of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) operator: OperatorId,
    pub(super) wanted: Wanted,
}

/// An answer to a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Done (or will be, after the present call): how the operator stood then, and at what time that was.
    Done(Box<OperatorView>, Time),
    /// Not done, for this reason.
    Refused(SetOperatorError),
    /// The id belongs to another wish.
    IdTaken,
}

pub(super) type Reply = oneshot::Sender<Answer>;

/// The treatment of a request that arrives.
pub(super) enum Begun {
    /// New: to be handed to the engine under this number.
    New(RequestId),
    /// Heard before: nothing to do.
    Repeated,
}

struct Seen {
    wish: Wish,
    state: State,
}

enum State {
    /// With the engine, or not durable yet.
    Pending(RequestId),
    Answered(Answer),
}

#[derive(Default)]
pub(super) struct Requests {
    next: u64,
    waiting: BTreeMap<RequestId, Waiting>,
    seen: BTreeMap<String, Seen>,
    order: VecDeque<String>,
}

struct Waiting {
    operator: OperatorId,
    replies: Vec<Reply>,
    /// As decided; said when durable.
    decided: Option<Answer>,
    id: String,
}

impl Requests {
    /// A request with this id, which is empty if it has none.
    pub(super) fn begin(&mut self, id: String, wish: Wish, reply: Reply) -> Begun {
        match self.seen.get(&id) {
            Some(seen) if seen.wish != wish => drop(reply.send(Answer::IdTaken)),
            Some(Seen {
                state: State::Answered(answer),
                ..
            }) => drop(reply.send(answer.clone())),
            Some(Seen {
                state: State::Pending(request),
                ..
            }) => {
                if let Some(waiting) = self.waiting.get_mut(request) {
                    waiting.replies.push(reply);
                }
            }
            None => return Begun::New(self.enter(id, wish, reply)),
        }
        Begun::Repeated
    }

    fn enter(&mut self, id: String, wish: Wish, reply: Reply) -> RequestId {
        self.next += 1;
        let request = RequestId(self.next);
        let operator = wish.operator.clone();
        if !id.is_empty() {
            if self.order.len() >= REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.seen.remove(&oldest);
            }
            self.order.push_back(id.clone());
            self.seen.insert(
                id.clone(),
                Seen {
                    wish,
                    state: State::Pending(request),
                },
            );
        }
        self.waiting.insert(
            request,
            Waiting {
                operator,
                replies: vec![reply],
                decided: None,
                id,
            },
        );
        request
    }

    /// The operator whose state a waiting request is to change.
    pub(super) fn operator(&self, request: RequestId) -> Option<&OperatorId> {
        self.waiting.get(&request).map(|waiting| &waiting.operator)
    }

    /// How the engine has decided.
    pub(super) fn decided(&mut self, request: RequestId, answer: Answer) {
        if let Some(waiting) = self.waiting.get_mut(&request) {
            waiting.decided = Some(answer);
        }
    }

    /// The decision is durable.
    pub(super) fn durable(&mut self, request: RequestId) {
        let Some(Waiting {
            replies,
            decided: Some(answer),
            id,
            ..
        }) = self.waiting.remove(&request)
        else {
            return;
        };
        if let Some(seen) = self.seen.get_mut(&id) {
            seen.state = State::Answered(answer.clone());
        }
        for reply in replies {
            let _ = reply.send(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(operator: &str) -> Wish {
        Wish {
            operator: OperatorId::new(operator).unwrap(),
            wanted: Wanted::Ready,
        }
    }

    /// A request's number if it is new, and where its answer comes.
    fn begin(
        requests: &mut Requests,
        id: &str,
        wish: Wish,
    ) -> (Option<RequestId>, oneshot::Receiver<Answer>) {
        let (reply, answer) = oneshot::channel();
        match requests.begin(id.to_owned(), wish, reply) {
            Begun::New(request) => (Some(request), answer),
            Begun::Repeated => (None, answer),
        }
    }

    #[test]
    fn a_repeated_request_is_answered_again_and_not_carried_out_again() {
        let mut requests = Requests::default();
        let unknown = Answer::Refused(SetOperatorError::Unknown);
        let (first, mut answer) = begin(&mut requests, "r1", wish("101"));
        let (second, mut same) = begin(&mut requests, "r1", wish("101"));
        assert!(second.is_none());
        requests.decided(first.unwrap(), unknown.clone());
        assert!(answer.try_recv().is_err(), "not before it is durable");
        requests.durable(first.unwrap());
        assert_eq!(
            (answer.try_recv(), same.try_recv()),
            (Ok(unknown.clone()), Ok(unknown.clone()))
        );
        let (third, mut again) = begin(&mut requests, "r1", wish("101"));
        assert_eq!((third, again.try_recv()), (None, Ok(unknown)));
        let (other, mut taken) = begin(&mut requests, "r1", wish("102"));
        assert_eq!((other, taken.try_recv()), (None, Ok(Answer::IdTaken)));
    }

    #[test]
    fn requests_without_an_id_are_all_new() {
        let mut requests = Requests::default();
        let (first, _a) = begin(&mut requests, "", wish("101"));
        let (second, _b) = begin(&mut requests, "", wish("101"));
        assert!(first.is_some() && second.is_some() && first != second);
        assert!(requests.seen.is_empty());
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut requests = Requests::default();
        for n in 0..=REMEMBERED {
            let (request, _) = begin(&mut requests, &format!("r{n}"), wish("101"));
            requests.decided(request.unwrap(), Answer::Refused(SetOperatorError::Unknown));
            requests.durable(request.unwrap());
        }
        assert_eq!(
            (requests.seen.len(), requests.order.len()),
            (REMEMBERED, REMEMBERED)
        );
        assert!(begin(&mut requests, "r0", wish("101")).0.is_some(), "forgotten");
        assert!(
            begin(&mut requests, &format!("r{REMEMBERED}"), wish("101"))
                .0
                .is_none()
        );
        assert!(requests.waiting.len() == 1);
    }
}
