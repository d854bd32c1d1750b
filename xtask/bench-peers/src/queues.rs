//! How does each queue within a process put an item in and take it out?

use strait_bench::Outcome;

use crate::waiting::Waiting;

/// What goes through: one cache line of bytes, its number in the first eight.
pub(crate) type Item = [u8; 64];

/// Places of every queue. A power of two, as heapless wants it.
pub(crate) const PLACES: usize = 1024;

/// A bounded queue for any number of producers and consumers.
pub(crate) trait Queue: Sync + Sized {
    /// An empty queue with [`PLACES`].
    fn create() -> Self;

    /// Puts `item` in, unless the queue is full.
    fn try_put(&self, item: &Item) -> bool;

    /// Takes the oldest item out.
    fn try_take(&self) -> Option<Item>;

    /// Puts `item` in as soon as there is room.
    #[inline]
    fn put(&self, item: &Item, waiting: Waiting) -> Outcome<()> {
        waiting.until(|| self.try_put(item).then_some(()))
    }

    /// Takes the oldest item out as soon as there is one.
    #[inline]
    fn take(&self, waiting: Waiting) -> Outcome<Item> {
        waiting.until(|| self.try_take())
    }
}

/// crossbeam's.
pub(crate) struct ArrayQueue(crossbeam_queue::ArrayQueue<Item>);

impl Queue for ArrayQueue {
    fn create() -> Self {
        Self(crossbeam_queue::ArrayQueue::new(PLACES))
    }

    #[inline]
    fn try_put(&self, item: &Item) -> bool {
        self.0.push(*item).is_ok()
    }

    #[inline]
    fn try_take(&self) -> Option<Item> {
        self.0.pop()
    }
}

/// heapless' `mpmc::Queue`: its `spsc::Queue` is for one thread at each end.
pub(crate) struct Heapless(Box<heapless::mpmc::Queue<Item, PLACES>>);

impl Queue for Heapless {
    #[expect(
        deprecated,
        reason = "a stalled thread can hold up the others; ArrayQueue has the same weakness"
    )]
    fn create() -> Self {
        Self(Box::new(heapless::mpmc::Queue::new()))
    }

    #[inline]
    fn try_put(&self, item: &Item) -> bool {
        self.0.enqueue(*item).is_ok()
    }

    #[inline]
    fn try_take(&self) -> Option<Item> {
        self.0.dequeue()
    }
}

/// thingbuf's ring, filled and read in place, which is what it is made for.
pub(crate) struct ThingBuf(thingbuf::ThingBuf<Item, InPlace>);

/// Makes the places, and leaves them as they are when they are used again.
pub(crate) struct InPlace;

impl thingbuf::Recycle<Item> for InPlace {
    fn new_element(&self) -> Item {
        [0; 64]
    }

    fn recycle(&self, _: &mut Item) {}
}

impl Queue for ThingBuf {
    fn create() -> Self {
        Self(thingbuf::ThingBuf::with_recycle(PLACES, InPlace))
    }

    #[inline]
    fn try_put(&self, item: &Item) -> bool {
        self.0.push_with(|place| *place = *item).is_ok()
    }

    #[inline]
    fn try_take(&self) -> Option<Item> {
        self.0.pop_with(|place| *place)
    }
}

/// kanal's bounded channel, waited for as the others are.
pub(crate) struct Kanal(kanal::Sender<Item>, kanal::Receiver<Item>);

impl Queue for Kanal {
    fn create() -> Self {
        let (sender, receiver) = kanal::bounded(PLACES);
        Self(sender, receiver)
    }

    #[inline]
    fn try_put(&self, item: &Item) -> bool {
        self.0.try_send(*item).is_ok_and(|sent| sent)
    }

    #[inline]
    fn try_take(&self) -> Option<Item> {
        self.1.try_recv().ok().flatten()
    }
}
