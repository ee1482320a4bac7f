//! The way to the collector: begun before anything is taken in, flushed after everything has stopped.

use province_adapter::config::Config;

/// What is flushed at the end; nothing without an endpoint or without the feature.
pub(crate) struct Traces {
    #[cfg(feature = "otlp")]
    exporter: Option<std::sync::Arc<otlp::Exporter>>,
}

#[cfg(feature = "otlp")]
impl Traces {
    /// Tells hops to the collector from here on, if one is set.
    pub(crate) fn start(config: &Config) -> anyhow::Result<Self> {
        if config.telemetry.otlp_endpoint.is_none() {
            return Ok(Self { exporter: None });
        }
        let service = otlp::Service {
            name: "province-adapter",
            version: env!("CARGO_PKG_VERSION"),
            about: vec![
                ("hub.origin", config.origin.clone()),
                ("province.code", config.province.to_string()),
            ],
        };
        let exporter = otlp::Exporter::start(&config.telemetry, &service, Box::new(|_, _| ()))?;
        let exporter = std::sync::Arc::new(exporter);
        let out = exporter.clone();
        province_adapter::hops::tell_to(Box::new(move |hop| out.tell(hop)));
        tracing::info!("spans go to the collector of `telemetry.otlp_endpoint`");
        Ok(Self { exporter: Some(exporter) })
    }

    /// Sends the last ones, for a bounded time.
    pub(crate) fn stop(&self) {
        tokio::task::block_in_place(|| self.exporter.iter().for_each(|it| it.stop()));
    }
}

#[cfg(not(feature = "otlp"))]
impl Traces {
    /// There is nobody to tell: a configuration that wants it was refused.
    pub(crate) fn start(_config: &Config) -> anyhow::Result<Self> {
        Ok(Self {})
    }

    /// Nothing waits.
    pub(crate) fn stop(&self) {}
}
