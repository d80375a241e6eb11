//! Measures the CPU cost of a call on a media thread. Run it with
//! `cargo run --release -p pronto-media --example cost -- [legs] [seconds] [bridge]`.
//!
//! Each leg plays music to a sink and gets RTP every 20 ms; with `bridge` the legs are bridged in pairs instead and each
//! packet is relayed. Prints the CPU time of the media thread per call-second and per relayed packet, and the cadence.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement has nobody to report an error to"
)]

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use pronto_media::{Clip, Codec, Command, Event, Learn, LegId, Media, MediaSettings};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let legs: u64 = arguments.next().map_or(100, |legs| legs.parse().unwrap());
    let seconds: u64 = arguments.next().map_or(5, |seconds| seconds.parse().unwrap());
    let bridge = arguments.next().is_some();
    let (sender, events) = mpsc::channel();
    let media = Media::start(MediaSettings {
        listen: "127.77.9.1".parse().unwrap(),
        dscp: 46,
        ports: (20_000, 39_999),
        threads: 1,
        on_event: Box::new(move |event| drop(sender.send(event))),
        on_recorded: Box::new(|_| {}),
    })
    .unwrap();
    let phone = UdpSocket::bind("127.77.9.2:0").unwrap();
    let sink = phone.try_clone().unwrap();
    sink.set_nonblocking(true).unwrap();
    // In gulps: a sink that waits for each packet makes its sender pay for waking it.
    std::thread::spawn(move || {
        loop {
            while sink.recv(&mut [0; 1_500]).is_ok() {}
            std::thread::sleep(Duration::from_millis(3));
        }
    });
    let clip = Clip::from_pcm16_8k(&(0..80_000).map(|n| n as i16).collect::<Vec<_>>());
    let ports: Vec<_> = (0..legs).map(|leg| open(&media, &events, leg, &phone)).collect();
    for leg in 0..legs {
        if !bridge {
            media
                .command(Command::Music {
                    leg: LegId(leg),
                    clip: clip.clone(),
                })
                .unwrap();
        } else if leg % 2 == 1 {
            media
                .command(Command::Bridge {
                    a: LegId(leg - 1),
                    b: LegId(leg),
                })
                .unwrap();
        }
    }
    feed(&phone, &ports, 50);
    let (cpu, before) = (thread_cpu(), media.counters());
    let start = Instant::now();
    feed(&phone, &ports, seconds * 50);
    let elapsed = start.elapsed().as_secs_f64();
    let (spent, after) = (thread_cpu() - cpu, media.counters());
    let sent = after.tally.sent - before.tally.sent;
    let received = after.tally.received - before.tally.received;
    println!(
        "{legs} legs, {elapsed:.1} s: {sent} sent, {received} received, {:.1} % of a core",
        spent / elapsed * 100.0
    );
    println!("per call-second {:.3} ms", spent / elapsed / legs as f64 * 1e3);
    println!("per packet sent {:.2} us", spent / sent as f64 * 1e6);
    let Counters {
        late,
        skipped,
        errors,
    } = Counters {
        late: after.late_slots - before.late_slots,
        skipped: after.skipped_slots - before.skipped_slots,
        errors: after.send_errors - before.send_errors,
    };
    println!("slots late {late}, skipped {skipped}; send errors {errors}");
}

struct Counters {
    late: u64,
    skipped: u64,
    errors: u64,
}

fn open(media: &Media, events: &mpsc::Receiver<Event>, leg: u64, phone: &UdpSocket) -> SocketAddr {
    media
        .command(Command::Open {
            leg: LegId(leg),
            group: leg / 2,
            seed: leg,
        })
        .unwrap();
    let Ok(Event::Opened { local, .. }) = events.recv() else {
        panic!("leg {leg} was not opened")
    };
    media
        .command(Command::Configure {
            leg: LegId(leg),
            remote: Some(phone.local_addr().unwrap()),
            codec: Codec::Pcmu,
            payload_type: 0,
            telephone_event: Some(101),
            send: true,
            receive: true,
            learn: Learn::Fixed,
            ptime: pronto_media::session::TICK,
            proof: pronto_media::Proof::Given,
        })
        .unwrap();
    local
}

/// Sends every leg a packet per 20 ms, spread over the 20 ms.
fn feed(phone: &UdpSocket, ports: &[SocketAddr], rounds: u64) {
    static ROUND: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let start = Instant::now();
    for n in 0..rounds {
        let round = ROUND.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut packet = [0x55; 172];
        packet[..2].copy_from_slice(&[0x80, 0]);
        packet[2..4].copy_from_slice(&(round as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(round as u32 * 160).to_be_bytes());
        for (k, slice) in ports.chunks(ports.len().div_ceil(10)).enumerate() {
            let due = start + Duration::from_millis(n * 20 + k as u64 * 2);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            slice.iter().for_each(|port| drop(phone.send_to(&packet, port)));
        }
    }
}

/// Seconds of CPU the media threads have used, from /proc.
fn thread_cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .map(|task| task.unwrap().path())
        .filter(|task| {
            std::fs::read_to_string(task.join("comm"))
                .unwrap()
                .starts_with("pronto-media")
        })
        .map(|task| std::fs::read_to_string(task.join("schedstat")).unwrap())
        .map(|stat| stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9)
        .sum()
}
