//! A wait as it is announced: a range of whole minutes. The range announced is the range promised, so announcements and
//! the promise ledger use the rounding defined here.

use std::time::Duration;

/// The longest wait that is said, in minutes.
pub const MOST_MINUTES: u16 = 180;

/// The waits that are announced, in minutes, ascending; the longer the wait, the less exactly it can be foretold. A change
/// would judge old promises by words nobody heard: it needs a new version of the ledger.
const FIGURES: [u16; 31] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 70, 80, 90, 100, 110, 120,
    135, 150, 165, 180,
];

/// Whether a wait of `minutes` minutes is ever announced.
pub fn is_figure(minutes: u16) -> bool {
    FIGURES.contains(&minutes)
}

/// The wait of a caller who would join a queue now, until an operator answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// Half of such callers wait no longer.
    pub p50: Duration,
    /// Eight of ten such callers wait no longer.
    pub p80: Duration,
    /// Nine of ten such callers wait no longer.
    pub p90: Duration,
}

/// The quantile of a forecast's wait: the share of callers who wait no longer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quantile {
    /// That of half of the callers.
    P50,
    /// That of eight of ten.
    #[default]
    P80,
    /// That of nine of ten.
    P90,
}

impl Forecast {
    /// One of its waits.
    pub const fn at(self, quantile: Quantile) -> Duration {
        match quantile {
            Quantile::P50 => self.p50,
            Quantile::P80 => self.p80,
            Quantile::P90 => self.p90,
        }
    }

    /// As it is told; `None`: longer than can be said.
    pub fn said(self) -> Option<WaitRange> {
        WaitRange::from_quantiles(self.p50, self.p90)
    }
}

/// A range of waits in whole minutes, 1 to [`MOST_MINUTES`], the first never above the second. A range from 1 to 1
/// means less than a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitRange {
    low: u16,
    high: u16,
}

impl WaitRange {
    /// From `low` to `high` minutes; `None` unless 1 ≤ `low` ≤ `high` ≤ [`MOST_MINUTES`].
    pub const fn new(low: u16, high: u16) -> Option<Self> {
        if 1 <= low && low <= high && high <= MOST_MINUTES {
            Some(Self { low, high })
        } else {
            None
        }
    }

    /// From the 50 % and the 90 % quantile of the wait still to come, each rounded up, so that what is said holds as
    /// often as the forecast does. A `p90` below `p50` counts as `p50`. `None`: longer than can be said.
    pub fn from_quantiles(p50: Duration, p90: Duration) -> Option<Self> {
        Self::new(figure(p50)?, figure(p90.max(p50))?)
    }

    /// Minutes, 1 to [`MOST_MINUTES`].
    pub const fn low(self) -> u16 {
        self.low
    }

    /// Minutes, `low` to [`MOST_MINUTES`].
    pub const fn high(self) -> u16 {
        self.high
    }

    /// The longest wait that keeps it: what is said is an upper end.
    pub fn longest(self) -> Duration {
        minutes(self.high)
    }

    /// The end of the shorter half: every second caller waits no longer.
    pub fn median(self) -> Duration {
        minutes(self.low)
    }

    /// Every one there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let of = |low| (low..=MOST_MINUTES).filter_map(move |high| Self::new(low, high));
        (1..=MOST_MINUTES).flat_map(of)
    }
}

fn minutes(figure: u16) -> Duration {
    Duration::from_secs(60 * u64::from(figure))
}

/// The first figure that is not too short. A whole minute is no longer "less than a minute".
fn figure(wait: Duration) -> Option<u16> {
    let minute = Duration::from_secs(60);
    let holds = |figure: u16| match figure {
        1 => wait < minute,
        more => wait <= minute * u32::from(more),
    };
    FIGURES.into_iter().find(|figure| holds(*figure))
}
