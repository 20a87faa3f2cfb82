//! What will have happened when, as the daemon answers it: `simulate`, and the time at which a job is done.

use serde::{Deserialize, Serialize};

use crate::reply::Sync;

/// When a job is done, if prints succeed and beds are cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finish {
    /// Then; absent when nobody can know.
    pub at: Option<String>,
    /// Why nobody can know.
    pub unknown: Option<String>,
    /// By how many seconds it misses its date, as far as anybody can know; absent when it does not.
    pub late_s: Option<u64>,
}

/// What will be printed when, if prints succeed and beds are cleared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// When the daemon answered.
    pub as_of: String,
    /// How much of the mesh the answer could see.
    pub sync: Sync,
    /// Seconds that it is taken to last until somebody has cleared a bed; absent = as each queue says.
    pub turnaround_s: Option<u64>,
    /// When everything is done; absent when that is not known of every job.
    pub done_at: Option<String>,
    /// There is more to come, further ahead than was looked.
    pub cut: bool,
    /// Every print in the order in which they begin.
    pub prints: Vec<ForecastPrint>,
    /// When each job is done.
    pub jobs: Vec<ForecastJob>,
    /// What these files really took on these printers, when they were printed there before.
    pub learned: Vec<Learned>,
}

/// One copy on one printer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForecastPrint {
    /// `host/printer`.
    pub printer: String,
    /// Full job id.
    pub job_id: String,
    /// Job name.
    pub job: String,
    /// Queue name.
    pub queue: String,
    /// Copy number from 1.
    pub copy: u32,
    /// It is under way already.
    pub begun: bool,
    /// When it begins, or began.
    pub from: String,
    /// When it ends; absent when nobody can know.
    pub to: Option<String>,
    /// What that rests on: `measured` (this file on this printer), `printer` (the slicer's estimate, corrected by other files on
    /// this printer), `slicer` (its estimate as it is), `none`.
    pub basis: String,
    /// Why nobody can know when it ends.
    pub unknown: Option<String>,
}

/// When one job is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForecastJob {
    /// Full id.
    pub id: String,
    /// Name.
    pub job: String,
    /// Queue name.
    pub queue: String,
    /// When it should be done.
    pub due: Option<String>,
    /// When it will be.
    pub finish: Finish,
}

/// How long a file really took on a printer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Learned {
    /// File name.
    pub file_name: String,
    /// `host/printer`.
    pub printer: String,
    /// Thousandths of its estimate: 1500 = half as long again.
    pub per_mille: u64,
}
