//! Where a job goes when somebody moves it: the ranks to write.
//!
//! Two hosts that add or move jobs at once may give them one rank, and very many moves into one gap make ranks long. Then
//! there is no good rank between two neighbours, and some neighbours get new ones as well.

use crate::{Job, JobId, Rank};

/// Longer ranks are spread anew together with their neighbours. About 330 moves into one gap make one.
const EASY_BYTES: usize = 64;

/// Returns the ranks to write so that `moved` comes right before the job that is at `at` among `others`, or last.
///
/// `others` are the jobs of the queue in its order, without `moved`. Ranks of jobs that `may_change` excludes stay; when one
/// of those shares its rank with the job before it, `moved` comes after both.
pub fn ranks_to_move(
    others: &[&Job],
    moved: JobId,
    at: usize,
    may_change: impl Fn(&Job) -> bool,
) -> Vec<(JobId, Rank)> {
    let at = at.min(others.len());
    let (mut from, mut to) = (at, at);
    loop {
        let low = from.checked_sub(1).map(|i| &others[i].rank);
        let high = others.get(to).map(|job| &job.rank);
        let is_room = low.zip(high).is_none_or(|(low, high)| low < high);
        let ids = |jobs: &[&Job]| jobs.iter().map(|job| job.id).collect::<Vec<_>>();
        let ids = [ids(&others[from..at]), vec![moved], ids(&others[at..to])].concat();
        let mut ranks = Vec::with_capacity(ids.len());
        if is_room {
            spread(low, high, ids.len(), &mut ranks);
        }
        let is_easy = |rank: &Rank| rank.as_str().len() <= EASY_BYTES;
        if is_room && ranks.iter().all(is_easy) {
            return ids.into_iter().zip(ranks).collect();
        }
        let more = to - from + 1;
        let may = |job: &&&Job| may_change(job);
        let before = others[..from].iter().rev().take(more).take_while(may);
        let after = others[to..].iter().take(more).take_while(may);
        let (before, after) = (before.count(), after.count());
        if before + after == 0 {
            if is_room {
                return ids.into_iter().zip(ranks).collect();
            }
            let above = others[to..].iter().map(|job| &job.rank);
            let high = above
                .into_iter()
                .find(|rank| low.is_none_or(|low| *rank > low));
            return vec![(moved, Rank::between(low, high))];
        }
        from -= before;
        to += after;
    }
}

/// Appends so many rising ranks between two others, as short as halving makes them.
fn spread(low: Option<&Rank>, high: Option<&Rank>, count: usize, out: &mut Vec<Rank>) {
    if count == 0 {
        return;
    }
    let middle = Rank::between(low, high);
    let below = (count - 1) / 2;
    spread(low, Some(&middle), below, out);
    out.push(middle.clone());
    spread(Some(&middle), high, count - 1 - below, out);
}
