//! A playing call: the queue's music, RTP both ways. Processor time per second of one call, and whether the cadence
//! holds: at most 0.01 % lost, less than 0.1 % late by 20 ms or more, at least 99 % of the packets there.

use std::time::Duration;

use crate::account::{Window, resident};
use crate::kit::centre::{Centre, Plan, STRAIGHT};
use crate::kit::g711::Law;
use crate::kit::ground::CALLER;
use crate::kit::message::sdp;
use crate::kit::phone::{Call, PATIENCE, Phone};
use crate::stream::{Cadence, Stream};
use crate::{SERVER, asterisk, medians};

/// Calls that share a socket of ours: few enough for its buffer to hold a burst.
pub(crate) const SHARE: usize = 20;
pub(crate) const SETTLE: Duration = Duration::from_secs(2);
pub(crate) const MEASURED: Duration = Duration::from_secs(10);

pub(crate) fn report(sizes: &[usize], runs: usize) {
    println!("playing calls (music): processor time per second of one call; memory per call");
    for both in [true, false] {
        for &calls in sizes {
            let [cost, memory, there, lost, late] = medians(runs, || measure(calls, both));
            println!(
                "  {calls:4} calls, {:12}: {cost:.3} ms/s, {memory:.0} KiB; there {:.2} %, lost {:.3} %, late {:.3} %{}",
                if both { "RTP both ways" } else { "RTP out only" },
                there * 100.0,
                lost * 100.0,
                late * 100.0,
                asterisk(peer(calls, both)),
            );
        }
    }
}

/// Memory per playing call: the slope between few and many, so that what is there without a call is not in it.
pub(crate) fn report_memory((few, many): (usize, usize), runs: usize) {
    println!("memory per playing call: resident, between {few} and {many} calls, RTP both ways");
    let [slope, at_few, at_many] = medians(runs, || memory(few, many));
    println!(
        "  {slope:.1} KiB per call ({at_few:.0} KiB with {few}, {at_many:.0} KiB with {many})  (Asterisk 158 KiB)"
    );
}

fn memory(few: usize, many: usize) -> [f64; 3] {
    let plan = Plan {
        rona_pause: "1h",
        processor: Some(SERVER),
        ..Plan::default()
    };
    let centre = Centre::open(&plan);
    let _sitter = centre.sitter();
    let mut phone = Phone::open("load", centre.ip(CALLER), centre.sip());
    let streams: Vec<Stream> = (0..many.div_ceil(SHARE))
        .map(|_| Stream::open(centre.ip(CALLER), true))
        .collect();
    let mut up: Vec<Call> = Vec::with_capacity(many);
    let resident_with = [few, many].map(|calls| {
        while up.len() < calls {
            let stream = &streams[up.len() / SHARE];
            up.push(begin(&mut phone, stream));
        }
        listen(&mut phone, 2 * SETTLE);
        resident(centre.pid())
    });
    for call in &mut up {
        assert!(phone.hang_up(call), "a call is gone");
    }
    centre.close();
    let [at_few, at_many] = resident_with;
    [(at_many - at_few) / (many - few) as f64, at_few, at_many]
}

/// A caller who waits on music; where that was not measured, a prompt that plays.
fn peer(calls: usize, both: bool) -> Option<&'static str> {
    match (calls, both) {
        (100, true) => Some("2.56 ms/s on music, 2.88 on a prompt, 158 KiB"),
        (300, true) => Some("2.46 ms/s on a prompt, the most it holds"),
        (100, false) => Some("2.23 ms/s on music, 2.26 on a prompt"),
        _ => None,
    }
}

fn measure(calls: usize, both: bool) -> [f64; 5] {
    let plan = Plan {
        rona_pause: "1h",
        processor: Some(SERVER),
        ..Plan::default()
    };
    let centre = Centre::open(&plan);
    let _sitter = centre.sitter();
    let mut phone = Phone::open("load", centre.ip(CALLER), centre.sip());
    let before = resident(centre.pid());
    let streams: Vec<Stream> = (0..calls.div_ceil(SHARE))
        .map(|_| Stream::open(centre.ip(CALLER), both))
        .collect();
    let mut up: Vec<Call> = (0..calls)
        .map(|index| begin(&mut phone, &streams[index / SHARE]))
        .collect();
    listen(&mut phone, SETTLE);
    streams.iter().for_each(Stream::begin);
    let window = Window::open(centre.pid());
    listen(&mut phone, MEASURED);
    let (used, passed) = window.close();
    let cadences: Vec<Cadence> = streams.iter().flat_map(Stream::cadences).collect();
    let memory = (resident(centre.pid()) - before) / calls as f64;
    for call in &mut up {
        assert!(phone.hang_up(call), "a call is gone");
    }
    centre.close();
    let sum = |part: fn(&Cadence) -> u64| cadences.iter().map(part).sum::<u64>() as f64;
    let (received, lost, late) = (sum(|c| c.received), sum(|c| c.lost), sum(|c| c.late));
    let expected = calls as f64 * passed * 50.0;
    [
        used / (calls as f64 * passed),
        memory,
        received / expected,
        lost / expected,
        late / expected,
    ]
}

pub(crate) fn begin(phone: &mut Phone, stream: &Stream) -> Call {
    let mut call = phone.invite_with(STRAIGHT, &sdp(stream.local(), &[Law::Mu]));
    let last = phone
        .final_response(&mut call, PATIENCE)
        .expect("a final response");
    assert_eq!(last.status(), Some(200), "{}", last.start);
    stream.add(last.media().expect("the answer has audio").0);
    call
}

/// Lets time pass, answering what must be answered.
pub(crate) fn listen(phone: &mut Phone, time: Duration) {
    let _ = phone.receive(time, |_| false);
}
