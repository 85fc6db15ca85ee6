//! A C program with a second Rust library in it: the archive as `docs/C.md` says to build it links
//! beside one that cargo would build, and the archive of `only-xielu.sh` beside any.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use xielu_testing::require;

use crate::support::compiled::{compile, libraries, static_library, succeeds};

/// Uses what two libraries would both bring: collections, formatting, unwinding.
const OTHER: &str = r#"
use std::collections::HashMap;

#[unsafe(no_mangle)]
pub extern "C" fn other_letters(n: u32) -> u32 {
    let lengths: HashMap<u32, usize> = (0..n).map(|i| (i, format!("{i}").len())).collect();
    let caught = std::panic::catch_unwind(|| assert!(lengths.len() > 100, "few"));
    lengths.values().sum::<usize>() as u32 + 1000 * u32::from(caught.is_err())
}
"#;

const MAIN: &str = r#"
#include <stdint.h>
#include <stdio.h>
#include "xielu.h"
uint32_t other_letters(uint32_t n);
int main(void)
{
    xielu_raw raw;
    xielu_activation f;
    float x = 1, y = 0;
    if (xielu_raw_init(&raw) || xielu_freeze(&raw, &f) || xielu_activate_f32(&f, &x, &y, 1)) {
        return 1;
    }
    printf("%.1f %u\n", y, (unsigned)other_letters(50));
    return 0;
}
"#;

/// A folder that no other call has: tests run side by side, and compilers' files of one source
/// have one name.
fn own_folder() -> PathBuf {
    static FOLDERS: AtomicUsize = AtomicUsize::new(0);
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let folder = libraries().join(format!("two_libraries.{number}"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The second library, optimised across crates or not.
fn other(lto: &str) -> String {
    let folder = own_folder();
    let (source, library) = (folder.join("other.rs"), folder.join("libother.a"));
    std::fs::write(&source, OTHER).unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()));
    rustc.args(["--edition", "2024", "--crate-type", "staticlib", "-O", "-o"]).arg(&library);
    rustc.arg("-C").arg(format!("lto={lto}")).arg(source);
    succeeds(&mut rustc);
    library.to_str().unwrap().to_owned()
}

/// Links both, in both orders, and runs the program.
fn works_beside(xielu: &str, other: &str) {
    let main = own_folder().join("two.c");
    std::fs::write(&main, MAIN).unwrap();
    for compiler in require::programs("cc", &["gcc", "clang"]) {
        for libraries in [[xielu, other], [other, xielu]] {
            let program = compile(compiler, &main, &["-std=c99"], &libraries);
            // One panic, in the other library and caught there.
            assert_eq!(succeeds(&mut Command::new(program)), "1.3 1090\n");
        }
    }
}

#[test]
fn the_archive_links_beside_another_rust_library() {
    works_beside(&static_library(), &other("off"));
}

#[test]
fn an_archive_of_its_functions_alone_links_beside_any() {
    if require::program("cc", "objcopy") {
        let alone = libraries().join("libxielu_alone.a");
        let script = Path::new("examples/c/only-xielu.sh");
        succeeds(Command::new(script).arg(static_library()).arg(&alone));
        for lto in ["off", "thin", "fat"] {
            works_beside(alone.to_str().unwrap(), &other(lto));
        }
    }
}

/// What the documentation says to build with is what these tests build with.
#[test]
fn every_documented_way_uses_the_profile() {
    for name in ["README.md", "docs/C.md", "examples/c/Makefile", "examples/c/CMakeLists.txt"] {
        let text = std::fs::read_to_string(name).unwrap();
        assert!(text.contains("--profile capi"), "{name}");
        assert!(!text.contains("--release --lib"), "{name}");
    }
}
