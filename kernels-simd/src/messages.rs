//! Texts of errors and names, written once for `core::fmt` and for defmt (feature `defmt`).

/// `Display` and `defmt::Format` of a type: of each pattern the text and the values in it, which
/// have both themselves.
#[doc(hidden)]
#[macro_export]
macro_rules! messages {
    ($name:ty {
        $($(#[$attribute:meta])* $pattern:pat => ($text:literal $(, $value:expr)* $(,)?),)+
    }) => {
        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self {
                    $($(#[$attribute])* $pattern => core::write!(f, $text $(, $value)*),)+
                }
            }
        }

        #[cfg(feature = "defmt")]
        impl defmt::Format for $name {
            fn format(&self, f: defmt::Formatter<'_>) {
                match self {
                    $($(#[$attribute])* $pattern => defmt::write!(f, $text $(, $value)*),)+
                }
            }
        }
    };
}

/// `Display`, with its padding, and `defmt::Format` of a type that has a name for every value.
#[doc(hidden)]
#[macro_export]
macro_rules! names {
    ($name:ty, $value:ident => $text:expr) => {
        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let $value = self;
                f.pad($text)
            }
        }

        #[cfg(feature = "defmt")]
        impl defmt::Format for $name {
            fn format(&self, f: defmt::Formatter<'_>) {
                let $value = self;
                defmt::write!(f, "{=str}", $text);
            }
        }
    };
}
