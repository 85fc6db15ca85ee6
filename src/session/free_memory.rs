//! How much memory this process may still take.

use std::fs;
use std::path::Path;
use std::vec::Vec;

/// Bytes that are free, or can be made so: of the machine, and of the control groups the process
/// is in (containers). `None` where the system does not say: only Linux does.
pub fn free_memory() -> Option<u64> {
    free_below(Path::new("/"))
}

/// As [`free_memory`], `/proc` and `/sys` being in `root`.
fn free_below(root: &Path) -> Option<u64> {
    let machine = meminfo(root);
    machine.into_iter().chain(control_groups(root)).min()
}

/// What can be had without swapping, and the swap that is left. See proc_meminfo(5).
fn meminfo(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let kilobytes = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let swap = kilobytes("SwapFree").unwrap_or(0);
    Some(kilobytes("MemAvailable")?.saturating_add(swap).saturating_mul(1024))
}

/// The files of a control group's memory, in its two versions, and what the pages that can be
/// dropped are called. See the kernel's cgroup-v2.rst and cgroup-v1/memory.rst.
struct Files {
    folder: &'static str,
    limit: &'static str,
    used: &'static str,
    droppable: &'static str,
}

const V2: Files = Files {
    folder: "sys/fs/cgroup",
    limit: "memory.max",
    used: "memory.current",
    droppable: "inactive_file",
};
const V1: Files = Files {
    folder: "sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    droppable: "total_inactive_file",
};

/// What each limited group above the process leaves.
fn control_groups(root: &Path) -> Vec<u64> {
    let text = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut free = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let files = match controllers {
            "" => &V2,
            names if names.split(',').any(|name| name == "memory") => &V1,
            _ => continue,
        };
        let top = root.join(files.folder);
        // Inside a container the path may be one of the host's, which is not there: then its own
        // group is the top.
        let group = top.join(path.trim_start_matches('/'));
        let groups = group.ancestors().take_while(|group| group.starts_with(&top));
        free.extend(groups.filter_map(|group| left(files, group)));
    }
    free
}

fn left(files: &Files, group: &Path) -> Option<u64> {
    let number =
        |name| -> Option<u64> { fs::read_to_string(group.join(name)).ok()?.trim().parse().ok() };
    // A group without a limit says "max", which is no number.
    let (limit, used) = (number(files.limit)?, number(files.used)?);
    let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let droppable = stat.lines().find_map(|line| {
        let (name, bytes) = line.split_once(' ')?;
        (name == files.droppable).then(|| bytes.parse::<u64>().ok())?
    });
    Some(limit.saturating_sub(used.saturating_sub(droppable.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:  16000 kB\nMemFree:  1 kB\nMemAvailable:   9000 kB\nSwapFree:     1000 kB\n",
    );

    #[test]
    fn the_tightest_limit_counts() {
        let free = |files: &[_]| free_below(tree(files).path());
        assert_eq!(free(&[]), None);
        assert_eq!(free(&[MEMINFO]), Some(10_000 * 1024));
        let v2 = |max| {
            [
                MEMINFO,
                ("proc/self/cgroup", "0::/user/job\n"),
                ("sys/fs/cgroup/user/job/memory.max", "max\n"),
                ("sys/fs/cgroup/user/job/memory.current", "10\n"),
                ("sys/fs/cgroup/user/memory.max", max),
                ("sys/fs/cgroup/user/memory.current", "3000000\n"),
                ("sys/fs/cgroup/user/memory.stat", "anon 5\ninactive_file 1000000\n"),
            ]
        };
        assert_eq!(free(&v2("5000000\n")), Some(3_000_000));
        assert_eq!(free(&v2("1000000\n")), Some(0));
        assert_eq!(free(&v2("max\n")), Some(10_000 * 1024));
        // A container that sees its own group at the top, under the host's path.
        let v1 = [
            MEMINFO,
            ("proc/self/cgroup", "9:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "4096000"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "96000"),
            ("sys/fs/cgroup/memory/memory.stat", "total_inactive_file 0\n"),
        ];
        assert_eq!(free(&v1), Some(4_000_000));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_says_something() {
        let free = free_memory().unwrap();
        assert!(free > 1 << 20 && free < 1 << 50, "{free}");
    }
}
