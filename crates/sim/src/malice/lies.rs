//! What the liar of a farm sends.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use printmesh_node::{Ask, ConfigMessage, ConfigNack, Message, Nack, Reply, Value};
use printmesh_queue::{
    Author, Ballot, EditError, EpochHash, HostId, QueueDocument, QueueId, Role, SignedChange,
    fuzzing::{Forgery, forged},
};

use super::Liar;
use crate::{host::Device, world::World};

/// Changes that are refused, sent at once: more than any member's pace bears.
const FLOOD: usize = 60;

/// Good ones behind them.
const FLOOD_GOOD: usize = 20;

/// A ballot far above all that honest hosts have drawn.
const FAR_BALLOT: u64 = 1 << 30;

/// Before the first start of its hostile software.
const FIRST_START: u64 = 1 << 40;

impl World {
    /// The queue as the liar's own software has it, for a start of other software with the same key.
    fn forger(&mut self, liar: usize, anew: bool) -> Option<(QueueDocument, Device)> {
        let queue = self.farm_view(liar)?.id;
        let log = self.hosts[liar].process.as_ref()?.database.log(queue.0);
        let malice = self.malice.as_mut()?;
        malice.starts += u64::from(anew);
        let author = Author {
            host: self.hosts[liar].id,
            boot: FIRST_START + malice.starts,
        };
        let document = QueueDocument::load(queue, author, log.ok()?).ok()?;
        let device = Device(SigningKey::from_bytes(&self.hosts[liar].key));
        Some((document, device))
    }

    fn tell_changes(
        &mut self,
        from: usize,
        to: usize,
        (queue, epoch): (QueueId, EpochHash),
        changes: Vec<Vec<u8>>,
        vouched: bool,
    ) {
        // As if all others had it already.
        let ids = self.hosts.iter().map(|host| host.id);
        let first = |id: HostId| [id.0[0], id.0[1], id.0[2], id.0[3]];
        let also = match vouched {
            true => ids.map(first).collect(),
            false => Vec::new(),
        };
        let message = Message::Changes {
            queue,
            epoch,
            changes,
            also,
        };
        let to = self.hosts[to].id;
        self.send(from, to, message.encode());
    }

    pub(super) fn forges(&mut self, liar: usize) -> bool {
        let Some((document, device)) = self.forger(liar, true) else {
            return false;
        };
        let others: Vec<usize> = self.honest().collect();
        let ids: Vec<HostId> = others.iter().map(|other| self.hosts[*other].id).collect();
        let Some(malice) = &mut self.malice else {
            return false;
        };
        let mut changes = Vec::new();
        for _ in 0..malice.draw.between(4, 12) {
            let (draw, whose) = (&mut malice.draw, ids[0]);
            let forgery = match draw.below(3) {
                0 => Forgery::Author(*ids.get(draw.index(ids.len())).unwrap_or(&whose)),
                1 => Forgery::AnothersFact(*ids.get(draw.index(ids.len())).unwrap_or(&whose)),
                _ => draw.pick(Forgery::PLAIN),
            };
            let Some(change) = forged(&document, &device, forgery, draw.next() >> 1) else {
                continue;
            };
            let bytes = change.to_bytes();
            malice.forged.insert(*blake3::hash(&bytes).as_bytes());
            changes.push(bytes);
        }
        let place = (document.queue(), document.epoch().hash);
        for to in others {
            self.tell_changes(liar, to, place, changes.clone(), false);
        }
        true
    }

    pub(super) fn sends_garbage(&mut self, liar: usize) -> bool {
        let others: Vec<usize> = self.honest().collect();
        let Some(malice) = &mut self.malice else {
            return false;
        };
        let mut sent = Vec::new();
        for _ in 0..malice.draw.between(4, 12) {
            let draw = &mut malice.draw;
            let to = others[draw.index(others.len())];
            let known = malice.overheard.len();
            let mut bytes = match draw.chance(600) && known > 0 {
                true => malice.overheard[draw.index(known)].clone(),
                false => (0..draw.below(300)).map(|_| draw.next() as u8).collect(),
            };
            for _ in 0..draw.between(1, 4) {
                let at = draw.index(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << draw.below(8);
                }
            }
            sent.push((to, bytes));
        }
        self.says_all(liar, sent)
    }

    pub(super) fn replays(&mut self, liar: usize) -> bool {
        let others: Vec<usize> = self.honest().collect();
        let Some(malice) = &mut self.malice else {
            return false;
        };
        let heard: Vec<Vec<u8>> = malice.overheard.iter().cloned().collect();
        let any = |bytes| (others[malice.draw.index(others.len())], bytes);
        let sent = heard.into_iter().map(any).collect();
        self.says_all(liar, sent)
    }

    fn says_all(&mut self, liar: usize, sent: Vec<(usize, Vec<u8>)>) -> bool {
        let role = self.role_of(liar);
        for (to, bytes) in sent {
            // Who may choose the voters is trusted to hand over what they held.
            let of_voters = matches!(Message::decode(&bytes), Some(Message::Config(_)));
            if !of_voters || role < Role::Operator {
                let to = self.hosts[to].id;
                self.send(liar, to, bytes);
            }
        }
        true
    }

