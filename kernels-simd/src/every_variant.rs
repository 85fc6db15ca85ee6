//! Lists of all variants that cannot lack one.

/// The constant `ALL` of an enum without fields, in the order given. A variant that the list lacks
/// does not compile: its match is not exhaustive.
#[doc(hidden)]
#[macro_export]
macro_rules! every_variant {
    ($(#[$doc:meta])* $vis:vis const ALL: $name:ident = [$($variant:ident),+ $(,)?];) => {
        $(#[$doc])*
        $vis const ALL: [Self; [$($name::$variant),+].len()] = {
            #[allow(dead_code)]
            const fn is_listed(variant: $name) -> bool {
                match variant {
                    $($name::$variant => true,)+
                }
            }
            [$($name::$variant),+]
        };
    };
}
