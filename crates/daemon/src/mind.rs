//! The one task that owns the node: takes inputs one by one, commits, then lets effects out.
//!
//! Inputs that wait together share one commit. While the disk takes nothing, no effect leaves: the node's memory is
//! ahead of the disk, so it is held still until a commit succeeds. Commands are refused meanwhile.

use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use printmesh_api::problem::Problem;
use printmesh_node::{Answer, Command, Effect, Input, Node, Step, Write};
use printmesh_store::Database;
use tokio::sync::{mpsc, oneshot};

use crate::{
    clock::{self, SleepWatch},
    effects::Effects,
    limits::{BATCH, FREE_BYTES_MIN, INPUTS},
    problems,
};

/// A full disk is tried again after this long; space comes back by a person's hand.
const RETRY: Duration = Duration::from_secs(1);

/// So often the clocks are looked at while this host has or wants a print: after a sleep its claims are to be given up
/// soon. Without any it sleeps until something happens.
const CLOCKS: Duration = Duration::from_secs(1);

/// Looks something up in the node, between two inputs.
type Read = Box<dyn FnOnce(&Node) + Send>;

/// What the mind can be told or asked.
pub(crate) enum Message {
    Input(Input),
    Command(Command, oneshot::Sender<Result<Answer, Problem>>),
    Read(Read),
    Stop(oneshot::Sender<()>),
}

/// The way to the mind; cheap to clone.
#[derive(Clone)]
pub(crate) struct Mind {
    sender: mpsc::Sender<Message>,
}

impl Mind {
    pub(crate) fn channel() -> (Self, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(INPUTS);
        (Self { sender }, receiver)
    }

    /// Tells it what happened. Lost only when the daemon ends.
    pub(crate) async fn tell(&self, input: Input) {
        self.sender.send(Message::Input(input)).await.ok();
    }

    /// Wants something changed; durable when it is answered.
    pub(crate) async fn command(&self, command: Command) -> Result<Answer, Problem> {
        let (reply, answer) = oneshot::channel();
        self.sender
            .send(Message::Command(command, reply))
            .await
            .ok();
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Reads something from the node.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Node) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        let read = Box::new(move |node: &Node| {
            reply.send(read(node)).ok();
        });
        self.sender.send(Message::Read(read)).await.ok();
        answer.await.map_err(|_| stopping())
    }

    /// Ends it: claims are given back, the last commit is made.
    pub(crate) async fn stop(&self) {
        let (reply, answer) = oneshot::channel();
        if self.sender.send(Message::Stop(reply)).await.is_ok() {
            answer.await.ok();
        }
    }
}

fn stopping() -> Problem {
    problems::new("daemon.stopping", 6, "the daemon is stopping")
}

/// Everything that the loop owns.
pub(crate) struct Loop {
    pub(crate) node: Node,
    pub(crate) database: Arc<Database>,
    pub(crate) effects: Effects,
    pub(crate) home: PathBuf,
}

impl Loop {
    /// Runs until it is told to stop.
    pub(crate) async fn run(mut self, first: Step, mut inputs: mpsc::Receiver<Message>) {
        let mut pending: HashMap<u64, oneshot::Sender<Result<Answer, Problem>>> = HashMap::new();
        let mut commands = 0;
        let mut sleep = SleepWatch::new();
        // When the node decided what is carried out next: a disk that is full, or a sleep, may lie in between.
        let mut decided_ms = clock::now().mono_ms;
        let mut reads: Vec<Read> = Vec::new();
        let mut step = first;
        let mut stopped: Option<oneshot::Sender<()>> = None;
        // What arrived while the disk was full, in its order.
        let mut backlog: VecDeque<Message> = VecDeque::new();
        loop {
            if !step.writes.is_empty() {
                let writes = std::mem::take(&mut step.writes);
                if let Some(stop) = self.commit(writes, &mut inputs, &mut backlog).await {
                    // The disk never took the last step, so nothing of it was done: the next start begins before it.
                    self.effects.printers.close();
                    stop.send(()).ok();
                    return;
                }
            }
            for effect in step.effects.drain(..) {
                match effect {
                    Effect::Reply { id, result } => {
                        if let Some(reply) = pending.remove(&id) {
                            reply.send(result.map_err(problems::from_core)).ok();
                        }
                    }
                    other => self.effects.carry_out(other, &self.node, decided_ms),
                }
            }
            for read in reads.drain(..) {
                read(&self.node);
            }
            // A voter that stops gives its vote away first: a few seconds at most, whoever answers.
            if let Some(reply) = stopped.take_if(|_| !self.node.is_parking()) {
                self.effects.printers.close();
                reply.send(()).ok();
                return;
            }
            let mut batch: Vec<Message> = backlog.drain(..).collect();
            if batch.is_empty() {
                let Some(first) = self.next(&mut inputs, &sleep).await else {
                    return;
                };
                batch.push(first);
            }
            gather(&mut batch, &mut inputs);
            // Before anything is done with what came in: it may rest on what was true before the sleep.
            if let Some(slept) = sleep.slept().map(slept) {
                let more = self.node.handle(clock::now(), slept);
                step.writes.extend(more.writes);
                step.effects.extend(more.effects);
            }
            decided_ms = clock::now().mono_ms;
            for message in batch {
                let input = match message {
                    Message::Input(input) => input,
                    Message::Read(read) => {
                        reads.push(read);
                        continue;
                    }
                    Message::Command(command, reply) => {
                        if let Err(problem) = self.room() {
                            reply.send(Err(problem)).ok();
                            continue;
                        }
                        commands += 1;
                        pending.insert(commands, reply);
                        Input::Command {
                            id: commands,
                            command,
                        }
                    }
                    Message::Stop(reply) => {
                        stopped = Some(reply);
                        Input::ShuttingDown
                    }
                };
                let more = self.node.handle(clock::now(), input);
                step.writes.extend(more.writes);
                step.effects.extend(more.effects);
            }
        }
    }

