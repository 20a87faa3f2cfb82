//! Who may write which entry, and which values it takes: the rules that every host applies to every change.
//!
//! A verdict depends on the change and its causal past only, never on what else a host has received: otherwise two
//! hosts would admit different changes and never agree again.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Certificate, ClaimRecord, ColorRule, Configuration, HostId, InviteRecord, JobId, JobState,
    LostRecord, PrinterRecord, Priority, Rank, Refusal, Request, Role, RunRecord, SetId, SetSpec,
    Setting, Settings, Voters,
    change::{Action, Scalar},
    configuration::is_sealed,
    epoch::Authority,
    limits::{
        ALTERNATIVES_MAX, COPIES_MAX, FILE_BYTES_MAX, JOB_PRINTER_BYTES_MAX, JOB_PRINTERS_MAX,
        NAME_BYTES_MAX, SETS_MAX, TAGS_MAX,
    },
    schema::{Entry, FORMAT, JOB_KEYS, JobField, Meta, SetField},
};

/// What an entry said before, as far as a rule asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// Nothing that a rule needs.
    Plain,
    Certificate(Box<Certificate>),
    Claim(Box<ClaimRecord>),
    /// Who the voters were.
    Voters(Vec<HostId>),
}

/// One write, with what its rule asks for.
pub(crate) struct Write<'a> {
    pub(crate) authority: &'a Authority,
    /// Who writes, with the role that the best certificate in its past gives; `None` without one.
    pub(crate) host: HostId,
    pub(crate) role: Option<Role>,
    pub(crate) entry: &'a Entry,
    pub(crate) action: &'a Action,
    /// What it replaces; several after concurrent writes.
    pub(crate) before: &'a [&'a Fact],
    /// For the parts of a job.
    pub(crate) job: Option<JobPart>,
    /// For a voter configuration: the ones before it, as far as the author had seen them.
    pub(crate) voters_before: &'a [&'a Fact],
}

/// The job that a write is a part of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobPart {
    /// Who made it.
    pub(crate) submitter: HostId,
    /// The same change makes it.
    pub(crate) is_new: bool,
}

