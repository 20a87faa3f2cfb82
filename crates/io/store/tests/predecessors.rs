//! Defects that were proven in earlier shared print queues, each as the smallest case that would show it on a real disk.
//! The number is the defect's; `tests/suite/predecessors.rs` in the workspace sees to it that none is missing.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use printmesh_store::{
    Database, Home, ImportError, Imports, KeyError, OpenError, VerifyError, Write, imports::verify,
};

const JOB: &str = "qmsvtlnyoxuuplzmuvvppkyvkmroytox";

/// Puts a file into the imports folder as the daemon does.
fn import(imports: &Imports, name: &str, content: &[u8]) -> PathBuf {
    let hash = blake3::hash(content).to_hex();
    let placement = imports.place(JOB, "kit", name, &hash).unwrap();
    if !placement.already_there_and_verified {
        fs::write(placement.partial_path(), content).unwrap();
        placement.commit().unwrap();
    }
    placement.path
}

/// Files of one name from different folders were written over one another, and the wrong part was printed.
#[test]
fn d10_files_of_one_name_in_one_job_lie_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let imports = Imports::open(folder.path()).unwrap();
    // Also the same letters in the other case: some disks make no difference.
    let files = [
        ("left/part.gcode", b"G28 left".as_slice()),
        ("right/part.gcode", b"G28 right"),
        ("part.gcode", b"G28 third"),
        ("PART.gcode", b"G28 loud"),
    ];
    let paths = files.map(|(name, content)| import(&imports, name, content));
    for ((_, content), path) in files.iter().zip(&paths) {
        assert_eq!(fs::read(path).unwrap(), *content);
        assert_eq!(path.parent(), paths[0].parent());
    }
    let mut names = paths.map(|path| path.to_str().unwrap().to_lowercase());
    names.sort();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
}

/// A file was printed without comparing it with its hash, and what an interrupted download left behind kept its final
/// name and was taken for the file for ever.
#[test]
fn d11_an_altered_file_never_gets_its_name_and_half_of_one_is_not_taken_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let imports = Imports::open(folder.path()).unwrap();
    let (good, hash) = (b"G28\nG1 X10\n".as_slice(), blake3::hash(b"G28\nG1 X10\n"));
    let placement = imports
        .place(JOB, "kit", "a.gcode", &hash.to_hex())
        .unwrap();
    for wrong in [b"G28\nG1 X99\n".as_slice(), &good[..5], b""] {
        fs::write(placement.partial_path(), wrong).unwrap();
        let error = placement.commit().unwrap_err();
        assert!(matches!(error, ImportError::WrongContent { .. }), "{error}");
        assert!(!placement.path.exists());
    }
    // Interrupted: the rest never came, and the host was started again.
    fs::write(placement.partial_path(), &good[..5]).unwrap();
    let imports = Imports::open(folder.path()).unwrap();
    let again = imports
        .place(JOB, "kit", "a.gcode", &hash.to_hex())
        .unwrap();
    assert!(!again.already_there_and_verified && !again.path.exists());
    assert_eq!(import(&imports, "a.gcode", good), again.path);
    // Cut or altered once it was there.
    for wrong in [&good[..5], b"G28\nG1 X99\n"] {
        fs::write(&again.path, wrong).unwrap();
        let error = verify(&again.path, &hash).unwrap_err();
        assert!(matches!(error, VerifyError::WrongContent { .. }), "{error}");
        let anew = imports
            .place(JOB, "kit", "a.gcode", &hash.to_hex())
            .unwrap();
        assert!(!anew.already_there_and_verified);
        import(&imports, "a.gcode", good);
        verify(&again.path, &hash).unwrap();
    }
}

/// The private key was a file that everybody on the machine could read.
#[test]
fn d16_a_private_key_is_for_its_owner_alone_and_not_used_once_others_could_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path().join("home")).unwrap();
    home.create_device_key(b"secret").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.device_key()), 0o600);
    assert_eq!(mode(home.root()), 0o700);
    // Queue keys are in the database.
    drop(Database::open(&home.state()).unwrap());
    assert_eq!(mode(&home.state()), 0o600);
    for open in [0o644, 0o640, 0o604] {
        fs::set_permissions(home.device_key(), fs::Permissions::from_mode(open)).unwrap();
        let error = home.load_device_key().unwrap_err();
        assert!(matches!(error, KeyError::OpenToOthers { .. }), "{error}");
    }
}

/// One hash over everything in a database.
fn contents(database: &Database) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    for (key, value) in database.scan(b"").unwrap() {
        add(&key);
        add(&value);
    }
    for log in database.logs().unwrap() {
        add(&log);
        for entry in database.log(log).unwrap() {
            add(&entry);
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// An upgrade failed inside, was reported as an unreadable version, and its test tested something else. This file was written
/// by the first version of format 1, through three commits.
#[test]
fn d18_a_database_of_the_first_format_opens_with_all_it_had_and_a_newer_one_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    fs::write(&path, include_bytes!("fixtures/format-1.redb")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let database = Database::open(&path).unwrap();
    assert_eq!(contents(&database), "1a962ea4d2c8bf30");
    let entries = database.logs().unwrap().into_iter();
    let entries = entries.map(|log| database.log(log).unwrap().len());
    assert_eq!(entries.sum::<usize>(), 59);
    let host = database.get(b"host").unwrap().unwrap();
    assert_eq!(
        String::from_utf8(host).unwrap(),
        r#"{"name":"a","boots":1,"clean":false,"ballot":5}"#
    );
    // It is written on, and read again.
    let log = database.logs().unwrap()[0];
    let before = database.log(log).unwrap();
    let entry = b"one more".to_vec();
    database
        .commit(&[Write::Append {
            log,
            entry: entry.clone(),
        }])
        .unwrap();
    drop(database);
    let database = Database::open(&path).unwrap();
    assert_eq!(database.log(log).unwrap(), [before, vec![entry]].concat());
    let whole = contents(&database);
    drop(database);
    // A later version has been here.
    set_format(&path, 2);
    let error = Database::open(&path).unwrap_err();
    assert!(
        matches!(error, OpenError::NewerFormat { found: 2, known: 1 }),
        "{error}"
    );
    set_format(&path, 1);
    let database = Database::open(&path).unwrap();
    assert_eq!(contents(&database), whole, "it was left as it was");
}

/// Says in the file that another version wrote it.
fn set_format(path: &Path, format: u64) {
    let redb = redb::Database::open(path).unwrap();
    let transaction = redb.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    let mut table = transaction.open_table(meta).unwrap();
    table.insert("format", format).unwrap();
    drop(table);
    transaction.commit().unwrap();
}
