//! The fake's firmware: what Marlin 2.1 does with the bytes of a serial port, without a port and without a clock.
//!
//! Written after `queue.cpp` of Marlin and after what was seen of a real one: receive buffer and command queue of their real
//! sizes, duplicates swallowed without a word, everything received thrown away after an error. No motion, hardly any physics.

mod receive;

use std::collections::VecDeque;

use super::faults::{Cable, Chance, Faults};

/// Marlin's `MAX_CMD_SIZE`, `BUFSIZE` and `RX_BUFFER_SIZE`.
const COMMAND_MAX: usize = 95;
const QUEUE_MAX: usize = 4;
const RECEIVE_MAX: usize = 128;

/// What the firmware wants of the world around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The cable is to be pulled out.
    Unplug,
}

#[derive(Clone, Debug)]
struct Running {
    command: String,
    line: Option<u64>,
    until_ms: u64,
    next_busy_ms: u64,
    waits_for_person: bool,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Firmware {
    faults: Faults,
    chance: Chance,
    to_printer: Cable,
    to_host: Cable,
    now_ms: u64,
    received: VecDeque<u8>,
    line: Vec<u8>,
    in_comment: bool,
    is_cut: bool,
    last_line: i64,
    queue: VecDeque<(String, Option<u64>)>,
    running: Option<Running>,
    executed: Vec<String>,
    out: Vec<u8>,
    targets: [f32; 2],
    report_ms: Option<u64>,
    next_report_ms: u64,
    is_halted: bool,
    is_silent: bool,
    wish: Option<Wish>,
}

impl Firmware {
    pub(crate) fn new(faults: Faults) -> Self {
        let mut firmware = Self {
            chance: Chance::new(faults.seed),
            to_printer: Cable::new(faults.corrupt_to_printer),
            to_host: Cable::new(faults.corrupt_to_host),
            faults,
            now_ms: 0,
            received: VecDeque::new(),
            line: Vec::new(),
            in_comment: false,
            is_cut: false,
            last_line: 0,
            queue: VecDeque::new(),
            running: None,
            executed: Vec::new(),
            out: Vec::new(),
            targets: [0.0; 2],
            report_ms: None,
            next_report_ms: 0,
            is_halted: false,
            is_silent: false,
            wish: None,
        };
        if firmware.faults.says_start && firmware.faults.parrot.is_none() {
            firmware.banner();
        }
        firmware
    }

    pub(crate) fn executed(&self) -> &[String] {
        &self.executed
    }

    pub(crate) fn is_hot(&self) -> bool {
        self.targets.iter().any(|target| *target > 0.0)
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.is_halted
    }

    pub(crate) fn take_wish(&mut self) -> Option<Wish> {
        self.wish.take()
    }

    /// Returns what has been said since the last call, as it arrives at the host.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        let out = std::mem::take(&mut self.out);
        self.to_host.carry(&mut self.chance, &out)
    }

    /// Presses the reset button.
    pub(crate) fn reset(&mut self) {
        self.received.clear();
        self.line.clear();
        self.queue.clear();
        (self.in_comment, self.is_cut, self.last_line) = (false, false, 0);
        (self.running, self.report_ms) = (None, None);
        (self.targets, self.is_halted, self.is_silent) = ([0.0; 2], false, false);
        if !self.faults.is_reset_silent {
            self.banner();
        }
    }

    fn banner(&mut self) {
        for line in [
            "start",
            "PowerUp",
            "Marlin 2.1.2.1",
            "",
            "echo: Last Updated: 2026-11-20",
            "//action:prompt_end",
        ] {
            self.say(line);
        }
    }

    pub(crate) fn say(&mut self, line: &str) {
        if !self.is_silent {
            self.out.extend(line.as_bytes());
            self.out.push(b'\n');
        }
    }

    fn ok(&mut self, line: Option<u64>, rest: &str) {
        if self.chance.happens(self.faults.lose_ok) {
            return;
        }
        let times = if self.chance.happens(self.faults.double_ok) {
            2
        } else {
            1
        };
        let number = line.filter(|_| self.faults.has_advanced_ok && rest.is_empty());
        let number = number
            .map(|line| format!(" N{line} P15 B3"))
            .unwrap_or_default();
        for _ in 0..times {
            self.say(&format!("ok{number}{rest}"));
        }
    }

    /// Takes bytes that the host has sent.
    pub(crate) fn receive(&mut self, now_ms: u64, bytes: &[u8]) {
        self.advance(now_ms);
        if let Some(answer) = &self.faults.parrot {
            self.out.extend(answer);
            return;
        }
        for byte in self.to_printer.carry(&mut self.chance, bytes) {
            if self.received.len() < RECEIVE_MAX {
                self.received.push_back(byte);
            }
            self.work();
        }
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        self.work();
        if self.is_halted || self.is_silent {
            return;
        }
        if let Some(every) = self
            .report_ms
            .filter(|_| self.now_ms >= self.next_report_ms)
        {
            self.next_report_ms = self.now_ms + every;
            let report = format!(" {}", self.report());
            self.say(&report);
        }
        let busy_ms = self.faults.busy_every.map(|every| every.as_millis() as u64);
        if let (Some(busy_ms), Some(running)) = (busy_ms, &mut self.running)
            && self.now_ms >= running.next_busy_ms
        {
            running.next_busy_ms = self.now_ms + busy_ms;
            let line = if running.waits_for_person {
                "echo:busy: paused for user"
            } else {
                "echo:busy: processing"
            };
            self.say(line);
        }
    }