impl Write<'_> {
    /// Judges one write.
    pub(crate) fn judge(&self) -> Result<(), Refusal> {
        self.is_permitted()?;
        match self.action {
            Action::MakeMap => match self.entry {
                Entry::Job(_) if self.before.is_empty() => Ok(()),
                _ => Err(Refusal::Schema),
            },
            // Only what says nothing to anybody when it is gone: a setting falls back to its default, a request
            // is taken back by who asked. Everything else has a state that says so.
            Action::Delete => match self.entry {
                Entry::Setting(_) | Entry::SettingOther | Entry::Request(_)
                    if !self.before.is_empty() =>
                {
                    Ok(())
                }
                _ => Err(Refusal::NotPermitted),
            },
            Action::Put(value) => self.judge_value(value),
        }
    }

    fn is_permitted(&self) -> Result<(), Refusal> {
        let role = self.role.ok_or(Refusal::UnknownAuthor)?;
        let permitted = match self.entry {
            // The voters before it say so; that is asked with its value.
            Entry::Meta(Meta::Config(_)) => true,
            Entry::Setting(Setting::Voters) => role >= Role::Operator,
            Entry::Meta(_) | Entry::Setting(_) | Entry::SettingOther => role >= Role::Admin,
            // It proves itself; whether it is better than the one before is asked with its value.
            Entry::Certificate(_) => true,
            Entry::MemberName(host)
            | Entry::MemberLeft(host)
            | Entry::MemberKept(host)
            | Entry::MemberOther(host) => *host == self.host,
            Entry::Invite(host, _) => *host == self.host && role >= Role::Admin,
            Entry::Lost(id) => id.host == self.host && role >= Role::Printer,
            Entry::Group => role >= Role::Operator,
            Entry::Request(id) => id.host == self.host && role >= Role::Submitter,
            Entry::Printer(printer) => printer.host == self.host && role >= Role::Printer,
            Entry::Job(_) => role >= Role::Submitter,
            Entry::JobField(..) | Entry::JobSet(..) | Entry::JobAgain(..) | Entry::JobOther(_) => {
                self.job.is_some_and(|job| job.submitter == self.host) && role >= Role::Submitter
                    || role >= Role::Operator
            }
            // A person's host takes copies out and gives them back, whether it prints or not; its value tells.
            Entry::Claim(id) => id.host == self.host && role >= Role::Submitter,
            Entry::Run(id, _) | Entry::ClaimOther(id) => {
                id.host == self.host && role >= Role::Printer
            }
        };
        #[cfg(any(test, feature = "sabotage"))]
        let permitted = permitted || crate::sabotage::has(crate::sabotage::Bug::AnybodyWrites);
        if permitted {
            Ok(())
        } else {
            Err(Refusal::NotPermitted)
        }
    }

    fn judge_value(&self, value: &Scalar) -> Result<(), Refusal> {
        let schema = |good: Option<bool>| match good {
            Some(true) => Ok(()),
            Some(false) | None => Err(Refusal::Schema),
        };
        match self.entry {
            Entry::Meta(Meta::Config(cfg)) => {
                schema(is_meta(Meta::Config(*cfg), value, self.authority))?;
                if self.before.is_empty() && self.is_next_configuration(value) {
                    Ok(())
                } else {
                    Err(Refusal::NotPermitted)
                }
            }
            Entry::Meta(meta) => schema(is_meta(*meta, value, self.authority)),
            Entry::SettingOther
            | Entry::Group
            | Entry::MemberOther(_)
            | Entry::JobOther(_)
            | Entry::ClaimOther(_) => Ok(()),
            Entry::Setting(setting) => schema(
                value
                    .as_text()
                    .map(|text| Settings::default().set(*setting, text)),
            ),
            Entry::Request(_) => schema(value.as_json::<Request>().map(|_| true)),
            Entry::Lost(_) => schema(value.as_json::<LostRecord>().map(|_| true)),
            Entry::Certificate(member) => {
                let certificate =
                    certificate(value, *member, self.authority).ok_or(Refusal::Schema)?;
                let better = |old: &&Fact| match old {
                    Fact::Certificate(old) => standing(old) < standing(&certificate),
                    Fact::Plain | Fact::Claim(_) | Fact::Voters(_) => true,
                };
                if self.before.iter().all(better) {
                    Ok(())
                } else {
                    Err(Refusal::NotPermitted)
                }
            }
            Entry::MemberName(_) => schema(value.as_text().map(is_name)),
            Entry::Invite(..) => schema(value.as_json::<InviteRecord>().map(|_| true)),
            Entry::MemberKept(_) => schema(value.as_text().map(is_name)),
            Entry::MemberLeft(_) => schema(value.as_flag().map(|_| true)),
            Entry::Printer(printer) => schema(
                value
                    .as_json::<PrinterRecord>()
                    .map(|_| is_name(&printer.name)),
            ),
            Entry::Job(_) => Err(Refusal::Schema),
            Entry::JobAgain(..) => schema(
                value
                    .as_number()
                    .map(|attempt| u32::try_from(attempt).is_ok()),
            ),
            Entry::JobField(_, field) => {
                let JobPart { is_new, .. } = self.job.ok_or(Refusal::MissingObject)?;
                let fixed = matches!(
                    field,
                    JobField::Submitter | JobField::Created | JobField::Origin | JobField::Level
                );
                if fixed && !is_new {
                    return Err(Refusal::NotPermitted);
                }
                schema(is_job_field(*field, value, self.host))
            }
            Entry::JobSet(_, _, field) => {
                let JobPart { is_new, .. } = self.job.ok_or(Refusal::MissingObject)?;
                if *field == SetField::Spec && !is_new {
                    return Err(Refusal::NotPermitted);
                }
                // A set is made whole, with its job.
                let exists = is_new || !self.before.is_empty();
                schema(is_set_field(*field, value).map(|good| good && exists))
            }
            Entry::Claim(id) => {
                let record: ClaimRecord = value.as_json().ok_or(Refusal::Schema)?;
                let own = record.ballot.host == id.host && record.ballot.printer == record.printer;
                schema(Some(
                    own && (is_name(&record.printer) || record.is_reopening()),
                ))?;
                if !record.is_reopening() && self.role.is_none_or(|role| role < Role::Printer) {
                    return Err(Refusal::NotPermitted);
                }
                let now = strongest(self.before.iter().filter_map(|fact| match fact {
                    Fact::Claim(record) => Some(record.as_ref()),
                    Fact::Plain | Fact::Certificate(_) | Fact::Voters(_) => None,
                }));
                if now.is_none_or(|now| now.allows(&record)) {
                    Ok(())
                } else {
                    Err(Refusal::NotPermitted)
                }
            }
            Entry::Run(..) => schema(value.as_json::<RunRecord>().map(|_| true)),
        }
    }
}

