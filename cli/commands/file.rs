//! `file`: what sliced files say about themselves. They are read where they lie; no daemon is needed.

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand, ValueHint};
use printmesh_api::{envelope::versioned, problem::Problem};
use printmesh_daemon::{Profiles, look};
use serde_json::json;

use crate::{
    context::Context,
    error::{exit, system},
    render::{
        file,
        table::{Block, Cell},
    },
};

/// Look into sliced files before they are submitted
///
/// Examples:
///   printmesh file inspect bracket.gcode
///   printmesh file inspect kit.gcode.3mf --json
///   printmesh file thumbnail bracket.gcode -o bracket.png
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
    /// Save the picture that a slicer put into its file
    Thumbnail {
        /// Sliced file
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Where to; a file that is there is not overwritten
        #[arg(long, short = 'o', value_hint = ValueHint::FilePath, value_name = "PICTURE")]
        out: PathBuf,
        /// Of this plate; otherwise of the first one
        #[arg(long, value_name = "N")]
        plate: Option<u32>,
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
        Action::Thumbnail { file, out, plate } => {
            let picture = look::picture(&file, plate)?;
            let saving = |error: std::io::Error| system(&format!("save {}", out.display()), &error);
            let mut target = std::fs::File::create_new(&out).map_err(saving)?;
            target.write_all(&picture.bytes).map_err(saving)?;
            let text = format!("{} is a picture ({})", out.display(), picture.format);
            let done = || versioned(json!({"kind": "Done", "already": false, "text": text}));
            let names = [out.display().to_string()];
            cx.output
                .answer(done, &names, || vec![Block::Line(Cell::new(text.clone()))])?;
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
