//! Blocks: a header, parameters, content, and a checksum over all three.
//!
//! It knows how blocks are packed, not what is in them.

use std::io::{ErrorKind, Read, Seek, SeekFrom};

use flate2::{Crc, read::ZlibDecoder};

use super::{heatshrink, meatpack};
use crate::{
    Rejected,
    limits::{
        BLOCKS_MAX, GCODE_BLOCK_BYTES_MAX, META_BLOCK_BYTES_MAX, META_BYTES_ANYWAY, META_RATIO_MAX,
        PICTURE_BLOCK_BYTES_MAX, PICTURE_RATIO_MAX,
    },
};

const FILE_HEADER_BYTES: usize = 10;
const CHECKSUM_BYTES: u64 = 4;

const CUT_OFF: Rejected = Rejected::Damaged {
    what: "it ends in the middle of a block",
};

/// What is in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Gcode,
    Slicer,
    Printer,
    Print,
    Thumbnail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Deflate,
    /// Bits of the window, bits of a length.
    Heatshrink(u8, u8),
}

/// A block's header and parameters; where the rest lies.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) kind: Kind,
    packing: Packing,
    /// Bytes of content, unpacked, as the header says.
    pub(super) unpacked: u32,
    stored: u32,
    /// Encoding; of a picture: format, width, height.
    pub(super) params: [u16; 3],
    /// Header and parameters as they are in the file: the checksum covers them.
    head: Vec<u8>,
    content_at: u64,
}

/// Walks over the blocks of a file.
pub(super) struct Blocks<'f, R> {
    file: &'f mut R,
    len: u64,
    at: u64,
    seen: usize,
    has_checksums: bool,
}

impl<'f, R: Read + Seek> Blocks<'f, R> {
    /// Reads the file's header.
    pub(super) fn open(file: &'f mut R) -> Result<Self, Rejected> {
        let len = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
        file.rewind().map_err(unreadable)?;
        let mut header = [0; FILE_HEADER_BYTES];
        fill(file, &mut header)?;
        if !header.starts_with(super::MAGIC) {
            return Err(Rejected::Damaged {
                what: "it does not begin as binary G-code does",
            });
        }
        if header[4..8] != 1_u32.to_le_bytes() {
            return Err(Rejected::Foreign {
                what: "another version of binary G-code",
            });
        }
        let has_checksums = match u16::from_le_bytes([header[8], header[9]]) {
            0 => false,
            1 => true,
            _ => {
                return Err(Rejected::Foreign {
                    what: "a checksum of an unknown kind",
                });
            }
        };
        Ok(Self {
            file,
            len,
            at: FILE_HEADER_BYTES as u64,
            seen: 0,
            has_checksums,
        })
    }

    /// Reads the next block's header and passes its content over. `None` at the end of the file.
    pub(super) fn next_block(&mut self) -> Result<Option<Block>, Rejected> {
        if self.at == self.len {
            return Ok(None);
        }
        self.seen += 1;
        if self.seen > BLOCKS_MAX {
            return Err(Rejected::TooMuch {
                what: "blocks",
                max: BLOCKS_MAX as u64,
            });
        }
        self.file
            .seek(SeekFrom::Start(self.at))
            .map_err(unreadable)?;
        let mut head = vec![0; 8];
        fill(self.file, &mut head)?;
        let kind = match u16::from_le_bytes([head[0], head[1]]) {
            0 => Kind::File,
            1 => Kind::Gcode,
            2 => Kind::Slicer,
            3 => Kind::Printer,
            4 => Kind::Print,
            5 => Kind::Thumbnail,
            _ => {
                return Err(Rejected::Foreign {
                    what: "a block of an unknown kind",
                });
            }
        };
        let packing = match u16::from_le_bytes([head[2], head[3]]) {
            0 => Packing::None,
            1 => Packing::Deflate,
            2 => Packing::Heatshrink(11, 4),
            3 => Packing::Heatshrink(12, 4),
            _ => {
                return Err(Rejected::Foreign {
                    what: "a compression of an unknown kind",
                });
            }
        };
        let unpacked = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let stored = match packing {
            Packing::None => unpacked,
            Packing::Deflate | Packing::Heatshrink(..) => {
                let mut size = [0; 4];
                fill(self.file, &mut size)?;
                head.extend(size);
                u32::from_le_bytes(size)
            }
        };
        let mut params = [0; 3];
        let count = match kind {
            Kind::Thumbnail => 3,
            Kind::File | Kind::Gcode | Kind::Slicer | Kind::Printer | Kind::Print => 1,
        };
        for param in &mut params[..count] {
            let mut bytes = [0; 2];
            fill(self.file, &mut bytes)?;
            head.extend(bytes);
            *param = u16::from_le_bytes(bytes);
        }
        let content_at = self.at + head.len() as u64;
        let checksum = if self.has_checksums {
            CHECKSUM_BYTES
        } else {
            0
        };
        self.at = content_at + u64::from(stored) + checksum;
        if self.at > self.len {
            return Err(CUT_OFF);
        }
        Ok(Some(Block {
            kind,
            packing,
            unpacked,
            stored,
            params,
            head,
            content_at,
        }))
    }

