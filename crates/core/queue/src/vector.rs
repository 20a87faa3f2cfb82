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

impl Serialize for VersionVector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

impl<'de> Deserialize<'de> for VersionVector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> de::Visitor<'de> for Pairs {
            type Value = VersionVector;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {VECTOR_AUTHORS_MAX} authors in ascending order")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<VersionVector, A::Error> {
                let mut known = BTreeMap::new();
                while let Some((author, count)) = seq.next_element::<(Author, u64)>()? {
                    let ascending = known
                        .last_key_value()
                        .is_none_or(|(last, _)| *last < author);
                    if !ascending || known.len() == VECTOR_AUTHORS_MAX {
                        return Err(de::Error::invalid_value(de::Unexpected::Seq, &self));
                    }
                    known.insert(author, count);
                }
                Ok(VersionVector(known))
            }
        }

        deserializer.deserialize_seq(Pairs)
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

        let twice = postcard::to_stdvec(&[(author(2), 1u64), (author(2), 2)].as_slice()).unwrap();
        assert!(postcard::from_bytes::<VersionVector>(&twice).is_err());
        let backwards =
            postcard::to_stdvec(&[(author(2), 1u64), (author(1), 2)].as_slice()).unwrap();
        assert!(postcard::from_bytes::<VersionVector>(&backwards).is_err());
        let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
        assert!(postcard::from_bytes::<VersionVector>(&huge).is_err());
    }

    #[test]
    fn covers_what_it_has_seen() {
        let small = VersionVector(BTreeMap::from([(author(1), 3)]));
        let large = VersionVector(BTreeMap::from([(author(1), 3), (author(2), 1)]));
        assert!(large.covers(&small) && !small.covers(&large));
        assert_eq!(small.of(author(2)), 0);
    }
}
