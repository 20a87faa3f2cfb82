//! Jobs that are edited, reordered, cancelled and moved while printers want them.

use printmesh_node::{Command, JobEdit, NewJob, NewSet, Place};
use printmesh_queue::{JobId, Role};

use crate::farm::{Crash, Farm, Machines, file, job};

fn cancel(job: JobId) -> Command {
    Command::JobCancel {
        job: job.to_string(),
    }
}

fn move_to(job: JobId, queue: &str) -> Command {
    Command::JobMove {
        job: job.to_string(),
        to: Some(queue.into()),
        place: Place::Keep,
    }
}

fn place(job: JobId, place: Place) -> Command {
    Command::JobMove {
        job: job.to_string(),
        to: None,
        place,
    }
}

fn edit(job: JobId, edit: JobEdit) -> Command {
    Command::JobEdit {
        job: job.to_string(),
        edit,
    }
}

fn names(farm: &Farm, n: usize, queue: &str) -> Vec<String> {
    farm.snapshot(n, queue)
        .jobs_in_order()
        .into_iter()
        .map(|job| job.name.clone())
        .collect()
}

/// Two hosts in a queue, none of whose printers takes anything.
fn quiet(printers: &[usize]) -> Farm {
    let mut farm = Farm::shared(printers);
    for n in 0..printers.len() {
        farm.ok(
            n,
            Command::Autoprint {
                printers: Vec::new(),
                on: false,
            },
        );
    }
    farm
}

fn loud(farm: &mut Farm) {
    for n in 0..farm.hosts.len() {
        if farm.up(n) {
            farm.give(
                n,
                Command::Autoprint {
                    printers: Vec::new(),
                    on: true,
                },
            );
        }
    }
    farm.settle();
}

#[test]
fn a_cancelled_job_is_never_printed_and_cancelling_twice_says_so() {
    let mut farm = quiet(&[1, 1]);
    let id = farm.submit(0, job("farm", "bracket"));
    farm.ok(1, cancel(id));
    for n in [0, 1] {
        assert_eq!(farm.status(n, id), "cancelled");
    }
    assert!(matches!(
        farm.ok(0, cancel(id)),
        printmesh_node::Answer::Done { already: true, .. }
    ));
    loud(&mut farm);
    farm.pass(600_000);
    assert!(farm.starts.is_empty());
    farm.check();
}

#[test]
fn a_job_that_a_printer_prints_is_neither_cancelled_nor_moved_and_the_printer_is_named() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    for command in [cancel(id), move_to(id, "local")] {
        let problem = farm.refused(0, command);
        assert_eq!(problem.code.as_str(), "job.leased");
        assert!(problem.title.contains("b/p0"), "{}", problem.title);
    }
    farm.begin(1, "p0");
    farm.finish(1, "p0");
    farm.settle();
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(farm.refused(0, cancel(id)).code.as_str(), "job.over");
    assert_eq!(
        farm.refused(0, move_to(id, "local")).code.as_str(),
        "job.over"
    );
    farm.check();
}

#[test]
fn r_l2_when_a_printer_and_a_cancellation_want_one_copy_exactly_one_gets_it() {
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let mut farm = Farm::shared(&[0, 1, 0]);
        farm.machines = Machines::Wait;
        let id = farm.submit(
            2,
            NewJob {
                draft: true,
                ..job("farm", "bracket")
            },
        );
        farm.give(
            2,
            Command::JobRelease {
                job: id.to_string(),
            },
        );
        farm.settle_by(seed, seed as usize % 15);
        let asked = farm.give(2, cancel(id));
        farm.settle_by(seed, 10_000);
        farm.pass(100_000);
        let answer = farm.hosts[2].replies.remove(&asked).expect("answered");
        let printed = farm.starts.len() == 1;
        assert_eq!(answer.is_err(), printed, "seed {seed}: {answer:?}");
        assert_eq!(
            farm.status(0, id),
            if printed { "printing" } else { "cancelled" }
        );
        outcomes.insert(printed);
        farm.check();
    }
    assert_eq!(outcomes.len(), 2, "both happen");
}

