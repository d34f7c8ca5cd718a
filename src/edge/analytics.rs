//! Workers Analytics Engine: a data point for each outcome of a call, where the dataset is bound.

use worker::{AnalyticsEngineDataPointBuilder, AnalyticsEngineDataset, Env};

use crate::metrics::Point;
use crate::receipt::{Delivery, Timestamp};

/// The optional binding of a dataset.
const BINDING: &str = "ANALYTICS";

/// Where data points go; nowhere without the binding.
pub struct Analytics(Option<AnalyticsEngineDataset>);

impl Analytics {
    /// The dataset of this deployment.
    pub fn bound(env: &Env) -> Self {
        Self(env.analytics_engine(BINDING).ok())
    }

    /// A call of an erasure that came at `received_at` came to something.
    pub fn delivery(&self, source: &str, delivery: &Delivery, received_at: Timestamp) {
        let Some(dataset) = &self.0 else { return };
        let Point { index, blobs, doubles } = Point::of(source, delivery, received_at);
        let point = AnalyticsEngineDataPointBuilder::new();
        let point = point.indexes([index]).blobs(blobs).doubles(doubles);
        // An invocation may write 250 points. What is over that is not worth a failure: it is in the
        // log as well.
        let _ = point.write_to(dataset);
    }
}
