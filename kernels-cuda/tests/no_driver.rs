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
#[ignore = "needs a driver that pretends to be old: kernels-cuda/tools/pretended.sh"]
fn an_old_driver() {
    let version = std::env::var("XIELU_PRETENDED_DRIVER").unwrap();
    let version = version.parse().expect("a version");
    assert_eq!(Cuda::new(0).map(drop), Err(Error::OldDriver(version)));
}

/// Where the device is older than the kernels.
#[test]
#[ignore = "needs a device that pretends to be old: kernels-cuda/tools/pretended.sh"]
fn an_old_device() {
    let capability = std::env::var("XIELU_PRETENDED_CAPABILITY").unwrap();
    let capability = capability.parse().expect("10 * major + minor");
    assert_eq!(Cuda::new(0).map(drop), Err(Error::OldDevice(capability)));
}
