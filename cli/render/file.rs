//! Sliced files and printer profiles as text.

use printmesh_api::sliced::{File, Plate, PlateTool, Profile};

use super::{
    table::{Block, Cell, Table},
    time::{bytes, duration},
};

/// Everything that files say, one after the other.
pub(crate) fn inspected(files: &[File]) -> Vec<Block> {
    let plates = files
        .iter()
        .flat_map(|file| file.plates.iter().map(move |plate| (file, plate)));
    plates
        .flat_map(|(file, plate)| inspected_plate(file, plate))
        .collect()
}

fn inspected_plate(file: &File, plate: &Plate) -> Vec<Block> {
    let name = match file.plates.len() {
        1 => file.name.clone(),
        _ => format!("{} plate {}", file.name, plate.number),
    };
    let mut facts = vec![
        ("file", Cell::new(name)),
        (
            "G-code",
            Cell::both(
                format!("{} ({})", bytes(plate.bytes), file.format),
                plate.bytes.to_string(),
            ),
        ),
        ("slicer", Cell::maybe(plate.slicer.as_ref())),
        (
            "printer",
            Cell::both(
                match &plate.profile {
                    Some(profile) => format!("{profile} ({})", plate.profile_why),
                    None => format!("unknown: {}", plate.profile_why),
                },
                plate.profile.clone().unwrap_or_default(),
            ),
        ),
        (
            "time",
            Cell::both(
                plate.estimate_s.map_or_else(|| "-".to_owned(), duration),
                plate
                    .estimate_s
                    .map(|it| it.to_string())
                    .unwrap_or_default(),
            ),
        ),
        ("filament", used(plate.filament_g, plate.filament_mm)),
        ("nozzle", number(plate.nozzle_mm, "mm")),
        ("layer", number(plate.layer_height_mm, "mm")),
        ("layers", Cell::maybe(plate.layers.map(|it| it.to_string()))),
        (
            "size",
            match plate.size_mm {
                Some([x, y, z]) => {
                    Cell::both(format!("{x} x {y} x {z} mm"), format!("{x}x{y}x{z}"))
                }
                None => number(plate.height_mm, "mm high"),
            },
        ),
        (
            "bed",
            match plate.bed_mm {
                Some([x, y]) => Cell::both(format!("{x} x {y} mm"), format!("{x}x{y}")),
                None => Cell::new("-"),
            },
        ),
        ("bed heat", number(plate.bed_c.map(f64::from), "°C")),
    ];
    if !plate.thumbnails.is_empty() {
        let pictures: Vec<String> = plate
            .thumbnails
            .iter()
            .map(|it| format!("{}x{} {}", it.width, it.height, it.format))
            .collect();
        facts.push(("pictures", Cell::new(pictures.join(", "))));
    }
    let mut blocks = vec![Block::Facts(facts)];
    if !plate.tools.is_empty() {
        blocks.push(Block::Table(Table {
            label: None,
            head: vec![
                "TOOL", "MATERIAL", "COLOUR", "USED", "NOZZLE", "HEAT", "FILAMENT",
            ],
            rows: plate.tools.iter().map(tool).collect(),
        }));
    }
    blocks
}

fn tool(tool: &PlateTool) -> Vec<Cell> {
    let material = tool.material.clone().unwrap_or_else(|| "-".to_owned());
    let human = match tool.abrasive {
        true => format!("{material}, abrasive"),
        false => material.clone(),
    };
    vec![
        Cell::new(tool.tool.to_string()),
        Cell::both(human, material),
        Cell::both(
            tool.color
                .as_ref()
                .map_or_else(|| "-".to_owned(), |it| format!("#{it}")),
            tool.color.clone().unwrap_or_default(),
        ),
        used(tool.used_g, tool.used_mm),
        number(tool.nozzle_mm, "mm"),
        number(tool.nozzle_c.map(f64::from), "°C"),
        Cell::maybe(tool.slicer_profile.as_ref()),
    ]
}

/// Grams; where the file does not say them, metres for people, and nothing for programs, which ask for a unit.
fn used(grams: Option<f64>, mm: Option<f64>) -> Cell {
    match (grams, mm) {
        (None, Some(mm)) => Cell::both(format!("{:.2} m", mm / 1000.0), ""),
        (grams, _) => number(grams, "g"),
    }
}

fn number(number: Option<f64>, unit: &str) -> Cell {
    match number {
        Some(number) => Cell::both(format!("{number} {unit}"), number.to_string()),
        None => Cell::both("-", ""),
    }
}

/// Which profile each print of each file is for.
pub(crate) fn detected(files: &[File]) -> Vec<Block> {
    let plates = files
        .iter()
        .flat_map(|file| file.plates.iter().map(move |plate| (file, plate)));
    let rows = plates.map(|(file, plate)| {
        let model = plate.model.as_ref().or(plate.slicer_profile.as_ref());
        vec![
            Cell::new(&file.name),
            Cell::new(plate.number.to_string()),
            Cell::both(
                plate.profile.as_deref().unwrap_or("unknown"),
                plate.profile.as_deref().unwrap_or_default(),
            ),
            Cell::maybe(model),
            Cell::new(&plate.profile_why),
        ]
    });
    vec![Block::Table(Table {
        label: None,
        head: vec!["FILE", "PLATE", "PROFILE", "THE FILE SAYS", "WHY"],
        rows: rows.collect(),
    })]
}

/// The table of profiles.
pub(crate) fn profiles(profiles: &[Profile]) -> Vec<Block> {
    if profiles.is_empty() {
        return vec![Block::Note("no profile has this text in it".to_owned())];
    }
    let rows = profiles.iter().map(|profile| {
        vec![
            Cell::new(&profile.name),
            Cell::maybe(profile.title.as_ref()),
            volume(profile),
            number(profile.nozzle_mm, "mm"),
            Cell::maybe(profile.firmware.as_ref()),
            Cell::new(&profile.origin),
        ]
    });
    vec![Block::Table(Table {
        label: None,
        head: vec!["PROFILE", "PRINTER", "VOLUME", "NOZZLE", "FIRMWARE", "FROM"],
        rows: rows.collect(),
    })]
}

/// One profile.
pub(crate) fn profile(profile: &Profile) -> Vec<Block> {
    vec![Block::Facts(vec![
        ("profile", Cell::new(&profile.name)),
        ("printer", Cell::maybe(profile.title.as_ref())),
        ("volume", volume(profile)),
        ("nozzle", number(profile.nozzle_mm, "mm")),
        (
            "nozzle heat",
            number(profile.nozzle_c_max.map(f64::from), "°C at most"),
        ),
        (
            "bed heat",
            number(profile.bed_c_max.map(f64::from), "°C at most"),
        ),
        (
            "enclosed",
            if profile.enclosed { "yes" } else { "no" }.into(),
        ),
        ("firmware", Cell::maybe(profile.firmware.as_ref())),
        ("models", Cell::new(profile.models.join(", "))),
        ("profiles", Cell::new(profile.slicer_profiles.join(", "))),
        ("from", Cell::new(&profile.origin)),
    ])]
}

fn volume(profile: &Profile) -> Cell {
    let Some([x, y, z]) = profile.volume_mm else {
        return Cell::both("-", "");
    };
    let human = match profile.round {
        true => format!("ø {x} x {z} mm"),
        false => format!("{x} x {y} x {z} mm"),
    };
    Cell::both(human, format!("{x}x{y}x{z}"))
}
