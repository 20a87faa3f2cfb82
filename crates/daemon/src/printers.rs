//! Keeps the connections to this host's printers, and carries words both ways.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use printmesh_node::{Doing, Ended, Input, Machine, PrinterReport, TryFailure};
use printmesh_printer::{
    Address, Driver, Event, Heat, Outcome, Phase, PrintRequest, PrinterInfo, PrinterStatus,
};
use printmesh_queue::{Equipment, FileHash};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{clock, guard, mind::Mind, problems};

/// First wait before a lost printer is tried again; doubles up to the last.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(30);

type Slot = Arc<Mutex<Connection>>;
type Tried = (String, Box<dyn Driver>, mpsc::UnboundedReceiver<Event>);

/// The connection to a printer.
#[derive(Default)]
struct Connection {
    driver: Option<Box<dyn Driver>>,
    /// Rises with every driver: a start that was meant for an earlier one is not given to this one, which has said
    /// already what the machine does.
    number: u64,
}

impl Connection {
    /// The driver that a start was meant for when it was decided, so many milliseconds ago.
    fn for_start(&self, number: u64, age_ms: u64) -> Result<&dyn Driver, String> {
        if self.number != number {
            return Err("the printer was connected anew meanwhile".to_owned());
        }
        if age_ms > START_AGE_MS_MAX {
            return Err("this host was held up for more than a minute".to_owned());
        }
        let driver = self.driver.as_deref();
        driver.ok_or_else(|| "the printer is not connected".to_owned())
    }
}

/// Nothing starts on a decision that is older (CLAIMS.md 7): between the decision and the start the disk may have been full,
/// or the host asleep or frozen.
const START_AGE_MS_MAX: u64 = 60_000;

/// A print to start.
pub(crate) struct Start {
    /// Names it in reports.
    pub(crate) print: String,
    /// The driver refuses an older one.
    pub(crate) fence: u64,
    /// Where its file lies.
    pub(crate) path: String,
    /// What the file's bytes must hash to.
    pub(crate) hash: FileHash,
    /// What the printer is and may; `None` = a person lets the file pass.
    pub(crate) guard: Option<Box<Equipment>>,
    /// When the node decided it, by the monotonic clock.
    pub(crate) decided_ms: u64,
}

/// A script to run.
pub(crate) struct Script {
    /// Names it in reports.
    pub(crate) print: String,
    /// The driver refuses an older one.
    pub(crate) fence: u64,
    /// Its commands.
    pub(crate) gcode: String,
    /// What the printer is and may.
    pub(crate) guard: Box<Equipment>,
    /// When the node decided it, by the monotonic clock.
    pub(crate) decided_ms: u64,
}

/// The printers of this host.
pub(crate) struct Printers {
    mind: Mind,
    /// Where profiles are.
    home: PathBuf,
    connections: HashMap<String, (Slot, CancellationToken)>,
    /// Connections made by `printer add`: opening a port twice would reset most boards twice.
    tried: Arc<Mutex<HashMap<String, Tried>>>,
    /// The print that each printer was last told to stop: it does not start after that, however long its file takes
    /// to verify. Looked at and changed only while the printer's slot is held.
    unwanted: Arc<Mutex<HashMap<String, String>>>,
}

impl Printers {
    pub(crate) fn new(mind: Mind, home: PathBuf) -> Self {
        Self {
            mind,
            home,
            connections: HashMap::new(),
            tried: Arc::default(),
            unwanted: Arc::default(),
        }
    }

