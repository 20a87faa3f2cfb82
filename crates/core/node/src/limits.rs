//! Every bound of the node, each with why this number. Times are milliseconds.

/// So many beats fit into a lease at least, whatever the queue's settings say: one lost beat is nothing.
pub const BEATS_PER_LEASE: u64 = 3;

/// A print begins within this time after the voters were asked for the decision on which it rests, or they are asked
/// once more whether it stands (CLAIMS.md 7); sooner where the queue gives silent prints up sooner (`times.rs`).
pub const DECISION_AGE_MS_MAX: u64 = 60_000;

/// A begun print is given up after this much silence at the earliest, beyond what was left of it (CLAIMS.md 5).
pub const ABANDON_MS: u64 = 30 * 60_000;

/// No print is believed to take longer: a month. One that says so is not waited for for ever.
pub const LEFT_S_MAX: u64 = 31 * 24 * 3600;

/// A wake-up this late, or a clock that is this far ahead of the one that stops in sleep: the host was asleep or
/// frozen. Far above what a loaded single-board computer is late.
pub const FROZEN_MS: u64 = 5_000;

/// A voter that waits for a silent print looks this often, so that it knows that it was awake: a shorter freeze can
/// hide no more than a minute of beats.
pub const WATCH_MS: u64 = 60_000;

/// A printer remembers so many files that a person let past the guard; the oldest are forgotten and asked about anew.
pub const ALLOWED_MAX: usize = 256;

/// A member that was removed keeps its link so long, so that it hears of it; nothing that it says counts any more.
pub const PARTING_MS: u64 = 3_000;

/// A voter gives nothing up until it has been awake and among the voters for so many leases: whoever is
/// alive speaks up meanwhile.
pub const HEALTHY_LEASES: u64 = 2;

/// A printer lets each of those that come before it for a copy have so much time to claim it.
pub const STAGGER_MS: u64 = 2_000;

/// And up to so much more, so that two of them do not ask at once.
pub const JITTER_MS: u64 = 1_000;

/// So long after something changed a host begins to compare with others what they have, and so long it waits between them:
/// several changes at once are one question, and a change that was lost with a link is found before anybody misses it.
pub const COMPARE_MS: u64 = 5_000;

/// With so many at a time, drawn anew: what one of fifty lacks is found in a few rounds.
pub const COMPARE_WITH: usize = 2;

/// A print that could not even begin is tried again on the same host after this long: what kept it from beginning, a
/// printer that is being connected anew say, takes a while to pass. Others may have it at once.
pub const FAILED_START_MS: u64 = 30_000;

/// Voters answer on a LAN within milliseconds; after this long they count as silent.
pub const ROUND_MS: u64 = 5_000;

/// A voter says that this host's role does not allow it, or that it was put out: asked again after 5 minutes, or when a member's
/// role has changed here.
pub const NOT_ALLOWED_MS: u64 = 5 * 60_000;

/// After a lost duel the copy is asked for again, not at once and not by all at the same time.
pub const DUEL_MS: u64 = 300;

/// A voter that has just connected may not have the job yet: it is on its way.
pub const BEHIND_MS: u64 = 100;

/// A copy that somebody else was given is not asked for again until its record can have arrived.
pub const REFUSED_MS: u64 = 5_000;
/// Leases for which a copy is not asked for again that the voters have given to another printer: nothing but a change
/// of the document frees it, and asking costs every voter a message.
pub const GIVEN_LEASES: u64 = 10;

/// A file that nobody had is asked for again after this long, or at once when a member connects.
pub const MISSING_MS: u64 = 30_000;

/// A person is told of what a printer waits for once it has for so long: a bed that clears itself, a printer that connects anew
/// and a copy that is claimed at once are no news.
pub const PERSON_MS: u64 = 10_000;

/// For whom printers wait is looked at this often at most.
pub const PERSON_LOOK_MS: u64 = 1_000;

/// And this often at least while anything happens: some reasons pass with the time.
pub const PERSON_LOOK_MS_MAX: u64 = 60_000;

