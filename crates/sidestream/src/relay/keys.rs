//! The API keys in force.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use control::credential::ApiKeyHash;
use server::{Grant, Scope};

use crate::config::{ApiKey, ApiScope};

/// Decides over API keys; the keys can be swapped.
#[derive(Default)]
pub(super) struct ApiKeys(ArcSwapOption<Vec<Known>>);

/// A key and what its bearer is granted, made once: requests only clone it.
struct Known {
    hash: ApiKeyHash,
    grant: Grant,
}

impl ApiKeys {
    /// From now on every request needs one of these.
    pub(super) fn set(&self, keys: &[ApiKey]) {
        let known = keys.iter().map(|key| {
            let scopes: Vec<Scope> = key.scopes.iter().map(|scope| wire(*scope)).collect();
            Known {
                hash: key.hash.clone(),
                grant: Grant::new(&key.name, &scopes),
            }
        });
        self.0.store(Some(Arc::new(known.collect())));
    }

    /// From now on no request needs a key.
    pub(super) fn clear(&self) {
        self.0.store(None);
    }
}

impl server::Keys for ApiKeys {
    fn required(&self) -> bool {
        self.0.load().is_some()
    }

    fn verify(&self, presented: &str) -> bool {
        self.grant(presented).is_some()
    }

    fn grant(&self, presented: &str) -> Option<Grant> {
        let keys = self.0.load();
        let presented = ApiKeyHash::of(presented);
        // All keys are compared, so that the time does not tell which one it was.
        let found = keys.as_ref()?.iter().fold(None, |found, known| {
            let is_it = known.hash == presented;
            if is_it { Some(&known.grant) } else { found }
        });
        found.cloned()
    }
}

fn wire(scope: ApiScope) -> Scope {
    match scope {
        ApiScope::Publish => Scope::Publish,
        ApiScope::Control => Scope::Control,
        ApiScope::Read => Scope::Read,
        ApiScope::Admin => Scope::Admin,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use server::Keys;

    use super::*;

    #[test]
    fn each_key_has_its_own_grant() {
        let keys = ApiKeys::default();
        assert!(!keys.required() && keys.grant("").is_none());
        let mut shop = ApiKey::new("shop", "ss_live_fedcba9876543210");
        shop.scopes = vec![ApiScope::Read, ApiScope::Publish];
        let ops = ApiKey::new("ops", "ss_live_0123456789abcdef");
        keys.set(&[shop, ops]);
        assert!(keys.required());
        let granted = |key: &str| keys.grant(key).unwrap();
        let shop = Grant::new("shop", &[Scope::Read, Scope::Publish]);
        assert_eq!(granted("ss_live_fedcba9876543210"), shop);
        assert_eq!(granted("ss_live_0123456789abcdef"), Grant::all("ops"));
        for wrong in ["", "ss_live_0123456789abcde", "ss_live_0123456789abcdef "] {
            assert!(!keys.verify(wrong), "{wrong}");
        }
        // No keys at all still means: nobody.
        keys.set(&[]);
        assert!(keys.required() && !keys.verify("ss_live_0123456789abcdef"));
        keys.clear();
        assert!(!keys.required());
    }
}
