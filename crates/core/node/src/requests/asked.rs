//! What is asked of this host: it stops its own prints, leaves jobs alone that are wanted out, and starts what it is
//! asked to start, each only as far as its own rules allow.

use printmesh_queue::{JobId, PrinterId, QueueId, Role, Wanted};
use printmesh_schedule::{OpenCopy, Planner, stop_wish, wishes, withdrawal_wish};

use crate::{effect::Effect, node::Node, records::Work, work::print_token};

impl Node {
    /// The start that somebody asked of a printer of this host and that it can make now.
    ///
    /// Last whether it was asked for this very copy: then also where nothing starts by itself.
    pub(crate) fn asked_to_start(
        &mut self,
        printer: &PrinterId,
    ) -> Option<(QueueId, OpenCopy, bool)> {
        let of_printer = |wanted: &Wanted| {
            matches!(wanted, Wanted::Start { host, printer: name, .. }
                if *host == printer.host && *name == printer.name)
        };
        let queues = self.queues_in_order();
        for queue in &queues {
            if !self.queues[queue].doc.snapshot().requests.is_empty() {
                self.refresh_index(*queue);
            }
        }
        queues.into_iter().find_map(|queue| {
            let snapshot = self.queues[&queue].doc.snapshot();
            let mut asked: Vec<_> = wishes(snapshot)
                .filter(|wish| of_printer(&wish.request.wanted))
                .collect();
            if asked.is_empty() {
                return None;
            }
            asked.sort_by_key(|wish| (wish.request.at, wish.id));
            let presence = self.presence(queue);
            let index = self.queues[&queue].index.as_ref()?;
            let planner = Planner::new(snapshot, &presence, index);
            asked.into_iter().find_map(|wish| {
                let job = snapshot.jobs.get(&wish.request.job)?;
                let Wanted::Start {
                    copy: Some(copy), ..
                } = wish.request.wanted
                else {
                    let open = planner.choose_of(printer, job).ok()?;
                    return Some((queue, open, false));
                };
                // It starts printers that start nothing by themselves: that is for operators, and for whoever stands here.
                let asker = snapshot.members.get(&wish.id.host);
                let operates = asker.is_some_and(|who| who.certificate.role >= Role::Operator);
                if !(operates || wish.id.host == self.me) || !self.is_fresh(queue, &wish) {
                    return None;
                }
                let open = planner.choose_this(printer, job, copy).ok()?;
                Some((queue, open, true))
            })
        })
    }

    /// Name of the host that wants the prints of a job stopped.
    pub(crate) fn stopped_by(&self, queue: QueueId, job: JobId) -> Option<String> {
        let snapshot = self.queues.get(&queue)?.doc.snapshot();
        let wish = stop_wish(snapshot, job)?;
        Some(snapshot.host_name(wish.id.host))
    }

    /// Tells the driver once to end a print that somebody wants stopped; it says how it ended.
    pub(crate) fn stop_if_asked(&mut self, name: &str, work: &Work, k: u32) {
        let told = self.printers.get(name).and_then(|p| p.told_to_stop);
        if told == Some(k) {
            return;
        }
        let Some(by) = self.stopped_by(work.queue, work.copy.job) else {
            return;
        };
        tracing::info!(printer = name, job = %work.copy.job, copy = work.copy.index + 1, by, "stops a print");
        if let Some(printer) = self.printers.get_mut(name) {
            printer.told_to_stop = Some(k);
        }
        self.effect(Effect::StopPrint {
            printer: name.to_owned(),
            print: print_token(work, k),
        });
    }

    /// Why a copy of which nothing is printed must be given up, when somebody wants the job taken out.
    pub(crate) fn wanted_out(&self, queue: QueueId, job: JobId) -> Option<&'static str> {
        let wish = withdrawal_wish(self.queues.get(&queue)?.doc.snapshot(), job)?;
        match wish.request.wanted {
            Wanted::Stop | Wanted::Cancel => Some("cancel-requested: somebody asked to cancel it"),
            Wanted::Move => Some("move-requested: somebody asked to move it"),
            Wanted::Start { .. } => None,
        }
    }
}