#[test]
fn a_job_moves_to_the_network_and_back_to_another_host_with_its_files() {
    let mut farm = quiet(&[1, 1]);
    let first = farm.submit(
        0,
        NewJob {
            sets: vec![NewSet::of(file("a"), 1), NewSet::of(file("b"), 2)],
            copies: 3,
            ..job("local", "kit")
        },
    );
    farm.ok(0, move_to(first, "farm"));
    assert!(names(&farm, 0, "local").is_empty());
    let there = farm
        .snapshot(1, "farm")
        .jobs
        .values()
        .next()
        .expect("it is there")
        .clone();
    assert_eq!(
        (there.origin, there.copies, there.sets.len()),
        (Some(first), 3, 2)
    );
    // The old id still names it.
    assert_eq!(farm.job(0, first).1.id, there.id);
    farm.ok(1, move_to(there.id, "local"));
    let (_, back) = farm.job(1, there.id);
    let back = back.clone();
    assert_eq!(back.origin, Some(there.id));
    assert!(
        farm.hosts[1].files.contains(&file("a").hash)
            && farm.hosts[1].files.contains(&file("b").hash)
    );
    let paths: Vec<_> = back
        .sets
        .iter()
        .map(|set| {
            farm.node(1)
                .import_path(back.id, set.id, set.spec.files[0].hash)
        })
        .collect();
    assert_eq!(
        paths,
        [Some("imports/kit/a.gcode"), Some("imports/kit/b.gcode")]
    );
    assert_eq!(farm.status(0, there.id), "moved");
    loud(&mut farm);
    assert_eq!(farm.starts.len(), 9);
    assert!(farm.starts.iter().all(|start| start.host == 1));
    farm.check();
}

#[test]
fn only_what_is_left_of_a_job_moves() {
    let mut farm = Farm::shared(&[1, 1]);
    farm.machines = Machines::Print;
    farm.ok(
        1,
        Command::Autoprint {
            printers: Vec::new(),
            on: false,
        },
    );
    let id = farm.submit(
        0,
        NewJob {
            copies: 3,
            ..job("farm", "bracket")
        },
    );
    assert_eq!(farm.starts.len(), 1);
    farm.ok(1, move_to(id, "local"));
    assert_eq!(farm.snapshot(1, "local").jobs_in_order()[0].copies, 2);
    farm.machines = Machines::PrintAndClear;
    loud(&mut farm);
    farm.ready(0);
    assert_eq!(farm.starts.len(), 3);
    farm.check();
}

#[test]
fn a_copy_whose_end_nobody_knows_does_not_move_along() {
    let mut farm = Farm::shared(&[1, 0]);
    farm.machines = Machines::Wait;
    let id = farm.submit(
        0,
        NewJob {
            copies: 2,
            ..job("farm", "bracket")
        },
    );
    farm.kill(0);
    farm.settle();
    farm.boot(0);
    farm.settle();
    farm.ok(1, move_to(id, "local"));
    assert_eq!(farm.snapshot(1, "local").jobs_in_order()[0].copies, 1);
    farm.check();
}

#[test]
fn a_move_without_the_voter_waits_for_it_and_loses_nothing() {
    let mut farm = quiet(&[0, 1]);
    let id = farm.submit(1, job("farm", "bracket"));
    farm.kill(0);
    farm.settle();
    let answer = farm.ok(1, move_to(id, "local"));
    assert!(
        matches!(&answer, printmesh_node::Answer::Done { text, .. } if text.contains("as soon as a answers")),
        "{answer:?}"
    );
    assert_eq!(names(&farm, 1, "farm"), ["bracket"]);
    assert!(names(&farm, 1, "local").is_empty());
    farm.boot(0);
    farm.pass(1_000);
    assert_eq!(names(&farm, 1, "local"), ["bracket"]);
    assert!(names(&farm, 0, "farm").is_empty());
    farm.check();
}

