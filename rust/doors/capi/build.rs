//! Gives the shared library its SONAME: the number is that of the interface, `TOUCHSTONE_ABI`.

/// `TOUCHSTONE_ABI`; a test compares them.
const ABI: u32 = 1;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for argument in [
        format!("-soname,libtouchstone.so.{ABI}"),
        // A thread may still hold a destructor of Rust's library when `dlclose` is called.
        "-z,nodelete".to_owned(),
        "-z,defs".to_owned(),
    ] {
        println!("cargo:rustc-cdylib-link-arg=-Wl,{argument}");
    }
}
