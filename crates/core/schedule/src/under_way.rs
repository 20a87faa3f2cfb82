//! A copy that a printer has: its prints one after the other, how long they take, and until when its bed is not clear.

use std::collections::VecDeque;

use printmesh_queue::{
    Bed, Claim, CopyId, FileSpec, Job, PrinterId, PrinterRecord, RunResult, Set, SetId, Snapshot,
    Timestamp,
};

use crate::{
    Basis, Times, Took,
    choice::machine_waits,
    file_for,
    simulate::{clear_after_ms, is_clearing},
    times::Left,
};

/// The prints that are left of a copy, in their order.
pub(crate) struct Prints {
    left: VecDeque<Left>,
    /// What the times of all of them rest on.
    pub(crate) basis: Basis,
}

impl Prints {
    /// The one under way, if any, and what comes after it.
    pub(crate) fn new(current: Option<Took>, mut left: VecDeque<Left>) -> Self {
        if let Some(each) = current {
            left.push_front(Left { each, prints: 1 });
        }
        let bases = left.iter().map(|left| left.each.basis);
        Self {
            basis: bases.max().unwrap_or(Basis::Measured),
            left,
        }
    }

    /// Takes the next one out: how many milliseconds it takes.
    pub(crate) fn next(&mut self) -> Option<u64> {
        let first = self.left.front_mut()?;
        let ms = first.each.ms;
        first.prints -= 1;
        if first.prints == 0 {
            self.left.pop_front();
        }
        Some(ms)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Whether the one under way should have ended by now.
    pub(crate) fn is_overdue(&self) -> bool {
        self.left.front().is_some_and(|first| first.each.ms == 0)
    }

    /// How many milliseconds they take, where each waits so long until the bed is clear of the one before.
    pub(crate) fn ms(&self, clear_ms: u64) -> u64 {
        let all = self.left.iter().map(|left| {
            let one = left.each.ms.saturating_add(clear_ms);
            one.saturating_mul(left.prints)
        });
        all.fold(0, u64::saturating_add)
    }
}

/// Whether a printer takes something by itself once it is done and its bed is clear, in a queue whose printers do so or not.
pub(crate) fn is_able(record: &PrinterRecord, autoprint: bool) -> bool {
    // An unknown bed is not cleared but looked at.
    let bed = match record.bed {
        Bed::Occupied => Bed::Clear,
        Bed::Unknown if is_clearing(record) => Bed::Clear,
        other => other,
    };
    let record = PrinterRecord {
        bed,
        // What passes by itself, and what a person says meanwhile.
        between: None,
        ..record.clone()
    };
    machine_waits(&record, autoprint).is_none()
}

/// The file that a printer prints of a set.
pub(crate) fn chosen<'a>(
    snapshot: &Snapshot,
    job: &Job,
    set: &'a Set,
    printer: &PrinterId,
) -> Option<&'a FileSpec> {
    match set.spec.files.as_slice() {
        [only] => Some(only),
        _ => file_for(snapshot, job, set, printer),
    }
}

/// How long after a good print of a copy the bed of a printer is clear, where a person comes after so many milliseconds; as the queue
/// says, unless something else is assumed.
pub(crate) fn clear_ms(
    snapshot: &Snapshot,
    job: &Job,
    printer: &PrinterId,
    turnaround_ms: Option<u64>,
) -> u64 {
    let said_ms = snapshot.settings.turnaround_s.saturating_mul(1000);
    let turnaround_ms = turnaround_ms.unwrap_or(said_ms);
    let Some(record) = snapshot.printers.get(printer) else {
        return turnaround_ms;
    };
    let files = job.sets.iter();
    let files = files.map(|set| chosen(snapshot, job, set, printer));
    // Where one file does not say, nobody knows.
    let bed_c: Option<Vec<u32>> = files.map(|file| file?.needs.bed_c).collect();
    let hottest = bed_c.and_then(|all| all.into_iter().max());
    clear_after_ms(&record.routine, turnaround_ms, hottest)
}

/// What is left of a claim that is under way, the print at the machine taking so much longer where that is told; who has no time
/// is named.
pub(crate) fn left(
    snapshot: &Snapshot,
    times: &Times,
    copy: CopyId,
    claim: &Claim,
    now: Timestamp,
    told: Option<Took>,
) -> Result<Prints, String> {
    let Some(job) = snapshot.jobs.get(&copy.job) else {
        return Err(String::new());
    };
    let printer = &PrinterId {
        host: claim.host,
        name: claim.record.printer.clone(),
    };
    let good = snapshot.good_before(copy, claim.attempt, &claim.record.spec_hash);
    let mut done: Vec<SetId> = good.values().map(|run| run.set).collect();
    done.extend(claim.good_runs().map(|(_, run)| run.set));
    let mut running = claim.runs.values();
    let running = running.find(|run| run.result == RunResult::Started);
    let mut current = None;
    if let Some(run) = running {
        done.push(run.set);
        let set = job.sets.iter().find(|set| set.id == run.set);
        let file = set.and_then(|set| chosen(snapshot, job, set, printer));
        let elapsed = now.0.saturating_sub(run.started.0);
        let known = file.and_then(|file| times.of(file, printer));
        let known = known.map(|took| Took {
            ms: took.ms.saturating_sub(elapsed),
            ..took
        });
        let name = || file.map_or_else(|| job.name.clone(), |file| file.name.clone());
        current = Some(told.or(known).ok_or_else(name)?);
    }
    let rest = times.of_claim(job, printer, &done, |set| {
        chosen(snapshot, job, set, printer)
    })?;
    Ok(Prints::new(current, rest))
}
