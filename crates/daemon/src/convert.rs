//! The core's values in the words of the API. No rule lives here.

use printmesh_api::reply;
use printmesh_node::{Event, LOST, Node, QueueView, claim_word, listed_jobs};
use printmesh_queue::{
    Bed, Claim, ClaimState, CopyId, FileSpec, HostId, Job, JobId, JobState, PrinterId, QueueId,
    RunResult, Timestamp, VoterChoice,
};
use printmesh_schedule::{
    Index, JobStatus, Overview, PrinterStatus, Reason, good_runs_of_set, is_speculative,
    job_status, no_copy_left, tally,
};

use crate::{clock::rfc3339, equip, people, todo::quoted};

pub(crate) fn event(node: &Node, seq: u64, event: Event) -> reply::Event {
    let printer = event.printer.as_ref().map(|id| full_name(node, id));
    reply::Event {
        seq,
        time: rfc3339(crate::clock::now().wall),
        kind: event.kind.to_owned(),
        queue: event.queue,
        job: event.job.as_ref().map(|(id, _)| id.to_string()),
        job_name: event.job.map(|(_, name)| name),
        copy: event.copy.map(|copy| copy.index + 1),
        printer: printer.or_else(|| event.host.map(|host| node.visible_host_name(host))),
        state: event.state,
        progress: event.progress,
        left_s: event.left_s,
        text: event.text,
    }
}

pub(crate) fn full_name(node: &Node, id: &PrinterId) -> String {
    format!("{}/{}", node.visible_host_name(id.host), id.name)
}

/// What this host sees at this moment: some reasons say how long they last.
fn presence(node: &Node, queue: QueueId) -> printmesh_schedule::Presence {
    node.presence_at(queue, crate::clock::now())
}

/// The queues of this host at this moment, each with its plan: what is asked of one queue again and again shares it.
fn with_overviews<T>(node: &Node, ask: impl FnOnce(&[(QueueView<'_>, Overview<'_>)]) -> T) -> T {
    let seen: Vec<_> = node
        .queues()
        .into_iter()
        .map(|(_, view)| (view, presence(node, view.id), Index::new(view.snapshot)))
        .collect();
    let overviews: Vec<_> = seen
        .iter()
        .map(|(view, presence, index)| (*view, Overview::new(view.snapshot, presence, index)))
        .collect();
    ask(&overviews)
}

/// How much of the mesh this host can see right now.
pub(crate) fn sync(node: &Node) -> reply::Sync {
    let mut hosts = std::collections::BTreeSet::new();
    for (_, queue) in node.queues() {
        hosts.extend(queue.snapshot.present_members().map(|(host, _)| *host));
    }
    hosts.remove(&node.me());
    let (here, away): (Vec<HostId>, Vec<HostId>) = hosts
        .into_iter()
        .partition(|host| node.link(*host).connected);
    reply::Sync {
        peers_connected: here.len() as u32,
        peers_known: (here.len() + away.len()) as u32,
        away: away
            .into_iter()
            .map(|host| node.visible_host_name(host))
            .collect(),
    }
}

pub(crate) fn list<T>(node: &Node, items: Vec<T>) -> reply::List<T> {
    reply::List {
        as_of: rfc3339(crate::clock::now().wall),
        sync: sync(node),
        items,
    }
}

pub(crate) fn status(node: &Node) -> reply::Status {
    let printers = printers(node);
    let queues = queues(node);
    let mut needs_you = Vec::new();
    for printer in printers.iter().filter(|printer| printer.mine) {
        let name = &printer.name;
        let need = match printer.reason.as_deref() {
            Some("bed-not-clear") => {
                Some(format!("clear the bed of {name}{}", bad_end(node, name)))
            }
            Some("bed-unknown") => Some(format!(
                "look at {name}: is its bed clear?{}",
                bad_end(node, name)
            )),
            Some("verdict") => Some(format!(
                "say of the last print of {name} whether it is --good or --bad"
            )),
            Some("no-bed-temperature") => Some(format!("clear the bed of {name} once it is cold")),
            Some("printer-fault") => Some(format!(
                "look at {name}: {}",
                printer.reason_text.as_deref().unwrap_or("it halted")
            )),
            _ => None,
        };
        if let Some(text) = need {
            needs_you.push(reply::Need {
                text,
                command: format!("printmesh printer ready {name}"),
            });
        }
    }
    needs_you.extend(unsure(node));
    for queue in &queues {
        for asking in &queue.asking {
            needs_you.push(reply::Need {
                text: format!(
                    "{} asks to join {} (code {})",
                    asking.host, queue.name, asking.code
                ),
                command: format!("printmesh member approve {} {}", queue.name, asking.host),
            });
        }
    }
    reply::Status {
        as_of: rfc3339(crate::clock::now().wall),
        sync: sync(node),
        host: node.name().to_owned(),
        fingerprint: node.me().fingerprint(),
        queues,
        printers,
        needs_you,
    }
}

