//! The grammar: what can be typed. Each command's own words are in its file under `commands/`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueHint};

use crate::{
    commands::{
        autoprint, completions, daemon, demo, events, file, history, init, job, jobs, join, match_,
        member, printer, profile, queue, simulate, status, submit, todo, up,
    },
    render::{When, json::Fields, time::parse_duration},
};

/// A print queue that many 3D printers share, with no server
///
/// Examples:
///   printmesh demo                            see it work in a minute, nothing is left behind
///   printmesh init --sim                      set this host up, with a simulated printer
///   printmesh submit base.gcode leg.gcode:4   print a job of two parts, the second four times
///   printmesh queue create farm               a queue to share
///   printmesh queue share farm                a ticket for another host, which says: printmesh join TICKET
///
/// Exit codes:
///   0 done   1 failed   2 usage   3 not found or ambiguous   4 not allowed   5 conflict   6 no daemon
///   7 timed out   8 partly done   9 printer error   10 the awaited job failed   130 interrupted
#[derive(Debug, Parser)]
#[command(
    name = "printmesh",
    version,
    max_term_width = 100,
    verbatim_doc_comment,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Answer as JSON; with FIELDS only these (id,claims.host)
    #[arg(long, global = true, num_args = 0..=1, require_equals = true, default_missing_value = "*", value_name = "FIELDS")]
    pub(crate) json: Option<String>,
    /// Print only ids and errors
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    /// Never ask; fail and name the flag that answers
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Answer yes to the question
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    pub(crate) color: When,
    /// Use this state directory and its daemon [default: $XDG_STATE_HOME/printmesh or ~/.local/state/printmesh]
    #[arg(long, global = true, env = "PRINTMESH_HOME", hide_env = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) home: Option<PathBuf>,
    /// Give up after this long, as 30s or 10m; 0 = never [default: 30s for an answer, never for a print or a person]
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,
}

impl Global {
    /// What `--json` asked for.
    pub(crate) fn fields(&self) -> Option<Fields> {
        self.json.as_deref().map(Fields::parse)
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(display_order = 1)]
    Init(init::Init),
    #[command(display_order = 2)]
    Up(up::Up),
    #[command(display_order = 3)]
    Join(join::Join),
    #[command(display_order = 4)]
    Demo(demo::Demo),
    #[command(display_order = 10)]
    Submit(submit::Submit),
    #[command(display_order = 11)]
    Status(status::Status),
    #[command(display_order = 12)]
    Jobs(jobs::Jobs),
    #[command(display_order = 14)]
    Match(match_::Match),
    #[command(display_order = 15)]
    Todo(todo::Todo),
    #[command(display_order = 16)]
    History(history::History),
    #[command(display_order = 14)]
    Simulate(simulate::Simulate),
    #[command(display_order = 30)]
    Job(job::Job),
    #[command(display_order = 31)]
    Queue(queue::Queue),
    #[command(display_order = 32)]
    Member(member::Member),
    #[command(display_order = 33)]
    Printer(printer::Printer),
    #[command(display_order = 34)]
    Autoprint(autoprint::Autoprint),
    #[command(display_order = 35)]
    Profile(profile::Profile),
    #[command(display_order = 36)]
    File(file::File),
    #[command(display_order = 50)]
    Daemon(daemon::Daemon),
    #[command(display_order = 51)]
    Events(events::Events),
    #[command(display_order = 52)]
    Completions(completions::Completions),
}
