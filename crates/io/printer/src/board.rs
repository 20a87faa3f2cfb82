//! The board on which a driver shows what it is doing: one status, the doorkeeper of starts, and the throttle of news.
//!
//! Shared by the driver's handle (which reads it and asks to start) and its task or thread (which writes it).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use crate::driver::{Event, Phase, PrintRequest, PrinterStatus, StartError, Temperatures};

/// Progress and temperatures are told at most this often, so that a farm's network is not busy with them.
const QUIET_MS: u64 = 250;

/// See the [module](self).
#[derive(Clone)]
pub(crate) struct Board {
    inner: Arc<Mutex<Inner>>,
    events: UnboundedSender<Event>,
}

struct Inner {
    status: PrinterStatus,
    highest_fence: Option<u64>,
    told: PrinterStatus,
    told_ms: Option<u64>,
}

impl Board {
    pub(crate) fn new(events: UnboundedSender<Event>) -> Self {
        let status = PrinterStatus {
            phase: Phase::Idle,
            attempt: None,
            progress: 0.0,
            left_s: None,
            temperatures: Temperatures::default(),
            fault: None,
        };
        let inner = Inner {
            told: status.clone(),
            status,
            highest_fence: None,
            told_ms: None,
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            events,
        }
    }

    /// A poisoned lock means that a reader panicked; the status itself is plain data and still whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self) -> PrinterStatus {
        self.lock().status.clone()
    }

    /// Lets one start through, or says why not. From here on the phase is `Starting`, so that of two starts that race one
    /// is refused.
    pub(crate) fn admit(&self, request: &PrintRequest) -> Result<(), StartError> {
        let mut inner = self.lock();
        if let Some(seen) = inner.highest_fence.filter(|seen| request.fence <= *seen) {
            return Err(StartError::StaleFence {
                fence: request.fence,
                seen,
            });
        }
        inner.highest_fence = Some(request.fence);
        if inner.status.phase != Phase::Idle {
            return Err(StartError::NotIdle(inner.status.phase));
        }
        inner.status.phase = Phase::Starting;
        inner.status.attempt = Some(request.attempt.clone());
        inner.status.progress = 0.0;
        inner.status.left_s = None;
        inner.tell(&self.events);
        Ok(())
    }

    /// Changes the status and tells it, at once or when the throttle allows it. Times are of the driver's own clock.
    pub(crate) fn update(&self, now_ms: u64, change: impl FnOnce(&mut PrinterStatus)) {
        let mut inner = self.lock();
        change(&mut inner.status);
        if inner.status == inner.told {
            return;
        }
        let urgent = inner.status.phase != inner.told.phase
            || inner.status.attempt != inner.told.attempt
            || inner.status.fault != inner.told.fault;
        if urgent || inner.told_ms.is_none_or(|told| now_ms >= told + QUIET_MS) {
            inner.told_ms = Some(now_ms);
            inner.tell(&self.events);
        }
    }

    /// Ends the print with `outcome`: whoever receives it finds the status already changed, and the new status comes after it.
    pub(crate) fn conclude(&self, outcome: Event, change: impl FnOnce(&mut PrinterStatus)) {
        let mut inner = self.lock();
        inner.status.attempt = None;
        inner.status.left_s = None;
        change(&mut inner.status);
        self.tell(outcome);
        inner.tell(&self.events);
    }

    /// Tells something that is not a status.
    pub(crate) fn tell(&self, event: Event) {
        // Nobody listens any more: the driver is about to be dropped.
        let _ = self.events.send(event);
    }
}

impl Inner {
    fn tell(&mut self, events: &UnboundedSender<Event>) {
        self.told = self.status.clone();
        let _ = events.send(Event::Status(self.status.clone()));
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    fn request(fence: u64) -> PrintRequest {
        PrintRequest {
            attempt: format!("a{fence}"),
            fence,
            path: "x.gcode".into(),
        }
    }

    #[test]
    fn an_older_claim_never_starts() {
        let (events, _keep) = mpsc::unbounded_channel();
        let board = Board::new(events);
        assert_eq!(board.admit(&request(7)), Ok(()));
        assert_eq!(
            board.admit(&request(8)),
            Err(StartError::NotIdle(Phase::Starting))
        );
        board.conclude(
            Event::Finished {
                attempt: "a7".into(),
            },
            |status| status.phase = Phase::Idle,
        );
        for fence in [0, 6, 7, 8] {
            assert_eq!(
                board.admit(&request(fence)),
                Err(StartError::StaleFence { fence, seen: 8 })
            );
        }
        assert_eq!(board.admit(&request(9)), Ok(()));
    }

    #[test]
    fn fence_zero_can_be_the_first() {
        let (events, _keep) = mpsc::unbounded_channel();
        assert_eq!(Board::new(events).admit(&request(0)), Ok(()));
    }

    #[test]
    fn progress_is_told_four_times_a_second_and_phases_at_once() {
        let (events, mut told) = mpsc::unbounded_channel();
        let board = Board::new(events);
        for now_ms in 0..1000 {
            board.update(now_ms, |status| {
                status.progress = now_ms as f32 / 1000.0 + 0.001
            });
        }
        let mut count = 0;
        while told.try_recv().is_ok() {
            count += 1;
        }
        assert_eq!(count, 4);
        board.update(1000, |status| status.phase = Phase::Paused);
        assert!(matches!(
            told.try_recv(),
            Ok(Event::Status(PrinterStatus {
                phase: Phase::Paused,
                ..
            }))
        ));
        board.update(1000, |_| ());
        assert!(told.try_recv().is_err());
    }
}
