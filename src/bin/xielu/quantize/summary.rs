//! What became of the tensors, as a table.

use xielu::convert::TensorReport;
use xielu::kernels::DType;
use xielu::quant::ErrorStats;

/// Sums over the tensors of one change of type.
#[derive(Default)]
struct Group {
    tensors: usize,
    before: u64,
    after: u64,
    error: ErrorStats,
}

pub fn print(reports: &[TensorReport], verbose: bool) -> anyhow::Result<()> {
    let mut groups: Vec<((DType, DType), Group)> = Vec::new();
    say!(
        "{:<28} {:>8} {:>13} {:>13} {:>10} {:>12} {:>9}",
        "",
        "tensors",
        "bytes before",
        "bytes after",
        "max error",
        "relative rms",
        "SNR dB"
    );
    for r in reports {
        let one =
            Group { tensors: 1, before: r.bytes_before, after: r.bytes_after, error: r.error };
        if verbose {
            print_group(&format!("{} {}", r.name, r.to), &one)?;
        }
        let index = groups.iter().position(|(key, _)| *key == (r.from, r.to));
        match index.and_then(|i| groups.get_mut(i)) {
            Some((_, group)) => group.add(&one),
            None => groups.push(((r.from, r.to), one)),
        }
    }
    for note in fallbacks(reports) {
        tell!("note: {note}");
    }
    let mut together = Group::default();
    for ((from, to), group) in &groups {
        print_group(&format!("{from} -> {to}"), group)?;
        together.add(group);
    }
    print_group("together", &together)
}

impl Group {
    fn add(&mut self, other: &Group) {
        self.tensors += other.tensors;
        self.before += other.before;
        self.after += other.after;
        self.error.merge(&other.error);
    }
}

fn print_group(name: &str, g: &Group) -> anyhow::Result<()> {
    let error = match g.error.count() {
        0 => format!("{:>10} {:>12} {:>9}", "-", "-", "-"),
        _ => format!(
            "{:>10.2e} {:>12.2e} {:>9.1}",
            g.error.max_abs(),
            g.error.relative_rms(),
            g.error.snr_db()
        ),
    };
    say!("{name:<28} {:>8} {:>13} {:>13} {error}", g.tensors, g.before, g.after);
    Ok(())
}

/// Which types were not possible, one line for each kind of row.
pub fn fallbacks(reports: &[TensorReport]) -> Vec<String> {
    let fell_back = || reports.iter().filter(|r| r.wanted != r.to);
    let mut kinds = Vec::new();
    for r in fell_back() {
        let kind = (r.wanted, r.to, r.shape[1]);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let line = |(wanted, to, cols): (DType, DType, usize)| {
        let same = fell_back().filter(|r| (r.wanted, r.to, r.shape[1]) == (wanted, to, cols));
        let names: Vec<_> = same.map(|r| r.name.as_str()).collect();
        let (count, first) = (names.len(), names.first().copied().unwrap_or_default());
        let block = wanted.block_len();
        let which = match count {
            1 => first.to_owned(),
            _ => format!("{count} tensors ({first} and others)"),
        };
        format!("{which}: {to}, not {wanted}: rows of {cols} are not whole blocks of {block}")
    };
    kinds.into_iter().map(line).collect()
}
