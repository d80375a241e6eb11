//! `[grpc]`: the socket of the API, its certificate, and the clients that are known.

use std::path::Path;

use pronto_config::{Problem, Problems, Section, Table, Wrong, nearest, quoted};
use pronto_engine::OperatorSettings;
use pronto_types::GatewayName;

use super::keys::{CLIENT, GRPC, GRPC_TLS};
use super::settings::Grpc;
use super::{services, tls};
use crate::access::{Client, Digest, Proof, ROLES, Role, subject};

/// Reads the section. With `open`, the content of the certificate's files is checked too.
pub(super) fn read(
    table: Table<'_>,
    folder: &Path,
    open: bool,
    operators: &[OperatorSettings],
    problems: &mut Problems,
) -> Grpc {
    let mut section = Section::new(&GRPC, table, problems);
    let listen = section.setting("listen", services::parse_socket);
    let place = section.place("listen");
    let tls_table = section.table("tls");
    let client_tables = section.tables("client");
    section.finish();
    let whole = tls_table.is_written() && !client_tables.is_empty();
    if let Some(place) = place.filter(|_| !whole && !listen.ip().is_loopback()) {
        let message = format!(
            "`{listen}` can be reached from other machines, and gRPC has no TLS or no client: refused"
        );
        let problem = Problem::error(place, message, format!("`{listen}`"));
        let expected = "`[grpc.tls]` with `certificate` and `key`, and a `[[grpc.client]]` with the `token_sha256` that \
                        `pronto token new` prints; or a loopback address";
        let here = services::on_loopback(listen);
        problems.push(problem.expected(expected).nearest(Some(here)));
    }
    let tls = tls::read_files(&GRPC_TLS, tls_table, folder, open, problems);
    let mut clients = Vec::with_capacity(client_tables.len());
    for table in client_tables {
        let asks = tls_table.place("client_ca").is_some();
        clients.extend(read_client(table, &clients, (operators, asks), problems));
    }
    Grpc { listen, tls, clients }
}

/// Reads a `[[grpc.client]]`, against the operators there are, and whether certificates are asked for.
fn read_client(
    table: Table<'_>,
    others: &[Client],
    (operators, asks): (&[OperatorSettings], bool),
    problems: &mut Problems,
) -> Option<Client> {
    let mut section = Section::new(&CLIENT, table, problems);
    let name = section.parsed("name", |text| {
        // The form of all names.
        GatewayName::new(text).map_err(|_| Wrong::default())?;
        if others.iter().any(|other| other.name == text) {
            return Err(Wrong::because(format!("there are two clients named `{text}`"))
                .expected("a name no other client has"));
        }
        Ok(text.to_owned())
    });
    let role = section.named("role", &ROLES);
    if let Some(name) = name.as_deref().filter(|_| role == Some(Role::Operator)) {
        check_operator(&mut section, name, operators);
    }
    let proof = read_proof(&mut section, others, asks);
    section.finish();
    Some(Client {
        name: name?,
        role: role?,
        proof: proof?,
    })
}

/// Notes a client of the role `operator` whose name is no operator's.
fn check_operator(section: &mut Section<'_, '_>, name: &str, operators: &[OperatorSettings]) {
    let ids = || operators.iter().map(|operator| operator.id.as_str());
    if ids().any(|id| id == name) {
        return;
    }
    let place = section.place("name").unwrap_or_else(|| section.span());
    let message = format!("there is no operator {}", quoted(name));
    let problem = Problem::error(place, message, quoted(name));
    let problem = problem.expected("the id of an operator, for the role `operator`");
    section.problems.push(problem.nearest(nearest(name, ids())));
}

fn read_proof(section: &mut Section<'_, '_>, others: &[Client], asks: bool) -> Option<Proof> {
    const ONE: &str = "one of `token_sha256`, `subject`";
    let token = section.text("token_sha256");
    let subject = section.text("subject");
    if let (Some(_), Some(second)) = (&token, &subject) {
        let message = "the client has both `token_sha256` and `subject`";
        let problem = Problem::error(second.span.clone(), message, "a second one");
        section.problems.push(problem.expected(format!("exactly {ONE}")));
    }
    let new = |proof: Proof| match others.iter().find(|other| other.proof == proof) {
        Some(other) => Err(
            Wrong::because(format!("the client `{}` shows the same", other.name))
                .found("it twice")
                .expected("one of its own for each client"),
        ),
        None => Ok(proof),
    };
    if let Some(text) = token {
        return section.understand("token_sha256", &text, |text| {
            new(Proof::Token(parse_digest(text)?))
        });
    }
    if let Some(text) = subject {
        if !asks {
            let message = "no client shows a certificate: `[grpc.tls]` has no `client_ca`";
            let problem = Problem::error(section.key_place("subject"), message, "`subject`");
            section
                .problems
                .push(problem.expected("`client_ca` in `[grpc.tls]`, or `token_sha256`"));
        }
        return section.understand("subject", &text, |text| new(Proof::Subject(parse_subject(text)?)));
    }
    if !section.has("token_sha256") && !section.has("subject") {
        section.missing(
            "token_sha256",
            &format!("{ONE}; `pronto token new` makes a token"),
        );
    }
    None
}

/// Says what is wrong with a digest, never the digest.
fn parse_digest(text: &str) -> Result<Digest, Wrong> {
    Digest::from_hex(text).ok_or_else(|| {
        let count = text.chars().count();
        Wrong::because("`token_sha256` in [[grpc.client]] is no SHA-256").found(format!("{count} characters"))
    })
}

/// Checks the first type, and that it is written as Pronto writes the subject of a certificate.
fn parse_subject(text: &str) -> Result<String, Wrong> {
    if text.contains(", ") {
        return Err(
            Wrong::because("a subject has no space after its commas").nearest(text.replace(", ", ","))
        );
    }
    match text.split_once('=') {
        None => Err(Wrong::default().nearest(format!("CN={text}"))),
        Some((kind, _)) if !subject::types().any(|known| known == kind) => Err(Wrong {
            message: Some(format!("{} is no type of a subject", quoted(kind))),
            ..Wrong::unknown(kind, subject::types())
        }),
        Some(_) => Ok(text.to_owned()),
    }
}
