//! A simulated print: where it is on its plan, and what comes next there.

use tokio::time::Instant;

use super::{plan::Plan, time_model::Heater};
use crate::address::Simulation;

/// A print as a position on its plan.
pub(super) struct Print {
    pub(super) attempt: String,
    pub(super) plan: Plan,
    /// Position on the plan, in seconds, at `since` (or at all times while it stands).
    pub(super) position_s: f64,
    /// Since when the print runs; `None` while it stands.
    pub(super) since: Option<Instant>,
    pub(super) is_started: bool,
    pub(super) heats_done: usize,
    pub(super) stops_done: usize,
    pub(super) hangs: bool,
}

/// What comes next on the plan.
#[derive(Clone, Copy)]
pub(super) enum Milestone {
    Heat(Heater, f64),
    Started,
    Stop,
    Fail,
    Hang,
    Disconnect,
    Finish,
}

impl Print {
    /// Something of it has heated or moved.
    pub(super) fn has_begun(&self) -> bool {
        self.is_started || self.heats_done > 0
    }

    pub(super) fn position_s(&self, now: Instant, speed: f64) -> f64 {
        // `since` lies in the future during a slow start.
        let ran = self.since.map_or(0.0, |since| {
            now.saturating_duration_since(since).as_secs_f64() * speed
        });
        self.position_s + ran
    }

    pub(super) fn next_milestone(&self, options: &Simulation) -> (f64, Milestone) {
        let total = self.plan.total_s;
        let at =
            |fraction: Option<f64>| fraction.map_or(f64::INFINITY, |fraction| fraction * total);
        let heat = self.plan.heats.get(self.heats_done);
        // In the order in which they happen when they coincide.
        let candidates = [
            (
                if self.is_started {
                    f64::INFINITY
                } else {
                    self.plan.started_s
                },
                Milestone::Started,
            ),
            heat.map_or(
                (f64::INFINITY, Milestone::Finish),
                |&(at, heater, target)| (at, Milestone::Heat(heater, target)),
            ),
            (at(options.fail_after), Milestone::Fail),
            (at(options.hang_after), Milestone::Hang),
            (at(options.disconnect_after), Milestone::Disconnect),
            (
                self.plan
                    .stops
                    .get(self.stops_done)
                    .copied()
                    .unwrap_or(f64::INFINITY),
                Milestone::Stop,
            ),
            (total, Milestone::Finish),
        ];
        candidates
            .into_iter()
            .reduce(|best, next| if next.0 < best.0 { next } else { best })
            .expect("not empty")
    }
}