    pub(crate) fn try_out(&self, id: u64, name: String, at: String) {
        let (mind, tried) = (self.mind.clone(), Arc::clone(&self.tried));
        tokio::spawn(async move {
            let (sender, events) = mpsc::unbounded_channel();
            let result = match open(&at, sender).await {
                Ok(driver) => {
                    let machine = machine(&driver.info());
                    let kept = (at.clone(), driver, events);
                    tried.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), kept);
                    Ok(machine)
                }
                Err(why) => Err(TryFailure {
                    title: format!("cannot add {name}: the printer does not answer as one"),
                    why: Some(why),
                    fix: Some("see that it is switched on and that the address is right; nothing was saved".into()),
                }),
            };
            mind.tell(Input::PrinterTried {
                id,
                name,
                at,
                result,
            })
            .await;
        });
    }

    pub(crate) fn connect(&mut self, name: String, at: String) {
        self.disconnect(&name);
        let slot: Slot = Arc::default();
        let cancel = CancellationToken::new();
        self.connections
            .insert(name.clone(), (Arc::clone(&slot), cancel.clone()));
        let tried = self
            .tried
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&name)
            .filter(|(tried_at, _, _)| *tried_at == at)
            .map(|(_, driver, events)| (driver, events));
        let mind = self.mind.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = keep(mind, &name, &at, &slot, tried) => {}
            }
            hang_up(&slot);
        });
    }

    pub(crate) fn disconnect(&mut self, name: &str) {
        if let Some((_, cancel)) = self.connections.remove(name) {
            cancel.cancel();
        }
    }

    /// Writes a script to a file of the printer's own and runs that as a print.
    pub(crate) fn clear(&self, name: String, script: Script) {
        let folder = self.home.join("scripts");
        let path = folder.join(format!("{name}.gcode"));
        let written =
            std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, &script.gcode));
        let Script {
            print,
            fence,
            gcode,
            guard,
            decided_ms,
        } = script;
        let path = path.into_os_string().into_string();
        let start = match (written, path) {
            (Ok(()), Ok(path)) => Start {
                print,
                fence,
                path,
                hash: FileHash(*blake3::hash(gcode.as_bytes()).as_bytes()),
                guard: Some(guard),
                decided_ms,
            },
            (written, path) => {
                let reason = match (written, path) {
                    (Err(error), _) => format!("its script cannot be written: {error}"),
                    (Ok(()), _) => "its home is not UTF-8".to_owned(),
                };
                let (mind, report) = (self.mind.clone(), PrinterReport::Failed { print, reason });
                tokio::spawn(async move { mind.tell(Input::Printer { name, report }).await });
                return;
            }
        };
        self.start(name, start);
    }

    /// Verifies the file from disk, holds it against what the printer may, then starts. Refused starts come back as failed prints that never began.
    pub(crate) fn start(&self, name: String, start: Start) {
        let Start {
            print,
            fence,
            path,
            hash,
            guard,
            decided_ms,
        } = start;
        let home = self.home.clone();
        let slot = self
            .connections
            .get(&name)
            .map(|(slot, _)| Arc::clone(slot));
        let number = slot.as_ref().map_or(0, |slot| lock(slot).number);
        let (mind, unwanted) = (self.mind.clone(), Arc::clone(&self.unwanted));
        tokio::spawn(async move {
            let path = PathBuf::from(path);
            let checked = path.clone();
            let verify = move || {
                let hash = blake3::Hash::from_bytes(hash.0);
                printmesh_store::imports::verify(&checked, &hash)
                    .map_err(|error| problems::chain(&error))?;
                match guard {
                    Some(equipment) => guard::check(&home, &checked, &equipment),
                    None => Ok(()),
                }
            };
            let verified = match tokio::task::spawn_blocking(verify).await {
                Ok(verified) => verified,
                Err(error) => Err(error.to_string()),
            };
            let started = verified.and_then(|()| {
                let request = PrintRequest {
                    attempt: print.clone(),
                    fence,
                    path,
                };
                let slot = slot.ok_or("the printer is not connected")?;
                let connection = lock(&slot);
                if is_unwanted(&unwanted, &name, &print) {
                    return Ok(false);
                }
                let age_ms = clock::now().mono_ms.saturating_sub(decided_ms);
                connection
                    .for_start(number, age_ms)?
                    .start(request)
                    .map_err(|error| problems::chain(&error))?;
                Ok(true)
            });
            let report = match started {
                Ok(true) => return,
                Ok(false) => PrinterReport::Aborted { print },
                Err(reason) => {
                    tracing::warn!(printer = name, print, reason, "a print could not start");
                    PrinterReport::Failed { print, reason }
                }
            };
            mind.tell(Input::Printer { name, report }).await;
        });
    }

    /// Pauses a print; its heaters stay on.
    pub(crate) fn pause(&self, name: &str, print: &str) {
        self.with_print(name, print, |driver| driver.pause());
    }

    /// Goes on with a print that was paused.
    pub(crate) fn resume(&self, name: &str, print: &str) {
        self.with_print(name, print, |driver| driver.resume());
    }

    /// Does something to a print, if it is the one under way.
    fn with_print(&self, name: &str, print: &str, act: fn(&dyn Driver)) {
        let Some((slot, _)) = self.connections.get(name) else {
            return;
        };
        let connection = lock(slot);
        let driver = connection.driver.as_deref();
        if let Some(driver) = driver.filter(|d| d.status().attempt.as_deref() == Some(print)) {
            act(driver);
        }
    }

    /// Ends a print with cold heaters, or keeps it from starting. The driver says what became of it.
    pub(crate) fn stop(&self, name: &str, print: &str) {
        let Some((slot, _)) = self.connections.get(name) else {
            return;
        };
        let connection = lock(slot);
        self.unwanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), print.to_owned());
        // The mind starts nothing else on this printer before it has heard how this print ended.
        if let Some(driver) = &connection.driver {
            driver.cancel();
        }
    }

    /// Closes every connection; a print that is under way fails with its heaters off.
    pub(crate) fn close(&mut self) {
        for (_, (slot, cancel)) in self.connections.drain() {
            hang_up(&slot);
            cancel.cancel();
        }
    }
}

