//! Tickets: what a joiner needs, as one word that survives chat, mail and QR codes. A ticket is opaque luggage here:
//! whether its secret or its proof is good is for the core to say.
//!
//! Text: `pmq1`, then in lower-case base32 without padding: the length of the body (2 bytes, big endian), the body
//! (postcard), and 4 bytes of its BLAKE3 hash. The length tells a ticket that was cut from one that was mistyped.
//! Relays follow the rest of the body, and only where there are any: builds that know of none read such a ticket too, and
//! use its addresses.

use std::{fmt, net::SocketAddr, str::FromStr};

use data_encoding::{BASE32_NOPAD, DecodeKind};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    limits::{RELAY_BYTES_MAX, TICKET_ADDRESSES_MAX, TICKET_RELAYS_MAX, TICKET_TEXT_MAX},
    peer_key::PeerKey,
    relay::Relay,
};

pub(crate) const PREFIX: &str = "pmq";
pub(crate) const VERSION: &str = "1";
const CHECKSUM_BYTES: usize = 4;

/// What the secret of a ticket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TicketKind {
    /// The seed of an invitation key: good for one role, until it expires or is used up.
    Invite,
    /// The seed of the queue key itself: whoever has it may admit anyone.
    QueueKey,
}

/// An invitation to a queue. Its text form is made by `Display` and read by `FromStr`.
///
/// `Debug` does not show the secret. `Display` does, since that is the ticket: never log it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The queue's id.
    pub queue: [u8; 32],
    /// The queue's name, for people.
    pub name: String,
    /// An ed25519 seed, see [`TicketKind`].
    pub secret: [u8; 32],
    /// What the secret is.
    pub kind: TicketKind,
    /// The signed record of the invitation, opaque here.
    pub proof: Vec<u8>,
    /// When the ticket ends, in seconds since 1970; `None` means never. The host that admits decides, this is for people.
    pub expires_at_s: Option<u64>,
    /// The host to ask.
    pub host: PeerKey,
    /// Where that host was when the ticket was made. Only the first [`TICKET_ADDRESSES_MAX`] are written.
    pub addresses: Vec<SocketAddr>,
    /// Over which relays that host can be met, by its own word: no relay is called because a ticket names it. Only the
    /// first [`TICKET_RELAYS_MAX`] are written.
    #[serde(skip)]
    pub relays: Vec<Relay>,
}

/// Why a text is not a ticket that can be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TicketError {
    /// It does not begin like a ticket.
    #[error("this is not a ticket: a ticket begins with pmq1")]
    NotATicket,
    /// The end is missing.
    #[error("the ticket is cut off: its end is missing")]
    Cut,
    /// A character was changed, added or lost.
    #[error("the ticket is damaged: a character is wrong")]
    Damaged,
    /// A newer version of the program made it.
    #[error("the ticket was made by a newer version")]
    NewerVersion,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = self.clone();
        written.addresses.truncate(TICKET_ADDRESSES_MAX);
        written.relays.truncate(TICKET_RELAYS_MAX);
        let mut body = postcard::to_allocvec(&written).map_err(|_| fmt::Error)?;
        if !written.relays.is_empty() {
            body = postcard::to_extend(&written.relays, body).map_err(|_| fmt::Error)?;
        }
        let length = u16::try_from(body.len()).map_err(|_| fmt::Error)?;
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(&checksum(&body));
        write!(
            f,
            "{PREFIX}{VERSION}{}",
            BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()
        )
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        let text = text.trim();
        if text.len() > TICKET_TEXT_MAX {
            return Err(TicketError::NotATicket);
        }
        // QR codes of capitals are smaller, so capitals are read too.
        let text = text.to_ascii_lowercase();
        let rest = text.strip_prefix(PREFIX).ok_or(TicketError::NotATicket)?;
        let Some(encoded) = rest.strip_prefix(VERSION) else {
            let is_newer = rest.starts_with(|c: char| c.is_ascii_digit() && c > '1');
            return Err(if is_newer {
                TicketError::NewerVersion
            } else {
                TicketError::NotATicket
            });
        };
        let bytes = decode(encoded)?;
        let (length, rest) = bytes.split_first_chunk::<2>().ok_or(TicketError::Cut)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if rest.len() < length + CHECKSUM_BYTES {
            return Err(TicketError::Cut);
        }
        let (body, sum) = rest.split_at(length);
        if sum != checksum(body) {
            return Err(TicketError::Damaged);
        }
        // The checksum is right, so this is what was written: fields that are not known are from a newer build.
        let newer = |_| TicketError::NewerVersion;
        let (mut ticket, rest) = postcard::take_from_bytes::<Self>(body).map_err(newer)?;
        if !rest.is_empty() {
            let relays: Vec<&str> = postcard::from_bytes(rest).map_err(newer)?;
            ticket.relays = relays_of(&relays).ok_or(TicketError::Damaged)?;
        }
        if ticket.addresses.len() > TICKET_ADDRESSES_MAX {
            return Err(TicketError::Damaged);
        }
        Ok(ticket)
    }
}

