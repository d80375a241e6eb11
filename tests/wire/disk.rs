//! The disk is full, fails, or its files are taken away: nobody is cut off, nobody is left without an answer.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::kit::centre::{Centre, ITALIAN, MUSIC, PASSWORD, Plan, STRAIGHT, clip};
use crate::kit::disk::Disk;
use crate::kit::ears;
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE};
use crate::kit::phone::{Call, PATIENCE, Phone};
use crate::kit::process::Process;
use crate::kit::rtp::{RtpEndpoint, Sound};
use crate::kit::wav::Wav;

const CALLERS: f64 = 500.0;
const OPERATORS: f64 = 900.0;
const TALKS: u8 = 10;
const WAITING: u8 = 20;
const JOURNAL: &str = "pronto_store_degraded{store=\"journal\"}";
const LEDGER: &str = "pronto_store_degraded{store=\"ledger\"}";

/// Somebody with a phone and a voice, on one call.
struct Person {
    phone: Phone,
    rtp: RtpEndpoint,
    call: Call,
}

impl Person {
    fn calls(centre: &Centre, number: u8, dialled: &str) -> Person {
        let mut phone = centre.caller(number);
        let rtp = RtpEndpoint::open(centre.ip(CALLER + number));
        let call = phone.call(dialled, &rtp, Law::A);
        rtp.say(Sound::Tone(CALLERS));
        Person { phone, rtp, call }
    }

    fn hears_music(&self) -> bool {
        let music = clip("music");
        self.rtp.wait_for_part_of(&music, Instant::now(), MUSIC).is_some()
    }

    fn hears(&self, tone: f64) -> bool {
        self.rtp.wait_for_tone(tone, Instant::now(), PATIENCE).is_some()
    }

    /// Whether a BYE has come. OPTIONS are answered on the way.
    fn is_cut_off(&mut self) -> bool {
        let bye = |message: &crate::kit::message::Message| message.method() == Some("BYE");
        self.phone.receive(Duration::from_millis(1), bye).is_some()
    }

    fn hangs_up(&mut self) {
        assert!(self.phone.hang_up(&mut self.call), "BYE is answered");
    }
}

/// The operator's phone, signed in.
fn desk(centre: &Centre, number: u8) -> (Phone, RtpEndpoint) {
    let phone = centre.operator(&format!("{}", 101 + u16::from(number)), number);
    let rtp = RtpEndpoint::open(centre.ip(PHONE + number));
    rtp.say(Sound::Tone(OPERATORS));
    (phone, rtp)
}

/// Is offered a call and answers.
fn answers((mut phone, rtp): (Phone, RtpEndpoint)) -> Person {
    let call = phone
        .rung(4 * PATIENCE)
        .expect("the operator is offered a caller");
    phone.answer(&call, &rtp);
    assert!(phone.acknowledged(&call, PATIENCE));
    Person { phone, rtp, call }
}

/// Whether they hear one another.
fn talk(caller: &Person, operator: &Person) -> bool {
    caller.hears(OPERATORS) && operator.hears(CALLERS)
}

/// New callers are answered 503, and told when to come back. How many were taken before.
fn are_refused(centre: &Centre, number: u8) -> usize {
    let (mut late, ear) = (
        centre.caller(number),
        RtpEndpoint::open(centre.ip(CALLER + number)),
    );
    for taken in 0..20 {
        let mut call = late.invite(STRAIGHT, &ear, &[Law::A]);
        let last = late.outcome(&mut call, &ear, PATIENCE);
        let last = last.expect("the INVITE has a final response");
        if last.status() == Some(200) {
            assert!(late.hang_up(&mut call));
            continue;
        }
        assert_eq!(last.status(), Some(503), "{}", last.start);
        assert!(last.header("Retry-After").is_some(), "503 says when to come back");
        return taken;
    }
    panic!("new callers are still taken");
}

/// One of the logs has found the disk full; the room of its reserve may be enough for the other.
fn is_full(centre: &mut Centre) {
    centre.until("a log has no room", |centre| {
        centre.figure(JOURNAL) + centre.figure(LEDGER) >= 1.0
    });
}

