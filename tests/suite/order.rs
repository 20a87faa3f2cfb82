//! The rules of order end to end: two daemons share a queue, one says what the rules are and submits, the other one prints.
//!
//! What each rule means in every case is the scheduler's own test (`crates/core/schedule/tests/plan`).

use serde_json::Value;

use super::environment::{Farm, Host, sliced};

const FAST: &str = "sim://?speed=20000";

/// Hosts a, which sets and submits, and b, which prints; both have a printer, and both wait.
fn waiting_pair(farm: &Farm) -> (Host, Host) {
    let (a, b) = farm.two_hosts(FAST);
    for host in [&a, &b] {
        host.ok(&["printer", "pause", "sim"]);
    }
    (a, b)
}

/// Submits a job of that name on host a and waits until host b has it.
fn submit(a: &Host, b: &Host, name: &str, more: &[&str]) -> String {
    let file = sliced("clip.gcode");
    let job = a.submit(&[&["-q", "farm", "--name", name, &file], more].concat());
    b.until("the job", |b| {
        (b.run(&["job", "show", &job]).code == 0).then_some(())
    });
    job
}

/// What host b printed of these jobs, in the order in which it began: `A1` is the first copy of A.
fn printed(b: &Host, jobs: &[String]) -> Vec<String> {
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    b.ok(&["printer", "resume", "sim"]);
    b.wait(&jobs);
    b.ok(&["printer", "pause", "sim"]);
    let mut rows = b.history();
    rows.retain(|row| jobs.iter().any(|job| row["jobId"] == *job));
    rows.reverse();
    let name = |row: &Value| format!("{}{}", row["job"].as_str().unwrap(), row["copy"]);
    rows.iter().map(name).collect()
}

/// Changes the rules on host a and waits until host b has them.
fn set(a: &Host, b: &Host, key: &str, value: &str) {
    a.ok(&["queue", "set", "farm", &format!("--{key}"), value]);
    b.until("the rule", |b| {
        let shown = b.json(&["queue", "show", "farm"]);
        let mut settings = shown["settings"].as_array()?.iter();
        settings
            .find(|row| row["name"] == key && row["value"] == value)
            .map(|_| ())
    });
}

#[test]
fn the_order_of_copies_groups_and_priorities_is_the_one_that_another_host_has_set() {
    let farm = Farm::new();
    let (a, b) = waiting_pair(&farm);

    set(&a, &b, "order", "round-robin");
    let kit = ["A", "B"].map(|name| submit(&a, &b, name, &["-c", "2"]));
    assert_eq!(printed(&b, &kit), ["A1", "B1", "A2", "B2"]);
    set(&a, &b, "order", "sequential");
    let list = ["A", "B"].map(|name| submit(&a, &b, name, &["-c", "2"]));
    assert_eq!(printed(&b, &list), ["A1", "A2", "B1", "B2"]);

    set(&a, &b, "groups", "stock,rush orders");
    set(&a, &b, "drain-groups", "on");
    let grouped = [("R", "rush orders"), ("S", "stock"), ("T", "stock")]
        .map(|(name, group)| submit(&a, &b, name, &["--group", group]));
    assert_eq!(printed(&b, &grouped), ["S1", "T1", "R1"]);
    set(&a, &b, "drain-groups", "off");

    let urgent = |limit: &str| {
        set(&a, &b, "sort-limit", limit);
        let words: [(&str, &[&str]); 4] = [
            ("N", &[]),
            ("L", &["--priority", "low"]),
            ("H", &["--priority", "rush"]),
            ("D", &["--due", "+1h"]),
        ];
        let jobs = words.map(|(name, more)| submit(&a, &b, name, more));
        printed(&b, &jobs)
    };
    assert_eq!(urgent("none"), ["D1", "H1", "N1", "L1"]);
    // Half of four, then half of the three that are left, rounded up.
    assert_eq!(urgent("50%"), ["N1", "H1", "L1", "D1"]);
    assert_eq!(urgent("3,100%"), ["H1", "N1", "L1", "D1"]);
    assert_eq!(urgent("3"), ["H1", "N1", "L1", "D1"]);
    // Two of four, then two of the three that are left; who was overtaken once is not again.
    assert_eq!(urgent("2"), ["N1", "H1", "L1", "D1"]);
    // Where nothing is skipped nothing is sorted.
    set(&a, &b, "never-skip", "on");
    assert_eq!(urgent("none"), ["N1", "L1", "H1", "D1"]);
}

