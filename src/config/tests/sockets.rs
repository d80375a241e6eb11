//! `[sip]` and `[media]`: what the page of each typical mistake looks like.

use super::assert_page;

#[test]
fn a_misspelt_key_names_the_nearest() {
    assert_page(
        r#"
[sip]
lisen = ["udp:127.0.0.1:5060"]
"#,
        r#"
  × [sip] has no key `lisen`
   ╭─[pronto.toml:2:1]
 1 │ [sip]
 2 │ lisen = ["udp:127.0.0.1:5060"]
   · ──┬──
   ·   ╰── found `lisen`
   ╰────
  help: expected one of `listen`, `domain`, `hosts`, `advertise`, `local`, `dscp`, `drain`,
        `qualify`, `digest`, `trunk`, `tls`, `websocket`; did you mean `listen`?

"#,
    );
}

#[test]
fn a_misspelt_section_names_the_nearest() {
    assert_page(
        r#"
[metric]
listen = "127.0.0.1:9090"
"#,
        r#"
  × the configuration has no key `metric`
   ╭─[pronto.toml:1:2]
 1 │ [metric]
   ·  ───┬──
   ·     ╰── found `metric`
 2 │ listen = "127.0.0.1:9090"
   ╰────
  help: expected one of `metrics`, `timezone`, `sip`, `media`, `registrar`, `grpc`, `trace`,
        `gateway`, `queue_service`, `store`, `prompts`, `number`, `queue`, `operator`; did you
        mean `metrics`?

"#,
    );
}

#[test]
fn a_transport_is_named_and_is_one_of_five() {
    assert_page(
        r#"
[sip]
listen = ["127.0.0.1:5060", "tsl:127.0.0.1:5061"]
"#,
        r#"
  × `127.0.0.1:5060` does not say over which transport
   ╭─[pronto.toml:2:11]
 1 │ [sip]
 2 │ listen = ["127.0.0.1:5060", "tsl:127.0.0.1:5061"]
   ·           ────────┬───────
   ·                   ╰── found `127.0.0.1:5060`
   ╰────
  help: expected `udp:ADDRESS:PORT`, or `tcp:`, `tls:`, `ws:`, `wss:`; did you mean
        `udp:127.0.0.1:5060`?

  × SIP is not spoken over `tsl`
   ╭─[pronto.toml:2:29]
 1 │ [sip]
 2 │ listen = ["127.0.0.1:5060", "tsl:127.0.0.1:5061"]
   ·                             ──────────┬─────────
   ·                                       ╰── found `tsl:127.0.0.1:5061`
   ╰────
  help: expected one of `udp`, `tcp`, `tls`, `ws`, `wss`; did you mean `tls`?

"#,
    );
}

#[test]
fn an_address_without_a_port_gets_one() {
    assert_page(
        r#"
[sip]
listen = ["udp:[::1]", "udp:::1", "tcp:localhost:5060"]
"#,
        r#"
  × `udp:[::1]` names no port
   ╭─[pronto.toml:2:11]
 1 │ [sip]
 2 │ listen = ["udp:[::1]", "udp:::1", "tcp:localhost:5060"]
   ·           ─────┬─────
   ·                ╰── found `udp:[::1]`
   ╰────
  help: expected `udp:ADDRESS:PORT`, or `tcp:`, `tls:`, `ws:`, `wss:`; did you mean `udp:
        [::1]:5060`?

  × `udp:::1` names no port
   ╭─[pronto.toml:2:24]
 1 │ [sip]
 2 │ listen = ["udp:[::1]", "udp:::1", "tcp:localhost:5060"]
   ·                        ────┬────
   ·                            ╰── found `udp:::1`
   ╰────
  help: expected `udp:ADDRESS:PORT`, or `tcp:`, `tls:`, `ws:`, `wss:`; did you mean `udp:
        [::1]:5060`?

  × `listen` in [sip] is `tcp:localhost:5060`
   ╭─[pronto.toml:2:35]
 1 │ [sip]
 2 │ listen = ["udp:[::1]", "udp:::1", "tcp:localhost:5060"]
   ·                                   ──────────┬─────────
   ·                                             ╰── found `tcp:localhost:5060`
   ╰────
  help: expected `udp:ADDRESS:PORT`, or `tcp:`, `tls:`, `ws:`, `wss:`; did you mean
        `tcp:127.0.0.1:5060`?

"#,
    );
}

