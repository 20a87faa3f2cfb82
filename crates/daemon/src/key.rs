//! The device key: this host's identity, and what it signs with.

use ed25519_dalek::{Signer as _, SigningKey};
use printmesh_api::problem::Problem;
use printmesh_queue::{HostId, Signer};
use printmesh_store::{Home, KeyError};
use zeroize::Zeroizing;

use crate::problems;

/// Signs with this host's device key. What is left of it in memory is wiped when it goes.
pub(crate) struct DeviceKey(SigningKey);

impl DeviceKey {
    /// Makes a new one and keeps it; an existing one is never replaced.
    pub(crate) fn create(home: &Home) -> Result<Self, Problem> {
        let seed = Zeroizing::new(random()?);
        home.create_device_key(&*seed)
            .map_err(|error| problem(&error))?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Reads the one of this home; `None` when it was never set up.
    pub(crate) fn load(home: &Home) -> Result<Option<Self>, Problem> {
        let Some(bytes) = home.load_device_key().map_err(|error| problem(&error))? else {
            return Ok(None);
        };
        let bytes = Zeroizing::new(bytes);
        let seed: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| {
            problems::new("key.damaged", 1, "the device key is damaged").because(format!(
                "{} does not hold 32 bytes",
                home.device_key().display()
            ))
        })?;
        Ok(Some(Self(SigningKey::from_bytes(seed))))
    }

    /// The secret, for the connection that is proven with it.
    pub(crate) fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

impl Signer for DeviceKey {
    fn host(&self) -> HostId {
        HostId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

fn problem(error: &KeyError) -> Problem {
    problems::new("key.unusable", 1, "the device key cannot be used")
        .because(problems::chain(error))
}

/// Draws 32 bytes from the machine's random source.
pub(crate) fn random() -> Result<[u8; 32], Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        problems::new("machine.random", 1, "the machine gives no random bytes")
            .because(error.to_string())
    })?;
    Ok(bytes)
}
