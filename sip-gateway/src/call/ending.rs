//! The end of a call: everything it held is released, and exactly one record is written.

use std::time::Duration;

use pronto_ivr as ivr;
use pronto_types::link::{CallOutcome, Event, LeaveReason, Origin};
use pronto_types::{CallId, Time};

use super::state::{Call, LegState};
use super::{AT_ONCE, Gateway};

impl Gateway {
    /// Hangs up on the caller and ends the call.
    pub(super) fn end_call(&mut self, now: Time, call: &mut Call, outcome: CallOutcome) {
        if call.over() {
            return;
        }
        self.sip.hangup(now, call.caller.leg.sip, None);
        self.remove_call(now, call, outcome);
    }

    /// Ends a call whose caller is gone already.
    pub(super) fn remove_call(&mut self, now: Time, call: &mut Call, outcome: CallOutcome) {
        if call.over() {
            return;
        }
        // "connection.disconnect.hangup" reaches the flow; what it still wants is nobody's to hear.
        call.tell_flow(now, ivr::Input::HungUp);
        while call.next_wish().is_some() {}
        let left = match outcome {
            // The caller would have waited on.
            CallOutcome::Stopped => LeaveReason::Failed,
            CallOutcome::PeerLost => LeaveReason::PeerLost,
            _ => LeaveReason::Abandoned,
        };
        self.leave(now, call, left);
        self.sip_legs.remove(&call.caller.leg.sip);
        self.close_media(call.caller.leg.media);
        if let Origin::Operator(operator) = &call.origin {
            self.disengage(&operator.clone());
        }
        let duration = call.answered.map_or(Duration::ZERO, |at| now.since(at));
        let record = Event::CallEnded {
            call: call.id,
            outcome,
            duration,
            digits: call.digits,
        };
        self.write_record(now, call.id, record);
        call.caller.state = LegState::Gone;
    }

    /// The second SIGTERM, or the end of the time to drain: some calls end in each step. Nobody was lost: the records say
    /// that we ended these calls.
    pub(super) fn hang_up_some(&mut self, now: Time) {
        let calls: Vec<CallId> = self.calls.keys().take(AT_ONCE).copied().collect();
        self.ending = !calls.is_empty();
        for id in calls {
            self.with_call(now, id, |gateway, call| {
                gateway.end_call(now, call, CallOutcome::Stopped)
            });
        }
    }

    /// Calls a crashed predecessor left open get their records, some in each step.
    pub(super) fn record_some_lost(&mut self, now: Time) {
        for _ in 0..AT_ONCE {
            let Some(call) = self.lost.pop_first() else { return };
            let (outcome, duration) = (CallOutcome::GatewayLost, Duration::ZERO);
            self.write(
                now,
                Event::CallEnded {
                    call,
                    outcome,
                    duration,
                    digits: 0,
                },
            );
        }
    }
}
