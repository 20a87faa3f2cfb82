//! The keys of the document: which maps there are, what a key in each of them stands for, and how its value is written.
//!
//! The only file that knows a key. Who may write what is in `rules`; FORMAT.md describes the same for people.

use std::sync::LazyLock;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    CopyId, HostId, JobId, PrinterId, RequestId, SetId, change::Scalar, settings::Setting,
};

/// Number of the layout, in `meta/format`.
pub(crate) const FORMAT: u64 = 1;
/// Layout that this version writes; it stops writing when `meta/min_writer` is above it.
pub(crate) const WRITER: u64 = 1;

/// A map that the genesis change makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Container {
    Meta,
    Settings,
    Members,
    Groups,
    Printers,
    Requests,
    /// One of 256, because a change from another host costs as much as its map is long.
    Jobs(u8),
    Copies(u8),
}

const META: u64 = 1;
const SETTINGS: u64 = 2;
const MEMBERS: u64 = 3;
const GROUPS: u64 = 4;
const PRINTERS: u64 = 5;
const JOBS: u64 = 6;
const COPIES: u64 = 7;
const REQUESTS: u64 = 8;
const JOB_BUCKETS: u64 = 9;
const COPY_BUCKETS: u64 = JOB_BUCKETS + 256;
/// Operations of the genesis change.
pub(crate) const GENESIS_OPS: u64 = COPY_BUCKETS + 256 - 1;

/// The maps of the genesis change in the order of their counters from 1: the counter of the map around it, and its key.
pub(crate) static GENESIS_KEYS: LazyLock<Vec<(Option<u64>, String)>> = LazyLock::new(|| {
    let roots = [
        "meta", "settings", "members", "groups", "printers", "jobs", "copies", "requests",
    ];
    let buckets = |root| (0..=u8::MAX).map(move |n| (Some(root), format!("{n:02x}")));
    let roots = roots.into_iter().map(|key| (None, key.to_owned()));
    roots.chain(buckets(JOBS)).chain(buckets(COPIES)).collect()
});

impl Container {
    /// The operation of the genesis change that made it.
    pub(crate) fn counter(self) -> u64 {
        match self {
            Self::Meta => META,
            Self::Settings => SETTINGS,
            Self::Members => MEMBERS,
            Self::Groups => GROUPS,
            Self::Printers => PRINTERS,
            Self::Requests => REQUESTS,
            Self::Jobs(bucket) => JOB_BUCKETS + u64::from(bucket),
            Self::Copies(bucket) => COPY_BUCKETS + u64::from(bucket),
        }
    }

    /// `None` for the root and for the maps that hold the buckets: nobody writes there.
    pub(crate) fn from_counter(counter: u64) -> Option<Self> {
        let bucket = |first| u8::try_from(counter - first).ok();
        match counter {
            META => Some(Self::Meta),
            SETTINGS => Some(Self::Settings),
            MEMBERS => Some(Self::Members),
            GROUPS => Some(Self::Groups),
            PRINTERS => Some(Self::Printers),
            REQUESTS => Some(Self::Requests),
            COPY_BUCKETS.. => bucket(COPY_BUCKETS).map(Self::Copies),
            JOB_BUCKETS.. => bucket(JOB_BUCKETS).map(Self::Jobs),
            _ => None,
        }
    }

    pub(crate) fn of_job(job: JobId) -> Self {
        Self::Jobs(bucket(job))
    }

    pub(crate) fn of_copies(job: JobId) -> Self {
        Self::Copies(bucket(job))
    }
}

/// The last byte: the first ones may be a time.
fn bucket(job: JobId) -> u8 {
    job.0[15]
}

/// A map that a change may write into, by what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Genesis(Container),
    Job(JobId),
}

/// What `meta` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meta {
    Format,
    MinWriter,
    Queue,
    Epoch,
    /// The public queue key, from the second epoch on.
    Key,
    Name,
    /// The first voters.
    Voters,
    /// The voters of a later configuration, by its number.
    Config(u32),
    /// Of a later version.
    Other,
}

/// The fields of a job that are no sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum JobField {
    Name,
    Rank,
    Copies,
    Together,
    Draft,
    Held,
    Printers,
    State,
    Submitter,
    Created,
    Origin,
    Retries,
    Group,
    Backburner,
    PrintAnyway,
    Priority,
    Due,
    NotBefore,
    Color,
    Tags,
    Level,
}

/// The fields of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SetField {
    Rank,
    PerRun,
    Spec,
}

/// One host's try to make one copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClaimId {
    pub(crate) copy: CopyId,
    pub(crate) attempt: u32,
    pub(crate) host: HostId,
}

