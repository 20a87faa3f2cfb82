//! Getting into a queue: by ticket, with the queue key, or by asking on the LAN and being let in by a person.
//!
//! Possession is proven over the connection's own exporter, so that a proof cannot be replayed on another one.
//! Strangers are never linked in silence: without a ticket, a member approves or has opened a window.

use std::{collections::BTreeMap, net::SocketAddr};

use ed25519_dalek::{Signer as _, SigningKey};
use printmesh_queue::{HostId, QueueId, Role};

use crate::{
    bucket::Bucket,
    command::Ticket,
    comparison::{Commitment, Nonce},
    effect::{Answer, Effect},
    limits::{ASK_AGAIN_MS, JOIN_MS, LAN_SEARCH_MS, TELL_BURST, TELL_PER_S},
    node::{Discovered, Node},
    problem::{Code, Problem},
    ticket::{JoinMessage, Want, proof_bytes},
};

/// Name of the default LAN queue (seed 1).
pub const LAN_QUEUE: &str = "LAN";

/// A host that asks to join, as the member sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The queue.
    pub queue: QueueId,
    /// Name that the host gives itself.
    pub name: String,
    /// Comparison code: the same on both screens.
    pub code: String,
    pub(crate) conversation: u64,
}

/// Everything about joining that is under way; nothing of it survives a restart but its results.
#[derive(Default)]
pub(crate) struct JoinState {
    pub(crate) attempts: u64,
    pub(crate) outgoing: BTreeMap<u64, Outgoing>,
    pub(crate) conversations: BTreeMap<u64, Conversation>,
    pub(crate) searches: Vec<Search>,
    pub(crate) syncing: Vec<Syncing>,
    pub(crate) window: Option<Window>,
    /// Refusals that are still told one by one.
    complaints: Option<Bucket>,
    /// Questions of hosts that have no ticket that are still taken.
    pub(crate) lan_asks: Option<Bucket>,
}

pub(crate) struct Outgoing {
    pub(crate) command: Option<u64>,
    pub(crate) host: HostId,
    pub(crate) addresses: Vec<SocketAddr>,
    /// What a person here agreed to.
    pub(crate) relays: Vec<String>,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) as_name: Option<String>,
    pub(crate) lan: bool,
    pub(crate) asked: bool,
    pub(crate) deadline_ms: Option<u64>,
    pub(crate) again_ms: Option<u64>,
}

pub(crate) struct Conversation {
    pub(crate) peer: HostId,
    pub(crate) exporter: [u8; 32],
    pub(crate) attempt: Option<u64>,
    /// What this host, which asks, adds to the code; shown once.
    pub(crate) nonce: Option<Nonce>,
    /// What was asked of this host, until the other side shows what it adds to the code.
    pub(crate) lan: Option<LanAsk>,
}

pub(crate) struct LanAsk {
    pub(crate) queue: QueueId,
    pub(crate) name: String,
    pub(crate) commitment: Commitment,
    pub(crate) nonce: Nonce,
}

/// Looks for a host that offers a LAN queue.
pub(crate) struct Search {
    pub(crate) command: u64,
    pub(crate) deadline_ms: u64,
    pub(crate) create: bool,
    pub(crate) as_name: Option<String>,
}

/// Joined, and waits for the first changes.
pub(crate) struct Syncing {
    pub(crate) command: u64,
    pub(crate) queue: QueueId,
    pub(crate) deadline_ms: u64,
}

pub(crate) struct Window {
    pub(crate) queue: QueueId,
    pub(crate) role: Role,
    pub(crate) until_ms: u64,
}
impl JoinState {
    pub(crate) fn next_wakeup(&self) -> Option<u64> {
        let outgoing = self
            .outgoing
            .values()
            .flat_map(|o| o.deadline_ms.into_iter().chain(o.again_ms));
        outgoing
            .chain(self.searches.iter().map(|search| search.deadline_ms))
            .chain(self.syncing.iter().map(|syncing| syncing.deadline_ms))
            .chain(self.window.iter().map(|window| window.until_ms))
            .min()
    }
}

