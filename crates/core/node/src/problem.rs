//! Why a command was not carried out: what, why, how to mend it, with a stable code.

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{title}")]
pub struct Problem {
    /// What kind of problem; carries the stable code and the exit code.
    pub code: Code,
    /// What failed, in one line.
    pub title: String,
    /// Why, in one line.
    pub why: Option<String>,
    /// Commands to type next, each with what it does.
    pub fixes: Vec<(String, String)>,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $exit:literal;)*) => {
        /// Every problem that the core can name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the stable code.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Returns the exit code of the command line.
            pub fn exit(self) -> u8 {
                match self { $(Self::$name => $exit,)* }
            }
        }
    };
}

codes! {
    /// A name that cannot be used.
    BadName = "name.bad", 2;
    /// A reserved queue name.
    ReservedName = "name.reserved", 5;
    /// A name that is taken.
    NameTaken = "name.taken", 5;
    /// A number out of range.
    BadNumber = "number.bad", 2;
    /// No such job.
    JobUnknown = "job.unknown", 3;
    /// Several jobs match.
    JobAmbiguous = "job.ambiguous", 3;
    /// A printer prints it.
    JobLeased = "job.leased", 5;
    /// The job is finished, cancelled or moved.
    JobOver = "job.over", 5;
    /// Another host holds the claim.
    ClaimForeign = "claim.foreign", 5;
    /// Nobody has to say how the copy ended.
    CopyCertain = "copy.certain", 5;
    /// What was said of a print cannot be taken back any more.
    VerdictBooked = "verdict.booked", 5;
    /// A job without sets, or with too many.
    JobSets = "job.sets", 2;
    /// No such queue.
    QueueUnknown = "queue.unknown", 3;
    /// The queue is `local` or `archive`.
    QueueFixed = "queue.fixed", 5;
    /// The queue's first changes have not arrived.
    QueueNotSynced = "queue.not-synced", 7;
    /// A queue has no such setting.
    SettingUnknown = "setting.unknown", 2;
    /// A setting cannot have that value.
    SettingBad = "setting.bad", 2;
    /// This host decides claims for the others.
    QueueVoter = "queue.voter", 5;
    /// No such printer.
    PrinterUnknown = "printer.unknown", 3;
    /// Several printers match.
    PrinterAmbiguous = "printer.ambiguous", 3;
    /// The printer is driven by another host.
    PrinterForeign = "printer.foreign", 5;
    /// The printer prints.
    PrinterBusy = "printer.busy", 5;
    /// The printer will not print that.
    PrinterRefuses = "printer.refuses", 5;
    /// What would start is not what was looked at.
    PlanChanged = "plan.changed", 5;
    /// The printer cannot be reached.
    PrinterUnreachable = "printer.unreachable", 9;
    /// The role does not allow it.
    NotAllowed = "member.role", 4;
    /// That member was removed from the queue.
    MemberRemoved = "member.removed", 4;
    /// This host does not hold the queue key.
    NoQueueKey = "member.no-key", 4;
    /// No such host asks.
    MemberUnknown = "member.unknown", 3;
    /// Not a ticket, or a damaged one.
    TicketBad = "ticket.bad", 2;
    /// Who holds the ticket does not prove it on this connection: another secret, or a proof that was used on another one.
    TicketProof = "ticket.proof", 4;
    /// The ticket has expired.
    TicketExpired = "ticket.expired", 4;
    /// The ticket was used as often as it may be.
    TicketUsed = "ticket.used", 4;
    /// The ticket was taken back.
    TicketRevoked = "ticket.revoked", 4;
    /// The ticket is of a key that the queue does not have any more.
    TicketOldKey = "ticket.old-key", 4;
    /// No such ticket was given out.
    TicketUnknown = "ticket.unknown", 3;
    /// The ticket is not for a queue of that host.
    TicketForeign = "ticket.foreign", 4;
    /// The ticket names no relay.
    TicketNoRelay = "ticket.no-relay", 2;
    /// The other host did not answer.
    JoinUnreachable = "join.unreachable", 7;
    /// The other host said no.
    JoinRefused = "join.refused", 4;
    /// No host on this network offers a queue.
    LanNothing = "lan.nothing-found", 3;
    /// Not a list of voters.
    BadVoters = "voters.bad", 2;
    /// Somebody else changed the voters at the same time.
    VotersChanged = "voters.changed", 5;
    /// A majority of the voters answers: nothing is to be recovered.
    VotersAnswer = "voters.answer", 5;
    /// The name that confirms it is another one.
    NotConfirmed = "confirm.other-name", 5;
    /// Too few voters answered.
    NoQuorum = "claims.no-quorum", 7;
    /// No reachable host has the file.
    FileMissing = "file.missing", 9;
    /// A file could not be written.
    FileWrite = "file.write", 1;
    /// This host has as much in the queue as a member may.
    Quota = "member.quota", 5;
    /// The queue has as many members as a queue may.
    QueueFull = "queue.full", 5;
    /// The change would break the document.
    Document = "document.refused", 1;
}

impl Problem {
    /// Makes a problem.
    pub fn new(code: Code, title: impl Into<String>) -> Self {
        Self {
            code,
            title: title.into(),
            why: None,
            fixes: Vec::new(),
        }
    }

    /// Adds why.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Adds a command to type and what it does.
    #[must_use]
    pub fn fix(mut self, command: impl Into<String>, text: impl Into<String>) -> Self {
        self.fixes.push((command.into(), text.into()));
        self
    }
}

impl From<printmesh_queue::EditError> for Problem {
    fn from(error: printmesh_queue::EditError) -> Self {
        if let printmesh_queue::EditError::UnknownJob(_) = error {
            return Self::new(Code::JobOver, "this job cannot be changed any more").because(
                "it was over when the queue began its present epoch, and is in this host's history",
            );
        }
        if let printmesh_queue::EditError::Refused(printmesh_queue::Refusal::Quota) = error {
            return Self::new(
                Code::Quota,
                "this host has written as much as a member may in one epoch of the queue",
            )
            .because("the next epoch begins when the host of an admin is on");
        }
        Self::new(
            Code::Document,
            "the queue's document does not take this change",
        )
        .because(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_problems_share_a_code() {
        let codes: std::collections::BTreeSet<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        assert_eq!(codes.len(), Code::ALL.len());
    }
}
