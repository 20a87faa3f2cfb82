//! Who wrote how much: the version vector that two hosts compare to find out what the other one lacks.
//!
//! It says what a document holds, never what is still parked.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{HostId, limits::VECTOR_AUTHORS_MAX};

/// One run of one host's daemon: the only writer of its chain of changes.
///
/// A fresh number per start keeps a restored backup, and a second machine with the same key, from writing another change
/// under a number already used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Author {
    /// The host; its device key signs.
    pub host: HostId,
    /// One for each start of the daemon: counted up in the upper half, random in the lower one.
    pub boot: u64,
}

/// The number of changes known from each author; they are counted from 1 without gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionVector(pub BTreeMap<Author, u64>);

impl VersionVector {
    /// Returns the number of changes known from `author`.
    pub fn of(&self, author: Author) -> u64 {
        self.0.get(&author).copied().unwrap_or(0)
    }

    /// Returns whether everything in `other` is known here.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(author, seq)| self.of(*author) >= *seq)
    }
}

/// Written host by host, since a host has started often: a list of `(host, starts)`, and each start is
/// `(boot, count)`, the boot as eight bytes, the highest first.
impl Serialize for VersionVector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut hosts: Vec<(HostId, Vec<Start>)> = Vec::new();
        for (author, count) in &self.0 {
            let start = (author.boot.to_be_bytes(), *count);
            match hosts.last_mut() {
                Some((host, starts)) if *host == author.host => starts.push(start),
                _ => hosts.push((author.host, vec![start])),
            }
        }
        serializer.collect_seq(hosts)
    }
}

type Start = ([u8; 8], u64);

impl<'de> Deserialize<'de> for VersionVector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut known = BTreeMap::new();
        deserializer.deserialize_seq(Hosts(&mut known))?;
        Ok(Self(known))
    }
}

struct Hosts<'a>(&'a mut BTreeMap<Author, u64>);

impl<'de> de::Visitor<'de> for Hosts<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "at most {VECTOR_AUTHORS_MAX} starts of hosts in ascending order"
        )
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(OneHost(self.0))?.is_some() {}
        Ok(())
    }
}

/// A host with its starts.
struct OneHost<'a>(&'a mut BTreeMap<Author, u64>);

impl<'de> de::DeserializeSeed<'de> for OneHost<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_tuple(2, self)
    }
}

impl<'de> de::Visitor<'de> for OneHost<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a host and its starts")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let missing = |at| de::Error::invalid_length(at, &"a host and its starts");
        let host: HostId = seq.next_element()?.ok_or_else(|| missing(0))?;
        let last = self.0.last_key_value();
        if last.is_some_and(|(last, _)| last.host >= host) {
            return Err(de::Error::custom("hosts out of order"));
        }
        let starts = Starts(host, self.0);
        seq.next_element_seed(starts)?.ok_or_else(|| missing(1))
    }
}

struct Starts<'a>(HostId, &'a mut BTreeMap<Author, u64>);

impl<'de> de::DeserializeSeed<'de> for Starts<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> de::Visitor<'de> for Starts<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at least one start, in ascending order")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self(host, known) = self;
        let mut last = None;
        while let Some((boot, count)) = seq.next_element::<Start>()? {
            let boot = u64::from_be_bytes(boot);
            if last.is_some_and(|last| last >= boot) || known.len() == VECTOR_AUTHORS_MAX {
                return Err(de::Error::custom("starts out of order, or too many"));
            }
            last = Some(boot);
            known.insert(Author { host, boot }, count);
        }
        match last {
            Some(_) => Ok(()),
            None => Err(de::Error::custom("a host without a start")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author(n: u8) -> Author {
        Author {
            host: HostId([n; 32]),
            boot: u64::from(n),
        }
    }

    #[test]
    fn reads_back_what_it_writes_and_refuses_disorder() {
        let vector = VersionVector(BTreeMap::from([(author(1), 3), (author(2), 900)]));
        let bytes = postcard::to_stdvec(&vector).unwrap();
        assert_eq!(
            postcard::from_bytes::<VersionVector>(&bytes),
            Ok(vector.clone())
        );
        let json = serde_json::to_string(&vector).unwrap();
        assert_eq!(
            serde_json::from_str::<VersionVector>(&json).unwrap(),
            vector
        );

        let refused = |hosts: &[(HostId, Vec<Start>)]| {
            let bytes = postcard::to_stdvec(hosts).unwrap();
            postcard::from_bytes::<VersionVector>(&bytes).is_err()
        };
        let (one, two) = (author(1), author(2));
        let start = |author: Author| vec![(author.boot.to_be_bytes(), 1)];
        assert!(!refused(&[(one.host, start(one)), (two.host, start(two))]));
        assert!(refused(&[(two.host, start(two)), (two.host, start(two))]));
        assert!(refused(&[(two.host, start(two)), (one.host, start(one))]));
        assert!(refused(&[(one.host, [start(one), start(one)].concat())]));
        assert!(refused(&[(one.host, [start(two), start(one)].concat())]));
        assert!(
            refused(&[(one.host, Vec::new())]),
            "written in another way, too"
        );
        let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
        assert!(postcard::from_bytes::<VersionVector>(&huge).is_err());
    }

    #[test]
    fn all_the_starts_that_it_may_name_fit_into_a_message_and_not_one_more() {
        let starts = |count: u64| {
            let start = |boot: u64| {
                let host = HostId([u8::try_from(boot % 50).unwrap(); 32]);
                (
                    Author {
                        host,
                        boot: boot << 32 | 7,
                    },
                    boot,
                )
            };
            VersionVector((0..count).map(start).collect())
        };
        let most = postcard::to_stdvec(&starts(VECTOR_AUTHORS_MAX as u64)).unwrap();
        assert!(most.len() < 800_000, "{} bytes", most.len());
        assert!(postcard::from_bytes::<VersionVector>(&most).is_ok());
        let more = postcard::to_stdvec(&starts(VECTOR_AUTHORS_MAX as u64 + 1)).unwrap();
        assert!(postcard::from_bytes::<VersionVector>(&more).is_err());
        let cut = postcard::to_stdvec(&starts(40_000)).unwrap();
        assert!(cut.len() < crate::RECORD_BYTES_MAX, "{} bytes", cut.len());
    }

    #[test]
    fn covers_what_it_has_seen() {
        let small = VersionVector(BTreeMap::from([(author(1), 3)]));
        let large = VersionVector(BTreeMap::from([(author(1), 3), (author(2), 1)]));
        assert!(large.covers(&small) && !small.covers(&large));
        assert_eq!(small.of(author(2)), 0);
    }
}