impl Node {
    pub(crate) fn queue_join(
        &mut self,
        command: u64,
        ticket: Ticket,
        as_name: Option<String>,
        wan: bool,
    ) -> Result<(), Problem> {
        if let Some(name) = &as_name {
            self.check_queue_name(name)?;
        }
        if wan && ticket.relays.is_empty() {
            let problem = Problem::new(Code::TicketNoRelay, "this ticket names no relay").fix(
                "printmesh queue share QUEUE --wan",
                "make one that does, on the host that shares the queue",
            );
            return Err(problem);
        }
        let relays = match wan {
            true => ticket.relays.clone(),
            false => Vec::new(),
        };
        let id = QueueId(ticket.queue);
        if let Some(entry) = self.queues.get_mut(&id).filter(|entry| !entry.record.left) {
            let queue = entry.name();
            if wan && entry.record.relays != relays {
                entry.record.relays = relays;
                self.save_queue(id);
            }
            self.reply(
                command,
                Ok(Answer::Joined {
                    queue,
                    already: true,
                }),
            );
            return Ok(());
        }
        if ticket
            .expires_at_s
            .is_some_and(|end| end <= self.now.wall.0 / 1000)
        {
            return Err(
                Problem::new(Code::TicketExpired, "this ticket has expired").fix(
                    "printmesh queue share QUEUE",
                    "make a new one, on the host that shares the queue",
                ),
            );
        }
        let (host, addresses) = (ticket.host, ticket.addresses.clone());
        let with = (addresses, relays);
        self.open_join(Some(command), host, with, Some(ticket), as_name, false);
        Ok(())
    }

    /// `init --lan`: makes the default LAN queue, or asks the host that offers one. `create` false only asks.
    pub(crate) fn lan_join(&mut self, command: u64, create: bool, as_name: Option<String>) {
        let mine = self
            .queues
            .iter()
            .find(|(_, queue)| queue.record.lan && !queue.record.left);
        if let Some((_, queue)) = mine {
            let queue = queue.name();
            self.reply(
                command,
                Ok(Answer::Joined {
                    queue,
                    already: true,
                }),
            );
            return;
        }
        let deadline_ms = self.now.mono_ms + LAN_SEARCH_MS;
        self.joins.searches.push(Search {
            command,
            deadline_ms,
            create,
            as_name,
        });
    }

    fn open_join(
        &mut self,
        command: Option<u64>,
        host: HostId,
        (addresses, relays): (Vec<SocketAddr>, Vec<String>),
        ticket: Option<Ticket>,
        as_name: Option<String>,
        lan: bool,
    ) {
        self.joins.attempts += 1;
        let attempt = self.joins.attempts;
        let deadline_ms = Some(self.now.mono_ms + JOIN_MS);
        let outgoing = Outgoing {
            command,
            host,
            addresses: addresses.clone(),
            relays: relays.clone(),
            ticket,
            as_name,
            lan,
            asked: false,
            deadline_ms,
            again_ms: None,
        };
        self.joins.outgoing.insert(attempt, outgoing);
        self.effect(Effect::Join {
            attempt,
            host,
            addresses,
            relays,
        });
    }

    pub(crate) fn discovered(
        &mut self,
        host: HostId,
        addresses: Vec<SocketAddr>,
        offers_lan: bool,
    ) {
        if host != self.me {
            self.discovered.insert(
                host,
                Discovered {
                    addresses,
                    offers_lan,
                },
            );
        }
    }

    /// Goes on with what waits for something to be discovered or to arrive.
    pub(crate) fn drive_joins(&mut self) -> bool {
        let mut moved = false;
        let offer = self
            .discovered
            .iter()
            .find(|(_, found)| found.offers_lan)
            .map(|(host, found)| (*host, found.addresses.clone()));
        if let Some((host, addresses)) = offer {
            for search in std::mem::take(&mut self.joins.searches) {
                let (command, as_name) = (search.command, search.as_name);
                let at = (addresses.clone(), Vec::new());
                self.open_join(Some(command), host, at, None, as_name, true);
                moved = true;
            }
        }
        for syncing in std::mem::take(&mut self.joins.syncing) {
            let entry = &self.queues[&syncing.queue];
            // A host that was removed before is in there too, until the news that it is let in again has come.
            let me = entry.doc.snapshot().members.get(&self.me);
            if me.is_some_and(|me| !me.is_removed()) {
                let queue = self
                    .queue_names()
                    .remove(&syncing.queue)
                    .unwrap_or_default();
                self.reply(
                    syncing.command,
                    Ok(Answer::Joined {
                        queue,
                        already: false,
                    }),
                );
                moved = true;
            } else {
                self.joins.syncing.push(syncing);
            }
        }
        moved
    }

