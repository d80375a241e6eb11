//! The table of facts: which field of the engine's is which field of the message. Both directions are made from it.

use std::time::Duration;

use pronto_engine::{Announcing, Configuration, Contact, Fact, OperatorSettings, Overflow, QueueSettings};
use pronto_proto::link::duration;
use pronto_proto::v1::fact::{self, configured};

use super::LedgerError;
use super::wire::{Wire, lasting};

/// One line a fact: the fields that go by [`Wire`] under the same name; then `of`, a contact with the way to it; `times`, whose name on the wire ends in
/// their unit; `lengths` of time, and `short` ones that are absent when zero; `counts`, which may be 0; and `needs`, messages that must be there.
macro_rules! facts {
    ($($Fact:ident { $($field:ident),* }
        $(of { $contact:ident })?
        $(times { $($time:ident = $micros:ident),* })?
        $(lengths { $($length:ident),* })?
        $(short { $($short:ident),* })?
        $(counts { $($count:ident),* })?
        $(needs { $($need:ident),* })?;)*) => {
        /// A fact for the wire.
        pub(super) fn to_wire(fact: &Fact) -> fact::Fact {
            match fact {
                Fact::Settled => fact::Fact::Settled(fact::Settled {}),
                Fact::ClockSet { offset } => fact::Fact::ClockSet(fact::ClockSet { offset_micros: *offset }),
                Fact::Configured(configuration) => fact::Fact::Configured(configuration_to_wire(configuration)),
                $(Fact::$Fact {
                    $($field,)*
                    $($contact,)?
                    $($($time,)*)?
                    $($($length,)*)?
                    $($($short,)*)?
                    $($($count,)*)?
                    $($($need,)*)?
                } => fact::Fact::$Fact(fact::$Fact {
                    $($field: $field.to_wire(),)*
                    $(
                        $contact: $contact.id.to_wire(),
                        gateway: $contact.gateway().to_wire(),
                        channel: $contact.channel().to_wire(),
                    )?
                    $($($micros: $time.to_wire(),)*)?
                    $($($length: Some(duration(*$length)),)*)?
                    $($($short: (!$short.is_zero()).then(|| duration(*$short)),)*)?
                    $($($count: *$count,)*)?
                    $($($need: Some($need.to_wire()),)*)?
                }),)*
            }
        }

        /// Understands a fact.
        pub(super) fn from_wire(fact: fact::Fact) -> Result<Fact, LedgerError> {
            Ok(match fact {
                fact::Fact::Settled(fact::Settled {}) => Fact::Settled,
                fact::Fact::ClockSet(fact::ClockSet { offset_micros }) => Fact::ClockSet { offset: offset_micros },
                fact::Fact::Configured(wire) => Fact::Configured(configuration_from_wire(wire)?),
                $(fact::Fact::$Fact(wire) => Fact::$Fact {
                    $($field: Wire::from_wire(wire.$field, name!($Fact, $field))?,)*
                    $($contact: Contact::at(
                        Wire::from_wire(wire.gateway, name!($Fact, gateway))?,
                        Wire::from_wire(wire.$contact, name!($Fact, $contact))?,
                        Wire::from_wire(wire.channel, name!($Fact, channel))?,
                    ),)?
                    $($($time: Wire::from_wire(wire.$micros, name!($Fact, $time))?,)*)?
                    $($($length: length!(wire.$length, name!($Fact, $length)),)*)?
                    $($($short: length!(wire.$short.or_else(|| Some(duration(Duration::ZERO))), name!($Fact, $short)),)*)?
                    $($($count: wire.$count,)*)?
                    $($($need: needed(wire.$need, name!($Fact, $need))?,)*)?
                },)*
            })
        }

        /// The names of all facts.
        #[cfg(test)]
        pub(super) const NAMES: &[&str] = &["Settled", "ClockSet", "Configured", $(stringify!($Fact)),*];
    };
}

macro_rules! name {
    ($fact:ident, $field:ident) => {
        concat!(stringify!($fact), ".", stringify!($field))
    };
}

macro_rules! length {
    ($wire:expr, $field:expr) => {
        lasting($wire.map(|wire| (wire.seconds, wire.nanos)), $field)?
    };
}

facts! {
    Started {} times { settle_until = settle_until_micros };

    GatewayAttached { gateway, epoch } counts { last, instance };
    GatewayDetached { gateway, epoch } times { grace_until = grace_until_micros };
    GatewaySuperseded { gateway, epoch };
    GatewayGone { gateway };
    GatewayReset { gateway };

    CallBegan { call, dialled, origin };
    CallEnded { call, outcome } lengths { duration } counts { digits };

    Joined { ticket, queue, language, caller_key, regained }
        of { contact }
        times { joined_at = joined_at_micros, deadline = deadline_micros }
        short { head_start };
    TurnedAway { ticket, queue } of { contact };
    Left { ticket, reason };
    Exited { ticket, reason };
    Moved { ticket };
    Lost { ticket, reason };
    Forgotten { ticket };
    Skipped { ticket, reason };
    Overflowed { ticket, queue, to } needs { here, there };
    SentBack { ticket, queue, to };

    Offered { ticket, round, operator, queue, gateway }
        times { valid_until = valid_until_micros }
        lengths { waited };
    Ringing { offer };
    Withdrawing { offer, reason };
    Refused { offer, reason };
    Expired { offer };
    Answered { offer, ticket, operator } times { answered_at = answered_at_micros };
    Reconnected { ticket };
    TalkEnded { offer } times { ended_at = ended_at_micros };
    OperatorLost { offer, ticket } times { lost_at = lost_at_micros, deadline = deadline_micros };

    Reachable { operator, gateway } times { until = until_micros };
    Unreachable { operator, gateway, reason };
    SignedIn { operator };
    SignedOut { operator, reason };
    Ready { operator } times { since = since_micros };
    Paused { operator, reason } times { until = until_micros };
    WrapUp { operator } times { until = until_micros };
    Asked { operator, wanted };

    Noted { reason };

    Announced { ticket, position, wait, rise };
    Heard { announcement, ticket, how };
    Recorded { call, ticket, file, flaw } lengths { duration };
}