fn becomes(centre: &mut Centre, figure: &str, value: f64) {
    let patience = Duration::from_secs(30);
    centre.until_within(patience, &format!("{figure} is {value}"), |centre| {
        centre.figure(figure) == value
    });
}

fn ten_operators(record: bool) -> Plan {
    const IDS: [&str; TALKS as usize] = [
        "101", "102", "103", "104", "105", "106", "107", "108", "109", "110",
    ];
    Plan {
        operators: IDS.map(|id| (id, &["support"] as &[&str])).into(),
        record,
        disk: Some(192),
        wrap_up: "0s",
        ring: "60s",
        ..Plan::default()
    }
}

/// Ten talks, and behind them callers with music.
fn a_busy_centre(centre: &Centre, waiting: u8) -> (Vec<(Person, Person)>, Vec<Person>) {
    let mut talks = Vec::new();
    for number in 0..TALKS {
        let desk = desk(centre, number);
        let caller = Person::calls(centre, number, STRAIGHT);
        let operator = answers(desk);
        talks.push((caller, operator));
    }
    assert!(talks.iter().all(|(caller, operator)| talk(caller, operator)));
    let queue = (TALKS..TALKS + waiting).map(|number| Person::calls(centre, number, STRAIGHT));
    (talks, queue.collect())
}

fn nobody_is_cut_off(talks: &mut [(Person, Person)], waiting: &mut [Person]) {
    for (caller, operator) in talks {
        assert!(
            !caller.is_cut_off() && !operator.is_cut_off(),
            "a talk was cut off"
        );
    }
    for caller in waiting {
        assert!(!caller.is_cut_off(), "a waiting caller was cut off");
    }
}

