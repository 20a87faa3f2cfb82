//! One edit of this host: plain setters that collect what one change will write.
//!
//! Nothing is decided here: whether a person may do that, and whether it makes sense, is asked before. What would
//! break the document's own rules is refused as a whole when the edit ends, by the same judge as for everybody else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{
    Author, Certificate, ClaimRecord, Configuration, CopyId, HostId, InviteRecord, Job, JobId,
    JobState, LostRecord, PrinterId, PrinterRecord, Rank, Refusal, Request, RequestId, RunRecord,
    SetId, Setting, Snapshot, Terms, Timestamp, Voters, WireError,
    change::{Action, Scalar},
    engine::{Engine, Found, Map},
    kept::Base,
    read,
    schema::{
        ClaimId, Container, FORMAT, JobField, Meta, SetField, WRITER, again_key, certificate_key,
        claim_key, invite_key, job_key, lost_key, member_kept_key, member_left_key,
        member_name_key, meta_key, printer_key, request_key, run_key, set_key,
    },
};

mod again;
mod compose;

pub(crate) use again::Fate;

/// Why an edit was not made; the document is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It changes a job that the document does not have.
    #[error("failed to edit job {0}: there is no such job")]
    UnknownJob(JobId),
    /// It adds a job that is there.
    #[error("failed to add job {0}: it exists already")]
    JobExists(JobId),
    /// The queue asks for a later version of this program (its layout number).
    #[error("failed to edit the queue: it is written by layout {0} only")]
    OldWriter(u64),
    /// The signer is not this document's host, or its signature does not verify.
    #[error("failed to sign the edit: the signer is not this host")]
    Signer,
    /// No host would take it.
    #[error("failed to edit the queue: {0}")]
    Refused(Refusal),
    /// It is too large for an epoch.
    #[error("failed to begin an epoch: the queue is over its limits")]
    TooLarge,
    /// It is too large for one change.
    #[error("failed to write the edit")]
    Write(#[source] WireError),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Known(Map),
    /// The map of a job that this edit adds, by its position in the list of them.
    New(usize),
}

struct Pending {
    slot: Slot,
    key: String,
    action: Action,
}

/// Collects what one change writes.
pub struct Edit<'a> {
    base: &'a Base,
    author: Author,
    snapshot: &'a Snapshot,
    engine: &'a Engine,
    pending: Vec<Pending>,
    new_jobs: Vec<JobId>,
    problem: Option<EditError>,
}

impl<'a> Edit<'a> {
    pub(crate) fn new(
        base: &'a Base,
        author: Author,
        snapshot: &'a Snapshot,
        engine: &'a Engine,
    ) -> Self {
        Self {
            base,
            author,
            snapshot,
            engine,
            pending: Vec::new(),
            new_jobs: Vec::new(),
            problem: None,
        }
    }

    /// Returns the state before this edit.
    pub fn snapshot(&self) -> &Snapshot {
        self.snapshot
    }

    /// Founds a new queue: the first change of its creator, with its own certificate.
    pub fn found(&mut self, name: &str, voters: &Voters, certificate: &Certificate) {
        let queue = Scalar::Bytes(self.base.authority.queue.0.to_vec());
        self.put_meta(Meta::Format, Scalar::Number(FORMAT));
        self.put_meta(Meta::MinWriter, Scalar::Number(WRITER));
        self.put_meta(Meta::Queue, queue);
        self.put_meta(
            Meta::Epoch,
            Scalar::Number(self.base.authority.epoch.number),
        );
        self.set_queue_name(name);
        self.put_meta(Meta::Voters, Scalar::json(voters));
        self.put_certificate(certificate);
    }

    /// Renames the queue.
    pub fn set_queue_name(&mut self, name: &str) {
        self.put_meta(Meta::Name, Scalar::text(name));
    }

    /// Publishes who decides claims from now on; the number of the configuration must be new.
    pub fn set_voters(&mut self, voters: &Voters) {
        self.put_meta(Meta::Config(voters.cfg), Scalar::json(voters));
    }

    /// Publishes a configuration that the voters before it decided, with their word for it.
    pub fn publish_voters(&mut self, configuration: &Configuration) {
        let key = Meta::Config(configuration.voters.cfg);
        self.put_meta(key, Scalar::json(configuration));
    }

