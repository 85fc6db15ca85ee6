//! Two cores of a microcontroller (feature `two-cores`).

use super::Executor;
use crate::kernels::SecondCore;

/// Divides products among two cores that share their memory: a static, on which the second core
/// serves and the first computes. The results are those of one core, bit by bit.
///
/// The cores hand over work by a flag and a mailbox ([`SecondCore`]): no operating system, no
/// interrupt, no allocator. Both spin while they wait. Each runs the kernels, so the second one's
/// stack is as deep as the first one's, but for what calls the decoder.
///
/// ```
/// use xielu::kernels::Kernels;
/// use xielu::{Backend, TwoCores};
///
/// static CORES: TwoCores = TwoCores::new();
///
/// // On the second core, once the board has started it: for ever.
/// # let stop = std::sync::atomic::AtomicBool::new(false);
/// # std::thread::scope(|scope| {
/// # let second = scope.spawn(|| {
/// CORES.serve(|| {
/// #   if stop.load(std::sync::atomic::Ordering::Relaxed) { return false }
///     core::hint::spin_loop(); // on Arm, `wfe` will do
///     true
/// });
/// # });
///
/// // On the first: what `embedded::Session::start_on` and `llama::Decoder::new` take.
/// let backend = Backend::new(Kernels::detect(), &CORES);
/// # let _ = backend;
/// # while !CORES.is_serving() {}
/// # stop.store(true, std::sync::atomic::Ordering::Relaxed);
/// # second.join().unwrap();
/// # });
/// ```
#[derive(Debug, Default)]
pub struct TwoCores(SecondCore);

impl TwoCores {
    /// Until the second core serves, the first computes alone.
    pub const fn new() -> Self {
        TwoCores(SecondCore::new())
    }

    /// What the second core runs: see [`SecondCore::serve`].
    pub fn serve(&self, idle: impl FnMut() -> bool) {
        self.0.serve(idle);
    }

    /// Whether the second core is there.
    pub fn is_serving(&self) -> bool {
        self.0.is_serving()
    }
}

impl Executor for TwoCores {
    fn threads(&self) -> usize {
        1 + usize::from(self.is_serving())
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        self.0.join(a, b);
    }

    /// The second core is awake: it takes it some hundred instructions to have work.
    fn min_operations(&self) -> usize {
        1 << 11
    }
}
