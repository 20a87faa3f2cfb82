//! `join` = `queue join`: by ticket, or by asking a host of this network.

use std::io::Read;

use clap::{Args, ValueHint};
use printmesh_api::{
    client::Events,
    problem::Problem,
    reply::{Join as Joined, Queue, Reply},
    request::Request,
};

use super::events::stopped;
use crate::{
    context::Context,
    error::{code, exit, foreign, system, usage},
};

/// What it means to use a relay.
pub(super) const LEARNS: &str =
    "A relay learns which hosts talk over it, from where, when and how much, and not what.";

/// Longest ticket file that is read, bytes: a ticket is far shorter, a wrong file may be far longer.
const TICKET_BYTES_MAX: u64 = 64 * 1024;

/// Join a shared queue
///
/// Examples:
///   printmesh join pmq1…         with a ticket
///   printmesh join -             with a ticket from stdin: it stays out of the shell's history
///   printmesh join pmq1… --wan   with a ticket of `queue share --wan`: over its relay
///   printmesh join               ask the host of this network that offers a queue
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Join {
    /// Ticket (pmq1…), a file that has one, or - for stdin; without it a host of this network is asked
    #[arg(value_hint = ValueHint::FilePath)]
    ticket: Option<String>,
    /// Name of the queue on this host, if its own is taken here
    #[arg(long = "as", value_name = "NAME")]
    as_name: Option<String>,
    /// Do not wait until a member lets this host in
    #[arg(long)]
    no_wait: bool,
    /// Meet the members of this queue over the relay that the ticket names, where they cannot be reached directly
    ///
    /// A relay is a server outside your network. It learns which hosts talk over it, from where, when and how much, and not
    /// what. Without this it is not called, unless it stands in config.toml. After `queue leave`
    /// no member is met there any more; the connection to the relay itself ends with the next start of the daemon.
    #[arg(long, requires = "ticket")]
    wan: bool,
}

pub(super) async fn run(cx: &Context, args: Join) -> Result<u8, Problem> {
    let ticket = args.ticket.as_deref().map(read_ticket).transpose()?;
    // Subscribed before the question: an answer that comes at once is not missed.
    let events = cx.events().await?;
    let before = queues(cx).await?;
    let request = Request::QueueJoin {
        ticket,
        as_name: args.as_name,
        wan: args.wan,
    };
    let reply = cx.call(request).await?;
    let Reply::Join(asked) = &reply else {
        return Err(foreign("what came of joining"));
    };
    if asked.state != "asked" || args.no_wait {
        cx.output.reply(&reply)?;
        if !asked.relays.is_empty() {
            cx.output.note(&format!(
                "Its members are met over {} too, where they cannot be reached directly. {LEARNS}",
                asked.relays.join(" and ")
            ));
        }
        if !asked.unused_relays.is_empty() {
            cx.output.note(&format!(
                "The ticket names {}, which is not used: join again with --wan to meet the members there. {LEARNS}",
                asked.unused_relays.join(" and ")
            ));
        }
        return Ok(exit::DONE);
    }
    tell_how_to_approve(cx, asked).await?;
    let admitted = admission(cx, events, &before);
    let queue = tokio::select! {
        queue = cx.patiently("nobody has let this host in yet", None, admitted) => queue??,
        _ = tokio::signal::ctrl_c() => {
            cx.output.tell("stopped waiting; a member can still let this host in\n");
            return Ok(exit::INTERRUPTED);
        }
    };
    cx.output.reply(&Reply::Join(Joined {
        state: "joined".to_owned(),
        queue: Some(queue.name),
        ..asked.clone()
    }))?;
    Ok(exit::DONE)
}

/// Says on whose screen to look for which code, and what to type there.
pub(super) async fn tell_how_to_approve(cx: &Context, asked: &Joined) -> Result<(), Problem> {
    let host = asked.host.as_deref().unwrap_or("a member");
    let queue = asked.queue.as_deref().unwrap_or("LAN");
    let me = match cx.call(Request::Status).await? {
        Reply::Status(status) => status.host,
        _ => return Err(foreign("the status")),
    };
    if let Some(code) = &asked.code {
        cx.output.note(&format!(
            "Asked host {host} to let {me} in. Its `printmesh status` shows the same code: {code}"
        ));
    }
    cx.output.note(&format!(
        "Then, on that host: printmesh member approve {queue} {me}"
    ));
    Ok(())
}

/// Waits until a queue is there that was not there before.
async fn admission(cx: &Context, mut events: Events, before: &[Queue]) -> Result<Queue, Problem> {
    loop {
        let found = queues(cx).await?.into_iter();
        let mut new = found.filter(|queue| before.iter().all(|old| old.id != queue.id));
        if let Some(queue) = new.next() {
            return Ok(queue);
        }
        loop {
            let event = events.next().await.map_err(|error| cx.explain(error))?;
            let event = event.ok_or_else(stopped)?;
            match event.kind.as_str() {
                "join.refused" => {
                    let title = "a member refused this host";
                    let mut problem = Problem::new(code::JOIN_REFUSED, 4, title);
                    problem.why = event.text;
                    return Err(problem);
                }
                "queue.changed" | "peer.state" | "reset" => break,
                // Prints and printers have nothing to do with it.
                _ => {}
            }
        }
    }
}

async fn queues(cx: &Context) -> Result<Vec<Queue>, Problem> {
    match cx.call(Request::QueueList).await? {
        Reply::QueueList(list) => Ok(list.items),
        _ => Err(foreign("the queues")),
    }
}

/// A ticket as typed, from stdin, or from a file.
fn read_ticket(argument: &str) -> Result<String, Problem> {
    let source: Box<dyn Read> = match argument {
        "-" => Box::new(std::io::stdin().lock()),
        ticket if ticket.starts_with("pmq") => return Ok(ticket.to_owned()),
        path => Box::new(std::fs::File::open(path).map_err(|error| {
            usage(format!(
                "{path} is neither a ticket nor a file that can be read"
            ))
            .because(format!("tickets begin with pmq; {error}"))
        })?),
    };
    let mut text = String::new();
    let read = source.take(TICKET_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| system("read the ticket", &error))?;
    match text.trim() {
        "" => Err(usage("there is no ticket in it")),
        ticket => Ok(ticket.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_may_come_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "pmq1abc\n").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(read_ticket(path).unwrap(), "pmq1abc");
        assert_eq!(read_ticket("pmq1xyz").unwrap(), "pmq1xyz");
        std::fs::write(file.path(), " \n").unwrap();
        assert_eq!(read_ticket(path).unwrap_err().exit, 2);
        assert_eq!(read_ticket("farm").unwrap_err().exit, 2);
    }
}
