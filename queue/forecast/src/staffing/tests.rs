//! Against what is published, and against the birth–death chain itself.

use super::*;

/// The same by brute force: the stationary distribution of the birth–death chain, and for each number of callers found
/// waiting the chance to be answered in time, by stepping a tagged caller through the departures ahead (Runge–Kutta).
fn chain(load: &Load, operators: u32, within: f64) -> Service {
    let (lambda, mu) = (load.arrivals, 1.0 / load.handling);
    let theta = load.patience.map_or(0.0, |patience| 1.0 / patience);
    let s = operators as usize;
    let leaves = |n: usize| n.min(s) as f64 * mu + n.saturating_sub(s) as f64 * theta;
    let mut weights = vec![1.0];
    while weights.len() < s + 4000 {
        let n = weights.len();
        weights.push(weights[n - 1] * lambda / leaves(n));
        if weights[n] > 1e200 {
            weights.iter_mut().for_each(|weight| *weight /= 1e200);
        }
    }
    let total: f64 = weights.iter().sum();
    let share: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
    let waiting: f64 = (s..share.len()).map(|n| (n - s) as f64 * share[n]).sum();
    let waits: f64 = share[s..].iter().sum();
    // chance[k]: answered by now, of a tagged caller who found k ahead at time 0; d/dt of place i: next departure.
    let steps = 4000;
    let (dt, most) = (within / f64::from(steps), 400.min(share.len() - s));
    let mut answered = vec![0.0; most];
    let slope = |answered: &[f64]| -> Vec<f64> {
        let at = |k: usize| if k == 0 { 1.0 } else { answered[k - 1] };
        let rate = |k: usize| s as f64 * mu + k as f64 * theta;
        (0..most)
            .map(|k| rate(k) * (at(k) - answered[k]) - theta * answered[k])
            .collect()
    };
    let along = |answered: &[f64], slope: &[f64], dt: f64| -> Vec<f64> {
        answered
            .iter()
            .zip(slope)
            .map(|(value, slope)| value + dt * slope)
            .collect()
    };
    for _ in 0..steps {
        let k1 = slope(&answered);
        let k2 = slope(&along(&answered, &k1, dt / 2.0));
        let k3 = slope(&along(&answered, &k2, dt / 2.0));
        let k4 = slope(&along(&answered, &k3, dt));
        for (index, value) in answered.iter_mut().enumerate() {
            *value += dt / 6.0 * (k1[index] + 2.0 * k2[index] + 2.0 * k3[index] + k4[index]);
        }
    }
    let late: f64 = (0..most).map(|k| share[s + k] * answered[k]).sum();
    Service {
        waits,
        in_time: 1.0 - waits + late,
        hang_ups: theta * waiting / lambda,
        wait: waiting / lambda,
        occupancy: (0..share.len()).map(|n| n.min(s) as f64 * share[n]).sum::<f64>() / s as f64,
    }
}

fn near(found: f64, exact: f64, what: &str) {
    assert!(
        (found - exact).abs() < 1e-6 * exact.abs().max(1.0),
        "{what}: {found}, exactly {exact}"
    );
}

#[test]
fn the_formulas_are_the_birth_death_chain() {
    for (arrivals, handling, patience, operators, within) in [
        (0.8, 60.0, Some(120.0), 50, 20.0),
        (1.4, 10.0, Some(10.0), 10, 5.0),
        (0.5, 180.0, Some(300.0), 80, 30.0),
        (0.01, 240.0, Some(90.0), 3, 20.0),
        (0.02, 240.0, Some(2000.0), 3, 60.0),
        (0.8, 60.0, None, 55, 20.0),
        (0.01, 240.0, None, 4, 20.0),
    ] {
        let load = Load {
            arrivals,
            handling,
            patience,
        };
        let (found, exact) = (
            load.served_by(operators, within).unwrap(),
            chain(&load, operators, within),
        );
        near(found.waits, exact.waits, "waits");
        near(found.in_time, exact.in_time, "in time");
        near(found.hang_ups, exact.hang_ups, "hang-ups");
        near(found.wait, exact.wait, "wait");
        near(found.occupancy, exact.occupancy, "occupancy");
    }
}

