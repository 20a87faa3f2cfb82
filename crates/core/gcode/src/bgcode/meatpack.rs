//! MeatPack: the fifteen commonest characters of G-code in half a byte each.
//!
//! Two bytes 0xFF and a third switch it on and off, so that comments can stand between. Where spaces were left out they are put
//! back before each word of a command, as the slicer's own converter does.

/// Begins a command when it comes twice.
const SIGNAL: u8 = 0xFF;
const ENABLE: u8 = 251;
const DISABLE: u8 = 250;
const RESET: u8 = 249;
const NO_SPACES_ON: u8 = 247;
const NO_SPACES_OFF: u8 = 246;

/// In place of a character: it follows in full.
const IN_FULL: u8 = 0b1111;

/// Unpacks one block of G-code. What cannot be is left out: no bytes are an error.
pub(super) fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder {
        out: Vec::with_capacity(packed.len().saturating_mul(2)),
        ..Decoder::default()
    };
    let mut bytes = packed.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != SIGNAL {
            decoder.byte(byte);
        } else if bytes.next_if_eq(&SIGNAL).is_some() {
            if let Some(command) = bytes.next() {
                decoder.command(command);
            }
        } else {
            decoder.byte(SIGNAL);
        }
    }
    decoder.out
}

#[derive(Default)]
struct Decoder {
    out: Vec<u8>,
    is_on: bool,
    no_spaces: bool,
    /// Characters that follow in full.
    in_full: u8,
    /// The second half of a byte whose first half follows in full.
    then: Option<u8>,
    /// Within a line that begins with a G: its words are parted by spaces.
    in_command: bool,
}

impl Decoder {
    fn command(&mut self, command: u8) {
        match command {
            ENABLE => self.is_on = true,
            DISABLE | RESET => self.is_on = false,
            NO_SPACES_ON => self.no_spaces = true,
            NO_SPACES_OFF => self.no_spaces = false,
            _ => {}
        }
    }

    fn byte(&mut self, byte: u8) {
        if !self.is_on {
            self.put(byte);
            return;
        }
        if self.in_full > 0 {
            self.in_full -= 1;
            self.put(byte);
            if let Some(second) = self.then.take() {
                self.put(second);
            }
            return;
        }
        let (first, second) = (byte & 0b1111, byte >> 4);
        match (first, second) {
            (IN_FULL, IN_FULL) => self.in_full = 2,
            (IN_FULL, second) => {
                self.in_full = 1;
                self.then = Some(self.character(second));
            }
            (first, second) => {
                let first = self.character(first);
                self.put(first);
                // Behind the end of a line the other half is only there to fill the byte.
                if first != b'\n' {
                    match second {
                        IN_FULL => self.in_full = 1,
                        second => {
                            let second = self.character(second);
                            self.put(second);
                        }
                    }
                }
            }
        }
    }

    fn character(&self, half: u8) -> u8 {
        const CHARACTERS: &[u8; 15] = b"0123456789. \nGX";
        match half {
            0b1011 if self.no_spaces => b'E',
            half => CHARACTERS[usize::from(half % 15)],
        }
    }

    fn put(&mut self, character: u8) {
        const WORDS: &[u8] = b"XYZEFIJRSGPWHCA";
        let before = self.out.last().copied();
        let begins_line = before.is_none_or(|before| before == b'\n');
        if character == b'G' && begins_line {
            self.in_command = true;
        } else if character == b'\n' {
            self.in_command = false;
            // Lines that were emptied of their comments.
            if begins_line && before.is_some() {
                return;
            }
        } else if self.in_command && before != Some(b' ') && WORDS.contains(&character) {
            self.out.push(b' ');
        }
        self.out.push(character);
    }
}
