//! Members of a queue and the tickets that were given out, as text.

use printmesh_api::reply::{Invite, List, Member, MemberDetails};

use super::{
    freshness,
    job::state,
    table::{Block, Cell, Table, Tone},
    time::Clock,
};

/// Everybody who is or was in a queue.
pub(crate) fn members(list: &List<Member>, clock: &Clock) -> Vec<Block> {
    let rows = list.items.iter().map(|member| {
        let codes: Vec<&str> = member.marks.iter().map(|mark| mark.code.as_str()).collect();
        let standing = match (member.state.as_str(), member.me) {
            ("member", _) if !codes.is_empty() => Cell::new(codes.join(",")).tone(Tone::Warn),
            ("member", true) => Cell::both("this host", "member"),
            ("removed", _) => Cell::new("removed").tone(Tone::Warn),
            (other, _) => Cell::new(other),
        };
        vec![
            Cell::new(&member.host),
            Cell::new(&member.fingerprint),
            Cell::new(&member.role),
            standing,
            Cell::both(clock.short(&member.since), &member.since),
            Cell::new(&member.key),
        ]
    });
    let mut blocks = table(
        vec!["HOST", "KEY", "ROLE", "STATE", "SINCE", ""],
        rows.collect(),
        list,
    );
    for member in &list.items {
        for mark in &member.marks {
            let fix = mark.fix.iter().map(|fix| format!(" (`{fix}`)"));
            let fix: String = fix.collect();
            blocks.push(Block::Note(format!("{}: {}{fix}", member.host, mark.text)));
        }
    }
    blocks
}

/// One who is or was in a queue.
pub(crate) fn member(shown: &MemberDetails, clock: &Clock) -> Vec<Block> {
    let member = &shown.member;
    let standing = match (member.state.as_str(), member.me, shown.connected) {
        ("member", true, _) => Cell::both("member, this host", "member"),
        ("member", false, true) => Cell::both("member, connected", "member"),
        ("member", false, false) => Cell::both("member, away", "member"),
        (other, ..) => Cell::new(other).tone(Tone::Warn),
    };
    let mut facts = vec![
        ("host", Cell::new(&member.host)),
        ("queue", Cell::new(&shown.queue)),
        ("role", Cell::new(&member.role)),
        ("state", standing),
        (
            "since",
            Cell::both(clock.short(&member.since), &member.since),
        ),
        ("key", Cell::new(&member.key)),
    ];
    let time = |time: &String| Cell::both(clock.short(time), time);
    let optional = [
        ("last seen", shown.last_seen.as_ref().map(time)),
        ("ticket", shown.ticket.as_ref().map(Cell::new)),
        ("invited by", shown.invited_by.as_ref().map(Cell::new)),
    ];
    let known = optional.into_iter();
    facts.extend(known.filter_map(|(name, value)| Some((name, value?))));
    for mark in &member.marks {
        facts.push((
            "against it",
            Cell::both(&mark.text, &mark.code).tone(Tone::Warn),
        ));
    }
    if let Some(proof) = &shown.proof {
        let [good, word] = match proof.verified {
            true => [
                "verified: both changes are signed by this key for this queue",
                "verified",
            ],
            false => ["not verified: it proves nothing", "not-verified"],
        };
        facts.push(("proof", Cell::both(good, word)));
        facts.extend(
            proof
                .changes
                .iter()
                .map(|change| ("change", Cell::new(change))),
        );
    }
    let fixes = member.marks.iter().filter_map(|mark| mark.fix.as_ref());
    let notes = fixes.map(|fix| Block::Note(format!("What you can do: `{fix}`")));
    let mut blocks = vec![Block::Facts(facts)];
    blocks.extend(notes);
    blocks
}

/// The tickets that were given out.
pub(crate) fn tickets(list: &List<Invite>, clock: &Clock) -> Vec<Block> {
    let rows = list.items.iter().map(|ticket| {
        let end = ticket.expires.as_ref();
        let until = end.map_or_else(|| "never".to_owned(), |end| clock.short(end));
        vec![
            Cell::new(&ticket.id),
            state(&ticket.state),
            Cell::new(&ticket.role),
            format!("{}/{}", ticket.used, ticket.uses).into(),
            Cell::both(until, end.map_or("", String::as_str)),
            Cell::new(&ticket.by),
            Cell::both(clock.short(&ticket.made), &ticket.made),
        ]
    });
    let head = vec!["ID", "STATE", "ROLE", "USED", "ENDS", "MADE BY", "MADE"];
    table(head, rows.collect(), list)
}

fn table<T>(head: Vec<&'static str>, rows: Vec<Vec<Cell>>, list: &List<T>) -> Vec<Block> {
    let mut blocks = vec![Block::Table(Table {
        label: None,
        head,
        rows,
    })];
    blocks.extend(freshness(&list.sync));
    blocks
}
