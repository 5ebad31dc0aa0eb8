//! Digests and checksums beside those of pesign, pefile, linkers and kernels.

use std::fs::{self, File};
use std::io::Cursor;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use touchstone_harness::inputs;
use touchstone_harness::nix::output;
use touchstone_pe::layout::{Content, Layout, Options};
use touchstone_pe::{Image, authenticode, checksum};

use crate::builder::{self, Builder};
use crate::layout::new;

/// The seeds of the fuzz targets that take an image.
fn seeds() -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../checks/fuzz/corpus");
    let files = ["pe_image", "pe_digest_goblin"]
        .iter()
        .flat_map(|target| fs::read_dir(corpus.join(target)).unwrap());
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn digest(file: &[u8]) -> Option<String> {
    let mut source = Cursor::new(file);
    let image = Image::read(&mut source).ok()?;
    let digest = authenticode::sha256(&image, &mut source).ok()?;
    Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[test]
fn digests_of_the_fuzzers_seeds_are_those_of_pesign() {
    let work = TempDir::new().unwrap();
    let files: Vec<_> = seeds().iter().map(|seed| fs::read(seed).unwrap()).collect();
    for (index, file) in files.iter().enumerate() {
        fs::write(work.path().join(format!("{index}.efi")), file).unwrap();
    }
    let visit = inputs().trixie().visit().bind(work.path());
    let mut command = visit.folder(work.path()).command("sh").unwrap();
    // A line for each file; "refused" where pesign has no answer.
    let script = "n=0; while test -e $n.efi; do pesign --hash --in=$n.efi 2>/dev/null || \
                  echo refused; n=$((n + 1)); done";
    command.args(["-c", script]);
    let printed = output(command).unwrap();
    let theirs: Vec<_> = printed.lines().collect();
    assert_eq!(theirs.len(), files.len(), "{printed}");
    let mut compared = 0;
    for ((file, seed), theirs) in files.iter().zip(seeds()).zip(theirs) {
        if let (Some(ours), false) = (digest(file), theirs == "refused") {
            assert_eq!(
                theirs.split_whitespace().next(),
                Some(ours.as_str()),
                "{seed:?}"
            );
            compared += 1;
        }
    }
    assert!(
        compared >= 5,
        "pesign answered for {compared} of {} seeds",
        files.len()
    );
}

#[test]
fn checksums_are_those_that_kernels_and_linkers_wrote() {
    let inputs = inputs();
    let kernels = inputs.kernel.values().map(|kernel| &kernel.vmlinuz);
    // Debian 12's are the last ones that GNU ld made, which fills the field.
    let linked = [&inputs.stub, &inputs.boot].map(|suites| &suites["bookworm"]["x64"]);
    for path in kernels.chain(linked) {
        let mut file = File::open(path).unwrap();
        let image = Image::read(&mut file).unwrap();
        assert_ne!(image.checksum(), 0, "{path:?}");
        assert_eq!(
            checksum::compute(&image, &mut file).unwrap(),
            image.checksum(),
            "{path:?}"
        );
    }
}

#[test]
fn checksums_that_are_written_are_those_of_pefile() {
    let work = TempDir::new().unwrap();
    let mut ours = Vec::new();
    let base = Builder::stub().build();
    for len in [0, 1, 511, 70_001] {
        let section = new(
            ".a",
            Content::bytes((0..len).map(|n| n as u8 ^ 0x5a).collect()),
        );
        let options = Options {
            checksum: true,
            ..Options::default()
        };
        let layout = Layout::plan(&builder::read(&base), vec![section], options).unwrap();
        let mut out = File::create(work.path().join(format!("{len}.efi"))).unwrap();
        let written = layout.write(&mut Cursor::new(&base), &mut out, &mut [], &mut |_| ());
        ours.push(written.unwrap().image.checksum().to_string());
    }
    let visit = inputs().trixie().visit().bind(work.path());
    let mut command = visit.folder(work.path()).command("python3").unwrap();
    let script = "import pefile\nfor len in 0, 1, 511, 70001:\n \
                  print(pefile.PE(f'{len}.efi', fast_load=True).generate_checksum())";
    command.args(["-c", script]);
    let printed = output(command).unwrap();
    assert_eq!(printed.lines().collect::<Vec<_>>(), ours);
}
