//! The to-do list in words, each entry with the command that answers it. What is on it is the scheduler's business.

use printmesh_api::reply;
use printmesh_node::{Node, QueueView};
use printmesh_queue::{Bed, HostId, PrinterId, QueueId};
use printmesh_schedule::{Act, Change, Todo, todo};

use crate::{clock, convert::full_name};

/// Returns what a person could do, the best first: in one queue, or in all of this host.
pub(crate) fn list(node: &Node, only: Option<QueueId>, limit: u32) -> Vec<reply::Todo> {
    let limit = match limit {
        0 => usize::MAX,
        limit => limit as usize,
    };
    let mut found: Vec<(Vec<Change>, Todo, reply::Todo)> = Vec::new();
    for (name, view) in node.queues() {
        if only.is_some_and(|only| only != view.id) {
            continue;
        }
        let presence = node.presence_at(view.id, clock::now());
        for entry in todo(view.snapshot, &presence, limit) {
            let row = row(node, &name, view, &entry);
            // One act at a printer may serve several queues: it starts one print, and more of them become possible.
            let same = found.iter_mut().find(|(changes, ..)| {
                *changes == entry.changes && entry.changes != [Change::Start]
            });
            match same {
                Some((_, all, shown)) => {
                    all.prints += entry.prints;
                    shown.prints += row.prints;
                    shown.starts = shown.starts.max(row.starts);
                    shown.duration_s = shown.duration_s.saturating_add(row.duration_s);
                    shown.more |= row.more;
                    shown.queues.extend(row.queues);
                    shown.instead_of.extend(row.instead_of);
                }
                None => found.push((entry.changes.clone(), entry, row)),
            }
        }
    }
    // Two steps are for when one is not enough.
    if found.iter().any(|(changes, ..)| changes.len() == 1) {
        found.retain(|(changes, ..)| changes.len() == 1);
    }
    found.sort_by_key(|(_, entry, _)| entry.rank());
    found.truncate(limit);
    found.into_iter().map(|(_, _, row)| row).collect()
}

fn row(node: &Node, queue: &str, view: QueueView<'_>, entry: &Todo) -> reply::Todo {
    let snapshot = view.snapshot;
    let job = &snapshot.jobs[&entry.first];
    let steps = entry.changes.iter().map(|change| {
        let (text, command, host) = words(node, queue, view, change, &entry.first.to_string());
        let elsewhere = host.filter(|host| *host != node.me());
        reply::Step {
            text,
            command,
            on: elsewhere.map(|host| node.visible_host_name(host)),
        }
    });
    let displaced = entry.displaced.iter().map(|copy| {
        let job = snapshot.jobs.get(&copy.job);
        let name = job.map_or_else(|| copy.job.to_string(), |job| job.name.clone());
        format!("{name}, copy {}", copy.index + 1)
    });
    reply::Todo {
        steps: steps.collect(),
        queues: vec![queue.to_owned()],
        starts: entry.starts as u64,
        prints: entry.prints as u64,
        more: entry.more,
        duration_s: entry.seconds,
        job: job.name.clone(),
        job_id: job.id.to_string(),
        instead_of: displaced.collect(),
    }
}

