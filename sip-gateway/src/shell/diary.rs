//! Log lines for an administrator: calls that begin and end, and refused requests.
//!
//! Callers' numbers are masked. Lines that strangers can cause are limited: one for each source in ten seconds, and ten
//! a second in all. The next line gives the number left out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use memchr::memmem;
use pronto_sip::Flow;
use pronto_types::link::{CallOutcome, Event, Origin};
use pronto_types::{CallId, OperatorId, RateLimit, Time, source_of};

/// Lines about calls at once, regained in a second: a busy centre begins and ends fifty calls in one.
const CALLS: u32 = 100;
/// Lines about refusals at once, regained in a second.
const REFUSALS: u32 = 10;
const SECOND: Duration = Duration::from_secs(1);
/// A source (an IPv6 /64 is one) is named once in this time.
const APART: Duration = Duration::from_secs(10);
/// Sources remembered; where there are more, their lines are left out.
const SOURCES: usize = 1_024;

pub(super) struct Diary {
    calls: RateLimit,
    refusals: RateLimit,
    sources: BTreeMap<IpAddr, RateLimit>,
    /// Lines left out of sources that are not remembered.
    forgotten: u64,
}

impl Default for Diary {
    fn default() -> Self {
        Diary {
            calls: RateLimit::new(CALLS, SECOND),
            refusals: RateLimit::new(REFUSALS, SECOND),
            sources: BTreeMap::new(),
            forgotten: 0,
        }
    }
}

impl Diary {
    /// An entry is written in the journal.
    pub(super) fn entry(&mut self, now: Time, event: &Event) {
        if !matches!(event, Event::CallBegan { .. } | Event::CallEnded { .. }) {
            return;
        }
        let Some(left_out) = self.calls.allow(now) else {
            return;
        };
        if left_out > 0 {
            tracing::info!(left_out, "calls began or ended of which no line was written");
        }
        match event {
            Event::CallBegan {
                call,
                dialled,
                caller,
                origin,
            } => {
                let caller = caller.number.as_ref().map(tracing::field::display);
                match origin {
                    Origin::Trunk(trunk) => tracing::info!(%call, %trunk, caller, dialled, "call began"),
                    Origin::Operator(operator) => tracing::info!(%call, %operator, dialled, "call began"),
                }
            }
            Event::CallEnded {
                call,
                outcome,
                duration,
                ..
            } => ended(*call, *outcome, *duration),
            _ => {}
        }
    }

    /// Whether a line may name this source now; if so, how many of its lines were left out since the last.
    fn named(&mut self, now: Time, source: IpAddr) -> Option<u64> {
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&source) {
            let forgotten = &mut self.forgotten;
            self.sources.retain(|_, limit| {
                let stays = !limit.has_room(now);
                if !stays {
                    *forgotten += limit.left_out();
                }
                stays
            });
        }
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&source) {
            self.forgotten += 1;
            return None;
        }
        let new = || RateLimit::new(1, APART);
        self.sources.entry(source).or_insert_with(new).allow(now)
    }

    /// A response is sent; `request` is what is being answered.
    pub(super) fn sent(&mut self, now: Time, flow: Flow, response: &[u8], request: Option<&[u8]>) {
        let Some(refusal) = Refusal::of(response, request) else {
            return;
        };
        let Some(before) = self.named(now, source_of(flow.remote.ip())) else {
            return;
        };
        let Some(left_out) = self.refusals.allow(now) else {
            return;
        };
        let left_out = left_out + std::mem::take(&mut self.forgotten);
        let Refusal {
            status,
            reason,
            method,
            user,
        } = refusal;
        let user = user.as_ref().map(tracing::field::display);
        let (transport, from) = (flow.transport.as_str(), flow.remote);
        if before + left_out > 0 {
            tracing::info!(
                status, reason, method, user, transport, %from, more_from_there = before, more_from_others = left_out, "refused"
            );
        } else {
            tracing::info!(status, reason, method, user, transport, %from, "refused");
        }
    }
}

fn ended(call: CallId, outcome: CallOutcome, duration: Duration) {
    let outcome = match outcome {
        CallOutcome::CallerHungUp => "caller-hung-up",
        CallOutcome::Completed => "completed",
        CallOutcome::Cancelled => "cancelled",
        CallOutcome::Refused => "refused",
        CallOutcome::PeerLost => "peer-lost",
        CallOutcome::GatewayLost => "gateway-lost",
        CallOutcome::Stopped => "stopped",
    };
    let seconds = duration.as_secs();
    tracing::info!(%call, outcome, seconds, "call ended");
}

/// The logged fields of an error response.
struct Refusal<'a> {
    status: u16,
    /// The reason phrase, which is ours; or that a password was wrong.
    reason: &'a str,
    method: &'a str,
    /// The operator whose phone a REGISTER claims to be.
    user: Option<OperatorId>,
}

