//! Secrets: kept out of foreign texts, and in files for their owner alone.
//!
//! Whatever a server, a proxy or a file of others says may echo a credential, and may be of any
//! length. A [`Scrubber`] takes the secrets out and cuts what is left, in that order, so that no
//! half of a secret remains.
//!
//! ```
//! use bucketline_secret::Scrubber;
//!
//! let scrubber = Scrubber::default().with("s3cret/token");
//! let said = r#"no such token: "s3cret\/token" or s3cret%2Ftoken"#;
//! assert_eq!(scrubber.quote(said), r#"no such token: "***" or ***"#);
//! ```

mod private;
pub mod process;
mod reference;
mod scrub;
mod spelling;

pub use private::{make_folder, private, private_folder, tighten};
pub use reference::Reference;
pub use scrub::{MASK, Scrubber, cut};
