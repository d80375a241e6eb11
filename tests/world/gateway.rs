//! A gateway of a world: the real core around modelled media, with the books a sceptic keeps on it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use pronto_gateway::journal::{Entry, Unfinished};
use pronto_gateway::{Gateway, Input, Output, Settings};
use pronto_media::Event as MediaEvent;
use pronto_sip as sip;
use pronto_types::link::Event;
use pronto_types::{CallId, GatewayName, QueueName, Time};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

use crate::media::MediaModel;
use crate::net::Datagram;

pub(crate) struct GatewayNode {
    pub(crate) name: GatewayName,
    pub(crate) address: SocketAddr,
    pub(crate) core: Option<Gateway>,
    pub(crate) media: MediaModel,
    pub(crate) epoch: u64,
    /// The journal as its store holds it, all epochs.
    pub(crate) journal: Vec<Event>,
    pub(crate) records: Records,
    settings: Arc<Settings>,
    sip: sip::Settings,
    seed: u64,
}

/// Exactly one record for each call that began.
#[derive(Default)]
pub(crate) struct Records {
    open: BTreeMap<CallId, ()>,
    pub(crate) begun: u64,
    pub(crate) ended: u64,
}

impl Records {
    fn see(&mut self, event: &Event) {
        match event {
            Event::CallBegan { call, .. } => {
                assert!(self.open.insert(*call, ()).is_none(), "{call} began twice");
                self.begun += 1;
            }
            Event::CallEnded { call, .. } => {
                assert!(
                    self.open.remove(call).is_some(),
                    "{call} has two records, or never began"
                );
                self.ended += 1;
            }
            _ => {}
        }
    }
}

/// An effect that a gateway asks of the world.
pub(crate) enum Want {
    Send(Datagram),
    Media(std::time::Duration, MediaEvent),
    Entry(Entry),
}

impl GatewayNode {
    pub(crate) fn new(
        name: GatewayName,
        address: SocketAddr,
        settings: Settings,
        sip: sip::Settings,
        seed: u64,
    ) -> Self {
        GatewayNode {
            name,
            address,
            core: None,
            media: MediaModel::default(),
            epoch: 0,
            journal: Vec::new(),
            records: Records::default(),
            settings: Arc::new(settings),
            sip,
            seed,
        }
    }

    /// Starts, or starts again after a crash: a new epoch, and records for the calls left open.
    pub(crate) fn start(&mut self, now: Time) -> Vec<Want> {
        self.epoch += 1;
        let seed = self.seed.wrapping_mul(31).wrapping_add(self.epoch);
        let endpoint = sip::Endpoint::new(self.sip.clone(), ChaCha12Rng::seed_from_u64(seed));
        let dice = ChaCha12Rng::seed_from_u64(seed ^ 0xd1ce);
        self.core = Some(Gateway::new(Arc::clone(&self.settings), endpoint, dice));
        self.media = MediaModel::default();
        let mut open = Unfinished::default();
        self.journal.iter().for_each(|event| open.see(event));
        self.input(now, Input::Recovered(open.calls()))
    }

    /// The queues whose forecasts its flows ask for.
    pub(crate) fn forecasts(&self) -> BTreeSet<QueueName> {
        self.settings.forecasts()
    }

    /// The process is killed.
    pub(crate) fn crash(&mut self) {
        self.core = None;
    }

    pub(crate) fn input(&mut self, now: Time, input: Input) -> Vec<Want> {
        if let Input::Media(MediaEvent::Finished { leg, .. }) = &input {
            self.media.finished(now, *leg);
        }
        if let Some(core) = &mut self.core {
            core.handle_input(now, input);
            if core.awaits().is_some() {
                // This world's disk takes no time.
                let number = core.last_entry();
                core.handle_input(now, Input::Durable { number });
            }
        }
        self.drain(now)
    }

    pub(crate) fn timeout(&mut self, now: Time) -> Vec<Want> {
        if let Some(core) = &mut self.core {
            core.handle_timeout(now);
        }
        self.drain(now)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.core.as_ref().and_then(Gateway::poll_timeout)
    }

    fn drain(&mut self, now: Time) -> Vec<Want> {
        let mut wants = Vec::new();
        let Some(core) = &mut self.core else { return wants };
        while let Some(output) = core.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => {
                    wants.push(Want::Send(Datagram {
                        from: flow.local,
                        to: flow.remote,
                        bytes,
                    }));
                }
                Output::Media(command) => {
                    if let Some((after, event)) = self.media.command(now, command) {
                        wants.push(Want::Media(after, event));
                    }
                }
                // Nothing is recorded in this world.
                Output::Recording(_)
                | Output::Leg { .. }
                | Output::Dialog { .. }
                | Output::Refused { .. } => {}
                Output::Record(entry) => {
                    self.records.see(&entry.event);
                    self.journal.push(entry.event);
                }
                Output::Entry(entry) => wants.push(Want::Entry(entry)),
            }
        }
        wants
    }
}
