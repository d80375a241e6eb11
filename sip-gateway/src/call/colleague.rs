//! An operator calls a colleague: without flow and queue. The caller hears the phone ring, all phones of the colleague ring, the
//! first to answer has the call, and whoever hangs up ends it for both. One such call at a time: a colleague who is called is
//! offered nobody meanwhile, and nobody may keep a whole centre from its callers.

use std::time::Duration;

use pronto_sip as sip;
use pronto_types::link::{CallOutcome, Origin};
use pronto_types::{CallId, OperatorId, Time};

use super::Gateway;
use super::dial::{Dial, Order};
use super::parting::RungFor;
use super::state::{Call, CallState, Purpose};

/// How long an operator's phones ring for another operator.
const RING: Duration = Duration::from_secs(60);

impl Gateway {
    /// Finds the operator whose id another operator has dialled. A caller from a trunk gets 404.
    pub(super) fn operator_dialled(&self, invite: &sip::Invite) -> Result<OperatorId, sip::Status> {
        let unknown = sip::Status::NOT_FOUND;
        let sip::Identity::Operator(caller) = &invite.from else {
            return Err(unknown);
        };
        let called = OperatorId::new(&invite.dialled).map_err(|_| unknown)?;
        if called == *caller || !self.sip.is_operator(&called) {
            return Err(unknown);
        }
        // The caller's own limit has no status of its own: 403 "SHOULD NOT be repeated" (§21.4.4), this may, and a phone shows
        // what it means (§21.4.24).
        if self.engaged.contains_key(&called) || self.calls_another(caller) {
            return Err(sip::Status::BUSY_HERE);
        }
        if self.sip.bindings(&called).next().is_none() {
            return Err(sip::Status::TEMPORARILY_UNAVAILABLE);
        }
        Ok(called)
    }

    /// Whether an operator has a call to another, ringing or answered.
    fn calls_another(&self, operator: &OperatorId) -> bool {
        let mut calls = self.calls.values();
        calls.any(|call| {
            let caller = matches!(&call.origin, Origin::Operator(who) if who == operator);
            caller && call.is_to_colleague()
        })
    }

    /// The caller's port is open: the caller hears ringing, and the colleague is dialled.
    pub(super) fn call_colleague(&mut self, now: Time, call: &mut Call, operator: OperatorId) {
        self.sip.ring(now, call.caller.leg.sip);
        let number = call.identity.number.as_ref();
        let order = Order {
            call: call.id,
            codec: call.caller.leg.stream.codec(),
            shows: sip::InviteOptions {
                from_user: number.map(|number| number.reveal().to_owned()),
                from_display: call.shown_as().map(str::to_owned),
            },
            operator,
            until: now + RING,
        };
        call.state = CallState::Dialling(Purpose::Colleague, self.dial(order));
    }

    /// No phone took the call: the caller is told why.
    pub(super) fn nobody_answers(&mut self, now: Time, call: &mut Call, status: sip::Status) {
        self.sip.reject(now, call.caller.leg.sip, status, None);
        self.remove_call(now, call, CallOutcome::Refused);
    }

    /// The call is over while the colleague was dialled: the colleague is free when the phones that rang are quiet.
    pub(super) fn stop_calling(&mut self, now: Time, call: CallId, dial: &Dial) {
        let phones = self.stop_dialling(now, dial);
        if phones.is_empty() {
            self.disengage(&dial.operator);
        } else {
            self.await_quiet(now, RungFor::Call(call), dial.operator.clone(), phones);
        }
    }
}
