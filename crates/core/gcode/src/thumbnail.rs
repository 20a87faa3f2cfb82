//! Pictures: found in the comments of G-code, told apart by their first bytes.
//!
//! Nothing here looks into a picture: whether it can be shown is the business of whoever shows it.

use data_encoding::BASE64;

use crate::{
    Thumbnail, ThumbnailFormat,
    comment::comments,
    limits::{HEAD_BYTES, THUMBNAIL_BYTES_MAX, THUMBNAILS_MAX},
};

/// Takes a picture in, unless it is none, too large, or one too many.
pub(crate) fn keep(thumbnails: &mut Vec<Thumbnail>, width: u32, height: u32, bytes: Vec<u8>) {
    if thumbnails.len() >= THUMBNAILS_MAX || bytes.len() > THUMBNAIL_BYTES_MAX {
        return;
    }
    let Some(format) = format(&bytes) else {
        return;
    };
    thumbnails.push(Thumbnail {
        format,
        width,
        height,
        bytes,
    });
}

/// The tag of a format is not believed, nor is a name: both are wrong in files of real life.
fn format(bytes: &[u8]) -> Option<ThumbnailFormat> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some(ThumbnailFormat::Png),
        [0xFF, 0xD8, 0xFF, ..] => Some(ThumbnailFormat::Jpg),
        [b'q', b'o', b'i', b'f', ..] => Some(ThumbnailFormat::Qoi),
        _ => None,
    }
}

/// Width and height of a PNG, as its first bytes say.
pub(crate) fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    };
    bytes.starts_with(b"\x89PNG\r\n\x1A\n").then_some(())?;
    Some((number(16)?, number(20)?))
}

/// Finds the pictures in a text. One that is cut off or does not have the length that it announces is left out.
pub(crate) fn read(text: &[u8], thumbnails: &mut Vec<Thumbnail>) {
    let mut open: Option<Announced> = None;
    let mut base64 = String::new();
    for comment in comments(text) {
        if let Some(announced) = begin(&comment) {
            base64.clear();
            open = Some(announced);
        } else if is_end(&comment) {
            let Some(announced) = open.take() else {
                continue;
            };
            if base64.len() == announced.chars
                && let Ok(bytes) = BASE64.decode(base64.as_bytes())
            {
                keep(thumbnails, announced.width, announced.height, bytes);
            }
        } else if let Some(announced) = &open {
            if base64.len() + comment.len() > announced.chars {
                open = None;
            } else {
                base64.push_str(&comment);
            }
        }
    }
}

struct Announced {
    width: u32,
    height: u32,
    /// Characters of base64.
    chars: usize,
}

/// `thumbnail begin 16x16 368`, `thumbnail_QOI begin 16x16 368`, and `thumbnail begin 16 16 368` as Kiri:Moto has it.
fn begin(comment: &str) -> Option<Announced> {
    let (tag, rest) = comment.split_once(" begin ")?;
    if !tag.starts_with("thumbnail") {
        return None;
    }
    let mut numbers = rest.split([' ', 'x']).map(str::parse::<u32>);
    let mut next = || numbers.next()?.ok();
    Some(Announced {
        width: next()?,
        height: next()?,
        chars: usize::try_from(next()?).ok()?,
    })
}

fn is_end(comment: &str) -> bool {
    comment.starts_with("thumbnail") && comment.ends_with(" end")
}

/// Writes pictures as slicers write them into G-code, as many as leave room for what else stands at its start.
pub(crate) fn to_text(thumbnails: &[Thumbnail]) -> String {
    let mut text = String::new();
    for thumbnail in thumbnails {
        let tag = match thumbnail.format {
            ThumbnailFormat::Png => "thumbnail",
            ThumbnailFormat::Jpg => "thumbnail_JPG",
            ThumbnailFormat::Qoi => "thumbnail_QOI",
        };
        let base64 = BASE64.encode(&thumbnail.bytes);
        let (width, height, chars) = (thumbnail.width, thumbnail.height, base64.len());
        if text.len() + chars > HEAD_BYTES / 2 {
            continue;
        }
        text.push_str(&format!(";\n; {tag} begin {width}x{height} {chars}\n"));
        for line in base64.as_bytes().chunks(78) {
            let line = std::str::from_utf8(line).expect("base64 is ASCII");
            text.push_str(&format!("; {line}\n"));
        }
        text.push_str(&format!("; {tag} end\n;\n"));
    }
    text
}
