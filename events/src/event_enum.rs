//! One enum for a stream's events: the variant, the struct of its name, and its type on the wire.

macro_rules! event_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $kind:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs, clippy::large_enum_variant)] // each variant is the struct of its name
        pub enum $name { $($variant($variant),)+ }

        impl $name {
            /// Every type there is, as on the wire.
            pub const KINDS: &'static [&'static str] = &[$($kind),+];

            /// The type as on the wire, with its version.
            pub fn kind(&self) -> &'static str { match self { $(Self::$variant(_) => $kind),+ } }

            pub(crate) fn data_to_json(&self) -> Result<Box<serde_json::value::RawValue>, serde_json::Error> {
                match self { $(Self::$variant(it) => serde_json::value::to_raw_value(it)),+ }
            }

            pub(crate) fn from_json(kind: &str, data: &str) -> Option<Result<Self, serde_json::Error>> {
                match kind {
                    $($kind => Some(serde_json::from_str(data).map(Self::$variant)),)+
                    _ => None,
                }
            }

            /// The same out of a larger text that is being read.
            pub(crate) fn read<'de, D: serde::Deserializer<'de>>(kind: &str, from: D) -> Option<Result<Self, D::Error>> {
                match kind {
                    $($kind => Some(serde::Deserialize::deserialize(from).map(Self::$variant)),)+
                    _ => None,
                }
            }
        }

        $(impl From<$variant> for $name { fn from(it: $variant) -> Self { Self::$variant(it) } })+
    };
}
pub(crate) use event_enum;
