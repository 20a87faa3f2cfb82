//! Who goes on when the voters cannot be reached, and with which copies: the budgets of level `available`.
//!
//! Everything here is a guess that hosts make alike from what they all can see. It keeps down how much is printed too
//! much; it decides nothing: the voters do, afterwards.

use printmesh_queue::{
    Budget, ClaimState, CopyId, HostId, Job, JobId, Level, PrinterId, QueueId, Snapshot,
};

use crate::{
    Index, OpenCopy, Planner, Presence, Turn, Without,
    choice::had_its_turn,
    index::{Row, Seat},
};

/// Milliseconds, as seconds that are left.
fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}

/// Returns the copy that a free printer starts without the voters, or why it does not.
///
/// `only` asks about one job.
///
/// # Errors
/// Why the printer waits for the voters.
pub fn choose_without(
    snapshot: &Snapshot,
    presence: &Presence,
    printer: &PrinterId,
    only: Option<JobId>,
) -> Result<Turn, Without> {
    let index = Index::new(snapshot);
    Planner::new(snapshot, presence, &index).without(printer, only)
}

impl Planner<'_> {
    /// The same as [`choose_without`], with an index that is there already.
    ///
    /// # Errors
    /// Why the printer waits for the voters.
    pub fn without(&self, printer: &PrinterId, only: Option<JobId>) -> Result<Turn, Without> {
        let settings = &self.snapshot.settings;
        if settings.claims == Level::Majority {
            return Err(Without::Never);
        }
        let patience_ms = settings.patience_s * 1000;
        let away_ms = self.presence.voters_away_ms.unwrap_or(0);
        if away_ms < patience_ms || self.presence.voters_away_ms.is_none() {
            let seconds = seconds(patience_ms - away_ms.min(patience_ms));
            return Err(Without::After { seconds });
        }
        let asked = |job: &Job| only.is_none_or(|only| only == job.id);
        match budget(self.snapshot) {
            Budget::One => by_delegate(self, printer, asked),
            Budget::Home => at_home(self, printer, asked),
            Budget::All | Budget::Auto => with_patience(self, printer, asked),
        }
    }
}

/// Returns the budget that counts: what `auto` means depends on how many members there are.
pub fn budget(snapshot: &Snapshot) -> Budget {
    match snapshot.settings.budget {
        Budget::Auto if snapshot.present_members().count() <= 2 => Budget::All,
        Budget::Auto => Budget::One,
        chosen @ (Budget::One | Budget::Home | Budget::All) => chosen,
    }
}

/// Returns the standing of a printer among those that want to start something without the voters: the higher goes.
///
/// With budget `one` it is the same for all copies of a job, otherwise each copy has its own.
pub fn standing(snapshot: &Snapshot, copy: CopyId, printer: &PrinterId) -> u64 {
    match budget(snapshot) {
        Budget::One => mix(
            seed_of_job(snapshot.queue, copy.job),
            seed_of_printer(snapshot.queue, printer),
        ),
        Budget::Home | Budget::All | Budget::Auto => mix(
            seed_of_copy(snapshot.queue, copy),
            seed_of_printer(snapshot.queue, printer),
        ),
    }
}

/// Returns whether something of a job was started, or is about to be, that the voters have not decided about.
pub fn is_unreconciled(snapshot: &Snapshot, job: JobId) -> bool {
    let first = CopyId { job, index: 0 };
    let last = CopyId {
        job,
        index: u32::MAX,
    };
    let mut claims = snapshot
        .claims
        .range(first..=last)
        .flat_map(|(_, claims)| claims.values());
    claims.any(|claim| claim.record.speculative && claim.record.state != ClaimState::Dropped)
}

/// Budget `one`: of each job one start, by the printer that stands highest among those that could.
fn by_delegate(
    planner: &Planner<'_>,
    printer: &PrinterId,
    asked: impl Fn(&Job) -> bool,
) -> Result<Turn, Without> {
    let snapshot = planner.snapshot;
    let seats = &planner.index.seats;
    let free: Vec<usize> = planner.free().collect();
    let mut why = Without::Nothing;
    let mut passed: Option<JobId> = None;
    for (at, open) in planner.walk(|_| true) {
        let row = &planner.index.rows[at];
        let job = planner.job(row);
        if passed == Some(job.id) || !asked(job) || !may(planner, row, &open, printer) {
            continue;
        }
        if is_unreconciled(snapshot, job.id) {
            (why, passed) = (Without::Spent, Some(job.id));
            continue;
        }
        let delegate = free
            .iter()
            .map(|seat| &seats[*seat])
            .filter(|seat| planner.fits(row, seat))
            .map(|seat| &seat.id)
            .max_by_key(|id| (standing(snapshot, open.copy, id), *id));
        match delegate {
            Some(other) if other != printer => {
                let printer = full_name(snapshot, other);
                (why, passed) = (Without::Other { printer }, Some(job.id));
            }
            _ => return Ok(Turn { open, rank: 0 }),
        }
    }
    Err(why)
}

