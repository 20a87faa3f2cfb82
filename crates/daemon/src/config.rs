//! `config.toml`: what a person sets on this host. Shared things live in the queue's document, never here.

use std::{net::SocketAddr, path::Path};

use printmesh_api::problem::Problem;
use serde::{Deserialize, Serialize};

use crate::{notify::Notify, problems, relays::RelaySetting, slicer::Slicer, spools::Spoolman};

/// What a person sets on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Network settings.
    pub network: Network,
    /// What slices models for the printers of this host.
    #[serde(rename = "slicer", skip_serializing_if = "Vec::is_empty")]
    pub slicers: Vec<Slicer>,
    /// Who tells people that a printer waits for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// Who keeps the stock of spools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spoolman: Option<Spoolman>,
}

/// Network settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// `auto` (a free port on every interface) or `ip:port`.
    pub bind: String,
    /// Announce this host on the LAN, and look for others.
    pub discovery: bool,
    /// Name of the LAN announcement; hosts with different names do not see each other.
    pub service: String,
    /// Over which relays members may be met that cannot be reached directly: a list of URLs, or `none`. A relay learns which
    /// hosts talk over it, from where, when and how much, and not what.
    #[serde(skip_serializing_if = "RelaySetting::is_unset")]
    pub relay: RelaySetting,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            bind: "auto".into(),
            discovery: true,
            service: "printmesh".into(),
            relay: RelaySetting::Unset,
        }
    }
}

impl Config {
    /// Reads the file; a missing one means defaults.
    ///
    /// # Errors
    /// `config.bad` names the line that cannot be understood.
    pub fn load(path: &Path) -> Result<Self, Problem> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(problems::new(
                    "config.bad",
                    2,
                    format!("cannot read {}", path.display()),
                )
                .because(error.to_string()));
            }
        };
        Self::parse(&text).map_err(|problem| match problem.code.as_str() {
            "config.bad" => Problem {
                title: format!("cannot understand {}", path.display()),
                ..problem
            },
            _ => problem,
        })
    }

    /// Reads the text of the file.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let config: Self = toml::from_str(text).map_err(|error| {
            problems::new("config.bad", 2, "cannot understand the config")
                .because(error.to_string().trim().replace('\n', " "))
        })?;
        config.network.bind()?;
        config.spoolman.as_ref().map(Spoolman::client).transpose()?;
        Ok(config)
    }
}

impl Network {
    /// Returns where to listen; `None` = any free port.
    ///
    /// # Errors
    /// `network.bind` when the text is neither `auto` nor `ip:port`.
    pub fn bind(&self) -> Result<Option<SocketAddr>, Problem> {
        if self.bind == "auto" {
            return Ok(None);
        }
        self.bind.parse().map(Some).map_err(|_| {
            problems::new("network.bind", 2, format!("network.bind cannot be `{}`", self.bind))
                .because("it is `auto` or `ip:port`, like `192.168.1.43:6789`; `0.0.0.0:6789` means every interface")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bind_is_auto_or_an_address_and_nothing_else() {
        let bind = |text: &str| {
            Network {
                bind: text.into(),
                ..Network::default()
            }
            .bind()
        };
        assert_eq!(bind("auto"), Ok(None));
        assert_eq!(
            bind("0.0.0.0:6789"),
            Ok(Some("0.0.0.0:6789".parse().unwrap()))
        );
        for wrong in ["localhost:1", "6789", "", "1.2.3.4"] {
            assert_eq!(bind(wrong).unwrap_err().code, "network.bind");
        }
    }

    #[test]
    fn a_misspelt_setting_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "[network]\nbinds = \"auto\"\n").unwrap();
        let problem = Config::load(&path).unwrap_err();
        assert_eq!(problem.code, "config.bad");
        assert!(problem.why.unwrap().contains("binds"));
        assert_eq!(
            Config::load(&folder.path().join("none")),
            Ok(Config::default())
        );
    }
}