fn lock(slot: &Slot) -> MutexGuard<'_, Connection> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hang_up(slot: &Slot) {
    let driver = lock(slot).driver.take();
    if let Some(driver) = driver {
        driver.close();
    }
}

fn is_unwanted(unwanted: &Mutex<HashMap<String, String>>, name: &str, print: &str) -> bool {
    let unwanted = unwanted.lock().unwrap_or_else(PoisonError::into_inner);
    unwanted.get(name).is_some_and(|other| other == print)
}

async fn open(at: &str, events: mpsc::UnboundedSender<Event>) -> Result<Box<dyn Driver>, String> {
    let address: Address = at.parse().map_err(|error| problems::chain(&error))?;
    printmesh_printer::connect(&address, events)
        .await
        .map_err(|error| problems::chain(&error))
}

fn machine(info: &PrinterInfo) -> Machine {
    Machine {
        name: format!("{} ({})", info.machine, info.firmware),
    }
}

/// Keeps one printer connected as long as it is wanted.
async fn keep(
    mind: Mind,
    name: &str,
    at: &str,
    slot: &Slot,
    mut ready: Option<(Box<dyn Driver>, mpsc::UnboundedReceiver<Event>)>,
) {
    let report = async |report| {
        mind.tell(Input::Printer {
            name: name.to_owned(),
            report,
        })
        .await
    };
    let mut wait = RETRY_FIRST;
    loop {
        let opened = match ready.take() {
            Some(opened) => Ok(opened),
            None => {
                let (sender, events) = mpsc::unbounded_channel();
                open(at, sender).await.map(|driver| (driver, events))
            }
        };
        match opened {
            Ok((driver, mut events)) => {
                wait = RETRY_FIRST;
                let machine = machine(&driver.info());
                // Asked before anything can be started on it.
                let doing = doing(driver.doing());
                {
                    let mut connection = lock(slot);
                    connection.driver = Some(driver);
                    connection.number += 1;
                }
                report(PrinterReport::Online(machine)).await;
                report(PrinterReport::Doing(doing)).await;
                let mut halted = false;
                let (mut bed_c, mut hot) = (None, None);
                while let Some(event) = events.recv().await {
                    if let Event::Status(status) = &event
                        && let Some(warm) = resting(status)
                        && bed_c != Some(warm)
                    {
                        bed_c = Some(warm);
                        report(PrinterReport::BedTemperature(warm)).await;
                    } else if let Event::Status(status) = &event
                        && let Some((print, heats)) = heats(status)
                        && hot != Some(heats)
                    {
                        hot = Some(heats);
                        let (nozzle, bed) = heats;
                        report(PrinterReport::Hot { print, nozzle, bed }).await;
                    } else if !matches!(&event, Event::Status(_)) {
                        // What was said before is said again: it is of another print.
                        (bed_c, hot) = (None, None);
                    }
                    halted |= matches!(&event, Event::Status(s) if s.phase == Phase::Fault);
                    let lost = matches!(event, Event::LinkLost { .. });
                    if let Some(word) = word(event) {
                        report(word).await;
                    }
                    if lost {
                        break;
                    }
                }
                if halted {
                    // A machine that halted waits for a person, who connects it anew with `printer ready`.
                    std::future::pending::<()>().await;
                }
                drop(lock(slot).driver.take());
            }
            Err(reason) => report(PrinterReport::Offline(reason)).await,
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_LAST);
    }
}

