//! Printers as text.

use printmesh_api::reply::{List, Printer};

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
    ];
    let known = optional
        .into_iter()
        .filter_map(|(name, value)| Some((name, Cell::new(value.as_ref()?))));
    facts.extend(known);
    vec![Block::Facts(facts)]
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
