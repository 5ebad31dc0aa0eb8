//! What keeps the memory of a process out of files: no core dump, no swap.

use std::io;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use rustix::thread::{CapabilitySet, capabilities};

/// Nobody but root can look into this process any more, and it leaves no core dump, whatever happens to it (prctl(2), `PR_SET_DUMPABLE`; core(5)).
///
/// # Errors
/// What the kernel answers.
pub fn no_dumps() -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    Ok(setrlimit(Resource::Core, none)?)
}

/// Keeps all memory of this process, now and later, out of swap. False where this process may not lock as much as it likes: with a limit, whatever
/// reserves memory would fail in the middle of its work.
///
/// # Errors
/// What the kernel answers to a process that may.
pub fn no_swap() -> io::Result<bool> {
    let may = capabilities(None)?
        .effective
        .contains(CapabilitySet::IPC_LOCK);
    if !may && getrlimit(Resource::Memlock).current.is_some() {
        return Ok(false);
    }
    // As it is touched: address space that is only reserved costs nothing.
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?;
    Ok(true)
}