/// Garnett, Mandelbaum & Reiman 2002, table 1: 50 operators, 48 calls a minute of 1 min each, patience 2 min. M/M/N: wait
/// 20.8 s, utilisation 96 %; M/M/N+M: 3.1 % hang up, wait 3.7 s, utilisation 93 %.
#[test]
fn table_1_of_garnett_mandelbaum_and_reiman_is_found() {
    let patient = Load {
        arrivals: 0.8,
        handling: 60.0,
        patience: None,
    };
    let erlang_c = patient.served_by(50, 20.0).unwrap();
    assert!((erlang_c.wait - 20.8).abs() < 0.05, "{erlang_c:?}");
    assert!((erlang_c.occupancy - 0.96).abs() < 1e-9, "{erlang_c:?}");
    let load = Load {
        patience: Some(120.0),
        ..patient
    };
    let erlang_a = load.served_by(50, 20.0).unwrap();
    assert!((erlang_a.hang_ups - 0.031).abs() < 0.0005, "{erlang_a:?}");
    assert!((erlang_a.wait - 3.7).abs() < 0.05, "{erlang_a:?}");
    assert!((erlang_a.occupancy - 0.93).abs() < 0.005, "{erlang_a:?}");
}

/// Whoever hardly ever hangs up is as good as Erlang-C, from below and without a leap.
#[test]
fn erlang_c_is_the_limit_of_long_patience() {
    let load = |patience| Load {
        arrivals: 0.1,
        handling: 200.0,
        patience,
    };
    let limit = load(None).served_by(23, 20.0).unwrap();
    let mut before = 1.0;
    for patience in [1e3, 1e4, 1e5, 1e6] {
        let found = load(Some(patience)).served_by(23, 20.0).unwrap();
        let off = (found.waits - limit.waits).abs();
        assert!(off < before && found.waits < limit.waits, "{patience}: {found:?}");
        before = off;
    }
    assert!(before < 1e-3, "{before}");
    assert_eq!(load(None).served_by(20, 20.0), None, "without an end");
    let overloaded = load(Some(1e7)).served_by(10, 20.0).unwrap();
    assert!(
        (overloaded.hang_ups - 0.5).abs() < 1e-3,
        "half of them, however long they wait: {overloaded:?}"
    );
}

#[test]
fn one_fewer_would_not_do() {
    let target = Target {
        share: 0.8,
        within: 20.0,
        hang_ups: 0.05,
    };
    for erlangs in [0.3, 2.0, 10.0, 47.0, 300.0, 2500.0] {
        for patience in [None, Some(60.0), Some(600.0)] {
            let load = Load {
                arrivals: erlangs / 240.0,
                handling: 240.0,
                patience,
            };
            let (operators, service) = load.needed(target).unwrap();
            assert!(
                service.in_time >= 0.8 && service.hang_ups <= 0.05,
                "{erlangs} {service:?}"
            );
            if let Some(fewer) = load.served_by(operators - 1, 20.0) {
                assert!(
                    fewer.in_time < 0.8 || fewer.hang_ups > 0.05,
                    "{erlangs} {fewer:?}"
                );
            }
        }
    }
}

#[test]
fn more_operators_never_serve_worse() {
    for patience in [None, Some(30.0), Some(300.0)] {
        let load = Load {
            arrivals: 0.1,
            handling: 200.0,
            patience,
        };
        let served: Vec<Service> = (1..60).filter_map(|s| load.served_by(s, 20.0)).collect();
        for pair in served.windows(2) {
            assert!(pair[1].in_time >= pair[0].in_time - 1e-9, "{pair:?}");
            assert!(pair[1].hang_ups <= pair[0].hang_ups + 1e-9, "{pair:?}");
        }
    }
}

#[test]
fn nonsense_has_no_answer() {
    for (arrivals, handling) in [
        (0.0, 60.0),
        (-1.0, 60.0),
        (f64::NAN, 60.0),
        (1.0, 0.0),
        (f64::INFINITY, 1.0),
    ] {
        let load = Load {
            arrivals,
            handling,
            patience: Some(60.0),
        };
        assert_eq!(load.served_by(5, 20.0), None);
        let target = Target {
            share: 0.8,
            within: 20.0,
            hang_ups: 1.0,
        };
        assert_eq!(load.needed(target), None);
    }
}
