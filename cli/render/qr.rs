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