    pub(crate) fn expire_joins(&mut self) {
        let now = self.now.mono_ms;
        if self
            .joins
            .window
            .as_ref()
            .is_some_and(|window| window.until_ms <= now)
        {
            self.joins.window = None;
        }
        for search in std::mem::take(&mut self.joins.searches) {
            if search.deadline_ms > now {
                self.joins.searches.push(search);
            } else if search.create {
                let made = self.queue_create(LAN_QUEUE, true);
                let result = made.map(|_| Answer::Queue(LAN_QUEUE.to_owned()));
                self.reply(search.command, result);
            } else {
                let problem =
                    Problem::new(Code::LanNothing, "no host on this network offers its queue")
                        .fix(
                            "printmesh queue share LAN --open 10m",
                            "type this on a host that is in the queue",
                        )
                        .fix("printmesh join TICKET", "or join by ticket");
                self.reply(search.command, Err(problem));
            }
        }
        let (late, waiting) = std::mem::take(&mut self.joins.syncing)
            .into_iter()
            .partition::<Vec<_>, _>(|syncing| syncing.deadline_ms <= now);
        self.joins.syncing = waiting;
        for syncing in late {
            let queue = self
                .queue_names()
                .remove(&syncing.queue)
                .unwrap_or_default();
            self.reply(
                syncing.command,
                Ok(Answer::Joined {
                    queue,
                    already: false,
                }),
            );
        }
        let due: Vec<u64> = self
            .joins
            .outgoing
            .iter()
            .filter(|(_, o)| o.again_ms.is_some_and(|at| at <= now))
            .map(|(attempt, _)| *attempt)
            .collect();
        for attempt in due {
            if let Some(outgoing) = self.joins.outgoing.remove(&attempt) {
                let Outgoing {
                    host,
                    addresses,
                    relays,
                    ticket,
                    as_name,
                    lan,
                    ..
                } = outgoing;
                self.open_join(None, host, (addresses, relays), ticket, as_name, lan);
                // Keeps asking as long as the person does not give up.
                if let Some(again) = self.joins.outgoing.get_mut(&self.joins.attempts) {
                    again.asked = true;
                    again.deadline_ms = None;
                }
            }
        }
        let late: Vec<u64> = self
            .joins
            .outgoing
            .iter()
            .filter(|(_, o)| o.deadline_ms.is_some_and(|at| at <= now))
            .map(|(attempt, _)| *attempt)
            .collect();
        for attempt in late {
            self.join_failed(attempt, "it did not answer");
        }
    }

    fn join_failed(&mut self, attempt: u64, reason: &str) {
        let Some(outgoing) = self.joins.outgoing.remove(&attempt) else {
            return;
        };
        if outgoing.asked {
            let again_ms = Some(self.now.mono_ms + ASK_AGAIN_MS);
            let waiting = Outgoing {
                again_ms,
                deadline_ms: None,
                command: None,
                ..outgoing
            };
            self.joins.outgoing.insert(attempt, waiting);
            return;
        }
        let addresses = outgoing.addresses.iter().map(ToString::to_string);
        let tried: Vec<String> = addresses.chain(outgoing.relays.iter().cloned()).collect();
        let mut problem = Problem::new(
            Code::JoinUnreachable,
            format!("cannot join through host {}", outgoing.host.fingerprint()),
        )
        .because(format!(
            "tried {}: {reason}",
            if tried.is_empty() {
                "the LAN".into()
            } else {
                tried.join(", ")
            }
        ));
        let named = outgoing.ticket.iter().flat_map(|ticket| &ticket.relays);
        let unused: Vec<_> = named
            .filter(|relay| !outgoing.relays.contains(relay))
            .cloned()
            .collect();
        if !unused.is_empty() {
            problem = problem.fix(
                "printmesh join TICKET --wan",
                format!(
                    "meet it over {}: it learns which hosts talk through it, from where, when and how much, and not what",
                    unused.join(", ")
                ),
            );
        }
        let problem = problem
            .fix(
                "",
                "see that its daemon runs and that both hosts are on one network",
            )
            .fix(
                "printmesh queue share QUEUE",
                "or make a new ticket, on a host that is in the queue",
            );
        if let Some(command) = outgoing.command {
            self.reply(command, Err(problem));
        }
    }

