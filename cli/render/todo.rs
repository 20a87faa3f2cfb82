//! The to-do list as text.

use printmesh_api::reply::{List, Step, Todo};

use super::{
    freshness,
    table::{Block, Cell, Table, Tone},
    time::duration,
};

/// What a person could do, the best first.
pub(crate) fn list(list: &List<Todo>) -> Vec<Block> {
    let mut blocks = Vec::new();
    if list.items.is_empty() {
        blocks.push(Block::Note(
            "nothing to do: no single change would start another print".to_owned(),
        ));
    } else {
        let rows = list.items.iter().enumerate().map(|(at, todo)| {
            let join = |of: fn(&Step) -> String, by: &str| {
                let steps: Vec<String> = todo.steps.iter().map(of).collect();
                steps.join(by)
            };
            let time = match todo.duration_s {
                0 => "-".to_owned(),
                seconds => duration(seconds),
            };
            vec![
                (at + 1).to_string().into(),
                Cell::new(join(|step| step.text.clone(), "; then ")).tone(Tone::Warn),
                Cell::both(
                    format!("{}{}", todo.prints, if todo.more { "+" } else { "" }),
                    todo.prints.to_string(),
                ),
                todo.starts.to_string().into(),
                Cell::both(time, todo.duration_s.to_string()),
                Cell::new(&todo.job),
                Cell::new(join(command, "; ")),
            ]
        });
        blocks.push(Block::Table(Table {
            label: None,
            head: vec![
                "#", "TO DO", "PRINTS", "AT ONCE", "TIME", "FIRST", "COMMAND",
            ],
            rows: rows.collect(),
        }));
        for todo in list.items.iter().filter(|todo| !todo.instead_of.is_empty()) {
            blocks.push(Block::Note(format!(
                "{}: then {} does not start now",
                todo.steps[0].text,
                todo.instead_of.join(", ")
            )));
        }
    }
    blocks.extend(freshness(&list.sync));
    blocks
}

fn command(step: &Step) -> String {
    match &step.on {
        None => step.command.clone(),
        Some(host) => format!("{}  (on {host})", step.command),
    }
}
