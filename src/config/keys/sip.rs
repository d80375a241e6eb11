//! The keys of `[sip]`, what is below it, and `[media]`.

use pronto_config::{Key, Keys, names};
use pronto_sip::Algorithm;

pub(in crate::config) const LISTEN: &str = "`udp:ADDRESS:PORT`, or `tcp:`, `tls:`, `ws:`, `wss:`";
pub(in crate::config) const ADDRESS: &str = "an IP address";
pub(in crate::config) const ADDRESSES: &str = "an IP address, or a list of one of each family";
pub(in crate::config) const ALLOW: &str =
    "a list of addresses and ranges such as \"203.0.113.7\" or \"198.51.100.0/24\", or \"this-machine\"";
/// In `allow`: the addresses of this machine's own network interfaces.
pub(in crate::config) const THIS_MACHINE: &str = "this-machine";
pub(in crate::config) const PORTS: &str =
    "two ports, the first even and below the last, such as [20000, 29999]";
pub(in crate::config) const DIGESTS: &str =
    "a list of \"md5\", \"sha-256\", \"sha-512-256\", the preferred first";
/// The digest algorithms (RFC 8760 §2.1).
pub(in crate::config) const ALGORITHMS: [(&str, Algorithm); 3] = [
    ("md5", Algorithm::Md5),
    ("sha-256", Algorithm::Sha256),
    ("sha-512-256", Algorithm::Sha512_256),
];
pub(super) const DIGEST_NAMES: [&str; 3] = names(&ALGORITHMS);

const CODEPOINT: &str = "a codepoint, \"0\" to \"63\", or its name, such as \"ef\", \"cs3\", \"af31\"";

/// Calls of one trunk, at once and in a second.
const MOST_CALLS: usize = 100_000;
/// Each call is looked up in all of them.
const MOST_TRUNKS: usize = 256;

/// Keys of `[sip]`.
pub(in crate::config) static SIP: Keys = Keys {
    title: "[sip]",
    about: "How phones and trunks reach Pronto.",
    keys: &[
        Key::texts(
            "listen",
            LISTEN,
            &["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"],
            "Sockets for SIP, each with its transport. Port 0 lets the system choose. `tls:` and `wss:` need `[sip.tls]`.",
        ),
        Key::text(
            "domain",
            "a domain name",
            "Domain of the operators' addresses, and the digest realm. Every `ha1` depends on it.",
        )
        .or("pronto.local"),
        Key::texts(
            "hosts",
            "a list of names or addresses such as \"sip.example.com\"",
            &[],
            "Further names and addresses that callers may dial Pronto at. The domain and Pronto's own addresses are always \
             accepted.",
        ),
        Key::other(
            "advertise",
            ADDRESSES,
            r#"{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"},"maxItems":2}]}"#,
            "Public address behind NAT, which is written into Via and Contact. A list has one address of each family. Required \
             where `listen` names all addresses (`0.0.0.0` or `::`). Without it, the address of the socket.",
        ),
        Key::texts(
            "local",
            "a list of networks such as \"192.168.0.0/16\"",
            &[],
            "Networks whose phones and trunks see Pronto's own address instead of the advertised one, in SIP and SDP.",
        ),
        Key::text(
            "dscp",
            CODEPOINT,
            "Class of service of signalling (RFC 2474), as a name or a number.",
        )
        .or("cs3"),
        Key::duration(
            "drain",
            "600s",
            ["0s", "24h"],
            "Time for which calls may go on after SIGTERM. A second SIGTERM ends them at once.",
        ),
        Key::duration(
            "qualify",
            "60s",
            ["0s", "24h"],
            "Interval at which each registered phone is asked with OPTIONS whether it is there. `0s` asks never.",
        ),
        Key::texts(
            "digest",
            DIGESTS,
            &["md5"],
            "Digest algorithms that phones are asked for, the preferred first (RFC 8760). Some phones fail when another stands \
             beside `md5`.",
        )
        .of(&DIGEST_NAMES),
        Key::sections("trunk", &TRUNK, MOST_TRUNKS),
        Key::section("tls", &TLS),
        Key::section("websocket", &WEBSOCKET),
    ],
    others: &[],
};