    pub(crate) fn join_opened(
        &mut self,
        conversation: u64,
        peer: HostId,
        exporter: [u8; 32],
        attempt: Option<u64>,
    ) {
        self.joins.conversations.insert(
            conversation,
            Conversation {
                peer,
                exporter,
                attempt,
                nonce: None,
                lan: None,
            },
        );
        let Some(outgoing) = attempt.and_then(|attempt| self.joins.outgoing.get(&attempt)) else {
            return;
        };
        let want = match &outgoing.ticket {
            None => {
                let nonce = Nonce(self.entropy.bytes());
                if let Some(conversation) = self.joins.conversations.get_mut(&conversation) {
                    conversation.nonce = Some(nonce);
                }
                let commitment = Commitment::to(nonce, &exporter);
                Want::Lan { commitment }
            }
            Some(ticket) => {
                let queue = QueueId(ticket.queue);
                let bytes = proof_bytes(&exporter, queue, self.me, peer);
                let proof = SigningKey::from_bytes(&ticket.secret)
                    .sign(&bytes)
                    .to_bytes()
                    .to_vec();
                let invite = (!ticket.proof.is_empty()).then(|| ticket.proof.clone());
                Want::Ticket {
                    queue,
                    invite,
                    proof,
                }
            }
        };
        let ask = JoinMessage::Ask {
            name: self.host.name.clone(),
            want,
        };
        self.say(conversation, &ask, false);
    }

    pub(crate) fn say(&mut self, conversation: u64, message: &JoinMessage, last: bool) {
        let bytes = postcard::to_stdvec(message).expect("plain data always encodes");
        self.effect(Effect::JoinSend {
            conversation,
            bytes,
            last,
        });
    }

    pub(crate) fn join_closed(&mut self, number: u64, attempt_failed: bool, reason: &str) {
        if attempt_failed {
            self.join_failed(number, reason);
            return;
        }
        let Some(conversation) = self.joins.conversations.remove(&number) else {
            return;
        };
        match conversation.attempt {
            Some(attempt) => self.join_failed(attempt, reason),
            None => self
                .asking
                .retain(|_, asking| asking.conversation != number),
        }
    }

    pub(crate) fn join_message(&mut self, number: u64, bytes: &[u8]) {
        let Some(conversation) = self.joins.conversations.get(&number) else {
            return;
        };
        let (peer, exporter, attempt) = (
            conversation.peer,
            conversation.exporter,
            conversation.attempt,
        );
        let Ok(message) = postcard::from_bytes::<JoinMessage>(bytes) else {
            self.complain_of_stranger(peer, "sent a join message that cannot be read");
            return;
        };
        match (message, attempt) {
            (JoinMessage::Ask { name, want }, None) => {
                if let Err(problem) = self.asked_to_join(number, peer, &exporter, name, want) {
                    self.turn_away(number, peer, problem);
                }
            }
            (JoinMessage::Reveal { nonce }, None) => {
                if let Err(problem) = self.revealed(number, nonce) {
                    self.turn_away(number, peer, problem);
                }
            }
            (JoinMessage::Waiting { nonce }, Some(attempt)) => {
                self.told_to_wait(number, attempt, nonce)
            }
            (JoinMessage::Welcome(welcome), Some(attempt)) => {
                self.welcomed(number, attempt, *welcome)
            }
            (JoinMessage::Refused { code, text }, Some(attempt)) => {
                self.joins.conversations.remove(&number);
                self.turned_away(attempt, &code, text);
            }
            _ => self.complain_of_stranger(peer, "sent a join message out of turn"),
        }
    }

    fn turn_away(&mut self, conversation: u64, peer: HostId, problem: Problem) {
        let code = problem.code.as_str().to_owned();
        self.complain_of_stranger(peer, &code);
        let text = problem.why.unwrap_or(problem.title);
        self.say(conversation, &JoinMessage::Refused { code, text }, true);
    }

    /// Names a host at the door, so often and no more: keys cost strangers nothing, and nobody fills the log.
    fn complain_of_stranger(&mut self, peer: HostId, why: &str) {
        let now_ms = self.now.mono_ms;
        let told = self
            .joins
            .complaints
            .get_or_insert_with(|| Bucket::new(now_ms, TELL_BURST));
        told.fill(now_ms, TELL_PER_S, TELL_BURST);
        if told.has(1) {
            told.take(1);
            tracing::warn!(%peer, why, "refused a host that wants to join");
        }
    }
}
