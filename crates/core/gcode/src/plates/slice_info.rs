//! `slice_info.config`: what the slicer says about each plate when it has sliced it.
//!
//! What cannot be read is as if it were not there: the plate's own G-code says most of it too.

use roxmltree::{Document, Node, ParsingOptions};

use super::Pairs;
use crate::limits::{LIST_LEN_MAX, XML_NODES_MAX};

/// What is said about one plate, in the words that the slicer's G-code has for it.
pub(super) fn read(xml: &[u8], number: u32) -> Pairs {
    let text = String::from_utf8_lossy(xml);
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: XML_NODES_MAX,
        ..ParsingOptions::default()
    };
    let Ok(document) = Document::parse_with_options(&text, options) else {
        return Vec::new();
    };
    let root = document.root_element();
    let plates = || root.children().filter(|node| node.has_tag_name("plate"));
    let wanted = number.to_string();
    let plate = plates().find(|plate| metadata(*plate, "index") == Some(&wanted));

    let mut said = Pairs::new();
    if let Some(plate) = plate {
        if let Some(seconds) = metadata(plate, "prediction") {
            said.push(("total estimated time".to_owned(), format!("{seconds}s")));
        }
        for (name, key) in [
            ("printer_model_id", "printer_model_id"),
            ("nozzle_diameters", "nozzle_diameter"),
        ] {
            // One nozzle is for all filaments; of several nobody says which is for which.
            let value = metadata(plate, name).filter(|value| !value.contains(','));
            said.extend(value.map(|value| (key.to_owned(), value.to_owned())));
        }
    }
    // Before version 1.7 or so there was one list for the whole file: right when it has one plate.
    let of_root = (plates().count() <= 1).then_some(root);
    for owner in [plate, of_root].into_iter().flatten() {
        let filaments = filaments(owner);
        if !filaments.is_empty() {
            said.extend(pairs(&filaments));
            break;
        }
    }
    said
}

fn metadata<'a>(plate: Node<'a, '_>, key: &str) -> Option<&'a str> {
    let mut all = plate
        .children()
        .filter(|node| node.has_tag_name("metadata"));
    let found = all.find(|node| node.attribute("key") == Some(key))?;
    found.attribute("value").filter(|value| !value.is_empty())
}

/// A filament that a plate uses.
struct Filament<'a> {
    /// From 1.
    number: usize,
    material: &'a str,
    colour: &'a str,
    used_m: f64,
    used_g: f64,
}

fn filaments<'a>(owner: Node<'a, '_>) -> Vec<Filament<'a>> {
    let read = |node: Node<'a, '_>| {
        let number = |name| node.attribute(name)?.trim().parse::<f64>().ok();
        let filament = Filament {
            number: node.attribute("id")?.trim().parse().ok()?,
            material: node.attribute("type").unwrap_or_default(),
            colour: node.attribute("color").unwrap_or_default(),
            used_m: number("used_m").filter(|m| *m >= 0.0).unwrap_or_default(),
            used_g: number("used_g").filter(|g| *g >= 0.0).unwrap_or_default(),
        };
        let is_used = filament.used_g > 0.0 || filament.used_m > 0.0;
        (is_used && (1..=LIST_LEN_MAX).contains(&filament.number)).then_some(filament)
    };
    let all = owner
        .children()
        .filter(|node| node.has_tag_name("filament"));
    let mut found: Vec<_> = all.filter_map(read).collect();
    found.sort_by_key(|filament| filament.number);
    found.dedup_by_key(|filament| filament.number);
    found
}

fn pairs(filaments: &[Filament<'_>]) -> Pairs {
    let list = |of: &dyn Fn(&Filament<'_>) -> String| {
        let texts: Vec<String> = filaments.iter().map(of).collect();
        texts.join(",")
    };
    // Materials and colours are by slot, the empty ones too.
    let by_slot = |of: &dyn Fn(&Filament<'_>) -> String| {
        let last = filaments.last().map_or(0, |filament| filament.number);
        let mut slots = vec![String::new(); last];
        for filament in filaments {
            // No value may end the list, the quotes, or the comment that it will stand in.
            slots[filament.number - 1] = of(filament).replace([';', '"', '\n', '\r'], " ");
        }
        slots.join(";")
    };
    [
        ("filament", list(&|it| it.number.to_string())),
        (
            "total filament length [mm]",
            list(&|it| (it.used_m * 1000.0).to_string()),
        ),
        (
            "total filament weight [g]",
            list(&|it| it.used_g.to_string()),
        ),
        ("filament_type", by_slot(&|it| it.material.to_owned())),
        ("filament_colour", by_slot(&|it| it.colour.to_owned())),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_too_many_parts_is_not_read() {
        let plate = r#"<plate><metadata key="index" value="1"/><filament id="1" type="PLA" used_g="1"/></plate>"#;
        let said = |parts: u32| {
            let rest = "<a/>".repeat(parts as usize);
            read(format!("<config>{plate}{rest}</config>").as_bytes(), 1)
        };
        assert!(!said(100).is_empty());
        assert!(said(XML_NODES_MAX).is_empty());
    }
}