    /// Reads a block's content, checks and unpacks it.
    pub(super) fn content(&mut self, block: &Block) -> Result<Vec<u8>, Rejected> {
        // Metadata is all in memory at once, G-code is not.
        let of_packed = |ratio| ratio * u64::from(block.stored) + META_BYTES_ANYWAY;
        let max = match block.kind {
            Kind::Gcode => GCODE_BLOCK_BYTES_MAX.into(),
            Kind::Thumbnail => of_packed(PICTURE_RATIO_MAX).min(PICTURE_BLOCK_BYTES_MAX.into()),
            Kind::File | Kind::Slicer | Kind::Printer | Kind::Print => {
                of_packed(META_RATIO_MAX).min(META_BLOCK_BYTES_MAX.into())
            }
        };
        if u64::from(block.unpacked) > max || u64::from(block.stored) > max {
            return Err(Rejected::TooMuch {
                what: "bytes in one block",
                max,
            });
        }
        self.file
            .seek(SeekFrom::Start(block.content_at))
            .map_err(unreadable)?;
        let mut stored = vec![0; block.stored as usize];
        fill(self.file, &mut stored)?;
        if self.has_checksums {
            let mut checksum = [0; 4];
            fill(self.file, &mut checksum)?;
            let mut crc = Crc::new();
            crc.update(&block.head);
            crc.update(&stored);
            if crc.sum() != u32::from_le_bytes(checksum) {
                return Err(Rejected::Damaged {
                    what: "a checksum is wrong",
                });
            }
        }
        let len = block.unpacked as usize;
        let unpacked = match block.packing {
            Packing::None => Some(stored),
            Packing::Deflate => inflate(&stored, len),
            Packing::Heatshrink(window, lookahead) => {
                heatshrink::unpack(&stored, window, lookahead, len)
            }
        };
        unpacked.ok_or(Rejected::Damaged {
            what: "a block cannot be unpacked",
        })
    }

    /// Reads a block of G-code as text.
    pub(super) fn gcode(&mut self, block: &Block) -> Result<Vec<u8>, Rejected> {
        let content = self.content(block)?;
        match block.params[0] {
            0 => Ok(content),
            // With comments, or without: the packing says where it begins and ends.
            1 | 2 => Ok(meatpack::unpack(&content)),
            _ => Err(Rejected::Foreign {
                what: "G-code in an unknown encoding",
            }),
        }
    }
}

/// Room for what is announced, as far as what is there makes it likely.
fn room(stored: &[u8], announced: usize) -> Vec<u8> {
    Vec::with_capacity(announced.min(8 * stored.len()))
}

fn inflate(stored: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut unpacked = room(stored, len);
    // One byte more than announced shows that there is more.
    let mut decoder = ZlibDecoder::new(stored).take(len as u64 + 1);
    decoder.read_to_end(&mut unpacked).ok()?;
    (unpacked.len() == len).then_some(unpacked)
}

fn fill(file: &mut impl Read, bytes: &mut [u8]) -> Result<(), Rejected> {
    file.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => CUT_OFF,
        _ => unreadable(error),
    })
}

fn unreadable(error: std::io::Error) -> Rejected {
    Rejected::Unreadable(error.kind())
}
