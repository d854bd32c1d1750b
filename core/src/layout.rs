//! Where every field of a shared or wire struct stands: a table beside the struct, which the compiler checks.
//!
//! The tables hold on every target, because core does not compile where one of them is wrong. They can hold, because
//! no field is as wide as a pointer, and because 64-bit words are aligned to 8 bytes also where the target aligns its
//! plain `u64` to 4 (32-bit x86). They say where bytes stand, not in which order within a word: shared words are
//! little-endian by [`sync`](crate::sync), wire integers by their type.

/// Checks size, alignment and fields of a struct, each field as `offset: size name`; a tuple's fields have numbers for
/// names. Every field must be listed, and together they must fill the struct: it has no padding.
///
/// Under loom nothing is checked, because its atomics are larger.
macro_rules! assert_layout {
    ($type:ident: $size:literal bytes, aligned to $align:literal { $($offset:literal: $len:literal $field:tt),+ $(,)? }) => {
        #[cfg(not(all(test, loom)))]
        const _: () = {
            use $crate::layout::len_of;
            assert!(size_of::<$type>() == $size);
            assert!(align_of::<$type>() == $align);
            $(
                assert!(core::mem::offset_of!($type, $field) == $offset);
                assert!(len_of(|whole: &$type| &whole.$field) == $len);
            )+
            assert!(0 $(+ $len)+ == $size, "the fields do not fill the struct");
            // A field that is missing above is missing in this pattern too, which the compiler refuses.
            let _every_field = |whole: $type| {
                let $type { $($field: _),+ } = whole;
            };
        };
    };
}
pub(crate) use assert_layout;

/// Bytes of the field that `_field` names.
#[cfg(not(all(test, loom)))]
pub(crate) const fn len_of<T, F>(_field: fn(&T) -> &F) -> usize {
    size_of::<F>()
}
