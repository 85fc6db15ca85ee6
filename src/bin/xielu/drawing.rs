//! What all drawings share.

use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;

/// Large, because the backend rounds to whole units.
pub const SIZE: (u32, u32) = (1680, 1040);
/// Height of the text in the drawing's units.
pub const TEXT: i32 = 24;
/// More lines than this are told apart by colour only.
pub const MAX_LEGEND: usize = 16;

/// Beyond this, values are drawn at the edge: it is more than f32 holds, and f64 still computes with
/// it.
const LARGEST: f64 = 1e40;

/// From the least to the largest of the finite values, with `margin` times their distance as room
/// on either side: a range that can be divided and labelled, whatever the values are.
pub fn range(values: impl Iterator<Item = f64>, margin: f64) -> (f64, f64) {
    let finite = values.filter(|v| v.is_finite()).map(|v| v.clamp(-LARGEST, LARGEST));
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    let room = if high > low { margin * (high - low) } else { 0.5 };
    // Labels closer than this would be rounded to the same number.
    let least = 1e-6 * low.abs().max(high.abs());
    let room = if high - low + 2.0 * room < least { least } else { room };
    (low - room, high + room)
}

/// The points that are numbers, those beyond `ys` at its edge.
pub fn clipped(
    points: impl Iterator<Item = (f64, f64)>,
    ys: (f64, f64),
) -> impl Iterator<Item = (f64, f64)> {
    let numbers = points.filter(|(x, y)| x.is_finite() && !y.is_nan());
    numbers.map(move |(x, y)| (x, y.clamp(ys.0, ys.1)))
}

/// A number with so many decimals, or its exponent where that would be long.
pub fn fixed(x: impl Into<f64>, decimals: usize) -> String {
    let x: f64 = x.into();
    if x.abs() < 1e5 { format!("{x:.decimals$}") } else { format!("{x:.1e}") }
}

/// A label of an axis, of few characters whatever the number.
pub fn number(y: &f64) -> String {
    if *y != 0.0 && !(1e-4..1e6).contains(&y.abs()) {
        return format!("{y:.1e}");
    }
    let digits = format!("{y:.5}");
    let short = digits.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.into() }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_can_be_divided_whatever_the_values() {
        let range = |values: &[f64]| range(values.iter().copied(), 0.05);
        assert_eq!(range(&[]), (0.0, 1.0));
        assert_eq!(range(&[f64::NAN, f64::INFINITY]), (0.0, 1.0));
        assert_eq!(range(&[1.0, 3.0, f64::NEG_INFINITY]), (0.9, 3.1));
        assert_eq!(range(&[2.0]), (1.5, 2.5));
        for values in
            [[f64::MIN, f64::MAX], [1e300; 2], [1e16, 1e16 + 2.0], [-1e9; 2], [0.0, 5e-324]]
        {
            let (low, high) = range(&values);
            let largest = low.abs().max(high.abs());
            assert!(low < high && largest < 1e41 && high - low > 1e-7 * largest, "{values:?}");
        }
        let points = [(0.0, 9.0), (1.0, f64::NAN), (f64::NAN, 1.0), (2.0, f64::NEG_INFINITY)];
        let clipped: Vec<_> = clipped(points.into_iter(), (-1.0, 1.0)).collect();
        assert_eq!(clipped, [(0.0, 1.0), (2.0, -1.0)]);
    }

    #[test]
    fn labels_are_short() {
        for (y, label) in [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (-2.25, "-2.25"),
            (0.999_999_9, "1.0"),
            (123_456.7, "123456.7"),
            (1e-9, "1.0e-9"),
            (-3.4e38, "-3.4e38"),
        ] {
            assert_eq!(number(&y), label);
        }
    }
}
