//! When and where a job may print, as far as a person says so: its group, its priority, its dates, what it asks of printers.
//!
//! Each field is a key of its own in the document and has a default; the rules that read them are the scheduler's.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How urgent a job is: automatic sorting puts the higher one first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// After everything else.
    Low,
    /// What a job is when nobody says anything.
    #[default]
    Normal,
    /// Before normal ones.
    High,
    /// Before everything else.
    Rush,
}

/// What the colours that a file names mean for the choice of a printer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ColorRule {
    /// Any colour will do.
    #[default]
    Any,
    /// A printer with a similar colour comes before one without.
    Prefer,
    /// Only a printer with the very colour.
    Require,
}

/// When and where a job may print.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Name of its group; empty = none.
    pub group: String,
    /// Parked: printed when nothing else can be, or only when somebody starts it.
    pub backburner: bool,
    /// It is printed although a spool seems to hold too little for it.
    pub print_anyway: bool,
    /// How urgent it is.
    pub priority: Priority,
    /// When it should be done, by the clock of who said so.
    pub due: Option<Timestamp>,
    /// Nothing of it starts earlier, by the clock of the host that would start it.
    pub not_before: Option<Timestamp>,
    /// What the colours of its files mean.
    pub color: ColorRule,
    /// A printer must have all of these.
    pub tags: Vec<String>,
    /// Round-robin begins to count its copies here: what the least served job had when this one came.
    pub level: u32,
}

const PRIORITIES: [(&str, Priority); 4] = [
    ("low", Priority::Low),
    ("normal", Priority::Normal),
    ("high", Priority::High),
    ("rush", Priority::Rush),
];
const COLOR_RULES: [(&str, ColorRule); 3] = [
    ("any", ColorRule::Any),
    ("prefer", ColorRule::Prefer),
    ("require", ColorRule::Require),
];

fn of<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    let found = table.iter().find(|(name, _)| *name == word);
    found.map(|(_, value)| *value)
}

fn word<T: Copy + PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    let found = table.iter().find(|(_, other)| *other == value);
    found.map_or("", |(name, _)| name)
}

impl Priority {
    /// Reads the word for it.
    pub fn from_word(text: &str) -> Option<Self> {
        of(&PRIORITIES, text)
    }

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        word(&PRIORITIES, self)
    }
}

impl ColorRule {
    /// Reads the word for it.
    pub fn from_word(text: &str) -> Option<Self> {
        of(&COLOR_RULES, text)
    }

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        word(&COLOR_RULES, self)
    }
}
