//! Ids and keys from a seed that the caller drew: the core has no random source, a seed replays every id.

/// An endless stream of bytes from one secret seed.
pub(crate) struct Entropy {
    seed: [u8; 32],
    drawn: u64,
}

impl Entropy {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    /// Draws the next bytes: BLAKE3 in its keyed mode over a counter.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        self.drawn += 1;
        let mut hasher = blake3::Hasher::new_keyed(&self.seed);
        hasher.update(&self.drawn.to_be_bytes());
        let mut bytes = [0; N];
        hasher.finalize_xof().fill(&mut bytes);
        bytes
    }

    /// Draws a number below `bound`, for jitter.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        u64::from_be_bytes(self.bytes()) % bound.max(1)
    }
}
