//! Where unpacked G-code goes: counted, and no more of it than a disk should take.

use std::io::Write;

use crate::{Rejected, UnpackError, limits::UNPACKED_BYTES_MAX};

/// Writes what is unpacked, up to [`UNPACKED_BYTES_MAX`].
pub(crate) struct Unpacked<'o, W> {
    out: &'o mut W,
    written: u64,
}

impl<'o, W: Write> Unpacked<'o, W> {
    pub(crate) fn new(out: &'o mut W) -> Self {
        Self { out, written: 0 }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), UnpackError> {
        self.written += bytes.len() as u64;
        fits(self.written)?;
        self.out.write_all(bytes).map_err(UnpackError::Write)
    }

    /// Writes something that is stated as a comment, and as nothing else: what is said in it cannot end the line.
    pub(crate) fn pair(&mut self, key: &str, value: &str) -> Result<(), UnpackError> {
        let line = format!("; {key} = {value}").replace(char::is_control, " ");
        self.put(line.as_bytes())?;
        self.put(b"\n")
    }

    /// In bytes.
    pub(crate) fn written(self) -> u64 {
        self.written
    }
}

/// Refuses more bytes than may be unpacked.
pub(crate) fn fits(bytes: u64) -> Result<(), Rejected> {
    match bytes <= UNPACKED_BYTES_MAX {
        true => Ok(()),
        false => Err(Rejected::TooMuch {
            what: "bytes of G-code when unpacked",
            max: UNPACKED_BYTES_MAX,
        }),
    }
}
