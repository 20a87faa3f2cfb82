//! Secrets in the memory of a running daemon: nowhere once they are none of its business any more.
//!
//! Needs `/proc/PID/mem`, which a parent may read of its child unless the system forbids it; says so when it cannot.
//! Not held: the bytes of a ticket's secret on the stack of who made the ticket, and parts of a key in the gaps of
//! what is in use (`SECURITY.md`).

use std::{fs::File, os::unix::fs::FileExt as _, str::FromStr as _, time::Instant};

use printmesh_net::Ticket;

use crate::suite::environment::{Farm, Host, PATIENCE, sliced};

/// Memory is looked through in pieces of this, bytes.
const PIECE: usize = 1 << 20;

/// What of a secret may not be found.
struct Secret {
    /// Each way to write it, and its name.
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Secret {
    fn of(bytes: &[u8; 32]) -> Self {
        let numbers: Vec<String> = bytes.iter().map(ToString::to_string).collect();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            forms: vec![
                ("bytes", bytes.to_vec()),
                ("hex", hex.into_bytes()),
                ("numbers", numbers.join(",").into_bytes()),
            ],
        }
    }

    /// As a ticket writes it: what of its text another secret would change, in small letters and in capitals.
    fn in_ticket(text: &str) -> Self {
        let ticket = Ticket::from_str(text).unwrap();
        let mut secret = Self::of(&ticket.secret);
        // Where it was made or read they were moved over the stack.
        secret.forms.retain(|(name, _)| *name != "bytes");
        let other = Ticket {
            secret: ticket.secret.map(|byte| !byte),
            ..ticket
        };
        let differs: Vec<usize> = other
            .to_string()
            .bytes()
            .zip(text.bytes())
            .enumerate()
            .filter(|(_, (a, b))| a != b)
            .map(|(at, _)| at)
            .collect();
        let text = &text[differs[0]..differs[0] + 50];
        secret.forms.push(("ticket", text.as_bytes().to_vec()));
        let capitals = text.to_uppercase();
        secret.forms.push(("TICKET", capitals.into_bytes()));
        secret
    }

    /// The forms that are somewhere in what the daemon may write to. `None` when its memory cannot be read.
    fn found_in(&self, host: &Host) -> Option<Vec<&'static str>> {
        let process = format!("/proc/{}", host.pid());
        let maps = std::fs::read_to_string(format!("{process}/maps")).ok()?;
        let memory = File::open(format!("{process}/mem")).ok()?;
        let longest = self.forms.iter().map(|(_, form)| form.len()).max()?;
        let mut found = Vec::new();
        let mut read = 0;
        for line in maps.lines() {
            let mut fields = line.split_whitespace();
            let (range, permissions) = (fields.next()?, fields.next()?);
            if !permissions.starts_with("rw") {
                continue;
            }
            let (from, to) = range.split_once('-')?;
            let (mut at, end) = (address(from)?, address(to)?);
            while at < end {
                let length = (PIECE + longest).min(usize::try_from(end - at).ok()?);
                let mut piece = vec![0; length];
                if memory.read_exact_at(&mut piece, at).is_ok() {
                    read += length;
                    self.look(&piece, &mut found);
                }
                at += PIECE as u64;
            }
        }
        found.sort_unstable();
        found.dedup();
        (read > 0).then_some(found)
    }

    /// Waits until nothing of it is there any more: who asked has its answer before all that was needed for it is put away.
    fn until_gone(&self, host: &Host) {
        let until = Instant::now() + PATIENCE;
        loop {
            let found = self.found_in(host).expect("it was readable before");
            if found.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "{} keeps {found:?}", host.name);
            host.ok(&["queue", "list"]);
        }
    }

    /// Neither the log nor what is said of the daemon and its queues shows it.
    fn is_never_shown(&self, host: &Host) {
        let said = [
            host.log(),
            host.ok(&["daemon", "status"]),
            host.ok(&["status", "--json"]),
            host.ok(&["queue", "show", "farm", "--json"]),
        ];
        for (name, form) in &self.forms {
            let Ok(form) = std::str::from_utf8(form) else {
                continue;
            };
            assert!(!said.iter().any(|text| text.contains(form)), "{name}");
        }
    }

    fn look(&self, piece: &[u8], found: &mut Vec<&'static str>) {
        let mut begins = [false; 256];
        for (_, form) in &self.forms {
            begins[usize::from(form[0])] = true;
        }
        for (at, byte) in piece.iter().enumerate() {
            if begins[usize::from(*byte)] {
                let here = self.forms.iter();
                let here = here.filter(|(_, form)| piece[at..].starts_with(form));
                found.extend(here.map(|(name, _)| *name));
            }
        }
    }
}

