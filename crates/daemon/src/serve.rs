//! Answers the local API: reads go straight to the node, changes become commands.

use std::{path::PathBuf, time::Instant};

use printmesh_api::{
    problem::Problem,
    reply::{Daemon, Done, Event, Join, Reply, Share, Uploaded},
    request::{self, Request},
    service::{Service, Upload},
};
use printmesh_net::{Net, TicketKind};
use printmesh_node::{
    Answer, Command, DEFAULT_ROLE, JobEdit, NewSet, Node, Place, PrinterEdit, Resolve, Ticket,
};
use printmesh_queue::{Equipment, HostId, JobId, Role};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{
    clock, convert, equip,
    forecast::Finishes,
    intake::unique_name,
    match_,
    mind::Mind,
    people, problems,
    profiles::Profiles,
    relays::{self, RelaySetting},
    spools, todo,
};

/// The daemon as the API sees it.
pub(crate) struct Door {
    pub(crate) mind: Mind,
    pub(crate) spoolman: Option<printmesh_spoolman::Client>,
    pub(crate) net: Net,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) home: PathBuf,
    pub(crate) relay: RelaySetting,
    pub(crate) incoming: PathBuf,
    pub(crate) started: Instant,
    pub(crate) stop: CancellationToken,
    pub(crate) finishes: Finishes,
}

impl Service for Door {
    async fn call(&self, request: Request) -> Result<Reply, Problem> {
        let reply = self.answer(request).await?;
        self.with_finish(reply).await
    }

