//! Hosts on the LAN, found without a server: mDNS over every interface that is up, also where there is no default
//! route. What is heard here is unauthenticated; it only helps to find a host, TLS proves that it is the right one.
//!
//! Discovery that cannot start is a warning and is tried again: hosts that know each other's addresses need none of it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use swarm_discovery::{Discoverer, DropGuard, IpClass, SpawnError};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, warn};

use crate::{event::Event, interfaces, limits, peer_key::PeerKey, shared::Shared};

const LAN_ATTRIBUTE: &str = "lan";
/// Answers per second that a crowded network settles at.
const RESPONSE_RATE: f32 = 2.5;

/// One announcement, or the lack of it.
struct Heard {
    peer: PeerKey,
    /// Empty when the host was not heard for long.
    addresses: Vec<SocketAddr>,
    offers_lan: bool,
}

/// Announces this host and reports others until the network stops.
pub(crate) async fn run(
    shared: Arc<Shared>,
    service: String,
    bound: SocketAddr,
    mut offers_lan: watch::Receiver<bool>,
) {
    let (heard_sender, mut heard) = mpsc::channel(limits::HEARD_MAX);
    let mut rescan = interval(limits::INTERFACES_PAUSE);
    rescan.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running: Option<Running> = None;
    let mut hosts = Hosts::default();
    loop {
        tokio::select! {
            _ = rescan.tick() => {
                let found = interfaces::addresses(bound.ip()).unwrap_or_else(|error| {
                    warn!(%error, "could not list the network interfaces");
                    Vec::new()
                });
                if running.as_ref().is_some_and(|running| running.addresses == found && running.is_alive()) {
                    continue;
                }
                running = None;
                hosts.clear(&shared).await;
                if found.is_empty() {
                    continue;
                }
                match start(&shared, &service, bound, found, *offers_lan.borrow_and_update(), heard_sender.clone()) {
                    Ok(started) => {
                        debug!(addresses = ?started.addresses, "looking for hosts on the network");
                        running = Some(started);
                    }
                    Err(error) => warn!(%error, "could not start looking for hosts on the network"),
                }
            }
            Ok(()) = offers_lan.changed() => {
                if let Some(running) = &running {
                    announce_lan(&running.guard, *offers_lan.borrow_and_update());
                }
            }
            Some(heard) = heard.recv() => hosts.hear(&shared, heard).await,
        }
    }
}

/// Discovery on a set of interfaces, until it is dropped.
struct Running {
    addresses: Vec<Ipv4Addr>,
    guard: DropGuard,
    heard_any: Arc<AtomicBool>,
}

impl Running {
    /// Whether anything was heard since this was asked last, if only this host itself. Discovery stops without a word when
    /// one of its sockets fails, as it does when an interface goes down and comes back.
    fn is_alive(&self) -> bool {
        self.heard_any.swap(false, Ordering::Relaxed)
    }
}

fn start(
    shared: &Shared,
    service: &str,
    bound: SocketAddr,
    addresses: Vec<Ipv4Addr>,
    offers_lan: bool,
    heard: mpsc::Sender<Heard>,
) -> Result<Running, Box<SpawnError>> {
    let me = shared.key;
    let heard_any = Arc::new(AtomicBool::new(false));
    let hears = Arc::clone(&heard_any);
    let wants_loopback = addresses.iter().any(Ipv4Addr::is_loopback);
    let guard = Discoverer::new(service.to_owned(), me.label())
        .with_cadence(limits::DISCOVERY_CADENCE)
        .with_response_rate(RESPONSE_RATE)
        .with_ip_class(IpClass::V4Only)
        .with_addrs(bound.port(), addresses.iter().copied().map(IpAddr::V4))
        .with_multicast_interfaces_v4(addresses.clone())
        .with_callback(move |label, announced| {
            let is_gone = announced.is_expiry();
            if !is_gone {
                hears.store(true, Ordering::Relaxed);
            }
            let Some(peer) = PeerKey::from_label(label).filter(|peer| *peer != me) else {
                return;
            };
            // Multicast crosses from one interface to another on the same machine: what was announced on loopback is
            // of no use to a host that is not bound there, and the other way round.
            let mut usable: Vec<SocketAddr> = (announced.addrs().iter())
                .filter(|(address, _)| address.is_loopback() == wants_loopback)
                .map(|(address, port)| SocketAddr::new(*address, *port))
                .collect();
            usable.truncate(limits::ADDRESSES_MAX);
            let offers_lan = announced
                .txt_attribute(LAN_ATTRIBUTE)
                .is_some_and(|value| value == Some("1"));
            if is_gone || !usable.is_empty() {
                // When full, this host is told again in two seconds.
                let _ = heard.try_send(Heard {
                    peer,
                    addresses: usable,
                    offers_lan,
                });
            }
        })
        .spawn(&Handle::current())
        .map_err(Box::new)?;
    announce_lan(&guard, offers_lan);
    Ok(Running {
        addresses,
        guard,
        heard_any,
    })
}

fn announce_lan(guard: &DropGuard, offers_lan: bool) {
    if offers_lan {
        guard
            .set_txt_attribute(LAN_ATTRIBUTE.into(), Some("1".into()))
            .expect("the attribute is short");
    } else {
        guard.remove_txt_attribute(LAN_ATTRIBUTE.into());
    }
}

/// The hosts that were reported, so that each is reported once and again only when something changes.
#[derive(Default)]
struct Hosts(BTreeMap<PeerKey, (Vec<SocketAddr>, bool)>);

impl Hosts {
    async fn hear(&mut self, shared: &Shared, heard: Heard) {
        let Heard {
            peer,
            addresses,
            offers_lan,
        } = heard;
        if addresses.is_empty() {
            if self.0.remove(&peer).is_some() {
                vanish(shared, peer).await;
            }
            return;
        }
        let says = (addresses, offers_lan);
        if self.0.get(&peer) == Some(&says) {
            return;
        }
        if self.0.len() >= limits::SEEN_MAX
            && !self.0.contains_key(&peer)
            && !shared.peers.is_member(peer)
        {
            debug!(%peer, "too many hosts on the network, ignoring one");
            return;
        }
        shared.peers.saw(peer, &says.0);
        self.0.insert(peer, says.clone());
        let (addresses, offers_lan) = says;
        shared
            .emit(Event::Discovered {
                peer,
                addresses,
                offers_lan,
            })
            .await;
    }

    /// Forgets all hosts: after a change of interfaces, each that is still there will be heard again.
    async fn clear(&mut self, shared: &Shared) {
        for peer in std::mem::take(&mut self.0).into_keys() {
            vanish(shared, peer).await;
        }
    }
}

async fn vanish(shared: &Shared, peer: PeerKey) {
    shared.peers.lost_sight(peer);
    shared.emit(Event::Vanished { peer }).await;
}
