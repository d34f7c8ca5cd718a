//! The state of the lanes as metrics, and outcomes of calls as data points. The metrics are in the text
//! of OpenMetrics 1.0
//! (<https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>).
//!
//! ```text
//! sample      what each lane tells of itself
//! families    which metrics that makes
//! exposition  the text
//! point       a data point of Workers Analytics Engine
//! ```
//!
//! Labels are names of the configuration, of calls, of outcomes and of events, which a lane keeps 50 of
//! for each source: their number is bounded, and none is personal.

mod exposition;
mod families;
mod point;
mod sample;

pub use exposition::{CONTENT_TYPE, write};
pub use families::{Lane, families};
pub use point::Point;
pub use sample::{LaneSample, PaceSample};