/// Keys of `[[sip.trunk]]`.
pub(in crate::config) static TRUNK: Keys = Keys {
    title: "[[sip.trunk]]",
    about: "A peer that may call in without registering, known by its source address. Without any trunk, only operators can \
            call.",
    keys: &[
        Key::text(
            "name",
            "a name for call records",
            "Name of the trunk in call records: 1 to 64 of a-z A-Z 0-9 . _ -. Each name once.",
        )
        .required(),
        Key::texts(
            "allow",
            ALLOW,
            &[],
            "Addresses and ranges whose calls are accepted, at least one. `\"this-machine\"` stands for every address of this \
             machine's network interfaces. Each range belongs to one trunk.",
        )
        .required(),
        Key::count(
            "calls",
            [1, MOST_CALLS],
            "Number of calls at once. The next is answered 503 with Retry-After. Without it, as many as `[gateway]` takes.",
        ),
        Key::count(
            "calls_per_second",
            [1, MOST_CALLS],
            "Number of new calls in a second. More are answered 503 with Retry-After. Without it, no limit.",
        ),
    ],
    others: &[],
};

/// The certificate of a socket under TLS.
pub(super) const CERTIFICATE: Key = Key::text(
    "certificate",
    "the path of a file with our certificate in PEM, and those between it and its authority",
    "File of Pronto's certificate in PEM, then the certificates between it and its authority.",
)
.required();

/// The private key of that certificate.
pub(super) const CERTIFICATE_KEY: Key = Key::text(
    "key",
    "the path of a file with the certificate's private key in PEM",
    "File of the certificate's private key in PEM.",
)
.required();

/// Keys of `[sip.tls]`.
pub(in crate::config) static TLS: Keys = Keys {
    title: "[sip.tls]",
    about: "The certificate of the `tls:` and `wss:` sockets. The files are read again when they change, and on SIGHUP.",
    keys: &[
        CERTIFICATE,
        CERTIFICATE_KEY,
        Key::text(
            "client_ca",
            "the path of a file with the certificates of authorities in PEM",
            "File of the authorities of the phones' certificates in PEM. With it, a phone without such a certificate is \
             refused.",
        ),
    ],
    others: &[],
};

/// Keys of `[sip.websocket]`.
pub(in crate::config) static WEBSOCKET: Keys = Keys {
    title: "[sip.websocket]",
    about: "Web pages that may connect to the `ws:` and `wss:` sockets.",
    keys: &[Key::texts(
        "origins",
        "a list of web pages' origins such as \"https://desk.example\", or \"*\"",
        &[],
        "Origins of the web pages whose scripts may connect (RFC 6454), at most 64. `\"*\"` stands for all pages.",
    )],
    others: &[],
};

/// Keys of `[media]`.
pub(in crate::config) static MEDIA: Keys = Keys {
    title: "[media]",
    about: "Where sound is received and sent.",
    keys: &[
        Key::text("listen", ADDRESS, "Address on which RTP is received.").or("127.0.0.1"),
        Key::text(
            "advertise",
            ADDRESS,
            "Public address behind NAT, which is written into SDP. Required where `listen` is `0.0.0.0` or `::`. Without it, \
             the listening address.",
        ),
        Key::other(
            "ports",
            PORTS,
            r#"{"type":"array","items":{"type":"integer","minimum":1024,"maximum":65535},"minItems":2,"maxItems":2}"#,
            "First and last port for RTP and RTCP, 1024 to 65535. The first is even and below the last (RFC 3550 §11). Each call \
             needs four ports.",
        )
        .or("[20000, 29999]"),
        Key::text(
            "dscp",
            CODEPOINT,
            "Class of service of sound (RFC 2474), as a name or a number.",
        )
        .or("ef"),
        Key::flag(
            "learn",
            Some(true),
            "Whether a phone's media address, port included, is learned from a packet that arrives from the phone's signalling \
             address (symmetric RTP, RFC 4961). Phones behind NAT need it.",
        ),
    ],
    others: &[],
};
