//! Outputs of the core, carried out: messages sent, commands posted to the media threads, entries written to the journal.

use std::sync::Arc;

use bytes::Bytes;
use pronto_recordings::Talk;
use pronto_sip::{Flow, Transport};
use pronto_types::TicketId;

use super::Control;
use crate::call::{Input, Output};
use crate::shell::held::{Held, Way};
use crate::shell::streams::Newcomer;
use crate::shell::tcp;

impl Control {
    /// Carries out what the core wants. What could not be sent comes back as an input.
    pub(super) fn drain_outputs(&mut self) {
        loop {
            while let Some(output) = self.core.poll_output() {
                match output {
                    Output::Transmit { flow, bytes } => self.transmit(flow, bytes),
                    Output::Media(command) => self.command(command),
                    Output::Recording(talk) => {
                        if let Some(recorder) = &self.recorder {
                            recorder.begin(Talk {
                                began: self.wall.date(talk.began),
                                ..talk
                            });
                        }
                    }
                    Output::Dialog { dialog, change } => self.dialogs.take(dialog, &change),
                    Output::Leg { call, peer, call_id } => self.ring.claim(call, &peer, &call_id),
                    Output::Refused { source, refusal } => {
                        self.notes.refused(self.clock.now(), source, &refusal);
                    }
                    Output::Record(entry) => {
                        self.linking.position.wrote(entry.number);
                        self.diary.entry(self.clock.now(), &entry.event);
                        self.journal.append(&entry, self.wall.offset());
                    }
                    Output::Entry(entry) => self.linking.send(entry),
                }
            }
            let now = self.clock.now();
            if let Some(event) = self.media_refused.pop() {
                self.core.handle_input(now, Input::Media(event));
            } else if let Some(flow) = self.failed.pop() {
                self.core
                    .handle_input(now, Input::Sip(pronto_sip::Input::FlowFailed { flow }));
            } else {
                return self.held.release();
            }
        }
    }

    fn transmit(&mut self, flow: Flow, bytes: Bytes) {
        let now = self.clock.now();
        self.ring.sent(now, flow, &bytes);
        self.diary.sent(now, flow, &bytes, self.taken.as_deref());
        match flow.transport {
            Transport::Udp => {
                let Some(socket) = self.sockets.udp.get(&flow.local) else {
                    return;
                };
                if self.held.must_wait(flow, &bytes, self.dialogs.is_dirty()) {
                    let way = Way::Datagram(Arc::clone(socket));
                    return self.held.push(Held { flow, bytes, way });
                }
                // A full kernel buffer loses a datagram, as a network would; SIP's timers send it again.
                if socket.try_send_to(&bytes, flow.remote).is_err() {
                    metrics::counter!("pronto_sip_send_failed_total").increment(1);
                }
            }
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                if self.sockets.streams.get(&flow).is_none() {
                    if !flow.transport.is_dialled() || !self.make_room(flow, Newcomer::Ours) {
                        return self.failed.push(flow);
                    }
                    self.next_connection += 1;
                    let connection = tcp::connect(
                        self.next_connection,
                        flow,
                        self.sockets.policy.dscp,
                        self.happened.clone(),
                    );
                    let now = self.clock.now();
                    self.sockets.streams.insert(now, flow, Newcomer::Ours, connection);
                }
                if self.held.must_wait(flow, &bytes, self.dialogs.is_dirty())
                    && let Some(connection) = self.sockets.streams.get(&flow)
                {
                    let way = Way::Stream(connection.write.clone());
                    return self.held.push(Held { flow, bytes, way });
                }
                let full = self
                    .sockets
                    .streams
                    .get(&flow)
                    .is_some_and(|c| c.write.try_send(bytes).is_err());
                if full {
                    // A peer that does not read is not waited for: dropping the queue ends the connection.
                    self.sockets.streams.remove(&flow);
                    self.failed.push(flow);
                }
            }
        }
    }

    fn command(&mut self, command: pronto_media::Command) {
        let opening = match &command {
            pronto_media::Command::Open { leg, .. } => Some(*leg),
            _ => None,
        };
        let recording = match &command {
            pronto_media::Command::Record { recording, .. } => Some(TicketId(recording.0)),
            _ => None,
        };
        if self.media.post(command).is_err() {
            metrics::counter!("pronto_media_commands_refused_total").increment(1);
            if let (Some(recorder), Some(ticket)) = (&self.recorder, recording) {
                recorder.inlet().end(ticket, 0);
            }
            if let Some(leg) = opening {
                let error = pronto_media::OpenError::Busy;
                self.media_refused
                    .push(pronto_media::Event::OpenFailed { leg, error });
            }
        }
    }
}
