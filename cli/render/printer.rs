//! Printers as text.

use printmesh_api::reply::{List, Printer, PrinterWhy, Slot};

use super::{
    freshness,
    job::{percent, state},
    table::{Block, Cell, Table},
    time::duration,
};

/// The table of printers.
pub(crate) fn list(list: &List<Printer>) -> Vec<Block> {
    if list.items.is_empty() {
        return vec![Block::Note(
            "no printers; add one: printmesh printer add NAME --at sim://".to_owned(),
        )];
    }
    let mut blocks = vec![Block::Table(table(&list.items))];
    blocks.extend(freshness(&list.sync));
    blocks
}

/// Rows of printers, as `status` shows them too.
pub(crate) fn table(printers: &[Printer]) -> Table {
    let rows = printers.iter().map(|printer| {
        vec![
            name(printer),
            state(&printer.state),
            Cell::new(&printer.bed),
            Cell::maybe(printer.job.as_ref()),
            Cell::both(
                printer.progress.map_or_else(|| "-".to_owned(), bar),
                printer
                    .progress
                    .map(|progress| progress.to_string())
                    .unwrap_or_default(),
            ),
            Cell::both(
                printer.left_s.map_or_else(|| "-".to_owned(), duration),
                printer
                    .left_s
                    .map(|seconds| seconds.to_string())
                    .unwrap_or_default(),
            ),
            if printer.autoprint { "on" } else { "off" }.into(),
            Cell::both(
                printer.reason_text.clone().unwrap_or_default(),
                printer.reason.clone().unwrap_or_default(),
            ),
        ]
    });
    Table {
        label: None,
        head: vec![
            "PRINTER", "STATE", "BED", "JOB", "PROGRESS", "LEFT", "AUTO", "WHY",
        ],
        rows: rows.collect(),
    }
}

/// One printer.
pub(crate) fn one(printer: &Printer) -> Vec<Block> {
    let mut facts = vec![
        ("printer", name(printer)),
        ("state", state(&printer.state)),
        ("bed", Cell::new(&printer.bed)),
        (
            "autoprint",
            if printer.autoprint { "on" } else { "off" }.into(),
        ),
        ("job", Cell::maybe(printer.job.as_ref())),
        ("progress", Cell::maybe(printer.progress.map(percent))),
        (
            "left",
            Cell::both(
                printer.left_s.map_or_else(|| "-".to_owned(), duration),
                printer
                    .left_s
                    .map(|seconds| seconds.to_string())
                    .unwrap_or_default(),
            ),
        ),
        (
            "why",
            Cell::both(
                printer
                    .reason_text
                    .clone()
                    .unwrap_or_else(|| "-".to_owned()),
                printer.reason.clone().unwrap_or_default(),
            ),
        ),
    ];
    let optional = [
        ("paused", &printer.paused),
        ("at", &printer.at),
        ("firmware", &printer.firmware),
        ("spools", &printer.spool_note),
    ];
    let known = optional
        .into_iter()
        .filter_map(|(name, value)| Some((name, Cell::new(value.as_ref()?))));
    facts.extend(known);
    facts.extend(equipment(printer));
    facts.extend(cycle(printer));
    vec![Block::Facts(facts)]
}

/// What happens between two prints, as far as its owner has set it up.
fn cycle(printer: &Printer) -> Vec<(&'static str, Cell)> {
    let Some(cycle) = &printer.cycle else {
        return Vec::new();
    };
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let quiet = cycle.quiet.iter();
    let quiet = quiet.map(|[from, to]| format!("{}-{}", clock(*from), clock(*to)));
    let quiet = quiet.collect::<Vec<_>>().join(", ");
    let clears = match cycle.trusted {
        true => "by a script, which its owner trusts",
        false => "by a script, and somebody looks",
    };
    let belt = cycle.belt_mm.filter(|_| !cycle.clears);
    let belt = belt.map(|mm| format!("by its belt, which advances by {mm} mm"));
    let rows = [
        ("cools to", cycle.cool_c.map(|c| format!("{c} °C"))),
        ("cleared", cycle.clears.then(|| clears.to_owned()).or(belt)),
        (
            "verdict",
            cycle
                .judged
                .then(|| "a person says whether a print is good".to_owned()),
        ),
        ("quiet", Some(quiet).filter(|quiet| !quiet.is_empty())),
    ];
    let known = rows.into_iter();
    known
        .filter_map(|(name, value)| Some((name, Cell::new(value?))))
        .collect()
}

