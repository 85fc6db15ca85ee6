//! Plots in text: bars of eighths, curves of Braille dots.

use std::io::Write;

use super::alphas::LayerAlphas;
use crate::drawing::{fixed, range};

/// Characters of a full bar.
const BAR: usize = 24;
/// Characters of a curve's canvas.
const WIDTH: usize = 36;
const HEIGHT: usize = 10;
/// The part of the axis that is drawn.
const X: (f32, f32) = (-4.0, 2.0);

/// Both alphas of every layer as bars; `largest` is a full one.
pub fn bars(out: &mut impl Write, layers: &[LayerAlphas], largest: f32) -> anyhow::Result<()> {
    for (i, layer) in layers.iter().enumerate() {
        let (p, n) = (bar(layer.alpha_p / largest), bar(layer.alpha_n / largest));
        writeln!(out, "  {i:>5}  p {p:<BAR$}  n {n:<BAR$}")?;
    }
    Ok(())
}

/// A bar of `fraction` of [`BAR`] characters, to an eighth of a character.
fn bar(fraction: f32) -> String {
    let eighths = (fraction.clamp(0.0, 1.0) * (BAR * 8) as f32).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    bar.push_str(parts.get(eighths % 8).copied().unwrap_or_default());
    bar
}

/// The curves side by side, all on the same scale.
pub fn curves(out: &mut impl Write, layers: &[&LayerAlphas]) -> anyhow::Result<()> {
    let columns = WIDTH * 2;
    let sample = |layer: &LayerAlphas| -> Vec<f32> {
        let step = (X.1 - X.0) / (columns - 1) as f32;
        let mut x: Vec<f32> = (0..columns).map(|i| X.0 + step * i as f32).collect();
        layer.apply(&mut x);
        x
    };
    let curves: Vec<Vec<f32>> = layers.iter().map(|layer| sample(layer)).collect();
    let all = curves.iter().flatten().map(|&y| f64::from(y)).chain([0.0]);
    let (low, high) = range(all, 0.0);
    let canvases: Vec<Canvas> = curves.iter().map(|c| Canvas::draw(c, low, high)).collect();
    for row in 0..HEIGHT {
        let label = match row {
            0 => fixed(high, 2),
            r if r == HEIGHT - 1 => fixed(low, 2),
            _ => String::new(),
        };
        let cells: Vec<String> = canvases.iter().map(|c| c.row(row)).collect();
        writeln!(out, "  {label:>8} ┤{}", cells.join("  │"))?;
    }
    let axis = format!("{:<half$}{:>half$}", X.0, X.1, half = WIDTH / 2);
    writeln!(out, "  {:>8}  {}", "", vec![axis; layers.len()].join("   "))?;
    Ok(())
}

/// Braille cells: 2 dots wide, 4 high.
struct Canvas {
    cells: [[u8; WIDTH]; HEIGHT],
}

impl Canvas {
    /// `ys` from left to right, one to a dot column, with the x axis dotted. What is beyond
    /// `low ..= high` lies at the edge; a NaN is a gap.
    fn draw(ys: &[f32], low: f64, high: f64) -> Canvas {
        let mut canvas = Canvas { cells: [[0; WIDTH]; HEIGHT] };
        let last = HEIGHT * 4 - 1;
        let dot_row = |y: f64| {
            let down = (high - y.clamp(low, high)) / (high - low);
            ((down * last as f64).round() as usize).min(last)
        };
        let mut before: Option<usize> = None;
        for (column, &y) in ys.iter().enumerate() {
            if column % 4 == 0 {
                canvas.dot(column, dot_row(0.0));
            }
            if y.is_nan() {
                before = None;
                continue;
            }
            let to = dot_row(y.into());
            let from = before.unwrap_or(to);
            (from.min(to)..=from.max(to)).for_each(|row| canvas.dot(column, row));
            before = Some(to);
        }
        canvas
    }

    fn dot(&mut self, column: usize, row: usize) {
        // Bits of the Unicode Braille patterns, by row and column of a cell.
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let cell = self.cells.get_mut(row / 4).and_then(|cells| cells.get_mut(column / 2));
        if let Some(cell) = cell {
            *cell |= BITS[row % 4][column % 2];
        }
    }

    fn row(&self, row: usize) -> String {
        let cells = self.cells.get(row).into_iter().flatten();
        cells.filter_map(|&bits| char::from_u32(0x2800 + u32::from(bits))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_in_eighths() {
        assert_eq!(bar(0.0), "");
        assert_eq!(bar(1.0).chars().count(), BAR);
        assert_eq!(bar(9.0), bar(1.0));
        assert_eq!(bar(1.0 / (BAR * 8) as f32), "▏");
        assert_eq!(bar(f32::NAN), "");
    }

    #[test]
    fn a_rising_line_goes_from_the_lower_left_to_the_upper_right() {
        let ys: Vec<f32> = (0..WIDTH * 2).map(|i| i as f32).collect();
        let canvas = Canvas::draw(&ys, 0.0, (WIDTH * 2 - 1) as f64);
        assert_ne!(canvas.cells[HEIGHT - 1][0] & 0x40, 0);
        assert_ne!(canvas.cells[0][WIDTH - 1] & 0x08, 0);
        assert_eq!(canvas.cells[0][0], 0);
        assert_eq!(canvas.row(0).chars().count(), WIDTH);
    }

    #[test]
    fn what_is_beyond_the_canvas_lies_at_its_edge() {
        let canvas = Canvas::draw(&[f32::NEG_INFINITY, f32::NAN, f32::INFINITY, 9.0], -1.0, 1.0);
        // The axis is dotted in the middle of the first column.
        let dots =
            |column: usize| -> u32 { canvas.cells.iter().map(|c| c[column].count_ones()).sum() };
        assert_ne!(canvas.cells[HEIGHT - 1][0] & 0x40, 0);
        assert_ne!(canvas.cells[0][1] & 0x01, 0);
        assert_ne!(canvas.cells[0][1] & 0x08, 0);
        assert_eq!((dots(0), dots(1)), (2, 2));
        let flat = Canvas::draw(&[0.0; WIDTH * 2], -0.5, 0.5);
        assert_eq!(flat.cells.iter().flatten().filter(|&&c| c != 0).count(), WIDTH);
    }
}
