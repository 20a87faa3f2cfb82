//! Files of jobs: fetched from members, put into the imports folder, and asked for again when nobody had them.

use printmesh_queue::{FileSpec, HostId, JobId, JobState, QueueId, Set, SetId};
use printmesh_schedule::file_for;

use crate::{
    effect::Effect,
    event::Event,
    input::FetchFailure,
    limits::{MISSING_MS, MISSING_MS_MAX},
    node::Node,
    records::{self, Imported, Stage, Work, key},
};

/// A file on its way here.
pub(crate) struct Fetching {
    /// Queue and file, to ask again when it fails.
    wanted: (QueueId, FileSpec),
    /// 0 to 1.
    done: f32,
    /// A member has connected since it was asked for: whom nobody asked, or who could not answer, may have it.
    met: bool,
    /// Nobody waits for it yet.
    pub(crate) ahead: bool,
}

/// A file that nobody had.
pub(crate) struct Missing {
    queue: QueueId,
    file: FileSpec,
    /// When to ask again; never by itself while there is nobody to ask.
    pub(crate) again_ms: u64,
    wait_ms: u64,
}

impl Node {
    /// Files of the claim that are not on this host.
    pub(crate) fn files_wanted(&self, work: &Work) -> impl Iterator<Item = FileSpec> + use<> {
        let entry = self.queues.get(&work.queue);
        let job = entry.and_then(|entry| entry.doc.snapshot().jobs.get(&work.copy.job));
        let wanted: Vec<FileSpec> = job
            .into_iter()
            .flat_map(|job| {
                job.sets
                    .iter()
                    .filter_map(|set| self.file_of(work, job, set))
            })
            .filter(|file| !self.files.contains(&file.hash))
            .cloned()
            .collect();
        wanted.into_iter()
    }

