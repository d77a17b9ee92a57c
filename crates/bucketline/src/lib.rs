//! Bucketline as a library: sessions, events, results