#[test]
fn a_job_is_not_taken_back_without_its_files() {
    let mut farm = quiet(&[0, 1, 0]);
    let id = farm.submit(2, job("farm", "bracket"));
    farm.kill(2);
    farm.settle();
    assert_eq!(
        farm.refused(1, move_to(id, "local")).code.as_str(),
        "file.missing"
    );
    assert_eq!(names(&farm, 0, "farm"), ["bracket"]);
    farm.boot(2);
    farm.settle();
    farm.ok(1, move_to(id, "local"));
    assert_eq!(names(&farm, 1, "local"), ["bracket"]);
    farm.check();
}

#[test]
fn a_move_that_a_crash_interrupts_anywhere_happens_once_or_not_at_all() {
    for crash in [Crash::BeforeWrites, Crash::AfterWrites, Crash::AfterEffects] {
        for victim in [0, 1] {
            for at in 1..30 {
                let mut farm = quiet(&[1, 1]);
                let id = farm.submit(
                    0,
                    NewJob {
                        copies: 2,
                        ..job("farm", "bracket")
                    },
                );
                farm.hosts[victim].crash_at = Some((farm.hosts[victim].handled + at, crash));
                farm.give(1, move_to(id, "local"));
                farm.settle();
                farm.pass(20_000);
                if farm.up(victim) {
                    farm.check();
                    break;
                }
                farm.boot(victim);
                farm.pass(20_000);
                let here = names(&farm, 0, "farm").len();
                assert_eq!(names(&farm, 1, "farm").len(), here);
                assert_eq!(
                    names(&farm, 1, "local").len(),
                    1 - here,
                    "{crash:?} of {victim} at {at}"
                );
                loud(&mut farm);
                for _ in 0..3 {
                    farm.ready(0);
                    farm.ready(1);
                    farm.pass(100_000);
                }
                assert_eq!(farm.starts.len(), 2, "{crash:?} of {victim} at {at}");
                farm.check();
            }
        }
    }
}

