//! A request that has been read: what the rest of the endpoint works on.

use crate::message::{Essentials, Message, Method, Uri};
use crate::settings::Flow;

/// A request whose syntax stands.
pub(super) struct Request<'a> {
    /// Where it came from.
    pub(super) flow: Flow,
    /// Where its answers go.
    pub(super) reply_to: Flow,
    pub(super) message: &'a Message,
    pub(super) essentials: Essentials<'a>,
    pub(super) method: Method,
    pub(super) uri: Uri<'a>,
    /// Its server transaction.
    pub(super) key: Vec<u8>,
    /// How much of the key is the same for a merged request (§8.2.2.2).
    pub(super) merge: usize,
}
