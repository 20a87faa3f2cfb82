//! A Marlin that is not there, at the other end of a real pseudo-terminal: for tests and demos.
//!
//! It behaves as real ones do on a bad day; see [`Faults`]. What it executed is recorded, so that a test can say exactly what would
//! have been printed.
//!
//! ```no_run
//! use printmesh_printer::fake_marlin::{FakeMarlin, Faults};
//! let printer = FakeMarlin::spawn(Faults::default());
//! println!("connect to serial:{}", printer.path().display());
//! ```

mod faults;
pub(crate) mod firmware;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, tcgetattr, tcsetattr},
};

pub use self::faults::Faults;
use self::firmware::{Firmware, Wish};

/// A test that waits longer than this has failed.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// What a host does not read in time is lost, as on a real cable.
const UNREAD_MAX: usize = 64 * 1024;

/// A fake printer at its own port; it ends when dropped.
///
/// # Panics
/// Its methods panic when the system has no pseudo-terminals left or its thread has died: it is for tests.
pub struct FakeMarlin {
    path: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    firmware: Firmware,
    is_unplugged: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeMarlin {
    /// Makes a port with a printer at it.
    pub fn spawn(faults: Faults) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a free pty");
        grantpt(&master).expect("our own pty");
        unlockpt(&master).expect("our own pty");
        let name = ptsname(&master, Vec::new()).expect("a pty has a name");
        let path = PathBuf::from(std::ffi::OsString::from_vec(name.into_bytes()));
        // Kept open here too: without any opener the master's reads fail, and settings are forgotten.
        let slave = rustix::fs::open(
            &path,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .expect("the other end of our own pty");
        let mut settings = tcgetattr(&slave).expect("a pty is a terminal");
        settings.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &settings).expect("a pty can be raw");
        let flags = rustix::fs::fcntl_getfl(&master).expect("an open file");
        rustix::fs::fcntl_setfl(&master, flags | OFlags::NONBLOCK).expect("an open file");

        let state = State {
            firmware: Firmware::new(faults),
            is_unplugged: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let thread = std::thread::Builder::new()
            .name("fake-marlin".to_owned())
            .spawn({
                let shared = shared.clone();
                move || {
                    run(&shared, &mut File::from(master));
                    drop(slave);
                }
            })
            .expect("a thread");
        Self {
            path,
            shared,
            thread: Some(thread),
        }
    }

    /// Returns the port's path, for `serial:…`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns every command that was executed, in order, also those by which hosts ask and count (`M105`, `M110`…).
    pub fn executed(&self) -> Vec<String> {
        self.shared.lock().firmware.executed().to_vec()
    }

    /// Returns what was executed without the questions of a host: what a file and its host's scripts made the machine do.
    pub fn printed(&self) -> Vec<String> {
        printed(self.shared.lock().firmware.executed())
    }

    /// Waits until `enough` of the commands that were executed so far.
    ///
    /// # Panics
    /// After a minute.
    pub fn wait_for(&self, mut enough: impl FnMut(&[String]) -> bool) {
        self.wait("commands", |state| enough(state.firmware.executed()));
    }

    /// Waits until all heaters are off.
    ///
    /// # Panics
    /// After a minute.
    pub fn wait_until_cold(&self) {
        self.wait("cold heaters", |state| !state.firmware.is_hot());
    }

    fn wait(&self, what: &str, mut enough: impl FnMut(&State) -> bool) {
        let until = Instant::now() + WAIT_MAX;
        let mut state = self.shared.lock();
        while !enough(&state) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "no {what} within a minute; executed: {:?}",
                state.firmware.executed()
            );
            state = self
                .shared
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Returns whether any heater has a target.
    pub fn is_hot(&self) -> bool {
        self.shared.lock().firmware.is_hot()
    }

    /// Returns whether the machine has stopped itself (`M112`, thermal error).
    pub fn is_halted(&self) -> bool {
        self.shared.lock().firmware.is_halted()
    }

    /// Lets the machine say a line, for example `//action:pause`.
    pub fn say(&self, line: &str) {
        self.shared.lock().firmware.say(line);
    }

    /// Presses the reset button.
    pub fn reset(&self) {
        self.shared.lock().firmware.reset();
    }

    /// Pulls the cable out; the port is gone for good.
    pub fn unplug(&mut self) {
        self.shared.lock().is_unplugged = true;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the fake's thread does not panic");
        }
    }
}

impl Drop for FakeMarlin {
    fn drop(&mut self) {
        self.shared.lock().is_unplugged = true;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been seen by whoever waited for it.
            let _ = thread.join();
        }
    }
}

/// The commands by which a host asks and counts.
const QUESTIONS: [&str; 6] = ["M105", "M110", "M113", "M115", "M155", "M27"];

pub(crate) fn printed(executed: &[String]) -> Vec<String> {
    let is_question = |command: &str| {
        let code = command.split_whitespace().next().unwrap_or("");
        // What lost its first byte on the way is not known to a printer, and not executed by one.
        QUESTIONS.contains(&code) || !code.starts_with(['G', 'M', 'T'])
    };
    executed
        .iter()
        .filter(|command| !is_question(command))
        .cloned()
        .collect()
}

/// Carries bytes between the pty and the firmware until the cable is out.
fn run(shared: &Shared, master: &mut File) {
    let born = Instant::now();
    let mut out: Vec<u8> = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        {
            let mut state = shared.lock();
            let now_ms = born.elapsed().as_millis() as u64;
            state.firmware.advance(now_ms);
            if out.len() < UNREAD_MAX {
                out.extend(state.firmware.take_output());
            }
            if state.firmware.take_wish() == Some(Wish::Unplug) {
                state.is_unplugged = true;
            }
            shared.changed.notify_all();
            if state.is_unplugged {
                return;
            }
        }
        match master.write(&out) {
            Ok(count) => drop(out.drain(..count)),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return,
        }
        // Wakes for its own timers often enough for tests.
        let tick = Timespec {
            tv_sec: 0,
            tv_nsec: 2_000_000,
        };
        let readable = {
            let mut fds = [PollFd::new(&*master, PollFlags::IN)];
            matches!(poll(&mut fds, Some(&tick)), Ok(count) if count > 0)
        };
        if readable {
            match master.read(&mut buffer) {
                Ok(count) => {
                    let now_ms = born.elapsed().as_millis() as u64;
                    shared.lock().firmware.receive(now_ms, &buffer[..count]);
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return,
            }
        }
    }
}
