//! From the configuration to what each half of the house wants to be told.

use std::collections::BTreeMap;
use std::time::Duration;

use pronto_gateway as gateway;
use pronto_gateway::shell::ShellSettings;
use pronto_sip as sip;
use pronto_sip::Algorithm;
use pronto_types::{OperatorId, Secret};

use crate::config::{Config, Credential, Phone};

/// Media threads: one for every two processors, as the rest is signalling, gRPC and the store.
const PROCESSORS_PER_MEDIA_THREAD: usize = 2;

/// How long a 100 waits for something better to be said: less than 200 ms (RFC 3261 §17.2.1), with room for a late timer.
const TRYING: Duration = Duration::from_millis(150);

/// Derives the settings of the gateway. `generated` holds the passwords nobody chose.
pub(crate) fn gateway(
    config: &Config,
    generated: &BTreeMap<OperatorId, Secret>,
) -> Result<ShellSettings, String> {
    let addresses = crate::machine::own_addresses();
    let inside = inside(config, &addresses)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(ShellSettings {
        token: None,
        name: config.gateway.name.clone(),
        listen: config.sip.listen.clone(),
        dscp: (config.sip.dscp, config.media.dscp),
        tls: config.sip.tls.clone(),
        origins: config.sip.origins.clone(),
        sip: sip::Settings {
            advertise: config.sip.advertise.clone(),
            inside: inside.clone(),
            hosts: config.sip.hosts.clone(),
            addresses,
            product: concat!("Pronto/", env!("CARGO_PKG_VERSION")).to_owned(),
            operators: credentials(config, generated)?,
            expires: config.registrar.expires,
            limits: sip::Limits {
                bindings_per_operator: config.registrar.phones,
                ..sip::Limits::default()
            },
            trunks: config.sip.trunks.clone(),
            qualify: Some(config.sip.qualify).filter(|every| !every.is_zero()),
            trying: TRYING,
            digest: config.sip.digest.clone(),
            operator_digest: config.phones.iter().filter_map(own_digest).collect(),
            ..sip::Settings::new(&config.sip.domain)
        },
        calls: gateway::Settings {
            inside,
            ..calls(config)
        },
        media_listen: config.media.listen,
        media_ports: config.media.ports,
        media_threads: threads.div_ceil(PROCESSORS_PER_MEDIA_THREAD),
        store: config.store.clone(),
        drain: config.sip.drain,
        trace: config.trace,
    })
}

/// `local`, each network with our address in it.
fn inside(config: &Config, own: &[std::net::IpAddr]) -> Result<sip::Inside, String> {
    let towards = |network: &ipnet::IpNet| {
        let address = crate::machine::address_towards(network, own);
        address.map(|address| (*network, address)).ok_or_else(|| {
            format!("`local` in [sip]: this machine has no address in {network}, and no way there")
        })
    };
    let networks = config.sip.local.iter().map(towards);
    networks.collect::<Result<_, String>>().map(sip::Inside::new)
}

fn own_digest(phone: &Phone) -> Option<(OperatorId, Vec<Algorithm>)> {
    Some((phone.operator.clone(), phone.digest.clone()?))
}

fn asks_md5(config: &Config, own: &Option<Vec<Algorithm>>) -> bool {
    let asked = own.as_ref().unwrap_or(&config.sip.digest);
    asked.contains(&Algorithm::Md5)
}

fn credentials(
    config: &Config,
    generated: &BTreeMap<OperatorId, Secret>,
) -> Result<BTreeMap<OperatorId, sip::Ha1>, String> {
    let domain = &config.sip.domain;
    let mut known = BTreeMap::new();
    for Phone {
        operator: id,
        credential,
        digest: own,
    } in &config.phones
    {
        let of_password = |secret: &Secret| sip::Ha1::from_password(id.as_str(), domain, secret);
        let ha1 = match credential {
            Credential::Password(secret) => of_password(secret),
            Credential::Ha1(_) if !asks_md5(config, own) => {
                return Err(format!(
                    "the ha1 of operator {id} is an MD5, which `digest` does not ask for: write the password instead"
                ));
            }
            Credential::Ha1(hex) => sip::Ha1::from_hex(hex.reveal())
                .ok_or_else(|| format!("the ha1 of operator {id} is not 32 hex digits"))?,
            Credential::Generated => of_password(
                generated
                    .get(id)
                    .ok_or_else(|| format!("no password was made for operator {id}"))?,
            ),
            Credential::Variable(name) => {
                return Err(format!(
                    "the password of operator {id} is in ${name}, which was not read"
                ));
            }
        };
        known.insert(id.clone(), ha1);
    }
    Ok(known)
}

fn calls(config: &Config) -> gateway::Settings {
    let numbers = config.numbers.iter().map(|number| &number.served);
    let queues = config.engine.queues.iter();
    gateway::Settings {
        numbers: numbers
            .clone()
            .map(|served| (served.dial.clone(), served.clone()))
            .collect(),
        max_wait: queues.map(|queue| (queue.name.clone(), queue.max_wait)).collect(),
        queue_away: config.gateway.queue_away,
        recorded: config.recorded.clone(),
        advertise: config.media.advertise,
        inside: sip::Inside::default(),
        learn: config.media.learn,
        reach: sip::sdp::Reach::of(config.media.advertise.unwrap_or(config.media.listen)),
        prompts: gateway::Prompts::of(&config.library, &numbers.map(|served| served.language).collect()),
        max_calls: config.gateway.calls.min(config.media.most_calls()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §10.2.1.1: the registrar may shorten what a phone asks for.
    #[test]
    fn a_phone_has_to_say_within_minutes_that_it_is_still_there() {
        let config = Config::builtin();
        let password = |id: &str| (OperatorId::new(id).unwrap(), Secret::new("correct horse"));
        let generated = ["101", "102"].map(password).into();
        let expires = gateway(&config, &generated).unwrap().sip.expires;
        assert!(expires.min <= expires.default && expires.default <= expires.max);
        assert!(
            expires.max <= std::time::Duration::from_secs(300),
            "{:?}",
            expires.max
        );
    }

    #[test]
    fn what_the_registrar_is_told_is_what_the_file_says() {
        let text = "[registrar]\nexpires_min = \"45s\"\nexpires_max = \"10m\"\nphones = 3\n";
        let folder = std::env::temp_dir().join(format!("pronto-registrar-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("pronto.toml");
        std::fs::write(&file, text).unwrap();
        let config = Config::load(&file);
        std::fs::remove_dir_all(&folder).unwrap();
        let sip = gateway(&config.unwrap(), &BTreeMap::new()).unwrap().sip;
        let of = [sip.expires.min, sip.expires.default, sip.expires.max].map(|time| time.as_secs());
        assert_eq!((of, sip.limits.bindings_per_operator), ([45, 600, 600], 3));
    }
}
