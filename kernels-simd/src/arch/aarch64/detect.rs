//! What this CPU has: by the operating system with `std`, else by the target.

/// Whether the feature is there.
macro_rules! has {
    ($feature:tt) => {{
        #[cfg(xielu_force_scalar)]
        {
            false
        }
        #[cfg(all(not(xielu_force_scalar), feature = "std"))]
        {
            std::arch::is_aarch64_feature_detected!($feature)
        }
        #[cfg(all(not(xielu_force_scalar), not(feature = "std")))]
        {
            cfg!(target_feature = $feature)
        }
    }};
}

/// NEON, without which this module is not compiled. The kernels load the formats' little-endian
/// numbers as they are.
pub(crate) fn neon() -> bool {
    cfg!(all(not(xielu_force_scalar), target_endian = "little"))
}

/// NEON and the dot products of bytes.
pub(crate) fn dotprod() -> bool {
    neon() && has!("dotprod")
}

/// [`dotprod`] and the matrix products of bytes.
pub(crate) fn i8mm() -> bool {
    dotprod() && has!("i8mm")
}
