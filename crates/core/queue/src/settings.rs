//! The queue's settings: one key each, every one with a default, none load-bearing for safety (CLAIMS.md 5).
//!
//! Values are words or whole numbers as a person types them, so that what is stored, shown and typed is one thing.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    NAME_BYTES_MAX, SortLimit,
    limits::{AMOUNT_MARGIN_MAX, HEAT_SLOTS_MAX, HEAT_WATTS_MAX, RETRIES_MAX, SECONDS_MAX},
};

/// What a queue does when the voters cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Printers go on, within the budget; what was printed twice is counted and credited.
    Available,
    /// Nothing starts without a majority of the voters.
    Majority,
}

/// How much may be started without the voters, by each group of hosts that can reach one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// `all` up to two members, `one` above.
    Auto,
    /// One unreconciled start per job and group of hosts.
    One,
    /// Only copies that are this printer's own by rank.
    Home,
    /// Every open copy.
    All,
}

/// How long a begun print may be silent before the voters write it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abandon {
    /// The longer of 30 minutes, and what was left of the print and a quarter of it and 30 minutes.
    Eta,
    /// Only a person writes it off.
    Never,
    /// So many seconds.
    After(u64),
}

/// Who decides about a copy of which nobody knows how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownWait {
    /// A person (`job resolve`).
    Person,
    /// It is written off like a silent print.
    Eta,
}

/// What becomes of a print that turns out to be one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSurplus {
    /// It is finished; the part is a spare.
    Finish,
    /// It is paused, and a person decides.
    Pause,
    /// It is stopped.
    Abort,
}

/// What the attempt after a failed one prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPartial {
    /// What is missing.
    Rest,
    /// The whole copy again.
    Restart,
}

/// Whether a start asks the voters once more whether it was written off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// Unless the voters' decision is younger than a minute.
    Auto,
    /// Always.
    Always,
}

/// In which order the copies of several jobs go to printers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// All copies of the first job, then those of the second.
    Sequential,
    /// One copy of each job in turn.
    RoundRobin,
}

/// Which of several printers that can print a copy gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribute {
    /// The first one in the list of printers.
    Position,
    /// One by chance, the same on every host.
    Random,
    /// The one whose last print ended longest ago.
    LeastRecentlyUsed,
    /// The last one in the list of printers.
    Reverse,
    /// The one that has printed for the fewest hours.
    Hours,
    /// The one that has printed for the most hours.
    MostHours,
    /// The one with the most of the material left.
    BestFit,
}

/// What a printer does about a job that it cannot print now, before it looks at the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeverSkip {
    /// It moves past it.
    Off,
    /// It waits, where somebody could load or change something so that it prints it.
    On,
    /// The same, but for prints that end before the job can be expected to start on another printer.
    Backfill,
    /// It waits, whatever it is that keeps it from the job.
    Strict,
}

/// Who chooses the voters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoterChoice {
    /// The hosts themselves, among the members that are there.
    Auto,
    /// A person.
    Fixed,
}

