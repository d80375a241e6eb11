//! The link on the wire: generated messages to `pronto_types::link` and back. Nothing is decided here; a message that
//! lacks something, or holds what no name may be, is refused with a typed error.

use std::time::Duration;

use pronto_types::link::{
    CallOutcome, Caller, Channel, Directive, Event, ExitReason, Hearing, LeaveReason, Origin, Promise,
    RecordingFlaw, RefuseReason, RiseReason,
};
use pronto_types::{
    AnnouncementId, CallId, ContactId, DisplayName, Forecast, GatewayName, InvalidName, Language, OfferId,
    OperatorId, PhoneNumber, QueueName, TicketId,
};

use crate::v1::{self, entry, gateway_message, queue_message};

/// The longest text of a field, in characters: a dialled number, a trunk's name.
const TEXT: usize = 64;

/// The most queues of a hello's `forecasts`: as many as the engine takes into a configuration.
const FORECASTS: usize = 1000;

/// A message that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A field that must be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field holds what it may not.
    #[error("`{0}` is not valid")]
    Invalid(&'static str),
    /// A list is longer than it may be.
    #[error("`{field}`: found {found}, expected at most {limit}")]
    TooMany {
        /// The field whose list is too long.
        field: &'static str,
        /// How many it holds.
        found: usize,
        /// How many it may hold.
        limit: usize,
    },
    /// A name is no name.
    #[error(transparent)]
    Name(#[from] InvalidName),
}

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
    let forecasts = hello.forecasts.iter().map(|name| QueueName::new(name));
    Ok(Hello {
        gateway: GatewayName::new(&hello.gateway)?,
        epoch: hello.epoch,
        last: hello.last,
        forecasts: forecasts.collect::<Result<_, _>>()?,
        instance: hello.instance,
    })
}

/// A journal entry for the wire. Texts are cut to what [`entry_from_wire`] takes: an entry that is refused would be
/// sent again for ever, and nothing behind it would arrive.
pub fn entry(number: u64, age: Duration, event: &Event) -> v1::GatewayMessage {
    let entry = v1::Entry {
        number,
        age: Some(duration(age)),
        event: Some(event_to_wire(event)),
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
    let number = id(entry.number, "number")?;
    let age = entry
        .age
        .map_or(Ok(Duration::ZERO), |age| duration_from_wire(age, "age"))?;
    let event = event_from_wire(entry.event.ok_or(WireError::Missing("event"))?)?;
    Ok(Entry { number, age, event })
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

/// A moment for the wire.
pub fn timestamp(time: pronto_types::Time) -> prost_types::Timestamp {
    let micros = time.as_micros();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1000).unwrap_or(0),
    }
}

