//! How the two halves prove themselves to each other, and when they have found each other.

use std::sync::Arc;
use std::time::Duration;

use pronto_gateway::shell::link::TokenSource;
use pronto_queue::Access;
use tokio::sync::watch;

use crate::access::guard::Guard;
use crate::access::{Client, Digest, Proof, Role};
use crate::config::{Config, gateway_token};
use crate::halves::{Halves, ServeError};

/// How long a start waits for the gateway to attach within the process. It takes a few milliseconds.
const ATTACHING: Duration = Duration::from_secs(10);

/// Where a gateway that runs alone reads its token.
///
/// # Errors
/// The token file is missing and cannot be made.
pub(crate) fn token(config: &Config) -> Result<TokenSource, ServeError> {
    let path = config.token_file();
    read(config)?;
    Ok(Arc::new(move || gateway_token(&path)))
}

/// The gateways that may attach over our sockets, and the guard in front of all services. Where clients are configured, the
/// guard knows the gateways' token too.
///
/// # Errors
/// As [`token`].
pub(crate) fn access(config: &Config, halves: Halves) -> Result<(Access, Guard), ServeError> {
    let token = read(config)?;
    let but = (halves == Halves::Both).then(|| config.gateway.name.clone());
    let mut clients = config.grpc.clients.clone();
    if clients.is_empty() {
        return Ok((Access::Token { token, but }, Guard::new(clients)));
    }
    clients.push(Client {
        name: "token_file of [gateway]".to_owned(),
        role: Role::Gateway,
        proof: Proof::Token(Digest::of(token.reveal().as_bytes())),
    });
    Ok((Access::Checked { but }, Guard::new(clients)))
}

fn read(config: &Config) -> Result<pronto_types::Secret, ServeError> {
    let path = config.token_file();
    gateway_token(&path).map_err(|error| {
        let path = path.display();
        format!("the gateways' token {path} cannot be read or made: {error}").into()
    })
}

/// Waits until the gateway of this process has attached: who dials the moment the start is told is answered.
pub(crate) async fn attached(mut attached: watch::Receiver<bool>) {
    let attached = attached.wait_for(|attached| *attached);
    let _ = tokio::time::timeout(ATTACHING, attached).await;
}
