//! The simulated machine's task: a print is a position on the plan that moves with tokio's clock.

mod alone;

use std::ops::ControlFlow;

use tokio::{
    sync::mpsc::UnboundedReceiver,
    task::JoinHandle,
    time::{Duration, Instant, sleep_until},
};

use super::{
    journal::Journal,
    memory::Memory,
    plan::Plan,
    print::{Milestone, Print},
    time_model::{BED_RATE, NOZZLE_RATE, ROOM},
};
use crate::{
    address::Simulation,
    board::Board,
    driver::{Event, Heat, Phase, PrintRequest, PrinterStatus, Temperatures},
    wish::Wish,
};

/// How often a running print looks at itself when nothing else happens.
const TICK: Duration = Duration::from_millis(250);

/// Makes the machine and its task, which runs until the handle is gone, the driver is closed or the simulated link breaks.
pub(super) fn spawn(options: Simulation, board: Board, inbox: UnboundedReceiver<Wish>) {
    let memory = options.autonomous.clone().map(Memory::new);
    let journal = options.journal.clone().map(Journal::new);
    let mut machine = Machine {
        options,
        memory,
        journal,
        board,
        born: Instant::now(),
        work: Work::Idle,
        heaters: [Heat {
            actual: ROOM as f32,
            target: 0.0,
        }; 2],
        heaters_at: Instant::now(),
    };
    machine.show(|_| ());
    if machine.wake_up().is_continue() {
        tokio::spawn(run(machine, inbox));
    }
}

async fn run(mut machine: Machine, mut inbox: UnboundedReceiver<Wish>) {
    let mut reading: Option<JoinHandle<Result<Plan, String>>> = None;
    loop {
        let wake = machine.next_wake();
        tokio::select! {
            biased;
            wish = inbox.recv() => match wish {
                None | Some(Wish::Close) => {
                    machine.close();
                    break;
                }
                Some(Wish::Start(request)) => match machine.work {
                    Work::Idle => reading = Some(machine.prepare(request)),
                    // Let through by the board a moment before the machine stopped.
                    Work::Preparing { .. } | Work::Printing(_) | Work::Halted => machine.turn_away(request),
                },
                Some(wish) => machine.wish(&wish),
            },
            plan = async { reading.as_mut().expect("guarded by the condition").await }, if reading.is_some() => {
                reading = None;
                machine.begin(plan.unwrap_or_else(|error| Err(format!("reading the file failed: {error}"))));
            }
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
        }
        if machine.advance().is_break() {
            break;
        }
    }
    inbox.close();
    while let Ok(wish) = inbox.try_recv() {
        if let Wish::Start(request) = wish {
            machine.turn_away(request);
        }
    }
}

struct Machine {
    options: Simulation,
    /// Of a machine that prints by itself.
    memory: Option<Memory>,
    journal: Option<Journal>,
    board: Board,
    born: Instant,
    work: Work,
    heaters: [Heat; 2],
    heaters_at: Instant,
}

enum Work {
    Idle,
    /// The file is being read.
    Preparing {
        attempt: String,
        begins: Instant,
    },
    Printing(Print),
    /// After an emergency stop.
    Halted,
}

impl Machine {
    fn now_ms(&self) -> u64 {
        self.born
            .elapsed()
            .as_millis()
            .try_into()
            .unwrap_or(u64::MAX)
    }

    fn show(&self, change: impl FnOnce(&mut PrinterStatus)) {
        let [nozzle, bed] = self.heaters;
        self.board.update(self.now_ms(), |status| {
            status.temperatures = Temperatures {
                tools: vec![nozzle],
                bed: Some(bed),
                chamber: None,
            };
            change(status);
        });
    }

    /// When something will happen by itself.
    fn next_wake(&self) -> Option<Instant> {
        let now = Instant::now();
        match &self.work {
            Work::Printing(print) if print.hangs => None,
            Work::Printing(print) => {
                let since = print.since?;
                let due = (print.next_milestone(&self.options).0 - print.position_s).max(0.0)
                    / self.options.speed;
                // A microsecond late rather than early: rounding must not make a milestone be missed and waited for again.
                let due = since + Duration::from_secs_f64(due.min(1e9)) + Duration::from_micros(1);
                Some(due.min((now + TICK).max(since)))
            }
            Work::Preparing { .. } => None,
            Work::Idle | Work::Halted => self
                .heaters
                .iter()
                .any(|heat| heat.actual > (ROOM + 1.0) as f32)
                .then_some(now + TICK * 4),
        }
    }

