//! Deliberate faults: each breaks one rule at the place of the rule, so that the worlds can show that they would
//! notice. Without the feature `faults` every question is the constant `false`.

/// A rule broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(
    not(feature = "faults"),
    expect(unreachable_pub, reason = "public with the feature `faults`")
)]
pub enum Fault {
    /// A restarted engine offers before the gateways are back.
    NoSettling,
    /// A gateway is taken to be in step as soon as it says hello.
    NoCatchUp,
    /// The gate lets outputs out before their facts are durable.
    OfferBeforeDurable,
    /// The cursor is not part of the fold: entries are taken twice.
    DroppedCursor,
    /// A withdrawing grant no longer binds its operator.
    WithdrawingFreesOperator,
    /// A restart gives the waiting tickets a new order.
    RestartForgetsSeniority,
    /// An operator who does not answer is ready again at once.
    NoRonaPause,
    /// Tickets of a gateway that is away are offered.
    DetachedEligible,
    /// A refused ticket goes to the end of the queue.
    RefusedToTheBack,
    /// An answer that crosses a withdrawal is ignored.
    AnsweredAfterWithdrawIgnored,
    /// No wrap-up after a talk.
    NoWrapUp,
    /// A gateway that is away is waited for for ever.
    GraceNeverEnds,
    /// An old process of a gateway may attach again.
    EpochNotFenced,
    /// A grant that ran out keeps ticket and operator.
    ExpiredNeverFreed,
    /// Operators freed by a restart though they talk.
    RestartFreesTalking,
    /// Overtaking leaves no fact.
    SilentSkip,
    /// Directives that the gateway missed while away are not sent again.
    NothingSaidAgain,
    /// The last caller is served first.
    LastComeFirstServed,
    /// A figure that rose is announced.
    RisenFigureAnnounced,
    /// A gateway that is gone takes its operators' own calls along, though it may come back with them.
    GoneEndsOwnCalls,
    /// A caller who overflowed from another queue may overflow again.
    OverflowsAgain,
}

impl Fault {
    /// All of them.
    #[cfg(feature = "faults")]
    pub const ALL: [Fault; 21] = [
        Fault::NoSettling,
        Fault::NoCatchUp,
        Fault::OfferBeforeDurable,
        Fault::DroppedCursor,
        Fault::WithdrawingFreesOperator,
        Fault::RestartForgetsSeniority,
        Fault::NoRonaPause,
        Fault::DetachedEligible,
        Fault::RefusedToTheBack,
        Fault::AnsweredAfterWithdrawIgnored,
        Fault::NoWrapUp,
        Fault::GraceNeverEnds,
        Fault::EpochNotFenced,
        Fault::ExpiredNeverFreed,
        Fault::RestartFreesTalking,
        Fault::SilentSkip,
        Fault::NothingSaidAgain,
        Fault::LastComeFirstServed,
        Fault::RisenFigureAnnounced,
        Fault::GoneEndsOwnCalls,
        Fault::OverflowsAgain,
    ];
}

/// The fault that is switched on. Without the feature there are no faults, and the type has no size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Switch(#[cfg(feature = "faults")] Option<Fault>);

impl Switch {
    /// With this fault on.
    #[cfg(feature = "faults")]
    pub(crate) fn on(fault: Fault) -> Self {
        Switch(Some(fault))
    }

    /// Whether this fault is on.
    #[cfg(feature = "faults")]
    pub(crate) fn is(self, fault: Fault) -> bool {
        self.0 == Some(fault)
    }

    /// Always false without the feature.
    #[cfg(not(feature = "faults"))]
    #[inline(always)]
    pub(crate) const fn is(self, _fault: Fault) -> bool {
        false
    }
}
