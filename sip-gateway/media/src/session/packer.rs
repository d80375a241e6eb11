//! Audio on its way into packets of another length than it comes in.
//!
//! Ours comes in frames of 20 ms, that of the other leg of a bridge in packets of its own length. Here it waits until a
//! packet of this leg is full. Where the stream has a gap, what waits leaves as a shorter packet.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

/// The audio that waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Packer {
    octets: Vec<u8>,
    /// The timestamp of the first octet after the cut.
    start: u32,
    /// The number of octets before a gap, and the timestamp of the first of them.
    cut: (usize, u32),
    /// The source that is relayed: its SSRC, and the timestamp its next packet should have.
    source: Option<(u32, u32)>,
}

impl Packer {
    /// The timestamp of what would follow without a gap; `None` where nothing waits.
    pub(super) fn end(&self) -> Option<u32> {
        let waiting = self.octets.len() - self.cut.0;
        (waiting > 0).then(|| self.start.wrapping_add(waiting as u32))
    }

    /// The gap, in timestamp units, between what came last from a source and this; `None` from another source.
    pub(super) fn gap(&self, ssrc: u32, timestamp: u32) -> Option<u32> {
        let (known, next) = self.source?;
        (known == ssrc).then(|| timestamp.wrapping_sub(next))
    }

    /// Sets the timestamp that the source's next packet should have.
    pub(super) fn expect(&mut self, ssrc: u32, timestamp: u32) {
        self.source = Some((ssrc, timestamp));
    }

    /// The source is interrupted by audio of ours.
    pub(super) fn forget_source(&mut self) {
        self.source = None;
    }

    /// Adds audio of this timestamp. What has waited is drained before: see [`Packer::next`].
    pub(super) fn push(&mut self, start: u32, octets: &[u8]) {
        if self.end() != Some(start) {
            self.cut();
            self.start = start;
        }
        self.octets.extend_from_slice(octets);
    }

    /// Marks a gap after the waiting audio: it leaves without waiting for a full packet.
    pub(super) fn cut(&mut self) {
        if self.end().is_some() {
            self.cut = (self.octets.len(), self.start);
        }
    }

    /// How long the next packet is; `None` while it is not full.
    pub(super) fn next(&self, frame: usize) -> Option<usize> {
        match self.cut.0 {
            0 => (self.octets.len() >= frame).then_some(frame),
            before => Some(before.min(frame)),
        }
    }

    /// Takes the next packet's audio; returns its timestamp.
    pub(super) fn take(&mut self, into: &mut [u8]) -> u32 {
        let length = into.len();
        into.copy_from_slice(&self.octets[..length]);
        self.octets.drain(..length);
        let advance = length as u32;
        match &mut self.cut {
            (0, _) => {
                let start = self.start;
                self.start = start.wrapping_add(advance);
                start
            }
            (before, start) => {
                let begun = *start;
                *before -= length.min(*before);
                *start = begun.wrapping_add(advance);
                begun
            }
        }
    }

    /// Forgets what waits.
    pub(super) fn clear(&mut self) {
        self.octets.clear();
        self.cut.0 = 0;
        self.source = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(packer: &mut Packer, frame: usize) -> Vec<(u32, usize)> {
        let mut out = Vec::new();
        while let Some(length) = packer.next(frame) {
            let mut octets = vec![0; length];
            out.push((packer.take(&mut octets), length));
        }
        out
    }

    #[test]
    fn audio_is_cut_and_joined_without_losing_an_octet() {
        let mut packer = Packer::default();
        let mut out = Vec::new();
        for n in 0..6 {
            packer.push(n * 160, &[0; 160]);
            out.extend(drained(&mut packer, 240));
        }
        assert_eq!(out, [(0, 240), (240, 240), (480, 240), (720, 240)]);
        packer.push(960, &[0; 160]);
        assert_eq!(drained(&mut packer, 80), [(960, 80), (1_040, 80)]);
    }

    #[test]
    fn what_waits_before_a_gap_leaves_as_a_shorter_packet() {
        let mut packer = Packer::default();
        packer.push(0, &[1; 160]);
        packer.push(1_000, &[2; 160]);
        assert_eq!(drained(&mut packer, 240), [(0, 160)]);
        packer.push(1_160, &[3; 160]);
        assert_eq!(drained(&mut packer, 240), [(1_000, 240)]);
        packer.cut();
        assert_eq!(drained(&mut packer, 240), [(1_240, 80)]);
        assert_eq!(packer.end(), None);
    }
}
