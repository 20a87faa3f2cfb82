//! `profile`: the kinds of printers that are known, and which one a file is for. No daemon is needed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use printmesh_api::{envelope::versioned, problem::Problem};
use printmesh_daemon::Profiles;
use serde_json::{Value, json};

use super::file::read;
use crate::{
    context::Context,
    error::exit,
    render::{
        file,
        table::{Block, Cell},
    },
};

/// See which kinds of printers are known, and which one a file is for
///
/// Examples:
///   printmesh profile list prusa
///   printmesh profile show MK4S
///   printmesh profile detect bracket.gcode lid.bgcode
///   printmesh profile add mine.toml
///
/// Your own profiles are in DIR/profiles/*.toml, where DIR is what --home says; they have the fields that
/// `profile show` shows: name, models, profiles, volume_mm, nozzle_mm, nozzle_c_max, bed_c_max, enclosed, firmware.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Profile {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List printer profiles, your own first
    #[command(visible_alias = "ls")]
    List {
        /// Only those with this text in their name or model
        filter: Option<String>,
    },
    /// Show one printer profile
    Show {
        /// Its name
        profile: String,
    },
    /// Take a file of your own profiles into use
    Add {
        /// A TOML file with profiles
        #[arg(value_hint = ValueHint::FilePath, value_name = "FILE.toml")]
        file: PathBuf,
    },
    /// Take one of your own profiles out
    #[command(visible_alias = "rm")]
    Remove {
        /// Its name
        profile: String,
    },
    /// Tell which printer profile files were sliced for
    Detect {
        /// Sliced files
        #[arg(required = true, value_hint = ValueHint::FilePath, value_name = "FILE")]
        file: Vec<PathBuf>,
    },
}

pub(super) async fn run(cx: &Context, args: Profile) -> Result<u8, Problem> {
    match args.action {
        Action::List { filter } => {
            let profiles = Profiles::load(&cx.home)?.list(filter.as_deref());
            let names: Vec<String> = profiles.iter().map(|it| it.name.clone()).collect();
            let list = || versioned(json!({"kind": "Profiles", "items": profiles}));
            cx.output
                .answer(list, &names, || file::profiles(&profiles))?;
        }
        Action::Show { profile } => {
            let profile = Profiles::load(&cx.home)?.show(&profile)?;
            let one = || {
                let mut value = json!(profile);
                if let Value::Object(fields) = &mut value {
                    fields.insert("kind".to_owned(), Value::from("Profile"));
                }
                versioned(value)
            };
            let names = [profile.name.clone()];
            cx.output.answer(one, &names, || file::profile(&profile))?;
        }
        Action::Add { file } => {
            let names = Profiles::add(&cx.home, &file)?;
            let text = format!("{} can be used now", names.join(", "));
            done(cx, &text, &names)?;
        }
        Action::Remove { profile } => {
            let name = Profiles::remove(&cx.home, &profile)?;
            let text = format!("{name} is out of use");
            done(cx, &text, &[name])?;
        }
        Action::Detect { file } => {
            let files = read(cx, file).await?;
            let plates = || {
                files
                    .iter()
                    .flat_map(|file| file.plates.iter().map(move |it| (file, it)))
            };
            let names: Vec<String> = plates().filter_map(|(_, it)| it.profile.clone()).collect();
            let list = || {
                let items: Vec<Value> = plates()
                    .map(|(file, plate)| {
                        json!({
                            "file": file.name, "plate": plate.number, "profile": plate.profile,
                            "model": plate.model, "slicerProfile": plate.slicer_profile, "why": plate.profile_why,
                        })
                    })
                    .collect();
                versioned(json!({"kind": "Detected", "items": items}))
            };
            cx.output.answer(list, &names, || file::detected(&files))?;
        }
    }
    Ok(exit::DONE)
}

fn done(cx: &Context, text: &str, names: &[String]) -> Result<(), Problem> {
    let answer = || versioned(json!({"kind": "Done", "already": false, "text": text}));
    cx.output.answer(answer, names, || {
        vec![Block::Line(Cell::new(text.to_owned()))]
    })
}
