//! What core relies on, asked of every platform: the cases, each listed once and run for all of them.
//!
//! A case is a generic function over [`System`](system::System). It keeps to the order in which core calls: an object
//! is removed, then the handle that created it is dropped, then its name is free. Systems differ in which of the two
//! frees the name.
#![forbid(unsafe_code)]
// A case that no platform runs is not used, and does not compile.
#![deny(dead_code)]

/// Makes a test of each case for one system. The only list of cases: none can be run for one system and not for
/// another.
macro_rules! conformance {
    ($system:ty) => {
        conformance! { $system;
            segment:
                a_new_segment_is_zeroed_aligned_and_long_enough,
                every_handle_sees_what_another_wrote,
                a_second_segment_of_a_name_is_refused_and_the_first_stays,
                what_never_was_is_not_found_and_removing_it_is_no_error,
                a_removed_segment_stays_for_those_who_have_it,
                a_name_is_reused_while_the_old_memory_is_read,
                a_clone_of_the_creators_handle_keeps_the_name,
                segments_of_two_names_are_independent,
                adds_of_many_threads_through_many_handles_all_count,
                a_size_that_cannot_be_is_an_error_and_leaves_nothing,
                the_default_access_is_for_this_user_alone,
                only_one_handle_holds_the_lock,
                a_lock_is_held_until_the_last_clone_of_its_handle,
                of_many_threads_one_gets_the_lock,
                the_lock_belongs_to_the_object_and_not_to_its_name,
                removing_an_object_leaves_its_successor;
            signal:
                a_new_signal_has_no_permits,
                permits_are_counted_through_every_handle,
                waiting_leaves_the_permit,
                waiting_ends_not_before_its_instant,
                a_wait_without_end_is_ended_by_a_post,
                a_nudge_ends_a_wait_that_is_given_up_and_no_other,
                no_wake_up_is_lost_between_two_threads,
                permits_stay_when_their_poster_has_gone,
                posts_of_many_threads_are_all_taken,
                what_was_stored_before_a_post_is_seen_after_the_take,
                what_never_was_is_not_found_and_removing_it_is_no_error,
                a_removed_signal_is_not_found,
                a_reused_name_starts_without_permits,
                a_name_in_use_is_refused_or_emptied,
                signals_of_two_names_are_independent,
                only_one_handle_holds_the_lock,
                a_lock_is_held_until_the_last_clone_of_its_handle,
                a_signal_made_locked_is_never_found_free;
            lock:
                a_held_lock_is_busy_for_everybody,
                a_lock_is_absent_held_and_absent_again,
                probing_changes_nothing,
                of_many_threads_one_at_a_time_holds_a_lock,
                a_busy_lock_is_free_again_at_once,
                locks_of_two_names_are_independent,
                the_lock_of_a_killed_process_is_free;
            naming:
                every_valid_name_names_a_lock_a_segment_and_a_signal,
                the_objects_of_a_buffer_stand_beside_each_other,
                names_that_differ_by_one_character_are_different;
            liveness:
                this_process_is_alive_and_seen,
                a_number_that_no_process_has_is_neither_alive_nor_seen,
                another_process_is_alive_until_it_is_killed,
                a_watch_of_a_dead_process_stays_dead,
                one_process_dies_and_another_lives;
            clock:
                now_never_goes_backwards,
                now_and_the_stamp_advance,
                a_wait_policy_has_its_bounds_in_order;
            link:
                what_was_prepared_is_there_for_whoever_opens,
                a_reopened_segment_is_the_same_memory_with_a_lock_of_its_own,
                a_sleeper_wakes_when_its_word_changes,
                nobody_sleeps_at_a_word_that_has_changed_nor_past_its_instant,
                a_process_is_itself_and_nobody_born_at_another_time,
                the_lock_of_a_place_is_seen_through_every_handle_and_taken_once,
                a_name_is_taken_from_its_own_object_alone,
                a_process_keeps_its_generation,
                pages_are_powers_of_two,
                messages_go_both_ways_and_the_last_one_out_removes_the_name,
                two_threads_wait_for_each_other_over_a_link;
            zerobuffer:
                frames_of_odd_sizes_arrive_whole_for_many_laps,
                two_threads_wait_for_each_other,
                metadata_are_read_as_written,
                a_buffer_can_be_looked_at_by_name,
                there_is_nothing_to_attach_to_before_a_reader,
                a_second_writer_is_refused,
                a_second_reader_is_refused,
                a_writer_that_closes_ends_the_stream,
                a_second_writer_follows_the_first,
                a_reader_that_closes_is_noticed,
                a_full_ring_times_out_not_before_its_deadline,
                an_empty_ring_times_out_not_before_its_deadline,
                a_name_is_free_while_the_former_writer_is_still_there,
                a_name_is_free_while_a_frame_is_still_held,
                a_buffer_that_cannot_be_leaves_nothing,
                a_killed_writers_frames_all_arrive,
                a_killed_readers_name_is_taken_over;
        }
    };
    ($system:ty; $($question:ident: $($case:ident),+;)+) => {
        $(
            mod $question {
                $(
                    #[test]
                    fn $case() {
                        crate::$question::$case::<$system>();
                    }
                )+
            }
        )+
    };
}

mod clock;
mod fake;
mod link;
#[cfg(target_os = "linux")]
mod linux;
mod liveness;
mod lock;
mod naming;
#[cfg(any(target_os = "linux", windows))]
mod process;
mod scene;
mod segment;
mod signal;
mod system;
#[cfg(windows)]
mod windows;
mod words;
mod zerobuffer;
