//! A contact, as the queue knows it: a number, and the way by which it is reached. The queue decides about contacts; a call at a
//! gateway is the way of a contact by phone.

use pronto_types::link::Channel;
use pronto_types::{CallId, ContactId, GatewayName};

/// A contact and the way by which it is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contact {
    /// The number of the contact.
    pub id: ContactId,
    /// The way by which the contact is reached.
    pub reach: Reach,
}

/// The way by which a contact is reached: what its channel needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// A call, which has the number of the contact.
    Phone {
        /// The gateway that has the call.
        gateway: GatewayName,
    },
}

impl Contact {
    /// A contact of which this gateway tells.
    pub fn at(gateway: GatewayName, id: ContactId, channel: Channel) -> Self {
        let reach = match channel {
            Channel::Phone => Reach::Phone { gateway },
        };
        Contact { id, reach }
    }

    /// The contact of a call.
    pub fn of_call(gateway: GatewayName, call: CallId) -> Self {
        Contact::at(gateway, call.into(), Channel::Phone)
    }

    /// The channel of the contact.
    pub fn channel(&self) -> Channel {
        match self.reach {
            Reach::Phone { .. } => Channel::Phone,
        }
    }

    /// The gateway that has the contact: it is asked what is wanted of the contact.
    pub fn gateway(&self) -> &GatewayName {
        match &self.reach {
            Reach::Phone { gateway } => gateway,
        }
    }

    /// The call of the contact.
    pub fn call(&self) -> CallId {
        match self.reach {
            Reach::Phone { .. } => CallId(self.id.0),
        }
    }
}
