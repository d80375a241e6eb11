//! `pronto demo`: a whole centre in this process, and callers and operators who reach it as anybody would.
//!
//! ```text
//!   ground    a directory, free ports, a configuration ──▶ serve: the same path as `pronto serve`
//!   phones    crate `pronto-demo`: SIP and RTP over sockets ──▶ the centre
//!   watch     gRPC ──▶ the centre          books   what the persons say of their calls
//!       └── status line or board, once a second; at the end summary and verdict
//! ```
//!
//! What is shown comes from the centre's gRPC, its ledger and the phones' own ears, never from its memory.

mod arguments;
mod board;
mod books;
mod ground;
mod ledger;
mod looks;
mod people;
mod show;
mod status;
mod summary;
mod verdict;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use pronto_demo::{Clock, Note, Wish};
use pronto_types::Time;
use tokio::sync::{mpsc, oneshot, watch as channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::config::Config;
use crate::log::complain;
use crate::serve::{self, Halves, Orders, ServeError};
use crate::signals::{HangUp, Stop};
pub use arguments::DemoArgs;
use books::Books;
use ground::Ground;
use ledger::Ledger;
use looks::Looks;
use people::People;
use show::Show;
use summary::Summary;
use watch::{Snapshot, Watch};

/// After the time is up: for those who wait or talk to end it.
const CLOSING: Duration = Duration::from_secs(5);
/// After that: for the last BYEs to be answered. Whoever is not done then is not waited for.
const LAST_BYE: Duration = Duration::from_secs(3);
/// How long the centre may take to start and every operator to register.
const OPENING: Duration = Duration::from_secs(30);
/// Capacity of the channel for people's notes, in notes not yet read.
const NOTES: usize = 16_384;
/// The age from which on the board shows how old it is.
const OLD: Duration = Duration::from_secs(2);

/// Runs the demonstration and says what came of it.
pub fn run(arguments: &DemoArgs) -> ExitCode {
    match demonstrate(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(format_args!("pronto demo: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Whether all went as it should.
fn demonstrate(arguments: &DemoArgs) -> Result<bool, ServeError> {
    let ground = Ground::prepare(arguments)?;
    let config = Config::load(&ground.config).map_err(|report| report.render(crate::config::Look::Plain))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("pronto")
        .build()?;
    let day = runtime.block_on(day(arguments, &ground, config))?;
    drop(runtime);
    let summary = Summary { arguments, day: &day };
    print!("{summary}");
    let faults = verdict::judge(&summary.sum());
    for fault in &faults {
        println!("FAILED   {fault}");
    }
    if let Some(kept) = ground.kept() {
        println!("Kept in {}", kept.display());
    }
    Ok(faults.is_empty())
}

/// A centre that is up.
struct Centre {
    stop: mpsc::Sender<()>,
    served: JoinHandle<Result<(), ServeError>>,
}

impl Centre {
    /// Starts the whole centre as `pronto serve` does, and waits until it is up.
    async fn open(config: Config) -> Result<Self, ServeError> {
        let (stop, told) = mpsc::channel(2);
        let (say, up) = oneshot::channel();
        let mut served = tokio::spawn(async move {
            let orders = Orders {
                stop: Stop::Told(told),
                load: None,
                reload_wanted: false,
            };
            serve::serve(&config, Halves::Both, orders, move |_, _| {
                let _ = say.send(());
            })
            .await
        });
        tokio::select! {
            Ok(()) = up => Ok(Centre { stop, served }),
            ended = &mut served => Err(gone(ended)),
            () = tokio::time::sleep(OPENING) => Err("the centre does not start".into()),
        }
    }

    async fn close(self) -> Result<(), ServeError> {
        let _ = self.stop.send(()).await;
        self.served.await?
    }
}

fn gone(ended: Result<Result<(), ServeError>, tokio::task::JoinError>) -> ServeError {
    match ended {
        Ok(Err(error)) => error,
        Err(error) => error.into(),
        Ok(Ok(())) => "the centre has ended".into(),
    }
}

/// The state of the day, as known so far.
struct Day {
    /// The notes that the people sent.
    books: Books,
    /// The newest snapshot of the centre.
    seen: Snapshot,
    /// The figures of the centre's ledger.
    ledger: Ledger,
    /// When the last look succeeded: what is shown is from then.
    seen_at: Instant,
}

/// From the opening to the closing of the centre.
async fn day(arguments: &DemoArgs, ground: &Ground, config: Config) -> Result<Day, ServeError> {
    let mut signals = Stop::listen(HangUp::Stops)?;
    let mut centre = Centre::open(config.clone()).await?;
    let mut watch = Watch::connect(config.grpc.listen).await?;
    let clock = Clock::start();
    let (notes, mut told) = mpsc::channel(NOTES);
    let (close, closing) = channel::channel(None);
    let mut day = Day {
        books: Books::new(arguments.callers, arguments.operators),
        seen: Snapshot::default(),
        ledger: Ledger::open(&config.store)?,
        seen_at: Instant::now(),
    };
    let mut people = People::default();
    people
        .open_operators(arguments, ground, clock, &notes, &closing)
        .await?;
    sign_in(&mut told, &mut day.books, clock).await?;
    people
        .open_callers(arguments, ground, clock, &notes, &closing)
        .await?;
    let mut show = Show::open(ground, arguments)?;
    let opened = Instant::now();
    day.books.open(clock.now());
    let mut deadline = opened + arguments.minutes;
    let mut closes = None;
    let looker = watch.clone();
    let mut looks = Looks::each_second(move || {
        let mut looker = looker.clone();
        async move { looker.look().await }
    });
    while !(closes.is_some() && day.books.all_gone()) {
        tokio::select! {
            note = told.recv() => {
                let Some(note) = note else { break };
                wish(&watch, note);
                day.books.enter(clock.now(), note);
            }
            seen = looks.next() => {
                day.take(seen);
                show.draw(opened.elapsed(), &day, clock.now())?;
            }
            () = sleep_until(deadline) => match closes {
                None => (closes, deadline) = shut(&close, clock, &mut day.books),
                // Somebody's call does not end: the summary will say so.
                Some(_) => break,
            },
            () = asked(&mut signals, &mut show) => match closes {
                None => (closes, deadline) = shut(&close, clock, &mut day.books),
                Some(_) => return Err("interrupted twice: no summary".into()),
            },
            ended = &mut centre.served => return Err(gone(ended)),
            error = people.failed() => return Err(error.into()),
        }
    }
    show.close();
    drop(looks);
    day.books.close(clock.now());
    drop((close, closing));
    people.leave().await?;
    day.seen = watch.look_again().await?;
    drop(watch);
    centre.close().await?;
    // What it wrote last.
    day.ledger.read_on()?;
    Ok(day)
}

impl Day {
    /// Takes the end of a look. If it failed, what was seen last stays: a machine that is too busy to draw a board ends no
    /// call.
    fn take(&mut self, seen: Result<Snapshot, ServeError>) {
        let read = seen.and_then(|seen| {
            self.seen = seen;
            self.ledger.read_on()
        });
        match read {
            Ok(()) => self.seen_at = Instant::now(),
            Err(error) => tracing::debug!(%error, "the centre could not be looked at"),
        }
    }

    /// The age of what is shown, if it is more than [`OLD`].
    fn age(&self) -> Option<Duration> {
        let age = self.seen_at.elapsed();
        (age > OLD).then_some(age)
    }

    /// A day with that number of operators, without a look, on an empty ledger in this folder.
    #[cfg(test)]
    fn empty(store: &std::path::Path, operators: usize) -> Self {
        Day {
            books: Books::new(1, operators),
            seen: Snapshot::default(),
            ledger: Ledger::empty(store),
            seen_at: Instant::now(),
        }
    }
}

/// A signal, or the key on the board that means the same.
async fn asked(signals: &mut Stop, show: &mut Show) {
    tokio::select! {
        _ = signals.asked() => {}
        () = show.key() => {}
    }
}

/// No new calls: those that are up end soon.
fn shut(close: &channel::Sender<Option<Time>>, clock: Clock, books: &mut Books) -> (Option<Time>, Instant) {
    let now = clock.now();
    let at = now + CLOSING;
    books.shut(now);
    let _ = close.send(Some(at));
    (Some(at), Instant::now() + CLOSING + LAST_BYE)
}

/// Waits until every operator's phone is registered.
async fn sign_in(told: &mut mpsc::Receiver<Note>, books: &mut Books, clock: Clock) -> Result<(), ServeError> {
    let all = async {
        while !books.all_signed_in() {
            let Some(note) = told.recv().await else { return };
            books.enter(clock.now(), note);
        }
    };
    tokio::time::timeout(OPENING, all)
        .await
        .map_err(|_| "the operators' phones cannot register".into())
}

/// Carries an operator's wish to the queue.
fn wish(watch: &Watch, note: Note) {
    if let Note::Wished { operator, wish } = note {
        let watch = watch.clone();
        tokio::spawn(async move {
            let ready = wish == Wish::Ready;
            if let Err(error) = watch.set_ready(&ground::operator_id(operator), ready).await {
                tracing::warn!(%error, operator, "an operator's wish was refused");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn both_views_tell_the_age_of_what_they_show_in_seconds_since_the_last_good_look() {
        let folder = crate::config::tests::Folder::new();
        let mut day = Day::empty(folder.path(), 3);
        let views = |day: &Day| {
            let line = status::line(Duration::ZERO, day);
            [line, board::tests::drawn(day, (80, 30))]
        };
        let young = |day: &Day| views(day).iter().all(|view| !view.contains("s ago"));
        let pass = |seconds| tokio::time::advance(Duration::from_secs(seconds));
        day.take(Ok(Snapshot::default()));
        pass(2).await;
        day.take(Err("it is busy".into()));
        assert!(young(&day), "{:#?}", views(&day));
        // However few looks failed, and however long they took.
        pass(12).await;
        day.take(Err("it is busy".into()));
        let [line, board] = views(&day);
        assert!(line.contains(" (14 s ago) "), "{line}");
        for title in [" queues, 14 s ago ", " operators, 14 s ago "] {
            assert!(board.contains(title), "{title:?}:\n{board}");
        }
        day.take(Ok(Snapshot::default()));
        assert!(young(&day), "{:#?}", views(&day));
    }
}
