//! A ticket as a QR code in a terminal, to be photographed from the screen. Dark on light whatever the terminal's colours.

use printmesh_api::problem::Problem;
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

use crate::error::usage;

/// Draws a ticket. In capitals, which a QR code holds in two thirds of the room; a ticket is read in either case.
///
/// # Errors
/// When it is too long for any QR code.
pub(crate) fn code(ticket: &str) -> Result<String, Problem> {
    let capitals = ticket.to_ascii_uppercase();
    let code = QrCode::with_error_correction_level(capitals, EcLevel::L).map_err(|error| {
        usage("this ticket does not fit into a QR code").because(error.to_string())
    })?;
    let mut drawn = code.render::<Dense1x2>();
    // Terminals are dark as often as not: what is drawn is the light part.
    Ok(drawn
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a camera sees: each letter is two modules, one above the other, and what is not drawn is dark.
    fn seen(drawn: &str) -> String {
        const PIXELS: usize = 4;
        let rows: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
        let is_dark = |x: usize, y: usize| {
            let drawn = rows[y / 2].get(x).copied().unwrap_or(' ');
            match drawn {
                '\u{2588}' => false,
                '\u{2580}' => !y.is_multiple_of(2),
                '\u{2584}' => y.is_multiple_of(2),
                _ => true,
            }
        };
        let (width, height) = (rows[0].len(), rows.len() * 2);
        let mut image =
            rqrr::PreparedImage::prepare_from_bitmap(width * PIXELS, height * PIXELS, |x, y| {
                is_dark(x / PIXELS, y / PIXELS)
            });
        let grids = image.detect_grids();
        grids[0].decode().expect("a code that can be read").1
    }

    #[test]
    fn a_telephone_that_sees_the_screen_reads_the_ticket() {
        let ticket = format!("pmq1{}", "k2v9".repeat(60));
        let read = seen(&code(&ticket).unwrap());
        assert_eq!(read.to_ascii_lowercase(), ticket);
    }

    #[test]
    fn a_ticket_of_usual_length_fits_a_screen() {
        let ticket = format!("pmq1{}", "a7".repeat(220));
        let drawn = code(&ticket).unwrap();
        assert!(drawn.lines().count() <= 48, "{}", drawn.lines().count());
        let widest = drawn.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{widest:?}");
        assert!(code(&"a".repeat(5000)).is_err());
    }
}
