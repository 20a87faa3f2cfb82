//! What printers take that are at work, once they are done: the plan as it will be, if nothing changes until then.

use std::collections::BTreeMap;

use printmesh_queue::{PrinterId, Timestamp};

use crate::{OpenCopy, Planner, index::Seat};

impl Planner<'_> {
    /// Returns the copy that each of these printers takes next, of those that are at work and go on by themselves: what is left by
    /// those that are free now, and by those that are done before.
    ///
    /// It is a guess like every forecast; nothing is claimed by it.
    pub fn upcoming(&self, printers: &[PrinterId]) -> BTreeMap<PrinterId, OpenCopy> {
        let own = |seat: &Seat| printers.contains(&seat.id);
        let at_work = |seat: &Seat| {
            (seat.claims || own(seat))
                && seat.may_print
                && self.presence.reachable.contains(&seat.id.host)
                && self.goes_on(&seat.id)
        };
        let mut busy: Vec<usize> = (0..self.index.seats.len()).collect();
        busy.retain(|at| {
            let seat = &self.index.seats[*at];
            at_work(seat) && !self.is_free(seat)
        });
        let done = |at: &usize| self.done_at(&self.index.seats[*at].id);
        busy.sort_by_key(|at| done(at).unwrap_or(Timestamp(u64::MAX)));
        let among = self.free().chain(busy).collect();
        let dealt = self.deal_among(among, printers, |_, _| true);
        let turns = dealt.into_iter().filter_map(|one| {
            let id = self.index.seats[one.seat].id.clone();
            let turn = one.turn.filter(|turn| turn.rank == 0)?;
            printers.contains(&id).then_some((id, turn.open))
        });
        turns.collect()
    }
}
