//! A full disk: nothing is acknowledged, nothing is lost, and work goes on when there is room again.

use std::{fs, io::Write as _, path::Path, process::Command};

use super::jobs;
use crate::suite::environment::{Farm, sliced};

/// Prints for some two seconds.
const BRISK: &str = "sim://?speed=30";

/// A small disk of its own, mounted as long as this lives.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// `None`, with the reason printed, where this may not be done.
    fn mount(at: &'a Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs"])
            .arg(at);
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self(at)),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr).into_owned();
                eprintln!("skipped: no small disk can be mounted here: {why}");
                None
            }
            Err(error) => {
                eprintln!("skipped: no small disk can be mounted here: {error}");
                None
            }
        }
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut filler = fs::File::create(self.0.join("filler")).unwrap();
        for piece in [1 << 20, 1 << 12, 1] {
            let piece = vec![0; piece];
            while filler.write_all(&piece).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.0).output().ok();
    }
}

#[test]
fn on_a_full_disk_nothing_is_acknowledged_nothing_is_lost_and_work_goes_on_when_there_is_room() {
    let farm = Farm::new();
    let home = farm.path().join("a");
    let Some(disk) = SmallDisk::mount(&home) else {
        return;
    };
    let mut a = farm.printing_host("a", BRISK);
    let clip = sliced("clip.gcode");
    let kept = a.submit(&[&clip, "--name", "kept", "--draft"]);
    // A print is under way while the disk fills up.
    let printing = a.submit(&[&clip, "--name", "printing"]);
    a.wait_until("printing", &printing);
    disk.fill();
    for args in [
        vec!["submit", &*clip, "--name", "lost"],
        vec!["submit", &sliced("cube.gcode"), "--name", "lost"],
        vec!["job", "edit", "kept", "--copies", "9"],
        vec!["queue", "create", "lost"],
    ] {
        let problem = a.problem("disk.full", &args);
        assert_eq!(problem["exit"], 1);
        assert!(!problem["fixes"].as_array().unwrap().is_empty());
    }
    // It can still be read, and says what was acknowledged.
    assert_eq!(a.job(&kept)["copies"], 1);
    disk.make_room();
    a.wait(&[&printing]);
    let after = a.submit(&[&sliced("cube.gcode"), "--name", "after", "--draft"]);
    let before = jobs(&a);
    assert_eq!(before.as_array().unwrap().len(), 3, "{before:#}");
    let history = a.history();
    assert_eq!(history.len(), 1, "{history:#?}");
    assert_eq!(history[0]["result"], "ok");
    // The power fails on a full disk: the daemon starts or says why not, and all of it is there afterwards.
    disk.fill();
    a.kill();
    match a.try_start() {
        Ok(()) => a.kill(),
        Err(said) => assert!(said.contains("disk.full"), "{said}"),
    }
    disk.make_room();
    a.start();
    assert_eq!(jobs(&a), before);
    a.ok(&["printer", "ready", "sim"]);
    a.ok(&["job", "release", &after]);
    a.wait_until("printing", &after);
}
