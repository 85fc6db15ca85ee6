//! What all drawings share.

use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;

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

/// The line that stands in a legend for one of that colour.
pub fn key(colour: HSLColor) -> impl Fn((i32, i32)) -> PathElement<(i32, i32)> {
    move |(x, y)| PathElement::new([(x, y), (x + 36, y)], colour.stroke_width(4))
}

/// The names of the series that have one, in a box.
pub fn draw_legend<'a, 'b: 'a, X: Ranged, Y: Ranged>(
    chart: &mut ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, Y>>,
    position: SeriesLabelPosition,
) -> Result<(), Box<dyn std::error::Error>> {
    chart
        .configure_series_labels()
        .position(position)
        .label_font(("sans-serif", TEXT))
        .legend_area_size(2 * TEXT)
        .margin(TEXT as u32)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}