fn needed<T: Wire>(form: Option<T::Form>, field: &'static str) -> Result<T, LedgerError> {
    T::from_wire(form.ok_or(LedgerError::Missing(field))?, field)
}

fn configuration_to_wire(configuration: &Configuration) -> fact::Configured {
    let Configuration {
        queues,
        operators,
        grace,
        settle,
        ring_margin,
    } = configuration;
    fact::Configured {
        queues: queues.iter().map(queue_to_wire).collect(),
        operators: operators.iter().map(operator_to_wire).collect(),
        grace: Some(duration(*grace)),
        settle: Some(duration(*settle)),
        ring_margin: Some(duration(*ring_margin)),
    }
}

/// Not validated: the engine took it when it was recorded, and folding never decides again.
fn configuration_from_wire(wire: fact::Configured) -> Result<Configuration, LedgerError> {
    Ok(Configuration {
        queues: wire
            .queues
            .into_iter()
            .map(queue_from_wire)
            .collect::<Result<_, _>>()?,
        operators: wire
            .operators
            .into_iter()
            .map(operator_from_wire)
            .collect::<Result<_, _>>()?,
        grace: length!(wire.grace, name!(Configured, grace)),
        settle: length!(wire.settle, name!(Configured, settle)),
        ring_margin: length!(wire.ring_margin, name!(Configured, ring_margin)),
    })
}

fn queue_to_wire(queue: &QueueSettings) -> configured::QueueSettings {
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
    } = queue;
    configured::QueueSettings {
        name: name.to_wire(),
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
        overflow: overflow.as_ref().map(|overflow| configured::Overflow {
            to: overflow.to.to_wire(),
            wait: Some(duration(overflow.wait)),
        }),
    }
}

fn queue_from_wire(wire: configured::QueueSettings) -> Result<QueueSettings, LedgerError> {
    Ok(QueueSettings {
        name: Wire::from_wire(wire.name, name!(QueueSettings, name))?,
        strategy: Wire::from_wire(wire.strategy, name!(QueueSettings, strategy))?,
        ring: length!(wire.ring, name!(QueueSettings, ring)),
        rona_pause: length!(wire.rona_pause, name!(QueueSettings, rona_pause)),
        wrap_up: length!(wire.wrap_up, name!(QueueSettings, wrap_up)),
        max_wait: length!(wire.max_wait, name!(QueueSettings, max_wait)),
        limit: usize::try_from(wire.limit).map_err(|_| LedgerError::Invalid(name!(QueueSettings, limit)))?,
        nobody_after: length!(wire.nobody_after, name!(QueueSettings, nobody_after)),
        announcing: Announcing {
            position: wire.announce_position,
            wait: wire.announce_wait,
            first: length!(wire.announce_first, name!(QueueSettings, announce_first)),
            every: length!(wire.announce_every, name!(QueueSettings, announce_every)),
            change: length!(wire.announce_change, name!(QueueSettings, announce_change)),
        },
        talk: length!(wire.talk, name!(QueueSettings, talk)),
        overflow: wire.overflow.map(overflow_from_wire).transpose()?,
    })
}

fn overflow_from_wire(wire: configured::Overflow) -> Result<Overflow, LedgerError> {
    Ok(Overflow {
        to: Wire::from_wire(wire.to, name!(Overflow, to))?,
        wait: length!(wire.wait, name!(Overflow, wait)),
    })
}

fn operator_to_wire(operator: &OperatorSettings) -> configured::OperatorSettings {
    let OperatorSettings { id, queues, sign_in } = operator;
    configured::OperatorSettings {
        id: id.to_wire(),
        queues: queues.iter().map(Wire::to_wire).collect(),
        sign_in: sign_in.to_wire(),
    }
}

fn operator_from_wire(wire: configured::OperatorSettings) -> Result<OperatorSettings, LedgerError> {
    let queues = wire.queues.into_iter();
    Ok(OperatorSettings {
        id: Wire::from_wire(wire.id, name!(OperatorSettings, id))?,
        queues: queues
            .map(|queue| Wire::from_wire(queue, name!(OperatorSettings, queues)))
            .collect::<Result<_, _>>()?,
        sign_in: Wire::from_wire(wire.sign_in, name!(OperatorSettings, sign_in))?,
    })
}
