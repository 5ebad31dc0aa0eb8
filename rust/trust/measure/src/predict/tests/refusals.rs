//! Questions that are refused whole.

use super::*;

#[test]
fn refuses_the_registers_of_others_with_the_reason() {
    for pcr in [0, 1, 2, 3, 6, 8, 10, 15, 16, 17, 22, 23, 24, u32::MAX] {
        let error = predict(&boot("257.1", true), &ask(pcr)).unwrap_err();
        assert!(
            matches!(error, PredictError::Pcr { pcr: refused, .. } if refused == pcr),
            "{error}"
        );
    }
}

#[test]
fn refuses_a_bank_in_which_an_image_was_not_hashed() {
    let ask = Ask {
        pcrs: vec![4],
        banks: vec![Bank::Sha384],
        ..Ask::default()
    };
    assert!(matches!(
        predict(&boot("257.1", true), &ask),
        Err(PredictError::NoDigest {
            bank: Bank::Sha384,
            ..
        })
    ));
}

#[test]
fn refuses_a_question_for_nothing() {
    for ask in [
        Ask {
            pcrs: Vec::new(),
            ..Ask::default()
        },
        Ask {
            banks: Vec::new(),
            ..Ask::default()
        },
    ] {
        assert_eq!(
            predict(&boot("257.1", true), &ask),
            Err(PredictError::NothingAsked)
        );
    }
}

#[test]
fn refuses_loader_and_stub_that_were_never_compared_together() {
    let mut mixed = boot("257.1", true);
    loader(&mut mixed).version =
        Version::of_sdmagic(Component::Boot, b"#### LoaderInfo: systemd-boot 252.1 ####").unwrap();
    assert!(matches!(
        predict(&mixed, &ask(11)),
        Err(PredictError::Mixture { .. })
    ));
}
