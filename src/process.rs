//! What the system allows this process: how many files it may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sockets of a call: two legs, each with one for RTP and one for RTCP.
const OF_A_CALL: u64 = 4;
/// Connections of phones and integrators, the stores, and what else there is.
const OTHERS: u64 = 4_096 + 512;

/// Lets the process have as many files open as the system allows, and warns if that is not enough for so many calls.
pub(crate) fn raise_open_files(calls: usize) {
    let needed = OTHERS + OF_A_CALL * u64::try_from(calls).unwrap_or(u64::MAX / OF_A_CALL / 2);
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let mut may = limit.current.unwrap_or(u64::MAX);
    if may < most {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => {
                tracing::info!("the limit of open files was raised from {may} to {most} (ulimit -n)");
                may = most;
            }
            Err(error) => tracing::warn!(%error, "the limit of open files stays at {may} (ulimit -n)"),
        }
    }
    if may < needed {
        let enough = may.saturating_sub(OTHERS) / OF_A_CALL;
        tracing::warn!(
            "the limit of open files is {may} (ulimit -Hn): enough for some {enough} calls at once, and {calls} are configured; \
             {needed} would do"
        );
    }
}