    fn prepare(&mut self, request: PrintRequest) -> JoinHandle<Result<Plan, String>> {
        let begins = Instant::now() + Duration::from_secs_f64(self.options.slow_start);
        self.work = Work::Preparing {
            attempt: request.attempt,
            begins,
        };
        tokio::task::spawn_blocking(move || Plan::of_file(&request.path))
    }

    fn begin(&mut self, plan: Result<Plan, String>) {
        // Cancelled or stopped while the file was being read: nothing is left to begin.
        let Work::Preparing { attempt, begins } = &self.work else {
            return;
        };
        match plan {
            Err(reason) => self.fail(reason),
            Ok(plan) => {
                self.work = Work::Printing(Print {
                    attempt: attempt.clone(),
                    plan,
                    position_s: 0.0,
                    since: Some((*begins).max(Instant::now())),
                    is_started: false,
                    heats_done: 0,
                    stops_done: 0,
                    hangs: false,
                });
                self.remember();
            }
        }
    }

    fn wish(&mut self, wish: &Wish) {
        let hangs = matches!(&self.work, Work::Printing(print) if print.hangs);
        match wish {
            Wish::EmergencyStop => {
                self.set_targets_off();
                let reason = "emergency stop".to_owned();
                self.end(
                    |attempt| Event::Failed {
                        attempt,
                        reason: reason.clone(),
                    },
                    Phase::Fault,
                    Some(&reason),
                );
                self.work = Work::Halted;
            }
            _ if hangs => {}
            Wish::HeatersOff => {
                self.set_targets_off();
                match &self.work {
                    Work::Preparing { .. } | Work::Printing(_) => {
                        self.fail("heaters were switched off".to_owned())
                    }
                    Work::Idle | Work::Halted => self.show(|_| ()),
                }
            }
            Wish::Cancel => match &self.work {
                Work::Preparing { .. } | Work::Printing(_) => {
                    self.set_targets_off();
                    self.end(|attempt| Event::Aborted { attempt }, Phase::Idle, None);
                    self.clear_bed();
                }
                Work::Idle | Work::Halted => {}
            },
            Wish::Pause => self.set_running(false),
            Wish::Resume => self.set_running(true),
            Wish::Start(_) | Wish::Close => unreachable!("taken by the caller"),
        }
    }

    fn set_running(&mut self, run: bool) {
        let now = Instant::now();
        let Work::Printing(print) = &mut self.work else {
            return;
        };
        if print.since.is_some() == run || !print.is_started {
            return;
        }
        print.position_s = print.position_s(now, self.options.speed);
        print.since = run.then_some(now);
        self.remember();
        self.show(|status| status.phase = if run { Phase::Printing } else { Phase::Paused });
    }

    /// Does what has become due.
    fn advance(&mut self) -> ControlFlow<()> {
        self.drive_heaters();
        loop {
            let now = Instant::now();
            let speed = self.options.speed;
            let Work::Printing(print) = &mut self.work else {
                break;
            };
            let position = print.position_s(now, speed);
            let (at, milestone) = print.next_milestone(&self.options);
            if print.hangs || print.since.is_none_or(|since| since > now) || at > position {
                break;
            }
            let begins = matches!(milestone, Milestone::Heat(..) | Milestone::Started);
            if let (Some(journal), true, false) = (&self.journal, begins, print.has_begun()) {
                journal.begins(&print.attempt);
            }
            match milestone {
                Milestone::Heat(heater, target) => {
                    print.heats_done += 1;
                    self.heaters[heater as usize].target = target as f32;
                }
                Milestone::Started => {
                    print.is_started = true;
                    let attempt = print.attempt.clone();
                    self.board.tell(Event::Started { attempt });
                    self.show(|status| status.phase = Phase::Printing);
                }
                Milestone::Stop => {
                    print.stops_done += 1;
                    print.position_s = at;
                    print.since = None;
                    self.remember();
                    self.show(|status| status.phase = Phase::Paused);
                }
                Milestone::Fail => {
                    self.fail(
                        "the simulated printer failed, as its address asks (fail_after)".to_owned(),
                    );
                }
                Milestone::Hang => {
                    print.position_s = at;
                    print.hangs = true;
                }
                Milestone::Disconnect => {
                    let reason =
                        "the link was lost, as the address asks (disconnect_after)".to_owned();
                    if self.prints_alone() {
                        self.remember();
                        self.show(|status| status.phase = Phase::Offline);
                        self.board.tell(Event::LinkLost { reason });
                        return ControlFlow::Break(());
                    }
                    self.end(
                        |attempt| Event::Failed {
                            attempt,
                            reason: reason.clone(),
                        },
                        Phase::Offline,
                        Some(&reason),
                    );
                    self.board.tell(Event::LinkLost { reason });
                    return ControlFlow::Break(());
                }
                Milestone::Finish => {
                    self.set_targets_off();
                    self.end(|attempt| Event::Finished { attempt }, Phase::Idle, None);
                    self.clear_bed();
                }
            }
        }
        self.show_progress();
        ControlFlow::Continue(())
    }