fn relays_of(texts: &[&str]) -> Option<Vec<Relay>> {
    let is_bounded =
        texts.len() <= TICKET_RELAYS_MAX && texts.iter().all(|text| text.len() <= RELAY_BYTES_MAX);
    let relays = texts.iter().map(|text| text.parse().ok());
    relays.collect::<Option<Vec<_>>>().filter(|_| is_bounded)
}

/// Decodes base32; of a text that ends inside a byte, everything before that byte.
fn decode(text: &str) -> Result<Vec<u8>, TicketError> {
    let text = text.to_ascii_uppercase();
    match BASE32_NOPAD.decode(text.as_bytes()) {
        Ok(bytes) => Ok(bytes),
        Err(error) => match error.kind {
            DecodeKind::Symbol | DecodeKind::Padding => Err(TicketError::Damaged),
            // Whole groups of 8 characters always decode, if their characters are right.
            DecodeKind::Length | DecodeKind::Trailing => {
                let whole = &text.as_bytes()[..text.len() / 8 * 8];
                BASE32_NOPAD.decode(whole).map_err(|_| TicketError::Damaged)
            }
        },
    }
}

pub(crate) fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = blake3::hash(body);
    *hash.as_bytes().first_chunk().expect("a hash has 32 bytes")
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("expires_at_s", &self.expires_at_s)
            .field("host", &self.host)
            .field("addresses", &self.addresses)
            .field("relays", &self.relays)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            queue: [1; 32],
            name: "workshop".into(),
            secret: [0xab; 32],
            kind: TicketKind::Invite,
            proof: vec![9; 120],
            expires_at_s: Some(1_800_000_000),
            host: PeerKey([2; 32]),
            addresses: vec![
                "192.168.1.5:47321".parse().unwrap(),
                "[fe80::1]:1".parse().unwrap(),
            ],
            relays: Vec::new(),
        }
    }

    fn tickets() -> impl Strategy<Value = Ticket> {
        let addresses = proptest::collection::vec(any::<SocketAddr>(), 0..=TICKET_ADDRESSES_MAX)
            .prop_map(|mut all| {
                for address in &mut all {
                    if let SocketAddr::V6(v6) = address {
                        // Flow and scope mean nothing on another machine, and are not written.
                        v6.set_flowinfo(0);
                        v6.set_scope_id(0);
                    }
                }
                all
            });
        let relays = proptest::collection::vec(
            "https?://[a-z]{1,40}\\.org(:[1-9][0-9]{0,3})?",
            0..=TICKET_RELAYS_MAX,
        )
        .prop_map(|all| all.iter().map(|relay| relay.parse().unwrap()).collect());
        let kind = prop_oneof![Just(TicketKind::Invite), Just(TicketKind::QueueKey)];
        let fields = (
            any::<[u8; 32]>(),
            ".{0,40}",
            any::<[u8; 32]>(),
            kind,
            proptest::collection::vec(any::<u8>(), 0..200),
        );
        let host = (any::<[u8; 32]>(), addresses, relays);
        (fields, any::<Option<u64>>(), host).prop_map(
            |((queue, name, secret, kind, proof), expires_at_s, (host, addresses, relays))| {
                Ticket {
                    queue,
                    name,
                    secret,
                    kind,
                    proof,
                    expires_at_s,
                    host: PeerKey(host),
                    addresses,
                    relays,
                }
            },
        )
    }

    #[test]
    fn what_is_not_a_ticket_is_said_so() {
        for (text, error) in [
            ("", TicketError::NotATicket),
            ("hello", TicketError::NotATicket),
            ("pmq", TicketError::NotATicket),
            ("pmqx", TicketError::NotATicket),
            ("pmq2abcdefgh", TicketError::NewerVersion),
            ("pmq1", TicketError::Cut),
            ("pmq1a", TicketError::Cut),
            ("pmq1!!!!", TicketError::Damaged),
        ] {
            assert_eq!(text.parse::<Ticket>(), Err(error), "{text}");
        }
    }

    #[test]
    fn capitals_and_a_line_break_do_no_harm() {
        let text = format!(" {}\n", ticket().to_string().to_ascii_uppercase());
        assert_eq!(text.parse(), Ok(ticket()));
    }

    /// As it was written before there were relays.
    const OLD: &str = "pmq1aecacaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaiio5xxe23tnbxxbk5lvov2xk5lvov2xk5lvov2xk5l\
        vov2xk5lvov2xk5lvov2xk5lab4ascijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeq\
        scijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscij\
        beeqscijbeeqscijbeeqdafeu7namaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaiambkabaxm7caqb72aa\
        aaaaaaaaaaaaaaaaaaaaaeaujqtjpq";

    #[test]
    fn a_ticket_of_an_older_build_is_read_and_one_without_relays_is_written_as_before() {
        assert_eq!(OLD.parse(), Ok(ticket()));
        assert_eq!(ticket().to_string(), OLD);
    }

    #[test]
    fn a_ticket_that_leads_over_relays_is_bounded_and_names_nothing_else() {
        let relay = |n: usize| {
            format!("https://r{n}.example.org")
                .parse::<Relay>()
                .unwrap()
        };
        let wide = Ticket {
            relays: (0..9).map(relay).collect(),
            ..ticket()
        };
        let read: Ticket = wide.to_string().parse().unwrap();
        assert_eq!(read.relays, [relay(0), relay(1)]);

        let with = |relays: &[&str]| {
            let body = postcard::to_allocvec(&ticket()).unwrap();
            let body = postcard::to_extend(relays, body).unwrap();
            let length = u16::try_from(body.len()).unwrap().to_be_bytes();
            let bytes = [&length[..], &body, &checksum(&body)].concat();
            let text = format!("{PREFIX}{VERSION}{}", BASE32_NOPAD.encode(&bytes));
            text.parse::<Ticket>().map(|ticket| ticket.relays.len())
        };
        assert_eq!(with(&["https://r.example.org"]), Ok(1));
        for wrong in [
            &["https://r.example.org"; 3][..],
            &["file:///etc/passwd"],
            &["https://me:secret@r.example.org"],
            &[&format!("https://{}.org", "a".repeat(300))],
        ] {
            assert_eq!(with(wrong), Err(TicketError::Damaged), "{wrong:?}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", ticket());
        assert!(
            !shown.contains("171")
                && !shown.to_lowercase().contains("ab, ab")
                && !shown.contains("secret"),
            "{shown}"
        );
    }

    #[test]
    fn a_real_ticket_fits_a_chat_line() {
        assert!(
            ticket().to_string().len() < 450,
            "{}",
            ticket().to_string().len()
        );
    }

    proptest! {
        #[test]
        fn a_ticket_comes_back_as_it_was_made(ticket in tickets()) {
            prop_assert_eq!(ticket.to_string().parse(), Ok(ticket));
        }

        #[test]
        fn a_cut_ticket_is_called_cut(ticket in tickets(), keep in 0.0..1.0f64) {
            let text = ticket.to_string();
            let body = text.len() - 4;
            let kept = 4 + (body as f64 * keep) as usize;
            prop_assert_eq!(text[..kept].parse::<Ticket>(), Err(TicketError::Cut));
        }

        #[test]
        fn a_mistyped_ticket_is_never_taken(ticket in tickets(), at in any::<proptest::sample::Index>(), with in "[a-z2-7]") {
            let text = ticket.to_string();
            let at = 4 + at.index(text.len() - 4);
            let mut typed = text.clone();
            typed.replace_range(at..=at, &with);
            prop_assume!(typed != text);
            prop_assert!(typed.parse::<Ticket>().is_err());
        }

        #[test]
        fn no_text_crashes_it(text in "(pmq1)?.{0,120}") {
            let _ = text.parse::<Ticket>();
        }
    }
}
