//! A [`Metadata`] in the making: what several extruders say becomes one answer when all is read.
//!
//! It does not know any slicer's keys.

use crate::{Metadata, value};

/// Collects values while comments are read. Lists are kept as lists: which extruders a print uses may be stated after what is in them.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) metadata: Metadata,
    pub(crate) used_mm: Vec<Option<f64>>,
    pub(crate) materials: Vec<String>,
    pub(crate) nozzles_mm: Vec<Option<f64>>,
    /// The height of a print, which slicers state apart from the bed's outline.
    pub(crate) height_mm: Option<f64>,
}

impl Draft {
    /// Takes the filament used by each extruder, in millimetres.
    pub(crate) fn used_mm(&mut self, value: &str) {
        self.used_mm = value::list(value).map(value::positive).collect();
        self.metadata.filament_mm = value::sum(value);
    }

    /// Takes the material in each extruder.
    pub(crate) fn materials(&mut self, value: &str) {
        self.materials = value::list(value)
            .map(|name| value::text(name).unwrap_or_default())
            .collect();
    }

    /// Takes the nozzle of each extruder, in millimetres.
    pub(crate) fn nozzles_mm(&mut self, value: &str) {
        self.nozzles_mm = value::list(value).map(value::positive).collect();
    }

    /// Answers for the whole print.
    pub(crate) fn finish(mut self) -> Metadata {
        let mut materials: Vec<&str> = Vec::new();
        for (index, name) in self.materials.iter().enumerate() {
            if !name.is_empty()
                && self.is_used(index, self.materials.len())
                && !materials.contains(&name.as_str())
            {
                materials.push(name);
            }
        }
        let nozzle_mm = (0..self.nozzles_mm.len())
            .find(|&index| self.is_used(index, self.nozzles_mm.len()))
            .and_then(|index| self.nozzles_mm[index]);

        if !materials.is_empty() {
            self.metadata.material = Some(materials.join(";"));
        }
        self.metadata.nozzle_mm = nozzle_mm.or(self.metadata.nozzle_mm);
        if let Some(bed) = &mut self.metadata.bed {
            bed.height_mm = self.height_mm;
        }
        self.metadata
    }

    /// Whether the print uses an extruder. When the lists do not fit one another nothing is known, and all count.
    fn is_used(&self, index: usize, of: usize) -> bool {
        self.used_mm.len() != of
            || self.used_mm.iter().all(Option::is_none)
            || self.used_mm[index].is_some()
    }
}
