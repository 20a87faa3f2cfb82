//! The order in which jobs are looked at: groups, ranks, what is parked, and automatic sorting within its limit.
//!
//! A view: nothing here is ever written. "What can run now comes first" needs no step of its own, since whatever no printer
//! can run is passed over anyway.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    ops::Range,
};

use printmesh_queue::{Priority, Rank, Settings, Snapshot, Timestamp};

use crate::index::Row;

/// Jobs in the order in which they are looked at, by their place among the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arranged {
    /// The jobs that are offered.
    pub(crate) order: Vec<usize>,
    /// Stretches of it that are worked off one after the other.
    pub(crate) stretches: Vec<Range<usize>>,
    /// From here on it is the backburner.
    pub(crate) parked: usize,
}

/// What sorting compares: the lower one comes first.
type Urgency = (Timestamp, Reverse<Priority>);

/// One job in its place in the list.
struct Entry<'a> {
    row: usize,
    parked: bool,
    group: (usize, &'a str),
    rank: &'a Rank,
    urgency: Urgency,
    created: Timestamp,
}

/// Puts the rows into the order of their queue.
pub(crate) fn arrange(snapshot: &Snapshot, rows: &[Row]) -> Arranged {
    let settings = &snapshot.settings;
    let places: BTreeMap<&str, usize> = settings
        .groups
        .iter()
        .enumerate()
        .map(|(place, name)| (name.as_str(), place))
        .collect();
    let group = |name: &'_ str| match places.get(name) {
        Some(place) => *place,
        // Without a group: after those that have one.
        None if name.is_empty() => usize::MAX,
        None => usize::MAX - 1,
    };
    let mut entries: Vec<Entry<'_>> = rows
        .iter()
        .enumerate()
        .map(|(row, known)| {
            let job = &snapshot.jobs[&known.id];
            let name = job.terms.group.as_str();
            Entry {
                row,
                parked: job.terms.backburner,
                group: match settings.drain_groups {
                    true => (group(name), name),
                    false => (0, ""),
                },
                rank: &job.rank,
                urgency: (
                    job.terms.due.unwrap_or(Timestamp(u64::MAX)),
                    Reverse(job.terms.priority),
                ),
                created: job.created,
            }
        })
        .collect();
    entries.sort_by(|a, b| {
        (a.parked, a.group)
            .cmp(&(b.parked, b.group))
            .then_with(|| a.rank.cmp(b.rank))
            .then_with(|| rows[a.row].id.cmp(&rows[b.row].id))
    });
    let entries = match is_sorted(settings, &entries) {
        true => entries,
        false => sorted(settings, rows, entries),
    };
    stretches(settings, rows, &entries)
}

/// Whether sorting would change nothing, which is so wherever nobody ever named a date or a priority.
fn is_sorted(settings: &Settings, entries: &[Entry<'_>]) -> bool {
    settings.never_skip
        || entries
            .windows(2)
            .all(|two| two[0].urgency <= two[1].urgency)
}

/// Sorts the first jobs of the list, as many as the limit says, each within its group.
fn sorted<'a>(settings: &Settings, rows: &[Row], entries: Vec<Entry<'a>>) -> Vec<Entry<'a>> {
    let guarded = overtaken(rows, &entries);
    let pending = |entry: &Entry<'_>| !entry.parked && rows[entry.row].offered;
    let scope = settings
        .sort_limit
        .of(entries.iter().filter(|entry| pending(entry)).count());
    let mut within = 0;
    let mut sortable: Vec<(usize, bool)> = Vec::new();
    let mut fixed: Vec<(usize, bool)> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let counts = pending(entry);
        within += usize::from(counts);
        match counts && within <= scope {
            true => sortable.push((at, guarded[at])),
            false => fixed.push((at, guarded[at])),
        }
    }
    // Whole stretches at once: a job never leaves its group.
    let mut order: Vec<usize> = Vec::with_capacity(entries.len());
    for part in sortable.chunk_by(|(a, _), (b, _)| entries[*a].group == entries[*b].group) {
        order.extend(by_urgency(part, rows, &entries));
    }
    order.extend(fixed.into_iter().map(|(at, _)| at));
    let mut entries: Vec<Option<Entry<'a>>> = entries.into_iter().map(Some).collect();
    let taken = order.into_iter().filter_map(|at| entries[at].take());
    let mut taken: Vec<Entry<'a>> = taken.collect();
    // Groups stay in their order when the limit ends within one.
    taken.sort_by_key(|entry| (entry.parked, entry.group));
    taken
}

