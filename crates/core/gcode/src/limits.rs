//! Every bound on what a file may make this crate read, keep or unpack, each with its reason.
//!
//! A file is data from a stranger. What is beyond a bound is refused or left out; nothing here depends on the file being honest.

/// How many bytes of a file's start are looked at. Slicers put thumbnails of up to some hundred KiB before what we read.
pub const HEAD_BYTES: usize = 512 * 1024;

/// How many bytes of a file's end are looked at. The longest settings blocks seen are about 60 KiB.
pub const TAIL_BYTES: usize = 256 * 1024;

/// Most bytes that all G-code of one file may unpack to: far above any print, far below what fills a disk by mistake.
pub const UNPACKED_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Longest comment that is looked at, in bytes: a round bed's outline has 1.2 KiB, the outlines of all objects some KiB; slicers also
/// put whole start scripts on one comment line, which nobody reads.
pub(crate) const COMMENT_BYTES_MAX: usize = 16 * 1024;

/// Longest name kept, in characters: names are shown in tables and travel with every job.
pub(crate) const TEXT_CHARS_MAX: usize = 120;

/// Longest name of a material kept, in characters: the names of all tools together must fit into the record of a set.
pub(crate) const MATERIAL_CHARS_MAX: usize = 32;

/// Most elements of a list that are looked at: more tools than any printer has.
pub(crate) const LIST_LEN_MAX: usize = 64;

/// Most corners of an outline that are looked at: a round bed has about 70.
pub(crate) const CORNERS_MAX: usize = 1024;

/// Most pictures kept of one print; slicers write two to seven.
pub(crate) const THUMBNAILS_MAX: usize = 16;

/// Largest picture kept, in bytes; slicers write some ten to some hundred KiB. All pictures of a file are in memory at once.
pub(crate) const THUMBNAIL_BYTES_MAX: usize = 512 * 1024;

/// Most blocks of a binary G-code file: with the slicer's 64 KiB each this is more than [`UNPACKED_BYTES_MAX`] holds.
pub(crate) const BLOCKS_MAX: usize = 64 * 1024;

/// Most blocks of a binary G-code file that are no G-code: each is unpacked to be read. Slicers write four and some pictures.
pub(crate) const META_BLOCKS_MAX: usize = 64;

/// Largest block of metadata in a binary G-code file, packed and unpacked, in bytes; slicers write some 10 KiB.
pub(crate) const META_BLOCK_BYTES_MAX: u32 = 256 * 1024;

/// Most pairs of a block of metadata that are kept; slicers have some 400 settings. A pair takes much more memory than its text.
pub(crate) const PAIRS_MAX: usize = 2048;

/// So many bytes may come of each packed byte of metadata, and 4 KiB besides; settings pack to a third or a fifth.
pub(crate) const META_RATIO_MAX: u64 = 16;

/// See [`META_RATIO_MAX`].
pub(crate) const META_BYTES_ANYWAY: u64 = 4096;

/// Largest block of a picture, packed and unpacked, in bytes; one above [`THUMBNAIL_BYTES_MAX`] is passed over.
pub(crate) const PICTURE_BLOCK_BYTES_MAX: u32 = 4 * 1024 * 1024;

/// So many may come of each byte of a picture: pictures are packed already.
pub(crate) const PICTURE_RATIO_MAX: u64 = 4;

/// Largest block of G-code in a binary G-code file, packed and unpacked, in bytes: one is held in memory. The slicer's are 64 KiB.
pub(crate) const GCODE_BLOCK_BYTES_MAX: u32 = 128 * 1024;

/// Most members of an archive that are looked at; a project of a slicer has some tens.
pub(crate) const MEMBERS_MAX: usize = 4096;

/// Most plates of an archive: each becomes a set, and a job has at most 256.
pub(crate) const PLATES_MAX: usize = 64;

/// Largest settings file inside an archive, unpacked, in bytes; a project's settings have about 60 KiB.
pub(crate) const SETTINGS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Most nodes of an XML file inside an archive: some ten for each object and filament of a plate.
pub(crate) const XML_NODES_MAX: u32 = 200_000;

/// Bytes of a line of a file without its comment, as the guard reads it: no machine takes one as long as this.
pub(crate) const LINE_BYTES_MAX: usize = 1024;
