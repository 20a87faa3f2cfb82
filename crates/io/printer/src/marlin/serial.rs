//! The thread that owns a printer's port: it carries bytes to and from the protocol, and nothing else.
//!
//! One OS thread per printer, so that no busy async worker ever makes a nozzle stand still over a part.

mod session;

use std::{
    collections::VecDeque,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{mpsc::UnboundedSender, oneshot};

use self::session::{BUSY_WAIT, Session};
use super::{
    Timings,
    firmware::Firmware,
    identify::{Identify, Refusal},
    port::{self, Line},
    protocol::Protocol,
};
use crate::{
    board::Board,
    connect::ConnectError,
    driver::{Doing, Driver, Event, Phase, PrintRequest, PrinterInfo, PrinterStatus, StartError},
    wish::Wish,
};

/// Wishes that may wait for the thread; people do not call faster.
const WISHES_MAX: usize = 64;

/// The handle on a Marlin.
pub(crate) struct Serial {
    board: Board,
    wishes: Arc<Mutex<Wishes>>,
    info: PrinterInfo,
}

#[derive(Debug, Default)]
struct Wishes {
    waiting: VecDeque<Wish>,
    has_ended: bool,
}

fn lock(wishes: &Mutex<Wishes>) -> MutexGuard<'_, Wishes> {
    wishes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the port, identifies the printer and starts the thread, which ends with the handle.
pub(crate) async fn connect(
    path: &Path,
    baud: u32,
    timings: Timings,
    events: UnboundedSender<Event>,
) -> Result<Serial, ConnectError> {
    let board = Board::new(events);
    let wishes = Arc::new(Mutex::new(Wishes::default()));
    let (answer, answered) = oneshot::channel();
    let thread = Thread {
        board: board.clone(),
        wishes: wishes.clone(),
        path: path.to_owned(),
        baud,
        timings,
    };
    std::thread::Builder::new()
        .name("printer-port".to_owned())
        .spawn(move || thread.run(answer))
        .map_err(|source| ConnectError::Thread {
            port: path.to_owned(),
            source,
        })?;
    let gone = || ConnectError::Lost {
        port: path.to_owned(),
        source: ErrorKind::UnexpectedEof.into(),
    };
    let firmware = answered.await.map_err(|_| gone())??;
    Ok(Serial {
        board,
        wishes,
        info: firmware.info(),
    })
}

impl Serial {
    fn wish(&self, wish: Wish) {
        let mut wishes = lock(&self.wishes);
        match wish {
            Wish::EmergencyStop => wishes.waiting.push_front(wish),
            _ if wishes.waiting.len() < WISHES_MAX || matches!(wish, Wish::Close) => {
                wishes.waiting.push_back(wish)
            }
            _ => tracing::warn!(
                ?wish,
                "too many wishes wait for the printer, this one is dropped"
            ),
        }
    }
}

impl Driver for Serial {
    fn info(&self) -> PrinterInfo {
        self.info.clone()
    }

    fn status(&self) -> PrinterStatus {
        self.board.status()
    }

    /// A Marlin that prints from its own card does not let us connect; whatever else it printed, we fed to it.
    fn doing(&self) -> Doing {
        Doing::Fed
    }

    fn start(&self, request: PrintRequest) -> Result<(), StartError> {
        let mut wishes = lock(&self.wishes);
        if wishes.has_ended {
            return Err(StartError::NotIdle(Phase::Offline));
        }
        self.board.admit(&request)?;
        wishes.waiting.push_back(Wish::Start(request));
        Ok(())
    }

    fn pause(&self) {
        self.wish(Wish::Pause);
    }

    fn resume(&self) {
        self.wish(Wish::Resume);
    }

    fn cancel(&self) {
        self.wish(Wish::Cancel);
    }

    fn heaters_off(&self) {
        self.wish(Wish::HeatersOff);
    }

    fn emergency_stop(&self) {
        self.wish(Wish::EmergencyStop);
    }

    fn close(&self) {
        self.wish(Wish::Close);
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        self.close();
    }
}

struct Thread {
    board: Board,
    wishes: Arc<Mutex<Wishes>>,
    path: PathBuf,
    baud: u32,
    timings: Timings,
}

impl Thread {
    fn run(self, answer: oneshot::Sender<Result<Firmware, ConnectError>>) {
        let mut line = match port::open(&self.path, self.baud) {
            Ok(port) => Line::new(port),
            Err(error) => return drop(answer.send(Err(error))),
        };
        let firmware = match self.identify(&mut line) {
            Ok(firmware) => firmware,
            Err(error) => return drop(answer.send(Err(error))),
        };
        tracing::info!(port = %self.path.display(), firmware = %firmware.name, "printer connected");
        let protocol = Protocol::new(firmware.clone(), self.timings, line.now_ms());
        if answer.send(Ok(firmware)).is_err() {
            return; // nobody waits any more
        }
        let mut session = Session::new(self.board, self.wishes, line, protocol);
        // A panic must not leave a print without an outcome; the port closes as the session is dropped.
        let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| session.run()));
        match end {
            Ok(Ok(())) => session.bury("the driver was closed", false),
            Ok(Err(error)) => session.bury(
                &format!("the connection to the printer was lost: {error}"),
                true,
            ),
            Err(_) => session.bury("the driver failed", true),
        }
    }

    fn identify(&self, line: &mut Line) -> Result<Firmware, ConnectError> {
        let lost = |source| ConnectError::Lost {
            port: self.path.clone(),
            source,
        };
        let mut talk = Identify::new(self.timings, line.now_ms());
        line.port.set_wait(BUSY_WAIT).map_err(lost)?;
        loop {
            let bytes = line.read().map_err(lost)?;
            let now_ms = line.now_ms();
            talk.on_bytes(now_ms, &bytes);
            talk.on_tick(now_ms);
            line.out.extend(talk.take_output());
            line.write().map_err(lost)?;
            if let Some(result) = talk.take_result() {
                return result.map_err(|refusal| self.explain(refusal));
            }
        }
    }

    fn explain(&self, refusal: Refusal) -> ConnectError {
        let (port, baud) = (self.path.clone(), self.baud);
        match refusal {
            Refusal::Silent => ConnectError::NoAnswer { port, baud },
            Refusal::Garbage => ConnectError::WrongBaud { port, baud },
            Refusal::NotAPrinter(said) => ConnectError::NotAPrinter { port, said },
            Refusal::Busy(what) => ConnectError::Busy { port, what },
        }
    }
}
