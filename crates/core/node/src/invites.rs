//! Tickets after they were given out: what there is of them, taking one back, and one that was used too often because the
//! network was cut.

use std::collections::BTreeMap;

use printmesh_queue::{HostId, InviteRecord, QueueId, Role};

use crate::{
    effect::Answer,
    node::Node,
    problem::{Code, Problem},
    ticket::Invite,
};

/// Fewer characters of a ticket's id than these say nothing.
const ID_PREFIX: usize = 4;

/// A ticket that was given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteView {
    /// Its public key: its id.
    pub id: HostId,
    /// Who made it.
    pub by: HostId,
    /// What it is good for.
    pub record: InviteRecord,
    /// How many hosts came in with it.
    pub used: u32,
    /// Whether it still lets anybody in, by this host's clock.
    pub good: bool,
}

impl Node {
    /// Returns the tickets of a queue, newest first; those with the queue key itself are known to nobody.
    pub fn invites(&self, queue: QueueId, now_s: u64) -> Vec<InviteView> {
        let Some(entry) = self.queues.get(&queue) else {
            return Vec::new();
        };
        let snapshot = entry.doc.snapshot();
        let view = |(id, said): (&HostId, &BTreeMap<HostId, InviteRecord>)| {
            // Who made it said so before anybody could take it back.
            let (by, record) = said.iter().min_by_key(|(_, record)| record.revoked)?;
            let used = u32::try_from(snapshot.let_in_by(*id).len()).unwrap_or(u32::MAX);
            let revoked = snapshot.is_revoked(*id);
            let over = record.expires_at_s.is_some_and(|end| end <= now_s);
            Some(InviteView {
                id: *id,
                by: *by,
                record: InviteRecord {
                    revoked,
                    ..record.clone()
                },
                used,
                good: !revoked && !over && used < record.uses,
            })
        };
        let mut invites: Vec<InviteView> = snapshot.invites.iter().filter_map(view).collect();
        invites.sort_by_key(|invite| (std::cmp::Reverse(invite.record.made), invite.id));
        invites
    }

    /// Says in the document that an invite was made, so that every admin can list it and take it back.
    pub(crate) fn note_invite(&mut self, queue: QueueId, invite: &Invite) -> Result<(), Problem> {
        let record = InviteRecord {
            role: invite.role,
            uses: invite.uses,
            expires_at_s: invite.expires_at_s,
            made: self.now.wall,
            revoked: false,
        };
        self.edit(queue, |edit| {
            edit.put_invite(invite.public, &record);
            Ok(())
        })
    }

    pub(crate) fn ticket_revoke(&mut self, queue: &str, ticket: &str) -> Result<Answer, Problem> {
        let id = self.network_queue(queue)?;
        self.require(id, Role::Admin)?;
        let invites = self.invites(id, self.now.wall.0 / 1000);
        let means = |invite: &&InviteView| {
            let (short, long) = (invite.id.fingerprint(), invite.id.to_string());
            let begins = short.starts_with(ticket) || long.starts_with(ticket);
            short == ticket || ticket.len() >= ID_PREFIX && begins
        };
        let found: Vec<&InviteView> = invites.iter().filter(means).collect();
        let [invite] = found.as_slice() else {
            let title = match found.is_empty() {
                true => format!("{queue} has no ticket `{ticket}`"),
                false => format!("several tickets of {queue} begin with `{ticket}`"),
            };
            return Err(Problem::new(Code::TicketUnknown, title).fix(
                format!("printmesh queue share {queue} --list"),
                "see its tickets",
            ));
        };
        let text = match invite.used {
            0 => "this ticket is good no more; nobody had joined with it".to_owned(),
            n => format!("this ticket is good no more; {n} joined with it and stay members"),
        };
        if invite.record.revoked {
            return Ok(Answer::Done {
                already: true,
                text,
            });
        }
        let record = InviteRecord {
            revoked: true,
            ..invite.record.clone()
        };
        let public = invite.id;
        self.edit(id, |edit| {
            edit.put_invite(public, &record);
            Ok(())
        })?;
        Ok(Answer::Done {
            already: false,
            text,
        })
    }

    /// Two admins let hosts in with the same invite while they could not see one another: who came first stays. Every holder
    /// of the key comes to the same answer.
    pub(crate) fn count_invites(&mut self) {
        let due: Vec<QueueId> = self
            .queues
            .iter()
            .filter(|(_, entry)| entry.count_invites)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            if let Some(entry) = self.queues.get_mut(&id) {
                entry.count_invites = false;
            }
            if self.queues[&id].record.left || self.require(id, Role::Admin).is_err() {
                continue;
            }
            let Ok(key) = self.queue_key(id) else {
                continue;
            };
            let snapshot = self.queues[&id].doc.snapshot();
            let mut surplus = Vec::new();
            for (invite, said) in &snapshot.invites {
                let uses = said.values().map(|record| record.uses).max().unwrap_or(0);
                let members = snapshot.let_in_by(*invite);
                for host in members.into_iter().skip(uses as usize) {
                    let known = &snapshot.members[&host].certificate;
                    if known.turn == 0 {
                        surplus.push(known.clone());
                    }
                }
            }
            for known in surplus {
                tracing::warn!(queue = %id, member = %known.member, "an invite was used too often: removed who came last");
                let role = known.role;
                if let Err(problem) = self.decide(id, &key, &known, role, true) {
                    tracing::error!(queue = %id, %problem, "could not remove who came in too many");
                }
            }
        }
    }
}
