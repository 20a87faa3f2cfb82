//! Queues of this host: founding, naming, ordering, leaving; what is published in them about this host.

use std::collections::BTreeMap;

use printmesh_queue::{Author, Certificate, QueueDocument, QueueId, Role, Signer, Voters};

use crate::{
    effect::{Answer, Write},
    entropy::Entropy,
    input::Now,
    limits::NAME_BYTES_MAX,
    message::QueueKey,
    node::{Node, Queue},
    problem::{Code, Problem},
    records::{self, QueueKind, QueueRecord, Then, key},
};

/// Names that no queue may have (DESIGN §2): `local` and `archive` are every host's own, the others are words of
/// the command line.
pub const RESERVED_NAMES: [&str; 4] = ["local", "archive", "all", "none"];

/// Makes a queue and its first change: id, record and log entry.
pub(crate) fn found(
    signer: &dyn Signer,
    entropy: &mut Entropy,
    now: Now,
    boot: u64,
    kind: QueueKind,
    name: &str,
    host_name: &str,
) -> (QueueId, QueueRecord, Vec<u8>) {
    let secret = QueueKey(entropy.bytes());
    let key = ed25519_dalek::SigningKey::from_bytes(&secret.0);
    let id = QueueId(key.verifying_key().to_bytes());
    let me = signer.host();
    let certificate = Certificate::issue(&key, me, Role::Admin, now.wall, None);
    let mut doc = QueueDocument::new(id, Author { host: me, boot });
    let edited = doc.edit(now.wall, signer, |edit| {
        edit.found(
            name,
            &Voters {
                cfg: 1,
                hosts: vec![me],
            },
            &certificate,
        );
        edit.set_my_name(host_name);
        Ok::<(), printmesh_queue::EditError>(())
    });
    let ((), change) = edited.expect("the founder's own first change follows every rule");
    let change = change.expect("a first change is never empty");
    let record = QueueRecord {
        kind,
        alias: None,
        joined_as: name.to_owned(),
        key: Some(secret),
        position: 0,
        left: false,
        lan: false,
        certificate: None,
        introduced_by: None,
        anchor: None,
        removals: Vec::new(),
        relays: Vec::new(),
    };
    (id, record, change.to_bytes())
}

/// Checks a name that a person chose for a queue, host or printer.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Problem> {
    let fine = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    if name.trim() != name || name.is_empty() || !name.chars().all(fine) {
        return Err(Problem::new(
            Code::BadName,
            format!("`{name}` cannot be the name of a {what}"),
        )
        .because("a name has letters, digits, `-`, `_`, `.` and inner spaces"));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(Problem::new(
            Code::BadName,
            format!("the name of this {what} is too long"),
        )
        .because(format!(
            "at most {NAME_BYTES_MAX} bytes, this has {}",
            name.len()
        )));
    }
    Ok(())
}

/// Whether a withdrawal takes copies out of a queue, or brings the job there.
pub(crate) fn touches(id: QueueId, from: QueueId, then: &Then) -> bool {
    let to = match then {
        Then::Move { to, .. } => Some(*to),
        Then::Cancel | Then::Edit(_) | Then::Reopen => None,
    };
    from == id || to == Some(id)
}

fn is_reserved(name: &str) -> bool {
    RESERVED_NAMES.contains(&name.to_lowercase().as_str())
}

impl Node {
    /// Checks a name for this host.
    ///
    /// # Errors
    /// `name.bad` says which characters a name may have.
    pub fn check_host_name(name: &str) -> Result<(), Problem> {
        check_name("host", name)
    }

    /// Returns the host's name out of the stored value of the key `host`.
    pub fn host_name_in(value: &[u8]) -> Option<String> {
        records::read::<records::HostRecord>(value).map(|host| host.name)
    }

    /// Checks a name for a new or renamed queue.
    pub(crate) fn check_queue_name(&self, name: &str) -> Result<(), Problem> {
        check_name("queue", name)?;
        if is_reserved(name) {
            return Err(Problem::new(
                Code::ReservedName,
                format!("a queue cannot be named `{name}`"),
            )
            .because(
                "`local` is this host's own queue and `archive` lists what is over, on every host",
            ));
        }
        if self.queue_names().values().any(|taken| taken == name) {
            return Err(Problem::new(
                Code::NameTaken,
                format!("this host already has a queue `{name}`"),
            )
            .fix("printmesh queue list", "see the queues of this host"));
        }
        Ok(())
    }

    /// Every queue of this host by the name that people use here; no two are equal.
    pub(crate) fn queue_names(&self) -> BTreeMap<QueueId, String> {
        let mut names: BTreeMap<QueueId, String> = BTreeMap::new();
        for id in self.queues_in_order() {
            let wanted = self.queues[&id].name();
            // Another host may have named a shared queue like this host's own; that name stays with the own one.
            let own = self.queues[&id].record.kind == QueueKind::Local;
            let reserved = |name: &str| !own && is_reserved(name);
            let mut name = wanted.clone();
            let mut n = 2;
            while reserved(&name) || names.values().any(|taken| *taken == name) {
                name = format!("{wanted}-{n}");
                n += 1;
            }
            names.insert(id, name);
        }
        names
    }

