//! The kernels: on the host always, in an interpreter of the PTX, and on device 0 if there is one.

mod arguments;
mod backward;
mod cpu;
mod decoder;
mod device;
mod forward;
mod inputs;
mod large;
mod mlp;
mod products;
mod ptx;
mod q8_0;
mod sums;
mod support;
