//! Sliced files: what is in one, in the words of the queue and of people.
//!
//! Reads and unpacks; it keeps nothing and asks nobody.

use std::{fs::File, io, path::Path};

use printmesh_api::problem::Problem;
use printmesh_gcode::{Container, Inspected, Metadata, Rejected, Slicer, UnpackError};
use printmesh_queue::{FileHash, FileSpec, Needs, ToolNeed};

use crate::problems;

/// One print of a file that came in, as G-code that lies at `path`.
pub(crate) struct Unpacked {
    pub(crate) path: std::path::PathBuf,
    pub(crate) file_name: String,
    pub(crate) metadata: Metadata,
}

/// Looks at a file, and unpacks what is packed to paths that `fresh` gives.
pub(crate) fn unpack(
    file_name: &str,
    path: &Path,
    mut fresh: impl FnMut() -> Result<std::path::PathBuf, Problem>,
) -> Result<Vec<Unpacked>, Problem> {
    let unreadable = |error: io::Error| {
        problems::new("file.write", 1, format!("cannot take {file_name} in"))
            .because(error.to_string())
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let Inspected { container, plates } =
        printmesh_gcode::inspect(&mut file).map_err(|rejected| rejection(file_name, &rejected))?;
    let count = plates.len();
    let mut unpacked = Vec::new();
    for plate in plates {
        let (path, file_name_of_plate) = match container {
            Container::Text => (path.to_owned(), file_name.to_owned()),
            Container::Binary | Container::Archive => {
                let number = (count > 1).then_some(plate.number);
                (fresh()?, name_of_plate(file_name, number))
            }
        };
        // In the list before a byte is written: whoever gets the list clears up.
        unpacked.push(Unpacked {
            path,
            file_name: file_name_of_plate,
            metadata: plate.metadata,
        });
        if container != Container::Text {
            let path = &unpacked[unpacked.len() - 1].path;
            let out = File::create_new(path).map_err(unreadable);
            let written = out.and_then(|out| {
                let mut out = io::BufWriter::new(out);
                printmesh_gcode::unpack(&mut file, plate.number, &mut out)
                    .and_then(|_| io::Write::flush(&mut out).map_err(UnpackError::Write))
                    .map_err(|error| unpacking(file_name, error))
            });
            if let Err(problem) = written {
                for unpacked in &unpacked {
                    std::fs::remove_file(&unpacked.path).ok();
                }
                return Err(problem);
            }
        }
    }
    Ok(unpacked)
}

/// `kit.gcode.3mf` becomes `kit.gcode`, or `kit_plate_2.gcode` when it has several plates.
fn name_of_plate(file_name: &str, number: Option<u32>) -> String {
    let lower = file_name.to_ascii_lowercase();
    let ending = [".gcode.3mf", ".3mf", ".bgcode", ".gcode"]
        .into_iter()
        .find(|ending| lower.ends_with(ending))
        .unwrap_or_default();
    let stem = &file_name[..file_name.len() - ending.len()];
    match number {
        Some(number) => format!("{stem}_plate_{number}.gcode"),
        None => format!("{stem}.gcode"),
    }
}

fn unpacking(file_name: &str, error: UnpackError) -> Problem {
    match error {
        UnpackError::Rejected(rejected) => rejection(file_name, &rejected),
        UnpackError::Write(error) if printmesh_store::disk::is_disk_full(&error) => {
            problems::disk_full()
        }
        UnpackError::Write(error) => {
            problems::new("file.write", 1, format!("cannot take {file_name} in"))
                .because(error.to_string())
        }
    }
}

/// Why a file is not printed, and what to do instead.
pub(crate) fn rejection(file_name: &str, rejected: &Rejected) -> Problem {
    let cannot = || format!("{file_name} cannot be printed");
    let export = "export it as plain G-code from your slicer";
    match rejected {
        Rejected::Empty => problems::new("file.empty", 2, format!("{file_name} is empty")),
        Rejected::NotGcode { .. } => problems::new("file.not-gcode", 2, cannot())
            .because(rejected.to_string())
            .fix("", export),
        Rejected::NotSliced => problems::new("file.not-sliced", 2, cannot())
            .because(rejected.to_string())
            .fix("", "slice it, then export the sliced plates"),
        Rejected::Damaged { .. } => problems::new("file.damaged", 2, cannot())
            .because(rejected.to_string())
            .fix("", "export it again from your slicer"),
        Rejected::Foreign { .. } | Rejected::TooMuch { .. } => {
            problems::new("file.foreign", 2, cannot())
                .because(rejected.to_string())
                .fix("", export)
        }
        Rejected::Unreadable(_) => {
            problems::new("file.unreadable", 1, format!("cannot read {file_name}"))
                .because(rejected.to_string())
        }
    }
}

/// A slicer with its version.
pub(crate) fn slicer(slicer: &Slicer) -> String {
    match &slicer.version {
        Some(version) => format!("{} {version}", slicer.name),
        None => slicer.name.clone(),
    }
}

/// What the queue keeps of a file that lies in the store.
pub(crate) fn file_spec(
    hash: FileHash,
    size: u64,
    name: &str,
    metadata: &Metadata,
    profile: Option<String>,
) -> FileSpec {
    FileSpec {
        hash,
        size,
        name: name.to_owned(),
        estimate_s: metadata.time_s,
        material: metadata.materials(),
        slicer: metadata.slicer.as_ref().map(slicer),
        model: metadata.printer_model.clone(),
        nozzle_um: metadata.nozzle_mm().and_then(micrometres),
        needs: needs(metadata, profile),
    }
}

/// What a print needs of a printer. What the file does not say is not asked for.
///
/// The printer that it was sliced for goes by the name of its profile, when there is one: the slicers have many names for each.
fn needs(metadata: &Metadata, profile: Option<String>) -> Needs {
    let tools = metadata.tools.iter().map(|tool| ToolNeed {
        tool: tool.number,
        material: tool.material.clone(),
        color: tool.colour.clone(),
        mg: metadata
            .grams(tool)
            .and_then(|g| whole((g * 1000.0).round())),
    });
    let nozzle_um = metadata.nozzle_mm().and_then(micrometres);
    let nozzles = metadata.tools.iter().filter_map(|tool| {
        let um = tool.nozzle_mm.and_then(micrometres)?;
        (Some(um) != nozzle_um).then_some((tool.number, um))
    });
    let volume = metadata.extent.map(|extent| {
        [0, 1, 2].map(|axis| {
            // Binary fractions make 12.5 - 2.5 a little more than 10: no reason for a millimetre more.
            let length_mm = extent.max_mm[axis] - extent.min_mm[axis];
            whole((length_mm - 0.001).ceil())
        })
    });
    let volume_mm = match volume {
        Some([Some(x), Some(y), Some(z)]) => [x, y, z].map(|mm| u32::try_from(mm).ok()),
        Some(_) | None => [None; 3],
    };
    let extent = metadata.extent.map(|extent| {
        [0, 1, 2].map(|axis| {
            let from = millimetres((extent.min_mm[axis] + 0.001).floor());
            let to = millimetres((extent.max_mm[axis] - 0.001).ceil());
            Some([from?, to?])
        })
    });
    let extent_mm = match extent {
        Some([Some(x), Some(y), Some(z)]) => Some([x, y, z]),
        Some(_) | None => None,
    };
    Needs {
        slice: None,
        model: profile.or_else(|| metadata.printer_model.clone()),
        nozzle_um,
        nozzles: nozzles.collect(),
        hardened: metadata.tools.iter().any(|tool| tool.abrasive),
        volume_mm: match volume_mm {
            [Some(x), Some(y), Some(z)] => Some([x, y, z]),
            _ => None,
        },
        extent_mm,
        nozzle_c: metadata.hottest_nozzle_c(),
        bed_c: metadata.bed_first_c.max(metadata.bed_c),
        tools: tools.collect(),
    }
}

/// Millimetres in micrometres.
fn micrometres(mm: f64) -> Option<u32> {
    u32::try_from(whole((mm * 1000.0).round())?).ok()
}

/// Whole millimetres on either side of 0.
fn millimetres(mm: f64) -> Option<i32> {
    let whole = i32::try_from(whole(mm.abs())?).ok()?;
    Some(if mm < 0.0 { -whole } else { whole })
}

/// A whole number that a float holds exactly.
fn whole(number: f64) -> Option<u64> {
    const EXACT: f64 = 9e15;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "its bounds are checked"
    )]
    (0.0..EXACT).contains(&number).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use printmesh_gcode::{Extent, Tool};

    use super::*;

    #[test]
    fn what_a_print_needs_is_in_whole_numbers_and_never_more_than_it_says() {
        let metadata = Metadata {
            printer_model: Some("MK4S".to_owned()),
            tools: vec![
                Tool {
                    number: 1,
                    material: Some("PETG".to_owned()),
                    colour: Some("ff8000".to_owned()),
                    used_g: Some(4.1449),
                    nozzle_mm: Some(0.6),
                    nozzle_first_c: Some(240),
                    nozzle_c: Some(250),
                    abrasive: true,
                    ..Tool::default()
                },
                Tool {
                    number: 4,
                    ..Tool::default()
                },
            ],
            extent: Some(Extent {
                min_mm: [2.5, 90.0, 0.2],
                max_mm: [12.5, 99.25, 30.2],
            }),
            bed_first_c: Some(85),
            bed_c: Some(80),
            ..Metadata::default()
        };
        let expected = Needs {
            slice: None,
            model: Some("MK4S".to_owned()),
            nozzle_um: Some(600),
            nozzles: Vec::new(),
            hardened: true,
            volume_mm: Some([10, 10, 30]),
            extent_mm: Some([[2, 13], [90, 100], [0, 31]]),
            nozzle_c: Some(250),
            bed_c: Some(85),
            tools: vec![
                ToolNeed {
                    tool: 1,
                    material: Some("PETG".to_owned()),
                    color: Some("ff8000".to_owned()),
                    mg: Some(4145),
                },
                ToolNeed {
                    tool: 4,
                    ..ToolNeed::default()
                },
            ],
        };
        assert_eq!(needs(&metadata, None), expected);
        assert!(needs(&Metadata::default(), None).is_empty());
        let named = needs(&metadata, Some("mine".to_owned()));
        assert_eq!(named.model.as_deref(), Some("mine"));
    }

    #[test]
    fn a_real_file_becomes_what_the_queue_keeps_of_it() {
        let fixture = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../core/gcode/fixtures/prusaslicer-2.5.0-mmu2s.gcode"
        );
        let mut file = File::open(fixture).unwrap();
        let found = printmesh_gcode::inspect(&mut file).unwrap();
        let metadata = &found.plates[0].metadata;
        let home = tempfile::tempdir().unwrap();
        let (profile, _) = crate::profiles::Profiles::load(home.path())
            .unwrap()
            .detect(metadata);
        let spec = file_spec(FileHash([7; 32]), 14_529, "part.gcode", metadata, profile);
        let tool = |tool, material: &str, color: &str, mg| ToolNeed {
            tool,
            material: Some(material.to_owned()),
            color: Some(color.to_owned()),
            mg: Some(mg),
        };
        let expected = FileSpec {
            hash: FileHash([7; 32]),
            size: 14_529,
            name: "part.gcode".to_owned(),
            estimate_s: Some(3521),
            material: Some("PLA;PETG".to_owned()),
            slicer: Some("PrusaSlicer 2.5.0".to_owned()),
            model: Some("MK3SMMU2S".to_owned()),
            nozzle_um: Some(400),
            needs: Needs {
                model: Some("MK3S-MMU2S".to_owned()),
                nozzle_um: Some(400),
                nozzle_c: Some(215),
                bed_c: Some(60),
                tools: vec![
                    tool(1, "PLA", "ffffff", 4140),
                    tool(3, "PETG", "0000ff", 3580),
                ],
                ..Needs::default()
            },
        };
        assert_eq!(spec, expected);
    }

    /// Cura and Kiri:Moto say lengths alone: their prints never used anything up, and never found too little.
    #[test]
    fn a_length_of_filament_is_weighed_where_no_weight_is_said() {
        let of = |name: &str| {
            let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/gcode/fixtures/");
            std::fs::read_to_string(format!("{fixtures}{name}")).unwrap()
        };
        let mg = |text: String| {
            let found = printmesh_gcode::inspect(&mut io::Cursor::new(text)).unwrap();
            let needs = needs(&found.plates[0].metadata, None);
            needs.tools.iter().map(|tool| tool.mg).collect::<Vec<_>>()
        };
        // 1234.5 mm, 1.75 mm thick, 1.24 g/cm³: PLA, since it does not say what it is.
        assert_eq!(mg(of("kirimoto.gcode")), [Some(3682)]);
        let cura = of("cura-4.13.0-ender3.gcode");
        let cura = |used: &str| mg(cura.replace(";Filament used: 0m", used));
        assert_eq!(cura(";Filament used: 1.2345m"), [Some(3682)]);
        let petg = ";Filament used: 1.2345m\n;Filament type = PETG";
        assert_eq!(cura(petg), [Some(3771)], "1.27 g/cm³");
        // What it says itself goes before.
        let said = ";Filament used: 1.2345m\n;Filament weight = [9.5]";
        assert_eq!(cura(said), [Some(9500)]);
        // 4312 mm³ of an Ultimaker.
        assert_eq!(mg(of("ultimaker-s5.gcode")), [Some(5347)]);
    }

    #[test]
    fn numbers_that_no_record_holds_are_left_out() {
        let metadata = Metadata {
            tools: vec![Tool {
                used_g: Some(1e300),
                nozzle_mm: Some(1e9),
                ..Tool::default()
            }],
            extent: Some(Extent {
                min_mm: [0.0; 3],
                max_mm: [1e300, 1.0, 1.0],
            }),
            ..Metadata::default()
        };
        let needs = needs(&metadata, None);
        assert_eq!((needs.nozzle_um, needs.volume_mm), (None, None));
        assert_eq!(needs.extent_mm, None);
        assert_eq!(needs.tools[0].mg, None);
    }

    #[test]
    fn a_print_beside_the_middle_of_a_bed_lies_where_its_slicer_says() {
        let metadata = Metadata {
            extent: Some(Extent {
                min_mm: [-12.5, -0.2, 0.0],
                max_mm: [12.500_000_1, 7.0, 0.3],
            }),
            ..Metadata::default()
        };
        let needs = needs(&metadata, None);
        assert_eq!(needs.extent_mm, Some([[-13, 13], [-1, 7], [0, 1]]));
    }

    #[test]
    fn a_plate_is_named_after_its_file() {
        let check =
            |name, number, expected: &str| assert_eq!(name_of_plate(name, number), expected);
        check("kit.gcode.3mf", None, "kit.gcode");
        check("kit.gcode.3mf", Some(2), "kit_plate_2.gcode");
        check("Kit.3MF", Some(2), "Kit_plate_2.gcode");
        check("part.bgcode", None, "part.gcode");
        check("part.BGCODE", None, "part.gcode");
        check("ä", None, "ä.gcode");
    }
}
