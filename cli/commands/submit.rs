//! `submit` = `job submit`: files are uploaded, then become one job.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use printmesh_api::{
    limits::UPLOAD_BYTES_MAX,
    problem::{Problem, codes},
    reply::{Reply, Uploaded},
    request::{NewFile, NewJob, NewSet, Request},
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
///   printmesh submit box-mk4.gcode,box-mini.gcode:2
///   printmesh submit part.stl --slice draft-pla
///
/// Each file is a set of the job and is printed N times per copy; copies may go to different printers, what
/// is in one copy never does. With a comma between them, files are alternatives: a printer prints the first one that
/// fits it. Without --queue the job goes to `local`, where only this host prints.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, group = clap::ArgGroup::new("change").multiple(true))]
pub(crate) struct Submit {
    /// G-code, binary G-code, models with --slice, or sliced projects, whose plates are a set each; FILE:N prints it N times per copy, FILE,FILE are alternatives
    #[arg(required = true, value_hint = ValueHint::FilePath, value_name = "FILE[,FILE][:N]")]
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
    /// Only this printer (NAME or HOST/NAME), or those with a tag (tag:NAME); may be repeated
    #[arg(long, value_name = "PRINTER")]
    printer: Vec<String>,
    /// Only printers of this model, beside those of --printer; may be repeated
    #[arg(long)]
    model: Vec<String>,
    /// Let the host of the printer slice models (STL) with its profile of this name
    #[arg(long, value_name = "PROFILE")]
    slice: Option<String>,
    #[command(flatten)]
    terms: terms::Terms,
    /// Wait until it is printed
    #[arg(short, long, conflicts_with = "draft")]
    wait: bool,
}

/// One set to send: a file, or several alternatives of it.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    path: PathBuf,
    others: Vec<PathBuf>,
    per_run: u32,
}

impl Part {
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.path).chain(&self.others)
    }
}

