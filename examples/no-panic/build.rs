//! Links without the C start-up code, and on a hosted target with libc for `memcpy` and its kin.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-link-arg=-nostartfiles");
        println!("cargo::rustc-link-arg=-lc");
    }
}
