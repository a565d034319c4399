//! Which targets run when: rules, callers, streams that come and go, shutdown.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::CloseCause;
use publish::{Manager, TargetSpec};
use support::*;

fn spec(url: &rtmp::Url) -> TargetSpec {
    TargetSpec {
        url: url.clone(),
        config: quick(),
    }
}

/// Rules that push every stream to these URLs.
fn all(
    urls: &[rtmp::Url],
) -> impl Fn(&media::StreamName) -> Vec<TargetSpec> + Send + Sync + 'static {
    let urls = urls.to_vec();
    move |_| urls.iter().map(spec).collect()
}

#[tokio::test]
async fn stream_that_starts_gets_the_targets_that_the_rules_name() {
    let hub = hub();
    let (listener, addr) = listener().await;
    let manager = Manager::start(hub.clone(), move |name| match name.stream() {
        "cam1" => vec![spec(&url(addr, "app/one"))],
        _ => Vec::new(),
    });
    let _unnamed = Feed::with_headers(&hub, "cam2");
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 10);
    let mut server = accept(&listener).await;
    assert_eq!(server.accept_publish().await, "one");
    assert_eq!(words(&server.take(4).await), "onMetaData0 VH0 AH0 K0");
    assert_eq!(manager.list().len(), 1);
    assert_eq!(manager.of(&name("cam1")).len(), 1);
    assert_eq!(manager.of(&name("cam2")).len(), 0);
    // The publisher comes back: the same target goes on.
    drop(feed);
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 10);
    // Its headers are the same as before: not sent again.
    let got: Vec<_> = server.take(2).await;
    assert!(
        matches!(&got[..], [Got::Data(..), Got::Video(..)]),
        "{got:?}"
    );
    assert_eq!(manager.list().len(), 1);
    assert_eq!(manager.list()[0].status().connections, 1);
    // The stream ends, and a new one of its name begins: a new target.
    feed.publisher.close(Instant::now(), CloseCause::Finished);
    assert_eq!(server.rest().await, [Got::Unpublish]);
    drop(server);
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 10);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    assert_eq!(words(&server.take(4).await), "onMetaData0 VH0 AH0 K0");
    assert_eq!(manager.list().len(), 1);
}

#[tokio::test]
async fn new_rules_stop_and_start_targets_and_leave_callers_alone() {
    let hub = hub();
    let (listener, addr) = listener().await;
    let [one, two, own] = ["one", "two", "own"].map(|key| url(addr, &format!("app/{key}")));
    let manager = Manager::start(hub.clone(), all(std::slice::from_ref(&one)));
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 10);
    let mut first = accept(&listener).await;
    assert_eq!(first.accept_publish().await, "one");
    first.take(4).await;
    let stream = Arc::clone(feed.publisher.stream());
    let pushed = manager.push(Arc::clone(&stream), spec(&own));
    let mut third = accept(&listener).await;
    assert_eq!(third.accept_publish().await, "own");
    third.take(4).await;
    // The same push again is the same target.
    manager.push(stream, spec(&own));
    assert_eq!(manager.list().len(), 2);
    manager.set_rules(all(std::slice::from_ref(&two)));
    assert_eq!(first.rest().await, [Got::Unpublish]);
    drop(first);
    let mut second = accept(&listener).await;
    assert_eq!(second.accept_publish().await, "two");
    second.take(4).await;
    assert_eq!(pushed.status().state.as_str(), "publishing");
    // Away and back before the old one has said goodbye: it runs again.
    manager.set_rules(|_| Vec::new());
    manager.set_rules(all(std::slice::from_ref(&two)));
    assert_eq!(second.rest().await, [Got::Unpublish]);
    drop(second);
    let mut second = accept(&listener).await;
    assert_eq!(second.accept_publish().await, "two");
    assert_eq!(manager.list().len(), 2);
}

#[tokio::test]
async fn rules_may_ask_the_manager() {
    let hub = hub();
    let (_listener, addr) = listener().await;
    let manager = Manager::start(hub.clone(), |_| Vec::new());
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 10);
    let asked = manager.clone();
    manager.set_rules(move |name| match asked.of(name).len() {
        0 => vec![spec(&url(addr, "app/one"))],
        _ => Vec::new(),
    });
    assert_eq!(manager.list().len(), 1);
}

#[tokio::test]
async fn shutdown_says_goodbye_everywhere_and_starts_nothing_more() {
    let hub = hub();
    let (listener, addr) = listener().await;
    let (down, down_addr) = reserved();
    let urls = [url(addr, "app/one"), url(down_addr, "app/two")];
    let manager = Manager::start(hub.clone(), all(&urls));
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 10);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    server.take(4).await;
    let (ended, rest) = tokio::join!(manager.shutdown(Duration::from_secs(5)), async {
        let rest = server.rest().await;
        drop(server);
        rest
    });
    assert!(ended);
    assert_eq!(rest, [Got::Unpublish]);
    assert!(manager.list().is_empty());
    let late = manager.push(Arc::clone(feed.publisher.stream()), spec(&urls[0]));
    state(&late, "stopped").await;
    drop(down);
}
