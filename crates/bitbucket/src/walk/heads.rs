//! The walk of commits: what the heads of branches reach and those known before do not.

use std::collections::{BTreeMap, HashSet, VecDeque};

/// The most heads that are asked about at once, and the most that are left out; more would make an address that
/// servers refuse.
const INCLUDED: usize = 20;
const EXCLUDED: usize = 60;

/// Which commits to ask for; without heads all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Commits that these reach, themselves too.
    pub(crate) include: Vec<String>,
    /// But none that these reach.
    pub(crate) exclude: Vec<String>,
}

/// A walk from the heads of now back to those known before.
#[derive(Debug, Clone)]
pub(crate) struct HeadsWalk {
    /// By branch, as of the last finished walk.
    known: BTreeMap<String, String>,
    heads: BTreeMap<String, String>,
    /// Nothing is known: everything is asked for at once.
    whole: bool,
    /// New heads still to be asked about.
    left: VecDeque<String>,
    /// Commits whose history is read.
    read: Vec<String>,
    vanished: HashSet<String>,
}

impl HeadsWalk {
    pub(crate) fn new(known: BTreeMap<String, String>, heads: BTreeMap<String, String>) -> Self {
        let old: HashSet<&String> = known.values().collect();
        let mut once = HashSet::new();
        let new = heads
            .values()
            .filter(|head| !old.contains(head) && once.insert((*head).clone()))
            .cloned()
            .collect();
        Self {
            whole: known.is_empty() && !heads.is_empty(),
            read: known.values().cloned().collect(),
            left: new,
            known,
            heads,
            vanished: HashSet::new(),
        }
    }

    /// What to ask for; `None` once everything new is read.
    pub(crate) fn ask(&self) -> Option<Reach> {
        if self.whole {
            return Some(Reach::default());
        }
        let include: Vec<_> = self.left.iter().take(INCLUDED).cloned().collect();
        if include.is_empty() {
            return None;
        }
        // The former heads of the same branches leave out most.
        let moved = self
            .heads
            .iter()
            .filter(|(_, head)| include.contains(head))
            .filter_map(|(branch, _)| self.known.get(branch));
        let mut once: HashSet<&String> = include.iter().collect();
        let exclude = moved
            .chain(self.read.iter().rev())
            .filter(|head| !self.vanished.contains(*head) && once.insert(head))
            .take(EXCLUDED)
            .cloned()
            .collect();
        Some(Reach { include, exclude })
    }

    /// Takes in that the service knows some commits no more; whether that changes what is asked for. A head that
    /// vanished meanwhile is left to the next walk.
    pub(crate) fn forget(&mut self, vanished: &[String]) -> bool {
        let Some(asked) = self.ask() else {
            return false;
        };
        let is_asked =
            |hash: &&String| asked.include.contains(hash) || asked.exclude.contains(hash);
        let vanished: Vec<_> = vanished.iter().filter(is_asked).cloned().collect();
        self.left.retain(|head| !vanished.contains(head));
        self.heads.retain(|_, head| !vanished.contains(head));
        let found = !vanished.is_empty();
        self.vanished.extend(vanished);
        found
    }

    /// Takes in that something is not there any more, which the service does not name: nothing that was asked about is
    /// left out from now on. Whether that changes what is asked for.
    pub(crate) fn forget_known(&mut self) -> bool {
        let Some(asked) = self.ask().filter(|asked| !asked.exclude.is_empty()) else {
            return false;
        };
        self.vanished.extend(asked.exclude);
        true
    }

    /// The list that was asked for has ended.
    pub(crate) fn end_list(&mut self) {
        if std::mem::take(&mut self.whole) {
            self.left.clear();
            return;
        }
        let count = self.left.len().min(INCLUDED);
        self.read.extend(self.left.drain(..count));
    }

