//! The axes of matching: what a file needs against what a printer has, each with its code.

use printmesh_queue::{
    ClaimState, ColorRule, Equipment, HostId, Needs, RunResult, SetId, Slot, Timestamp, ToolNeed,
};
use printmesh_schedule::{Reason, file_for};

use crate::farm::{Farm, ME, check, file, job_id, printer, slot, tool};

/// The code that keeps p1 from a job with such a file, or `fits`.
fn code(needs: Needs, has: Equipment) -> &'static str {
    let farm = Farm::new(1)
        .has("p1", |e| *e = has)
        .job("A", 1)
        .needs(needs);
    farm.why("A", "p1").map_or("fits", |reason| reason.code())
}

fn model(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn r_m2_what_a_file_does_not_say_asks_for_nothing() {
    assert_eq!(code(Needs::default(), Equipment::default()), "fits");
    let has = Equipment {
        model: model("MK4"),
        nozzle_um: Some(400),
        hardened: Some(false),
        volume_mm: Some([1, 1, 1]),
        nozzle_c_max: Some(1),
        bed_c_max: Some(1),
        slots: vec![slot(0, "PLA", 0)],
        ..Equipment::default()
    };
    assert_eq!(code(Needs::default(), has), "fits");
}

#[test]
fn r_m8_a_file_for_one_model_never_goes_to_another() {
    let needs = || Needs {
        model: model("MK4S"),
        ..Needs::default()
    };
    let has = |name: &str| Equipment {
        model: model(name),
        ..Equipment::default()
    };
    assert_eq!(code(needs(), has("mk4s")), "fits");
    assert_eq!(code(needs(), has("MK4")), "model");
    let profile = Equipment {
        profile: model("MK4S"),
        ..has("Original Prusa")
    };
    assert_eq!(code(needs(), profile), "fits");
    let listed = Equipment {
        compatible: vec!["MK4S".into()],
        ..has("MK4")
    };
    assert_eq!(code(needs(), listed), "fits", "a person said so");
    // Which one this is has to be said, also where nothing is known of any printer.
    let farm = |has: Equipment| {
        Farm::new(1)
            .has("p1", |e| *e = has)
            .job("A", 1)
            .needs(needs())
    };
    let unknown = farm(Equipment::default());
    check(&unknown, &[], &[]);
    assert_eq!(
        unknown.why("A", "p1").map(|r| r.code()),
        Some("model-unknown")
    );
    for said in [
        has("MK4S"),
        Equipment {
            compatible: vec!["MK4S".into()],
            ..has("home-made")
        },
    ] {
        check(&farm(said), &[], &["p1 A1"]);
    }
    // A simulated one ruins nothing, and is what somebody says it is.
    let simulated = |has: Equipment| Equipment {
        simulated: true,
        ..has
    };
    check(&farm(simulated(Equipment::default())), &[], &["p1 A1"]);
    check(&farm(simulated(has("MINI"))), &[], &[]);
}

#[test]
fn r_m7_nozzles_are_alike_within_what_slicers_round_and_hard_where_it_matters() {
    let needs = |um, hardened| Needs {
        nozzle_um: Some(um),
        hardened,
        ..Needs::default()
    };
    let has = |um, hardened| Equipment {
        nozzle_um: um,
        hardened,
        ..Equipment::default()
    };
    assert_eq!(code(needs(400, false), has(Some(400), None)), "fits");
    assert_eq!(code(needs(400, false), has(Some(401), None)), "fits");
    assert_eq!(code(needs(400, false), has(Some(600), None)), "nozzle");
    assert_eq!(
        code(needs(400, false), has(None, None)),
        "fits",
        "nobody knows"
    );
    assert_eq!(
        code(needs(400, true), has(None, Some(false))),
        "nozzle-soft"
    );
    assert_eq!(code(needs(400, true), has(None, Some(true))), "fits");
    assert_eq!(
        code(needs(400, true), has(None, None)),
        "fits",
        "nobody knows"
    );
}

/// A part of 20 mm that stood beside the bed was found small enough.
#[test]
fn r_m10_what_is_printed_lies_on_the_bed_wherever_its_origin_is() {
    let needs = |extent| Needs {
        volume_mm: Some([20, 20, 20]),
        extent_mm: Some(extent),
        ..Needs::default()
    };
    let has = || Equipment {
        volume_mm: Some([250, 210, 220]),
        ..Equipment::default()
    };
    let lies = |x: [i32; 2], y: [i32; 2], z: [i32; 2]| code(needs([x, y, z]), has());
    assert_eq!(lies([0, 20], [0, 20], [0, 20]), "fits");
    assert_eq!(lies([230, 250], [190, 210], [200, 220]), "fits");
    assert_eq!(lies([231, 251], [0, 20], [0, 20]), "outside");
    assert_eq!(lies([0, 20], [191, 211], [0, 20]), "outside");
    assert_eq!(lies([0, 20], [0, 20], [201, 221]), "outside");
    // The middle of some beds is 0.
    assert_eq!(lies([-125, -105], [85, 105], [0, 20]), "fits");
    assert_eq!(lies([-126, -106], [0, 20], [0, 20]), "outside");
    // Not along one axis this way, along the other one that way.
    assert_eq!(lies([-10, 10], [150, 170], [0, 20]), "outside");
    assert_eq!(lies([0, 20], [0, 20], [-1, 20]), "fits", "an offset");
    assert_eq!(code(needs([[999, 1019]; 3]), Equipment::default()), "fits");
    let farm = Farm::new(1).has("p1", |e| *e = has()).job("A", 1);
    let farm = farm.needs(needs([[240, 260], [0, 20], [0, 20]]));
    assert_eq!(
        farm.why("A", "p1").expect("a reason").text(),
        "it lies from 240 to 260 mm along x, and the printer has 250 mm there"
    );
}

#[test]
fn r_m10_what_is_printed_is_no_larger_than_the_printer_on_any_side() {
    let needs = |size| Needs {
        volume_mm: Some(size),
        ..Needs::default()
    };
    let has = || Equipment {
        volume_mm: Some([250, 210, 220]),
        ..Equipment::default()
    };
    assert_eq!(code(needs([250, 210, 220]), has()), "fits");
    for size in [[251, 1, 1], [1, 211, 1], [1, 1, 221]] {
        assert_eq!(code(needs(size), has()), "volume");
    }
}

#[test]
fn temperatures_stay_within_what_the_printer_may() {
    let needs = |nozzle_c, bed_c| Needs {
        nozzle_c: Some(nozzle_c),
        bed_c: Some(bed_c),
        ..Needs::default()
    };
    let has = || Equipment {
        nozzle_c_max: Some(290),
        bed_c_max: Some(110),
        ..Equipment::default()
    };
    assert_eq!(code(needs(290, 110), has()), "fits");
    assert_eq!(code(needs(291, 60), has()), "temperature");
    assert_eq!(code(needs(215, 111), has()), "temperature");
}

#[test]
fn r_m1_the_printer_has_every_tag_that_the_job_asks_for() {
    let farm = |tags: &[&str]| {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).into()).collect();
        Farm::new(1)
            .job("A", 1)
            .with(|job| job.terms.tags = vec!["Enclosure".into(), "fast".into()])
            .has("p1", |e| e.tags = tags)
    };
    check(&farm(&["fast", "enclosure", "big"]), &[], &["p1 A1"]);
    let reason = farm(&["fast"]).why("A", "p1").expect("it lacks one");
    assert_eq!(
        (reason.code(), reason.text().as_str()),
        ("tags", "the printer lacks Enclosure")
    );
}