#[test]
fn a_copy_goes_to_a_printer_by_the_colour_in_it_and_by_the_models_that_somebody_said_are_alike() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    a.ok(&["printer", "pause", "sim"]);
    b.ok(&["printer", "add", "other", "--at", FAST]);
    // Who is first in the list takes what both may print.
    for (printer, place, loaded) in [("sim", "1", "0=PLA/black"), ("other", "2", "0=PLA/red")] {
        b.ok(&["printer", "edit", printer, "--position", place]);
        b.ok(&["printer", "load", printer, loaded]);
    }
    let clip = std::fs::read_to_string(sliced("clip.gcode")).unwrap();
    let file = |name: &str, from: &str, to: &str| {
        assert!(clip.contains(from));
        let path = farm.path().join(name);
        std::fs::write(&path, clip.replace(from, to)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let red = file(
        "red.gcode",
        "; filament_colour = #29B2B2",
        "; filament_colour = #FF0000",
    );
    let printed_on = |job: &str| {
        a.wait(&[job]);
        a.job(job)["claims"][0]["printer"].clone()
    };
    for (rule, printer) in [("any", "sim"), ("prefer", "other"), ("require", "other")] {
        let job = a.submit(&["-q", "farm", &red, "--colour", rule]);
        assert_eq!(printed_on(&job), printer, "{rule}");
    }
    let job = a.submit(&[
        "-q",
        "farm",
        &red,
        "--colour",
        "require",
        "--printer",
        "b/sim",
    ]);
    let fix = a.until("the reason", |a| {
        let shown = a.job(&job);
        let mut rows = shown["why"].as_array()?.iter();
        let row = rows.find(|row| row["printer"] == "b/sim" && row["code"] == "color")?;
        row["fix"].as_str().map(str::to_owned)
    });
    assert_eq!(fix, "on b: printmesh printer load sim 0=MATERIAL/ff0000");
    b.ok(&["printer", "load", "sim", "0=PLA/red"]);
    assert_eq!(printed_on(&job), "sim");

    // A file for another model, until somebody says that it is for this one too.
    for printer in ["sim", "other"] {
        b.ok(&["printer", "edit", printer, "--model", "MINI"]);
    }
    let mk4 = file(
        "mk4.gcode",
        "; printer_model = \n",
        "; printer_model = MK4\n",
    );
    let job = a.submit(&["-q", "farm", &mk4]);
    a.until("the model", |a| {
        let shown = a.job(&job);
        let rows = shown["why"].as_array()?.iter();
        (rows.filter(|row| row["code"] == "model").count() == 2).then_some(())
    });
    b.ok(&["printer", "edit", "other", "--compatible", "MK4"]);
    assert_eq!(printed_on(&job), "other");
}

#[test]
fn what_is_parked_or_early_waits_with_its_reason_until_a_person_says_otherwise() {
    let farm = Farm::new();
    let (a, b) = waiting_pair(&farm);
    let reason = |job: &str, code: &str| {
        b.until(code, |b| (b.job(job)["reason"] == code).then_some(()));
    };

    let parked =
        [("P", &["--backburner"][..]), ("A", &[])].map(|(name, more)| submit(&a, &b, name, more));
    assert_eq!(printed(&b, &parked), ["A1", "P1"], "after everything else");

    set(&a, &b, "exclude-backburner", "on");
    let parked = submit(&a, &b, "Q", &["--backburner"]);
    let other = submit(&a, &b, "B", &[]);
    assert_eq!(printed(&b, std::slice::from_ref(&other)), ["B1"]);
    b.ok(&["printer", "resume", "sim"]);
    reason(&parked, "backburner");
    let preview = [
        "queue",
        "set",
        "farm",
        "--exclude-backburner",
        "off",
        "--dry-run",
    ];
    let changes = a.until("the free printer", |a| {
        let shown = a.json(&preview);
        shown["printers"]
            .as_array()
            .filter(|rows| !rows.is_empty())
            .cloned()
    });
    assert_eq!(
        (&changes[0]["printer"], &changes[0]["then"]),
        (&"b/sim".into(), &"Q, copy 1".into())
    );
    reason(&parked, "backburner");
    a.ok(&["job", "start", &parked, "--printer", "b/sim"]);
    b.wait(&[&parked]);

    let early = submit(&a, &b, "E", &["--not-before", "+1h"]);
    reason(&early, "not-before");
    let shown = b.json(&["printer", "show", "sim", "--why"]);
    assert_eq!(shown["jobs"][0]["code"], "not-before", "{shown:#}");
    a.ok(&["job", "edit", &early, "--not-before", "none"]);
    b.wait(&[&early]);
    // The date comes by itself.
    let soon = submit(&a, &b, "F", &["--not-before", "+2s"]);
    b.wait(&[&soon]);
}

#[test]
fn a_copy_goes_to_the_printer_that_the_rules_and_its_equipment_say() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    let file = sliced("clip.gcode");
    // A parked job starts by itself nowhere; where it would, is asked without starting it.
    set(&a, &b, "exclude-backburner", "on");
    let parked = a.submit(&["-q", "farm", &file, "--name", "P", "--backburner"]);
    let would_start_on = |printer: &str| {
        a.until(printer, |a| {
            let words = ["queue", "set", "farm", "--exclude-backburner", "off", "-n"];
            let shown = a.json(&words);
            let rows = shown["printers"].as_array()?;
            (rows.len() == 1 && rows[0]["printer"] == printer && rows[0]["then"] == "P, copy 1")
                .then_some(())
        });
    };
    let place = |host: &Host, place: &str| {
        host.ok(&["printer", "edit", "sim", "--position", place]);
    };
    place(&a, "2");
    place(&b, "1");
    would_start_on("b/sim");
    place(&b, "3");
    would_start_on("a/sim");
    set(&a, &b, "distribute", "least-recently-used");
    for (printer, next) in [("a/sim", "b/sim"), ("b/sim", "a/sim")] {
        let job = a.submit(&["-q", "farm", &file, "--backburner"]);
        a.ok(&["job", "start", &job, "--printer", printer]);
        a.wait(&[&job]);
        would_start_on(next);
    }
    a.ok(&["job", "edit", &parked, "--backburner=false"]);
    a.wait(&[&parked]);

    // A tag that only one printer has.
    b.ok(&["printer", "edit", "sim", "--tag", "enclosure"]);
    let tagged = a.submit(&["-q", "farm", &file, "--tag", "enclosure"]);
    a.wait(&[&tagged]);
    assert_eq!(a.job(&tagged)["claims"][0]["host"], "b");
    let nobody = a.submit(&["-q", "farm", &file, "--tag", "laser"]);
    let rows = a.until("the reason", |a| {
        let shown = a.job(&nobody);
        (shown["reason"] == "tags")
            .then(|| shown["why"].as_array().cloned())
            .flatten()
    });
    let own = rows.iter().find(|row| row["printer"] == "a/sim").unwrap();
    assert_eq!(own["fix"], "printmesh printer edit sim --tag laser");
    let other = rows.iter().find(|row| row["printer"] == "b/sim").unwrap();
    // A list replaces the one before: the tag that it has stays.
    assert_eq!(
        other["fix"],
        "on b: printmesh printer edit sim --tag enclosure --tag laser"
    );
    a.ok(&["printer", "edit", "sim", "--tag", "laser"]);
    a.wait(&[&nobody]);
    // What is said to help does: a person types it as it stands there.
    let draft = a.submit(&["-q", "farm", &file, "--draft"]);
    let shown = a.job(&draft);
    let fix = shown["why"][0]["fix"].as_str().unwrap();
    let words: Vec<&str> = fix.strip_prefix("printmesh ").unwrap().split(' ').collect();
    a.ok(&words);
    a.wait(&[&draft]);

    // What is loaded is said once, and everybody sees it.
    b.ok(&["printer", "load", "sim", "0=PETG/black:800g"]);
    b.ok(&["printer", "nozzle", "sim", "0.6", "--hardened"]);
    a.until("what is loaded", |a| {
        let shown = a.json(&["printer", "show", "b/sim"]);
        let has = &shown["equipment"];
        let slot = &has["slots"][0];
        (slot["material"] == "PETG" && slot["leftMg"] == 800_000 && has["nozzleUm"] == 600)
            .then_some(())
    });
    assert!(
        a.ok(&["printer", "show", "b/sim"])
            .contains("0=PETG/black:800g")
    );
    b.ok(&["printer", "unload", "sim"]);
    a.problem("printer.unknown", &["printer", "load", "nobody", "0=PLA"]);
}

