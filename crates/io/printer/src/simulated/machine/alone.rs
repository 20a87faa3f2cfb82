//! The part of a simulated machine that prints on while nobody is connected: what it keeps, and how it finds itself again.

use std::ops::ControlFlow;

use tokio::time::Instant;

use super::{
    super::{
        memory::{Course, Memory, Remembered, State, wall_ms},
        plan::Plan,
        print::Print,
    },
    Machine, Work,
};
use crate::driver::{Event, Outcome, Phase};

impl Machine {
    /// Finds itself where it would be by now, had this process never ended.
    pub(super) fn wake_up(&mut self) -> ControlFlow<()> {
        let remembered = self.memory.as_ref().and_then(Memory::load);
        let Some(Remembered {
            attempt,
            state: State::UnderWay(course),
        }) = remembered
        else {
            return ControlFlow::Continue(());
        };
        let ran_ms = course.since_ms.map_or(0, |at| wall_ms().saturating_sub(at));
        let from_s = course.position_s;
        let stops_done = course.stops.iter().filter(|at| **at <= from_s).count();
        let lost_link = |at: f64| at * course.total_s <= from_s;
        self.options.disconnect_after = self.options.disconnect_after.filter(|at| !lost_link(*at));
        let is_started = from_s >= course.started_s;
        let stands = course.since_ms.is_none();
        self.board.update(self.now_ms(), |status| {
            status.attempt = Some(attempt.clone());
            status.phase = match (is_started, stands) {
                (_, true) => Phase::Paused,
                (true, false) => Phase::Printing,
                (false, false) => Phase::Starting,
            };
        });
        self.work = Work::Printing(Print {
            attempt,
            plan: Plan {
                total_s: course.total_s,
                started_s: course.started_s,
                stops: course.stops,
                // What its heaters did meanwhile is not simulated.
                heats: Vec::new(),
            },
            position_s: from_s + ran_ms as f64 / 1000.0 * self.options.speed,
            since: (!stands).then(Instant::now),
            is_started,
            heats_done: 0,
            stops_done,
            hangs: false,
        });
        self.advance()
    }

    /// What a machine that prints by itself keeps of its print.
    pub(super) fn remember(&self) {
        let (Some(memory), Work::Printing(print)) = (&self.memory, &self.work) else {
            return;
        };
        let now = Instant::now();
        let waits = print.since.map_or(0, |since| {
            since.saturating_duration_since(now).as_millis() as u64
        });
        memory.save(&Remembered {
            attempt: print.attempt.clone(),
            state: State::UnderWay(Course {
                total_s: print.plan.total_s,
                started_s: print.plan.started_s,
                stops: print.plan.stops.clone(),
                position_s: print.position_s(now, self.options.speed),
                since_ms: print.since.map(|_| wall_ms() + waits),
            }),
        });
    }

    pub(super) fn prints_alone(&self) -> bool {
        self.memory.is_some() && matches!(&self.work, Work::Printing(print) if !print.hangs)
    }
}

/// What is left of a print that ended.
pub(super) fn ended(event: &Event) -> Option<Remembered> {
    let (attempt, outcome) = match event {
        Event::Finished { attempt } => (attempt, Outcome::Finished),
        Event::Failed { attempt, reason } => {
            let reason = reason.clone();
            (attempt, Outcome::Failed { reason })
        }
        Event::Aborted { attempt } => (attempt, Outcome::Aborted),
        Event::Status(_) | Event::Started { .. } | Event::BedCleared | Event::LinkLost { .. } => {
            return None;
        }
    };
    Some(Remembered {
        attempt: attempt.clone(),
        state: State::Ended(outcome),
    })
}
