//! Checks across states: loops without an end, and states without an entrance.

use std::collections::BTreeSet;
use std::ops::Range;

use pronto_config::{Problem, Problems, quoted};

use super::{Kind, QueueExits, State, StateIndex, Then};

/// A state as far as it could be read: `state` is `None` where one of its problems left it without sense.
pub(super) struct Draft {
    pub(super) head: Range<usize>,
    pub(super) state: Option<State>,
}

/// Loops in which no caller has a say: states that only talk or compare, and queues that refuse to one another. A loop with
/// a menu in it ends by the session's own limits.
pub(super) fn loops(drafts: &[Draft], problems: &mut Problems) {
    let kinds: Vec<Option<&Kind>> = drafts
        .iter()
        .map(|draft| draft.state.as_ref().map(|state| &state.kind))
        .collect();
    let talking = |at: usize| match kinds[at] {
        Some(Kind::Say {
            then: Then::Next(next),
            ..
        }) => vec![next.0],
        Some(kind @ Kind::Forecast { .. }) => successors(kind),
        _ => Vec::new(),
    };
    report(drafts, talking, |_| true, "these states only talk", problems);
    let refusing = |at: usize| match kinds[at] {
        Some(Kind::Queue {
            exits: QueueExits { nobody, failed, .. },
            ..
        }) => [nobody, failed]
            .into_iter()
            .flatten()
            .map(|next| next.0)
            .collect(),
        Some(kind @ Kind::Forecast { .. }) => successors(kind),
        _ => Vec::new(),
    };
    report(
        drafts,
        refusing,
        // Those without a queue have been reported.
        |at| matches!(kinds[at], Some(Kind::Queue { .. })),
        "these queues send a caller they refuse to one another, without a word",
        problems,
    );
}

fn report(
    drafts: &[Draft],
    next: impl Fn(usize) -> Vec<usize>,
    counts: impl Fn(usize) -> bool,
    what: &str,
    problems: &mut Problems,
) {
    let mut reported = BTreeSet::new();
    for (at, draft) in drafts.iter().enumerate() {
        let reached = reach(at, &next);
        if reported.contains(&at) || !reached.contains(&at) {
            continue;
        }
        let within: Vec<usize> = reached
            .into_iter()
            .filter(|&other| reach(other, &next).contains(&at))
            .collect();
        if !within.iter().any(|&at| counts(at)) {
            continue;
        }
        let states = within.iter().filter_map(|&other| drafts[other].state.as_ref());
        let names: Vec<String> = states.map(|state| quoted(&state.name)).collect();
        let found = format!("a loop of {}", names.join(", "));
        let problem = Problem::error(
            draft.head.clone(),
            format!("a loop without an end: {what}"),
            found,
        );
        problems.push(problem.expected("a menu, a caller's key or a hang-up on the way"));
        reported.extend(within);
    }
}

/// The states that can be reached from a state in one step or more.
fn reach(from: usize, next: &impl Fn(usize) -> Vec<usize>) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut ahead = next(from);
    while let Some(at) = ahead.pop() {
        if reached.insert(at) {
            ahead.extend(next(at));
        }
    }
    reached
}

/// The states to which nothing leads, in the order of the text.
pub(super) fn unreachable(drafts: &[Draft], start: StateIndex) -> Vec<Problem> {
    let mut reached = reach(start.0, &|at| {
        drafts[at]
            .state
            .as_ref()
            .map_or_else(Vec::new, |s| successors(&s.kind))
    });
    reached.insert(start.0);
    let unreached = drafts.iter().enumerate().filter(|(at, _)| !reached.contains(at));
    unreached
        .filter_map(|(_, draft)| {
            let name = quoted(&draft.state.as_ref()?.name);
            let message = format!("nothing leads to state {name}");
            Some(
                Problem::warning(draft.head.clone(), message, name)
                    .expected("a key, `next` or exit that names it"),
            )
        })
        .collect()
}

fn successors(kind: &Kind) -> Vec<usize> {
    let targets: Vec<StateIndex> = match kind {
        Kind::Say {
            then: Then::Next(next),
            ..
        } => vec![*next],
        Kind::Say {
            then: Then::HangUp, ..
        }
        | Kind::HangUp => Vec::new(),
        Kind::Forecast { exits, .. } => vec![exits.longer, exits.unknown, exits.next],
        Kind::Menu { keys, exits, .. } => keys
            .targets()
            .chain([exits.noinput, exits.nomatch].into_iter().flatten())
            .collect(),
        Kind::Queue {
            keys,
            exits:
                QueueExits {
                    timed_out,
                    nobody,
                    failed,
                    ended,
                },
            ..
        } => keys
            .targets()
            .chain([*timed_out, *nobody, *failed, *ended].into_iter().flatten())
            .collect(),
    };
    targets.into_iter().map(|target| target.0).collect()
}
