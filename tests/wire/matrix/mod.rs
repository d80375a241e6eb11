//! The matrix: one scenario for each thing a SIP peer may do to us, each played over UDP, over TCP, and over UDP through
//! a relay that loses, doubles and delays. Many SIPps at once before one centre; afterwards the centre must have
//! forgotten all of them, and have exactly the call records that the scenarios say.

mod callers;
mod limits;
mod operators;
mod phones;
mod proofs;
mod refusals;
mod registrar;
mod unanswered;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::kit::centre::{Centre, PASSWORD};
use crate::kit::ground::{CALLER, Ground, PHONE, free_port};
use crate::kit::line::{self, Line};
use crate::kit::phone::Phone;
use crate::kit::relay::{Relay, Trouble};
use crate::kit::script;
use crate::kit::sipp::{Scenario, Sipp, Transport};

/// Time limit of one scenario, its waits for 64*T1 and retransmissions included.
const LIMIT: Duration = Duration::from_secs(50);
/// Time in milliseconds that repeated 200s need for a lost ACK: where that ACK holds an answer, an offer is refused
/// with 491 until then.
const SETTLE: u32 = 4_000;
/// SIPps at once.
const AT_ONCE: usize = 16;
/// After this long nothing is left of anything: 64*T1 for what was sent last, and as long again for its end.
const LINGER: Duration = Duration::from_secs(75);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Udp,
    Tcp,
    Lossy,
}

const EVERY_WAY: &[Way] = &[Way::Udp, Way::Tcp, Way::Lossy];
/// For what a stream cannot do: datagrams sent twice, or not at all.
const DATAGRAMS: &[Way] = &[Way::Udp, Way::Lossy];

const STREAM: &[Way] = &[Way::Tcp];

/// One thing a caller does.
#[derive(Clone, Copy)]
struct Item {
    name: &'static str,
    dial: &'static str,
    script: &'static str,
    /// The script of each phone of the operator for whom the caller waits; empty: no such phone. Without any, `dial` is
    /// dialled.
    phones: [&'static str; 2],
    /// The user part behind whose password the digest is made: `dial` is an operator's then, a new one each time.
    digest: Option<Digest>,
    /// The outcomes of the call records it leaves, and what each record must hold besides: several things with an `&` between.
    records: &'static [(&'static str, &'static str)],
    ways: &'static [Way],
    /// The last byte of its address, where it is not a caller's.
    host: Option<u8>,
    /// Whether what SIPp does not expect just then is passed over: in a race it may come at any time.
    lenient: bool,
    /// Messages that come at least so often: start line, CSeq method, times.
    often: &'static [(&'static str, &'static str, usize)],
}

/// How SIPp proves itself.
#[derive(Clone, Copy)]
struct Digest {
    password: &'static str,
    /// The uri parameter, without `sip:`.
    uri: &'static str,
}

impl Item {
    const fn new(name: &'static str, dial: &'static str, script: &'static str) -> Item {
        Item {
            name,
            dial,
            script,
            phones: ["", ""],
            digest: None,
            records: &[("caller-hung-up", "")],
            ways: EVERY_WAY,
            host: None,
            lenient: false,
            often: &[],
        }
    }

    const fn leaves(self, records: &'static [(&'static str, &'static str)]) -> Item {
        Item { records, ..self }
    }

    const fn over(self, ways: &'static [Way]) -> Item {
        Item { ways, ..self }
    }

    /// Refused: no call, no record.
    const fn refused(name: &'static str, dial: &'static str, script: &'static str) -> Item {
        Item::new(name, dial, script).leaves(&[])
    }

    /// A caller who waits for an operator, and what both do.
    const fn rung(name: &'static str, caller: &'static str, operator: &'static str) -> Item {
        Item::rung_twice(name, caller, [operator, ""])
    }

    /// The same where the operator has two phones.
    const fn rung_twice(name: &'static str, caller: &'static str, phones: [&'static str; 2]) -> Item {
        Item {
            phones,
            ..Item::new(name, "", caller)
        }
    }

    /// An operator who speaks to the registrar.
    const fn proven(name: &'static str, uri: &'static str, script: &'static str) -> Item {
        let digest = Digest {
            password: PASSWORD,
            uri,
        };
        Item {
            digest: Some(digest),
            ..Item::refused(name, "", script)
        }
    }

    const fn from(self, host: u8) -> Item {
        Item {
            host: Some(host),
            ..self
        }
    }

    const fn lenient(self) -> Item {
        Item {
            lenient: true,
            ..self
        }
    }

    const fn often(self, often: &'static [(&'static str, &'static str, usize)]) -> Item {
        Item { often, ..self }
    }
}

/// An item over a way, with a caller's number of its own.
struct Run {
    item: Item,
    way: Way,
    host: u8,
    user: String,
    dial: String,
    /// Its operator's, where it has one.
    line: usize,
    limit: Duration,
    trouble: Trouble,
}

impl Run {
    fn new(item: Item, way: Way, number: usize) -> Run {
        let caller = format!("39055{number:04}");
        let (user, dial) = match (item.digest, item.phones) {
            (Some(_), _) => (line::operator(number), line::operator(number)),
            (None, ["", _]) => (caller, item.dial.to_owned()),
            (None, _) => (caller, line::number(number)),
        };
        let host = if item.digest.is_some() {
            PHONE + (number % 100) as u8
        } else {
            CALLER + (number % 56) as u8
        };
        Run {
            item,
            way,
            host: item.host.unwrap_or(host),
            user,
            dial,
            line: number,
            limit: LIMIT,
            trouble: trouble(&item),
        }
    }

