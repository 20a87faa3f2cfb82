//! Between two prints: cooled down, cleared, judged, next; and the hours in which nothing starts.

use printmesh_node::{Code, Command, Input, NewJob, NewSet, PrinterEdit, PrinterReport, Quiet};
use printmesh_queue::{Bed, Between, FileSpec, Needs, Slot, ToolNeed};

use crate::farm::{Farm, Machines, job};

const EJECT: &str = "G28\nG1 Y200\n";

fn bracket(copies: u32) -> NewJob {
    NewJob {
        copies,
        ..job("farm", "bracket")
    }
}

fn edit(farm: &mut Farm, edit: PrinterEdit) {
    let printer = "p0".into();
    farm.ok(1, Command::PrinterEdit { printer, edit });
}

fn ready(good: Option<bool>) -> Command {
    Command::PrinterReady {
        printers: vec!["p0".into()],
        good,
    }
}

/// One printer at `b` that does what the test says, set up as its owner wants it.
fn farm(wants: PrinterEdit) -> Farm {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    edit(&mut farm, wants);
    farm
}

fn ejects() -> PrinterEdit {
    PrinterEdit {
        clear_script: Some(EJECT.into()),
        clear_trusted: Some(true),
        ..PrinterEdit::default()
    }
}

fn print(farm: &mut Farm) {
    farm.begin(1, "p0");
    farm.finish(1, "p0");
    farm.settle();
}

fn bed(farm: &Farm) -> Bed {
    farm.node(1).own_printers_view()["p0"].bed
}

fn warm(farm: &mut Farm, c: Option<i64>) {
    farm.printer_says(1, "p0", PrinterReport::BedTemperature(c));
}

fn code(farm: &Farm, id: printmesh_queue::JobId) -> &'static str {
    farm.why(0, id)[0].1
}

#[test]
fn r_a6_the_bed_cools_down_to_its_owners_degrees_before_the_script_clears_it_and_the_next_copy_starts()
 {
    let mut farm = farm(PrinterEdit {
        cool_c: Some(30),
        ..ejects()
    });
    // Of the print before, or of a moment before this one.
    warm(&mut farm, Some(22));
    let id = farm.submit(0, bracket(2));
    farm.printer_says(1, "p0", PrinterReport::BedTemperature(Some(22)));
    print(&mut farm);
    assert_eq!(code(&farm, id), "no-bed-temperature");
    warm(&mut farm, Some(58));
    assert_eq!(code(&farm, id), "cooling");
    farm.pass(3_600_000);
    warm(&mut farm, Some(31));
    assert!(farm.clearings.is_empty());
    warm(&mut farm, Some(30));
    assert_eq!(farm.clearings, [(1, "p0".into(), EJECT.into())]);
    assert_eq!((code(&farm, id), bed(&farm)), ("clearing", Bed::Unknown));
    assert_eq!(farm.starts.len(), 1);
    print(&mut farm);
    assert_eq!(farm.starts.len(), 2, "next: {}", farm.dump(id));
    farm.check();
}

