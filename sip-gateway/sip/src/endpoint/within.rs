//! Requests inside a dialog (RFC 3261 §12.2.2): BYE, INFO, OPTIONS; re-INVITE and UPDATE go on in [`super::offers`].

use std::time::Duration;

use bytes::Bytes;
use pronto_types::{Digit, Time};

use super::Endpoint;
use super::reply::{bare, echo};
use super::request::Request;
use crate::api::{EndedBy, Event, LegId, Notice};
use crate::body;
use crate::dialog::leg::{Leg, State};
use crate::identity::{ACCEPT_INFO, LocalIdentity};
use crate::message::{Draft, Fault, Method, Status};
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::tag::Tag;

/// How long a key that came without a duration was held.
const TAP: Duration = Duration::from_millis(100);

impl Endpoint {
    pub(super) fn within(&mut self, now: Time, request: &Request<'_>, tag: Option<Tag>) {
        // "If the UAS wishes to reject the request because it does not wish to recreate the dialog, it MUST respond to the
        // request with a 481."
        let known = self.leg_of(request, tag);
        let Some(id) = known.filter(|id| !matches!(self.legs[id].state, State::Calling(_))) else {
            return self.reply(request, Fault::plain(Status::NO_SUCH_DIALOG), &bare);
        };
        self.with_leg(id, |endpoint, leg| {
            if endpoint.may_go_on(now, leg, request) {
                endpoint.follow_source(now, id, leg, request);
                endpoint.within_leg(now, id, leg, request);
            }
        });
    }

    /// Checks the limits of a dialog and the order of its requests; answers a request that does not pass.
    fn may_go_on(&mut self, now: Time, leg: &mut Leg, request: &Request<'_>) -> bool {
        let is_bye = request.method == Method::BYE;
        if !is_bye && !leg.may_ask(now) {
            self.notice(Notice::Limited(request.flow.remote.ip()));
            self.reply_overload(request);
            return false;
        }
        if !is_bye && self.is_full(2) {
            self.reply_overload(request);
            return false;
        }
        // A BYE with the number of the last request is one that its sender forgot to count. It can only be meant once, and
        // refused it would leave the call up; any other request might be one that was carried out already.
        let cseq = request.essentials.cseq;
        let ends = is_bye && leg.dialog.remote_cseq == Some(cseq);
        let in_order = ends || leg.dialog.take_cseq(cseq);
        if !in_order {
            self.reply_once(now, request, Status::SERVER_INTERNAL_ERROR, &bare);
        }
        in_order
    }

    fn within_leg(&mut self, now: Time, id: LegId, leg: &mut Leg, request: &Request<'_>) {
        match request.method {
            Method::BYE => self.said_bye(now, request, id, leg),
            Method::INVITE | Method::UPDATE => self.reoffered(now, request, id, leg),
            Method::INFO => self.informed(now, request, id, leg),
            Method::OPTIONS => {
                let bytes = self.options_answer(request);
                let tx = self.table.serve(&request.key, request.reply_to);
                self.table.respond(now, tx, Status::OK, bytes, &mut self.out);
            }
            Method::PRACK => {
                // "If the PRACK does not match any unacknowledged reliable provisional response, the UAS MUST respond … with
                // a 481" (RFC 3262 §3): we send none.
                self.reply_once(now, request, Status::NO_SUCH_DIALOG, &bare);
            }
            _ => self.reply_once(now, request, Status::METHOD_NOT_ALLOWED, &LocalIdentity::allow),
        }
    }

    /// Handles a BYE (§15.1.2).
    fn said_bye(&mut self, now: Time, request: &Request<'_>, id: LegId, leg: &mut Leg) {
        self.reply_once(now, request, Status::OK, &bare);
        match &leg.state {
            // A caller may end an early dialog with BYE as well as with CANCEL.
            State::Incoming(incoming) => {
                self.answer_terminated(now, incoming.invite, &incoming.head);
                self.end_leg(now, id, leg);
                let reason = Reason::read(request.message);
                self.tell(Event::Cancelled { leg: id, reason });
            }
            // Ours crosses theirs: ours gets its answer too.
            State::Ending | State::Over => {}
            // We wanted to say BYE as soon as the ACK came.
            State::Answered(_, Some(_)) => {
                self.end_leg(now, id, leg);
                self.tell(Event::Released { leg: id });
            }
            State::Answered(_, None) | State::Up | State::Calling(_) => {
                self.end_leg(now, id, leg);
                let reason = Reason::read(request.message);
                self.tell(Event::Ended {
                    leg: id,
                    by: EndedBy::Bye { reason },
                });
            }
        }
    }

