//! Runs a slicer: a model in, G-code out, in a folder of its own and within a time limit.
//!
//! What it makes is looked at like any other file. What it says when it fails is the reason that people see.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use printmesh_net::Files;
use printmesh_node::Sliced;
use printmesh_queue::FileHash;
use printmesh_store::Imports;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::{
    process::{Child, Command},
    sync::Mutex,
};

use crate::{
    intake::unique_name, limits::LAST_WORDS, mind::Mind, problems, profiles::Profiles, sliced,
};

/// A profile of a slicer, as a person sets it up on the host of the printers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Slicer {
    /// Name of the profile: what `submit --slice` says.
    pub profile: String,
    /// The program, which takes the words of PrusaSlicer's command line.
    #[serde(default = "prusa_slicer")]
    pub command: String,
    /// The slicer's own configuration, as it exports it.
    pub config: PathBuf,
    /// Printers of this host that print what it makes; none = all.
    #[serde(default)]
    pub printers: Vec<String>,
    /// Seconds after which it is stopped.
    #[serde(default = "half_an_hour")]
    pub time_limit_s: u64,
}

fn prusa_slicer() -> String {
    "prusa-slicer".to_owned()
}

fn half_an_hour() -> u64 {
    1800
}

/// The slicers of this host. One model is sliced at a time: it takes all of the machine.
pub(crate) struct Slicers {
    all: Vec<Slicer>,
    folder: PathBuf,
    home: PathBuf,
    turn: Mutex<()>,
}

/// A model to slice.
pub(crate) struct Model {
    pub(crate) job: String,
    pub(crate) job_name: String,
    pub(crate) file_name: String,
    pub(crate) hash: FileHash,
    pub(crate) profile: String,
}

impl Slicers {
    /// `folder` is where each slicer gets an empty folder of its own.
    pub(crate) fn new(all: Vec<Slicer>, folder: PathBuf, home: PathBuf) -> Self {
        Self {
            all,
            folder,
            home,
            turn: Mutex::default(),
        }
    }

    /// Slices a model of the store, and puts what comes out into imports.
    ///
    /// # Errors
    /// What went wrong, in plain words.
    pub(crate) async fn slice(
        &self,
        mind: &Mind,
        files: &Files,
        imports: Arc<Imports>,
        model: Model,
    ) -> Result<Sliced, String> {
        let mut known = self.all.iter();
        let slicer = known
            .find(|slicer| slicer.profile == model.profile)
            .ok_or_else(|| format!("this host has no slicer profile {}", model.profile))?;
        let _turn = self.turn.lock().await;
        let name = unique_name().map_err(|problem| problem.title)?;
        let folder = self.folder.join(name);
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        tokio::fs::create_dir_all(&folder).await.map_err(failed)?;
        let made = self.slice_in(&folder, slicer, mind, files, imports, &model);
        let made = made.await;
        tokio::fs::remove_dir_all(&folder).await.map_err(failed)?;
        made
    }

    async fn slice_in(
        &self,
        folder: &Path,
        slicer: &Slicer,
        mind: &Mind,
        files: &Files,
        imports: Arc<Imports>,
        model: &Model,
    ) -> Result<Sliced, String> {
        let path = folder.join("model.stl");
        let exported = files.export(model.hash.0, &path).await;
        exported.map_err(|error| problems::chain(&error))?;
        let gcode = run(slicer, folder, &path).await?;
        let looked_at = gcode.clone();
        let inspected = tokio::task::spawn_blocking(move || {
            let mut file = File::open(looked_at).map_err(|error| error.to_string())?;
            printmesh_gcode::inspect(&mut file).map_err(|rejected| rejected.to_string())
        });
        let found = inspected.await.map_err(|error| error.to_string())??;
        let plate = found.plates.into_iter().next();
        let metadata = plate.ok_or("it made no G-code")?.metadata;
        let profiles = Profiles::load(&self.home).map_err(|problem| problem.title)?;
        let (profile, _) = profiles.detect(&metadata);
        let added = files.add(gcode).await;
        let added = added.map_err(|error| problems::chain(&error))?;
        let hash = FileHash(added.hash);
        mind.tell(printmesh_node::Input::FileAdded { hash }).await;
        let stem = Path::new(&model.file_name).file_stem();
        let stem = stem.and_then(|stem| stem.to_str()).unwrap_or("sliced");
        let name = format!("{stem}.gcode");
        let needs = sliced::file_spec(hash, added.size, &name, &metadata, profile).needs;
        let (job, job_name) = (model.job.clone(), model.job_name.clone());
        let path = crate::effects::import(mind, files, imports, job, job_name, name, hash).await?;
        Ok(Sliced { path, hash, needs })
    }
}

/// Runs one slicer to its end. Returns where the G-code lies.
///
/// # Errors
/// Its last words, or that it took too long.
pub(crate) async fn run(slicer: &Slicer, folder: &Path, model: &Path) -> Result<PathBuf, String> {
    let limit = tokio::time::sleep(Duration::from_secs(slicer.time_limit_s));
    run_until(limit, slicer, folder, model).await
}

