//! Relays: servers outside the local network over which two hosts meet that cannot reach one another. A relay is used
//! only when a person at this host has named it; what that means for them is for the owner of the network to say.
//!
//! What a relay learns: the keys of the hosts that use it, their addresses, who sends to whom, how much and when. What is
//! said is encrypted between the hosts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use iroh::{Endpoint, RelayConfig, RelayMap, RelayUrl, Watcher as _};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::{limits, peer_key::PeerKey, shared::Shared};

/// A relay, by its URL: `https://host` or `https://host:port`. It is shown as it is written here, whatever was typed.
///
/// `http` is read too: then whoever is on the way sees as much as the relay does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Relay(RelayUrl);

/// Why a text does not name a relay.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RelayError {
    /// It is no URL, or one of something else.
    #[error(
        "a relay is a URL like https://relay.example.org, with nothing after the host and its port"
    )]
    NotARelay,
    /// It is longer than any relay's.
    #[error(
        "the URL of a relay has at most {} characters",
        limits::RELAY_BYTES_MAX
    )]
    TooLong,
}

impl Relay {
    /// Whether everything on the way to it is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    pub(crate) fn url(&self) -> RelayUrl {
        self.0.clone()
    }

    fn config(&self) -> RelayConfig {
        let mut config = RelayConfig::from(self.0.clone());
        if !self.is_encrypted() {
            // The port that tells a host its own public address needs a certificate: nobody is there to be waited for.
            config.quic = None;
        }
        config
    }
}

impl FromStr for Relay {
    type Err = RelayError;

    fn from_str(text: &str) -> Result<Self, RelayError> {
        if text.len() > limits::RELAY_BYTES_MAX {
            return Err(RelayError::TooLong);
        }
        let url: RelayUrl = text.parse().map_err(|_| RelayError::NotARelay)?;
        let is_plain = matches!(url.scheme(), "https" | "http")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none();
        match is_plain {
            // A name may become longer when it is written in ASCII.
            true if url.as_str().len() > limits::RELAY_BYTES_MAX => Err(RelayError::TooLong),
            true => Ok(Self(url)),
            false => Err(RelayError::NotARelay),
        }
    }
}

impl TryFrom<String> for Relay {
    type Error = RelayError;

    fn try_from(text: String) -> Result<Self, RelayError> {
        text.parse()
    }
}

impl From<Relay> for String {
    fn from(relay: Relay) -> Self {
        relay.to_string()
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which relays may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relays {
    /// None, whatever anybody agrees to later.
    Never,
    /// These from the start, for all members; and those of [`crate::Net::set_relays`].
    Named(Vec<Relay>),
}

impl Relays {
    pub(crate) fn named(&self) -> &[Relay] {
        match self {
            Self::Never => &[],
            Self::Named(relays) => relays,
        }
    }

    /// The map is empty, not absent, when none is named: one can be added while the endpoint runs, and until then it
    /// talks to nobody.
    pub(crate) fn map(&self) -> Option<RelayMap> {
        match self {
            Self::Never => None,
            Self::Named(relays) => Some(relays.iter().map(Relay::config).collect()),
        }
    }
}

/// A relay that this host uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayUse {
    /// Which.
    pub relay: Relay,
    /// Connected to it now. Of several it waits at the nearest one only; the others are called when they are needed.
    pub connected: bool,
    /// Somebody here still wants it. One that nobody wants any more may stay connected until the network stops.
    pub wanted: bool,
    /// Why the last call to it failed, if it did.
    pub failure: Option<String>,
}

/// The relays that a person at this host has agreed to, and for whom.
pub(crate) struct Agreed {
    always: Relays,
    members: watch::Sender<BTreeMap<PeerKey, Vec<Relay>>>,
}

impl Agreed {
    pub(crate) fn new(always: Relays) -> Self {
        Self {
            always,
            members: watch::Sender::default(),
        }
    }

    /// Makes these the relays over which members may be met, beside those for all.
    pub(crate) fn set(&self, members: BTreeMap<PeerKey, Vec<Relay>>) {
        if self.always == Relays::Never {
            if !members.is_empty() {
                warn!(
                    "relays are off in the config, so members are not met over those that were agreed to"
                );
            }
            return;
        }
        self.members.send_replace(members);
    }

    /// Returns the relays over which a member may be met.
    pub(crate) fn of(&self, peer: PeerKey) -> Vec<Relay> {
        self.with(self.members.borrow().get(&peer).map_or(&[], Vec::as_slice))
    }

    /// Returns these, as far as any may be used, after those that are for all.
    pub(crate) fn with(&self, more: &[Relay]) -> Vec<Relay> {
        let Relays::Named(always) = &self.always else {
            return Vec::new();
        };
        let mut all = always.clone();
        for relay in more {
            if !all.contains(relay) && all.len() < limits::RELAYS_MAX {
                all.push(relay.clone());
            }
        }
        all
    }

