//! `printer edit`, `printer load`, `printer unload`, `printer nozzle`: what a printer is and has.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use printmesh_api::{
    problem::Problem,
    request::{PrinterChange, Request, SlotChange},
};

use super::show;
use crate::{
    context::Context,
    error::{system, usage},
};

/// Say what a printer is: its place, model, size and limits
///
/// Files that name a model are printed by printers of that model only. An empty text or list takes back what was said.
///
/// Examples:
///   printmesh printer edit mk4 --model MK4S --volume 250x210x220
///   printmesh printer edit mk4 --position 1
///   printmesh printer edit mk4 --tag enclosure --tag fast
///   printmesh printer edit mk4 --accept-from workshop --accept-from garage
///   printmesh printer edit mk4 --allow bracket
///   printmesh printer edit mk4 --cool-to 30 --clear-gcode eject.gcode --clear-trusted
///   printmesh printer edit cr30 --belt 200
///   printmesh printer edit mk4 --verdict ask --quiet-hours 22:00-07:00
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, group = clap::ArgGroup::new("said").required(true).multiple(true))]
pub(super) struct Edit {
    /// Printer of this host
    printer: String,
    /// Place in the order of printers, from 1; hosts share one order
    #[arg(long, group = "said", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    position: Option<u32>,
    /// Name of its profile
    #[arg(long, group = "said")]
    profile: Option<String>,
    /// Its model, as slicers write it
    #[arg(long, group = "said")]
    model: Option<String>,
    /// Another model whose files it may print; may be repeated
    #[arg(long, group = "said", value_name = "MODEL")]
    compatible: Vec<String>,
    /// What it can reach, in millimetres: 250x210x220
    #[arg(long, group = "said", value_name = "XxYxZ", value_parser = volume)]
    volume: Option<[u32; 3]>,
    /// Hottest that its nozzle may become, in °C
    #[arg(long, group = "said", value_name = "C")]
    nozzle_max: Option<u32>,
    /// Hottest that its bed may become, in °C
    #[arg(long, group = "said", value_name = "C")]
    bed_max: Option<u32>,
    /// A word for jobs to ask for; may be repeated
    #[arg(long, group = "said")]
    tag: Vec<String>,
    /// A member whose jobs it takes, and nobody else's; may be repeated
    #[arg(long, group = "said", value_name = "MEMBER")]
    accept_from: Vec<String>,
    /// °C that the bed cools down to before it is cleared; 0 = it does not matter
    #[arg(long, group = "said", value_name = "C")]
    cool_to: Option<u32>,
    /// A file of commands that clear the bed after a good print; an empty name takes it back
    #[arg(long, group = "said", value_name = "FILE")]
    clear_gcode: Option<PathBuf>,
    /// The bed is clear once that script has come to its end, on your word; without it somebody looks
    #[arg(long, group = "said", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    clear_trusted: Option<bool>,
    /// Its bed is a belt: so many millimetres of it carry a print off, and nobody clears it; 0 = it is none
    #[arg(long, group = "said", value_name = "MM")]
    belt: Option<u32>,
    /// ask = a print counts once somebody has said that it is good; assume = it counts when it ends
    #[arg(long, group = "said", value_name = "WORD")]
    verdict: Option<Verdict>,
    /// Hours in which nothing starts, like 22:00-07:00; may be repeated; a running print goes on
    #[arg(long, group = "said", value_name = "FROM-TO")]
    quiet_hours: Vec<String>,
    /// Watts that it draws while it heats up: for queues with a budget (`queue set --heat-watts`)
    #[arg(long, group = "said", value_name = "W")]
    watts: Option<u32>,
    /// The circuit that it is on, where not all printers of a queue are on one
    #[arg(long, group = "said", value_name = "NAME")]
    circuit: Option<String>,
    /// Let it print the files of this job although the guard refuses them; only its own host can
    #[arg(long, group = "said", value_name = "JOB")]
    allow: Option<String>,
}

/// Say what is loaded
///
/// Tool n of a file prints from slot n. The amount is what is on the spool now; prints that come out well are deducted.
///
/// Examples:
///   printmesh printer load mk4 0=PETG/black:800g
///   printmesh printer load xl 0=PLA/white 1=PVA:450g
///   printmesh printer load mk4 0=spool:12     as the Spoolman that config.toml names says
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Load {
    /// Printer of this host
    printer: String,
    /// What is in a slot
    #[arg(required = true, value_name = "SLOT=MATERIAL[/COLOUR][:GRAMSg]|SLOT=spool:N", value_parser = slot)]
    slot: Vec<SlotChange>,
}

