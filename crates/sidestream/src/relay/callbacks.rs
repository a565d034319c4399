//! Callbacks of the configuration, over the control plane's store.

use std::net::IpAddr;
use std::sync::Arc;

use control::Store;
use control::callback::{Callbacks, NewWebhook, Origin, Settings, SystemTimer};

use super::{Error, Listeners};
use crate::config::Config;

/// Starts to deliver what the store holds, and to the endpoints of the configuration.
///
/// # Errors
/// [`Error::SecretFile`], [`Error::Control`]; then nothing runs.
pub(super) async fn start(
    config: &Config,
    store: &Store,
    listeners: &Listeners,
) -> Result<Callbacks, Error> {
    let (settings, endpoints) = (settings(config, listeners), endpoints(config)?);
    let callbacks = Callbacks::start(store.clone(), Arc::new(SystemTimer), settings)?;
    if let Err(error) = callbacks.configure_endpoints(endpoints).await {
        callbacks.shutdown().await;
        return Err(error.into());
    }
    Ok(callbacks)
}

/// What the configuration says of callbacks.
pub(super) fn settings(config: &Config, listeners: &Listeners) -> Settings {
    let url = public_url(config, listeners);
    let host = url.split("://").last().unwrap_or_default();
    let host = host.split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    Settings {
        allow_private: config.callbacks.allow_private,
        timeout: Some(config.callbacks.timeout).filter(|timeout| !timeout.is_zero()),
        origin: Origin {
            push_domain: host.to_owned(),
            node: node(listeners),
            files_url: url.clone(),
        },
    }
}

/// The endpoints of the configuration, with their secrets.
///
/// # Errors
/// [`Error::SecretFile`].
pub(super) fn endpoints(config: &Config) -> Result<Vec<NewWebhook>, Error> {
    let endpoints = config.callbacks.endpoint.iter();
    endpoints
        .map(|endpoint| endpoint.webhook().map_err(Error::SecretFile))
        .collect()
}

/// The address that encoders reach us at, when it is one address.
fn node(listeners: &Listeners) -> String {
    let address = listeners
        .rtmp
        .or(listeners.http)
        .map(|listener| listener.ip());
    address
        .filter(|ip: &IpAddr| !ip.is_unspecified())
        .map(|ip| ip.to_string())
        .unwrap_or_default()
}

/// What URLs of ours begin with.
fn public_url(config: &Config, listeners: &Listeners) -> String {
    let given = config.http.public_url.trim_end_matches('/');
    let secured = listeners.https.map(|listener| ("https", listener));
    match listeners
        .http
        .map(|listener| ("http", listener))
        .or(secured)
    {
        _ if !given.is_empty() => given.to_owned(),
        Some((scheme, listener)) if listener.ip().is_unspecified() => {
            format!("{scheme}://localhost:{}", listener.port())
        }
        Some((scheme, listener)) => format!("{scheme}://{listener}"),
        None => String::new(),
    }
}
