//! `submit` = `job submit`: files are uploaded, then become one job.

use std::{collections::BTreeMap, io::Read, path::PathBuf};

use clap::{Args, ValueHint};
use printmesh_api::{
    problem::{Problem, codes},
    reply::{Reply, Uploaded},
    request::{NewJob, NewSet, Request},
    service::UPLOAD_BYTES_MAX,
};

use super::{terms, wait};
use crate::{
    context::Context,
    error::{code, exit, foreign, usage},
    render::{job, progress},
};

/// Put files in a queue as one job
///
/// Examples:
///   printmesh submit base.gcode leg.gcode:4 -c 3 -q farm
///   printmesh submit lid.gcode --printer mk4 --wait
///
/// Each file is a set of the job and is printed N times per copy; copies may go to different printers, what
/// is in one copy never does. Without --queue the job goes to `local`, where only this host prints.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, group = clap::ArgGroup::new("change").multiple(true))]
pub(crate) struct Submit {
    /// G-code, binary G-code, or sliced projects, whose plates are a set each; FILE:N prints it N times per copy
    #[arg(required = true, value_hint = ValueHint::FilePath, value_name = "FILE[:N]")]
    file: Vec<String>,
    /// Queue [default: local]
    #[arg(short, long, env = "PRINTMESH_QUEUE", hide_env = true)]
    queue: Option<String>,
    /// Copies of the whole job
    #[arg(short, long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    copies: u32,
    /// Print all copies on one printer, claimed at once
    #[arg(long)]
    together: bool,
    /// Job name [default: name of the first file]
    #[arg(long)]
    name: Option<String>,
    /// Save as draft: nothing prints until `job release`
    #[arg(long)]
    draft: bool,
    /// Only this printer (NAME or HOST/NAME); may be repeated
    #[arg(long, value_name = "PRINTER")]
    printer: Vec<String>,
    #[command(flatten)]
    terms: terms::Terms,
    /// Wait until it is printed
    #[arg(short, long, conflicts_with = "draft")]
    wait: bool,
}

/// One file to send.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    path: PathBuf,
    per_run: u32,
}

pub(super) async fn run(cx: &Context, args: Submit) -> Result<u8, Problem> {
    let parts: Vec<Part> = args
        .file
        .iter()
        .map(|file| part(file, |path| PathBuf::from(path).exists()))
        .collect::<Result<_, _>>()?;
    for part in &parts {
        check(part)?;
    }
    let sets = upload(cx, &parts).await?;
    let job = NewJob {
        queue: args.queue,
        name: args.name.or_else(|| name_of_project(&parts, &sets)),
        sets,
        copies: args.copies,
        together: args.together,
        draft: args.draft,
        printers: args.printer,
        terms: args.terms.asked(),
    };
    let reply = cx.call(Request::JobSubmit(job)).await?;
    if !args.wait {
        cx.output.reply(&reply)?;
        return Ok(exit::DONE);
    }
    let Reply::Job(submitted) = reply else {
        return Err(foreign("a job"));
    };
    if !cx.output.is_quiet() {
        let prefix = submitted.unique_prefix as usize;
        let id = job::short_id(&submitted.id, prefix);
        cx.output
            .note(&format!("{id} {} in {}", submitted.name, submitted.queue));
    }
    wait::until_done(cx, submitted.id).await
}

/// Reads `FILE:N`. A file of that literal name wins: `part:2` may be a file.
fn part(argument: &str, exists: impl Fn(&str) -> bool) -> Result<Part, Problem> {
    let whole = Part {
        path: argument.into(),
        per_run: 1,
    };
    if exists(argument) {
        return Ok(whole);
    }
    let Some((path, count)) = argument.rsplit_once(':') else {
        return Ok(whole);
    };
    if path.is_empty() || count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(whole);
    }
    match count.parse() {
        Ok(per_run @ 1..) => Ok(Part {
            path: path.into(),
            per_run,
        }),
        Ok(0) | Err(_) => Err(usage(format!("{argument} cannot be printed {count} times"))
            .because("the number after the colon says how often per copy, from 1 to 4294967295")),
    }
}

/// The name of a sliced project whose plates became sets: the first set's name would be that of a plate.
fn name_of_project(parts: &[Part], sets: &[NewSet]) -> Option<String> {
    let name = parts.first()?.path.file_name()?.to_str()?;
    let has_plates = sets.len() > parts.len();
    let ending = [".gcode.3mf", ".3mf"]
        .into_iter()
        .find(|ending| name.to_ascii_lowercase().ends_with(ending))?;
    let stem = &name[..name.len() - ending.len()];
    (has_plates && !stem.is_empty()).then(|| stem.to_owned())
}

/// Finds out what is wrong with a file before anything is sent.
fn check(part: &Part) -> Result<(), Problem> {
    let shown = part.path.display();
    let unreadable = |error: &std::io::Error| {
        let (code, exit) = match error.kind() {
            std::io::ErrorKind::NotFound => (code::FILE_MISSING, exit::NOT_FOUND),
            _ => (codes::FILE_UNREADABLE, exit::FAILED),
        };
        Problem::new(code, exit, format!("cannot read {shown}")).because(error.to_string())
    };
    let metadata = std::fs::metadata(&part.path).map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() {
            "a directory"
        } else {
            "no ordinary file"
        };
        return Err(Problem::new(
            code::FILE_KIND,
            exit::USAGE,
            format!("{shown} is {what}"),
        ));
    }
    if metadata.len() == 0 {
        return Err(Problem::new(
            code::FILE_EMPTY,
            exit::USAGE,
            format!("{shown} is empty"),
        ));
    }
    if metadata.len() > UPLOAD_BYTES_MAX {
        return Err(Problem::new(
            codes::FILE_TOO_BIG,
            exit::USAGE,
            format!("{shown} is larger than 2 GiB"),
        ));
    }
    // Permission and media errors show up when a byte is read, not before.
    let read = std::fs::File::open(&part.path).and_then(|mut file| file.read_exact(&mut [0]));
    read.map_err(|error| unreadable(&error))
}

