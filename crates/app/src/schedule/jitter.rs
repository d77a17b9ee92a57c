use std::time::Duration;

use sha2::{Digest, Sha256};

/// What the runs of a preset are spread over, so that jobs with the same preset do not start all at once. A cron text
/// says when it wants to run and is not spread.
pub const PRESET_JITTER: Duration = Duration::from_secs(60);

/// How long after its due times a job starts: whole seconds below `most`, always the same for one job.
pub fn jitter(job: &str, most: Duration) -> Duration {
    let digest = Sha256::digest(job.as_bytes());
    let number = digest
        .iter()
        .take(8)
        .fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    Duration::from_secs(number.checked_rem(most.as_secs()).unwrap_or(0))
}