#[test]
fn one_text_where_a_list_belongs_is_shown_as_a_list() {
    assert_page(
        r#"
[sip]
listen = "udp:127.0.0.1:5060"
"#,
        r#"
  × `listen` in [sip] is a text
   ╭─[pronto.toml:2:10]
 1 │ [sip]
 2 │ listen = "udp:127.0.0.1:5060"
   ·          ──────────┬─────────
   ·                    ╰── found a text
   ╰────
  help: expected a list: `udp:ADDRESS:PORT`, or `tcp:`, `tls:`, `ws:`, `wss:`; did you mean
        `["udp:127.0.0.1:5060"]`?

"#,
    );
}

#[test]
fn every_address_of_the_machine_needs_the_one_peers_reach() {
    assert_page(
        r#"
[sip]
listen = ["udp:0.0.0.0:5060"]

[media]
listen = "0.0.0.0"
"#,
        r#"
  × [sip] needs `advertise`
   ╭─[pronto.toml:1:1]
 1 │ [sip]
   · ──┬──
   ·   ╰── found no `advertise`
 2 │ listen = ["udp:0.0.0.0:5060"]
   ╰────
  help: expected the address that peers reach, because `listen` is 0.0.0.0

  × [media] needs `advertise`
   ╭─[pronto.toml:4:1]
 3 │
 4 │ [media]
   · ───┬───
   ·    ╰── found no `advertise`
 5 │ listen = "0.0.0.0"
   ╰────
  help: expected the address that peers reach, because `listen` is 0.0.0.0

"#,
    );
}

#[test]
fn each_family_of_all_addresses_needs_its_own_and_has_one() {
    assert_page(
        r#"
[sip]
listen = ["udp:0.0.0.0:5060", "udp:[::]:5060"]
advertise = "203.0.113.7"
"#,
        r#"
  × `advertise` in [sip] has no IPv6 address
   ╭─[pronto.toml:3:13]
 2 │ listen = ["udp:0.0.0.0:5060", "udp:[::]:5060"]
 3 │ advertise = "203.0.113.7"
   ·             ──────┬──────
   ·                   ╰── found no IPv6 address
   ╰────
  help: expected one address of each family, because `listen` is ::

"#,
    );
    assert_page(
        r#"
[sip]
advertise = ["203.0.113.7", "2001:db8::7", "203.0.113.8", "::"]
"#,
        r#"
  × 203.0.113.7 and 203.0.113.8 are of one family: which is it?
   ╭─[pronto.toml:2:44]
 1 │ [sip]
 2 │ advertise = ["203.0.113.7", "2001:db8::7", "203.0.113.8", "::"]
   ·                                            ──────┬──────
   ·                                                  ╰── found `203.0.113.8`
   ╰────
  help: expected an IP address, or a list of one of each family

  × nobody can answer to ::
   ╭─[pronto.toml:2:59]
 1 │ [sip]
 2 │ advertise = ["203.0.113.7", "2001:db8::7", "203.0.113.8", "::"]
   ·                                                           ──┬─
   ·                                                             ╰── found `::`
   ╰────
  help: expected an IP address

"#,
    );
}

#[test]
fn a_range_with_bits_beyond_its_prefix_is_refused() {
    assert_page(
        r#"
[[sip.trunk]]
name = "carrier"
allow = ["203.0.113.7/24"]
"#,
        r#"
  × `203.0.113.7/24` has bits beyond its prefix
   ╭─[pronto.toml:3:10]
 2 │ name = "carrier"
 3 │ allow = ["203.0.113.7/24"]
   ·          ────────┬───────
   ·                  ╰── found `203.0.113.7/24`
   ╰────
  help: expected an address, a range or "this-machine"; did you mean `203.0.113.0/24`?

"#,
    );
}

#[test]
fn media_ports_start_even_and_rise() {
    assert_page(
        r#"
[media]
ports = [20001, 29999]
"#,
        r#"
  × the first port, 20001, is odd
   ╭─[pronto.toml:2:9]
 1 │ [media]
 2 │ ports = [20001, 29999]
   ·         ───────┬──────
   ·                ╰── found [20001, 29999]
   ╰────
  help: expected two ports, the first even and below the last, such as [20000, 29999]

"#,
    );
}

#[test]
fn media_ports_leave_sip_its_own() {
    assert_page(
        r#"
[media]
ports = [5000, 5999]
"#,
        r#"
  × the media ports include SIP's own, 5060
   ╭─[pronto.toml:2:9]
 1 │ [media]
 2 │ ports = [5000, 5999]
   ·         ──────┬─────
   ·               ╰── found [5000, 5999]
   ╰────
  help: expected ports on which nothing else listens

"#,
    );
}

