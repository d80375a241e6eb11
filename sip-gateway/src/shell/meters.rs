//! The gateway's metrics: what the core, the SIP endpoint and the media threads have counted, set once a second.

use pronto_media::Media;
use pronto_recordings::Recorder;
use pronto_types::link::RecordingFlaw;

use crate::call::Gateway;

/// Sets all of them.
pub(super) fn set(core: &Gateway, media: &Media, recorder: Option<&Recorder>, connections: usize) {
    let counts = core.counts();
    gauge("pronto_calls", counts.calls);
    gauge("pronto_journal_backlog", counts.backlog);
    metrics::counter!("pronto_calls_begun_total").absolute(counts.begun);
    metrics::counter!("pronto_calls_ended_total").absolute(counts.ended);
    metrics::counter!("pronto_calls_refused_total").absolute(counts.refused);
    gauge("pronto_orphans", counts.orphans);
    metrics::counter!("pronto_orphans_unreached_total").absolute(counts.unreached);
    sip(core, connections);
    packets(media);
    if let Some(recorder) = recorder {
        gauge("pronto_recordings", recorder.open());
        metrics::counter!("pronto_recording_frames_dropped_total").absolute(recorder.dropped());
    }
}

/// Counts a recording by what became of it.
pub(super) fn recorded(flaw: Option<RecordingFlaw>) {
    let result = match flaw {
        None => "whole",
        Some(RecordingFlaw::DiskFull) => "disk-full",
        Some(RecordingFlaw::DiskFailed) => "disk-failed",
        Some(RecordingFlaw::Overrun) => "overrun",
        Some(RecordingFlaw::Killed) => "killed",
    };
    metrics::counter!("pronto_recordings_total", "result" => result).increment(1);
}

fn sip(core: &Gateway, connections: usize) {
    let sip = core.sip_counts();
    gauge("pronto_sip_transactions", sip.transactions);
    gauge("pronto_sip_dialogs", sip.dialogs);
    gauge("pronto_sip_bindings", sip.bindings);
    gauge("pronto_sip_connections", connections);
    gauge("pronto_sip_sources", sip.sources);
    let dropped = sip.dropped;
    metrics::counter!("pronto_sip_bans_total").absolute(dropped.banned);
    for (reason, count) in [
        ("unusable", dropped.unusable),
        ("keep-alive", dropped.keep_alive),
        ("stray-response", dropped.stray_responses),
        ("stray-ack", dropped.stray_acks),
        ("malformed", dropped.malformed),
        ("overload", dropped.overload),
        ("challenged", dropped.challenged),
        ("forbidden", dropped.forbidden),
        ("limited", dropped.limited),
        ("overdone", dropped.overdone),
    ] {
        metrics::counter!("pronto_sip_dropped_total", "reason" => reason).absolute(count);
    }
}

fn packets(media: &Media) {
    let counters = media.counters();
    let tally = counters.tally;
    metrics::gauge!("pronto_media_legs").set(f64::from(u32::try_from(counters.legs).unwrap_or(u32::MAX)));
    metrics::counter!("pronto_media_received_total").absolute(tally.received);
    metrics::counter!("pronto_media_sent_total").absolute(tally.sent);
    metrics::counter!("pronto_media_relayed_total").absolute(tally.relayed);
    metrics::counter!("pronto_media_digits_total").absolute(tally.digits);
    metrics::counter!("pronto_media_late_slots_total").absolute(counters.late_slots);
    metrics::counter!("pronto_media_open_failures_total").absolute(counters.open_failures);
    for (reason, count) in [
        ("foreign", tally.foreign),
        ("malformed", tally.malformed),
        ("unexpected", tally.unexpected),
        ("unconfigured", tally.unconfigured),
        ("duplicate", tally.duplicates),
        ("not-relayed", tally.not_relayed),
        ("send", counters.send_errors),
    ] {
        metrics::counter!("pronto_media_dropped_total", "reason" => reason).absolute(count);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge; exact up to 2^53")]
fn gauge(name: &'static str, value: usize) {
    metrics::gauge!(name).set(value as f64);
}
