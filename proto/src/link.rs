//! The link on the wire: generated messages to `pronto_types::link` and back. Nothing is decided here; a message that
//! lacks something, or holds what no name may be, is refused with a typed error.

use std::time::Duration;

use pronto_types::link::{Caller, Directive, Event, Origin, Promise};
use pronto_types::{DisplayName, Forecast, GatewayName, PhoneNumber, QueueName, TicketId};

use crate::messages;
use crate::v1::{self, entry, gateway_message, queue_message};
use crate::wire::{Wire, duration, zero_if_absent};

pub use crate::wire::WireError;

/// The codec of the link.
#[derive(Debug)]
pub struct Link;

/// The longest text of a field, in characters: a dialled number, a recording's file.
const TEXT: usize = 64;

/// The most queues of a hello's `forecasts`: as many as the engine takes into a configuration.
const FORECASTS: usize = 1000;

/// A journal entry as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The entry's number in the gateway's journal.
    pub number: u64,
    /// How long ago it happened.
    pub age: Duration,
    /// The event that the entry records.
    pub event: Event,
}

/// A hello as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The gateway that sends the hello.
    pub gateway: GatewayName,
    /// The epoch of the gateway's process.
    pub epoch: u64,
    /// The number of its newest entry.
    pub last: u64,
    /// The queues whose forecasts it wants to be told.
    pub forecasts: Vec<QueueName>,
    /// Tells the process from another in the same epoch; 0: not told.
    pub instance: u64,
}

/// The metadata field of a refused `Attach` that holds the highest epoch known of the gateway, in decimal.
pub const HIGHEST_EPOCH: &str = "pronto-highest-epoch";

/// The first message up.
pub fn hello(hello: &Hello) -> v1::GatewayMessage {
    let hello = v1::Hello {
        gateway: hello.gateway.to_string(),
        epoch: hello.epoch,
        last: hello.last,
        forecasts: hello.forecasts.iter().map(QueueName::to_string).collect(),
        instance: hello.instance,
    };
    v1::GatewayMessage {
        message: Some(gateway_message::Message::Hello(hello)),
    }
}

/// Understands a hello.
///
/// # Errors
/// [`WireError`]: a name is no name, there are too many, or the epoch is 0.
pub fn hello_from_wire(hello: v1::Hello) -> Result<Hello, WireError> {
    if hello.epoch == 0 {
        return Err(WireError::Invalid("epoch"));
    }
    if hello.forecasts.len() > FORECASTS {
        return Err(WireError::TooMany {
            field: "forecasts",
            found: hello.forecasts.len(),
            limit: FORECASTS,
        });
    }
    Ok(Hello {
        gateway: Wire::<Link>::from_wire(hello.gateway, "gateway")?,
        epoch: hello.epoch,
        last: hello.last,
        forecasts: Wire::<Link>::from_wire(hello.forecasts, "forecasts")?,
        instance: hello.instance,
    })
}

/// A journal entry for the wire. Texts are cut to what [`entry_from_wire`] takes: an entry that is refused would be
/// sent again for ever, and nothing behind it would arrive.
pub fn entry(number: u64, age: Duration, event: &Event) -> v1::GatewayMessage {
    let entry = v1::Entry {
        number,
        age: Some(duration(age)),
        event: Some(Wire::<Link>::to_wire(event)),
    };
    v1::GatewayMessage {
        message: Some(gateway_message::Message::Entry(entry)),
    }
}

/// Understands a journal entry.
///
/// # Errors
/// [`WireError`].
pub fn entry_from_wire(entry: v1::Entry) -> Result<Entry, WireError> {
    let event = entry.event.ok_or(WireError::Missing("event"))?;
    Ok(Entry {
        number: Wire::<Link>::from_wire(entry.number, "number")?,
        age: zero_if_absent(entry.age, "age")?,
        event: Wire::<Link>::from_wire(event, "event")?,
    })
}

/// `Welcome` for the wire.
pub fn welcome(have: u64) -> v1::QueueMessage {
    v1::QueueMessage {
        message: Some(queue_message::Message::Welcome(v1::Welcome { have })),
    }
}

/// `Acknowledged` for the wire.
pub fn acknowledged(number: u64) -> v1::QueueMessage {
    let acknowledged = v1::Acknowledged { number };
    v1::QueueMessage {
        message: Some(queue_message::Message::Acknowledged(acknowledged)),
    }
}

