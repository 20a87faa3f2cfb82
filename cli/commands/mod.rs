//! One file per group of commands: its words for clap, and what it asks of the daemon.

pub(crate) mod autoprint;
pub(crate) mod batch;
pub(crate) mod completions;
pub(crate) mod daemon;
pub(crate) mod demo;
mod equip;
pub(crate) mod events;
pub(crate) mod file;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod join;
pub(crate) mod match_;
pub(crate) mod member;
pub(crate) mod move_;
pub(crate) mod printer;
pub(crate) mod profile;
pub(crate) mod queue;
mod settings;
pub(crate) mod simulate;
pub(crate) mod status;
pub(crate) mod submit;
mod terms;
pub(crate) mod todo;
pub(crate) mod up;
pub(crate) mod voters;
pub(crate) mod wait;

use printmesh_api::{problem::Problem, request::Request};

use crate::{args::Command, context::Context, error::exit};

/// Carries a command out; gives the exit code.
///
/// # Errors
/// A [`Problem`] that says what, why and how to mend it; its `exit` is the exit code.
pub(crate) async fn run(cx: &Context, command: Command) -> Result<u8, Problem> {
    match command {
        Command::Init(args) => init::run(cx, args).await,
        Command::Up(args) => up::run(cx, args).await,
        Command::Join(args) => join::run(cx, args).await,
        Command::Demo(args) => demo::run(cx, args).await,
        Command::Submit(args) => submit::run(cx, args).await,
        Command::Status(args) => status::run(cx, args).await,
        Command::Jobs(args) => jobs::run(cx, args).await,
        Command::Match(args) => match_::run(cx, args).await,
        Command::Todo(args) => todo::run(cx, args).await,
        Command::History(args) => history::run(cx, args).await,
        Command::Simulate(args) => simulate::run(cx, args).await,
        Command::Job(args) => job::run(cx, args).await,
        Command::Queue(args) => queue::run(cx, args).await,
        Command::Member(args) => member::run(cx, args).await,
        Command::Printer(args) => printer::run(cx, args).await,
        Command::Autoprint(args) => autoprint::run(cx, args).await,
        Command::Profile(args) => profile::run(cx, args).await,
        Command::File(args) => file::run(cx, args).await,
        Command::Daemon(args) => daemon::run(cx, args).await,
        Command::Events(args) => events::run(cx, args).await,
        Command::Completions(args) => completions::run(cx, args),
    }
}

/// Asks for one thing and shows the answer.
async fn show(cx: &Context, request: Request) -> Result<u8, Problem> {
    let reply = cx.call(request).await?;
    cx.output.reply(&reply)?;
    Ok(exit::DONE)
}