#[test]
fn r_l2_copies_and_printers_of_a_job_can_be_edited_on_any_host_until_they_are_begun() {
    let mut farm = quiet(&[1, 1]);
    let id = farm.submit(
        0,
        NewJob {
            copies: 2,
            ..job("farm", "bracket")
        },
    );
    farm.ok(
        1,
        edit(
            id,
            JobEdit {
                copies: Some(5),
                name: Some("bracket v2".into()),
                ..JobEdit::default()
            },
        ),
    );
    farm.ok(
        0,
        edit(
            id,
            JobEdit {
                copies: Some(3),
                printers: Some(vec!["b/p0".into()]),
                ..JobEdit::default()
            },
        ),
    );
    assert_eq!(names(&farm, 1, "farm"), ["bracket v2"]);
    farm.machines = Machines::Wait;
    loud(&mut farm);
    farm.pass(100_000);
    assert_eq!(
        farm.starts
            .iter()
            .map(|start| start.host)
            .collect::<Vec<_>>(),
        [1]
    );
    assert_eq!(
        farm.refused(
            0,
            edit(
                id,
                JobEdit {
                    together: Some(true),
                    ..JobEdit::default()
                }
            )
        )
        .code
        .as_str(),
        "job.leased"
    );
    assert_eq!(
        farm.refused(
            0,
            edit(
                id,
                JobEdit {
                    copies: Some(0),
                    ..JobEdit::default()
                }
            )
        )
        .code
        .as_str(),
        "number.bad"
    );
    farm.ok(
        0,
        edit(
            id,
            JobEdit {
                copies: Some(1),
                ..JobEdit::default()
            },
        ),
    );
    farm.begin(1, "p0");
    farm.finish(1, "p0");
    farm.settle();
    farm.ready(1);
    assert_eq!((farm.starts.len(), farm.status(0, id)), (1, "done"));
    farm.ok(
        1,
        edit(
            id,
            JobEdit {
                copies: Some(2),
                ..JobEdit::default()
            },
        ),
    );
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn jobs_are_put_before_after_first_and_last() {
    let mut farm = quiet(&[0, 0]);
    let ids: Vec<JobId> = ["one", "two", "three", "four"]
        .into_iter()
        .map(|name| farm.submit(0, job("farm", name)))
        .collect();
    farm.ok(1, place(ids[3], Place::Before("two".into())));
    assert_eq!(names(&farm, 0, "farm"), ["one", "four", "two", "three"]);
    farm.ok(0, place(ids[0], Place::After(ids[1].to_string())));
    assert_eq!(names(&farm, 1, "farm"), ["four", "two", "one", "three"]);
    farm.ok(0, place(ids[2], Place::Top));
    farm.ok(0, place(ids[3], Place::Bottom));
    assert_eq!(names(&farm, 1, "farm"), ["three", "two", "one", "four"]);
    farm.check();
}

#[test]
fn a_submitter_changes_its_own_jobs_only_and_prints_nothing() {
    let mut farm = Farm::new(&[0, 1, 0]);
    farm.ok(
        0,
        Command::QueueCreate {
            name: "farm".into(),
        },
    );
    farm.join(1, Role::Submitter);
    farm.join(2, Role::Observer);
    let foreign = farm.submit(0, job("farm", "foreign"));
    let own = farm.submit(1, job("farm", "own"));
    farm.pass(100_000);
    assert!(farm.starts.is_empty(), "its role does not include printing");
    for command in [
        cancel(foreign),
        move_to(foreign, "local"),
        place(foreign, Place::Top),
        edit(
            foreign,
            JobEdit {
                copies: Some(2),
                ..JobEdit::default()
            },
        ),
    ] {
        assert_eq!(farm.refused(1, command).code.as_str(), "member.role");
    }
    farm.ok(
        1,
        edit(
            own,
            JobEdit {
                copies: Some(2),
                ..JobEdit::default()
            },
        ),
    );
    farm.ok(1, cancel(own));
    assert_eq!(
        farm.refused(2, Command::JobSubmit(job("farm", "no")))
            .code
            .as_str(),
        "member.role"
    );
    assert_eq!(farm.status(2, foreign), "queued");
    farm.check();
}

#[test]
fn a_job_is_named_by_any_unique_start_of_its_id_and_never_guessed() {
    let mut farm = quiet(&[0]);
    let ids: Vec<JobId> = (0..40)
        .map(|n| farm.submit(0, job("local", &format!("job {n}"))))
        .collect();
    for id in &ids {
        let length = farm.node(0).unique_prefix(*id);
        let text = id.to_string();
        assert_eq!(
            farm.node(0).job_named(&text[..length]).expect("unique").1,
            *id
        );
        if length > 1 {
            let problem = farm
                .node(0)
                .job_named(&text[..length - 1])
                .expect_err("ambiguous");
            assert_eq!(problem.code.as_str(), "job.ambiguous");
            assert!(problem.why.is_some_and(|why| why.contains(&text[..12])) || ids.len() > 8);
        }
    }
    assert_eq!(farm.node(0).job_named("local#1").expect("first").1, ids[0]);
    assert_eq!(farm.node(0).job_named("job 7").expect("by name").1, ids[7]);
    assert_eq!(
        farm.node(0)
            .job_named("local#41")
            .expect_err("too far")
            .code
            .as_str(),
        "job.unknown"
    );
    farm.submit(0, job("local", "job 7"));
    assert_eq!(
        farm.node(0)
            .job_named("job 7")
            .expect_err("two")
            .code
            .as_str(),
        "job.ambiguous"
    );
}
