//! Charts of lines and bars, as SVG.

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::drawing::{MAX_LEGEND, SIZE, TEXT, clipped, draw_legend, key, number, range};

/// A line, or points of it.
pub struct Line {
    /// Its name in the legend; none if empty.
    pub label: String,
    /// Its colour.
    pub colour: HSLColor,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
    /// From where to where the values at an x spread: x, lowest, highest.
    pub band: Vec<(f64, f64, f64)>,
    /// Its width; 0 for dots.
    pub width: u32,
}

/// Lines on common axes.
pub struct Chart {
    /// What stands above it.
    pub title: String,
    /// Names of the axes.
    pub axes: [String; 2],
    /// What is drawn.
    pub lines: Vec<Line>,
}

/// The charts side by side.
pub fn draw(charts: &[Chart]) -> anyhow::Result<String> {
    let mut svg = String::new();
    draw_into(&mut svg, charts).map_err(|e| anyhow!("the chart cannot be drawn: {e}"))?;
    Ok(svg)
}

type DrawResult = Result<(), Box<dyn std::error::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw_into(svg: &mut String, charts: &[Chart]) -> DrawResult {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, chart) in root.split_evenly((1, charts.len().max(1))).iter().zip(charts) {
        draw_chart(area, chart)?;
    }
    root.present()?;
    Ok(())
}

fn draw_chart(area: &Area<'_>, chart: &Chart) -> DrawResult {
    let [xs, ys] = ranges(&chart.lines);
    let mut context = ChartBuilder::on(area)
        .caption(&chart.title, ("sans-serif", 3 * TEXT / 2))
        .margin(32)
        .x_label_area_size(4 * TEXT)
        .y_label_area_size(5 * TEXT)
        .build_cartesian_2d(xs.0..xs.1, ys.0..ys.1)?;
    context
        .configure_mesh()
        .x_labels(6)
        .x_label_formatter(&whole)
        .y_label_formatter(&number)
        .x_desc(&chart.axes[0])
        .y_desc(&chart.axes[1])
        .axis_desc_style(("sans-serif", TEXT))
        .label_style(("sans-serif", TEXT))
        .light_line_style(WHITE)
        .draw()?;
    let named = chart.lines.iter().filter(|line| !line.label.is_empty()).count();
    for line in &chart.lines {
        let colour = line.colour;
        if !line.band.is_empty() {
            let below = line.band.iter().map(|&(x, low, _)| (x, low));
            let above = line.band.iter().rev().map(|&(x, _, high)| (x, high));
            let outline: Vec<_> = clipped(below.chain(above), ys).collect();
            context.draw_series([Polygon::new(outline, colour.mix(0.2))])?;
        }
        let points = clipped(line.points.iter().copied(), ys);
        let series = if line.width == 0 {
            context.draw_series(points.map(|point| Circle::new(point, 6, colour.filled())))?
        } else {
            context.draw_series(LineSeries::new(points, colour.stroke_width(line.width)))?
        };
        if !line.label.is_empty() && named <= MAX_LEGEND {
            series.label(&line.label).legend(key(colour));
        }
    }
    if (1..=MAX_LEGEND).contains(&named) {
        draw_legend(&mut context, SeriesLabelPosition::UpperRight)?;
    }
    Ok(())
}

/// Steps and layers are whole numbers: what lies between gets no label.
fn whole(x: &f64) -> String {
    if x.fract() == 0.0 { format!("{x}") } else { String::new() }
}

/// From the least to the largest x and y, with some room.
fn ranges(lines: &[Line]) -> [(f64, f64); 2] {
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    let bands = lines.iter().flat_map(|line| &line.band);
    let ys = bands.flat_map(|&(_, low, high)| [low, high]).chain(points().map(|(_, y)| y));
    [range(points().map(|(x, _)| x), 0.0), range(ys, 0.05)]
}

/// A bar of a chart: name, height, from where to where it spreads.
pub struct Bar {
    pub label: String,
    pub colour: HSLColor,
    pub height: f64,
    pub spread: (f64, f64),
}

/// One bar beside the other. The axis begins near the lowest: bars show differences.
pub fn draw_bars(title: &str, axis: &str, bars: &[Bar]) -> anyhow::Result<String> {
    let mut svg = String::new();
    bars_into(&mut svg, title, axis, bars)
        .map_err(|e| anyhow!("the chart cannot be drawn: {e}"))?;
    Ok(svg)
}

fn bars_into(svg: &mut String, title: &str, axis: &str, bars: &[Bar]) -> DrawResult {
    let ys = bars.iter().flat_map(|bar| [bar.height, bar.spread.0, bar.spread.1]);
    let (low, high) = range(ys, 0.25);
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut context = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 3 * TEXT / 2))
        .margin(32)
        .x_label_area_size(4 * TEXT)
        .y_label_area_size(5 * TEXT)
        .build_cartesian_2d(0.0..bars.len() as f64, low..high)?;
    let name = |x: &f64| {
        let bar = (x.fract() == 0.5).then(|| bars.get(x.floor() as usize)).flatten();
        bar.map_or(String::new(), |bar| bar.label.clone())
    };
    context
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(2 * bars.len() + 1)
        .x_label_formatter(&name)
        .y_label_formatter(&number)
        .y_desc(axis)
        .axis_desc_style(("sans-serif", TEXT))
        .label_style(("sans-serif", TEXT))
        .light_line_style(WHITE)
        .draw()?;
    let inside = |y: f64| if y.is_nan() { low } else { y.clamp(low, high) };
    for (i, bar) in bars.iter().enumerate() {
        let (left, right) = (i as f64 + 0.2, i as f64 + 0.8);
        let height = inside(bar.height);
        let corners = [(left, low), (right, height)];
        context.draw_series([Rectangle::new(corners, bar.colour.mix(0.7).filled())])?;
        let (middle, [from, to]) = (i as f64 + 0.5, [bar.spread.0, bar.spread.1].map(inside));
        let whisker = [(middle, from), (middle, to)];
        context.draw_series([PathElement::new(whisker, BLACK.stroke_width(3))])?;
        let text = Text::new(format!("{:.3}", bar.height), (8, -TEXT), ("sans-serif", TEXT));
        context.draw_series([EmptyElement::at((left, height)) + text])?;
    }
    root.present()?;
    Ok(())
}