/// Budget `home`: only the printer's own copies.
fn at_home(
    planner: &Planner<'_>,
    printer: &PrinterId,
    asked: impl Fn(&Job) -> bool,
) -> Result<Turn, Without> {
    let mut why = Without::Nothing;
    for (at, open) in planner.walk(|_| true) {
        let row = &planner.index.rows[at];
        if !asked(planner.job(row)) || !may(planner, row, &open, printer) {
            continue;
        }
        match home_of(planner, row, open.copy) {
            Some(home) if home.id != *printer => {
                let printer = full_name(planner.snapshot, &home.id);
                why = Without::Other { printer };
            }
            _ => return Ok(Turn { open, rank: 0 }),
        }
    }
    Err(why)
}

/// Budget `all`: any copy, but those of printers that are away only after a long time.
fn with_patience(
    planner: &Planner<'_>,
    printer: &PrinterId,
    asked: impl Fn(&Job) -> bool,
) -> Result<Turn, Without> {
    let wait_ms = planner.snapshot.settings.foreign_wait_s * 1000;
    let left_ms = |row: &Row, open: &OpenCopy| {
        let home = home_of(planner, row, open.copy)?;
        let gone_ms = planner.presence.gone_ms(home.id.host)?;
        Some(wait_ms.saturating_sub(gone_ms)).filter(|left_ms| *left_ms > 0)
    };
    let mut foreign: Option<u64> = None;
    let mut spent = false;
    let dealt = planner.deal(std::slice::from_ref(printer), |job, open| {
        let Some(row) = planner.index.of(job.id).filter(|_| asked(job)) else {
            return false;
        };
        if is_made_without(planner.snapshot, open, printer.host) {
            spent = true;
            return false;
        }
        let left = left_ms(row, open);
        if let Some(left_ms) = left
            && may(planner, row, open, printer)
        {
            foreign = Some(foreign.map_or(left_ms, |known| known.min(left_ms)));
        }
        left.is_none() && is_ours(planner.presence, open, printer)
    });
    let own = dealt
        .into_iter()
        .find(|one| planner.index.seats[one.seat].id == *printer);
    match (own.and_then(|own| own.turn), foreign) {
        (Some(turn), _) => Ok(turn),
        (None, Some(left_ms)) => Err(Without::Foreign {
            seconds: seconds(left_ms),
        }),
        (None, None) if spent => Err(Without::Spent),
        (None, None) => Err(Without::Nothing),
    }
}

/// Whether a copy was made without the voters before, whatever came of it: they have not decided about it, and each copy is
/// made once at most without them.
fn is_made_without(snapshot: &Snapshot, open: &OpenCopy, host: HostId) -> bool {
    snapshot.claims_of(open.copy).any(|claim| {
        let own = (claim.host, claim.attempt) == (host, open.attempt);
        let over = !claim.record.state.is_pending() && claim.record.state != ClaimState::Dropped;
        claim.record.speculative && over && !own
    })
}

fn may(planner: &Planner<'_>, row: &Row, open: &OpenCopy, printer: &PrinterId) -> bool {
    let seat = planner.index.seat(printer);
    seat.is_some_and(|seat| planner.fits(row, seat))
        && !had_its_turn(planner.snapshot, open, printer.host)
        && !is_made_without(planner.snapshot, open, printer.host)
        && is_ours(planner.presence, open, printer)
}

/// A start of which the voters may have heard belongs to the very printer that asked for it.
fn is_ours(presence: &Presence, open: &OpenCopy, printer: &PrinterId) -> bool {
    presence
        .set_aside
        .get(&(open.copy, open.attempt))
        .is_none_or(|name| *name == printer.name)
}

fn full_name(snapshot: &Snapshot, id: &PrinterId) -> String {
    format!("{}/{}", snapshot.host_name(id.host), id.name)
}

/// Which printer a copy is at home at: rendezvous over the printers that could ever print it, alike on every host.
///
/// Nothing that changes by the minute is asked: hosts that are cut apart must go on to agree.
pub(crate) fn home_of<'p>(planner: &'p Planner<'_>, row: &Row, copy: CopyId) -> Option<&'p Seat> {
    let seed = seed_of_copy(planner.snapshot.queue, copy);
    let seats = planner.index.seats.iter();
    seats
        .filter(|seat| seat.autoprint && seat.may_print && !planner.is_never(row, seat))
        .max_by_key(|seat| (mix(seed, seat.seed), &seat.id))
}

/// How high a printer stands for a copy that is dealt by chance.
pub(crate) fn mix_of_copy(queue: QueueId, copy: CopyId, printer: u64) -> u64 {
    mix(seed_of_copy(queue, copy), printer)
}

fn seed(queue: QueueId, words: &[&[u8]]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"printmesh rank 1").update(&queue.0);
    for word in words {
        hasher.update(word);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first)
}

pub(crate) fn seed_of_printer(queue: QueueId, id: &PrinterId) -> u64 {
    seed(queue, &[b"printer", &id.host.0, id.name.as_bytes()])
}

fn seed_of_job(queue: QueueId, job: JobId) -> u64 {
    seed(queue, &[b"job", &job.0])
}

fn seed_of_copy(queue: QueueId, copy: CopyId) -> u64 {
    seed(queue, &[b"copy", &copy.job.0, &copy.index.to_le_bytes()])
}

/// Joins two hashes into one that is as good: a thousand printers times a thousand copies must cost nothing.
fn mix(a: u64, b: u64) -> u64 {
    // The finalizer of SplitMix64.
    let mut z = a ^ b.rotate_left(32);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