/// Prints of this host of which nobody knows how they ended, and printers that it set aside.
fn unsure(node: &Node) -> Vec<reply::Need> {
    let mut needs = Vec::new();
    for (_, view) in node.queues() {
        for (copy, claims) in &view.snapshot.claims {
            let Some(job) = view.snapshot.jobs.get(&copy.job) else {
                continue;
            };
            let own = claims.values().filter(|claim| claim.host == node.me());
            let unknown = own.filter(|claim| claim.record.state == ClaimState::Unknown);
            needs.extend(unknown.map(|claim| reply::Need {
                text: format!(
                    "say how copy {} of {} on {} ended",
                    copy.index + 1,
                    job.name,
                    claim.record.printer
                ),
                command: format!(
                    "printmesh job resolve {}#{} --done (or --failed)",
                    &job.id.to_string()[..node.unique_prefix(job.id).max(8)],
                    copy.index + 1
                ),
            }));
        }
    }
    let mut aside = std::collections::BTreeMap::new();
    for (_, view) in node.queues() {
        let own = view.snapshot.present_printers();
        let own = own.filter(|(id, record)| id.host == node.me() && record.set_aside);
        aside.extend(own.map(|(id, record)| (&id.name, record.paused.clone())));
    }
    needs.extend(aside.into_iter().map(|(name, why)| reply::Need {
        text: format!(
            "look at {name}: {}",
            why.unwrap_or_else(|| "it fails at everything".to_owned())
        ),
        command: format!("printmesh printer resume {name}"),
    }));
    needs
}

/// What became of the last print of a printer of this host, when it was not good: whoever clears the bed wants to know.
fn bad_end(node: &Node, printer: &str) -> String {
    let rows = node.history();
    let last = rows
        .iter()
        .find(|row| row.printer.host == node.me() && row.printer.name == printer);
    let Some(row) = last else {
        return String::new();
    };
    let how = match row.result {
        RunResult::Started | RunResult::Ok => return String::new(),
        RunResult::Failed => "failed",
        RunResult::Aborted => "was stopped",
        RunResult::Unknown => "may be incomplete",
    };
    let why = row.note.as_deref().unwrap_or("no reason is known");
    format!(" ({} {how}: {why})", row.job_name)
}

pub(crate) fn queues(node: &Node) -> Vec<reply::Queue> {
    let named = node.queues().into_iter().enumerate();
    named
        .map(|(place, (name, view))| queue(node, place, name, view))
        .collect()
}