    fn wanted(&self) -> BTreeSet<Relay> {
        let members = self.members.borrow();
        let more = members.values().flatten().cloned();
        self.always.named().iter().cloned().chain(more).collect()
    }

    /// Returns what is used, as of now.
    pub(crate) fn in_use(&self, endpoint: &Endpoint) -> Vec<RelayUse> {
        let homes = endpoint.home_relay_status().get();
        let wanted = self.wanted();
        let of = |relay: &Relay, wanted| {
            let home = homes.iter().find(|home| *home.url() == relay.0);
            RelayUse {
                relay: relay.clone(),
                connected: home.is_some_and(|home| home.is_connected()),
                wanted,
                failure: home.and_then(|home| home.last_error().map(|error| format!("{error:#}"))),
            }
        };
        let left = homes.iter().map(|home| Relay(home.url().clone()));
        let left = left.filter(|relay| !wanted.contains(relay));
        let left: Vec<_> = left.map(|relay| of(&relay, false)).collect();
        wanted
            .iter()
            .map(|relay| of(relay, true))
            .chain(left)
            .collect()
    }
}

/// Waits at the relays that are wanted for members, as long as they are.
pub(crate) async fn keep(shared: Arc<Shared>, endpoint: Endpoint) {
    let relays = &shared.peers.relays;
    let mut changes = relays.members.subscribe();
    let mut kept = BTreeSet::new();
    loop {
        let wanted = relays.wanted();
        for relay in wanted.difference(&kept) {
            let encrypted = relay.is_encrypted();
            info!(%relay, encrypted, "a relay is on: it learns which hosts talk over it, from where, when and how much, and not what");
            // Those of the config are in the endpoint from its start.
            if !relays.always.named().contains(relay) {
                let config = Arc::new(relay.config());
                endpoint.insert_relay(relay.url(), config).await;
            }
        }
        for relay in kept.difference(&wanted) {
            warn!(%relay, "a relay is wanted no more; this host may stay connected to it until it is started again");
            endpoint.remove_relay(&relay.0).await;
        }
        kept = wanted;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_a_host_and_nothing_else() {
        let shown = |text: &str| text.parse::<Relay>().map(|relay| relay.to_string());
        for (typed, relay) in [
            ("https://relay.example.org", "https://relay.example.org"),
            ("https://Relay.Example.org/", "https://relay.example.org"),
            ("https://relay.example.org:443", "https://relay.example.org"),
            ("https://10.0.0.1:8443", "https://10.0.0.1:8443"),
            ("http://[fd00::1]:3340/", "http://[fd00::1]:3340"),
        ] {
            assert_eq!(shown(typed).as_deref(), Ok(relay), "{typed}");
            assert_eq!(shown(relay).as_deref(), Ok(relay), "{typed}");
        }
        for wrong in [
            "",
            "none",
            "relay.example.org",
            "relay.example.org:443",
            "ftp://relay.example.org",
            "file:///etc/passwd",
            "https://",
            "https://me@relay.example.org",
            "https://me:secret@relay.example.org",
            "https://relay.example.org/path",
            "https://relay.example.org/?q",
            "https://relay.example.org/#f",
        ] {
            assert_eq!(shown(wrong), Err(RelayError::NotARelay), "{wrong}");
        }
        let long = format!("https://{}.org", "a".repeat(limits::RELAY_BYTES_MAX));
        assert_eq!(shown(&long), Err(RelayError::TooLong));
    }

    #[test]
    fn only_relays_that_a_person_agreed_to_are_called_and_only_for_whom() {
        let relay = |n: u8| {
            format!("https://r{n}.example.org")
                .parse::<Relay>()
                .unwrap()
        };
        let (member, other) = (PeerKey([1; 32]), PeerKey([2; 32]));
        let agreed = Agreed::new(Relays::Named(vec![relay(1)]));
        agreed.set(BTreeMap::from([(member, vec![relay(1), relay(2)])]));
        assert_eq!(agreed.of(member), [relay(1), relay(2)]);
        assert_eq!(agreed.of(other), [relay(1)]);
        agreed.set(BTreeMap::new());
        assert_eq!(agreed.of(member), [relay(1)]);

        let many: Vec<_> = (0..100).map(relay).collect();
        assert_eq!(agreed.with(&many).len(), limits::RELAYS_MAX);

        let never = Agreed::new(Relays::Never);
        never.set(BTreeMap::from([(member, vec![relay(1)])]));
        assert_eq!(never.of(member), []);
        assert_eq!(never.with(&[relay(2)]), []);
    }
}