/// `Admission` for the wire.
pub fn admission(open: bool) -> v1::QueueMessage {
    v1::QueueMessage {
        message: Some(queue_message::Message::Admission(v1::Admission { open })),
    }
}

/// A text has a limit. What is sent is cut to it; what is longer is refused.
impl Wire<Link> for String {
    type Form = String;

    fn to_wire(&self) -> String {
        self.chars().take(TEXT).collect()
    }

    fn from_wire(form: String, field: &'static str) -> Result<Self, WireError> {
        if form.chars().count() > TEXT {
            Err(WireError::Invalid(field))
        } else {
            Ok(form)
        }
    }
}

impl Wire<Link> for Origin {
    type Form = Option<v1::call_began::Origin>;

    fn to_wire(&self) -> Self::Form {
        Some(match self {
            Origin::Trunk(name) => v1::call_began::Origin::Trunk(Wire::<Link>::to_wire(name)),
            Origin::Operator(id) => v1::call_began::Origin::Operator(Wire::<Link>::to_wire(id)),
        })
    }

    fn from_wire(form: Self::Form, field: &'static str) -> Result<Self, WireError> {
        Ok(match form.ok_or(WireError::Missing(field))? {
            v1::call_began::Origin::Trunk(name) => Origin::Trunk(Wire::<Link>::from_wire(name, field)?),
            v1::call_began::Origin::Operator(id) => Origin::Operator(Wire::<Link>::from_wire(id, field)?),
        })
    }
}

/// Number and name; what is not told is empty.
impl Wire<Link> for Caller {
    type Form = (String, String);

    fn to_wire(&self) -> Self::Form {
        let number = self.number.as_ref().map(PhoneNumber::reveal);
        let name = self.name.as_ref().map(DisplayName::reveal);
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        (text(number), text(name))
    }

    fn from_wire((number, name): Self::Form, _: &'static str) -> Result<Self, WireError> {
        Ok(Caller {
            number: (!number.is_empty()).then(|| PhoneNumber::new(&number)),
            name: (!name.is_empty()).then(|| DisplayName::new(&name)),
        })
    }
}

/// Both figures, or neither.
impl Wire<Link> for Promise {
    type Form = [Option<prost_types::Duration>; 2];

    fn to_wire(&self) -> Self::Form {
        [self.p50, self.p90].map(|wait| Some(duration(wait)))
    }

    fn from_wire([p50, p90]: Self::Form, _: &'static str) -> Result<Self, WireError> {
        Ok(Promise {
            p50: Wire::<Link>::from_wire(p50, "p50")?,
            p90: Wire::<Link>::from_wire(p90, "p90")?,
        })
    }
}

/// All figures, or none.
impl Wire<Link> for Forecast {
    type Form = [Option<prost_types::Duration>; 3];

    fn to_wire(&self) -> Self::Form {
        [self.p50, self.p80, self.p90].map(|wait| Some(duration(wait)))
    }

    fn from_wire([p50, p80, p90]: Self::Form, _: &'static str) -> Result<Self, WireError> {
        Ok(Forecast {
            p50: Wire::<Link>::from_wire(p50, "p50")?,
            p80: Wire::<Link>::from_wire(p80, "p80")?,
            p90: Wire::<Link>::from_wire(p90, "p90")?,
        })
    }
}

/// Figures that are absent together.
fn figures<T: Wire<Link, Form = [Option<prost_types::Duration>; N]>, const N: usize>(
    form: [Option<prost_types::Duration>; N],
) -> Result<Option<T>, WireError> {
    let told = form.iter().any(Option::is_some);
    told.then(|| T::from_wire(form, "wait")).transpose()
}

use entry::Event as WireEvent;

