//! The `printmesh` command: reads arguments, asks the daemon, shows its answer. No rule of the product lives here.

mod args;
mod commands;
mod context;
mod error;
mod render;
#[cfg(test)]
mod tests;

use std::{alloc::System, process::ExitCode, sync::Arc};

use clap::{CommandFactory, FromArgMatches};
use zeroizing_alloc::ZeroAlloc;

use crate::{
    args::Cli,
    context::Context,
    error::{exit, system, to_json, usage},
    render::{Output, Style},
};

/// Whatever is freed is wiped: copies of keys go through buffers of other crates, which know nothing of secrets.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    let matches = match Cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return refuse(&error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let style = Style::of_process(cli.global.fields(), cli.global.quiet, cli.global.color);
    let output = Arc::new(Output::of_process(style));
    let cx = match Context::new(&cli.global, Arc::clone(&output)) {
        Ok(cx) => cx,
        Err(problem) => {
            output.problem(&problem);
            return ExitCode::from(problem.exit);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(commands::run(&cx, cli.command));
            // A read of stdin that nobody answers must not keep the process.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(system("start the asynchronous runtime", &error)),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            cx.output.problem(&problem);
            ExitCode::from(problem.exit)
        }
    }
}

/// Shows clap's own words, or a problem object when the words before the mistake asked for JSON. Help and version end here too.
fn refuse(error: &clap::Error) -> ExitCode {
    let json = std::env::args().any(|arg| arg == "--json" || arg.starts_with("--json="));
    if error.use_stderr() && json {
        let text = error.to_string();
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let title = lines.next().unwrap_or("wrong arguments");
        let mut problem = usage(title.trim_start_matches("error: "));
        problem.why = Some(lines.collect::<Vec<_>>().join("\n")).filter(|why| !why.is_empty());
        let style = Style::of_process(None, false, render::When::Auto);
        Output::of_process(style).tell(&to_json(&problem));
        return ExitCode::from(exit::USAGE);
    }
    // The terminal is gone: nobody is left to tell.
    drop(error.print());
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE))
}
