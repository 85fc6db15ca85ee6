//! What all drawings share.

use plotters::style::HSLColor;

/// Large, because the backend rounds to whole units.
pub const SIZE: (u32, u32) = (1680, 1040);
/// Height of the text in the drawing's units.
pub const TEXT: i32 = 24;
/// More lines than this are told apart by colour only.
pub const MAX_LEGEND: usize = 16;

/// From blue, the first, through purple to red, the last.
pub fn colour(i: usize, of: usize) -> HSLColor {
    let t = if of > 1 { i as f64 / (of - 1) as f64 } else { 0.0 };
    HSLColor(0.6 + 0.4 * t, 0.8, 0.45)
}
