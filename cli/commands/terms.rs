//! When and where a job may print, as `submit` and `job edit` take it.

use clap::{Args, ValueEnum};
use printmesh_api::request;

use crate::render::time::parse_when;

/// When and where a job may print.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Terms {
    /// Group of the job; `none` takes it out
    #[arg(short, long, value_name = "NAME", group = "change")]
    group: Option<String>,
    /// Park it: printed when nothing else can be; =false takes it out
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", group = "change")]
    backburner: Option<bool>,
    /// Print it although a spool seems to hold too little for it; =false asks again
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", group = "change")]
    print_anyway: Option<bool>,
    /// How urgent it is, for automatic sorting
    #[arg(long, value_enum, group = "change")]
    priority: Option<Priority>,
    /// When it should be done: 2026-12-01T17:00, 17:00, +3h, none
    #[arg(long, value_name = "TIME", value_parser = parse_when, group = "change")]
    due: Option<u64>,
    /// Start nothing of it earlier: 2026-12-01T17:00, 17:00, +3h, none
    #[arg(long, value_name = "TIME", value_parser = parse_when, group = "change")]
    not_before: Option<u64>,
    /// What the colours that its files name mean
    #[arg(long, value_enum, value_name = "RULE", group = "change")]
    colour: Option<Colour>,
    /// Only printers with this tag; may be repeated
    #[arg(long, value_name = "TAG", group = "change")]
    tag: Vec<String>,
}

/// How urgent a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Priority {
    /// After everything else
    Low,
    /// As if nothing was said
    Normal,
    /// Before normal ones
    High,
    /// Before everything else
    Rush,
}

/// What the colours of its files mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Colour {
    /// Any will do
    Any,
    /// A printer with a similar one comes first
    Prefer,
    /// Only a printer with the very one
    Require,
}

/// The printers that a job is for: those that are named, and all of these models.
pub(super) fn printers(mut named: Vec<String>, models: &[String]) -> Vec<String> {
    named.extend(models.iter().map(|model| format!("model:{model}")));
    named
}

impl Terms {
    /// In the words of the API.
    pub(super) fn asked(&self) -> request::Terms {
        let group = self.group.as_deref().map(|group| match group {
            "none" => String::new(),
            name => name.to_owned(),
        });
        let priority = self.priority.map(|priority| match priority {
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
            Priority::Rush => "rush",
        });
        let color = self.colour.map(|colour| match colour {
            Colour::Any => "any",
            Colour::Prefer => "prefer",
            Colour::Require => "require",
        });
        request::Terms {
            group,
            backburner: self.backburner,
            print_anyway: self.print_anyway,
            priority: priority.map(str::to_owned),
            due_ms: self.due,
            not_before_ms: self.not_before,
            color: color.map(str::to_owned),
            tags: Some(self.tag.clone()).filter(|tags| !tags.is_empty()),
        }
    }
}
