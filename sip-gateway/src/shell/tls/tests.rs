use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::*;

/// A directory of its own, gone at the end.
pub(in crate::shell) struct Folder(PathBuf);

impl Folder {
    pub(in crate::shell) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "pronto-tls-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// A certificate of its own authority, for pronto.example.
    pub(in crate::shell) fn certificate(&self, name: &str) -> TlsFiles {
        let file = |kind: &str| self.0.join(format!("{name}.{kind}"));
        let (certificate, key) = (file("crt"), file("key"));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ])
            .args(["-nodes", "-days", "2", "-subj", "/CN=pronto.example", "-out"])
            .arg(&certificate)
            .arg("-keyout")
            .arg(&key)
            .args(["-addext", "subjectAltName=DNS:pronto.example"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .output()
            .expect("openssl is installed; tests/run installs it");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        TlsFiles {
            certificate,
            key,
            client_ca: None,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A client that believes this certificate, and shows its own if it has one.
pub(in crate::shell) fn client(believes: &TlsFiles, own: Option<&TlsFiles>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for one in certificates(&believes.certificate, "a certificate").unwrap() {
        roots.add(one).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => builder
            .with_client_auth_cert(
                certificates(&own.certificate, "a certificate").unwrap(),
                PrivateKeyDer::from_pem_file(&own.key).unwrap(),
            )
            .unwrap(),
    };
    TlsConnector::from(Arc::new(config))
}

pub(in crate::shell) async fn connect(
    connector: &TlsConnector,
    stream: DuplexStream,
) -> std::io::Result<TlsStream<DuplexStream>> {
    connector
        .connect(ServerName::try_from("pronto.example").unwrap(), stream)
        .await
}

/// Both ends of a connection, if the handshake succeeds.
async fn shake(
    certificates: &Certificates,
    connector: &TlsConnector,
) -> std::io::Result<(
    TlsStream<DuplexStream>,
    tokio_rustls::server::TlsStream<DuplexStream>,
)> {
    let (ours, theirs) = tokio::io::duplex(16 * 1024);
    let acceptor = certificates.acceptor();
    let (client, server) = tokio::join!(connect(connector, theirs), acceptor.accept(ours));
    let (mut client, mut server) = (client?, server?);
    // A client learns only now that its certificate was refused.
    client.write_all(b"!").await?;
    server.read_u8().await?;
    Ok((client, server))
}

#[tokio::test(start_paused = true)]
async fn a_new_certificate_serves_the_next_connection_and_the_old_one_goes_on() {
    let folder = Folder::new();
    let (old, new) = (folder.certificate("old"), folder.certificate("new"));
    let used = folder.certificate("used");
    let install = |from: &TlsFiles| {
        fs::copy(&from.certificate, &used.certificate).unwrap();
        fs::copy(&from.key, &used.key).unwrap();
    };
    install(&old);
    let certificates = Certificates::load(&used).unwrap();
    let (believes_old, believes_new) = (client(&old, None), client(&new, None));
    let (mut phone, mut here) = shake(&certificates, &believes_old).await.unwrap();
    install(&new);
    let mut current = certificates.current.clone();
    // Nobody asks: the files are looked at.
    current.changed().await.unwrap();
    assert!(shake(&certificates, &believes_new).await.is_ok());
    assert!(shake(&certificates, &believes_old).await.is_err());
    phone.write_all(b"still").await.unwrap();
    let mut heard = [0; 5];
    here.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still");
    // Asked, as by SIGHUP.
    install(&old);
    drop(certificates.reload().await);
    current.changed().await.unwrap();
    assert!(shake(&certificates, &believes_old).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_used_leaves_the_certificate_in_force() {
    let folder = Folder::new();
    let (used, other) = (folder.certificate("used"), folder.certificate("other"));
    let certificates = Certificates::load(&used).unwrap();
    let believes = client(&used, None);
    // Half of a renewal: the certificate is new, the key is not.
    fs::copy(&other.certificate, &used.certificate).unwrap();
    tokio::time::sleep(3 * LOOK).await;
    assert!(shake(&certificates, &believes).await.is_ok());
    fs::copy(&other.key, &used.key).unwrap();
    certificates.current.clone().changed().await.unwrap();
    assert!(shake(&certificates, &client(&other, None)).await.is_ok());
}

#[tokio::test]
async fn with_an_authority_of_phones_only_its_certificates_get_in() {
    let folder = Folder::new();
    let (ours, phone, stranger) = (
        folder.certificate("ours"),
        folder.certificate("phone"),
        folder.certificate("stranger"),
    );
    let files = TlsFiles {
        client_ca: Some(phone.certificate.clone()),
        ..ours.clone()
    };
    let certificates = Certificates::load(&files).unwrap();
    assert!(shake(&certificates, &client(&ours, Some(&phone))).await.is_ok());
    assert!(
        shake(&certificates, &client(&ours, Some(&stranger)))
            .await
            .is_err()
    );
    assert!(shake(&certificates, &client(&ours, None)).await.is_err());
}

#[test]
fn every_mistake_with_the_files_says_which_and_what() {
    let folder = Folder::new();
    let (one, other) = (folder.certificate("one"), folder.certificate("other"));
    let said = |files: &TlsFiles| files.check().unwrap_err().to_string();
    assert!(one.check().is_ok());
    let missing = TlsFiles {
        key: folder.0.join("gone"),
        ..one.clone()
    };
    assert!(
        said(&missing).contains("gone: No such file"),
        "{}",
        said(&missing)
    );
    let swapped = TlsFiles {
        certificate: one.key.clone(),
        key: one.certificate.clone(),
        client_ca: None,
    };
    assert!(
        said(&swapped).contains("one.key: expected a certificate"),
        "{}",
        said(&swapped)
    );
    let keyless = TlsFiles {
        key: one.certificate.clone(),
        ..one.clone()
    };
    assert!(
        said(&keyless).contains("one.crt: expected a private key"),
        "{}",
        said(&keyless)
    );
    let unfit = TlsFiles {
        key: other.key,
        ..one.clone()
    };
    assert!(said(&unfit).contains("other.key"), "{}", said(&unfit));
}
