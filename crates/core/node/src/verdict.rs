//! A person's verdict on a print: asked for before it counts, where the printer's owner wants that, and taken back.

use printmesh_queue::{ClaimRecord, ClaimState, JobState, RunRecord, RunResult, Timestamp};

use crate::{
    event::Event,
    heal::claim_of,
    node::Node,
    problem::{Code, Problem},
    records::{Judged, Stage, Work},
};

/// What is written beside a print that came to its end and is not good.
const NOT_GOOD: &str = "a person looked: it is not good";

impl Node {
    /// Whether a print that came to its end waits for a person's verdict. One too many does not: it is about no copy. One that
    /// the voters have not decided about does; what they decide meanwhile is about the copy, not about the part.
    pub(crate) fn awaits_verdict(&self, name: &str, work: &Work) -> bool {
        let printer = self.printers.get(name);
        printer.is_some_and(|printer| printer.entry.cycle.judged) && !work.surplus
    }

    /// A print waits for a verdict: nothing more is done for it, unless nobody wants its job any more.
    pub(crate) fn drive_judging(&mut self, name: &str, work: &Work) -> bool {
        let Some(by) = self.stopped_by(work.queue, work.copy.job) else {
            return false;
        };
        let note = format!("nobody said whether it is good before {by} stopped the job");
        self.judge(name, work, RunResult::Ok, Some(note));
        true
    }

