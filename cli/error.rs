//! Exit codes, the problems that arise on this side of the socket, and how any problem is shown.
//!
//! Every failure is a [`Problem`]: what, why, fix, code. Scripts read the exit code and the code; people read the rest.

use clap::builder::styling::{AnsiColor, Style};
use printmesh_api::{envelope::versioned, problem::Problem};

use crate::render::table::clean;

/// What the shell gets. Scripts rely on it: a number is never given a second meaning.
pub(crate) mod exit {
    /// Done, already so, or nothing to do.
    pub(crate) const DONE: u8 = 0;
    /// Any other failure; also `status --check` when somebody is needed.
    pub(crate) const FAILED: u8 = 1;
    /// The command line itself is wrong (clap gives the same).
    pub(crate) const USAGE: u8 = 2;
    /// No such job, queue, printer or file, or more than one fits.
    pub(crate) const NOT_FOUND: u8 = 3;
    /// The daemon answers not.
    pub(crate) const DAEMON_DOWN: u8 = 6;
    /// `--timeout` is over.
    pub(crate) const TIMED_OUT: u8 = 7;
    /// Some of several are done.
    pub(crate) const PARTLY: u8 = 8;
    /// The job that was waited for failed or was cancelled.
    pub(crate) const JOB_FAILED: u8 = 10;
    /// Ctrl-C.
    pub(crate) const INTERRUPTED: u8 = 130;
    // Given by the daemon only: 4 not allowed, 5 conflict (leased, printing, taken name), 9 printer error.
}

/// The codes that the command line itself gives out, beside those of the API and of the daemon.
pub(crate) mod code {
    /// Arguments that clap or a command refuses.
    pub(crate) const USAGE: &str = "usage";
    /// Neither `--home` nor an environment that says where home is.
    pub(crate) const NO_HOME: &str = "home.unknown";
    /// There is no home to run a daemon in.
    pub(crate) const NOT_SET_UP: &str = "home.not-set-up";
    /// The daemon ended right after its start.
    pub(crate) const DAEMON_START: &str = "daemon.start";
    /// The daemon stopped while somebody was listening.
    pub(crate) const DAEMON_STOPPED: &str = "daemon.stopped";
    /// `--timeout` is over.
    pub(crate) const TIMED_OUT: &str = "timed.out";
    /// A question could not be asked, or was answered with no.
    pub(crate) const NOT_CONFIRMED: &str = "not.confirmed";
    /// A file to submit is not there.
    pub(crate) const FILE_MISSING: &str = "file.missing";
    /// A file to submit is empty.
    pub(crate) const FILE_EMPTY: &str = "file.empty";
    /// What was to be submitted is no file.
    pub(crate) const FILE_KIND: &str = "file.not-a-file";
    /// A member refused this host.
    pub(crate) const JOIN_REFUSED: &str = "join.refused";
    /// Something that this process needs from the system failed.
    pub(crate) const SYSTEM: &str = "system";
    /// The reader of our output went away: nobody is left to tell.
    pub(crate) const OUTPUT_CLOSED: &str = "output.closed";
    /// The demo did not print everything.
    pub(crate) const DEMO: &str = "demo.failed";
}

/// The arguments make no sense together.
pub(crate) fn usage(title: impl Into<String>) -> Problem {
    Problem::new(code::USAGE, exit::USAGE, title)
}

/// The system refused something.
pub(crate) fn system(doing: &str, error: &std::io::Error) -> Problem {
    Problem::new(code::SYSTEM, exit::FAILED, format!("failed to {doing}"))
        .because(error.to_string())
}

/// The daemon gave an answer of another kind than was asked for.
pub(crate) fn foreign(asked: &str) -> Problem {
    let title = format!("the daemon answered something else than {asked}");
    Problem::new(
        printmesh_api::problem::codes::DAEMON_FOREIGN,
        exit::FAILED,
        title,
    )
    .because("it is of another version than this command")
    .fix(
        "printmesh daemon stop",
        "stop it; the next command says how to start it again",
    )
}

/// A problem as text for people, with a final line break.
pub(crate) fn to_text(problem: &Problem, colour: bool) -> String {
    let paint = |style: Style, text: &str| {
        if colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    };
    let red = AnsiColor::Red.on_default().bold();
    let dim = Style::new().dimmed();
    let mut out = format!("{} {}\n", paint(red, "error:"), clean(&problem.title));
    let mut why = problem.why.iter().flat_map(|why| why.lines());
    if let Some(line) = why.next() {
        out += &format!("  {}  {}\n", paint(dim, "why"), clean(line));
    }
    for line in why {
        out += &format!("       {}\n", clean(line));
    }
    let width = problem.fixes.iter().map(|fix| fix.command.chars().count());
    let width = width.max().unwrap_or(0);
    for (index, fix) in problem.fixes.iter().enumerate() {
        let word = if index == 0 { "fix" } else { "   " };
        let (command, text) = (clean(&fix.command), clean(&fix.text));
        let line = match command.is_empty() {
            true => text,
            false => format!("{command:width$}   {text}"),
        };
        out += &format!("  {}  {}\n", paint(dim, word), line.trim_end());
    }
    out += &format!(
        "  {} {} (exit {})\n",
        paint(dim, "code"),
        clean(&problem.code),
        problem.exit
    );
    out
}

/// A problem as one line of JSON, with a final line break.
pub(crate) fn to_json(problem: &Problem) -> String {
    let mut value = serde_json::to_value(problem).expect("a problem is a plain value");
    if let Some(fields) = value.as_object_mut() {
        fields.insert("kind".to_owned(), "Problem".into());
    }
    format!("{}\n", versioned(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leased() -> Problem {
        let title = "cannot cancel kmzt \"bracket\": mk4-1 is printing it";
        Problem::new("job.leased", 5, title)
            .because("a printer that prints a job holds its lease; nobody else may remove it")
            .fix("printmesh job wait kmzt", "let this print finish")
            .fix("printmesh job hold kmzt", "and start no more")
            .fix("", "or ask at the printer")
    }

    #[test]
    fn people_read_what_why_fix_and_code() {
        let expected = "\
error: cannot cancel kmzt \"bracket\": mk4-1 is printing it
  why  a printer that prints a job holds its lease; nobody else may remove it
  fix  printmesh job wait kmzt   let this print finish
       printmesh job hold kmzt   and start no more
       or ask at the printer
  code job.leased (exit 5)
";
        assert_eq!(to_text(&leased(), false), expected);
        let coloured = to_text(&leased(), true);
        assert!(coloured.starts_with("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m "));
    }

    #[test]
    fn programs_read_one_json_line() {
        let json = to_json(&leased());
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["kind"], "Problem");
        assert_eq!(value["apiVersion"], "printmesh/v1");
        assert_eq!(value["code"], "job.leased");
        assert_eq!(value["fixes"][0]["command"], "printmesh job wait kmzt");
        assert_eq!(json.lines().count(), 1);
    }

    #[test]
    fn a_name_from_another_host_cannot_drive_the_terminal() {
        let problem = Problem::new("x.y", 1, "no \u{1b}]0;owned\u{7}").because("a\nb");
        let text = to_text(&problem, false);
        assert!(
            !text.contains('\u{1b}') && !text.contains('\u{7}'),
            "{text:?}"
        );
        assert!(text.contains("  why  a\n       b\n"), "{text:?}");
    }
}