/// What a key in a map stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entry {
    Meta(Meta),
    Setting(Setting),
    /// A setting of a later version.
    SettingOther,
    Certificate(HostId),
    MemberName(HostId),
    MemberLeft(HostId),
    /// Which decision about another member this host knew when it carried on what that one had written before.
    MemberKept(HostId),
    /// What a member says of an invite, by the invite's public key.
    Invite(HostId, HostId),
    /// Something else that a member says about itself, by a later version.
    MemberOther(HostId),
    Group,
    Printer(PrinterId),
    /// What a host asks of others.
    Request(RequestId),
    /// The map of a job.
    Job(JobId),
    JobField(JobId, JobField),
    JobSet(JobId, SetId, SetField),
    /// A person wants a copy tried once more.
    JobAgain(JobId, u32),
    /// A job field of a later version.
    JobOther(JobId),
    Claim(ClaimId),
    Run(ClaimId, u32),
    /// Something else about a claim, by a later version.
    ClaimOther(ClaimId),
    /// A voter's word that an attempt is lost; the host is the voter.
    Lost(ClaimId),
}

const META_KEYS: [(&str, Meta); 7] = [
    ("format", Meta::Format),
    ("min_writer", Meta::MinWriter),
    ("queue", Meta::Queue),
    ("epoch", Meta::Epoch),
    ("key", Meta::Key),
    ("name", Meta::Name),
    ("voters", Meta::Voters),
];

pub(crate) const JOB_KEYS: [(&str, JobField); 21] = [
    ("name", JobField::Name),
    ("rank", JobField::Rank),
    ("copies", JobField::Copies),
    ("together", JobField::Together),
    ("draft", JobField::Draft),
    ("held", JobField::Held),
    ("printers", JobField::Printers),
    ("state", JobField::State),
    ("submitter", JobField::Submitter),
    ("created", JobField::Created),
    ("origin", JobField::Origin),
    ("retries", JobField::Retries),
    ("group", JobField::Group),
    ("backburner", JobField::Backburner),
    ("print_anyway", JobField::PrintAnyway),
    ("priority", JobField::Priority),
    ("due", JobField::Due),
    ("not_before", JobField::NotBefore),
    ("color", JobField::Color),
    ("tags", JobField::Tags),
    ("level", JobField::Level),
];

const SET_KEYS: [(&str, SetField); 3] = [
    ("rank", SetField::Rank),
    ("per_run", SetField::PerRun),
    ("spec", SetField::Spec),
];

fn named<T: Copy>(table: &[(&str, T)], key: &str) -> Option<T> {
    table
        .iter()
        .find(|(name, _)| *name == key)
        .map(|(_, what)| *what)
}

