//! The code that two persons compare when a host asks to join on a LAN.
//!
//! Whoever stands between the two hosts has a connection with each, and would have both show one code. So that it cannot
//! look for one, each side adds a number of its own: the joiner says first what it will add, without showing it, then the
//! host shows its own, then the joiner shows what it had said. Whatever somebody in between says to the one side, it says
//! before it knows what the other side adds; what is left is to guess, and a host takes such questions at a pace.

use serde::{Deserialize, Serialize};

/// A number of one side, drawn anew for each conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Nonce(pub(crate) [u8; 32]);

/// Says which number will be shown, on this connection only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commitment([u8; 32]);

impl Commitment {
    pub(crate) fn to(nonce: Nonce, exporter: &[u8; 32]) -> Self {
        let parts = [&nonce.0[..], exporter].concat();
        Self(blake3::derive_key(
            "printmesh comparison commitment 1",
            &parts,
        ))
    }
}

/// Returns the six digits that both ends of a connection can compute and nobody in between can choose.
pub(crate) fn comparison_code(exporter: &[u8; 32], joiner: Nonce, host: Nonce) -> String {
    let parts = [&exporter[..], &joiner.0, &host.0].concat();
    let hash = blake3::derive_key("printmesh comparison code 2", &parts);
    let n = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % 1_000_000;
    format!("{:03}-{:03}", n / 1000, n % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_depends_on_the_connection_and_on_what_each_side_adds() {
        let code = |exporter: u8, joiner: u8, host: u8| {
            comparison_code(&[exporter; 32], Nonce([joiner; 32]), Nonce([host; 32]))
        };
        let all = [code(1, 2, 3), code(9, 2, 3), code(1, 9, 3), code(1, 2, 9)];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), 4, "{all:?}");
        assert_eq!(code(1, 2, 3), all[0]);
        let to = |nonce: u8, exporter: u8| Commitment::to(Nonce([nonce; 32]), &[exporter; 32]);
        assert_ne!(to(1, 1), to(2, 1));
        assert_ne!(to(1, 1), to(1, 2), "good on one connection only");
    }
}
