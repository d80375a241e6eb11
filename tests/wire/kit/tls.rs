//! Certificates, made by the openssl command: nothing of the product's.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Makes `NAME.crt` and `NAME.key` in a directory, for one address, or replaces them; returns the certificate's path.
pub(crate) fn certificate(directory: &Path, name: &str, ip: IpAddr) -> PathBuf {
    let file = |kind: &str| directory.join(format!("{name}.{kind}"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args(["-nodes", "-days", "2", "-subj", &format!("/CN={name}"), "-keyout"])
        .arg(file("key"))
        .arg("-out")
        .arg(file("crt"))
        .args(["-addext", &format!("subjectAltName=IP:{ip},DNS:localhost")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .output()
        .expect("openssl is installed; tests/run installs it");
    let error = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "openssl: {error}");
    file("crt")
}

/// Whether a server shows a certificate that somebody who believes this one accepts.
pub(crate) fn is_believed(server: SocketAddr, certificate: &Path) -> bool {
    is_believed_from(IpAddr::from([127, 0, 0, 1]), server, certificate)
}

/// The same for somebody at this address.
pub(crate) fn is_believed_from(from: IpAddr, server: SocketAddr, certificate: &Path) -> bool {
    let client = Command::new("openssl")
        .args([
            "s_client",
            "-brief",
            "-verify_return_error",
            "-bind",
            &format!("{from}:0"),
            "-connect",
            &server.to_string(),
            "-CAfile",
        ])
        .arg(certificate)
        .stdin(Stdio::null())
        .output();
    client
        .expect("openssl is installed; tests/run installs it")
        .status
        .success()
}
