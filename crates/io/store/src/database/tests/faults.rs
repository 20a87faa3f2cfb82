//! The database on a disk that fails at every single step in turn, loses power there, or flips a byte.

use super::{
    faulty::{Disk, Fault},
    *,
};

fn opener(disk: &Disk) -> Opener {
    let disk = disk.clone();
    Box::new(move || {
        redb::Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(disk.clone())
    })
}

fn open(disk: &Disk) -> Database {
    Database::open_with(Path::new("disk"), opener(disk)).unwrap()
}

/// A commit of each kind of write, some of it too large for the pages that are there.
fn writes() -> Vec<Write> {
    let mut writes = vec![
        put("kept", "changed"),
        put("new", &"n".repeat(20_000)),
        delete("dropped"),
        put("new", "again"),
    ];
    writes.extend((0..40).map(|entry| append(LOG, &format!("entry {entry} {}", "e".repeat(500)))));
    writes.push(Write::Clear { log: OTHER_LOG });
    writes.push(append(OTHER_LOG, "first"));
    writes
}

fn prepared(disk: &Disk) -> Database {
    let database = open(disk);
    let base = [
        put("kept", "old"),
        put("dropped", "old"),
        append(LOG, "old 0"),
        append(LOG, "old 1"),
        append(OTHER_LOG, "to be cleared"),
        append(OTHER_LOG, "this too"),
    ];
    database.commit(&base).unwrap();
    database
}

/// Calls `check` with a fault at each step of the commit in turn, until one lies beyond its end. Returns how many steps there were.
fn at_every_step(
    fault: fn(u64) -> Fault,
    check: impl Fn(&Disk, Database, Result<(), CommitError>),
) -> u64 {
    for step in 0.. {
        let disk = Disk::default();
        let database = prepared(&disk);
        disk.arm(fault(step));
        let committed = database.commit(&writes());
        if !disk.has_struck() {
            committed.unwrap();
            return step;
        }
        check(&disk, database, committed);
    }
    unreachable!("a commit ends")
}

fn old_and_new() -> (Content, Content) {
    let database = prepared(&Disk::default());
    let old = content(&database);
    database.commit(&writes()).unwrap();
    (old, content(&database))
}

#[test]
fn a_disk_that_is_full_for_a_moment_costs_one_commit_and_nothing_else() {
    let (old, new) = old_and_new();
    let steps = at_every_step(Fault::Once, |disk, database, committed| {
        assert!(
            matches!(committed, Err(CommitError::DiskFull)),
            "{committed:?}"
        );
        assert!(
            content(&database) == old,
            "an error means that nothing happened"
        );
        database.commit(&writes()).unwrap();
        assert!(content(&database) == new, "the database goes on");
        drop(database);
        assert!(content(&open(disk)) == new, "and so does its file");
    });
    assert!(steps > 10, "only {steps} steps were tried");
}

#[test]
fn a_disk_that_is_gone_gives_errors_until_it_is_back() {
    let (old, new) = old_and_new();
    at_every_step(Fault::From, |disk, database, committed| {
        assert!(
            matches!(committed, Err(CommitError::DiskFull)),
            "{committed:?}"
        );
        database.commit(&[put("x", "x")]).unwrap_err();
        database.get(b"kept").unwrap_err();
        disk.arm(Fault::None);
        assert!(content(&database) == old);
        database.commit(&writes()).unwrap();
        assert!(content(&database) == new);
    });
}

#[test]
fn a_power_cut_at_any_step_leaves_the_old_or_the_new() {
    let (old, new) = old_and_new();
    let patterns: [fn(usize) -> bool; 5] = [
        |_| false,
        |_| true,
        |index| index % 2 == 0,
        |index| index % 2 == 1,
        |index| index < 4,
    ];
    for survives in patterns {
        at_every_step(Fault::From, |disk, database, committed| {
            committed.unwrap_err();
            drop(database);
            disk.lose_power(survives);
            let found = content(&open(disk));
            assert!(found == old || found == new);
        });
    }
}

#[test]
fn a_power_cut_after_a_commit_loses_nothing() {
    let (_, new) = old_and_new();
    let disk = Disk::default();
    let database = prepared(&disk);
    database.commit(&writes()).unwrap();
    disk.arm(Fault::From(0));
    drop(database);
    disk.lose_power(|_| false);
    assert!(content(&open(&disk)) == new);
}

#[test]
fn a_flipped_byte_is_found_or_changes_nothing() {
    let disk = Disk::default();
    let whole = content(&prepared(&disk));
    let length = disk.length();
    let (mut opened, mut refused) = (0, 0);
    for place in (0..320).chain((320..length).step_by(length / 300)) {
        let disk = disk.deep_copy();
        disk.flip(place);
        let opener = opener(&disk);
        match Database::open_with(Path::new("disk"), opener) {
            Err(error) => {
                assert!(
                    matches!(error, OpenError::Damaged { .. }),
                    "{place}: {error:?}"
                );
                refused += 1;
            }
            Ok(database) => {
                assert!(
                    content(&database) == whole,
                    "{place}: something else is read"
                );
                database.commit(&writes()).expect("it goes on");
                opened += 1;
            }
        }
    }
    assert!(
        opened > 0 && refused > 0,
        "{opened} opened, {refused} refused"
    );
}
