//! Why a job waits or a printer idles: a closed list, each with a stable code and plain words.

/// Every code. Scripts and front ends compare them as words: one that is here keeps its meaning for ever, a new one is added.
pub const CODES: [&str; 54] = [
    "accept-from",
    "amount",
    "autoprint-off",
    "backburner",
    "bed-not-clear",
    "bed-unknown",
    "cancel-requested",
    "clearing",
    "color",
    "contended",
    "cooling",
    "copy-failed",
    "copy-unknown",
    "draft",
    "failed-here",
    "file-fails",
    "file-missing",
    "heat-slot",
    "held",
    "host-offline",
    "material",
    "model",
    "model-unknown",
    "move-requested",
    "never-skip",
    "no-bed-temperature",
    "no-copy-left",
    "no-printer",
    "not-before",
    "not-queued",
    "not-synced",
    "nothing-fits",
    "nozzle",
    "nozzle-soft",
    "outside",
    "pinned-elsewhere",
    "printer-busy",
    "printer-fault",
    "printer-offline",
    "printer-paused",
    "queue-autoprint-off",
    "queue-empty",
    "queue-order",
    "quiet-hours",
    "retries-exhausted",
    "role",
    "slice-failed",
    "slicer-missing",
    "slot-unknown",
    "tags",
    "temperature",
    "verdict",
    "volume",
    "voters-away",
];

