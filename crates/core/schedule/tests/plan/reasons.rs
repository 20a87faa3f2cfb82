//! The closed list of reasons to wait: each can be said, and its code never changes. Not when which one is given: that is held by
//! the rules, and by [`crate::silence`].

use std::collections::BTreeSet;

use printmesh_schedule::{CODES, Reason, Without};

/// Every way to go on without voters, one after the other. A new one has to be put into the chain to compile.
fn next_without(last: Option<&Without>) -> Option<Without> {
    Some(match last {
        None => Without::Never,
        Some(Without::Never) => Without::Now,
        Some(Without::Now) => Without::After { seconds: 0 },
        Some(Without::After { .. }) => Without::Other {
            printer: "attic/mk4 {}".to_owned(),
        },
        Some(Without::Other { .. }) => Without::Spent,
        Some(Without::Spent) => Without::Foreign { seconds: u64::MAX },
        Some(Without::Foreign { .. }) => Without::Nothing,
        Some(Without::Nothing) => return None,
    })
}

/// Every reason, one after the other, with words that nobody foresaw. A new one has to be put into the chain to compile.
fn next(last: Option<&Reason>, text: &str) -> Option<Reason> {
    let text = || text.to_owned();
    Some(match last {
        None => Reason::Draft,
        Some(Reason::Draft) => Reason::Held,
        Some(Reason::Held) => Reason::CancelRequested { by: text() },
        Some(Reason::CancelRequested { .. }) => Reason::MoveRequested { by: text() },
        Some(Reason::MoveRequested { .. }) => Reason::NotQueued,
        Some(Reason::NotQueued) => Reason::NoCopyLeft,
        Some(Reason::NoCopyLeft) => Reason::CopyFailed,
        Some(Reason::CopyFailed) => Reason::RetriesExhausted {
            tries: text().len(),
            why: text(),
        },
        Some(Reason::RetriesExhausted { .. }) => Reason::FileFails { file: text() },
        Some(Reason::FileFails { .. }) => Reason::FailedHere,
        Some(Reason::FailedHere) => Reason::CopyUnknown,
        Some(Reason::CopyUnknown) => Reason::PinnedElsewhere,
        Some(Reason::PinnedElsewhere) => Reason::QueueOrder { ahead: usize::MAX },
        Some(Reason::QueueOrder { .. }) => Reason::Busy,
        Some(Reason::Busy) => Reason::PrinterPaused { reason: text() },
        Some(Reason::PrinterPaused { .. }) => Reason::AutoprintOff,
        Some(Reason::AutoprintOff) => Reason::QueueAutoprintOff,
        Some(Reason::QueueAutoprintOff) => Reason::BedNotClear,
        Some(Reason::BedNotClear) => Reason::BedUnknown,
        Some(Reason::BedUnknown) => Reason::Cooling { to_c: u32::MAX },
        Some(Reason::Cooling { .. }) => Reason::NoBedTemperature { to_c: u32::MAX },
        Some(Reason::NoBedTemperature { .. }) => Reason::Clearing,
        Some(Reason::Clearing) => Reason::VerdictAwaited,
        Some(Reason::VerdictAwaited) => Reason::HeatSlot,
        Some(Reason::HeatSlot) => Reason::QuietHours { until: u16::MAX },
        Some(Reason::QuietHours { .. }) => Reason::PrinterOffline,
        Some(Reason::PrinterOffline) => Reason::PrinterFault { fault: text() },
        Some(Reason::PrinterFault { .. }) => Reason::HostAway,
        Some(Reason::HostAway) => Reason::Role,
        Some(Reason::Role) => Reason::VotersAway {
            names: text(),
            mute: text(),
            without: next_without(None)?,
        },
        Some(Reason::VotersAway { without, .. }) => match next_without(Some(without)) {
            Some(without) => Reason::VotersAway {
                names: text(),
                mute: text(),
                without,
            },
            None => Reason::Contended,
        },
        Some(Reason::Contended) => Reason::FileMissing { file: text() },
        Some(Reason::FileMissing { .. }) => Reason::NoPrinter,
        Some(Reason::NoPrinter) => Reason::QueueEmpty,
        Some(Reason::QueueEmpty) => Reason::NotSynced,
        Some(Reason::NotSynced) => Reason::NotBefore { seconds: u64::MAX },
        Some(Reason::NotBefore { .. }) => Reason::Backburner,
        Some(Reason::Backburner) => Reason::NeverSkip {
            job: text(),
            because: Box::new(Reason::NozzleSoft),
        },
        Some(Reason::NeverSkip { .. }) => Reason::NothingFits {
            job: text(),
            because: Box::new(Reason::NozzleSoft),
        },
        Some(Reason::NothingFits { .. }) => Reason::Model {
            needs: text(),
            has: text(),
        },
        Some(Reason::Model { .. }) => Reason::ModelUnknown { needs: text() },
        Some(Reason::ModelUnknown { .. }) => Reason::Nozzle {
            tool: None,
            needs_um: u32::MAX,
            has_um: 0,
        },
        Some(Reason::Nozzle { .. }) => Reason::NozzleSoft,
        Some(Reason::NozzleSoft) => Reason::Volume {
            needs_mm: [u32::MAX; 3],
            has_mm: [0; 3],
        },
        Some(Reason::Volume { .. }) => Reason::Outside {
            axis: 'x',
            from_mm: i32::MIN,
            to_mm: i32::MAX,
            has_mm: u32::MAX,
        },
        Some(Reason::Outside { .. }) => Reason::Temperature {
            what: "nozzle",
            needs_c: u32::MAX,
            max_c: 0,
        },
        Some(Reason::Temperature { .. }) => Reason::Material {
            slot: u32::MAX,
            needs: text(),
            has: Some(text()),
        },
        Some(Reason::Material { .. }) => Reason::SlotUnknown { slot: u32::MAX },
        Some(Reason::SlotUnknown { .. }) => Reason::Color {
            slot: u32::MAX,
            needs: text(),
            has: text(),
        },
        Some(Reason::Color { .. }) => Reason::Amount {
            slot: u32::MAX,
            needs_mg: u64::MAX,
            left_mg: 0,
        },
        Some(Reason::Amount { .. }) => Reason::Tags { missing: text() },
        Some(Reason::Tags { .. }) => Reason::NotAccepted,
        Some(Reason::NotAccepted) => Reason::NoSlicer { profile: text() },
        Some(Reason::NoSlicer { .. }) => Reason::SliceFailed {
            file: text(),
            why: text(),
        },
        Some(Reason::SliceFailed { .. }) => return None,
    })
}

