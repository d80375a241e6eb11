//! Operators and callers: how long from a caller's INVITE to a free operator's ACK, and from an operator's end of one
//! talk to the ACK of the next while others wait.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::account::Window;
use crate::kit::centre::{Centre, PASSWORD, Plan, STRAIGHT};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE};
use crate::kit::message::sdp;
use crate::kit::phone::{PATIENCE, Phone};
use crate::stream::Stream;
use crate::{SERVER, asterisk, medians};

const OPERATORS: usize = 100;
const MEASURED: Duration = Duration::from_secs(15);
const SETTLE: Duration = Duration::from_secs(5);

fn plan() -> Plan {
    let operators = (0..OPERATORS)
        .map(|number| (&*format!("op{number}").leak(), &["support"] as &[_]))
        .collect();
    Plan {
        operators,
        processor: Some(SERVER),
        wrap_up: "0s",
        ..Plan::default()
    }
}

/// How long an operator talks: 0.5 to 1.5 s, the same every time for the same dice.
struct Talk(u64);

impl Talk {
    fn next(&mut self) -> Duration {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(500 + (self.0 >> 33) % 1_000)
    }
}

#[derive(Default)]
struct Shared {
    done: AtomicBool,
    answered: AtomicU64,
    /// From the BYE that ended a talk to the ACK that began the next.
    idle: Mutex<Vec<Duration>>,
}

/// The phones of all operators, each with a thread: answer, talk, hang up, again.
fn operators(
    centre: &Centre,
    sink: &Stream,
    shared: &Arc<Shared>,
    acks: &Sender<Instant>,
) -> Vec<JoinHandle<()>> {
    let answer = sdp(sink.local(), &[Law::Mu]);
    let start = |number: usize| {
        let mut phone = Phone::open(&format!("op{number}"), centre.ip(PHONE), centre.sip());
        let registered = phone.register(PASSWORD, 600);
        assert_eq!(registered, Some(200), "operator {number} cannot register");
        let (shared, acks, answer) = (Arc::clone(shared), acks.clone(), answer.clone());
        thread::spawn(move || work(&mut phone, &mut Talk(number as u64), &shared, &acks, &answer))
    };
    (0..OPERATORS).map(start).collect()
}

fn work(phone: &mut Phone, talk: &mut Talk, shared: &Shared, acks: &Sender<Instant>, answer: &str) {
    let mut free: Option<Instant> = None;
    while !shared.done.load(Ordering::Relaxed) {
        let Some(mut call) = phone.rung(Duration::from_millis(200)) else {
            continue;
        };
        phone.answer_with(&call, answer);
        if !phone.acknowledged(&call, PATIENCE) {
            continue;
        }
        let now = Instant::now();
        let _ = acks.send(now);
        shared.answered.fetch_add(1, Ordering::Relaxed);
        if let Some(free) = free {
            shared.idle.lock().unwrap().push(now - free);
        }
        // The caller does not hang up; whatever comes meanwhile is answered.
        let _ = phone.receive(talk.next(), |_| false);
        free = Some(Instant::now());
        phone.hang_up(&mut call);
        phone.forget();
    }
}

/// A caller who calls again as soon as the talk is over.
fn caller(mut phone: Phone, body: String, shared: Arc<Shared>) -> JoinHandle<()> {
    thread::spawn(move || {
        while !shared.done.load(Ordering::Relaxed) {
            let mut call = phone.invite_with(STRAIGHT, &body);
            let answered = phone
                .final_response(&mut call, PATIENCE)
                .and_then(|last| last.status());
            if answered != Some(200) {
                continue;
            }
            while phone.hung_up_by_them(&call, Duration::from_millis(500)).is_none() {
                if shared.done.load(Ordering::Relaxed) {
                    phone.hang_up(&mut call);
                    return;
                }
            }
            phone.forget();
        }
    })
}

pub(crate) fn report_offers(runs: usize) {
    println!("an operator is free: caller's INVITE to operator's ACK, 30 calls/s, {OPERATORS} operators");
    let [p50, p99, cost, calls] = medians(runs, offers);
    println!(
        "  p50 {p50:.2}, p99 {p99:.2} ms; {cost:.2} ms of processor time per call; {calls:.0} calls{}",
        asterisk(Some("p50 2.8, p99 4.6 ms; 6.05 ms per call"))
    );
}

