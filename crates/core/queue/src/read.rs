//! Reads the document into the plain [`Snapshot`]: all of it, or just what a change touched.
//!
//! What a later version or a faulty host wrote is passed over; nothing here fails.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Certificate, Claim, ColorRule, CopyId, HostId, Job, JobId, Member, PrinterId, Priority,
    QueueId, Rank, RequestId, RunRecord, RunResult, Set, SetId, SetSpec, Setting, Settings,
    Snapshot, Terms, Timestamp, Voters,
    change::{OpId, Scalar},
    engine::{Engine, Found, Map},
    epoch::Authority,
    kept::{Base, further, is_older},
    rules::{self, standing, strongest},
    schema::{
        ClaimId, Container, Entry, JobField, Meta, Place, SetField, certificate_key, claim_key,
        invite_key, lost_key, member_left_key, member_name_key, meta_key, printer_key, request_key,
        run_key, run_keys,
    },
};

/// What an edit or an admission changed, by the things that a reader knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// The queue itself: name, voters, settings.
    pub meta: bool,
    /// Members.
    pub members: BTreeSet<HostId>,
    /// Printers.
    pub printers: BTreeSet<PrinterId>,
    /// Jobs, by their own fields and sets.
    pub jobs: BTreeSet<JobId>,
    /// Copies, by their claims and runs.
    pub copies: BTreeSet<CopyId>,
    /// Requests, made or taken back.
    pub requests: BTreeSet<RequestId>,
}

impl Touched {
    /// Returns whether nothing was.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what `other` names.
    pub fn extend(&mut self, other: Self) {
        self.meta |= other.meta;
        self.members.extend(other.members);
        self.printers.extend(other.printers);
        self.jobs.extend(other.jobs);
        self.copies.extend(other.copies);
        self.requests.extend(other.requests);
    }

    pub(crate) fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut touched = Self::default();
        for entry in entries {
            match entry {
                Entry::Meta(_) | Entry::Setting(_) | Entry::SettingOther | Entry::Group => {
                    touched.meta = true;
                }
                Entry::Request(id) => {
                    touched.requests.insert(id.clone());
                }
                Entry::Certificate(host)
                | Entry::MemberName(host)
                | Entry::MemberLeft(host)
                | Entry::MemberKept(host)
                | Entry::Invite(host, _)
                | Entry::MemberOther(host) => {
                    touched.members.insert(*host);
                }
                Entry::Printer(printer) => {
                    touched.printers.insert(printer.clone());
                }
                Entry::Job(job)
                | Entry::JobField(job, _)
                | Entry::JobSet(job, _, _)
                | Entry::JobAgain(job, _)
                | Entry::JobOther(job) => {
                    touched.jobs.insert(*job);
                }
                Entry::Claim(id) | Entry::Run(id, _) | Entry::ClaimOther(id) | Entry::Lost(id) => {
                    touched.copies.insert(id.copy);
                }
            }
        }
        touched
    }
}

/// A queue of which nothing is known but its id.
pub(crate) fn empty(queue: QueueId) -> Snapshot {
    Snapshot {
        queue,
        name: String::new(),
        voters: Voters {
            cfg: 0,
            hosts: Vec::new(),
        },
        members: BTreeMap::new(),
        invites: BTreeMap::new(),
        printers: BTreeMap::new(),
        jobs: BTreeMap::new(),
        claims: BTreeMap::new(),
        lost: BTreeMap::new(),
        configs: BTreeMap::new(),
        settings: Settings::default(),
        requests: BTreeMap::new(),
        made: BTreeSet::new(),
    }
}

/// Reads everything.
pub(crate) fn all(engine: &Engine, base: &Base) -> Snapshot {
    let mut snapshot = empty(base.authority.queue);
    base.lay_under(&mut snapshot);
    let buckets = (0..=u8::MAX).flat_map(|n| [Container::Jobs(n), Container::Copies(n)]);
    let containers = [
        Container::Meta,
        Container::Settings,
        Container::Members,
        Container::Printers,
        Container::Requests,
    ];
    let entries: BTreeSet<Entry> = containers
        .into_iter()
        .chain(buckets)
        .flat_map(|container| {
            let keys = engine.keys(Map::Root(container));
            let place = Place::Genesis(container);
            keys.into_iter()
                .filter_map(move |key| Entry::parse(place, &key))
        })
        .collect();
    refresh(&mut snapshot, engine, base, &entries);
    snapshot
}