fn name_of<T: Copy + PartialEq>(table: &[(&'static str, T)], what: T) -> &'static str {
    table
        .iter()
        .find(|(_, other)| *other == what)
        .map_or("", |(name, _)| name)
}

/// A number as we print it: no sign, no leading zero.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn host(text: &str) -> Option<HostId> {
    let host: HostId = text.parse().ok()?;
    (host.to_string() == text).then_some(host)
}

impl Entry {
    /// Reads a key; `None` when it can never be one there.
    pub(crate) fn parse(place: Place, key: &str) -> Option<Self> {
        if key.is_empty() {
            return None;
        }
        match place {
            Place::Genesis(Container::Meta) => Some(Self::Meta(parse_meta(key)?)),
            Place::Genesis(Container::Settings) => {
                Some(Setting::from_key(key).map_or(Self::SettingOther, Self::Setting))
            }
            Place::Genesis(Container::Groups) => Some(Self::Group),
            Place::Genesis(Container::Requests) => {
                let (asker, id) = key.split_once('/')?;
                let host = host(asker)?;
                (!id.is_empty()).then(|| {
                    Self::Request(RequestId {
                        host,
                        id: id.to_owned(),
                    })
                })
            }
            Place::Genesis(Container::Members) => {
                let (member, what) = key.split_once('/')?;
                let member = host(member)?;
                Some(match what {
                    "cert" => Self::Certificate(member),
                    "name" => Self::MemberName(member),
                    "left" => Self::MemberLeft(member),
                    "kept" => Self::MemberKept(member),
                    other => match other.strip_prefix("invite/") {
                        Some(public) => Self::Invite(member, host(public)?),
                        None => Self::MemberOther(member),
                    },
                })
            }
            Place::Genesis(Container::Printers) => {
                let (owner, name) = key.split_once('/')?;
                let host = host(owner)?;
                (!name.is_empty()).then(|| {
                    Self::Printer(PrinterId {
                        host,
                        name: name.to_owned(),
                    })
                })
            }
            Place::Genesis(Container::Jobs(bucket_of)) => {
                let job: JobId = key.parse().ok()?;
                (bucket(job) == bucket_of).then_some(Self::Job(job))
            }
            Place::Genesis(Container::Copies(bucket_of)) => {
                Self::parse_copy(key).filter(|claim| match claim {
                    Self::Claim(id) | Self::Run(id, _) | Self::ClaimOther(id) | Self::Lost(id) => {
                        bucket(id.copy.job) == bucket_of
                    }
                    _ => false,
                })
            }
            Place::Job(job) => Self::parse_job(job, key),
        }
    }

    fn parse_job(job: JobId, key: &str) -> Option<Self> {
        if let Some(index) = key.strip_prefix("again/") {
            return Some(Self::JobAgain(job, number(index)?));
        }
        let Some(set) = key.strip_prefix("set/") else {
            return Some(
                named(&JOB_KEYS, key)
                    .map_or(Self::JobOther(job), |field| Self::JobField(job, field)),
            );
        };
        let (set, field) = set.split_once('/')?;
        let set: SetId = set.parse().ok()?;
        Some(
            named(&SET_KEYS, field)
                .map_or(Self::JobOther(job), |field| Self::JobSet(job, set, field)),
        )
    }

    fn parse_copy(key: &str) -> Option<Self> {
        let mut parts = key.splitn(5, '/');
        let job: JobId = parts.next()?.parse().ok()?;
        let index = number(parts.next()?)?;
        let copy = CopyId { job, index };
        let who = parts.next()?;
        if who == "lost" {
            return Some(Self::Lost(ClaimId {
                copy,
                host: host(parts.next()?)?,
                attempt: number(parts.next()?)?,
            }));
        }
        let id = ClaimId {
            copy,
            host: host(who)?,
            attempt: number(parts.next()?)?,
        };
        Some(match parts.next() {
            None => Self::Claim(id),
            Some(rest) => match rest.strip_prefix("run/") {
                Some(k) => Self::Run(id, number(k)?),
                None if rest.is_empty() => return None,
                None => Self::ClaimOther(id),
            },
        })
    }
}

fn parse_meta(key: &str) -> Option<Meta> {
    match key.strip_prefix("voters/") {
        Some(cfg) => Some(Meta::Config(number(cfg)?)),
        None => Some(named(&META_KEYS, key).unwrap_or(Meta::Other)),
    }
}

pub(crate) fn meta_key(meta: Meta) -> String {
    match meta {
        Meta::Config(cfg) => format!("voters/{cfg}"),
        other => name_of(&META_KEYS, other).to_owned(),
    }
}

pub(crate) fn request_key(request: &RequestId) -> String {
    format!("{}/{}", request.host, request.id)
}

pub(crate) fn lost_key(id: ClaimId) -> String {
    let ClaimId {
        copy,
        attempt,
        host,
    } = id;
    format!("{}/{}/lost/{host}/{attempt}", copy.job, copy.index)
}

pub(crate) fn certificate_key(member: HostId) -> String {
    format!("{member}/cert")
}

pub(crate) fn member_name_key(member: HostId) -> String {
    format!("{member}/name")
}

pub(crate) fn member_left_key(member: HostId) -> String {
    format!("{member}/left")
}

pub(crate) fn member_kept_key(member: HostId) -> String {
    format!("{member}/kept")
}

pub(crate) fn invite_key(member: HostId, public: HostId) -> String {
    format!("{member}/invite/{public}")
}

pub(crate) fn printer_key(printer: &PrinterId) -> String {
    format!("{}/{}", printer.host, printer.name)
}

pub(crate) fn job_key(field: JobField) -> &'static str {
    name_of(&JOB_KEYS, field)
}

pub(crate) fn set_key(set: SetId, field: SetField) -> String {
    format!("set/{set}/{}", name_of(&SET_KEYS, field))
}

pub(crate) fn again_key(index: u32) -> String {
    format!("again/{index}")
}

pub(crate) fn claim_key(id: ClaimId) -> String {
    let ClaimId {
        copy,
        attempt,
        host,
    } = id;
    format!("{}/{}/{host}/{attempt}", copy.job, copy.index)
}

pub(crate) fn run_key(id: ClaimId, k: u32) -> String {
    format!("{}/run/{k}", claim_key(id))
}

/// The range of keys that holds all runs of a claim: `0` follows `/`.
pub(crate) fn run_keys(id: ClaimId) -> (String, String) {
    let claim = claim_key(id);
    (format!("{claim}/run/"), format!("{claim}/run0"))
}

impl Scalar {
    pub(crate) fn text(text: impl ToString) -> Self {
        Self::Text(text.to_string())
    }

    /// A record as JSON: later versions add fields, earlier ones pass over them.
    pub(crate) fn json<T: Serialize>(value: &T) -> Self {
        Self::Text(
            serde_json::to_string(value).expect("our records have string keys and no floats"),
        )
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Flag(_) | Self::Bytes(_) => None,
        }
    }

    pub(crate) fn as_number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) | Self::Flag(_) | Self::Bytes(_) => None,
        }
    }

    pub(crate) fn as_flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Text(_) | Self::Number(_) | Self::Bytes(_) => None,
        }
    }

    pub(crate) fn as_json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.as_text()?).ok()
    }

    pub(crate) fn parse<T: std::str::FromStr>(&self) -> Option<T> {
        self.as_text()?.parse().ok()
    }
}