    /// Sets one of the queue's settings, as a person types it.
    pub fn set_setting(&mut self, setting: Setting, value: &str) {
        let key = setting.key().to_owned();
        self.put_root(Container::Settings, key, Scalar::text(value));
    }

    /// Asks something of the hosts that hold claims.
    pub fn put_request(&mut self, id: &str, request: &Request) {
        let key = request_key(&self.request_id(id));
        self.put_root(Container::Requests, key, Scalar::json(request));
    }

    /// Takes a request of this host back; one that is not there changes nothing.
    pub fn drop_request(&mut self, id: &str) {
        let id = self.request_id(id);
        if self.snapshot.requests.contains_key(&id) {
            self.pending.push(Pending {
                slot: Slot::Known(Map::Root(Container::Requests)),
                key: request_key(&id),
                action: Action::Delete,
            });
        }
    }

    fn request_id(&self, id: &str) -> RequestId {
        RequestId {
            host: self.author.host,
            id: id.to_owned(),
        }
    }

    /// Says as a voter that an attempt is lost.
    pub fn put_lost(&mut self, copy: CopyId, attempt: u32, record: &LostRecord) {
        let key = lost_key(self.claim_id(copy, attempt));
        self.put_root(Container::of_copies(copy.job), key, Scalar::json(record));
    }

    /// Sets how often a copy of the job is tried again after it failed.
    pub fn set_job_retries(&mut self, job: JobId, retries: u32) {
        self.put_job(job, JobField::Retries, Scalar::Number(retries.into()));
    }

    /// Says that a person wants a copy tried once more, whatever became of this attempt and the ones before it.
    pub fn set_again(&mut self, copy: CopyId, attempt: u32) {
        match self.job_slot(copy.job) {
            Some(slot) => self.put(slot, again_key(copy.index), Scalar::Number(attempt.into())),
            None => self.unknown(copy.job),
        }
    }

    /// Adds a member, or gives it a better certificate; one that is not better changes nothing.
    pub fn put_certificate(&mut self, certificate: &Certificate) {
        let member = certificate.member;
        let authority = &self.base.authority;
        let known = self.read(|engine| read::certificate(engine, authority, member));
        if known.is_none_or(|known| read::is_better(certificate, &known)) {
            let key = certificate_key(member);
            self.put_root(Container::Members, key, Scalar::json(certificate));
        }
    }

    /// Sets the name by which this host wants to be known.
    pub fn set_my_name(&mut self, name: &str) {
        let key = member_name_key(self.author.host);
        self.put_root(Container::Members, key, Scalar::text(name));
    }

    /// Leaves the queue: this host says that it will not come back.
    pub fn leave(&mut self) {
        let key = member_left_key(self.author.host);
        self.put_root(Container::Members, key, Scalar::Flag(true));
    }

    /// Says of an invite that it was made, or that it is good no more.
    pub fn put_invite(&mut self, public: HostId, record: &InviteRecord) {
        let key = invite_key(self.author.host, public);
        self.put_root(Container::Members, key, Scalar::json(record));
    }

    /// Says that what `member` had written here before `turn` was decided about it belongs to the queue: this change
    /// follows it, so that the others take it in too.
    pub fn keep_what_was(&mut self, member: HostId, turn: u32) {
        let key = member_kept_key(self.author.host);
        let value = Scalar::text(format!("{member}/{turn}"));
        self.put_root(Container::Members, key, value);
    }

    /// Comes back after [`Edit::leave`].
    pub fn stay(&mut self) {
        if self
            .snapshot
            .members
            .get(&self.author.host)
            .is_some_and(|member| member.left)
        {
            let key = member_left_key(self.author.host);
            self.put_root(Container::Members, key, Scalar::Flag(false));
        }
    }

    /// Announces a printer of this host, or what has changed about it.
    pub fn put_printer(&mut self, name: &str, record: &PrinterRecord) {
        let printer = PrinterId {
            host: self.author.host,
            name: name.to_owned(),
        };
        self.put_root(
            Container::Printers,
            printer_key(&printer),
            Scalar::json(record),
        );
    }

