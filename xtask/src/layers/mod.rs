//! The direction of imports: no circle among files, none upward among rooms.
mod graph;
mod source;

use crate::shell::{Result, root};

pub fn run() -> Result {
    for root_file in [
        "src/lib.rs",
        "src/bin/xielu/main.rs",
        "kernels-simd/src/lib.rs",
        "kernels-cuda/src/lib.rs",
    ] {
        let modules = source::modules(&root().join(root_file))?;
        let graph = graph::graph(&modules);
        let short = |p: &std::path::Path| p.strip_prefix(root()).unwrap().display().to_string();
        println!("== {root_file}: {} files", graph.len());
        for c in graph::circles(&graph) {
            println!("circle of {}:", c.len());
            for f in &c {
                for (n, by) in &graph[*f] {
                    if c.contains(&n.as_path()) {
                        println!("   {} -> {} ({by})", short(f), short(n));
                    }
                }
            }
        }
        let room = |p: &std::path::Path| {
            let s = short(p);
            let t = s.split("/src/").last().unwrap_or(&s).trim_start_matches("src/").to_string();
            t.split('/').next().unwrap().trim_end_matches(".rs").to_string()
        };
        let mut e = std::collections::BTreeMap::<(String, String), Vec<String>>::new();
        for (f, ns) in &graph {
            for (n, by) in ns {
                let (a, b) = (room(f), room(n));
                if a != b {
                    e.entry((a, b)).or_default().push(format!("{} {by}", short(f)));
                }
            }
        }
        if root_file == "src/lib.rs" {
            for ((a, b), v) in e {
                println!("{a} -> {b}: {}: {}", v.len(), v[0]);
            }
        }
    }
    Ok(())
}
