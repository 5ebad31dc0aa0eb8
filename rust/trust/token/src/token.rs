//! Which token a URI names.

use cryptoki::slot::{Slot, TokenInfo};

use crate::error::TokenError;
use crate::module::Module;
use crate::uri::{self, Uri};

/// A token in its slot.
pub(crate) struct Token {
    pub(crate) slot: Slot,
    pub(crate) info: TokenInfo,
}

impl Token {
    /// The one token that the URI names.
    pub(crate) fn find(module: &Module, uri: &Uri) -> Result<Self, TokenError> {
        check_library(module, &uri.library)?;
        let all = tokens(module)?;
        let there = names(&all);
        let mut matching = Vec::new();
        for token in all {
            if token.matches(&uri.token) && token.is_in(module, &uri.slot)? {
                matching.push(token);
            }
        }
        let (count, names) = (matching.len(), names(&matching));
        match (matching.pop(), count) {
            (Some(token), 1) => Ok(token),
            (None, _) => Err(TokenError::TokenMissing {
                there: match there.as_str() {
                    "" => "the module has none".to_owned(),
                    there => format!("the module has {there}"),
                },
            }),
            (Some(_), _) => Err(TokenError::SeveralTokens {
                count,
                there: names,
            }),
        }
    }

    fn matches(&self, wanted: &uri::Token) -> bool {
        is(&wanted.label, self.info.label())
            && is(&wanted.manufacturer, self.info.manufacturer_id())
            && is(&wanted.serial, self.info.serial_number())
            && is(&wanted.model, self.info.model())
    }

    fn is_in(&self, module: &Module, wanted: &uri::Slot) -> Result<bool, TokenError> {
        if wanted.id.is_some_and(|id| id != self.slot.id()) {
            return Ok(false);
        }
        if wanted.description.is_none() && wanted.manufacturer.is_none() {
            return Ok(true);
        }
        let slot = module.get_slot_info(self.slot)?;
        Ok(is(&wanted.description, slot.slot_description())
            && is(&wanted.manufacturer, slot.manufacturer_id()))
    }

    fn name(&self) -> String {
        let token = uri::Token {
            label: Some(self.info.label().to_owned()),
            serial: Some(self.info.serial_number().to_owned()),
            ..uri::Token::default()
        };
        Uri {
            token,
            ..Uri::default()
        }
        .name()
    }
}

/// What a URI does not say, everything is.
fn is(wanted: &Option<String>, found: &str) -> bool {
    wanted.as_ref().is_none_or(|wanted| wanted == found)
}

fn names(tokens: &[Token]) -> String {
    let names: Vec<_> = tokens.iter().map(Token::name).collect();
    names.join(", ")
}

/// All tokens that were set up. A reader that fails is passed over: the key may be in another one.
fn tokens(module: &Module) -> Result<Vec<Token>, TokenError> {
    let slots = module.get_slots_with_token()?.into_iter();
    let tokens = slots.filter_map(|slot| {
        let info = module.get_token_info(slot).ok()?;
        Some(Token { slot, info })
    });
    Ok(tokens
        .filter(|token| token.info.token_initialized())
        .collect())
}

fn check_library(module: &Module, wanted: &uri::Library) -> Result<(), TokenError> {
    if *wanted == uri::Library::default() {
        return Ok(());
    }
    let info = module.get_library_info()?;
    let version = info.library_version();
    if is(&wanted.manufacturer, info.manufacturer_id())
        && is(&wanted.description, info.library_description())
        && wanted
            .version
            .is_none_or(|wanted| wanted == (version.major(), version.minor()))
    {
        return Ok(());
    }
    Err(TokenError::OtherModule {
        description: info.library_description().to_owned(),
        version: version.to_string(),
        manufacturer: info.manufacturer_id().to_owned(),
    })
}
