//! Options of `sign`.

use std::path::PathBuf;

use clap::Args;

/// Options of `sign`.
#[derive(Args, Debug)]
pub struct SignArgs {
    /// The folder of images, as `sample` or `balance` wrote it. Only images that dermagan generated are signed.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Certificates in PEM: yours, and those up to its authority. A certificate that signed itself is refused, as C2PA demands.
    #[arg(long, value_name = "CHAIN.pem")]
    pub certificates: PathBuf,
    /// The private key of your certificate in PEM.
    #[arg(long, value_name = "KEY.pem")]
    pub key: PathBuf,
    /// The algorithm of the key: es256, es384, es512, ps256, ps384, ps512 or ed25519.
    #[arg(long, default_value = "es256")]
    pub algorithm: String,
    /// Ask this authority for time stamps, such as http://timestamp.example.org. Without it nothing is sent anywhere.
    #[arg(long, value_name = "URL")]
    pub time_authority: Option<String>,
}
