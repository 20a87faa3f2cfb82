//! It never waits in silence: over farms with everything in them, whatever waits has a reason of the closed list, and each reason of
//! the list comes up.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{CopyState, JobState, PrinterId};
use printmesh_schedule::{
    CODES, JobStatus, PrinterStatus, Reason, Start, Turn, choose, choose_of, first_reason,
    job_status, printer_status, why, why_printer,
};

use crate::{any::any, farm::Farm, oracle::Dice};

fn farms(count: u64) -> impl Iterator<Item = (u64, Farm)> {
    (0..count).map(|seed| (seed, any(&mut Dice::new(20_000_000 + seed))))
}

/// The code of a reason; a reason that is not of the list, or says nothing, is none.
#[track_caller]
fn known(reason: &Reason) -> &'static str {
    let code = reason.code();
    assert!(CODES.contains(&code), "{code:?} is not of the list");
    assert!(reason.text().split(' ').count() > 2, "{reason:?}");
    code
}

/// "Nothing is left" is said where that is so; else which job comes closest, which says the same when it is asked itself.
#[track_caller]
fn true_of(farm: &Farm, id: &PrinterId, reason: &Reason) {
    let (snapshot, presence) = (&farm.snapshot, &farm.presence);
    match reason {
        Reason::NothingFits { job, because } => {
            let job = snapshot.jobs.values().find(|other| other.name == *job);
            let said = why(snapshot, presence, job.expect("a job of the farm"));
            let own = said.into_iter().find(|(other, _)| other == id);
            let (_, own) = own.expect("a printer of the farm");
            assert_eq!(own.as_ref(), Some(&**because), "{id:?} {farm:#?}");
        }
        Reason::NoCopyLeft | Reason::QueueEmpty => {
            for job in snapshot.jobs.values() {
                let open = |(copy, state)| match state {
                    CopyState::Open(attempt) => !presence.claiming.contains(&(copy, attempt)),
                    _ => false,
                };
                let refused = choose_of(snapshot, presence, id, job).err();
                let gone = job.state != JobState::Open || !snapshot.copies_of(job).any(open);
                let had_its_turn = refused == Some(Reason::NoCopyLeft);
                assert!(gone || had_its_turn, "{id:?} {} {farm:#?}", job.name);
            }
        }
        _ => {}
    }
}

/// DESIGN §1. Where there is no printer, a job has no rows: that it waits with `no-printer` then is the daemon's word, and
/// `tests/suite/seed1.rs` hears it.
#[test]
fn no_job_that_waits_and_no_printer_that_idles_is_without_a_code() {
    let mut waiting = 0;
    for (seed, farm) in farms(4000) {
        let say = || format!("farm {seed}: {farm:#?}");
        let plan = farm.plan();
        let (snapshot, presence) = (&farm.snapshot, &farm.presence);
        let present: Vec<_> = snapshot.present_printers().map(|(id, _)| id).collect();
        let rows: BTreeSet<_> = plan.printers.keys().collect();
        assert_eq!(rows, present.iter().copied().collect(), "{}", say());
        for id in &present {
            let row = &plan.printers[*id];
            assert_eq!(
                choose(snapshot, presence, id).is_ok(),
                row.is_ok(),
                "{}",
                say()
            );
            match row {
                Err(reason) => _ = known(reason),
                // Who is behind others for a copy does not idle: it takes it when they do not. Somebody is before it.
                Ok(turn) if turn.rank > 0 => {
                    let first = |row: &Result<Turn, _>| {
                        row.as_ref()
                            .is_ok_and(|other| other.open == turn.open && other.rank < turn.rank)
                    };
                    assert!(plan.printers.values().any(first), "{id:?} {}", say());
                }
                Ok(turn) => {
                    let starts = |start: &&Start| start.printer == **id;
                    let start = plan.starts.iter().find(starts);
                    assert_eq!(start.map(|start| start.open), Some(turn.open), "{}", say());
                }
            }
            _ = row.as_ref().map_err(|reason| true_of(&farm, id, reason));
            match printer_status(snapshot, presence, id) {
                PrinterStatus::NeedsPerson(reason) | PrinterStatus::Waiting(reason) => {
                    known(&reason);
                    assert!(row.is_err(), "{id:?} {reason:?} {}", say());
                }
                PrinterStatus::HostAway => assert!(row.is_err(), "{id:?} {}", say()),
                // An own start that waits for voters that are away keeps its printer from nothing.
                PrinterStatus::Working(..) => {
                    let waits = id.host == presence.me && !presence.busy.contains(id);
                    assert!(row.is_err() || waits, "{id:?} {}", say());
                }
                PrinterStatus::Free => assert!(row.is_ok(), "{id:?} {}", say()),
            }
            for (job, reason) in why_printer(snapshot, presence, id) {
                let takes = row.as_ref().is_ok_and(|turn| turn.open.copy.job == job);
                assert_eq!(reason.is_none(), takes, "{job:?} on {id:?} {}", say());
                reason.as_ref().map(known);
            }
        }
        for job in snapshot.jobs.values() {
            let said = why(snapshot, presence, job);
            let named: Vec<_> = said.iter().map(|(id, _)| id).collect();
            assert_eq!(named, present, "{}", say());
            if job_status(snapshot, job).is_over() && job.state == JobState::Open {
                continue;
            }
            waiting += 1;
            for (id, reason) in &said {
                let takes = plan.printers[id].as_ref();
                let takes = takes.is_ok_and(|turn| turn.open.copy.job == job.id);
                assert_eq!(reason.is_none(), takes, "{} on {id:?} {}", job.name, say());
                reason.as_ref().map(known);
            }
            // A job that every printer is free for is one that starts now.
            if !said.is_empty() && said.iter().all(|(_, reason)| reason.is_none()) {
                let own = |start: &Start| start.open.copy.job == job.id;
                assert!(plan.starts.iter().any(own), "{} {}", job.name, say());
            }
        }
    }
    assert!(waiting > 4000, "{waiting}");
}

