//! The addresses of this machine's network interfaces, for trunks that allow `"this-machine"`.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::mpsc;

use super::ShellEvent;

/// Interfaces change their addresses: a laptop joins another network.
const LOOK: Duration = Duration::from_secs(10);

/// The addresses now, without duplicates and in order.
///
/// # Errors
/// The system does not list its interfaces.
pub(super) fn own() -> io::Result<Vec<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs()?;
    let addresses: BTreeSet<IpAddr> = interfaces.iter().map(if_addrs::Interface::ip).collect();
    Ok(addresses.into_iter().collect())
}

/// Tells the control plane each time the addresses change, until that is gone. A list that cannot be read changes nothing.
pub(super) async fn watch(mut known: Vec<IpAddr>, happened: mpsc::Sender<ShellEvent>) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = happened.closed() => return,
        }
        let Ok(Ok(now)) = tokio::task::spawn_blocking(own).await else {
            continue;
        };
        if now != known {
            known.clone_from(&now);
            if happened.send(ShellEvent::OwnAddresses(now)).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn addresses_that_changed_are_told_once() {
        let (happened, mut inbox) = mpsc::channel(4);
        let stale = vec![IpAddr::from([192, 0, 2, 77])];
        tokio::spawn(watch(stale, happened));
        let told = inbox.recv().await;
        let Some(ShellEvent::OwnAddresses(told)) = told else {
            panic!("{told:?}")
        };
        assert_eq!(told, own().unwrap());
        let again = tokio::time::timeout(10 * LOOK, inbox.recv()).await;
        assert!(again.is_err(), "nothing changed: {again:?}");
    }
}
