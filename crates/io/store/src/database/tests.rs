//! The database on a real disk.

mod faults;
mod faulty;

use std::{io::Write as _, path::PathBuf};

use super::*;

const LOG: [u8; 32] = [7; 32];
const OTHER_LOG: [u8; 32] = [8; 32];

fn put(key: &str, value: &str) -> Write {
    Write::Put {
        key: key.into(),
        value: value.into(),
    }
}

fn delete(key: &str) -> Write {
    Write::Delete { key: key.into() }
}

fn append(log: [u8; 32], entry: &str) -> Write {
    Write::Append {
        log,
        entry: entry.into(),
    }
}

/// All values, and all entries of all logs.
type Content = (Vec<KeyValue>, Vec<([u8; 32], Vec<Vec<u8>>)>);

fn content(database: &Database) -> Content {
    let logs = database
        .logs()
        .unwrap()
        .into_iter()
        .map(|log| (log, database.log(log).unwrap()))
        .collect();
    (database.scan(b"").unwrap(), logs)
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    (folder, path)
}

#[test]
fn what_was_committed_is_there_after_opening_again() {
    let (folder, path) = folder();
    let database = Database::open(&path).unwrap();
    database
        .commit(&[put("a", "1"), put("b", "2"), append(LOG, "x")])
        .unwrap();
    database
        .commit(&[
            put("a", "3"),
            delete("b"),
            delete("absent"),
            append(LOG, "y"),
            append(OTHER_LOG, "z"),
        ])
        .unwrap();
    database.commit(&[]).unwrap();
    let before = content(&database);
    drop(database);

    let database = Database::open(&path).unwrap();
    assert_eq!(content(&database), before);
    assert_eq!(database.get(b"a").unwrap(), Some(b"3".to_vec()));
    assert_eq!(database.get(b"b").unwrap(), None);
    let names: Vec<_> = folder
        .path()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["state.redb"], "nothing else is left in the folder");
}

#[test]
fn later_writes_of_a_commit_see_earlier_ones() {
    let (_folder, path) = folder();
    let database = Database::open(&path).unwrap();
    database
        .commit(&[put("a", "1"), delete("a"), put("b", "1"), put("b", "2")])
        .unwrap();
    assert_eq!(
        database.scan(b"").unwrap(),
        [(b"b".to_vec(), b"2".to_vec())]
    );
}

#[test]
fn a_scan_finds_keys_by_their_beginning_in_order() {
    let (_folder, path) = folder();
    let database = Database::open(&path).unwrap();
    database
        .commit(&[
            put("b/2", "4"),
            put("b", "2"),
            put("a", "1"),
            put("b/1", "3"),
            put("c", "5"),
        ])
        .unwrap();
    let keys = |prefix: &[u8]| -> Vec<_> {
        database
            .scan(prefix)
            .unwrap()
            .into_iter()
            .map(|(key, _)| key)
            .collect()
    };
    assert_eq!(keys(b"b"), [&b"b"[..], b"b/1", b"b/2"]);
    assert_eq!(keys(b"b/"), [b"b/1", b"b/2"]);
    assert_eq!(keys(b"").len(), 5);
    assert_eq!(keys(b"d").len(), 0);
    database
        .commit(&[Write::Put {
            key: vec![0xFF, 0xFF],
            value: vec![],
        }])
        .unwrap();
    assert_eq!(keys(&[0xFF]), [[0xFF, 0xFF]]);
}

#[test]
fn logs_keep_their_order_and_do_not_mix() {
    let (_folder, path) = folder();
    let database = Database::open(&path).unwrap();
    for round in 0..300_u32 {
        let entry = |log| Write::Append {
            log,
            entry: round.to_le_bytes().to_vec(),
        };
        database
            .commit(&[entry(LOG), entry([0; 32]), entry([0xFF; 32]), entry(LOG)])
            .unwrap();
    }
    let expected: Vec<_> = (0..300_u32)
        .flat_map(|round| [round.to_le_bytes().to_vec(), round.to_le_bytes().to_vec()])
        .collect();
    assert_eq!(database.log(LOG).unwrap(), expected);
    assert_eq!(database.log_after(LOG, 0).unwrap(), expected);
    assert_eq!(database.log_after(LOG, 597).unwrap(), expected[597..]);
    assert!(database.log_after(LOG, 600).unwrap().is_empty());
    assert!(database.log_after(LOG, u64::MAX).unwrap().is_empty());
    assert!(database.log(OTHER_LOG).unwrap().is_empty());
    assert_eq!(database.logs().unwrap(), [[0; 32], LOG, [0xFF; 32]]);
}

