//! How many may be at the door at once, and how often one address may knock. Who may come in is decided behind it.
//!
//! A handshake costs this host a signature and some memory before it knows who calls. A caller whose address is not proven
//! costs little and can be anybody, so that nothing is held against the address that it names; it is asked to prove it
//! (a stateless answer) once more than a few come. Proven addresses each have their own share. Who comes over a relay has
//! shown its key there: a member has its own share, and all strangers together have one, since keys cost nothing.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use crate::{limits, pace::Bucket, peer_key::PeerKey};

/// From where somebody calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// From an address that may be anybody's.
    Unproven,
    /// From an address that it has proven.
    Address(IpAddr),
    /// Over a relay, which says that it is this member.
    Member(PeerKey),
    /// Over a relay, which says that it is somebody else.
    Relayed,
}

impl Origin {
    /// A proven address.
    pub(crate) fn of_address(address: IpAddr) -> Self {
        Self::Address(share(address))
    }

    fn is_relayed(self) -> bool {
        match self {
            Self::Member(_) | Self::Relayed => true,
            Self::Unproven | Self::Address(_) => false,
        }
    }
}

/// What to do with a caller.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It may shake hands for as long as it has this place.
    Enter(Place),
    /// It is to prove its address first.
    Prove,
    /// Not now.
    Refuse,
}

/// The door of one endpoint.
#[derive(Debug)]
pub(crate) struct Door(Mutex<Table>);

#[derive(Debug)]
struct Table {
    pending: usize,
    /// Of these, over relays.
    relayed: usize,
    unproven: Bucket,
    callers: BTreeMap<Origin, Caller>,
}

#[derive(Debug)]
struct Caller {
    bucket: Bucket,
    pending: usize,
}

/// One of the places for handshakes.
#[derive(Debug)]
pub(crate) struct Place {
    door: Arc<Door>,
    origin: Origin,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.door.table();
        table.pending -= 1;
        table.relayed -= usize::from(self.origin.is_relayed());
        if let Some(caller) = table.callers.get_mut(&self.origin) {
            caller.pending -= 1;
        }
    }
}

/// Whoever has an address of IPv6 has all of its network.
pub(crate) fn share(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}

impl Door {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Table {
            pending: 0,
            relayed: 0,
            unproven: Bucket::new(limits::UNPROVEN, Instant::now()),
            callers: BTreeMap::new(),
        })))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// Somebody calls.
    pub(crate) fn knock(self: &Arc<Self>, origin: Origin, now: Instant) -> Verdict {
        let refusal = match origin {
            Origin::Unproven => Verdict::Prove,
            Origin::Address(_) | Origin::Member(_) | Origin::Relayed => Verdict::Refuse,
        };
        let mut table = self.table();
        let is_full = table.pending >= limits::HANDSHAKES_MAX
            || origin.is_relayed() && table.relayed >= limits::HANDSHAKES_RELAYED_MAX;
        if is_full {
            return refusal;
        }
        let may_enter = match origin {
            Origin::Unproven => table.unproven.take(now),
            Origin::Address(_) | Origin::Member(_) | Origin::Relayed => {
                if table.callers.len() >= limits::CALLERS_MAX
                    && !table.callers.contains_key(&origin)
                {
                    // Whoever has been quiet for a while needs not be remembered.
                    table
                        .callers
                        .retain(|_, caller| caller.pending > 0 || !caller.bucket.is_full(now));
                }
                let is_room = table.callers.len() < limits::CALLERS_MAX;
                match table.callers.get_mut(&origin) {
                    Some(caller) => caller.knock(now),
                    None if is_room => {
                        let bucket = Bucket::new(limits::KNOCKS, now);
                        let caller = Caller { bucket, pending: 0 };
                        table.callers.entry(origin).or_insert(caller).knock(now)
                    }
                    None => false,
                }
            }
        };
        if !may_enter {
            return refusal;
        }
        table.pending += 1;
        table.relayed += usize::from(origin.is_relayed());
        let door = Arc::clone(self);
        Verdict::Enter(Place { door, origin })
    }
}

