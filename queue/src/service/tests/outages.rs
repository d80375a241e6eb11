//! A ledger that is let go, and opened again: never in a hot loop, never another one, and nobody is served too early.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use pronto_store::{Durability, Health, MemoryDisk, MemoryStore, SqliteStore, Store, StoreError};
use tokio::sync::watch;
use tokio::time::sleep;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::support::{House, TestDirectory, TestGateway, configuration, within};
use crate::service::caller_secret::CallerSecret;
use crate::service::life::Open;
use crate::service::owner::Disk;
use crate::service::{FILE, opened, said};
use crate::{QueueService, StartError, StopError};

/// No honest service opens its ledger so often in a test.
const MANY: usize = 50;

async fn serving(house: &House) -> bool {
    let service = "pronto.v1.Gateways".to_owned();
    let mut client = HealthClient::new(house.channel.clone());
    let asked = client.check(HealthCheckRequest { service }).await;
    asked.unwrap().into_inner().status() == ServingStatus::Serving
}

async fn becomes(house: &House, expected: bool) {
    let soon = async {
        while serving(house).await != expected {
            sleep(Duration::from_millis(10)).await;
        }
    };
    within(soon).await;
}

/// A service that opens its ledger in this way, again and again.
async fn begin(open: Open) -> House {
    let (opened, heard) = open().unwrap();
    let service = QueueService::begin(configuration(), opened, heard, Some(open)).await;
    House::around(service.unwrap())
}

/// A ledger in memory, and each opening of it.
#[derive(Clone, Default)]
struct Memory {
    disk: MemoryDisk,
    stores: Arc<Mutex<Vec<Weak<MemoryStore>>>>,
}

impl Memory {
    fn opened(&self) -> usize {
        self.stores.lock().unwrap().len()
    }

    /// The store that was opened last.
    fn newest(&self) -> Arc<MemoryStore> {
        let stores = self.stores.lock().unwrap();
        stores.last().and_then(Weak::upgrade).expect("it is open")
    }