    fn name(&self) -> String {
        format!("{}-{:?}", self.item.name, self.way)
    }

    fn play(&self, ground: &Ground, centre: SocketAddr) -> Result<(), String> {
        let phones = (1..)
            .zip(self.item.phones)
            .filter(|(_, script)| !script.is_empty());
        let called: Vec<_> = phones
            .map(|(number, script)| self.phone(ground, centre, number, script))
            .collect();
        let ip = ground.ip(self.host);
        let relay = (self.way == Way::Lossy).then(|| Relay::open(ip, centre, self.trouble));
        let port = free_port(ip);
        let end = End {
            local: SocketAddr::new(ip, port),
            contact: relay.as_ref().map_or(port, |relay| relay.back().port()),
            remote: relay.as_ref().map_or(centre, Relay::front),
        };
        let log = ground.subdirectory(&self.name());
        let caller = self.sipp(&log, &self.user, self.item.script, &end);
        let verdict = caller.verdict(self.limit + Duration::from_secs(5));
        let lost = relay
            .as_ref()
            .map(|relay| relay.tally().lost.load(Ordering::Relaxed));
        verdict.map_err(|story| format!("{} ({lost:?} datagrams lost): {story}", self.name()))?;
        for (number, (sipp, _line, directory)) in (1..).zip(called) {
            sipp.verdict(self.limit)
                .map_err(|story| format!("{}, phone {number}: {story}", self.name()))?;
            self.was_asked_once(&directory)?;
        }
        self.came_often(&log)
    }

    /// Starts a SIPp with `directory` for its files.
    fn sipp(&self, directory: &Path, user: &str, script: &str, end: &End) -> Sipp {
        let file = directory.join("scenario.xml");
        let settle = if self.way == Way::Lossy { SETTLE } else { 0 };
        fs::write(&file, script::xml(&self.name(), user, script, settle))
            .expect("the test's directory is writable");
        let contact = end.contact.to_string();
        // "-aa": whether we are still there is asked where no RTP comes, and no scenario's business.
        let mut more = vec!["-aa", "-key", "contact_port", &contact, "-key", "fold", "  "];
        if self.way == Way::Lossy || self.item.lenient {
            // What comes twice, or late, is no fault of theirs.
            more.extend(["-default_behaviors", "all,-abortunexp"]);
        }
        if let Some(digest) = &self.item.digest {
            more.extend(["-auth_uri", digest.uri]);
        }
        let scenario = Scenario {
            name: file.to_str().expect("the temporary directory has a name"),
            transport: if self.way == Way::Tcp {
                Transport::Tcp
            } else {
                Transport::Udp
            },
            local: (end.local.ip(), end.local.port()),
            server: end.remote,
            service: &self.dial,
            calls: 1,
            login: self.item.digest.map(|digest| (user, digest.password)),
            hold: Duration::ZERO,
            timeout: self.limit,
            more: &more,
        };
        scenario.start(directory)
    }

    /// A phone of the operator's: registered, and ready to be called.
    fn phone(&self, ground: &Ground, centre: SocketAddr, number: u32, script: &str) -> (Sipp, Line, PathBuf) {
        let id = line::operator(self.line);
        let ip = ground.ip(PHONE + (self.line % 100) as u8);
        let sipp = SocketAddr::new(ip, free_port(ip));
        let directory = ground.subdirectory(&format!("{}-phone-{number}", self.name()));
        let start = |end: &End| self.sipp(&directory, &id, script, end);
        let end = |contact| End {
            local: sipp,
            contact,
            remote: centre,
        };
        if self.way == Way::Tcp {
            let mut run = start(&end(sipp.port()));
            run.listening(sipp);
            return (run, Line::over_tcp(&id, centre, sipp), directory);
        }
        let trouble = if self.way == Way::Lossy {
            self.trouble
        } else {
            Trouble::NONE
        };
        let line = Line::over_udp(Phone::open(&id, ip, centre), centre, sipp, trouble);
        (start(&end(line.port())), line, directory)
    }

