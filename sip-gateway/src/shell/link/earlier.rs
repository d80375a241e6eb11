//! Journal entries of an earlier process of this gateway that the queue does not have. That process ended while the
//! queue service was away, or was killed in between. The log of that epoch is completed before the new one begins, so
//! that journal and ledger agree on each call. Only then does the queue treat its open calls as lost.

use std::time::Duration;

use futures::StreamExt;
use pronto_proto::link as wire;
use pronto_proto::v1::gateways_client::GatewaysClient;
use pronto_proto::v1::{GatewayMessage, QueueMessage, queue_message};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic::transport::Channel;

use super::super::store::Earlier;
use super::{Ended, Identity, WELCOME};
use pronto_clock::Clock;

/// Entries read at once.
const PAGE: usize = 256;
/// How long the queue service may take for all of them. The new process is not held up for longer: what is missing then is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// Attempts that ended before everything was taken, though nothing more was than before.
const ATTEMPTS: u32 = 5;

/// The state of handing over, from one attempt to the next.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// When it is given up: set when the queue first wants something.
    until: Option<Instant>,
    /// Attempts in a row that brought nothing forward.
    attempts: u32,
    /// The epoch of the last attempt that was broken off, and the entries that the queue had of it.
    at: (u64, u64),
}

impl Progress {
    /// Counts an attempt that was broken off, where the queue had entries up to `have`. True when there were too many.
    fn broken_off(&mut self, epoch: u64, have: u64) -> bool {
        let before = std::mem::replace(&mut self.at, (epoch, have));
        self.attempts = if before == self.at { self.attempts + 1 } else { 1 };
        self.attempts >= ATTEMPTS
    }
}

/// Hands over what is missing; nothing to do the next time. Fails while the queue service cannot be reached, or breaks it off.
pub(super) async fn hand_over(
    channel: &Channel,
    identity: &mut Identity,
    clock: &Clock,
    progress: &mut Progress,
) -> Result<(), Ended> {
    while let Some(earlier) = identity.earlier.first() {
        let epoch = earlier.epoch;
        match complete((channel, identity, clock), earlier, &mut progress.until).await? {
            Handed::Over => drop(identity.earlier.remove(0)),
            Handed::BrokenOff { have } if progress.broken_off(epoch, have) => {
                drop(identity.earlier.remove(0))
            }
            Handed::BrokenOff { .. } => return Err(Ended::Lost),
            Handed::TooSlow => identity.earlier.clear(),
        }
    }
    Ok(())
}

/// The result of one attempt.
enum Handed {
    /// The queue has everything that can be read, or wants nothing of that epoch.
    Over,
    /// The queue ended the stream before it had everything.
    BrokenOff {
        /// The newest entry that the queue had at the beginning.
        have: u64,
    },
    /// The time for all of it is over.
    TooSlow,
}

async fn complete(
    (channel, identity, clock): (&Channel, &Identity, &Clock),
    earlier: &Earlier,
    until: &mut Option<Instant>,
) -> Result<Handed, Ended> {
    let (up, stream) = mpsc::channel(PAGE);
    // The queue offers nothing to a gateway whose journal has not arrived: one entry more is announced than will come.
    let hello = wire::hello(&wire::Hello {
        gateway: identity.gateway.clone(),
        epoch: earlier.epoch,
        last: earlier.last + 1,
        forecasts: Vec::new(),
        // Not ours: we go on with its journal.
        instance: 0,
    });
    up.send(hello).await.map_err(|_| Ended::Unreachable)?;
    let request = identity.request(ReceiverStream::new(stream))?;
    let mut client = GatewaysClient::new(channel.clone());
    let mut down = match client.attach(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => return over(&status, earlier.epoch),
    };
    let have = match tokio::time::timeout(WELCOME, down.next()).await {
        Ok(Some(Ok(QueueMessage {
            message: Some(queue_message::Message::Welcome(welcome)),
        }))) => welcome.have,
        Ok(Some(Err(status))) => return over(&status, earlier.epoch),
        _ => return Err(Ended::Unreachable),
    };
    if have >= earlier.last {
        return Ok(Handed::Over);
    }
    let entries = earlier.last - have;
    tracing::info!(
        entries,
        "the queue service is told what the process before this one could not tell it"
    );
    let taken = async {
        while let Some(Ok(message)) = down.next().await {
            if let Some(queue_message::Message::Acknowledged(acknowledged)) = message.message
                && acknowledged.number >= earlier.last
            {
                return true;
            }
        }
        false
    };
    let unreadable = async {
        if send(earlier, have + 1, clock, &up).await {
            std::future::pending().await
        }
    };
    let until = *until.get_or_insert_with(|| Instant::now() + PATIENCE);
    tokio::select! {
        taken = taken => {
            if taken {
                return Ok(Handed::Over);
            }
            tracing::warn!("the queue service broke off what the process before this one had to tell it");
            Ok(Handed::BrokenOff { have })
        }
        () = unreadable => {
            tracing::warn!("the journal of the process before this one cannot be read to its end");
            Ok(Handed::Over)
        }
        () = tokio::time::sleep_until(until) => {
            tracing::warn!("the queue service did not take all that the process before this one saw");
            Ok(Handed::TooSlow)
        }
    }
}

/// No welcome: the queue service is not there, or that epoch is over for it and nothing of it is taken any more.
fn over(status: &tonic::Status, epoch: u64) -> Result<Handed, Ended> {
    match status.code() {
        // The queue has judged: nothing of that epoch is taken.
        Code::FailedPrecondition | Code::InvalidArgument | Code::Unimplemented => Ok(Handed::Over),
        // Tried again once we are let in.
        Code::Unauthenticated | Code::PermissionDenied | Code::AlreadyExists => {
            Err(Ended::of(status.clone(), epoch))
        }
        _ => Err(Ended::Unreachable),
    }
}

/// Sends the entries from this number on. False if they cannot be read.
async fn send(earlier: &Earlier, from: u64, clock: &Clock, up: &mpsc::Sender<GatewayMessage>) -> bool {
    let mut next = from;
    while next <= earlier.last {
        let (of, from) = (earlier.clone(), next);
        let page = tokio::task::spawn_blocking(move || of.read(from, PAGE)).await;
        let Ok(Ok(page)) = page else { return false };
        for entry in page {
            next = entry.number + 1;
            let age = clock.now().since(entry.at);
            let message = wire::entry(entry.number, age, &entry.event);
            if up.send(message).await.is_err() {
                // The stream has ended, which is seen on its other side.
                return true;
            }
        }
        if next == from {
            return false;
        }
    }
    true
}
