//! How many may be at the door at once, and how often one address may knock. Who may come in is decided behind it.
//!
//! A handshake costs this host a signature and some memory before it knows who calls. A caller whose address is not proven
//! costs little and can be anybody, so that nothing is held against the address that it names; it is asked to prove it
//! (a stateless answer) once more than a few come. Proven addresses each have their own share.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use crate::{limits, pace::Bucket};

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
    unproven: Bucket,
    addresses: BTreeMap<IpAddr, Caller>,
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
    address: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.door.table();
        table.pending -= 1;
        if let Some(address) = self.address
            && let Some(caller) = table.addresses.get_mut(&address)
        {
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
            unproven: Bucket::new(limits::UNPROVEN, Instant::now()),
            addresses: BTreeMap::new(),
        })))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// Somebody calls from an address, proven or not; `None` when it is no address of IP.
    pub(crate) fn knock(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        proven: bool,
        now: Instant,
    ) -> Verdict {
        let mut table = self.table();
        if table.pending >= limits::HANDSHAKES_MAX {
            return if proven {
                Verdict::Refuse
            } else {
                Verdict::Prove
            };
        }
        let address = address.filter(|_| proven).map(share);
        let may_enter = match address {
            None => table.unproven.take(now),
            Some(address) => {
                if table.addresses.len() >= limits::CALLERS_MAX
                    && !table.addresses.contains_key(&address)
                {
                    // Whoever has been quiet for a while needs not be remembered.
                    table
                        .addresses
                        .retain(|_, caller| caller.pending > 0 || !caller.bucket.is_full(now));
                }
                let is_room = table.addresses.len() < limits::CALLERS_MAX;
                match table.addresses.get_mut(&address) {
                    Some(caller) => caller.knock(now),
                    None if is_room => {
                        let bucket = Bucket::new(limits::KNOCKS, now);
                        let caller = Caller { bucket, pending: 0 };
                        table.addresses.entry(address).or_insert(caller).knock(now)
                    }
                    None => false,
                }
            }
        };
        match (may_enter, proven) {
            (true, _) => {
                table.pending += 1;
                let door = Arc::clone(self);
                Verdict::Enter(Place { door, address })
            }
            (false, true) => Verdict::Refuse,
            (false, false) => Verdict::Prove,
        }
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

    fn at(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(std::net::Ipv4Addr::from_bits(n)))
    }

    #[test]
    fn one_address_takes_only_its_share_of_the_places() {
        let (door, now) = (Door::new(), Instant::now());
        let mut inside = Vec::new();
        while let Verdict::Enter(place) = door.knock(at(1), true, now) {
            inside.push(place);
        }
        assert_eq!(inside.len(), limits::HANDSHAKES_PER_ADDRESS_MAX);
        assert!(matches!(door.knock(at(2), true, now), Verdict::Enter(_)));
        inside.pop();
        assert!(matches!(door.knock(at(1), true, now), Verdict::Enter(_)));
        // The whole network of an address of IPv6 counts as one.
        let v6 = |n: u128| Some(IpAddr::V6(Ipv6Addr::from_bits((7 << 64) + n)));
        inside.clear();
        for n in 0..limits::HANDSHAKES_PER_ADDRESS_MAX as u128 {
            match door.knock(v6(n), true, now) {
                Verdict::Enter(place) => inside.push(place),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(door.knock(v6(99), true, now), Verdict::Refuse));
    }

    #[test]
    fn when_all_places_are_taken_whoever_proves_its_address_is_refused_too() {
        let (door, now) = (Door::new(), Instant::now());
        let mut inside = Vec::new();
        for n in 0..limits::HANDSHAKES_MAX as u32 {
            match door.knock(at(n), true, now) {
                Verdict::Enter(place) => inside.push(place),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(door.knock(at(1_000), true, now), Verdict::Refuse));
        assert!(matches!(door.knock(at(1_000), false, now), Verdict::Prove));
        drop(inside);
        assert!(matches!(
            door.knock(at(1_000), true, now),
            Verdict::Enter(_)
        ));
    }

    #[test]
    fn an_address_knocks_so_often_and_forged_ones_do_not_count_against_it() {
        let (door, now) = (Door::new(), Instant::now());
        let unproven =
            (0..1_000).filter(|_| matches!(door.knock(at(1), false, now), Verdict::Enter(_)));
        assert_eq!(unproven.count() as f64, limits::UNPROVEN.burst);
        let proven =
            (0..1_000).filter(|_| matches!(door.knock(at(1), true, now), Verdict::Enter(_)));
        assert_eq!(proven.count() as f64, limits::KNOCKS.burst);
        let now = now + Duration::from_secs(1);
        let later =
            (0..1_000).filter(|_| matches!(door.knock(at(1), true, now), Verdict::Enter(_)));
        assert_eq!(later.count() as f64, limits::KNOCKS.per_s);
    }

    #[test]
    fn addresses_that_were_quiet_are_forgotten_and_never_more_are_remembered_than_may_be() {
        let (door, now) = (Door::new(), Instant::now());
        for n in 0..2 * limits::CALLERS_MAX as u32 {
            door.knock(at(n), true, now);
            assert!(door.table().addresses.len() <= limits::CALLERS_MAX);
        }
        assert!(matches!(
            door.knock(at(u32::MAX), true, now),
            Verdict::Refuse
        ));
        let now = now + Duration::from_secs(60);
        assert!(matches!(
            door.knock(at(u32::MAX), true, now),
            Verdict::Enter(_)
        ));
        assert_eq!(door.table().addresses.len(), 1);
    }
}
