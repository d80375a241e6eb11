//! The people: each with a phone, each phone a task.

use std::time::Duration;

use pronto_demo::script::{CallerScript, OperatorScript};
use pronto_demo::{Account, Caller, Centre, Clock, Note, Operator, Phone, PhoneError};
use pronto_types::Time;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::ground::{DOMAIN, Ground, operator_id};
use crate::demo::DemoArgs;

/// How long phones may take to unregister.
const LEAVING: Duration = Duration::from_secs(5);

/// The phones of all callers and operators.
#[derive(Default)]
pub(super) struct People(JoinSet<Result<(), PhoneError>>);

impl People {
    /// The operators' phones; they register at once.
    pub(super) async fn open_operators(
        &mut self,
        arguments: &DemoArgs,
        ground: &Ground,
        clock: Clock,
        notes: &mpsc::Sender<Note>,
        closing: &watch::Receiver<Option<Time>>,
    ) -> Result<(), PhoneError> {
        for (number, password) in ground.passwords.iter().enumerate() {
            let operator = Operator::new(number, OperatorScript::new(arguments.seed, number));
            let account = Account {
                user: operator_id(number),
                password: password.clone(),
                domain: DOMAIN.to_owned(),
            };
            let centre = centre(arguments, ground);
            let phone = Phone::open(operator, centre, Some(account), clock, notes.clone()).await?;
            self.0.spawn(phone.run(closing.clone()));
        }
        Ok(())
    }

    /// The callers' phones; the first calls follow soon.
    pub(super) async fn open_callers(
        &mut self,
        arguments: &DemoArgs,
        ground: &Ground,
        clock: Clock,
        notes: &mpsc::Sender<Note>,
        closing: &watch::Receiver<Option<Time>>,
    ) -> Result<(), PhoneError> {
        for number in 0..arguments.callers {
            let caller = Caller::new(clock.now(), number, CallerScript::new(arguments.seed, number));
            let centre = centre(arguments, ground);
            let phone = Phone::open(caller, centre, None, clock, notes.clone()).await?;
            self.0.spawn(phone.run(closing.clone()));
        }
        Ok(())
    }

    /// Completes when a phone fails: none ends by itself.
    pub(super) async fn failed(&mut self) -> PhoneError {
        match self.0.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => PhoneError::Socket(error.into()),
            Some(Ok(Ok(()))) | None => std::future::pending().await,
        }
    }

    /// Waits for all of them, who have been told to leave.
    pub(super) async fn leave(mut self) -> Result<(), PhoneError> {
        let all = async {
            while let Some(ended) = self.0.join_next().await {
                ended.map_err(|error| PhoneError::Socket(error.into()))??;
            }
            Ok(())
        };
        tokio::time::timeout(LEAVING, all).await.unwrap_or(Ok(()))
    }
}

fn centre(arguments: &DemoArgs, ground: &Ground) -> Centre {
    Centre {
        sip: ground.sip,
        people: (arguments.callers, arguments.operators),
    }
}
