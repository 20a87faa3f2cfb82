//! Names of things: 128-bit ids for jobs and sets, keys for hosts and queues, hashes for files.
//!
//! Ids come from the caller: this crate has no random source.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// `z` = 0 … `k` = 15: an id can never be read as a count or a position, nor a count as an id.
const REVERSE_HEX: &[u8; 16] = b"zyxwvutsrqponmlk";

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid id")]
pub struct ParseIdError(pub String);

fn reverse_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(REVERSE_HEX[usize::from(byte >> 4)]));
        text.push(char::from(REVERSE_HEX[usize::from(byte & 15)]));
    }
    text
}

fn from_reverse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let digit = |b: u8| (b'k'..=b'z').contains(&b).then(|| b'z' - b);
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .ok()?
        .try_into()
        .ok()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $print:expr, $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let print: fn(&[u8]) -> String = $print;
                f.write_str(&print(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = self.to_string();
                write!(f, "{}({})", stringify!($name), &text[..8])
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let parse: fn(&str) -> Option<[u8; $bytes]> = $parse;
                parse(text).map(Self).ok_or_else(|| ParseIdError(text.to_owned()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
                } else {
                    <[u8; $bytes]>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

id!(
    /// A job; 32 letters `k`-`z`, any unique prefix names it.
    JobId, 16, reverse_hex, from_reverse_hex
);
id!(
    /// A set within a job; written like a job id.
    SetId, 16, reverse_hex, from_reverse_hex
);
id!(
    /// A host: its ed25519 device key, which is also its network id.
    HostId, 32, |b| data_encoding::HEXLOWER.encode(b), from_hex
);
id!(
    /// A queue: the ed25519 public half of its first queue key.
    QueueId, 32, |b| data_encoding::HEXLOWER.encode(b), from_hex
);
id!(
    /// A file: BLAKE3 of its bytes.
    FileHash, 32, |b| data_encoding::HEXLOWER.encode(b), from_hex
);

impl HostId {
    /// Returns the short form that people compare, like `k7dm-94qx`.
    pub fn fingerprint(&self) -> String {
        let text = data_encoding::BASE32_DNSCURVE.encode(&blake3::hash(&self.0).as_bytes()[..5]);
        format!("{}-{}", &text[..4], &text[4..8])
    }
}

/// One copy of a job: the unit of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CopyId {
    /// The job.
    pub job: JobId,
    /// Counted from 0; shown from 1.
    pub index: u32,
}

/// A printer of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PrinterId {
    /// The host that drives it.
    pub host: HostId,
    /// Its name, unique on that host.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print_and_never_contain_a_digit() {
        let id = JobId(std::array::from_fn(|i| (i * 17) as u8));
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        assert!(text.bytes().all(|b| b.is_ascii_lowercase()));
        assert_eq!(JobId([0; 16]).to_string(), "z".repeat(32));
        assert!("zz".parse::<JobId>().is_err());
        assert!("a".repeat(32).parse::<JobId>().is_err());
    }
}