/// Why a job waits or a printer idles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The job is a draft.
    Draft,
    /// A person holds the job.
    Held,
    /// Somebody wants the job cancelled; it is as soon as the voters or its printer can be asked.
    CancelRequested {
        /// Name of the host that asks.
        by: String,
    },
    /// Somebody wants the job moved; it is as soon as the voters can be asked.
    MoveRequested {
        /// Name of the host that asks.
        by: String,
    },
    /// The job is not in the queue any more.
    NotQueued,
    /// No copy is left to claim: all are done or being made.
    NoCopyLeft,
    /// A copy was stopped and is not printed again by itself.
    CopyFailed,
    /// A copy failed as often as it may.
    RetriesExhausted {
        /// How often it was tried.
        tries: usize,
        /// What the last failure said.
        why: String,
    },
    /// A file of the job failed on different printers and never came out well.
    FileFails {
        /// Name of the file.
        file: String,
    },
    /// The file is a model, and the printer's host has no slicer profile of that name.
    NoSlicer {
        /// Name of the profile.
        profile: String,
    },
    /// A model could not be sliced for this printer.
    SliceFailed {
        /// Name of the file.
        file: String,
        /// What went wrong.
        why: String,
    },
    /// The copy failed on this printer; another free one takes it first.
    FailedHere,
    /// It is unknown how a copy ended; a person must look.
    CopyUnknown,
    /// The job is for other printers.
    PinnedElsewhere,
    /// Earlier copies come first.
    QueueOrder {
        /// Copies that come before it.
        ahead: usize,
    },
    /// The printer works on something.
    Busy,
    /// A person paused the printer.
    PrinterPaused {
        /// What the person said.
        reason: String,
    },
    /// The printer does not start prints by itself.
    AutoprintOff,
    /// No printer starts jobs of this queue by itself.
    QueueAutoprintOff,
    /// Something lies on the bed.
    BedNotClear,
    /// Nobody knows what lies on the bed.
    BedUnknown,
    /// The bed cools down before it is cleared.
    Cooling {
        /// °C that it cools down to.
        to_c: u32,
    },
    /// The bed should cool down before it is cleared, and the machine does not say how warm it is.
    NoBedTemperature {
        /// °C that it should cool down to.
        to_c: u32,
    },
    /// A script clears the bed.
    Clearing,
    /// A person has to say whether the last print is good.
    VerdictAwaited,
    /// Others on the printer's circuit heat up.
    HeatSlot,
    /// Nothing starts during these hours.
    QuietHours {
        /// Minute of the printer's day at which they end.
        until: u16,
    },
    /// Its host cannot reach the printer.
    PrinterOffline,
    /// The printer halted; a person must look.
    PrinterFault {
        /// What it said.
        fault: String,
    },
    /// The printer's host cannot be reached.
    HostAway,
    /// The host's role does not let it print from this queue.
    Role,
    /// Too few voters can be reached to decide who prints it.
    VotersAway {
        /// Names of the voters that cannot be reached.
        names: String,
        /// Names of those that can be and decide nothing.
        mute: String,
        /// When the printer goes on without them, or why not.
        without: Without,
    },
    /// The voters gave the copy to somebody else a moment ago.
    Contended,
    /// No host that can be reached has the file.
    FileMissing {
        /// Name of the file.
        file: String,
    },
    /// It starts later.
    NotBefore {
        /// Seconds that are left, by this host's clock.
        seconds: u64,
    },
    /// It is parked, and the queue starts nothing from there by itself.
    Backburner,
    /// The queue skips nothing: the printer waits for the first job that it could print if somebody changed something.
    NeverSkip {
        /// Name of that job.
        job: String,
        /// What keeps the printer from it.
        because: Box<Reason>,
    },
    /// No open job can start on the printer now.
    NothingFits {
        /// Name of the one that comes closest: what somebody at the printer could change before what a person holds back,
        /// and that before what the printer can never print; of those the first.
        job: String,
        /// What keeps it from the printer.
        because: Box<Reason>,
    },
    /// The file is for another model.
    Model {
        /// The model that it was sliced for.
        needs: String,
        /// What the printer is.
        has: String,
    },
    /// Nobody has said which model the printer is: the file might be for another one.
    ModelUnknown {
        /// The model that it was sliced for.
        needs: String,
    },
    /// The file is for another nozzle.
    Nozzle {
        /// The tool whose nozzle it is, where they differ.
        tool: Option<u32>,
        /// Micrometres that it needs.
        needs_um: u32,
        /// Micrometres that the printer has.
        has_um: u32,
    },
    /// The material would wear the nozzle out.
    NozzleSoft,
    /// It is too large.
    Volume {
        /// Millimetres that it needs, along x, y and z.
        needs_mm: [u32; 3],
        /// Millimetres that the printer has.
        has_mm: [u32; 3],
    },
    /// It lies beside the bed, or above what the printer reaches.
    Outside {
        /// `x`, `y` or `z`.
        axis: char,
        /// Millimetres at which it begins.
        from_mm: i32,
        /// Millimetres at which it ends.
        to_mm: i32,
        /// Millimetres that the printer has along this axis.
        has_mm: u32,
    },
    /// It becomes hotter than the printer may.
    Temperature {
        /// `nozzle` or `bed`.
        what: &'static str,
        /// °C that it needs.
        needs_c: u32,
        /// °C that the printer may become.
        max_c: u32,
    },
    /// Another material is loaded, or none.
    Material {
        /// The slot, from 0.
        slot: u32,
        /// What it needs there.
        needs: String,
        /// What is there.
        has: Option<String>,
    },
    /// Nobody has said what is loaded, and the file prints with several tools.
    SlotUnknown {
        /// The slot, from 0.
        slot: u32,
    },
    /// Another colour is loaded.
    Color {
        /// The slot, from 0.
        slot: u32,
        /// What the job requires.
        needs: String,
        /// What is there.
        has: String,
    },
    /// Too little material is left.
    Amount {
        /// The slot, from 0.
        slot: u32,
        /// Milligrams that a copy takes.
        needs_mg: u64,
        /// Milligrams that are left and not reserved.
        left_mg: u64,
    },
    /// The printer takes jobs of other members only.
    NotAccepted,
    /// The printer lacks something that the job asks for.
    Tags {
        /// What it lacks.
        missing: String,
    },
    /// There is no printer at all.
    NoPrinter,
    /// The queue has no open job.
    QueueEmpty,
    /// The first changes of the queue have not arrived yet.
    NotSynced,
}

