//! A serial port, opened for this driver alone, and what can be wrong with one.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    path::Path,
    time::{Duration, Instant},
};

use crate::connect::ConnectError;

/// What the thread needs of a port.
pub trait Transport: Read + Write + Send {
    /// Sets how long a read or write may wait before it fails with [`io::ErrorKind::TimedOut`].
    fn set_wait(&mut self, wait: Duration) -> io::Result<()>;
}

impl Transport for Box<dyn serialport::SerialPort> {
    fn set_wait(&mut self, wait: Duration) -> io::Result<()> {
        self.as_mut().set_timeout(wait).map_err(io::Error::from)
    }
}

/// A driver that was closed a moment ago may need this long to let go of its port.
const IN_USE_FOR: Duration = Duration::from_secs(1);

/// A port that takes no byte for so long is dead.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// Opens a serial port exclusively. Most boards restart by that.
pub(crate) fn open(path: &Path, baud: u32) -> Result<Box<dyn Transport>, ConnectError> {
    let since = Instant::now();
    loop {
        let builder = serialport::new(path.to_string_lossy(), baud)
            .exclusive(true)
            .timeout(Duration::from_millis(10));
        match builder.open() {
            Ok(port) => return Ok(Box::new(port)),
            Err(error) => match explain(path, baud, error) {
                ConnectError::PortInUse { .. } if since.elapsed() < IN_USE_FOR => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                error => return Err(error),
            },
        }
    }
}

fn explain(path: &Path, baud: u32, error: serialport::Error) -> ConnectError {
    let port = path.to_owned();
    match error.kind() {
        serialport::ErrorKind::Io(ErrorKind::NotFound) => ConnectError::NoSuchPort { port },
        serialport::ErrorKind::Io(ErrorKind::PermissionDenied) => {
            ConnectError::PermissionDenied { port }
        }
        // This kind is used for a lock that somebody else holds.
        serialport::ErrorKind::NoDevice => ConnectError::PortInUse { port },
        serialport::ErrorKind::Io(_)
        | serialport::ErrorKind::InvalidInput
        | serialport::ErrorKind::Unknown => ConnectError::NotAPort {
            port,
            baud,
            source: error,
        },
    }
}

/// The port and what is still to be written to it.
pub(crate) struct Line {
    pub(crate) port: Box<dyn Transport>,
    pub(crate) out: VecDeque<u8>,
    stuck_since: Option<Instant>,
    born: Instant,
}

impl Line {
    pub(crate) fn new(port: Box<dyn Transport>) -> Self {
        Self {
            port,
            out: VecDeque::new(),
            stuck_since: None,
            born: Instant::now(),
        }
    }

    /// Milliseconds of the driver's clock, which begins here.
    pub(crate) fn now_ms(&self) -> u64 {
        self.born
            .elapsed()
            .as_millis()
            .try_into()
            .unwrap_or(u64::MAX)
    }

    /// Returns what has come, which may be nothing. An end of the stream is a lost port.
    pub(crate) fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 1024];
        match self.port.read(&mut buffer) {
            Ok(0) => Err(ErrorKind::BrokenPipe.into()),
            Ok(count) => Ok(buffer[..count].to_vec()),
            Err(error) if is_passing(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Writes what the port takes now.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.port.write(self.out.make_contiguous()) {
                Ok(count) if count > 0 => {
                    self.out.drain(..count);
                    self.stuck_since = None;
                }
                Err(error) if !is_passing(&error) => return Err(error),
                Ok(_) | Err(_) => {
                    if self.stuck_since.get_or_insert_with(Instant::now).elapsed() > WRITE_MAX {
                        return Err(io::Error::new(
                            ErrorKind::TimedOut,
                            "the port takes no bytes any more",
                        ));
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_fail_is_explained() {
        let say = |kind| {
            explain(
                Path::new("/dev/ttyUSB0"),
                115_200,
                serialport::Error::new(kind, "why"),
            )
            .to_string()
        };
        assert!(
            say(serialport::ErrorKind::Io(ErrorKind::NotFound)).contains("no port /dev/ttyUSB0")
        );
        assert!(
            say(serialport::ErrorKind::Io(ErrorKind::PermissionDenied)).contains("group dialout")
        );
        assert!(say(serialport::ErrorKind::NoDevice).contains("in use"));
        assert!(say(serialport::ErrorKind::Unknown).contains("115200"));
    }
}
