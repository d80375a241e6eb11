//! Commands and events exchanged between the control plane and the media threads.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pronto_types::Digit;

use crate::{Clip, Codec};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:x})"), self.0)
            }
        }
    };
}

number! {
    /// One leg's media. Chosen by the control plane, never used twice in a process.
    LegId
}
number! {
    /// One playing of prompts, to tell the end of this from the end of an earlier one. Chosen by the control plane.
    PlayId
}

number! {
    /// One recording of a bridge. Chosen by the control plane, never used twice in a process.
    RecordingId
}

/// Where media may come from when it does not come from where the SDP said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Learn {
    /// Nowhere: media goes only to `remote` and is taken only from there, address and port.
    Fixed,
    /// Once: a valid RTP packet from this IP (the signalling source's) fixes address and port, until they fall silent.
    Once {
        /// The only IP that may teach us.
        ip: IpAddr,
    },
}

/// Whether the peer is known to have asked for the media that goes to its address. Anybody can write somebody else's
/// address into an INVITE with a forged source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// It is: the signalling has come full circle.
    Given,
    /// It is not: a few packets may go there ([`UNPROVEN`](crate::session::UNPROVEN)), until RTP or RTCP comes from there.
    Awaited,
}

/// A command from the control plane to the media threads. Commands for a leg that is not open are counted and ignored.
#[derive(Clone, Debug)]
pub enum Command {
    /// Bind a port pair; [`Event::Opened`] or [`Event::OpenFailed`] answers.
    Open {
        /// The new leg.
        leg: LegId,
        /// Legs of equal group live on one thread and may be bridged.
        group: u64,
        /// From the control plane's CSPRNG: SSRC, first sequence number, first timestamp, RTCP intervals and CNAME.
        seed: u64,
    },
    /// Apply the result of an offer/answer exchange. It may be repeated at any time; unchanged values stay undisturbed.
    /// A learned address is kept while `remote` and `learn` stay the same.
    Configure {
        /// The leg to configure.
        leg: LegId,
        /// The SDP's address; `None`: there is nothing to send to (hold).
        remote: Option<SocketAddr>,
        /// The agreed codec.
        codec: Codec,
        /// Its payload type, 0 to 127, both ways.
        payload_type: u8,
        /// The payload type of telephone-event, if agreed; without it digits are looked for in the audio.
        telephone_event: Option<u8>,
        /// Whether we send.
        send: bool,
        /// Whether we take what comes.
        receive: bool,
        /// The symmetric RTP rule: whether the media address may be learned from received packets.
        learn: Learn,
        /// How much audio to send in a packet, 5 to 60 ms.
        ptime: Duration,
        /// Whether media may flow to an address that is new.
        proof: Proof,
    },
    /// Play these one after the other, from the start, instead of what is playing. [`Event::Finished`] follows the
    /// last sample, unless stopped or replaced before. Inside a bridge it drowns the other side until finished.
    Play {
        /// The leg that plays the clips.
        leg: LegId,
        /// The id that [`Event::Finished`] reports back.
        play: PlayId,
        /// The clips, in the order in which they are played.
        clips: Vec<Clip>,
    },
    /// Play this in a loop instead of what is playing. The same clip goes on at the sample where it stopped on this leg.
    Music {
        /// The leg that hears the music.
        leg: LegId,
        /// The clip to loop.
        clip: Clip,
    },
    /// Cut what is playing at the next 20 ms tick. Silence is still sent, so that NAT bindings stay.
    Stop {
        /// The leg to silence.
        leg: LegId,
    },
    /// Both hear each other from now on; what either was playing is cut, other bridges of the two are ended.
    Bridge {
        /// The first leg of the bridge.
        a: LegId,
        /// The other, of the same group.
        b: LegId,
    },
    /// Neither hears the other from now on.
    Unbridge {
        /// The first leg of the bridge.
        a: LegId,
        /// The second leg of the bridge.
        b: LegId,
    },
    /// Record the bridge of these two until it ends, however it ends. [`Recorded`](crate::Recorded) follows; where they are
    /// not bridged, or recorded already, only its end.
    Record {
        /// The leg heard left.
        left: LegId,
        /// The other leg of its bridge, heard right.
        right: LegId,
        /// The id that each [`Recorded`](crate::Recorded) of this recording carries.
        recording: RecordingId,
    },
    /// Send these keys, 100 ms each: as telephone-events, or as tones where those were not agreed. Other audio to the leg
    /// waits meanwhile. On hold the keys wait, like those that the other leg of a bridge brings.
    Digits {
        /// The leg to send the keys to.
        leg: LegId,
        /// Up to 64 wait at a time, the rest is dropped.
        digits: Vec<Digit>,
    },
    /// Close the sockets and forget the leg; [`Event::Closed`] answers.
    Close {
        /// The leg to close.
        leg: LegId,
    },
}

