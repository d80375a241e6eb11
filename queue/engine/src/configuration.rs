//! Configuration of the engine. A configuration is itself a fact: the engine reads no other.

use std::collections::BTreeSet;
use std::time::Duration;

use pronto_types::{OperatorId, QueueName};

/// Bounds on every table of the engine.
pub mod limits {
    /// Gateways ever attached; a further one is refused.
    pub const GATEWAYS: usize = 64;
    /// How far a gateway's epoch may be above the highest known; one more is refused. Each start of a gateway takes the next,
    /// so an honest one is never that far.
    pub const EPOCH_STEP: u64 = 1 << 20;
    /// Calls of one gateway that ended with its epoch and are still remembered, so that none has two records.
    pub const SUPERSEDED: usize = 100_000;
    /// Queues in a configuration.
    pub const QUEUES: usize = 1_000;
    /// Operators in a configuration.
    pub const OPERATORS: usize = 10_000;
    /// Tickets waiting, offered or connected, over all queues; a further one is turned away.
    pub const TICKETS: usize = 50_000;
    /// Tickets the engine has ended and still remembers, because their gateway may not know yet. Beyond it the
    /// oldest is forgotten.
    pub const CLOSED: usize = 10_000;
    /// Grants that ran out without a word and are still remembered, so that a late answer is understood. Beyond
    /// it the oldest is forgotten.
    pub const EXPIRED: usize = 10_000;
    /// Announcements to one caller that are not known to be over. Beyond it the oldest is given up.
    pub const UNHEARD: usize = 8;
    /// Characters of a pause's reason, of a dialled number: cut beyond.
    pub const TEXT: usize = 64;
    /// Places in queues that the record of one call lists; further ones are counted.
    pub const TICKETS_OF_CALL: usize = 256;
    /// Announcements that the record of one ticket lists: the first.
    pub const ANNOUNCEMENTS_OF_TICKET: usize = 256;
    /// Days of which promises are counted, of each queue: the latest.
    pub const DAYS: usize = 400;
    /// Offers of one call whose end its record waits for; beyond it the oldest is forgotten.
    pub const OFFERS_OF_CALL: usize = 64;
    /// Calls that ended last, whose names the fold of the records keeps: more than end while a gateway's disk takes one fsync.
    pub const ENDED_CALLS: usize = 16_384;
}

/// Everything the engine needs to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The configured queues.
    pub queues: Vec<QueueSettings>,
    /// The configured operators.
    pub operators: Vec<OperatorSettings>,
    /// How long the tickets of a gateway that is away keep their place before they end as lost.
    pub grace: Duration,
    /// How long a restarted engine waits at most for the gateways before it offers again.
    pub settle: Duration,
    /// The time added to the ring time to give the validity of a grant.
    pub ring_margin: Duration,
}

impl Default for Configuration {
    /// No queues, no operators; grace 30 s, settling 1 s, margin 5 s.
    fn default() -> Self {
        Configuration {
            queues: Vec::new(),
            operators: Vec::new(),
            grace: Duration::from_secs(30),
            settle: Duration::from_secs(1),
            ring_margin: Duration::from_secs(5),
        }
    }
}

/// Settings of one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// The queue's name.
    pub name: QueueName,
    /// The strategy that chooses a ready operator for the next call.
    pub strategy: Strategy,
    /// For how long a phone rings.
    pub ring: Duration,
    /// For how long an operator who did not answer, refused or was not reached is paused.
    pub rona_pause: Duration,
    /// How long an operator has after a talk before the next call.
    pub wrap_up: Duration,
    /// After how long a waiting caller is sent on by the `timed_out` exit, counted from the first joining.
    pub max_wait: Duration,
    /// How many may be waiting or offered at once; a further caller takes the `failed` exit.
    pub limit: usize,
    /// How long callers go on waiting after the last operator of the queue has signed out, whenever they joined. A caller
    /// who joins later, or where nobody has ever been signed in, takes the `nobody` exit at once.
    pub nobody_after: Duration,
    /// Contents and times of the announcements to a waiting caller.
    pub announcing: Announcing,
    /// The mean talk time assumed before any talk was seen.
    pub talk: Duration,
    /// Where callers go on waiting if it takes too long here; `None`: nowhere.
    pub overflow: Option<Overflow>,
}