/// The settings of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What happens when the voters cannot be reached.
    pub claims: Level,
    /// How much may be started without them.
    pub budget: Budget,
    /// A claim that has not started lapses when its holder is silent for so many seconds.
    pub lease_s: u64,
    /// Seconds between two beats of a holder.
    pub beat_s: u64,
    /// When a silent print is written off.
    pub abandon: Abandon,
    /// Seconds between making a claim known and starting it without the voters.
    pub settle_s: u64,
    /// Seconds without the voters before anything is started without them.
    pub patience_s: u64,
    /// Seconds before copies are started that belong to a printer that is away.
    pub foreign_wait_s: u64,
    /// Who decides about a copy of which nobody knows how it ended.
    pub unknown: UnknownWait,
    /// What becomes of a print that is one too many.
    pub on_surplus: OnSurplus,
    /// What the attempt after a failed one prints.
    pub on_partial: OnPartial,
    /// How often a failed copy is tried again.
    pub retries: u32,
    /// Whether a start asks the voters once more.
    pub confirm: Confirm,
    /// Who chooses the voters.
    pub voters: VoterChoice,
    /// In which order copies go to printers.
    pub order: Order,
    /// Which printer gets a copy that several could print.
    pub distribute: Distribute,
    /// A group is processed fully before the next one is begun.
    pub drain_groups: bool,
    /// The order of the groups; others follow by name, jobs without a group come last.
    pub groups: Vec<String>,
    /// Jobs in the backburner are never started by themselves.
    pub exclude_backburner: bool,
    /// Whether a printer waits for the first job that it cannot print now.
    pub never_skip: NeverSkip,
    /// Printers start jobs of this queue by themselves, where they do so at all.
    pub autoprint: bool,
    /// Grams that must be left on a spool beyond what a copy takes.
    pub amount_margin_g: u32,
    /// How many of the first jobs automatic sorting may reorder.
    pub sort_limit: SortLimit,
    /// Of the printers on one circuit so many heat up at once; 0 = as many as like.
    pub heat_slots: u32,
    /// Watts that the printers on one circuit may draw together while they heat up; 0 = not limited. Comes before the number.
    pub heat_watts: u32,
    /// Seconds until somebody has cleared a bed after a print, for whoever asks when things will be done; nothing is decided by it.
    pub turnaround_s: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            claims: Level::Available,
            budget: Budget::Auto,
            lease_s: 60,
            beat_s: 15,
            abandon: Abandon::Eta,
            settle_s: 2,
            patience_s: 30,
            foreign_wait_s: 1800,
            unknown: UnknownWait::Person,
            on_surplus: OnSurplus::Finish,
            on_partial: OnPartial::Rest,
            retries: 3,
            confirm: Confirm::Auto,
            voters: VoterChoice::Auto,
            order: Order::Sequential,
            distribute: Distribute::Position,
            drain_groups: false,
            groups: Vec::new(),
            exclude_backburner: false,
            never_skip: NeverSkip::Off,
            autoprint: true,
            amount_margin_g: 0,
            sort_limit: SortLimit::default(),
            heat_slots: 0,
            heat_watts: 0,
            turnaround_s: 0,
        }
    }
}

/// The name of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the field of `Settings` with its name")]
pub enum Setting {
    Claims,
    Budget,
    Lease,
    Beat,
    Abandon,
    Settle,
    Patience,
    ForeignWait,
    Unknown,
    OnSurplus,
    OnPartial,
    Retries,
    Confirm,
    Voters,
    Order,
    Distribute,
    DrainGroups,
    Groups,
    ExcludeBackburner,
    NeverSkip,
    Autoprint,
    AmountMargin,
    SortLimit,
    HeatSlots,
    HeatWatts,
    Turnaround,
}

const LEVELS: [(&str, Level); 2] = [
    ("available", Level::Available),
    ("majority", Level::Majority),
];
const BUDGETS: [(&str, Budget); 4] = [
    ("auto", Budget::Auto),
    ("one", Budget::One),
    ("home", Budget::Home),
    ("all", Budget::All),
];
const UNKNOWNS: [(&str, UnknownWait); 2] =
    [("person", UnknownWait::Person), ("eta", UnknownWait::Eta)];
const ON_SURPLUS: [(&str, OnSurplus); 3] = [
    ("finish", OnSurplus::Finish),
    ("pause", OnSurplus::Pause),
    ("abort", OnSurplus::Abort),
];
const ON_PARTIAL: [(&str, OnPartial); 2] =
    [("rest", OnPartial::Rest), ("restart", OnPartial::Restart)];
const VOTERS: [(&str, VoterChoice); 2] =
    [("auto", VoterChoice::Auto), ("fixed", VoterChoice::Fixed)];
