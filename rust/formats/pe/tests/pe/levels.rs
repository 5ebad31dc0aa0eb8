//! Revocation by SBAT levels, on the examples of shim's `SBAT.md`.

use touchstone_pe::sbat::{Entries, Level, Metadata, Revocation, merge};
use touchstone_pe::uki::Compat;

const HEADER: &str =
    "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n";

fn grub(upstream: u32, debian: u32) -> Metadata {
    let text = format!(
        "{HEADER}grub,{upstream},Free Software Foundation,grub,2.04,https://www.gnu.org/software/grub/\n\
         grub.debian,{debian},Debian,grub2,2.04-12,https://packages.debian.org/source/sid/grub2\n\0\0\0"
    );
    Metadata::parse(text.as_bytes()).unwrap()
}

fn level(text: &str) -> Level {
    Level::parse(format!("sbat,1,{text}").as_bytes()).unwrap()
}

#[test]
fn reads_every_field_of_a_row() {
    let grub = grub(1, 2);
    let names: Vec<_> = grub.0.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["sbat", "grub", "grub.debian"]);
    let row = grub.component("grub.debian").unwrap();
    assert_eq!(row.generation, 2);
    assert_eq!(
        (row.vendor.as_str(), row.package.as_str()),
        ("Debian", "grub2")
    );
    assert_eq!(row.version, "2.04-12");
    assert_eq!(row.url, "https://packages.debian.org/source/sid/grub2");
}

#[test]
fn a_lower_generation_is_revoked_and_named() {
    let revoked = level("2021030218\ngrub,2\n").revoked(&grub(1, 1));
    let component = "grub".to_owned();
    assert_eq!(
        revoked,
        [Revocation {
            component,
            generation: 1,
            minimum: 2
        }]
    );
}

#[test]
fn an_equal_or_higher_generation_starts() {
    for generation in [2, 3, 10] {
        assert_eq!(
            level("2021030218\ngrub,2\n").revoked(&grub(generation, 1)),
            []
        );
    }
}

#[test]
fn generations_are_compared_as_numbers() {
    assert_eq!(level("2021030218\ngrub,9\n").revoked(&grub(10, 1)), []);
    assert_eq!(level("2021030218\ngrub,10\n").revoked(&grub(9, 1)).len(), 1);
}

#[test]
fn a_vendors_component_is_another_than_upstreams() {
    let level = level("2021030218\ngrub.debian,4\ngrub.fedora,9\n");
    let revoked = level.revoked(&grub(1, 3));
    assert_eq!(revoked.len(), 1);
    assert_eq!(revoked[0].component, "grub.debian");
}

#[test]
fn every_revoked_component_is_named() {
    let revoked = level("2021030218\ngrub,3\ngrub.debian,4\n").revoked(&grub(1, 1));
    let names: Vec<_> = revoked
        .iter()
        .map(|revoked| revoked.component.as_str())
        .collect();
    assert_eq!(names, ["grub", "grub.debian"]);
}

#[test]
fn any_of_merged_rows_can_be_revoked() {
    let row = |generation| {
        Entries::parse(format!("sbat,1\nuki,{generation},v,p,1,u\n").as_bytes()).unwrap()
    };
    for compat in [Compat::Ukify257, Compat::Ukify262] {
        let merged = Metadata::parse(&merge(&[row(3), row(1)], compat)).unwrap();
        assert_eq!(level("2024010900\nuki,2\n").revoked(&merged).len(), 1);
    }
}

#[test]
fn a_level_of_sbat_itself_revokes_old_forms() {
    let level = Level::parse(b"sbat,2,2030010100\n\0\0").unwrap();
    assert_eq!(level.revoked(&grub(9, 9))[0].component, "sbat");
}

#[test]
fn later_levels_replace_earlier_ones() {
    let earlier = level("2022052400\nshim,2\ngrub,2\n");
    let later = level("2024010900\nshim,4\ngrub,3\ngrub.debian,4\n");
    assert!(later.is_later_than(&earlier) && !earlier.is_later_than(&later));
    assert!(!later.is_later_than(&later));
    assert!(later.covers(&earlier) && later.covers(&later) && !earlier.covers(&later));
}