/// The most urgent one first. Nothing new comes before a job that was overtaken once and stood before it in the list; what
/// has begun goes on, and what was overtaken itself is not new.
fn by_urgency(part: &[(usize, bool)], rows: &[Row], entries: &[Entry<'_>]) -> Vec<usize> {
    let is_known = |at: usize, guarded: bool| guarded || rows[entries[at].row].began.is_some();
    let key = |at: usize| Reverse((entries[at].urgency, at));
    let known = part.iter().filter(|(at, guarded)| is_known(*at, *guarded));
    let mut heap: BinaryHeap<_> = known.map(|(at, _)| key(*at)).collect();
    let mut order = Vec::with_capacity(part.len());
    let mut picked = vec![false; entries.len()];
    let mut rest = part.iter();
    let mut barrier = None;
    loop {
        // Lets jobs in up to the first one that must not be overtaken again.
        while barrier.is_none()
            && let Some((at, guarded)) = rest.next()
        {
            if !is_known(*at, *guarded) {
                heap.push(key(*at));
            }
            barrier = (*guarded && !picked[*at]).then_some(*at);
        }
        let Some(Reverse((_, at))) = heap.pop() else {
            return order;
        };
        picked[at] = true;
        barrier = barrier.filter(|guard| *guard != at);
        order.push(at);
    }
}

/// Jobs that a less senior but more urgent one has overtaken: it stood behind them in the list, and a print of it began
/// after they had come.
fn overtaken(rows: &[Row], entries: &[Entry<'_>]) -> Vec<bool> {
    let mut urgencies: Vec<Urgency> = entries.iter().map(|entry| entry.urgency).collect();
    urgencies.sort_unstable();
    urgencies.dedup();
    // When a print last began of the jobs behind, by how urgent they are: a tree of maxima over the more urgent ones.
    let mut latest: Vec<Option<Timestamp>> = vec![None; urgencies.len() + 1];
    let mut result = vec![false; entries.len()];
    for (at, entry) in entries.iter().enumerate().rev() {
        let place = urgencies.partition_point(|other| *other < entry.urgency);
        let mut below = place;
        let mut began = None;
        while below > 0 {
            began = began.max(latest[below]);
            below &= below - 1;
        }
        result[at] = began.is_some_and(|began| began > entry.created);
        let own = rows[entry.row].began;
        let mut node = place + 1;
        while node < latest.len() {
            latest[node] = latest[node].max(own);
            node += node & node.wrapping_neg();
        }
    }
    result
}

fn stretches(settings: &Settings, rows: &[Row], entries: &[Entry<'_>]) -> Arranged {
    let mut arranged = Arranged::default();
    let offered = |entry: &&Entry<'_>| {
        rows[entry.row].offered && !(entry.parked && settings.exclude_backburner)
    };
    let offered: Vec<&Entry<'_>> = entries.iter().filter(offered).collect();
    arranged.parked = offered.iter().filter(|entry| !entry.parked).count();
    for part in offered.chunk_by(|a, b| (a.parked, a.group) == (b.parked, b.group)) {
        let start = arranged.order.len();
        arranged.order.extend(part.iter().map(|entry| entry.row));
        arranged.stretches.push(start..arranged.order.len());
    }
    arranged
}
