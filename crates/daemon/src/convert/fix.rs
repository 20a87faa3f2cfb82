//! The command that helps against a reason, wherever there is one.

use printmesh_node::Node;
use printmesh_queue::{Equipment, PrinterId};
use printmesh_schedule::Reason;

use crate::todo::quoted;

/// What a person could do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fix<'r> {
    /// It passes by itself, or no command changes it.
    Nothing,
    /// Let the job be printed.
    Release,
    /// Have the copy tried again.
    Retry,
    /// Say how the copy ended.
    Resolve,
    /// Start the job here by hand.
    Start,
    /// Let any printer take the job.
    AnyPrinter,
    /// Hand a job in.
    Submit,
    /// Add a printer.
    AddPrinter,
    /// Give the printer's host a role that prints.
    Role,
    /// See which hosts decide, and which of them are away.
    Voters,
    /// See which hosts are away.
    Peers,
    /// Start the daemon of the printer's host.
    Up,
    /// Say that the bed is clear.
    Ready,
    /// Say that the last print is good.
    Good,
    /// Let the printer start prints by itself.
    Autoprint,
    /// Let printers start jobs of the queue by themselves.
    QueueAutoprint,
    /// Let a paused printer go on.
    Resume,
    /// Take the quiet hours back.
    QuietHours,
    /// Say which model the printer is.
    Model,
    /// Say that files for this model are for the printer too.
    Compatible(&'r str),
    /// Put another nozzle in: of which tool, its diameter in micrometres.
    Nozzle(Option<u32>, u32),
    /// Put a hardened nozzle in.
    Hardened,
    /// Load a slot: material, colour, milligrams.
    Load(u32, Option<&'r str>, Option<&'r str>, Option<u64>),
    /// Say that the printer has what these words say, with commas between them.
    Tags(&'r str),
    /// Take everybody's jobs.
    AcceptAll,
    /// The same for another job, by its name.
    Of(&'r str, Box<Self>),
}

impl Fix<'_> {
    /// Whether it is typed on the printer's own host.
    pub(super) fn is_typed_there(&self) -> bool {
        match self {
            Self::Nothing
            | Self::Release
            | Self::Retry
            | Self::Resolve
            | Self::Start
            | Self::AnyPrinter
            | Self::Submit
            | Self::QueueAutoprint
            | Self::Role
            | Self::Voters
            | Self::Peers => false,
            Self::AddPrinter
            | Self::Up
            | Self::Ready
            | Self::Good
            | Self::Autoprint
            | Self::Resume
            | Self::QuietHours
            | Self::Model
            | Self::Compatible(_)
            | Self::Nozzle(..)
            | Self::Hardened
            | Self::Load(..)
            | Self::Tags(_)
            | Self::AcceptAll => true,
            Self::Of(_, fix) => fix.is_typed_there(),
        }
    }
}

/// Returns what helps against a reason.
pub(super) fn fix_of(reason: &Reason) -> Fix<'_> {
    match reason {
        Reason::Draft | Reason::Held => Fix::Release,
        Reason::CopyFailed | Reason::RetriesExhausted { .. } | Reason::FileFails { .. } => {
            Fix::Retry
        }
        Reason::CopyUnknown => Fix::Resolve,
        // Somebody who asks for it goes before the order, a time and other printers.
        Reason::NotBefore { .. }
        | Reason::Backburner
        | Reason::QueueOrder { .. }
        | Reason::FailedHere => Fix::Start,
        Reason::PinnedElsewhere => Fix::AnyPrinter,
        Reason::QueueEmpty => Fix::Submit,
        Reason::NoPrinter => Fix::AddPrinter,
        Reason::Role => Fix::Role,
        Reason::VotersAway { .. } => Fix::Voters,
        Reason::FileMissing { .. } | Reason::NotSynced => Fix::Peers,
        Reason::HostAway => Fix::Up,
        Reason::BedNotClear
        | Reason::BedUnknown
        | Reason::Cooling { .. }
        | Reason::NoBedTemperature { .. }
        | Reason::PrinterFault { .. } => Fix::Ready,
        Reason::VerdictAwaited => Fix::Good,
        Reason::AutoprintOff => Fix::Autoprint,
        Reason::QueueAutoprintOff => Fix::QueueAutoprint,
        Reason::PrinterPaused { .. } => Fix::Resume,
        Reason::QuietHours { .. } => Fix::QuietHours,
        Reason::ModelUnknown { .. } => Fix::Model,
        Reason::Model { needs, .. } => Fix::Compatible(needs),
        Reason::Nozzle { tool, needs_um, .. } => Fix::Nozzle(*tool, *needs_um),
        Reason::NozzleSoft => Fix::Hardened,
        Reason::Material { slot, needs, .. } => Fix::Load(*slot, Some(needs), None, None),
        Reason::SlotUnknown { slot } => Fix::Load(*slot, None, None, None),
        Reason::Color { slot, needs, .. } => Fix::Load(*slot, None, Some(needs), None),
        Reason::Amount { slot, needs_mg, .. } => Fix::Load(*slot, None, None, Some(*needs_mg)),
        Reason::Tags { missing } => Fix::Tags(missing),
        Reason::NotAccepted => Fix::AcceptAll,
        Reason::NeverSkip { job, because } | Reason::NothingFits { job, because } => {
            Fix::Of(job, Box::new(fix_of(because)))
        }
        // It passes by itself.
        Reason::Busy
        | Reason::Clearing
        | Reason::HeatSlot
        | Reason::Contended
        | Reason::CancelRequested { .. }
        | Reason::MoveRequested { .. } => Fix::Nothing,
        // There is nothing left to do.
        Reason::NotQueued | Reason::NoCopyLeft => Fix::Nothing,
        // A hand at the machine, a file of the host's configuration or another way of slicing helps, and no command.
        Reason::PrinterOffline
        | Reason::NoSlicer { .. }
        | Reason::SliceFailed { .. }
        | Reason::Volume { .. }
        | Reason::Outside { .. }
        | Reason::Temperature { .. } => Fix::Nothing,
    }
}

