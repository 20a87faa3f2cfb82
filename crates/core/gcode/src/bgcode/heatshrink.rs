//! Heatshrink: a bit stream of bytes and of references to what was unpacked before.
//!
//! A 1 is followed by a byte; a 0 by how far back to copy from, less one, and how many bytes, less one. High bits come first.

/// Unpacks exactly `len` bytes; `None` when there are fewer.
pub(super) fn unpack(
    packed: &[u8],
    window_bits: u8,
    length_bits: u8,
    len: usize,
) -> Option<Vec<u8>> {
    let mut bits = Bits {
        bytes: packed,
        at: 0,
    };
    // Two bytes make sixteen at most.
    let mut unpacked = Vec::with_capacity(len.min(8 * packed.len()));
    while unpacked.len() < len {
        if bits.take(1)? == 1 {
            #[expect(clippy::cast_possible_truncation, reason = "eight bits")]
            unpacked.push(bits.take(8)? as u8);
            continue;
        }
        let back = bits.take(window_bits)? + 1;
        let count = bits.take(length_bits)? + 1;
        for _ in 0..count.min(len - unpacked.len()) {
            // Before its first byte the window holds zeros.
            let from = unpacked.len().checked_sub(back);
            unpacked.push(from.map_or(0, |from| unpacked[from]));
        }
    }
    Some(unpacked)
}

struct Bits<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u8) -> Option<usize> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value = value << 1 | usize::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_references_are_told_apart() {
        // 1 'a', then 0 with 11 bits of distance 1 and 4 bits of count 5: `a` five times more.
        let packed = [0b1011_0000, 0b1000_0000, 0b0000_0010, 0b0000_0000];
        assert_eq!(unpack(&packed, 11, 4, 6).as_deref(), Some(&b"aaaaaa"[..]));
        assert_eq!(unpack(&packed, 11, 4, 3).as_deref(), Some(&b"aaa"[..]));
        assert_eq!(unpack(&packed[..1], 11, 4, 1), None, "it ends too early");
        assert_eq!(unpack(&[0], 11, 4, 0).as_deref(), Some(&b""[..]));
    }

    #[test]
    fn a_reference_to_before_the_beginning_gives_zeros() {
        assert_eq!(unpack(&[0, 0, 0], 11, 4, 1).as_deref(), Some(&[0][..]));
    }
}
