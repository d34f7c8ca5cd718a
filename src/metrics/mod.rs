//! The state of the lanes as metrics, and outcomes of calls as data points. The metrics are in the text
//! of OpenMetrics 1.0
//! (<https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>).
//!
//! ```text
//! families    which metrics there are: what a lane tells, and what that makes together
//! exposition  the text
//! point       a data point of Workers Analytics Engine
//! ```
//!
//! Labels are names of the configuration, of calls, of outcomes and of events, which a lane keeps 50 of
//! for each source: their number is bounded, and none is personal.

mod exposition;
mod families;
mod point;

pub use exposition::CONTENT_TYPE;
pub use families::{Lane, Samples, samples, text};
pub use point::Point;