impl Caller {
    fn knock(&mut self, now: Instant) -> bool {
        let may_enter = self.pending < limits::HANDSHAKES_PER_ADDRESS_MAX && self.bucket.take(now);
        if may_enter {
            self.pending += 1;
        }
        may_enter
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(n: u32) -> Origin {
        Origin::of_address(IpAddr::V4(std::net::Ipv4Addr::from_bits(n)))
    }

    #[test]
    fn one_address_takes_only_its_share_of_the_places() {
        let (door, now) = (Door::new(), Instant::now());
        let mut inside = Vec::new();
        while let Verdict::Enter(place) = door.knock(at(1), now) {
            inside.push(place);
        }
        assert_eq!(inside.len(), limits::HANDSHAKES_PER_ADDRESS_MAX);
        assert!(matches!(door.knock(at(2), now), Verdict::Enter(_)));
        inside.pop();
        assert!(matches!(door.knock(at(1), now), Verdict::Enter(_)));
        // The whole network of an address of IPv6 counts as one.
        let v6 = |n: u128| Origin::of_address(IpAddr::V6(Ipv6Addr::from_bits((7 << 64) + n)));
        inside.clear();
        for n in 0..limits::HANDSHAKES_PER_ADDRESS_MAX as u128 {
            match door.knock(v6(n), now) {
                Verdict::Enter(place) => inside.push(place),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(door.knock(v6(99), now), Verdict::Refuse));
    }

    #[test]
    fn when_all_places_are_taken_whoever_proves_its_address_is_refused_too() {
        let (door, now) = (Door::new(), Instant::now());
        let mut inside = Vec::new();
        for n in 0..limits::HANDSHAKES_MAX as u32 {
            match door.knock(at(n), now) {
                Verdict::Enter(place) => inside.push(place),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(door.knock(at(1_000), now), Verdict::Refuse));
        assert!(matches!(door.knock(Origin::Unproven, now), Verdict::Prove));
        drop(inside);
        assert!(matches!(door.knock(at(1_000), now), Verdict::Enter(_)));
    }

    #[test]
    fn an_address_knocks_so_often_and_forged_ones_do_not_count_against_it() {
        let (door, now) = (Door::new(), Instant::now());
        let unproven =
            (0..1_000).filter(|_| matches!(door.knock(Origin::Unproven, now), Verdict::Enter(_)));
        assert_eq!(unproven.count() as f64, limits::UNPROVEN.burst);
        let proven = (0..1_000).filter(|_| matches!(door.knock(at(1), now), Verdict::Enter(_)));
        assert_eq!(proven.count() as f64, limits::KNOCKS.burst);
        let now = now + Duration::from_secs(1);
        let later = (0..1_000).filter(|_| matches!(door.knock(at(1), now), Verdict::Enter(_)));
        assert_eq!(later.count() as f64, limits::KNOCKS.per_s);
    }

    #[test]
    fn strangers_on_a_relay_share_one_place_among_members() {
        let (door, now) = (Door::new(), Instant::now());
        let mut inside = Vec::new();
        while let Verdict::Enter(place) = door.knock(Origin::Relayed, now) {
            inside.push(place);
        }
        assert_eq!(inside.len(), limits::HANDSHAKES_PER_ADDRESS_MAX);
        let member = Origin::Member(PeerKey([1; 32]));
        assert!(matches!(door.knock(member, now), Verdict::Enter(_)));
        assert!(matches!(door.knock(at(1), now), Verdict::Enter(_)));
    }

    #[test]
    fn a_relay_that_says_that_everybody_calls_keeps_nobody_of_the_lan_out() {
        let (door, now) = (Door::new(), Instant::now());
        let mut inside = Vec::new();
        for n in 0..100 {
            if let Verdict::Enter(place) = door.knock(Origin::Member(PeerKey([n; 32])), now) {
                inside.push(place);
            }
        }
        assert_eq!(inside.len(), limits::HANDSHAKES_RELAYED_MAX);
        assert!(matches!(door.knock(at(1), now), Verdict::Enter(_)));
        inside.pop();
        assert!(matches!(
            door.knock(Origin::Relayed, now),
            Verdict::Enter(_)
        ));
    }

    #[test]
    fn addresses_that_were_quiet_are_forgotten_and_never_more_are_remembered_than_may_be() {
        let (door, now) = (Door::new(), Instant::now());
        for n in 0..2 * limits::CALLERS_MAX as u32 {
            door.knock(at(n), now);
            assert!(door.table().callers.len() <= limits::CALLERS_MAX);
        }
        assert!(matches!(door.knock(at(u32::MAX), now), Verdict::Refuse));
        let now = now + Duration::from_secs(60);
        assert!(matches!(door.knock(at(u32::MAX), now), Verdict::Enter(_)));
        assert_eq!(door.table().callers.len(), 1);
    }
}