#[test]
fn more_calls_than_the_media_ports_carry_are_no_secret() {
    assert_page(
        r#"
[gateway]
calls = 50
[media]
ports = [20000, 20099]
"#,
        r#"
  ⚠ there is no number: nobody can call
   ╭─[pronto.toml:1:1]
 1 │ [gateway]
   · ▲
   · ╰── found no `[[number]]`
 2 │ calls = 50
   ╰────

  ⚠ the media ports are enough for 25 calls at once: the next is refused
   ╭─[pronto.toml:2:9]
 1 │ [gateway]
 2 │ calls = 50
   ·         ─┬
   ·          ╰── found 50
 3 │ [media]
   ╰────
  help: expected four ports for each call, or fewer `calls`

"#,
    );
}

#[test]
fn digests_are_named_as_the_standard_names_them() {
    assert_page(
        r#"
[sip]
digest = ["sha256"]
"#,
        r#"
  × `digest` in [sip] is `sha256`
   ╭─[pronto.toml:2:11]
 1 │ [sip]
 2 │ digest = ["sha256"]
   ·           ────┬───
   ·               ╰── found `sha256`
   ╰────
  help: expected one of `md5`, `sha-256`, `sha-512-256`; did you mean `sha-256`?

"#,
    );
}

#[test]
fn networks_that_see_the_inside_address_are_checked_like_any_other() {
    assert_page(
        r#"
[sip]
listen = ["udp:0.0.0.0:5060"]
advertise = "203.0.113.7"
local = ["192.168.0.0/16", "192.168.1.0/24", "10.0.0.1/8", "office"]
hosts = ["sip.example.com", "no host"]
"#,
        r#"
  × 192.168.1.0/24 stands in `local` twice: 192.168.0.0/16 has it
   ╭─[pronto.toml:4:28]
 3 │ advertise = "203.0.113.7"
 4 │ local = ["192.168.0.0/16", "192.168.1.0/24", "10.0.0.1/8", "office"]
   ·                            ────────┬───────
   ·                                    ╰── found `192.168.1.0/24`
 5 │ hosts = ["sip.example.com", "no host"]
   ╰────
  help: expected an address or a range

  × `10.0.0.1/8` has bits beyond its prefix
   ╭─[pronto.toml:4:46]
 3 │ advertise = "203.0.113.7"
 4 │ local = ["192.168.0.0/16", "192.168.1.0/24", "10.0.0.1/8", "office"]
   ·                                              ──────┬─────
   ·                                                    ╰── found `10.0.0.1/8`
 5 │ hosts = ["sip.example.com", "no host"]
   ╰────
  help: expected an address or a range; did you mean `10.0.0.0/8`?

  × `local` in [sip] is `office`
   ╭─[pronto.toml:4:60]
 3 │ advertise = "203.0.113.7"
 4 │ local = ["192.168.0.0/16", "192.168.1.0/24", "10.0.0.1/8", "office"]
   ·                                                            ────┬───
   ·                                                                ╰── found `office`
 5 │ hosts = ["sip.example.com", "no host"]
   ╰────
  help: expected an address or a range

  × `hosts` in [sip] is `no host`
   ╭─[pronto.toml:5:29]
 4 │ local = ["192.168.0.0/16", "192.168.1.0/24", "10.0.0.1/8", "office"]
 5 │ hosts = ["sip.example.com", "no host"]
   ·                             ────┬────
   ·                                 ╰── found `no host`
   ╰────
  help: expected a domain name or an IP address

"#,
    );
}

#[test]
fn networks_spared_an_address_that_nobody_sees_are_warned_of() {
    assert_page(
        r#"
[sip]
local = ["192.168.0.0/16"]
"#,
        r#"
  ⚠ there is no number: nobody can call
   ╭─[pronto.toml:1:1]
 1 │ [sip]
   · ▲
   · ╰── found no `[[number]]`
 2 │ local = ["192.168.0.0/16"]
   ╰────

  ⚠ `local` in [sip] changes nothing: no address is advertised to anybody
   ╭─[pronto.toml:2:9]
 1 │ [sip]
 2 │ local = ["192.168.0.0/16"]
   ·         ─────────┬────────
   ·                  ╰── found no `advertise`
   ╰────
  help: expected `advertise` in [sip] and [media], for peers outside of `local`

"#,
    );
}
