//! What passes between two prints of a printer in virtual time, as its owner has set it up.

use printmesh_queue::{Bed, Between, PrinterRecord, Routine, Timestamp};

use crate::COOLING_MS;

const DAY_MIN: u64 = 24 * 60;
const MINUTE_MS: u64 = 60_000;

/// So many parts of a day are looked at: whatever another host says of its printers.
const QUIET_MAX: usize = 16;

/// Returns until when nothing starts; `None` = it may start now, the end of time = it never may.
pub(super) fn quiet_until(routine: &Routine, now: Timestamp) -> Option<Timestamp> {
    let parts = || {
        routine
            .quiet
            .iter()
            .take(QUIET_MAX)
            .map(|q| q.map(u64::from))
    };
    let has = |[from, to]: &[u64; 2], minute: u64| match from < to {
        true => (*from..*to).contains(&minute),
        false => minute >= *from || minute < *to,
    };
    let end = |at: u64| {
        let [_, to] = parts().find(|part| has(part, at % DAY_MIN))?;
        let away = (to + DAY_MIN - at % DAY_MIN) % DAY_MIN;
        Some(at + if away == 0 { DAY_MIN } else { away })
    };
    let mut until = end(now.0 / MINUTE_MS)?;
    // Parts of a day that follow one another are one.
    for _ in 0..QUIET_MAX {
        match end(until) {
            Some(later) => until = later,
            None => return Some(Timestamp(until * MINUTE_MS)),
        }
    }
    Some(Timestamp(u64::MAX))
}

/// Returns how long after a good print the bed is clear again.
pub(crate) fn clear_after_ms(routine: &Routine, turnaround_ms: u64, bed_c: Option<u32>) -> u64 {
    let is_cool = |to_c: u32| bed_c.is_some_and(|c| c <= to_c);
    let cooling = match routine.cool_c {
        Some(to_c) if !is_cool(to_c) => COOLING_MS,
        Some(_) | None => 0,
    };
    let person = match routine.by_itself {
        true => 0,
        false => turnaround_ms,
    };
    cooling.max(person)
}

/// Returns when the bed of a printer that is not at work is clear; `None` = it is clear, or nobody knows what is on it.
pub(super) fn clear_at(
    record: &PrinterRecord,
    turnaround_ms: u64,
    now: Timestamp,
) -> Option<Timestamp> {
    let after = |from: Timestamp, ms: u64| Timestamp(from.0.saturating_add(ms)).max(now);
    let person = after(now, turnaround_ms);
    match (record.bed, record.between) {
        (Bed::Occupied, Some(Between::Cooling(_))) => {
            let ended = record.last_print_ended.unwrap_or(now).min(now);
            let cool = after(ended, COOLING_MS);
            Some(match record.routine.by_itself {
                true => cool,
                false => cool.max(person),
            })
        }
        (Bed::Occupied, _) => Some(person),
        (Bed::Unknown, _) if is_clearing(record) => Some(now),
        (Bed::Clear | Bed::Unknown, _) => None,
    }
}

/// Whether the bed will be clear without anybody, because a script that may say so is at it. Until then it is unknown.
pub(crate) fn is_clearing(record: &PrinterRecord) -> bool {
    record.between == Some(Between::Clearing) && record.routine.by_itself
}
