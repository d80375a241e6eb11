//! Inputs and results of a media session.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use pronto_types::Digit;

use crate::rtp::Packet;
use crate::telephone_event::Payload;
use crate::{Codec, Learn, PlayId, Proof};

/// The result of offer and answer: the fields of `Command::Configure`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Agreement {
    /// The SDP's address.
    pub remote: Option<SocketAddr>,
    /// The agreed audio codec.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// The payload type of telephone-event.
    pub telephone_event: Option<u8>,
    /// Whether we send.
    pub send: bool,
    /// Whether we take what comes.
    pub receive: bool,
    /// The symmetric RTP rule: whether the media address may be learned from received packets.
    pub learn: Learn,
    /// How much audio goes into a packet of ours, 5 to 60 ms.
    pub ptime: Duration,
    /// Whether media may flow to an address that is new.
    pub proof: Proof,
}

/// Why a packet was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DropReason {
    /// Nothing was agreed yet.
    Unconfigured,
    /// From somebody else.
    Foreign,
    /// Not what it should be.
    Malformed,
    /// Not agreed, too old, or nothing is to be received.
    Unexpected,
    /// It came before.
    Duplicate,
}

/// The result of receiving one packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// Dropped and counted.
    Dropped(DropReason),
    /// An RTCP packet that was accepted.
    Rtcp {
        /// The first packet after a stall.
        resumed: bool,
    },
    /// An RTP packet that was accepted.
    Rtp {
        /// A key pressed with it.
        digit: Option<Digit>,
        /// The first after a stall.
        resumed: bool,
        /// For the other leg of a bridge.
        heard: Heard,
    },
}

/// A packet as the other leg of a bridge gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// The packet's RTP header.
    pub packet: Packet,
    /// The kind of payload: audio or a telephone-event.
    pub contents: Contents,
    /// A later packet came before it.
    pub late: bool,
    /// The audio holds a key's tones, or seems to.
    pub tone: bool,
    /// A press begins with it that no other way has told.
    pub pressed: Option<Digit>,
    /// It belongs to a press that was told otherwise already.
    pub again: bool,
}

/// The kind of payload in a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contents {
    /// Audio in this codec.
    Audio(Codec),
    /// A telephone-event and its fields.
    Event(Payload),
}

/// A packet to send: where to, and where in the buffer it lies.
pub type Datagram = (SocketAddr, Range<usize>);

/// The results of one tick.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tick {
    /// An RTP packet.
    pub datagram: Option<Datagram>,
    /// The play whose last sample it holds.
    pub finished: Option<PlayId>,
    /// Nothing has come for 2 s.
    pub stalled: bool,
    /// There are packets to be had from [`Session::next_packed`](super::Session::next_packed).
    pub packed: bool,
}
