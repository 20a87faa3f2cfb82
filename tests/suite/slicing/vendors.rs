//! What the real PrusaSlicer writes for the printers that it knows, against the guard: nothing is refused that a print needs.
//!
//! Its vendors' bundles are read where it is installed and not copied. One printer of each vendor by default; for every printer
//! of every vendor: `PRINTMESH_VENDORS=all cargo test --release --test printmesh vendors -- --nocapture`.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use printmesh_gcode::{
    guard::{Allowed, GuardError, check},
    profile::{BUILT_IN, Detected, Profile, detect},
};
use serde::Deserialize;

use crate::suite::environment::{Farm, sliced};

const BUNDLES: [&str; 2] = [
    "/usr/share/PrusaSlicer/profiles",
    "/usr/share/prusa-slicer/profiles",
];

/// Printers whose own G-code does what the guard is there to stop: their hosts allow it (`printer edit`, `--allow`) or not.
const REFUSED: [(&str, &str); 3] = [
    // Switches the mains off at the end.
    ("Proton XE-750", "would switch the printer's power"),
    // Sets the steps of its extruder at the start.
    (
        "Original Prusa i3 MK2S MMU1",
        "would change how far motors turn",
    ),
    // Lifts 95 mm beyond the height that the same bundle says it has.
    ("Snapmaker A250", "would leave the printer's volume"),
];

#[derive(Deserialize)]
struct Profiles {
    profile: Vec<Profile>,
}

type Section = BTreeMap<String, String>;

/// Sections of a bundle by their heads, such as `printer:Taz6`.
fn sections(bundle: &Path) -> BTreeMap<String, Section> {
    let text = fs::read_to_string(bundle).unwrap();
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut head = String::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
        } else if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            head = name.to_owned();
            sections.entry(head.clone()).or_default();
        } else if let Some((key, value)) = line.split_once('=') {
            let section = sections.entry(head.clone()).or_default();
            section.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    sections
}

/// A preset with all that it inherits; `None` when the bundle lacks a part of it.
fn whole(sections: &BTreeMap<String, Section>, kind: &str, name: &str) -> Option<Section> {
    let section = sections.get(&format!("{kind}:{name}"))?;
    let mut whole = Section::new();
    let parents = section.get("inherits").map_or("", String::as_str);
    for parent in parents.split(';').map(str::trim).filter(|p| !p.is_empty()) {
        whole.extend(self::whole(sections, kind, parent)?);
    }
    whole.extend(section.clone());
    whole.remove("inherits");
    Some(whole)
}

/// Every printer of a bundle with the print and the filament that its vendor proposes, as one flat configuration.
fn printers(bundle: &Path) -> Vec<(String, Section)> {
    let sections = sections(bundle);
    let names = sections
        .keys()
        .filter_map(|head| head.strip_prefix("printer:"));
    let names = names.filter(|name| !name.starts_with('*'));
    let flat = names.filter_map(|name| {
        let printer = whole(&sections, "printer", name)?;
        let proposed = |key: &str| {
            let value = printer.get(key)?.split(';').next()?;
            Some(value.trim_matches('"').to_owned())
        };
        let mut flat = whole(&sections, "print", &proposed("default_print_profile")?)?;
        flat.extend(whole(
            &sections,
            "filament",
            &proposed("default_filament_profile")?,
        )?);
        flat.extend(printer);
        // Conditions on presets, which are not there any more.
        flat.retain(|key, _| !key.starts_with("compatible_") && !key.starts_with("default_"));
        flat.remove("renamed_from");
        Some((name.to_owned(), flat))
    });
    flat.collect()
}

/// The size of what it prints in, by its own preset.
fn volume_mm(flat: &Section) -> Option<[u32; 3]> {
    let corners = flat.get("bed_shape")?.split(',').map(|corner| {
        let (x, y) = corner.trim().split_once('x')?;
        Some((x.parse().ok()?, y.parse().ok()?))
    });
    let corners: Vec<(f64, f64)> = corners.collect::<Option<_>>()?;
    let size = |of: fn(&(f64, f64)) -> f64| {
        let most = corners.iter().map(of).fold(f64::MIN, f64::max);
        (most - corners.iter().map(of).fold(f64::MAX, f64::min)).ceil() as u32
    };
    let height: f64 = flat.get("max_print_height")?.parse().ok()?;
    Some([size(|at| at.0), size(|at| at.1), height.ceil() as u32])
}

