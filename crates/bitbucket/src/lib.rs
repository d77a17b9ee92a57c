//! Bitbucket Cloud as a source