#[test]
fn r_m4_materials_are_compared_without_case_and_by_their_families() {
    let loaded = |needs: &str, has: &str| {
        let needs = Needs {
            tools: vec![tool(0, needs, 1)],
            ..Needs::default()
        };
        let has = Equipment {
            slots: vec![slot(0, has, 100)],
            ..Equipment::default()
        };
        code(needs, has)
    };
    assert_eq!(loaded("PETG", "petg"), "fits");
    assert_eq!(loaded("PA-CF", "PAHT-CF"), "fits");
    assert_eq!(loaded("Nylon", "PA"), "fits");
    for (needs, has) in [("PETG", "PLA"), ("PA", "PA-CF"), ("PLA", "PLA+")] {
        assert_eq!(loaded(needs, has), "material", "{needs} on {has}");
    }
}

#[test]
fn r_m9_several_tools_need_slots_that_somebody_has_filled() {
    let needs = || Needs {
        tools: vec![tool(0, "PLA", 1), tool(1, "PVA", 1)],
        ..Needs::default()
    };
    let has = |slots| Equipment {
        slots,
        ..Equipment::default()
    };
    assert_eq!(code(needs(), has(Vec::new())), "slot-unknown");
    assert_eq!(code(needs(), has(vec![slot(0, "PLA", 9)])), "material");
    let empty = Slot {
        slot: 1,
        ..Slot::default()
    };
    assert_eq!(
        code(needs(), has(vec![slot(0, "PLA", 9), empty])),
        "material"
    );
    assert_eq!(
        code(needs(), has(vec![slot(0, "PVA", 9), slot(1, "PLA", 9)])),
        "material"
    );
    assert_eq!(
        code(needs(), has(vec![slot(0, "PLA", 9), slot(1, "PVA", 9)])),
        "fits"
    );
    // One tool prints with whatever is there, as long as nobody has said what that is.
    let one = Needs {
        tools: vec![tool(0, "PLA", 1)],
        ..Needs::default()
    };
    assert_eq!(code(one, has(Vec::new())), "fits");
}

