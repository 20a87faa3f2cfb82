//! A [`Metadata`] in the making: what is said about several tools in several lists becomes one answer when all is read.
//!
//! It does not know any slicer's keys.

use std::collections::BTreeMap;

use crate::{Extent, Metadata, Tool, limits::MATERIAL_CHARS_MAX, value, value::Range};

/// Collects values while comments are read. Lists are kept as lists: which tools a print uses may be stated after what is in them.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) metadata: Metadata,
    pub(crate) used_mm: Vec<Option<f64>>,
    pub(crate) used_g: Vec<Option<f64>>,
    /// In what order the two lists above are, when not one for each tool.
    pub(crate) order: Order,
    pub(crate) materials: Vec<Option<String>>,
    pub(crate) colours: Vec<Option<String>>,
    /// What a person chose for the tool instead of the filament's own colour.
    pub(crate) colours_chosen: Vec<Option<String>>,
    pub(crate) profiles: Vec<Option<String>>,
    pub(crate) nozzles_mm: Vec<Option<f64>>,
    pub(crate) abrasive: Vec<bool>,
    pub(crate) nozzle_first_c: Vec<Option<u32>>,
    pub(crate) nozzle_c: Vec<Option<u32>>,
    pub(crate) bed_first_c: Vec<Option<u32>>,
    pub(crate) bed_c: Vec<Option<u32>>,
    /// What is heated, where temperatures are listed for these.
    pub(crate) heaters: Vec<String>,
    /// The plate on the bed, where temperatures are stated for each.
    pub(crate) plate: Option<String>,
    /// Temperatures of the first layer by plate and tool.
    pub(crate) plate_first_c: BTreeMap<&'static str, Vec<Option<u32>>>,
    /// Temperatures of the layers above by plate and tool.
    pub(crate) plate_c: BTreeMap<&'static str, Vec<Option<u32>>>,
    /// The height of a print, which slicers state apart from the bed's outline.
    pub(crate) height_mm: Option<f64>,
    /// Height of the highest layer whose beginning was seen.
    pub(crate) layer_z_mm: Option<f64>,
    /// Time after the last layer whose end was seen, in seconds.
    pub(crate) elapsed_s: Option<u64>,
    /// Where objects stand, along x and y.
    pub(crate) objects: Option<[Range; 2]>,
    /// The least corner of what is printed, as far as it is stated.
    pub(crate) min_mm: [Option<f64>; 3],
    /// The greatest corner of what is printed, as far as it is stated.
    pub(crate) max_mm: [Option<f64>; 3],
}

/// In what order a slicer lists what tools use up.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    /// One for each tool, or nobody knows.
    #[default]
    Unknown,
    /// By tool; unused ones at the end are left out.
    Leading,
    /// Only tools in use: these, from 0.
    Tools(Vec<usize>),
}

/// No print is smaller along any axis; Cura's engine puts 0.01 mm where it does not know.
const LEAST_MM: f64 = 0.02;

impl Draft {
    /// Takes the filament used by each tool, in millimetres.
    pub(crate) fn used_mm(&mut self, value: &str) {
        self.used_mm = value::list(value).map(value::positive).collect();
        self.metadata.filament_mm = value::sum(value);
    }

    /// Takes the filament used by each tool, in grams.
    pub(crate) fn used_g(&mut self, value: &str) {
        self.used_g = value::list(value).map(value::positive).collect();
        self.metadata.filament_g = value::sum(value);
    }

    /// Takes a name for each tool.
    pub(crate) fn names<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Option<String>> {
        values.map(value::text).collect()
    }

    /// Answers for the whole print.
    pub(crate) fn finish(mut self) -> Metadata {
        // Printers with several nozzles list these, and what depends on them, by nozzle: which filament is for which is not said.
        let of_filaments = self.materials.len();
        by_filament(&mut self.nozzles_mm, of_filaments);
        by_filament(&mut self.nozzle_first_c, of_filaments);
        by_filament(&mut self.nozzle_c, of_filaments);
        let mut tools = self.tools();
        if let [only] = &mut tools[..] {
            only.used_mm = only.used_mm.or(self.metadata.filament_mm);
            only.used_g = only.used_g.or(self.metadata.filament_g);
        }
        if let Some(plate) = self.plate.as_deref() {
            let of_plate = |temperatures: &BTreeMap<_, Vec<_>>| temperatures.get(plate).cloned();
            self.bed_first_c = of_plate(&self.plate_first_c).unwrap_or_default();
            self.bed_c = of_plate(&self.plate_c).unwrap_or_default();
        }
        let hottest = |list: &[Option<u32>]| {
            let each = tools.iter().map(|tool| of_tool(list, tool.number as usize));
            match tools.is_empty() {
                true => of_tool(list, 0),
                false => each.flatten().max(),
            }
        };
        let (bed_first_c, bed_c) = (hottest(&self.bed_first_c), hottest(&self.bed_c));
        let extent = self.extent();

        let metadata = &mut self.metadata;
        metadata.tools = tools;
        metadata.bed_first_c = bed_first_c;
        metadata.bed_c = bed_c;
        metadata.extent = extent;
        metadata.max_z_mm = metadata.max_z_mm.or(extent.map(|extent| extent.max_mm[2]));
        if let Some(bed) = &mut metadata.bed {
            bed.height_mm = self.height_mm;
        }
        self.metadata
    }

