//! The keys of `[grpc]` and what is below it.

use pronto_config::{Key, Keys, Rule, names};

use super::sip::{CERTIFICATE, CERTIFICATE_KEY};
use super::{NAME, SOCKET};
use crate::access::ROLES;

static ROLE_NAMES: [&str; 5] = names(&ROLES);
/// The key that shows who a client is.
const PROOF: Rule = Rule::OneOf(&["token_sha256", "subject"]);
/// Each call is compared with all of them.
const MOST_CLIENTS: usize = 1_000;

/// Keys of `[grpc]`.
pub(in crate::config) static GRPC: Keys = Keys {
    title: "[grpc]",
    about: "The socket where integrators and gateways reach the queue service.",
    keys: &[
        Key::text(
            "listen",
            SOCKET,
            "Address and port. An address that other machines can reach needs `[grpc.tls]` and a `[[grpc.client]]`.",
        )
        .or("127.0.0.1:50051"),
        Key::section("tls", &GRPC_TLS),
        Key::sections("client", &CLIENT, MOST_CLIENTS),
    ],
    others: &[],
};

/// Keys of `[grpc.tls]`.
pub(in crate::config) static GRPC_TLS: Keys = Keys {
    title: "[grpc.tls]",
    about: "The certificate of the gRPC socket. With it, the socket speaks TLS only. The files are read again when they change, \
            and on SIGHUP.",
    keys: &[
        CERTIFICATE,
        CERTIFICATE_KEY,
        Key::text(
            "client_ca",
            "the path of a file with the certificates of authorities in PEM",
            "File of the authorities of the clients' certificates in PEM. With it, a client without such a certificate is \
             refused.",
        ),
    ],
    others: &[],
};

/// Keys of `[[grpc.client]]`.
pub(in crate::config) static CLIENT: Keys = Keys {
    title: "[[grpc.client]]",
    about: "A client of the gRPC API, with exactly one of `token_sha256` and `subject`. Without any client, every program on \
            this machine may call everything. With one, each call needs a known token or certificate, also on a loopback \
            address and on `[gateway] listen`.",
    keys: &[
        Key::text(
            "name",
            NAME,
            "Name of the client in the log: 1 to 64 of a-z A-Z 0-9 . _ -. Each name once. For the role `operator`, the id of the \
             operator.",
        )
        .required(),
        Key::name(
            "role",
            &ROLE_NAMES,
            "Methods that the client may call. `gateway`: attach. `operator`: see and set their own state. `supervisor`: see \
             queues and operators, and set operators. `integrator`: read everything. `admin`: everything.",
        )
        .required(),
        Key::text(
            "token_sha256",
            "64 hexadecimal digits, as `pronto token new` prints them",
            "SHA-256 of the client's token, 64 hexadecimal digits. `pronto token new` makes both.",
        )
        .under(PROOF),
        Key::text(
            "subject",
            "a certificate's subject such as \"CN=crm,O=Example\"",
            "Subject of the client's certificate, as RFC 4514 writes it. It needs `client_ca` in `[grpc.tls]`.",
        )
        .under(PROOF),
    ],
    others: &[],
};
