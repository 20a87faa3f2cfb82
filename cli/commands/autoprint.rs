//! `autoprint`: whether printers of this host start prints by themselves.

use clap::{Args, Subcommand};
use printmesh_api::{problem::Problem, request::Request};

use super::show;
use crate::context::Context;

/// Let printers of this host start prints by themselves, or not
///
/// Examples:
///   printmesh autoprint on mk4
///   printmesh autoprint on mk4 --cycles 3     three copies, then a person decides
///   printmesh autoprint off --all
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Autoprint {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start prints as soon as the printer is free and its bed is clear
    On {
        #[command(flatten)]
        which: Which,
        /// Switch it off again after that many copies
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        cycles: Option<u32>,
    },
    /// Start nothing; a running print goes on
    Off(Which),
}

#[derive(Args, Debug)]
struct Which {
    /// Printers of this host
    #[arg(required_unless_present = "all")]
    printer: Vec<String>,
    /// All printers of this host
    #[arg(long, conflicts_with = "printer")]
    all: bool,
}

pub(super) async fn run(cx: &Context, args: Autoprint) -> Result<u8, Problem> {
    let (which, on, cycles) = match args.action {
        Action::On { which, cycles } => (which, true, cycles),
        Action::Off(which) => (which, false, None),
    };
    // An empty list means all of them: clap lets it through only with `--all`.
    let request = Request::Autoprint {
        printers: which.printer,
        on,
        cycles,
    };
    show(cx, request).await
}