#[test]
fn a_second_daemon_is_told_that_the_database_is_in_use() {
    let (_folder, path) = folder();
    let first = Database::open(&path).unwrap();
    assert!(matches!(Database::open(&path), Err(OpenError::InUse)));
    first.commit(&[put("a", "1")]).unwrap();
    drop(first);
    Database::open(&path).unwrap();
}

#[test]
fn only_the_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;

    let (_folder, path) = folder();
    drop(Database::open(&path).unwrap());
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let (_folder, path) = folder();
    let below_nothing = path.join("state.redb");
    let error = Database::open(&below_nothing).unwrap_err();
    assert!(
        matches!(&error, OpenError::NotWritable { path, .. } if *path == below_nothing),
        "{error:?}"
    );

    fs::write(&path, b"not a folder").unwrap();
    assert!(matches!(
        Database::open(&below_nothing),
        Err(OpenError::NotWritable { .. })
    ));

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(
        Database::open(&path),
        Err(OpenError::NotWritable { .. })
    ));
}

#[test]
fn a_newer_format_is_refused() {
    let (_folder, path) = folder();
    drop(Database::open(&path).unwrap());
    {
        let redb = redb::Database::open(&path).unwrap();
        let transaction = redb.begin_write().unwrap();
        transaction
            .open_table(META)
            .unwrap()
            .insert(META_FORMAT, FORMAT + 1)
            .unwrap();
        transaction.commit().unwrap();
    }
    let error = Database::open(&path).unwrap_err();
    assert!(
        matches!(error, OpenError::NewerFormat { found: 2, known: 1 }),
        "{error:?}"
    );
}

#[test]
fn a_damaged_file_is_told_from_an_empty_home() {
    let (_folder, path) = folder();
    let check = |what: &str| {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = Database::open(&path).unwrap_err();
        assert!(
            matches!(error, OpenError::Damaged { .. }),
            "{what}: {error:?}"
        );
    };
    fs::write(&path, b"").unwrap();
    check("an empty file");
    fs::write(&path, vec![0; 1 << 20]).unwrap();
    check("zeros");
    fs::write(&path, b"this is a letter").unwrap();
    check("text");
    fs::remove_file(&path).unwrap();
    drop(Database::open(&path).unwrap());
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(10)
        .unwrap();
    check("a cut file");
}

#[test]
fn what_an_interrupted_creation_left_behind_is_no_obstacle() {
    let (folder, path) = folder();
    let mut leftover = fs::File::create(folder.path().join("state.redb.new")).unwrap();
    leftover.write_all(&[0; 4096]).unwrap();
    Database::open(&path)
        .unwrap()
        .commit(&[put("a", "1")])
        .unwrap();
}

#[test]
fn what_others_could_have_read_is_refused() {
    let (_folder, path) = folder();
    drop(Database::open(&path).unwrap());
    for mode in [0o640, 0o604, 0o666, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = Database::open(&path).err().unwrap();
        assert!(
            matches!(refused, OpenError::OpenToOthers { .. }),
            "{mode:o}: {refused}"
        );
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    Database::open(&path).unwrap();
}

#[test]
fn a_log_that_is_cleared_begins_anew_in_the_same_commit() {
    let (_folder, path) = folder();
    let database = Database::open(&path).unwrap();
    database
        .commit(&[
            append(LOG, "old"),
            append(LOG, "older"),
            append(OTHER_LOG, "o"),
        ])
        .unwrap();
    database
        .commit(&[
            append(LOG, "last"),
            Write::Clear { log: LOG },
            append(LOG, "new"),
            append(LOG, "newer"),
        ])
        .unwrap();
    let entries = |log| database.log(log).unwrap();
    assert_eq!(entries(LOG), [b"new".to_vec(), b"newer".to_vec()]);
    assert_eq!(entries(OTHER_LOG), [b"o".to_vec()]);
    database.commit(&[Write::Clear { log: LOG }]).unwrap();
    assert_eq!(database.logs().unwrap(), [OTHER_LOG]);
}

#[test]
fn a_file_grows_no_more_when_its_logs_are_cleared_again_and_again() {
    let (_folder, path) = folder();
    let database = Database::open(&path).unwrap();
    let long = "x".repeat(1000);
    let mut sizes = Vec::new();
    for _ in 0..6 {
        let mut writes = vec![Write::Clear { log: LOG }];
        writes.extend((0..500).map(|_| append(LOG, &long)));
        database.commit(&writes).unwrap();
        sizes.push(fs::metadata(&path).unwrap().len());
    }
    assert_eq!(sizes[3], sizes[5], "{sizes:?}");
    let full = sizes[5];
    for _ in 0..4 {
        database
            .commit(&[Write::Clear { log: LOG }, append(LOG, "short")])
            .unwrap();
    }
    drop(database);
    drop(Database::open(&path).unwrap());
    let now = fs::metadata(&path).unwrap().len();
    assert!(now < full, "{now} of {full}");
}