/// Say that slots are empty
#[derive(Args, Debug)]
pub(super) struct Unload {
    /// Printer of this host
    printer: String,
    /// Slots, from 0
    #[arg(default_values_t = [0])]
    slot: Vec<u32>,
}

/// Say which nozzle is in
///
/// Examples:
///   printmesh printer nozzle mk4 0.6
///   printmesh printer nozzle xl 0.6 --tool 1
///   printmesh printer nozzle mk4 --hardened
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, group = clap::ArgGroup::new("said").required(true).multiple(true))]
pub(super) struct Nozzle {
    /// Printer of this host
    printer: String,
    /// Diameter in millimetres
    #[arg(group = "said", value_parser = micrometres)]
    mm: Option<u32>,
    /// Only of this tool, from 0; without it of all
    #[arg(long, value_name = "N", requires = "mm")]
    tool: Option<u32>,
    /// It stands abrasive material, or does not
    #[arg(long, group = "said", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    hardened: Option<bool>,
}

/// Whether prints wait for a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Verdict {
    Ask,
    Assume,
}

/// A list as it is said: one empty text takes everything back.
fn list(words: Vec<String>) -> Option<Vec<String>> {
    let said = !words.is_empty();
    said.then(|| words.into_iter().filter(|word| !word.is_empty()).collect())
}

pub(super) async fn edit(cx: &Context, args: Edit) -> Result<u8, Problem> {
    let script = args
        .clear_gcode
        .map(|path| match path.as_os_str().is_empty() {
            true => Ok(String::new()),
            false => std::fs::read_to_string(&path)
                .map_err(|error| system(&format!("read {}", path.display()), &error)),
        });
    let quiet = list(args.quiet_hours).map(|parts| {
        let parts = parts.iter().map(|part| quiet_hours(part));
        parts.collect::<Result<Vec<_>, _>>()
    });
    let quiet = quiet.transpose().map_err(usage)?;
    let change = PrinterChange {
        position: args.position,
        profile: args.profile,
        model: args.model,
        compatible: list(args.compatible),
        volume_mm: args.volume,
        nozzle_c_max: args.nozzle_max,
        bed_c_max: args.bed_max,
        tags: list(args.tag),
        allow: args.allow,
        accept_from: list(args.accept_from),
        watts: args.watts,
        circuit: args.circuit,
        cool_c: args.cool_to,
        clear_script: script.transpose()?,
        clear_trusted: args.clear_trusted,
        belt_mm: args.belt,
        judged: args.verdict.map(|verdict| verdict == Verdict::Ask),
        quiet,
        ..PrinterChange::default()
    };
    let printer = args.printer;
    show(cx, Request::PrinterEdit { printer, change }).await
}

pub(super) async fn load(cx: &Context, args: Load) -> Result<u8, Problem> {
    let change = PrinterChange {
        slots: args.slot,
        ..PrinterChange::default()
    };
    let printer = args.printer;
    show(cx, Request::PrinterEdit { printer, change }).await
}

pub(super) async fn unload(cx: &Context, args: Unload) -> Result<u8, Problem> {
    let empty = |slot| SlotChange {
        slot,
        ..SlotChange::default()
    };
    let change = PrinterChange {
        slots: args.slot.into_iter().map(empty).collect(),
        ..PrinterChange::default()
    };
    let printer = args.printer;
    show(cx, Request::PrinterEdit { printer, change }).await
}

pub(super) async fn nozzle(cx: &Context, args: Nozzle) -> Result<u8, Problem> {
    let change = PrinterChange {
        nozzle_um: args.mm,
        nozzle_tool: args.tool,
        hardened: args.hardened,
        ..PrinterChange::default()
    };
    let printer = args.printer;
    show(cx, Request::PrinterEdit { printer, change }).await
}

/// Reads `22:00-07:00`.
fn quiet_hours(text: &str) -> Result<[u16; 2], String> {
    let bad = || format!("`{text}` is no part of a day, like 22:00-07:00");
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let (from, to) = text.split_once('-').ok_or_else(bad)?;
    let part = [minute(from).ok_or_else(bad)?, minute(to).ok_or_else(bad)?];
    (part[0] != part[1]).then_some(part).ok_or_else(bad)
}

/// Reads `250x210x220`.
fn volume(text: &str) -> Result<[u32; 3], String> {
    let sides: Vec<u32> = text
        .split('x')
        .map(|side| side.trim().parse().map_err(|_| side.to_owned()))
        .collect::<Result<_, _>>()
        .map_err(|side| format!("`{side}` is no whole number of millimetres"))?;
    <[u32; 3]>::try_from(sides).map_err(|_| "three sides: 250x210x220".to_owned())
}

