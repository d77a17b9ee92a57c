//! Enumerations whose members have a word each, which texts and stores know them by.

/// A word that names none of what is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is none of {known}")]
pub struct UnknownWord {
    pub(crate) word: String,
    pub(crate) known: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of_member:meta])* $member:ident = $word:tt,)* }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize,
        )]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $name {
            $($(#[$of_member])* #[serde(rename = $word)] $member,)*
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$member),*];

            /// The word for it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$member => $word,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(word: &str) -> Result<Self, $crate::UnknownWord> {
                let found = Self::ALL.iter().find(|known| known.word() == word);
                found.copied().ok_or_else(|| $crate::UnknownWord {
                    word: word.to_owned(),
                    known: [$($word),*].join(", "),
                })
            }
        }
    };
}

pub(crate) use words;
