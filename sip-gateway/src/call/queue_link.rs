//! Messages from the queue service over the link: acknowledgements and directives.

use pronto_types::link::{Directive, Event, RefuseReason};
use pronto_types::{TicketId, Time};

use super::Gateway;
use super::offering::Grant;
use super::state::Call;

impl Gateway {
    /// The queue knows of these joinings: the callers wait under its clock.
    pub(super) fn known(&mut self, now: Time, joined: Vec<TicketId>) {
        for ticket in joined {
            self.with_ticket(now, ticket, |_, call| {
                if let Some(place) = call.ticket_mut() {
                    place.unknown_until = None;
                }
            });
        }
    }

    /// The queue asks. A ticket or an offer we do not know is over here; our journal says so.
    pub(super) fn directive(&mut self, now: Time, directive: Directive) {
        match directive {
            Directive::Announce {
                announcement,
                ticket,
                position,
                wait,
                rise,
            } => {
                let words = pronto_ivr::speak::Announcement {
                    position,
                    rise,
                    wait: wait.and_then(|wait| wait.said()),
                    way_out: None,
                };
                self.announce(now, announcement, ticket, words);
            }
            Directive::Offer {
                offer,
                ticket,
                operator,
                ring,
                queue,
                waited,
            } => {
                self.granted(
                    now,
                    Grant {
                        offer,
                        ticket,
                        operator,
                        ring,
                        queue,
                        waited,
                    },
                );
            }
            Directive::Withdraw { offer } => {
                if let Some(&id) = self.offers.get(&offer) {
                    self.with_call(now, id, |gateway, call| gateway.withdraw(now, call, offer));
                } else if !self.journal.resolves(offer) {
                    // It never came, or an earlier life of ours had it: nothing rings under it here.
                    let reason = RefuseReason::Withdrawn;
                    self.write(now, Event::Refused { offer, reason });
                }
            }
            Directive::Exit { ticket, reason } => {
                self.with_ticket(now, ticket, |gateway, call| gateway.exit(now, call, reason));
            }
            Directive::Forecast { queue, wait } => self.forecast(now, queue, wait),
            Directive::Rejoin { ticket } => {
                self.with_ticket(now, ticket, |gateway, call| gateway.rejoin(now, call, ticket));
            }
        }
    }

    fn with_ticket(&mut self, now: Time, ticket: TicketId, step: impl FnOnce(&mut Self, &mut Call)) {
        if let Some(&id) = self.tickets.get(&ticket) {
            self.with_call(now, id, step);
        }
    }
}