#[test]
fn where_nothing_is_skipped_a_printer_waits_for_the_first_job_that_somebody_could_make_possible() {
    let farm = Farm::new();
    let (a, b) = waiting_pair(&farm);
    let clip = std::fs::read_to_string(sliced("clip.gcode")).unwrap();
    let petg = farm.path().join("petg.gcode");
    std::fs::write(
        &petg,
        clip.replace("filament_type = PLA", "filament_type = PETG"),
    )
    .unwrap();
    b.ok(&["printer", "load", "sim", "0=PLA"]);
    set(&a, &b, "never-skip", "on");
    let first = a.submit(&["-q", "farm", petg.to_str().unwrap(), "--name", "X"]);
    let other = submit(&a, &b, "B", &[]);
    b.ok(&["printer", "resume", "sim"]);
    let why = |code: &str| {
        b.until(code, |b| {
            let shown = b.json(&["job", "show", &other, "--why"]);
            let mut rows = shown["why"].as_array()?.iter();
            let row = rows.find(|row| row["printer"] == "b/sim")?;
            (row["code"] == code).then(|| row["text"].as_str().unwrap().to_owned())
        })
    };
    assert!(why("never-skip").contains('X'));
    assert!(b.history().is_empty());
    set(&a, &b, "never-skip", "off");
    b.wait(&[&other]);
    b.ok(&["printer", "load", "sim", "0=PETG"]);
    b.wait(&[&first]);
}

