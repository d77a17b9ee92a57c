//! The executor of REPLICATE
