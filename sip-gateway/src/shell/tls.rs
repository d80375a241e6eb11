//! Our certificate for SIP (RFC 3261 §26.3.1) and gRPC: read at start and reloaded while connections are open; and the authorities of
//! the client certificates we ask for. A connection keeps the certificate it began with; the next one gets the current
//! one.
//!
//! Also our side where we connect to a gRPC API ([`connector`]). Not here: SIP connections that we open under TLS. Phones have
//! no certificate, and are reached on the flow they opened.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// A chain of certificates is a few KiB, a list of authorities some hundred.
const LARGEST: u64 = 1 << 20;

/// The files of a certificate, in PEM (RFC 7468).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate, then those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities of the certificates of phones and gRPC clients. With it, who shows none of theirs is not let in.
    pub client_ca: Option<PathBuf>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A TLS or WSS socket without a certificate.
    #[error("a TLS or WSS socket needs a certificate")]
    Missing,
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file that cannot be read.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{}: expected {expected} in PEM, found none that can be read", path.display())]
    Empty {
        /// The file without the expected contents.
        path: PathBuf,
        /// The contents that were expected.
        expected: &'static str,
    },
    /// Certificate and key do not belong together, or are of a kind that is not understood.
    #[error("{} with {}: {why}", certificate.display(), key.display())]
    Unfit {
        /// The path of the certificate.
        certificate: PathBuf,
        /// The path of the key.
        key: PathBuf,
        /// The reason why they cannot be used together.
        why: String,
    },
    /// An authority that cannot be used.
    #[error("{}: no authority that can be used: {why}", path.display())]
    Authority {
        /// The file of the authorities.
        path: PathBuf,
        /// The reason why it cannot be used.
        why: String,
    },
}

impl TlsFiles {
    /// Reads the files and sees whether they can be used together.
    ///
    /// # Errors
    /// [`TlsError`]: the first thing that is wrong.
    pub fn check(&self) -> Result<(), TlsError> {
        self.load().map(drop)
    }

    fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = certificates(&self.certificate, "a certificate")?;
        let text = read(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|_| TlsError::Empty {
            path: self.key.clone(),
            expected: "a private key",
        })?;
        let unfit = |error: Error| TlsError::Unfit {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            why: error.to_string(),
        };
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(authorities(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = verifier.build().map_err(|error| unusable(path, error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        Ok(Arc::new(builder.with_single_cert(chain, key).map_err(unfit)?))
    }

    /// When the files were written, and how long they are: another answer means another certificate.
    fn stamp(&self) -> Vec<Option<(SystemTime, u64)>> {
        let files = [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()];
        let stamp = |path: &PathBuf| {
            let about = fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len()))
        };
        files.into_iter().flatten().map(stamp).collect()
    }
}

/// Our side of a connection that we open: believes the authorities in this file, and shows no certificate. The protocol inside
/// is negotiated by its name (ALPN).
///
/// # Errors
/// The file cannot be read, or holds no authority.
pub fn connector(path: &Path, protocol: &str) -> Result<TlsConnector, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| unusable(path, error))?;
    let mut config = builder
        .with_root_certificates(authorities(path)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The authorities in a file.
fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for one in certificates(path, "certificates of authorities")? {
        roots.add(one).map_err(|error| unusable(path, error))?;
    }
    Ok(roots)
}

fn unusable(path: &Path, error: impl std::fmt::Display) -> TlsError {
    TlsError::Authority {
        path: path.to_owned(),
        why: error.to_string(),
    }
}

fn certificates(path: &Path, expected: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    found
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(|| TlsError::Empty {
            path: path.to_owned(),
            expected,
        })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut text = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut text))
        .map_err(|source| TlsError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
    Ok(text)
}

/// Whether the files are other ones than before, or why they cannot be used.
type Reloaded = Result<bool, String>;

/// The certificate in force, and the wish to read it again.
#[derive(Clone)]
pub struct Certificates {
    current: watch::Receiver<Arc<ServerConfig>>,
    reload: mpsc::Sender<oneshot::Sender<Reloaded>>,
}

impl Certificates {
    /// Reads the files, and looks at them from now on.
    ///
    /// # Errors
    /// As [`TlsFiles::check`].
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let stamp = files.stamp();
        let (put, current) = watch::channel(files.load()?);
        let (reload, asked) = mpsc::channel(1);
        tokio::spawn(renew(files.clone(), stamp, asked, put));
        Ok(Certificates { current, reload })
    }

    /// The TLS acceptor for the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.borrow()))
    }

    /// The same where the protocol inside is negotiated by its name (ALPN, RFC 7301).
    pub fn acceptor_of(&self, protocol: &str) -> TlsAcceptor {
        let mut config = ServerConfig::clone(&self.current.borrow());
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// Reads the files again even if they look the same; true if they do not. Connections that stand keep the certificate
    /// they began with.
    ///
    /// # Errors
    /// Why the files cannot be used, in words; the certificate in use stays.
    pub async fn reload(&self) -> Result<bool, String> {
        let stopping = || "the process is stopping".to_owned();
        let (reply, answer) = oneshot::channel();
        self.reload.send(reply).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }
}

/// Ends when nobody asks for certificates any more.
async fn renew(
    files: TlsFiles,
    mut stamp: Vec<Option<(SystemTime, u64)>>,
    mut asked: mpsc::Receiver<oneshot::Sender<Reloaded>>,
    put: watch::Sender<Arc<ServerConfig>>,
) {
    let mut look = tokio::time::interval(LOOK);
    loop {
        let wanted = tokio::select! {
            asked = asked.recv() => match asked {
                Some(reply) => Some(reply),
                None => return,
            },
            _ = look.tick() => None,
        };
        let now = files.stamp();
        let new = now != stamp;
        if wanted.is_none() && !new {
            continue;
        }
        // Certificate and key are two files: what was read between one and the other does not fit, and is read again when
        // the other has come.
        stamp = now;
        let loaded = files.load().map(|config| {
            put.send_replace(config);
            new
        });
        match (wanted, loaded) {
            (Some(reply), loaded) => drop(reply.send(loaded.map_err(|error| error.to_string()))),
            (None, Ok(_)) => {
                tracing::info!(certificate = %files.certificate.display(), "the certificate has changed and was read again");
            }
            (None, Err(error)) => tracing::warn!(%error, "the certificate in use stays"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