const ORDERS: [(&str, Order); 2] = [
    ("sequential", Order::Sequential),
    ("round-robin", Order::RoundRobin),
];
const DISTRIBUTES: [(&str, Distribute); 7] = [
    ("position", Distribute::Position),
    ("random", Distribute::Random),
    ("least-recently-used", Distribute::LeastRecentlyUsed),
    ("reverse", Distribute::Reverse),
    ("hours", Distribute::Hours),
    ("most-hours", Distribute::MostHours),
    ("best-fit", Distribute::BestFit),
];
const NEVER_SKIPS: [(&str, NeverSkip); 4] = [
    ("off", NeverSkip::Off),
    ("on", NeverSkip::On),
    ("backfill", NeverSkip::Backfill),
    ("strict", NeverSkip::Strict),
];
const SWITCHES: [(&str, bool); 2] = [("on", true), ("off", false)];
const CONFIRMS: [(&str, Confirm); 2] = [("auto", Confirm::Auto), ("always", Confirm::Always)];

fn of<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    table
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, value)| *value)
}

fn word<T: Copy + PartialEq>(table: &[(&'static str, T)], value: T) -> String {
    table
        .iter()
        .find(|(_, other)| *other == value)
        .map_or_else(String::new, |(name, _)| (*name).to_owned())
}

fn words<T>(table: &[(&'static str, T)]) -> String {
    table
        .iter()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Names between commas, each once.
fn groups(text: &str) -> Option<Vec<String>> {
    if text == "none" {
        return Some(Vec::new());
    }
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    let good = |name: &String| !name.is_empty() && name.len() <= NAME_BYTES_MAX;
    let different: BTreeSet<&String> = names.iter().collect();
    (names.iter().all(good) && different.len() == names.len()).then_some(names)
}

/// A number, or `none` for 0.
fn limit(text: &str, least: u32, most: u32) -> Option<u32> {
    match text {
        "none" => Some(0),
        number => number.parse().ok().filter(|n| (least..=most).contains(n)),
    }
}

fn seconds(text: &str, least: u64) -> Option<u64> {
    text.parse()
        .ok()
        .filter(|seconds| (least..=SECONDS_MAX).contains(seconds))
}

impl Setting {
    /// Every setting, in the order in which they are shown.
    pub const ALL: [Self; 26] = [
        Self::Claims,
        Self::Budget,
        Self::Lease,
        Self::Beat,
        Self::Abandon,
        Self::Settle,
        Self::Patience,
        Self::ForeignWait,
        Self::Unknown,
        Self::OnSurplus,
        Self::OnPartial,
        Self::Retries,
        Self::Confirm,
        Self::Voters,
        Self::Order,
        Self::Distribute,
        Self::DrainGroups,
        Self::Groups,
        Self::ExcludeBackburner,
        Self::NeverSkip,
        Self::Autoprint,
        Self::AmountMargin,
        Self::SortLimit,
        Self::HeatSlots,
        Self::HeatWatts,
        Self::Turnaround,
    ];

    /// Returns its key.
    pub fn key(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::Budget => "budget",
            Self::Lease => "lease",
            Self::Beat => "beat",
            Self::Abandon => "abandon",
            Self::Settle => "settle",
            Self::Patience => "patience",
            Self::ForeignWait => "foreign-wait",
            Self::Unknown => "unknown",
            Self::OnSurplus => "on-surplus",
            Self::OnPartial => "on-partial",
            Self::Retries => "retries",
            Self::Confirm => "confirm",
            Self::Voters => "voters",
            Self::Order => "order",
            Self::Distribute => "distribute",
            Self::DrainGroups => "drain-groups",
            Self::Groups => "groups",
            Self::ExcludeBackburner => "exclude-backburner",
            Self::NeverSkip => "never-skip",
            Self::Autoprint => "autoprint",
            Self::AmountMargin => "amount-margin",
            Self::SortLimit => "sort-limit",
            Self::HeatSlots => "heat-slots",
            Self::HeatWatts => "heat-watts",
            Self::Turnaround => "turnaround",
        }
    }

    /// Returns the setting with that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.key() == key)
    }

    /// Returns what may be typed for it.
    pub fn allowed(self) -> String {
        match self {
            Self::Claims => words(&LEVELS),
            Self::Budget => words(&BUDGETS),
            Self::Lease
            | Self::Beat
            | Self::Settle
            | Self::Patience
            | Self::ForeignWait
            | Self::Turnaround => format!("seconds, at most {SECONDS_MAX}"),
            Self::Abandon => format!("eta, never, or seconds from 60 to {SECONDS_MAX}"),
            Self::Unknown => words(&UNKNOWNS),
            Self::OnSurplus => words(&ON_SURPLUS),
            Self::OnPartial => words(&ON_PARTIAL),
            Self::Retries => format!("a number from 0 to {RETRIES_MAX}"),
            Self::Confirm => words(&CONFIRMS),
            Self::Voters => words(&VOTERS),
            Self::Order => words(&ORDERS),
            Self::Distribute => words(&DISTRIBUTES),
            Self::DrainGroups | Self::ExcludeBackburner | Self::Autoprint => words(&SWITCHES),
            Self::NeverSkip => words(&NEVER_SKIPS),
            Self::Groups => "none, or names in their order, with commas between them".to_owned(),
            Self::AmountMargin => format!("grams, at most {AMOUNT_MARGIN_MAX}"),
            Self::HeatSlots => format!("none, or a number up to {HEAT_SLOTS_MAX}"),
            Self::HeatWatts => format!("none, or watts from 100 to {HEAT_WATTS_MAX}"),
            Self::SortLimit => "none, a number, a percentage like 25%, or both: 20,25%".to_owned(),
        }
    }
}

impl Settings {
    /// Sets one setting from what a person typed. Returns whether the value means something; if not, nothing changed.
    pub fn set(&mut self, setting: Setting, text: &str) -> bool {
        fn put<T>(place: &mut T, value: Option<T>) -> bool {
            value.map(|value| *place = value).is_some()
        }
        match setting {
            Setting::Claims => put(&mut self.claims, of(&LEVELS, text)),
            Setting::Budget => put(&mut self.budget, of(&BUDGETS, text)),
            Setting::Lease => put(&mut self.lease_s, seconds(text, 4)),
            Setting::Beat => put(&mut self.beat_s, seconds(text, 1)),
            Setting::Abandon => {
                let abandon = match text {
                    "eta" => Some(Abandon::Eta),
                    "never" => Some(Abandon::Never),
                    other => seconds(other, 60).map(Abandon::After),
                };
                put(&mut self.abandon, abandon)
            }
            Setting::Settle => put(&mut self.settle_s, seconds(text, 0)),
            Setting::Patience => put(&mut self.patience_s, seconds(text, 0)),
            Setting::ForeignWait => put(&mut self.foreign_wait_s, seconds(text, 0)),
            Setting::Unknown => put(&mut self.unknown, of(&UNKNOWNS, text)),
            Setting::OnSurplus => put(&mut self.on_surplus, of(&ON_SURPLUS, text)),
            Setting::OnPartial => put(&mut self.on_partial, of(&ON_PARTIAL, text)),
            Setting::Retries => {
                let retries = text.parse().ok().filter(|retries| *retries <= RETRIES_MAX);
                put(&mut self.retries, retries)
            }
            Setting::Confirm => put(&mut self.confirm, of(&CONFIRMS, text)),
            Setting::Voters => put(&mut self.voters, of(&VOTERS, text)),
            Setting::Order => put(&mut self.order, of(&ORDERS, text)),
            Setting::Distribute => put(&mut self.distribute, of(&DISTRIBUTES, text)),
            Setting::DrainGroups => put(&mut self.drain_groups, of(&SWITCHES, text)),
            Setting::Groups => put(&mut self.groups, groups(text)),
            Setting::ExcludeBackburner => put(&mut self.exclude_backburner, of(&SWITCHES, text)),
            Setting::NeverSkip => put(&mut self.never_skip, of(&NEVER_SKIPS, text)),
            Setting::Autoprint => put(&mut self.autoprint, of(&SWITCHES, text)),
            Setting::AmountMargin => {
                let grams = text.parse().ok().filter(|g| *g <= AMOUNT_MARGIN_MAX);
                put(&mut self.amount_margin_g, grams)
            }
            Setting::SortLimit => put(&mut self.sort_limit, SortLimit::parse(text)),
            Setting::HeatSlots => put(&mut self.heat_slots, limit(text, 1, HEAT_SLOTS_MAX)),
            Setting::HeatWatts => put(&mut self.heat_watts, limit(text, 100, HEAT_WATTS_MAX)),
            Setting::Turnaround => put(&mut self.turnaround_s, seconds(text, 0)),
        }
    }

    /// Returns a setting as a person would type it.
    pub fn get(&self, setting: Setting) -> String {
        match setting {
            Setting::Claims => word(&LEVELS, self.claims),
            Setting::Budget => word(&BUDGETS, self.budget),
            Setting::Lease => self.lease_s.to_string(),
            Setting::Beat => self.beat_s.to_string(),
            Setting::Abandon => match self.abandon {
                Abandon::Eta => "eta".to_owned(),
                Abandon::Never => "never".to_owned(),
                Abandon::After(seconds) => seconds.to_string(),
            },
            Setting::Settle => self.settle_s.to_string(),
            Setting::Patience => self.patience_s.to_string(),
            Setting::ForeignWait => self.foreign_wait_s.to_string(),
            Setting::Unknown => word(&UNKNOWNS, self.unknown),
            Setting::OnSurplus => word(&ON_SURPLUS, self.on_surplus),
            Setting::OnPartial => word(&ON_PARTIAL, self.on_partial),
            Setting::Retries => self.retries.to_string(),
            Setting::Confirm => word(&CONFIRMS, self.confirm),
            Setting::Voters => word(&VOTERS, self.voters),
            Setting::Order => word(&ORDERS, self.order),
            Setting::Distribute => word(&DISTRIBUTES, self.distribute),
            Setting::DrainGroups => word(&SWITCHES, self.drain_groups),
            Setting::Groups if self.groups.is_empty() => "none".to_owned(),
            Setting::Groups => self.groups.join(","),
            Setting::ExcludeBackburner => word(&SWITCHES, self.exclude_backburner),
            Setting::NeverSkip => word(&NEVER_SKIPS, self.never_skip),
            Setting::Autoprint => word(&SWITCHES, self.autoprint),
            Setting::AmountMargin => self.amount_margin_g.to_string(),
            Setting::SortLimit => self.sort_limit.text(),
            Setting::HeatSlots if self.heat_slots > 0 => self.heat_slots.to_string(),
            Setting::HeatWatts if self.heat_watts > 0 => self.heat_watts.to_string(),
            Setting::HeatSlots | Setting::HeatWatts => "none".to_owned(),
            Setting::Turnaround => self.turnaround_s.to_string(),
        }
    }

    /// Reads what the document says; what it does not say, or says in words of a later version, stays as it is by default.
    pub(crate) fn read(values: &BTreeMap<Setting, String>) -> Self {
        let mut settings = Self::default();
        for (setting, text) in values {
            settings.set(*setting, text);
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_setting_can_be_typed_again() {
        let shown = Settings::default();
        let mut typed = Settings::default();
        for setting in Setting::ALL {
            assert_eq!(Setting::from_key(setting.key()), Some(setting));
            assert!(typed.set(setting, &shown.get(setting)), "{}", setting.key());
        }
        assert_eq!(typed, shown);
    }

    #[test]
    fn a_value_that_means_nothing_changes_nothing() {
        // Groups may have any names.
        let named = |setting: &Setting| *setting != Setting::Groups;
        for setting in Setting::ALL.into_iter().filter(named) {
            let mut settings = Settings::default();
            for bad in ["", "maybe", "-1", "1.5", "99999999999", "2 h"] {
                assert!(!settings.set(setting, bad), "{} = {bad}", setting.key());
            }
            assert_eq!(settings, Settings::default());
        }
    }

    #[test]
    fn groups_are_named_once_each_in_their_order() {
        let mut settings = Settings::default();
        assert!(settings.set(Setting::Groups, "rush orders, stock"));
        assert_eq!(settings.groups, ["rush orders", "stock"]);
        assert_eq!(settings.get(Setting::Groups), "rush orders,stock");
        for bad in ["", "a,,b", "a,a", &"x".repeat(201)] {
            assert!(!settings.set(Setting::Groups, bad), "{bad}");
        }
        assert!(settings.set(Setting::Groups, "none"));
        assert!(settings.groups.is_empty());
    }
}
