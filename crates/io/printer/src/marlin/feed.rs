//! The file's side of a print: a thread that reads it through once, to find what must not be printed, and then hands its
//! commands over as they are wanted.
//!
//! In a thread of its own, so that a slow disk or a large file keeps neither the port nor the daemon waiting.

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use super::{
    filter::{self, Machine, Verdict},
    wire,
};
use crate::gcode::Commands;

/// Commands that are read ahead.
const AHEAD: usize = 64;
/// While looking through the file: how often to see whether anyone still wants it.
const LOOK_UP_EVERY: u64 = 10_000;

/// What the reader says, in this order: `Looking`…, then `Ready`, then `Command` or `Pause`…, then `End`; or `Failed` at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Feed {
    /// Still reading through the file for the first time.
    Looking,
    /// The file can be printed; its size in bytes.
    Ready { bytes: u64 },
    /// The next command. `end`: bytes of the file that are used up with it.
    Command { text: String, end: u64 },
    /// The file wants the host to wait for a person here.
    Pause,
    /// That was all.
    End,
    /// The file cannot be printed, or not further; for people.
    Failed(String),
}

/// Starts reading. The thread ends when it is done or when the receiver is dropped.
pub(crate) fn read(path: PathBuf, machine: Machine) -> io::Result<Receiver<Feed>> {
    let (sender, receiver) = sync_channel(AHEAD);
    std::thread::Builder::new()
        .name("print-file".to_owned())
        .spawn(move || {
            let last = match look_through(&path, machine, &sender)
                .and_then(|()| hand_over(&path, machine, &sender))
            {
                Ok(()) => Feed::End,
                Err(Stop::Unwanted) => return,
                Err(Stop::Reason(reason)) => Feed::Failed(reason),
            };
            // The print may be over by now.
            let _ = sender.send(last);
        })?;
    Ok(receiver)
}

enum Stop {
    Unwanted,
    Reason(String),
}

fn open(path: &Path) -> Result<Commands<BufReader<File>>, Stop> {
    let file = File::open(path)
        .map_err(|error| Stop::Reason(format!("failed to open {}: {error}", path.display())))?;
    Ok(Commands::new(BufReader::with_capacity(1 << 16, file)))
}

fn send(sender: &SyncSender<Feed>, feed: Feed) -> Result<(), Stop> {
    sender.send(feed).map_err(|_| Stop::Unwanted)
}

fn judged(
    path: &Path,
    machine: Machine,
    command: Result<crate::gcode::Command, crate::gcode::ReadError>,
) -> Result<(Verdict, u64, u64), Stop> {
    let command = command.map_err(|error| {
        let cause = std::error::Error::source(&error)
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        Stop::Reason(format!("{}: {error}{cause}", path.display()))
    })?;
    match filter::judge(&command.text, machine) {
        Verdict::Refuse(why) => {
            let text: String = command
                .text
                .chars()
                .take(40)
                .flat_map(char::escape_debug)
                .collect();
            Err(Stop::Reason(format!(
                "line {} of the file {why}: {text}",
                command.line
            )))
        }
        verdict => Ok((verdict, command.line, command.end)),
    }
}

fn look_through(path: &Path, machine: Machine, sender: &SyncSender<Feed>) -> Result<(), Stop> {
    let (mut count, mut bytes) = (0u64, 0);
    for command in open(path)? {
        let (verdict, line, end) = judged(path, machine, command)?;
        bytes = end;
        if let Verdict::Send(text) = verdict {
            count += 1;
            // Our own lines are numbered too: some room for them, so that the number has at least as many digits later.
            let number = count + count / 8 + 1_000;
            if wire::encode(number, &fitting(text, number)).is_none() {
                return Err(Stop::Reason(format!(
                    "line {line} of the file is too long: a printer takes {} characters with number and checksum",
                    wire::LINE_MAX
                )));
            }
        }
        if count % LOOK_UP_EVERY == 1 {
            // A full channel is as good: somebody holds its other end.
            if let Err(std::sync::mpsc::TrySendError::Disconnected(_)) =
                sender.try_send(Feed::Looking)
            {
                return Err(Stop::Unwanted);
            }
        }
    }
    if count == 0 {
        return Err(Stop::Reason(format!(
            "{} contains no G-code commands",
            path.display()
        )));
    }
    send(sender, Feed::Ready { bytes })
}

fn hand_over(path: &Path, machine: Machine, sender: &SyncSender<Feed>) -> Result<(), Stop> {
    let mut count = 0u64;
    for command in open(path)? {
        let (verdict, _, end) = judged(path, machine, command)?;
        match verdict {
            Verdict::Send(text) => {
                count += 1;
                let text = fitting(text, count + count / 8 + 1_000);
                send(sender, Feed::Command { text, end })?;
            }
            Verdict::Pause => send(sender, Feed::Pause)?,
            Verdict::Drop | Verdict::Refuse(_) => {}
        }
    }
    Ok(())
}

/// Shortens a command only when it would not fit as it is.
fn fitting(text: String, number: u64) -> String {
    if wire::encode(number, &text).is_some() {
        text
    } else {
        filter::shorten(&text)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const MACHINE: Machine = Machine {
        tools: 1,
        is_klipper: false,
    };

    fn feed(text: &str) -> Vec<Feed> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        read(file.path().to_owned(), MACHINE)
            .unwrap()
            .iter()
            .filter(|feed| *feed != Feed::Looking)
            .collect()
    }

    #[track_caller]
    fn refused(text: &str, part: &str) {
        match &feed(text)[..] {
            [Feed::Failed(reason)] => assert!(reason.contains(part), "{reason}"),
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn a_file_is_handed_over_in_order() {
        let command = |text: &str, end| Feed::Command {
            text: text.to_owned(),
            end,
        };
        assert_eq!(
            feed("; head\nG28\nM105\nM0\nG1 X1 ; go\n"),
            [
                Feed::Ready { bytes: 30 },
                command("G28", 11),
                Feed::Pause,
                command("G1 X1", 30),
                Feed::End
            ]
        );
    }

    #[test]
    fn bad_files_are_refused_before_anything_is_sent() {
        refused("", "no G-code commands");
        refused("M105\n", "no G-code commands");
        refused(
            "G28\nG1 X1\nM112\n",
            "line 3 of the file would kill the printer: M112",
        );
        refused("G28\nHello\n", "line 2");
        refused(
            &format!("G28\nG1 X1 {}\n", "Y1 ".repeat(30)),
            "line 2 of the file is too long",
        );
        refused("GCDE\0", "binary");
    }

    #[test]
    fn a_line_that_is_too_long_only_by_zeros_is_shortened() {
        let long = format!("G1 X1.00000 {} E1.00000", "Y1.00000  ".repeat(8));
        let Feed::Command { text, .. } = &feed(&long)[1] else {
            panic!("it was refused")
        };
        assert!(text.starts_with("G1 X1 Y1 ") && text.len() < 60, "{text}");
    }

    #[test]
    fn a_reader_that_nobody_wants_ends() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for _ in 0..10_000 {
            file.write_all(b"G1 X1\n").unwrap();
        }
        let receiver = read(file.path().to_owned(), MACHINE).unwrap();
        assert!(receiver.recv().is_ok());
        drop(receiver);
    }
}