/// Reads again what `entries` name.
pub(crate) fn refresh(
    snapshot: &mut Snapshot,
    engine: &Engine,
    base: &Base,
    entries: &BTreeSet<Entry>,
) {
    let mut jobs = BTreeSet::new();
    let mut members = BTreeSet::new();
    let mut claims = BTreeSet::new();
    for entry in entries {
        match entry {
            Entry::Meta(Meta::Name) => snapshot.name = queue_name(engine),
            Entry::Meta(meta @ (Meta::Voters | Meta::Config(_))) => {
                for voters in voters(engine, *meta) {
                    snapshot.configs.insert(voters.cfg, voters.hosts);
                }
                if let Some((cfg, hosts)) = snapshot.configs.last_key_value() {
                    snapshot.voters = Voters {
                        cfg: *cfg,
                        hosts: hosts.clone(),
                    };
                }
            }
            Entry::Setting(_) => snapshot.settings = settings(engine),
            Entry::Request(id) => {
                let request = engine.value(Map::Root(Container::Requests), &request_key(id));
                match request.and_then(|request| request.as_json()) {
                    Some(request) => snapshot.requests.insert(id.clone(), request),
                    None => snapshot.requests.remove(id),
                };
            }
            Entry::Lost(id) => refresh_lost(snapshot, engine, *id),
            Entry::Certificate(host) | Entry::MemberName(host) | Entry::MemberLeft(host) => {
                members.insert(*host);
            }
            Entry::Invite(host, public) => {
                let record =
                    engine.value(Map::Root(Container::Members), &invite_key(*host, *public));
                if let Some(record) = record.and_then(|record| record.as_json()) {
                    let said = snapshot.invites.entry(*public).or_default();
                    said.insert(*host, record);
                }
            }
            Entry::Printer(id) => {
                let record = engine.value(Map::Root(Container::Printers), &printer_key(id));
                match record.and_then(|record| record.as_json()) {
                    Some(record) => snapshot.printers.insert(id.clone(), record),
                    None => snapshot.printers.remove(id),
                };
            }
            Entry::Job(job)
            | Entry::JobField(job, _)
            | Entry::JobSet(job, _, _)
            | Entry::JobAgain(job, _) => {
                jobs.insert(*job);
            }
            Entry::Claim(id) => {
                claims.insert(*id);
            }
            Entry::Run(id, k) => refresh_run(snapshot, engine, *id, *k),
            Entry::Meta(
                Meta::Format
                | Meta::MinWriter
                | Meta::Queue
                | Meta::Epoch
                | Meta::Key
                | Meta::Other,
            )
            | Entry::SettingOther
            | Entry::MemberKept(_)
            | Entry::MemberOther(_)
            | Entry::Group
            | Entry::JobOther(_)
            | Entry::ClaimOther(_) => {}
        }
    }
    for id in claims {
        refresh_claim(snapshot, engine, base, id);
    }
    for host in members {
        match member(engine, &base.authority, host) {
            Some(member) => snapshot.members.insert(host, member),
            None => snapshot.members.remove(&host),
        };
    }
    for id in jobs {
        let found = job_map(engine, id).and_then(|map| job(engine, id, map));
        if found.is_some() {
            snapshot.made.remove(&id);
        }
        match found.or_else(|| base.job(id).cloned()) {
            Some(job) => snapshot.jobs.insert(id, job),
            None => snapshot.jobs.remove(&id),
        };
    }
    let decides = |entry: &Entry| matches!(entry, Entry::Certificate(_));
    if !base.kept.is_empty() && entries.iter().any(decides) {
        forget_put_out(snapshot, engine, base);
    }
}