    /// Opens it. The second opening succeeds and takes no commit until the test says so, as with a used-up quota.
    fn open(&self) -> Open {
        let memory = self.clone();
        Arc::new(move || {
            let number = memory.opened();
            if number == MANY {
                return Err(StoreError::Foreign("a hot loop".into()).into());
            }
            let (disk, heard) = watch::channel(Disk::default());
            let durability = if number == 1 {
                Durability::WhenTold
            } else {
                Durability::AtOnce
            };
            let (store, _) = MemoryStore::open(&memory.disk, durability, said(disk))?;
            let store = Arc::new(store);
            if number == 1 {
                store.become_so(Health::Stalled);
            }
            memory.stores.lock().unwrap().push(Arc::downgrade(&store));
            let secret = CallerSecret::random().map_err(StartError::Secret)?;
            Ok((opened(store as Arc<dyn Store>, secret)?, heard))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_opens_and_takes_no_commit_is_not_opened_in_a_hot_loop() {
    let memory = Memory::default();
    let house = begin(memory.open()).await;
    let mut gateway = house.attach("gw1", 1).await;
    memory.newest().become_so(Health::Stalled);
    assert_eq!(gateway.end().await.code(), Code::Unavailable);
    for _ in 0..100 {
        sleep(Duration::from_millis(100)).await;
        assert!(!serving(&house).await, "no commit has succeeded");
    }
    assert_eq!(memory.opened(), 2, "in 10 s");
    let refused = TestGateway::attach(&house.channel, "gw1", 1, 0).await;
    assert_eq!(refused.err().map(|status| status.code()), Some(Code::Unavailable));
    // The store tried each second, and now there is room.
    memory.newest().become_so(Health::Sound);
    memory.newest().make_durable(usize::MAX);
    becomes(&house, true).await;
    assert_eq!(memory.opened(), 3, "the facts of the second are out of date");
    house.attach("gw1", 1).await;
    house.service.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_service_that_waits_for_its_first_commit_can_be_stopped() {
    let memory = Memory::default();
    let house = begin(memory.open()).await;
    memory.newest().become_so(Health::Stalled);
    becomes(&house, false).await;
    while memory.opened() < 2 {
        sleep(Duration::from_millis(100)).await;
    }
    within(house.service.shutdown()).await.unwrap();
}

/// A ledger on the disk. Before each opening, counted from 0, `before` is called, and may make it fail.
struct OnDisk {
    directory: TestDirectory,
    calls: Arc<AtomicUsize>,
    /// The news of the newest store, as the owner hears it.
    said: Arc<Mutex<Option<watch::Sender<Disk>>>>,
}

impl OnDisk {
    fn new() -> Self {
        OnDisk {
            directory: TestDirectory::new(),
            calls: Arc::default(),
            said: Arc::default(),
        }
    }

    fn ledger(&self) -> PathBuf {
        self.directory.path().join(FILE)
    }

    async fn begin(&self, before: impl Fn(usize) -> Result<(), StoreError> + Send + Sync + 'static) -> House {
        let (path, calls, kept) = (self.ledger(), Arc::clone(&self.calls), Arc::clone(&self.said));
        let open: Open = Arc::new(move || {
            before(calls.fetch_add(1, Ordering::SeqCst))?;
            let (disk, heard) = watch::channel(Disk::default());
            kept.lock().unwrap().replace(disk.clone());
            let (store, _) = SqliteStore::open(&path, said(disk))?;
            let secret = CallerSecret::random().map_err(StartError::Secret)?;
            Ok((opened(Arc::new(store), secret)?, heard))
        });
        begin(open).await
    }

    /// The store says that it cannot write.
    fn stalls(&self) {
        let said = self.said.lock().unwrap();
        said.as_ref()
            .unwrap()
            .send_modify(|disk| disk.health = Health::Stalled);
    }
}

fn is_refused(stopped: &StopError, problem: &str) {
    let StopError::Store(text) = stopped else {
        panic!("{stopped}");
    };
    assert!(text.contains(problem), "{text}");
    assert!(text.contains("put its files back"), "what to do: {text}");
}

fn full(path: &Path) -> StoreError {
    StoreError::NoRoom {
        path: path.to_owned(),
        needed: 1,
        free: 0,
    }
}

#[tokio::test]
async fn a_ledger_that_is_moved_away_while_it_is_let_go_is_not_followed_by_an_empty_one() {
    let ledger = OnDisk::new();
    let path = ledger.ledger();
    let away = path.clone();
    // The first attempt finds no room; then the file is gone.
    let house = ledger.begin(move |call| {
        if call == 1 {
            fs::rename(&away, away.with_extension("away")).unwrap();
            return Err(full(&away));
        }
        Ok(())
    });
    let house = house.await;
    house.attach("gw1", 1).await;
    ledger.stalls();
    is_refused(&within(house.service.stopped()).await, "was deleted or replaced");
    assert!(!path.exists(), "no new ledger is made");
    assert_eq!(ledger.calls.load(Ordering::SeqCst), 2, "it is not even opened");
}

#[tokio::test]
async fn a_ledger_that_is_replaced_at_the_last_moment_is_not_taken_for_the_old_one() {
    let ledger = OnDisk::new();
    let path = ledger.ledger();
    let house = ledger.begin(move |call| {
        if call == 1 {
            fs::rename(&path, path.with_extension("away")).unwrap();
        }
        Ok(())
    });
    let house = house.await;
    house.attach("gw1", 1).await;
    ledger.stalls();
    is_refused(&within(house.service.stopped()).await, "was deleted or replaced");
}

#[tokio::test]
async fn a_ledger_that_has_lost_durable_facts_while_it_was_let_go_is_refused() {
    let ledger = OnDisk::new();
    let path = ledger.ledger();
    // A ledger as it was before: the same file, with fewer facts.
    ledger.begin(|_| Ok(())).await.service.shutdown().await.unwrap();
    let before = fs::read(&path).unwrap();
    let house = ledger.begin(move |call| {
        if call == 2 {
            for end in ["-wal", "-shm"] {
                let _ = fs::remove_file(format!("{}{end}", path.display()));
            }
            fs::write(&path, &before).unwrap();
        }
        Ok(())
    });
    let house = house.await;
    house.attach("gw1", 1).await;
    ledger.stalls();
    is_refused(&within(house.service.stopped()).await, "is missing");
}

#[tokio::test]
async fn a_reset_while_the_ledger_is_let_go_does_not_end_the_queue_service() {
    let ledger = OnDisk::new();
    let path = ledger.ledger();
    let reset: Mutex<Option<SqliteStore>> = Mutex::new(None);
    // Another process has it open at two attempts.
    let house = ledger.begin(move |call| {
        let mut reset = reset.lock().unwrap();
        match call {
            1 => *reset = Some(SqliteStore::open(&path, |_| ())?.0),
            3 => *reset = None,
            _ => {}
        }
        Ok(())
    });
    let house = house.await;
    house.attach("gw1", 1).await;
    ledger.stalls();
    becomes(&house, false).await;
    becomes(&house, true).await;
    assert_eq!(ledger.calls.load(Ordering::SeqCst), 4);
    house.attach("gw1", 1).await;
    house.service.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_another_process_keeps_is_not_waited_for_without_end() {
    let memory = Memory::default();
    let real = memory.open();
    let first = AtomicUsize::new(0);
    let open: Open = Arc::new(move || match first.fetch_add(1, Ordering::SeqCst) {
        0 => real(),
        _ => Err(StoreError::Locked("ledger.sqlite".into()).into()),
    });
    let house = begin(open).await;
    memory.newest().become_so(Health::Stalled);
    becomes(&house, false).await;
    let waited = tokio::time::Instant::now();
    let StopError::Store(text) = house.service.stopped().await else {
        panic!("the service stops for its store");
    };
    assert!(text.contains("Pronto already runs here"), "{text}");
    let waited = waited.elapsed().as_secs();
    assert!((100..=130).contains(&waited), "{waited} s");
}