impl Write<'_> {
    /// Whether the voters before it gave way to a configuration, or an admin made it.
    fn is_next_configuration(&self, value: &Scalar) -> bool {
        if self.role >= Some(Role::Admin) {
            return true;
        }
        let Some(next) = value.as_json::<Configuration>() else {
            return false;
        };
        !next.voters.is_recovered()
            && self.voters_before.iter().any(|before| match before {
                Fact::Voters(before) => {
                    is_sealed(self.authority.queue, &next.voters, &next.seals, before)
                }
                Fact::Plain | Fact::Certificate(_) | Fact::Claim(_) => false,
            })
    }
}

/// Reads a certificate that is valid for its place.
pub(crate) fn certificate(
    value: &Scalar,
    member: HostId,
    authority: &Authority,
) -> Option<Certificate> {
    let written = value.as_text()?;
    value.as_json::<Certificate>().filter(|certificate| {
        certificate.member == member && authority.vouches_for(certificate, written)
    })
}

/// Orders valid certificates of one member: the last decision about it; of concurrent ones a removal, then the lowest
/// role. As long as nobody decided anything, the highest role that it was let in with. Then the earliest; the signature
/// breaks ties.
pub(crate) fn standing(certificate: &Certificate) -> impl Ord + use<> {
    let role = certificate.role as i8;
    (
        certificate.turn,
        certificate.removed,
        if certificate.turn > 0 { -role } else { role },
        std::cmp::Reverse(certificate.issued),
        certificate.signature,
    )
}

/// Of claim records that one host wrote concurrently (two boots from one backup), the one that counts: what has begun
/// outweighs what has not, then the higher ballot, then the higher state. The last one wins a tie.
pub(crate) fn strongest<'a>(
    records: impl Iterator<Item = &'a ClaimRecord>,
) -> Option<&'a ClaimRecord> {
    records.max_by(|a, b| {
        let weight = |record: &ClaimRecord| record.state.is_begun() || record.state.is_over();
        (weight(a), &a.ballot, a.state).cmp(&(weight(b), &b.ballot, b.state))
    })
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
}

fn is_meta(meta: Meta, value: &Scalar, authority: &Authority) -> Option<bool> {
    Some(match meta {
        Meta::Format => value.as_number()? == FORMAT,
        Meta::MinWriter => value.as_number().is_some(),
        Meta::Queue => *value == Scalar::Bytes(authority.queue.0.to_vec()),
        Meta::Epoch => value.as_number()? == authority.epoch.number,
        // Only an epoch itself says which key it has.
        Meta::Key => false,
        Meta::Name => is_name(value.as_text()?),
        Meta::Voters => is_voters(&value.as_json()?),
        Meta::Config(cfg) => {
            let voters: Voters = value.as_json()?;
            voters.cfg == cfg && is_voters(&voters)
        }
        Meta::Other => true,
    })
}

fn is_voters(voters: &Voters) -> bool {
    let hosts: BTreeSet<&HostId> = voters.hosts.iter().collect();
    matches!(hosts.len(), 1 | 3 | 5) && hosts.len() == voters.hosts.len()
}

