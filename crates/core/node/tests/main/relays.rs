//! Relays: which ones a host calls is decided by the people at that host, and by nobody else.

use std::collections::BTreeMap;

use printmesh_node::{Command, Effect, Ticket};
use printmesh_queue::{HostId, Role};

use crate::farm::Farm;

const RELAY: &str = "https://relay.example.org";

fn join(ticket: Ticket, wan: bool) -> Command {
    Command::QueueJoin {
        ticket,
        as_name: None,
        wan,
    }
}

/// Host 0 has the queue, and gives out a ticket that names a relay.
fn ticket(farm: &mut Farm) -> Ticket {
    Ticket {
        relays: vec![RELAY.to_owned()],
        ..farm.ticket(0, "farm", Role::Operator)
    }
}

fn farm() -> Farm {
    let mut farm = Farm::new(&[0, 0, 0]);
    let name = "farm".into();
    farm.ok(0, Command::QueueCreate { name });
    farm
}

/// What the network of a host was told last, if it was.
fn told(farm: &Farm, n: usize) -> Option<BTreeMap<HostId, Vec<String>>> {
    let effects = farm.hosts[n].effects.iter().rev();
    effects
        .filter_map(|effect| match effect {
            Effect::SetRelays(members) => Some(members.clone()),
            _ => None,
        })
        .next()
}

/// Relays of the last call to a host that was to let this one in.
fn asked_over(farm: &Farm, n: usize) -> Vec<String> {
    let effects = farm.hosts[n].effects.iter().rev();
    let mut asked = effects.filter_map(|effect| match effect {
        Effect::Join { relays, .. } => Some(relays.clone()),
        _ => None,
    });
    asked.next().expect("it asked")
}

#[test]
fn a_relay_that_a_ticket_names_is_not_called_unless_a_person_says_so() {
    let mut farm = farm();
    let ticket = ticket(&mut farm);
    farm.ok(1, join(ticket, false));
    assert_eq!(asked_over(&farm, 1), [""; 0]);
    for n in [0, 1] {
        assert_eq!(told(&farm, n), None, "host {n}");
    }
}

#[test]
fn a_relay_that_a_person_agreed_to_is_for_the_members_of_that_queue_and_outlives_a_restart() {
    let mut farm = farm();
    let wide = ticket(&mut farm);
    farm.ok(1, join(wide, true));
    assert_eq!(asked_over(&farm, 1), [RELAY]);
    farm.join(2, Role::Printer);
    let members = |of: &[usize]| {
        let of = of.iter().map(|n| farm.hosts[*n].id);
        Some(of.map(|host| (host, vec![RELAY.to_owned()])).collect())
    };
    let both: Option<BTreeMap<_, _>> = members(&[0, 2]);
    assert_eq!(told(&farm, 1), both);
    // Nobody else calls it: not the host that let it in, and not another member.
    for n in [0, 2] {
        assert_eq!(told(&farm, n), None, "host {n}");
    }
    assert_eq!(farm.node(1).relays_of("farm").unwrap(), [RELAY]);

    farm.kill(1);
    farm.hosts[1].effects.clear();
    farm.boot(1);
    assert_eq!(told(&farm, 1), both);

    let queue = "farm".into();
    farm.ok(1, Command::QueueLeave { queue });
    farm.pass(60_000);
    assert_eq!(told(&farm, 1), Some(BTreeMap::new()));
    // Whoever comes back without a word about relays has none.
    farm.join(1, Role::Printer);
    assert_eq!(told(&farm, 1), Some(BTreeMap::new()));
}

#[test]
fn who_is_in_the_queue_already_agrees_to_a_relay_with_another_ticket() {
    let mut farm = farm();
    farm.join(1, Role::Printer);
    assert_eq!(told(&farm, 1), None);
    let wide = ticket(&mut farm);
    farm.ok(1, join(wide, true));
    let host = farm.hosts[0].id;
    let agreed = BTreeMap::from([(host, vec![RELAY.to_owned()])]);
    assert_eq!(told(&farm, 1), Some(agreed.clone()));
    // Another join without it takes nothing back.
    let narrow = ticket(&mut farm);
    farm.ok(1, join(narrow, false));
    assert_eq!(told(&farm, 1), Some(agreed));
}

#[test]
fn agreeing_to_a_relay_with_a_ticket_that_names_none_is_said() {
    let mut farm = farm();
    let ticket = farm.ticket(0, "farm", Role::Operator);
    let problem = farm.refused(1, join(ticket, true));
    assert_eq!(problem.code.as_str(), "ticket.no-relay");
    assert!(!problem.fixes.is_empty());
}

#[test]
fn a_host_that_cannot_be_reached_says_over_which_relay_it_might_be() {
    let mut farm = farm();
    let ticket = ticket(&mut farm);
    farm.kill(0);
    let problem = farm.refused(1, join(ticket.clone(), false));
    assert_eq!(problem.code.as_str(), "join.unreachable");
    let fix = &problem.fixes[0];
    assert!(fix.0.contains("--wan") && fix.1.contains(RELAY), "{fix:?}");

    let problem = farm.refused(1, join(ticket, true));
    assert!(problem.why.unwrap().contains(RELAY));
    assert!(problem.fixes.iter().all(|fix| !fix.0.contains("--wan")));
    assert_eq!(told(&farm, 1), None, "what came to nothing is not kept");
}