    /// Adds a job; its submitter must be this host.
    pub fn add_job(&mut self, job: &Job) {
        let known = self.job_slot(job.id);
        if known.is_some() {
            self.problem.get_or_insert(EditError::JobExists(job.id));
            return;
        }
        self.new_jobs.push(job.id);
        let slot = Slot::New(self.new_jobs.len() - 1);
        self.pending.push(Pending {
            slot: Slot::Known(Map::Root(Container::of_job(job.id))),
            key: job.id.to_string(),
            action: Action::MakeMap,
        });
        let fields = [
            (JobField::Name, Scalar::text(&job.name)),
            (JobField::Rank, Scalar::text(job.rank.as_str())),
            (JobField::Copies, Scalar::Number(job.copies.into())),
            (JobField::Together, Scalar::Flag(job.together)),
            (JobField::Draft, Scalar::Flag(job.draft)),
            (JobField::Held, Scalar::Flag(job.held)),
            (JobField::Printers, Scalar::json(&job.printers)),
            (JobField::State, Scalar::json(&job.state)),
            (JobField::Submitter, Scalar::text(job.submitter)),
            (JobField::Created, Scalar::Number(job.created.0)),
        ];
        for (field, value) in fields {
            self.put(slot, job_key(field).to_owned(), value);
        }
        if let Some(origin) = job.origin {
            self.put(
                slot,
                job_key(JobField::Origin).to_owned(),
                Scalar::text(origin),
            );
        }
        if let Some(retries) = job.retries {
            let key = job_key(JobField::Retries).to_owned();
            self.put(slot, key, Scalar::Number(retries.into()));
        }
        for (field, value) in term_values(&Terms::default(), &job.terms) {
            self.put(slot, job_key(field).to_owned(), value);
        }
        for set in &job.sets {
            self.put(
                slot,
                set_key(set.id, SetField::Rank),
                Scalar::text(set.rank.as_str()),
            );
            self.put(
                slot,
                set_key(set.id, SetField::PerRun),
                Scalar::Number(set.per_run.into()),
            );
            self.put(
                slot,
                set_key(set.id, SetField::Spec),
                Scalar::json(&set.spec),
            );
        }
    }

    /// Renames a job.
    pub fn set_job_name(&mut self, job: JobId, name: &str) {
        self.put_job(job, JobField::Name, Scalar::text(name));
    }

    /// Moves a job.
    pub fn set_job_rank(&mut self, job: JobId, rank: &Rank) {
        self.put_job(job, JobField::Rank, Scalar::text(rank.as_str()));
    }

    /// Sets how many copies are wanted.
    pub fn set_job_copies(&mut self, job: JobId, copies: u32) {
        self.put_job(job, JobField::Copies, Scalar::Number(copies.into()));
    }

    /// Sets whether one claim takes all copies.
    pub fn set_job_together(&mut self, job: JobId, together: bool) {
        self.put_job(job, JobField::Together, Scalar::Flag(together));
    }

    /// Releases a draft, or makes one.
    pub fn set_job_draft(&mut self, job: JobId, draft: bool) {
        self.put_job(job, JobField::Draft, Scalar::Flag(draft));
    }

    /// Holds a job, or lets it go on.
    pub fn set_job_held(&mut self, job: JobId, held: bool) {
        self.put_job(job, JobField::Held, Scalar::Flag(held));
    }

    /// Sets the printers that may take a job; none = any.
    pub fn set_job_printers(&mut self, job: JobId, printers: &[String]) {
        self.put_job(job, JobField::Printers, Scalar::json(&printers));
    }

    /// Changes when and where a job may print; where `terms` says what the job says already, nothing is written.
    pub fn set_job_terms(&mut self, job: JobId, terms: &Terms) {
        let Some(before) = self.snapshot.jobs.get(&job) else {
            self.unknown(job);
            return;
        };
        for (field, value) in term_values(&before.terms, terms) {
            self.put_job(job, field, value);
        }
    }

    /// Cancels a job, notes where it went, or takes it back.
    pub fn set_job_state(&mut self, job: JobId, state: &JobState) {
        self.put_job(job, JobField::State, Scalar::json(state));
    }

    /// Sets how often a set is printed in each copy.
    pub fn set_per_run(&mut self, job: JobId, set: SetId, per_run: u32) {
        match self.job_slot(job) {
            Some(slot) => {
                let key = set_key(set, SetField::PerRun);
                self.put(slot, key, Scalar::Number(per_run.into()));
            }
            None => self.unknown(job),
        }
    }