/// Returns the command, for a job of a queue and a printer.
pub(super) fn command(
    node: &Node,
    queue: &str,
    printer: &PrinterId,
    job: &str,
    fix: &Fix<'_>,
) -> Option<String> {
    let view = node.queue_named(queue).ok().map(|id| node.queue_view(id));
    let record = view.and_then(|view| view.snapshot.printers.get(printer));
    let names = Names {
        queue,
        host: &node.visible_host_name(printer.host),
        printer: &printer.name,
        job,
    };
    names.command(record.map(|record| &record.equipment), fix)
}

/// What commands are about.
#[derive(Clone, Copy)]
struct Names<'n> {
    queue: &'n str,
    host: &'n str,
    printer: &'n str,
    job: &'n str,
}

impl Names<'_> {
    fn command(&self, has: Option<&Equipment>, fix: &Fix<'_>) -> Option<String> {
        let Self {
            queue,
            host,
            printer,
            job,
        } = self;
        let full = quoted(&format!("{host}/{printer}"));
        let (queue, host, printer, job) =
            (quoted(queue), quoted(host), quoted(printer), quoted(job));
        let of = |words: &str| format!("printmesh {words}");
        Some(match fix {
            Fix::Nothing => return None,
            Fix::Release => of(&format!("job release {job}")),
            Fix::Retry => of(&format!("job resolve {job} --retry")),
            Fix::Resolve => of(&format!("job resolve {job} --done (or --failed, --retry)")),
            Fix::Start => of(&format!("job start {job} --printer {full}")),
            Fix::AnyPrinter => of(&format!("job edit {job} --any-printer")),
            Fix::Submit => of(&format!("submit FILE -q {queue}")),
            Fix::AddPrinter => of("printer add NAME --at WHERE"),
            Fix::Role => of(&format!("member role {queue} {host} printer")),
            Fix::Voters => of(&format!("queue voters {queue}")),
            Fix::Peers => of(&format!("queue peers {queue}")),
            Fix::Up => of("up"),
            Fix::Ready => of(&format!("printer ready {printer}")),
            Fix::Good => of(&format!("printer ready {printer} --good")),
            Fix::Autoprint => of(&format!("autoprint on {printer}")),
            Fix::QueueAutoprint => of(&format!("queue set {queue} --autoprint on")),
            Fix::Resume => of(&format!("printer resume {printer}")),
            Fix::QuietHours => of(&format!("printer edit {printer} --quiet-hours ''")),
            // Which model it is nobody knows but who stands before it.
            Fix::Model => of(&format!("printer edit {printer} --model MODEL")),
            Fix::Compatible(model) => {
                let known = has.map_or(&[][..], |has| &has.compatible);
                let models = listed("--compatible", known, std::iter::once(*model));
                of(&format!(
                    "printer edit {printer}{models} (if it prints such files)"
                ))
            }
            Fix::Nozzle(tool, um) => of(&format!(
                "printer nozzle {printer} {}{}",
                f64::from(*um) / 1000.0,
                tool.map(|tool| format!(" --tool {tool}"))
                    .unwrap_or_default()
            )),
            Fix::Hardened => of(&format!("printer nozzle {printer} --hardened")),
            Fix::Load(slot, material, color, mg) => {
                let mut said = format!("{slot}={}", material.unwrap_or("MATERIAL"));
                if let Some(color) = color {
                    said += &format!("/{color}");
                }
                match mg {
                    None => of(&format!("printer load {printer} {}", quoted(&said))),
                    Some(mg) => of(&format!(
                        "printer load {printer} {said}:GRAMSg (at least {} g)",
                        mg.div_ceil(1000)
                    )),
                }
            }
            Fix::Tags(missing) => {
                let known = has.map_or(&[][..], |has| &has.tags);
                let tags = listed("--tag", known, missing.split(", "));
                of(&format!("printer edit {printer}{tags}"))
            }
            Fix::AcceptAll => of(&format!("printer edit {printer} --accept-from ''")),
            Fix::Of(job, fix) => return Names { job, ..*self }.command(has, fix),
        })
    }
}