impl<'a> Refusal<'a> {
    fn of(response: &'a [u8], request: Option<&[u8]>) -> Option<Self> {
        let line = response.strip_prefix(b"SIP/2.0 ")?;
        // Most of what is sent is no response, or no refusal.
        if !matches!(line.first()?, b'4'..=b'6') {
            return None;
        }
        let line = &line[..memchr::memchr(b'\r', line)?];
        let (status, reason) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        let status: u16 = status.parse().ok()?;
        let reason = match status {
            // The first answer to everybody; the second to whoever proved nothing by it.
            401 | 407 => {
                let proof = [&b"\nAuthorization:"[..], b"\nProxy-Authorization:"];
                let request = request?;
                let tried = proof.iter().any(|name| memmem::find(request, name).is_some());
                if !tried || memmem::find(response, b"stale=true").is_some() {
                    return None;
                }
                "wrong password"
            }
            // The caller gave up.
            487 => return None,
            // Refused for its body: told by `notes`, with what is wrong in it.
            415 | 488 => return None,
            _ => reason,
        };
        let cseq = field(response, b"\r\nCSeq:")?;
        let method = cseq.rsplit(' ').next()?;
        let user = (method == "REGISTER").then(|| user(response)).flatten();
        Some(Refusal {
            status,
            reason,
            method,
            user,
        })
    }
}

/// The user of the To field, if it could be an operator's.
fn user(response: &[u8]) -> Option<OperatorId> {
    let to = field(response, b"\r\nTo:")?;
    let (_, rest) = to.split_once("sip")?;
    let (_, rest) = rest.split_once(':')?;
    OperatorId::new(rest.split('@').next()?).ok()
}

/// The value of a header field as we write it.
fn field<'a>(response: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let begin = memmem::find(response, name)? + name.len();
    let rest = &response[begin..];
    let value = &rest[..memchr::memchr(b'\r', rest)?];
    std::str::from_utf8(value).ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: &str) -> Vec<u8> {
        format!(
            "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 192.0.2.9\r\nTo: \"x\" <sip:101@pronto.local>\r\nCSeq: 7 REGISTER\r\n\r\n"
        )
        .into_bytes()
    }

    fn said(status: &str, request: Option<&[u8]>) -> Option<(u16, String)> {
        let response = response(status);
        let refusal = Refusal::of(&response, request)?;
        assert_eq!(refusal.method, "REGISTER");
        assert_eq!(refusal.user, OperatorId::new("101").ok());
        Some((refusal.status, refusal.reason.to_owned()))
    }

    #[test]
    fn a_refusal_is_told_and_a_first_challenge_is_none() {
        let bare = b"REGISTER sip:pronto.local SIP/2.0\r\n\r\n".as_slice();
        let proved = b"REGISTER sip:pronto.local SIP/2.0\r\nAuthorization: Digest x\r\n\r\n".as_slice();
        assert_eq!(said("200 OK", Some(bare)), None);
        assert_eq!(said("401 Unauthorized", Some(bare)), None);
        assert_eq!(said("487 Request Terminated", Some(bare)), None);
        assert_eq!(said("488 Not Acceptable Here", Some(bare)), None);
        let wrong = Some((401, "wrong password".to_owned()));
        assert_eq!(said("401 Unauthorized", Some(proved)), wrong);
        assert_eq!(
            said("403 Forbidden", Some(bare)),
            Some((403, "Forbidden".to_owned()))
        );
        for broken in ["SIP/2.0 4", "SIP/2.0 403 x", "SIP/2.0 4zz x\r\n", "INVITE x", ""] {
            assert!(Refusal::of(broken.as_bytes(), None).is_none(), "{broken}");
        }
    }

    #[test]
    fn a_flood_from_many_sources_costs_no_memory_and_silences_the_log_for_ten_seconds_at_most() {
        let mut diary = Diary::default();
        let source = |n: u32| IpAddr::from(n.to_be_bytes());
        // Each comes twice, and never again: its second line is still to be told.
        for n in (0..4_096).chain(0..4_096) {
            diary.named(Time::from_secs(1_001), source(n));
        }
        assert_eq!(diary.sources.len(), SOURCES);
        let late = source(1 << 20);
        assert_eq!(diary.named(Time::from_secs(1_010), late), None);
        assert_eq!(diary.named(Time::from_secs(1_011), late), Some(0));
        assert_eq!(diary.sources.len(), 1);
        assert_eq!(
            diary.forgotten,
            2 * 4_096 - SOURCES as u64 + 1,
            "all others were counted"
        );
    }

    #[test]
    fn one_ipv6_network_is_one_source() {
        let mut diary = Diary::default();
        let response = response("403 Forbidden");
        for host in 0..100 {
            let flow = Flow {
                transport: pronto_sip::Transport::Udp,
                local: "127.0.0.1:5060".parse().unwrap(),
                remote: format!("[2001:db8::{host:x}]:5060").parse().unwrap(),
            };
            diary.sent(Time::from_secs(1), flow, &response, None);
        }
        assert_eq!(diary.sources.len(), 1);
    }
}
