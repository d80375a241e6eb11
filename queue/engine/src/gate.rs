//! Nothing leaves before the fact behind it is durable.

use std::collections::VecDeque;

use crate::api::Output;
use crate::fact::LedgerEntry;

/// Holds outputs until the store reports the facts before them durable.
///
/// ```text
///   engine ─push─► [ fact 7 ] → returned, to be appended
///                  [ offer  ] → held behind 7 … durable(7) … poll()
/// ```
#[derive(Clone, Debug)]
pub struct Gate {
    newest: u64,
    durable: u64,
    held: VecDeque<(u64, Output)>,
    limit: usize,
}

impl Gate {
    /// A gate in front of a ledger whose newest, durable fact is `last` (0 for an empty one), which asks for patience
    /// ([`Gate::is_full`]) at `limit` held outputs.
    pub fn new(last: u64, limit: usize) -> Self {
        Gate {
            newest: last,
            durable: last,
            held: VecDeque::new(),
            limit,
        }
    }

    /// Takes an output of the engine, in the order it came. A fact is handed back, to be appended to the ledger;
    /// anything else is held until that ledger is durable up to the newest fact pushed before.
    #[must_use = "a fact must be appended to the ledger"]
    pub fn push(&mut self, output: Output) -> Option<LedgerEntry> {
        match output {
            Output::Fact(recorded) => {
                self.newest = recorded.seq;
                Some(recorded)
            }
            other => {
                self.held.push_back((self.newest, other));
                None
            }
        }
    }

    /// The ledger is durable up to `seq`. Never goes back.
    pub fn durable(&mut self, seq: u64) {
        self.durable = self.durable.max(seq);
    }

    /// The next output that may be acted upon.
    pub fn poll(&mut self) -> Option<Output> {
        let (needed, _) = self.held.front()?;
        if *needed > self.durable {
            return None;
        }
        self.held.pop_front().map(|(_, output)| output)
    }

    /// The number of outputs held until their facts are durable.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Whether the shell should take no further input before some outputs are out. `push` never refuses: what an
    /// input causes is not cut in half.
    pub fn is_full(&self) -> bool {
        self.held.len() >= self.limit
    }

    /// Whether every fact pushed is durable.
    pub fn is_settled(&self) -> bool {
        self.durable >= self.newest
    }
}

#[cfg(test)]
mod tests {
    use pronto_types::{GatewayName, Time};

    use super::*;
    use crate::Fact;

    fn fact(seq: u64) -> Output {
        let fact = Fact::Settled;
        Output::Fact(LedgerEntry {
            seq,
            at: Time::ZERO,
            cause: None,
            fact,
        })
    }

    fn acknowledge(number: u64) -> Output {
        Output::Acknowledge {
            gateway: GatewayName::new("gw1").unwrap(),
            epoch: 1,
            number,
        }
    }

    #[test]
    fn nothing_leaves_before_the_facts_pushed_before_it_are_durable() {
        let mut gate = Gate::new(6, 10);
        assert!(gate.push(acknowledge(1)).is_none());
        assert_eq!(gate.poll(), Some(acknowledge(1)));
        assert_eq!(gate.push(fact(7)).map(|it| it.seq), Some(7));
        assert_eq!(gate.push(fact(8)).map(|it| it.seq), Some(8));
        assert!(gate.push(acknowledge(2)).is_none());
        assert!(gate.push(fact(9)).is_some());
        assert!(gate.push(acknowledge(3)).is_none());
        gate.durable(7);
        assert_eq!(gate.poll(), None);
        gate.durable(8);
        assert_eq!(gate.poll(), Some(acknowledge(2)));
        assert_eq!((gate.poll(), gate.is_settled(), gate.held()), (None, false, 1));
        gate.durable(9);
        gate.durable(5);
        assert_eq!(gate.poll(), Some(acknowledge(3)));
        assert!(gate.is_settled());
    }

    #[test]
    fn a_full_gate_says_so_and_still_takes_what_one_input_caused() {
        let mut gate = Gate::new(0, 2);
        assert!(gate.push(fact(1)).is_some());
        for number in 1..=3 {
            assert!(gate.push(acknowledge(number)).is_none());
        }
        assert!(gate.is_full());
        gate.durable(1);
        assert!(gate.poll().is_some() && gate.poll().is_some());
        assert!(!gate.is_full());
    }
}
