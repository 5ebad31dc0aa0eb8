//! What a caller allows.
#![allow(
    unsafe_code,
    reason = "options come by a pointer, and their size with them"
)]

use std::ffi::{c_char, c_void};
use std::mem::{MaybeUninit, offset_of};

use touchstone_artifacts::signing_key::KeyPolicy;
use touchstone_artifacts::{Context, HostFiles};

use crate::misuse::Misuse;
use crate::{TOUCHSTONE_ANY_KEY, TOUCHSTONE_HAS_TIME};

/// What a call may do beside what its request says. Begin with TOUCHSTONE_OPTIONS_INIT.
///
/// Later versions may add fields behind the last one; `size` tells the library which of them the caller knows. What a caller
/// sets and the library does not know is refused, never passed over.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TouchstoneOptions {
    /// sizeof(struct TouchstoneOptions).
    pub size: u32,
    /// TOUCHSTONE_ANY_KEY, TOUCHSTONE_HAS_TIME.
    pub flags: u32,
    /// With TOUCHSTONE_HAS_TIME: seconds since 1970-01-01 UTC. A certificate that is not valid then signs nothing.
    pub now: u64,
    /// Told what the operation does next, a few words such as "assembling uki.efi", in the thread that called and before
    /// touchstone_run() returns; `name` is gone afterwards. NULL if nobody wants to know. It must return: no longjmp, no
    /// exception.
    pub phase: Option<extern "C" fn(user: *mut c_void, name: *const c_char)>,
    /// Told how many bytes of the present phase are done, likewise.
    pub bytes: Option<extern "C" fn(user: *mut c_void, done: u64, total: u64)>,
    /// What both are given. The library does not look at it.
    pub user: *mut c_void,
}

/// The size of the first version, which every caller has at least.
const FIRST: usize = offset_of!(TouchstoneOptions, user) + size_of::<*mut c_void>();
/// No later version will be larger: what says so is not an options struct.
const LARGEST: usize = 4096;

impl TouchstoneOptions {
    /// What NULL stands for.
    fn none() -> TouchstoneOptions {
        TouchstoneOptions {
            size: size_of::<TouchstoneOptions>() as u32,
            flags: 0,
            now: 0,
            phase: None,
            bytes: None,
            user: std::ptr::null_mut(),
        }
    }

    /// What a call lends to its operation.
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            progress: self,
            keys: self.keys(),
            agent: None,
            now: self.time(),
            files: &HostFiles,
        }
    }

    /// Which private keys may be opened.
    fn keys(&self) -> KeyPolicy {
        match self.flags & TOUCHSTONE_ANY_KEY {
            0 => KeyPolicy::TestKeysOnly,
            _ => KeyPolicy::Any,
        }
    }

    /// What time it is, if the caller says.
    fn time(&self) -> Option<u64> {
        (self.flags & TOUCHSTONE_HAS_TIME != 0).then_some(self.now)
    }
}

/// Copies the caller's options, of whichever version they are.
///
/// # Safety
/// `options` is NULL, or its first four bytes can be read, and as many as they say.
pub(crate) unsafe fn read(options: *const TouchstoneOptions) -> Result<TouchstoneOptions, Misuse> {
    if options.is_null() {
        return Ok(TouchstoneOptions::none());
    }
    // SAFETY: the first field, which the caller says can be read; it need not be aligned.
    let size = unsafe { options.cast::<u32>().read_unaligned() } as usize;
    if !(FIRST..=LARGEST).contains(&size) {
        return Err(Misuse::OptionsSize(size));
    }
    let known = size.min(size_of::<TouchstoneOptions>());
    let mut copy = MaybeUninit::<TouchstoneOptions>::zeroed();
    // SAFETY: `known` bytes can be read, for `size` can, and be written, for the copy is no smaller; they do not overlap.
    unsafe {
        std::ptr::copy_nonoverlapping(options.cast::<u8>(), copy.as_mut_ptr().cast(), known);
    }
    // SAFETY: `size` bytes can be read.
    let beyond =
        unsafe { std::slice::from_raw_parts(options.cast::<u8>().add(known), size - known) };
    // SAFETY: integers may have any value, NULL is `None`, and other functions are the caller's word.
    let copy = unsafe { copy.assume_init() };
    let unknown = copy.flags & !(TOUCHSTONE_ANY_KEY | TOUCHSTONE_HAS_TIME);
    if unknown != 0 {
        return Err(Misuse::Flags(unknown));
    }
    if beyond.iter().any(|byte| *byte != 0) {
        return Err(Misuse::LaterOptions);
    }
    Ok(copy)
}
