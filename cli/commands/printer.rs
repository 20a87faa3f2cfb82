//! `printer`: the machines of this host, and what is known of the others.

use clap::{Args, Subcommand};
use printmesh_api::{problem::Problem, request::Request};

use super::{batch, equip, show};
use crate::context::Context;

/// Add, show, pause and remove printers
///
/// Examples:
///   printmesh printer add mk4 --at 'serial:/dev/serial/by-id/usb-Prusa-if00?baud=115200'
///   printmesh printer list
///   printmesh printer ready mk4
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Printer {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a printer to this host, after testing the connection
    ///
    /// Examples:
    ///   printmesh printer add mk4 --at 'serial:/dev/ttyACM0?baud=115200'
    ///   printmesh printer add mk4 --at 'serial:/dev/ttyACM0?baud=115200' --profile MK4S
    ///   printmesh printer add sim-1 --at 'sim://?speed=60'
    #[command(verbatim_doc_comment)]
    Add {
        /// Its name, unique on this host
        name: String,
        /// Where it is: serial:/dev/…?baud=N or sim://?speed=N
        #[arg(long, value_name = "ADDRESS")]
        at: String,
        /// What it is: nozzle, volume and limits as this profile says
        #[arg(long)]
        profile: Option<String>,
    },
    /// List printers of this host and of the members of its queues
    #[command(visible_alias = "ls")]
    List,
    /// Show one printer and why it idles
    Show {
        /// NAME or HOST/NAME
        printer: String,
        /// Each waiting job, why the printer does or does not take it, and what would change that
        #[arg(long)]
        why: bool,
    },
    Edit(Box<equip::Edit>),
    Load(equip::Load),
    Unload(equip::Unload),
    Nozzle(equip::Nozzle),
    /// Say that the bed is empty: ready for the next print
    Ready {
        /// Printers of this host
        #[arg(required_unless_present = "all")]
        printer: Vec<String>,
        /// All printers of this host that wait for it
        #[arg(long, conflicts_with = "printer")]
        all: bool,
        /// What was made last is good: where a verdict is waited for
        #[arg(long, conflicts_with = "bad")]
        good: bool,
        /// What was made last is not good, also when it was called good before and nothing has begun since: it is tried again
        /// as often as the queue allows
        #[arg(long)]
        bad: bool,
    },
    /// Take no new copies; the running print goes on
    Pause {
        /// Printers of this host
        #[arg(required = true)]
        printer: Vec<String>,
        /// Why, shown to everybody
        #[arg(long)]
        reason: Option<String>,
    },
    /// Take copies again
    Resume {
        /// Printers of this host
        #[arg(required = true)]
        printer: Vec<String>,
    },
    /// Forget a printer of this host; refused while it prints
    #[command(visible_alias = "rm")]
    Remove {
        /// Printer of this host
        printer: String,
    },
}

pub(super) async fn run(cx: &Context, args: Printer) -> Result<u8, Problem> {
    match args.action {
        Action::Add { name, at, profile } => {
            show(cx, Request::PrinterAdd { name, at, profile }).await
        }
        Action::List => show(cx, Request::PrinterList).await,
        Action::Show { printer, why: true } => show(cx, Request::PrinterWhy { printer }).await,
        Action::Show {
            printer,
            why: false,
        } => show(cx, Request::PrinterShow { printer }).await,
        Action::Edit(args) => equip::edit(cx, *args).await,
        Action::Load(args) => equip::load(cx, args).await,
        Action::Unload(args) => equip::unload(cx, args).await,
        Action::Nozzle(args) => equip::nozzle(cx, args).await,
        // An empty list means all that wait: clap lets it through only with `--all`.
        Action::Ready {
            printer, good, bad, ..
        } => {
            let request = Request::PrinterReady {
                printers: printer,
                good: (good || bad).then_some(good),
            };
            show(cx, request).await
        }
        Action::Pause { printer, reason } => {
            let ask = |printer| {
                let reason = reason.clone();
                cx.call(Request::PrinterPause { printer, reason })
            };
            batch::each(cx, printer, ask).await
        }
        Action::Resume { printer } => {
            let ask = |printer| cx.call(Request::PrinterResume { printer });
            batch::each(cx, printer, ask).await
        }
        Action::Remove { printer } => show(cx, Request::PrinterRemove { printer }).await,
    }
}
