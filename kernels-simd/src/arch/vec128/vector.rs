//! The vectors themselves: what an instruction set of 16 bytes must offer.

/// An instruction set with vectors of 16 bytes, as a value that proves the machine runs it.
pub(crate) trait Vec128: Copy {
    /// 16 bytes; signed or not is the operation's choice.
    type Bytes: Copy;
    /// Four integers.
    type I32: Copy;
    /// Four floats.
    type F32: Copy;

    /// # Safety
    /// `p` is readable for 16 bytes; any alignment.
    unsafe fn load_from(self, p: *const u8) -> Self::Bytes;
    fn splat_bytes(self, b: u8) -> Self::Bytes;
    fn and(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    /// Bits of `a` where `mask` has ones, else of `b`.
    fn select(self, mask: Self::Bytes, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    /// All bits of the bytes of which `a` and `b` share one, none of the others.
    fn test(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    /// Bytes of `table` by number, below 16.
    fn look_up(self, table: Self::Bytes, numbers: Self::Bytes) -> Self::Bytes;
    /// Each byte `N` bits to the left, zeros from the right.
    fn shl<const N: i32>(self, a: Self::Bytes) -> Self::Bytes;
    /// Each byte `N` bits to the right, zeros from the left.
    fn shr<const N: i32>(self, a: Self::Bytes) -> Self::Bytes;

    /// Four dot products of 32 signed bytes. The magnitude of `w` is at most `largest`, that of
    /// `x` at most 127.
    fn dot_groups(
        self,
        largest: u8,
        w: [[Self::Bytes; 2]; 4],
        x: [[Self::Bytes; 2]; 4],
    ) -> Self::I32;
    /// As [`Vec128::dot_groups`], of 16 bytes.
    fn dot_halves(self, largest: u8, w: [Self::Bytes; 4], x: [Self::Bytes; 4]) -> Self::I32;

    fn splat_i32(self, x: i32) -> Self::I32;
    fn mul_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// `a * b + c`.
    fn mul_add_i32(self, a: Self::I32, b: Self::I32, c: Self::I32) -> Self::I32;
    /// The sums of neighbours.
    fn pair_sums(self, x: &[i16; 8]) -> Self::I32;
    /// The even numbers and the odd ones.
    fn even_odd(self, x: &[i16; 8]) -> [Self::I32; 2];
    /// The even numbers and the odd ones.
    fn even_odd_bytes(self, x: &[i8; 8]) -> [Self::I32; 2];
    fn widen_u8(self, x: [u8; 8]) -> [Self::I32; 2];

    fn to_f32(self, x: Self::I32) -> Self::F32;
    fn splat(self, x: f32) -> Self::F32;
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b + c`, rounded once or twice, whichever is fast.
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// `c - a * b`, rounded once or twice, whichever is fast.
    fn mul_sub(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// One of `a`, one of `b`, and so on.
    fn zip(self, a: Self::F32, b: Self::F32) -> [Self::F32; 2];
    /// The sum of the four.
    fn sum(self, x: Self::F32) -> f32;
    /// # Safety
    /// `p` is readable for 16 bytes; any alignment.
    unsafe fn load_f32_from(self, p: *const u8) -> Self::F32;
    /// Four little-endian f16, exactly.
    fn widen_f16(self, x: [[u8; 2]; 4]) -> Self::F32;
    /// A little-endian f16, exactly, four times.
    fn splat_f16(self, x: [u8; 2]) -> Self::F32;
    /// Four little-endian f16, exactly.
    ///
    /// # Safety
    /// `p` is readable for 8 bytes; any alignment.
    unsafe fn load_f16_from(self, p: *const u8) -> Self::F32;
    /// Four little-endian bf16, exactly.
    ///
    /// # Safety
    /// `p` is readable for 8 bytes; any alignment.
    unsafe fn load_bf16_from(self, p: *const u8) -> Self::F32;

    #[inline(always)]
    fn load_f32(self, x: &[f32; 4]) -> Self::F32 {
        // SAFETY: the array holds the 16 bytes that are read.
        unsafe { self.load_f32_from(x.as_ptr().cast()) }
    }
    #[inline(always)]
    fn load(self, x: &[u8; 16]) -> Self::Bytes {
        // SAFETY: the array holds the 16 bytes that are read.
        unsafe { self.load_from(x.as_ptr()) }
    }
    #[inline(always)]
    fn load_i8(self, x: &[i8; 16]) -> Self::Bytes {
        // SAFETY: the array holds the 16 bytes that are read.
        unsafe { self.load_from(x.as_ptr().cast()) }
    }
}
