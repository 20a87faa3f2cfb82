//! Which slicer made a file, and which of our dialects reads it.
//!
//! One file for each dialect: each gets what is stated pair by pair, that of the head before that of the tail, and fills in a
//! [`Draft`].

mod bambu;
mod cura;
mod griffin;
mod kiri;
mod prusa;
mod simplify;

use crate::{
    Metadata, Slicer,
    comment::{comments, key_value},
    draft::Draft,
    thumbnail, value,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// PrusaSlicer, SuperSlicer and Slic3r, their common ancestor.
    Prusa,
    /// BambuStudio and OrcaSlicer.
    Bambu,
    Cura,
    /// Cura for printers of Ultimaker, with a header block.
    Griffin,
    Kiri,
    Simplify,
    Unknown,
}

/// How much of some G-code was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// All of it: layers can be counted.
    Whole,
    /// Its start and its end: the last layer was seen.
    Ends,
    /// No more than its start.
    Head,
}

/// What is stated about a print, as it comes in: first the head of its G-code, then the rest.
pub(crate) struct Statements {
    dialect: Dialect,
    draft: Draft,
    layers: u32,
}

impl Statements {
    /// Finds out who made some G-code, by its start. Nothing else is read yet.
    pub(crate) fn of(head: &[u8]) -> Self {
        let mut statements = Self {
            dialect: Dialect::Unknown,
            draft: Draft::default(),
            layers: 0,
        };
        if let Some((dialect, slicer)) = detect(head) {
            statements.dialect = dialect;
            statements.draft.metadata.slicer = Some(slicer);
        }
        statements
    }

    /// Reads the start of the G-code.
    pub(crate) fn head(&mut self, head: &[u8]) {
        thumbnail::read(head, &mut self.draft.metadata.thumbnails);
        self.text(head);
    }

    /// Reads the end of some G-code, of which the head is not all.
    pub(crate) fn tail(&mut self, tail: &[u8]) {
        // The layers of the head are some of the first; only at the end is one the last.
        self.draft.layer_z_mm = None;
        self.draft.elapsed_s = None;
        self.text(tail);
    }

    /// Takes one thing that is stated elsewhere than in the G-code, in the slicer's own words.
    pub(crate) fn pair(&mut self, key: &str, value: &str) {
        match self.dialect {
            Dialect::Prusa => prusa::read(key, value, &mut self.draft),
            Dialect::Bambu => bambu::read(key, value, &mut self.draft),
            Dialect::Cura => cura::read(key, value, &mut self.draft),
            Dialect::Griffin => griffin::read(key, value, &mut self.draft),
            Dialect::Kiri => kiri::read(key, value, &mut self.draft),
            Dialect::Simplify => simplify::read(key, value, &mut self.draft),
            Dialect::Unknown => {}
        }
    }

    fn text(&mut self, text: &[u8]) {
        for comment in comments(text) {
            match self.dialect {
                Dialect::Kiri => kiri::comment(&comment, &mut self.draft),
                Dialect::Simplify => simplify::comment(&comment, &mut self.draft),
                Dialect::Prusa
                | Dialect::Bambu
                | Dialect::Cura
                | Dialect::Griffin
                | Dialect::Unknown => {}
            }
            if let Some((key, value)) = key_value(&comment) {
                self.pair(key, value);
            }
            if comment == "LAYER_CHANGE" || comment == "CHANGE_LAYER" {
                self.layers = self.layers.saturating_add(1);
            }
        }
    }

    /// Says all that is known.
    pub(crate) fn finish(mut self, seen: Seen) -> Metadata {
        if self.dialect == Dialect::Unknown {
            return Metadata {
                slicer: self.draft.metadata.slicer,
                thumbnails: self.draft.metadata.thumbnails,
                ..Metadata::default()
            };
        }
        if seen != Seen::Head {
            let metadata = &mut self.draft.metadata;
            metadata.max_z_mm = metadata.max_z_mm.or(self.draft.layer_z_mm);
            metadata.time_s = metadata.time_s.or(self.draft.elapsed_s);
        }
        let mut metadata = self.draft.finish();
        if seen == Seen::Whole && self.layers > 0 {
            metadata.layer_count = metadata.layer_count.or(Some(self.layers));
        }
        metadata
    }
}

/// Finds who made the file. A name that we know wins over one that we do not, wherever it stands: post-processors sign files too.
fn detect(head: &[u8]) -> Option<(Dialect, Slicer)> {
    let mut unknown = None;
    let mut is_griffin = false;
    let mut has_header = false;
    for comment in comments(head) {
        is_griffin |= comment == "START_OF_HEADER";
        has_header |= comment == "HEADER_BLOCK_START";
        let Some(signature) = signature(&comment) else {
            continue;
        };
        let (full_name, version) = name_and_version(signature);
        let first = full_name.split(' ').next().unwrap_or_default();
        let (dialect, name) = match first {
            "PrusaSlicer" | "SuperSlicer" | "Slic3r" => (Dialect::Prusa, first),
            "OrcaSlicer" | "BambuStudio" => (Dialect::Bambu, first),
            "Cura_SteamEngine" if is_griffin => (Dialect::Griffin, "Cura"),
            "Cura_SteamEngine" => (Dialect::Cura, "Cura"),
            "Kiri:Moto" => (Dialect::Kiri, first),
            "Simplify3D(R)" => (Dialect::Simplify, "Simplify3D"),
            // Whoever makes such a header has made his slicer from one of the two.
            _ if has_header => (Dialect::Bambu, full_name.as_str()),
            _ => (Dialect::Unknown, full_name.as_str()),
        };
        let Some(name) = value::text(name) else {
            continue;
        };
        let version = version.and_then(value::text);
        let found = (dialect, Slicer { name, version });
        if dialect != Dialect::Unknown {
            return Some(found);
        }
        unknown = unknown.or(Some(found));
    }
    unknown
}

/// Splits `PrusaSlicer 2.5.0 on 2026-01-02 at 10:00:00`, `Simplify3D(R) Version 4.1.2`, `Kiri:Moto (SimplyPrint) 4.0`.
fn name_and_version(signature: &str) -> (String, Option<&str>) {
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let words = || {
        signature
            .split_ascii_whitespace()
            .take_while(|word| *word != "on")
    };
    let name = words().take_while(|word| !is_version(word) && *word != "Version");
    (name.collect::<Vec<_>>().join(" "), words().find(is_version))
}

/// The part of a comment where a slicer names itself.
fn signature(comment: &str) -> Option<&str> {
    const PHRASES: [&str; 5] = [
        "generated by ",
        "Generated by ",
        "Generated with ",
        "G-Code generated by ",
        "GENERATOR.NAME:",
    ];
    // BambuStudio signs with its name and version alone.
    PHRASES
        .into_iter()
        .find_map(|phrase| comment.strip_prefix(phrase))
        .or_else(|| comment.starts_with("BambuStudio ").then_some(comment))
}