/// So far a belt advances at most after a print, in millimetres: the longest part that anybody prints on one.
pub const BELT_MM_MAX: u32 = 5_000;

/// A belt advances in pieces of this, in millimetres: the guard lets no single move go further than the printer reaches.
pub const BELT_PIECE_MM: u32 = 50;

/// How fast it does, in millimetres per minute: belts of small printers are driven through a gear for the Z axis.
pub const BELT_MM_PER_MIN: u32 = 600;

/// What printers take next is looked at this often at most: a plan that changes with every word costs more than it saves.
pub const AHEAD_MS: u64 = 2_000;

/// Files of a copy are fetched before it is claimed only if they come to no more bytes: as much as the largest sliced files
/// of a plate, a few times over. The claim fetches more.
pub const AHEAD_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// So many files are on their way here when one more is fetched ahead of its claim: what was claimed comes first.
pub const TRANSFERS_MAX: usize = 4;

/// Then the time doubles up to this.
pub const MISSING_MS_MAX: u64 = 3_600_000;

/// A host that has forgotten what it said goes on counting so far above it: no host votes so often between two backups.
pub const FORGOTTEN_COUNT: u64 = 1 << 32;

/// And uses ballots so far above those that it may have used.
pub const FORGOTTEN_BALLOTS: u64 = 1 << 24;

/// No honest host ever counts so far; one that says so cannot run the others out of numbers.
pub const BALLOT_MAX: u64 = 1 << 40;

/// Progress goes to the other members at most this often per printer.
pub const PROGRESS_MS: u64 = 1_000;

/// `init --lan` waits this long for a host that offers a LAN queue: discovery needs about 0.8 s on a LAN.
pub const LAN_SEARCH_MS: u64 = 4_000;

/// Who leaves a queue stays connected so long, so that the others hear of it.
pub const LEAVING_MS: u64 = 10_000;

/// A join conversation that nobody answers is given up after this long.
pub const JOIN_MS: u64 = 20_000;

/// Changes of its own that a member may bring at once: more jobs than a person submits with one command, and less than a second
/// of work for the others.
pub const PACE_BURST: u64 = 500;

/// And in each second after that: a host with a hundred printers that start and end a print every minute writes about ten.
pub const PACE_PER_S: u64 = 50;

/// What adds up while a member is away, and what one may bring that was a member when this host started: all that it can
/// have written until an epoch ends, so that catching up is not held up.
pub const PACE_AWAY: u64 = 20_000;

/// A change counts once more for each so many bytes: taking it in takes longer the larger it is.
pub const PACE_BYTES: usize = 4096;

/// What is over the pace is taken in again after this long at the earliest: ten changes at once for the price of two.
pub const PACE_MS: u64 = 200;

/// A member that is too fast is named so often at most.
pub const PACE_TOLD_MS: u64 = 60_000;

/// Bytes of its own changes that a member may bring in a day: fifty thousand usual ones, a thousand prints on each of ten printers.
pub const DAY_BYTES: u64 = 20 * 1024 * 1024;

/// The same for a second: they come back in a day.
pub const DAY_BYTES_PER_S: u64 = DAY_BYTES / (24 * 3600);

/// Bytes of one member's changes that wait here for its pace: a minute's. What is over it is asked for again.
pub const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// And of all members of a queue together: sixteen that flood at once.
pub const WAITING_BYTES_ALL: usize = 16 * 1024 * 1024;

/// A refused change counts as so many: it costs as much as a good one, and an honest host brings none.
pub const REFUSED_COST: u64 = 10;

/// Refusals of what a member brought that are told at once, each in the log and to listeners: enough to see what it is about.
pub const TELL_BURST: u64 = 100;

/// And in each second after that.
pub const TELL_PER_S: u64 = 1;

/// What refusals cost beyond what there is adds up to so much: whoever brings nothing else is listened to again after a minute.
pub const REFUSED_DEBT: u64 = 3_000;

/// Changes of one message that are judged at once: when most of them are refused, the rest waits. A few hundredths of a second.
pub const AT_ONCE: usize = 256;

