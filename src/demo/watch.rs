//! The centre's own figures: `Queues` and `Operators` over gRPC, as any integrator asks for them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use pronto_proto::v1;
use pronto_proto::v1::operators_client::OperatorsClient;
use pronto_proto::v1::queues_client::QueuesClient;
use tonic::transport::{Channel, Endpoint};

use crate::serve::ServeError;

/// Longer than any page of this centre.
const PAGE: i32 = 1000;
/// How long a centre in the same process may take to answer before it counts as broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often something is asked that must be known, and how long apart: on a busy machine a connection may die of its
/// keep-alive, and the next request opens another.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// A client of the centre.
#[derive(Clone)]
pub(super) struct Watch {
    queues: QueuesClient<Channel>,
    operators: OperatorsClient<Channel>,
}

/// One look at the centre.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// The queues, by name.
    pub(super) queues: Vec<Queue>,
    /// The operators, by id.
    pub(super) operators: Vec<Operator>,
}

/// The figures of one queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) joined: u64,
    pub(super) waiting: u64,
    pub(super) longest_wait: Option<Duration>,
    pub(super) ended: Ended,
}

/// Tickets that are over, by why; and those that are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) answered: u64,
    pub(super) abandoned: u64,
    pub(super) timed_out: u64,
    pub(super) exited: u64,
    pub(super) moved: u64,
    pub(super) called_back: u64,
    /// Removed or lost.
    pub(super) lost: u64,
    /// Tickets that have not ended.
    pub(super) open: u64,
}

/// One operator's current state, and how long it has lasted.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    pub(super) id: String,
    pub(super) state: State,
    pub(super) since: Duration,
}

/// The state of an operator, as the centre reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Ready,
    Offered,
    Talking,
    WrapUp,
    Paused,
    SignedOut,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            State::Ready => "ready",
            State::Offered => "ringing",
            State::Talking => "talking",
            State::WrapUp => "wrap-up",
            State::Paused => "paused",
            State::SignedOut => "signed out",
        }
    }
}

impl Watch {
    pub(super) async fn connect(grpc: SocketAddr) -> Result<Self, ServeError> {
        let channel = Endpoint::from_shared(format!("http://{grpc}"))?
            .timeout(PATIENCE)
            .connect()
            .await?;
        Ok(Watch {
            queues: QueuesClient::new(channel.clone()),
            operators: OperatorsClient::new(channel),
        })
    }

    /// Asks the centre once for its queues and operators.
    pub(super) async fn look(&mut self) -> Result<Snapshot, ServeError> {
        let request = v1::ListQueuesRequest {
            page_size: PAGE,
            ..Default::default()
        };
        let queues = self.queues.list_queues(request).await?.into_inner().queues;
        let request = v1::ListOperatorsRequest {
            page_size: PAGE,
            ..Default::default()
        };
        let operators = self
            .operators
            .list_operators(request)
            .await?
            .into_inner()
            .operators;
        Ok(Snapshot {
            queues: queues.into_iter().map(queue).collect(),
            operators: operators.into_iter().map(operator).collect(),
        })
    }

    /// Looks until it succeeds, a few times.
    ///
    /// # Errors
    /// The result of the last try.
    pub(super) async fn look_again(&mut self) -> Result<Snapshot, ServeError> {
        let mut tries = 1;
        loop {
            match self.look().await {
                Err(_) if tries < TRIES => tries += 1,
                done => return done,
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    /// Makes an operator ready, or pauses them; a few times, where the centre cannot be asked.
    pub(super) async fn set_ready(mut self, id: &str, ready: bool) -> Result<(), ServeError> {
        let (state, reason) = if ready {
            (v1::OperatorState::Ready, String::new())
        } else {
            (v1::OperatorState::Paused, "break".to_owned())
        };
        let request = v1::SetOperatorStateRequest {
            name: format!("operators/{id}"),
            state: state.into(),
            reason,
            ..Default::default()
        };
        let mut tries = 1;
        loop {
            match self.operators.set_operator_state(request.clone()).await {
                Ok(_) => return Ok(()),
                // A wish is the same however often it is said.
                Err(_) if tries < TRIES => tries += 1,
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }
}

impl Snapshot {
    /// Callers who wait, in all queues.
    pub(super) fn waiting(&self) -> u64 {
        self.queues.iter().map(|queue| queue.waiting).sum()
    }

    /// How long the one has waited who has waited longest.
    pub(super) fn longest_wait(&self) -> Option<Duration> {
        self.queues.iter().filter_map(|queue| queue.longest_wait).max()
    }

    /// The tickets of all queues.
    pub(super) fn ended(&self) -> Ended {
        self.queues.iter().fold(Ended::default(), |sum, queue| {
            let more = queue.ended;
            Ended {
                answered: sum.answered + more.answered,
                abandoned: sum.abandoned + more.abandoned,
                timed_out: sum.timed_out + more.timed_out,
                exited: sum.exited + more.exited,
                moved: sum.moved + more.moved,
                called_back: sum.called_back + more.called_back,
                lost: sum.lost + more.lost,
                open: sum.open + more.open,
            }
        })
    }

    /// How many operators are in each state.
    pub(super) fn operators_by_state(&self) -> BTreeMap<State, usize> {
        let mut count = BTreeMap::new();
        for operator in &self.operators {
            *count.entry(operator.state).or_default() += 1;
        }
        count
    }
}

fn queue(queue: v1::Queue) -> Queue {
    let ended = queue.ended.unwrap_or_default();
    Queue {
        name: queue.name.trim_start_matches("queues/").to_owned(),
        joined: queue.joined,
        waiting: queue.waiting,
        longest_wait: queue.longest_wait.map(duration),
        ended: Ended {
            answered: ended.answered,
            abandoned: ended.abandoned,
            timed_out: ended.timed_out,
            exited: ended.exited,
            moved: ended.moved,
            called_back: ended.called_back,
            lost: ended.removed + ended.lost,
            open: queue.waiting + queue.detached + queue.offered + queue.connected,
        },
    }
}

fn operator(operator: v1::Operator) -> Operator {
    let state = match operator.state() {
        v1::OperatorState::Ready => State::Ready,
        v1::OperatorState::Offered => State::Offered,
        v1::OperatorState::Talking => State::Talking,
        v1::OperatorState::WrapUp => State::WrapUp,
        v1::OperatorState::Paused => State::Paused,
        v1::OperatorState::SignedOut | v1::OperatorState::Unspecified => State::SignedOut,
    };
    Operator {
        id: operator.name.trim_start_matches("operators/").to_owned(),
        state,
        since: operator.in_state.map(duration).unwrap_or_default(),
    }
}

/// A duration that cannot be negative.
fn duration(wire: impl TryInto<Duration>) -> Duration {
    wire.try_into().unwrap_or_default()
}
