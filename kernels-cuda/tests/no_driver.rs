//! A machine without a device or without a driver gets an error that says so, and no panic.

use xielu_kernels_cuda::{Cuda, Error};

#[test]
fn a_device_that_is_not_there() {
    for device in [99, usize::MAX] {
        let error = Cuda::new(device).expect_err("no machine has so many devices");
        println!("device {device}: {error}");
        assert!(matches!(error, Error::NoDriver | Error::OldDriver(_) | Error::Driver { .. }));
    }
}