/// Changes of others that a member may bring at once, and did not bring before: three times all that an epoch may have.
pub const BROUGHT_BURST: u64 = 60_000;

/// And in each second after that: all that ten members may write. A twentieth of this host's time when all of them are forged.
pub const BROUGHT_PER_S: u64 = 500;

/// Starts of its daemon in which a member wrote something and of which nobody has heard: a host that was started anew every
/// minute for a night without a network.
pub const CHAIN_BURST: u64 = 512;

/// What each of them costs.
pub const CHAIN_COST: u64 = 60;

/// And what comes back in each second: a start each minute.
pub const CHAIN_PER_S: u64 = 1;

/// Copies that a member may ask this voter about at once: two jobs of most copies are withdrawn in two questions each, and a
/// fifth is left for what goes on.
pub const UNITS_BURST: u64 = 100_000;

/// And in each second after that: each answer is a line on the disk. A host with a thousand printers asks less.
pub const UNITS_PER_S: u64 = 500;

/// Copies that a member may ask this voter about for the first time at once, since what it answered it keeps: two jobs of most
/// copies.
pub const REGISTERS_BURST: u64 = 2 * COPIES_MAX as u64;

/// And in each second after that: eight times as many prints as the changes allow that a member may write in a day.
pub const REGISTERS_PER_S: u64 = 1;

/// Bytes of changes that a member is sent because it asks: an epoch with all that belongs to it, and a third more.
pub const ANSWER_BYTES: u64 = 96 * 1024 * 1024;

/// And in each second after that: far more than all members together may write.
pub const ANSWER_BYTES_PER_S: u64 = 1024 * 1024;

/// Members of a queue: each has a link to each up to about fifty, and every certificate is in every epoch.
pub const MEMBERS_MAX: usize = 4096;

/// Open jobs of one submitter in a queue: half of what it may make in an epoch, so that there is room for what it cancels.
pub const OPEN_JOBS_MAX: usize = printmesh_queue::limits::MEMBER_JOBS_MAX / 2;

/// Changes of an epoch after which the next one begins: up to here a change from outside costs about 1.5 ms and a start reads
/// the log in about a second; both grow with it.
pub const EPOCH_CHANGES: usize = 10_000;

/// Starts of hosts' daemons in an epoch after which the next one begins: 64 records of so many fit into one message, and a
/// farm of a hundred hosts that start twice a day comes here in five days.
pub const EPOCH_STARTS: usize = 1_000;

/// So many times that, and it begins although most members are away, who then all have to follow one by one.
pub const EPOCH_CHANGES_FACTOR: usize = 2;

/// The first admin begins it at once, each further one waits so much longer: two that do it at once are one too many.
pub const EPOCH_RANK_MS: u64 = 60_000;

/// Keys of epochs that have not arrived yet: an admin is given the key with the news.
pub const NEXT_KEYS_MAX: usize = 4;

/// Changes of an epoch that come before its beginning is complete: the rest is asked for afterwards.
pub const EARLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A host that is being told what an epoch begins with, and hears nothing more for so long, asks again.
pub const FOUNDING_MS: u64 = 10_000;

/// A message between members; fits into one frame of the wire.
pub const MESSAGE_BYTES_MAX: usize = 1_000_000;

/// Changes are packed into messages of about this size, so that none comes near the frame's limit.
pub const CHANGES_BYTES: usize = 400_000;

/// Proofs of two histories that are kept in a queue, one for each member: an accusation of more is no news.
pub const PROOFS_MAX: usize = 64;

/// Bytes of proofs with which a link opens, in each queue: hundreds of usual ones, and little beside a first sync.
pub const PROOF_BYTES_TOLD: usize = 2_000_000;

/// Changes that are asked for by name in one message: all the deps that one change may have.
pub const WANTED_MAX: usize = 64;

/// Hosts without a ticket that may ask at once.
pub const LAN_ASKS: u64 = ASKING_MAX as u64;

/// And one more comes back in so many seconds: in half an hour somebody in between has two hundred chances in a million.
pub const LAN_ASK_COST: u64 = 10;