impl Reason {
    /// Returns whether somebody at the printer could change it: load, swap, refill, or say what is there. What a printer
    /// can never print is none of its business.
    pub fn is_fixable(&self) -> bool {
        match self {
            Self::ModelUnknown { .. }
            | Self::Nozzle { .. }
            | Self::NozzleSoft
            | Self::Material { .. }
            | Self::SlotUnknown { .. }
            | Self::Color { .. }
            | Self::Amount { .. }
            | Self::FileMissing { .. } => true,
            Self::NoSlicer { .. }
            | Self::SliceFailed { .. }
            | Self::Model { .. }
            | Self::Volume { .. }
            | Self::Outside { .. }
            | Self::Temperature { .. }
            | Self::Tags { .. }
            | Self::NotAccepted
            | Self::PinnedElsewhere
            | Self::NotBefore { .. }
            | Self::Backburner
            | Self::NeverSkip { .. }
            | Self::NothingFits { .. }
            | Self::Draft
            | Self::Held
            | Self::CancelRequested { .. }
            | Self::MoveRequested { .. }
            | Self::NotQueued
            | Self::NoCopyLeft
            | Self::CopyFailed
            | Self::RetriesExhausted { .. }
            | Self::FileFails { .. }
            | Self::FailedHere
            | Self::CopyUnknown
            | Self::QueueOrder { .. }
            | Self::Busy
            | Self::PrinterPaused { .. }
            | Self::AutoprintOff
            | Self::QueueAutoprintOff
            | Self::BedNotClear
            | Self::BedUnknown
            | Self::Cooling { .. }
            | Self::NoBedTemperature { .. }
            | Self::Clearing
            | Self::VerdictAwaited
            | Self::HeatSlot
            | Self::QuietHours { .. }
            | Self::PrinterOffline
            | Self::PrinterFault { .. }
            | Self::HostAway
            | Self::Role
            | Self::VotersAway { .. }
            | Self::Contended
            | Self::NoPrinter
            | Self::QueueEmpty
            | Self::NotSynced => false,
        }
    }

    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Held => "held",
            Self::CancelRequested { .. } => "cancel-requested",
            Self::MoveRequested { .. } => "move-requested",
            Self::NotQueued => "not-queued",
            Self::NoCopyLeft => "no-copy-left",
            Self::CopyFailed => "copy-failed",
            Self::RetriesExhausted { .. } => "retries-exhausted",
            Self::FileFails { .. } => "file-fails",
            Self::FailedHere => "failed-here",
            Self::CopyUnknown => "copy-unknown",
            Self::PinnedElsewhere => "pinned-elsewhere",
            Self::QueueOrder { .. } => "queue-order",
            Self::Busy => "printer-busy",
            Self::PrinterPaused { .. } => "printer-paused",
            Self::AutoprintOff => "autoprint-off",
            Self::QueueAutoprintOff => "queue-autoprint-off",
            Self::BedNotClear => "bed-not-clear",
            Self::BedUnknown => "bed-unknown",
            Self::Cooling { .. } => "cooling",
            Self::NoBedTemperature { .. } => "no-bed-temperature",
            Self::Clearing => "clearing",
            Self::VerdictAwaited => "verdict",
            Self::HeatSlot => "heat-slot",
            Self::QuietHours { .. } => "quiet-hours",
            Self::PrinterOffline => "printer-offline",
            Self::PrinterFault { .. } => "printer-fault",
            Self::HostAway => "host-offline",
            Self::Role => "role",
            Self::VotersAway { .. } => "voters-away",
            Self::Contended => "contended",
            Self::FileMissing { .. } => "file-missing",
            Self::NoSlicer { .. } => "slicer-missing",
            Self::SliceFailed { .. } => "slice-failed",
            Self::NotBefore { .. } => "not-before",
            Self::Backburner => "backburner",
            Self::NeverSkip { .. } => "never-skip",
            Self::NothingFits { .. } => "nothing-fits",
            Self::Model { .. } => "model",
            Self::ModelUnknown { .. } => "model-unknown",
            Self::Nozzle { .. } => "nozzle",
            Self::NozzleSoft => "nozzle-soft",
            Self::Volume { .. } => "volume",
            Self::Outside { .. } => "outside",
            Self::Temperature { .. } => "temperature",
            Self::Material { .. } => "material",
            Self::SlotUnknown { .. } => "slot-unknown",
            Self::Color { .. } => "color",
            Self::Amount { .. } => "amount",
            Self::Tags { .. } => "tags",
            Self::NotAccepted => "accept-from",
            Self::NoPrinter => "no-printer",
            Self::QueueEmpty => "queue-empty",
            Self::NotSynced => "not-synced",
        }
    }

    /// Returns plain words.
    pub fn text(&self) -> String {
        match self {
            Self::Draft => "it is a draft".into(),
            Self::Held => "a person holds it".into(),
            Self::CancelRequested { by } => format!("{by} asked to cancel it"),
            Self::MoveRequested { by } => format!("{by} asked to move it"),
            Self::NotQueued => "it is not in the queue any more".into(),
            Self::NoCopyLeft => "all its copies are done or being made".into(),
            Self::CopyFailed => "a copy was stopped; it is not printed again by itself".into(),
            Self::RetriesExhausted { tries, why } => {
                let times = match tries {
                    1 => "once".to_owned(),
                    n => format!("{n} times"),
                };
                let why = if why.is_empty() {
                    "no reason is known"
                } else {
                    why
                };
                format!("a copy failed {times} and is not tried again by itself: {why}")
            }
            Self::FileFails { file } => {
                format!("{file} failed on every printer that tried it; somebody must look")
            }
            Self::FailedHere => "it failed on this printer; another one takes it first".into(),
            Self::CopyUnknown => "nobody knows how a copy ended; somebody must look".into(),
            Self::PinnedElsewhere => "it is for other printers".into(),
            Self::QueueOrder { ahead } => format!("{ahead} copies come first"),
            Self::Busy => "the printer is busy".into(),
            Self::PrinterPaused { reason } if reason.is_empty() => "the printer is paused".into(),
            Self::PrinterPaused { reason } => format!("the printer is paused: {reason}"),
            Self::AutoprintOff => "the printer does not start prints by itself".into(),
            Self::QueueAutoprintOff => "no printer starts jobs of this queue by itself".into(),
            Self::BedNotClear => "something lies on the bed".into(),
            Self::BedUnknown => "nobody has said that the bed is clear".into(),
            Self::Cooling { to_c } => format!("the bed cools down to {to_c} °C"),
            Self::NoBedTemperature { to_c } => format!(
                "the bed should cool down to {to_c} °C, and the printer does not say how warm it is"
            ),
            Self::Clearing => "a script clears the bed".into(),
            Self::VerdictAwaited => "somebody has to say whether its last print is good".into(),
            Self::HeatSlot => "it waits until others on its circuit are hot".into(),
            Self::QuietHours { until } => {
                let (hour, minute) = (until / 60, until % 60);
                format!("nothing starts here before {hour:02}:{minute:02}")
            }
            Self::PrinterOffline => "the printer does not answer".into(),
            Self::PrinterFault { fault } => format!("the printer halted: {fault}"),
            Self::HostAway => "its host cannot be reached".into(),
            Self::Role => "this host's role does not include printing".into(),
            Self::VotersAway {
                names,
                mute,
                without,
            } => {
                let away = (!names.is_empty()).then(|| format!("{names}, which cannot be reached"));
                let mute = (!mute.is_empty()).then(|| {
                    format!("{mute}, which answers and decides nothing now: it says not what it remembers, or gave its vote to others")
                });
                let who: Vec<String> = away.into_iter().chain(mute).collect();
                let (who, then) = (who.join("; and by "), without.text());
                format!("who prints it is decided by {who}{then}")
            }
            Self::Contended => "another printer was just given the copy".into(),
            Self::FileMissing { file } => format!("no host that can be reached has {file}"),
            Self::NoSlicer { profile } => {
                format!("its host has no slicer profile {profile}")
            }
            Self::SliceFailed { file, why } => format!("{file} could not be sliced: {why}"),
            Self::NotBefore { seconds } => format!("it starts in {seconds} s at the earliest"),
            Self::Backburner => "it is in the backburner; somebody has to start it".into(),
            Self::NeverSkip { job, because } => {
                format!(
                    "nothing is skipped here, and {job} comes first: {}",
                    because.text()
                )
            }
            Self::NothingFits { job, because } => {
                format!(
                    "no open job can start here; {job} comes closest: {}",
                    because.text()
                )
            }
            Self::Model { needs, has } => format!("it was sliced for {needs}, and this is {has}"),
            Self::ModelUnknown { needs } => {
                format!("it was sliced for {needs}, and nobody has said which model this is")
            }
            Self::Nozzle {
                tool,
                needs_um,
                has_um,
            } => format!(
                "it needs a nozzle of {} mm{}, and this one has {} mm",
                millimetres(*needs_um),
                tool.map(|tool| format!(" for tool {tool}"))
                    .unwrap_or_default(),
                millimetres(*has_um)
            ),
            Self::NozzleSoft => "its material needs a hardened nozzle".into(),
            Self::Volume { needs_mm, has_mm } => {
                let size = |[x, y, z]: &[u32; 3]| format!("{x} x {y} x {z} mm");
                format!(
                    "it is {}, and the printer prints {}",
                    size(needs_mm),
                    size(has_mm)
                )
            }
            Self::Outside {
                axis,
                from_mm,
                to_mm,
                has_mm,
            } => format!(
                "it lies from {from_mm} to {to_mm} mm along {axis}, and the printer has {has_mm} mm there"
            ),
            Self::Temperature {
                what,
                needs_c,
                max_c,
            } => format!("it heats the {what} to {needs_c} °C, and this one may have {max_c} °C"),
            Self::Material { slot, needs, has } => match has {
                Some(has) => format!("it needs {needs} in slot {slot}, where {has} is loaded"),
                None => format!("it needs {needs} in slot {slot}, where nothing is loaded"),
            },
            Self::SlotUnknown { slot } => {
                format!("it prints from slot {slot}, and nobody has said what is loaded there")
            }
            Self::Color { slot, needs, has } => {
                format!("it must be {needs}, and slot {slot} has {has}")
            }
            Self::Amount {
                slot,
                needs_mg,
                left_mg,
            } => format!(
                "it takes {} g from slot {slot}, where {} g are left",
                needs_mg.div_ceil(1000),
                left_mg / 1000
            ),
            Self::NotAccepted => "the printer takes jobs of other members only".to_owned(),
            Self::Tags { missing } => format!("the printer lacks {missing}"),
            Self::NoPrinter => "there is no printer".into(),
            Self::QueueEmpty => "the queue is empty".into(),
            Self::NotSynced => "the queue has not arrived from its members yet".into(),
        }
    }
}