/// What `jobs` says in one word: where nothing of a job starts, why, and it is what some printer says. Only a print with an unknown
/// end is said before all that, since somebody must look.
#[test]
fn a_job_that_waits_says_as_a_whole_what_some_printer_says_of_it() {
    let (mut waiting, mut unknown, mut seen) = (0, 0, BTreeSet::new());
    for (seed, farm) in farms(4000) {
        let (snapshot, presence) = (&farm.snapshot, &farm.presence);
        for job in snapshot.jobs.values() {
            let status = job_status(snapshot, job);
            let rows = why(snapshot, presence, job);
            let first = first_reason(status, &rows);
            let say = || {
                format!(
                    "farm {seed}: {} is {status:?}: {first:?} {rows:?}",
                    job.name
                )
            };
            let free = !rows.is_empty() && rows.iter().all(|(_, reason)| reason.is_none());
            let looks = status == JobStatus::Unknown;
            assert_eq!(first.is_none(), free && !looks, "{}", say());
            let Some(reason) = &first else { continue };
            seen.insert(known(reason));
            waiting += 1;
            if status == JobStatus::Unknown {
                assert_eq!(*reason, Reason::CopyUnknown, "{}", say());
                unknown += 1;
            } else if rows.is_empty() {
                // A draft says so also where there is no printer.
                let of_job = [Reason::NoPrinter, Reason::Draft, Reason::Held];
                assert!(of_job.contains(reason), "{}", say());
            } else {
                let said = rows.iter().any(|(_, row)| row.as_ref() == Some(reason));
                assert!(said, "{}", say());
            }
        }
    }
    assert!(
        waiting > 4000 && unknown > 20 && seen.len() > 30,
        "{waiting} {unknown} {seen:?}"
    );
}

/// The farms are no toys: each code is met, so that the property above is about all of them.
#[test]
fn each_code_of_the_list_comes_up_in_some_farm() {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, farm) in farms(4000) {
        let (snapshot, presence) = (&farm.snapshot, &farm.presence);
        let mut met = |reason: &Reason| *seen.entry(reason.code()).or_default() += 1;
        for row in farm.plan().printers.values() {
            _ = row.as_ref().map_err(&mut met);
        }
        for job in snapshot.jobs.values() {
            why(snapshot, presence, job)
                .iter()
                .filter_map(|(_, reason)| reason.as_ref())
                .for_each(&mut met);
            // Somebody asks for it on each printer of the list, the removed ones as well.
            for id in snapshot.printers.keys() {
                _ = choose_of(snapshot, presence, id, job).map_err(|reason| met(&reason));
            }
        }
    }
    let missing: Vec<&str> = CODES
        .into_iter()
        .filter(|code| !seen.contains_key(code))
        .collect();
    assert_eq!(missing, [""; 0], "{seen:?}");
    assert!(seen.keys().all(|code| CODES.contains(code)), "{seen:?}");
    assert!(seen.values().all(|n| *n >= 3), "{seen:?}");
}
