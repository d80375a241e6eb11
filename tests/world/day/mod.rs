//! A working day of a centre, from a seed: eight hours, ten operators, hundreds of callers who hang up in every
//! state, phones that ring in vain, links that break and a queue service that is killed.

mod books;
mod building;
mod people;
mod self_check;

use std::net::SocketAddr;
use std::time::Duration;

use pronto_types::Time;
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

use crate::phone::Act;
use crate::world::{Happening, World};

pub(crate) use books::Totals;
use books::totals;
use building::build;
use people::{callers, disasters, operators};

/// Monday, 08:00 UTC.
const OPENING: Time = Time::from_secs(1_767_600_000);
/// SIP's timers, the grace and the longest talk are over by then.
const CLOSING: Duration = Duration::from_secs(2 * 3600);

/// How a day is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) hours: u64,
    pub(crate) operators: u32,
    pub(crate) callers_an_hour: f64,
    pub(crate) gateways: u16,
    pub(crate) link_losses: u32,
    pub(crate) queue_restarts: u32,
    pub(crate) gateway_crashes: u32,
    /// Everybody hangs up at the moment somebody else answers or hangs up, within ±50 ms.
    pub(crate) races: bool,
    /// Menus say waits, the flow goes on by them, and who waits too long in one queue goes on in the other.
    pub(crate) by_wait: bool,
}

impl Plan {
    /// The day of the acceptance: 8 h, 10 operators, about 110 callers an hour.
    pub(crate) fn working_day(seed: u64) -> Self {
        Plan {
            seed,
            hours: 8,
            operators: 10,
            callers_an_hour: 110.0,
            gateways: 1,
            link_losses: 5,
            queue_restarts: 2,
            gateway_crashes: 0,
            races: false,
            by_wait: false,
        }
    }

    /// Three hours with too few operators for support, some for sales.
    pub(crate) fn crowded(seed: u64) -> Self {
        Plan {
            hours: 3,
            operators: 6,
            callers_an_hour: 110.0,
            gateways: 2,
            link_losses: 4,
            by_wait: true,
            ..Plan::working_day(seed)
        }
    }

    /// A bad hour: everything breaks, often, with few operators.
    pub(crate) fn bad_hour(seed: u64) -> Self {
        Plan {
            seed,
            hours: 1,
            operators: 4,
            callers_an_hour: 90.0,
            gateways: 2,
            link_losses: 12,
            queue_restarts: 6,
            gateway_crashes: 2,
            races: false,
            by_wait: false,
        }
    }

    /// An hour of races: CANCEL against 200, BYE against BYE, answer against hang-up.
    pub(crate) fn races(seed: u64) -> Self {
        Plan {
            seed,
            hours: 1,
            operators: 10,
            callers_an_hour: 1800.0,
            gateways: 1,
            link_losses: 3,
            queue_restarts: 1,
            gateway_crashes: 0,
            races: true,
            by_wait: false,
        }
    }
}

/// Says which seed it was when a world panics.
struct Told(Plan);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}\n{}", self.0, crate::replay_hint(self.0.seed));
        }
    }
}

/// Plays a day and holds everything against the rules.
pub(crate) fn play(plan: Plan) -> Totals {
    let _seed = Told(plan);
    totals(played(plan), plan)
}

/// The world after a day.
pub(crate) fn played(plan: Plan) -> World {
    let mut dice = ChaCha12Rng::seed_from_u64(plan.seed);
    let mut world = build(plan);
    world.open();
    operators(&mut world, plan, &mut dice);
    callers(&mut world, plan, &mut dice);
    disasters(&mut world, plan, &mut dice);
    let closing = OPENING + Duration::from_secs(plan.hours * 3600);
    world.run_until(closing + CLOSING);
    // The operators go home; 64 s later no timer of SIP runs any more.
    let phones: Vec<SocketAddr> = world.phones.keys().copied().collect();
    for address in phones {
        world
            .agenda
            .plan(world.now, Happening::Act(address, Act::Unregister));
    }
    world.run_until(closing + CLOSING + Duration::from_secs(700));
    world.check_fold();
    world
}
