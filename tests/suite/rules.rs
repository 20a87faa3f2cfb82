//! The rules of scheduling, each under its id: a test somewhere in the workspace bears it, or `crates/core/schedule/SETTINGS.md` says that it
//! is not built, and why. Here: that none of them can vanish.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::named::tests_named;

/// The rules, in few words.
const RULES: [(&str, &str); 86] = [
    ("A1", "autoprint has a switch per printer, and one for all"),
    ("A2", "finished, cleared, looked at, matched, started"),
    (
        "A3",
        "a bad print goes back to the queue; nobody is timed out",
    ),
    ("A4", "so many copies by itself, then a person"),
    ("A5", "clearing by hand takes a person's time"),
    ("A6", "a bed is cleared when it is cool enough"),
    ("A7", "a belt advances"),
    ("A8", "idle after a power cut is not clear"),
    ("B1", "the backburner comes last, or never by itself"),
    ("B2", "a person starts what is parked"),
    ("B3", "off unless somebody says so"),
    ("B4", "what is parked blocks nobody"),
    ("C1", "nothing matches: nothing happens, with reasons"),
    ("C2", "two presses start nothing twice"),
    ("C3", "a bed that is not clear is in no plan"),
    ("C4", "what would start is shown first"),
    ("D1", "distribution makes nothing eligible"),
    ("D2", "by position"),
    ("D3", "by chance, the same on every host"),
    ("D4", "least recently used"),
    ("D5", "by hours, by what fits best"),
    ("D6", "preferences are weighed over all printers"),
    ("E1", "one engine for the click and the loop"),
    ("E2", "a printer out of order is dealt nothing"),
    ("E3", "one snapshot, one plan"),
    ("G1", "groups are drained in order"),
    ("G2", "or interleave by position"),
    ("G3", "an item is in one group"),
    ("G4", "no item vanishes with its group"),
    ("G5", "round-robin goes round within a group"),
    ("I1", "sequential: all copies of the first"),
    ("I2", "the rest flows on in the same pass"),
    ("I3", "what nothing can run is passed over"),
    ("I4", "round-robin: one copy of each"),
    ("I5", "without a cursor"),
    ("I6", "who comes late begins where the others are"),
    ("I7", "a failed copy counts no more"),
    ("I8", "one copy each: both alike"),
    ("I9", "thousands of copies"),
    ("L1", "a claim is decided between all that want it"),
    (
        "L2",
        "cancel or start, never both; an edit until it has begun",
    ),
    ("L3", "a lease ends, an older claim never starts"),
    ("L4", "a start is waited for until the machine says so"),
    ("L5", "what counts as started"),
    ("L6", "tries are bounded"),
    ("L7", "asked once more at the last moment"),
    ("L8", "transfers side by side, the next one early"),
    ("L9", "one failure poisons nobody for ever"),
    ("L10", "reasons are kept, and told when somebody must act"),
    ("L11", "what ended is compared with what was begun"),
    ("L12", "the wrong material is a sentence, not a crash"),
    ("M1", "all tags"),
    ("M2", "what is not said asks for nothing"),
    ("M3", "named printers are a union"),
    ("M4", "materials and their families"),
    ("M5", "colours: any, prefer, require"),
    ("M6", "enough of it, less what is reserved"),
    ("M7", "the nozzle"),
    ("M8", "never for another model"),
    ("M9", "no tool without a slot"),
    ("M10", "it fits"),
    ("M11", "the file is there"),
    ("M12", "alternatives"),
    ("N1", "off: skips"),
    ("N2", "on: waits for the first"),
    ("N3", "not for what has no copy left"),
    ("N4", "not for what it can never print"),
    ("N5", "not for what is held, early or a draft"),
    ("N6", "on: nothing is sorted"),
    ("N7", "who waits says for what"),
    ("P1", "so many heat at once"),
    ("P2", "cut apart: never more"),
    ("P3", "so many watts"),
    ("S1", "a limit of sorting, not of the search"),
    ("S2", "a number, a share, the smaller of both"),
    ("S3", "rounded up, of what is pending"),
    ("S4", "a view"),
    ("S5", "by what"),
    ("S6", "overtaken once"),
    ("S7", "backfill"),
    ("T1", "single acts"),
    ("T2", "what each unlocks"),
    ("T3", "the best first"),
    ("T4", "and what it costs"),
    ("T5", "or the best pair"),
    ("T6", "exactly that many"),
];

/// `r_n4_…` is a case of R-N4.
fn id(name: &str) -> Option<String> {
    let (id, _) = name.strip_prefix("r_")?.split_once('_')?;
    let (family, number) = id.split_at_checked(1)?;
    let is_id =
        family.bytes().all(|byte| byte.is_ascii_lowercase()) && number.parse::<u8>().is_ok();
    is_id.then(|| id.to_uppercase())
}

/// What SETTINGS.md says of rules that are not built: whether a part of it is.
fn not_built() -> BTreeMap<String, bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("crates/core/schedule/SETTINGS.md")).unwrap();
    let (_, table) = text
        .split_once("## Rules that are not built")
        .expect("the chapter");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| R-"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (id, part) = match cells[0].strip_suffix(", in part") {
            Some(id) => (id, true),
            None => (cells[0], false),
        };
        assert!(
            cells.len() == 4 && cells[1].len() > 10 && cells[2].len() > 10,
            "{row}"
        );
        (id.to_owned(), part)
    })
    .collect()
}

#[test]
fn each_rule_has_a_case_that_bears_its_id_or_is_said_not_to_be_built() {
    let (cases, missing) = (tests_named(id), not_built());
    let rules: BTreeSet<&str> = RULES.iter().map(|(id, _)| *id).collect();
    assert_eq!(rules.len(), RULES.len());
    for (id, what) in RULES {
        match (cases.contains_key(id), missing.get(id)) {
            (true, None | Some(true)) | (false, Some(false)) => {}
            (true, Some(false)) => panic!("R-{id} has a case and is said not to be built: {what}"),
            (false, Some(true)) => {
                panic!("of R-{id} a part is said to be built, without a case: {what}")
            }
            (false, None) => {
                panic!("no case for R-{id}, and nobody says that it is not built: {what}")
            }
        }
    }
    let unknown: Vec<&String> = cases
        .keys()
        .chain(missing.keys())
        .filter(|id| !rules.contains(id.as_str()))
        .collect();
    assert!(unknown.is_empty(), "no such rule: {unknown:?}");
}
