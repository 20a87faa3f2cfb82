//! What a person does about the voters of a queue: look, set them, let the hosts choose, and recover a queue whose voters
//! are gone for good.

use printmesh_queue::{
    CopyId, HostId, LostRecord, QueueId, Role, Setting, VoterChoice, Voters, next_era,
};

use crate::{
    config::{ConfigRecord, is_list},
    effect::Answer,
    event::Event,
    limits::CHANGE_MS,
    names::hosts_named,
    node::Node,
    problem::{Code, Problem},
    records::{self, key},
    register::Value,
};

/// The voters of a queue, as one host sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VotersView {
    /// The configuration that the document names.
    pub voters: Voters,
    /// Who chooses them.
    pub choice: VoterChoice,
    /// Enough of them can be reached to decide.
    pub answer: bool,
    /// Each voter.
    pub hosts: Vec<VoterView>,
    /// What this host is: `serves`, `sealed`, `forgot` what it decided, `waits` for what the others hold, `parked` after its last clean stop, or `none`.
    pub me: &'static str,
    /// A change is under way, as far as this host knows.
    pub changing: bool,
}

/// One voter, as this host sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoterView {
    /// The voter.
    pub host: HostId,
    /// It can be reached.
    pub reachable: bool,
    /// Its word counts: it can be reached, knows what it decided, and has not given way to others.
    pub decides: bool,
}

impl Node {
    /// Returns who votes in a queue.
    ///
    /// # Panics
    /// When the id is not one of this node's.
    pub fn voters_view(&self, queue: QueueId) -> VotersView {
        let entry = &self.queues[&queue];
        let snapshot = entry.doc.snapshot();
        let voters = snapshot.voters.clone();
        let presence = self.presence(queue);
        let listed = voters.hosts.contains(&self.me);
        let me = match &entry.config {
            _ if entry.serves(self.me, voters.cfg) => "serves",
            _ if listed && entry.config_number() < voters.cfg => "waits",
            Some(config) if config.voters.cfg == voters.cfg && config.forgot => "forgot",
            Some(config) if config.voters.cfg == voters.cfg && listed => "sealed",
            Some(_) => "parked",
            None => "none",
        };
        let half_done = entry.config.as_ref().is_some_and(|config| {
            config.voters.cfg > voters.cfg
                || config.voters.cfg == voters.cfg && config.accepted.is_some()
        });
        VotersView {
            choice: snapshot.settings.voters,
            answer: presence.has_quorum(&voters),
            hosts: voters
                .hosts
                .iter()
                .map(|host| VoterView {
                    host: *host,
                    reachable: presence.reachable.contains(host),
                    decides: presence.votes(*host),
                })
                .collect(),
            me,
            changing: entry.change.is_some() || half_done,
            voters,
        }
    }

    /// Lets the hosts choose the voters.
    pub(crate) fn voters_auto(&mut self, queue: &str) -> Result<Answer, Problem> {
        let id = self.network_queue(queue)?;
        self.require(id, Role::Operator)?;
        let already = self.choice(id) == VoterChoice::Auto;
        self.edit(id, |edit| {
            edit.set_setting(Setting::Voters, "auto");
            Ok(())
        })?;
        Ok(Answer::Done {
            already,
            text: format!("the hosts of {queue} choose its voters"),
        })
    }

    fn choice(&self, queue: QueueId) -> VoterChoice {
        self.queues[&queue].doc.snapshot().settings.voters
    }