/// Where callers go on waiting if it takes too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// In this queue, where they are clearly served sooner.
    pub to: QueueName,
    /// From a wait still to come that eight of ten callers would not exceed.
    pub wait: Duration,
}

/// Contents and times of the announcements to a waiting caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcing {
    /// Whether the position.
    pub position: bool,
    /// Whether the wait.
    pub wait: bool,
    /// The time from the joining to the first announcement.
    pub first: Duration,
    /// The time between later announcements; zero: only one announcement.
    pub every: Duration,
    /// And then only if the time at which the caller expects to be answered has moved by so much; zero: each time.
    pub change: Duration,
}

impl Default for Announcing {
    /// Position and wait, at once and every 60 s.
    fn default() -> Self {
        Announcing {
            position: true,
            wait: true,
            first: Duration::ZERO,
            every: Duration::from_secs(60),
            change: Duration::ZERO,
        }
    }
}

impl Announcing {
    /// Whether anything is ever told.
    pub fn speaks(&self) -> bool {
        self.position || self.wait
    }
}

impl QueueSettings {
    /// A queue with the defaults: longest idle, ring 15 s, RONA pause 30 s, wrap-up 10 s, max wait 30 min, limit
    /// 10,000, nobody after 30 s, announcements every 60 s, talks of 4 min.
    pub fn new(name: QueueName) -> Self {
        QueueSettings {
            name,
            strategy: Strategy::LongestIdle,
            ring: Duration::from_secs(15),
            rona_pause: Duration::from_secs(30),
            wrap_up: Duration::from_secs(10),
            max_wait: Duration::from_secs(30 * 60),
            limit: 10_000,
            nobody_after: Duration::from_secs(30),
            announcing: Announcing::default(),
            talk: Duration::from_secs(240),
            overflow: None,
        }
    }
}

/// The choice among the ready operators for the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The operator who has been ready longest.
    #[default]
    LongestIdle,
}

/// Settings of one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorSettings {
    /// The operator's identifier.
    pub id: OperatorId,
    /// The queues they serve.
    pub queues: Vec<QueueName>,
    /// How they sign in.
    pub sign_in: SignIn,
}

/// How an operator signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SignIn {
    /// Registering a phone signs in and makes ready; un-registering it, or its expiry, signs out after the call.
    #[default]
    Registration,
}

/// A configuration the engine refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// More queues than [`limits::QUEUES`].
    #[error("{0} queues: expected at most {max}", max = limits::QUEUES)]
    TooManyQueues(usize),
    /// More operators than [`limits::OPERATORS`].
    #[error("{0} operators: expected at most {max}", max = limits::OPERATORS)]
    TooManyOperators(usize),
    /// The same queue twice.
    #[error("queue `{0}` is configured twice")]
    DuplicateQueue(QueueName),
    /// The same operator twice.
    #[error("operator `{0}` is configured twice")]
    DuplicateOperator(OperatorId),
    /// An operator's queue that does not exist.
    #[error("operator `{0}` serves queue `{1}`, which does not exist")]
    UnknownQueue(OperatorId, QueueName),
    /// A queue to overflow to that does not exist.
    #[error("queue `{0}` overflows to queue `{1}`, which does not exist")]
    UnknownOverflow(QueueName, QueueName),
    /// A queue that overflows to itself.
    #[error("queue `{0}` overflows to itself")]
    OverflowToItself(QueueName),
    /// An operator's queue named twice.
    #[error("operator `{0}` serves queue `{1}` twice")]
    RepeatedQueue(OperatorId, QueueName),
}

