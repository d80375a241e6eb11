//! `[grpc]`, `[grpc.tls]` and `[[grpc.client]]`.

use super::{Folder, assert_page, read};
use crate::access::{Digest, Proof, Role};

#[test]
fn grpc_reaches_other_machines_only_with_tls_and_a_client() {
    assert_page(
        r#"
[grpc]
listen = "0.0.0.0:50051"
"#,
        r#"
  × `0.0.0.0:50051` can be reached from other machines, and gRPC has no TLS or no client: refused
   ╭─[pronto.toml:2:10]
 1 │ [grpc]
 2 │ listen = "0.0.0.0:50051"
   ·          ───────┬───────
   ·                 ╰── found `0.0.0.0:50051`
   ╰────
  help: expected `[grpc.tls]` with `certificate` and `key`, and a `[[grpc.client]]` with the
        `token_sha256` that `pronto token new` prints; or a loopback address; did you mean
        `127.0.0.1:50051`?

"#,
    );
    let listen = "[grpc]\nlisten = \"192.0.2.1:50051\"\n";
    let tls = "[grpc.tls]\ncertificate = \"a.pem\"\nkey = \"a.pem\"\n";
    let client = format!(
        "[[grpc.client]]\nname = \"crm\"\nrole = \"integrator\"\ntoken_sha256 = \"{}\"\n",
        "0".repeat(64)
    );
    let folder = Folder::new();
    folder.write("a.pem", "");
    let read = |text: &str| crate::config::read::read(text, "pronto.toml", folder.path(), None);
    for part in [tls, &client] {
        let page = read(&format!("{listen}{part}")).err().unwrap().to_string();
        assert!(page.contains("gRPC has no TLS or no client"), "{page}");
        assert!(page.contains("`pronto token new`"), "{page}");
    }
    let config = read(&format!("{listen}{tls}{client}")).unwrap();
    assert!(config.grpc.tls.is_some());
    let [client] = config.grpc.clients.as_slice() else {
        panic!("one client");
    };
    assert_eq!((client.name.as_str(), client.role), ("crm", Role::Integrator));
    let digest = Digest::from_hex(&"0".repeat(64)).unwrap();
    assert_eq!(client.proof, Proof::Token(digest));
}

#[test]
fn a_client_has_a_role_and_one_proof_of_its_own() {
    assert_page(
        r#"
[[grpc.client]]
name = "crm"
role = "integrater"
token_sha256 = "1234"
[[grpc.client]]
name = "wall"
role = "admin"
[[grpc.client]]
name = "desk"
role = "supervisor"
subject = "desk"
"#,
        r#"
  × `role` in [[grpc.client]] is `integrater`
   ╭─[pronto.toml:3:8]
 2 │ name = "crm"
 3 │ role = "integrater"
   ·        ──────┬─────
   ·              ╰── found `integrater`
 4 │ token_sha256 = "****"
   ╰────
  help: expected one of `gateway`, `operator`, `supervisor`, `integrator`, `admin`; did you mean
        `integrator`?

  × `token_sha256` in [[grpc.client]] is no SHA-256
   ╭─[pronto.toml:4:16]
 3 │ role = "integrater"
 4 │ token_sha256 = "****"
   ·                ───┬──
   ·                   ╰── found 4 characters
 5 │ [[grpc.client]]
   ╰────
  help: expected 64 hexadecimal digits, as `pronto token new` prints them

  × [[grpc.client]] needs `token_sha256`
   ╭─[pronto.toml:5:1]
 4 │ token_sha256 = "****"
 5 │ [[grpc.client]]
   · ───────┬───────
   ·        ╰── found no `token_sha256`
 6 │ name = "wall"
   ╰────
  help: expected one of `token_sha256`, `subject`; `pronto token new` makes a token

  × no client shows a certificate: `[grpc.tls]` has no `client_ca`
    ╭─[pronto.toml:11:1]
 10 │ role = "supervisor"
 11 │ subject = "desk"
    · ───┬───
    ·    ╰── found `subject`
    ╰────
  help: expected `client_ca` in `[grpc.tls]`, or `token_sha256`

  × `subject` in [[grpc.client]] is `desk`
    ╭─[pronto.toml:11:11]
 10 │ role = "supervisor"
 11 │ subject = "desk"
    ·           ───┬──
    ·              ╰── found `desk`
    ╰────
  help: expected a certificate's subject such as "CN=crm,O=Example"; did you mean `CN=desk`?

"#,
    );
}

#[test]
fn a_client_that_is_an_operator_has_the_name_of_one() {
    let digest = |digit: &str| digit.repeat(64);
    let operator = "[[queue]]\nname = \"support\"\n[[operator]]\nid = \"101\"\npassword = \"correct horse\"\nqueues = [\"support\"]\n";
    let folder = Folder::new();
    let client = |name: &str, digest: &str| {
        format!("[[grpc.client]]\nname = \"{name}\"\nrole = \"operator\"\ntoken_sha256 = \"{digest}\"\n")
    };
    let text = format!("{operator}{}", client("102", &digest("1")));
    let page = read(&text, folder.path()).err().unwrap().to_string();
    assert!(page.contains("there is no operator `102`"), "{page}");
    assert!(page.contains("did you mean `101`?"), "{page}");
    let text = format!("{operator}{}", client("101", &digest("1")));
    assert_eq!(
        read(&text, folder.path()).unwrap().grpc.clients[0].role,
        Role::Operator
    );
}

#[test]
fn two_clients_do_not_show_the_same_and_no_page_shows_a_digest() {
    let folder = Folder::new();
    let digest = "0123456789abcdef".repeat(4);
    let client = |name: &str, role: &str| {
        format!("[[grpc.client]]\nname = \"{name}\"\nrole = \"{role}\"\ntoken_sha256 = \"{digest}\"\n")
    };
    let text = client("crm", "integrator") + &client("desk", "supervisor");
    let page = read(&text, folder.path()).err().unwrap().to_string();
    assert!(page.contains("the client `crm` shows the same"), "{page}");
    assert!(!page.contains("0123456789abcdef"), "{page}");
}

#[test]
fn a_certificate_of_a_client_needs_an_authority_and_a_whole_subject() {
    let folder = Folder::new();
    folder.write("a.pem", "");
    let tls = "[grpc.tls]\ncertificate = \"a.pem\"\nkey = \"a.pem\"\n";
    let client = |subject: &str| {
        format!("[[grpc.client]]\nname = \"crm\"\nrole = \"admin\"\nsubject = \"{subject}\"\n")
    };
    let read = |text: &str| crate::config::read::read(text, "pronto.toml", folder.path(), None);
    let page = read(&format!("{tls}{}", client("CN=crm")))
        .err()
        .unwrap()
        .to_string();
    assert!(page.contains("`[grpc.tls]` has no `client_ca`"), "{page}");
    let asks = format!("{tls}client_ca = \"a.pem\"\n");
    let config = read(&format!("{asks}{}", client("CN=crm,O=Example"))).unwrap();
    assert_eq!(
        config.grpc.clients[0].proof,
        Proof::Subject("CN=crm,O=Example".to_owned())
    );
    for (wrong, nearest) in [("crm", "CN=crm"), ("CN=crm, O=x", "CN=crm,O=x"), ("NC=crm", "CN")] {
        let page = read(&format!("{asks}{}", client(wrong)))
            .err()
            .unwrap()
            .to_string();
        assert!(page.contains(&format!("did you mean `{nearest}`?")), "{page}");
    }
}
