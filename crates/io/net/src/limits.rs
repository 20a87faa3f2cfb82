//! Every bound of this crate in one place, each with why. Nothing here is configurable: a limit that
//! differs between two hosts is a fault that shows up only between those two.

use std::time::Duration;

use crate::pace::Rate;

/// Largest frame of the sync protocol, bytes. A member that announces more is cut off before a byte of it is read.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Largest frame of a join conversation, bytes. Strangers may open one, so it is far below the sync limit.
pub const JOIN_FRAME_BYTES_MAX: usize = 64 * 1024;

/// Largest greeting, bytes. It is read from peers whose version is not known yet.
pub(crate) const HELLO_BYTES_MAX: usize = 1024;

/// Frames that wait for one peer, in bytes. A peer that lets more pile up is disconnected: dropping
/// frames in the middle of a link would break their order without anyone noticing.
pub(crate) const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long one frame may take to be written. Longer means that the peer has stopped reading.
pub(crate) const WRITE_TIME_MAX: Duration = Duration::from_secs(20);

/// QUIC idle timeout: a dead peer is noticed after this (the default would be 30 s).
pub(crate) const IDLE_TIME_MAX: Duration = Duration::from_secs(10);

/// QUIC keep-alive: three chances before the idle timeout.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(3);

/// How long a dial may take: stale addresses must not hold up the next try.
pub(crate) const DIAL_TIME_MAX: Duration = Duration::from_secs(5);

/// How long greetings may take after the TLS handshake.
pub(crate) const GREET_TIME_MAX: Duration = Duration::from_secs(5);

/// How long a refused peer gets to read why before the connection is closed under it.
pub(crate) const FAREWELL_TIME_MAX: Duration = Duration::from_secs(2);

/// First pause before a redial; jitter doubles it at most.
pub(crate) const REDIAL_FIRST: Duration = Duration::from_millis(500);

/// Longest pause before a redial, without jitter. A peer that returns dials by itself too, so this rarely counts.
pub(crate) const REDIAL_MAX: Duration = Duration::from_secs(5);

/// A link that lived this long was a good one: the next redial starts from the first pause again.
pub(crate) const LINK_PROVEN: Duration = Duration::from_secs(10);

/// Pause after a peer turned out to speak no version of ours. An upgraded peer dials us at once.
pub(crate) const REDIAL_INCOMPATIBLE: Duration = Duration::from_secs(60);

/// Connections in their handshake at one time: some hundred KiB, and a farm of fifty that is switched on comes in in two rounds.
pub(crate) const HANDSHAKES_MAX: usize = 32;

/// Of these, of one address: a host that stalls its handshakes leaves most places to the others.
pub(crate) const HANDSHAKES_PER_ADDRESS_MAX: usize = 8;

/// Of these, of all that come over relays: a relay that lies about who calls leaves as many to those who come directly.
pub(crate) const HANDSHAKES_RELAYED_MAX: usize = 16;

/// Handshakes of callers that have not proven their address, which saves them a round trip: hosts that start together. Beyond
/// it, an answer that keeps nothing in memory asks for the proof.
pub(crate) const UNPROVEN: Rate = Rate {
    burst: 64.0,
    per_s: 16.0,
};

/// Handshakes of one proven address: several hosts on one machine that start together, and then redials. At a
/// millisecond each they take at most a twentieth of the time of a processor.
pub(crate) const KNOCKS: Rate = Rate {
    burst: 256.0,
    per_s: 50.0,
};

/// Addresses that are remembered for that, a few dozen bytes each.
pub(crate) const CALLERS_MAX: usize = 4096;

/// Sync connections of one member that greet at one time: both ends dial, and one may come again before its last has ended.
pub(crate) const GREETINGS_PER_MEMBER_MAX: usize = 4;

/// Frames that a member may send at once, and in each second after that: a host with a hundred printers sends some hundred.
/// What is over it is not read, so that it waits at the sender.
pub(crate) const FRAMES: Rate = Rate {
    burst: 20_000.0,
    per_s: 1_000.0,
};

