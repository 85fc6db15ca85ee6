//! Objects in the caller's memory: opaque to C, and marked so that memory which is no such object
//! is recognised.

use super::Status;
use super::pointer::Region;

/// A C struct whose bytes are a Rust value.
pub(super) trait Object: Copy {
    /// What it is.
    type Value;
    /// A number no other kind of object has.
    const KIND: usize;
}

/// How a value lies in its object.
#[repr(C)]
struct Slot<T> {
    /// Kind and address: memory that was never filled, or that was copied from elsewhere, has
    /// another one.
    mark: usize,
    value: T,
}

fn mark<O: Object>(p: *const O) -> usize {
    p.addr() ^ O::KIND
}

/// Room for an object that is about to be made.
pub(super) struct Place<O> {
    p: *mut O,
    region: Region,
}

impl<O: Object> Place<O> {
    /// Checks the pointer.
    pub fn new(p: *mut O) -> Result<Self, Status> {
        const {
            assert!(size_of::<Slot<O::Value>>() <= size_of::<O>());
            assert!(align_of::<Slot<O::Value>>() <= align_of::<O>());
        }
        Ok(Place { p, region: Region::of(p, 1)? })
    }

    pub const fn region(&self) -> Region {
        self.region
    }

    /// Makes the object.
    ///
    /// # Safety
    /// The place is writable and nobody else uses it during the call.
    pub unsafe fn fill(self, value: O::Value) {
        let slot = Slot { mark: mark::<O>(self.p), value };
        // SAFETY: `new` checked that the pointer is not NULL and aligned for `O`, and that a slot
        // fits in size and alignment; the rest is this function's contract.
        unsafe { self.p.cast::<Slot<O::Value>>().write(slot) };
    }
}

/// The addresses of an object.
pub(super) fn region<O: Object>(p: *const O) -> Result<Region, Status> {
    Region::of(p, 1)
}

/// The value of an object that was made at this place.
///
/// # Safety
/// `p` is NULL or points to a readable `O` that nobody writes during `'a`.
pub(super) unsafe fn get<'a, O: Object>(p: *const O) -> Result<&'a O::Value, Status> {
    check(p)?;
    // SAFETY: not NULL, aligned, and the mark says that `Place::fill` wrote a slot here; the rest
    // is this function's contract.
    Ok(unsafe { &(*p.cast::<Slot<O::Value>>()).value })
}

/// As [`get`], to write to.
///
/// # Safety
/// `p` is NULL or points to a readable and writable `O` that nobody else uses during `'a`.
pub(super) unsafe fn get_mut<'a, O: Object>(p: *mut O) -> Result<&'a mut O::Value, Status> {
    check(p)?;
    // SAFETY: as in `get`.
    Ok(unsafe { &mut (*p.cast::<Slot<O::Value>>()).value })
}

fn check<O: Object>(p: *const O) -> Result<(), Status> {
    Region::of(p, 1)?;
    // SAFETY: not NULL and aligned, as just checked; every caller's contract says that an `O`,
    // which begins with the mark, can be read there.
    let found = unsafe { p.cast::<usize>().read() };
    if found == mark::<O>(p) { Ok(()) } else { Err(Status::Uninitialized) }
}