/// What only this host knows of the prints of a member that was put out counts no more: that member cannot say it again, and who
/// had not heard it would see those copies differently for ever. The voters know what they gave it, and give that up in time.
fn forget_put_out(snapshot: &mut Snapshot, engine: &Engine, base: &Base) {
    for (job, claim_of) in base.kept.iter().flat_map(|(id, kept)| {
        let shared = kept.job.is_none();
        let claims = kept.claims.iter().filter(move |_| shared);
        claims.map(|claim| (*id, claim))
    }) {
        let (index, known) = claim_of;
        let copy = CopyId { job, index: *index };
        let out = snapshot.members.get(&known.host);
        if !out.is_some_and(Member::is_removed) {
            continue;
        }
        let (attempt, host) = (known.attempt, known.host);
        let id = ClaimId {
            copy,
            attempt,
            host,
        };
        let claims = snapshot.claims.entry(copy).or_default();
        match claim(engine, id) {
            Some(said) => claims.insert((attempt, host), said),
            None => claims.remove(&(attempt, host)),
        };
        if claims.is_empty() {
            snapshot.claims.remove(&copy);
        }
    }
}

fn queue_name(engine: &Engine) -> String {
    let name = engine.value(Map::Root(Container::Meta), &meta_key(Meta::Name));
    name.as_ref()
        .and_then(Scalar::as_text)
        .unwrap_or_default()
        .to_owned()
}

/// Every value counts: of one configuration there is but one, decided by the voters before it.
fn voters(engine: &Engine, meta: Meta) -> impl Iterator<Item = Voters> {
    let values = engine.values(Map::Root(Container::Meta), &meta_key(meta));
    values.into_iter().filter_map(|found| match found {
        Found::Scalar(value) => value.as_json(),
        Found::Map(_) | Found::Foreign => None,
    })
}

fn settings(engine: &Engine) -> Settings {
    let map = Map::Root(Container::Settings);
    let values = Setting::ALL.into_iter().filter_map(|setting| {
        let value = engine.value(map, setting.key())?;
        Some((setting, value.as_text()?.to_owned()))
    });
    Settings::read(&values.collect())
}

fn refresh_lost(snapshot: &mut Snapshot, engine: &Engine, id: ClaimId) {
    let map = Map::Root(Container::of_copies(id.copy.job));
    let record = engine.value(map, &lost_key(id));
    if let Some(record) = record.and_then(|record| record.as_json()) {
        let lost = snapshot.lost.entry((id.copy, id.attempt)).or_default();
        lost.insert(id.host, record);
    }
}

/// The best valid certificate of a host: of several concurrent ones each counts.
pub(crate) fn certificate(
    engine: &Engine,
    authority: &Authority,
    host: HostId,
) -> Option<Certificate> {
    let values = engine.values(Map::Root(Container::Members), &certificate_key(host));
    let valid = values.into_iter().filter_map(|found| match found {
        Found::Scalar(value) => rules::certificate(&value, host, authority),
        Found::Map(_) | Found::Foreign => None,
    });
    valid.max_by(|a, b| standing(a).cmp(&standing(b)))
}

/// Whether a certificate says more than another one of the same member.
pub(crate) fn is_better(new: &Certificate, old: &Certificate) -> bool {
    standing(new) > standing(old)
}

/// Whether a certificate says more than another one, whoever signed them.
pub(crate) fn says_more(new: &Certificate, old: &Certificate) -> bool {
    let plain = |certificate: &Certificate| Certificate {
        signature: [0; 64],
        ..certificate.clone()
    };
    standing(&plain(new)) > standing(&plain(old))
}

fn member(engine: &Engine, authority: &Authority, host: HostId) -> Option<Member> {
    let certificate = certificate(engine, authority, host)?;
    let value = |key: String| engine.value(Map::Root(Container::Members), &key);
    let name = value(member_name_key(host));
    let name = name
        .as_ref()
        .and_then(Scalar::as_text)
        .filter(|name| !name.is_empty());
    let left = value(member_left_key(host)).and_then(|left| left.as_flag());
    let removed = certificate.removed;
    Some(Member {
        certificate,
        name: name.map_or_else(|| host.fingerprint(), str::to_owned),
        left: left.unwrap_or(false) || removed,
    })
}

