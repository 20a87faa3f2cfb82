//! Queues, their settings, voters and peers.

use printmesh_api::reply;
use printmesh_node::{Node, QueueView, VoterView, listed_jobs};
use printmesh_queue::{QueueId, VoterChoice};

use super::{printers::printer_in, with_overviews};
use crate::{clock::rfc3339, people};

pub(crate) fn queues(node: &Node) -> Vec<reply::Queue> {
    let named = node.queues().into_iter().enumerate();
    named
        .map(|(place, (name, view))| queue(node, place, name, view))
        .collect()
}

pub(super) fn queue(node: &Node, place: usize, name: String, view: QueueView<'_>) -> reply::Queue {
    let snapshot = view.snapshot;
    let presence = node.presence_in(view.id);
    let jobs = listed_jobs(snapshot);
    let copies_open = jobs
        .iter()
        .map(|job| {
            let done = snapshot
                .copies_of(job)
                .filter(|(_, state)| matches!(state, printmesh_queue::CopyState::Done(_)));
            job.units() - done.count() as u32
        })
        .sum();
    let me = snapshot.members.get(&node.me());
    reply::Queue {
        id: view.id.to_string(),
        sort: if view.local { "local" } else { "network" }.to_owned(),
        strategy: snapshot.settings.get(printmesh_queue::Setting::Order),
        position: place as u32 + 1,
        role: me
            .map_or("-", |member| match member.is_removed() {
                true => "removed",
                false => member.certificate.role.word(),
            })
            .to_owned(),
        holds_key: view.holds_key,
        epoch: view.epoch,
        changes: view.changes as u64,
        jobs_open: jobs.len() as u32,
        copies_open,
        voters: snapshot
            .voters
            .hosts
            .iter()
            .map(|host| snapshot.host_name(*host))
            .collect(),
        voters_reachable: presence.has_quorum(&snapshot.voters),
        without_voters: node.goes_on_without(view.id),
        settings: settings(&snapshot.settings),
        members: peers(node, &view),
        asking: node
            .asking()
            .filter(|(_, asking)| asking.queue == view.id)
            .map(|(host, asking)| reply::Asking {
                host: asking.name.clone(),
                fingerprint: host.fingerprint(),
                code: asking.code.clone(),
            })
            .collect(),
        name,
    }
}

fn settings(settings: &printmesh_queue::Settings) -> Vec<reply::Setting> {
    let defaults = printmesh_queue::Settings::default();
    let all = printmesh_queue::Setting::ALL.into_iter();
    let rows = all.map(|setting| reply::Setting {
        name: setting.key().to_owned(),
        value: settings.get(setting),
        default: settings.get(setting) == defaults.get(setting),
        allowed: setting.allowed(),
    });
    rows.collect()
}

pub(crate) fn queue_named(node: &Node, id: QueueId) -> Option<reply::Queue> {
    let mut named = node.queues().into_iter().enumerate();
    let (place, (name, view)) = named.find(|(_, (_, view))| view.id == id)?;
    Some(queue(node, place, name, view))
}

/// Who decides claims in a queue; `name` as it was asked for.
pub(crate) fn voters(node: &Node, id: QueueId, name: String) -> reply::Voters {
    let view = node.voters_view(id);
    let snapshot = node.queue_view(id).snapshot;
    let voter = |voter: &VoterView| reply::Voter {
        host: snapshot.host_name(voter.host),
        fingerprint: voter.host.fingerprint(),
        reachable: voter.reachable,
        decides: voter.decides,
        me: voter.host == node.me(),
    };
    reply::Voters {
        queue: name,
        config: view.voters.number(),
        recoveries: view.voters.era(),
        choice: match view.choice {
            VoterChoice::Auto => "auto",
            VoterChoice::Fixed => "fixed",
        }
        .to_owned(),
        reachable: view.answer,
        changing: view.changing,
        me: view.me.to_owned(),
        voters: view.hosts.iter().map(voter).collect(),
    }
}

pub(crate) fn peers(node: &Node, view: &QueueView<'_>) -> Vec<reply::Peer> {
    let snapshot = view.snapshot;
    let members = snapshot.present_members().map(|(host, member)| {
        let link = node.link(*host);
        let me = *host == node.me();
        let word = match (link.connected, link.incompatible) {
            (true, _) => "connected",
            (false, true) => "incompatible",
            (false, false) => "away",
        };
        let of_host = snapshot
            .present_printers()
            .filter(|(id, _)| id.host == *host);
        reply::Peer {
            host: member.name.clone(),
            fingerprint: host.fingerprint(),
            key: host.to_string(),
            role: member.certificate.role.word().to_owned(),
            me,
            link: word.to_owned(),
            address: link
                .address
                .filter(|_| link.connected && !me)
                .map(|address| address.to_string()),
            version: if me {
                Some(env!("CARGO_PKG_VERSION").to_owned())
            } else {
                link.software
            },
            note: link.note,
            last_seen: link.last_seen.filter(|_| !me).map(rfc3339),
            printers: with_overviews(node, |seen| {
                of_host.map(|(id, _)| printer_in(node, seen, id)).collect()
            }),
            marks: people::marks(node, view.id, *host, false),
        }
    });
    members.collect()
}
