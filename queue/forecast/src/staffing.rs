//! How many operators a load needs: Erlang-A, M/M/s+M (Palm 1957; Garnett, Mandelbaum & Reiman 2002, "Designing a call
//! center with impatient customers"), and Erlang-C, M/M/s, as its limit when nobody hangs up.
//!
//! With λ callers a second, a handling time of 1/μ, patience of 1/θ on average, s operators, offered load a = λ/μ and
//! x = sμ/θ, y = λ/θ: Erlang-B, B(s,a) = 1/E(s) with E(0) = 1, E(s) = 1 + s/a·E(s−1); Palm's
//! A(x,y) = 1 + Σⱼ yʲ/((x+1)…(x+j)) = x·eʸ·y⁻ˣ·γ(x,y);
//!
//! ```text
//! P(wait > 0)       = A·B / (1 + (A−1)·B)                              (Garnett et al. 2002, section 4)
//! P(hangs up | waits) = 1/(ρA) + 1 − 1/ρ,   ρ = λ/(sμ);   E[wait] = P(hangs up)/θ
//! ```
//!
//! The offered wait of who waits has the density w(v)/J, w(v) = exp(λ/θ·(1−e^−θv) − sμv), J = ∫w = A/(sμ) (Baccelli &
//! Hebuterne 1981): the share answered within T is the integral of e^−θv·w(v)/J up to T.

/// The load of a queue: arrivals, handling time and patience.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Callers a second.
    pub arrivals: f64,
    /// How long a call keeps an operator, on average, in seconds: ring, talk and wrap-up.
    pub handling: f64,
    /// How long a caller waits before hanging up, on average, in seconds; `None`: nobody hangs up.
    pub patience: Option<f64>,
}

/// The service that is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// The share of all callers who are answered in time, 0 to 1.
    pub share: f64,
    /// Answer-time target, in seconds.
    pub within: f64,
    /// At most this share hangs up, 0 to 1.
    pub hang_ups: f64,
}

/// How callers fare in the long run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Service {
    /// The share that waits at all.
    pub waits: f64,
    /// The share answered in time.
    pub in_time: f64,
    /// The share that hangs up.
    pub hang_ups: f64,
    /// How long callers wait on average, those not answered too, in seconds.
    pub wait: f64,
    /// The share of their time that operators are on calls.
    pub occupancy: f64,
}

/// More operators than a centre has: the search ends.
const MOST: u32 = 10_000;

impl Load {
    /// Operators' work that comes in each second: the offered load, in Erlang.
    pub fn erlangs(&self) -> f64 {
        self.arrivals * self.handling
    }

    /// The service that callers get from `operators` operators; in time means after at most `within` seconds. `None` if
    /// an input makes no sense, or if nobody hangs up and the operators cannot keep up: then waits grow without end.
    pub fn served_by(&self, operators: u32, within: f64) -> Option<Service> {
        let sane = |value: f64| value.is_finite() && value > 0.0;
        if !sane(self.arrivals) || !sane(self.handling) || operators == 0 || within.is_nan() || within < 0.0 {
            return None;
        }
        let (s, load) = (f64::from(operators), self.erlangs());
        let rho = load / s;
        let lost = 1.0 / erlang_b_inverse(operators, load);
        match self.patience.filter(|patience| sane(*patience)) {
            None if rho >= 1.0 => None,
            None => {
                // Erlang-C: P(wait > 0) = B/(1 − ρ(1−B)), and the wait of who waits is exponential with rate sμ − λ.
                let waits = lost / (1.0 - rho * (1.0 - lost));
                let drain = s / self.handling - self.arrivals;
                Some(Service {
                    waits,
                    in_time: 1.0 - waits * (-drain * within).exp(),
                    hang_ups: 0.0,
                    wait: waits / drain,
                    occupancy: rho,
                })
            }
            Some(patience) => {
                let palm = Palm::new(s * patience / self.handling, self.arrivals * patience);
                let waits = palm.delayed(lost);
                let leave = (1.0 / (rho * palm.value()) + 1.0 - 1.0 / rho).clamp(0.0, 1.0);
                let hang_ups = waits * leave;
                let in_time = self.in_time(s, patience, within, &palm);
                Some(Service {
                    waits,
                    in_time: 1.0 - waits + waits * in_time,
                    hang_ups,
                    wait: hang_ups * patience,
                    occupancy: rho * (1.0 - hang_ups),
                })
            }
        }
    }

    /// The share of waiting callers who are answered in time: Simpson's rule.
    fn in_time(&self, operators: f64, patience: f64, within: f64, palm: &Palm) -> f64 {
        const STEPS: u32 = 4000;
        let (theta, drain) = (1.0 / patience, operators / self.handling);
        let area = palm.logarithm - drain.ln();
        let density = |v: f64| {
            let grown = self.arrivals * patience * -(-theta * v).exp_m1();
            (grown - (drain + theta) * v - area).exp()
        };
        let step = within / f64::from(STEPS);
        let inner: f64 = (1..STEPS)
            .map(|at| {
                let weight = if at % 2 == 1 { 4.0 } else { 2.0 };
                weight * density(f64::from(at) * step)
            })
            .sum();
        ((density(0.0) + inner + density(within)) * step / 3.0).clamp(0.0, 1.0)
    }

    /// The fewest operators who meet the target, and how callers then fare; `None` if none do, or it makes no sense.
    pub fn needed(&self, target: Target) -> Option<(u32, Service)> {
        let meets = |operators: u32| {
            let service = self.served_by(operators, target.within)?;
            let enough = service.in_time >= target.share && service.hang_ups <= target.hang_ups;
            enough.then_some((operators, service))
        };
        // Each further operator helps: the least is found by halves.
        let (mut short, mut enough) = (0, 1);
        while meets(enough).is_none() {
            if enough >= MOST {
                return None;
            }
            (short, enough) = (enough, (enough * 2).min(MOST));
        }
        while enough - short > 1 {
            let middle = short + (enough - short) / 2;
            if meets(middle).is_some() {
                enough = middle;
            } else {
                short = middle;
            }
        }
        meets(enough)
    }
}

/// The inverse of the Erlang B formula, 1/B(s, a).
fn erlang_b_inverse(operators: u32, load: f64) -> f64 {
    (1..=operators).fold(1.0, |inverse, s| 1.0 + f64::from(s) / load * inverse)
}

/// Palm's A(x, y), which overflows when hardly anybody hangs up and the operators cannot keep up: its logarithm does not.
struct Palm {
    logarithm: f64,
}

impl Palm {
    fn new(x: f64, y: f64) -> Self {
        const LARGE: f64 = 1e250;
        let (mut term, mut sum, mut scale) = (1.0, 1.0, 0.0);
        let mut j = 1.0;
        while term > sum * 1e-16 {
            term *= y / (x + j);
            sum += term;
            if sum > LARGE {
                (term, sum, scale) = (term / LARGE, sum / LARGE, scale + LARGE.ln());
            }
            j += 1.0;
        }
        Palm {
            logarithm: sum.ln() + scale,
        }
    }

    /// Infinite where it overflows, which is near enough for what is divided by it.
    fn value(&self) -> f64 {
        self.logarithm.exp()
    }

    /// P(wait > 0), given Erlang-B.
    fn delayed(&self, lost: f64) -> f64 {
        let rest = (1.0 - lost) * (-self.logarithm).exp();
        lost / (lost + rest)
    }
}

#[cfg(test)]
mod tests;
