//! Runs futures right where the runtime calls: a future goes on inside the callback of the promise
//! that it waited for. wasm-bindgen's own executor goes through `queueMicrotask` for each step,
//! which workerd implements at the cost of a whole callback of its own.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// What this isolate is doing.
#[derive(Default)]
struct Tasks {
    /// By key; those that are being polled are taken out, those that have ended leave their place.
    places: Vec<Place>,
    free: Vec<usize>,
    ready: VecDeque<usize>,
    /// Somebody further up the stack takes what is ready.
    running: bool,
}

enum Place {
    Free,
    Waits(Work, Waker),
    Runs,
}

thread_local! {
    static TASKS: RefCell<Tasks> = RefCell::default();
}

/// Begins `work`, and does all of it that needs no waiting.
pub fn spawn(work: impl Future<Output = ()> + 'static) {
    let key = TASKS.with_borrow_mut(|tasks| tasks.add(Box::pin(work)));
    run(key);
}

/// A promise of what `work` comes to, which is begun at once.
pub fn promise(work: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Promise {
    let mut work = Some(work);
    Promise::new(&mut |resolve: Function, reject: Function| {
        if let Some(work) = work.take() {
            spawn(async move {
                let (settle, value) = match work.await {
                    Ok(value) => (resolve, value),
                    Err(error) => (reject, error),
                };
                // A promise's own functions do not throw.
                let _ = settle.call1(&JsValue::UNDEFINED, &value);
            });
        }
    })
}

/// Polls the task of this key, and whatever becomes ready meanwhile.
fn run(key: usize) {
    let free = TASKS.with_borrow_mut(|tasks| {
        tasks.ready.push_back(key);
        !std::mem::replace(&mut tasks.running, true)
    });
    while free && let Some(key) = TASKS.with_borrow_mut(Tasks::next) {
        let Some((mut work, waker)) = TASKS.with_borrow_mut(|tasks| tasks.take(key)) else {
            continue;
        };
        let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
        let place = if polled == Poll::Pending { Place::Waits(work, waker) } else { Place::Free };
        TASKS.with_borrow_mut(|tasks| tasks.put(key, place));
    }
}

impl Tasks {
    fn add(&mut self, work: Work) -> usize {
        let key = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::Free);
            self.places.len().saturating_sub(1)
        });
        self.put(key, Place::Waits(work, Waker::from(Arc::new(Key(key)))));
        key
    }

    fn next(&mut self) -> Option<usize> {
        let next = self.ready.pop_front();
        self.running = next.is_some();
        next
    }

    /// `None` for a task that has ended, or is being polled.
    fn take(&mut self, key: usize) -> Option<(Work, Waker)> {
        let place = self.places.get_mut(key)?;
        match std::mem::replace(place, Place::Runs) {
            Place::Waits(work, waker) => Some((work, waker)),
            other => {
                *place = other;
                None
            }
        }
    }

    fn put(&mut self, key: usize, place: Place) {
        if matches!(place, Place::Free) {
            self.free.push(key);
        }
        if let Some(there) = self.places.get_mut(key) {
            *there = place;
        }
    }
}

/// Wakes the task of this key. One that comes late may wake another task, which finds that it has
/// nothing to do.
struct Key(usize);

impl Wake for Key {
    fn wake(self: Arc<Self>) {
        run(self.0);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        run(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, poll_fn};
    use std::rc::Rc;

    use super::*;

    /// A future that is ready once `open` is, and the waker of whoever waits for it.
    async fn gate(open: Rc<Cell<bool>>, waker: Rc<Cell<Option<Waker>>>) {
        poll_fn(|context| {
            waker.set(Some(context.waker().clone()));
            if open.get() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    #[test]
    fn work_goes_on_as_soon_as_it_is_woken() {
        let (open, waker, done) = (Rc::new(Cell::new(false)), Rc::default(), Rc::new(Cell::new(0)));
        let (count, gate) = (done.clone(), gate(open.clone(), Rc::clone(&waker)));
        spawn(async move {
            count.set(1);
            gate.await;
            count.set(2);
        });
        assert_eq!(done.get(), 1);
        let known = waker.take().unwrap();
        known.wake_by_ref();
        assert_eq!(done.get(), 1, "not ready yet");
        open.set(true);
        known.wake_by_ref();
        assert_eq!(done.get(), 2);
        known.wake(); // too late, which does no harm
        assert_eq!(done.get(), 2);
    }

    #[test]
    fn what_wakes_others_or_itself_is_never_polled_within_itself() {
        let order = Rc::new(RefCell::new(Vec::new()));
        let say = |word: &'static str| {
            let order = order.clone();
            move || order.borrow_mut().push(word)
        };
        let (begin, inner, end, again) = (say("begin"), say("inner"), say("end"), say("again"));
        let mut polled = false;
        spawn(async move {
            begin();
            spawn(async move { inner() });
            poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            again();
        });
        end();
        assert_eq!(*order.borrow(), ["begin", "inner", "again", "end"]);
    }

    #[test]
    fn places_are_used_again() {
        let places = || TASKS.with_borrow(|tasks| tasks.places.len());
        spawn(pending());
        let before = places();
        for _ in 0..10 {
            spawn(async {});
        }
        assert_eq!(places(), before + 1);
    }
}