async fn run_until(
    limit: impl Future<Output = ()>,
    slicer: &Slicer,
    folder: &Path,
    model: &Path,
) -> Result<PathBuf, String> {
    let (log, out) = (folder.join("log"), folder.join("sliced.gcode"));
    let said = File::create(&log).map_err(|error| error.to_string())?;
    let also = said.try_clone().map_err(|error| error.to_string())?;
    let mut command = Command::new(&slicer.command);
    command
        .arg("--export-gcode")
        // Nothing that a person has set for the slicer's own window.
        .arg("--datadir")
        .arg(folder.join("settings"))
        .arg("--load")
        .arg(&slicer.config)
        .arg("--output")
        .arg(&out)
        .arg(model)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(said)
        .stderr(also)
        // What it starts itself ends with it.
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| format!("{} does not start: {error}", slicer.command))?;
    let mut group = Group::of(&child);
    let ended = tokio::select! {
        ended = child.wait() => ended,
        () = limit => {
            drop(group);
            // It fails only when the program has just ended by itself.
            child.kill().await.ok();
            return Err(format!(
                "{} was stopped after {} s",
                slicer.command, slicer.time_limit_s
            ));
        }
    };
    group.leader = None;
    let status = ended.map_err(|error| error.to_string())?;
    // It may say that it cannot, and end well all the same.
    if status.success() && out.is_file() {
        return Ok(out);
    }
    let words = last_words(&log);
    let mut words = words.lines().map(str::trim).filter(|line| !line.is_empty());
    match words.next_back() {
        Some(line) => Err(format!("{}: {line}", slicer.command)),
        None => Err(format!("{} ended with {status}", slicer.command)),
    }
}

/// A program with all that it has started, which ends when this is dropped: also when nobody waits for it any more.
pub(crate) struct Group {
    pub(crate) leader: Option<Pid>,
}

impl Group {
    pub(crate) fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self {
            leader: id.and_then(Pid::from_raw),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // It fails only when all of them have just ended.
            kill_process_group(leader, Signal::KILL).ok();
        }
    }
}

fn last_words(log: &Path) -> String {
    let mut words = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS)))?;
        file.take(LAST_WORDS).read_to_end(&mut words)
    });
    // What cannot be read says nothing.
    read.ok();
    String::from_utf8_lossy(&words).into_owned()
}

#[cfg(test)]
mod tests {
    use std::{fs, io::BufRead as _, os::unix::fs::PermissionsExt as _};

    use super::*;

    /// A program that is written while another test starts one would be busy.
    static ONE: Mutex<()> = Mutex::const_new(());

    /// A program that does this instead of slicing.
    fn program(folder: &Path, script: &str) -> Slicer {
        let path = folder.join("slicer");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Slicer {
            profile: "test".to_owned(),
            command: path.to_str().unwrap().to_owned(),
            config: "printer.ini".into(),
            printers: Vec::new(),
            time_limit_s: 60,
        }
    }

    async fn ran(script: &str, limit_s: Option<u64>) -> Result<String, String> {
        let _one = ONE.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let mut slicer = program(folder.path(), script);
        slicer.time_limit_s = limit_s.unwrap_or(slicer.time_limit_s);
        let made = run(&slicer, folder.path(), Path::new("part.stl")).await;
        match made {
            Ok(path) => Ok(fs::read_to_string(path).unwrap()),
            Err(why) => Err(why.replace(&slicer.command, "slicer")),
        }
    }

    #[tokio::test]
    async fn what_it_makes_is_found_and_it_gets_the_words_of_prusaslicer() {
        let made = ran("eval out=\\$7; echo \"$1 $4 $5 $8\" > \"$out\"", None).await;
        assert_eq!(
            made.unwrap(),
            "--export-gcode --load printer.ini part.stl\n"
        );
    }

    #[tokio::test]
    async fn its_last_words_are_the_reason_also_when_it_says_that_it_went_well() {
        for end in ["exit 1", "exit 0"] {
            let script = format!("echo slicing; echo 'The object is too large' >&2; echo; {end}");
            let why = ran(&script, None).await.unwrap_err();
            assert_eq!(why, "slicer: The object is too large", "{end}");
        }
        assert_eq!(
            ran("exit 3", None).await.unwrap_err(),
            "slicer ended with exit status: 3"
        );
    }

    #[tokio::test]
    async fn it_is_stopped_when_it_takes_too_long() {
        let why = ran("exec tail -f /dev/null", Some(0)).await.unwrap_err();
        assert_eq!(why, "slicer was stopped after 0 s");
    }

    /// A script that starts the real slicer: that one went on for as long as it liked.
    #[tokio::test]
    async fn what_it_has_started_itself_is_stopped_with_it() {
        let _one = ONE.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let slicer = program(
            folder.path(),
            "exec 3> alive; tail -f /dev/null & echo started >&3; wait",
        );
        let alive = folder.path().join("alive");
        let made = std::process::Command::new("mkfifo").arg(&alive).status();
        assert!(made.unwrap().success());
        let (started, limit) = tokio::sync::oneshot::channel();
        let (all_dead, end) = tokio::sync::oneshot::channel();
        // Whoever lives holds the other end open; the test does not wait for this thread.
        std::thread::spawn(move || {
            let mut alive = std::io::BufReader::new(File::open(alive).unwrap());
            let mut said = String::new();
            alive.read_line(&mut said).unwrap();
            started.send(()).unwrap();
            alive.read_line(&mut said).unwrap();
            all_dead.send(said).ok();
        });
        let limit = async { limit.await.unwrap() };
        let model = Path::new("part.stl");
        let why = run_until(limit, &slicer, folder.path(), model).await;
        assert!(why.unwrap_err().contains("was stopped"));
        let patience = Duration::from_secs(60);
        let said = tokio::time::timeout(patience, end).await;
        assert_eq!(said.expect("it lives").unwrap(), "started\n");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_a_reason() {
        let _one = ONE.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let mut slicer = program(folder.path(), "");
        slicer.command = "/no/such/slicer".to_owned();
        let why = run(&slicer, folder.path(), Path::new("part.stl")).await;
        assert!(
            why.unwrap_err()
                .starts_with("/no/such/slicer does not start")
        );
    }
}
