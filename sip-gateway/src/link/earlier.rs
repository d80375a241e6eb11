//! Journal entries of an earlier process of this gateway that the queue does not have. That process ended while the
//! queue service was away, or was killed in between. The log of that epoch is completed before the new one begins, so
//! that journal and ledger agree on each call. Only then does the queue treat its open calls as lost.

use std::time::Duration;

use futures::StreamExt;
use pronto_proto::link as wire;
use pronto_proto::v1::gateways_client::GatewaysClient;
use pronto_proto::v1::{GatewayMessage, QueueMessage, queue_message};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::{Ended, Identity, WELCOME};
use crate::shell::Earlier;
use pronto_clock::Clock;

/// Entries read at once.
const PAGE: usize = 256;
/// How long the queue service may take for all of them. The new process is not held up for longer: what is missing then is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// Attempts that ended before everything was taken, though nothing more was than before.
const ATTEMPTS: u32 = 5;

/// Attempts that were broken off.
#[derive(Debug, Default)]
pub(super) struct Broken {
    /// How many in a row brought nothing forward.
    attempts: u32,
    /// The epoch, and what the queue had of it at the last one.
    at: (u64, u64),
}

impl Broken {
    /// One more, where the queue had entries up to `have`. True when there were too many.
    fn again(&mut self, epoch: u64, have: u64) -> bool {
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
    broken: &mut Broken,
) -> Result<(), Ended> {
    while let Some(earlier) = identity.earlier.first() {
        let epoch = earlier.epoch;
        if let Handed::BrokenOff { have } = complete(channel, identity, clock, earlier).await?
            && !broken.again(epoch, have)
        {
            return Err(Ended::Lost);
        }
        identity.earlier.remove(0);
    }
    Ok(())
}

/// The result of one attempt.
enum Handed {
    /// The queue has everything, wants nothing of that epoch, or was too slow.
    Over,
    /// The queue ended the stream before it had everything.
    BrokenOff {
        /// The newest entry that the queue had at the beginning.
        have: u64,
    },
}

async fn complete(
    channel: &Channel,
    identity: &Identity,
    clock: &Clock,
    earlier: &Earlier,
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
        Err(status) => return over(&status),
    };
    let have = match tokio::time::timeout(WELCOME, down.next()).await {
        Ok(Some(Ok(QueueMessage {
            message: Some(queue_message::Message::Welcome(welcome)),
        }))) => welcome.have,
        Ok(Some(Err(status))) => return over(&status),
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
    let both = async { tokio::join!(send(earlier, have + 1, clock, &up), taken).1 };
    match tokio::time::timeout(PATIENCE, both).await {
        Ok(true) => Ok(Handed::Over),
        Ok(false) => {
            tracing::warn!("the queue service broke off what the process before this one had to tell it");
            Ok(Handed::BrokenOff { have })
        }
        Err(_) => {
            tracing::warn!("the queue service did not take all that the process before this one saw");
            Ok(Handed::Over)
        }
    }
}

/// No welcome: the queue service is not there, or that epoch is over for it and nothing of it is taken any more.
fn over(status: &tonic::Status) -> Result<Handed, Ended> {
    match status.code() {
        tonic::Code::Unavailable => Err(Ended::Unreachable),
        // Tried again once we are let in.
        tonic::Code::Unauthenticated | tonic::Code::PermissionDenied | tonic::Code::AlreadyExists => {
            Err(status.clone().into())
        }
        _ => Ok(Handed::Over),
    }
}

async fn send(earlier: &Earlier, from: u64, clock: &Clock, up: &mpsc::Sender<GatewayMessage>) {
    let mut next = from;
    while next <= earlier.last {
        let (of, from) = (earlier.clone(), next);
        let page = tokio::task::spawn_blocking(move || of.read(from, PAGE)).await;
        let Ok(Ok(page)) = page else { return };
        for entry in page {
            next = entry.number + 1;
            let age = clock.now().since(entry.at);
            if up
                .send(wire::entry(entry.number, age, &entry.event))
                .await
                .is_err()
            {
                return;
            }
        }
        if next == from {
            return;
        }
    }
}
