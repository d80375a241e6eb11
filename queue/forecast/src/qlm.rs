//! The Markovian queue-length estimator with abandonment, QLm (Ibrahim & Whitt 2009, "Real-time delay estimation in
//! overloaded multiserver queues with abandonments"): exact, hence optimal given the callers ahead, when service and
//! patience are exponential.

use crate::wait::Moments;

/// The wait of a caller with `ahead` callers before them, `rate` departures a second from busy operators and
/// `hazard` hang-ups a second of each caller ahead.
///
/// With i callers still ahead the next of them goes after 1/(rate + i·hazard) on average, by an operator or by hanging up:
/// mean Σ 1/(rate + i·hazard), variance Σ 1/(rate + i·hazard)², i = 0 … ahead. Without hazard it is Whitt 1999's
/// QL, (ahead+1)/rate.
pub(crate) fn qlm(ahead: usize, rate: f64, hazard: f64) -> Moments {
    let mut law = Moments {
        mean: 0.0,
        variance: 0.0,
    };
    for i in 0..=ahead {
        let step = 1.0 / (rate + i as f64 * hazard).max(1e-9);
        law.mean += step;
        law.variance += step * step;
    }
    law
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E[W] and E[Var(W|n)] over the callers who find all busy, by the weights of n callers ahead: the birth–death chain
    /// with arrivals at `load`·s and departures s + n·hazard, the unit of time being a mean service.
    fn over_the_chain(operators: f64, load: f64, hazard: f64) -> (f64, f64) {
        let (mut weight, mut total, mut mean, mut error) = (1.0f64, 0.0, 0.0, 0.0);
        let mut law = Moments {
            mean: 0.0,
            variance: 0.0,
        };
        for n in 0..60_000 {
            let step = 1.0 / (operators + f64::from(n) * hazard);
            law = law.plus(Moments {
                mean: step,
                variance: step * step,
            });
            if n < 200 {
                assert_eq!(qlm(n as usize, operators, hazard), law);
            }
            total += weight;
            mean += weight * law.mean;
            error += weight * law.variance;
            weight *= load * operators / (operators + f64::from(n + 1) * hazard);
            if weight < 1e-14 * total && f64::from(n) > operators {
                break;
            }
        }
        (mean / total, error / total)
    }

    #[test]
    fn the_error_without_abandonment_is_the_exact_one_of_m_m_s() {
        // M/M/100: error² of QL in thousandths, and relative to the mean wait.
        for (load, error, relative) in [
            (0.98, 5.000, 0.1414),
            (0.95, 2.000, 0.2236),
            (0.93, 1.429, 0.2646),
            (0.90, 1.000, 0.3162),
            (0.85, 0.667, 0.3873),
        ] {
            let (mean, square) = over_the_chain(100.0, load, 0.0);
            assert!((square * 1e3 - error).abs() < 6e-4, "{load}: {square}");
            assert!((square.sqrt() / mean - relative).abs() < 6e-5, "{load}: {mean}");
        }
    }

    #[test]
    fn the_error_with_abandonment_is_the_exact_one_of_m_m_s_plus_m() {
        for (operators, load, hazard, wait, error, relative) in [
            (10.0, 1.4, 1.0, 0.4510, 0.03673, 0.4250),
            (100.0, 1.4, 1.0, 0.3415, 0.002882, 0.1572),
            (1000.0, 1.4, 1.0, 0.3370, 0.000286, 0.0502),
            (100.0, 1.4, 0.2, 1.6874, 0.01431, 0.0709),
            (100.0, 1.4, 5.0, 0.0768, 0.000635, 0.3281),
            (100.0, 1.2, 1.0, 0.1937, 0.001741, 0.2154),
            (100.0, 1.1, 1.0, 0.1286, 0.001189, 0.2682),
        ] {
            let (mean, square) = over_the_chain(operators, load, hazard);
            assert!(
                (mean - wait).abs() < 6e-5,
                "{operators} {load} {hazard}: mean {mean}"
            );
            assert!(
                (square / error - 1.0).abs() < 2e-3,
                "{operators} {load} {hazard}: {square}"
            );
            assert!(
                (square.sqrt() / mean - relative).abs() < 6e-5,
                "{operators} {load} {hazard}"
            );
        }
    }

    #[test]
    fn more_ahead_lengthens_and_more_operators_or_impatience_shorten() {
        for ahead in 0..50 {
            let here = qlm(ahead, 0.1, 0.002);
            assert!(qlm(ahead + 1, 0.1, 0.002).mean > here.mean);
            assert!(qlm(ahead, 0.11, 0.002).mean < here.mean);
            assert!(qlm(ahead, 0.1, 0.004).mean <= here.mean);
        }
    }
}
