//! Files of jobs: fetched from members, put into the imports folder, and asked for again when nobody had them.

use printmesh_queue::{FileSpec, SetId};

use crate::{
    effect::Effect,
    event::Event,
    input::FetchFailure,
    limits::MISSING_MS,
    node::Node,
    records::{self, Stage, Work, key},
};

impl Node {
    /// Files of the claim that are not on this host.
    pub(crate) fn files_wanted(&self, work: &Work) -> impl Iterator<Item = FileSpec> + use<> {
        let entry = self.queues.get(&work.queue);
        let job = entry.and_then(|entry| entry.doc.snapshot().jobs.get(&work.copy.job));
        let wanted: Vec<FileSpec> = job
            .into_iter()
            .flat_map(|job| job.sets.iter().filter_map(|set| set.spec.files.first()))
            .filter(|file| !self.files.contains(&file.hash))
            .cloned()
            .collect();
        wanted.into_iter()
    }
    /// Asks the members of a queue for a file, unless that is under way.
    pub(crate) fn fetch(&mut self, queue: printmesh_queue::QueueId, file: &FileSpec) {
        if self.fetching.contains_key(&file.hash) || self.files.contains(&file.hash) {
            return;
        }
        self.fetching.insert(file.hash, 0.0);
        let snapshot = self.queues[&queue].doc.snapshot();
        let from = snapshot
            .present_members()
            .map(|(host, _)| *host)
            .filter(|host| self.peers.get(host).is_some_and(|peer| peer.connected))
            .collect();
        self.effect(Effect::Fetch {
            hash: file.hash,
            size: file.size,
            from,
        });
    }

    pub(crate) fn import_sets(&mut self, work: &Work) {
        let job = &self.queues[&work.queue].doc.snapshot().jobs[&work.copy.job];
        let wanted: Vec<(SetId, FileSpec)> = job
            .sets
            .iter()
            .filter(|set| !self.imports.contains_key(&(job.id, set.id)))
            .filter_map(|set| Some((set.id, set.spec.files.first()?.clone())))
            .collect();
        let (job, job_name) = (job.id, job.name.clone());
        for (set, file) in wanted {
            self.import(job, &job_name, set, &file);
        }
    }

    pub(crate) fn import(
        &mut self,
        job: printmesh_queue::JobId,
        job_name: &str,
        set: SetId,
        file: &FileSpec,
    ) {
        if self.importing.insert((job, set)) {
            self.effect(Effect::Import {
                job,
                job_name: job_name.to_owned(),
                set,
                file_name: file.name.clone(),
                hash: file.hash,
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
        *known = fraction;
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
        self.fetching.remove(&hash);
        match result {
            Ok(()) => self.file_is_here(hash),
            Err(failure) => {
                self.missing.insert(hash, self.now.mono_ms + MISSING_MS);
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

    pub(crate) fn imported(
        &mut self,
        job: printmesh_queue::JobId,
        set: SetId,
        result: Result<String, String>,
    ) {
        self.importing.remove(&(job, set));
        match result {
            Ok(path) => {
                self.write(records::put(key::import(job, set), &path));
                self.imports.insert((job, set), path);
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