#[test]
fn r_m5_colours_count_as_the_job_says() {
    let colored = |color: &str| Slot {
        color: Some(color.into()),
        ..slot(0, "PLA", 100)
    };
    let farm = |rule| {
        let needs = Needs {
            tools: vec![ToolNeed {
                color: Some("#ff0000".into()),
                ..tool(0, "PLA", 1)
            }],
            ..Needs::default()
        };
        Farm::new(3)
            .has("p1", |e| e.slots = vec![colored("black")])
            .has("p2", |e| e.slots = vec![colored("E02020FF")])
            .has("p3", |e| e.slots = vec![colored("red")])
            .job("A", 3)
            .needs(needs)
            .with(|job| job.terms.color = rule)
    };
    check(&farm(ColorRule::Any), &[], &["p1 A1", "p2 A2", "p3 A3"]);
    check(&farm(ColorRule::Prefer), &[], &["p2 A1", "p3 A2", "p1 A3"]);
    check(&farm(ColorRule::Require), &[], &["p3 A1"]);
    assert_eq!(
        farm(ColorRule::Require)
            .why("A", "p1")
            .expect("black")
            .code(),
        "color"
    );
    // Nobody has said what is loaded: a colour that is required is not guessed.
    let unknown = farm(ColorRule::Require).has("p1", |e| e.slots.clear());
    assert_eq!(
        unknown.why("A", "p1").expect("unknown").code(),
        "slot-unknown"
    );
}

#[test]
fn r_m6_a_whole_copy_has_to_fit_on_the_spool_and_an_unknown_amount_is_no_reason() {
    let needs = || Needs {
        tools: vec![tool(0, "PLA", 100)],
        ..Needs::default()
    };
    let farm = |slot| {
        Farm::new(1)
            .has("p1", |e| e.slots = vec![slot])
            .job("A", 9)
            .needs(needs())
    };
    check(&farm(slot(0, "PLA", 100)), &[], &["p1 A1"]);
    let reason = farm(slot(0, "PLA", 99)).why("A", "p1").expect("too little");
    assert_eq!(
        reason.text(),
        "it takes 100 g from slot 0, where 99 g are left"
    );
    let unknown = Slot {
        left_mg: None,
        spool: None,
        ..slot(0, "PLA", 0)
    };
    check(&farm(unknown), &[], &["p1 A1"]);
    // Two prints of it in each copy, or all copies at once.
    let twice = farm(slot(0, "PLA", 199)).with(|job| job.sets[0].per_run = 2);
    assert_eq!(twice.why("A", "p1").expect("too little").code(), "amount");
    let together = farm(slot(0, "PLA", 899)).with(|job| job.together = true);
    assert_eq!(
        together.why("A", "p1").expect("too little").code(),
        "amount"
    );
    let enough = farm(slot(0, "PLA", 900)).with(|job| job.together = true);
    check(&enough, &[], &["p1 A1"]);
}

