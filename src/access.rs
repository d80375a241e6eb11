//! Clients of the gRPC API, their roles, and the one table of the roles that each method needs.
//!
//! The [`guard`] in front of the services knows a client by its token or its certificate, and asks the table.

pub(crate) mod guard;
pub(crate) mod subject;
#[cfg(test)]
mod tests;

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// The role of a client: the methods that it may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A gateway, which attaches.
    Gateway,
    /// An operator, who sees and sets their own row.
    Operator,
    /// A supervisor, who sees queues and operators and sets operators.
    Supervisor,
    /// A program that reads everything.
    Integrator,
    /// An administrator, who may call everything.
    Admin,
}

use Role::{Admin, Gateway, Integrator, Operator, Supervisor};

/// All roles by their names in the configuration.
pub(crate) const ROLES: [(&str, Role); 5] = [
    ("gateway", Gateway),
    ("operator", Operator),
    ("supervisor", Supervisor),
    ("integrator", Integrator),
    ("admin", Admin),
];

const EVERY: &[Role] = &[Gateway, Operator, Supervisor, Integrator, Admin];
const READS: &[Role] = &[Integrator, Admin];

/// The roles that may call each method. An operator is held to their own row by the service.
const METHODS: [(&str, &[Role]); 13] = [
    ("/pronto.v1.Gateways/Attach", &[Gateway, Admin]),
    (
        "/pronto.v1.Operators/ListOperators",
        &[Operator, Supervisor, Integrator, Admin],
    ),
    (
        "/pronto.v1.Operators/SetOperatorState",
        &[Operator, Supervisor, Admin],
    ),
    ("/pronto.v1.Queues/ListQueues", &[Supervisor, Integrator, Admin]),
    ("/pronto.v1.Queues/GetQueue", &[Supervisor, Integrator, Admin]),
    ("/pronto.v1.Queues/ListPromises", &[Supervisor, Integrator, Admin]),
    ("/pronto.v1.Callers/Forecast", READS),
    ("/pronto.v1.Callers/BestTime", READS),
    ("/pronto.v1.Calls/ListTraces", READS),
    ("/pronto.v1.Calls/ReadTrace", READS),
    ("/grpc.health.v1.Health/Check", EVERY),
    ("/grpc.health.v1.Health/Watch", EVERY),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", EVERY),
];

/// The path of a method and the roles that may call it; `None` if there is no such method.
fn method(path: &str) -> Option<&'static (&'static str, &'static [Role])> {
    METHODS.iter().find(|(method, _)| *method == path)
}

/// A client of the gRPC API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The name, for the log; of an operator, the operator's id.
    pub name: String,
    /// The methods that it may call.
    pub role: Role,
    /// How it shows that it is this client.
    pub proof: Proof,
}

/// How a client shows itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By a token in `authorization: Bearer TOKEN`, of which we know the digest.
    Token(Digest),
    /// By a certificate with this subject, as RFC 4514 writes it.
    Subject(String),
}

/// The SHA-256 of a token. Prints as `[secret]`; compared in constant time.
#[derive(Clone)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Takes the digest of a token.
    pub fn of(token: &[u8]) -> Digest {
        Digest(Sha256::digest(token).into())
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Digest> {
        let octets = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        octets.try_into().ok().map(Digest)
    }

    /// Writes 64 hexadecimal digits, for the configuration.
    pub fn hex(&self) -> String {
        HEXLOWER_PERMISSIVE.encode(&self.0)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Digest) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