/// What to do, the command, and the host on which it is typed.
fn words(
    node: &Node,
    queue: &str,
    view: QueueView<'_>,
    change: &Change,
    job: &str,
) -> (String, String, Option<HostId>) {
    let shown = |id: &PrinterId| match id.host == node.me() {
        true => id.name.clone(),
        false => full_name(node, id),
    };
    let at = |id: &PrinterId, text: String, command: String| (text, command, Some(id.host));
    match change {
        Change::Start => (
            "start what printers wait for that do not start prints by themselves".to_owned(),
            format!("printmesh match -q {}", quoted(queue)),
            None,
        ),
        Change::Resume(id) => at(
            id,
            format!("let {} take copies again", shown(id)),
            format!("printmesh printer resume {}", quoted(&id.name)),
        ),
        Change::Judge(id) => at(
            id,
            format!("look at the last print of {}, and clear the bed", shown(id)),
            format!("printmesh printer ready {} --good", quoted(&id.name)),
        ),
        Change::Ready(id) => {
            let record = view.snapshot.printers.get(id);
            let fault = record.and_then(|record| record.fault.as_ref());
            let unknown = record.is_some_and(|record| record.bed == Bed::Unknown);
            let name = shown(id);
            let text = match fault {
                Some(fault) => format!("look at {name}, which halted ({fault}), and clear its bed"),
                None if unknown => format!("look at {name}: is its bed clear?"),
                None => format!("clear the bed of {name}"),
            };
            at(
                id,
                text,
                format!("printmesh printer ready {}", quoted(&id.name)),
            )
        }
        Change::Connect(id) => at(
            id,
            format!("switch {} on, or connect it", shown(id)),
            format!("printmesh printer show {}", quoted(&id.name)),
        ),
        Change::Equip(id, act) => {
            let (text, command) = equip(&shown(id), &quoted(&id.name), act);
            at(id, text, command)
        }
        Change::Find(hash) => {
            let sets = view.snapshot.jobs.values().flat_map(|job| &job.sets);
            let mut files = sets.flat_map(|set| &set.spec.files);
            let name = files
                .find(|file| file.hash == *hash)
                .map_or("a file", |file| file.name.as_str());
            (
                format!("bring a host back that has {name}"),
                format!("printmesh job show {job} --why"),
                None,
            )
        }
        Change::Reach(host) => (
            format!("bring {} back", node.visible_host_name(*host)),
            format!("printmesh queue peers {}", quoted(queue)),
            None,
        ),
    }
}

/// A change at a printer: what to do, and the command that says that it is done.
fn equip(shown: &str, name: &str, act: &Act) -> (String, String) {
    match act {
        Act::Load(slot) => {
            let material = slot.material.as_deref();
            let color = slot.color.as_deref();
            let what: Vec<&str> = color.into_iter().chain(material).collect();
            let place = match slot.slot {
                0 => String::new(),
                slot => format!(", slot {slot}"),
            };
            let color = color.map(|color| format!("/{color}")).unwrap_or_default();
            let said = format!("{}={}{color}", slot.slot, material.unwrap_or("MATERIAL"));
            (
                format!("load {} into {shown}{place}, enough of it", what.join(" ")),
                format!("printmesh printer load {name} {}", quoted(&said)),
            )
        }
        Act::Nozzle { tool, um, hardened } => {
            let mm = um.map(|um| (f64::from(um) / 1000.0).to_string());
            let hard = hardened.unwrap_or(false);
            let mut text = "put a".to_owned();
            let mut command = format!("printmesh printer nozzle {name}");
            if hard {
                text += " hardened";
            }
            text += " nozzle";
            if let Some(mm) = mm {
                text += &format!(" of {mm} mm");
                command += &format!(" {mm}");
            }
            if let Some(tool) = tool {
                text += &format!(" for tool {tool}");
                command += &format!(" --tool {tool}");
            }
            if hard {
                command += " --hardened";
            }
            (format!("{text} into {shown}"), command)
        }
        // Which model it is nobody knows but who stands before it: the command does not say it for them.
        Act::Model(model) => (
            format!("say which model {shown} is; what waits is for {model}"),
            format!("printmesh printer edit {name} --model MODEL"),
        ),
    }
}

/// A word for the shell: what a slicer wrote into a file must not become a command of whoever copies this line.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+:,@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_is_one_word_of_the_command() {
        assert_eq!(quoted("0=PETG/black"), "0=PETG/black");
        assert_eq!(quoted("0=PLA; rm -rf ~"), "'0=PLA; rm -rf ~'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("#ff8800"), "'#ff8800'");
        assert_eq!(quoted(""), "''");
    }
}
