//! `file`: what sliced files say about themselves. They are read where they lie; no daemon is needed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use printmesh_api::{envelope::versioned, problem::Problem};
use printmesh_daemon::{Profiles, look};
use serde_json::json;

use crate::{
    context::Context,
    error::{exit, system},
    render::file,
};

/// Look into sliced files before they are submitted
///
/// Examples:
///   printmesh file inspect bracket.gcode
///   printmesh file inspect kit.gcode.3mf --json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct File {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what files need: time, material per tool, nozzle, size, the printer they are for
    #[command(visible_alias = "show")]
    Inspect {
        /// Sliced files: G-code, binary G-code, or projects with sliced plates
        #[arg(required = true, value_hint = ValueHint::FilePath, value_name = "FILE")]
        file: Vec<PathBuf>,
    },
}

pub(super) async fn run(cx: &Context, args: File) -> Result<u8, Problem> {
    match args.action {
        Action::Inspect { file } => {
            let files = read(cx, file).await?;
            let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
            let list = || versioned(json!({"kind": "Files", "items": files}));
            cx.output.answer(list, &names, || file::inspected(&files))?;
            Ok(exit::DONE)
        }
    }
}

/// Reads files off the async threads: large ones take a while.
pub(super) async fn read(
    cx: &Context,
    paths: Vec<PathBuf>,
) -> Result<Vec<printmesh_api::sliced::File>, Problem> {
    let home = cx.home.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let profiles = Profiles::load(&home)?;
        paths
            .iter()
            .map(|path| look::file(path, &profiles))
            .collect()
    });
    reading
        .await
        .map_err(|error| system("read the files", &std::io::Error::other(error)))?
}