/// An option once for each word: a list that is said replaces the one before.
fn listed<'w>(option: &str, known: &'w [String], new: impl Iterator<Item = &'w str>) -> String {
    let words = known.iter().map(String::as_str).chain(new);
    words
        .map(|word| format!(" {option} {}", quoted(word)))
        .collect()
}

#[cfg(test)]
mod tests {
    use printmesh_schedule::{CODES, Without};

    use super::*;

    fn model() -> Reason {
        Reason::Model {
            needs: "MK4".to_owned(),
            has: "MINI".to_owned(),
        }
    }

    /// Every reason, with what is typed against it: a new one is not in the table until somebody has thought about it.
    fn table() -> Vec<(Reason, &'static str)> {
        let text = || "x".to_owned();
        vec![
            (Reason::Draft, "job release kmz"),
            (Reason::Held, "job release kmz"),
            (Reason::CancelRequested { by: text() }, ""),
            (Reason::MoveRequested { by: text() }, ""),
            (Reason::NotQueued, ""),
            (Reason::NoCopyLeft, ""),
            (Reason::CopyFailed, "job resolve kmz --retry"),
            (
                Reason::RetriesExhausted {
                    tries: 3,
                    why: text(),
                },
                "job resolve kmz --retry",
            ),
            (
                Reason::FileFails { file: text() },
                "job resolve kmz --retry",
            ),
            (Reason::NoSlicer { profile: text() }, ""),
            (
                Reason::SliceFailed {
                    file: text(),
                    why: text(),
                },
                "",
            ),
            (Reason::FailedHere, "job start kmz --printer rack/mk4"),
            (
                Reason::CopyUnknown,
                "job resolve kmz --done (or --failed, --retry)",
            ),
            (Reason::PinnedElsewhere, "job edit kmz --any-printer"),
            (
                Reason::QueueOrder { ahead: 2 },
                "job start kmz --printer rack/mk4",
            ),
            (Reason::Busy, ""),
            (
                Reason::PrinterPaused { reason: text() },
                "printer resume mk4",
            ),
            (Reason::AutoprintOff, "autoprint on mk4"),
            (Reason::QueueAutoprintOff, "queue set farm --autoprint on"),
            (Reason::BedNotClear, "printer ready mk4"),
            (Reason::BedUnknown, "printer ready mk4"),
            (Reason::Cooling { to_c: 30 }, "printer ready mk4"),
            (Reason::NoBedTemperature { to_c: 30 }, "printer ready mk4"),
            (Reason::Clearing, ""),
            (Reason::VerdictAwaited, "printer ready mk4 --good"),
            (Reason::HeatSlot, ""),
            (
                Reason::QuietHours { until: 420 },
                "printer edit mk4 --quiet-hours ''",
            ),
            (Reason::PrinterOffline, ""),
            (Reason::PrinterFault { fault: text() }, "printer ready mk4"),
            (Reason::HostAway, "up"),
            (Reason::Role, "member role farm rack printer"),
            (
                Reason::VotersAway {
                    names: text(),
                    mute: text(),
                    without: Without::Never,
                },
                "queue voters farm",
            ),
            (Reason::Contended, ""),
            (Reason::FileMissing { file: text() }, "queue peers farm"),
            (
                Reason::NotBefore { seconds: 9 },
                "job start kmz --printer rack/mk4",
            ),
            (Reason::Backburner, "job start kmz --printer rack/mk4"),
            (
                Reason::NeverSkip {
                    job: "my lid".to_owned(),
                    because: Box::new(Reason::Held),
                },
                "job release 'my lid'",
            ),
            (
                Reason::NothingFits {
                    job: "lid".to_owned(),
                    because: Box::new(Reason::NozzleSoft),
                },
                "printer nozzle mk4 --hardened",
            ),
            (
                model(),
                "printer edit mk4 --compatible MK3 --compatible MK4 (if it prints such files)",
            ),
            (
                Reason::ModelUnknown { needs: text() },
                "printer edit mk4 --model MODEL",
            ),
            (
                Reason::Nozzle {
                    tool: None,
                    needs_um: 600,
                    has_um: 400,
                },
                "printer nozzle mk4 0.6",
            ),
            (
                Reason::Nozzle {
                    tool: Some(1),
                    needs_um: 600,
                    has_um: 400,
                },
                "printer nozzle mk4 0.6 --tool 1",
            ),
            (Reason::NozzleSoft, "printer nozzle mk4 --hardened"),
            (
                Reason::Volume {
                    needs_mm: [9; 3],
                    has_mm: [1; 3],
                },
                "",
            ),
            (
                Reason::Outside {
                    axis: 'x',
                    from_mm: 1,
                    to_mm: 2,
                    has_mm: 1,
                },
                "",
            ),
            (
                Reason::Temperature {
                    what: "bed",
                    needs_c: 9,
                    max_c: 1,
                },
                "",
            ),
            (
                Reason::Material {
                    slot: 1,
                    needs: "PETG; rm".to_owned(),
                    has: None,
                },
                "printer load mk4 '1=PETG; rm'",
            ),
            (
                Reason::SlotUnknown { slot: 2 },
                "printer load mk4 2=MATERIAL",
            ),
            (
                Reason::Color {
                    slot: 0,
                    needs: "black".to_owned(),
                    has: text(),
                },
                "printer load mk4 0=MATERIAL/black",
            ),
            (
                Reason::Amount {
                    slot: 0,
                    needs_mg: 1_500,
                    left_mg: 0,
                },
                "printer load mk4 0=MATERIAL:GRAMSg (at least 2 g)",
            ),
            (
                Reason::Tags {
                    missing: "dry, hot".to_owned(),
                },
                "printer edit mk4 --tag fast --tag dry --tag hot",
            ),
            (Reason::NotAccepted, "printer edit mk4 --accept-from ''"),
            (Reason::NoPrinter, "printer add NAME --at WHERE"),
            (Reason::QueueEmpty, "submit FILE -q farm"),
            (Reason::NotSynced, "queue peers farm"),
        ]
    }

    #[test]
    fn against_each_reason_there_is_a_command_or_none_would_help() {
        let has = Equipment {
            tags: vec!["fast".to_owned()],
            compatible: vec!["MK3".to_owned()],
            ..Equipment::default()
        };
        let names = Names {
            queue: "farm",
            host: "rack",
            printer: "mk4",
            job: "kmz",
        };
        let mut codes: Vec<&str> = Vec::new();
        for (reason, expected) in table() {
            let said = names.command(Some(&has), &fix_of(&reason));
            let expected = (!expected.is_empty()).then(|| format!("printmesh {expected}"));
            assert_eq!(said, expected, "{}", reason.code());
            codes.push(reason.code());
        }
        codes.sort_unstable();
        // Some have more than one command.
        codes.dedup();
        assert_eq!(codes, CODES, "a reason that is not in the table");
    }

    #[test]
    fn what_is_said_of_a_printer_is_typed_on_its_own_host() {
        assert!(fix_of(&model()).is_typed_there());
        assert!(!fix_of(&Reason::Held).is_typed_there());
        let because = Box::new(Reason::BedUnknown);
        let job = "x".to_owned();
        assert!(fix_of(&Reason::NothingFits { job, because }).is_typed_there());
    }
}