fn is_count(value: &Scalar) -> Option<bool> {
    Some((1..=u64::from(COPIES_MAX)).contains(&value.as_number()?))
}

fn is_job_field(field: JobField, value: &Scalar, writer: HostId) -> Option<bool> {
    Some(match field {
        JobField::Name => is_name(value.as_text()?),
        JobField::Rank => Rank::parse(value.as_text()?).is_some(),
        JobField::Copies => is_count(value)?,
        JobField::Together
        | JobField::Draft
        | JobField::Held
        | JobField::Backburner
        | JobField::PrintAnyway => value.as_flag().is_some(),
        JobField::Printers => {
            let printers: Vec<String> = value.as_json()?;
            printers.len() <= JOB_PRINTERS_MAX
                && printers
                    .iter()
                    .all(|name| name.len() <= JOB_PRINTER_BYTES_MAX)
        }
        JobField::State => match value.as_json()? {
            JobState::Open => true,
            JobState::Cancelled { by, .. } | JobState::Moved { by, .. } => by == writer,
        },
        JobField::Submitter => value.parse::<HostId>()? == writer,
        JobField::Created => value.as_number().is_some(),
        JobField::Origin => value.parse::<JobId>().is_some(),
        JobField::Retries | JobField::Level => u32::try_from(value.as_number()?).is_ok(),
        JobField::Group => is_name(value.as_text()?),
        JobField::Priority => Priority::from_word(value.as_text()?).is_some(),
        JobField::Color => ColorRule::from_word(value.as_text()?).is_some(),
        JobField::Due | JobField::NotBefore => value.as_number().is_some(),
        JobField::Tags => {
            let tags: Vec<String> = value.as_json()?;
            tags.len() <= TAGS_MAX && tags.iter().all(|tag| is_name(tag))
        }
    })
}

fn is_set_field(field: SetField, value: &Scalar) -> Option<bool> {
    Some(match field {
        SetField::Rank => Rank::parse(value.as_text()?).is_some(),
        SetField::PerRun => is_count(value)?,
        SetField::Spec => {
            let spec: SetSpec = value.as_json()?;
            let fits = spec.files.iter().all(|file| file.size <= FILE_BYTES_MAX);
            fits && (1..=ALTERNATIVES_MAX).contains(&spec.files.len())
        }
    })
}

fn is_optional(field: JobField) -> bool {
    match field {
        JobField::Origin
        | JobField::Retries
        | JobField::Group
        | JobField::Backburner
        | JobField::PrintAnyway
        | JobField::Priority
        | JobField::Due
        | JobField::NotBefore
        | JobField::Color
        | JobField::Tags
        | JobField::Level => true,
        JobField::Name
        | JobField::Rank
        | JobField::Copies
        | JobField::Together
        | JobField::Draft
        | JobField::Held
        | JobField::Printers
        | JobField::State
        | JobField::Submitter
        | JobField::Created => false,
    }
}

/// A job that one change makes: it must come whole.
#[derive(Default)]
pub(crate) struct NewJob {
    fields: BTreeSet<JobField>,
    sets: BTreeMap<SetId, BTreeSet<SetField>>,
}

impl NewJob {
    pub(crate) fn put(&mut self, entry: &Entry) {
        match entry {
            Entry::JobField(_, field) => {
                self.fields.insert(*field);
            }
            Entry::JobSet(_, set, field) => {
                self.sets.entry(*set).or_default().insert(*field);
            }
            _ => {}
        }
    }

    pub(crate) fn judge(&self) -> Result<(), Refusal> {
        let missing = JOB_KEYS
            .iter()
            .filter(|(_, field)| !is_optional(*field) && !self.fields.contains(field));
        if missing.count() > 0 || self.sets.is_empty() || self.sets.values().any(|f| f.len() != 3) {
            Err(Refusal::Schema)
        } else if self.sets.len() > SETS_MAX {
            Err(Refusal::TooLarge)
        } else {
            Ok(())
        }
    }
}
