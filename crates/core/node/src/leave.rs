//! Leaving a queue. A voter hands its vote over first: without it the others could start nothing.

use printmesh_queue::{HostId, Member, QueueId, Role};

use crate::{
    effect::Answer,
    electorate::wanted,
    limits::{CHANGE_MS, LEAVING_MS},
    node::Node,
    problem::{Code, Problem},
    queues::touches,
    records::Then,
};

impl Node {
    /// Leaves a queue, now or once the others have this host's vote: then `None`, and the answer comes later.
    pub(crate) fn queue_leave(
        &mut self,
        command: u64,
        queue: &str,
    ) -> Result<Option<Answer>, Problem> {
        let id = self.network_queue(queue)?;
        self.may_leave(id)?;
        let snapshot = self.queues[&id].doc.snapshot();
        let others = snapshot.present_members().any(|(host, _)| *host != self.me);
        if others && !self.is_removed(id) && snapshot.voters.hosts.contains(&self.me) {
            self.hand_over(command, id)?;
            return Ok(None);
        }
        self.leave(id).map(Some)
    }

    /// Whether nothing of the queue is under way that only this host can finish.
    fn may_leave(&self, id: QueueId) -> Result<(), Problem> {
        let queue = self.queues[&id].name();
        let no = || {
            Problem::new(
                Code::JobLeased,
                format!("this host cannot leave {queue} now"),
            )
        };
        let withdraws = |w: &crate::withdraw::Withdrawal| touches(id, w.queue, &w.then);
        let aside = self.aside.values().any(|work| work.queue == id);
        if aside
            || self
                .withdrawals
                .values()
                .any(|w| withdraws(w) && w.is_heard())
        {
            return Err(no()
                .because("a job is on its way in or out of it, or the voters still owe an answer about a copy")
                .fix(format!("printmesh queue peers {queue}"), "see whether a voter is away"));
        }
        if let Some(printer) = self.printer_working_on(id) {
            return Err(Problem::new(
                Code::PrinterBusy,
                format!("this host cannot leave {queue} now"),
            )
            .because(format!("{printer} works on one of its jobs"))
            .fix(
                format!("printmesh printer pause {printer}"),
                "take no more, then leave",
            ));
        }
        Ok(())
    }

    fn hand_over(&mut self, command: u64, id: QueueId) -> Result<(), Problem> {
        let entry = &self.queues[&id];
        let (queue, voters) = (entry.name(), entry.doc.snapshot().voters.clone());
        if !self.is_auto(id) {
            return Err(
                Problem::new(Code::QueueVoter, format!("this host cannot leave {queue}"))
                    .because("it decides which printer gets a copy, as somebody chose")
                    .fix(
                        format!("printmesh queue voters {queue} --set HOST"),
                        "choose others, then leave",
                    )
                    .fix(
                        format!("printmesh queue voters {queue} --auto"),
                        "let the hosts choose",
                    ),
            );
        }
        if entry.change.is_some() || entry.handing_over.is_some() {
            return Err(Problem::new(
                Code::VotersChanged,
                format!("the voters of {queue} are being changed"),
            )
            .fix(
                format!("printmesh queue voters {queue}"),
                "look, then try again",
            ));
        }
        if !entry.serves(self.me, voters.cfg) || !self.presence(id).has_quorum(&voters) {
            return Err(self.voters_away(id));
        }
        let mut candidates = self.candidates(id);
        candidates.retain(|one| one.host != self.me);
        let hosts = wanted(&voters.hosts, candidates.len(), &candidates);
        if hosts.contains(&self.me) {
            return Err(
                Problem::new(Code::QueueVoter, format!("this host cannot leave {queue}"))
                    .because(
                        "it decides which printer gets a copy, and no other member can be reached to do so",
                    )
                    .fix(format!("printmesh queue peers {queue}"), "see who is in it"),
            );
        }
        let deadline_ms = self.now.mono_ms + CHANGE_MS;
        self.begin_change(id, voters, hosts, None, deadline_ms);
        if let Some(entry) = self.queues.get_mut(&id) {
            entry.handing_over = Some(command);
        }
        Ok(())
    }

    /// The vote was handed over, or could not be: leaves, or says why not.
    pub(crate) fn drive_leaving(&mut self, id: QueueId) {
        let entry = &self.queues[&id];
        let Some(command) = entry.handing_over else {
            return;
        };
        let still = entry.doc.snapshot().voters.hosts.contains(&self.me);
        let change = entry.change.as_ref();
        if still && change.is_some_and(|change| change.deadline_ms.is_some()) {
            return;
        }
        let begun = change.is_some();
        if let Some(entry) = self.queues.get_mut(&id) {
            entry.handing_over = None;
        }
        let result = match still {
            true => Err(self.voters_silent(id, begun)),
            false => self.may_leave(id).and_then(|()| self.leave(id)),
        };
        self.reply(command, result);
    }

    fn leave(&mut self, id: QueueId) -> Result<Answer, Problem> {
        let queue = self.queues[&id].name();
        let snapshot = self.queues[&id].doc.snapshot();
        let others = snapshot.present_members().any(|(host, _)| *host != self.me);
        let admin =
            |(host, member): (&HostId, &Member)| *host != self.me && member.may(Role::Admin);
        let had_key = self.queues[&id].record.key.is_some();
        let last = others && had_key && !snapshot.present_members().any(admin);
        // What nobody has heard yet is taken back, and said to who waits for it.
        let about = |queue: QueueId, then: &Then| touches(id, queue, then);
        self.abandon_withdrawals(|w| about(w.queue, &w.then))?;
        self.abandon_moves(id);
        self.drop_requests(id);
        self.record(id, |edit| edit.leave());
        if let Some(entry) = self.queues.get_mut(&id) {
            entry.record.left = true;
            // It lets nobody in any more: who comes back is given the key again, if it is an admin then.
            entry.record.key = None;
            entry.epochs.next_keys.clear();
            entry.leaving_ms = others.then_some(self.now.mono_ms + LEAVING_MS);
        }
        self.save_queue(id);
        Ok(Answer::Done {
            already: false,
            text: match last {
                true => format!(
                    "left {queue}; its jobs stay with the others. No other host has its key: nobody can be let in or put out any more"
                ),
                false => format!("left {queue}; its jobs stay with the others"),
            },
        })
    }
}
