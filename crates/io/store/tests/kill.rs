//! A daemon that is killed while it writes loses nothing that it acknowledged, and never leaves half of a transaction.
//!
//! The test runs its own binary again as the daemon: a process that commits as fast as it can and says so after each commit.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use printmesh_store::{Database, Write};

const TEST: &str = "killed_at_any_moment_nothing_acknowledged_is_lost";
const DAEMON_DATABASE: &str = "PRINTMESH_STORE_TEST_DATABASE";
const LOG: [u8; 32] = [1; 32];
const KEY: &[u8] = b"last";
const ROUNDS: u64 = 12;

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    if let Some(path) = std::env::var_os(DAEMON_DATABASE) {
        commit_for_ever(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    for round in 0..ROUNDS {
        // The first round is killed at the first sign of life, the later ones deeper and deeper in.
        let acknowledged = kill_after(&path, 1 + round * 7);
        let database = Database::open(&path).unwrap();
        let entries = database.log(LOG).unwrap();
        let length = entries.len() as u64;
        assert!(
            length >= acknowledged,
            "round {round}: {acknowledged} were acknowledged, {length} are there"
        );
        for (expected, entry) in (0_u64..).zip(&entries) {
            assert_eq!(
                number(entry),
                expected,
                "round {round}: the log has no gaps"
            );
        }
        let last = database.get(KEY).unwrap().map(|value| number(&value));
        assert_eq!(
            last,
            length.checked_sub(1),
            "round {round}: both writes of a transaction, or none"
        );
    }
}

/// Starts the daemon, kills it after it has acknowledged `commits` more, and returns how many it acknowledged in all.
fn kill_after(path: &Path, commits: u64) -> u64 {
    let mut daemon = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(DAEMON_DATABASE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(daemon.stdout.take().unwrap()).lines();
    let mut numbers = lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<u64>().ok());
    let mut acknowledged = 0;
    for _ in 0..commits {
        acknowledged = numbers.next().expect("the daemon runs until it is killed") + 1;
    }
    daemon.kill().unwrap();
    // What it said before it died counts as well.
    if let Some(last) = numbers.last() {
        acknowledged = last + 1;
    }
    daemon.wait().unwrap();
    acknowledged
}

fn commit_for_ever(path: &Path) -> ! {
    let database = Database::open(path).unwrap();
    let first = database.log(LOG).unwrap().len() as u64;
    for number in first.. {
        let bytes = number.to_le_bytes().to_vec();
        database
            .commit(&[
                Write::Put {
                    key: KEY.to_vec(),
                    value: bytes.clone(),
                },
                Write::Append {
                    log: LOG,
                    entry: bytes,
                },
            ])
            .unwrap();
        // In one write, so that a line is never cut by the kill. The line break before it ends what the test harness printed.
        std::io::stdout()
            .write_all(format!("\nacknowledged {number}\n").as_bytes())
            .unwrap();
    }
    unreachable!("numbers do not end")
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}
