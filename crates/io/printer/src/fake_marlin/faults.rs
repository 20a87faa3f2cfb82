//! What goes wrong between a host and the fake, and when: all from one seed, so that a run can be repeated.

use std::time::Duration;

/// Everything that can be made to go wrong. The default is a healthy printer on a good cable.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// Of the random choices below.
    pub seed: u64,
    /// Share of the lines to the printer that are garbled: a bit flipped, a byte lost or doubled, the whole line lost.
    pub corrupt_to_printer: f64,
    /// The same for the lines to the host.
    pub corrupt_to_host: f64,
    /// Share of the `ok`s that are not sent.
    pub lose_ok: f64,
    /// Share of the `ok`s that are sent twice.
    pub double_ok: f64,
    /// After so many executed commands the board resets.
    pub reset_after: Option<usize>,
    /// Whether such a reset says nothing, not even `start`.
    pub is_reset_silent: bool,
    /// After so many executed commands the cable is pulled out.
    pub unplug_after: Option<usize>,
    /// After so many executed commands the printer says nothing any more and does nothing.
    pub silent_after: Option<usize>,
    /// After so many executed commands it halts with a thermal error.
    pub thermal_error_after: Option<usize>,
    /// After so many executed commands it says this line.
    pub say_after: Option<(usize, String)>,
    /// Commands that take long, by their beginning.
    pub slow: Vec<(String, Duration)>,
    /// Commands within which it waits for a person, by their beginning; `M108` ends the wait.
    pub waits_for_person: Vec<String>,
    /// Whether it says that it is busy, and how often.
    pub busy_every: Option<Duration>,
    /// Whether a `Resend` is followed by an `ok`, as in Marlin.
    pub resend_has_ok: bool,
    /// Whether `ok` carries the line's number (`ADVANCED_OK`).
    pub has_advanced_ok: bool,
    /// Whether it can report temperatures by itself.
    pub has_auto_report: bool,
    /// How long a heater needs to its target.
    pub heat_up: Duration,
    /// What it prints from its own card: bytes done, bytes in all.
    pub card_print: Option<(u64, u64)>,
    /// Whether it says `start` when it is switched on, as a board does that restarts when its port is opened.
    pub says_start: bool,
    /// What it answers to everything, if it is no printer at all.
    pub parrot: Option<Vec<u8>>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            seed: 1,
            corrupt_to_printer: 0.0,
            corrupt_to_host: 0.0,
            lose_ok: 0.0,
            double_ok: 0.0,
            reset_after: None,
            is_reset_silent: false,
            unplug_after: None,
            silent_after: None,
            thermal_error_after: None,
            say_after: None,
            slow: Vec::new(),
            waits_for_person: Vec::new(),
            busy_every: Some(Duration::from_secs(2)),
            resend_has_ok: true,
            has_advanced_ok: false,
            has_auto_report: true,
            heat_up: Duration::from_millis(300),
            card_print: None,
            says_start: true,
            parrot: None,
        }
    }
}

/// SplitMix64: enough chance for faults, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns true with this probability.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && ((self.next() >> 11) as f64 / (1u64 << 53) as f64) < probability
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// Garbles one line (with its line end) as a bad cable does: each is an error that a checksum of eight bits can see.
    pub(crate) fn garble(&mut self, line: &mut Vec<u8>) {
        if line.is_empty() {
            return;
        }
        let at = self.below(line.len());
        match self.below(8) {
            0 => line.clear(),
            1 => drop(line.remove(at)),
            2 => line.insert(at, line[at]),
            _ => line[at] ^= 1 << self.below(8),
        }
    }
}

/// A cable in one direction: lines in, sometimes garbled lines out.
#[derive(Clone, Debug)]
pub(crate) struct Cable {
    rate: f64,
    partial: Vec<u8>,
}

impl Cable {
    pub(crate) fn new(rate: f64) -> Self {
        Self {
            rate,
            partial: Vec::new(),
        }
    }

    /// Carries bytes; what has no line end yet waits for it.
    pub(crate) fn carry(&mut self, chance: &mut Chance, bytes: &[u8]) -> Vec<u8> {
        let mut carried = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.partial.push(byte);
            if byte == b'\n' {
                let mut line = std::mem::take(&mut self.partial);
                if line.len() > 1 && chance.happens(self.rate) {
                    chance.garble(&mut line);
                }
                carried.extend(line);
            }
        }
        carried
    }
}