/// What a printer may take by our own profile of it, if there is one.
fn built_in(gcode: &Path, profiles: &[Profile]) -> Option<Allowed> {
    let mut file = File::open(gcode).unwrap();
    let plates = printmesh_gcode::inspect(&mut file).unwrap().plates;
    let Detected::Profile { profile, .. } = detect(&plates[0].metadata, profiles) else {
        return None;
    };
    Some(Allowed {
        firmware: profile.firmware,
        nozzle_c_max: profile.nozzle_c_max,
        bed_c_max: profile.bed_c_max,
        volume_mm: profile.volume_mm,
    })
}

fn slice(folder: &Path, flat: &Section) -> Option<PathBuf> {
    let (config, gcode) = (folder.join("vendor.ini"), folder.join("vendor.gcode"));
    let lines: Vec<String> = flat
        .iter()
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    fs::write(&config, lines.concat()).unwrap();
    fs::remove_file(&gcode).ok();
    let output = Command::new("prusa-slicer")
        .arg("--export-gcode")
        .arg("--load")
        .arg(config)
        .arg("-o")
        .arg(&gcode)
        .arg(sliced("cube.stl"))
        .output();
    output.unwrap();
    gcode.exists().then_some(gcode)
}

#[test]
fn what_prusaslicer_writes_for_the_printers_that_it_knows_passes_the_guard() {
    let folder = BUNDLES.iter().map(Path::new).find(|path| path.is_dir());
    let (Some(folder), Ok(_)) = (folder, Command::new("prusa-slicer").arg("--help").output())
    else {
        println!("skipped: prusa-slicer is not installed (apt-get install prusa-slicer)");
        return;
    };
    let all = std::env::var("PRINTMESH_VENDORS").is_ok_and(|which| which == "all");
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut bundles: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|e| e == "ini"))
        .collect();
    bundles.sort();
    let farm = Farm::new();
    let profiles = toml::from_str::<Profiles>(BUILT_IN).unwrap().profile;
    let (mut passed, mut refused, mut unsliced, mut detected) = (0, Vec::new(), 0, 0);
    for bundle in &bundles {
        let mut printers = printers(bundle);
        printers.retain(|(_, flat)| flat.get("printer_technology").is_none_or(|is| is == "FFF"));
        for (name, flat) in printers {
            // A vendor's mistakes, such as a layer that is higher than the nozzle is wide.
            let Some(gcode) = slice(farm.path(), &flat) else {
                unsliced += 1;
                continue;
            };
            let text = fs::read(&gcode).unwrap();
            let by_preset = Allowed {
                firmware: None,
                nozzle_c_max: Some(300),
                bed_c_max: Some(120),
                volume_mm: volume_mm(&flat),
            };
            let by_profile = built_in(&gcode, &profiles);
            detected += usize::from(by_profile.is_some());
            let verdicts = [Some(by_preset), by_profile].into_iter().flatten();
            match verdicts
                .map(|allowed| check(text.as_slice(), &allowed))
                .find(Result::is_err)
            {
                None | Some(Ok(())) => passed += 1,
                Some(Err(GuardError::Refused(why))) => refused.push((name, why)),
                Some(Err(GuardError::Read(error))) => panic!("{error}"),
            }
            if !all {
                break;
            }
        }
    }
    for (name, why) in &refused {
        let known = REFUSED
            .iter()
            .any(|(printer, what)| name.starts_with(printer) && why.why.contains(what));
        assert!(known, "{name}: {why}");
    }
    println!(
        "{} vendors, {passed} printers passed, {} refused as they should be, {unsliced} that PrusaSlicer \
         could not slice for; {detected} have a profile here",
        bundles.len(),
        refused.len()
    );
    assert!(passed >= 10, "{passed}");
}
