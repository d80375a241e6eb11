//! The even ports of the configured range.

use std::collections::VecDeque;

/// Free port pairs, the longest unused first, so that stray packets of an old call find nobody.
#[derive(Debug)]
pub(super) struct Ports {
    free: VecDeque<u16>,
}

impl Ports {
    /// "RTP SHOULD use an even destination port number and the corresponding RTCP … the next higher (odd) port"
    /// (RFC 3550 §11). Both of a pair lie in the range, ends included.
    pub(super) fn new(first: u16, last: u16) -> Self {
        let free = (first.max(2)..last)
            .filter(|port| port.is_multiple_of(2))
            .collect();
        Ports { free }
    }

    pub(super) fn take(&mut self) -> Option<u16> {
        self.free.pop_front()
    }

    pub(super) fn give_back(&mut self, port: u16) {
        self.free.push_back(port);
    }

    pub(super) fn free(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_even_lie_in_the_range_and_rotate() {
        let mut ports = Ports::new(20_001, 20_006);
        assert_eq!(ports.free(), 2);
        assert_eq!(ports.take(), Some(20_002));
        ports.give_back(20_002);
        assert_eq!(
            (ports.take(), ports.take(), ports.take()),
            (Some(20_004), Some(20_002), None)
        );
        assert_eq!(Ports::new(0, 1).free(), 0);
        assert_eq!(Ports::new(65_534, 65_535).free(), 1);
        assert_eq!(Ports::new(9, 3).free(), 0);
    }
}