/// An event of one leg, from the media threads to the control plane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The ports are bound: RTP here, RTCP one above.
    Opened {
        /// The leg that was opened.
        leg: LegId,
        /// The RTP address: the configured listen address and the port.
        local: SocketAddr,
    },
    /// There will be no such leg.
    OpenFailed {
        /// The leg that failed to open.
        leg: LegId,
        /// The reason for the failure.
        error: OpenError,
    },
    /// The far end pressed a key. Once per press, at its first packet; at most 20 a second in the long run.
    Digit {
        /// The leg on which the key was received.
        leg: LegId,
        /// The key that was pressed.
        digit: Digit,
        /// Whether the leg is in a bridge, whose other leg gets the key.
        bridged: bool,
    },
    /// The last sample of a [`Command::Play`] was sent.
    Finished {
        /// The leg that finished playing.
        leg: LegId,
        /// The id given in [`Command::Play`].
        play: PlayId,
    },
    /// No RTP and no RTCP from the phone for 2 s, whether any is expected or not. Said once, until [`Event::Resumed`].
    Stalled {
        /// The leg that receives nothing.
        leg: LegId,
        /// Whether RTP or RTCP has ever come from it.
        heard: bool,
    },
    /// RTP or RTCP again after [`Event::Stalled`].
    Resumed {
        /// The leg that receives packets again.
        leg: LegId,
    },
    /// The leg is gone.
    Closed {
        /// The leg that was closed.
        leg: LegId,
        /// The final counts of the leg.
        stats: Stats,
    },
}

/// Why a leg could not be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// Every port pair of the range is taken.
    #[error("no port pair is free")]
    NoPorts,
    /// The operating system refused a socket (file descriptors, memory, address).
    #[error("no socket to be had")]
    NoSockets,
    /// The media threads have no room for another command.
    #[error("the media threads are busy")]
    Busy,
}

/// Packet counts, key count and highest jitter of one leg.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// RTP packets taken.
    pub received: u64,
    /// RTP packets missing, by sequence number.
    pub lost: u64,
    /// RTP packets that came twice; dropped.
    pub duplicates: u64,
    /// RTP packets that came after a later one.
    pub out_of_order: u64,
    /// Packets from elsewhere; dropped.
    pub foreign: u64,
    /// Packets that are not what they should be; dropped.
    pub malformed: u64,
    /// RTP packets of a payload type not agreed, while nothing is to be received, too old, or before the first
    /// `Configure`; dropped.
    pub unexpected: u64,
    /// RTCP packets taken.
    pub rtcp_received: u64,
    /// RTP packets sent, relayed ones included.
    pub sent: u64,
    /// RTP packets sent that came from the other leg of a bridge.
    pub relayed: u64,
    /// Keys pressed by the far end.
    pub digits: u64,
    /// The highest interarrival jitter seen (RFC 3550 §A.8). Packets are read every few milliseconds, which shows in it.
    pub max_jitter: Duration,
}
