//! The CPU is asked once in a process: the only test of its program, so that nothing else asks.

use xielu_kernels_simd::{Isa, Kernels};

#[test]
fn the_cpu_is_asked_once() {
    assert_eq!(Isa::detections(), 0);
    let best = Isa::detect();
    // Elsewhere the target's name says it all.
    let asks = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
    assert_eq!(Isa::detections(), u32::from(asks));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                for _ in 0..1000 {
                    assert_eq!(Isa::detect(), best);
                    assert_eq!(
                        format!("{:?}", Kernels::detect()),
                        format!("{:?}", Kernels::for_isa(best).unwrap())
                    );
                    assert!(best.is_available() && Isa::Scalar.is_available());
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(Isa::detections(), u32::from(asks));
}
