//! `[sip.tls]` and `[sip.websocket]`.

use super::{Folder, assert_page, read};
use pronto_gateway::shell::TlsFiles;

#[test]
fn a_secure_socket_needs_a_certificate() {
    assert_page(
        r#"
[sip]
listen = ["wss:127.0.0.1:8443"]
"#,
        r#"
  × [sip] needs `tls`
   ╭─[pronto.toml:1:1]
 1 │ [sip]
   · ──┬──
   ·   ╰── found no `tls`
 2 │ listen = ["wss:127.0.0.1:8443"]
   ╰────
  help: expected a section `[sip.tls]` with `certificate` and `key`, for `tls:` and `wss:`

"#,
    );
}

#[test]
fn the_files_of_a_certificate_must_be_there() {
    assert_page(
        r#"
[sip]
listen = ["tls:127.0.0.1:5061"]
[sip.tls]
certificate = "gone.pem"
"#,
        r#"
  × [sip.tls] needs `key`
   ╭─[pronto.toml:3:1]
 2 │ listen = ["tls:127.0.0.1:5061"]
 3 │ [sip.tls]
   · ────┬────
   ·     ╰── found no `key`
 4 │ certificate = "gone.pem"
   ╰────
  help: expected the path of a file with the certificate's private key in PEM

  × there is no file `gone.pem`
   ╭─[pronto.toml:4:15]
 3 │ [sip.tls]
 4 │ certificate = "gone.pem"
   ·               ─────┬────
   ·                    ╰── found `gone.pem`
   ╰────
  help: expected the path of a file with our certificate in PEM, and those between it and its
        authority

"#,
    );
}

#[test]
fn what_cannot_be_used_is_found_before_the_start_and_not_by_the_half_without_phones() {
    let folder = Folder::new();
    let file = folder.write("not.pem", "nothing of the kind");
    let text =
        "[sip]\nlisten = [\"tls:127.0.0.1:5061\"]\n[sip.tls]\ncertificate = \"not.pem\"\nkey = \"not.pem\"\n";
    let page = read(text, folder.path()).err().unwrap().to_string();
    assert!(page.contains("this certificate cannot be used"), "{page}");
    assert!(page.contains("not.pem: expected a certificate in PEM"), "{page}");
    let config = crate::config::read::read(text, "pronto.toml", folder.path(), None).unwrap();
    let tls = TlsFiles {
        certificate: file.clone(),
        key: file,
        client_ca: None,
    };
    assert_eq!(config.sip.tls, Some(tls));
}

#[test]
fn a_certificate_without_a_socket_is_warned_of() {
    let folder = Folder::new();
    folder.write("a.pem", "");
    let text = "[sip.tls]\ncertificate = \"a.pem\"\nkey = \"a.pem\"\n";
    let config = crate::config::read::read(text, "pronto.toml", folder.path(), None).unwrap();
    let page = config.warnings.to_string();
    assert!(page.contains("[sip.tls] has no effect"), "{page}");
}

#[test]
fn origins_are_what_browsers_send() {
    assert_page(
        r#"
[sip.websocket]
origins = ["desk.example", "https://desk.example/app", "https://desk.example:443"]
"#,
        r#"
  × `desk.example` names no scheme
   ╭─[pronto.toml:2:12]
 1 │ [sip.websocket]
 2 │ origins = ["desk.example", "https://desk.example/app", "https://desk.example:443"]
   ·            ───────┬──────
   ·                   ╰── found `desk.example`
   ╰────
  help: expected a list of web pages' origins such as "https://desk.example", or "*"; did you mean
        `https://desk.example`?

  × an origin has no path
   ╭─[pronto.toml:2:28]
 1 │ [sip.websocket]
 2 │ origins = ["desk.example", "https://desk.example/app", "https://desk.example:443"]
   ·                            ─────────────┬────────────
   ·                                         ╰── found `https://desk.example/app`
   ╰────
  help: expected a list of web pages' origins such as "https://desk.example", or "*"; did you mean
        `https://desk.example`?

  × browsers leave out the port of https
   ╭─[pronto.toml:2:56]
 1 │ [sip.websocket]
 2 │ origins = ["desk.example", "https://desk.example/app", "https://desk.example:443"]
   ·                                                        ─────────────┬────────────
   ·                                                                     ╰── found `https://desk.example:443`
   ╰────
  help: expected a list of web pages' origins such as "https://desk.example", or "*"; did you mean
        `https://desk.example`?

"#,
    );
    let folder = Folder::new();
    for origin in [
        "*",
        "https://desk.example",
        "http://[::1]:8080",
        "capacitor://localhost",
    ] {
        let text = format!("[sip.websocket]\norigins = [\"{origin}\"]\n");
        assert_eq!(read(&text, folder.path()).unwrap().sip.origins, [origin]);
    }
}