    pub(crate) fn queue_create(&mut self, name: &str, lan: bool) -> Result<QueueId, Problem> {
        self.check_queue_name(name)?;
        let boot = self.instance;
        let (id, mut record, entry) = found(
            &*self.signer,
            &mut self.entropy,
            self.now,
            boot,
            QueueKind::Network,
            name,
            &self.host.name,
        );
        record.lan = lan;
        record.position = self.next_position();
        self.write(records::put(key::queue(id), &record));
        self.write(Write::Append {
            log: id.0,
            entry: entry.clone(),
        });
        let author = Author {
            host: self.me,
            boot,
        };
        let doc = QueueDocument::load(id, author, [entry]).map_err(|error| {
            Problem::new(Code::Document, "the new queue cannot be read back")
                .because(error.to_string())
        })?;
        let mut queue = Queue::new(record, doc);
        queue.derive_config(self.me);
        self.queues.insert(id, queue);
        Ok(id)
    }

    pub(crate) fn next_position(&self) -> u32 {
        self.queues
            .values()
            .map(|queue| queue.record.position + 1)
            .max()
            .unwrap_or(0)
    }

    pub(crate) fn save_queue(&mut self, id: QueueId) {
        if let Some(queue) = self.queues.get(&id) {
            let write = records::put(key::queue(id), &queue.record);
            self.write(write);
        }
    }

    pub(crate) fn queue_rename(&mut self, queue: &str, name: &str) -> Result<Answer, Problem> {
        let id = self.network_queue(queue)?;
        if self.queue_names().get(&id).is_some_and(|now| now == name) {
            return Ok(Answer::Done {
                already: true,
                text: format!("it is named {name}"),
            });
        }
        self.check_queue_name(name)?;
        self.require(id, Role::Admin)?;
        self.edit(id, |edit| {
            edit.set_queue_name(name);
            Ok(())
        })?;
        if let Some(entry) = self.queues.get_mut(&id) {
            entry.record.alias = None;
        }
        self.save_queue(id);
        Ok(Answer::Done {
            already: false,
            text: format!("{queue} is now {name}; its jobs are kept"),
        })
    }

    pub(crate) fn queue_order(&mut self, names: &[String]) -> Result<Answer, Problem> {
        let mut first = Vec::new();
        for name in names {
            let id = self.queue_named(name)?;
            if !first.contains(&id) {
                first.push(id);
            }
        }
        let before = self.queues_in_order();
        let rest = before.iter().copied().filter(|id| !first.contains(id));
        let after: Vec<QueueId> = first.iter().copied().chain(rest).collect();
        for (position, id) in after.iter().enumerate() {
            if let Some(queue) = self.queues.get_mut(id) {
                queue.record.position = position as u32;
            }
            self.save_queue(*id);
        }
        let names = self.queue_names();
        let text: Vec<&str> = after.iter().map(|id| names[id].as_str()).collect();
        Ok(Answer::Done {
            already: before == after,
            text: format!("order: {}", text.join(", ")),
        })
    }

    /// Publishes what this host says about itself, wherever it differs from what a queue's document has.
    pub(crate) fn publish(&mut self) {
        for id in self.queues_in_order() {
            let entry = &self.queues[&id];
            let snapshot = entry.doc.snapshot();
            let Some(member) = snapshot.members.get(&self.me) else {
                self.publish_certificate(id);
                continue;
            };
            let rename = member.name != self.host.name;
            if member.is_removed() {
                continue;
            }
            let back = member.left;
            let prints = member.certificate.role >= Role::Printer;
            let mut printers = Vec::new();
            for (name, printer) in self.printers.iter().filter(|_| prints) {
                let record = printer.announcement(self.between(name), self.routine(name));
                if snapshot.printers.get(&self.printer_id(name)) != Some(&record) {
                    printers.push((name.clone(), record));
                }
            }
            for (printer, record) in &snapshot.printers {
                let mine = printer.host == self.me && !record.removed;
                if mine && !self.printers.contains_key(&printer.name) {
                    let gone = printmesh_queue::PrinterRecord {
                        removed: true,
                        ..record.clone()
                    };
                    printers.push((printer.name.clone(), gone));
                }
            }
            if rename || back || !printers.is_empty() {
                let name = self.host.name.clone();
                self.record(id, |edit| {
                    if back {
                        edit.stay();
                    }
                    if rename {
                        edit.set_my_name(&name);
                    }
                    for (printer, record) in &printers {
                        edit.put_printer(printer, record);
                    }
                });
            }
        }
    }

    /// A host that joined with the queue key brings its own certificate into the document.
    fn publish_certificate(&mut self, id: QueueId) {
        let entry = &self.queues[&id];
        let founded = !entry.doc.snapshot().voters.hosts.is_empty();
        let key = entry.doc.epoch_key();
        let good = |certificate: &Certificate| certificate.is_signed_by(id, &key);
        let certificate = entry.record.certificate.clone().filter(good);
        if let Some(certificate) = certificate.filter(|_| founded) {
            let name = self.host.name.clone();
            self.record(id, |edit| {
                edit.put_certificate(&certificate);
                edit.set_my_name(&name);
            });
        }
    }

    /// Checks that this host may do something in a queue.
    pub(crate) fn require(&self, queue: QueueId, role: Role) -> Result<(), Problem> {
        let entry = &self.queues[&queue];
        let Some(member) = entry.doc.snapshot().members.get(&self.me) else {
            return Err(Problem::new(
                Code::QueueNotSynced,
                format!("{} has not arrived yet", entry.name()),
            )
            .because("no member of it could be reached since this host joined")
            .fix(
                format!("printmesh queue peers {}", entry.name()),
                "see who is away",
            ));
        };
        if member.is_removed() {
            return Err(self.was_removed(queue));
        }
        if member.certificate.role >= role {
            return Ok(());
        }
        Err(Problem::new(
            Code::NotAllowed,
            format!("this host may not do that in {}", entry.name()),
        )
        .because(format!(
            "it needs the role {}, this host has {}",
            role.word(),
            member.certificate.role.word()
        )))
    }
}
