//! The `available` level: certified starts where a quorum answers, bounded speculation where none does, healing.
//!
//! Every partition of the hosts is a first state; then it heals, or is cut anew first. Within a side the document
//! spreads by explicit steps, so two hosts of one side may know different things. The certified path is one atomic
//! step per copy, which `majority.rs` justifies. Links that are not transitive and prints that fail are not here.

mod tests;

use stateright::{Model, Property};

use crate::set::Set;

/// Hosts at most, each with one printer.
const HOSTS: usize = 4;
/// Copies that the job asks for.
const COPIES: usize = 2;
/// The hosts below this number vote.
const VOTERS: usize = 3;
const MAJORITY: usize = 2;

const BOUNDED: &str = "O1 starts <= copies + sides without a quorum";
const ACCOUNTED: &str = "O2 starts = certified + surplus + not yet reconciled";
const CERTAIN: &str = "O3 without a partition nothing is surplus";

/// Who may start without a quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speculation {
    /// Every idle printer, any copy that it does not know to be started: the idea that does not work.
    EveryPrinter,
    /// One host per side, one start that is not yet reconciled.
    DelegateWithBudgetOne,
}

/// What is explored.
#[derive(Clone, Copy, Debug)]
struct Available {
    speculation: Speculation,
    hosts: usize,
    /// How often the network is cut anew before it heals.
    cuts: u8,
}

/// Which side of the partition each host is on. Sides are numbered in order of their first host.
type Sides = [u8; HOSTS];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Host {
    /// It prints, or has printed: one copy each is enough here.
    is_busy: bool,
    /// The copy that it started without a quorum and that is not reconciled yet.
    speculative: Option<u8>,
    /// Per copy, the hosts that its document names as having started it.
    knows: [Set; COPIES],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    sides: Sides,
    is_healed: bool,
    cuts: u8,
    hosts: [Host; HOSTS],
    /// Copies that the register has decided.
    certified: Set,
    surplus: u8,
    /// For the laws only: all starts.
    starts: u8,
    /// For the laws only: sides without a quorum, of all episodes together.
    minorities: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    StartCertified {
        host: usize,
        copy: usize,
    },
    StartSpeculative {
        host: usize,
        copy: usize,
    },
    /// Two hosts of a side exchange what their documents say.
    Sync(usize, usize),
    Heal,
    Cut(Sides),
    /// A speculative print is credited to this copy.
    Credit {
        host: usize,
        copy: usize,
    },
    /// Every copy is taken: the print is surplus.
    Surplus {
        host: usize,
    },
}

impl Available {
    fn partitions(&self) -> Vec<Sides> {
        let mut found = vec![([0; HOSTS], 0)];
        for host in 0..self.hosts {
            let grown = found.iter().flat_map(|(sides, count)| {
                (0..=*count).map(move |side| {
                    let mut sides: Sides = *sides;
                    sides[host] = side;
                    (sides, (*count).max(side + 1))
                })
            });
            found = grown.collect();
        }
        found.into_iter().map(|(sides, _)| sides).collect()
    }

    fn minorities(&self, sides: &Sides) -> u8 {
        let mut alone: Vec<u8> = sides[..self.hosts].to_vec();
        alone.sort_unstable();
        alone.dedup();
        alone.retain(|side| voters_on(sides, *side) < MAJORITY);
        u8::try_from(alone.len()).expect("sides are few")
    }

    fn may_speculate(&self, state: &State, host: usize) -> bool {
        let side = state.sides[host];
        let delegate = state.sides.iter().position(|other| *other == side);
        let known = state.hosts[host].knows;
        let is_open = |copy: usize, other: usize| {
            let speculative = state.hosts[other].speculative.map(usize::from);
            speculative == Some(copy) && known[copy].contains(other)
        };
        let spent = (0..COPIES).any(|copy| (0..self.hosts).any(|other| is_open(copy, other)));
        match self.speculation {
            Speculation::EveryPrinter => true,
            Speculation::DelegateWithBudgetOne => delegate == Some(host) && !spent,
        }
    }

    fn possible_starts(&self, state: &State, host: usize, out: &mut Vec<Action>) {
        let open = |copy: &usize| state.hosts[host].knows[*copy].is_empty();
        for copy in (0..COPIES).filter(open) {
            if has_quorum(state, host) {
                if !state.certified.contains(copy) {
                    out.push(Action::StartCertified { host, copy });
                }
            } else if self.may_speculate(state, host) {
                out.push(Action::StartSpeculative { host, copy });
            }
        }
    }
}