messages! {
    Link: Event = WireEvent of v1
    by hand {
        Event::CallBegan { call, dialled, caller, origin } => {
            let (caller_number, caller_name) = caller.to_wire();
            WireEvent::CallBegan(v1::CallBegan {
                call: call.0,
                dialled: dialled.to_wire(),
                caller_number,
                caller_name,
                origin: origin.to_wire(),
            })
        },
        Event::Joined { ticket, contact, channel, queue, caller, language, regained } => {
            let (caller_number, caller_name) = caller.to_wire();
            WireEvent::Joined(v1::Joined {
                ticket: ticket.0,
                contact: contact.0,
                queue: queue.to_string(),
                caller_number,
                caller_name,
                language: language.code().to_owned(),
                regained: regained.map_or(0, |ticket| ticket.0),
                channel: Wire::<Link>::to_wire(channel),
            })
        },
        Event::Presence { operator, lease } => WireEvent::Presence(v1::Presence {
            operator: operator.to_string(),
            reachable: lease.is_some(),
            lease: lease.map(duration),
        }),
    }
    and back {
        WireEvent::CallBegan(began) => Event::CallBegan {
            call: Wire::<Link>::from_wire(began.call, "CallBegan.call")?,
            dialled: Wire::<Link>::from_wire(began.dialled, "CallBegan.dialled")?,
            caller: Wire::<Link>::from_wire((began.caller_number, began.caller_name), "CallBegan.caller")?,
            origin: Wire::<Link>::from_wire(began.origin, "CallBegan.origin")?,
        },
        WireEvent::Joined(joined) => Event::Joined {
            ticket: Wire::<Link>::from_wire(joined.ticket, "Joined.ticket")?,
            contact: Wire::<Link>::from_wire(joined.contact, "Joined.contact")?,
            channel: Wire::<Link>::from_wire(joined.channel, "Joined.channel")?,
            queue: Wire::<Link>::from_wire(joined.queue, "Joined.queue")?,
            caller: Wire::<Link>::from_wire((joined.caller_number, joined.caller_name), "Joined.caller")?,
            language: Wire::<Link>::from_wire(joined.language, "Joined.language")?,
            regained: (joined.regained != 0).then_some(TicketId(joined.regained)),
        },
        WireEvent::Presence(presence) => Event::Presence {
            operator: Wire::<Link>::from_wire(presence.operator, "Presence.operator")?,
            lease: match presence.reachable {
                false => None,
                true => Some(Wire::<Link>::from_wire(presence.lease, "Presence.lease")?),
            },
        },
    }
    Left { ticket, reason };
    Ringing { offer };
    Answered { offer, ticket };
    Refused { offer, reason };
    TalkEnded { offer, ticket };
    OperatorLost { offer, ticket };
    CallEnded { call, outcome } plain { digits } zero { duration };
    Recorded { call, ticket, file, flaw } zero { duration };
    Heard { announcement, ticket, how };
}

use queue_message::Message as WireDirective;

messages! {
    Link: Directive = WireDirective of v1
    by hand {
        Directive::Announce { announcement, ticket, position, wait, rise } => {
            let [p50, p90] = wait.map_or([None, None], |wait| wait.to_wire());
            WireDirective::Announce(v1::Announce {
                ticket: ticket.0,
                position: position.unwrap_or(0),
                announcement: announcement.0,
                p50,
                p90,
                rise: Wire::<Link>::to_wire(rise),
            })
        },
        Directive::Forecast { queue, wait } => {
            let [p50, p80, p90] = wait.map_or([None, None, None], |wait| wait.to_wire());
            WireDirective::Forecast(v1::QueueForecast {
                queue: queue.to_string(),
                p50,
                p80,
                p90,
            })
        },
    }
    and back {
        WireDirective::Announce(told) => Directive::Announce {
            announcement: Wire::<Link>::from_wire(told.announcement, "Announce.announcement")?,
            ticket: Wire::<Link>::from_wire(told.ticket, "Announce.ticket")?,
            position: Some(told.position).filter(|position| *position != 0),
            wait: figures([told.p50, told.p90])?,
            rise: Wire::<Link>::from_wire(told.rise, "Announce.rise")?,
        },
        WireDirective::Forecast(told) => Directive::Forecast {
            queue: Wire::<Link>::from_wire(told.queue, "QueueForecast.queue")?,
            wait: figures([told.p50, told.p80, told.p90])?,
        },
        WireDirective::Welcome(_) | WireDirective::Acknowledged(_) | WireDirective::Admission(_) => {
            return Err(WireError::Invalid("message"))
        },
    }
    Offer { offer, ticket, operator, ring, queue } zero { waited };
    Withdraw { offer };
    Exit { ticket, reason };
    Rejoin { ticket };
}

/// A directive for the wire.
pub fn directive(directive: &Directive) -> v1::QueueMessage {
    v1::QueueMessage {
        message: Some(Wire::<Link>::to_wire(directive)),
    }
}

/// Understands a directive.
///
/// # Errors
/// [`WireError`]; also for a `Welcome`, an `Acknowledged` or an `Admission`, which are no directives.
pub fn directive_from_wire(message: v1::QueueMessage) -> Result<Directive, WireError> {
    let message = message.message.ok_or(WireError::Missing("message"))?;
    Wire::<Link>::from_wire(message, "message")
}

#[cfg(test)]
mod tests;
