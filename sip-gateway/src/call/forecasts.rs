//! The forecasts that flows ask for. The queue tells them as they change, so a flow has its answer at once, and the link
//! carries no question; what is old, or was told over a link that is gone, is not known.

use std::collections::BTreeMap;
use std::time::Duration;

use pronto_ivr as ivr;
use pronto_types::{Forecast, QueueName, Time};

use super::Gateway;
use super::state::Call;

/// The queue tells each forecast every 5 s at least, where flows ask for hundreds of queues every 10 s.
const FRESH: Duration = Duration::from_secs(15);

impl Gateway {
    /// The queue says how long a caller would wait who joined now; `None`: nobody knows.
    pub(super) fn forecast(&mut self, now: Time, queue: QueueName, wait: Option<Forecast>) {
        match wait {
            Some(wait) if self.asked.contains(&queue) => {
                self.forecasts.insert(queue, (wait, now));
            }
            // Never asked for: an honest queue does not tell it.
            Some(_) => {}
            None => {
                self.forecasts.remove(&queue);
            }
        }
    }

    /// A flow asks.
    pub(super) fn look_up(&self, now: Time, call: &mut Call, look: ivr::LookId, queues: &[QueueName]) {
        let known = queues.iter().filter_map(|queue| {
            let (wait, told) = self.forecasts.get(queue)?;
            (now.since(*told) <= FRESH).then(|| (queue.clone(), *wait))
        });
        let forecasts: BTreeMap<QueueName, Forecast> = known.collect();
        call.tell_flow(now, ivr::Input::Found { look, forecasts });
    }
}