fn voters_on(sides: &Sides, side: u8) -> usize {
    sides[..VOTERS]
        .iter()
        .filter(|other| **other == side)
        .count()
}

fn has_quorum(state: &State, host: usize) -> bool {
    voters_on(&state.sides, state.sides[host]) >= MAJORITY
}

fn start(state: &mut State, host: usize, copy: usize) {
    state.hosts[host].is_busy = true;
    state.hosts[host].knows[copy].insert(host);
    state.starts += 1;
}

impl Model for Available {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let first = |sides: Sides| State {
            is_healed: sides == [0; HOSTS],
            minorities: self.minorities(&sides),
            sides,
            cuts: 0,
            hosts: Default::default(),
            certified: Set::default(),
            surplus: 0,
            starts: 0,
        };
        self.partitions().into_iter().map(first).collect()
    }

    fn actions(&self, state: &State, out: &mut Vec<Action>) {
        for host in 0..self.hosts {
            let mind = &state.hosts[host];
            if !mind.is_busy {
                self.possible_starts(state, host, out);
            }
            for other in 0..host {
                if state.sides[host] == state.sides[other] && mind.knows != state.hosts[other].knows
                {
                    out.push(Action::Sync(host, other));
                }
            }
            if mind.speculative.is_some() && has_quorum(state, host) {
                out.extend((0..COPIES).map(|copy| Action::Credit { host, copy }));
                out.push(Action::Surplus { host });
            }
        }
        if !state.is_healed {
            out.push(Action::Heal);
            if state.cuts < self.cuts {
                let new = |sides: &Sides| *sides != state.sides && *sides != [0; HOSTS];
                out.extend(self.partitions().into_iter().filter(new).map(Action::Cut));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::StartCertified { host, copy } => {
                state.certified.insert(copy);
                start(&mut state, host, copy);
            }
            Action::StartSpeculative { host, copy } => {
                state.hosts[host].speculative = Some(u8::try_from(copy).expect("copies are few"));
                start(&mut state, host, copy);
            }
            Action::Sync(host, other) => {
                for copy in 0..COPIES {
                    let theirs = state.hosts[other].knows[copy];
                    let both = state.hosts[host].knows[copy].union(theirs);
                    state.hosts[host].knows[copy] = both;
                    state.hosts[other].knows[copy] = both;
                }
            }
            Action::Heal => {
                state.is_healed = true;
                state.sides = [0; HOSTS];
            }
            Action::Cut(sides) => {
                state.sides = sides;
                state.cuts += 1;
                state.minorities += self.minorities(&sides);
            }
            Action::Credit { host, copy } => {
                let printed = usize::from(state.hosts[host].speculative.take()?);
                let is_own = copy == printed;
                // Its own copy first; another one only when its own is taken.
                if state.certified.contains(copy) || !is_own && !state.certified.contains(printed) {
                    return None;
                }
                state.certified.insert(copy);
                if !is_own {
                    state.hosts[host].knows[copy].insert(host);
                }
            }
            Action::Surplus { host } => {
                if state.certified.len() < COPIES {
                    return None;
                }
                state.hosts[host].speculative = None;
                state.surplus += 1;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(BOUNDED, |_, state: &State| {
                usize::from(state.starts) <= COPIES + usize::from(state.minorities)
            }),
            Property::always(ACCOUNTED, |_, state: &State| {
                let open = state
                    .hosts
                    .iter()
                    .filter(|host| host.speculative.is_some())
                    .count();
                let booked = state.certified.len() + usize::from(state.surplus);
                usize::from(state.starts) == booked + open
            }),
            Property::always(CERTAIN, |_, state: &State| {
                state.minorities > 0 || usize::from(state.starts) <= COPIES
            }),
            Property::sometimes("all copies are certified", |_, state: &State| {
                state.certified.len() == COPIES
            }),
            Property::sometimes("a print is surplus", |_, state: &State| state.surplus == 1),
            Property::sometimes("a print is credited to another copy", |_, state: &State| {
                state.hosts.iter().enumerate().any(|(host, mind)| {
                    let started = mind.knows.iter().filter(|hosts| hosts.contains(host));
                    mind.speculative.is_none() && started.count() == 2
                })
            }),
        ]
    }
}
