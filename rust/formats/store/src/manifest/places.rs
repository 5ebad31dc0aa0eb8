//! Where a manifest lies for the initrd that verifies by it: one place for each carrier (`docs/stage1.md`).

/// In an image: the file in the initrd, below its root.
pub const IN_IMAGE: &str = ".touchstone/manifest";
/// Beside an image: the credential that the stub hands to the initrd.
pub const CREDENTIAL: &str = "touchstone-manifest.cred";
/// On the root file system: the folder of the files `<base name of the toplevel>.json`.
pub const ON_ROOT: &str = "/nix/var/touchstone/manifests";
