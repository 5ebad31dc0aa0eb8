//! What Nix loads: it reads the version of the Nix around it, and loads the plugin itself only if that was built for the same one.
//!
//! Nix' C++ API has no stable form: a plugin for another version crashes, or worse. This object needs nothing of Nix, so that any Nix
//! loads it; where the versions differ it says so in one line and does nothing more. Nix then works without `builtins.touchstone`.

use std::ffi::{CStr, OsStr, c_void};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cxx::CxxString;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

/// The Nix that the plugin is built for.
const BUILT_FOR: &str = env!("TOUCHSTONE_NIX_VERSION");

/// `nix::nixVersion`, a std::string, as GNU's C++ library calls it.
const VERSION: &[u8] = b"_ZN3nix10nixVersionB5cxx11E";

/// Where the plugin itself lies, from this object's folder: as installed, and as cargo builds it. Not beside it when installed, for Nix
/// loads every file of a folder that is named in `plugin-files`.
const PLACES: [&str; 2] = [
    "../../touchstone-nix/libtouchstone-nix-inner.so",
    "libtouchstone_nix_inner.so",
];

/// What Nix calls when it has loaded this object.
#[unsafe(no_mangle)]
pub extern "C" fn nix_plugin_entry() {
    if let Err(reason) = load() {
        let warning = format!("warning: touchstone: {reason}; builtins.touchstone is not there\n");
        // Nix goes on where nobody can read it, too: `eprintln!` would panic, and end Nix.
        let _unread = std::io::stderr().write_all(warning.as_bytes());
    }
}

fn load() -> Result<(), String> {
    match nix_version() {
        Some(version) if version == BUILT_FOR => register(&inner()?),
        Some(version) => Err(format!(
            "the plugin is built for Nix {BUILT_FOR} and this is Nix {version}: build it with this Nix' own package"
        )),
        None => Err(format!(
            "the plugin is built for Nix {BUILT_FOR}, and this Nix has no libraries for plugins to use: load it into Nix {BUILT_FOR}"
        )),
    }
}

fn nix_version() -> Option<String> {
    let process = Library::this();
    // SAFETY: the symbol is looked up in the process, and has the type that its mangled name says: a C++11 std::string, which is what
    // CxxString is. Nix sets it before it loads plugins and never changes it again, and nobody unloads the process.
    let version = unsafe { process.get::<*const CxxString>(VERSION).ok()?.as_raw_ptr() };
    // SAFETY: as above; an address that the dynamic linker has found is not null and aligned for the object that lies there.
    let version = unsafe { version.cast::<CxxString>().as_ref()? };
    Some(version.to_string_lossy().into_owned())
}

/// The plugin itself.
fn inner() -> Result<PathBuf, String> {
    let own = own_path().ok_or("the plugin does not know where it lies")?;
    let folder = own.parent().unwrap_or(Path::new("/"));
    PLACES
        .iter()
        .map(|place| folder.join(place))
        .find(|place| place.is_file())
        .ok_or_else(|| {
            format!(
                "the plugin's second part is missing: {}",
                folder.join(PLACES[0]).display()
            )
        })
}

/// The file that this code was loaded from, its links followed.
fn own_path() -> Option<PathBuf> {
    let mut found = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
    let here = nix_plugin_entry as *const c_void;
    // SAFETY: dladdr writes to the struct that it is given, which lives long enough, and reads nothing at the address.
    let known = unsafe { libc::dladdr(here, found.as_mut_ptr()) };
    if known == 0 {
        return None;
    }
    // SAFETY: dladdr has succeeded, and filled the struct; the name is a NUL-terminated string that lives as long as this object is loaded.
    let name = unsafe { CStr::from_ptr(found.assume_init().dli_fname) };
    std::fs::canonicalize(OsStr::from_bytes(name.to_bytes())).ok()
}

fn register(inner: &Path) -> Result<(), String> {
    let broken = |error: libloading::Error| {
        format!(
            "the plugin is of no use to this Nix, though the versions are the same: {error}: build it with this Nix' own package"
        )
    };
    // SAFETY: what runs when it is loaded are the constructors of our own plugin, whose version is that of the process; what it needs is
    // resolved at once, so that a symbol that is missing is an error here and no crash later.
    let library = unsafe { Library::open(Some(inner), RTLD_NOW | RTLD_LOCAL) }.map_err(broken)?;
    // SAFETY: the plugin exports a function of that name and type.
    let register = unsafe { library.get::<extern "C" fn() -> bool>(b"touchstone_nix_register") }
        .map_err(broken)?;
    let registered = register();
    // Nix keeps pointers into it until it ends.
    std::mem::forget(library);
    if registered {
        Ok(())
    } else {
        Err("the plugin could not be registered".to_owned())
    }
}
