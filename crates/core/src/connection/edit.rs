//! Edit: how a connection is shown.

use super::{ConnectionView, EditConnectionRequest, live::Live};
use crate::{Failure, keys::name::checked_name, palette_keys::Change, ports::Ports};

/// Changes name and colour. Host and person never change: that would be another connection.
pub(crate) fn edit(
    ports: &Ports,
    live: &Live,
    request: &EditConnectionRequest,
) -> Result<ConnectionView, Failure> {
    let mut record = live.record();
    record.name = checked_name(&request.name)?;
    record.colour = request.colour;
    if !record.demo {
        ports.store.put_connection(&record).map_err(|error| error.failure())?;
    }
    live.change_record(|known| {
        known.name = record.name;
        known.colour = record.colour;
    });
    ports.tell(Change::Connections);
    Ok(live.view())
}