/// A duration for the wire.
pub fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// Written out, as the conversion of `prost-types` negates and so overflows at `i64::MIN` seconds: a peer could send that.
fn duration_from_wire(duration: prost_types::Duration, field: &'static str) -> Result<Duration, WireError> {
    match (u64::try_from(duration.seconds), u32::try_from(duration.nanos)) {
        (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
        _ => Err(WireError::Invalid(field)),
    }
}

fn event_to_wire(event: &Event) -> entry::Event {
    match event {
        Event::CallBegan {
            call,
            dialled,
            caller,
            origin,
        } => entry::Event::CallBegan(began_to_wire(*call, dialled, caller, origin)),
        Event::Joined {
            ticket,
            contact,
            channel,
            queue,
            caller,
            language,
            regained,
        } => {
            let (caller_number, caller_name) = caller_to_wire(caller);
            entry::Event::Joined(v1::Joined {
                ticket: ticket.0,
                contact: contact.0,
                queue: queue.to_string(),
                caller_number,
                caller_name,
                language: language.code().to_owned(),
                regained: regained.map_or(0, |ticket| ticket.0),
                channel: channel_to_wire(*channel).into(),
            })
        }
        Event::Left { ticket, reason } => entry::Event::Left(v1::Left {
            ticket: ticket.0,
            reason: leave_to_wire(*reason).into(),
        }),
        Event::Ringing { offer } => entry::Event::Ringing(v1::Ringing { offer: offer.0 }),
        Event::Answered { offer, ticket } => entry::Event::Answered(v1::Answered {
            offer: offer.0,
            ticket: ticket.0,
        }),
        Event::Refused { offer, reason } => entry::Event::Refused(v1::Refused {
            offer: offer.0,
            reason: refuse_to_wire(*reason).into(),
        }),
        Event::TalkEnded { offer, ticket } => entry::Event::TalkEnded(v1::TalkEnded {
            offer: offer.0,
            ticket: ticket.0,
        }),
        Event::OperatorLost { offer, ticket } => entry::Event::OperatorLost(v1::OperatorLost {
            offer: offer.0,
            ticket: ticket.0,
        }),
        Event::Presence { operator, lease } => entry::Event::Presence(v1::Presence {
            operator: operator.to_string(),
            reachable: lease.is_some(),
            lease: lease.map(duration),
        }),
        Event::CallEnded {
            call,
            outcome,
            duration: lasted,
            digits,
        } => entry::Event::CallEnded(ended_to_wire(*call, *outcome, *lasted, *digits)),
        Event::Recorded {
            call,
            ticket,
            file,
            duration: lasts,
            flaw,
        } => entry::Event::Recorded(recorded_to_wire(*call, *ticket, file, *lasts, *flaw)),
        Event::Heard {
            announcement,
            ticket,
            how,
        } => entry::Event::Heard(v1::Heard {
            announcement: announcement.0,
            ticket: ticket.0,
            how: hearing_to_wire(*how).into(),
        }),
    }
}

fn ended_to_wire(call: CallId, outcome: CallOutcome, lasted: Duration, digits: u32) -> v1::CallEnded {
    v1::CallEnded {
        call: call.0,
        outcome: outcome_to_wire(outcome).into(),
        duration: Some(duration(lasted)),
        digits,
    }
}

fn recorded_to_wire(
    call: CallId,
    ticket: TicketId,
    file: &str,
    lasts: Duration,
    flaw: Option<RecordingFlaw>,
) -> v1::Recorded {
    v1::Recorded {
        call: call.0,
        ticket: ticket.0,
        file: cut(file),
        duration: Some(duration(lasts)),
        flaw: flaw.map(|flaw| flaw_to_wire(flaw).into()),
    }
}

fn began_to_wire(call: CallId, dialled: &str, caller: &Caller, origin: &Origin) -> v1::CallBegan {
    let (caller_number, caller_name) = caller_to_wire(caller);
    let origin = match origin {
        Origin::Trunk(name) => v1::call_began::Origin::Trunk(cut(name)),
        Origin::Operator(id) => v1::call_began::Origin::Operator(id.to_string()),
    };
    v1::CallBegan {
        call: call.0,
        dialled: cut(dialled),
        caller_number,
        caller_name,
        origin: Some(origin),
    }
}

fn channel_to_wire(channel: Channel) -> v1::Channel {
    match channel {
        Channel::Phone => v1::Channel::Phone,
    }
}

fn channel_from_wire(channel: i32) -> Result<Channel, WireError> {
    match v1::Channel::try_from(channel) {
        Ok(v1::Channel::Phone) => Ok(Channel::Phone),
        Err(_) => Err(WireError::Invalid("channel")),
    }
}

fn event_from_wire(event: entry::Event) -> Result<Event, WireError> {
    Ok(match event {
        entry::Event::CallBegan(began) => Event::CallBegan {
            call: CallId(id(began.call, "call")?),
            dialled: text(began.dialled, "dialled")?,
            caller: caller_from_wire(&began.caller_number, &began.caller_name),
            origin: match began.origin.ok_or(WireError::Missing("origin"))? {
                v1::call_began::Origin::Trunk(name) => Origin::Trunk(text(name, "trunk")?),
                v1::call_began::Origin::Operator(id) => Origin::Operator(OperatorId::new(&id)?),
            },
        },
        entry::Event::Joined(joined) => Event::Joined {
            ticket: TicketId(id(joined.ticket, "ticket")?),
            contact: ContactId(id(joined.contact, "contact")?),
            channel: channel_from_wire(joined.channel)?,
            queue: QueueName::new(&joined.queue)?,
            caller: caller_from_wire(&joined.caller_number, &joined.caller_name),
            language: Language::from_code(&joined.language).ok_or(WireError::Invalid("language"))?,
            regained: (joined.regained != 0).then_some(TicketId(joined.regained)),
        },
        entry::Event::Left(left) => Event::Left {
            ticket: TicketId(id(left.ticket, "ticket")?),
            reason: leave_from_wire(left.reason())?,
        },
        entry::Event::Ringing(ringing) => Event::Ringing {
            offer: OfferId(id(ringing.offer, "offer")?),
        },
        entry::Event::Answered(answered) => Event::Answered {
            offer: OfferId(id(answered.offer, "offer")?),
            ticket: TicketId(id(answered.ticket, "ticket")?),
        },
        entry::Event::Refused(refused) => Event::Refused {
            offer: OfferId(id(refused.offer, "offer")?),
            reason: refuse_from_wire(refused.reason())?,
        },
        entry::Event::TalkEnded(ended) => Event::TalkEnded {
            offer: OfferId(id(ended.offer, "offer")?),
            ticket: TicketId(id(ended.ticket, "ticket")?),
        },
        entry::Event::OperatorLost(lost) => Event::OperatorLost {
            offer: OfferId(id(lost.offer, "offer")?),
            ticket: TicketId(id(lost.ticket, "ticket")?),
        },
        entry::Event::Presence(presence) => Event::Presence {
            operator: OperatorId::new(&presence.operator)?,
            lease: match (presence.reachable, presence.lease) {
                (false, _) => None,
                (true, Some(lease)) => Some(duration_from_wire(lease, "lease")?),
                (true, None) => return Err(WireError::Missing("lease")),
            },
        },
        entry::Event::CallEnded(ended) => Event::CallEnded {
            call: CallId(id(ended.call, "call")?),
            outcome: outcome_from_wire(ended.outcome())?,
            duration: ended
                .duration
                .map_or(Ok(Duration::ZERO), |d| duration_from_wire(d, "duration"))?,
            digits: ended.digits,
        },
        entry::Event::Recorded(recorded) => recorded_from_wire(recorded)?,
        entry::Event::Heard(heard) => Event::Heard {
            announcement: AnnouncementId(id(heard.announcement, "announcement")?),
            ticket: TicketId(id(heard.ticket, "ticket")?),
            how: hearing_from_wire(heard.how())?,
        },
    })
}

fn recorded_from_wire(recorded: v1::Recorded) -> Result<Event, WireError> {
    Ok(Event::Recorded {
        call: CallId(id(recorded.call, "call")?),
        ticket: TicketId(id(recorded.ticket, "ticket")?),
        duration: recorded
            .duration
            .map_or(Ok(Duration::ZERO), |d| duration_from_wire(d, "duration"))?,
        flaw: recorded
            .flaw
            .map(|_| flaw_from_wire(recorded.flaw()))
            .transpose()?,
        file: text(recorded.file, "file")?,
    })
}

/// A directive for the wire.
pub fn directive(directive: &Directive) -> v1::QueueMessage {
    let message = match directive {
        Directive::Announce {
            announcement,
            ticket,
            position,
            wait,
            rise,
        } => queue_message::Message::Announce(v1::Announce {
            ticket: ticket.0,
            position: position.unwrap_or(0),
            announcement: announcement.0,
            p50: wait.map(|wait| duration(wait.p50)),
            p90: wait.map(|wait| duration(wait.p90)),
            rise: rise.map(|reason| rise_to_wire(reason).into()),
        }),
        Directive::Offer {
            offer,
            ticket,
            operator,
            ring,
            queue,
            waited,
        } => queue_message::Message::Offer(v1::Offer {
            offer: offer.0,
            ticket: ticket.0,
            operator: operator.to_string(),
            ring: Some(duration(*ring)),
            queue: queue.to_string(),
            waited: Some(duration(*waited)),
        }),
        Directive::Withdraw { offer } => queue_message::Message::Withdraw(v1::Withdraw { offer: offer.0 }),
        Directive::Exit { ticket, reason } => queue_message::Message::Exit(v1::Exit {
            ticket: ticket.0,
            reason: exit_to_wire(*reason).into(),
        }),
        Directive::Forecast { queue, wait } => queue_message::Message::Forecast(v1::QueueForecast {
            queue: queue.to_string(),
            p50: wait.map(|wait| duration(wait.p50)),
            p80: wait.map(|wait| duration(wait.p80)),
            p90: wait.map(|wait| duration(wait.p90)),
        }),
        Directive::Rejoin { ticket } => queue_message::Message::Rejoin(v1::Rejoin { ticket: ticket.0 }),
    };
    v1::QueueMessage {
        message: Some(message),
    }
}

/// Understands a directive.
///
/// # Errors
/// [`WireError`]; also for a `Welcome`, an `Acknowledged` or an `Admission`, which are no directives.
pub fn directive_from_wire(message: v1::QueueMessage) -> Result<Directive, WireError> {
    Ok(match message.message.ok_or(WireError::Missing("message"))? {
        queue_message::Message::Announce(announce) => Directive::Announce {
            announcement: AnnouncementId(id(announce.announcement, "announcement")?),
            ticket: TicketId(id(announce.ticket, "ticket")?),
            position: Some(announce.position).filter(|position| *position != 0),
            rise: announce
                .rise
                .map(|_| rise_from_wire(announce.rise()))
                .transpose()?,
            wait: promise_from_wire(announce.p50, announce.p90)?,
        },
        queue_message::Message::Offer(offer) => Directive::Offer {
            offer: OfferId(id(offer.offer, "offer")?),
            ticket: TicketId(id(offer.ticket, "ticket")?),
            operator: OperatorId::new(&offer.operator)?,
            ring: duration_from_wire(offer.ring.ok_or(WireError::Missing("ring"))?, "ring")?,
            queue: QueueName::new(&offer.queue)?,
            waited: offer
                .waited
                .map_or(Ok(Duration::ZERO), |d| duration_from_wire(d, "waited"))?,
        },
        queue_message::Message::Withdraw(withdraw) => Directive::Withdraw {
            offer: OfferId(id(withdraw.offer, "offer")?),
        },
        queue_message::Message::Exit(exit) => Directive::Exit {
            ticket: TicketId(id(exit.ticket, "ticket")?),
            reason: exit_from_wire(exit.reason())?,
        },
        queue_message::Message::Forecast(forecast) => forecast_from_wire(&forecast)?,
        queue_message::Message::Rejoin(rejoin) => Directive::Rejoin {
            ticket: TicketId(id(rejoin.ticket, "ticket")?),
        },
        queue_message::Message::Welcome(_)
        | queue_message::Message::Acknowledged(_)
        | queue_message::Message::Admission(_) => {
            return Err(WireError::Invalid("message"));
        }
    })
}

fn forecast_from_wire(forecast: &v1::QueueForecast) -> Result<Directive, WireError> {
    let wait = match (forecast.p50, forecast.p80, forecast.p90) {
        (None, None, None) => None,
        (p50, p80, p90) => Some(Forecast {
            p50: duration_from_wire(p50.ok_or(WireError::Missing("p50"))?, "p50")?,
            p80: duration_from_wire(p80.ok_or(WireError::Missing("p80"))?, "p80")?,
            p90: duration_from_wire(p90.ok_or(WireError::Missing("p90"))?, "p90")?,
        }),
    };
    let queue = QueueName::new(&forecast.queue)?;
    Ok(Directive::Forecast { queue, wait })
}

fn promise_from_wire(
    p50: Option<prost_types::Duration>,
    p90: Option<prost_types::Duration>,
) -> Result<Option<Promise>, WireError> {
    match (p50, p90) {
        (None, None) => Ok(None),
        (Some(p50), Some(p90)) => Ok(Some(Promise {
            p50: duration_from_wire(p50, "p50")?,
            p90: duration_from_wire(p90, "p90")?,
        })),
        (None, Some(_)) => Err(WireError::Missing("p50")),
        (Some(_), None) => Err(WireError::Missing("p90")),
    }
}

fn id(id: u64, field: &'static str) -> Result<u64, WireError> {
    if id == 0 {
        Err(WireError::Missing(field))
    } else {
        Ok(id)
    }
}

fn text(text: String, field: &'static str) -> Result<String, WireError> {
    if text.chars().count() > TEXT {
        Err(WireError::Invalid(field))
    } else {
        Ok(text)
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT).collect()
}

fn caller_to_wire(caller: &Caller) -> (String, String) {
    let number = caller.number.as_ref().map(PhoneNumber::reveal);
    let name = caller.name.as_ref().map(DisplayName::reveal);
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    (text(number), text(name))
}

fn caller_from_wire(number: &str, name: &str) -> Caller {
    Caller {
        number: (!number.is_empty()).then(|| PhoneNumber::new(number)),
        name: (!name.is_empty()).then(|| DisplayName::new(name)),
    }
}

macro_rules! reasons {
    ($to:ident, $from:ident, $Ours:ident, $Theirs:path, { $($reason:ident),* $(,)? }) => {
        fn $to(reason: $Ours) -> $Theirs {
            use $Theirs as Theirs;
            match reason { $($Ours::$reason => Theirs::$reason),* }
        }

        fn $from(reason: $Theirs) -> Result<$Ours, WireError> {
            use $Theirs as Theirs;
            match reason {
                $(Theirs::$reason => Ok($Ours::$reason),)*
                Theirs::Unspecified => Err(WireError::Missing("reason")),
            }
        }
    };
}

reasons!(leave_to_wire, leave_from_wire, LeaveReason, v1::LeaveReason, {
    Abandoned, Key, TimedOut, Failed, PeerLost,
});
reasons!(refuse_to_wire, refuse_from_wire, RefuseReason, v1::RefuseReason, {
    Ignored, Busy, Rejected, Unreachable, Withdrawn,
});
reasons!(outcome_to_wire, outcome_from_wire, CallOutcome, v1::CallOutcome, {
    CallerHungUp, Completed, Cancelled, Refused,
    PeerLost, GatewayLost, Stopped,
});
reasons!(flaw_to_wire, flaw_from_wire, RecordingFlaw, v1::RecordingFlaw, {
    DiskFull, DiskFailed, Overrun, Killed,
});
reasons!(hearing_to_wire, hearing_from_wire, Hearing, v1::Hearing, {
    Whole, Cut,
});
reasons!(exit_to_wire, exit_from_wire, ExitReason, v1::ExitReason, {
    TimedOut, Nobody, Failed,
});

#[cfg(test)]
mod tests;
reasons!(rise_to_wire, rise_from_wire, RiseReason, v1::RiseReason, {
    FewerOperators, CallersAhead, LongerCalls, Unknown,
});