#[test]
fn r_m6_what_a_claim_has_reserved_is_not_left() {
    use printmesh_queue::ClaimState;
    let needs = Needs {
        tools: vec![tool(0, "PLA", 60)],
        ..Needs::default()
    };
    let farm = Farm::new(1).has("p1", |e| e.slots = vec![slot(0, "PLA", 100)]);
    let farm = farm.job("A", 2).needs(needs);
    check(&farm, &[], &["p1 A1"]);
    let reserved = farm.claim("A", 1, "p1", ClaimState::Printing);
    let reason = reserved.why("A", "p1").expect("too little");
    assert_eq!(
        reason.text(),
        "it takes 60 g from slot 0, where 40 g are left"
    );
}

#[test]
fn r_m12_of_alternatives_a_printer_prints_the_first_one_that_fits_it() {
    let of = |name: &str| Needs {
        model: model(name),
        ..Needs::default()
    };
    let farm = Farm::new(3)
        .has("p1", |e| e.model = model("MK4"))
        .has("p2", |e| e.model = model("A1"))
        .has("p3", |e| e.model = model("Ender"))
        .job("A", 3)
        .with(|job| {
            job.sets[0].spec.files = vec![file(1, of("A1")), file(2, of("MK4")), file(3, of("MK4"))]
        });
    check(&farm, &[], &["p1 A1", "p2 A2"]);
    assert_eq!(farm.why("A", "p3").expect("none fits").code(), "model");
    let job = &farm.snapshot.jobs[&job_id("A")];
    assert_eq!(job.sets[0].id, SetId(job.id.0));
    let chosen = |name| {
        file_for(&farm.snapshot, job, &job.sets[0], &printer(name)).map(|file| file.hash.0[0])
    };
    assert_eq!(
        [chosen("p1"), chosen("p2"), chosen("p3")],
        [Some(2), Some(1), None]
    );
}

#[test]
fn r_m11_a_file_that_nobody_has_keeps_this_hosts_printers_from_the_job() {
    let mut farm = Farm::new(1).job("A", 1);
    let hash = farm.snapshot.jobs[&job_id("A")].sets[0].spec.files[0].hash;
    farm.presence.missing.insert(hash);
    assert_eq!(farm.why("A", "p1").expect("missing").code(), "file-missing");
}

#[test]
fn r_m3_named_printers_are_a_union_and_none_means_any() {
    let farm = Farm::new(3)
        .job("A", 3)
        .with(|job| job.printers = vec!["p2".into(), "me/p3".into()]);
    check(&farm, &[], &["p2 A1", "p3 A2"]);
}

#[test]
fn r_m6_a_margin_stays_on_the_spool_and_a_person_prints_it_anyway() {
    let needs = |grams| Needs {
        tools: vec![tool(0, "PLA", grams)],
        ..Needs::default()
    };
    let farm = Farm::new(1)
        .has("p1", |e| e.slots = vec![slot(0, "PLA", 100)])
        .job("A", 2)
        .needs(needs(60));
    let margin = |grams| [("amount-margin", grams)];
    check(&farm, &margin("40"), &["p1 A1"]);
    check(&farm, &margin("41"), &[]);
    let short = farm.set(&margin("41"));
    let Some(Reason::Amount {
        needs_mg, left_mg, ..
    }) = short.why("A", "p1")
    else {
        panic!("{:?}", short.why("A", "p1"));
    };
    assert_eq!((needs_mg, left_mg), (101_000, 100_000));
    let anyway = short.edit("A", |job| job.terms.print_anyway = true);
    check(&anyway, &[], &["p1 A1"]);
    // It holds for each try and each copy of the job, however little there is.
    let empty = anyway.has("p1", |e| e.slots = vec![slot(0, "PLA", 0)]);
    check(&empty, &[], &["p1 A1"]);
    let again = empty.printed("A", 1, "p9", 5, RunResult::Failed);
    check(&again, &[], &["p1 A1"]);
    // What is loaded is another matter.
    let other = again.has("p1", |e| e.slots = vec![slot(0, "PETG", 900)]);
    check(&other, &[], &[]);
}

