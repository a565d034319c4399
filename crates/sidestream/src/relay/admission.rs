//! The limits that need a look at all streams, asked before the user's own authorizer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hub::{Action, Ask, Authorizer, Hub, Verdict, Verdicts};

/// How long a decision may take: one that never comes must not hold a connection for ever.
const DECISION: Duration = Duration::from_secs(10);

/// Asks the limits first, then the authorizer.
pub(super) struct Admission {
    pub(super) hub: Hub,
    pub(super) viewers_per_stream: usize,
    pub(super) per_ip: usize,
    pub(super) authorizer: Arc<dyn Authorizer>,
}

impl Authorizer for Admission {
    fn authorize(&self, ask: Ask) -> Verdicts<'_> {
        match self.over(&ask) {
            Some(reason) => Box::pin(std::future::ready(Verdict::Deny(reason.into()))),
            None => Box::pin(async {
                let decision = self.authorizer.authorize(ask);
                let decided = tokio::time::timeout(DECISION, decision).await;
                decided.unwrap_or_else(|_| Verdict::deny("not decided in time; try again"))
            }),
        }
    }
}

impl Admission {
    /// Which limit the newcomer would break.
    fn over(&self, ask: &Ask) -> Option<String> {
        if self.viewers_per_stream > 0
            && ask.action == Action::Play
            && let Some(stream) = self.hub.stream(&ask.name)
            && stream.viewers().count() >= self.viewers_per_stream
        {
            let max = self.viewers_per_stream;
            return Some(format!("{} has {max} viewers already, the limit", ask.name));
        }
        let ip = ask.peer?.ip().to_canonical();
        // A player of HLS has many connections and is one viewer.
        if self.per_ip > 0 && ask.protocol != "hls" && self.of_address(ip, ask) >= self.per_ip {
            return Some(format!(
                "{ip} has {} connections already, the limit",
                self.per_ip
            ));
        }
        None
    }

    /// Connections of an address. A publisher that comes again does not count the one that it
    /// replaces: that may be its own, half open.
    fn of_address(&self, ip: IpAddr, ask: &Ask) -> usize {
        let is_same =
            |peer: Option<std::net::SocketAddr>| peer.is_some_and(|p| p.ip().to_canonical() == ip);
        self.hub
            .list()
            .iter()
            .map(|stream| {
                let viewers = stream.viewers().list();
                let viewers = viewers.iter().filter(|v| is_same(v.info.peer)).count();
                let replaces = ask.action == Action::Publish && ask.name == *stream.name();
                let publisher = stream
                    .publisher()
                    .is_some_and(|(info, _)| is_same(info.peer) && !replaces);
                viewers + usize::from(publisher)
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hub::{PublisherInfo, ViewerInfo};
    use media::StreamName;
    use std::time::Instant;

    #[tokio::test]
    async fn limits_are_asked_before_the_authorizer() {
        let hub = Hub::new(hub::Config::default());
        let name = StreamName::from_path("live/a").unwrap();
        let peer: std::net::SocketAddr = "192.0.2.1:5000".parse().unwrap();
        let mut info = PublisherInfo::library();
        info.peer = Some(peer);
        let publisher = hub.publish(&name, info, Instant::now()).unwrap();
        let admission = Admission {
            hub: hub.clone(),
            viewers_per_stream: 1,
            per_ip: 2,
            authorizer: Arc::new(hub::AllowAll),
        };
        let mut ask = Ask::new(Action::Play, name.clone(), "rtmp");
        ask.peer = Some(peer);
        assert_eq!(admission.authorize(ask.clone()).await, Verdict::Allow);
        let viewer = publisher.stream().viewers().add(ViewerInfo {
            protocol: "rtmp",
            peer: Some(peer),
            client: "".into(),
            since: Instant::now(),
        });
        assert_eq!(
            admission.authorize(ask.clone()).await,
            Verdict::deny("live/a has 1 viewers already, the limit")
        );
        ask.action = Action::Publish;
        assert_eq!(
            admission.authorize(ask.clone()).await,
            Verdict::Allow,
            "the publisher that it replaces may be its own, half open"
        );
        ask.name = StreamName::from_path("live/b").unwrap();
        assert_eq!(
            admission.authorize(ask.clone()).await,
            Verdict::deny("192.0.2.1 has 2 connections already, the limit")
        );
        ask.peer = Some("192.0.2.2:1".parse().unwrap());
        assert_eq!(admission.authorize(ask.clone()).await, Verdict::Allow);
        drop(viewer);
    }
}