    fn show_progress(&self) {
        let speed = self.options.speed;
        match &self.work {
            Work::Printing(print) => {
                let position = print
                    .position_s(Instant::now(), speed)
                    .min(print.plan.total_s);
                let left = (print.plan.total_s - position) / speed;
                self.show(|status| {
                    status.progress = (position / print.plan.total_s.max(1e-9)) as f32;
                    status.left_s = Some(left.ceil() as u64);
                });
            }
            Work::Idle | Work::Preparing { .. } | Work::Halted => self.show(|_| ()),
        }
    }

    /// Heaters follow their targets at their rate, cool down at half of it.
    fn drive_heaters(&mut self) {
        let now = Instant::now();
        let seconds = (now - self.heaters_at).as_secs_f64() * self.options.speed;
        self.heaters_at = now;
        for (heat, rate) in self.heaters.iter_mut().zip([NOZZLE_RATE, BED_RATE]) {
            let (up, down) = ((seconds * rate) as f32, (seconds * rate / 2.0) as f32);
            let goal = heat.target.max(ROOM as f32);
            heat.actual += (goal - heat.actual).clamp(-down, up);
        }
    }

    fn set_targets_off(&mut self) {
        for heat in &mut self.heaters {
            heat.target = 0.0;
        }
    }

    fn fail(&mut self, reason: String) {
        self.set_targets_off();
        self.end(
            |attempt| Event::Failed { attempt, reason },
            Phase::Idle,
            None,
        );
        self.clear_bed();
    }

    /// Ends the print that is under way, if any, and shows `phase`.
    fn end(&mut self, outcome: impl FnOnce(String) -> Event, phase: Phase, fault: Option<&str>) {
        let had_begun = matches!(&self.work, Work::Printing(print) if print.has_begun());
        let attempt = match std::mem::replace(&mut self.work, Work::Idle) {
            Work::Preparing { attempt, .. } => Some(attempt),
            Work::Printing(print) => {
                if !print.is_started
                    && print.plan.started_s >= print.plan.total_s
                    && phase == Phase::Idle
                {
                    // Nothing in the file heats or moves: the caller still sees every finished print begin.
                    self.board.tell(Event::Started {
                        attempt: print.attempt.clone(),
                    });
                }
                Some(print.attempt)
            }
            Work::Idle | Work::Halted => None,
        };
        let outcome = attempt.map(outcome);
        if let (Some(memory), Some(event)) = (&self.memory, &outcome)
            && let Some(remembered) = alone::ended(event)
        {
            memory.save(&remembered);
        }
        if let (Some(journal), Some(event), true) = (&self.journal, &outcome, had_begun) {
            journal.ended(event);
        }
        let is_finished = matches!(outcome, Some(Event::Finished { .. }));
        let heaters = self.heaters;
        let change = move |status: &mut PrinterStatus| {
            status.phase = phase;
            status.fault = fault.map(str::to_owned);
            status.temperatures = Temperatures {
                tools: vec![heaters[0]],
                bed: Some(heaters[1]),
                chamber: None,
            };
            if is_finished {
                status.progress = 1.0;
            }
        };
        match outcome {
            Some(outcome) => self.board.conclude(outcome, change),
            None => self.board.update(self.now_ms(), change),
        }
    }

    fn clear_bed(&self) {
        if self.options.clears_bed {
            self.board.tell(Event::BedCleared);
        }
    }

    /// Fails a print that was let through but cannot begin any more.
    fn turn_away(&self, request: PrintRequest) {
        let phase = if matches!(self.work, Work::Halted) {
            Phase::Fault
        } else {
            Phase::Offline
        };
        let reason = "the printer stopped before the print began".to_owned();
        self.board.conclude(
            Event::Failed {
                attempt: request.attempt,
                reason,
            },
            |status| status.phase = phase,
        );
    }

    fn close(&mut self) {
        if self.prints_alone() {
            self.show(|status| status.phase = Phase::Offline);
            return;
        }
        self.set_targets_off();
        let reason = "the driver was closed".to_owned();
        self.end(
            |attempt| Event::Failed {
                attempt,
                reason: reason.clone(),
            },
            Phase::Offline,
            Some(&reason),
        );
    }
}
