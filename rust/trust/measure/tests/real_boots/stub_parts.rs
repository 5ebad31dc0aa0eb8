//! UKIs, addons and what is in them.

use std::path::PathBuf;

use uuid::{Uuid, uuid};

use crate::bench::Bench;

/// An option of ukify without what belongs to it, and that.
pub(crate) type Options = Vec<(&'static str, PathBuf)>;

/// `70ffd812…` of "QEMU&Standard PC (Q35 + ICH9, 2009)": manufacturer and product of the machine.
const THIS_MACHINE: Uuid = uuid!("817fca52-ae83-52f5-8642-9497f79d49d0");

pub(crate) fn plain(bench: &Bench) -> Options {
    vec![(
        "--cmdline=@",
        bench.file("cmdline", b"console=ttyS0 panic=-1 oops=panic\n"),
    )]
}

/// Every section that is the same on all machines, as far as the stub of 252 has room for them.
pub(crate) fn rich(bench: &Bench, suite: &str) -> Options {
    let mut options = plain(bench);
    options.push((
        "--os-release=@",
        bench.file("os-release", b"ID=touchstone\nNAME=T\n"),
    ));
    options.push((
        "--section=.pcrpkey:@",
        bench.file("key.pem", b"a public key\n"),
    ));
    options.push(("--section=.pcrsig:@", bench.file("signature.json", b"{}\n")));
    match suite {
        "bookworm" => options.push(without_uname()),
        _ => options.extend(pictured(bench)),
    }
    options
}

/// Leaves `.uname` out, which ukify reads from the kernel: the stub of 252 has room for seven sections.
pub(crate) fn without_uname() -> (&'static str, PathBuf) {
    ("--uname=", PathBuf::new())
}

/// Microcode and a splash.
pub(crate) fn pictured(bench: &Bench) -> Options {
    vec![
        ("--microcode=", bench.file("microcode", &cpio("microcode"))),
        ("--splash=", bench.file("splash.bmp", &bitmap())),
    ]
}

/// An addon with these options, signed.
pub(crate) fn addon(bench: &Bench, suite: &str, name: &str, options: &Options) -> PathBuf {
    let unsigned = built(bench, suite, &format!("{name}.unsigned"), options);
    bench.sign(&unsigned, name)
}

/// An addon of this command line.
pub(crate) fn line(bench: &Bench, suite: &str, name: &str, line: &str) -> PathBuf {
    let text = bench.file(&format!("{name}.cmdline"), line.as_bytes());
    addon(bench, suite, name, &vec![("--cmdline=@", text)])
}

/// An addon that brings everything that addons may bring.
pub(crate) fn full(bench: &Bench, suite: &str, name: &str) -> PathBuf {
    let file = |end: &str, content: &[u8]| bench.file(&format!("{name}.{end}"), content);
    let words = format!(" {name}=1\t\n");
    let options = vec![
        ("--cmdline=@", file("cmdline", words.as_bytes())),
        ("--section=.initrd:@", file("initrd", &cpio(name))),
        (
            "--section=.ucode:@",
            file("ucode", &cpio(&format!("{name}.ucode"))),
        ),
        ("--section=.dtb:@", file("dtb", &device_tree(name))),
    ];
    addon(bench, suite, name, &options)
}

/// A profile to be joined to a UKI.
pub(crate) fn profile(bench: &Bench, suite: &str, id: &str, mut options: Options) -> PathBuf {
    let text = bench.file(&format!("{id}.profile"), format!("ID={id}\n").as_bytes());
    options.push(("--profile=@", text));
    built(bench, suite, &format!("{id}.efi"), &options)
}

fn built(bench: &Bench, suite: &str, name: &str, options: &Options) -> PathBuf {
    bench.ukify(&bench.inputs.addon_stub[suite]["x64"], name, &[], options)
}

/// An archive with one file, whose length is no multiple of four: zeros may follow the end mark.
pub(crate) fn cpio(name: &str) -> Vec<u8> {
    let member = |mode: u32, name: &str| {
        let mut member = format!(
            "0707010000000100{mode:06x}{}00000001{}{:08x}00000000{name}\0",
            "0".repeat(16),
            "0".repeat(48),
            name.len() + 1
        )
        .into_bytes();
        member.resize(member.len().next_multiple_of(4), 0);
        member
    };
    let mut archive = [member(0o100_444, name), member(0, "TRAILER!!!")].concat();
    archive.push(0);
    archive
}

/// A device tree with nothing in it but what it is for.
pub(crate) fn device_tree(compatible: &str) -> Vec<u8> {
    let mut value = compatible.as_bytes().to_vec();
    value.push(0);
    let length = value.len() as u32;
    value.resize(value.len().next_multiple_of(4), 0);
    let words =
        |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_be_bytes()).collect() };
    let tree = [words(&[1, 0, 3, length, 0]), value, words(&[2, 9])].concat();
    let names = b"compatible\0";
    let (reserved, start) = (40, 56);
    let (end, size) = (start + tree.len() as u32, tree.len() as u32);
    let total = end + names.len() as u32;
    let header = [
        0xd00d_feed,
        total,
        start,
        end,
        reserved,
        17,
        16,
        0,
        names.len() as u32,
        size,
    ];
    [words(&header), vec![0; 16], tree, names.to_vec()].concat()
}

/// The section `.hwids` that calls machines of this kind by a name.
pub(crate) fn hwids(compatible: &str) -> Vec<u8> {
    let mut section = 0x1000_001c_u32.to_le_bytes().to_vec();
    section.extend(THIS_MACHINE.to_bytes_le());
    let texts = 56_u32;
    section.extend(texts.to_le_bytes());
    section.extend((texts + 2).to_le_bytes());
    section.extend([0; 28]);
    section.extend(format!("T\0{compatible}\0").as_bytes());
    section
}

/// One blue point.
fn bitmap() -> Vec<u8> {
    let mut bitmap = b"BM".to_vec();
    for word in [58_u32, 0, 54, 40, 1, 1, 0x20_0001, 0, 4, 0, 0, 0, 0, 0xff] {
        bitmap.extend(word.to_le_bytes());
    }
    bitmap
}
