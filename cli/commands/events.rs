//! `events`: what happens, as it happens.

use clap::Args;
use printmesh_api::{problem::Problem, reply::Event};

use crate::{
    context::Context,
    error::{code, exit},
    render::json::Fields,
};

/// Stream what happens, one JSON object per line
///
/// Examples:
///   printmesh events
///   printmesh events --kind job.state --kind print.progress -q farm
///   printmesh events --json=time,kind,job,state
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Events {
    /// Only events of this kind; may be repeated
    #[arg(long)]
    kind: Vec<String>,
    /// Only events of this queue
    #[arg(short, long)]
    queue: Option<String>,
}

impl Events {
    fn wants(&self, event: &Event) -> bool {
        // A reset says that the reader missed something: no filter may hide it.
        event.kind == "reset"
            || ((self.kind.is_empty() || self.kind.contains(&event.kind))
                && (self.queue.is_none() || self.queue == event.queue))
    }
}

pub(super) async fn run(cx: &Context, args: Events) -> Result<u8, Problem> {
    let mut events = cx.events().await?;
    let stream = async {
        while let Some(event) = events.next().await.map_err(|error| cx.explain(error))? {
            if args.wants(&event) {
                let event = serde_json::to_value(event).expect("an event is a plain value");
                let event = cx.output.fields().unwrap_or(&Fields::All).select(event)?;
                cx.output.print(&format!("{event}\n"))?;
            }
        }
        Err(stopped())
    };
    tokio::select! {
        result = cx.patiently("no more events are shown", None, stream) => result?,
        _ = tokio::signal::ctrl_c() => Ok(exit::INTERRUPTED),
    }
}

/// The daemon ended while we listened.
pub(super) fn stopped() -> Problem {
    Problem::new(
        code::DAEMON_STOPPED,
        exit::DAEMON_DOWN,
        "the daemon stopped",
    )
    .fix("printmesh up", "start it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_combine_and_never_hide_a_gap() {
        let args = Events {
            kind: vec!["job.state".to_owned(), "peer.state".to_owned()],
            queue: Some("farm".to_owned()),
        };
        let event = |kind: &str, queue: Option<&str>| Event {
            kind: kind.to_owned(),
            queue: queue.map(str::to_owned),
            ..Event::default()
        };
        assert!(args.wants(&event("job.state", Some("farm"))));
        assert!(!args.wants(&event("job.state", Some("local"))));
        assert!(!args.wants(&event("printer.state", Some("farm"))));
        assert!(args.wants(&event("reset", None)));
    }
}