/// Bytes of them: an epoch with all that belongs to it at once, and then less than a local network carries.
pub(crate) const FRAME_BYTES: Rate = Rate {
    burst: 128.0 * 1024.0 * 1024.0,
    per_s: 4.0 * 1024.0 * 1024.0,
};

/// A member that sends faster is named in the log so often at most.
pub(crate) const TOO_FAST_PAUSE: Duration = Duration::from_secs(60);

/// Streams that a peer may have open on one connection.
pub(crate) const STREAMS_MAX: u32 = 32;

/// Bytes that a peer may have in flight on one connection, over all streams.
pub(crate) const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// Incoming join conversations at one time, one for each key: more than a person can compare codes with.
pub(crate) const JOINS_MAX: usize = 32;

/// Of these, from one address: who makes keys as it likes leaves most places to the others.
pub(crate) const JOINS_PER_ADDRESS_MAX: usize = 8;

/// How long a join conversation may stay open: a person decides, and may be at another printer.
pub(crate) const JOIN_TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// Frames that the other side may say in one join conversation: ours says three, and a later version may say some more.
pub(crate) const JOIN_FRAMES_MAX: usize = 32;

/// Frames that wait in one join conversation.
pub(crate) const JOIN_QUEUE_MAX: usize = 64;

/// File connections of one member at one time.
pub(crate) const FILE_CONNECTIONS_MAX: usize = 4;

/// A provider that has no place for this host is asked again after these pauses: a place is given back when the end of a
/// connection has arrived there.
pub(crate) const BUSY_PAUSES: [Duration; 8] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1_600),
    Duration::from_millis(3_200),
    Duration::from_millis(6_400),
];

/// A provider that sends no byte for this long is given up for the next one.
pub(crate) const FETCH_STALL_MAX: Duration = Duration::from_secs(10);

/// Shortest pause between two progress reports of one fetch (the store reports every 8 KiB).
pub(crate) const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

/// How often files that nobody keeps are removed. Rare on purpose: collection races with imports are
/// where the store has lost files.
pub(crate) const GC_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Disk space that files leave free, bytes: the databases of this host need it to stay alive.
pub(crate) const ROOM_RESERVE: u64 = 16 * 1024 * 1024;

/// Largest piece that is read into memory, bytes.
pub(crate) const READ_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Addresses that are kept, and dialed at once, for one peer.
pub(crate) const ADDRESSES_MAX: usize = 16;

/// Longest URL of a relay, bytes: a host name has at most 253, and a ticket has to fit a QR code.
pub(crate) const RELAY_BYTES_MAX: usize = 255;

/// Relays that are called at once for one peer. A host waits at one; more than a few make every dial expensive.
pub const RELAYS_MAX: usize = 4;

/// Relays in a ticket: the second one is for when the first is down.
pub const TICKET_RELAYS_MAX: usize = 2;

/// Hosts on the LAN that are remembered; announcements are unauthenticated and cost nothing to forge.
pub(crate) const SEEN_MAX: usize = 512;

/// How often interfaces are looked at again: cables and Wi-Fi come and go.
pub(crate) const INTERFACES_PAUSE: Duration = Duration::from_secs(30);

/// Target time for a new host to be seen on the LAN. Shorter is constant chatter.
pub(crate) const DISCOVERY_CADENCE: Duration = Duration::from_secs(2);

/// How long the tasks get to end at shutdown before the endpoint is closed under them.
pub(crate) const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(5);

/// How often the port is looked at while it is given back.
pub(crate) const PORT_FREE_PAUSE: Duration = Duration::from_millis(2);

/// Characters of a peer's software version that are kept: a name, a number and a commit.
pub(crate) const SOFTWARE_CHARS_MAX: usize = 32;

/// Announcements that wait to be looked at; more are dropped and come again with the next cadence.
pub(crate) const HEARD_MAX: usize = 256;

/// A ticket is some 300 characters; what is far longer was never one.
pub(crate) const TICKET_TEXT_MAX: usize = 8 * 1024;

/// Addresses in a ticket: more would make the QR code unreadable.
pub const TICKET_ADDRESSES_MAX: usize = 4;
