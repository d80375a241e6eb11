//! The owner alone, without its task: what it stores of an input.

use std::sync::Arc;
use std::time::Duration;

use pronto_engine::{Configuration, OperatorSettings, QueueSettings, SignIn};
use pronto_store::{Durability, MemoryDisk, MemoryStore};
use pronto_types::link::{Caller, Channel, Origin};
use pronto_types::{CallId, Language, OperatorId, QueueName, TicketId, TrunkName};

use super::super::{begin_owner, opened};
use super::*;

fn joined(number: u64) -> wire::Entry {
    wire::Entry {
        number,
        age: Duration::ZERO,
        event: Event::Joined {
            ticket: TicketId(8),
            contact: CallId(8).into(),
            channel: Channel::Phone,
            queue: QueueName::new("support").unwrap(),
            caller: Caller {
                number: Some(PhoneNumber::new("+39061234567")),
                name: Some(DisplayName::new("Anna")),
            },
            language: Language::Italian,
            regained: None,
        },
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_is_stored_only_with_an_entry_that_was_taken_whatever_else_happens_then() {
    let (store, _) = MemoryStore::open(&MemoryDisk::new(), Durability::AtOnce, |_| {}).unwrap();
    let store = Arc::new(store);
    let ledger = opened(
        Arc::clone(&store) as Arc<dyn Store>,
        CallerSecret::random().unwrap(),
    );
    let queues = vec![QueueName::new("support").unwrap()];
    let operator = OperatorId::new("101").unwrap();
    let configuration = Configuration {
        queues: queues.iter().cloned().map(QueueSettings::new).collect(),
        operators: vec![OperatorSettings {
            id: operator.clone(),
            queues,
            sign_in: SignIn::Registration,
        }],
        ..Configuration::default()
    };
    let mut owner = begin_owner(ledger.unwrap(), &configuration).unwrap();
    let gateway = GatewayName::new("gw1").unwrap();
    owner
        .take(Input::Attached {
            gateway: gateway.clone(),
            epoch: 1,
            instance: 1,
            last: 0,
        })
        .unwrap();
    let lease = Some(Duration::from_secs(60));
    let presence = wire::Entry {
        number: 1,
        age: Duration::ZERO,
        event: Event::Presence { operator, lease },
    };
    owner.enter(gateway.clone(), 1, presence);
    owner.hand_over().unwrap();
    let began = wire::Entry {
        event: Event::CallBegan {
            call: CallId(8),
            dialled: "800".into(),
            caller: Caller::default(),
            origin: Origin::Trunk(TrunkName::new("carrier").unwrap()),
        },
        ..joined(2)
    };
    owner.enter(gateway.clone(), 1, began);
    assert!(
        !owner.batch.records.is_empty() && !owner.batch.urgent,
        "nobody waits"
    );
    owner.enter(gateway.clone(), 1, joined(3));
    assert!(owner.batch.urgent, "an offer waits");
    owner.hand_over().unwrap();
    assert!(!owner.batch.urgent);
    assert_eq!(store.person(8).unwrap().unwrap().name, "Anna");
    assert!(store.erase(8).unwrap());
    // A deadline of the ticket passes at the very moment the entry is repeated: there are facts to store, and none of
    // them is the entry's.
    tokio::time::advance(Duration::from_secs(86_400)).await;
    let before = owner.engine.last_seq();
    owner.enter(gateway, 1, joined(3));
    owner.hand_over().unwrap();
    assert!(owner.engine.last_seq() > before, "a deadline has passed");
    assert_eq!(store.person(8).unwrap(), None, "an erased person stays erased");
}
