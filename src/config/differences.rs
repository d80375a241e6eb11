//! Differences between two configurations: the parts that a restart would change.

use super::Config;

impl Config {
    /// Where it comes from, for a person.
    pub fn source(&self) -> String {
        match &self.file {
            Some(file) => file.display().to_string(),
            None => "the built-in centre".to_owned(),
        }
    }

    /// The sections of `other` that differ, as they are written in the file. Flows count as `[[number]]`.
    pub fn differences(&self, other: &Config) -> Vec<&'static str> {
        let Config {
            file: _,
            timezone,
            sip,
            media,
            grpc,
            metrics,
            gateway,
            registrar,
            trace,
            store,
            library,
            numbers,
            engine,
            recorded,
            phones,
            warnings: _,
        } = self;
        let parts = [
            ("timezone", *timezone == other.timezone),
            ("[sip]", *sip == other.sip),
            ("[media]", *media == other.media),
            ("[grpc]", *grpc == other.grpc),
            ("[metrics]", *metrics == other.metrics),
            ("[gateway]", *gateway == other.gateway),
            ("[registrar]", *registrar == other.registrar),
            ("[trace]", *trace == other.trace),
            ("[queue_service]", engine.grace == other.engine.grace),
            ("[store]", *store == other.store),
            ("[prompts]", *library == other.library),
            ("[[number]]", *numbers == other.numbers),
            (
                "[[queue]]",
                (&engine.queues, recorded) == (&other.engine.queues, &other.recorded),
            ),
            (
                "[[operator]]",
                (&engine.operators, phones) == (&other.engine.operators, &other.phones),
            ),
        ];
        let differs = parts.into_iter().filter(|(_, same)| !same);
        differs.map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_change_is_named_by_the_section_it_is_written_in() {
        let config = Config::builtin();
        assert_eq!(config.differences(&Config::builtin()), Vec::<&str>::new());
        let mut other = Config::builtin();
        other.engine.queues[0].ring += Duration::from_secs(1);
        other.sip.domain = "example.org".to_owned();
        assert_eq!(config.differences(&other), ["[sip]", "[[queue]]"]);
    }
}
