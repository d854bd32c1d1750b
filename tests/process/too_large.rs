//! Sizes that no machine has: refused with the numbers, before anything is made.

use strait::zerobuffer::{CreateError, Reader};
use strait_tests::TestName;

#[test]
fn a_size_beyond_any_machine_is_refused_with_the_numbers() {
    let name = TestName::new("far-too-much");
    for bytes in [(1 << 40) + 1, 1 << 62, u64::MAX - 63, u64::MAX] {
        let error = Reader::builder(&name).payload_capacity(bytes).create().expect_err("does not fit");
        assert!(matches!(error, CreateError::BadCapacity { .. }), "{error:?}");
        assert!(error.to_string().contains(&bytes.to_string()), "{error}");
        let error = Reader::builder(&name).metadata_capacity(bytes).create().expect_err("does not fit");
        assert!(matches!(error, CreateError::BadCapacity { .. }), "{error:?}");
    }
    name.assert_nothing_left();
}
