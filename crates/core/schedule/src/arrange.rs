//! The order in which jobs are looked at: groups, ranks, what is parked, and automatic sorting within its limit.
//!
//! A view: nothing here is ever written. "What can run now comes first" needs no step of its own, since whatever no printer
//! can run is passed over anyway.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    ops::Range,
};

use printmesh_queue::{NeverSkip, Priority, Rank, Settings, Snapshot, Timestamp};

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
    settings.never_skip != NeverSkip::Off
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
    let mut sortable: Vec<(usize, Guard)> = Vec::new();
    let mut fixed: Vec<usize> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let counts = pending(entry);
        within += usize::from(counts);
        match counts && within <= scope {
            true => sortable.push((at, guarded[at])),
            false => fixed.push(at),
        }
    }
    // Whole stretches at once: a job never leaves its group.
    let mut order: Vec<usize> = Vec::with_capacity(entries.len());
    for part in sortable.chunk_by(|(a, _), (b, _)| entries[*a].group == entries[*b].group) {
        order.extend(by_urgency(part, rows, &entries));
    }
    order.extend(fixed);
    let mut entries: Vec<Option<Entry<'a>>> = entries.into_iter().map(Some).collect();
    let taken = order.into_iter().filter_map(|at| entries[at].take());
    let mut taken: Vec<Entry<'a>> = taken.collect();
    // Groups stay in their order when the limit ends within one.
    taken.sort_by_key(|entry| (entry.parked, entry.group));
    taken
}

/// When a job was first overtaken, if it was.
type Guard = Option<Timestamp>;

/// The most urgent one first. Before a job that was overtaken once comes nothing that stood behind it in the list, but for what was
/// there already when that happened, and has begun or was overtaken itself: that is not new.
fn by_urgency(part: &[(usize, Guard)], rows: &[Row], entries: &[Entry<'_>]) -> Vec<usize> {
    let has_begun = |at: usize| rows[entries[at].row].began.is_some();
    let key = |place: usize| {
        let (at, _) = part[place];
        Reverse((entries[at].urgency, place))
    };
    let is_known = |place: &usize| part[*place].1.is_some() || has_begun(part[*place].0);
    let mut heap: BinaryHeap<_> = (0..part.len()).filter(is_known).map(key).collect();
    let mut guards = Guards::new(part.iter().map(|(_, guard)| *guard));
    // Who waits for a job that must not be overtaken again.
    let mut behind: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut order = Vec::with_capacity(part.len());
    let mut rest = 0..part.len();
    let mut barrier = None;
    loop {
        // Lets new jobs in up to the first one that must not be overtaken again.
        while barrier.is_none()
            && let Some(place) = rest.next()
        {
            if !is_known(&place) {
                heap.push(key(place));
            }
            barrier = guards.is_there(place).then_some(place);
        }
        let Some(Reverse((_, place))) = heap.pop() else {
            return order;
        };
        let (at, _) = part[place];
        if is_known(&place)
            && let Some(other) = guards.last_earlier(place, entries[at].created)
        {
            behind.entry(other).or_default().push(place);
            continue;
        }
        guards.remove(place);
        barrier = barrier.filter(|guard| *guard != place);
        let freed = behind.remove(&place).unwrap_or_default();
        heap.extend(freed.into_iter().map(key));
        order.push(at);
    }
}

/// The jobs of a list that must not be overtaken again, by their places: a tree of the earliest times.
struct Guards {
    earliest: Vec<Timestamp>,
    places: usize,
}

/// Later than any.
const NEVER: Timestamp = Timestamp(u64::MAX);

impl Guards {
    fn new(guards: impl ExactSizeIterator<Item = Guard>) -> Self {
        let places = guards.len().next_power_of_two();
        let mut earliest = vec![NEVER; 2 * places];
        for (place, guard) in guards.enumerate() {
            earliest[places + place] = guard.map_or(NEVER, |at| at.min(Timestamp(NEVER.0 - 1)));
        }
        for node in (1..places).rev() {
            earliest[node] = earliest[2 * node].min(earliest[2 * node + 1]);
        }
        Self { earliest, places }
    }

    fn is_there(&self, place: usize) -> bool {
        self.earliest[self.places + place] < NEVER
    }

    fn remove(&mut self, place: usize) {
        let mut node = self.places + place;
        self.earliest[node] = NEVER;
        while node > 1 {
            node /= 2;
            self.earliest[node] = self.earliest[2 * node].min(self.earliest[2 * node + 1]);
        }
    }

    /// The last place before this one whose time is earlier than that.
    fn last_earlier(&self, before: usize, than: Timestamp) -> Option<usize> {
        let mut node = self.places + before;
        // Up until something earlier stands to the left, then down to the last of it.
        while node > 1 && (node.is_multiple_of(2) || self.earliest[node - 1] >= than) {
            node /= 2;
        }
        if node <= 1 {
            return None;
        }
        node -= 1;
        while node < self.places {
            node = 2 * node + usize::from(self.earliest[2 * node + 1] < than);
        }
        Some(node - self.places)
    }
}

/// Of jobs that a less senior but more urgent one has overtaken, when that was: it stood behind them in the list, and a print of
/// it began after they had come.
fn overtaken(rows: &[Row], entries: &[Entry<'_>]) -> Vec<Guard> {
    let mut urgencies: Vec<Urgency> = entries.iter().map(|entry| entry.urgency).collect();
    urgencies.sort_unstable();
    urgencies.dedup();
    // When a print first and last began of the jobs behind, by how urgent they are: a tree over the more urgent ones.
    let mut behind: Vec<Option<(Timestamp, Timestamp)>> = vec![None; urgencies.len() + 1];
    let mut result = vec![None; entries.len()];
    for (at, entry) in entries.iter().enumerate().rev() {
        let place = urgencies.partition_point(|other| *other < entry.urgency);
        let mut below = place;
        let mut began = None;
        while below > 0 {
            began = both(began, behind[below]);
            below &= below - 1;
        }
        result[at] = began
            .filter(|(_, last)| *last > entry.created)
            .map(|(first, _)| first.max(entry.created));
        let row = &rows[entry.row];
        let own = row.first_began.zip(row.began);
        let mut node = place + 1;
        while node < behind.len() {
            behind[node] = both(behind[node], own);
            node += node & node.wrapping_neg();
        }
    }
    result
}

/// The earlier first and the later last of two.
fn both(
    a: Option<(Timestamp, Timestamp)>,
    b: Option<(Timestamp, Timestamp)>,
) -> Option<(Timestamp, Timestamp)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (one, None) | (None, one) => one,
    }
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