#[test]
fn r_s7_a_printer_that_waits_lets_a_short_job_through_and_no_long_one() {
    let farm = Farm::new();
    let (a, b) = waiting_pair(&farm);
    b.ok(&["printer", "add", "slow", "--at", "sim://?speed=1"]);
    b.ok(&["printer", "load", "sim", "0=PLA"]);
    b.ok(&["printer", "load", "slow", "0=PETG"]);
    set(&a, &b, "never-skip", "backfill");
    let clip = std::fs::read_to_string(sliced("clip.gcode")).unwrap();
    let file = |name: &str, material: &str, takes: &str| {
        let text = clip.replace(
            "filament_type = PLA",
            &format!("filament_type = {material}"),
        );
        assert!(text.contains("= 1m 7s"));
        let path = farm.path().join(name);
        std::fs::write(&path, text.replace("= 1m 7s", &format!("= {takes}"))).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let submit = |name: &str, file: &str| a.submit(&["-q", "farm", file, "--name", name]);
    let petg = file("petg.gcode", "PETG", "2h 0m 0s");
    let printing = submit("A", &petg);
    b.wait_until("printing", &printing);
    let blocked = submit("X", &petg);
    let long = submit("L", &file("long.gcode", "PLA", "3h 0m 0s"));
    b.ok(&["printer", "resume", "sim"]);
    let waits = |job: &str, code: &str| {
        b.until(code, |b| {
            let shown = b.json(&["job", "show", job, "--why"]);
            let mut rows = shown["why"].as_array()?.iter();
            let row = rows.find(|row| row["printer"] == "b/sim")?;
            (row["code"] == code).then_some(())
        });
    };
    waits(&long, "never-skip");
    let short = submit("B", &file("short.gcode", "PLA", "1h 0m 0s"));
    b.wait(&[&short]);
    waits(&blocked, "material");
    assert_eq!(b.job(&printing)["state"], "printing");
}

#[test]
fn a_copy_goes_to_a_random_printer_to_the_one_with_fewer_hours_or_to_the_one_with_more_material() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    let file = sliced("clip.gcode");
    a.ok(&["printer", "pause", "sim"]);
    // It takes its time, and that counts.
    b.ok(&["printer", "add", "slow", "--at", "sim://?speed=100"]);
    b.ok(&["printer", "edit", "sim", "--position", "2"]);
    b.ok(&["printer", "edit", "slow", "--position", "1"]);
    set(&a, &b, "exclude-backburner", "on");
    let words = ["queue", "set", "farm", "--exclude-backburner", "off", "-n"];
    let preview = |host: &Host| host.json(&words)["printers"].clone();
    let parked = a.submit(&["-q", "farm", &file, "--backburner"]);
    let next = |printer: &str| {
        a.until(printer, |a| {
            let rows = preview(a);
            let rows = rows.as_array()?;
            (rows.len() == 1 && rows[0]["printer"] == printer).then_some(())
        });
    };
    next("b/slow");
    let job = a.submit(&["-q", "farm", &file, "--backburner"]);
    a.ok(&["job", "start", &job, "--printer", "b/slow"]);
    a.wait(&[&job]);
    next("b/slow");
    set(&a, &b, "distribute", "hours");
    next("b/sim");
    b.ok(&["printer", "load", "sim", "0=PLA:60g"]);
    b.ok(&["printer", "load", "slow", "0=PLA:900g"]);
    set(&a, &b, "distribute", "best-fit");
    next("b/slow");
    b.ok(&["printer", "load", "sim", "0=PLA:950g"]);
    next("b/sim");
    // By chance, and all hosts agree: the printer that is shown is the one that prints.
    set(&a, &b, "distribute", "random");
    let agreed = a.until("one printer", |a| {
        let rows = preview(a);
        let one = rows.as_array().is_some_and(|rows| rows.len() == 1);
        one.then(|| rows[0]["printer"].as_str().unwrap().to_owned())
    });
    a.ok(&["job", "edit", &parked, "--backburner=false"]);
    a.wait(&[&parked]);
    let shown = a.json(&["job", "show", &parked]);
    let claim = &shown["claims"][0];
    let by = format!("b/{}", claim["printer"].as_str().unwrap());
    assert_eq!(by, agreed, "{shown:#}");
}