/// `0.4` of 400 micrometres.
fn millimetres(um: u32) -> String {
    let fraction = format!("{:03}", um % 1000);
    format!(
        "{}.{}",
        um / 1000,
        match fraction.trim_end_matches('0') {
            "" => "0",
            digits => digits,
        }
    )
}

/// When a printer goes on although too few voters can be reached, or why it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Without {
    /// The queue's level is `majority`: never.
    Never,
    /// At once.
    Now,
    /// When they have been away for long enough.
    After {
        /// Seconds that are left.
        seconds: u64,
    },
    /// Another printer goes first.
    Other {
        /// `host/printer`.
        printer: String,
    },
    /// The one start of the job, or of each of its copies, that may be made without them has been made.
    Spent,
    /// The copies that are left belong to printers that are away.
    Foreign {
        /// Seconds until they are started all the same.
        seconds: u64,
    },
    /// There is nothing that it could start.
    Nothing,
}

impl Without {
    /// Returns plain words that follow a sentence.
    fn text(&self) -> String {
        match self {
            Self::Never => "; this queue starts nothing without them".into(),
            Self::Now => "; it goes on without them".into(),
            Self::After { seconds } => format!("; it goes on without them in {seconds} s"),
            Self::Other { printer } => format!("; without them {printer} goes first"),
            Self::Spent => "; the one start that is allowed without them has been made".into(),
            Self::Foreign { seconds } => format!(
                "; what is left belongs to printers that are away, and is started without them in {seconds} s"
            ),
            Self::Nothing => String::new(),
        }
    }
}
