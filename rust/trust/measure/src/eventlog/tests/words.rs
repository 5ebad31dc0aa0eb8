//! What events say.

use super::*;

#[test]
fn explains_the_events_of_systemd_and_linux() {
    let utf16 = |text: &str| crate::utf16::with_nul(text);
    assert_eq!(event(0xd, &utf16(".linux")).describe(), ".linux");
    assert_eq!(event(0xd, b"grub_cmd: boot\0").describe(), "grub_cmd: boot");
    let line = utf16("console=ttyS0");
    let mut tagged = 0x8f3b_22ed_u32.to_le_bytes().to_vec();
    tagged.extend((line.len() as u32).to_le_bytes());
    tagged.extend(line);
    assert_eq!(
        event(6, &tagged).describe(),
        "the kernel's command line: console=ttyS0"
    );
    assert_eq!(
        event(0x8000_0007, b"Exit Boot Services Invocation").describe(),
        "Exit Boot Services Invocation"
    );
    assert_eq!(event(4, &[0; 4]).describe(), "separator");
}

#[test]
fn explains_variables() {
    let config = |name, content: &[u8]| event(0x8000_0001, &variable(name, content)).describe();
    assert_eq!(config("SecureBoot", &[1]), "variable SecureBoot: on");
    assert_eq!(config("dbx", &[]), "variable dbx: absent or empty");
    assert_eq!(config("PK", &[0; 800]), "variable PK: 800 bytes");
    let entry = event(0x8000_00e0, &variable("db", &[0; 20])).describe();
    assert_eq!(
        entry,
        "authority db: an entry of 4 bytes, owner 00000000-0000-0000-0000-000000000000"
    );
}

#[test]
fn explains_where_an_image_came_from() {
    let name = crate::utf16::with_nul(r"\EFI\BOOT\BOOTX64.EFI");
    let mut path = vec![4, 4];
    path.extend((name.len() as u16 + 4).to_le_bytes());
    path.extend(name);
    path.extend([0x7f, 0xff, 4, 0]);
    let mut data = [0_u64, 4096, 0, path.len() as u64]
        .map(u64::to_le_bytes)
        .concat();
    data.extend(path);
    assert_eq!(
        event(0x8000_0003, &data).describe(),
        r"image of 4096 bytes from \EFI\BOOT\BOOTX64.EFI"
    );
}

#[test]
fn shows_no_control_characters_and_no_endless_text() {
    let text = event(5, "a\nb\tc".as_bytes()).describe();
    assert_eq!(text, "a b c");
    assert!(event(5, &[b'x'; 5000]).describe().chars().count() <= 1001);
    assert_eq!(
        event(0xd, &crate::utf16::with_nul("a\u{1b}[31m")).describe(),
        "a [31m"
    );
}
