//! What the accuracy sweeps share: the functions of a line of the table, with their truth.

use xielu::activation::accuracy::Accuracy;
use xielu::activation::{
    Activation, ActivationKind, Coefficients, Elu, Form, RawXielu, Relu2, Silu, Xiprelu, Xsilu,
    reference,
};

const BETA: f32 = 0.5;
const ALPHA_P: [f32; 12] = [0.3, 0.54, 0.8, 1.1, 17.75, 2.0, 200.0, 166.0, 60.0, 0.7, 5.3, 130.0];
const ALPHA_N: [f32; 16] = [
    0.500_000_06,
    0.6,
    0.8,
    0.95,
    1.1,
    2.0,
    3.2,
    6.3,
    6.5,
    12.0,
    17.75,
    25.3,
    41.25,
    50.0,
    0.03,
    0.2,
];
const ALPHA: [f32; 8] = [-0.483_7, -0.211_3, 0.112_3, 0.271_8, 0.577_2, 1.144_7, 1.618, 1.973_1];
/// bf16 values, the first four pairs and the last but one as found in checkpoints.
const RAW: [(f32, f32); 8] = [
    (0.203_125, -1.046_875),
    (-0.333_984_38, -0.871_093_75),
    (17.75, 5.781_25),
    (1.851_562_5, 1.25),
    (-1.046_875, -4.593_75),
    (59.75, 17.125),
    (166.0, 40.75),
    (5.281_25, 49.5),
];

/// One function with its parameters, and its truth: `f(x)` and the term it is measured by.
pub struct Case {
    pub f: Activation,
    truth: Box<dyn Fn(f64) -> [f64; 2] + Sync>,
}

impl Case {
    fn new(f: impl Into<Activation>, truth: impl Fn(f64) -> [f64; 2] + Sync + 'static) -> Self {
        Case { f: f.into(), truth: Box::new(truth) }
    }

    /// `f(x)` in f64, and the magnitude of the larger term.
    pub fn truth(&self, x: f32) -> (f64, f64) {
        let [y, term] = (self.truth)(x.into());
        (y, y.abs().max(term.abs()))
    }
}

/// Values of `all` within the line's range of the parameter `name`.
fn range(line: &Accuracy, name: &str, all: &[f32]) -> Vec<f32> {
    let (_, low, high) = *line.parameters.iter().find(|(n, ..)| *n == name).unwrap();
    let values: Vec<f32> = all.iter().copied().filter(|v| (low..=high).contains(v)).collect();
    assert!(values.len() > 2, "{line}");
    values
}

/// Effective `alpha_p` and `alpha_n`. Positive and negative inputs see one of them each, so pairs
/// cover what a grid would.
fn alpha_pairs(line: &Accuracy) -> Vec<(f32, f32)> {
    if line.parameters.iter().any(|(name, ..)| *name == "raw alpha_p") {
        return RAW.into_iter().map(|(alpha_p, alpha_n)| freeze(line, alpha_p, alpha_n)).collect();
    }
    let p = range(line, "alpha_p", &ALPHA_P);
    let n = range(line, "alpha_n", &ALPHA_N);
    let pairs = p.iter().cycle().zip(n.iter().cycle());
    pairs.map(|(&p, &n)| (p, n)).take(p.len().max(n.len())).collect()
}

fn freeze(line: &Accuracy, alpha_p: f32, alpha_n: f32) -> (f32, f32) {
    let raw = RawXielu { alpha_p, alpha_n, ..RawXielu::PAPER_INIT };
    match line.function {
        ActivationKind::Xiprelu => {
            let f = Xiprelu::freeze(&raw);
            (f.alpha_p(), f.alpha_n())
        }
        _ => {
            let f = raw.freeze(Form::Ideal);
            (f.alpha_p(), f.alpha_n())
        }
    }
}

/// The functions a line of the table is about. SwiGLU has two inputs and is not among them.
pub fn cases(line: &Accuracy) -> Vec<Case> {
    let eps = line.parameters.iter().find(|(name, ..)| *name == "eps").map(|(_, eps, _)| *eps);
    let xielu = || {
        alpha_pairs(line).into_iter().map(move |(alpha_p, alpha_n)| {
            let eps_or_0 = eps.unwrap_or(0.0);
            let f = Coefficients { alpha_p, alpha_n, beta: BETA, eps: eps_or_0 };
            let truth = reference::Xielu {
                alpha_p: alpha_p.into(),
                alpha_n: alpha_n.into(),
                beta: BETA.into(),
                eps: eps.map(f64::from),
            };
            Case::new(Activation::Xielu(f), move |x| [truth.forward(x), truth.beta * x])
        })
    };
    let alpha = || range(line, "alpha", &ALPHA).into_iter();
    match line.function {
        ActivationKind::Xielu => xielu().collect(),
        ActivationKind::Xiprelu => alpha_pairs(line)
            .into_iter()
            .map(|(alpha_p, alpha_n)| {
                let truth = reference::Xiprelu {
                    alpha_p: alpha_p.into(),
                    alpha_n: alpha_n.into(),
                    beta: BETA.into(),
                };
                let f = Coefficients { alpha_p, alpha_n, beta: BETA, eps: 0.0 };
                Case::new(Activation::Xiprelu(f), move |x| [truth.forward(x), truth.beta * x])
            })
            .collect(),
        ActivationKind::Relu2 => vec![Case::new(Relu2, |x| [reference::relu2(x), 0.0])],
        ActivationKind::Silu => vec![Case::new(Silu, |x| [reference::silu(x), 0.0])],
        ActivationKind::Elu => alpha()
            .map(|a| Case::new(Elu { alpha: a }, move |x| [reference::elu(a.into(), x), 0.0]))
            .collect(),
        ActivationKind::Xsilu => alpha()
            .map(|a| {
                let wide = f64::from(a);
                Case::new(Xsilu { alpha: a }, move |x| [reference::xsilu(wide, x), wide * x])
            })
            .collect(),
        other => panic!("no case for {other}"),
    }
}
