//! The table of roles, and the check of a call.

use prost::Message;
use prost_types::FileDescriptorSet;

use super::guard::{Refusal, Shown, judge};
use super::*;

/// The paths of all methods in an encoded `FileDescriptorSet`.
fn methods(encoded: &[u8]) -> Vec<String> {
    let set = FileDescriptorSet::decode(encoded).unwrap();
    let mut paths = Vec::new();
    for file in &set.file {
        for service in &file.service {
            let names = service.method.iter().map(|method| method.name());
            paths.extend(names.map(|name| format!("/{}.{}/{name}", file.package(), service.name())));
        }
    }
    paths
}

#[test]
fn the_table_has_every_method_of_the_contract_and_no_other() {
    let mut served = methods(pronto_proto::DESCRIPTOR_SET);
    assert!(served.len() >= 10, "the contract has methods: {served:?}");
    served.extend(methods(tonic_health::pb::FILE_DESCRIPTOR_SET));
    served.push("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo".to_owned());
    served.sort();
    let mut table: Vec<&str> = METHODS.iter().map(|(path, _)| *path).collect();
    table.sort_unstable();
    assert_eq!(
        table, served,
        "src/access.rs says which roles may call each method"
    );
}

/// The methods of our own that a role may call, without the package.
fn may_call(role: Role) -> Vec<&'static str> {
    let ours = METHODS
        .iter()
        .filter_map(|(path, roles)| Some((path.strip_prefix("/pronto.v1.")?, roles)));
    ours.filter(|(_, roles)| roles.contains(&role))
        .map(|(path, _)| path)
        .collect()
}

#[test]
fn each_role_may_call_what_it_needs_and_no_more() {
    assert_eq!(may_call(Role::Gateway), ["Gateways/Attach"]);
    let own = ["Operators/ListOperators", "Operators/SetOperatorState"];
    assert_eq!(may_call(Role::Operator), own);
    let queues = ["Queues/ListQueues", "Queues/GetQueue", "Queues/ListPromises"];
    assert_eq!(may_call(Role::Supervisor), [&own[..], &queues].concat());
    let reads = [
        "Callers/Forecast",
        "Callers/BestTime",
        "Calls/ListTraces",
        "Calls/ReadTrace",
    ];
    assert_eq!(may_call(Role::Integrator), [&own[..1], &queues, &reads].concat());
    assert_eq!(may_call(Role::Admin).len(), 10);
    for (path, roles) in METHODS.iter().filter(|(path, _)| path.starts_with("/grpc.")) {
        assert_eq!(*roles, EVERY, "{path}");
    }
}

const TOKEN: &[u8] = b"bcd61a8d6b1c7fdc4d55e4b5ab4f2c4c";
const LIST: &str = "/pronto.v1.Queues/ListQueues";

fn clients() -> [Client; 2] {
    let client = |name: &str, role, proof| Client {
        name: name.to_owned(),
        role,
        proof,
    };
    [
        client("crm", Integrator, Proof::Token(Digest::of(TOKEN))),
        client("gw2", Gateway, Proof::Subject("CN=gw2".to_owned())),
    ]
}

fn with_token(authorization: &[u8]) -> Shown<'_> {
    Shown {
        authorization: Some(authorization),
        subject: None,
    }
}

fn with_certificate(subject: &str) -> Shown<'static> {
    Shown {
        authorization: None,
        subject: Some(subject.to_owned()),
    }
}

#[test]
fn a_client_is_known_by_its_token_or_by_its_certificate() {
    let clients = clients();
    for scheme in ["Bearer ", "bearer "] {
        let shown = [scheme.as_bytes(), TOKEN].concat();
        assert_eq!(judge(&clients, LIST, &with_token(&shown)), Ok(&clients[0]));
    }
    let attach = "/pronto.v1.Gateways/Attach";
    assert_eq!(
        judge(&clients, attach, &with_certificate("CN=gw2")),
        Ok(&clients[1])
    );
}

#[test]
fn a_stranger_is_refused_whatever_they_ask_for() {
    let clients = clients();
    let bearer = |token: &[u8]| [b"Bearer ", token].concat();
    let wrong = [
        bearer(b""),
        bearer(&TOKEN[1..]),
        bearer(&[TOKEN, b" "].concat()),
        [b"Basic ", TOKEN].concat(),
        TOKEN.to_vec(),
        Vec::new(),
    ];
    for path in [LIST, "/pronto.v1.Queues/Nothing", "/grpc.health.v1.Health/Check"] {
        for shown in &wrong {
            assert_eq!(
                judge(&clients, path, &with_token(shown)),
                Err(Refusal::Unknown),
                "{path}"
            );
        }
        assert_eq!(judge(&clients, path, &Shown::default()), Err(Refusal::Unknown));
        for subject in ["CN=gw3", "CN=gw2,O=x", "cn=gw2", "gw2"] {
            let shown = with_certificate(subject);
            assert_eq!(judge(&clients, path, &shown), Err(Refusal::Unknown), "{subject}");
        }
    }
    // A wrong token is not mended by a good certificate.
    let shown = Shown {
        subject: Some("CN=gw2".to_owned()),
        ..with_token(b"Bearer x")
    };
    assert_eq!(judge(&clients, LIST, &shown), Err(Refusal::Unknown));
}

#[test]
fn a_known_client_is_refused_what_its_role_may_not_and_what_does_not_exist() {
    let clients = clients();
    let gateway = with_certificate("CN=gw2");
    assert_eq!(
        judge(&clients, LIST, &gateway),
        Err(Refusal::WrongRole(&clients[1]))
    );
    assert_eq!(
        judge(&clients, "/grpc.health.v1.Health/Check", &gateway),
        Ok(&clients[1])
    );
    assert_eq!(
        judge(&clients, "/pronto.v1.Queues/Nothing", &gateway),
        Err(Refusal::NoMethod)
    );
}

#[test]
fn a_digest_does_not_print_itself() {
    let digest = Digest::of(TOKEN);
    assert_eq!(Digest::from_hex(&digest.hex()), Some(digest.clone()));
    assert_eq!(format!("{digest:?}"), "[secret]");
    let clients = format!("{:?}", clients());
    assert!(!clients.contains(&digest.hex()), "{clients}");
    for wrong in ["", "12", &digest.hex()[2..], "x".repeat(64).as_str()] {
        assert_eq!(Digest::from_hex(wrong), None, "{wrong}");
    }
}
