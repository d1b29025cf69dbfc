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
    // The builders have the same methods and no common trait.
    macro_rules! built {
        ($builder:expr, $name_bucket:ident, $endpoints:expr) => {{
            let client = options(variables, &$endpoints);
            let mut builder = $builder.with_client_options(client);
            for (name, value) in variables.of_scheme(location.scheme()) {
                if let Ok(key) = name.to_ascii_lowercase().parse() {
                    builder = builder.with_config(key, value);
                }
            }
            let built = builder.$name_bucket(bucket).with_retry(retries()).build();
            built.map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
        }};
    }
    let made = match location.scheme() {
        Scheme::S3 => built!(
            AmazonS3Builder::new().with_region("us-east-1"),
            with_bucket_name,
            ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        ),
        Scheme::Gs => {
            built!(GoogleCloudStorageBuilder::new(), with_bucket_name, ["GOOGLE_BASE_URL"])
        }
        Scheme::Az => built!(
            MicrosoftAzureBuilder::new(),
            with_container_name,
            ["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"]
        ),
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