/// Reads `0.4`, `0.25`: millimetres with at most three digits after the point.
fn micrometres(text: &str) -> Result<u32, String> {
    let bad = || format!("`{text}` is no diameter in millimetres, like 0.4");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 3 || !digits(whole) || !digits(part) {
        return Err(bad());
    }
    let whole: u32 = whole.parse().map_err(|_| bad())?;
    let part: u32 = format!("{part:0<3}").parse().map_err(|_| bad())?;
    whole.checked_mul(1000).map(|um| um + part).ok_or_else(bad)
}

/// Reads `0=PETG/black:800g`.
fn slot(text: &str) -> Result<SlotChange, String> {
    let (number, what) = text
        .split_once('=')
        .ok_or("SLOT=MATERIAL, like 0=PETG/black:800g")?;
    let slot = number
        .parse()
        .map_err(|_| format!("`{number}` is no slot: they are counted from 0"))?;
    if let Some(spool) = what.strip_prefix("spool:") {
        let spool = spool
            .parse()
            .map_err(|_| format!("`{spool}` is no number of a spool"))?;
        return Ok(SlotChange {
            slot,
            spool: Some(spool),
            ..SlotChange::default()
        });
    }
    let (what, left_mg) = match what.rsplit_once(':') {
        Some((what, grams)) => (what, Some(milligrams(grams)?)),
        None => (what, None),
    };
    let (material, color) = match what.split_once('/') {
        Some((material, color)) => (material, Some(color.trim().to_owned())),
        None => (what, None),
    };
    let material = material.trim();
    if material.is_empty() {
        return Err("a material, like PETG; `printer unload` says that a slot is empty".to_owned());
    }
    Ok(SlotChange {
        slot,
        material: Some(material.to_owned()),
        color: color.filter(|color| !color.is_empty()),
        left_mg,
        spool: None,
    })
}

/// Reads `800g`, `1kg`, `800`.
fn milligrams(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.strip_suffix("kg") {
        Some(number) => (number, 1_000_000),
        None => (text.strip_suffix('g').unwrap_or(text), 1000),
    };
    let number: u64 = number
        .trim()
        .parse()
        .map_err(|_| format!("`{text}` is no amount, like 800g"))?;
    number
        .checked_mul(factor)
        .ok_or_else(|| format!("{text} is too much"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_is_read_as_it_is_written() {
        let loaded = |material: &str, color: Option<&str>, left_mg| SlotChange {
            slot: 2,
            material: Some(material.to_owned()),
            color: color.map(str::to_owned),
            left_mg,
            spool: None,
        };
        let spool = SlotChange {
            slot: 1,
            spool: Some(12),
            ..SlotChange::default()
        };
        assert_eq!(slot("1=spool:12"), Ok(spool));
        assert!(slot("1=spool:x").is_err());
        for (text, expected) in [
            ("2=PETG", loaded("PETG", None, None)),
            ("2=PETG/black", loaded("PETG", Some("black"), None)),
            (
                "2=PETG/black:800g",
                loaded("PETG", Some("black"), Some(800_000)),
            ),
            ("2=PA-CF:1kg", loaded("PA-CF", None, Some(1_000_000))),
            (
                "2=PLA/#ff8800:20",
                loaded("PLA", Some("#ff8800"), Some(20_000)),
            ),
        ] {
            assert_eq!(slot(text), Ok(expected), "{text}");
        }
        for bad in [
            "PETG",
            "x=PETG",
            "0=",
            "0=/black",
            "0=PETG:some",
            "0=PETG:-1g",
        ] {
            assert!(slot(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn quiet_hours_are_minutes_of_the_day() {
        assert_eq!(quiet_hours("22:00-07:30"), Ok([1320, 450]));
        assert_eq!(quiet_hours("00:00-23:59"), Ok([0, 1439]));
        for bad in [
            "",
            "22",
            "22:00",
            "22:00-24:00",
            "7:60-8:00",
            "7:00-7:00",
            "x-y",
        ] {
            assert!(quiet_hours(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn diameters_and_volumes_are_exact() {
        for (text, um) in [("0.4", 400), ("0.25", 250), ("1", 1000), ("0.125", 125)] {
            assert_eq!(micrometres(text), Ok(um), "{text}");
        }
        for bad in ["", ".4", "0,4", "0.1234", "-1", "0.4mm", "9999999999"] {
            assert!(micrometres(bad).is_err(), "{bad}");
        }
        assert_eq!(volume("250x210x220"), Ok([250, 210, 220]));
        for bad in ["250x210", "250x210x220x1", "axbxc", "-1x1x1"] {
            assert!(volume(bad).is_err(), "{bad}");
        }
    }
}
