//! The only place that prints: results on stdout, everything else on stderr.

pub(crate) mod file;
pub(crate) mod forecast;
pub(crate) mod job;
pub(crate) mod json;
pub(crate) mod match_;
pub(crate) mod people;
pub(crate) mod printer;
pub(crate) mod progress;
pub(crate) mod qr;
pub(crate) mod queue;
pub(crate) mod status;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod todo;

use std::{
    io::{self, ErrorKind, IsTerminal, Write},
    sync::Mutex,
};

use clap::ValueEnum;
use printmesh_api::{envelope::envelope, problem::Problem, reply::Reply};
use serde_json::Value;

use crate::{
    error::{self, code, exit},
    render::{
        json::Fields,
        table::{Block, Cell, Medium, to_text},
        time::Clock,
    },
};

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

/// How answers are written.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    /// JSON instead of text.
    pub(crate) json: Option<Fields>,
    /// Only ids and errors.
    pub(crate) quiet: bool,
    /// stdout.
    pub(crate) out: Medium,
    /// stderr.
    pub(crate) err: Medium,
    /// Which "now" and "here" people mean; `None` = this machine's.
    pub(crate) clock: Option<Clock>,
}

impl Style {
    /// As this process's terminal and environment want it.
    pub(crate) fn of_process(json: Option<Fields>, quiet: bool, color: When) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let colour = |terminal: bool| match color {
            When::Always => true,
            When::Never => false,
            When::Auto if set("NO_COLOR") => false,
            When::Auto if std::env::var_os("TERM").is_some_and(|term| term == "dumb") => false,
            When::Auto => {
                terminal || std::env::var_os("CLICOLOR_FORCE").is_some_and(|force| force != "0")
            }
        };
        let medium = |terminal: bool, width: Option<u16>| Medium {
            // A terminal that does not know its size is an ordinary one.
            width: terminal.then(|| width.filter(|&width| width > 0).unwrap_or(80).into()),
            colour: colour(terminal),
        };
        let width = |size: rustix::io::Result<rustix::termios::Winsize>| Some(size.ok()?.ws_col);
        Self {
            json,
            quiet,
            out: medium(
                io::stdout().is_terminal(),
                width(rustix::termios::tcgetwinsize(io::stdout())),
            ),
            err: medium(
                io::stderr().is_terminal(),
                width(rustix::termios::tcgetwinsize(io::stderr())),
            ),
            clock: None,
        }
    }
}

/// Where a command writes to.
pub(crate) struct Output {
    style: Style,
    out: Mutex<Box<dyn Write + Send>>,
    err: Mutex<Box<dyn Write + Send>>,
}

impl Output {
    /// Writes to this process's stdout and stderr.
    pub(crate) fn of_process(style: Style) -> Self {
        Self::new(style, Box::new(io::stdout()), Box::new(io::stderr()))
    }

    /// Writes wherever it is told to.
    pub(crate) fn new(
        style: Style,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
    ) -> Self {
        Self {
            style,
            out: Mutex::new(out),
            err: Mutex::new(err),
        }
    }

    /// Whether programs read this.
    pub(crate) fn is_json(&self) -> bool {
        self.style.json.is_some()
    }

    /// The fields that programs want, if programs read this.
    pub(crate) fn fields(&self) -> Option<&Fields> {
        self.style.json.as_ref()
    }

    /// Whether only ids are wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.style.quiet
    }

    /// Whether moving bars make sense: people read stderr and want to.
    pub(crate) fn shows_progress(&self) -> bool {
        self.style.err.width.is_some() && !self.style.quiet && !self.is_json()
    }

    /// "Now" and "here".
    pub(crate) fn clock(&self) -> Clock {
        self.style.clock.clone().unwrap_or_else(Clock::system)
    }

    /// An answer of the daemon, in the form that was asked for.
    ///
    /// # Errors
    /// When the reader went away, or asked for fields that are not there.
    pub(crate) fn reply(&self, reply: &Reply) -> Result<(), Problem> {
        let blocks = || view(reply, &self.clock());
        self.answer(|| envelope(reply), &names(reply), blocks)
    }

    /// An answer that is made here: as JSON, as names for `--quiet`, as text.
    ///
    /// # Errors
    /// When the reader went away, or asked for fields that are not there.
    pub(crate) fn answer(
        &self,
        json: impl FnOnce() -> Value,
        names: &[String],
        blocks: impl FnOnce() -> Vec<Block>,
    ) -> Result<(), Problem> {
        match &self.style.json {
            Some(fields) => self.print(&format!("{}\n", fields.select(json())?)),
            None if self.style.quiet => {
                let lines = names.iter().map(|name| Block::Line(Cell::new(name)));
                self.print(&to_text(&lines.collect::<Vec<_>>(), self.style.out))
            }
            None => self.print(&to_text(&blocks(), self.style.out)),
        }
    }

    /// Text for stdout as it is.
    ///
    /// # Errors
    /// [`code::OUTPUT_CLOSED`] when the reader went away: not a failure, but a reason to stop.
    pub(crate) fn print(&self, text: &str) -> Result<(), Problem> {
        let mut out = self.out.lock().expect("no writer panics");
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Problem::new(
                code::OUTPUT_CLOSED,
                exit::DONE,
                "nobody reads the output",
            )),
            Err(error) => Err(error::system("write the answer", &error)),
        }
    }

    /// A remark for people on stderr: what happens now, what to do next.
    pub(crate) fn note(&self, text: &str) {
        if !self.style.quiet && !self.is_json() {
            self.tell(&format!("{}\n", table::clean(text)));
        }
    }

    /// A problem on stderr, as text or as JSON.
    pub(crate) fn problem(&self, problem: &Problem) {
        if problem.code == code::OUTPUT_CLOSED {
            return;
        }
        self.tell(&match self.is_json() {
            true => error::to_json(problem),
            false => error::to_text(problem, self.style.err.colour),
        });
    }

    /// Text for stderr as it is; if nobody reads that either, nobody can be told.
    pub(crate) fn tell(&self, text: &str) {
        let mut err = self.err.lock().expect("no writer panics");
        drop(err.write_all(text.as_bytes()).and_then(|()| err.flush()));
    }
}