/// A printer whose material was still the wrong one crashed over the sentence that said so.
#[test]
fn d20_every_reason_to_wait_can_be_said_whatever_it_speaks_of() {
    for text in ["", "{}", "ä\n\u{0}%s", &"x".repeat(10_000)] {
        let (mut last, mut said) = (None, Vec::new());
        while let Some(reason) = next(last.as_ref(), text) {
            said.push((reason.code(), reason.text()));
            last = Some(reason);
        }
        assert!(said.len() > 30);
        for (n, (code, words)) in said.iter().enumerate() {
            let is_code = |letter: char| letter.is_ascii_lowercase() || letter == '-';
            assert!(!code.is_empty() && code.chars().all(is_code), "{code}");
            assert!(words.split_whitespace().count() > 2, "{code}: {words:?}");
            let same = |other: &&(&str, String)| other.0 != *code && other.1 == *words;
            assert_eq!(said[..n].iter().find(same), None, "{code}");
        }
    }
}

#[test]
fn the_codes_are_these_words_and_each_reason_has_one_of_its_own() {
    let (mut last, mut codes) = (None, Vec::new());
    while let Some(reason) = next(last.as_ref(), "x") {
        if codes.last() != Some(&reason.code()) {
            codes.push(reason.code());
        }
        last = Some(reason);
    }
    let distinct: BTreeSet<&str> = codes.iter().copied().collect();
    assert_eq!(distinct.len(), codes.len(), "two reasons share a code");
    assert_eq!(distinct.into_iter().collect::<Vec<_>>(), CODES);
}