fn queue(node: &Node, place: usize, name: String, view: QueueView<'_>) -> reply::Queue {
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
    let voter = |(host, reachable): &(HostId, bool)| reply::Voter {
        host: snapshot.host_name(*host),
        fingerprint: host.fingerprint(),
        reachable: *reachable,
        me: *host == node.me(),
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

pub(crate) fn printers(node: &Node) -> Vec<reply::Printer> {
    let ids = node.visible_printers();
    with_overviews(node, |seen| {
        ids.keys().map(|id| printer_in(node, seen, id)).collect()
    })
}

/// A printer may be in several queues: it is shown by the one in which it works, else by the first that has it.
pub(crate) fn printer(node: &Node, id: &PrinterId) -> reply::Printer {
    with_overviews(node, |seen| printer_in(node, seen, id))
}

fn printer_in(
    node: &Node,
    seen: &[(QueueView<'_>, Overview<'_>)],
    id: &PrinterId,
) -> reply::Printer {
    type Shown<'a> = (
        u8,
        QueueView<'a>,
        &'a printmesh_queue::PrinterRecord,
        PrinterStatus<'a>,
    );
    let mut shown: Option<Shown<'_>> = None;
    for (view, overview) in seen {
        let Some(record) = view
            .snapshot
            .printers
            .get(id)
            .filter(|record| !record.removed)
        else {
            continue;
        };
        let status = overview.printer_status(id);
        let weight = match status {
            PrinterStatus::Working(..) => 4,
            PrinterStatus::NeedsPerson(_) => 3,
            PrinterStatus::Free => 2,
            PrinterStatus::Waiting(_) => 1,
            PrinterStatus::HostAway => 0,
        };
        if shown.as_ref().is_none_or(|(other, ..)| weight > *other) {
            shown = Some((weight, *view, record, status));
        }
    }
    let own = node
        .own_printers_view()
        .remove(id.name.as_str())
        .filter(|_| id.host == node.me());
    let Some((_, view, record, status)) = shown else {
        return bare_printer(node, id, own.as_ref());
    };
    let progress = node.progress_of(id);
    let (state, job, reason): (&str, Option<&Job>, Option<Reason>) = match status {
        PrinterStatus::HostAway => ("host-away", None, Some(Reason::HostAway)),
        PrinterStatus::Working(copy, claim) => {
            let word = match claim.record.state {
                ClaimState::Fetching => "fetching",
                ClaimState::Claimed | ClaimState::Staged => "claimed",
                _ if record.bed == Bed::Clear => "claimed",
                _ if own
                    .as_ref()
                    .is_some_and(|own| own.work.as_ref().is_some_and(|w| w.3 == "between")) =>
                {
                    "clear-bed"
                }
                _ => "printing",
            };
            let reason = (word == "clear-bed").then_some(Reason::BedNotClear);
            (word, view.snapshot.jobs.get(&copy.job), reason)
        }
        PrinterStatus::NeedsPerson(reason) => {
            let word = match reason {
                Reason::BedNotClear | Reason::NoBedTemperature { .. } => "clear-bed",
                Reason::VerdictAwaited => "verdict",
                Reason::BedUnknown => "unknown",
                _ => "fault",
            };
            (word, None, Some(reason))
        }
        PrinterStatus::Waiting(reason) => {
            let word = match reason {
                Reason::PrinterOffline => "offline",
                Reason::PrinterPaused { .. } => "paused",
                Reason::Cooling { .. } => "cooling",
                Reason::Clearing => "clearing",
                Reason::HeatSlot => "waits-to-heat",
                _ => "idle",
            };
            (word, None, Some(reason))
        }
        PrinterStatus::Free => ("idle", None, None),
    };
    let offline = own.as_ref().and_then(|own| own.offline_note.clone());
    reply::Printer {
        name: id.name.clone(),
        host: node.visible_host_name(id.host),
        mine: id.host == node.me(),
        cycle: own.as_ref().and_then(|own| equip::cycle(&own.cycle)),
        spool_note: own.as_ref().and_then(|own| own.spool_note.clone()),
        at: own.map(|own| own.at),
        state: state.to_owned(),
        bed: record.bed.word().to_owned(),
        autoprint: record.autoprint,
        paused: record.paused.clone(),
        job: job.map(|job| job.name.clone()),
        job_id: job.map(|job| job.id.to_string()),
        progress: progress
            .filter(|_| job.is_some())
            .and_then(|progress| progress.fraction),
        left_s: progress
            .filter(|_| job.is_some())
            .and_then(|progress| progress.left_s),
        reason_text: match (&reason, offline) {
            (Some(Reason::PrinterOffline), Some(note)) => Some(note),
            (Some(reason), _) => Some(reason.text()),
            (None, _) => None,
        },
        reason: reason.map(|reason| reason.code().to_owned()),
        firmware: record.machine.clone(),
        position: record.position + 1,
        equipment: equip::equipment(&record.equipment),
    }
}

/// A printer that no queue has announced yet.
fn bare_printer(
    node: &Node,
    id: &PrinterId,
    own: Option<&printmesh_node::OwnPrinter>,
) -> reply::Printer {
    reply::Printer {
        name: id.name.clone(),
        host: node.visible_host_name(id.host),
        mine: id.host == node.me(),
        cycle: own.and_then(|own| equip::cycle(&own.cycle)),
        spool_note: own.and_then(|own| own.spool_note.clone()),
        at: own.map(|own| own.at.clone()),
        state: if own.is_some_and(|own| own.online) {
            "idle"
        } else {
            "offline"
        }
        .to_owned(),
        bed: own.map_or(Bed::Unknown, |own| own.bed).word().to_owned(),
        autoprint: false,
        paused: None,
        job: None,
        job_id: None,
        progress: None,
        left_s: None,
        reason: None,
        reason_text: None,
        firmware: None,
        position: 0,
        equipment: reply::Equipment::default(),
    }
}

/// Jobs as `jobs` lists them: by queue in the host's order, or what is over when the archive is asked for.
pub(crate) fn jobs(
    node: &Node,
    queue: Option<QueueId>,
    archive: bool,
    all: bool,
) -> Vec<reply::Job> {
    let mut rows = Vec::new();
    for (name, view) in node.queues() {
        if queue.is_some_and(|wanted| wanted != view.id) {
            continue;
        }
        let open = listed_jobs(view.snapshot);
        let (presence, index) = (presence(node, view.id), Index::new(view.snapshot));
        let overview = Overview::new(view.snapshot, &presence, &index);
        let row = |job: &Job| self::job(node, &name, &view, &overview, job);
        if !archive {
            rows.extend(open.iter().map(|job| row(job)));
        }
        if archive || all {
            let mut over: Vec<&Job> = view
                .snapshot
                .jobs
                .values()
                .filter(|job| job_status(view.snapshot, job).is_over())
                .collect();
            over.sort_by_key(|job| (std::cmp::Reverse(job.created), job.id));
            rows.extend(over.into_iter().map(row));
        }
    }
    rows
}

pub(crate) fn job_by_id(node: &Node, queue: QueueId, job: JobId) -> Option<reply::Job> {
    let (name, view) = node
        .queues()
        .into_iter()
        .find(|(_, view)| view.id == queue)?;
    let found = view.snapshot.jobs.get(&job)?;
    let (presence, index) = (presence(node, view.id), Index::new(view.snapshot));
    let overview = Overview::new(view.snapshot, &presence, &index);
    Some(self::job(node, &name, &view, &overview, found))
}

fn job(
    node: &Node,
    queue: &str,
    view: &QueueView<'_>,
    overview: &Overview<'_>,
    job: &Job,
) -> reply::Job {
    let snapshot = view.snapshot;
    let status = job_status(snapshot, job);
    let position = listed_jobs(snapshot)
        .iter()
        .position(|other| other.id == job.id);
    let reasons = if status.is_over() {
        Vec::new()
    } else {
        overview.why(job)
    };
    let waits = matches!(
        status,
        JobStatus::Draft
            | JobStatus::Held
            | JobStatus::CancelRequested
            | JobStatus::MoveRequested
            | JobStatus::Queued
            | JobStatus::Unknown
            | JobStatus::Failed
    );
    let first = match status {
        JobStatus::Failed => Some(no_copy_left(snapshot, job)),
        _ => first_reason(status, &reasons).filter(|_| waits),
    };
    let copies_done = snapshot
        .copies_of(job)
        .filter(|(_, state)| matches!(state, printmesh_queue::CopyState::Done(_)))
        .count() as u32;
    let tally = tally(snapshot, job);
    reply::Job {
        id: job.id.to_string(),
        unique_prefix: node.unique_prefix(job.id) as u32,
        queue: queue.to_owned(),
        position: position.map(|at| at as u32 + 1),
        name: job.name.clone(),
        state: status.word().to_owned(),
        reason: first.as_ref().map(|reason| reason.code().to_owned()),
        reason_text: first.as_ref().map(Reason::text),
        copies: job.copies,
        copies_done: if job.together {
            copies_done * job.copies
        } else {
            copies_done
        },
        certified: tally.certified,
        speculative: tally.speculative,
        surplus: tally.surplus,
        together: job.together,
        printers: job.printers.clone(),
        terms: equip::terms_reply(&job.terms),
        submitter: snapshot.host_name(job.submitter),
        created_at: rfc3339(job.created),
        sets: job
            .sets
            .iter()
            .map(|set| self::set(node, view, job, set))
            .collect(),
        claims: claims(node, view, job),
        why: reasons
            .into_iter()
            .map(|(id, reason)| why_row(node, &id, reason))
            .collect(),
        requests: requests(node, view, job),
        // Worked out off the loop (`forecast.rs`).
        finish: None,
        moved_to: match job.state {
            JobState::Moved { to, .. } => Some(to.to_string()),
            JobState::Open | JobState::Cancelled { .. } => {
                job.origin.map(|origin| origin.to_string())
            }
        },
    }
}

fn requests(node: &Node, view: &QueueView<'_>, job: &Job) -> Vec<reply::JobRequest> {
    let asked = node.requests_about(view.id, job.id).into_iter();
    let rows = asked.map(|request| reply::JobRequest {
        kind: request.kind.to_owned(),
        by: view.snapshot.host_name(request.by),
        since: rfc3339(request.since),
        printer: request.printer.map(|printer| full_name(node, &printer)),
        waits_for: request.waits_for,
    });
    rows.collect()
}

fn first_reason(status: JobStatus, reasons: &[(PrinterId, Option<Reason>)]) -> Option<Reason> {
    match status {
        JobStatus::Draft => Some(Reason::Draft),
        JobStatus::Held => Some(Reason::Held),
        JobStatus::Unknown => Some(Reason::CopyUnknown),
        _ if reasons.is_empty() => Some(Reason::NoPrinter),
        // A printer that is free claims at once; until then the most hopeful printer says why it waits.
        _ => {
            let mut waiting: Vec<&Reason> = reasons
                .iter()
                .filter_map(|(_, reason)| reason.as_ref())
                .collect();
            waiting.sort_by_key(|reason| hope(reason));
            waiting.first().map(|reason| (*reason).clone())
        }
    }
}

/// Orders reasons by how soon they pass: the least is shown for the job as a whole.
fn hope(reason: &Reason) -> u8 {
    match reason {
        Reason::VotersAway { .. } | Reason::NotSynced => 0,
        Reason::FileMissing { .. } | Reason::SliceFailed { .. } => 1,
        Reason::NotBefore { .. } | Reason::Backburner => 1,
        Reason::FailedHere | Reason::Busy | Reason::QueueOrder { .. } | Reason::Contended => 2,
        Reason::NeverSkip { .. } => 3,
        Reason::Cooling { .. } | Reason::Clearing | Reason::HeatSlot => 2,
        Reason::BedNotClear
        | Reason::BedUnknown
        | Reason::NoBedTemperature { .. }
        | Reason::VerdictAwaited
        | Reason::QuietHours { .. } => 3,
        Reason::Material { .. }
        | Reason::Color { .. }
        | Reason::Amount { .. }
        | Reason::SlotUnknown { .. }
        | Reason::Nozzle { .. }
        | Reason::NozzleSoft
        | Reason::ModelUnknown { .. } => 4,
        Reason::AutoprintOff | Reason::PrinterPaused { .. } => 4,
        Reason::PrinterFault { .. } | Reason::PrinterOffline => 5,
        Reason::HostAway => 6,
        Reason::PinnedElsewhere
        | Reason::Role
        | Reason::NoSlicer { .. }
        | Reason::Model { .. }
        | Reason::Volume { .. }
        | Reason::Temperature { .. }
        | Reason::NotAccepted
        | Reason::Tags { .. } => 7,
        Reason::Draft
        | Reason::Held
        | Reason::CancelRequested { .. }
        | Reason::MoveRequested { .. }
        | Reason::NotQueued
        | Reason::NoCopyLeft
        | Reason::CopyFailed
        | Reason::RetriesExhausted { .. }
        | Reason::FileFails { .. }
        | Reason::CopyUnknown
        | Reason::NoPrinter
        | Reason::QueueEmpty => 8,
    }
}

fn why_row(node: &Node, id: &PrinterId, reason: Option<Reason>) -> reply::Why {
    let fix = reason.as_ref().and_then(|reason| fix(node, id, reason));
    reply::Why {
        printer: full_name(node, id),
        code: reason.as_ref().map_or("free", Reason::code).to_owned(),
        text: reason.map_or_else(|| "free".to_owned(), |reason| reason.text()),
        fix,
    }
}

/// The command that changes what a printer of this host waits for.
fn fix(node: &Node, id: &PrinterId, reason: &Reason) -> Option<String> {
    if id.host != node.me() {
        return None;
    }
    let name = &id.name;
    Some(match reason {
        Reason::BedNotClear
        | Reason::BedUnknown
        | Reason::NoBedTemperature { .. }
        | Reason::PrinterFault { .. } => format!("printmesh printer ready {name}"),
        Reason::VerdictAwaited => format!("printmesh printer ready {name} --good"),
        Reason::AutoprintOff => format!("printmesh autoprint on {name}"),
        Reason::PrinterPaused { .. } => format!("printmesh printer resume {name}"),
        Reason::Material { slot, needs, .. } => {
            let said = quoted(&format!("{slot}={needs}"));
            format!("printmesh printer load {name} {said}")
        }
        Reason::SlotUnknown { slot } => {
            format!("printmesh printer load {name} {slot}=MATERIAL")
        }
        Reason::Color { slot, needs, .. } => {
            let said = quoted(&format!("{slot}=MATERIAL/{needs}"));
            format!("printmesh printer load {name} {said}")
        }
        Reason::Amount { slot, needs_mg, .. } => format!(
            "printmesh printer load {name} {slot}=MATERIAL:GRAMSg (at least {} g)",
            needs_mg.div_ceil(1000)
        ),
        Reason::Nozzle { needs_um, .. } => format!(
            "printmesh printer nozzle {name} {}",
            f64::from(*needs_um) / 1000.0
        ),
        Reason::NozzleSoft => format!("printmesh printer nozzle {name} --hardened"),
        Reason::ModelUnknown { needs } => {
            format!("printmesh printer edit {name} --model {}", quoted(needs))
        }
        Reason::Tags { missing } => {
            let tags = missing.split(", ");
            let tags = tags.map(|tag| format!(" --tag {}", quoted(tag)));
            format!("printmesh printer edit {name}{}", tags.collect::<String>())
        }
        Reason::NeverSkip { because, .. } => return fix(node, id, because),
        Reason::Cooling { .. }
        | Reason::Clearing
        | Reason::HeatSlot
        | Reason::QuietHours { .. }
        | Reason::Draft
        | Reason::Held
        | Reason::CancelRequested { .. }
        | Reason::MoveRequested { .. }
        | Reason::NotQueued
        | Reason::NoCopyLeft
        | Reason::CopyFailed
        | Reason::RetriesExhausted { .. }
        | Reason::FileFails { .. }
        | Reason::FailedHere
        | Reason::CopyUnknown
        | Reason::PinnedElsewhere
        | Reason::QueueOrder { .. }
        | Reason::Busy
        | Reason::PrinterOffline
        | Reason::HostAway
        | Reason::Role
        | Reason::VotersAway { .. }
        | Reason::Contended
        | Reason::FileMissing { .. }
        | Reason::NoSlicer { .. }
        | Reason::SliceFailed { .. }
        | Reason::NotBefore { .. }
        | Reason::Backburner
        | Reason::Model { .. }
        | Reason::Volume { .. }
        | Reason::Temperature { .. }
        | Reason::NotAccepted
        | Reason::NoPrinter
        | Reason::QueueEmpty
        | Reason::NotSynced => return None,
    })
}

/// Each job that waits, of every queue that has the printer, and why it does or does not take it.
pub(crate) fn printer_why(node: &Node, id: &PrinterId) -> reply::PrinterWhy {
    let mut jobs = Vec::new();
    for (queue, view) in node.queues() {
        let (presence, index) = (presence(node, view.id), Index::new(view.snapshot));
        let overview = Overview::new(view.snapshot, &presence, &index);
        for (job, reason) in overview.why_printer(id) {
            let row = why_row(node, id, reason);
            jobs.push(reply::JobWhy {
                job_id: job.to_string(),
                job: view.snapshot.jobs[&job].name.clone(),
                queue: queue.clone(),
                code: row.code,
                text: row.text,
                fix: row.fix,
            });
        }
    }
    reply::PrinterWhy {
        printer: printer(node, id),
        jobs,
    }
}

fn set(node: &Node, view: &QueueView<'_>, job: &Job, set: &printmesh_queue::Set) -> reply::Set {
    let file = &set.spec.files[0];
    let path = |file: &FileSpec| {
        let path = node.import_path(job.id, set.id, file.hash);
        path.map(str::to_owned)
    };
    let alternative = |file: &FileSpec| reply::Alternative {
        file_name: file.name.clone(),
        hash: file.hash.to_string(),
        bytes: file.size,
        estimate_s: file.estimate_s,
        material: file.material.clone(),
        slicer: file.slicer.clone(),
        here: node.has_file(file.hash),
        path: path(file),
    };
    let others = set.spec.files.iter().skip(1);
    reply::Set {
        id: set.id.to_string(),
        file_name: file.name.clone(),
        hash: file.hash.to_string(),
        bytes: file.size,
        per_run: set.per_run,
        done: good_runs_of_set(view.snapshot, job, set.id),
        estimate_s: file.estimate_s,
        material: file.material.clone(),
        slicer: file.slicer.clone(),
        here: node.has_file(file.hash),
        path: path(file),
        alternatives: others.map(alternative).collect(),
    }
}

fn claims(node: &Node, view: &QueueView<'_>, job: &Job) -> Vec<reply::Claim> {
    let snapshot = view.snapshot;
    let mut rows = Vec::new();
    for index in 0..job.units() {
        let copy = CopyId { job: job.id, index };
        let by_printers = snapshot
            .claims_of(copy)
            .filter(|claim| !claim.record.is_reopening());
        for claim in by_printers {
            let printer = PrinterId {
                host: claim.host,
                name: claim.record.printer.clone(),
            };
            let active = claim.record.state.is_active();
            let progress = node
                .progress_of(&printer)
                .filter(|p| active && p.copy == copy);
            rows.push(reply::Claim {
                copy: index + 1,
                attempt: claim.attempt + 1,
                host: snapshot.host_name(claim.host),
                printer: claim.record.printer.clone(),
                state: claim_word(claim.record.state).to_owned(),
                speculative: is_speculative(claim),
                credited_to: claim.record.credited_to.map(|index| index + 1),
                progress: progress.and_then(|progress| progress.fraction),
                left_s: progress.and_then(|progress| progress.left_s),
                note: note(job, claim, snapshot.is_lost(copy, claim.attempt)),
                at: rfc3339(claim.record.at),
            });
        }
    }
    rows
}

/// That the voters gave it up, what its printer said, or that it was made of the job as it was before somebody edited it.
fn note(job: &Job, claim: &Claim, lost: bool) -> Option<String> {
    let state = claim.record.state;
    if lost && !state.is_over() {
        return Some(LOST.to_owned());
    }
    let made = state.is_begun() || state == ClaimState::Finished;
    let older = made && claim.record.spec_hash != job.spec_hash();
    let note = claim.record.note.clone();
    note.or_else(|| older.then(|| "of the job as it was before an edit".to_owned()))
}

pub(crate) fn history(
    node: &Node,
    queue: Option<&str>,
    printer: Option<&str>,
    limit: usize,
) -> Vec<reply::HistoryRow> {
    let rows = node.history().into_iter().filter(|row| {
        let full = format!("{}/{}", row.host_name, row.printer.name);
        queue.is_none_or(|queue| row.queue == queue)
            && printer.is_none_or(|printer| row.printer.name == printer || full == printer)
    });
    let limit = if limit == 0 { usize::MAX } else { limit };
    rows.take(limit)
        .map(|row| reply::HistoryRow {
            at: rfc3339(row.ended.unwrap_or(row.started)),
            queue: row.queue,
            job_id: row.job.to_string(),
            job: row.job_name,
            copy: row.copy + 1,
            file_name: row.file_name,
            host: row.host_name,
            printer: row.printer.name,
            result: match row.result {
                RunResult::Started => "started",
                RunResult::Ok => "ok",
                RunResult::Failed => "failed",
                RunResult::Aborted => "aborted",
                RunResult::Unknown => "unknown",
            }
            .to_owned(),
            note: row.note,
            took_s: row
                .ended
                .map(|ended: Timestamp| ended.seconds_since(row.started)),
        })
        .collect()
}
