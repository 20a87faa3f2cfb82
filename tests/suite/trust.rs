//! Item 4 of issue 2 with real daemons: who gets in, what a member's bytes can do, how changes travel.

mod copied;
mod guard;
mod hostile;
mod impostor;
mod members;
mod mesh;
mod other_user;
mod relays;
mod rotation;
mod secrets;
mod tickets;

use std::collections::BTreeSet;

pub(super) use mesh::sockets;

use super::environment::Host;

fn job_names(host: &Host) -> BTreeSet<String> {
    let jobs = host.json(&["jobs", "-q", "farm"]);
    let names = jobs["items"].as_array().unwrap().iter();
    names
        .map(|job| job["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits until the queue `farm` has exactly these jobs.
fn until_jobs(host: &Host, names: &[&str]) {
    let wanted: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    host.until(&format!("jobs {wanted:?}"), |me| {
        (job_names(me) == wanted).then_some(())
    });
}
