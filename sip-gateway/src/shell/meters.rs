//! The gateway's metrics: what the core, the SIP endpoint and the media threads have counted, set once a second.

use pronto_media::Media;
use pronto_recordings::Recorder;
use pronto_types::link::RecordingFlaw;

use crate::call::Gateway;

/// The gauges (values that rise and fall): name and description.
const GAUGES: &[(&str, &str)] = &[
    ("pronto_calls", "Calls that are up"),
    (
        "pronto_journal_backlog",
        "Entries of the journal that the queue service has not acknowledged",
    ),
    (
        "pronto_link_attached",
        "1 while the gateway is attached to the queue service",
    ),
    ("pronto_recordings", "Recordings that are being written"),
    (
        "pronto_sip_transactions",
        "SIP transactions, lingering ones included",
    ),
    ("pronto_sip_dialogs", "SIP dialogs and attempts at one"),
    ("pronto_sip_bindings", "Phones that are registered"),
    (
        "pronto_sip_connections",
        "TCP, TLS and WebSocket connections that are open",
    ),
    ("pronto_sip_sources", "Source addresses whose rate is watched"),
    (
        "pronto_media_legs",
        "Media legs that are open: a call has one, a talk two",
    ),
    (
        "pronto_orphans",
        "Dialogs of an earlier process that are being ended",
    ),
    (
        "pronto_control_longest_step_seconds",
        "The longest step of the control task, since its start and of late",
    ),
];

/// The counters (values that only rise): name and description.
const COUNTERS: &[(&str, &str)] = &[
    ("pronto_calls_begun_total", "Calls that began"),
    ("pronto_calls_ended_total", "Calls that ended"),
    ("pronto_calls_refused_total", "Calls that were refused"),
    (
        "pronto_recordings_total",
        "Recordings that are finished, by what became of them",
    ),
    (
        "pronto_recording_frames_dropped_total",
        "Recorded frames that were lost because the disk was slow",
    ),
    (
        "pronto_sip_bans_total",
        "Source addresses that were banned for wrong passwords",
    ),
    (
        "pronto_sip_dropped_total",
        "SIP messages that were refused or dropped, by reason",
    ),
    (
        "pronto_sip_connections_closed_total",
        "Connections that were closed because they were idle, or because others needed their place, by reason",
    ),
    (
        "pronto_sip_connections_refused_total",
        "Connections that were closed at once because there were too many",
    ),
    (
        "pronto_sip_handshakes_refused_total",
        "TLS handshakes that were refused because their source asks for too many",
    ),
    (
        "pronto_sip_doors_shut_total",
        "Connections that ended before TLS or WebSocket was agreed",
    ),
    (
        "pronto_sip_send_failed_total",
        "SIP datagrams that the system did not take",
    ),
    ("pronto_media_received_total", "RTP packets received"),
    (
        "pronto_media_sent_total",
        "RTP packets sent, relayed ones left out",
    ),
    (
        "pronto_media_relayed_total",
        "RTP packets relayed between caller and operator",
    ),
    ("pronto_media_digits_total", "Keys that were pressed"),
    (
        "pronto_media_late_slots_total",
        "Periods of 20 ms that a media thread began late",
    ),
    (
        "pronto_media_open_failures_total",
        "Media legs that could not be opened",
    ),
    (
        "pronto_media_dropped_total",
        "Media packets that were dropped, by reason",
    ),
    (
        "pronto_media_events_dropped_total",
        "Events of media threads that the control task did not take",
    ),
    (
        "pronto_media_commands_refused_total",
        "Commands that media threads did not take",
    ),
    (
        "pronto_dialogs_not_kept_total",
        "Dialogs that a later process could not end, as they could not be written",
    ),
    (
        "pronto_orphans_unreached_total",
        "Talks of an earlier process whose phones did not answer its BYE or CANCEL",
    ),
    ("pronto_control_steps_total", "Steps of the control task"),
    (
        "pronto_control_slow_steps_total",
        "Steps of the control task that took too long",
    ),
];

/// Says what each of them is, those of the other modules of the shell too.
pub(super) fn describe() {
    for &(name, help) in GAUGES {
        metrics::describe_gauge!(name, help);
    }
    for &(name, help) in COUNTERS {
        metrics::describe_counter!(name, help);
    }
}

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
