//! What a script has found out about its sources.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

type Key = (usize, TypeId);
type Shared = Arc<dyn Any + Send + Sync>;

/// The owner is kept, so that no other can take its address while the scan lives.
struct Part {
    value: Shared,
    _owner: Shared,
}

/// What one script has found out about its sources, so that it asks for it once: a listing of repositories, say. The next
/// script finds it out anew, and scripts that run at the same time do not share it.
///
/// A clone is the same scan.
#[derive(Clone, Default)]
pub struct Scan(Arc<Mutex<HashMap<Key, Part>>>);

impl Scan {
    /// A source's part of it, made empty when it is first asked for. `owner` is a value that the source and its clones
    /// share.
    pub fn part<O, T>(&self, owner: &Arc<O>) -> Arc<T>
    where
        O: Any + Send + Sync,
        T: Any + Default + Send + Sync,
    {
        let key = (Arc::as_ptr(owner).cast::<()>() as usize, TypeId::of::<T>());
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let part = parts.entry(key).or_insert_with(|| Part {
            value: Arc::new(T::default()),
            _owner: Arc::clone(owner) as Shared,
        });
        Arc::clone(&part.value).downcast().unwrap_or_default()
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_finds_its_own_part_again_and_no_other_scan_does() {
        let (source, other) = (Arc::new(()), Arc::new(1));
        let scan = Scan::default();
        let part: Arc<Mutex<u8>> = scan.part(&source);
        *part.lock().unwrap_or_else(PoisonError::into_inner) = 7;
        let read = |scan: &Scan, of_other: bool| {
            let part: Arc<Mutex<u8>> = match of_other {
                true => scan.part(&other),
                false => scan.part(&source),
            };
            *part.lock().unwrap_or_else(PoisonError::into_inner)
        };
        assert_eq!(read(&scan.clone(), false), 7);
        assert_eq!(read(&scan, true), 0);
        assert_eq!(read(&Scan::default(), false), 0);
    }
}