    /// The heads to remember: those of now once the walk has ended, until then those known before.
    pub(crate) fn heads(&self) -> &BTreeMap<String, String> {
        if self.ask().is_none() {
            &self.heads
        } else {
            &self.known
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// A history in which branches grow, fork, are rewritten and go, and commits that nothing reaches vanish.
    #[derive(Debug, Clone, Default)]
    struct Service {
        parents: BTreeMap<String, Option<String>>,
        branches: BTreeMap<String, String>,
        next: usize,
    }

    #[derive(Debug, Clone, Copy)]
    enum Deed {
        Commit(usize),
        Fork(usize, usize),
        Rewrite(usize),
        Delete(usize),
        Vacuum,
    }

    impl Service {
        fn reached(&self, head: &str) -> BTreeSet<String> {
            let mut reached = BTreeSet::new();
            let mut at = Some(head.to_owned());
            while let Some(hash) = at {
                at = self.parents.get(&hash).cloned().flatten();
                reached.insert(hash);
            }
            reached
        }

        fn commit(&mut self, parent: Option<String>) -> String {
            self.next += 1;
            let hash = format!("c{}", self.next);
            self.parents.insert(hash.clone(), parent);
            hash
        }

        fn apply(&mut self, deed: Deed) {
            let names: Vec<_> = self.branches.keys().cloned().collect();
            let pick = |number: usize| names.get(number % names.len().max(1)).cloned();
            match deed {
                Deed::Commit(branch) => {
                    let branch = pick(branch).unwrap_or_else(|| "main".to_owned());
                    let parent = self.branches.get(&branch).cloned();
                    let head = self.commit(parent);
                    self.branches.insert(branch, head);
                }
                Deed::Fork(branch, name) => {
                    if let Some(head) = pick(branch).and_then(|it| self.branches.get(&it).cloned())
                    {
                        self.branches.insert(format!("b{}", name % 5), head);
                    }
                }
                Deed::Rewrite(branch) => {
                    if let Some(branch) = pick(branch) {
                        let head = self.branches.get(&branch).cloned();
                        let parent =
                            head.and_then(|head| self.parents.get(&head).cloned().flatten());
                        let head = self.commit(parent);
                        self.branches.insert(branch, head);
                    }
                }
                Deed::Delete(branch) => {
                    if let Some(branch) = pick(branch) {
                        self.branches.remove(&branch);
                    }
                }
                Deed::Vacuum => {
                    let reached = self.everything();
                    self.parents.retain(|hash, _| reached.contains(hash));
                }
            }
        }

        fn everything(&self) -> BTreeSet<String> {
            self.branches
                .values()
                .flat_map(|head| self.reached(head))
                .collect()
        }

        /// The commits asked for, or those that vanished.
        fn answer(&self, asked: &Reach) -> Result<BTreeSet<String>, Vec<String>> {
            let all = asked.include.iter().chain(&asked.exclude);
            let vanished: Vec<_> = all
                .filter(|it| !self.parents.contains_key(*it))
                .cloned()
                .collect();
            if !vanished.is_empty() {
                return Err(vanished);
            }
            if asked.include.is_empty() {
                return Ok(self.everything());
            }
            let not: BTreeSet<_> = asked
                .exclude
                .iter()
                .flat_map(|head| self.reached(head))
                .collect();
            let reached = asked.include.iter().flat_map(|head| self.reached(head));
            Ok(reached.filter(|hash| !not.contains(hash)).collect())
        }
    }

    /// Walks to the end; gives how many requests for commits that took.
    fn walk(
        service: &mut Service,
        copy: &mut (BTreeSet<String>, BTreeMap<String, String>),
        meanwhile: &[Deed],
        dies_at: Option<usize>,
        named: bool,
    ) -> usize {
        let mut machine = HeadsWalk::new(copy.1.clone(), service.branches.clone());
        let mut meanwhile = meanwhile.iter();
        for request in 0..1_000 {
            let Some(asked) = machine.ask() else {
                copy.1.clone_from(machine.heads());
                return request;
            };
            if dies_at == Some(request) {
                return request;
            }
            match service.answer(&asked) {
                Ok(commits) => {
                    copy.0.extend(commits);
                    machine.end_list();
                    copy.1.clone_from(machine.heads());
                }
                Err(vanished) if named => assert!(machine.forget(&vanished), "{vanished:?}"),
                Err(_) if machine.forget_known() => {}
                // A head that has just vanished as well: the next walk sees the branches anew.
                Err(_) => return request,
            }
            if let Some(deed) = meanwhile.next() {
                service.apply(*deed);
            }
        }
        panic!("the walk does not end");
    }

    fn any_deed() -> impl Strategy<Value = Deed> {
        prop_oneof![
            4 => any::<usize>().prop_map(Deed::Commit),
            2 => any::<(usize, usize)>().prop_map(|(branch, name)| Deed::Fork(branch, name)),
            1 => any::<usize>().prop_map(Deed::Rewrite),
            1 => any::<usize>().prop_map(Deed::Delete),
            1 => Just(Deed::Vacuum),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// After any history of pushes, forced ones too, the copy has every commit that a branch reaches.
        #[test]
        fn every_commit_that_a_branch_reaches_is_read(
            runs in prop::collection::vec((
                prop::collection::vec(any_deed(), 0..20),
                prop::collection::vec(any_deed(), 0..3),
                prop::option::of(0_usize..3),
            ), 1..8),
            named in any::<bool>(),
        ) {
            let mut service = Service::default();
            let mut copy = Default::default();
            for (before, meanwhile, dies_at) in runs {
                for deed in before {
                    service.apply(deed);
                }
                walk(&mut service, &mut copy, &meanwhile, dies_at, named);
            }
            walk(&mut service, &mut copy, &[], None, named);
            let lacking: Vec<_> = service.everything().difference(&copy.0).cloned().collect();
            prop_assert!(lacking.is_empty(), "{lacking:?}");
            prop_assert_eq!(walk(&mut service, &mut copy, &[], None, named), 0, "nothing is new");
        }
    }

    #[test]
    fn many_new_heads_are_asked_about_in_turn() {
        let heads = (0..45)
            .map(|number| (format!("b{number:02}"), format!("c{number:02}")))
            .collect();
        let known = BTreeMap::from([("main".to_owned(), "c".to_owned())]);
        let mut walk = HeadsWalk::new(known, heads);
        let mut asked = 0;
        while let Some(reach) = walk.ask() {
            assert!(reach.include.len() <= INCLUDED && reach.exclude.len() <= EXCLUDED);
            assert!(reach.exclude.contains(&"c".to_owned()));
            asked += reach.include.len();
            walk.end_list();
        }
        assert_eq!((asked, walk.heads().len()), (45, 45));
    }
}
