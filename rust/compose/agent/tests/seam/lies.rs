//! An agent that does what it should gives the bytes that its key would have given; one that does not is found out, and nothing is written.

use touchstone_artifacts::manifest::SignManifest;
use touchstone_artifacts::sign::SignPe;
use touchstone_artifacts::uki::AssembleUki;

use crate::in_memory::{Hurried, InMemory, Lie};
use crate::work::{Work, context, in_a_build, request, said};

#[test]
fn an_image_signed_by_an_agent_is_the_one_that_the_key_signs() {
    let work = Work::new();
    let here: SignPe = request(work.sign_pe("db.key", "here"));
    here.run(&context(None)).unwrap();
    let by_agent: SignPe = request(work.sign_pe("agent:db", "by-agent"));
    let agent = InMemory(Lie::None);
    // In a build, too, where no real key may be.
    let signed = by_agent.run(&in_a_build(Some(&agent))).unwrap();
    assert_eq!(signed.signed_by, "CN=db");
    assert_eq!(work.read("by-agent"), work.read("here"));
    let in_build = said(here.run(&in_a_build(Some(&agent))));
    assert_eq!(in_build.0, "key.refused");
}

#[test]
fn a_uki_signed_by_an_agent_is_the_one_that_the_key_signs() {
    let work = Work::new();
    let here: AssembleUki = request(work.assemble("db.key", "here"));
    let here = here.run(&context(None)).unwrap();
    let by_agent: AssembleUki = request(work.assemble("agent:db", "by-agent"));
    let agent = InMemory(Lie::None);
    let by_agent = by_agent.run(&in_a_build(Some(&agent))).unwrap();
    assert_eq!(work.read("by-agent"), work.read("here"));
    // What was measured on the way was measured once.
    assert_eq!(by_agent, here);
}

#[test]
fn a_manifest_signed_by_an_agent_is_the_one_that_the_key_signs() {
    let work = Work::new();
    work.manifest();
    let here: SignManifest = request(work.sign_manifest("nix.secret", "here"));
    here.run(&context(None)).unwrap();
    let by_agent: SignManifest = request(work.sign_manifest("agent:nix", "by-agent"));
    let agent = InMemory(Lie::None);
    let summary = by_agent.run(&in_a_build(Some(&agent))).unwrap();
    assert_eq!(summary.signed_by, ["fleet-1"]);
    assert_eq!(work.read("by-agent"), work.read("here"));
}

#[test]
fn a_wrong_signature_of_an_image_is_not_used() {
    let work = Work::new();
    let sign: SignPe = request(work.sign_pe("agent:db", "signed"));
    for lie in [
        Lie::OtherKey,
        Lie::OtherImage,
        Lie::MoreCertificates,
        Lie::Behind,
        Lie::Nothing,
    ] {
        let (code, what) = said(sign.run(&context(Some(&InMemory(lie)))));
        assert_eq!(code, "agent.wrong-answer", "{lie:?}: {what}");
        assert!(!work.path("signed").exists(), "{lie:?}");
    }
}

#[test]
fn a_wrong_signature_of_a_uki_is_not_used() {
    let work = Work::new();
    let assemble: AssembleUki = request(work.assemble("agent:db", "uki"));
    for lie in [Lie::OtherImage, Lie::Behind, Lie::Nothing] {
        let (code, what) = said(assemble.run(&context(Some(&InMemory(lie)))));
        assert_eq!(code, "agent.wrong-answer", "{lie:?}: {what}");
        assert!(!work.path("uki").exists(), "{lie:?}");
    }
}

#[test]
fn an_agent_for_which_writing_took_too_long_is_asked_once_more() {
    let work = Work::new();
    let here: AssembleUki = request(work.assemble("db.key", "here"));
    here.run(&context(None)).unwrap();
    let assemble: AssembleUki = request(work.assemble("agent:db", "by-agent"));
    let agent = Hurried::new("agent.slow");
    assemble.run(&context(Some(&agent))).unwrap();
    assert_eq!(work.read("by-agent"), work.read("here"));
    assert_eq!(agent.asked(), 2);
    // Other refusals are final, and come when the image is written as well as before.
    let agent = Hurried::new("image.kernel");
    let assemble: AssembleUki = request(work.assemble("agent:db", "refused"));
    let (code, what) = said(assemble.run(&context(Some(&agent))));
    assert_eq!(code, "agent.refused", "{what}");
    assert!(!work.path("refused").exists());
    assert_eq!(agent.asked(), 1);
}

#[test]
fn wrong_signatures_of_pcr_11_are_not_used() {
    let work = Work::new();
    let assemble: AssembleUki = request(work.assemble("agent:db", "uki"));
    for (lie, expected) in [
        (Lie::OtherKey, "agent.wrong-answer"),
        (Lie::OtherReference, "agent.wrong-answer"),
        (Lie::Fewer, "key.failed"),
    ] {
        let (code, what) = said(assemble.run(&context(Some(&InMemory(lie)))));
        assert_eq!(code, expected, "{lie:?}: {what}");
        assert!(!work.path("uki").exists(), "{lie:?}");
    }
}

#[test]
fn a_wrongly_signed_manifest_is_not_used() {
    let work = Work::new();
    work.manifest();
    let sign: SignManifest = request(work.sign_manifest("agent:nix", "signed"));
    for lie in [
        Lie::Unsigned,
        Lie::OtherKey,
        Lie::OtherSignatures,
        Lie::OtherClosure,
    ] {
        let (code, what) = said(sign.run(&context(Some(&InMemory(lie)))));
        assert_eq!(code, "agent.wrong-answer", "{lie:?}: {what}");
        assert!(!work.path("signed").exists(), "{lie:?}");
    }
}

#[test]
fn a_door_without_an_agent_says_so() {
    let work = Work::new();
    let sign: SignPe = request(work.sign_pe("agent:db", "signed"));
    let (code, what) = said(sign.run(&context(None)));
    assert_eq!(code, "agent.none");
    assert!(what.contains("speaks to no signing agent"), "{what}");
    let misspelt: SignPe = request(work.sign_pe("agent:db?pin=1234", "signed"));
    let (code, what) = said(misspelt.run(&context(Some(&InMemory(Lie::None)))));
    assert_eq!(code, "agent.name");
    assert!(!what.contains("1234"), "{what}");
}

#[test]
fn an_agent_has_neither_passphrase_nor_folder() {
    let work = Work::new();
    let agent = InMemory(Lie::None);
    let mut fields = work.sign_pe("agent:db", "signed");
    fields["sign"]["passphraseFile"] = "/run/passphrase".into();
    let sign: SignPe = request(fields);
    assert_eq!(said(sign.run(&context(Some(&agent)))).0, "key.refused");
    let mut fields = work.assemble("agent:db", "uki");
    fields["pcrSign"]["keys"][0]["passphraseFile"] = "/run/passphrase".into();
    let assemble: AssembleUki = request(fields);
    assert_eq!(
        said(assemble.run(&context(Some(&agent)))).0,
        "request.refused"
    );
}
