//! At the limit, and at the end: new calls are refused early, those that are up are untouched.

use std::thread;
use std::time::{Duration, Instant};

use super::{EVERY_WAY, Item, LIMIT, LINGER, Run, Way, has_records};
use crate::kit::centre::{Centre, ITALIAN, Plan};
use crate::kit::phone::PATIENCE;

/// Long enough for whatever is asked meanwhile.
const HELD: Item = Item::new(
    "held",
    ITALIAN,
    "
    > INVITE sdp
    < 200
    > ACK
    = 9000
    > BYE
    < 200
    ",
);

const REFUSED: Item = Item::refused(
    "refused_for_now",
    ITALIAN,
    "
    > INVITE sdp
    < 503
      ~ Retry-After: [1-9]
    > ACK refused
    ",
);

/// Plays `items` over each way while two calls are up, which must end as they would have without.
fn while_two_are_up(centre: &Centre, items: &[Item], before: impl Fn(&Centre)) -> Vec<Run> {
    let held = [(Way::Udp, 0), (Way::Tcp, 1)].map(|(way, number)| Run::new(HELD, way, number));
    let (server, ground) = (centre.sip(), &centre.ground);
    thread::scope(|scope| {
        let calls: Vec<_> = held
            .iter()
            .map(|run| scope.spawn(|| run.play(ground, server)))
            .collect();
        let mut clock = centre.caller(60);
        let deadline = Instant::now() + 2 * PATIENCE;
        while centre.figure("pronto_sip_dialogs") != 2.0 {
            assert!(Instant::now() < deadline, "two calls are up");
            let _ = clock.receive(Duration::from_millis(50), |_| false);
        }
        before(centre);
        let each = items
            .iter()
            .flat_map(|item| EVERY_WAY.iter().map(move |way| (*item, *way)));
        for (number, (item, way)) in (2..).zip(each) {
            let verdict = Run::new(item, way, number).play(ground, server);
            assert_eq!(verdict, Ok(()));
        }
        for call in calls {
            assert_eq!(
                call.join().expect("it does not panic"),
                Ok(()),
                "a call that was up"
            );
        }
    });
    held.into()
}

#[test]
fn at_the_trunks_limit_calls_are_503_and_those_that_are_up_are_untouched() {
    let mut centre = Centre::open(&Plan {
        trunk_calls: Some(2),
        ..Plan::default()
    });
    let alive = Item::refused("options", ITALIAN, "> OPTIONS\n< 200");
    let held = while_two_are_up(&centre, &[REFUSED, alive], |_| {});
    for gauge in ["pronto_calls", "pronto_sip_dialogs", "pronto_sip_transactions"] {
        centre.until_within(LINGER, &format!("no {gauge} is left"), |centre| {
            centre.figure(gauge) == 0.0
        });
    }
    let again = Run::new(HELD, Way::Udp, 40);
    let again = Run {
        item: Item::new("again", ITALIAN, "> INVITE sdp\n< 200\n> ACK\n> BYE\n< 200"),
        ..again
    };
    assert_eq!(
        again.play(&centre.ground, centre.sip()),
        Ok(()),
        "there is room again"
    );
    centre.until("every call has its record", |centre| {
        let calls = centre.calls(&["--json", "--numbers"]);
        held.iter()
            .chain([&again])
            .all(|run| has_records(&calls, run).is_ok())
    });
    let calls = centre.calls(&["--json", "--numbers"]);
    assert_eq!(calls.len(), 3, "what was refused is no call: {calls:?}");
    centre.close();
}

#[test]
fn a_draining_gateway_refuses_calls_and_options_finishes_what_is_up_and_ends() {
    let mut centre = Centre::open(&Plan::default());
    let away = Item::refused("options", ITALIAN, "> OPTIONS\n< 503\n ~ Retry-After: [1-9]");
    let held = while_two_are_up(&centre, &[REFUSED, away], |centre| centre.signal("TERM"));
    let status = centre.wait_for_exit(LIMIT.min(Duration::from_secs(45)));
    assert!(
        status.is_some_and(|status| status.success()),
        "with the last call gone: {status:?}"
    );
    let calls = centre.calls(&["--json", "--numbers"]);
    assert_eq!(calls.len(), 2, "{calls:?}");
    for run in &held {
        assert_eq!(has_records(&calls, run), Ok(()));
    }
}
