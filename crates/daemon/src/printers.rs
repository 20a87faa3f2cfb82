//! Keeps the connections to this host's printers, and carries words both ways.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use printmesh_node::{Input, Machine, PrinterReport, TryFailure};
use printmesh_printer::{Address, Driver, Event, Phase, PrintRequest, PrinterInfo};
use printmesh_queue::FileHash;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{mind::Mind, problems};

/// First wait before a lost printer is tried again; doubles up to the last.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(30);

type Slot = Arc<Mutex<Option<Box<dyn Driver>>>>;
type Tried = (String, Box<dyn Driver>, mpsc::UnboundedReceiver<Event>);

/// The printers of this host.
pub(crate) struct Printers {
    mind: Mind,
    connections: HashMap<String, (Slot, CancellationToken)>,
    /// Connections made by `printer add`: opening a port twice would reset most boards twice.
    tried: Arc<Mutex<HashMap<String, Tried>>>,
}

impl Printers {
    pub(crate) fn new(mind: Mind) -> Self {
        Self {
            mind,
            connections: HashMap::new(),
            tried: Arc::default(),
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
            let driver = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(driver) = driver {
                driver.close();
            }
        });
    }

    pub(crate) fn disconnect(&mut self, name: &str) {
        if let Some((_, cancel)) = self.connections.remove(name) {
            cancel.cancel();
        }
    }

    /// Verifies the file from disk, then starts. Refused starts come back as failed prints that never began.
    pub(crate) fn start(
        &self,
        name: String,
        print: String,
        fence: u64,
        path: String,
        hash: FileHash,
    ) {
        let slot = self
            .connections
            .get(&name)
            .map(|(slot, _)| Arc::clone(slot));
        let mind = self.mind.clone();
        tokio::spawn(async move {
            let path = PathBuf::from(path);
            let checked = path.clone();
            let verify = move || {
                printmesh_store::imports::verify(&checked, &blake3::Hash::from_bytes(hash.0))
            };
            let verified = match tokio::task::spawn_blocking(verify).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(problems::chain(&error)),
                Err(error) => Err(error.to_string()),
            };
            let started = verified.and_then(|()| {
                let request = PrintRequest {
                    attempt: print.clone(),
                    fence,
                    path,
                };
                let slot = slot.ok_or("the printer is not connected")?;
                let driver = slot.lock().unwrap_or_else(PoisonError::into_inner);
                let driver = driver.as_ref().ok_or("the printer is not connected")?;
                driver
                    .start(request)
                    .map_err(|error| problems::chain(&error))
            });
            if let Err(reason) = started {
                tracing::warn!(printer = name, print, reason, "a print could not start");
                let report = PrinterReport::Failed { print, reason };
                mind.tell(Input::Printer { name, report }).await;
            }
        });
    }

    /// Closes every connection; a print that is under way fails with its heaters off.
    pub(crate) fn close(&mut self) {
        for (_, (slot, cancel)) in self.connections.drain() {
            let driver = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(driver) = driver {
                driver.close();
            }
            cancel.cancel();
        }
    }
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
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(driver);
                report(PrinterReport::Online(machine)).await;
                let mut halted = false;
                while let Some(event) = events.recv().await {
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
                drop(slot.lock().unwrap_or_else(PoisonError::into_inner).take());
            }
            Err(reason) => report(PrinterReport::Offline(reason)).await,
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_LAST);
    }
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
