//! The imports folder on a real disk: names from strangers, jobs and files of one name, restarts, links, and damage.

use std::{collections::BTreeMap, os::unix::fs::symlink};

use proptest::prelude::*;

use super::{marker::MARKER, *};

const JOB: &str = "6f1c2d3e4f5061728394a5b6c7d8e9f0";
const OTHER_JOB: &str = "6f1c2d000000000000000000000000ff";

fn imports() -> (tempfile::TempDir, Imports) {
    let folder = tempfile::tempdir().unwrap();
    let imports = Imports::open(folder.path()).unwrap();
    (folder, imports)
}

fn hash(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

/// Imports a file the way the daemon does.
fn import(
    imports: &Imports,
    job_id: &str,
    job_name: &str,
    file_name: &str,
    content: &[u8],
) -> PathBuf {
    let placement = imports
        .place(job_id, job_name, file_name, &hash(content))
        .unwrap();
    if !placement.already_there_and_verified {
        fs::write(placement.partial_path(), content).unwrap();
        placement.commit().unwrap();
    }
    assert_eq!(fs::read(&placement.path).unwrap(), content);
    placement.path
}

fn below(imports: &Imports, path: &Path) -> String {
    path.strip_prefix(imports.root.path())
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_file_lies_where_a_person_looks_for_it() {
    let (_folder, imports) = imports();
    let path = import(&imports, JOB, "Bracket v2", "bracket left.gcode", b"G28");
    assert_eq!(below(&imports, &path), "Bracket v2/bracket left.gcode");
    let names: Vec<_> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "the file and the marker: {names:?}");
}

#[test]
fn the_same_file_keeps_its_path_over_a_restart() {
    let (folder, imports) = imports();
    let first = import(&imports, JOB, "clip", "a.gcode", b"one");
    let second = import(&imports, JOB, "clip", "a.gcode", b"two");
    assert_eq!(
        below(&imports, &second),
        format!("clip/a-{}.gcode", &hash(b"two")[..6])
    );

    let imports = Imports::open(folder.path()).unwrap();
    for (content, path) in [(b"two", &second), (b"one", &first)] {
        let placement = imports
            .place(JOB, "clip", "a.gcode", &hash(content))
            .unwrap();
        assert_eq!(placement.path, *path);
        assert!(placement.already_there_and_verified);
    }
}

#[test]
fn a_path_is_reserved_before_the_file_is_there() {
    let (_folder, imports) = imports();
    let one = imports
        .place(JOB, "clip", "a.gcode", &hash(b"one"))
        .unwrap();
    let two = imports
        .place(JOB, "clip", "a.gcode", &hash(b"two"))
        .unwrap();
    let upper = imports
        .place(JOB, "clip", "A.GCODE", &hash(b"three"))
        .unwrap();
    assert!(!one.already_there_and_verified);
    assert_ne!(one.path, two.path);
    assert_ne!(one.partial_path(), two.partial_path());
    assert_eq!(
        below(&imports, &upper.path),
        format!("clip/A-{}.GCODE", &hash(b"three")[..6]),
        "on some disks A.GCODE is a.gcode"
    );
    assert_eq!(
        imports
            .place(JOB, "clip", "a.gcode", &hash(b"one"))
            .unwrap(),
        one
    );
}

#[test]
fn jobs_of_one_name_have_their_own_folders() {
    let (_folder, imports) = imports();
    let first = import(&imports, JOB, "clip", "a.gcode", b"one");
    let second = import(&imports, OTHER_JOB, "clip", "a.gcode", b"one");
    let third = import(&imports, "6f1c2d000000111", "clip", "a.gcode", b"one");
    assert_eq!(below(&imports, &first), "clip/a.gcode");
    assert_eq!(below(&imports, &second), "clip-6f1c2d/a.gcode");
    assert_eq!(below(&imports, &third), "clip-6f1c2d000000/a.gcode");
    assert_eq!(
        import(&imports, OTHER_JOB, "clip", "a.gcode", b"one"),
        second
    );
}

#[test]
fn what_a_person_put_there_is_left_alone() {
    let (folder, imports) = imports();
    fs::create_dir_all(folder.path().join("clip")).unwrap();
    fs::write(folder.path().join("clip/notes"), b"mine").unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(folder.path().join("file"), b"mine").unwrap();

    assert_eq!(
        below(&imports, &import(&imports, JOB, "clip", "a.gcode", b"one")),
        "clip-6f1c2d/a.gcode"
    );
    assert_eq!(
        below(&imports, &import(&imports, JOB, "empty", "a.gcode", b"one")),
        "empty/a.gcode"
    );
    assert_eq!(
        below(&imports, &import(&imports, JOB, "file", "a.gcode", b"one")),
        "file-6f1c2d/a.gcode"
    );

    fs::write(folder.path().join("empty/b.gcode"), b"mine").unwrap();
    let path = import(&imports, JOB, "empty", "b.gcode", b"two");
    assert_eq!(
        below(&imports, &path),
        format!("empty/b-{}.gcode", &hash(b"two")[..6])
    );
    assert_eq!(
        fs::read(folder.path().join("empty/b.gcode")).unwrap(),
        b"mine"
    );
}

#[test]
fn a_damaged_file_is_fetched_anew() {
    let (_folder, imports) = imports();
    let path = import(&imports, JOB, "clip", "a.gcode", b"G28 good");
    for damage in [&b"G28 bad!"[..], b"G28", b""] {
        fs::write(&path, damage).unwrap();
        assert!(matches!(
            verify(&path, &blake3::hash(b"G28 good")),
            Err(VerifyError::WrongContent { .. })
        ));
        assert_eq!(import(&imports, JOB, "clip", "a.gcode", b"G28 good"), path);
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        verify(&path, &blake3::hash(b"G28 good")),
        Err(VerifyError::Missing { .. })
    ));
    assert_eq!(import(&imports, JOB, "clip", "a.gcode", b"G28 good"), path);
}

