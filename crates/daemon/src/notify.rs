//! Tells people who do not listen: a program of this host's owner is run when a printer comes to wait for a person.

use std::{process::Stdio, time::Duration};

use printmesh_api::reply::Event;
use serde::{Deserialize, Serialize};
use tokio::{process::Command, sync::mpsc};

use crate::{
    limits::{NOTICES, NOTIFY_TIME_MAX},
    slicer::Group,
};

/// The event of which people are told.
pub(crate) const KIND: &str = "printer.needs-person";

/// Who tells people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// A program. It is given the printer, the code of the reason, and the reason in words.
    pub command: String,
}

/// Starts telling people; ends when nobody has anything to tell any more.
pub(crate) fn start(notify: Option<Notify>) -> mpsc::Sender<Event> {
    let (sender, mut notices) = mpsc::channel::<Event>(NOTICES);
    if let Some(notify) = notify {
        tokio::spawn(async move {
            // One after the other: the program need not be able to do more.
            while let Some(event) = notices.recv().await {
                if let Err(why) = tell(&notify.command, event, NOTIFY_TIME_MAX).await {
                    tracing::warn!(command = notify.command, why, "nobody was told");
                }
            }
        });
    }
    sender
}

async fn tell(command: &str, event: Event, limit: Duration) -> Result<(), String> {
    let words = [event.printer, event.state, event.text];
    let mut child = Command::new(command)
        .args(words.map(Option::unwrap_or_default))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What it starts itself ends with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut group = Group::of(&child);
    let ended = tokio::time::timeout(limit, child.wait()).await;
    let status = ended
        .map_err(|_| format!("it was stopped after {} s", limit.as_secs()))?
        .map_err(|error| error.to_string())?;
    group.leader = None;
    match status.success() {
        true => Ok(()),
        false => Err(format!("it ended with {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event {
            kind: KIND.to_owned(),
            printer: Some("b/mk4".to_owned()),
            state: Some("bed-not-clear".to_owned()),
            text: Some("a print; rm -rf / lies on the bed".to_owned()),
            ..Event::default()
        }
    }

    fn script(folder: &std::path::Path, text: &str) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.join("tell");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn r_l10_the_program_is_given_printer_code_and_words_and_no_shell_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("told");
        let command = script(
            folder.path(),
            &format!("printf '%s|' \"$@\" > {}", told.display()),
        );
        tell(&command, event(), NOTIFY_TIME_MAX).await.unwrap();
        assert_eq!(
            std::fs::read_to_string(told).unwrap(),
            "b/mk4|bed-not-clear|a print; rm -rf / lies on the bed|"
        );
    }

    #[tokio::test]
    async fn a_program_that_fails_hangs_or_is_not_there_is_told_of_and_waited_for_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let fails = script(folder.path(), "exit 3");
        let why = tell(&fails, event(), NOTIFY_TIME_MAX).await.unwrap_err();
        assert!(why.contains('3'), "{why}");
        let hangs = script(folder.path(), "sleep 1000");
        let why = tell(&hangs, event(), Duration::ZERO).await.unwrap_err();
        assert_eq!(why, "it was stopped after 0 s");
        let absent = folder.path().join("absent");
        let absent = tell(absent.to_str().unwrap(), event(), NOTIFY_TIME_MAX).await;
        assert!(absent.is_err());
    }
}
