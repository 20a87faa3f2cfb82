//! `simulate`: what will be printed when. Nothing is started by it.

use std::time::Duration;

use clap::Args;
use printmesh_api::{problem::Problem, request::Request};

use super::show;
use crate::{
    context::Context,
    render::time::{parse_duration, parse_when},
};

/// Show what will be printed when, without starting anything
///
/// Examples:
///   printmesh simulate
///   printmesh simulate -q farm --until 17:00
///   printmesh simulate --until done --turnaround 15m --json
///
/// It is what the rules of the queues would do as things are now: prints succeed and take as long as their slicers say, or
/// as long as they took on that printer before, and somebody clears each bed. Quiet hours, copies left for AutoPrint and places
/// to heat count as they are set; a bed with --cool-to is taken to cool for 20 minutes, a printer to heat for 5. A printer that
/// waits for more than that stays out of it. Where nobody knows how long a file takes, no time is made up.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Simulate {
    /// Only prints of this queue; the others are counted all the same
    #[arg(short, long, env = "PRINTMESH_QUEUE", hide_env = true)]
    queue: Option<String>,
    /// How far ahead: `done`, or 2026-12-01T17:00, 17:00, +8h
    #[arg(long, default_value = "done", value_name = "TIME", value_parser = parse_until)]
    until: Until,
    /// How long it takes until somebody has cleared a bed, as 10m; otherwise what each queue says (`queue set --turnaround`)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    turnaround: Option<Duration>,
}

/// How far ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    Done,
    Time(u64),
}

fn parse_until(text: &str) -> Result<Until, String> {
    match text {
        "done" => Ok(Until::Done),
        "none" => Err("`done`, or a time like 17:00".to_owned()),
        time => parse_when(time).map(Until::Time),
    }
}

pub(super) async fn run(cx: &Context, args: Simulate) -> Result<u8, Problem> {
    let request = Request::Simulate {
        queue: args.queue,
        turnaround_s: args.turnaround.map(|time| time.as_secs()),
        until_ms: match args.until {
            Until::Done => None,
            Until::Time(ms) => Some(ms),
        },
    };
    show(cx, request).await
}