    /// INFO (RFC 6086) with a key in it.
    fn informed(&mut self, now: Time, request: &Request<'_>, id: LegId, leg: &Leg) {
        let kinds = |kind: &str| matches!(kind, "application/dtmf-relay" | "application/dtmf");
        let key = match body::find(request.message, &kinds) {
            Ok(Some((kind, body))) if kind == "application/dtmf-relay" => read_relay(&body),
            Ok(Some((_, body))) => read_key(body.trim_ascii()).map(|digit| (digit, TAP)),
            Ok(None) => return self.reply_once(now, request, Status::OK, &bare),
            Err(refusal) => return self.refuse_info(now, request, refusal),
        };
        match key {
            Some((digit, duration)) => {
                self.reply_once(now, request, Status::OK, &bare);
                if !leg.told && !matches!(leg.state, State::Ending) {
                    self.tell(Event::Digit {
                        leg: id,
                        digit,
                        duration,
                    });
                }
            }
            None => {
                self.dropped.malformed += 1;
                let refusal = Refusal::malformed("", "the body tells no key");
                self.refuse_info(now, request, refusal);
            }
        }
    }

    fn refuse_info(&mut self, now: Time, request: &Request<'_>, refusal: Refusal) {
        let warning = self.identity.warning(&refusal);
        let unsupported = refusal.status == Status::UNSUPPORTED_MEDIA_TYPE;
        self.reply_once(now, request, refusal.status, &|draft: Draft| {
            let draft = draft.raw(&warning);
            if unsupported {
                LocalIdentity::accept(draft, ACCEPT_INFO)
            } else {
                draft
            }
        });
        self.tell(Event::BodyRefused {
            source: request.flow.remote,
            refusal,
        });
    }

    /// A head for a later answer in this dialog.
    pub(super) fn head_of(request: &Request<'_>) -> Bytes {
        Bytes::from(echo(request.message, request.flow.remote, None))
    }

    pub(super) fn plain(status: Status, head: &[u8]) -> Bytes {
        Draft::response(status, "").raw(head).finish(None, b"")
    }
}

/// `Signal=5`, `Duration=160`, one to a line, in any order and case.
fn read_relay(body: &[u8]) -> Option<(Digit, Duration)> {
    let (mut digit, mut duration) = (None, TAP);
    for line in body.split(|b| matches!(b, b'\r' | b'\n')) {
        let Some(equals) = line.iter().position(|b| *b == b'=') else {
            continue;
        };
        let (name, value) = (line[..equals].trim_ascii(), line[equals + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"Signal") {
            digit = Some(read_key(value)?);
        } else if name.eq_ignore_ascii_case(b"Duration") {
            let millis = std::str::from_utf8(value)
                .ok()
                .and_then(|v| v.parse::<u64>().ok())?;
            duration = Duration::from_millis(millis.min(60_000));
        }
    }
    Some((digit?, duration))
}

/// A key as its character, or as its RFC 4733 event number where that has two digits.
fn read_key(value: &[u8]) -> Option<Digit> {
    match value {
        [key] => Digit::from_char(char::from(*key)),
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Digit::from_event((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_every_spelling_the_phones_use() {
        let key = |c: char, ms: u64| Some((Digit::from_char(c).unwrap(), Duration::from_millis(ms)));
        assert_eq!(read_relay(b"Signal=5\r\nDuration=160\r\n"), key('5', 160));
        assert_eq!(read_relay(b"signal= *\nduration=0250"), key('*', 250));
        assert_eq!(read_relay(b"Signal=11"), key('#', 100));
        assert_eq!(read_relay(b"Signal=1\r\nDuration=99999999"), key('1', 60_000));
        assert_eq!(read_relay(b"Signal=\r\n"), None);
        assert_eq!(read_relay(b"Signal=99"), None);
        assert_eq!(read_relay(b"Duration=160"), None);
        assert_eq!(read_key(b"d"), Digit::from_char('D'));
    }
}
