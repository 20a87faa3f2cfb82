//! Answers as a daemon would give them.

use printmesh_api::reply::{
    Asking, Claim, Event, Job, List, Peer, Printer, Queue, Reply, Set, Setting, Sync, Why,
};

pub(super) const KMZ: &str = "kmzqtwsunvrypkslmzqtwsunvrypkslm";
pub(super) const LQW: &str = "lqwxyzknlqwxyzknlqwxyzknlqwxyzkn";

pub(super) fn job(id: &str, name: &str, state: &str) -> Job {
    Job {
        id: id.to_owned(),
        unique_prefix: 2,
        queue: "farm".to_owned(),
        position: Some(1),
        name: name.to_owned(),
        state: state.to_owned(),
        reason: None,
        reason_text: None,
        copies: 3,
        copies_done: 0,
        certified: 0,
        speculative: 0,
        surplus: 0,
        together: false,
        printers: Vec::new(),
        submitter: "workshop".to_owned(),
        created_at: "2026-11-20T09:12:03Z".to_owned(),
        sets: vec![Set {
            id: "s".repeat(32),
            file_name: format!("{name}.gcode"),
            hash: "ab".repeat(32),
            bytes: 137_138,
            per_run: 1,
            done: 0,
            estimate_s: Some(197),
            material: Some("PLA".to_owned()),
            slicer: None,
            here: true,
            path: None,
            alternatives: Vec::new(),
        }],
        claims: Vec::new(),
        why: vec![Why {
            printer: "workshop/sim-1".to_owned(),
            code: "bed-not-clear".to_owned(),
            text: "something lies on the bed".to_owned(),
            fix: Some("printmesh printer ready sim-1".to_owned()),
        }],
        requests: Vec::new(),
        moved_to: None,
        finish: None,
        terms: printmesh_api::reply::Terms::default(),
    }
}

pub(super) fn waiting(id: &str, name: &str) -> Job {
    Job {
        reason: Some("bed-not-clear".to_owned()),
        reason_text: Some("something lies on the bed".to_owned()),
        ..job(id, name, "queued")
    }
}

pub(super) fn printing(id: &str, name: &str) -> Job {
    Job {
        claims: vec![Claim {
            copy: 1,
            attempt: 1,
            host: "rack1".to_owned(),
            printer: "mk4-1".to_owned(),
            state: "printing".to_owned(),
            speculative: false,
            credited_to: None,
            progress: Some(0.42),
            left_s: Some(2280),
            note: None,
            at: "2026-11-20T12:00:00Z".to_owned(),
        }],
        ..job(id, name, "printing")
    }
}

pub(super) fn list<T>(items: Vec<T>) -> List<T> {
    List {
        as_of: "2026-11-20T12:30:00Z".to_owned(),
        sync: Sync {
            peers_connected: 1,
            peers_known: 2,
            away: vec!["rack2".to_owned()],
        },
        items,
    }
}

pub(super) fn jobs() -> Reply {
    Reply::JobList(list(vec![printing(KMZ, "bracket"), waiting(LQW, "lid")]))
}

pub(super) fn printer() -> Printer {
    Printer {
        name: "sim-1".to_owned(),
        host: "workshop".to_owned(),
        mine: true,
        at: Some("sim://".to_owned()),
        state: "printing".to_owned(),
        bed: "occupied".to_owned(),
        autoprint: true,
        paused: None,
        job: Some("bracket".to_owned()),
        job_id: Some(KMZ.to_owned()),
        progress: Some(0.5),
        left_s: Some(90),
        reason: None,
        reason_text: None,
        firmware: None,
        position: 1,
        cycle: None,
        spool_note: None,
        equipment: printmesh_api::reply::Equipment::default(),
    }
}

pub(super) fn queue(name: &str) -> Queue {
    let peer = |host: &str, me: bool, link: &str| Peer {
        host: host.to_owned(),
        fingerprint: "k7dm-94qx".to_owned(),
        key: "00".repeat(32),
        role: "printer".to_owned(),
        me,
        link: link.to_owned(),
        address: None,
        version: Some("0.1.0".to_owned()),
        note: None,
        last_seen: Some("2026-11-20T10:25:00Z".to_owned()),
        printers: vec![printer()],
        marks: Vec::new(),
    };
    Queue {
        name: name.to_owned(),
        id: format!("{:0>64}", name.len()),
        sort: "network".to_owned(),
        strategy: "in-order".to_owned(),
        position: 1,
        role: "admin".to_owned(),
        holds_key: true,
        epoch: 2,
        changes: 41,
        jobs_open: 2,
        copies_open: 5,
        voters: vec!["workshop".to_owned()],
        voters_reachable: true,
        without_voters: false,
        settings: vec![Setting {
            name: "claims".to_owned(),
            value: "available".to_owned(),
            default: true,
            allowed: "available, majority".to_owned(),
        }],
        members: vec![
            peer("workshop", true, "connected"),
            peer("rack2", false, "away"),
        ],
        asking: vec![Asking {
            host: "garage".to_owned(),
            fingerprint: "m3kk-77ty".to_owned(),
            code: "481-920".to_owned(),
        }],
    }
}

pub(super) fn event(kind: &str, job: Option<&str>) -> Event {
    Event {
        kind: kind.to_owned(),
        job: job.map(str::to_owned),
        ..Event::default()
    }
}