    /// Makes these hosts the voters, for good. Answers when they are.
    pub(crate) fn voters_set(
        &mut self,
        command: u64,
        queue: &str,
        names: &[String],
    ) -> Result<(), Problem> {
        let id = self.network_queue(queue)?;
        self.require(id, Role::Operator)?;
        let mut hosts = names
            .iter()
            .map(|name| self.member_named(id, name))
            .collect::<Result<Vec<HostId>, Problem>>()?;
        hosts.sort();
        if !is_list(&hosts) {
            return Err(Problem::new(
                Code::BadVoters,
                "voters are one, three or five different hosts",
            )
            .because("two decide no better than one, and stop whenever either is off"));
        }
        let voters = self.queues[&id].doc.snapshot().voters.clone();
        let mut now = voters.hosts.clone();
        now.sort();
        let fixed = self.choice(id) == VoterChoice::Fixed;
        let fix = |node: &mut Self| {
            node.edit(id, |edit| {
                edit.set_setting(Setting::Voters, "fixed");
                Ok(())
            })
        };
        if now == hosts {
            fix(self)?;
            let text = format!("{queue} is decided by {}", names.join(", "));
            let already = fixed;
            self.reply(command, Ok(Answer::Done { already, text }));
            return Ok(());
        }
        let newcomers = hosts.iter().filter(|host| !now.contains(host));
        let presence = self.presence(id);
        if let Some(away) = newcomers
            .into_iter()
            .find(|host| !presence.reachable.contains(host))
        {
            let name = self.queues[&id].doc.snapshot().host_name(*away);
            return Err(Problem::new(
                Code::NoQuorum,
                format!("{name} cannot be made a voter of {queue} now"),
            )
            .because("it is away, and a new voter must take in what the others hold")
            .fix(format!("printmesh queue peers {queue}"), "see who is away"));
        }
        if !presence.has_quorum(&voters) {
            return Err(self.voters_away(id));
        }
        if self.queues[&id].change.is_some() {
            return Err(Problem::new(
                Code::VotersChanged,
                format!("the voters of {queue} are being changed already"),
            )
            .fix(
                format!("printmesh queue voters {queue}"),
                "look, then try again",
            ));
        }
        fix(self)?;
        let deadline_ms = self.now.mono_ms + CHANGE_MS;
        self.begin_change(id, voters, hosts, Some(command), deadline_ms);
        Ok(())
    }

    pub(crate) fn voters_away(&self, id: QueueId) -> Problem {
        let entry = &self.queues[&id];
        let (name, snapshot) = (entry.name(), entry.doc.snapshot());
        let presence = self.presence(id);
        let away = snapshot.voters.hosts.iter();
        let away = away.filter(|host| !presence.votes(**host));
        let names: Vec<String> = away.map(|host| snapshot.host_name(*host)).collect();
        Problem::new(
            Code::NoQuorum,
            format!("the voters of {name} cannot be changed now"),
        )
        .because(format!(
            "{} must say yes, and cannot be reached",
            names.join(", ")
        ))
        .fix(
            format!("printmesh queue recover {name}"),
            "when a majority of them is gone for good",
        )
    }

    /// The member of a queue with that name or key.
    fn member_named(&self, queue: QueueId, name: &str) -> Result<HostId, Problem> {
        let entry = &self.queues[&queue];
        let snapshot = entry.doc.snapshot();
        let members = snapshot.present_members();
        let members = members.map(|(host, member)| (*host, member.name.as_str()));
        match hosts_named(name, members).as_slice() {
            [host] => Ok(*host),
            [] => Err(Problem::new(
                Code::MemberUnknown,
                format!("no member of {} is named `{name}`", entry.name()),
            )
            .fix(
                format!("printmesh queue peers {}", entry.name()),
                "see the members",
            )),
            _ => Err(Problem::new(
                Code::MemberUnknown,
                format!("several members of {} are named `{name}`", entry.name()),
            )
            .fix(
                format!("printmesh queue peers {}", entry.name()),
                "name it by its key",
            )),
        }
    }

    /// Returns who decides for a queue, as far as this host knows: the voters of its document, or those to whom this voter has
    /// already given way, and who may have died before anybody could say so.
    ///
    /// # Panics
    /// When the id is not one of this node's.
    pub fn deciding_voters(&self, queue: QueueId) -> Voters {
        let entry = &self.queues[&queue];
        let published = &entry.doc.snapshot().voters;
        let gave_way = entry
            .config
            .as_ref()
            .filter(|config| config.voters.cfg == published.cfg);
        let next = gave_way.and_then(|config| config.sealed.as_ref());
        match next.filter(|hosts| !hosts.is_empty()) {
            Some(hosts) => Voters {
                cfg: published.cfg + 1,
                hosts: hosts.clone(),
            },
            None => published.clone(),
        }
    }

