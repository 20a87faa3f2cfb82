//! What `match` would start, as text.

use printmesh_api::reply::MatchPlan;

use super::{
    table::{Block, Cell, Table},
    time::duration,
};

/// What would start, what would not and why, and how to start it.
pub(crate) fn plan(plan: &MatchPlan) -> Vec<Block> {
    let starts = plan.starts.iter().map(|start| {
        vec![
            Cell::new(&start.printer),
            Cell::new(&start.queue),
            Cell::new(&start.job),
            format!("{}/{}", start.copy, start.copies).into(),
            Cell::both(
                match start.duration_s {
                    0 => "-".to_owned(),
                    seconds => duration(seconds),
                },
                start.duration_s.to_string(),
            ),
            start.passed_over.to_string().into(),
        ]
    });
    let waits = plan.waits.iter().map(|wait| {
        vec![
            Cell::new(&wait.printer),
            Cell::new(&wait.queue),
            Cell::new(&wait.code),
            Cell::new(&wait.text),
        ]
    });
    let mut blocks = vec![Block::Facts(vec![("plan", Cell::new(&plan.id))])];
    if plan.starts.is_empty() {
        blocks.push(Block::Note("nothing would start".to_owned()));
    } else {
        blocks.push(Block::Table(Table {
            label: Some("starts"),
            head: vec!["PRINTER", "QUEUE", "STARTS", "COPY", "TIME", "PASSES"],
            rows: starts.collect(),
        }));
    }
    if !plan.waits.is_empty() {
        blocks.push(Block::Note(String::new()));
        blocks.push(Block::Table(Table {
            label: Some("waits"),
            head: vec!["PRINTER", "QUEUE", "WAITS", "WHY"],
            rows: waits.collect(),
        }));
    }
    if !plan.starts.is_empty() {
        blocks.push(Block::Note(String::new()));
        blocks.push(Block::Note(format!("start them: {}", plan.command)));
    }
    blocks
}
