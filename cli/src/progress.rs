//! How far a run is, for whoever watches a terminal.

use core::time::Duration;
use std::io::{self, IsTerminal as _};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::Flow;
use crate::tally::Tally;

/// Runs shorter than this show nothing.
const QUIET: Duration = Duration::from_millis(500);
/// Between two updates.
const STEP: Duration = Duration::from_millis(100);
/// Frames smaller than this are looked at 64 at a time.
const SMALL: usize = 64 << 10;

/// A bar on standard error, if that is a terminal and nothing else is said there.
#[derive(Debug)]
pub(crate) struct Progress {
    watched: bool,
    limit: Option<u64>,
    started: Instant,
    updated: Instant,
    waited: bool,
    bar: Option<ProgressBar>,
    /// What is counted.
    what: &'static str,
}

impl Progress {
    /// For a run of at most `limit` frames; 0 = no limit.
    pub(crate) fn new(flow: &Flow, limit: u64) -> Self {
        Self::counting("frames", !flow.json_output && !flow.verbose, limit)
    }

    /// The same, counting something else; not shown unless `watched`.
    pub(crate) fn counting(what: &'static str, watched: bool, limit: u64) -> Self {
        let now = Instant::now();
        Self {
            watched: watched && io::stderr().is_terminal(),
            limit: (limit > 0).then_some(limit),
            started: now,
            updated: now,
            waited: false,
            bar: None,
            what,
        }
    }

    /// To be called after each frame of `len` bytes: costs a comparison, and a look at the clock now and then.
    pub(crate) fn frame(&mut self, tally: &Tally, len: usize) {
        if self.watched && (len >= SMALL || self.waited || tally.frames.is_multiple_of(64)) {
            self.waited = false;
            self.update(tally);
        }
    }

    /// To be called after a wait: the next frame is looked at, however small.
    pub(crate) fn wait(&mut self) {
        self.waited = true;
    }

    fn update(&mut self, tally: &Tally) {
        let now = Instant::now();
        if now.duration_since(self.started) < QUIET || now.duration_since(self.updated) < STEP {
            return;
        }
        self.updated = now;
        let bar = self.bar.get_or_insert_with(|| new_bar(self.limit, self.what));
        bar.set_position(tally.frames);
        bar.set_message(format!("{:.1} MiB/s", tally.throughput()));
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn new_bar(limit: Option<u64>, what: &str) -> ProgressBar {
    let (bar, template) = match limit {
        Some(limit) => {
            (ProgressBar::new(limit), format!("{{wide_bar}} {{pos}}/{{len}} {what}  {{msg}}  {{eta}}"))
        }
        None => (ProgressBar::new_spinner(), format!("{{spinner}} {{pos}} {what}  {{msg}}")),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