/// The map of a job. Ids are random; should two hosts have made one id, the map made first counts, so that nobody can
/// hide a job behind a later one.
pub(crate) fn job_map(engine: &Engine, job: JobId) -> Option<OpId> {
    let values = engine.values(Map::Root(Container::of_job(job)), &job.to_string());
    values.into_iter().find_map(|found| match found {
        Found::Map(id) => Some(id),
        Found::Scalar(_) | Found::Foreign => None,
    })
}

#[derive(Default)]
struct SetParts {
    rank: Option<Rank>,
    per_run: Option<u32>,
    spec: Option<SetSpec>,
}

fn job(engine: &Engine, id: JobId, map: OpId) -> Option<Job> {
    let mut fields = BTreeMap::new();
    let mut sets: BTreeMap<SetId, SetParts> = BTreeMap::new();
    let mut again = BTreeMap::new();
    for (key, value) in engine.entries(Map::Job(map)) {
        match Entry::parse(Place::Job(id), &key) {
            Some(Entry::JobField(_, field)) => {
                fields.insert(field, value);
            }
            Some(Entry::JobSet(_, set, field)) => {
                let parts = sets.entry(set).or_default();
                match field {
                    SetField::Rank => parts.rank = value.as_text().and_then(Rank::parse),
                    SetField::PerRun => parts.per_run = count(&value),
                    SetField::Spec => parts.spec = value.as_json(),
                }
            }
            Some(Entry::JobAgain(_, index)) => {
                let attempt = value.as_number().and_then(|n| u32::try_from(n).ok());
                again.extend(attempt.map(|attempt| (index, attempt)));
            }
            _ => {}
        }
    }
    let flag = |field| {
        fields
            .get(&field)
            .and_then(Scalar::as_flag)
            .unwrap_or(false)
    };
    let sets = sets.into_iter().filter_map(|(id, parts)| {
        Some(Set {
            id,
            rank: parts.rank?,
            per_run: parts.per_run?,
            spec: parts.spec?,
        })
    });
    let mut sets: Vec<Set> = sets.collect();
    sets.sort_by(|a, b| a.rank.cmp(&b.rank).then(a.id.cmp(&b.id)));
    Some(Job {
        id,
        name: fields.get(&JobField::Name)?.as_text()?.to_owned(),
        rank: Rank::parse(fields.get(&JobField::Rank)?.as_text()?)?,
        copies: count(fields.get(&JobField::Copies)?)?,
        together: flag(JobField::Together),
        draft: flag(JobField::Draft),
        held: flag(JobField::Held),
        printers: fields.get(&JobField::Printers)?.as_json()?,
        state: fields.get(&JobField::State)?.as_json()?,
        submitter: map.author.host,
        created: Timestamp(fields.get(&JobField::Created)?.as_number()?),
        origin: fields.get(&JobField::Origin).and_then(Scalar::parse),
        retries: fields
            .get(&JobField::Retries)
            .and_then(Scalar::as_number)
            .and_then(|retries| u32::try_from(retries).ok()),
        again,
        terms: terms(&fields),
        sets,
    })
}

/// What a later version wrote, or nobody, is as it is by default.
fn terms(fields: &BTreeMap<JobField, Scalar>) -> Terms {
    let text = |field| fields.get(&field).and_then(Scalar::as_text);
    let number = |field| fields.get(&field).and_then(Scalar::as_number);
    // A date is taken back by writing 0: a key of a job is never deleted.
    let date = |field| number(field).filter(|ms| *ms > 0).map(Timestamp);
    let flag = |field| fields.get(&field).and_then(Scalar::as_flag);
    let tags = fields.get(&JobField::Tags).and_then(Scalar::as_json);
    Terms {
        group: text(JobField::Group).unwrap_or_default().to_owned(),
        backburner: flag(JobField::Backburner).unwrap_or(false),
        print_anyway: flag(JobField::PrintAnyway).unwrap_or(false),
        priority: text(JobField::Priority)
            .and_then(Priority::from_word)
            .unwrap_or_default(),
        due: date(JobField::Due),
        not_before: date(JobField::NotBefore),
        color: text(JobField::Color)
            .and_then(ColorRule::from_word)
            .unwrap_or_default(),
        tags: tags.unwrap_or_default(),
        level: number(JobField::Level)
            .and_then(|level| u32::try_from(level).ok())
            .unwrap_or(0),
    }
}

