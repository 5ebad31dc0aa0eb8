//! Kernels of every wrapping, beside ukify: what stands in `.linux`, and which version is found.

use std::io::Write;

use super::Known::By257And262;
use super::{BASE, amd64, compare_rows, same_as_ukify};
use crate::support::Work;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A PE image that has `payload` behind its sections, as the kernel's EFI decompressor has; it starts nothing.
fn zboot(wrapper: &[u8], name: &str, payload: &[u8]) -> Vec<u8> {
    let mut image = wrapper.to_vec();
    let start = u32::try_from(image.len()).unwrap();
    let len = u32::try_from(payload.len()).unwrap();
    image[4..8].copy_from_slice(b"zimg");
    image[8..12].copy_from_slice(&start.to_le_bytes());
    image[12..16].copy_from_slice(&len.to_le_bytes());
    image[24..24 + name.len()].copy_from_slice(name.as_bytes());
    image.extend(payload);
    image
}

/// A small PE image with a kernel's banner in it.
fn small_kernel(image: &[u8]) -> Vec<u8> {
    let banner = b"\0Linux version 6.9.9-small (builder) (gcc) #1 SMP\0";
    let place = image.len() - 0x200;
    let mut kernel = image.to_vec();
    kernel[place..place + banner.len()].copy_from_slice(banner);
    kernel
}

#[test]
fn an_arm64_kernel_is_unwrapped_and_its_version_found() {
    let work = Work::with_kernel("arm64");
    work.stub("trixie", "aa64", "stub");
    let real = gzip(&work.read("vmlinuz"));
    let wrapper = std::fs::read(&work.inputs.addon_stub["trixie"]["aa64"]).unwrap();
    let kernel = small_kernel(&std::fs::read(&work.inputs.boot["trixie"]["aa64"]).unwrap());
    let (gzipped, zstd) = (gzip(&kernel), zstd(&kernel));
    let kernels = [
        ("Debian's, compressed with gzip", real),
        ("compressed with gzip", gzipped.clone()),
        ("compressed with zstd", zstd.clone()),
        ("zboot with gzip", zboot(&wrapper, "gzip", &gzipped)),
        ("zboot with zstd", zboot(&wrapper, "zstd", &zstd)),
        (
            "two members of gzip and padding",
            [gzip(&kernel[..9_999]), gzip(&kernel[9_999..]), vec![0; 9]].concat(),
        ),
    ];
    for (what, kernel) in kernels {
        work.write("vmlinuz", kernel);
        same_as_ukify(&work, what, &BASE);
    }
}

#[test]
fn a_kernel_without_nx_compat_takes_it_from_the_uki() {
    let work = amd64();
    work.addon_stub("trixie", "x64", "addon");
    let mut kernel = work.read("vmlinuz");
    let pe = u32::from_le_bytes(kernel[0x3c..0x40].try_into().unwrap()) as usize;
    kernel[pe + 24 + 71] &= !1;
    work.write("old", kernel);
    compare_rows(
        &work,
        &["--stub", "stub"],
        &[("an old kernel", By257And262, "--linux old --cmdline quiet")],
    );
    let profile = "uki build --stub addon --profile ID=old --linux old --output old-profile";
    work.done(profile.split(' '));
    compare_rows(
        &work,
        &BASE,
        &[(
            "an old kernel in a profile",
            By257And262,
            "--join-profile old-profile",
        )],
    );
}

/// A boot loader takes the kernel's part here: it is a PE image with an SBAT of its own.
#[test]
fn the_sbat_of_the_kernel_is_merged() {
    let work = amd64();
    std::fs::copy(&work.inputs.boot["trixie"]["x64"], work.path("with-sbat")).unwrap();
    let rows = [
        ("its SBAT", By257And262, "--uname 6.1"),
        (
            "its SBAT and the user's",
            By257And262,
            "--uname 6.1 --sbat @sbat",
        ),
    ];
    compare_rows(&work, &["--stub", "stub", "--linux", "with-sbat"], &rows);
    work.addon_stub("trixie", "x64", "addon");
    let profile = "uki build --stub addon --profile ID=sbat --linux with-sbat --output profile";
    work.done(profile.split(' '));
    let row = (
        "that of a profile's kernel is not",
        By257And262,
        "--join-profile profile",
    );
    compare_rows(&work, &BASE, &[row]);
}
