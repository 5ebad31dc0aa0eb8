//! Keys in tokens and in TPMs sign policies as the same keys in files do.

use super::{RSA_2048, key_pair, with_tpm};
use crate::support::assert_same_bytes;
use crate::ukify::amd64;

#[test]
fn a_key_in_a_file_a_token_and_a_tpm_gives_the_same_signatures() {
    let work = amd64();
    key_pair(&work, "pcr", RSA_2048);
    let tokens = work.path("tokens");
    std::fs::create_dir(&tokens).unwrap();
    work.write(
        "softhsm2.conf",
        format!("directories.tokendir = {}\n", tokens.display()),
    );
    work.write("pin", "271828\n");
    let script = r#"
        export SOFTHSM2_CONF=$PWD/softhsm2.conf
        softhsm2-util --init-token --free --label check --pin 271828 --so-pin 314159 >/dev/null
        softhsm2-util --import pcr.key --token check --pin 271828 --label pcr --id 01 >/dev/null
        primary
        tpm2_import --quiet --parent-context=primary.ctx --key-algorithm=rsa --input=pcr.key --public=pcr.tpm --private=pcr.priv
        flush
        tpm2_load --quiet --parent-context=primary.ctx --public=pcr.tpm --private=pcr.priv --key-context=pcr.ctx
        tpm2_evictcontrol --quiet --hierarchy=o --object-context=pcr.ctx 0x81010001
        flush
        token="pkcs11:token=check;object=pcr?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=$PWD/pin"
        # sign NAME KEY [PUBLIC KEY]
        sign() {
          $TOUCHSTONE uki build --stub stub --linux vmlinuz --pcr-private-key "$2" ${3:+--pcr-public-key "$3"} \
            --pcr-banks sha256,sha384 --output "$1.efi"
          $TOUCHSTONE policy sign --uki "$1.efi" --key "$2" ${3:+--public-key "$3"} --policy-ref x --output "$1.sig" >/dev/null
        }
        sign file pcr.key
        sign token "$token"
        sign public "$token" pcr.pub
        sign tpm "tpm2:handle=0x81010001;tcti=$TCTI"
    "#;
    with_tpm(&work, "tpm", script);
    for holder in ["token", "public", "tpm"] {
        for kind in ["efi", "sig"] {
            let (ours, file) = (format!("{holder}.{kind}"), format!("file.{kind}"));
            assert_same_bytes(&ours, &work.read(&ours), &work.read(&file));
        }
    }
}
