//! Members and tickets of a queue, between the words of the API and the core's. No rule lives here.

use data_encoding::HEXLOWER;
use printmesh_api::{problem::Problem, reply};
use printmesh_node::Node;
use printmesh_queue::{Equivocation, HostId, QueueId, Role, Timestamp};

use crate::{
    clock::{self, rfc3339},
    convert, problems,
};

/// Reads a role.
///
/// # Errors
/// `member.role` with the words that there are.
pub(crate) fn role(word: &str) -> Result<Role, Problem> {
    Role::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = Role::ALL.iter().map(|role| role.word()).collect();
        problems::new("member.role", 2, "there is no such role")
            .because(format!("roles: {}", words.join(", ")))
    })
}

/// Everybody who is or was in a queue, by name.
pub(crate) fn members(node: &Node, queue: QueueId) -> reply::Reply {
    let snapshot = node.queue_view(queue).snapshot;
    let members = snapshot.members.keys();
    let members = members.map(|host| entry(node, queue, *host, true));
    let mut members: Vec<_> = members.collect();
    members.sort_by(|a, b| (&a.host, &a.key).cmp(&(&b.host, &b.key)));
    reply::Reply::MemberList(convert::list(node, members))
}

fn entry(node: &Node, queue: QueueId, host: HostId, with_proof: bool) -> reply::Member {
    let member = &node.queue_view(queue).snapshot.members[&host];
    let state = match (member.is_removed(), member.left) {
        (true, _) => "removed",
        (false, true) => "left",
        (false, false) => "member",
    };
    reply::Member {
        host: member.name.clone(),
        fingerprint: host.fingerprint(),
        key: host.to_string(),
        role: member.certificate.role.word().to_owned(),
        state: state.to_owned(),
        since: rfc3339(member.certificate.issued),
        me: host == node.me(),
        marks: marks(node, queue, host, with_proof),
    }
}

/// One of them, with all that is known here.
pub(crate) fn member(node: &Node, queue: QueueId, host: HostId) -> reply::Reply {
    let view = node.queue_view(queue);
    let snapshot = view.snapshot;
    let ticket = snapshot.members[&host].certificate.invite;
    let givers = ticket.and_then(|ticket| snapshot.invites.get(&ticket));
    let givers = givers.into_iter().flatten().map(|(giver, _)| *giver);
    let givers: Vec<String> = givers.map(|giver| snapshot.host_name(giver)).collect();
    let proof = node.proof(queue, host).map(|proof| {
        // Not because it is kept, but because it holds.
        let again = Equivocation::read(queue, &proof.to_bytes());
        let changes = proof.changes();
        reply::Proof {
            verified: again.is_some_and(|again| again.author() == host),
            number: proof.seq(),
            changes: changes.map(|change| change.hash().to_string()).to_vec(),
            signed: changes
                .map(|change| HEXLOWER.encode(&change.to_bytes()))
                .to_vec(),
        }
    });
    let link = node.link(host);
    let named = node.queues().into_iter().find(|(_, view)| view.id == queue);
    let name = named.map(|(name, _)| name);
    reply::Reply::Member(reply::MemberDetails {
        queue: name.unwrap_or_default(),
        member: entry(node, queue, host, false),
        connected: link.connected,
        last_seen: link.last_seen.map(rfc3339),
        ticket: ticket.map(|ticket| ticket.fingerprint()),
        invited_by: Some(givers.join(", ")).filter(|givers| !givers.is_empty()),
        waiting: node.too_fast(queue, host).map(|count| count as u64),
        proof,
    })
}

/// What speaks against a member.
pub(crate) fn marks(
    node: &Node,
    queue: QueueId,
    host: HostId,
    with_proof: bool,
) -> Vec<reply::Mark> {
    let quarantined = node.quarantined(queue, host).map(|why| reply::Mark {
        code: "quarantined".to_owned(),
        text: format!(
            "its change {} broke the document here ({}): nothing of it is taken since {}",
            why.seq,
            why.code,
            rfc3339(why.since)
        ),
        fix: Some("printmesh member release QUEUE MEMBER".to_owned()),
        proof: Vec::new(),
    });
    let forked = node.proof(queue, host).map(|proof| reply::Mark {
        code: "equivocation".to_owned(),
        text: format!(
            "it signed two different changes as its number {}",
            proof.seq()
        ),
        fix: Some("printmesh member remove QUEUE MEMBER".to_owned()),
        proof: (proof.changes().into_iter().filter(|_| with_proof))
            .map(|change| HEXLOWER.encode(&change.to_bytes()))
            .collect(),
    });
    let too_fast = node.too_fast(queue, host).map(|count| reply::Mark {
        code: "too-fast".to_owned(),
        text: format!(
            "it writes faster than a member may: {count} changes of it wait and are taken in later"
        ),
        fix: None,
        proof: Vec::new(),
    });
    quarantined
        .into_iter()
        .chain(forked)
        .chain(too_fast)
        .collect()
}

/// The tickets of a queue that were given out, newest first.
pub(crate) fn tickets(node: &Node, queue: QueueId) -> reply::Reply {
    let snapshot = node.queue_view(queue).snapshot;
    let now_s = clock::now().wall.0 / 1000;
    let invites = node.invites(queue, now_s).into_iter().map(|invite| {
        let record = &invite.record;
        let state = match (record.revoked, invite.used >= record.uses, invite.good) {
            (true, ..) => "revoked",
            (false, true, _) => "used",
            (false, false, true) => "open",
            (false, false, false) => "expired",
        };
        let end = record.expires_at_s;
        reply::Invite {
            id: invite.id.fingerprint(),
            by: snapshot.host_name(invite.by),
            role: record.role.word().to_owned(),
            made: rfc3339(record.made),
            expires: end.map(|s| rfc3339(Timestamp(s.saturating_mul(1000)))),
            uses: record.uses,
            used: invite.used,
            state: state.to_owned(),
        }
    });
    reply::Reply::TicketList(convert::list(node, invites.collect()))
}
