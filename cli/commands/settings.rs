//! `queue set`: how a queue behaves.

use std::collections::BTreeMap;

use clap::Args;
use printmesh_api::{problem::Problem, request::Request};

use super::show;
use crate::context::Context;

/// Change how a queue behaves, for everybody; `queue show` lists what is set
///
/// Examples:
///   printmesh queue set farm --claims majority            start nothing that the voters have not decided
///   printmesh queue set farm --patience 10 --budget one   go on without them sooner, one copy of each job
///   printmesh queue set farm --on-surplus abort           stop prints that turn out to be one too many
///   printmesh queue set farm --order round-robin -n       what that would start now
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("any").required(true).multiple(true))]
pub(super) struct Set {
    /// Queue
    queue: String,
    /// What happens when the voters cannot be reached: available, majority
    #[arg(long, value_name = "LEVEL", group = "any")]
    claims: Option<String>,
    /// How much is started without them: auto, one, home, all
    #[arg(long, value_name = "BUDGET", group = "any")]
    budget: Option<String>,
    /// Seconds of silence after which a claim that has not started lapses
    #[arg(long, value_name = "SECONDS", group = "any")]
    lease: Option<String>,
    /// Seconds between two signs of life of a claim
    #[arg(long, value_name = "SECONDS", group = "any")]
    beat: Option<String>,
    /// When a silent print is given up: eta, never, or seconds
    #[arg(long, value_name = "WHEN", group = "any")]
    abandon: Option<String>,
    /// Seconds between saying that a copy is started without the voters, and starting it
    #[arg(long, value_name = "SECONDS", group = "any")]
    settle: Option<String>,
    /// Seconds without the voters before anything is started without them
    #[arg(long, value_name = "SECONDS", group = "any")]
    patience: Option<String>,
    /// Seconds before the copies of printers that are away are started without the voters
    #[arg(long, value_name = "SECONDS", group = "any")]
    foreign_wait: Option<String>,
    /// Who decides about a copy of which nobody knows how it ended: person, eta
    #[arg(long, value_name = "WHO", group = "any")]
    unknown: Option<String>,
    /// What becomes of a print that is one too many: finish, pause, abort
    #[arg(long, value_name = "WHAT", group = "any")]
    on_surplus: Option<String>,
    /// What is printed again of a copy that failed: rest, restart
    #[arg(long, value_name = "WHAT", group = "any")]
    on_partial: Option<String>,
    /// How often a copy that failed is tried again
    #[arg(long, value_name = "N", group = "any")]
    retries: Option<String>,
    /// Whether every start asks the voters once more: auto, always
    #[arg(long, value_name = "WHEN", group = "any")]
    confirm: Option<String>,
    /// In which order copies go to printers: sequential, round-robin
    #[arg(long, value_name = "ORDER", group = "any")]
    order: Option<String>,
    /// Which printer gets a copy: position, reverse, random, least-recently-used, hours, most-hours, best-fit
    #[arg(long, value_name = "HOW", group = "any")]
    distribute: Option<String>,
    /// Process a group fully before the next one: on, off
    #[arg(long, value_name = "ON", group = "any")]
    drain_groups: Option<String>,
    /// The order of the groups, with commas between them, or none
    #[arg(long, value_name = "NAMES", group = "any")]
    groups: Option<String>,
    /// Leave the backburner to people: on, off
    #[arg(long, value_name = "ON", group = "any")]
    exclude_backburner: Option<String>,
    /// Let printers wait for the first job that they could print: off, on, backfill, strict
    #[arg(long, value_name = "HOW", group = "any")]
    never_skip: Option<String>,
    /// Let printers start jobs of this queue by themselves, where they do so at all: on, off
    #[arg(long, value_name = "ON", group = "any")]
    autoprint: Option<String>,
    /// Grams that must be left on a spool beyond what a copy takes
    #[arg(long, value_name = "GRAMS", group = "any")]
    amount_margin: Option<String>,
    /// How many of the first jobs automatic sorting may reorder: 20, 25%, 20,25%, none
    #[arg(long, value_name = "LIMIT", group = "any")]
    sort_limit: Option<String>,
    /// Printers of one circuit that may heat up at once, on whatever hosts: a number, none
    #[arg(long, value_name = "N", group = "any")]
    heat_slots: Option<String>,
    /// Watts that the printers of one circuit may draw together while they heat up: a number, none
    #[arg(long, value_name = "W", group = "any")]
    heat_watts: Option<String>,
    /// Seconds until somebody has cleared a bed after a print: finish times count them
    #[arg(long, value_name = "SECONDS", group = "any")]
    turnaround: Option<String>,
    /// Change nothing; say which starts would be others now
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) async fn run(cx: &Context, args: Set) -> Result<u8, Problem> {
    let queue = args.queue;
    let settings: BTreeMap<String, String> = [
        ("claims", args.claims),
        ("budget", args.budget),
        ("lease", args.lease),
        ("beat", args.beat),
        ("abandon", args.abandon),
        ("settle", args.settle),
        ("patience", args.patience),
        ("foreign-wait", args.foreign_wait),
        ("unknown", args.unknown),
        ("on-surplus", args.on_surplus),
        ("on-partial", args.on_partial),
        ("retries", args.retries),
        ("confirm", args.confirm),
        ("order", args.order),
        ("distribute", args.distribute),
        ("drain-groups", args.drain_groups),
        ("groups", args.groups),
        ("exclude-backburner", args.exclude_backburner),
        ("never-skip", args.never_skip),
        ("autoprint", args.autoprint),
        ("amount-margin", args.amount_margin),
        ("sort-limit", args.sort_limit),
        ("heat-slots", args.heat_slots),
        ("heat-watts", args.heat_watts),
        ("turnaround", args.turnaround),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect();
    let request = Request::QueueSet {
        queue,
        settings,
        dry_run: args.dry_run,
    };
    show(cx, request).await
}
