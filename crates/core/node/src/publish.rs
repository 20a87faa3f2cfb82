//! What is known of a change of the voters: published in the document, told to listeners, answered to who asked for it.
//!
//! The document's list is a publication, never the authority: a voter believes its own record.

use printmesh_queue::{Configuration, HostId, QueueId};

use crate::{
    effect::Answer,
    event::Event,
    node::Node,
    problem::{Code, Problem},
};

impl Node {
    /// Publishes the configuration that this host serves.
    pub(crate) fn publish_config(&mut self, queue: QueueId) {
        let config = self
            .queues
            .get(&queue)
            .and_then(|entry| entry.config.clone());
        if let Some(config) = config {
            let (voters, seals) = (config.voters, config.seals);
            self.publish_voters(queue, Configuration { voters, seals });
        }
    }

    pub(crate) fn publish_voters(&mut self, queue: QueueId, configuration: Configuration) {
        let snapshot = self.queues[&queue].doc.snapshot();
        if snapshot.configs.contains_key(&configuration.voters.cfg) {
            return;
        }
        let hosts = configuration.voters.hosts.iter();
        let names: Vec<String> = hosts.map(|host| snapshot.host_name(*host)).collect();
        let cfg = configuration.voters.cfg;
        tracing::info!(%queue, cfg, voters = names.join(", "), "the voters have changed");
        self.record(queue, |edit| edit.publish_voters(&configuration));
        if let Some(entry) = self.queues.get_mut(&queue) {
            entry.refused.clear();
        }
        let text = format!("decided by {} from now on", names.join(", "));
        self.tell(Event {
            queue: self.queue_names().remove(&queue),
            state: Some(cfg.to_string()),
            text: Some(text),
            ..Event::new("queue.voters")
        });
    }

    pub(crate) fn voters_silent(&self, queue: QueueId, begun: bool) -> Problem {
        let name = self.queues[&queue].name();
        let why = if begun {
            "the voters stopped answering in the middle; it is finished as soon as they answer"
        } else {
            "too few of the voters answered; nothing has changed"
        };
        Problem::new(
            Code::NoQuorum,
            format!("the voters of {name} have not been changed"),
        )
        .because(why)
        .fix(format!("printmesh queue voters {name}"), "see who is away")
        .fix(
            format!("printmesh queue recover {name}"),
            "when a majority of them is gone for good",
        )
    }

    pub(crate) fn end_change(&mut self, queue: QueueId) {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let Some(change) = entry.change.take() else {
            return;
        };
        let Some(command) = change.command else {
            return;
        };
        let (name, snapshot) = (entry.name(), entry.doc.snapshot());
        let names = |hosts: &[HostId]| -> String {
            let names: Vec<String> = hosts.iter().map(|host| snapshot.host_name(*host)).collect();
            names.join(", ")
        };
        let published = snapshot.configs.get(&(change.before.cfg + 1));
        let hosts = published.unwrap_or(&snapshot.voters.hosts);
        let result = if *hosts == change.wanted {
            Ok(Answer::Done {
                already: false,
                text: format!("{name} is decided by {} from now on", names(hosts)),
            })
        } else {
            let now = names(&snapshot.voters.hosts);
            Err(Problem::new(
                Code::VotersChanged,
                format!("the voters of {name} were changed by somebody else"),
            )
            .because(format!("it is decided by {now} now"))
            .fix(
                format!("printmesh queue voters {name}"),
                "look, then try again",
            ))
        };
        self.reply(command, result);
    }
}