    pub(super) fn equivocates(&mut self, liar: usize) -> bool {
        // Twice the same start of its software: the numbers are the same, what is said is not.
        let (one, other) = (self.forger(liar, true), self.forger(liar, false));
        let (Some((one, device)), Some((other, _))) = (one, other) else {
            return false;
        };
        let place = (one.queue(), one.epoch().hash);
        let now = self.hosts[liar].clock.now(self.now).wall;
        let stories = [(one, "one"), (other, "other")].map(|(mut document, story)| {
            let edited = document.edit(now, &device, |edit| {
                edit.set_my_name(&format!("liar-{story}"));
                Ok::<(), EditError>(())
            });
            let change = edited.ok().and_then(|(_, change)| change);
            change.map(|change| change.to_bytes())
        });
        let [Some(one), Some(other)] = stories else {
            return false;
        };
        let others: Vec<usize> = self.honest().collect();
        let Some(malice) = &mut self.malice else {
            return false;
        };
        let (vouched, turn) = (malice.draw.chance(500), malice.draw.index(others.len()));
        for (n, to) in others.iter().enumerate() {
            let first = (n + turn).is_multiple_of(2);
            let story = if first { one.clone() } else { other.clone() };
            self.tell_changes(liar, *to, place, vec![story], vouched);
        }
        true
    }

    pub(super) fn floods(&mut self, liar: usize) -> bool {
        let Some((mut document, device)) = self.forger(liar, true) else {
            return false;
        };
        let place = (document.queue(), document.epoch().hash);
        let Some(bad) = forged(&document, &device, Forgery::Signature, 1) else {
            return false;
        };
        let mut changes = Vec::new();
        for n in 0..FLOOD {
            let mut bytes = bad.to_bytes();
            let end = bytes.len() - 40;
            bytes[end] ^= n as u8;
            if let Some(malice) = &mut self.malice {
                malice.forged.insert(*blake3::hash(&bytes).as_bytes());
            }
            changes.push(bytes);
        }
        let now = self.hosts[liar].clock.now(self.now).wall;
        for n in 0..FLOOD_GOOD {
            let edited = document.edit(now, &device, |edit| {
                edit.set_my_name(&format!("flood-{n}"));
                Ok::<(), EditError>(())
            });
            let change = edited.ok().and_then(|(_, change)| change);
            changes.extend(change.map(|change: Arc<SignedChange>| change.to_bytes()));
        }
        for to in self.honest() {
            self.tell_changes(liar, to, place, changes.clone(), false);
        }
        true
    }
}

/// What a host that is no voter answers to a question that it overheard: yes, no, and no with a number far above all others.
pub(super) fn answers(bytes: &[u8], liar: Liar, me: HostId, number: u64) -> Vec<Message> {
    let far = Ballot {
        n: FAR_BALLOT + number % 1_000,
        host: me,
        printer: String::new(),
    };
    match Message::decode(bytes) {
        Some(Message::Prepare(ask) | Message::Accept(ask)) => {
            let reply = || Reply {
                queue: ask.queue,
                ballot: ask.ballot.clone(),
                cfg: ask.cfg,
                told: None,
            };
            let no = |starting, nack| {
                let unit = ask.units.first().copied();
                unit.map(|unit| Message::Refused {
                    reply: reply(),
                    starting,
                    unit,
                    nack,
                })
            };
            let mut all = vec![Message::Promise(reply()), Message::Accepted(reply())];
            all.extend(no(false, Nack::Promised(far.clone())));
            all.extend(no(true, Nack::Promised(far)));
            all.extend(no(true, Nack::Closed));
            all
        }
        Some(Message::Confirm { queue, round, .. }) => [None, Some(Nack::Lost)]
            .into_iter()
            .map(|nack| Message::Confirmed { queue, round, nack })
            .collect(),
        Some(Message::Config(ConfigMessage::Prepare(ask) | ConfigMessage::Accept { ask, .. }))
            if liar.role < Role::Operator =>
        {
            let accepted = Some((far.clone(), vec![me]));
            [
                ConfigMessage::Promised {
                    ask: ask.clone(),
                    accepted,
                },
                ConfigMessage::Accepted(ask.clone()),
                ConfigMessage::Refused {
                    ask,
                    why: ConfigNack::Promised(far),
                },
            ]
            .map(Message::Config)
            .into()
        }
        _ => Vec::new(),
    }
}

/// What a member that may not print asks voters for: the copies that another one asked for.
pub(super) fn questions(bytes: &[u8], liar: Liar, me: HostId) -> Vec<Message> {
    let Some(Message::Prepare(ask)) = Message::decode(bytes) else {
        return Vec::new();
    };
    let spec_hash = match &ask.value {
        Value::Print { spec_hash, .. } => *spec_hash,
        Value::Withdraw { .. } => [0; 32],
    };
    let value = match liar.role {
        Role::Observer => Value::Withdraw { by: me },
        Role::Submitter => Value::Print {
            host: me,
            printer: "p0".to_owned(),
            spec_hash,
        },
        Role::Printer | Role::Operator | Role::Admin => return Vec::new(),
    };
    let printer = match &value {
        Value::Print { printer, .. } => printer.clone(),
        Value::Withdraw { .. } => String::new(),
    };
    let ballot = Ballot {
        n: ask.ballot.n + 1,
        host: me,
        printer,
    };
    let ask = Ask {
        ballot,
        value,
        told: None,
        ..ask
    };
    vec![Message::Prepare(ask.clone()), Message::Accept(ask)]
}
