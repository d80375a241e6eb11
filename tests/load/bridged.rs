//! A bridged call: caller and operator, RTP both ways on both legs. Processor time per second of one call, as it is and
//! with its recording.

use crate::account::Window;
use crate::kit::centre::{Centre, PASSWORD, Plan};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE};
use crate::kit::message::sdp;
use crate::kit::phone::{Call, PATIENCE, Phone};
use crate::playing::{MEASURED, SETTLE, SHARE, begin, listen};
use crate::stream::{Cadence, Stream};
use crate::{SERVER, medians};

pub(crate) fn report(sizes: &[usize], runs: usize) {
    println!("bridged calls: processor time per second of one call");
    for &calls in sizes {
        for record in [false, true] {
            let [cost, there, lost] = medians(runs, || measure(calls, record));
            println!(
                "  {calls:4} calls, {:12}: {cost:.3} ms/s; there {:.2} %, lost {:.3} %",
                if record { "recorded" } else { "not recorded" },
                there * 100.0,
                lost * 100.0,
            );
        }
    }
}

fn measure(calls: usize, record: bool) -> [f64; 3] {
    let operators = (0..calls).map(|number| (&*format!("op{number}").leak(), &["support"] as &[_]));
    let plan = Plan {
        operators: operators.collect(),
        processor: Some(SERVER),
        record,
        ..Plan::default()
    };
    let centre = Centre::open(&plan);
    let mut phone = Phone::open("load", centre.ip(CALLER), centre.sip());
    let streams = |host| -> Vec<Stream> {
        (0..calls.div_ceil(SHARE))
            .map(|_| Stream::open(centre.ip(host), true))
            .collect()
    };
    let (callers, desks) = (streams(CALLER), streams(PHONE));
    let mut up: Vec<(Call, Phone)> = Vec::with_capacity(calls);
    for number in 0..calls {
        // The others are talking: this one is the only one who is free.
        let mut operator = Phone::open(&format!("op{number}"), centre.ip(PHONE), centre.sip());
        assert_eq!(
            operator.register(PASSWORD, 600),
            Some(200),
            "operator {number} cannot register"
        );
        let call = begin(&mut phone, &callers[number / SHARE]);
        let ringing = operator.rung(PATIENCE).expect("the operator's phone rings");
        let desk = &desks[number / SHARE];
        operator.answer_with(&ringing, &sdp(desk.local(), &[Law::Mu]));
        assert!(operator.acknowledged(&ringing, PATIENCE));
        desk.add(ringing.invite().media().expect("the INVITE offers audio").0);
        up.push((call, operator));
    }
    listen(&mut phone, SETTLE);
    let both = || callers.iter().chain(&desks);
    both().for_each(Stream::begin);
    let window = Window::open(centre.pid());
    listen(&mut phone, MEASURED);
    let (used, passed) = window.close();
    let cadences: Vec<Cadence> = both().flat_map(Stream::cadences).collect();
    for (call, _) in &mut up {
        assert!(phone.hang_up(call), "a call is gone");
    }
    centre.close_now();
    let sum = |part: fn(&Cadence) -> u64| cadences.iter().map(part).sum::<u64>() as f64;
    let expected = 2.0 * calls as f64 * passed * 50.0;
    [
        used / (calls as f64 * passed),
        sum(|c| c.received) / expected,
        sum(|c| c.lost) / expected,
    ]
}
