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

/// Where the driver is older than what is asked of it.
#[test]
fn an_old_driver() {
    let Some(version) = std::env::var_os("XIELU_PRETENDED_DRIVER") else {
        println!("not run: tools/pretended.sh pretends to an old driver");
        return;
    };
    let version = version.to_str().and_then(|v| v.parse().ok()).expect("a version");
    assert_eq!(Cuda::new(0).map(drop), Err(Error::OldDriver(version)));
}
