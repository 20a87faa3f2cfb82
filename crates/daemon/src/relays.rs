//! `network.relay`, and the relays that this host uses in the words of the API. Which relays members of a queue may be met
//! over is decided by a person, and kept by the core.

use std::{fmt, str::FromStr};

use printmesh_api::{problem::Problem, reply::RelayUse};
use printmesh_net::{RELAYS_MAX, Relay, Relays};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
};

use crate::problems;

/// The word for no relay at all.
const NONE: &str = "none";

/// What `network.relay` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RelaySetting {
    /// Nothing: no relay, until somebody joins a queue with `--wan`.
    #[default]
    Unset,
    /// `"none"`: no relay, and nobody can turn one on.
    Never,
    /// These, for every queue of this host.
    These(Vec<Relay>),
}

impl RelaySetting {
    /// Whether nothing is said.
    pub fn is_unset(&self) -> bool {
        *self == Self::Unset
    }

    /// Whether this relay is used for every queue.
    pub(crate) fn names(&self, url: &str) -> bool {
        match self {
            Self::Unset | Self::Never => false,
            Self::These(relays) => relays.iter().any(|relay| relay.to_string() == url),
        }
    }

    pub(crate) fn relays(&self) -> Relays {
        match self {
            Self::Unset => Relays::Named(Vec::new()),
            Self::Never => Relays::Never,
            Self::These(relays) => Relays::Named(relays.clone()),
        }
    }

    /// Returns the relays for a ticket: those of this host, then those that were agreed to for the queue.
    ///
    /// # Errors
    /// `network.no-relay` when there is none.
    pub(crate) fn for_ticket(
        &self,
        queue: &str,
        agreed: &[String],
        home: &std::path::Path,
    ) -> Result<Vec<Relay>, Problem> {
        let why = match self {
            Self::Never => "network.relay is \"none\" in the config",
            Self::Unset | Self::These(_) => {
                "a relay is a server on which hosts meet that cannot reach each other; none is built in, so that nobody sees your hosts unless you say so"
            }
        };
        let mut relays = match self {
            Self::Never => return Err(no_relay(queue, why, home)),
            Self::Unset => Vec::new(),
            Self::These(relays) => relays.clone(),
        };
        for relay in parsed(agreed) {
            if !relays.contains(&relay) {
                relays.push(relay);
            }
        }
        match relays.is_empty() {
            true => Err(no_relay(queue, why, home)),
            false => Ok(relays),
        }
    }

    /// Whether a person may agree to a relay.
    ///
    /// # Errors
    /// `network.relay-off` when the config says that there is to be none.
    pub(crate) fn may_agree(&self, home: &std::path::Path) -> Result<(), Problem> {
        match self {
            Self::Unset | Self::These(_) => Ok(()),
            Self::Never => Err(
                problems::new("network.relay-off", 5, "this host uses no relay")
                    .because("network.relay is \"none\" in the config")
                    .fix(
                        "",
                        format!(
                            "take that line out of {}",
                            home.join("config.toml").display()
                        ),
                    )
                    .fix(
                        "printmesh daemon stop && printmesh up",
                        "then start the daemon again",
                    ),
            ),
        }
    }
}

fn no_relay(queue: &str, why: &str, home: &std::path::Path) -> Problem {
    let config = home.join("config.toml");
    problems::new(
        "network.no-relay",
        5,
        format!("{queue} cannot be shared beyond this network: this host uses no relay"),
    )
    .because(why)
    .fix(
        "",
        format!(
            "put `relay = [\"https://relay.example.org\"]` under [network] of {}, with the URL of a relay that you trust: any server that runs `iroh-relay`",
            config.display()
        ),
    )
    .fix("printmesh daemon stop && printmesh up", "then start the daemon again")
}

/// Reads relays that were read once before; what is none any more is left out and logged.
pub(crate) fn parsed(urls: &[String]) -> Vec<Relay> {
    let read = urls.iter().filter_map(|url| match Relay::from_str(url) {
        Ok(relay) => Some(relay),
        Err(error) => {
            tracing::warn!(url, %error, "left a relay out");
            None
        }
    });
    read.collect()
}

/// In the words of the API.
pub(crate) fn told(used: printmesh_net::RelayUse) -> RelayUse {
    let state = match (used.connected, used.wanted) {
        (true, true) => "connected",
        (true, false) => "ending",
        (false, _) => "waiting",
    };
    RelayUse {
        encrypted: used.relay.is_encrypted(),
        url: used.relay.to_string(),
        state: state.to_owned(),
        note: used.failure.filter(|_| !used.connected),
    }
}

impl Serialize for RelaySetting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unset => serializer.serialize_none(),
            Self::Never => serializer.serialize_str(NONE),
            Self::These(relays) => relays.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for RelaySetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

/// Reads the setting; its errors come with the line.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = RelaySetting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of relays like [\"https://relay.example.org\"], or \"none\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RelaySetting, E> {
        match text {
            NONE => Ok(RelaySetting::Never),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RelaySetting, A::Error> {
        let mut relays = Vec::new();
        while let Some(relay) = list.next_element::<Relay>()? {
            if relays.contains(&relay) {
                return Err(A::Error::custom(format!("{relay} is named twice")));
            }
            if relays.len() == RELAYS_MAX {
                return Err(A::Error::custom(format!(
                    "a host uses at most {RELAYS_MAX} relays"
                )));
            }
            relays.push(relay);
        }
        Ok(RelaySetting::These(relays))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn read(relay: &str) -> Result<RelaySetting, Problem> {
        let text = format!("# mine\n[network]\nrelay = {relay}\n");
        Config::parse(&text).map(|config| config.network.relay)
    }

    #[test]
    fn a_relay_is_named_in_the_config_or_none_is_used() {
        let relay: Relay = "https://relay.example.org".parse().unwrap();
        assert_eq!(
            read("[\"https://relay.example.org/\"]"),
            Ok(RelaySetting::These(vec![relay]))
        );
        assert_eq!(read("\"none\""), Ok(RelaySetting::Never));
        let default = Config::parse("").unwrap();
        assert_eq!(default.network.relay.relays(), Relays::Named(Vec::new()));
        for setting in ["[\"https://relay.example.org\"]", "\"none\""] {
            let config = Config::parse(&format!("[network]\nrelay = {setting}\n")).unwrap();
            let again = Config::parse(&toml::to_string(&config).unwrap());
            assert_eq!(again, Ok(config), "written and read");
        }
        assert!(!toml::to_string(&default).unwrap().contains("relay"));
    }

    #[test]
    fn a_relay_that_cannot_be_one_is_an_error_with_its_line() {
        let five = [
            "\"https://a.org\"",
            "\"https://b.org\"",
            "\"https://c.org\"",
            "\"https://d.org\"",
            "\"https://e.org\"",
        ];
        for (wrong, says) in [
            ("\"default\"", "or \"none\""),
            ("\"https://relay.example.org\"", "a list of relays"),
            ("true", "a list of relays"),
            ("[\"relay.example.org\"]", "a relay is a URL like"),
            (
                "[\"https://relay.example.org/path\"]",
                "a relay is a URL like",
            ),
            ("[3]", "a string"),
            ("[\"https://a.org\", \"https://A.org/\"]", "named twice"),
            (&format!("[{}]", five.join(",")), "at most 4"),
        ] {
            let problem = read(wrong).unwrap_err();
            assert_eq!(problem.code, "config.bad", "{wrong}");
            let why = problem.why.unwrap();
            assert!(
                why.contains("line 3") && why.contains(says),
                "{wrong}: {why}"
            );
        }
    }
}
