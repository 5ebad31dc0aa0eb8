//! The names of users, as the machine's passwd(5) has them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// More than any machine has.
const LIMIT: u64 = 16 << 20;

/// The name of the user with this number.
pub(super) fn name(uid: u32) -> Option<String> {
    name_in(Path::new("/etc/passwd"), uid)
}

fn name_in(file: &Path, uid: u32) -> Option<String> {
    let mut text = Vec::new();
    let mut file = File::open(file).ok()?.take(LIMIT);
    file.read_to_end(&mut text).ok()?;
    let lines = text.split(|&byte| byte == b'\n');
    let lines = lines.filter(|line| !line.starts_with(b"#"));
    let mut names = lines.filter_map(|line| {
        let mut fields = std::str::from_utf8(line).ok()?.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    });
    let found = names.next();
    // The kernel knows root by the number alone.
    match uid {
        0 => Some(found.unwrap_or_else(|| "root".to_owned())),
        _ => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_called_as_passwd_says() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passwd");
        let text = b"root:x:0:0::/root:/bin/sh\n# :x:7\n\xff:x:7:\ndeploy:x:7:8:a:/:\nlast:x:9";
        std::fs::write(&file, text).unwrap();
        let named = [
            (0, Some("root")),
            (7, Some("deploy")),
            (9, Some("last")),
            (8, None),
        ];
        for (uid, name) in named {
            assert_eq!(name_in(&file, uid).as_deref(), name, "{uid}");
        }
        assert_eq!(name_in(Path::new("/none"), 0), None);
    }
}
