//! A home on a real disk: who may read it, who owns it, and what is in the way.

use super::*;

fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path().join("a").join("home")).unwrap();
    (folder, home)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_new_home_is_private() {
    let (_folder, home) = home();
    for path in [
        home.root().to_owned(),
        home.run(),
        home.files(),
        home.imports(),
    ] {
        assert_eq!(mode(&path), 0o700, "{path:?}");
    }
    assert_eq!(home.socket().parent(), Some(home.run().as_path()));
    assert_eq!(Home::open(home.root()).unwrap(), home, "and opens again");
    assert_eq!(Home::at(home.root()), home);
}

#[test]
fn only_what_is_surely_ours_is_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755);
    let home = Home::open(folder.path()).unwrap();
    assert_eq!(mode(home.root()), 0o700, "an empty folder becomes a home");

    set_mode(home.root(), 0o755);
    set_mode(&home.run(), 0o777);
    Home::open(folder.path()).unwrap();
    assert_eq!(
        mode(home.root()),
        0o755,
        "a folder with other things in it stays as it is"
    );
    assert_eq!(mode(&home.run()), 0o700);
}

#[test]
fn a_home_in_which_others_can_write_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    Home::open(folder.path()).unwrap();
    for open in [0o720, 0o702, 0o777, 0o1777] {
        set_mode(folder.path(), open);
        let error = Home::open(folder.path()).unwrap_err();
        assert!(
            matches!(error, HomeError::OpenToOthers { mode, .. } if mode == open),
            "{error:?}"
        );
        assert!(error.to_string().contains("chmod go-w"), "{error}");
    }
    set_mode(folder.path(), 0o755);
    Home::open(folder.path()).unwrap();
}

#[test]
fn what_is_in_the_way_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(matches!(Home::open(&file), Err(HomeError::NotAFolder { path }) if path == file));
    for below in ["home", "a/home"] {
        let home = Home::open(file.join(below));
        assert!(matches!(home, Err(HomeError::NotAFolder { path }) if path == file));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_home_that_cannot_be_written_is_refused_even_to_root() {
    let error = Home::open("/proc").unwrap_err();
    assert!(
        matches!(&error, HomeError::NotWritable { path, .. } if path.starts_with("/proc")),
        "{error:?}"
    );
}

#[test]
fn one_process_owns_a_home() {
    let (_folder, home) = home();
    let lock = home.lock().unwrap();
    // A lock belongs to an open file, so a second one in this process is as strange as one of another process.
    let error = home.lock().unwrap_err();
    assert!(
        matches!(error, LockError::Held { pid: Some(pid) } if pid == std::process::id()),
        "{error:?}"
    );
    assert!(error.to_string().contains(&std::process::id().to_string()));
    drop(lock);
    drop(home.lock().unwrap());
}

#[test]
fn a_number_left_behind_by_a_dead_daemon_does_not_lock() {
    let (_folder, home) = home();
    fs::write(home.lock_file(), "4194303 and more text than a number\n").unwrap();
    let _lock = home.lock().unwrap();
    assert_eq!(
        fs::read_to_string(home.lock_file()).unwrap(),
        format!("{}\n", std::process::id())
    );
}

#[test]
fn a_device_key_is_made_once_and_for_its_owner() {
    let (_folder, home) = home();
    assert_eq!(home.load_device_key().unwrap(), None);
    home.create_device_key(b"secret").unwrap();
    assert_eq!(mode(&home.device_key()), 0o600);
    assert!(matches!(
        home.create_device_key(b"other"),
        Err(KeyError::Exists { .. })
    ));
    assert_eq!(home.load_device_key().unwrap(), Some(b"secret".to_vec()));
}

#[test]
fn a_device_key_that_others_can_read_is_refused_with_the_remedy() {
    let (_folder, home) = home();
    home.create_device_key(b"secret").unwrap();
    for open in [0o640, 0o604, 0o620] {
        set_mode(&home.device_key(), open);
        let error = home.load_device_key().unwrap_err();
        assert!(
            matches!(error, KeyError::OpenToOthers { mode, .. } if mode == open),
            "{error:?}"
        );
        assert!(
            error
                .to_string()
                .ends_with(&format!("run `chmod 600 {}`", home.device_key().display())),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_key_file_is_not_read() {
    let (_folder, home) = home();
    std::os::unix::fs::symlink("/dev/zero", home.device_key()).unwrap();
    assert!(matches!(
        home.load_device_key(),
        Err(KeyError::NotAKey { .. })
    ));
    fs::remove_file(home.device_key()).unwrap();
    fs::create_dir(home.device_key()).unwrap();
    assert!(matches!(
        home.load_device_key(),
        Err(KeyError::NotAKey { .. })
    ));
    fs::remove_dir(home.device_key()).unwrap();
    disk::create_durably(&home.device_key(), &[0; 5000], 0o600).unwrap();
    assert!(matches!(
        home.load_device_key(),
        Err(KeyError::NotAKey { .. })
    ));
}
