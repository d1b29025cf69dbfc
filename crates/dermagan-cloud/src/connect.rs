//! Makes the client of a bucket.

use std::sync::{Arc, Once};
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use crate::error::CloudError;
use crate::location::{Location, Scheme};
use crate::variables::Variables;

/// Time to open a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// The client of a bucket.
pub fn client(
    location: &Location,
    variables: &Variables,
) -> Result<Arc<dyn ObjectStore>, CloudError> {
    install_tls();
    let bucket = location.bucket();
    let own = variables.of_scheme(location.scheme());
    let made = match location.scheme() {
        Scheme::S3 => {
            let endpoints = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
            let client = options(variables, &endpoints);
            let mut builder =
                AmazonS3Builder::new().with_region("us-east-1").with_client_options(client);
            for (name, value) in own {
                if let Ok(key) = name.to_ascii_lowercase().parse() {
                    builder = builder.with_config(key, value);
                }
            }
            let built = builder.with_bucket_name(bucket).with_retry(retries()).build();
            built.map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
        }
        Scheme::Gs => {
            let client = options(variables, &["GOOGLE_BASE_URL"]);
            let mut builder = GoogleCloudStorageBuilder::new().with_client_options(client);
            for (name, value) in own {
                if let Ok(key) = name.to_ascii_lowercase().parse() {
                    builder = builder.with_config(key, value);
                }
            }
            let built = builder.with_bucket_name(bucket).with_retry(retries()).build();
            built.map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
        }
        Scheme::Az => {
            let client = options(variables, &["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"]);
            let mut builder = MicrosoftAzureBuilder::new().with_client_options(client);
            for (name, value) in own {
                if let Ok(key) = name.to_ascii_lowercase().parse() {
                    builder = builder.with_config(key, value);
                }
            }
            let built = builder.with_container_name(bucket).with_retry(retries()).build();
            built.map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
        }
    };
    made.map_err(|error| CloudError::Refused {
        url: location.to_string(),
        words: variables.without_secrets(&error.to_string()),
        next: variables.advice(location.scheme()),
    })
}

/// The client has no limit for a whole request: [`Store`](crate::Store) sets one by the size. Plain HTTP is allowed if the
/// user names such an endpoint.
fn options(variables: &Variables, endpoints: &[&str]) -> ClientOptions {
    let plain = endpoints
        .iter()
        .filter_map(|name| variables.get(name))
        .any(|url| url.to_ascii_lowercase().starts_with("http://"));
    ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(CONNECT)
        .with_allow_http(plain)
}

/// [`Store`](crate::Store) retries, so that its caller learns of it.
fn retries() -> RetryConfig {
    RetryConfig { max_retries: 1, retry_timeout: Duration::from_secs(10), ..RetryConfig::default() }
}

/// The provider of TLS for the whole process.
fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