    /// Waits for the next message, or for the time that the node wants to be woken, or until the machine was asleep.
    async fn next(
        &self,
        inputs: &mut mpsc::Receiver<Message>,
        sleep: &SleepWatch,
    ) -> Option<Message> {
        let wakeup = self.node.next_wakeup();
        let clocks = self.node.has_work().then_some(CLOCKS);
        loop {
            let left = wakeup.map(|at| at.saturating_sub(clock::now().mono_ms));
            if left == Some(0) || sleep.is_due() {
                return Some(Message::Input(Input::Wake));
            }
            // The runtime's clock stands still in sleep: a long wait would be longer by that.
            let Some(wait) = left
                .map(Duration::from_millis)
                .into_iter()
                .chain(clocks)
                .min()
            else {
                return inputs.recv().await;
            };
            if let Ok(message) = tokio::time::timeout(wait, inputs.recv()).await {
                return message;
            }
        }
    }

    fn room(&self) -> Result<(), Problem> {
        match printmesh_store::disk::free_space(&self.home) {
            Ok(free) if free < FREE_BYTES_MIN => Err(problems::disk_full()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Commits until it succeeds, or until the daemon is to stop: then returns who waits for that. Meanwhile reads are
    /// answered and commands refused; a bounded number of inputs waits here, more wait in the channel.
    async fn commit(
        &self,
        writes: Vec<Write>,
        inputs: &mut mpsc::Receiver<Message>,
        backlog: &mut VecDeque<Message>,
    ) -> Option<oneshot::Sender<()>> {
        let writes: Arc<Vec<printmesh_store::Write>> =
            Arc::new(writes.into_iter().map(write).collect());
        loop {
            let (database, batch) = (Arc::clone(&self.database), Arc::clone(&writes));
            let done = tokio::task::spawn_blocking(move || database.commit(&batch)).await;
            let error = match done {
                Ok(Ok(())) => return None,
                Ok(Err(error)) => problems::commit(&error),
                Err(error) => problems::new("disk.error", 1, error.to_string()),
            };
            tracing::error!(
                code = error.code,
                why = error.why,
                "could not commit; holding still and trying again"
            );
            let again = tokio::time::sleep(RETRY);
            tokio::pin!(again);
            loop {
                tokio::select! {
                    () = &mut again => break,
                    message = inputs.recv(), if backlog.len() < INPUTS => match message {
                        Some(Message::Stop(reply)) => return Some(reply),
                        Some(Message::Command(_, reply)) => {
                            reply.send(Err(error.clone())).ok();
                        }
                        Some(Message::Read(read)) => read(&self.node),
                        Some(other) => backlog.push_back(other),
                        // Cannot be: the effects hold a sender.
                        None => return None,
                    }
                }
            }
        }
    }
}

pub(crate) fn write(write: Write) -> printmesh_store::Write {
    match write {
        Write::Put { key, value } => printmesh_store::Write::Put { key, value },
        Write::Delete { key } => printmesh_store::Write::Delete { key },
        Write::Append { log, entry } => printmesh_store::Write::Append { log, entry },
        Write::Clear { log } => printmesh_store::Write::Clear { log },
    }
}

/// Everything that waits joins what came first, and shares its commit: one `fsync` for all of it.
fn gather(batch: &mut Vec<Message>, inputs: &mut mpsc::Receiver<Message>) {
    while batch.len() < BATCH {
        let Ok(more) = inputs.try_recv() else { break };
        batch.push(more);
    }
}

/// What the node is told of a sleep, before anything else.
fn slept(time: Duration) -> Input {
    Input::Slept {
        ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_together_is_committed_together_up_to_a_bound() {
        let (mind, mut inputs) = Mind::channel();
        for _ in 0..BATCH + 3 {
            mind.tell(Input::Wake).await;
        }
        let first = inputs.recv().await.expect("it was sent");
        let mut batch = vec![first];
        gather(&mut batch, &mut inputs);
        assert_eq!(batch.len(), BATCH);
        let mut rest = vec![inputs.recv().await.expect("three are left")];
        gather(&mut rest, &mut inputs);
        assert_eq!(rest.len(), 3, "and nothing is waited for");
    }

    #[test]
    fn the_node_hears_how_long_the_machine_was_asleep() {
        let Input::Slept { ms } = slept(Duration::from_secs(90)) else {
            panic!("another input");
        };
        assert_eq!(ms, 90_000);
    }
}