pub(super) async fn run(cx: &Context, args: Submit) -> Result<u8, Problem> {
    let parts: Vec<Part> = args
        .file
        .iter()
        .map(|file| part(file, |path| PathBuf::from(path).exists()))
        .collect::<Result<_, _>>()?;
    for path in parts.iter().flat_map(Part::paths) {
        check(path)?;
    }
    let sets = upload(cx, &parts).await?;
    let job = NewJob {
        queue: args.queue,
        name: args.name.or_else(|| name_of_project(&parts, &sets)),
        sets,
        copies: args.copies,
        together: args.together,
        draft: args.draft,
        printers: terms::printers(args.printer, &args.model),
        terms: args.terms.asked(),
        slice: args.slice,
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

/// Reads `FILE,FILE:N`. A file of that literal name wins: `part:2` may be a file.
fn part(argument: &str, exists: impl Fn(&str) -> bool) -> Result<Part, Problem> {
    if exists(argument) {
        return Ok(Part {
            path: argument.into(),
            others: Vec::new(),
            per_run: 1,
        });
    }
    let set = |files: &str, per_run| {
        let mut all = match exists(files) {
            true => vec![files],
            false => files.split(',').collect(),
        };
        // An empty name is none: whoever typed that meant a file with a comma.
        if all.iter().any(|file| file.is_empty()) {
            all = vec![files];
        }
        let mut all = all.into_iter().map(PathBuf::from);
        Part {
            path: all.next().unwrap_or_default(),
            others: all.collect(),
            per_run,
        }
    };
    let whole = set(argument, 1);
    let Some((path, count)) = argument.rsplit_once(':') else {
        return Ok(whole);
    };
    if path.is_empty() || count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(whole);
    }
    match count.parse() {
        Ok(per_run @ 1..) => Ok(set(path, per_run)),
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
fn check(path: &Path) -> Result<(), Problem> {
    let shown = path.display();
    let unreadable = |error: &std::io::Error| {
        let (code, exit) = match error.kind() {
            std::io::ErrorKind::NotFound => (code::FILE_MISSING, exit::NOT_FOUND),
            _ => (codes::FILE_UNREADABLE, exit::FAILED),
        };
        Problem::new(code, exit, format!("cannot read {shown}")).because(error.to_string())
    };
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
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
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut [0]));
    read.map_err(|error| unreadable(&error))
}

/// Uploads each file once, however often it is named.
async fn upload(cx: &Context, parts: &[Part]) -> Result<Vec<NewSet>, Problem> {
    let mut known: BTreeMap<&PathBuf, Vec<NewFile>> = BTreeMap::new();
    for path in parts.iter().flat_map(Part::paths) {
        if !known.contains_key(path) {
            known.insert(path, send(cx, path).await?);
        }
    }
    let mut sets = Vec::new();
    for part in parts {
        let mut others = Vec::new();
        for path in &part.others {
            match known[path].as_slice() {
                [only] => others.push(only.clone()),
                several => return Err(plates_are_parts(path, several.len())),
            }
        }
        let files = &known[&part.path];
        if !others.is_empty() && files.len() != 1 {
            return Err(plates_are_parts(&part.path, files.len()));
        }
        sets.extend(files.iter().map(|file| NewSet {
            hash: file.hash.clone(),
            file_name: file.file_name.clone(),
            per_run: part.per_run,
            alternatives: others.clone(),
        }));
    }
    Ok(sets)
}

fn plates_are_parts(path: &Path, plates: usize) -> Problem {
    usage(format!("{} is no alternative", path.display())).because(format!(
        "it has {plates} plates, and each of them is a part of its own; alternatives are one print each"
    ))
}

/// Uploads one file. A sliced project has a print on each of its plates.
async fn send(cx: &Context, path: &Path) -> Result<Vec<NewFile>, Problem> {
    let file_name = path.file_name().unwrap_or(path.as_os_str());
    let file_name = file_name.to_string_lossy().into_owned();
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let bar = progress::upload(&cx.output, &file_name, bytes);
    let moving = bar.clone();
    let sent = cx
        .client
        .upload(path, &file_name, move |sent| moving.set_position(sent))
        .await;
    bar.finish_and_clear();
    let Uploaded { hash, plates, .. } = sent.map_err(|error| cx.explain(error))?;
    Ok(match plates.is_empty() {
        true => vec![NewFile { hash, file_name }],
        false => plates
            .into_iter()
            .map(|plate| NewFile {
                hash: plate.hash,
                file_name: plate.file_name,
            })
            .collect(),
    })
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
                others: Vec::new(),
                per_run,
            };
            assert_eq!(read(argument).unwrap(), expected, "{argument}");
        }
        for argument in ["a.gcode:0", "a.gcode:4294967296"] {
            assert_eq!(read(argument).unwrap_err().exit, 2, "{argument}");
        }
    }

    #[test]
    fn files_with_a_comma_between_them_are_alternatives_unless_a_file_has_that_name() {
        let there = ["a", "b", "c,d", "e,f:2"];
        let read = |argument: &str| {
            let part = part(argument, |path| there.contains(&path)).unwrap();
            let paths: Vec<_> = part.paths().map(|path| path.to_str().unwrap()).collect();
            (paths.join(" "), part.per_run)
        };
        for (argument, paths, per_run) in [
            ("a,b", "a b", 1),
            ("a,b:3", "a b", 3),
            ("a,b,x", "a b x", 1),
            ("c,d", "c,d", 1),
            ("c,d:4", "c,d", 4),
            ("e,f:2", "e,f:2", 1),
            ("a,", "a,", 1),
            (",a:2", ",a", 2),
        ] {
            assert_eq!(read(argument), (paths.to_owned(), per_run), "{argument}");
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
                alternatives: Vec::new(),
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
        let checked = |path: &Path| check(path).map_err(|problem| (problem.code, problem.exit));
        let refused = |code: &str, exit| Err((code.to_owned(), exit));
        assert_eq!(checked(&good), Ok(()));
        assert_eq!(checked(&missing), refused("file.missing", 3));
        assert_eq!(checked(&empty), refused("file.empty", 2));
        assert_eq!(checked(directory.path()), refused("file.not-a-file", 2));
        assert_eq!(checked(&huge), refused("file.too-big", 2));
        assert_eq!(
            checked(Path::new("/dev/null")),
            refused("file.not-a-file", 2)
        );
    }
}