#[test]
fn r_a1_one_switch_stops_all_printers_of_a_queue_and_a_click_starts_them_all_the_same() {
    let farm = Farm::new();
    let (a, b) = waiting_pair(&farm);
    set(&a, &b, "autoprint", "off");
    b.ok(&["printer", "resume", "sim"]);
    let job = submit(&a, &b, "A", &["-c", "2"]);
    let why = |printer: &str| {
        let shown = b.json(&["job", "show", &job, "--why"]);
        let rows = shown["why"].as_array().unwrap().iter();
        let mut rows = rows.filter(|row| row["printer"] == printer);
        let row = rows.next().expect("a printer of the queue");
        (row["code"].clone(), row["fix"].clone())
    };
    assert_eq!(
        why("b/sim"),
        (
            Value::from("queue-autoprint-off"),
            Value::from("printmesh queue set farm --autoprint on")
        )
    );
    // What belongs to one host alone is none of the queue's business.
    let local = b.submit(&[&sliced("clip.gcode")]);
    b.wait(&[&local]);
    let plan = b.until("a plan", |b| {
        let plan = b.json(&["match", "-q", "farm"]);
        assert_ne!(plan["starts"][0]["autoprint"], true);
        plan["starts"][0]["printer"].is_string().then_some(plan)
    });
    b.ok(&[
        "match",
        "-q",
        "farm",
        "--plan",
        plan["id"].as_str().unwrap(),
    ]);
    b.until("the first copy", |b| {
        (b.job(&job)["copiesDone"] == 1).then_some(())
    });
    assert_eq!(why("b/sim").0, "queue-autoprint-off");
    // A printer's own switch wins.
    b.ok(&["autoprint", "off", "sim"]);
    set(&a, &b, "autoprint", "on");
    assert_eq!(why("b/sim").0, "autoprint-off");
    b.ok(&["autoprint", "on", "sim"]);
    b.wait(&[&job]);
}