/// Hosts that may wait for admission at once; one more is refused.
pub const ASKING_MAX: usize = 32;

/// Sets of a job (as the document allows).
pub const SETS_MAX: usize = 256;

/// Prints per copy (Continuous Print's MAX_COUNT).
pub const COUNT_MAX: u32 = 999_999;

/// Copies of a job: all of them are withdrawn in one question to the voters, which must fit into one message.
pub const COPIES_MAX: u32 = 20_000;

/// Physical prints of one claim: a `together` job holds one printer for all of them.
pub const RUNS_MAX: u64 = 100_000;

/// Length of a job's name in bytes.
pub const JOB_NAME_BYTES_MAX: usize = 200;

/// Length of a queue's, host's or printer's name in bytes.
pub const NAME_BYTES_MAX: usize = 40;

/// Addresses kept per host: the interfaces of a machine and one or two from before a move.
pub const ADDRESSES_MAX: usize = 6;

/// Registers of copies in one message, when voters change: each takes less than a kilobyte.
pub const PAGE_UNITS: usize = 500;

/// A step of a change of the voters that nobody answered is asked again after this long.
pub const CHANGE_AGAIN_MS: u64 = 1_000;

/// Then the time doubles up to this; who connects is asked at once.
pub const CHANGE_AGAIN_MS_MAX: u64 = 60_000;

/// A change of the voters that has not got anywhere after this long is given up.
pub const CHANGE_MS: u64 = 10_000;

/// Voters change so long after it turned out that others are wanted: hosts that come together are counted together.
pub const CHOICE_MS: u64 = 2_000;

/// Each further voter waits so much longer before it sees to it.
pub const CHOICE_RANK_MS: u64 = 5_000;

/// A half-done change belongs to its initiator for so long, then to the first voter, and so on.
pub const STUCK_MS: u64 = 3_000;

/// A voter that does not know what the others hold asks again after this long.
pub const PULL_MS: u64 = 5_000;

/// A host that stops takes at most this long to give its vote away: a person waits for it.
pub const PARK_MS: u64 = 3_000;

/// Whoever presses a button that starts prints now stands there for so long; after that nothing starts because of it.
pub const MATCH_MS: u64 = 30_000;

/// Places to heat on one circuit.
pub const HEAT_PLACES_MAX: u32 = printmesh_schedule::HEAT_PLACES_MAX;

/// A printer that waits for a place to heat asks again after this long at first.
pub const HEAT_AGAIN_MS: u64 = 2_000;

/// A place that was found taken is not asked for again before.
pub const HEAT_TAKEN_MS: u64 = 10_000;

/// That wait doubles so often: to 16 s.
pub const HEAT_DOUBLINGS: u32 = 3;

/// A place to heat that was given longer ago is asked for anew: a person may have taken it back.
pub const HEAT_FRESH_MS: u64 = 60_000;

/// A script that clears a bed is a few lines.
pub const CLEAR_BYTES_MAX: usize = 64 * 1024;

/// Parts of a day in which a printer starts nothing.
pub const QUIET_MAX: usize = 16;

/// A job that starts later is looked at again after this long at the latest: wall clocks are set.
pub const EARLY_MS_MAX: u64 = 3_600_000;

/// Bytes of the name of a group, a tag, a model or a material: what fits into a line.
pub const WORD_BYTES_MAX: usize = 64;

/// Tags of a job or a printer, and models that a printer takes: the document takes no more of a job.
pub const WORDS_MAX: usize = 32;

/// Slots of a printer: four units of four, doubled.
pub const SLOTS_MAX: usize = 32;

/// Time until a host that asked and lost its connection asks again.
pub const ASK_AGAIN_MS: u64 = 3_000;

/// More failures than this in a row are not kept: any rule looks at the last few.
pub const ROW_MAX: usize = 16;

/// Changes of one host on which the engine broke that are told from new ones: each costs a rebuild of the document, so that
/// nobody waits for more.
pub const QUARANTINE_CHANGES_MAX: usize = 64;