    /// The operator's phone got one INVITE, however often it came: no other call, no second try with credentials.
    fn was_asked_once(&self, directory: &Path) -> Result<(), String> {
        let log = fs::read_to_string(directory.join("messages.log")).unwrap_or_default();
        let again = received(&log, "INVITE", "2 INVITE");
        let calls: BTreeSet<&str> = log
            .split("message received")
            .skip(1)
            .filter(|message| {
                message
                    .trim_start_matches(|c| c != '\n')
                    .trim_start()
                    .starts_with("INVITE")
            })
            .filter_map(|message| message.lines().find(|line| line.starts_with("Call-ID:")))
            .collect();
        if again == 0 && calls.len() == 1 {
            return Ok(());
        }
        Err(format!(
            "{}: the operator was called {} times, and {again} times once more\n{log}",
            self.name(),
            calls.len()
        ))
    }

    fn came_often(&self, directory: &Path) -> Result<(), String> {
        let log = fs::read_to_string(directory.join("messages.log")).unwrap_or_default();
        for (start, method, least) in self.item.often {
            let times = received(&log, start, method);
            if times < *least {
                return Err(format!(
                    "{}: {start} to {method} came {times} times, not {least}\n{log}",
                    self.name()
                ));
            }
        }
        Ok(())
    }
}

/// A SIPp's place: its socket, the port of its Contact, and whom it speaks to.
struct End {
    local: SocketAddr,
    contact: u16,
    remote: SocketAddr,
}

/// The relay's faults: a fifth of the datagrams never arrives, each way; a tenth where an offer follows an ACK that
/// must have come before.
fn trouble(item: &Item) -> Trouble {
    let offers: usize = ["> INVITE", "> UPDATE"]
        .iter()
        .map(|offer| item.script.matches(offer).count())
        .sum();
    let letters = item.name.bytes();
    Trouble {
        seed: letters.fold(4, |seed: u64, letter| seed.wrapping_mul(31) + u64::from(letter)),
        lost: if offers > 1 { 10 } else { 20 },
        doubled: 10,
        late: 20,
        delay: Duration::from_millis(40),
    }
}

/// How many messages with this start and CSeq method came, by SIPp's log of messages.
fn received(log: &str, start: &str, method: &str) -> usize {
    let messages = log.split("message received").skip(1);
    let wanted = |message: &&str| {
        let end = message.find("-----------------").unwrap_or(message.len());
        let text = &message[..end];
        let of_method = |line: &str| line.starts_with("CSeq:") && line.trim_end().ends_with(method);
        text.lines().any(|line| line.starts_with(start)) && text.lines().any(of_method)
    };
    messages.filter(wanted).count()
}

/// Plays each item over each of its ways, many at once; then holds the centre to what must be left.
fn play(mut centre: Centre, items: &[Item]) {
    let each = items
        .iter()
        .flat_map(|item| item.ways.iter().map(move |way| (*item, *way)));
    let runs: Vec<Run> = (0..)
        .zip(each)
        .map(|(number, (item, way))| Run::new(item, way, number))
        .collect();
    let began = Instant::now();
    let failures = all(&centre, &runs);
    println!("{} scenarios in {:?}", runs.len(), began.elapsed());
    assert!(
        failures.is_empty(),
        "{} of {} scenarios failed\n\n{}",
        failures.len(),
        runs.len(),
        failures.join("\n\n")
    );
    for gauge in ["pronto_calls", "pronto_sip_dialogs", "pronto_sip_transactions"] {
        centre.until_within(LINGER, &format!("no {gauge} is left"), |centre| {
            centre.figure(gauge) == 0.0
        });
    }
    println!("nothing is left after {:?}", began.elapsed());
    let calls = centre.calls(&["--json", "--numbers"]);
    let mut wrong = String::new();
    for run in &runs {
        if let Err(found) = has_records(&calls, run) {
            let _ = writeln!(wrong, "{}: {found}", run.name());
        }
    }
    assert!(wrong.is_empty(), "call records:\n{wrong}");
    centre.close();
}

fn all(centre: &Centre, runs: &[Run]) -> Vec<String> {
    let (ground, server) = (&centre.ground, centre.sip());
    let next = Mutex::new(runs.iter());
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let run = next.lock().unwrap().next();
                    let Some(run) = run else { return };
                    if let Err(failure) = run.play(ground, server) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

fn has_records(calls: &[String], run: &Run) -> Result<(), String> {
    let caller = format!("\"caller\":\"{}\"", run.user);
    let found: Vec<&String> = calls.iter().filter(|line| line.contains(&caller)).collect();
    let wanted = run.item.records;
    let outcome = |line: &str| {
        let (_, rest) = line.split_once("\"outcome\":\"")?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let agrees = found.len() == wanted.len()
        && found.iter().zip(wanted).all(|(line, (name, more))| {
            outcome(line).is_some_and(|outcome| name.split('|').any(|name| name == outcome))
                && more.split('&').all(|one| line.contains(one))
        });
    if agrees {
        return Ok(());
    }
    Err(format!("wanted {wanted:?}, found {found:?}"))
}