fn address(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// The key of the queue `farm` of a host that does not run, as it is on its disk.
fn key_on_disk(host: &Host) -> [u8; 32] {
    let state = std::fs::read(host.home.join("state.redb")).unwrap();
    let before = br#""joined_as":"farm","key":["#;
    let at = state
        .windows(before.len())
        .position(|here| here == before)
        .expect("the queue is on the disk");
    let numbers = state[at + before.len()..].split(|byte| *byte == b']');
    let numbers = std::str::from_utf8(numbers.into_iter().next().unwrap()).unwrap();
    let bytes: Vec<u8> = numbers.split(',').map(|n| n.parse().unwrap()).collect();
    bytes.try_into().unwrap()
}

#[test]
fn the_old_key_of_a_queue_is_nowhere_in_memory_once_it_has_another_one() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start_verbose();
    a.ok(&["queue", "create", "farm"]);
    a.stop();
    let key = Secret::of(&key_on_disk(&a));
    a.start_verbose();
    let Some(found) = key.found_in(&a) else {
        eprintln!("skipped: the memory of a child cannot be read here");
        return;
    };
    assert!(found.contains(&"bytes"), "it is found while it is used");
    a.ok(&["queue", "rotate-key", "farm"]);
    key.until_gone(&a);
    key.is_never_shown(&a);
}

#[test]
fn the_key_of_a_queue_that_a_host_has_left_is_nowhere_in_its_memory() {
    let farm = Farm::new();
    let [mut a, mut b] = ["a", "b"].map(|name| {
        let mut host = farm.host(name);
        host.start_verbose();
        host
    });
    a.ok(&["queue", "create", "farm"]);
    let share = a.json(&["queue", "share", "farm", "--role", "admin"]);
    b.ok(&["join", share["ticket"].as_str().unwrap()]);
    a.until_link("farm", "b", "connected");
    a.stop();
    b.stop();
    let bytes = key_on_disk(&b);
    let key = Secret::of(&bytes);
    a.start_verbose();
    b.start_verbose();
    let Some(found) = key.found_in(&b) else {
        eprintln!("skipped: the memory of a child cannot be read here");
        return;
    };
    assert!(found.contains(&"bytes"), "it is found while it is used");
    b.until_link("farm", "a", "connected");
    b.ok(&["queue", "leave", "farm"]);
    key.until_gone(&b);
    let kept = key.found_in(&a).unwrap();
    assert!(kept.contains(&"bytes"), "the other one has it");
}

#[test]
fn a_ticket_that_was_made_read_or_revealed_is_not_kept() {
    let farm = Farm::new();
    let [a, b] = ["a", "b"].map(|name| {
        let mut host = farm.host(name);
        host.start_verbose();
        host
    });
    a.ok(&["queue", "create", "farm"]);
    let (invite, revealed) = (
        a.ticket("farm"),
        a.ok(&["queue", "key", "show", "farm", "--reveal"]),
    );
    b.ok(&["join", &invite]);
    let invite = Secret::in_ticket(&invite);
    let Some(_) = invite.found_in(&a) else {
        eprintln!("skipped: the memory of a child cannot be read here");
        return;
    };
    invite.until_gone(&a);
    invite.until_gone(&b);
    invite.is_never_shown(&a);
    invite.is_never_shown(&b);
    let mut key = Secret::in_ticket(revealed.trim());
    // The database has it as numbers for as long as the host has the key.
    key.forms.retain(|(name, _)| *name != "numbers");
    key.until_gone(&a);
    key.is_never_shown(&a);
    // What is kept is found: the same letters as the name of a job.
    let (_, letters) = invite
        .forms
        .iter()
        .find(|(name, _)| *name == "ticket")
        .unwrap();
    let name = std::str::from_utf8(letters).unwrap();
    a.submit(&[
        &sliced("clip.gcode"),
        "-q",
        "farm",
        "--draft",
        "--name",
        name,
    ]);
    assert_eq!(invite.found_in(&a).unwrap(), ["ticket"]);
}
