//! The fake's receiving end: bytes into lines, lines into the command queue, as `GCodeQueue` of Marlin does it.

use super::{COMMAND_MAX, Firmware, QUEUE_MAX};

impl Firmware {
    pub(super) fn read_lines(&mut self) {
        while self.queue.len() < QUEUE_MAX {
            let Some(byte) = self.received.pop_front() else {
                return;
            };
            match byte {
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    (self.in_comment, self.is_cut) = (false, false);
                    if !line.is_empty() {
                        self.take_line(&line);
                    }
                }
                b';' => self.in_comment = true,
                _ if self.in_comment || self.is_cut => {}
                _ => {
                    self.line.push(byte);
                    self.is_cut = self.line.len() >= COMMAND_MAX;
                }
            }
        }
    }

    /// `GCodeQueue::get_serial_commands`.
    fn take_line(&mut self, line: &[u8]) {
        let spaces = line.iter().take_while(|byte| **byte == b' ').count();
        let line = &line[spaces..];
        let text: String = line.iter().map(|byte| char::from(*byte)).collect();
        if !text.starts_with('N') {
            return self.enqueue(text, None);
        }
        let is_m110 = text.contains("M110");
        let number_at = if is_m110 {
            text.get(4..)
                .and_then(|rest| rest.find('N'))
                .map_or(0, |at| at + 4)
        } else {
            0
        };
        let number = to_number(&text[number_at + 1..]);
        if number != self.last_line + 1 && !is_m110 {
            if number == self.last_line || number == self.last_line - 1 {
                return; // "a request-for-resend line was already in transit so we got two - oops!"
            }
            return self.line_error("Line Number is not Last Line Number+1");
        }
        let Some(star) = line.iter().rposition(|byte| *byte == b'*') else {
            return self.line_error("No Checksum with line number");
        };
        let sum = line[..star].iter().fold(0u8, |sum, byte| sum ^ byte);
        let given: String = line[star + 1..]
            .iter()
            .map(|byte| char::from(*byte))
            .collect();
        if to_number(&given) != i64::from(sum) {
            return self.line_error("checksum mismatch");
        }
        self.last_line = number;
        let command: String = line[..star].iter().map(|byte| char::from(*byte)).collect();
        let command = command
            .trim_start_matches('N')
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
        self.enqueue(command.trim().to_owned(), u64::try_from(number).ok());
    }

    fn enqueue(&mut self, command: String, line: Option<u64>) {
        let code = command.split_whitespace().next().unwrap_or("");
        match code {
            "M112" => {
                self.executed.push("M112".to_owned());
                return self.halt("echo:M112 Shutdown");
            }
            "M108" => {
                if let Some(running) = &mut self.running
                    && (running.waits_for_person
                        || running.command.starts_with("M109")
                        || running.command.starts_with("M190"))
                {
                    running.until_ms = self.now_ms;
                }
            }
            _ => {}
        }
        self.queue.push_back((command, line));
    }

    /// `GCodeQueue::gcode_line_error`.
    fn line_error(&mut self, what: &str) {
        let last = self.last_line;
        self.say(&format!("Error:{what}, Last Line: {last}"));
        self.received.clear();
        self.line.clear();
        self.say(&format!("Resend: {}", last + 1));
        if self.faults.resend_has_ok {
            self.ok(None, "");
        }
    }
}

/// `strtol`: as many digits as there are, or 0.
fn to_number(text: &str) -> i64 {
    let text = text.trim_start_matches(' ');
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    sign * digits[..end].parse().unwrap_or(0)
}