#[test]
fn r_a6_a_printer_that_does_not_say_how_warm_its_bed_is_waits_for_a_person_and_says_why() {
    let mut farm = farm(PrinterEdit {
        cool_c: Some(30),
        ..ejects()
    });
    let id = farm.submit(0, bracket(2));
    print(&mut farm);
    warm(&mut farm, None);
    farm.pass(24 * 3_600_000);
    assert_eq!(code(&farm, id), "no-bed-temperature");
    assert!(farm.clearings.is_empty());
    farm.ok(1, ready(None));
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn r_a7_a_belt_advances_and_the_next_copy_starts_without_anybody() {
    let mut farm = farm(PrinterEdit {
        belt_mm: Some(120),
        ..PrinterEdit::default()
    });
    let id = farm.submit(0, bracket(2));
    print(&mut farm);
    let advance = "G91\nG1 Z50 F600\nG1 Z50 F600\nG1 Z20 F600\nM400\nG90\n";
    assert_eq!(farm.clearings, [(1, "p0".into(), advance.into())]);
    assert_eq!((code(&farm, id), bed(&farm)), ("clearing", Bed::Unknown));
    print(&mut farm);
    assert_eq!(farm.starts.len(), 2, "{}", farm.dump(id));
    // It has not been cooled down: nobody asked for that. What went wrong lies there for a person.
    farm.begin(1, "p0");
    farm.fail(1, "p0", "jam");
    farm.settle();
    assert_eq!(farm.clearings.len(), 1);
    farm.ok(1, ready(None));
    farm.check();
}

#[test]
fn r_a7_a_belt_cools_down_and_takes_other_commands_where_its_owner_says_so() {
    let mut farm = farm(PrinterEdit {
        belt_mm: Some(120),
        cool_c: Some(30),
        clear_script: Some(EJECT.into()),
        ..PrinterEdit::default()
    });
    farm.submit(0, bracket(3));
    print(&mut farm);
    warm(&mut farm, Some(58));
    assert!(farm.clearings.is_empty());
    warm(&mut farm, Some(30));
    assert_eq!(farm.clearings, [(1, "p0".into(), EJECT.into())]);
    print(&mut farm);
    // Of his own script its owner has to say that it clears the bed.
    assert_eq!(bed(&farm), Bed::Unknown);
    for belt_mm in [5_001, u32::MAX] {
        let edit = PrinterEdit {
            belt_mm: Some(belt_mm),
            ..PrinterEdit::default()
        };
        let printer = "p0".into();
        let problem = farm.refused(1, Command::PrinterEdit { printer, edit });
        assert_eq!(problem.code, Code::BadNumber);
    }
}

#[test]
fn a_script_that_nobody_vouched_for_runs_and_a_person_looks() {
    let mut farm = farm(PrinterEdit {
        clear_trusted: None,
        ..ejects()
    });
    let id = farm.submit(0, bracket(2));
    print(&mut farm);
    assert_eq!(farm.clearings.len(), 1);
    print(&mut farm);
    assert_eq!((bed(&farm), farm.starts.len()), (Bed::Unknown, 1));
    assert_eq!(code(&farm, id), "bed-unknown");
    farm.ok(1, ready(None));
    assert_eq!(farm.starts.len(), 2);
    // The word of its owner is about one script: another one has to be vouched for anew.
    edit(
        &mut farm,
        PrinterEdit {
            clear_trusted: Some(true),
            ..PrinterEdit::default()
        },
    );
    edit(
        &mut farm,
        PrinterEdit {
            clear_script: Some("G28\n".into()),
            ..PrinterEdit::default()
        },
    );
    print(&mut farm);
    print(&mut farm);
    assert_eq!(bed(&farm), Bed::Unknown);
    farm.check();
}

#[test]
fn no_script_runs_after_a_print_that_failed_nor_twice_nor_on_a_printer_that_was_paused() {
    let mut farm = farm(ejects());
    farm.submit(0, bracket(4));
    farm.begin(1, "p0");
    farm.fail(1, "p0", "spaghetti");
    farm.pass(60_000);
    assert!(farm.clearings.is_empty(), "nobody knows what lies there");
    farm.ok(1, ready(None));
    farm.pass(600_000);
    let printer = || "p0".to_owned();
    let reason = "a hand is in there".into();
    farm.ok(
        1,
        Command::PrinterPause {
            printer: printer(),
            reason,
        },
    );
    print(&mut farm);
    farm.pass(60_000);
    assert!(farm.clearings.is_empty());
    farm.ok(1, Command::PrinterResume { printer: printer() });
    assert_eq!(farm.clearings.len(), 1);
    // It fails: what it did nobody knows, and it is not tried again.
    farm.fail(1, "p0", "a cable");
    farm.pass(600_000);
    assert_eq!((farm.clearings.len(), bed(&farm)), (1, Bed::Unknown));
    farm.check();
}

#[test]
fn r_a8_a_crash_in_the_script_leaves_the_bed_unknown_and_a_machine_that_reset_is_no_proof() {
    for lost in ["host", "link"] {
        let mut farm = farm(ejects());
        let id = farm.submit(0, bracket(2));
        print(&mut farm);
        assert_eq!(farm.clearings.len(), 1);
        if lost == "host" {
            farm.kill(1);
            farm.boot(1);
            farm.settle();
        } else {
            farm.printer_says(1, "p0", PrinterReport::Offline("the cable".into()));
            let machine = printmesh_node::Machine { name: "sim".into() };
            farm.printer_says(1, "p0", PrinterReport::Online(machine));
        }
        assert_eq!(bed(&farm), Bed::Unknown, "{lost}");
        // A late word about it is believed by nobody.
        let print = "clear/1".to_owned();
        farm.printer_says(1, "p0", PrinterReport::Finished { print });
        farm.pass(600_000);
        assert_eq!((bed(&farm), farm.starts.len()), (Bed::Unknown, 1), "{lost}");
        assert_eq!(code(&farm, id), "bed-unknown");
        farm.check();
    }
}

#[test]
fn the_script_clears_the_bed_between_two_prints_of_one_copy_as_well() {
    let mut farm = farm(ejects());
    let kit = NewJob {
        sets: vec![NewSet::of(crate::farm::file("lid"), 2)],
        ..job("farm", "kit")
    };
    let id = farm.submit(0, kit);
    for _ in 0..4 {
        print(&mut farm);
    }
    assert_eq!((farm.starts.len(), farm.clearings.len()), (2, 2));
    assert_eq!(farm.status(0, id), "done");
    farm.check();
}

#[test]
fn r_a3_a_copy_counts_once_a_person_said_that_it_is_good_and_a_bad_one_is_tried_again() {
    let mut farm = farm(PrinterEdit {
        judged: Some(true),
        slots: vec![Slot {
            slot: 0,
            material: Some("PLA".into()),
            color: None,
            left_mg: Some(100_000),
            spool: None,
        }],
        ..PrinterEdit::default()
    });
    let file = FileSpec {
        needs: Needs {
            tools: vec![ToolNeed {
                tool: 0,
                material: Some("PLA".into()),
                color: None,
                mg: Some(20_000),
            }],
            ..Needs::default()
        },
        ..crate::farm::file("bracket")
    };
    let id = farm.submit(
        0,
        NewJob {
            sets: vec![NewSet::of(file, 1)],
            ..bracket(2)
        },
    );
    let left = |farm: &Farm| {
        let record = farm.snapshot(0, "farm").printers.values().next().unwrap();
        record.equipment.slots[0].left_mg
    };
    let claims = |farm: &Farm| {
        farm.snapshot(0, "farm")
            .claims
            .values()
            .map(|c| c.len())
            .sum::<usize>()
    };
    print(&mut farm);
    assert_eq!(
        (code(&farm, id), farm.status(0, id)),
        ("verdict", "printing")
    );
    // However long that takes, and over a restart of its host, the copy is nobody else's.
    farm.pass(24 * 3_600_000);
    farm.kill(1);
    farm.boot(1);
    farm.pass(60_000);
    assert_eq!((code(&farm, id), farm.starts.len()), ("verdict", 1));
    assert_eq!(left(&farm), Some(100_000));
    // Clear, but nobody has said how it came out.
    farm.ok(1, ready(None));
    assert_eq!((code(&farm, id), farm.starts.len()), ("verdict", 1));
    farm.ok(1, ready(Some(false)));
    assert_eq!(left(&farm), Some(80_000), "it took its material");
    farm.pass(60_000);
    assert_eq!(
        farm.starts.len(),
        2,
        "tried again, or the other copy: {}",
        farm.dump(id)
    );
    print(&mut farm);
    farm.ok(1, ready(Some(true)));
    print(&mut farm);
    farm.ok(1, ready(Some(true)));
    farm.pass(600_000);
    assert_eq!((farm.starts.len(), claims(&farm)), (3, 3));
    assert_eq!((farm.status(0, id), left(&farm)), ("done", Some(40_000)));
    assert_eq!(farm.refused(1, ready(Some(true))).code, Code::CopyCertain);
    farm.check();
}

/// As `b` tells everybody.
pub(crate) fn waits_for_a_verdict(farm: &Farm) -> bool {
    let printers = &farm.snapshot(1, "farm").printers;
    let mut waiting = printers
        .iter()
        .filter(|(_, record)| record.between == Some(Between::Verdict));
    waiting.any(|(id, _)| id.host == farm.hosts[1].id)
}

/// A printer whose prints are judged, that has made all copies of a job; the last of them is good.
fn judged(copies: u32) -> (Farm, printmesh_queue::JobId) {
    let mut farm = farm(PrinterEdit {
        judged: Some(true),
        ..PrinterEdit::default()
    });
    let id = farm.submit(0, bracket(copies));
    for _ in 0..copies {
        print(&mut farm);
        farm.ok(1, ready(Some(true)));
    }
    (farm, id)
}

#[test]
fn a_print_that_was_called_good_by_mistake_is_called_bad_and_its_copy_is_tried_again() {
    let (mut farm, id) = judged(1);
    assert_eq!(farm.status(0, id), "done");
    // Saying it twice is a mistake of another kind.
    let again = farm.refused(1, ready(Some(true)));
    assert_eq!(again.code, Code::CopyCertain);
    // Also after its host was restarted.
    farm.kill(1);
    farm.boot(1);
    farm.settle();
    farm.ok(1, ready(Some(false)));
    let heard = farm.hosts[1].events.iter();
    let heard = heard.filter(|event| event.state.as_deref() == Some("taken-back"));
    assert_eq!(heard.count(), 1);
    farm.pass(60_000);
    assert_eq!(farm.starts.len(), 2, "tried again: {}", farm.dump(id));
    print(&mut farm);
    farm.ok(1, ready(Some(true)));
    assert_eq!(farm.status(0, id), "done");
    farm.pass(600_000);
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn a_bad_print_stays_bad_because_somebody_may_make_its_copy_already() {
    let (mut farm, id) = judged(1);
    let reason = "nothing more today".into();
    let printer = "p0".into();
    farm.ok(1, Command::PrinterPause { printer, reason });
    farm.ok(1, ready(Some(false)));
    let problem = farm.refused(1, ready(Some(true)));
    assert_eq!(problem.code, Code::VerdictBooked);
    assert!(problem.fixes[0].0.contains("--copies"), "{problem:?}");
    assert_eq!(farm.refused(1, ready(Some(false))).code, Code::CopyCertain);
    assert_eq!(farm.status(0, id), "queued");
    farm.check();
}

#[test]
fn what_a_later_print_or_a_job_that_left_depends_on_is_not_taken_back() {
    // The next copy has begun, and ended.
    let (mut farm, id) = judged(1);
    farm.submit(0, bracket(1));
    farm.begin(1, "p0");
    let busy = farm.refused(1, ready(Some(false)));
    assert_eq!(busy.code, Code::PrinterBusy);
    farm.fail(1, "p0", "spaghetti");
    farm.settle();
    assert_eq!(farm.refused(1, ready(Some(false))).code, Code::CopyCertain);
    assert_eq!(farm.status(0, id), "done");
    // Its job was cancelled with what was left of it.
    let mut farm = self::farm(PrinterEdit {
        judged: Some(true),
        ..PrinterEdit::default()
    });
    let id = farm.submit(0, bracket(2));
    print(&mut farm);
    let (printer, reason) = ("p0".into(), "one is enough".into());
    farm.ok(1, Command::PrinterPause { printer, reason });
    farm.ok(1, ready(Some(true)));
    let job = id.to_string();
    farm.ok(0, Command::JobCancel { job });
    farm.settle();
    assert_eq!(
        farm.refused(1, ready(Some(false))).code,
        Code::VerdictBooked
    );
    farm.check();
}

#[test]
fn the_first_print_of_a_copy_is_taken_back_before_the_second_one_begins() {
    let mut farm = farm(PrinterEdit {
        judged: Some(true),
        ..PrinterEdit::default()
    });
    let kit = NewJob {
        sets: vec![NewSet::of(crate::farm::file("lid"), 2)],
        ..job("farm", "kit")
    };
    let id = farm.submit(0, kit);
    print(&mut farm);
    let (printer, reason) = (|| "p0".to_owned(), "wait".into());
    let pause = Command::PrinterPause {
        printer: printer(),
        reason,
    };
    farm.ok(1, pause);
    farm.ok(1, ready(Some(true)));
    farm.ok(1, ready(Some(false)));
    farm.ok(1, Command::PrinterResume { printer: printer() });
    for _ in 0..2 {
        farm.pass(60_000);
        print(&mut farm);
        farm.ok(1, ready(Some(true)));
    }
    assert_eq!((farm.starts.len(), farm.status(0, id)), (3, "done"));
    farm.check();
}

#[test]
fn whoever_prints_without_the_voters_is_asked_for_a_verdict_too() {
    for (good, voters_are_back_first) in
        [(true, true), (true, false), (false, true), (false, false)]
    {
        let shown = format!("good: {good}, voters first: {voters_are_back_first}");
        let mut farm = Farm::available(&[0, 1], &[0]);
        farm.machines = Machines::Wait;
        edit(
            &mut farm,
            PrinterEdit {
                judged: Some(true),
                ..PrinterEdit::default()
            },
        );
        farm.kill(0);
        farm.settle();
        let id = farm.submit(1, bracket(1));
        farm.pass(40_000);
        print(&mut farm);
        assert!(
            farm.starts.len() == 1 && waits_for_a_verdict(&farm),
            "{shown}"
        );
        if voters_are_back_first {
            farm.boot(0);
            farm.pass(60_000);
            assert!(waits_for_a_verdict(&farm), "{shown}");
        }
        farm.ok(1, ready(Some(good)));
        if !voters_are_back_first {
            farm.boot(0);
            farm.pass(60_000);
        }
        farm.pass(60_000);
        if !good {
            assert_eq!(
                farm.starts.len(),
                2,
                "tried again: {shown} {}",
                farm.dump(id)
            );
            print(&mut farm);
            farm.ok(1, ready(Some(true)));
        }
        farm.pass(600_000);
        let starts = if good { 1 } else { 2 };
        assert_eq!(farm.starts.len(), starts, "{shown}");
        for n in 0..2 {
            assert_eq!(farm.status(n, id), "done", "{shown}");
        }
        farm.check();
    }
}

#[test]
fn whoever_stops_the_job_spares_others_the_verdict() {
    let mut farm = farm(PrinterEdit {
        judged: Some(true),
        ..PrinterEdit::default()
    });
    let id = farm.submit(0, bracket(2));
    print(&mut farm);
    let job = id.to_string();
    farm.give(0, Command::JobStop { job });
    farm.settle();
    farm.pass(60_000);
    assert_eq!(farm.status(0, id), "cancelled");
    assert_ne!(code(&farm, id), "verdict");
    farm.check();
}

#[test]
fn nothing_starts_in_quiet_hours_and_a_running_print_goes_on() {
    // The farm's clock says 22:30 on its first evening in Kathmandu.
    const ZONE: i32 = 5 * 60 + 45;
    let mut farm = farm(PrinterEdit::default());
    let minute = |farm: &Farm| {
        let now = farm.now().wall.0 / 60_000 + u64::try_from(ZONE).unwrap();
        u16::try_from(now % 1440).unwrap()
    };
    let id = farm.submit(0, bracket(3));
    let now = minute(&farm);
    let part = |from: u16, to: u16| Quiet {
        from: (now + from) % 1440,
        to: (now + to) % 1440,
    };
    // Two parts that follow one another are one night.
    edit(
        &mut farm,
        PrinterEdit {
            quiet: Some(vec![part(10, 60), part(60, 120)]),
            ..PrinterEdit::default()
        },
    );
    // Until somebody has said where the clock hangs it might be night.
    print(&mut farm);
    farm.ok(1, ready(None));
    assert_eq!((code(&farm, id), farm.starts.len()), ("quiet-hours", 1));
    farm.input(1, Input::Zone { minutes: ZONE });
    farm.settle();
    assert_eq!(farm.starts.len(), 2, "it is day: {}", farm.dump(id));
    farm.pass(30 * 60_000);
    print(&mut farm);
    assert_eq!(
        farm.status(0, id),
        "queued",
        "what ran in the night came to its end"
    );
    farm.ok(1, ready(None));
    farm.pass(60 * 60_000);
    assert_eq!((code(&farm, id), farm.starts.len()), ("quiet-hours", 2));
    let wakes = farm.wakes;
    farm.pass(40 * 60_000);
    assert_eq!(farm.starts.len(), 3, "{}", farm.dump(id));
    assert!(farm.wakes > wakes, "nobody had to come");
    farm.check();
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut farm = farm(PrinterEdit::default());
    let quiet = |from, to| PrinterEdit {
        quiet: Some(vec![Quiet { from, to }]),
        ..PrinterEdit::default()
    };
    for bad in [
        PrinterEdit {
            cool_c: Some(5),
            ..ejects()
        },
        PrinterEdit {
            clear_trusted: Some(true),
            ..PrinterEdit::default()
        },
        PrinterEdit {
            clear_script: Some("G".repeat(70_000)),
            ..PrinterEdit::default()
        },
        quiet(60, 60),
        quiet(60, 1440),
    ] {
        let before = farm.node(1).own_printers_view()["p0"].cycle.clone();
        let printer = "p0".into();
        let problem = farm.refused(1, Command::PrinterEdit { printer, edit: bad });
        assert_eq!(problem.code, Code::BadNumber);
        assert_eq!(farm.node(1).own_printers_view()["p0"].cycle, before);
    }
}