    /// The tools in use. When the lists do not fit one another nothing is known, and all count.
    fn tools(&self) -> Vec<Tool> {
        let named = [
            self.materials.len(),
            self.colours.len(),
            self.profiles.len(),
            self.nozzles_mm.len(),
            self.nozzle_c.len(),
        ];
        let named = named.into_iter().max().unwrap_or_default();
        let used_mm = self.by_tool(&self.used_mm, named);
        let used_g = self.by_tool(&self.used_g, named);
        let is_used = |number: usize| match (used_mm.is_empty(), used_g.is_empty()) {
            (true, true) => true,
            (false, _) => of_list(&used_mm, number).is_some(),
            (true, false) => of_list(&used_g, number).is_some(),
        };
        (0..named.max(used_mm.len()).max(used_g.len()))
            .filter(|&number| is_used(number))
            .map(|number| Tool {
                number: u32::try_from(number).expect("lists are short"),
                material: of_tool(&self.materials, number).map(material),
                colour: of_list(&self.colours_chosen, number)
                    .or_else(|| of_tool(&self.colours, number)),
                profile: of_tool(&self.profiles, number),
                used_mm: of_list(&used_mm, number),
                used_g: of_list(&used_g, number),
                nozzle_mm: of_tool(&self.nozzles_mm, number),
                nozzle_first_c: of_tool(&self.nozzle_first_c, number),
                nozzle_c: of_tool(&self.nozzle_c, number),
                abrasive: self.abrasive.get(number).copied().unwrap_or_default(),
            })
            .collect()
    }

    /// What each tool uses up, by its number; empty when nobody knows which tool a number is about.
    fn by_tool(&self, list: &[Option<f64>], named: usize) -> Vec<Option<f64>> {
        if list.iter().all(Option::is_none) {
            return Vec::new();
        }
        let fits = list.len() == named || named <= 1;
        match &self.order {
            Order::Tools(tools) if tools.len() == list.len() => {
                let last = tools.iter().max().copied().unwrap_or_default();
                let mut by_tool = vec![None; last + 1];
                for (&tool, &used) in tools.iter().zip(list) {
                    by_tool[tool] = used;
                }
                by_tool
            }
            Order::Leading if list.len() <= named || fits => list.to_vec(),
            Order::Unknown | Order::Tools(_) if fits => list.to_vec(),
            Order::Unknown | Order::Leading | Order::Tools(_) => Vec::new(),
        }
    }

    /// The box around what is printed, when it is known along every axis.
    fn extent(&self) -> Option<Extent> {
        let [x, y] = match self.objects {
            Some([x, y]) => [Some(x), Some(y)],
            None => [None, None],
        };
        let least = |axis: usize, objects: Option<Range>| {
            self.min_mm[axis].or(objects.map(|range| range.least))
        };
        let most = |axis: usize, objects: Option<Range>| {
            self.max_mm[axis].or(objects.map(|range| range.most))
        };
        // A print begins on the bed, also when nobody says so.
        let min_mm = [least(0, x)?, least(1, y)?, self.min_mm[2].unwrap_or(0.0)];
        let max_mm = [
            most(0, x)?,
            most(1, y)?,
            self.max_mm[2].or(self.metadata.max_z_mm)?,
        ];
        let is_box = (0..3).all(|axis| max_mm[axis] - min_mm[axis] > LEAST_MM);
        is_box.then_some(Extent { min_mm, max_mm })
    }
}

/// Keeps a list that is by filament. Of another one, all that is the same everywhere.
fn by_filament<T: Copy + PartialEq>(list: &mut Vec<Option<T>>, filaments: usize) {
    if filaments == 0 || list.len() == filaments {
        return;
    }
    let is_same = list.windows(2).all(|pair| pair[0] == pair[1]);
    list.truncate(usize::from(is_same));
}

fn material(name: String) -> String {
    name.chars().take(MATERIAL_CHARS_MAX).collect()
}

/// The value for one tool; a list of one is for all of them.
fn of_tool<T: Clone>(list: &[Option<T>], number: usize) -> Option<T> {
    match list {
        [all] => all.clone(),
        list => of_list(list, number),
    }
}

fn of_list<T: Clone>(list: &[Option<T>], number: usize) -> Option<T> {
    list.get(number).cloned().flatten()
}
