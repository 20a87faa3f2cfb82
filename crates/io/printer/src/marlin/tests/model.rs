//! The protocol and the fake's firmware in one thread, without IO, under a clock of our own.

use crate::{
    fake_marlin::{Faults, firmware::Firmware as Fake, printed},
    marlin::{
        Timings,
        feed::Feed,
        identify::{Identify, Refusal},
        protocol::{Action, Outcome, Protocol},
    },
};

/// Longer than any schedule of faults needs; a print that is still not over hangs.
const HOURS_MAX: u64 = 48;

pub(super) struct Bench {
    pub(super) fake: Fake,
    pub(super) protocol: Protocol,
    pub(super) now_ms: u64,
    pub(super) file: std::vec::IntoIter<Feed>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) starts: u32,
    pub(super) written: Vec<u8>,
    /// Said by the fake and not yet heard: lines arrive one by one, so that what is said twice arrives after an answer to the first.
    pub(super) on_the_way: Vec<u8>,
    /// How much was executed before the print: an unnumbered question, garbled on the way, can be any harmless thing.
    pub(super) before: usize,
}

/// What the reader thread would hand over for this text, or why it would not.
pub(super) fn feeds(text: &str) -> Vec<Feed> {
    use std::io::Write;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let machine = crate::marlin::filter::Machine {
        tools: 1,
        is_klipper: false,
    };
    crate::marlin::feed::read(file.path().to_owned(), machine)
        .unwrap()
        .iter()
        .collect()
}

pub(super) fn identify(
    fake: &mut Fake,
    now_ms: &mut u64,
) -> Result<crate::marlin::firmware::Firmware, Refusal> {
    let mut talk = Identify::new(Timings::default(), *now_ms);
    loop {
        talk.on_bytes(*now_ms, &fake.take_output());
        talk.on_tick(*now_ms);
        fake.receive(*now_ms, &talk.take_output());
        if let Some(result) = talk.take_result() {
            return result;
        }
        *now_ms += 5;
    }
}

impl Bench {
    pub(super) fn new(faults: Faults) -> Result<Self, Refusal> {
        let mut fake = Fake::new(faults);
        let mut now_ms = 0;
        let firmware = identify(&mut fake, &mut now_ms)?;
        let protocol = Protocol::new(firmware, Timings::default(), now_ms);
        let nothing = Vec::new().into_iter();
        Ok(Self {
            fake,
            protocol,
            now_ms,
            file: nothing,
            outcomes: Vec::new(),
            starts: 0,
            written: Vec::new(),
            on_the_way: Vec::new(),
            before: 0,
        })
    }

    pub(super) fn start(&mut self, feeds: Vec<Feed>) {
        // A garbled temperature looks hot now and then; that is dealt with before.
        self.until(|bench| !bench.protocol.is_busy());
        self.before = self.fake.executed().len();
        self.file = feeds.into_iter();
        self.protocol.start();
    }

    /// One exchange of bytes; the clock jumps when there was nothing to say.
    pub(super) fn step(&mut self) {
        self.on_the_way.extend(self.fake.take_output());
        let line_end = self.on_the_way.iter().position(|byte| *byte == b'\n');
        let said: Vec<u8> = self
            .on_the_way
            .drain(..line_end.map_or(0, |at| at + 1))
            .collect();
        let mut is_quiet = said.is_empty();
        self.protocol.on_bytes(self.now_ms, &said);
        self.protocol.on_tick(self.now_ms);
        if self.protocol.wants_feed()
            && let Some(feed) = self.file.next()
        {
            self.protocol.feed(self.now_ms, feed);
            is_quiet = false;
        }
        for action in self.protocol.take_actions() {
            match action {
                Action::Write(bytes) | Action::WriteFirst(bytes) => {
                    is_quiet = false;
                    self.written.extend(&bytes);
                    self.fake.receive(self.now_ms, &bytes);
                }
                Action::ReadFile | Action::StopReading => {}
                Action::Started => self.starts += 1,
                Action::Ended(outcome) => self.outcomes.push(outcome),
            }
        }
        self.now_ms += if is_quiet { 25 } else { 1 };
        self.fake.advance(self.now_ms);
        assert!(
            self.now_ms < HOURS_MAX * 3_600_000,
            "the print hangs in {:?}",
            self.protocol.phase()
        );
    }

    pub(super) fn run(&mut self) -> Outcome {
        while self.outcomes.is_empty() {
            self.step();
        }
        let done = self.printed().len();
        // Whatever comes after the end must not change it, and moves nothing.
        for _ in 0..2_000 {
            self.step();
        }
        assert_eq!(self.outcomes.len(), 1, "one print, one outcome");
        let after = &self.printed()[done..];
        assert!(
            after.iter().all(|command| is_off(command)),
            "after the end came {after:?}"
        );
        self.outcomes[0].clone()
    }

    pub(super) fn until(&mut self, mut enough: impl FnMut(&Self) -> bool) {
        while !enough(self) {
            self.step();
        }
    }

    pub(super) fn printed(&self) -> Vec<String> {
        printed(&self.fake.executed()[self.before..])
    }
}

pub(super) fn print(text: &str, faults: Faults) -> (Bench, Outcome) {
    let mut bench = Bench::new(faults).unwrap();
    bench.start(feeds(text));
    let outcome = bench.run();
    (bench, outcome)
}

/// A command that only switches off, or what a bad cable makes of one: those are not numbered.
fn is_off(command: &str) -> bool {
    let is_one = |off: &str| command.starts_with(off) || off.starts_with(command);
    ["M104 S0", "M140 S0", "M107", "M108"]
        .into_iter()
        .any(is_one)
        || (command.len() <= 8 && !command.starts_with('G'))
}

/// The law: a finished print did exactly what the file says; a failed one did a part of it. After either, heaters are only
/// switched off.
pub(super) fn check(bench: &Bench, outcome: &Outcome, expected: &[String]) -> Result<(), String> {
    let printed = bench.printed();
    let same = printed
        .iter()
        .zip(expected)
        .take_while(|(is, should)| is == should)
        .count();
    if let Some(wrong) = printed[same..].iter().find(|command| !is_off(command)) {
        return Err(format!("{outcome:?}, but it did {wrong}: {printed:?}"));
    }
    match outcome {
        Outcome::Finished if same == expected.len() => Ok(()),
        Outcome::Finished => Err(format!("finished, but only {printed:?} was done")),
        Outcome::Aborted => Err("nobody cancelled".to_owned()),
        Outcome::Failed(_) => Ok(()),
    }
}
