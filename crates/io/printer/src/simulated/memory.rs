//! What an autonomous simulated machine keeps while nobody is connected to it, as a real one does in its own memory: a small
//! file outside this process, rewritten whenever its print begins, stands, goes on or ends.

use std::{
    fs,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::driver::Outcome;

/// The file, named by the address.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    path: PathBuf,
}

/// The last print of the machine.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Remembered {
    pub(super) attempt: String,
    pub(super) state: State,
}

/// How it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// It is being printed, or stands in the middle.
    UnderWay(Course),
    Ended(Outcome),
}

/// Where it is on its plan, in seconds of the real machine.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Course {
    pub(super) total_s: f64,
    pub(super) started_s: f64,
    pub(super) stops: Vec<f64>,
    pub(super) position_s: f64,
    /// When it was there, by the wall clock in milliseconds, if it goes on by itself.
    pub(super) since_ms: Option<u64>,
}

pub(super) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis().try_into().unwrap_or(u64::MAX))
}

impl Memory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// What the machine remembers; nothing when the file is missing or not whole.
    pub(super) fn load(&self) -> Option<Remembered> {
        let text = fs::read_to_string(&self.path).ok()?;
        parse(&text)
    }

    /// A machine whose memory fails forgets, as a real one would; its print goes on.
    pub(super) fn save(&self, remembered: &Remembered) {
        let new = self.path.with_extension("new");
        let written = fs::write(&new, text(remembered)).and_then(|()| fs::rename(&new, &self.path));
        if let Err(error) = written {
            tracing::warn!(path = %self.path.display(), %error, "the simulated machine cannot remember its print");
        }
    }
}

fn text(remembered: &Remembered) -> String {
    let attempt = one_line(&remembered.attempt);
    match &remembered.state {
        State::UnderWay(course) => {
            let stops: Vec<String> = course.stops.iter().map(ToString::to_string).collect();
            let since = course.since_ms.map_or("-".to_owned(), |ms| ms.to_string());
            format!(
                "under-way\n{attempt}\n{} {} {} {since}\n{}\n",
                course.total_s,
                course.started_s,
                course.position_s,
                stops.join(" ")
            )
        }
        State::Ended(Outcome::Finished) => format!("finished\n{attempt}\n"),
        State::Ended(Outcome::Aborted) => format!("aborted\n{attempt}\n"),
        State::Ended(Outcome::Failed { reason }) => {
            format!("failed\n{attempt}\n{}\n", one_line(reason))
        }
    }
}

pub(super) fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn parse(text: &str) -> Option<Remembered> {
    let mut lines = text.lines();
    let (word, attempt) = (lines.next()?, lines.next()?.to_owned());
    let state = match word {
        "finished" => State::Ended(Outcome::Finished),
        "aborted" => State::Ended(Outcome::Aborted),
        "failed" => State::Ended(Outcome::Failed {
            reason: lines.next()?.to_owned(),
        }),
        "under-way" => {
            let mut numbers = lines.next()?.split(' ');
            let mut number = || {
                numbers
                    .next()?
                    .parse::<f64>()
                    .ok()
                    .filter(|n| n.is_finite())
            };
            let (total_s, started_s, position_s) = (number()?, number()?, number()?);
            let since_ms = match numbers.next()? {
                "-" => None,
                ms => Some(ms.parse().ok()?),
            };
            let stops = lines.next()?.split_whitespace();
            State::UnderWay(Course {
                total_s,
                started_s,
                stops: stops.map(|stop| stop.parse().ok()).collect::<Option<_>>()?,
                position_s,
                since_ms,
            })
        }
        _ => return None,
    };
    Some(Remembered { attempt, state })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_read_back_and_half_a_memory_is_none() {
        let course = Course {
            total_s: 12.5,
            started_s: 1.0,
            stops: vec![3.0, 4.25],
            position_s: 2.0,
            since_ms: Some(7),
        };
        let states = [
            State::UnderWay(course.clone()),
            State::UnderWay(Course {
                stops: Vec::new(),
                since_ms: None,
                ..course
            }),
            State::Ended(Outcome::Finished),
            State::Ended(Outcome::Aborted),
            State::Ended(Outcome::Failed {
                reason: "it jammed".to_owned(),
            }),
        ];
        for state in states {
            let remembered = Remembered {
                attempt: "job/0/1/2".to_owned(),
                state,
            };
            let written = text(&remembered);
            assert_eq!(parse(&written).as_ref(), Some(&remembered));
            let first = written.lines().next().unwrap();
            assert_eq!(parse(first), None);
        }
        assert_eq!(parse(""), None);
        assert_eq!(parse("dreaming\na\n"), None);
    }
}