    /// A person says whether the print that a printer made last is good, or takes that back.
    ///
    /// # Errors
    /// See [`Self::may_judge`]; nothing is changed then.
    pub(crate) fn verdict(&mut self, name: &str, good: bool) -> Result<(), Problem> {
        let change = self.may_judge(name, good)?;
        let work = self.printers.get(name).and_then(|p| p.work.clone());
        match (change, work) {
            (Some(Judged { work, k, .. }), _) => self.call_bad(name, &work, k),
            (None, Some(work)) => {
                if let Stage::Judging { k, .. } = work.stage
                    && let Some(printer) = self.printers.get_mut(name)
                {
                    let work = work.clone();
                    printer.entry.judged = Some(Judged { work, k, good });
                }
                match good {
                    true => self.judge(name, &work, RunResult::Ok, None),
                    false => self.judge(name, &work, RunResult::Failed, Some(NOT_GOOD.to_owned())),
                }
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// Whether a person may say that the print that a printer made last is good, or is not. Returns what was said of it before.
    ///
    /// A good one may become a bad one as long as the printer has begun nothing else and its job is in the queue: the copy is
    /// tried again as if that had been said at once. A bad one stays: from then on any printer may make the copy, and no host can
    /// know that none has been given it.
    ///
    /// # Errors
    /// `copy.certain` when nothing is to be said of it, `verdict.booked` when it cannot be taken back any more.
    pub(crate) fn may_judge(&self, name: &str, good: bool) -> Result<Option<Judged>, Problem> {
        let printer = self.printers.get(name);
        let own = printer.and_then(|printer| printer.work.as_ref());
        if own.is_some_and(|work| matches!(work.stage, Stage::Judging { .. })) {
            return Ok(None);
        }
        let Some(judged) = printer.and_then(|printer| printer.entry.judged.clone()) else {
            let title = format!("no print of {name} waits for a verdict");
            return Err(Problem::new(Code::CopyCertain, title)
                .because("its last print was booked when it ended, or it has begun another one")
                .fix(
                    format!("printmesh printer edit {name} --verdict ask"),
                    "let prints wait for a verdict from now on",
                ));
        };
        let Judged {
            work, good: said, ..
        } = &judged;
        if *said == good {
            let word = if good { "good" } else { "not good" };
            let title = format!("no print of {name} waits for a verdict");
            return Err(Problem::new(Code::CopyCertain, title)
                .because(format!("somebody has said that the last one is {word}")));
        }
        let entry = self.queues.get(&work.queue).filter(|e| !e.record.left);
        let snapshot = entry.map(|entry| entry.doc.snapshot());
        let job = snapshot.and_then(|snapshot| snapshot.jobs.get(&work.copy.job));
        let open = job.filter(|job| job.state == JobState::Open);
        let claim = snapshot.and_then(|all| claim_of(all, (work.copy, work.attempt), self.me));
        let state = claim.map(|claim| claim.record.state);
        let same = |other: &&Work| {
            (other.queue, other.copy, other.attempt) == (work.queue, work.copy, work.attempt)
        };
        // Its next print has not begun: what was said would be forgotten.
        let at_it = own
            .filter(same)
            .is_some_and(|own| own.stage == Stage::Between);
        let why = match (good, open, state) {
            (true, ..) => {
                "its copy was opened for another try at once, and some printer may have begun it"
            }
            (false, None, _) => "its job has left the queue",
            (false, Some(_), Some(ClaimState::Finished)) => return Ok(Some(judged)),
            (false, Some(_), Some(_)) if at_it => return Ok(Some(judged)),
            (false, Some(_), _) => "it counts for another copy, or for none",
        };
        let title = format!("what was said of the last print of {name} cannot be taken back");
        let problem = Problem::new(Code::VerdictBooked, title).because(why);
        Err(match (good, open) {
            (true, Some(job)) => problem.fix(
                format!("printmesh job edit {} --copies N", job.id),
                "want one copy fewer, if it is good after all",
            ),
            (true, None) | (false, _) => problem,
        })
    }

    /// A print that was said to be good is not: its copy failed.
    fn call_bad(&mut self, name: &str, work: &Work, k: u32) {
        let unit = (work.copy, work.attempt);
        let snapshot = self.queues[&work.queue].doc.snapshot();
        let claim = claim_of(snapshot, unit, self.me).expect("asked just before");
        let Some(run) = claim.runs.get(&k) else {
            return;
        };
        let note = Some(NOT_GOOD.to_owned());
        let run = RunRecord {
            result: RunResult::Failed,
            note: note.clone(),
            ..run.clone()
        };
        // Under the ballot that the voters may have decided since.
        let record = ClaimRecord {
            state: ClaimState::Failed,
            note,
            at: self.now.wall,
            ..claim.record.clone()
        };
        self.record(work.queue, |edit| {
            edit.put_run(unit.0, unit.1, k, &run);
            edit.put_claim(unit.0, unit.1, &record);
        });
        let own = self.printers.get(name).and_then(|p| p.work.as_ref());
        if own.is_some_and(|own| own.queue == work.queue && (own.copy, own.attempt) == unit) {
            self.end_work(name);
        }
        self.judge_printer(name, work, k, RunResult::Failed, NOT_GOOD);
        if let Some(printer) = self.printers.get_mut(name)
            && let Some(judged) = &mut printer.entry.judged
        {
            judged.good = false;
        }
        self.save_printer(name);
        let printer = Some(self.printer_id(name));
        self.tell(Event {
            queue: Some(self.queues[&work.queue].name()),
            copy: Some(work.copy),
            printer,
            state: Some("taken-back".into()),
            text: Some(NOT_GOOD.into()),
            ..Event::new("printer.verdict")
        });
    }

    /// Nobody has to say any more whether a print is good.
    pub(crate) fn end_judging(&mut self, name: &str, work: &Work) {
        self.judge(name, work, RunResult::Ok, None);
    }

    fn judge(&mut self, name: &str, work: &Work, result: RunResult, note: Option<String>) {
        let Stage::Judging { k, ended } = work.stage else {
            return;
        };
        let mut run = self
            .runs_of(work)
            .remove(&k)
            .expect("the intent was written before the print");
        run.result = result;
        run.ended = Some(ended);
        run.note = note;
        self.book_run(name, work, k, &run, true);
    }

    /// A print has come to its end and waits for a verdict.
    pub(crate) fn await_verdict(&mut self, name: &str, work: &Work, k: u32, ended: Timestamp) {
        self.set_stage(name, Stage::Judging { k, ended });
        let note = "a person says whether it is good".to_owned();
        self.put_claim(work, ClaimState::Printing, Some(note));
        let printer = Some(self.printer_id(name));
        self.tell(Event {
            queue: Some(self.queues[&work.queue].name()),
            copy: Some(work.copy),
            printer,
            state: Some("verdict".into()),
            text: Some("a person has to say whether the print is good".into()),
            ..Event::new("printer.verdict")
        });
    }
}