/// Uploads each file once, however often it is named.
async fn upload(cx: &Context, parts: &[Part]) -> Result<Vec<NewSet>, Problem> {
    let mut known: BTreeMap<&PathBuf, Uploaded> = BTreeMap::new();
    let mut sets = Vec::new();
    for Part { path, per_run } in parts {
        let file_name = path.file_name().unwrap_or(path.as_os_str());
        let file_name = file_name.to_string_lossy().into_owned();
        if !known.contains_key(path) {
            let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            let bar = progress::upload(&cx.output, &file_name, bytes);
            let moving = bar.clone();
            let sent = cx
                .client
                .upload(path, &file_name, move |sent| moving.set_position(sent))
                .await;
            bar.finish_and_clear();
            known.insert(path, sent.map_err(|error| cx.explain(error))?);
        }
        let uploaded = &known[path];
        // A sliced project has a print on each of its plates.
        for plate in &uploaded.plates {
            sets.push(NewSet {
                hash: plate.hash.clone(),
                file_name: plate.file_name.clone(),
                per_run: *per_run,
            });
        }
        if uploaded.plates.is_empty() {
            sets.push(NewSet {
                hash: uploaded.hash.clone(),
                file_name,
                per_run: *per_run,
            });
        }
    }
    Ok(sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_follows_the_last_colon_unless_a_file_has_that_name() {
        let there = ["a.gcode", "b:2", "b"];
        let read = |argument: &str| part(argument, |path| there.contains(&path));
        for (argument, path, per_run) in [
            ("a.gcode", "a.gcode", 1),
            ("a.gcode:4", "a.gcode", 4),
            ("a.gcode:007", "a.gcode", 7),
            ("b:2", "b:2", 1),
            ("b:3", "b", 3),
            ("b:2:5", "b:2", 5),
            // Not a count: the daemon's or the file system's business to complain.
            ("a.gcode:", "a.gcode:", 1),
            ("a.gcode:x", "a.gcode:x", 1),
            ("a.gcode:-1", "a.gcode:-1", 1),
            (":3", ":3", 1),
        ] {
            let expected = Part {
                path: path.into(),
                per_run,
            };
            assert_eq!(read(argument).unwrap(), expected, "{argument}");
        }
        for argument in ["a.gcode:0", "a.gcode:4294967296"] {
            assert_eq!(read(argument).unwrap_err().exit, 2, "{argument}");
        }
    }

    #[test]
    fn a_project_with_several_plates_names_its_job() {
        let named = |files: &[&str], sets: usize| {
            let part = |file: &&str| part(file, |_| true).unwrap();
            let set = NewSet {
                hash: String::new(),
                file_name: "kit_plate_1.gcode".to_owned(),
                per_run: 1,
            };
            let parts: Vec<_> = files.iter().map(part).collect();
            name_of_project(&parts, &vec![set; sets])
        };
        assert_eq!(named(&["in/kit.gcode.3mf"], 2).as_deref(), Some("kit"));
        assert_eq!(named(&["Kit.3MF", "lid.gcode"], 3).as_deref(), Some("Kit"));
        // Otherwise the daemon takes the name of the first file.
        assert_eq!(named(&["kit.gcode.3mf"], 1), None);
        assert_eq!(named(&["lid.gcode", "kit.gcode.3mf"], 3), None);
        assert_eq!(named(&[".gcode.3mf"], 2), None);
    }

    #[test]
    fn what_cannot_be_sent_is_said_before_anything_is() {
        let directory = tempfile::tempdir().unwrap();
        let empty = directory.path().join("empty.gcode");
        std::fs::write(&empty, "").unwrap();
        let huge = directory.path().join("huge.gcode");
        let file = std::fs::File::create(&huge).unwrap();
        file.set_len(UPLOAD_BYTES_MAX + 1).unwrap();
        let good = directory.path().join("good.gcode");
        std::fs::write(&good, "G28\n").unwrap();
        let missing = directory.path().join("missing.gcode");
        let checked = |path: &std::path::Path| {
            let part = Part {
                path: path.to_owned(),
                per_run: 1,
            };
            check(&part).map_err(|problem| (problem.code, problem.exit))
        };
        let refused = |code: &str, exit| Err((code.to_owned(), exit));
        assert_eq!(checked(&good), Ok(()));
        assert_eq!(checked(&missing), refused("file.missing", 3));
        assert_eq!(checked(&empty), refused("file.empty", 2));
        assert_eq!(checked(directory.path()), refused("file.not-a-file", 2));
        assert_eq!(checked(&huge), refused("file.too-big", 2));
        assert_eq!(
            checked(std::path::Path::new("/dev/null")),
            refused("file.not-a-file", 2)
        );
    }
}