    /// Makes this host the only voter of a queue whose voters are gone for good, and gives up what their printers had begun.
    ///
    /// This is the one way past the voters, so a person confirms it by the queue's name. Each attempt that is given up
    /// may turn out to be one too many; so may a start that the old voters decided and nobody here heard of.
    pub(crate) fn queue_recover(&mut self, queue: &str, confirm: &str) -> Result<Answer, Problem> {
        let id = self.network_queue(queue)?;
        self.require(id, Role::Admin)?;
        let entry = &self.queues[&id];
        let snapshot = entry.doc.snapshot();
        if self.presence(id).has_quorum(&self.deciding_voters(id)) {
            return Err(
                Problem::new(Code::VotersAnswer, format!("{queue} needs no recovery"))
                    .because("a majority of its voters can be reached and decides")
                    .fix(
                        format!("printmesh queue voters {queue} --set HOST"),
                        "change them with their consent",
                    ),
            );
        }
        if confirm != queue {
            return Err(
                Problem::new(Code::NotConfirmed, format!("{queue} was not recovered"))
                    .because("its name was not typed to confirm it")
                    .fix(
                        format!("printmesh queue recover {queue} --confirm {queue}"),
                        "when a majority of its voters will never come back",
                    ),
            );
        }
        let known = snapshot.voters.cfg.max(entry.config_number());
        // Also past what voters serve of which this document does not know.
        let passed = entry.passed.1.values().copied().max().unwrap_or(0);
        let Some(cfg) = next_era(known.max(passed)).or_else(|| next_era(known)) else {
            return Err(Problem::new(
                Code::Document,
                format!("{queue} has been recovered too often"),
            ));
        };
        let (kept, given_up) = self.begun_here_and_away(id);
        let voters = Voters {
            cfg,
            hosts: vec![self.me],
        };
        let at = self.now.wall;
        let lost = given_up.clone();
        self.edit(id, |edit| {
            edit.set_voters(&voters);
            for (copy, attempt) in &lost {
                edit.put_lost(*copy, *attempt, &LostRecord { cfg, at });
            }
            Ok(())
        })?;
        let entry = self.queues.get_mut(&id).expect("of this host");
        entry.change = None;
        entry.config = Some(ConfigRecord::installed(voters, Vec::new()));
        let mut changed = Vec::new();
        // What printers go on with that can be reached was accepted, whoever accepted it.
        for (unit, ballot, value) in kept {
            let vote = entry.votes.entry(unit).or_default();
            if vote.accepted.is_none() {
                vote.promised = vote.promised.take().max(Some(ballot.clone()));
                vote.accepted = Some((ballot, value));
                changed.push(unit);
            }
        }
        for unit in &given_up {
            entry.votes.entry(*unit).or_default().lost = true;
            changed.push(*unit);
        }
        let votes: Vec<_> = changed
            .into_iter()
            .map(|unit| records::put(key::vote(id, unit.0, unit.1), &entry.votes[&unit]))
            .collect();
        for write in votes {
            self.write(write);
        }
        self.save_config(id);
        self.watch_all(id);
        let count = given_up.len();
        let prints = match count {
            0 => "no print was under way elsewhere, as far as this host knows".to_owned(),
            1 => "1 print of a host that is away is given up; it may turn out to be one too many"
                .to_owned(),
            n => format!(
                "{n} prints of hosts that are away are given up; each may turn out to be one too many"
            ),
        };
        let text = format!("{queue} is decided by this host alone from now on; {prints}");
        tracing::warn!(%id, cfg, count, "recovered a queue without its voters");
        self.tell(Event {
            queue: Some(queue.to_owned()),
            state: Some(cfg.to_string()),
            text: Some(text.clone()),
            ..Event::new("queue.recovered")
        });
        Ok(Answer::Done {
            already: false,
            text,
        })
    }

    /// The attempts that may have begun: those of holders that can be reached, with what was accepted, and the others.
    #[expect(clippy::type_complexity, reason = "two lists of units")]
    fn begun_here_and_away(
        &self,
        queue: QueueId,
    ) -> (
        Vec<((CopyId, u32), printmesh_queue::Ballot, Value)>,
        Vec<(CopyId, u32)>,
    ) {
        let snapshot = self.queues[&queue].doc.snapshot();
        let reachable = self.presence(queue).reachable;
        let (mut kept, mut given_up) = (Vec::new(), Vec::new());
        for (copy, claims) in &snapshot.claims {
            for claim in claims.values() {
                let unit = (*copy, claim.attempt);
                let record = &claim.record;
                if record.speculative || !record.state.is_begun() || snapshot.is_lost(*copy, unit.1)
                {
                    continue;
                }
                if reachable.contains(&claim.host) {
                    let value = Value::Print {
                        host: claim.host,
                        printer: record.printer.clone(),
                        spec_hash: record.spec_hash,
                    };
                    kept.push((unit, record.ballot.clone(), value));
                } else {
                    given_up.push(unit);
                }
            }
        }
        (kept, given_up)
    }
}
