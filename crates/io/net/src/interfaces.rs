//! The addresses of this machine, as others can use them. It sends nothing; `discovery.rs` announces them and
//! tickets carry them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
};

/// Interfaces of virtual machines and containers: reachable by nobody on the LAN most of the time, so they come last.
const VIRTUAL_NAMES: [&str; 6] = ["docker", "br-", "veth", "virbr", "podman", "lxc"];

/// Returns the IPv4 addresses at which a socket bound to `bound` can be reached, the likeliest first.
///
/// Loopback is in it only if the socket is bound to it, or if the machine has no other interface at all.
pub(crate) fn addresses(bound: IpAddr) -> io::Result<Vec<Ipv4Addr>> {
    match bound {
        IpAddr::V4(address) if !address.is_unspecified() => Ok(vec![address]),
        IpAddr::V6(address) if !address.is_unspecified() => Ok(Vec::new()),
        IpAddr::V4(_) | IpAddr::V6(_) => {
            let up = if_addrs::get_if_addrs()?
                .into_iter()
                .filter(if_addrs::Interface::is_oper_up);
            Ok(rank(up.filter_map(|interface| match interface.ip() {
                IpAddr::V4(address) => Some((interface.name, address)),
                IpAddr::V6(_) => None,
            })))
        }
    }
}

fn rank(interfaces: impl Iterator<Item = (String, Ipv4Addr)>) -> Vec<Ipv4Addr> {
    let (mut loopback, mut others) = (Vec::new(), Vec::new());
    for (name, address) in interfaces {
        if address.is_loopback() {
            loopback.push(address);
        } else {
            let is_virtual = VIRTUAL_NAMES.iter().any(|start| name.starts_with(start));
            others.push((address.is_link_local(), is_virtual, address));
        }
    }
    if others.is_empty() {
        return loopback;
    }
    others.sort();
    others.dedup();
    others.into_iter().map(|(_, _, address)| address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(interfaces: &[(&str, [u8; 4])]) -> Vec<Ipv4Addr> {
        rank(
            interfaces
                .iter()
                .map(|(name, octets)| ((*name).to_owned(), Ipv4Addr::from(*octets))),
        )
    }

    #[test]
    fn real_interfaces_come_before_virtual_ones_and_loopback_stays_out() {
        let found = ranked(&[
            ("lo", [127, 0, 0, 1]),
            ("docker0", [172, 17, 0, 1]),
            ("wlan0", [169, 254, 3, 4]),
            ("eth0", [192, 168, 1, 5]),
        ]);
        assert_eq!(
            found,
            [[192, 168, 1, 5], [172, 17, 0, 1], [169, 254, 3, 4]].map(Ipv4Addr::from)
        );
    }

    #[test]
    fn a_machine_without_a_network_still_reaches_itself() {
        assert_eq!(ranked(&[("lo", [127, 0, 0, 1])]), [Ipv4Addr::LOCALHOST]);
    }

    #[test]
    fn a_socket_on_one_address_is_reached_there_only() {
        assert_eq!(
            addresses(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap(),
            [Ipv4Addr::LOCALHOST]
        );
    }
}
