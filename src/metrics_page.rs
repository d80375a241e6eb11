//! The Prometheus page.

use std::net::SocketAddr;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

/// Buckets of durations, in seconds: from a fast commit to a long wait.
const SECONDS: [f64; 14] = [
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0,
];

/// Buckets of what callers wait, in seconds; 20 s is the usual target of a service level.
const WAITS: [f64; 15] = [
    5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0,
];

/// Serves `/metrics` on this address and makes the process's metrics go there.
///
/// # Errors
/// The address cannot be bound, or a recorder is installed already.
pub(crate) fn serve(listen: SocketAddr) -> Result<(), BuildError> {
    PrometheusBuilder::new()
        .with_http_listener(listen)
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full("pronto_queue_wait_seconds".to_owned()), &WAITS)?
        .install()
}
