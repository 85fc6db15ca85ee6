//! The learned curves as a drawing.

use anyhow::anyhow;
use plotters::prelude::*;
use xielu::escaped;

use super::alphas::LayerAlphas;
use crate::drawing::{
    MAX_LEGEND, SIZE, TEXT, clipped, colour, draw_legend, fixed, key, number, range,
};

/// The part of the axis that is drawn.
const X: (f64, f64) = (-4.0, 2.0);
const POINTS: usize = 240;

/// One curve per layer, the first blue, the last red.
pub fn draw(title: &str, layers: &[LayerAlphas]) -> anyhow::Result<String> {
    let mut svg = String::new();
    draw_into(&mut svg, title, layers).map_err(|e| anyhow!("the curves cannot be drawn: {e}"))?;
    Ok(svg)
}

type DrawResult = Result<(), Box<dyn std::error::Error>>;

fn draw_into(svg: &mut String, title: &str, layers: &[LayerAlphas]) -> DrawResult {
    let curves: Vec<Vec<(f64, f64)>> = layers.iter().map(curve).collect();
    let ys = range(curves.iter().flatten().map(|&(_, y)| y).chain([0.0]), 0.05);
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(escaped(title).to_string(), ("sans-serif", 2 * TEXT))
        .margin(32)
        .x_label_area_size(4 * TEXT)
        .y_label_area_size(4 * TEXT)
        .build_cartesian_2d(X.0..X.1, ys.0..ys.1)?;
    chart
        .configure_mesh()
        .x_desc("x")
        .y_desc("f(x)")
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .axis_desc_style(("sans-serif", TEXT))
        .label_style(("sans-serif", TEXT))
        .light_line_style(WHITE)
        .draw()?;
    chart.draw_series(LineSeries::new([(X.0, 0.0), (X.1, 0.0)], BLACK.mix(0.5)))?;
    for (i, (points, layer)) in curves.into_iter().zip(layers).enumerate() {
        let colour = colour(i, layers.len());
        let points = clipped(points.into_iter(), ys);
        let series = chart.draw_series(LineSeries::new(points, colour.stroke_width(4)))?;
        if layers.len() <= MAX_LEGEND {
            series
                .label(format!(
                    "layer {i}: αp {}, αn {}",
                    fixed(layer.alpha_p, 3),
                    fixed(layer.alpha_n, 3)
                ))
                .legend(key(colour));
        }
    }
    if layers.len() <= MAX_LEGEND {
        draw_legend(&mut chart, SeriesLabelPosition::UpperMiddle)?;
    }
    root.present()?;
    Ok(())
}

fn curve(layer: &LayerAlphas) -> Vec<(f64, f64)> {
    let step = (X.1 - X.0) / (POINTS - 1) as f64;
    let xs = (0..POINTS).map(|i| X.0 + step * i as f64);
    xs.map(|x| (x, layer.at(x as f32).into())).collect()
}