    /// Writes this host's lease record for an attempt on a copy.
    pub fn put_claim(&mut self, copy: CopyId, attempt: u32, record: &ClaimRecord) {
        let key = claim_key(self.claim_id(copy, attempt));
        self.put_root(Container::of_copies(copy.job), key, Scalar::json(record));
    }

    /// Writes the `k`th physical print under this host's claim.
    pub fn put_run(&mut self, copy: CopyId, attempt: u32, k: u32, record: &RunRecord) {
        let key = run_key(self.claim_id(copy, attempt), k);
        self.put_root(Container::of_copies(copy.job), key, Scalar::json(record));
    }

    fn claim_id(&self, copy: CopyId, attempt: u32) -> ClaimId {
        ClaimId {
            copy,
            attempt,
            host: self.author.host,
        }
    }

    fn put_meta(&mut self, meta: Meta, value: Scalar) {
        self.put_root(Container::Meta, meta_key(meta), value);
    }

    fn put_root(&mut self, container: Container, key: String, value: Scalar) {
        self.put(Slot::Known(Map::Root(container)), key, value);
    }

    fn put_job(&mut self, job: JobId, field: JobField, value: Scalar) {
        match self.job_slot(job) {
            Some(slot) => self.put(slot, job_key(field).to_owned(), value),
            None => self.unknown(job),
        }
    }

    fn unknown(&mut self, job: JobId) {
        self.problem.get_or_insert(EditError::UnknownJob(job));
    }

    fn job_slot(&mut self, job: JobId) -> Option<Slot> {
        match self.new_jobs.iter().position(|new| *new == job) {
            Some(new) => Some(Slot::New(new)),
            None => self
                .read(|engine| read::job_map(engine, job))
                .map(|map| Slot::Known(Map::Job(map))),
        }
    }

    /// Reads from the engine, which may panic on what nobody foresaw.
    fn read<T: Default>(&mut self, read: impl FnOnce(&Engine) -> T) -> T {
        let engine = self.engine;
        catch_unwind(AssertUnwindSafe(|| read(engine))).unwrap_or_else(|_| {
            self.problem = Some(EditError::Refused(Refusal::Engine));
            T::default()
        })
    }

    /// Keeps one write per key, and none that changes nothing.
    fn put(&mut self, slot: Slot, key: String, value: Scalar) {
        let is_there = |pending: &Pending| pending.slot == slot && pending.key == key;
        self.pending.retain(|pending| !is_there(pending));
        if let Slot::Known(map) = slot
            && let [Found::Scalar(now)] = self.read(|engine| engine.values(map, &key)).as_slice()
            && *now == value
        {
            return;
        }
        self.pending.push(Pending {
            slot,
            key,
            action: Action::Put(value),
        });
    }
}

/// The keys of a job in which two terms differ, with what `to` says. Where a job begins to count is said once.
fn term_values(from: &Terms, to: &Terms) -> Vec<(JobField, Scalar)> {
    let date = |date: Option<Timestamp>| Scalar::Number(date.map_or(0, |date| date.0));
    let all = [
        (
            JobField::Group,
            Scalar::text(&to.group),
            from.group != to.group,
        ),
        (
            JobField::Backburner,
            Scalar::Flag(to.backburner),
            from.backburner != to.backburner,
        ),
        (
            JobField::PrintAnyway,
            Scalar::Flag(to.print_anyway),
            from.print_anyway != to.print_anyway,
        ),
        (
            JobField::Priority,
            Scalar::text(to.priority.word()),
            from.priority != to.priority,
        ),
        (JobField::Due, date(to.due), from.due != to.due),
        (
            JobField::NotBefore,
            date(to.not_before),
            from.not_before != to.not_before,
        ),
        (
            JobField::Color,
            Scalar::text(to.color.word()),
            from.color != to.color,
        ),
        (JobField::Tags, Scalar::json(&to.tags), from.tags != to.tags),
        (
            JobField::Level,
            Scalar::Number(to.level.into()),
            from.level != to.level,
        ),
    ];
    let changed = all.into_iter().filter(|(_, _, differs)| *differs);
    changed.map(|(field, value, _)| (field, value)).collect()
}

#[cfg(test)]
impl Edit<'_> {
    /// Takes any write, however senseless.
    pub(crate) fn write_anything(&mut self, map: Map, key: &str, action: Action) {
        self.pending.push(Pending {
            slot: Slot::Known(map),
            key: key.to_owned(),
            action,
        });
    }
}
