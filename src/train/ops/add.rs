//! Gradients added in place.

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor};

/// `total += other`, without new memory on the CPU; `total` may be replaced on other devices.
///
/// # Errors
/// If the shapes differ, and those of candle.
pub(in crate::train) fn add_in_place(total: &mut Tensor, other: &Tensor) -> Result<()> {
    if total.device().is_cpu() {
        return total.inplace_op2(&other.contiguous()?, &AddInPlace);
    }
    *total = (&*total + other)?;
    Ok(())
}

struct AddInPlace;

impl InplaceOp2 for AddInPlace {
    fn name(&self) -> &'static str {
        "add_in_place"
    }

    fn cpu_fwd(
        &self,
        total: &mut CpuStorage,
        layout: &Layout,
        other: &CpuStorage,
        other_layout: &Layout,
    ) -> Result<()> {
        let (CpuStorage::F32(total), CpuStorage::F32(other)) = (total, other) else {
            refuse!("gradients are added in f32")
        };
        let part = |layout: &Layout| layout.contiguous_offsets().map(|(start, end)| start..end);
        let total = part(layout).and_then(|part| total.get_mut(part));
        let other = part(other_layout).and_then(|part| other.get(part));
        match (total, other) {
            (Some(total), Some(other)) if total.len() == other.len() => {
                for (total, other) in total.iter_mut().zip(other) {
                    *total += *other;
                }
                Ok(())
            }
            _ => refuse!("gradients of different shapes"),
        }
    }
}