#[test]
fn r_m7_each_tool_has_its_own_nozzle() {
    let needs = |nozzles: &[(u32, u32)]| Needs {
        nozzle_um: Some(400),
        nozzles: nozzles.to_vec(),
        tools: vec![tool(0, "PLA", 1), tool(1, "PLA", 1)],
        ..Needs::default()
    };
    let has = |um: Option<u32>, nozzles: &[(u32, u32)]| Equipment {
        nozzle_um: um,
        nozzles: nozzles.to_vec(),
        slots: vec![slot(0, "PLA", 900), slot(1, "PLA", 900)],
        ..Equipment::default()
    };
    let mixed = &[(1, 600)][..];
    for (needs, has, expected) in [
        (needs(&[]), has(Some(400), &[]), "fits"),
        (needs(mixed), has(Some(400), mixed), "fits"),
        (needs(mixed), has(Some(400), &[(1, 601)]), "fits"),
        (needs(mixed), has(Some(400), &[]), "nozzle"),
        (needs(mixed), has(Some(400), &[(0, 600)]), "nozzle"),
        (needs(&[]), has(Some(400), mixed), "nozzle"),
        (needs(&[]), has(Some(400), &[(2, 600)]), "fits"),
        // Nobody has said what is in the other tools.
        (needs(mixed), has(None, mixed), "fits"),
        (needs(mixed), has(None, &[(1, 400)]), "nozzle"),
    ] {
        assert_eq!(code(needs, has), expected);
    }
    let farm = Farm::new(1)
        .has("p1", |e| *e = has(Some(400), &[]))
        .job("A", 1)
        .needs(needs(mixed));
    let why = farm.why("A", "p1").expect("it waits").text();
    assert!(
        why.contains("0.6 mm for tool 1, and this one has 0.4 mm"),
        "{why}"
    );
    let swapped = farm.has("p1", |e| e.put_nozzle(Some(1), 600));
    check(&swapped, &[], &["p1 A1"]);
    check(&swapped.has("p1", |e| e.put_nozzle(None, 400)), &[], &[]);
}

#[test]
fn r_m3_models_and_tagged_printers_join_those_that_are_named() {
    let farm = Farm::new(5)
        .has("p1", |e| e.model = Some("MK4S".into()))
        .has("p2", |e| e.model = Some("MINI".into()))
        .has("p3", |e| e.tags = vec!["Rack 2".into()])
        .has("p4", |e| e.profile = Some("mk4s".into()));
    let job = |pins: &[&str]| {
        let pins: Vec<String> = pins.iter().map(|pin| (*pin).to_owned()).collect();
        farm.clone().job("A", 9).with(|job| job.printers = pins)
    };
    check(&job(&["model:mk4s"]), &[], &["p1 A1", "p4 A2"]);
    check(&job(&["tag:rack 2", "p5"]), &[], &["p3 A1", "p5 A2"]);
    check(
        &job(&["me/p2", "model:MK4S", "tag:rack 2"]),
        &[],
        &["p1 A1", "p2 A2", "p3 A3", "p4 A4"],
    );
    check(&job(&["model:XL", "tag:fast", "model:"]), &[], &[]);
    let why = job(&["model:XL"]).why("A", "p1").expect("it is for others");
    assert_eq!(why.code(), "pinned-elsewhere");
}

#[test]
fn a_printer_for_some_members_takes_nobody_elses_jobs() {
    let from = |hosts: Vec<HostId>| Equipment {
        accept_from: hosts,
        ..Equipment::default()
    };
    let other = HostId([7; 32]);
    assert_eq!(code(Needs::default(), from(Vec::new())), "fits");
    assert_eq!(code(Needs::default(), from(vec![other, ME])), "fits");
    assert_eq!(code(Needs::default(), from(vec![other])), "accept-from");
}

/// R-M: a model goes where its host has the profile that slices it, and nowhere else; what could not be sliced says so.
#[test]
fn a_model_goes_to_a_printer_whose_host_slices_it() {
    let needs = Needs {
        slice: Some("draft".into()),
        ..Needs::default()
    };
    let mut farm = Farm::new(2)
        .has("p2", |e| e.slicing = vec!["fine".into(), "draft".into()])
        .job("A", 1)
        .needs(needs);
    assert_eq!(farm.starts(), ["p2 A1"]);
    let none = Reason::NoSlicer {
        profile: "draft".into(),
    };
    assert_eq!(farm.why("A", "p1"), Some(none));
    // Never by waiting: it blocks nobody.
    let behind = farm.clone().job("B", 1);
    check(&behind, &[("never-skip", "on")], &["p2 A1", "p1 B1"]);
    let hash = farm.snapshot.jobs[&job_id("A")].sets[0].spec.files[0].hash;
    let failed = (hash, printer("p2"));
    farm.presence.unsliced.insert(failed, "too large".into());
    assert_eq!(farm.starts(), [""; 0]);
    let why = farm.why("A", "p2").expect("it could not be sliced");
    assert_eq!(
        (why.code(), why.text().ends_with("sliced: too large")),
        ("slice-failed", true)
    );
}

