//! What people type for jobs and printers, and what listeners hear of an edit.

use printmesh_node::{Code, Command, JobEdit, NewJob};
use printmesh_queue::JobId;

use crate::farm::{Farm, job};

fn draft(name: &str) -> NewJob {
    NewJob {
        draft: true,
        ..job("local", name)
    }
}

fn named(farm: &Farm, name: &str) -> Result<JobId, Code> {
    let found = farm.node(0).job_named(name);
    found.map(|(_, id)| id).map_err(|problem| problem.code)
}

#[test]
fn a_name_means_the_job_that_is_not_over_and_else_the_only_one_that_had_it() {
    let mut farm = Farm::new(&[1]);
    let first = farm.submit(0, job("local", "Lid"));
    farm.settle();
    assert_eq!(farm.status(0, first), "done");
    assert_eq!(named(&farm, "Lid"), Ok(first));
    let second = farm.submit(0, draft("Lid"));
    assert_eq!(named(&farm, "Lid"), Ok(second));
    farm.ok(
        0,
        Command::JobCancel {
            job: second.to_string(),
        },
    );
    assert_eq!(named(&farm, "Lid"), Err(Code::JobAmbiguous));
}

#[test]
fn a_name_that_begins_another_jobs_id_is_asked_about_and_never_guessed() {
    let mut farm = Farm::new(&[0]);
    let first = farm.submit(0, draft("Lid"));
    let start = &first.to_string()[..3];
    assert_eq!(named(&farm, start), Ok(first));
    let second = farm.submit(0, draft(start));
    assert_eq!(named(&farm, start), Err(Code::JobAmbiguous));
    assert_eq!(named(&farm, &second.to_string()), Ok(second));
    // Nobody takes over what a list shows by naming a job so.
    let shown = &first.to_string()[..12];
    farm.submit(0, draft(shown));
    assert_eq!(named(&farm, shown), Ok(first));
}

#[test]
fn a_host_is_found_by_its_name_also_when_the_key_of_another_begins_with_the_same_letter() {
    let mut farm = Farm::shared(&[0; 12]);
    let keys: Vec<String> = farm
        .hosts
        .iter()
        .map(|host| host.id.fingerprint())
        .collect();
    let begins = |host: &&crate::farm::Host| keys.iter().any(|key| key.starts_with(&host.name));
    let name = farm.hosts.iter().find(begins).expect("one of these keys");
    let set = |hosts: &str| Command::VotersSet {
        queue: "farm".into(),
        hosts: vec![hosts.into()],
    };
    let (name, id) = (name.name.clone(), name.id);
    farm.ok(0, set(&name));
    farm.settle();
    assert_eq!(farm.snapshot(0, "farm").voters.hosts, [id]);
    // A key is known by its first half, or the whole of it.
    let (other, key) = (farm.hosts[11].id, &keys[11]);
    assert_eq!(farm.refused(0, set(&key[..3])).code, Code::MemberUnknown);
    farm.ok(0, set(&key[..4]));
    farm.settle();
    assert_eq!(farm.snapshot(0, "farm").voters.hosts, [other]);
}

#[test]
fn a_job_for_a_printer_that_does_not_exist_is_refused() {
    let mut farm = Farm::shared(&[1, 1]);
    let pinned = |pin: &str| NewJob {
        printers: vec![pin.into()],
        draft: true,
        ..job("farm", "Lid")
    };
    for pin in ["p0", "a/p0", "b/p0"] {
        farm.submit(0, pinned(pin));
    }
    for pin in ["p1", "c/p0", ""] {
        let problem = farm.refused(0, Command::JobSubmit(pinned(pin)));
        assert_eq!(problem.code, Code::PrinterUnknown);
        assert_eq!(problem.why.as_deref(), Some("it has a/p0, b/p0"));
    }
}

#[test]
fn listeners_hear_of_an_edit_that_changes_no_state() {
    let mut farm = Farm::shared(&[0, 0]);
    let id = farm.submit(0, job("farm", "Lid"));
    for host in &mut farm.hosts {
        host.events.clear();
    }
    let edit = JobEdit {
        name: Some("Cap".into()),
        ..JobEdit::default()
    };
    farm.ok(
        1,
        Command::JobEdit {
            job: id.to_string(),
            edit,
        },
    );
    for host in &farm.hosts {
        let heard: Vec<_> = host.events.iter().map(|event| event.kind).collect();
        assert_eq!(heard, ["job.changed"], "{}", host.name);
    }
}
