//! `init=` exactly once, everywhere, and the parameters of the system.

use touchstone_artifacts::signing_key::SignatureDigest::Sha256 as SHA256;

use crate::uki::{Uki, file, number, put, row};
use crate::world::{World, key, refused};

#[test]
fn no_command_line_starts_anything_else_than_the_system() {
    let world = World::new();
    let web = world.build("web");
    let web2 = world.build("web2");
    let child = world.build("child");
    let judge = world.judge(&[]);
    let client = world.client(&judge, &world.asking("web"));
    let sign = |uki: &Uki| judge.image(&client, &key("db"), SHA256, &uki.file());
    let uki = Uki::of(&world, &web);
    let line = uki.cmdline.clone().unwrap();
    let init = format!("init={web}/init");

    for good in [
        line.clone(),
        format!("{line}\n"),
        format!("{line} --"),
        format!("{line} loglevel=7 --"),
    ] {
        sign(&uki.clone().cmdline(good)).unwrap();
    }
    for (bad, said) in [
        (format!("{line} init=/bin/sh"), "more than once"),
        (format!("{line} {init}"), "more than once"),
        (format!("{line} -- init=/bin/sh"), "more than once"),
        (
            format!("{line} x=\"y init=/bin/sh\""),
            "a quote stands before",
        ),
        (format!("{line} rdinit=/bin/sh"), "other programs"),
        (format!("{line} \"rdinit=/bin/sh\""), "other programs"),
        (format!("{line}\tinit=/bin/sh"), "the character '\\t'"),
        (
            format!("{line} systemd.unit=rescue.target"),
            "the word `systemd.unit=rescue.target`",
        ),
        (
            format!("{init} quiet"),
            "does not begin with what boot.json",
        ),
        (init.clone(), "does not begin with what boot.json"),
        (
            format!("{init} quiet noresume"),
            "does not begin with what boot.json",
        ),
        (
            format!("noresume quiet {init}"),
            "does not begin with what boot.json",
        ),
        ("noresume quiet".to_owned(), "there is no `init=`"),
        (
            format!("init={web}/sw/bin/sh noresume quiet"),
            "not the program `init`",
        ),
        (
            format!("init={web}/../x/init noresume quiet"),
            "not the program `init`",
        ),
        (
            format!("init={web}/init/ noresume quiet"),
            "not the program `init`",
        ),
        (
            "init=/bin/sh noresume quiet".to_owned(),
            "not the program `init`",
        ),
        ("init= noresume quiet".to_owned(), "not the program `init`"),
        (
            format!("{line} {}", "loglevel=7 ".repeat(200)),
            "the kernel keeps",
        ),
    ] {
        refused(sign(&uki.clone().cmdline(bad)), "image.commandLine", said);
    }

    // A NUL, at which one reader ends and another goes on: in the place of a space, and at the end.
    for place in [" loglevel", "7\n"] {
        let mut bytes = uki.clone().cmdline(format!("{line} loglevel=7\n")).bytes();
        let place = bytes
            .windows(place.len())
            .position(|window| window == place.as_bytes());
        let at = place.unwrap();
        bytes[at] = 0;
        let image = judge.image(&client, &key("db"), SHA256, &file(&bytes));
        refused(image, "image.commandLine", "the character '\\0'");
    }

    // Each profile is judged, whether it stands first or last.
    sign(&uki.clone().profile("debug", format!("{line} loglevel=7"))).unwrap();
    for bad in ["init=/bin/sh", &format!("{line} init=/bin/sh"), "quiet"] {
        let error = sign(
            &uki.clone()
                .profile("good", line.clone())
                .profile("evil", bad),
        )
        .unwrap_err();
        assert_eq!(error.code, "image.commandLine", "{bad}");
    }
    // Two sections of one name, of which not everybody takes the same: a section is given the name of the command line.
    let mut bytes = uki.clone().cmdline(line.clone()).bytes();
    let osrel = row(&bytes, ".osrel");
    bytes[osrel..osrel + 8].copy_from_slice(b".cmdline");
    let refusal = judge
        .image(&client, &key("db"), SHA256, &file(&bytes))
        .unwrap_err();
    assert!(
        matches!(refusal.code.as_str(), "image.section" | "image.commandLine"),
        "{refusal:?}"
    );
    // A command line whose end lies in what the file has, and not in what is measured.
    let mut bytes = uki
        .clone()
        .cmdline(format!("{line} loglevel=7654321"))
        .bytes();
    let cmdline = row(&bytes, ".cmdline");
    let short = number(&bytes, cmdline + 8) - 6;
    put(&mut bytes, cmdline + 8, short);
    refused(
        judge.image(&client, &key("db"), SHA256, &file(&bytes)),
        "image.structure",
        "something behind the content of the section .cmdline",
    );

    // What a system refers to may be booted, too: a specialisation, in a profile, with its own parameters, kernel and initrd.
    let client = world.client(&judge, &world.asking("web2"));
    judge
        .image(&client, &key("db"), SHA256, &Uki::of(&world, &child).file())
        .unwrap();
    // With the initrd of another system it is another system.
    let mixed = Uki::of(&world, &web2).profile("child", format!("init={child}/init rescue"));
    refused(
        judge.image(&client, &key("db"), SHA256, &mixed.file()),
        "image.initrd",
        "does not hold",
    );
}
