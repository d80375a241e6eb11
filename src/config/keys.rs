//! All keys of the configuration: name, form, default, range and meaning. The readers take them from here, and
//! `docs/reference/configuration.md` is generated from them.

mod grpc;
mod people;
mod sip;

use pronto_config::{Key, Keys};

pub(super) use grpc::{CLIENT, GRPC, GRPC_TLS};
pub(super) use people::{
    ANNOUNCEMENTS, ANSWERS, LANGUAGES, NUMBER, OPERATOR, OVERFLOW, QUEUE, SIGN_INS, STRATEGIES,
};
pub(super) use sip::{
    ADDRESS, ADDRESSES, ALGORITHMS, ALLOW, DIGESTS, LISTEN, MEDIA, PORTS, SIP, THIS_MACHINE, TLS, TRUNK,
    WEBSOCKET,
};

const SOCKET: &str = "`ADDRESS:PORT`";
/// The form of a name, as shown in error messages.
pub(super) const NAME: &str = "a name: 1 to 64 of a-z A-Z 0-9 . _ -";
/// The store's folder where none is written.
pub(super) const STORE: &str = "var";

/// The queue service where none is written.
pub(super) const QUEUE_SERVICE_AT: &str = "http://127.0.0.1:50051";

/// The whole file.
pub static CONFIGURATION: Keys = Keys {
    title: "the configuration",
    about: "Relative paths start at the folder of the file. Every section may be left out.",
    keys: &[
        Key::text(
            "timezone",
            "an IANA time zone such as \"Europe/Rome\"",
            "Time zone in which the centre's day passes, by its name in the IANA database. Without it, the time zone of \
             the machine.",
        ),
        Key::section("sip", &SIP),
        Key::section("media", &MEDIA),
        Key::section("registrar", &REGISTRAR),
        Key::section("grpc", &GRPC),
        Key::section("metrics", &METRICS),
        Key::section("trace", &TRACE),
        Key::section("gateway", &GATEWAY),
        Key::section("queue_service", &QUEUE_SERVICE),
        Key::section("store", &STORE_KEYS),
        Key::section("prompts", &PROMPTS),
        Key::sections("number", &NUMBER, 10_000),
        Key::sections("queue", &QUEUE, 1_000),
        Key::sections("operator", &OPERATOR, 10_000),
    ],
    others: &[],
};

/// Keys of `[registrar]`.
pub(super) static REGISTRAR: Keys = Keys {
    title: "[registrar]",
    about: "Registrations of operators' phones.",
    keys: &[
        Key::duration(
            "expires_min",
            "30s",
            ["1s", "1h"],
            "Shortest registration lifetime that is accepted. A phone that asks for less is answered 423.",
        ),
        Key::duration(
            "expires_max",
            "120s",
            ["10s", "24h"],
            "Longest registration lifetime. It is also the lifetime of a phone that asks for more, or names none. A phone \
             without power is rung for this time at most.",
        ),
        Key::whole(
            "phones",
            8,
            [1, 64],
            "Number of phones that one operator may have registered at once. A further phone replaces the one that \
             registered first.",
        ),
    ],
    others: &[],
};

/// Keys of `[metrics]`.
pub(super) static METRICS: Keys = Keys {
    title: "[metrics]",
    about: "The socket where Prometheus reads `pronto serve` and `pronto queue`.",
    keys: &[Key::text(
        "listen",
        SOCKET,
        "Address and port. Metrics name nobody, so another machine may read them.",
    )
    .or("127.0.0.1:9090")],
    others: &[],
};

/// Keys of `[trace]`.
pub(super) static TRACE: Keys = Keys {
    title: "[trace]",
    about: "SIP messages that the gateway keeps in memory for `pronto trace`.",
    keys: &[
        Key::whole(
            "calls",
            2000,
            [0, 100_000],
            "Number of newest calls whose messages are kept. 0 keeps nothing.",
        ),
        Key::whole(
            "mebibytes",
            8,
            [1, 1024],
            "Size of all kept messages together, in MiB.",
        ),
    ],
    others: &[],
};

/// Keys of `[gateway]`.
pub(super) static GATEWAY: Keys = Keys {
    title: "[gateway]",
    about: "The half that touches phones. `pronto serve` and `pronto gateway` read this section. Only `pronto gateway`, \
            which runs alone, uses `queue`, `listen` and `metrics`.",
    keys: &[
        Key::text(
            "name",
            NAME,
            "Name under which the queue service knows this gateway.",
        )
        .or("gw1"),
        Key::text(
            "queue",
            "`http://127.0.0.1:PORT`, or `https://HOST:PORT`",
            "Address of the queue service. `https://` may name any machine and needs `queue_ca`. `http://` needs a loopback \
             address.",
        )
        .or(QUEUE_SERVICE_AT),
        Key::text(
            "queue_ca",
            "the path of a file with the certificates of authorities in PEM",
            "File of the authorities of the queue service's certificate in PEM, for `https://`.",
        ),
        Key::text(
            "listen",
            SOCKET,
            "Socket of the gateway's own gRPC: its health and the service `Calls`. Only a loopback address is accepted.",
        )
        .or("127.0.0.1:50052"),
        Key::text("metrics", SOCKET, "Socket where Prometheus reads the gateway.").or("127.0.0.1:9091"),
        Key::text(
            "token_file",
            "the path of a file",
            "File of the token with which gateways prove that they may attach. Without it, `gateway.token` in the store, \
             which is made at the first start.",
        ),
        Key::duration(
            "queue_away",
            "60s",
            ["0s", "24h"],
            "Time without the queue service after which a joining caller takes the flow's exit `failed`.",
        ),
        Key::whole(
            "calls",
            2000,
            [1, 20_000],
            "Number of calls at once. The next is answered 503 with Retry-After. The media ports may allow fewer: each call \
             needs four.",
        ),
    ],
    others: &[],
};

/// Keys of `[queue_service]`.
pub(super) static QUEUE_SERVICE: Keys = Keys {
    title: "[queue_service]",
    about: "The half that decides.",
    keys: &[Key::duration(
        "grace",
        "30s",
        ["1s", "1h"],
        "Time for which the callers of a gateway that is away keep their places.",
    )],
    others: &[],
};

/// Keys of `[store]`.
pub(super) static STORE_KEYS: Keys = Keys {
    title: "[store]",
    about: "Where data is kept.",
    keys: &[Key::text(
        "path",
        "the path of a folder",
        "Folder of the ledger, the journal, recordings and generated secrets. It is made when it is first written to.",
    )
    .or(STORE)],
    others: &[],
};

/// Keys of `[prompts]`.
pub(super) static PROMPTS: Keys = Keys {
    title: "[prompts]",
    about: "Recorded prompts of your own. They are added to the built-in prompts, or replace those of the same name.",
    keys: &[Key::text(
        "path",
        "the path of a folder with recorded prompts",
        "Folder with one folder for each language, such as `it/welcome.wav`, and with `music.wav`. Without it, the built-in \
         prompts alone.",
    )],
    others: &[],
};