/// How warm the bed of a machine is that prints nothing, in whole degrees, not too cold; `None` = it prints.
fn resting(status: &PrinterStatus) -> Option<Option<i64>> {
    let warm = |heat: Heat| {
        heat.actual
            .is_finite()
            .then(|| f64::from(heat.actual).ceil() as i64)
    };
    (status.phase == Phase::Idle).then(|| status.temperatures.bed.and_then(warm))
}

/// As hot as it is wanted, but for this: heaters swing.
const SWING_C: f32 = 3.0;

/// Of a print under way: whether its nozzles, and its bed, are heated and as hot as it wants them.
fn heats(status: &PrinterStatus) -> Option<(String, (bool, bool))> {
    let print = status.attempt.clone()?;
    let reached = |heats: &mut dyn Iterator<Item = &Heat>| {
        let mut wanted = heats.filter(|heat| heat.target > 0.0).peekable();
        wanted.peek().is_some() && wanted.all(|heat| heat.actual >= heat.target - SWING_C)
    };
    let temperatures = &status.temperatures;
    let nozzle = reached(&mut temperatures.tools.iter());
    let bed = reached(&mut temperatures.bed.iter());
    (status.phase == Phase::Printing).then_some((print, (nozzle, bed)))
}

fn word(event: Event) -> Option<PrinterReport> {
    match event {
        Event::Status(status) => match (status.phase, status.attempt) {
            (Phase::Fault, _) => Some(PrinterReport::Fault(
                status.fault.unwrap_or_else(|| "it halted".to_owned()),
            )),
            (
                Phase::Printing
                | Phase::Pausing
                | Phase::Paused
                | Phase::Cancelling
                | Phase::Starting,
                Some(print),
            ) => Some(PrinterReport::Progress {
                print,
                fraction: status.progress,
                left_s: status.left_s,
                paused: matches!(status.phase, Phase::Pausing | Phase::Paused),
            }),
            (Phase::Offline | Phase::Idle, _)
            | (
                Phase::Printing
                | Phase::Pausing
                | Phase::Paused
                | Phase::Cancelling
                | Phase::Starting,
                None,
            ) => None,
        },
        Event::Started { attempt } => Some(PrinterReport::Began { print: attempt }),
        Event::Finished { attempt } => Some(PrinterReport::Finished { print: attempt }),
        Event::Failed { attempt, reason } => Some(PrinterReport::Failed {
            print: attempt,
            reason,
        }),
        Event::Aborted { attempt } => Some(PrinterReport::Aborted { print: attempt }),
        Event::BedCleared => Some(PrinterReport::BedCleared),
        Event::LinkLost { reason } => Some(PrinterReport::Offline(reason)),
    }
}

fn doing(doing: printmesh_printer::Doing) -> Doing {
    match doing {
        printmesh_printer::Doing::Fed => Doing::Fed,
        printmesh_printer::Doing::Printing { attempt } => Doing::Printing { print: attempt },
        printmesh_printer::Doing::Idle { last } => Doing::Idle {
            last: last.map(|(print, outcome)| (print, ended(outcome))),
        },
    }
}

fn ended(outcome: Outcome) -> Ended {
    match outcome {
        Outcome::Finished => Ended::Finished,
        Outcome::Failed { reason } => Ended::Failed(reason),
        Outcome::Aborted => Ended::Aborted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_start_goes_to_the_very_connection_it_was_meant_for_and_only_soon() {
        let mut connection = Connection::default();
        let refused = |connection: &Connection, number, age_ms| {
            connection
                .for_start(number, age_ms)
                .err()
                .unwrap_or_default()
        };
        assert_eq!(refused(&connection, 0, 0), "the printer is not connected");
        let (sender, _events) = mpsc::unbounded_channel();
        let driver = open("sim://", sender).await.expect("it is built in");
        (connection.driver, connection.number) = (Some(driver), 1);
        assert_eq!(refused(&connection, 1, 60_000), "");
        assert_eq!(
            refused(&connection, 1, 60_001),
            "this host was held up for more than a minute"
        );
        connection.number = 2;
        assert_eq!(
            refused(&connection, 1, 0),
            "the printer was connected anew meanwhile"
        );
    }
}
