//! The services, the time zone, and TOML itself: what the page of each typical mistake looks like.

use super::{Folder, assert_page};

#[test]
fn two_listeners_need_two_sockets() {
    assert_page(
        r#"
[grpc]
listen = "127.0.0.1:9090"
"#,
        r#"
  × [grpc] and [metrics] listen on the same socket
   ╭─[pronto.toml:2:10]
 1 │ [grpc]
 2 │ listen = "127.0.0.1:9090"
   ·          ────────┬───────
   ·                  ╰── found `127.0.0.1:9090`
   ╰────
  help: expected a port of its own

"#,
    );
}

#[test]
fn a_gateway_speaks_without_tls_only_to_a_queue_on_this_machine() {
    assert_page(
        r#"
[gateway]
queue = "http://10.0.0.1:50051"
"#,
        r#"
  × `http://10.0.0.1:50051` is another machine, and `http://` has no TLS: refused
   ╭─[pronto.toml:2:9]
 1 │ [gateway]
 2 │ queue = "http://10.0.0.1:50051"
   ·         ───────────┬───────────
   ·                    ╰── found `http://10.0.0.1:50051`
   ╰────
  help: expected `http://127.0.0.1:PORT`, or `https://HOST:PORT`; did you mean
        `https://10.0.0.1:50051`?

"#,
    );
}

#[test]
fn a_time_zone_names_the_nearest() {
    assert_page(
        r#"
timezone = "Europe/Roma"
"#,
        r#"
  × there is no time zone `Europe/Roma`
   ╭─[pronto.toml:1:12]
 1 │ timezone = "Europe/Roma"
   ·            ──────┬──────
   ·                  ╰── found `Europe/Roma`
   ╰────
  help: expected an IANA time zone such as "Europe/Rome"; did you mean `Europe/Rome`?

"#,
    );
}

#[test]
fn a_slip_of_syntax_shows_what_stands_there_but_no_password() {
    assert_page(
        r#"
[sip
drain = "1m"

[[operator]]
password = correct horse
"#,
        r#"
  × not TOML: unclosed table
   ╭─[pronto.toml:1:5]
 1 │ [sip
   ·     ▲
   ·     ╰── found the end of the line
 2 │ drain = "1m"
   ╰────
  help: expected `]`

  × not TOML: string values must be quoted
   ╭─[pronto.toml:5:12]
 4 │ [[operator]]
 5 │ password = *************
   ·            ──────┬──────
   ·                  ╰── found `*************`
   ╰────
  help: expected a text in quotes

"#,
    );
}

#[test]
fn a_key_written_twice_hides_no_other_mistake() {
    assert_page(
        r#"
[sip]
drain = "1m"
drain = "2m"
advertise = "here"
"#,
        r#"
  × `drain` is written twice
   ╭─[pronto.toml:3:1]
 2 │ drain = "1m"
 3 │ drain = "2m"
   · ──┬──
   ·   ╰── found the second one
 4 │ advertise = "here"
   ╰────

  × `advertise` in [sip] is `here`
   ╭─[pronto.toml:4:13]
 3 │ drain = "2m"
 4 │ advertise = "here"
   ·             ───┬──
   ·                ╰── found `here`
   ╰────
  help: expected an IP address

"#,
    );
}

#[test]
fn a_registrar_whose_longest_is_shorter_than_its_shortest_is_told() {
    assert_page(
        r#"
[registrar]
expires_min = "5m"
phones = 0
"#,
        r#"
  × no registration can be as short as 120s and as long as 300s
   ╭─[pronto.toml:2:15]
 1 │ [registrar]
 2 │ expires_min = "5m"
   ·               ──┬─
   ·                 ╰── found `120s`
 3 │ phones = 0
   ╰────
  help: expected `expires_max` of 300s at least, or a shorter `expires_min`

  × `phones` in [registrar] is `0`
   ╭─[pronto.toml:3:10]
 2 │ expires_min = "5m"
 3 │ phones = 0
   ·          ┬
   ·          ╰── found `0`
   ╰────
  help: expected a whole number, 1 to 64

"#,
    );
}

#[test]
fn a_queue_on_another_machine_is_reached_over_tls_with_an_authority() {
    let folder = Folder::new();
    let file = folder.write("ca.pem", "");
    let read = |keys: &str| {
        let text = format!("[gateway]\n{keys}\n");
        super::read(&text, folder.path())
    };
    for queue in [
        "https://queue.example:50051",
        "https://192.0.2.1:50051/",
        "https://[2001:db8::1]:50051",
    ] {
        let gateway = read(&format!("queue = \"{queue}\"\nqueue_ca = \"ca.pem\""))
            .unwrap()
            .gateway;
        assert_eq!(gateway.queue, queue.trim_end_matches('/'));
        assert_eq!(gateway.queue_ca.as_ref(), Some(&file));
    }
    for (keys, part) in [
        (
            "queue = \"https://queue.example:50051\"",
            "[gateway] needs `queue_ca`",
        ),
        ("queue_ca = \"ca.pem\"", "`queue_ca` has no effect without TLS"),
        (
            "queue = \"https://queue.example\"\nqueue_ca = \"ca.pem\"",
            "did you mean `https://queue.example:50051`?",
        ),
        (
            "queue = \"https://queue.example:1/x\"\nqueue_ca = \"ca.pem\"",
            "`queue` in [gateway] is",
        ),
        (
            "queue = \"https://:1\"\nqueue_ca = \"ca.pem\"",
            "`queue` in [gateway] is",
        ),
    ] {
        // A long line is broken, and goes on further in.
        let page = read(keys).err().unwrap().to_string().replace("\n        ", "");
        assert_eq!(page.matches('×').count(), 1, "{keys}: {page}");
        assert!(page.contains(part), "{keys}: {page}");
    }
}