fn offers() -> [f64; 4] {
    let centre = Centre::open(&plan());
    let sink = Stream::open(centre.ip(CALLER), false);
    let shared = Arc::new(Shared::default());
    let (acks, acknowledged) = channel();
    let threads = operators(&centre, &sink, &shared, &acks);
    let mut phone = Phone::open("load", centre.ip(CALLER), centre.sip());
    let body = sdp(sink.local(), &[Law::Mu]);
    let (mut waits, start) = (Vec::new(), Instant::now());
    let mut window = None;
    for turn in 1.. {
        let asked = Instant::now();
        if asked - start > SETTLE + MEASURED {
            break;
        }
        if window.is_none() && asked - start > SETTLE {
            waits.clear();
            window = Some(Window::open(centre.pid()));
        }
        let mut call = phone.invite_with(STRAIGHT, &body);
        phone
            .final_response(&mut call, PATIENCE)
            .expect("a final response");
        waits.push(
            acknowledged
                .recv_timeout(PATIENCE)
                .expect("a free operator answers")
                - asked,
        );
        // 30 a second; the talk goes on, the operator ends it.
        let next = start + Duration::from_secs_f64(f64::from(turn) / 30.0);
        let _ = phone.receive(next.saturating_duration_since(Instant::now()), |_| false);
        answer_hang_ups(&mut phone);
    }
    let (used, _) = window.expect("the loop goes on past settling").close();
    finish(&shared, threads);
    let calls = waits.len() as f64;
    [
        percentile(&mut waits, 50),
        percentile(&mut waits, 99),
        used / calls,
        calls,
    ]
}

/// One phone has all the calls of this driver: their BYEs are answered as they come.
fn answer_hang_ups(phone: &mut Phone) {
    while phone.any_hang_up() {}
    phone.forget();
}

pub(crate) fn report_queue(waiting: &[usize], runs: usize) {
    println!("operator free to next caller connected: {OPERATORS} operators, talk 0.5 to 1.5 s");
    for &waiting in waiting {
        let [p50, p90, p99, rate, cost] = medians(runs, || queue(waiting));
        println!(
            "  {waiting:3} waiting: p50 {p50:.2}, p90 {p90:.2}, p99 {p99:.2} ms; {rate:.1} calls/s (ideal {OPERATORS}), \
             {cost:.2} ms of processor time per call{}",
            asterisk(peer(waiting)),
        );
    }
}

/// It looks at each waiting caller once a second; a freed operator wakes nobody.
fn peer(waiting: usize) -> Option<&'static str> {
    match waiting {
        50 => Some("p50 335, p90 690, p99 915 ms; 73.4 calls/s, 12.3 ms"),
        200 => Some("p50 1030, p99 2431 ms; 43.7 calls/s, 21.5 ms"),
        _ => None,
    }
}

fn queue(waiting: usize) -> [f64; 5] {
    let centre = Centre::open(&plan());
    let sinks: Vec<Stream> = (0..10).map(|_| Stream::open(centre.ip(CALLER), false)).collect();
    let shared = Arc::new(Shared::default());
    let (acks, acknowledged) = channel();
    let mut threads = operators(&centre, &sinks[0], &shared, &acks);
    for number in 0..OPERATORS + waiting {
        let phone = Phone::open("load", centre.ip(CALLER), centre.sip());
        let body = sdp(sinks[number % sinks.len()].local(), &[Law::Mu]);
        threads.push(caller(phone, body, Arc::clone(&shared)));
    }
    pass(&acknowledged, SETTLE);
    shared.idle.lock().unwrap().clear();
    let before = shared.answered.load(Ordering::Relaxed);
    let window = Window::open(centre.pid());
    pass(&acknowledged, MEASURED);
    let (used, passed) = window.close();
    let calls = (shared.answered.load(Ordering::Relaxed) - before) as f64;
    let mut idle = std::mem::take(&mut *shared.idle.lock().unwrap());
    finish(&shared, threads);
    let [p50, p90, p99] = [50, 90, 99].map(|rank| percentile(&mut idle, rank));
    [p50, p90, p99, calls / passed, used / calls]
}

/// Lets time pass while the operators report.
fn pass(acknowledged: &Receiver<Instant>, time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        let _ = acknowledged.recv_timeout(left);
    }
}

fn finish(shared: &Shared, threads: Vec<JoinHandle<()>>) {
    shared.done.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("a phone's thread ends well");
    }
}

/// A percentile of the waits, in milliseconds.
fn percentile(waits: &mut [Duration], rank: usize) -> f64 {
    waits.sort();
    let at = (waits.len() * rank / 100).min(waits.len().saturating_sub(1));
    waits
        .get(at)
        .map_or(f64::NAN, |wait| wait.as_secs_f64() * 1_000.0)
}
