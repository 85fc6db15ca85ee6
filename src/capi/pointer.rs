//! Pointers from C: checked first, borrowed only then.

use super::Status;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    start: usize,
    end: usize,
}

impl Region {
    /// No addresses.
    pub const EMPTY: Region = Region { start: 0, end: 0 };

    /// `n` elements at `p`: not NULL, aligned, and within the address space. Nothing is asked of
    /// the pointer to no elements.
    pub fn of<T>(p: *const T, n: usize) -> Result<Region, Status> {
        if n == 0 {
            return Ok(Region::EMPTY);
        }
        if p.is_null() {
            return Err(Status::Null);
        }
        if !p.is_aligned() {
            return Err(Status::Misaligned);
        }
        let start = p.addr();
        let size = n.checked_mul(size_of::<T>()).filter(|&size| isize::try_from(size).is_ok());
        let end = size.and_then(|size| start.checked_add(size));
        end.map(|end| Region { start, end }).ok_or(Status::Short)
    }

    const fn overlaps(self, other: Region) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// Fails if memory that is written overlaps what is read, or other memory that is written.
pub(super) fn separate(writes: &[Region], reads: &[Region]) -> Result<(), Status> {
    let mut rest = writes;
    while let Some((write, others)) = rest.split_first() {
        if others.iter().chain(reads).any(|other| write.overlaps(*other)) {
            return Err(Status::Overlap);
        }
        rest = others;
    }
    Ok(())
}

/// `n` elements to read.
#[derive(Debug)]
pub(super) struct In<T> {
    p: *const T,
    n: usize,
    region: Region,
}

impl<T: Copy> In<T> {
    /// Checks NULL, alignment and size.
    pub fn new(p: *const T, n: usize) -> Result<Self, Status> {
        Ok(In { p, n, region: Region::of(p, n)? })
    }

    pub const fn region(&self) -> Region {
        self.region
    }

    /// The elements.
    ///
    /// # Safety
    /// They are readable and nobody writes them during `'a`: the caller of the C function vouches
    /// for its memory, [`separate`] for what this call writes.
    pub const unsafe fn get<'a>(&self) -> &'a [T] {
        if self.n == 0 {
            return &[];
        }
        // SAFETY: `new` checked that `p` is not NULL, aligned, and that `n` elements fit; the
        // rest is this function's contract.
        unsafe { core::slice::from_raw_parts(self.p, self.n) }
    }
}

/// `n` elements to write.
#[derive(Debug)]
pub(super) struct Out<T> {
    p: *mut T,
    n: usize,
    region: Region,
}

impl<T: Copy> Out<T> {
    /// Checks NULL, alignment and size.
    pub fn new(p: *mut T, n: usize) -> Result<Self, Status> {
        Ok(Out { p, n, region: Region::of(p, n)? })
    }

    /// As many elements as `size` bytes hold.
    pub fn of_bytes(p: *mut core::ffi::c_void, size: usize) -> Result<Self, Status> {
        Out::new(p.cast(), size.checked_div(size_of::<T>()).unwrap_or(0))
    }

    pub const fn region(&self) -> Region {
        self.region
    }

    /// The elements.
    ///
    /// # Safety
    /// They are readable and writable and nobody else uses them during `'a`: the caller of the C
    /// function vouches for its memory, [`separate`] for what this call uses.
    pub const unsafe fn get<'a>(&self) -> &'a mut [T] {
        if self.n == 0 {
            return &mut [];
        }
        // SAFETY: `new` checked that `p` is not NULL, aligned, and that `n` elements fit; the
        // rest is this function's contract.
        unsafe { core::slice::from_raw_parts_mut(self.p, self.n) }
    }

    /// Writes every element.
    ///
    /// # Safety
    /// As [`Out::get`].
    pub unsafe fn fill(&self, value: T) {
        let mut p = self.p;
        for _ in 0..self.n {
            // SAFETY: `new` checked that `p` is not NULL, aligned, and that `n` elements fit; the
            // rest is this function's contract.
            unsafe { p.write(value) };
            p = p.wrapping_add(1);
        }
    }

    /// Writes one element to where one was asked for.
    ///
    /// # Safety
    /// As [`Out::get`].
    pub const unsafe fn write(&self, value: T) {
        if self.n > 0 {
            // SAFETY: as in `get`.
            unsafe { self.p.write(value) };
        }
    }
}

/// Copies one struct of the caller's.
///
/// # Safety
/// `p` is NULL or points to a readable `T`.
pub(super) unsafe fn read<T: Copy>(p: *const T) -> Result<T, Status> {
    In::new(p, 1)?;
    // SAFETY: not NULL and aligned, as checked; readable by this function's contract.
    Ok(unsafe { p.read() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_checked() {
        let x = [0u32; 4];
        let p = x.as_ptr();
        assert_eq!(Region::of(core::ptr::null::<u32>(), 0), Ok(Region::EMPTY));
        assert_eq!(Region::of(core::ptr::null::<u32>(), 1), Err(Status::Null));
        assert_eq!(Region::of(p.wrapping_byte_add(2), 1), Err(Status::Misaligned));
        assert_eq!(Region::of(p, usize::MAX), Err(Status::Short));
        assert_eq!(Region::of(p, isize::MAX as usize / 4 + 1), Err(Status::Short));
        let high = core::ptr::without_provenance::<u32>(usize::MAX - 3);
        assert_eq!(Region::of(high, 2), Err(Status::Short));
        assert!(Region::of(p, 4).is_ok());
    }

    #[test]
    fn overlaps_are_found() {
        let x = [0u8; 32];
        let at = |start: usize, n| Region::of(x[start..].as_ptr(), n).unwrap();
        assert_eq!(separate(&[at(0, 8), at(8, 8)], &[at(16, 8), at(16, 16)]), Ok(()));
        assert_eq!(separate(&[at(0, 9), at(8, 8)], &[]), Err(Status::Overlap));
        assert_eq!(separate(&[at(0, 4), at(8, 8)], &[at(15, 1)]), Err(Status::Overlap));
        assert_eq!(separate(&[at(4, 0)], &[at(0, 32)]), Ok(()));
    }
}
