use proptest::prelude::*;

use super::*;

const HASH: &str = "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la";

fn file(outputs: &str, inputs: &str, sources: &str, environment: &str) -> String {
    format!(
        r#"Derive([{outputs}],[{inputs}],[{sources}],"x86_64-linux","{HASH}-tool/bin/tool",["builder"],[{environment}])"#
    )
}

fn read(text: &str) -> Result<Recipe, DerivationError> {
    Recipe::read(text.as_bytes())
}

fn plain(environment: &str) -> Recipe {
    read(&file(
        &format!(r#"("out","{HASH}-out","","")"#),
        "",
        "",
        environment,
    ))
    .unwrap()
}

#[test]
fn reads_what_nix_writes() {
    let text = file(
        &format!(r#"("dev","{HASH}-a-dev","",""),("out","{HASH}-a","","")"#),
        &format!(r#"("{HASH}-b.drv",["lib","out"]),("{HASH}-c.drv",["out"])"#),
        &format!(r#""{HASH}-source","{HASH}-tool""#),
        r#"("name","a"),("text","a \"b\"\n\t\\ \r")"#,
    );
    let recipe = read(&text).unwrap();
    let names: Vec<_> = recipe.outputs.keys().collect();
    assert_eq!(names, ["dev", "out"]);
    assert_eq!(recipe.outputs["out"].path().unwrap().name(), "a");
    let input = format!("{HASH}-b.drv").parse().unwrap();
    assert_eq!(
        recipe.input_derivations[&input],
        ["lib".to_owned(), "out".to_owned()].into()
    );
    assert_eq!(recipe.input_sources.len(), 2);
    assert_eq!(recipe.system, "x86_64-linux");
    assert_eq!(recipe.attribute("text"), Some(&b"a \"b\"\n\t\\ \r"[..]));
    assert!(!recipe.is_impure() && !recipe.is_floating());
}

#[test]
fn knows_who_asks_for_the_agent() {
    let asks = |environment: &str| plain(environment).asks_for_the_agent();
    assert_eq!(asks(""), Ok(false));
    assert_eq!(asks(r#"("requiredSystemFeatures","kvm")"#), Ok(false));
    assert_eq!(
        asks(r#"("requiredSystemFeatures","kvm touchstone-agent")"#),
        Ok(true)
    );
    assert_eq!(
        asks(r#"("requiredSystemFeatures","touchstone-agents")"#),
        Ok(false)
    );
    let json = |text: &str| asks(&format!(r#"("__json",{text:?})"#));
    assert_eq!(
        json(r#"{"requiredSystemFeatures":["touchstone-agent"]}"#),
        Ok(true)
    );
    assert_eq!(json(r#"{"requiredSystemFeatures":["kvm"]}"#), Ok(false));
    assert_eq!(json("{}"), Ok(false));
    assert_eq!(
        json(r#"{"requiredSystemFeatures":"touchstone-agent"}"#),
        Err(FeatureError::Kind)
    );
    assert_eq!(
        json(r#"{"requiredSystemFeatures":[1]}"#),
        Err(FeatureError::Kind)
    );
    assert_eq!(json("[]"), Err(FeatureError::Structured));
    // Nix reads the structured ones alone where there are some.
    assert_eq!(
        asks(r#"("__json","{}"),("requiredSystemFeatures","touchstone-agent")"#),
        Ok(false)
    );
}

#[test]
fn knows_builds_that_see_more_than_their_inputs() {
    for environment in [
        r#"("__noChroot","1")"#,
        r#"("__impure","1")"#,
        r#"("__json","{\"__noChroot\":true}")"#,
        r#"("__json","not json")"#,
    ] {
        assert!(plain(environment).is_impure(), "{environment}");
    }
    assert!(!plain(r#"("__noChroot","")"#).is_impure());
    let fixed = file(
        &format!(r#"("out","{HASH}-out","r:sha256","00")"#),
        "",
        "",
        "",
    );
    assert!(read(&fixed).unwrap().is_impure());
    let floating = file(r#"("out","","r:sha256","")"#, "", "", "");
    assert!(read(&floating).unwrap().is_floating());
}

#[test]
fn refuses_what_nix_does_not_write() {
    let out = format!(r#"("out","{HASH}-out","","")"#);
    let whole = file(&out, "", "", "");
    for end in 0..whole.len() {
        assert!(
            matches!(read(&whole[..end]), Err(DerivationError::Syntax { .. })),
            "{end}"
        );
    }
    assert!(matches!(
        read(&format!("{whole} ")),
        Err(DerivationError::Syntax { .. })
    ));
    assert_eq!(
        read(r#"DrvWithVersion("xp-dyn-drv",[],[],[],"","",[],[])"#),
        Err(DerivationError::Dynamic)
    );
    assert_eq!(read(&file("", "", "", "")), Err(DerivationError::NoOutput));
    assert_eq!(
        read(&file(&format!("{out},{out}"), "", "", "")),
        Err(DerivationError::Order("outputs"))
    );
    let twice = r#"("a","1"),("a","2")"#;
    assert_eq!(
        read(&file(&out, "", "", twice)),
        Err(DerivationError::Order("attributes"))
    );
    let unsorted = format!(r#""{HASH}-b","{HASH}-a""#);
    assert_eq!(
        read(&file(&out, "", &unsorted, "")),
        Err(DerivationError::Order("inputs"))
    );
    let no_derivation = format!(r#"("{HASH}-b",["out"])"#);
    assert!(matches!(
        read(&file(&out, &no_derivation, "", "")),
        Err(DerivationError::InputName(_))
    ));
    assert!(matches!(
        read(&file(&out, "", r#""/etc/passwd""#, "")),
        Err(DerivationError::Path { .. })
    ));
    let below = format!(r#""{HASH}-a/b""#);
    assert!(matches!(
        read(&file(&out, "", &below, "")),
        Err(DerivationError::Path { .. })
    ));
    assert_eq!(
        Recipe::read(&vec![b'a'; LIMIT + 1]),
        Err(DerivationError::TooLong(LIMIT + 1))
    );
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Recipe::read(&bytes);
    }

    #[test]
    fn never_panics_on_what_is_nearly_one(at in 0usize..200, byte in any::<u8>()) {
        let mut bytes = file(
            &format!(r#"("out","{HASH}-out","","")"#),
            &format!(r#"("{HASH}-b.drv",["out"])"#),
            "",
            r#"("a","b")"#,
        ).into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Recipe::read(&bytes);
    }
}