    async fn upload(&self, file_name: String, body: Upload) -> Result<Uploaded, Problem> {
        let path = self.incoming.join(unique_name()?);
        let result = self.take_in(&file_name, body, path.clone()).await;
        tokio::fs::remove_file(&path).await.ok();
        result
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

impl Door {
    async fn submit(&self, new: request::NewJob) -> Result<Reply, Problem> {
        let mut sets = Vec::new();
        for set in &new.sets {
            let slice = new.slice.as_deref();
            let mut files = vec![self.spec(&set.hash, &set.file_name, slice).await?];
            for other in &set.alternatives {
                files.push(self.spec(&other.hash, &other.file_name, slice).await?);
            }
            let per_run = set.per_run;
            sets.push(NewSet { files, per_run });
        }
        let first = sets
            .first()
            .and_then(|set| set.files.first())
            .map(|file| file.name.clone())
            .unwrap_or_default();
        let stem = first
            .rsplit_once('.')
            .map_or(first.as_str(), |(stem, _)| stem);
        let name = new.name.unwrap_or_else(|| stem.to_owned());
        let job = printmesh_node::NewJob {
            queue: new.queue.unwrap_or_else(|| "local".to_owned()),
            name,
            sets,
            copies: new.copies,
            together: new.together,
            draft: new.draft,
            printers: new.printers,
            terms: equip::terms(new.terms)?,
        };
        self.job_after(Command::JobSubmit(job)).await
    }

    /// Carries a command out and shows the job that it is about.
    async fn job_after(&self, command: Command) -> Result<Reply, Problem> {
        match self.mind.command(command).await? {
            Answer::Job(id) => self.show_job(id).await,
            other => Ok(answer(other)),
        }
    }

    async fn show_job(&self, id: JobId) -> Result<Reply, Problem> {
        let shown = self.mind.read(move |node| {
            let (queue, job) = node.job_named(&id.to_string())?;
            Ok(convert::job_by_id(node, queue, job))
        });
        let found = shown.await?.map_err(problems::from_core)?;
        found
            .map(Reply::Job)
            .ok_or_else(|| problems::new("job.unknown", 3, "this job is gone"))
    }

    async fn done(&self, command: Command) -> Result<Reply, Problem> {
        self.mind.command(command).await.map(answer)
    }

    /// Reads with a node; what the core cannot find becomes its problem.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Node) -> Result<T, printmesh_node::Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.mind.read(read).await?.map_err(problems::from_core)
    }

    async fn queue_after(&self, command: Command) -> Result<Reply, Problem> {
        match self.mind.command(command).await? {
            Answer::Queue(name) => self.show_queue(name).await,
            other => Ok(answer(other)),
        }
    }

    async fn show_queue(&self, name: String) -> Result<Reply, Problem> {
        let shown = self.read(move |node| {
            let id = node.queue_named(&name)?;
            Ok(convert::queue_named(node, id))
        });
        let found = shown.await?;
        found
            .map(Reply::Queue)
            .ok_or_else(|| problems::new("queue.unknown", 3, "this queue is gone"))
    }

    async fn show_voters(&self, name: String) -> Result<Reply, Problem> {
        self.read(move |node| {
            let id = node.queue_named(&name)?;
            Ok(Reply::Voters(convert::voters(node, id, name)))
        })
        .await
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm per request; each is a few lines"
    )]
    async fn answer(&self, request: Request) -> Result<Reply, Problem> {
        match request {
            Request::Status => {
                self.read(|node| Ok(Reply::Status(convert::status(node))))
                    .await
            }
            Request::QueueList => {
                self.read(|node| Ok(Reply::QueueList(convert::list(node, convert::queues(node)))))
                    .await
            }
            Request::QueueCreate { name } => self.queue_after(Command::QueueCreate { name }).await,
            Request::LanQueue => self.join(Command::LanQueue).await,
            Request::QueueShow { queue } => self.show_queue(queue).await,
            Request::QueueShare {
                queue,
                role,
                expires_s,
                uses,
                with_key,
                open_s,
                wan,
            } => {
                self.share(queue, &role, expires_s, uses, (with_key, wan), open_s)
                    .await
            }
            Request::TicketList { queue } => {
                self.read(move |node| {
                    let id = node.queue_named(&queue)?;
                    Ok(people::tickets(node, id))
                })
                .await
            }
            Request::TicketRevoke { queue, ticket } => {
                self.done(Command::TicketRevoke { queue, ticket }).await
            }
            Request::MemberList { queue } => {
                self.read(move |node| {
                    let id = node.queue_named(&queue)?;
                    Ok(people::members(node, id))
                })
                .await
            }
            Request::MemberShow { queue, member } => {
                self.read(move |node| {
                    let id = node.queue_named(&queue)?;
                    let host = node.anybody_named(id, &member)?;
                    Ok(people::member(node, id, host))
                })
                .await
            }
            Request::MemberRole {
                queue,
                member,
                role,
            } => {
                let role = people::role(&role)?;
                self.done(Command::MemberRole {
                    queue,
                    member,
                    role,
                })
                .await
            }
            Request::QueueRotateKey { queue, remove } => {
                self.done(Command::QueueRotateKey { queue, remove }).await
            }
            Request::MemberRelease { queue, member } => {
                self.done(Command::MemberRelease { queue, member }).await
            }
            Request::MemberRemove { queue, member } => {
                self.done(Command::MemberRemove { queue, member }).await
            }
            Request::QueueJoin {
                ticket: Some(text),
                as_name,
                wan,
            } => {
                let ticket = ticket_of(&text)?;
                self.join_by_ticket(ticket, as_name, wan).await
            }
            Request::QueueJoin {
                ticket: None,
                as_name,
                wan: _,
            } => self.join(Command::QueueAsk { as_name }).await,
            Request::QueueLeave { queue } => self.done(Command::QueueLeave { queue }).await,
            Request::QueueRename { queue, name } => {
                self.done(Command::QueueRename { queue, name }).await
            }
            Request::QueuePeers { queue } => {
                self.read(move |node| {
                    let view = node.queue_view(node.queue_named(&queue)?);
                    Ok(Reply::PeerList(convert::list(
                        node,
                        convert::peers(node, &view),
                    )))
                })
                .await
            }
            Request::QueueVoters { queue } => self.show_voters(queue).await,
            Request::QueueVotersSet { queue, hosts } => {
                let shown = queue.clone();
                let command = match hosts.is_empty() {
                    true => Command::VotersAuto { queue },
                    false => Command::VotersSet { queue, hosts },
                };
                self.mind.command(command).await?;
                self.show_voters(shown).await
            }
            Request::QueueFreeHeat { queue, printer } => {
                self.done(Command::HeatFree { queue, printer }).await
            }
            Request::QueueRecover { queue, confirm } => {
                self.done(Command::QueueRecover { queue, confirm }).await
            }
            Request::QueueSet {
                queue,
                settings,
                dry_run: true,
            } => {
                let values: Vec<(String, String)> = settings.into_iter().collect();
                let preview = self.read(move |node| {
                    let changes = node.preview(&queue, &values, clock::now())?;
                    Ok(equip::preview(node, queue, changes))
                });
                preview.await.map(Reply::Preview)
            }
            Request::QueueSet {
                queue,
                settings,
                dry_run: false,
            } => {
                let values = settings.into_iter().collect();
                self.done(Command::QueueSet { queue, values }).await
            }
            Request::QueueOrder { queues } => self.done(Command::QueueOrder { queues }).await,
            Request::MemberApprove { queue, member } => {
                self.done(Command::MemberApprove {
                    queue,
                    member,
                    role: DEFAULT_ROLE,
                })
                .await
            }
            Request::MemberDeny { queue, member } => {
                self.done(Command::MemberDeny { queue, member }).await
            }
            Request::JobSubmit(new) => self.submit(new).await,
            Request::JobList { queue, all } => {
                self.read(move |node| {
                    let archive = queue.as_deref() == Some("archive");
                    let wanted = queue.filter(|name| name != "archive" && name != "all");
                    let id = wanted.map(|name| node.queue_named(&name)).transpose()?;
                    Ok(Reply::JobList(convert::list(
                        node,
                        convert::jobs(node, id, archive, all),
                    )))
                })
                .await
            }
            Request::JobShow { job } => {
                let shown = self.read(move |node| {
                    let (queue, id) = node.job_named(&job)?;
                    Ok(convert::job_by_id(node, queue, id))
                });
                let found = shown.await?;
                found.map(Reply::Job).ok_or_else(|| {
                    problems::new(
                        "job.over",
                        5,
                        "this job is in a queue that this host has left",
                    )
                })
            }
            Request::JobEdit {
                job,
                name,
                copies,
                printers,
                together,
                terms,
            } => {
                let edit = JobEdit {
                    terms: equip::terms(terms)?,
                    name,
                    copies,
                    together,
                    printers,
                };
                self.job_after(Command::JobEdit { job, edit }).await
            }
            Request::JobMove { job, to, place } => {
                self.job_after(Command::JobMove {
                    job,
                    to,
                    place: self::place(place),
                })
                .await
            }
            Request::JobCancel { job, stop } => {
                let command = match stop {
                    true => Command::JobStop { job },
                    false => Command::JobCancel { job },
                };
                self.done(command).await
            }
            Request::JobStart { job, printer } => {
                self.done(Command::JobStart { job, printer }).await
            }
            Request::JobHold { job } => self.done(Command::JobHold { job }).await,
            Request::JobRelease { job } => self.done(Command::JobRelease { job }).await,
            Request::JobResolve { copy, resolve } => {
                let resolve = match resolve {
                    request::Resolve::Done => Resolve::Done,
                    request::Resolve::Failed => Resolve::Failed,
                    request::Resolve::Retry => Resolve::Retry,
                };
                self.done(Command::JobResolve { copy, resolve }).await
            }
            Request::PrinterAdd { name, at, profile } => {
                // Before the printer is tried: a name that is none adds nothing.
                let known = profile.map(|profile| self.profile(&profile)).transpose()?;
                self.mind
                    .command(Command::PrinterAdd {
                        name: name.clone(),
                        at,
                    })
                    .await?;
                if let Some(known) = known {
                    let mut edit = PrinterEdit::default();
                    equip::fill(&mut edit, &Equipment::default(), &known);
                    let printer = name.clone();
                    self.done(Command::PrinterEdit { printer, edit }).await?;
                }
                self.show_printer(name).await
            }
            Request::PrinterList => {
                self.read(|node| {
                    Ok(Reply::PrinterList(convert::list(
                        node,
                        convert::printers(node),
                    )))
                })
                .await
            }
            Request::PrinterShow { printer } => self.show_printer(printer).await,
            Request::PrinterReady { printers, good } => {
                self.done(Command::PrinterReady { printers, good }).await
            }
            Request::PrinterPause { printer, reason } => {
                let reason = reason.unwrap_or_default();
                self.done(Command::PrinterPause { printer, reason }).await
            }
            Request::PrinterResume { printer } => {
                self.done(Command::PrinterResume { printer }).await
            }
            Request::PrinterEdit {
                printer,
                mut change,
            } => {
                spools::fill(self.spoolman.as_ref(), &mut change.slots).await?;
                let mut edit = equip::printer_edit(change);
                if let Some(profile) = edit.profile.clone().filter(|name| !name.is_empty())
                    && let Ok(known) = self.profile(&profile)
                {
                    let name = printer.clone();
                    let has = self.read(move |node| {
                        let id = node.printer_named(&name)?;
                        let own = node.own_printers_view().remove(id.name.as_str());
                        Ok(own.map(|own| own.equipment).unwrap_or_default())
                    });
                    let has = has.await?;
                    equip::fill(&mut edit, &has, &known);
                }
                self.done(Command::PrinterEdit { printer, edit }).await
            }
            Request::PrinterWhy { printer } => {
                self.read(move |node| {
                    let id = node.printer_named(&printer)?;
                    Ok(Reply::PrinterWhy(convert::printer_why(node, &id)))
                })
                .await
            }
            Request::PrinterRemove { printer } => {
                self.done(Command::PrinterRemove { printer }).await
            }
            Request::Match { ask, plan: None } => {
                let ask = match_::ask(ask);
                self.read(move |node| {
                    let plan = node.match_plan(&ask, clock::now())?;
                    Ok(Reply::MatchPlan(match_::plan(node, &ask, plan)))
                })
                .await
            }
            Request::Match {
                ask,
                plan: Some(plan),
            } => {
                let ask = match_::ask(ask);
                self.done(Command::Match { ask, plan }).await
            }
            Request::Todo { queue, limit } => {
                self.read(move |node| {
                    let only = queue.map(|name| node.queue_named(&name)).transpose()?;
                    let rows = todo::list(node, only, limit);
                    Ok(Reply::TodoList(convert::list(node, rows)))
                })
                .await
            }
            Request::Autoprint {
                printers,
                on,
                cycles,
            } => {
                let command = match cycles.filter(|_| on) {
                    Some(cycles) => Command::AutoprintFor { printers, cycles },
                    None => Command::Autoprint { printers, on },
                };
                self.done(command).await
            }
            Request::History {
                queue,
                printer,
                limit,
            } => {
                self.read(move |node| {
                    let rows = convert::history(
                        node,
                        queue.as_deref(),
                        printer.as_deref(),
                        limit as usize,
                    );
                    // A queue that was left and a printer that was removed have a history; a misspelt one does not.
                    if rows.is_empty() {
                        queue.map(|name| node.queue_named(&name)).transpose()?;
                        printer.map(|name| node.printer_named(&name)).transpose()?;
                    }
                    Ok(Reply::History(convert::list(node, rows)))
                })
                .await
            }
            Request::Simulate {
                queue,
                turnaround_s,
                until_ms,
            } => self.simulate(queue, turnaround_s, until_ms).await,
            Request::DaemonStatus => {
                let host = self.read(|node| Ok(node.name().to_owned())).await?;
                Ok(Reply::Daemon(Daemon {
                    pid: std::process::id(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    home: self.home.display().to_string(),
                    uptime_s: self.started.elapsed().as_secs(),
                    host,
                    addresses: self
                        .net
                        .addresses()
                        .iter()
                        .map(ToString::to_string)
                        .collect(),
                    relays: self.net.relays().into_iter().map(relays::told).collect(),
                }))
            }
            Request::DaemonStop { end_prints } => {
                if !end_prints {
                    self.nothing_prints().await?;
                }
                self.stop.cancel();
                Ok(Reply::Done(Done {
                    already: false,
                    text: "the daemon is stopping".to_owned(),
                }))
            }
        }
    }

    /// A print over serial ends with its daemon: nobody loses one by a careless stop.
    async fn nothing_prints(&self) -> Result<(), Problem> {
        let printing = self.read(|node| {
            let printers = node.own_printers_view().into_iter();
            let printing =
                printers.filter(|(_, own)| own.work.is_some_and(|work| work.3 == "printing"));
            Ok(printing
                .map(|(name, _)| name.to_owned())
                .collect::<Vec<_>>())
        });
        let printing = printing.await?;
        if printing.is_empty() {
            return Ok(());
        }
        Err(problems::new(
            "daemon.printing",
            5,
            format!("the daemon does not stop: {} prints", printing.join(", ")),
        )
        .because("a print ends with its daemon")
        .fix(
            "printmesh autoprint off",
            "start nothing new, and stop it when the print is done",
        )
        .fix(
            "printmesh daemon stop --end-prints",
            "end the print too: it is lost",
        ))
    }

    fn profile(&self, name: &str) -> Result<printmesh_gcode::profile::Profile, Problem> {
        let all = Profiles::load(&self.home)?;
        // A name that is none says which there are.
        all.show(name)?;
        Ok(all.get(name).cloned().expect("it was shown"))
    }

    async fn show_printer(&self, name: String) -> Result<Reply, Problem> {
        self.read(move |node| {
            let id = node.printer_named(&name)?;
            Ok(Reply::Printer(convert::printer(node, &id)))
        })
        .await
    }

    async fn share(
        &self,
        queue: String,
        role: &str,
        expires_s: Option<u64>,
        uses: u32,
        (with_key, wan): (bool, bool),
        open_s: Option<u64>,
    ) -> Result<Reply, Problem> {
        let role = if role.is_empty() {
            DEFAULT_ROLE
        } else {
            people::role(role)?
        };
        let expires =
            |ms: u64| clock::rfc3339(printmesh_queue::Timestamp(clock::now().wall.0 + ms));
        // Before anything is given out.
        let relays = match wan {
            true => self.relays_for_ticket(&queue).await?,
            false => Vec::new(),
        };
        if let Some(seconds) = open_s {
            let for_ms = seconds.saturating_mul(1000);
            self.mind
                .command(Command::QueueOpen {
                    queue: queue.clone(),
                    role,
                    for_ms,
                })
                .await?;
            return Ok(Reply::Share(Share {
                queue,
                ticket: None,
                role: role.word().to_owned(),
                expires: Some(expires(for_ms)),
                uses: None,
                id: None,
                relays: Vec::new(),
            }));
        }
        let expires_ms = expires_s.map(|seconds| seconds.saturating_mul(1000));
        let command = Command::QueueShare {
            queue: queue.clone(),
            role,
            expires_ms,
            uses,
            with_key,
        };
        let Answer::Ticket(parts) = self.mind.command(command).await? else {
            return Err(problems::new("ticket.bad", 1, "no ticket was made"));
        };
        let kind = if parts.proof.is_empty() {
            TicketKind::QueueKey
        } else {
            TicketKind::Invite
        };
        let ticket = printmesh_net::Ticket {
            queue: parts.queue,
            name: parts.name,
            secret: parts.secret,
            kind,
            proof: parts.proof,
            expires_at_s: parts.expires_at_s,
            host: self.net.key(),
            addresses: self.net.addresses(),
            relays: relays.clone(),
        };
        Ok(Reply::Share(Share {
            queue,
            ticket: Some(ticket.to_string()),
            role: if with_key { Role::Admin } else { role }.word().to_owned(),
            expires: expires_ms.filter(|_| !with_key).map(expires),
            uses: (!with_key).then_some(uses),
            id: parts.invite.map(|id| id.fingerprint()),
            relays: relays.iter().map(ToString::to_string).collect(),
        }))
    }

    /// As many as a ticket takes.
    async fn relays_for_ticket(&self, queue: &str) -> Result<Vec<printmesh_net::Relay>, Problem> {
        let name = queue.to_owned();
        let agreed = self.read(move |node| Ok(node.relays_of(&name)?.to_vec()));
        let mut relays = self.relay.for_ticket(queue, &agreed.await?, &self.home)?;
        relays.truncate(printmesh_net::TICKET_RELAYS_MAX);
        Ok(relays)
    }

    async fn join_by_ticket(
        &self,
        mut ticket: Ticket,
        as_name: Option<String>,
        wan: bool,
    ) -> Result<Reply, Problem> {
        match wan {
            true => self.relay.may_agree(&self.home)?,
            // Those of the config are used without a word.
            false => ticket.relays.retain(|relay| !self.relay.names(relay)),
        }
        let named = ticket.relays.clone();
        let command = Command::QueueJoin {
            ticket,
            as_name,
            wan,
        };
        let reply = self.join(command).await?;
        let Reply::Join(mut join) = reply else {
            return Ok(reply);
        };
        let queue = join.queue.clone();
        let used = self.read(move |node| match queue {
            Some(queue) => Ok(node.relays_of(&queue)?.to_vec()),
            None => Ok(Vec::new()),
        });
        let used = used.await?;
        (join.relays, join.unused_relays) = named
            .into_iter()
            .partition(|relay| wan || self.relay != RelaySetting::Never && used.contains(relay));
        Ok(Reply::Join(join))
    }

    async fn join(&self, command: Command) -> Result<Reply, Problem> {
        let (state, queue, host, code) = match self.mind.command(command).await? {
            Answer::Joined {
                queue,
                already: true,
            } => ("already", Some(queue), None, None),
            Answer::Joined {
                queue,
                already: false,
            } => ("joined", Some(queue), None, None),
            Answer::Queue(queue) => ("created", Some(queue), None, None),
            Answer::Asked { host, code } => ("asked", None, Some(host.fingerprint()), Some(code)),
            other => return Ok(answer(other)),
        };
        Ok(Reply::Join(Join {
            state: state.to_owned(),
            queue,
            host,
            code,
            relays: Vec::new(),
            unused_relays: Vec::new(),
        }))
    }
}

fn answer(answer: Answer) -> Reply {
    let (already, text) = match answer {
        Answer::Done { already, text } => (already, text),
        Answer::Joined { queue, already } => (already, format!("in {queue}")),
        Answer::Job(id) => (false, id.to_string()),
        Answer::Queue(name) => (false, name),
        Answer::Asked { code, .. } => (false, code),
        Answer::Ticket(_) => (false, "a ticket".to_owned()),
    };
    Reply::Done(Done { already, text })
}

fn place(place: request::Place) -> Place {
    match place {
        request::Place::Keep => Place::Keep,
        request::Place::Top => Place::Top,
        request::Place::Bottom => Place::Bottom,
        request::Place::Before(job) => Place::Before(job),
        request::Place::After(job) => Place::After(job),
    }
}

fn ticket_of(text: &str) -> Result<Ticket, Problem> {
    let ticket: printmesh_net::Ticket =
        text.trim()
            .parse()
            .map_err(|error: printmesh_net::TicketError| {
                problems::new("ticket.bad", 2, "this ticket cannot be used")
                    .because(error.to_string())
                    .fix(
                        "printmesh queue share QUEUE",
                        "make a new one, on the host that shares the queue",
                    )
            })?;
    Ok(Ticket {
        queue: ticket.queue,
        name: ticket.name,
        secret: ticket.secret,
        proof: ticket.proof,
        expires_at_s: ticket.expires_at_s,
        host: HostId(ticket.host.0),
        addresses: ticket.addresses,
        relays: ticket.relays.iter().map(ToString::to_string).collect(),
    })
}
