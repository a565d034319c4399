//! After a restart: what was publishing has to show itself again.

use super::{Control, observe};
use crate::error::Error;
use crate::model::Cause;
use crate::settings::Settings;
use crate::store::Tx;
use crate::table::{apps, apps::App, channels, recordings, sources};

impl Control {
    pub(super) async fn reconcile(&self) -> Result<(), Error> {
        self.write(reconcile).await
    }
}

fn reconcile(tx: &mut Tx<'_>, settings: &Settings) -> Result<(), Error> {
    let known = apps::get(tx, &settings.app_id)?;
    let app = App {
        bizid: settings.bizid.clone(),
        ..known.unwrap_or(App {
            bizid: String::new(),
            enabled: true,
            arrears: false,
        })
    };
    apps::put(tx, &settings.app_id, &app)?;
    super::idempotency::forget_running(tx)?;
    let cause = Cause {
        errcode: 4,
        text: "sidestream was restarted".to_owned(),
    };
    for source in sources::publishing(tx)? {
        observe::lost(tx, settings, &source.stream, &cause)?;
    }
    // Everything that is not over is stated to the media side once.
    for channel in channels::all_running(tx)? {
        tx.touch(&channel.stream);
    }
    for task in recordings::all_running(tx)? {
        tx.touch(&task.stream);
    }
    Ok(())
}