#[test]
fn r_m3_a_job_for_a_model_is_printed_by_printers_of_that_model_and_by_those_that_it_names() {
    let farm = Farm::new();
    let (a, b) = waiting_pair(&farm);
    let clip = sliced("clip.gcode");
    let refused = ["submit", &clip, "-q", "farm", "--model", "MK9"];
    a.problem("printer.unknown", &refused);
    b.ok(&["printer", "add", "nine", "--at", FAST]);
    b.ok(&["printer", "edit", "nine", "--model", "MK9", "--tag", "rack"]);
    b.ok(&["printer", "resume", "sim"]);
    a.until("the model", |a| {
        let printers = a.json(&["printer", "list"]);
        let mut rows = printers["items"].as_array()?.iter();
        rows.any(|row| row["equipment"]["model"] == "MK9")
            .then_some(())
    });
    let text = std::fs::read_to_string(&clip).unwrap();
    let plain = farm.path().join("plain.gcode");
    std::fs::write(&plain, text.replace("printer_model = ", "x = ")).unwrap();
    let plain = plain.to_str().unwrap();
    let job = a.submit(&["-q", "farm", plain, "-c", "3", "--model", "mk9"]);
    a.wait(&[&job]);
    assert!(a.history().iter().all(|row| row["printer"] == "nine"));
    let job = a.submit(&["-q", "farm", plain, "--printer", "tag:rack", "--draft"]);
    assert_eq!(a.job(&job)["printers"][0], "tag:rack");
    a.ok(&["job", "edit", &job, "--printer", "b/sim", "--model", "MK9"]);
    assert_eq!(
        a.job(&job)["printers"],
        serde_json::json!(["b/sim", "model:MK9"])
    );
}

#[test]
fn r_m6_something_stays_on_the_spool_unless_a_person_prints_it_anyway() {
    let farm = Farm::new();
    let (a, b) = waiting_pair(&farm);
    set(&a, &b, "amount-margin", "200");
    b.ok(&["printer", "load", "sim", "0=PLA:150g"]);
    b.ok(&["printer", "resume", "sim"]);
    let job = submit(&a, &b, "A", &["-c", "2"]);
    b.until("the reason", |b| {
        let shown = b.json(&["job", "show", &job, "--why"]);
        let mut rows = shown["why"].as_array()?.iter();
        let row = rows.find(|row| row["printer"] == "b/sim")?;
        (row["code"] == "amount").then_some(())
    });
    a.ok(&["job", "edit", &job, "--print-anyway"]);
    assert_eq!(a.job(&job)["terms"]["printAnyway"], true);
    b.wait(&[&job]);
}

#[test]
fn r_m7_a_file_for_two_nozzles_waits_until_each_tool_has_its_own() {
    let farm = Farm::new();
    let (_a, b) = waiting_pair(&farm);
    let text = std::fs::read_to_string(sliced("clip.gcode")).unwrap();
    let mut both = text;
    for (from, to) in [
        ("nozzle_diameter = 0.4", "nozzle_diameter = 0.4,0.6"),
        ("\n; filament_type = PLA", "\n; filament_type = PLA;PLA"),
        (
            "\n; filament used [g] = 0.25",
            "\n; filament used [g] = 0.25, 0.25",
        ),
        (
            "\n; filament used [mm] = 82.39",
            "\n; filament used [mm] = 82.39, 82.39",
        ),
    ] {
        assert!(both.contains(from));
        both = both.replace(from, to);
    }
    let path = farm.path().join("two.gcode");
    std::fs::write(&path, both).unwrap();
    b.ok(&["printer", "load", "sim", "0=PLA", "1=PLA"]);
    b.ok(&["printer", "nozzle", "sim", "0.4"]);
    b.ok(&["printer", "resume", "sim"]);
    let job = b.submit(&["-q", "farm", path.to_str().unwrap()]);
    let row = b.until("the reason", |b| {
        let shown = b.json(&["job", "show", &job, "--why"]);
        let mut rows = shown["why"].as_array()?.iter();
        let row = rows.find(|row| row["printer"] == "b/sim" && row["code"] == "nozzle")?;
        Some(row.clone())
    });
    assert_eq!(row["fix"], "printmesh printer nozzle sim 0.6 --tool 1");
    b.ok(&["printer", "nozzle", "sim", "0.6", "--tool", "1"]);
    let shown = b.ok(&["printer", "show", "sim"]);
    assert!(shown.contains("0.4 mm, tool 1: 0.6 mm"), "{shown}");
    b.wait(&[&job]);
    assert_eq!(b.run(&["printer", "nozzle", "sim", "--tool", "1"]).code, 2);
}
