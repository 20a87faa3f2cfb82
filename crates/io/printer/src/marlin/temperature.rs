//! Temperature reports: ` T:205.1 /210.0 B:60.0 /60.0 T0:… @:127 W:?`.

use crate::{
    driver::{Heat, Temperatures},
    limits::TOOLS_MAX,
};

/// Reads a report; `None` when it holds no heater.
pub(crate) fn parse(text: &str) -> Option<Temperatures> {
    let mut active = None;
    let mut found = Temperatures::default();
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let Some((key, value)) = word.split_once(':') else {
            continue;
        };
        let (actual, target) = match value.split_once('/') {
            Some((actual, target)) => (actual, Some(target)),
            None => (
                value,
                words
                    .next_if(|next| next.starts_with('/'))
                    .map(|next| &next[1..]),
            ),
        };
        let (Some(actual), Some(target)) = (degrees(actual), degrees(target.unwrap_or("0"))) else {
            continue;
        };
        let heat = Heat { actual, target };
        match key {
            "T" => active = Some(heat),
            "B" => found.bed = Some(heat),
            "C" => found.chamber = Some(heat),
            _ => {
                let tool = key
                    .strip_prefix('T')
                    .and_then(|number| number.parse::<usize>().ok());
                // In order and without gaps: anything else is a garbled line.
                if tool.is_some_and(|tool| tool == found.tools.len() && tool < TOOLS_MAX) {
                    found.tools.push(heat);
                }
            }
        }
    }
    if found.tools.is_empty() {
        found.tools.extend(active);
    }
    (!found.tools.is_empty() || found.bed.is_some() || found.chamber.is_some()).then_some(found)
}

fn degrees(text: &str) -> Option<f32> {
    text.parse()
        .ok()
        .filter(|degrees: &f32| (-300.0..=2000.0).contains(degrees))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn heat(actual: f32, target: f32) -> Heat {
        Heat { actual, target }
    }

    #[test]
    fn reports_of_all_kinds_are_read() {
        let one = parse(" T:205.1 /210.0 B:60.0 /60.0 @:127 B@:0 W:?").unwrap();
        assert_eq!(
            (one.tools, one.bed),
            (vec![heat(205.1, 210.0)], Some(heat(60.0, 60.0)))
        );
        let two = parse("T:20.0 /0.0 B:21.0 /0.0 T0:20.0 /0.0 T1:30.0 /40.0 C:25/30 @:0").unwrap();
        assert_eq!(
            (two.tools, two.chamber),
            (
                vec![heat(20.0, 0.0), heat(30.0, 40.0)],
                Some(heat(25.0, 30.0))
            )
        );
        assert_eq!(parse("T:20.5").unwrap().tools, [heat(20.5, 0.0)]);
        for nothing in [
            "",
            "ok",
            "X:1 Y:2",
            "T:2o5 /0",
            "T:NaN",
            "T99999999999:20 /0",
        ] {
            assert_eq!(parse(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn more_tools_than_a_machine_has_are_a_garbled_line() {
        let report: String = (0..2 * TOOLS_MAX).map(|n| format!("T{n}:20 /0 ")).collect();
        assert_eq!(parse(&report).unwrap().tools.len(), TOOLS_MAX);
    }
}