    fn report(&self) -> String {
        let [nozzle, bed] = self.targets;
        let actual = |target: f32| target.max(20.0);
        format!(
            "T:{:.2} /{nozzle:.2} B:{:.2} /{bed:.2} @:0 B@:0",
            actual(nozzle),
            actual(bed)
        )
    }

    /// Reads lines and executes commands until it has to wait.
    fn work(&mut self) {
        loop {
            if self.is_halted || self.is_silent {
                self.received.clear();
                return;
            }
            self.read_lines();
            if let Some(running) = &self.running {
                if self.now_ms < running.until_ms {
                    return;
                }
                let done = self.running.take().expect("just seen");
                self.finish(&done);
            } else if let Some((command, line)) = self.queue.pop_front() {
                self.execute(command, line);
            } else {
                return;
            }
        }
    }

    fn halt(&mut self, why: &str) {
        self.say(why);
        self.say("Error:Printer halted. kill() called!");
        self.say("//action:poweroff");
        self.is_halted = true;
        self.targets = [0.0; 2];
        self.queue.clear();
        self.running = None;
    }

    fn execute(&mut self, command: String, line: Option<u64>) {
        let count = self.executed.len();
        let due = |after: Option<usize>| after == Some(count);
        if due(self.faults.reset_after) {
            self.faults.reset_after = None;
            return self.reset();
        }
        if due(self.faults.silent_after) {
            self.is_silent = true;
            return;
        }
        if due(self.faults.unplug_after) {
            self.wish = Some(Wish::Unplug);
            self.is_silent = true;
            return;
        }
        if due(self.faults.thermal_error_after) {
            self.faults.thermal_error_after = None;
            self.say("Error:Thermal Runaway, system stopped! Heater_ID: 0");
            return self.halt("");
        }
        if let Some((after, text)) = self.faults.say_after.take() {
            if after == count {
                self.say(&text);
            } else {
                self.faults.say_after = Some((after, text));
            }
        }
        self.executed.push(command.clone());
        let slow = self
            .faults
            .slow
            .iter()
            .find(|(begin, _)| command.starts_with(begin.as_str()));
        let mut takes_ms = slow.map_or(0, |(_, duration)| duration.as_millis() as u64);
        let waits_for_person = self
            .faults
            .waits_for_person
            .iter()
            .any(|begin| command.starts_with(begin.as_str()));
        if waits_for_person {
            takes_ms = u64::MAX / 2;
        } else if self.set_target(&command)
            && (command.starts_with("M109") || command.starts_with("M190"))
        {
            takes_ms = takes_ms.max(self.faults.heat_up.as_millis() as u64);
        }
        let busy_ms = self
            .faults
            .busy_every
            .map_or(u64::MAX / 2, |every| every.as_millis() as u64);
        self.running = Some(Running {
            command,
            line,
            until_ms: self.now_ms.saturating_add(takes_ms),
            next_busy_ms: self
                .now_ms
                .saturating_add(if waits_for_person { 0 } else { busy_ms }),
            waits_for_person,
        });
    }

    /// Returns whether a heater is driven by this command.
    fn set_target(&mut self, command: &str) -> bool {
        let heater = match command.split_whitespace().next() {
            Some("M104" | "M109") => 0,
            Some("M140" | "M190") => 1,
            _ => return false,
        };
        let given = command
            .split_whitespace()
            .find_map(|word| word.strip_prefix(['S', 'R']));
        let Some(target) = given.and_then(|target| target.parse().ok()) else {
            return false;
        };
        self.targets[heater] = target;
        target > 0.0
    }

    fn finish(&mut self, done: &Running) {
        let line = done.line;
        let mut words = done.command.split_whitespace();
        match words.next().unwrap_or("") {
            "M105" => {
                let report = format!(" {}", self.report());
                return self.ok(None, &report);
            }
            "M115" => {
                self.say("FIRMWARE_NAME:Marlin 2.1.2.1 (Nov 20 2026 10:11:12) SOURCE_CODE_URL:https://example.org PROTOCOL_VERSION:1.0 MACHINE_TYPE:Fake 3D EXTRUDER_COUNT:1 UUID:cede2a2f-41a2-4748-9b12-c55c62f367ff");
                let auto = u8::from(self.faults.has_auto_report);
                self.say(&format!("Cap:AUTOREPORT_TEMP:{auto}"));
                self.say("Cap:EMERGENCY_PARSER:1");
                self.say("Cap:THERMAL_PROTECTION:1");
            }
            "M113" => match self.faults.busy_every {
                Some(every) => self.say(&format!("echo:M113 S{}", every.as_secs().max(1))),
                None => self.say("echo:Unknown command: \"M113\""),
            },
            "M27" => match self.faults.card_print {
                Some((done, all)) => self.say(&format!("SD printing byte {done}/{all}")),
                None => self.say("Not SD printing"),
            },
            "M114" => self.say("X:10.00 Y:20.00 Z:0.30 E:1.50 Count X:800 Y:1600 Z:120"),
            "M155" => {
                let seconds: u64 = words
                    .next()
                    .and_then(|word| word.strip_prefix('S')?.parse().ok())
                    .unwrap_or(0);
                self.report_ms =
                    (seconds > 0 && self.faults.has_auto_report).then_some(seconds * 1000);
                self.next_report_ms = self.now_ms;
            }
            code if !is_code(code) => {
                self.say(&format!("echo:Unknown command: \"{}\"", done.command))
            }
            _ => {}
        }
        self.ok(line, "");
    }
}

fn is_code(word: &str) -> bool {
    word.starts_with(['G', 'M', 'T']) && word[1..].starts_with(|c: char| c.is_ascii_digit())
}
