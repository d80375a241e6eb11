//! How long nothing has come from a phone.

use pronto_types::Time;

/// When the phone last sent something: RTP or RTCP of any kind, also what is not to be heard (hold, comfort noise).
#[derive(Clone, Copy, Debug)]
pub(super) enum Silence {
    /// Nothing is agreed yet.
    Unconfigured,
    /// Something came, or the first agreement was made, at this time.
    Since(Time),
    /// It was said that nothing comes.
    Stalled,
}

impl Silence {
    /// A packet of the phone's that carries nothing to be heard.
    pub(super) fn stirs(&mut self, now: Time) {
        if let Silence::Since(last) = self {
            *last = now;
        }
    }

    /// A packet that says that the phone is there. Returns whether it ends a stall.
    pub(super) fn ends(&mut self, now: Time) -> bool {
        let stalled = matches!(self, Silence::Stalled);
        *self = Silence::Since(now);
        stalled
    }
}