impl Configuration {
    /// Whether the engine will take it.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn validate(&self) -> Result<(), ConfigurationError> {
        if self.queues.len() > limits::QUEUES {
            return Err(ConfigurationError::TooManyQueues(self.queues.len()));
        }
        if self.operators.len() > limits::OPERATORS {
            return Err(ConfigurationError::TooManyOperators(self.operators.len()));
        }
        let mut queues = BTreeSet::new();
        for queue in &self.queues {
            if !queues.insert(&queue.name) {
                return Err(ConfigurationError::DuplicateQueue(queue.name.clone()));
            }
        }
        for QueueSettings { name, overflow, .. } in &self.queues {
            let Some(Overflow { to, .. }) = overflow else {
                continue;
            };
            if to == name {
                return Err(ConfigurationError::OverflowToItself(name.clone()));
            }
            if !queues.contains(to) {
                return Err(ConfigurationError::UnknownOverflow(name.clone(), to.clone()));
            }
        }
        let mut operators = BTreeSet::new();
        for operator in &self.operators {
            if !operators.insert(&operator.id) {
                return Err(ConfigurationError::DuplicateOperator(operator.id.clone()));
            }
            let mut served = BTreeSet::new();
            for queue in &operator.queues {
                if !queues.contains(queue) {
                    return Err(ConfigurationError::UnknownQueue(
                        operator.id.clone(),
                        queue.clone(),
                    ));
                }
                if !served.insert(queue) {
                    return Err(ConfigurationError::RepeatedQueue(
                        operator.id.clone(),
                        queue.clone(),
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str) -> QueueName {
        QueueName::new(name).unwrap()
    }

    fn operator(id: &str, queues: &[&str]) -> OperatorSettings {
        OperatorSettings {
            id: OperatorId::new(id).unwrap(),
            queues: queues.iter().map(|name| queue(name)).collect(),
            sign_in: SignIn::Registration,
        }
    }

    #[test]
    fn what_contradicts_itself_is_named() {
        let good = Configuration {
            queues: vec![QueueSettings::new(queue("support"))],
            operators: vec![operator("101", &["support"])],
            ..Configuration::default()
        };
        assert_eq!(good.validate(), Ok(()));
        let with = |change: &dyn Fn(&mut Configuration)| {
            let mut changed = good.clone();
            change(&mut changed);
            changed.validate().unwrap_err().to_string()
        };
        let twice = with(&|it| it.queues.push(it.queues[0].clone()));
        assert_eq!(twice, "queue `support` is configured twice");
        let twice = with(&|it| it.operators.push(it.operators[0].clone()));
        assert_eq!(twice, "operator `101` is configured twice");
        let unknown = with(&|it| it.operators.push(operator("102", &["sales"])));
        assert_eq!(
            unknown,
            "operator `102` serves queue `sales`, which does not exist"
        );
        let repeated = with(&|it| it.operators.push(operator("102", &["support", "support"])));
        assert_eq!(repeated, "operator `102` serves queue `support` twice");
        let overflow = |to: &str| {
            Some(Overflow {
                to: queue(to),
                wait: Duration::from_secs(600),
            })
        };
        let unknown = with(&|it| it.queues[0].overflow = overflow("sales"));
        assert_eq!(
            unknown,
            "queue `support` overflows to queue `sales`, which does not exist"
        );
        let itself = with(&|it| it.queues[0].overflow = overflow("support"));
        assert_eq!(itself, "queue `support` overflows to itself");
        let many = with(&|it| it.operators = vec![operator("101", &[]); limits::OPERATORS + 1]);
        assert_eq!(many, "10001 operators: expected at most 10000");
        let many = with(&|it| it.queues = vec![it.queues[0].clone(); limits::QUEUES + 1]);
        assert_eq!(many, "1001 queues: expected at most 1000");
    }
}
