//! Which hosts should be the voters of a queue: one up to two members, three up to six, five beyond, and stable.
//!
//! A pure function of what one host sees. Hosts may see different things: safety never rests on it, and whoever is a
//! voter and there stays one, so that two views do not take turns.

use printmesh_queue::HostId;

/// A voter may be away for so long before another one takes its place: a reboot or a lunch break changes nothing.
pub(crate) const AWAY_MS: u64 = 10 * 60_000;

/// Times in one state are compared by the minute.
const MINUTE_MS: u64 = 60_000;

/// A member, as the choosing host sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) host: HostId,
    /// Its role lets it print.
    pub(crate) may_print: bool,
    /// It has a printer: it is on when there is something to do.
    pub(crate) has_printers: bool,
    /// It can be reached.
    pub(crate) here: bool,
    /// For so long it has been here, or away, as far as the choosing host could see.
    pub(crate) for_ms: u64,
}

/// Returns who should vote, ascending. `members` counts all members, `candidates` those that may be chosen: without a
/// host that is about to stop, for example. When nobody can be chosen, the voters stay.
pub(crate) fn wanted(current: &[HostId], members: usize, candidates: &[Candidate]) -> Vec<HostId> {
    let near = |one: &&Candidate| one.here || current.contains(&one.host) && one.for_ms < AWAY_MS;
    let near: Vec<&Candidate> = candidates.iter().filter(near).collect();
    let prints = near.iter().any(|one| one.may_print);
    let mut eligible: Vec<&Candidate> = near
        .into_iter()
        .filter(|one| one.may_print || !prints)
        .collect();
    // Voters before others, always-on hosts before others; the key breaks ties.
    eligible.sort_by_key(|one| {
        (
            !current.contains(&one.host),
            !one.here,
            !one.has_printers,
            std::cmp::Reverse(one.for_ms / MINUTE_MS),
            one.host,
        )
    });
    let most = match members {
        0..=2 => 1,
        3..=6 => 3,
        _ => 5,
    };
    // Two or four decide no better than one or three, and stop more often.
    let odd = eligible.len().saturating_sub(1) / 2 * 2 + 1;
    let mut hosts: Vec<HostId> = eligible
        .iter()
        .take(odd.min(most))
        .map(|one| one.host)
        .collect();
    if hosts.is_empty() {
        hosts = current.to_vec();
    }
    hosts.sort();
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(n: u8) -> HostId {
        HostId([n; 32])
    }

    /// `P` has a printer, `p` may print, `s` may not; a capital or small letter followed by `!` has just gone, by `-` is long gone.
    fn seen(text: &str) -> Vec<Candidate> {
        let mut all: Vec<Candidate> = Vec::new();
        for letter in text.chars() {
            match letter {
                '!' | '-' => {
                    let last = all.last_mut().expect("a host before");
                    last.here = false;
                    last.for_ms = if letter == '!' { 1000 } else { AWAY_MS };
                }
                _ => all.push(Candidate {
                    host: host(all.len() as u8 + 1),
                    may_print: letter != 's',
                    has_printers: letter == 'P',
                    here: true,
                    for_ms: 5 * MINUTE_MS,
                }),
            }
        }
        all
    }

    #[test]
    fn the_voters_follow_from_who_is_there() {
        #[rustfmt::skip]
        let table: &[(&str, &[u8], &str, &[u8])] = &[
            ("a founder alone", &[1], "P", &[1]),
            ("two: one voter, the one that is", &[1], "PP", &[1]),
            ("two, the other one is", &[2], "PP", &[2]),
            ("three", &[1], "PPP", &[1, 2, 3]),
            ("six", &[1], "PPPPPP", &[1, 2, 3]),
            ("seven", &[1, 2, 3], "PPPPPPP", &[1, 2, 3, 4, 5]),
            ("seven, of whom four are there", &[1, 2, 3], "PPPPP-P-P-", &[1, 2, 3]),
            ("a voter stays, with printers or without", &[2], "Pp", &[2]),
            ("hosts with printers first", &[1], "ppPpP", &[1, 3, 5]),
            ("who may not print is not chosen", &[1], "PssPP", &[1, 4, 5]),
            ("and does not stay", &[1], "sP", &[2]),
            ("unless there is nobody else", &[1], "sss", &[1, 2, 3]),
            ("two of three may print", &[1], "PPs", &[1]),
            ("one has just gone", &[1, 2, 3], "PPP!P", &[1, 2, 3]),
            ("one is long gone, and another is there", &[1, 2, 3], "PPP-P", &[1, 2, 4]),
            ("one is long gone, and nobody else is there", &[1, 2, 3], "PP-P", &[1]),
            ("the one that is there decides, not the one that has just gone", &[1, 2, 3], "P!PP-", &[2]),
            ("nobody is called that is not there", &[1], "PP!P!", &[1]),
            ("nor when it is back for others only", &[1], "PP-P", &[1]),
            ("a voter that left", &[1, 2, 9], "PPPP", &[1, 2, 3]),
            ("all are gone", &[1, 2, 3], "P-P-P-", &[1, 2, 3]),
        ];
        for (name, current, text, chosen) in table {
            let current: Vec<HostId> = current.iter().copied().map(host).collect();
            let members = seen(text);
            let expected: Vec<HostId> = chosen.iter().copied().map(host).collect();
            let found = wanted(&current, members.len(), &members);
            assert_eq!(found, expected, "{name}");
            // Whoever looks again with the same eyes changes nothing.
            assert_eq!(
                wanted(&found, members.len(), &members),
                found,
                "{name}, again"
            );
        }
    }

    #[test]
    fn who_stops_makes_way_for_one_that_goes_on() {
        let members = seen("PP");
        assert_eq!(wanted(&[host(1)], 2, &members[1..]), [host(2)]);
        let members = seen("PPP");
        assert_eq!(
            wanted(&[host(1), host(2), host(3)], 3, &members[1..]),
            [host(2)]
        );
        let members = seen("PPPP");
        assert_eq!(
            wanted(&[host(1), host(2), host(3)], 4, &members[1..]),
            [host(2), host(3), host(4)]
        );
        assert_eq!(wanted(&[host(1)], 2, &[]), [host(1)], "nobody is there");
    }

    #[test]
    fn of_equals_the_one_that_has_been_on_for_longer_is_called() {
        let mut members = seen("PPPP");
        members[1].for_ms = 0;
        assert_eq!(wanted(&[host(1)], 4, &members), [host(1), host(3), host(4)]);
    }
}
