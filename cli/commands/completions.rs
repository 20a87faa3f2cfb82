//! `completions`: scripts for shells.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use printmesh_api::problem::Problem;

use crate::{args::Cli, context::Context, error::exit};

/// Print a completion script for a shell
///
/// Examples:
///   printmesh completions bash > ~/.local/share/bash-completion/completions/printmesh
///   printmesh completions zsh > ~/.zfunc/_printmesh
///   printmesh completions fish > ~/.config/fish/completions/printmesh.fish
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(cx: &Context, args: Completions) -> Result<u8, Problem> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "printmesh", &mut script);
    cx.output.print(&String::from_utf8_lossy(&script))?;
    Ok(exit::DONE)
}
