//! One upload with the `tus-uploader` crate, as in the other clients of the matrix (see `matrix.test.mjs`).
//!
//! usage: `tidegate-tus-uploader-client ENDPOINT FILE NAME STATE [--remember] [--checksum | --checksum-trailer] [--parallel]`
//!
//! With `--remember` the URL is kept in STATE, so that the same command continues what an earlier process began.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use tus_uploader::url::Url;
use tus_uploader::{
    ChecksumAlgorithm, ChecksumMode, Client, FileSource, NewUpload, ParallelUpload, UploadSource,
};

const PART_BYTES: usize = 6 * 1024 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, file, name, state, wishes @ ..] = arguments.as_slice() else {
        return Err("expected ENDPOINT FILE NAME STATE".into());
    };
    let wants = |wish: &str| wishes.iter().any(|each| each == wish);
    let client = client(Url::parse(endpoint)?, &wants);
    let source = FileSource::open(file).await?;
    let metadata = HashMap::from([("filename".to_owned(), name.clone())]);
    let url = if wants("--parallel") {
        client
            .upload_parallel(source, &metadata, ParallelUpload::new(PART_BYTES))
            .await?
            .url()
            .clone()
    } else if wants("--remember") {
        remembered(&client, source, &metadata, Path::new(state)).await?
    } else {
        client.upload_from(source, &metadata).await?.url().clone()
    };
    println!("{url}");
    Ok(())
}

fn client(endpoint: Url, wants: &dyn Fn(&str) -> bool) -> Client {
    let client =
        Client::new(endpoint).with_max_retries(5).with_retry_delay(Duration::from_millis(100));
    if wants("--checksum") {
        client.with_checksum(ChecksumAlgorithm::Sha1)
    } else if wants("--checksum-trailer") {
        client.with_checksum(ChecksumMode::Trailer(ChecksumAlgorithm::Sha1))
    } else {
        client
    }
}

async fn remembered(
    client: &Client,
    source: FileSource,
    metadata: &HashMap<String, String>,
    state: &Path,
) -> Result<Url, Box<dyn Error>> {
    let upload = if state.exists() {
        client.upload_at(std::fs::read_to_string(state)?)?
    } else {
        let (upload, _) = client.create_upload(NewUpload::new(source.len(), metadata)).await?;
        std::fs::write(state, upload.url().as_str())?;
        upload
    };
    Ok(upload.upload(source).await?.url().clone())
}
