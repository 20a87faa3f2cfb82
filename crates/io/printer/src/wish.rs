//! What a driver's handle asks of the task or thread behind it.

use crate::driver::PrintRequest;

/// One call of a [`Driver`](crate::Driver) method.
#[derive(Debug)]
pub(crate) enum Wish {
    Start(PrintRequest),
    Pause,
    Resume,
    Cancel,
    HeatersOff,
    EmergencyStop,
    Close,
}
