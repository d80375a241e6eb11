//! Messages that leave once the dialogs they are about are written down. Writing may wait for the disk, and the control task
//! does not: a thread writes and sends, in the order in which the messages were held.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use pronto_sip::Flow;
use tokio::net::UdpSocket;

use super::dialogs::Dialogs;

/// A message, and the way it goes.
pub(super) struct Held {
    pub(super) flow: Flow,
    pub(super) bytes: Bytes,
    pub(super) way: Way,
}

/// Over which socket.
pub(super) enum Way {
    Datagram(Arc<UdpSocket>),
    Stream(tokio::sync::mpsc::Sender<Bytes>),
}

/// The control task's end: what is held.
pub(super) struct HeldBack {
    /// Held since the last [`HeldBack::release`].
    waiting: Vec<Held>,
    /// Batches released so far.
    released: u64,
    /// The newest batch in which each flow has a message, as far as it may be unsent.
    behind: BTreeMap<Flow, u64>,
    /// Batches sent so far.
    sent: Arc<AtomicU64>,
    batches: mpsc::Sender<Vec<Held>>,
}

impl HeldBack {
    /// With a thread that writes `dialogs` and sends.
    pub(super) fn start(dialogs: Arc<Dialogs>) -> io::Result<HeldBack> {
        let (held, sender) = HeldBack::apart(dialogs);
        std::thread::Builder::new()
            .name("pronto-held".to_owned())
            .spawn(move || while sender.turn() {})?;
        Ok(held)
    }

    fn apart(dialogs: Arc<Dialogs>) -> (HeldBack, Outlet) {
        let (batches, received) = mpsc::channel();
        let sent = Arc::new(AtomicU64::new(0));
        let held = HeldBack {
            waiting: Vec::new(),
            released: 0,
            behind: BTreeMap::new(),
            sent: Arc::clone(&sent),
            batches,
        };
        let sender = Outlet {
            batches: received,
            sent,
            dialogs,
        };
        (held, sender)
    }

    /// Whether a message waits for what is to be kept of its dialog, while something of that is not written: an INVITE and an
    /// ACK make a dialog stand at the other side. What follows on the same flow stays behind it.
    pub(super) fn must_wait(&self, flow: Flow, bytes: &[u8], unwritten: bool) -> bool {
        let makes = bytes.starts_with(b"INVITE ") || bytes.starts_with(b"ACK ");
        if makes && unwritten || self.waiting.iter().any(|held| held.flow == flow) {
            return true;
        }
        let batch = self.behind.get(&flow);
        batch.is_some_and(|batch| *batch > self.sent.load(Ordering::Acquire))
    }

    pub(super) fn push(&mut self, held: Held) {
        self.waiting.push(held);
    }

    /// Lets go of what is held: it leaves once the dialogs are written.
    pub(super) fn release(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        if self.released == self.sent.load(Ordering::Acquire) {
            self.behind.clear();
        }
        self.released += 1;
        let flows = self.waiting.iter().map(|held| (held.flow, self.released));
        self.behind.extend(flows);
        // The thread ends only when this end is gone.
        let _ = self.batches.send(std::mem::take(&mut self.waiting));
    }
}

/// The thread's end.
struct Outlet {
    batches: mpsc::Receiver<Vec<Held>>,
    sent: Arc<AtomicU64>,
    dialogs: Arc<Dialogs>,
}

impl Outlet {
    /// Writes and sends one batch. False when no more will come.
    fn turn(&self) -> bool {
        let Ok(batch) = self.batches.recv() else {
            return false;
        };
        self.dialogs.flush();
        batch.into_iter().for_each(Held::send);
        self.sent.fetch_add(1, Ordering::Release);
        true
    }
}

impl Held {
    /// Sends it, or counts that it could not be sent.
    fn send(self) {
        let sent = match self.way {
            Way::Datagram(socket) => socket.try_send_to(&self.bytes, self.flow.remote).is_ok(),
            // A connection that takes nothing any more is found out by the next message, or has ended.
            Way::Stream(write) => write.try_send(self.bytes).is_ok(),
        };
        if !sent {
            metrics::counter!("pronto_sip_send_failed_total").increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use pronto_sip::Transport;
    use tokio::sync::mpsc;

    use super::*;

    fn flow(port: u16) -> Flow {
        Flow {
            transport: Transport::Tcp,
            local: "127.0.0.1:5060".parse().unwrap(),
            remote: ([127, 0, 0, 2], port).into(),
        }
    }

    fn apart() -> (HeldBack, Outlet) {
        HeldBack::apart(Arc::new(Dialogs::new(&std::env::temp_dir())))
    }

    #[test]
    fn what_makes_a_dialog_stand_waits_for_the_disk_and_nothing_else_does() {
        let (held, _sender) = apart();
        let waits = |text: &str, unwritten| held.must_wait(flow(1), text.as_bytes(), unwritten);
        assert!(waits("INVITE sip:101@a SIP/2.0", true) && waits("ACK sip:101@a SIP/2.0", true));
        assert!(!waits("SIP/2.0 180 Ringing", true) && !waits("BYE sip:101@a SIP/2.0", true));
        assert!(!waits("INVITE sip:101@a SIP/2.0", false));
    }

    #[test]
    fn what_follows_on_a_flow_stays_behind_what_was_held_until_that_is_sent() {
        let (mut held, sender) = apart();
        let (write, mut sent) = mpsc::channel(8);
        let say = |held: &mut HeldBack, text: &'static str| {
            assert!(
                held.must_wait(flow(1), text.as_bytes(), text.starts_with("ACK")),
                "{text}"
            );
            let (bytes, way) = (Bytes::from(text), Way::Stream(write.clone()));
            let flow = flow(1);
            held.push(Held { flow, bytes, way });
        };
        say(&mut held, "ACK 1");
        say(&mut held, "INFO 1");
        held.release();
        // The disk takes its time; the caller hangs up in a later step.
        say(&mut held, "BYE 1");
        held.release();
        assert!(!held.must_wait(flow(2), b"BYE 2", true), "another flow");
        assert!(sent.try_recv().is_err(), "before anything is written");
        assert!(sender.turn());
        assert!(
            held.must_wait(flow(1), b"BYE 1", false),
            "the BYE is not sent yet"
        );
        assert!(sender.turn());
        assert!(!held.must_wait(flow(1), b"BYE 1", false));
        let order = [(); 3].map(|()| sent.try_recv().unwrap());
        assert_eq!(order, ["ACK 1", "INFO 1", "BYE 1"]);
        say(&mut held, "ACK 2");
        held.release();
        assert_eq!(held.behind.len(), 1, "what is sent is forgotten");
        drop(held);
        assert!(
            sender.turn() && !sender.turn(),
            "the thread ends with the control task"
        );
    }
}