/// One record for each call, and no other.
fn assert_records(centre: &Centre, calls: usize) {
    let records = centre.calls(&["--json"]);
    let id = |line: &String| {
        let (_, rest) = line.split_once("\"call\":\"").expect("a record names its call");
        rest.split('"').next().map(str::to_owned)
    };
    let mut ids: Vec<_> = records.iter().map(id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(
        (records.len(), ids.len()),
        (calls, calls),
        "records, and calls in them: {records:#?}"
    );
}

/// Recordings stop before the logs do, and can be played up to the cut.
fn recordings_are_cut(centre: &Centre) {
    let cut = centre.recordings(usize::from(TALKS), Duration::from_secs(20));
    assert_eq!(
        cut.len(),
        usize::from(TALKS),
        "recordings stop before the logs do"
    );
    for file in &cut {
        let side = Wav::channel(file, 0).expect("it can be played");
        assert!(
            ears::tone(&side.samples[side.samples.len() / 2..], CALLERS) > 0.9,
            "the caller's voice up to the cut"
        );
    }
}

#[test]
fn a_full_disk_cuts_nobody_off_and_new_callers_are_taken_when_there_is_room() {
    if !Disk::is_possible("disk::a_full_disk_cuts_nobody_off_and_new_callers_are_taken_when_there_is_room") {
        return;
    }
    let mut centre = Centre::open(&ten_operators(true));
    let (mut talks, mut waiting) = a_busy_centre(&centre, WAITING);
    assert!(waiting.last().is_some_and(Person::hears_music));
    centre.disk().fill();
    is_full(&mut centre);
    let taken = are_refused(&centre, TALKS + WAITING);
    recordings_are_cut(&centre);
    nobody_is_cut_off(&mut talks, &mut waiting);
    // Ends, offers and answers go on in the room of the reserves.
    waiting.pop().expect("somebody waits").hangs_up();
    for _ in 0..3 {
        let (mut caller, mut operator) = talks.remove(0);
        caller.hangs_up();
        assert!(operator.phone.hung_up_by_them(&operator.call, PATIENCE).is_some());
        let operator = answers((operator.phone, operator.rtp));
        let next = waiting.remove(0);
        assert!(talk(&next, &operator), "the head of the line is served");
        talks.push((next, operator));
    }
    assert!(waiting.last().is_some_and(Person::hears_music));
    assert!(talks.iter().all(|(caller, operator)| talk(caller, operator)));
    nobody_is_cut_off(&mut talks, &mut waiting);
    centre.disk().empty();
    for figure in [JOURNAL, LEDGER] {
        becomes(&mut centre, figure, 0.0);
    }
    centre.until("it says so", |centre| {
        centre.log().contains("the store has room again")
    });
    let last = Person::calls(&centre, TALKS + WAITING + 1, STRAIGHT);
    waiting.push(last);
    // A talk that begins now is recorded again, whole.
    let (mut caller, operator) = talks.remove(0);
    caller.hangs_up();
    let mut operator = operator;
    assert!(operator.phone.hung_up_by_them(&operator.call, PATIENCE).is_some());
    let mut operator = answers((operator.phone, operator.rtp));
    let mut caller = waiting.remove(0);
    assert!(talk(&caller, &operator));
    caller.hangs_up();
    assert!(operator.phone.hung_up_by_them(&operator.call, PATIENCE).is_some());
    let all = usize::from(TALKS) + 1;
    assert_eq!(
        centre.recordings(all, PATIENCE).len(),
        all,
        "recordings begin again"
    );
    drop(operator);
    let everybody = talks.into_iter().map(|(caller, _)| caller).chain(waiting);
    everybody.for_each(|mut caller| {
        // An operator's phone may ring meanwhile; nobody answers it.
        caller.hangs_up();
    });
    let calls = usize::from(TALKS + WAITING) + 1 + taken;
    centre.until("every call has its end", |centre| {
        centre.calls(&["--json", "--outcome", "answered"]).len()
            + centre.calls(&["--json", "--outcome", "abandoned"]).len()
            == calls
    });
    assert_records(&centre, calls);
    let flaws = centre.calls(&["--json"]);
    let truncated = flaws.iter().filter(|line| line.contains("disk-full")).count();
    assert_eq!(
        truncated,
        usize::from(TALKS) + 3,
        "cut short, or not begun: {flaws:#?}"
    );
    centre.close_now();
}

#[test]
fn where_even_the_reserve_is_used_up_talks_and_music_go_on_from_memory() {
    if !Disk::is_possible("disk::where_even_the_reserve_is_used_up_talks_and_music_go_on_from_memory") {
        return;
    }
    let mut centre = Centre::open(&ten_operators(false));
    let (mut talks, mut waiting) = a_busy_centre(&centre, 4);
    centre.disk().fill();
    is_full(&mut centre);
    centre.disk().take_reserves();
    // More than the file systems' pages still hold: each end is some records.
    waiting.pop().expect("somebody waits").hangs_up();
    let (mut caller, mut operator) = talks.remove(0);
    caller.hangs_up();
    assert!(operator.phone.hung_up_by_them(&operator.call, PATIENCE).is_some());
    let mut more = 0;
    while centre.figure(LEDGER) < 2.0 && more < 60 {
        // Whoever registers writes a line.
        assert_eq!(operator.phone.register(PASSWORD, 300), Some(200));
        more += 1;
    }
    assert_eq!(
        centre.figure(LEDGER),
        2.0,
        "the ledger cannot be written:\n{}",
        centre.log()
    );
    let taken = are_refused(&centre, TALKS + WAITING);
    assert!(talks.iter().all(|(caller, operator)| talk(caller, operator)));
    assert!(waiting.iter().all(Person::hears_music));
    nobody_is_cut_off(&mut talks, &mut waiting);
    centre.disk().empty();
    for figure in [JOURNAL, LEDGER] {
        becomes(&mut centre, figure, 0.0);
    }
    // The free operator gets the head of the line; nobody lost the place.
    let operator = answers((operator.phone, operator.rtp));
    let head = waiting.remove(0);
    assert!(talk(&head, &operator), "the head of the line is served first");
    talks.push((head, operator));
    nobody_is_cut_off(&mut talks, &mut waiting);
    waiting.push(Person::calls(&centre, TALKS + WAITING, STRAIGHT));
    let everybody = talks.into_iter().map(|(caller, _)| caller).chain(waiting);
    everybody.for_each(|mut caller| caller.hangs_up());
    let calls = usize::from(TALKS) + 5 + taken;
    centre.until("every call has its end", |centre| {
        centre.calls(&["--json", "--outcome", "answered"]).len()
            + centre.calls(&["--json", "--outcome", "abandoned"]).len()
            == calls
    });
    assert_records(&centre, calls);
    centre.close_now();
}

#[test]
fn a_centre_starts_on_a_full_disk_in_its_reserve_and_says_what_it_needs_without_one() {
    if !Disk::is_possible(
        "disk::a_centre_starts_on_a_full_disk_in_its_reserve_and_says_what_it_needs_without_one",
    ) {
        return;
    }
    let mut centre = Centre::open(&ten_operators(false));
    let mut caller = Person::calls(&centre, 0, STRAIGHT);
    caller.hangs_up();
    let mut taken = 0;
    for signal in ["TERM", "KILL"] {
        centre.signal(signal);
        assert!(centre.wait_for_exit(Duration::from_secs(10)).is_some());
        centre.disk().fill();
        centre.restart();
        becomes(&mut centre, LEDGER, 1.0);
        taken += are_refused(&centre, 1);
        centre.disk().empty();
        becomes(&mut centre, LEDGER, 0.0);
        becomes(&mut centre, JOURNAL, 0.0);
        Person::calls(&centre, 2, STRAIGHT).hangs_up();
    }
    centre.signal("TERM");
    assert!(centre.wait_for_exit(Duration::from_secs(10)).is_some());
    centre.disk().fill();
    centre.disk().take_reserves();
    let said = centre.refuses_to_start();
    assert!(
        said.contains("octets of free room are needed to open it"),
        "{said}"
    );
    centre.disk().empty();
    centre.restart();
    assert_records(&centre, 3 + taken);
    centre.close_now();
}

#[test]
fn a_deleted_log_ends_no_talk_and_the_process_says_why_it_goes() {
    for log in ["ledger", "journal"] {
        let mut centre = Centre::open(&Plan::default());
        let desk = desk(&centre, 0);
        let mut caller = Person::calls(&centre, 0, STRAIGHT);
        let mut operator = answers(desk);
        let mut waiting = Person::calls(&centre, 1, ITALIAN);
        waiting.rtp.press('1');
        assert!(waiting.hears_music());
        let path = centre.ground.directory().join(format!("var/{log}.sqlite"));
        fs::remove_file(&path).expect("it is there");
        let gone = format!("{}` was deleted or replaced", path.display());
        centre.until("it is noticed", |centre| centre.log().contains(&gone));
        are_refused(&centre, 2);
        if log == "ledger" {
            // The flow says where a queue fails: "sorry", and the end.
            let (call, told) = (waiting.call.clone(), Duration::from_secs(30));
            assert!(waiting.phone.hung_up_by_them(&call, told).is_some());
        } else {
            assert!(waiting.hears_music(), "the queue is there");
            waiting.hangs_up();
        }
        assert!(talk(&caller, &operator), "the talk goes on");
        assert!(!caller.is_cut_off() && !operator.is_cut_off());
        caller.hangs_up();
        assert!(operator.phone.hung_up_by_them(&operator.call, PATIENCE).is_some());
        let status = centre.wait_for_exit(Duration::from_secs(20));
        assert_eq!(status.and_then(|status| status.code()), Some(1), "{log}");
        let log = centre.log();
        let last = log.lines().last().unwrap_or_default();
        assert!(last.starts_with("pronto: ") && last.contains(&gone), "{log}");
    }
}

/// From soon on each fsync of the centre fails, or each of one file.
fn fail_fsync(centre: &Centre, file: Option<&str>) -> Process {
    let mut failing = Command::new("strace");
    failing
        .args(["-f", "-q", "-e", "trace=fsync,fdatasync", "-e"])
        .arg("inject=fsync,fdatasync:error=EIO");
    if let Some(file) = file {
        failing.arg("-P").arg(centre.ground.directory().join(file));
    }
    failing
        .args(["-o", "/dev/null", "-p"])
        .arg(centre.pid().to_string());
    Process::start("strace", &mut failing)
}

#[test]
fn a_gateway_whose_journal_failed_serves_who_is_here_and_each_call_has_one_record() {
    let mut centre = Centre::open(&Plan::default());
    let first = desk(&centre, 0);
    let mut caller = Person::calls(&centre, 0, STRAIGHT);
    let mut operator = answers(first);
    let mut next = Person::calls(&centre, 1, STRAIGHT);
    assert!(next.hears_music());
    let failing = fail_fsync(&centre, Some("var/journal.sqlite-wal"));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !centre.log().contains("the journal has failed") {
        assert!(
            Instant::now() < deadline,
            "nothing is injected:\n{}",
            centre.log()
        );
        // A phone that registers writes a line. One that registers too often gets 503, which writes none.
        let registered = operator.phone.register(PASSWORD, 300);
        assert!(matches!(registered, Some(200 | 503)), "{registered:?}");
    }
    let taken = are_refused(&centre, 2);
    assert!(talk(&caller, &operator), "the talk goes on");
    caller.hangs_up();
    assert!(operator.phone.hung_up_by_them(&operator.call, PATIENCE).is_some());
    let mut operator = answers((operator.phone, operator.rtp));
    assert!(talk(&next, &operator), "the next caller is served");
    next.hangs_up();
    assert!(operator.phone.hung_up_by_them(&operator.call, PATIENCE).is_some());
    let status = centre.wait_for_exit(Duration::from_secs(20));
    assert_eq!(status.and_then(|status| status.code()), Some(1));
    drop(failing);
    centre.restart();
    // What the new process says of the old one's calls comes before what it says of a new one.
    Person::calls(&centre, 3, STRAIGHT).hangs_up();
    centre.until("the new call is on the books", |centre| {
        centre.calls(&["--json"]).len() >= 3 + taken
    });
    assert_records(&centre, 3 + taken);
    let answered = centre.calls(&["--json", "--outcome", "answered"]);
    assert_eq!(answered.len(), 2, "{answered:#?}");
    centre.close_now();
}

#[test]
fn a_failed_fsync_is_not_trusted_and_everybody_gets_a_bye_before_the_process_goes() {
    let mut centre = Centre::open(&Plan {
        drain: "6s",
        ring: "60s",
        ..Plan::default()
    });
    let first = desk(&centre, 0);
    let mut caller = Person::calls(&centre, 0, STRAIGHT);
    let mut operator = answers(first);
    let (mut second, _ear) = desk(&centre, 1);
    let mut offered = Person::calls(&centre, 1, STRAIGHT);
    let ringing = second.rung(PATIENCE).expect("the second operator is rung");
    let _failing = fail_fsync(&centre, None);
    // Whoever calls until it has taken hold makes the logs write; then there is nobody new.
    let mut number = 2;
    let deadline = Instant::now() + Duration::from_secs(20);
    while !centre.log().contains("the store stops") {
        assert!(
            Instant::now() < deadline,
            "strace injects nothing:\n{}",
            centre.log()
        );
        let (mut phone, ear) = (
            centre.caller(number),
            RtpEndpoint::open(centre.ip(CALLER + number)),
        );
        let mut call = phone.invite(STRAIGHT, &ear, &[Law::A]);
        let last = phone.outcome(&mut call, &ear, PATIENCE);
        let last = last.expect("every INVITE has a final response");
        if last.status() == Some(200) {
            let _ = phone.hang_up(&mut call);
        }
        number += 1;
    }
    are_refused(&centre, number);
    assert!(talk(&caller, &operator), "the talk goes on");
    let patience = Duration::from_secs(20);
    assert!(
        second.cancelled(&ringing, patience).is_some(),
        "a phone that rings is told"
    );
    for person in [&mut caller, &mut operator, &mut offered] {
        let call = person.call.clone();
        let told = person.phone.hung_up_by_them(&call, patience);
        assert!(told.is_some(), "everybody gets a BYE");
    }
    let status = centre.wait_for_exit(patience);
    assert_eq!(status.and_then(|status| status.code()), Some(1));
    let log = centre.log();
    let last = log.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("pronto: ") && last.contains("I/O error"),
        "{log}"
    );
}