    /// The file that the claim's printer prints of a set: of several alternatives the first one that fits it.
    pub(crate) fn file_of<'a>(
        &self,
        work: &Work,
        job: &printmesh_queue::Job,
        set: &'a Set,
    ) -> Option<&'a FileSpec> {
        if set.spec.files.len() < 2 {
            return set.spec.files.first();
        }
        let snapshot = self.queues.get(&work.queue)?.doc.snapshot();
        file_for(snapshot, job, set, &self.printer_id(&work.ballot.printer))
    }

    /// Asks the members of a queue for a file, unless that is under way.
    pub(crate) fn fetch(&mut self, queue: QueueId, file: &FileSpec) {
        match self.fetching.get_mut(&file.hash) {
            // From now on somebody waits for it.
            Some(fetching) => fetching.ahead = false,
            None => self.begin_fetch(queue, file, false),
        }
    }

    pub(crate) fn begin_fetch(&mut self, queue: QueueId, file: &FileSpec, ahead: bool) {
        if self.files.contains(&file.hash) {
            return;
        }
        let wanted = (queue, file.clone());
        self.fetching.insert(
            file.hash,
            Fetching {
                wanted,
                done: 0.0,
                met: false,
                ahead,
            },
        );
        let from = self.whom_to_ask(queue);
        self.effect(Effect::Fetch {
            hash: file.hash,
            size: file.size,
            from,
            ahead,
        });
    }

    fn whom_to_ask(&self, queue: QueueId) -> Vec<HostId> {
        let members = self.queues[&queue].doc.snapshot().present_members();
        members
            .map(|(host, _)| *host)
            .filter(|host| self.peers.get(host).is_some_and(|peer| peer.connected))
            .collect()
    }

    /// Whatever nobody had may have just come into reach.
    pub(crate) fn ask_again_for_missing(&mut self) {
        for missing in self.missing.values_mut() {
            missing.again_ms = self.now.mono_ms;
            missing.wait_ms = MISSING_MS;
        }
        for fetching in self.fetching.values_mut() {
            fetching.met = true;
        }
    }

    /// Asks again for files that nobody had, without claiming anything: a claim per try would fill the document.
    pub(crate) fn ask_for_missing(&mut self) {
        let now = self.now.mono_ms;
        let due: Vec<_> = self
            .missing
            .iter_mut()
            .filter(|(_, missing)| missing.again_ms <= now)
            .map(|(hash, missing)| {
                missing.again_ms = u64::MAX;
                (*hash, missing.queue, missing.file.clone())
            })
            .collect();
        for (hash, queue, file) in due {
            let wanted = self.queues.values().any(|entry| {
                let mut jobs = entry.doc.snapshot().jobs.values();
                let of_job = |job: &printmesh_queue::Job| {
                    let mut files = job.sets.iter().flat_map(|set| &set.spec.files);
                    job.state == JobState::Open && files.any(|other| other.hash == hash)
                };
                !entry.record.left && jobs.any(of_job)
            });
            if wanted {
                self.fetch(queue, &file);
            } else {
                self.missing.remove(&hash);
            }
        }
    }

    pub(crate) fn import_sets(&mut self, work: &Work) {
        let job = &self.queues[&work.queue].doc.snapshot().jobs[&work.copy.job];
        let wanted: Vec<(SetId, FileSpec)> = job
            .sets
            .iter()
            .filter_map(|set| Some((set.id, self.file_of(work, job, set)?.clone())))
            .filter(|(set, file)| !self.is_at_hand(job.id, *set, file))
            .collect();
        let (job, job_name) = (job.id, job.name.clone());
        for (set, file) in wanted {
            self.import(job, &job_name, set, &file);
        }
    }

    /// Takes over where the only file of a set lies.
    pub(crate) fn name_import(&mut self, job: JobId, set: SetId, path: &String) {
        let jobs = self.queues.values().map(|queue| &queue.doc.snapshot().jobs);
        let mut jobs = jobs.filter_map(|jobs| jobs.get(&job));
        let found = jobs.find_map(|job| {
            let set = job.sets.iter().find(|other| other.id == set)?;
            set.spec.files.first()
        });
        let Some(file) = found.map(|file| file.hash) else {
            return;
        };
        let imported = (job, set, file);
        self.write(records::put(key::import(imported), path));
        self.imports.insert(imported, path.clone());
    }

    /// In the middle of a copy another alternative fits its printer: its file is fetched, and put beside the others. Returns
    /// whether that went on.
    pub(crate) fn import_again(&mut self, work: &Work) -> bool {
        let wanted: Vec<FileSpec> = self.files_wanted(work).collect();
        for file in &wanted {
            self.fetch(work.queue, file);
        }
        let before = self.importing.len();
        if wanted.is_empty() {
            self.import_sets(work);
        }
        self.importing.len() > before
    }

    pub(crate) fn import(&mut self, job: JobId, job_name: &str, set: SetId, file: &FileSpec) {
        if self.importing.insert((job, set, file.hash)) {
            let (job_name, file_name) = (job_name.to_owned(), file.name.clone());
            let hash = file.hash;
            self.effect(match file.needs.slice.clone() {
                None => Effect::Import {
                    job,
                    job_name,
                    set,
                    file_name,
                    hash,
                },
                Some(profile) => Effect::Slice {
                    job,
                    job_name,
                    set,
                    file_name,
                    hash,
                    profile,
                },
            });
        }
    }

    pub(crate) fn file_is_here(&mut self, hash: printmesh_queue::FileHash) {
        self.fetching.remove(&hash);
        self.missing.remove(&hash);
        if self.files.insert(hash) {
            self.write(records::put(key::file(hash), &()));
        }
    }

    pub(crate) fn file_is_lost(&mut self, hash: printmesh_queue::FileHash) {
        if self.files.remove(&hash) {
            tracing::warn!(%hash, "a file is gone from this host's store");
            self.write(records::delete(key::file(hash)));
        }
    }

    pub(crate) fn fetch_progress(
        &mut self,
        hash: printmesh_queue::FileHash,
        done: u64,
        total: u64,
    ) {
        let fraction = done as f32 / total.max(1) as f32;
        let Some(known) = self.fetching.get_mut(&hash) else {
            return;
        };
        known.done = fraction;
        let works: Vec<(String, Work)> = self
            .printers
            .iter()
            .filter_map(|(name, printer)| Some((name.clone(), printer.work.clone()?)))
            .filter(|(_, work)| self.files_wanted(work).any(|file| file.hash == hash))
            .collect();
        let mut event = Event {
            progress: Some(fraction),
            text: Some(format!("{done} of {total} bytes")),
            state: Some(hash.to_string()),
            ..Event::new("fetch.progress")
        };
        if let Some((name, work)) = works.first() {
            event.printer = Some(self.printer_id(name));
            event.copy = Some(work.copy);
            event.queue = self.queue_names().remove(&work.queue);
            let job = self.queues[&work.queue]
                .doc
                .snapshot()
                .jobs
                .get(&work.copy.job);
            event.job = job.map(|job| (job.id, job.name.clone()));
        }
        self.tell(event);
    }

    pub(crate) fn fetched(
        &mut self,
        hash: printmesh_queue::FileHash,
        result: Result<(), FetchFailure>,
    ) {
        // There is room for another one.
        self.ahead.look = true;
        let Some(fetching) = self.fetching.remove(&hash) else {
            // It was to be stopped, and had come.
            if result.is_ok() {
                self.file_is_here(hash);
            }
            return;
        };
        match result {
            Ok(()) => self.file_is_here(hash),
            Err(_) if fetching.ahead => self.not_fetched_ahead(hash),
            Err(FetchFailure::NobodyHasIt) if fetching.met => {
                let (queue, file) = fetching.wanted;
                self.fetch(queue, &file);
            }
            Err(failure) => {
                let (queue, file) = fetching.wanted;
                let before = self.missing.get(&hash).map(|missing| missing.wait_ms);
                let wait_ms = before.map_or(MISSING_MS, |ms| (2 * ms).min(MISSING_MS_MAX));
                let nobody = self.whom_to_ask(queue).is_empty();
                let again_ms = if nobody {
                    u64::MAX
                } else {
                    self.now.mono_ms + wait_ms
                };
                let missing = Missing {
                    queue,
                    file,
                    again_ms,
                    wait_ms,
                };
                self.missing.insert(hash, missing);
                let text = match failure {
                    FetchFailure::NobodyHasIt => "no host that can be reached has it".to_owned(),
                    FetchFailure::Local(why) => why,
                };
                self.tell(Event {
                    state: Some("file-missing".to_owned()),
                    text: Some(format!("{hash}: {text}")),
                    ..Event::new("fetch.failed")
                });
            }
        }
    }

    pub(crate) fn imported(&mut self, imported: Imported, result: Result<String, String>) {
        let (job, ..) = imported;
        self.importing.remove(&imported);
        match result {
            Ok(path) => {
                self.write(records::put(key::import(imported), &path));
                self.imports.insert(imported, path);
            }
            Err(why) => {
                let stuck: Vec<String> = self
                    .printers
                    .iter()
                    .filter(|(_, p)| {
                        p.work.as_ref().is_some_and(|work| {
                            work.copy.job == job && work.stage == Stage::Fetching
                        })
                    })
                    .map(|(name, _)| name.clone())
                    .collect();
                for name in stuck {
                    let unit = self.printers[&name]
                        .work
                        .as_ref()
                        .map(|w| (w.queue, w.copy, w.attempt));
                    if let Some((queue, copy, attempt)) = unit
                        && let Some(entry) = self.queues.get_mut(&queue)
                    {
                        entry
                            .refused
                            .insert((copy, attempt), self.now.mono_ms + MISSING_MS);
                    }
                    self.drop_claim(&name, &format!("could not be put into imports: {why}"));
                }
                self.import_failed(job, &why);
            }
        }
    }
}
