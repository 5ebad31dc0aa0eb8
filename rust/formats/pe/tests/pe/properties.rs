use std::io::Cursor;

use proptest::prelude::*;
use touchstone_pe::layout::{Content, Layout, Options};
use touchstone_pe::uki::{self, UkiParts};
use touchstone_pe::{Image, authenticode, certificates, observe_sections};

use crate::builder::{self, Builder, Seen};
use crate::layout::new;

/// Everything that reads an image, on any bytes.
fn read_all(file: &[u8]) {
    let mut source = Cursor::new(file);
    let Ok(image) = Image::read(&mut source) else {
        return;
    };
    for section in image.sections() {
        let _ = image.section_bytes(&mut source, section, 1 << 16);
    }
    let _ = authenticode::sha256(&image, &mut source);
    let _ = certificates::read(&image, &mut source);
    let _ = uki::loader_info(&image, &mut source);
    let memory: u64 = image
        .sections()
        .iter()
        .map(|section| u64::from(section.virtual_size))
        .sum();
    if memory < 1 << 20 {
        let _ = observe_sections(&image, &mut source, &mut [&mut Seen::default()]);
    }
    let parts = UkiParts {
        cmdline: Some("quiet".into()),
        ..UkiParts::default()
    };
    if let Ok(layout) = uki::plan(&image, &mut source, parts) {
        let _ = layout.write(
            &mut source,
            &mut Cursor::new(Vec::new()),
            &mut [],
            &mut |_| (),
        );
    }
}

proptest! {
    #[test]
    fn reading_any_bytes_does_not_panic(file in prop::collection::vec(any::<u8>(), 0..2048)) {
        read_all(&file);
    }

    #[test]
    fn reading_any_damaged_image_does_not_panic(
        changes in prop::collection::vec((0_usize..0x300, any::<u8>()), 1..8),
        large in prop::collection::vec((0_usize..0x80, any::<u32>()), 0..4),
        len in 0_usize..0x1800,
    ) {
        let mut file = Builder::stub().build();
        for (at, byte) in changes {
            file[at] = byte;
        }
        for (word, value) in large {
            file[4 * word + 0x40..][..4].copy_from_slice(&value.to_le_bytes());
        }
        read_all(&file);
        file.truncate(len);
        read_all(&file);
    }

    #[test]
    fn the_written_digest_is_the_re_read_digest(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1500), 0..8),
        sbat in prop::option::of(0_usize..0x400),
        pe32 in any::<bool>(),
    ) {
        let mut builder = Builder::stub();
        builder.pe32 = pe32;
        let base = builder.build();
        let numbered = contents.iter().cloned().enumerate();
        let mut sections: Vec<_> =
            numbered.map(|(n, content)| new(&format!(".s{n}"), Content::bytes(content))).collect();
        sections.extend(sbat.map(|len| new(".sbat", Content::bytes(vec![b's'; len]))));
        let layout = Layout::plan(&builder::read(&base), sections, Options::default()).unwrap();
        let mut out = Cursor::new(Vec::new());
        let mut seen = Seen::default();
        let written =
            layout.write(&mut Cursor::new(&base), &mut out, &mut [&mut seen], &mut |_| ()).unwrap();

        let file = out.into_inner();
        let image = builder::read(&file);
        prop_assert_eq!(&image, &written.image);
        let entry = builder.certificate_entry();
        let expected = crate::authenticode::expected(&file, entry, file.len());
        prop_assert_eq!(written.authenticode_sha256, expected);
        let digest = authenticode::sha256(&image, &mut Cursor::new(&file)).unwrap();
        prop_assert_eq!(digest, expected);
        for (n, content) in contents.iter().enumerate() {
            prop_assert_eq!(seen.get(&format!(".s{n}")).unwrap(), content.as_slice());
        }
    }
}
