//! Moving bars on stderr, for people only. Nothing else is printed while one is up.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Output, job::percent, table::clean, time::duration};

/// Steps of a print bar.
const STEPS: u64 = 1000;

/// A bar for one upload; invisible when people do not read stderr.
pub(crate) fn upload(output: &Output, name: &str, bytes: u64) -> ProgressBar {
    let target = target(output);
    let bar = ProgressBar::with_draw_target(Some(bytes), target);
    bar.set_style(style(
        "  {prefix} {bar:24} {bytes}/{total_bytes} {bytes_per_sec} eta {eta}",
    ));
    bar.set_prefix(clean(name));
    bar
}

/// A bar per copy that is being printed.
pub(crate) struct Prints {
    bars: MultiProgress,
    copies: BTreeMap<(String, u32), ProgressBar>,
}

impl Prints {
    /// Starts without any bar.
    pub(crate) fn new(output: &Output) -> Self {
        Self {
            bars: MultiProgress::with_draw_target(target(output)),
            copies: BTreeMap::new(),
        }
    }

    /// Whether nobody sees the bars, so that lines should be written instead.
    pub(crate) fn is_hidden(&self) -> bool {
        self.bars.is_hidden()
    }

    /// Shows how far a copy is: `label` names it, `at` says where and what it does.
    pub(crate) fn set(
        &mut self,
        job: &str,
        copy: u32,
        label: &str,
        at: &str,
        progress: Option<f32>,
        left_s: Option<u64>,
    ) {
        let bar = self
            .copies
            .entry((job.to_owned(), copy))
            .or_insert_with(|| {
                let bar = self.bars.add(ProgressBar::new(STEPS));
                bar.set_style(style("  {prefix} {bar:20} {msg}"));
                bar
            });
        bar.set_prefix(clean(label));
        let mut message = clean(at);
        if let Some(progress) = progress {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "0 to STEPS"
            )]
            bar.set_position((progress.clamp(0.0, 1.0) * STEPS as f32) as u64);
            message = format!("{:>5} {message}", percent(progress));
        }
        if let Some(left) = left_s {
            message += &format!(", {} left", duration(left));
        }
        bar.set_message(message);
    }

    /// Leaves the copy's bar full, with how it ended.
    pub(crate) fn finish(&mut self, job: &str, copy: u32, label: &str, at: &str) {
        let key = (job.to_owned(), copy);
        if self.copies.get(&key).is_some_and(ProgressBar::is_finished) {
            return;
        }
        self.set(job, copy, label, at, Some(1.0), None);
        if let Some(bar) = self.copies.get(&key) {
            bar.finish();
        }
    }

    /// Writes a line above the bars.
    pub(crate) fn line(&self, text: &str) {
        drop(self.bars.println(clean(text)));
    }

    /// Takes all bars away.
    pub(crate) fn clear(&self) {
        drop(self.bars.clear());
    }
}

fn target(output: &Output) -> ProgressDrawTarget {
    match output.shows_progress() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the template is a constant of this file")
        .progress_chars("█▉░")
}