fn count(value: &Scalar) -> Option<u32> {
    u32::try_from(value.as_number()?)
        .ok()
        .filter(|count| (1..=crate::COPIES_MAX).contains(count))
}

fn refresh_claim(snapshot: &mut Snapshot, engine: &Engine, base: &Base, id: ClaimId) {
    let Some(document) = claim(engine, id) else {
        return;
    };
    let known = base.claim(id.copy, id.attempt, id.host);
    let again = known.is_some() && {
        let map = Map::Root(Container::of_copies(id.copy.job));
        engine.is_new(map, &claim_key(id))
    };
    let claims = snapshot.claims.entry(id.copy).or_default();
    claims.insert((id.attempt, id.host), further(document, again, known));
}

/// Runs that come before their claim are passed over: they are read with it.
fn refresh_run(snapshot: &mut Snapshot, engine: &Engine, id: ClaimId, k: u32) {
    let claim = snapshot
        .claims
        .get_mut(&id.copy)
        .and_then(|claims| claims.get_mut(&(id.attempt, id.host)));
    let Some(claim) = claim else { return };
    let map = Map::Root(Container::of_copies(id.copy.job));
    let record = engine.value(map, &run_key(id, k));
    let Some(record) = record.and_then(|record| record.as_json::<RunRecord>()) else {
        return;
    };
    let record = best_known(engine, map, &run_key(id, k), record);
    if !claim
        .runs
        .get(&k)
        .is_some_and(|known| is_older(&record, known))
    {
        claim.runs.insert(k, record);
    }
}

/// What is known of a print: a host that was restored from a backup says that it does not know, beside what it had said before.
fn best_known(engine: &Engine, map: Map, key: &str, last: RunRecord) -> RunRecord {
    let knows = |run: &RunRecord| match run.result {
        RunResult::Started => 0,
        RunResult::Unknown => 1,
        RunResult::Ok | RunResult::Failed | RunResult::Aborted => 2,
    };
    if knows(&last) == 2 {
        return last;
    }
    let said = engine.values(map, key).into_iter();
    let said = said.filter_map(|found| match found {
        Found::Scalar(value) => value.as_json::<RunRecord>(),
        Found::Map(_) | Found::Foreign => None,
    });
    // Of those that know as much the last one counts, as everywhere.
    let best = said
        .max_by_key(knows)
        .filter(|best| knows(best) > knows(&last));
    best.unwrap_or(last)
}

/// A claim with its runs, as the document has it.
fn claim(engine: &Engine, id: ClaimId) -> Option<Claim> {
    let map = Map::Root(Container::of_copies(id.copy.job));
    let values = engine.values(map, &claim_key(id));
    let records: Vec<_> = values
        .into_iter()
        .filter_map(|found| match found {
            Found::Scalar(value) => value.as_json(),
            Found::Map(_) | Found::Foreign => None,
        })
        .collect();
    let record = strongest(records.iter()).cloned()?;
    let (from, to) = run_keys(id);
    let runs = engine
        .range(map, &from, &to)
        .into_iter()
        .filter_map(|(key, value)| {
            match Entry::parse(Place::Genesis(Container::of_copies(id.copy.job)), &key)? {
                Entry::Run(_, k) => Some((k, best_known(engine, map, &key, value.as_json()?))),
                _ => None,
            }
        });
    Some(Claim {
        host: id.host,
        attempt: id.attempt,
        record,
        runs: runs.collect(),
    })
}
