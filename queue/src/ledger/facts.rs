//! The table of facts: which field of the engine's is which field of the message. Both directions are made from it.

use pronto_engine::{Announcing, Configuration, Contact, Fact, OperatorSettings, Overflow, QueueSettings};
use pronto_proto::v1::fact::{self, Fact as WireFact, configured};
use pronto_proto::wire::{Wire, WireError, duration, zero_if_absent};
use pronto_proto::{field, messages};

use super::Ledger;

messages! {
    Ledger: Fact = WireFact of fact
    by hand {
        Fact::Settled => WireFact::Settled(fact::Settled {}),
        Fact::ClockSet { offset } => WireFact::ClockSet(fact::ClockSet { offset_micros: *offset }),
        Fact::Configured(configuration) => WireFact::Configured(configuration.to_wire()),
        Fact::Joined {
            ticket, contact, queue, language, joined_at, head_start, deadline, caller_key, regained,
        } => WireFact::Joined(fact::Joined {
            ticket: ticket.0,
            contact: contact.id.0,
            queue: queue.to_string(),
            gateway: contact.gateway().to_string(),
            language: language.code().to_owned(),
            joined_at_micros: joined_at.as_micros(),
            deadline_micros: deadline.as_micros(),
            caller_key: Wire::<Ledger>::to_wire(caller_key),
            regained: Wire::<Ledger>::to_wire(regained),
            channel: Wire::<Ledger>::to_wire(&contact.channel()),
            head_start: (!head_start.is_zero()).then(|| duration(*head_start)),
        }),
        Fact::TurnedAway { ticket, contact, queue } => WireFact::TurnedAway(fact::TurnedAway {
            ticket: ticket.0,
            contact: contact.id.0,
            queue: queue.to_string(),
            gateway: contact.gateway().to_string(),
            channel: Wire::<Ledger>::to_wire(&contact.channel()),
        }),
    }
    and back {
        WireFact::Settled(fact::Settled {}) => Fact::Settled,
        WireFact::ClockSet(fact::ClockSet { offset_micros }) => Fact::ClockSet { offset: offset_micros },
        WireFact::Configured(form) => Fact::Configured(Wire::<Ledger>::from_wire(form, "Configured")?),
        WireFact::Joined(form) => Fact::Joined {
            ticket: value(form.ticket, field!(Joined, ticket))?,
            contact: Contact::at(
                value(form.gateway, field!(Joined, gateway))?,
                value(form.contact, field!(Joined, contact))?,
                value(form.channel, field!(Joined, channel))?,
            ),
            queue: value(form.queue, field!(Joined, queue))?,
            language: value(form.language, field!(Joined, language))?,
            joined_at: value(form.joined_at_micros, field!(Joined, joined_at))?,
            head_start: zero_if_absent(form.head_start, field!(Joined, head_start))?,
            deadline: value(form.deadline_micros, field!(Joined, deadline))?,
            caller_key: value(form.caller_key, field!(Joined, caller_key))?,
            regained: value(form.regained, field!(Joined, regained))?,
        },
        WireFact::TurnedAway(form) => Fact::TurnedAway {
            ticket: value(form.ticket, field!(TurnedAway, ticket))?,
            contact: Contact::at(
                value(form.gateway, field!(TurnedAway, gateway))?,
                value(form.contact, field!(TurnedAway, contact))?,
                value(form.channel, field!(TurnedAway, channel))?,
            ),
            queue: value(form.queue, field!(TurnedAway, queue))?,
        },
    }
    Started {} renamed { settle_until = settle_until_micros };

    GatewayAttached { gateway, epoch } plain { last, instance };
    GatewayDetached { gateway, epoch } renamed { grace_until = grace_until_micros };
    GatewaySuperseded { gateway, epoch };
    GatewayGone { gateway };
    GatewayReset { gateway };

    CallBegan { call, dialled, origin };
    CallEnded { call, outcome, duration } plain { digits };

    Left { ticket, reason };
    Exited { ticket, reason };
    Moved { ticket };
    Lost { ticket, reason };
    Forgotten { ticket };
    Skipped { ticket, reason };
    Overflowed { ticket, queue, to } needs { here, there };
    SentBack { ticket, queue, to };

    Offered { ticket, round, operator, queue, gateway, waited }
        renamed { valid_until = valid_until_micros };
    Ringing { offer };
    Withdrawing { offer, reason };
    Refused { offer, reason };
    Expired { offer };
    Answered { offer, ticket, operator } renamed { answered_at = answered_at_micros };
    Reconnected { ticket };
    TalkEnded { offer } renamed { ended_at = ended_at_micros };
    OperatorLost { offer, ticket } renamed { lost_at = lost_at_micros, deadline = deadline_micros };

    Reachable { operator, gateway } renamed { until = until_micros };
    Unreachable { operator, gateway, reason };
    SignedIn { operator };
    SignedOut { operator, reason };
    Ready { operator } renamed { since = since_micros };
    Paused { operator, reason } renamed { until = until_micros };
    WrapUp { operator } renamed { until = until_micros };
    Asked { operator, wanted };

    Noted { reason };

    Announced { ticket, position, wait, rise };
    Heard { announcement, ticket, how };
    Recorded { call, ticket, file, flaw, duration };
}