/// The sentence that crashed elsewhere, in every shape: it names what is needed and what is there.
#[test]
fn r_l12_a_printer_with_the_wrong_material_says_which_it_needs_and_which_it_has() {
    let said = |slots: Vec<Slot>, needs: Needs| {
        let farm = Farm::new(1).has("p1", |e| e.slots = slots);
        let farm = farm.job("A", 1).needs(needs);
        farm.with(|job| job.terms.color = ColorRule::Require)
            .why("A", "p1")
            .expect("it waits")
            .text()
    };
    let petg = || Needs {
        tools: vec![tool(0, "PETG", 5)],
        ..Needs::default()
    };
    let black = |slot: u32| Needs {
        tools: vec![ToolNeed {
            color: Some("black".into()),
            ..tool(slot, "PLA", 5)
        }],
        ..Needs::default()
    };
    let empty = Slot {
        slot: 0,
        ..Slot::default()
    };
    let pla = || slot(0, "PLA", 900);
    for (slots, needs, words) in [
        (
            vec![pla()],
            petg(),
            "it needs PETG in slot 0, where PLA is loaded",
        ),
        (
            vec![empty],
            petg(),
            "it needs PETG in slot 0, where nothing is loaded",
        ),
        (
            vec![pla()],
            black(1),
            "it needs PLA in slot 1, where nothing is loaded",
        ),
        (
            vec![pla()],
            black(0),
            "it must be black, and slot 0 has an unknown colour",
        ),
        (
            vec![],
            black(0),
            "it prints from slot 0, and nobody has said what is loaded there",
        ),
        (
            vec![slot(0, "PETG", 4)],
            petg(),
            "it takes 5 g from slot 0, where 4 g are left",
        ),
    ] {
        assert_eq!(said(slots, needs), words);
    }
}

/// "No copy left" was all that it said, whatever lay in the queue.
#[test]
fn an_idle_printer_says_what_keeps_the_closest_job_from_it() {
    let needs = |material: &str| Needs {
        tools: vec![tool(0, material, 10)],
        ..Needs::default()
    };
    let large = || Needs {
        volume_mm: Some([500, 1, 1]),
        ..Needs::default()
    };
    let farm = || {
        Farm::new(1).has("p1", |has| {
            has.slots = vec![slot(0, "PLA", 900)];
            has.volume_mm = Some([250, 210, 220]);
        })
    };
    let says = |farm: Farm| match farm.idles("p1") {
        Reason::NothingFits { job, because } => format!("{job} {}", because.code()),
        other => other.code().to_owned(),
    };
    assert_eq!(says(farm()), "queue-empty");
    let too_large = || farm().job("L", 1).needs(large());
    assert_eq!(says(too_large()), "L volume");
    // What somebody holds back starts with a word; what is too large never does.
    let held = || too_large().job("H", 1).with(|job| job.held = true);
    assert_eq!(says(held()), "H held");
    let early = too_large().job("E", 1);
    let early = early.with(|job| job.terms.not_before = Some(Timestamp(u64::MAX)));
    assert_eq!(says(early), "E not-before");
    let parked = too_large()
        .job("P", 1)
        .with(|job| job.terms.backburner = true);
    assert_eq!(
        says(parked.set(&[("exclude-backburner", "on")])),
        "P backburner"
    );
    // What somebody at the printer can change comes first, in the order of the queue.
    let load = held()
        .job("G", 1)
        .needs(needs("PETG"))
        .job("A", 1)
        .needs(needs("ABS"));
    assert_eq!(says(load.clone()), "G material");
    assert_eq!(
        load.idles("p1").text(),
        "no open job can start here; G comes closest: it needs PETG in slot 0, where PLA is loaded"
    );
    // Another printer makes the last copy of it: that is no job to wait for.
    let made = load.claim("G", 1, "q", ClaimState::Printing);
    assert_eq!(says(made), "A material");
    let made = farm().job("B", 1).claim("B", 1, "q", ClaimState::Printing);
    assert_eq!(says(made), "no-copy-left");
}
