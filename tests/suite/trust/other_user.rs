//! Another user of the same machine, a real one: it gets neither at the keys nor through the socket.
//!
//! Needs root to become somebody else; says so when it cannot.

use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{Command, Output},
};

use rustix::process::geteuid;

use crate::suite::environment::{Farm, Host};

/// The user that owns nothing, on every system.
const NOBODY: u32 = 65534;

fn as_nobody(mut command: Command) -> std::io::Result<Output> {
    command.uid(NOBODY).gid(NOBODY).current_dir("/").output()
}

fn allow(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn another_user_of_this_machine_gets_neither_keys_nor_answers() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start_verbose();
    a.ok(&["queue", "create", "secret-farm"]);
    match as_nobody(a.command(&["--version"])) {
        Ok(ran) if ran.status.success() => {}
        other => {
            eprintln!("skipped: another user cannot run the program here ({other:?})");
            return;
        }
    }
    let refused = |host: &Host, verb: &[&str]| {
        let ran = as_nobody(host.command(verb)).unwrap();
        assert!(!ran.status.success(), "{verb:?}: {ran:?}");
        let said = [ran.stdout, ran.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains("secret-farm"));
    };
    let verbs: [&[&str]; 4] = [
        &["status"],
        &["queue", "list"],
        &["queue", "share", "secret-farm"],
        &["jobs"],
    ];
    for verb in verbs {
        refused(&a, verb);
    }

    // Even where somebody has opened the way to it, the socket asks who knocks.
    let run = a.home.join("run");
    for folder in [farm.path(), &a.home, &run] {
        allow(folder, 0o711);
    }
    allow(&run.join("api.sock"), 0o777);
    for verb in verbs {
        refused(&a, verb);
    }
    a.until_logged(&["connection of another user refused", "65534"]);
    for secret in ["device.key", "state.redb"] {
        let mut read = Command::new("cat");
        read.arg(a.home.join(secret));
        let ran = as_nobody(read).unwrap();
        assert!(!ran.status.success() && ran.stdout.is_empty(), "{secret}");
    }
    a.ok(&["status"]);
}