/// The value of a form of a fact.
fn value<T: Wire<Ledger>>(form: T::Form, field: &'static str) -> Result<T, WireError> {
    T::from_wire(form, field)
}

/// Not validated: the engine took it when it was recorded, and folding never decides again.
impl Wire<Ledger> for Configuration {
    type Form = fact::Configured;

    fn to_wire(&self) -> fact::Configured {
        let Configuration {
            queues,
            operators,
            grace,
            settle,
            ring_margin,
        } = self;
        fact::Configured {
            queues: Wire::<Ledger>::to_wire(queues),
            operators: Wire::<Ledger>::to_wire(operators),
            grace: Some(duration(*grace)),
            settle: Some(duration(*settle)),
            ring_margin: Some(duration(*ring_margin)),
        }
    }

    fn from_wire(form: fact::Configured, _: &'static str) -> Result<Self, WireError> {
        Ok(Configuration {
            queues: value(form.queues, field!(Configured, queues))?,
            operators: value(form.operators, field!(Configured, operators))?,
            grace: value(form.grace, field!(Configured, grace))?,
            settle: value(form.settle, field!(Configured, settle))?,
            ring_margin: value(form.ring_margin, field!(Configured, ring_margin))?,
        })
    }
}

impl Wire<Ledger> for QueueSettings {
    type Form = configured::QueueSettings;

    fn to_wire(&self) -> configured::QueueSettings {
        let QueueSettings {
            name,
            strategy,
            ring,
            rona_pause,
            wrap_up,
            max_wait,
            limit,
            nobody_after,
            announcing,
            talk,
            overflow,
        } = self;
        configured::QueueSettings {
            name: name.to_string(),
            strategy: strategy.to_wire(),
            ring: Some(duration(*ring)),
            rona_pause: Some(duration(*rona_pause)),
            wrap_up: Some(duration(*wrap_up)),
            max_wait: Some(duration(*max_wait)),
            limit: u64::try_from(*limit).unwrap_or(u64::MAX),
            nobody_after: Some(duration(*nobody_after)),
            announce_every: Some(duration(announcing.every)),
            announce_position: announcing.position,
            announce_wait: announcing.wait,
            announce_first: Some(duration(announcing.first)),
            announce_change: Some(duration(announcing.change)),
            talk: Some(duration(*talk)),
            overflow: overflow.to_wire(),
        }
    }

    fn from_wire(form: configured::QueueSettings, _: &'static str) -> Result<Self, WireError> {
        let limit = usize::try_from(form.limit);
        Ok(QueueSettings {
            name: value(form.name, field!(QueueSettings, name))?,
            strategy: value(form.strategy, field!(QueueSettings, strategy))?,
            ring: value(form.ring, field!(QueueSettings, ring))?,
            rona_pause: value(form.rona_pause, field!(QueueSettings, rona_pause))?,
            wrap_up: value(form.wrap_up, field!(QueueSettings, wrap_up))?,
            max_wait: value(form.max_wait, field!(QueueSettings, max_wait))?,
            limit: limit.map_err(|_| WireError::Invalid(field!(QueueSettings, limit)))?,
            nobody_after: value(form.nobody_after, field!(QueueSettings, nobody_after))?,
            announcing: Announcing {
                position: form.announce_position,
                wait: form.announce_wait,
                first: value(form.announce_first, field!(QueueSettings, announce_first))?,
                every: value(form.announce_every, field!(QueueSettings, announce_every))?,
                change: value(form.announce_change, field!(QueueSettings, announce_change))?,
            },
            talk: value(form.talk, field!(QueueSettings, talk))?,
            overflow: value(form.overflow, field!(QueueSettings, overflow))?,
        })
    }
}

impl Wire<Ledger> for Overflow {
    type Form = configured::Overflow;

    fn to_wire(&self) -> configured::Overflow {
        configured::Overflow {
            to: self.to.to_string(),
            wait: Some(duration(self.wait)),
        }
    }

    fn from_wire(form: configured::Overflow, _: &'static str) -> Result<Self, WireError> {
        Ok(Overflow {
            to: value(form.to, field!(Overflow, to))?,
            wait: value(form.wait, field!(Overflow, wait))?,
        })
    }
}

impl Wire<Ledger> for OperatorSettings {
    type Form = configured::OperatorSettings;

    fn to_wire(&self) -> configured::OperatorSettings {
        let OperatorSettings { id, queues, sign_in } = self;
        configured::OperatorSettings {
            id: id.to_string(),
            queues: Wire::<Ledger>::to_wire(queues),
            sign_in: sign_in.to_wire(),
        }
    }

    fn from_wire(form: configured::OperatorSettings, _: &'static str) -> Result<Self, WireError> {
        Ok(OperatorSettings {
            id: value(form.id, field!(OperatorSettings, id))?,
            queues: value(form.queues, field!(OperatorSettings, queues))?,
            sign_in: value(form.sign_in, field!(OperatorSettings, sign_in))?,
        })
    }
}
