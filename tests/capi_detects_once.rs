//! No C call asks the CPU again, nor does a backend: the only test of its program, so that nothing
//! else asks.

#[path = "capi/support/mod.rs"]
mod support;

use support::{Memory, config_of, model_bytes, open, zeroed};
use xielu::capi::*;
use xielu::kernels::Isa;
use xielu::{Backend, RawXielu};

#[test]
fn the_cpu_is_asked_once() {
    let bytes = model_bytes();
    let gguf = open(&bytes);
    let config = config_of(&gguf);
    assert_eq!(Isa::detections(), 0, "opening a file computes nothing");

    let raw = RawXielu::PAPER_INIT.into();
    let mut f = zeroed();
    let x = [0.5f32; 64];
    let mut y = [0.0f32; 64];
    let mut text = [0; 32];
    let mut mlp = zeroed();
    let hidden = config.hidden_size;
    let size = xielu_mlp_scratch_size(hidden, config.intermediate_size, 32, 1);
    let mut scratch = Memory::new(size);
    let states = vec![0.1f32; hidden];
    let mut out = vec![0.0f32; hidden];
    let options = xielu_backward_options { raw, kind: XIELU_ACTIVATION_XIELU, parallel: 0 };
    let mut alphas = zeroed();
    // SAFETY: all memory is live and of the size stated.
    unsafe {
        assert_eq!(xielu_freeze(&raw, &mut f), Status::Ok);
        assert_eq!(xielu_mlp_load(&*gguf, 0, &mut mlp), Status::Ok);
        for _ in 0..100 {
            assert_eq!(xielu_activate_f32(&f, x.as_ptr(), y.as_mut_ptr(), 64), Status::Ok);
            assert_eq!(xielu_swiglu_f32(x.as_ptr(), x.as_ptr(), y.as_mut_ptr(), 64), Status::Ok);
            let (x, dx) = (x.as_ptr(), y.as_mut_ptr());
            assert_eq!(xielu_backward_f32(&options, x, x, dx, 64, &mut alphas), Status::Ok);
            let status = xielu_mlp_run(
                &mlp,
                32,
                states.as_ptr(),
                out.as_mut_ptr(),
                hidden,
                scratch.at(),
                size,
            );
            assert_eq!(status, Status::Ok);
            assert_eq!(xielu_isa_name(text.as_mut_ptr(), text.len()), Status::Ok);
            let _ = Backend::default();
        }
    }
    let asks = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
    assert_eq!(Isa::detections(), u32::from(asks));
}