/// What it is and has, as far as anybody has said.
fn equipment(printer: &Printer) -> Vec<(&'static str, Cell)> {
    let has = &printer.equipment;
    let millimetres = |um: u32| format!("{} mm", f64::from(um) / 1000.0);
    let nozzle = has.nozzle_um.map(millimetres);
    let hardened = has.hardened.map(|hardened| match hardened {
        true => "hardened".to_owned(),
        false => "not hardened".to_owned(),
    });
    let tools = has.nozzles.iter();
    let tools = tools.map(|(tool, um)| format!("tool {tool}: {}", millimetres(*um)));
    let nozzle: Vec<String> = nozzle.into_iter().chain(tools).chain(hardened).collect();
    let text = |words: &[String]| Some(words.join(", ")).filter(|text| !text.is_empty());
    let limit = |limit: Option<u32>| limit.map(|c| format!("{c} °C"));
    let slots: Vec<String> = has.slots.iter().map(slot).collect();
    let rows = [
        (
            "position",
            Some(printer.position.to_string()).filter(|_| printer.position > 0),
        ),
        ("profile", has.profile.clone()),
        ("model", has.model.clone()),
        ("compatible", text(&has.compatible)),
        ("nozzle", text(&nozzle)),
        (
            "volume",
            has.volume_mm.map(|[x, y, z]| format!("{x} x {y} x {z} mm")),
        ),
        ("nozzle max", limit(has.nozzle_c_max)),
        ("bed max", limit(has.bed_c_max)),
        ("loaded", text(&slots)),
        ("slices with", text(&has.slicing)),
        ("heats with", has.watts.map(|watts| format!("{watts} W"))),
        ("circuit", has.circuit.clone()),
        ("tags", text(&has.tags)),
        ("accept from", text(&has.accept_from)),
        (
            "printed",
            Some(duration(has.printed_s)).filter(|_| has.printed_s > 0),
        ),
    ];
    let known = rows.into_iter();
    known
        .filter_map(|(name, value)| Some((name, Cell::new(value?))))
        .collect()
}

/// `0=PETG/black:800g`, as `printer load` takes it.
fn slot(slot: &Slot) -> String {
    let material = slot.material.as_deref().unwrap_or("-");
    let color = slot.color.as_ref().map(|color| format!("/{color}"));
    let left = slot.left_mg.map(|mg| format!(":{}g", mg / 1000));
    let spool = slot.spool.map(|spool| format!(" (spool {spool})"));
    format!(
        "{}={material}{}{}{}",
        slot.slot,
        color.unwrap_or_default(),
        left.unwrap_or_default(),
        spool.unwrap_or_default()
    )
}

/// One printer, and why it does or does not take each waiting job.
pub(crate) fn why(why: &PrinterWhy) -> Vec<Block> {
    let mut blocks = one(&why.printer);
    blocks.push(Block::Note(String::new()));
    if why.jobs.is_empty() {
        blocks.push(Block::Note("no job waits".to_owned()));
        return blocks;
    }
    let rows = why.jobs.iter().map(|job| {
        vec![
            Cell::new(&job.queue),
            Cell::new(&job.job),
            Cell::both(&job.text, &job.code),
            Cell::both(job.fix.clone().unwrap_or_else(|| "-".to_owned()), ""),
        ]
    });
    blocks.push(Block::Table(Table {
        label: Some("why"),
        head: vec!["QUEUE", "JOB", "WHY", "WHAT HELPS"],
        rows: rows.collect(),
    }));
    blocks
}

/// `sim-1` when it is ours, `rack2/mk4-1` when it is not; always with its host for programs.
fn name(printer: &Printer) -> Cell {
    let full = format!("{}/{}", printer.host, printer.name);
    match printer.mine {
        true => Cell::both(&printer.name, full),
        false => Cell::new(full),
    }
}

fn bar(progress: f32) -> String {
    const CELLS: usize = 10;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "0 to 10"
    )]
    let full = (progress.clamp(0.0, 1.0) * CELLS as f32) as usize;
    format!(
        "{}{} {:>5}",
        "█".repeat(full),
        "░".repeat(CELLS - full),
        percent(progress)
    )
}