#[test]
fn only_the_right_content_gets_the_name() {
    let (_folder, imports) = imports();
    let placement = imports
        .place(JOB, "clip", "a.gcode", &hash(b"right"))
        .unwrap();
    assert!(
        matches!(placement.commit(), Err(ImportError::Io { .. })),
        "nothing was written yet"
    );
    fs::write(placement.partial_path(), b"wrong").unwrap();
    assert!(matches!(
        placement.commit(),
        Err(ImportError::WrongContent { .. })
    ));
    assert!(!placement.path.exists() && !placement.partial_path().exists());
    fs::write(placement.partial_path(), b"right").unwrap();
    placement.commit().unwrap();
    verify(&placement.path, &blake3::hash(b"right")).unwrap();
}

#[test]
fn a_large_file_is_verified_in_pieces() {
    let (_folder, imports) = imports();
    let content: Vec<u8> = (0..1_000_003_u32)
        .map(|index| index.to_le_bytes()[0])
        .collect();
    let path = import(&imports, JOB, "large", "a.gcode", &content);
    verify(&path, &blake3::hash(&content)).unwrap();
}

#[test]
fn links_are_not_followed() {
    let (folder, imports) = imports();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, b"secret").unwrap();

    symlink(outside.path(), folder.path().join("clip")).unwrap();
    assert_eq!(
        below(&imports, &import(&imports, JOB, "clip", "a.gcode", b"one")),
        "clip-6f1c2d/a.gcode"
    );

    let placement = imports
        .place(JOB, "box", "secret", &hash(b"secret"))
        .unwrap();
    symlink(&secret, &placement.path).unwrap();
    assert!(matches!(
        verify(&placement.path, &blake3::hash(b"secret")),
        Err(VerifyError::NotAFile { .. })
    ));
    assert!(matches!(
        imports.place(JOB, "box", "secret", &hash(b"secret")),
        Err(ImportError::InTheWay { .. })
    ));
    symlink(&secret, placement.partial_path()).unwrap();
    assert!(matches!(
        placement.commit(),
        Err(ImportError::InTheWay { .. })
    ));
    assert_eq!(
        fs::read_dir(outside.path()).unwrap().count(),
        1,
        "nothing was written outside"
    );
}

#[test]
fn a_cut_or_missing_marker_costs_a_folder_and_never_a_file() {
    let (_folder, imports) = imports();
    let path = import(&imports, JOB, "clip", "a.gcode", b"one");
    fs::write(path.with_file_name(MARKER), b"job").unwrap();
    let again = import(&imports, JOB, "clip", "a.gcode", b"two");
    assert_eq!(below(&imports, &again), "clip-6f1c2d/a.gcode");
    assert_eq!(fs::read(&path).unwrap(), b"one");
}

