//! Links without the C start-up code, but with libc for `memcpy` and its kin.

fn main() {
    println!("cargo::rustc-link-arg=-nostartfiles");
    println!("cargo::rustc-link-arg=-lc");
}