/// What `--quiet` prints of an answer: what can be typed to name it.
fn names(reply: &Reply) -> Vec<String> {
    match reply {
        Reply::QueueList(list) => list.items.iter().map(|queue| queue.name.clone()).collect(),
        Reply::Queue(queue) => vec![queue.name.clone()],
        Reply::PeerList(list) => list.items.iter().map(|peer| peer.host.clone()).collect(),
        Reply::Voters(voters) => voters.voters.iter().map(|one| one.host.clone()).collect(),
        Reply::TicketList(list) => list.items.iter().map(|one| one.id.clone()).collect(),
        Reply::MemberList(list) => list.items.iter().map(|one| one.host.clone()).collect(),
        Reply::Member(member) => vec![member.member.host.clone()],
        Reply::Share(share) => share.ticket.iter().cloned().collect(),
        Reply::Join(join) => join.queue.iter().cloned().collect(),
        Reply::JobList(list) => list.items.iter().map(|job| job.id.clone()).collect(),
        Reply::Job(job) => vec![job.id.clone()],
        Reply::PrinterList(list) => list
            .items
            .iter()
            .map(|printer| format!("{}/{}", printer.host, printer.name))
            .collect(),
        Reply::Printer(printer) => vec![format!("{}/{}", printer.host, printer.name)],
        Reply::PrinterWhy(why) => why.jobs.iter().map(|job| job.job_id.clone()).collect(),
        Reply::Preview(preview) => {
            let printers = preview.printers.iter();
            printers.map(|change| change.printer.clone()).collect()
        }
        Reply::MatchPlan(plan) => vec![plan.id.clone()],
        Reply::TodoList(list) => list.items.iter().map(|row| row.job_id.clone()).collect(),
        Reply::History(list) => list.items.iter().map(|row| row.job_id.clone()).collect(),
        Reply::Forecast(forecast) => forecast.jobs.iter().map(|job| job.id.clone()).collect(),
        Reply::Daemon(daemon) => vec![daemon.pid.to_string()],
        Reply::Status(_) | Reply::Done(_) => Vec::new(),
    }
}

/// An answer as text.
fn view(reply: &Reply, clock: &Clock) -> Vec<Block> {
    match reply {
        Reply::Status(status) => status::screen(status, clock),
        Reply::QueueList(list) => queue::list(list),
        Reply::Queue(queue) => queue::one(queue, clock),
        Reply::PeerList(list) => queue::peers(list, clock),
        Reply::Voters(voters) => queue::voters(voters),
        Reply::TicketList(list) => people::tickets(list, clock),
        Reply::MemberList(list) => people::members(list, clock),
        Reply::Member(member) => people::member(member, clock),
        Reply::Share(share) => queue::share(share),
        Reply::Join(join) => queue::join(join),
        Reply::JobList(list) => job::list(list, clock),
        Reply::Job(job) => vec![job::line(job)],
        Reply::PrinterList(list) => printer::list(list),
        Reply::Printer(printer) => printer::one(printer),
        Reply::PrinterWhy(why) => printer::why(why),
        Reply::Preview(preview) => queue::preview(preview),
        Reply::TodoList(list) => todo::list(list),
        Reply::MatchPlan(plan) => match_::plan(plan),
        Reply::History(list) => status::history(list, clock),
        Reply::Forecast(forecast) => forecast::timeline(forecast, clock),
        Reply::Daemon(daemon) => status::daemon(daemon),
        Reply::Done(done) => vec![Block::Line(Cell::new(match done.already {
            true => format!("already: {}", done.text),
            false => done.text.clone(),
        }))],
    }
}

/// How much of the mesh an answer could see, when that is not all of it.
fn freshness(sync: &printmesh_api::reply::Sync) -> Option<Block> {
    if sync.peers_connected == sync.peers_known {
        return None;
    }
    Some(Block::Note(format!(
        "{} of {} other hosts connected; not seen: {} (their rows may be old)",
        sync.peers_connected,
        sync.peers_known,
        sync.away.join(", ")
    )))
}