#[test]
fn what_an_interrupted_start_left_behind_is_no_obstacle() {
    let (folder, imports) = imports();
    fs::create_dir(folder.path().join(format!(".{JOB}.new"))).unwrap();
    import(&imports, JOB, "clip", "a.gcode", b"one");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_called_so() {
    let full = Path::new("/dev/full");
    let error = fs::write(full, b"x").unwrap_err();
    assert!(
        matches!(ImportError::from_io(full, error), ImportError::DiskFull { path } if path == full)
    );
}

#[test]
fn ids_and_hashes_are_checked() {
    let (folder, imports) = imports();
    for id in ["", "a/b", "..", "a\nb", "a b", &"a".repeat(65)] {
        assert!(
            matches!(
                imports.place(id, "clip", "a", &hash(b"")),
                Err(ImportError::BadJobId(_))
            ),
            "{id:?}"
        );
    }
    for hash in ["", "abc", "../../../etc/passwd", &"g".repeat(64)] {
        assert!(
            matches!(
                imports.place(JOB, "clip", "a", hash),
                Err(ImportError::BadHash(_))
            ),
            "{hash:?}"
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(Imports::open(&folder.path().join("absent")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever jobs and files are called, each file of each job has a path of its own, inside, and keeps it.
    #[test]
    fn no_name_escapes_or_collides(files in proptest::collection::vec((0..3_u8, name(), name(), 0..6_u8), 1..12)) {
        let (folder, imports) = imports();
        let mut paths: BTreeMap<PathBuf, (u8, u8)> = BTreeMap::new();
        let mut found = Vec::new();
        for (job, job_name, file_name, content) in &files {
            let path = import(&imports, &format!("job{job}"), job_name, file_name, &[*content]);
            let inside = path.strip_prefix(imports.root.path()).unwrap();
            prop_assert_eq!(inside.components().count(), 2);
            prop_assert!(inside.components().all(|part| matches!(part, std::path::Component::Normal(_))));
            prop_assert_eq!(path.canonicalize().unwrap(), path.clone());
            if let Some(owner) = paths.insert(path.clone(), (*job, *content)) {
                prop_assert_eq!(owner, (*job, *content), "{} has two owners", path.display());
            }
            found.push(path);
        }
        let reopened = Imports::open(folder.path()).unwrap();
        for ((job, job_name, file_name, content), path) in files.iter().zip(found) {
            let placement = reopened.place(&format!("job{job}"), job_name, file_name, &hash(&[*content])).unwrap();
            prop_assert!(placement.already_there_and_verified);
            prop_assert_eq!(placement.path, path);
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,200}",
        ".{0,20}",
        "(\\.\\./){1,3}[a-z]{0,3}",
        proptest::sample::select(vec![
            "a",
            "A",
            "a.gcode",
            "A.gcode",
            "..",
            ".",
            "",
            "/",
            "NUL",
            ".printmesh-job",
            "a-job0",
            "a.part"
        ])
        .prop_map(str::to_owned),
    ]
}

#[test]
fn a_folder_that_becomes_a_link_meanwhile_leads_nowhere() {
    let (temporary, imports) = imports();
    let outside = temporary.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let place = || {
        imports
            .place("1", "job", "cube.gcode", &hash(b"cube"))
            .unwrap()
    };
    let placement = place();
    let folder = placement.path.parent().unwrap().to_owned();
    // Between two steps somebody takes the folder away and puts a link to another one in its place.
    let aside = temporary.path().join("aside");
    fs::rename(&folder, &aside).unwrap();
    symlink(&outside, &folder).unwrap();
    fs::write(placement.partial_path(), b"cube").unwrap();
    placement.commit().unwrap();
    assert_eq!(
        fs::read_dir(&outside).unwrap().count(),
        0,
        "nothing came out"
    );
    assert_eq!(fs::read(aside.join("cube.gcode")).unwrap(), b"cube");

    // The next one sees what is there now, and does not go through it.
    assert_ne!(place().path.parent().unwrap(), folder);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn links_that_are_swapped_all_the_time_lead_nowhere() {
    use std::sync::atomic::{AtomicBool, Ordering};

    let (temporary, imports) = imports();
    let outside = temporary.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let place = || imports.place("1", "job", "cube.gcode", &hash(b"cube"));
    let folder = place().unwrap().path.parent().unwrap().to_owned();
    let aside = temporary.path().join("aside");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if fs::rename(&folder, &aside).is_ok() && symlink(&outside, &folder).is_ok() {
                    let _ = fs::remove_file(&folder);
                    let _ = fs::rename(&aside, &folder);
                }
            }
        });
        for _ in 0..200 {
            // Whatever comes of it, it is not outside.
            if let Ok(placement) = place() {
                let _ = fs::write(placement.partial_path(), b"cube");
                let _ = placement.commit();
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn what_a_hard_link_shares_is_not_written_through_it() {
    let (temporary, imports) = imports();
    let precious = temporary.path().join("precious");
    fs::write(&precious, b"precious").unwrap();
    let placement = imports
        .place("1", "job", "cube.gcode", &hash(b"cube"))
        .unwrap();
    fs::hard_link(&precious, &placement.path).unwrap();
    fs::write(placement.partial_path(), b"cube").unwrap();
    placement.commit().unwrap();
    assert_eq!(fs::read(&placement.path).unwrap(), b"cube");
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
}

#[test]
fn a_device_or_a_pipe_in_the_way_is_not_read() {
    let (_temporary, imports) = imports();
    let place = || imports.place("1", "job", "cube.gcode", &hash(b"cube"));
    let placement = place().unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(&placement.path)
        .status();
    assert!(made.unwrap().success());
    assert!(matches!(place(), Err(ImportError::InTheWay { .. })));
}

#[test]
fn a_job_has_a_folder_even_when_other_jobs_are_called_like_all_that_it_could_have() {
    let (_folder, imports) = imports();
    let id = "k".repeat(32);
    let taken = [
        "bracket".to_owned(),
        format!("bracket-{}", &id[..6]),
        format!("bracket-{}", &id[..12]),
        format!("bracket-{id}"),
    ];
    for (n, name) in taken.iter().enumerate() {
        import(&imports, &format!("other{n}"), name, "a.gcode", b"G28");
    }
    let path = import(&imports, &id, "bracket", "a.gcode", b"G1");
    assert_eq!(
        below(&imports, &path),
        format!("bracket-{id}-2/a.gcode"),
        "none of theirs"
    );
}
