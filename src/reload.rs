//! SIGHUP: certificates are read again while calls are up; the configuration is read and compared with the one in force.
//!
//! A change of the configuration takes effect at the next start. A file that is wrong is reported, and changes nothing.

use std::sync::Arc;

use pronto_gateway::shell::Certificates;
use tokio::sync::Notify;

use crate::config::{Config, Look, Report};

/// How the configuration was read at the start, and is read again.
pub type Loader = Arc<dyn Fn() -> Result<Config, Report> + Send + Sync>;

/// The state of a reload: the loader, the configuration in force, the certificates.
pub(crate) struct Reload {
    pub(crate) load: Loader,
    pub(crate) in_force: Config,
    /// Those in use, of SIP and of gRPC.
    pub(crate) certificates: Vec<Certificates>,
}

impl Reload {
    /// Reads everything again each time it is asked. Whoever asks meanwhile is served once more.
    pub(crate) async fn run(self, asked: Arc<Notify>) {
        loop {
            asked.notified().await;
            self.certificates().await;
            self.configuration().await;
        }
    }

    async fn certificates(&self) {
        if self.certificates.is_empty() {
            tracing::info!("hang-up signal: no certificate is in use, so none was read again");
        }
        for certificates in &self.certificates {
            match certificates.reload().await {
                Ok(true) => {
                    tracing::info!("hang-up signal: the certificate was read again, its files are new")
                }
                Ok(false) => {
                    tracing::info!("hang-up signal: the certificate was read again, its files are unchanged")
                }
                Err(error) => tracing::warn!(%error, "hang-up signal: the certificate in use stays"),
            }
        }
    }

    async fn configuration(&self) {
        let load = Arc::clone(&self.load);
        let Ok(read) = tokio::task::spawn_blocking(move || load()).await else {
            return tracing::warn!("hang-up signal: the configuration could not be read again");
        };
        let in_force = self.in_force.source();
        match read {
            Err(report) => {
                let (errors, report) = (report.errors(), report.render(Look::Plain));
                tracing::warn!(
                    "hang-up signal: {in_force} has {errors} errors now; nothing changes, but a restart would fail\n{report}"
                );
            }
            Ok(read) if read.file != self.in_force.file => {
                let found = read.source();
                tracing::info!("hang-up signal: {found} is found instead of {in_force}; restart to use it");
            }
            Ok(read) => {
                let changed = self.in_force.differences(&read);
                if changed.is_empty() {
                    tracing::info!("hang-up signal: {in_force} is unchanged since the start");
                } else {
                    let changed = changed.join(", ");
                    tracing::info!("hang-up signal: {in_force} has changed in {changed}; restart to use it");
                }
            }
        }
    }
}
